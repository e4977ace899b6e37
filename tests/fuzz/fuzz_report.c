/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_report - any bytes as a bounce, as a command mail and as a template
 *
 * clang -fsanitize=fuzzer,address,undefined with the library.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/esc.h"
#include "common/base/xalloc.h"
#include "common/mail/report.h"
#include "common/mail/template.h"
#include "common/mail/text.h"

#define TEXT_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
require(int is_so)
{
	if (!is_so)
		abort();
}

static void
try_report(int fd)
{
	struct report r;
	size_t i;

	require(report_read(fd, &r) == 0);
	require(r.n <= REPORT_RECIPIENTS_MAX);
	for (i = 0; i < r.n; i++) {
		require(strchr(r.recipients[i].address, '@') != NULL);
		require(strchr(r.recipients[i].text, '\n') == NULL);
		require(strlen(r.recipients[i].text) <= 500);
		require(esc_is_utf8(r.recipients[i].text,
		    strlen(r.recipients[i].text)));
		report_class(r.recipients[i].status);
	}
	report_free(&r);
}

static void
try_text(int fd)
{
	struct sbuf out = {0};
	int found;

	found = text_first(fd, TEXT_MAX, &out);
	require(found == 1 || (found == 0 && out.len == 0));
	require(out.len <= TEXT_MAX);
	require(strlen(sbuf_str(&out)) == out.len);
	require(esc_is_utf8(sbuf_str(&out), out.len));
	sbuf_free(&out);
}

static void
try_template(const uint8_t *bytes, size_t n)
{
	static const struct template_value values[] = {
		{"list", "dev@lists.example.org"}, {"empty", ""},
		{NULL, NULL},
	};
	struct sbuf out = {0}, why = {0};
	char *text = xstrndup((const char *)bytes, n);

	if (template_fill(text, values, &out, &why) == -1)
		require(out.len == 0 && why.len > 0);
	sbuf_free(&out);
	sbuf_free(&why);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd != -1 && write(fd, bytes, n) == (ssize_t)n);
	require(lseek(fd, 0, SEEK_SET) == 0);
	try_report(fd);
	require(lseek(fd, 0, SEEK_SET) == 0);
	try_text(fd);
	close(fd);
	try_template(bytes, n);
	return 0;
}
