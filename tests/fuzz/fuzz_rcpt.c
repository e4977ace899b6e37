/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_rcpt - any bytes as a distribution list, and as a line of results
 *
 * clang -fsanitize=fuzzer,address,undefined with the library.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/spool/rcpt.h"
#include "common/spool/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
require(int is_so)
{
	if (!is_so)
		abort();
}

/* What was read can be written, and is then the same. */
static void
copy_line(struct rcpt_writer *w, const struct rcpt_reader *r)
{
	int rc = rcpt_write(w, r->state, r->address.data, r->words);

	/* A line whose address was not escaped as it should be may grow. */
	require(rc == 0 || r->address.len > RCPT_LINE_MAX / 8);
}

static unsigned long
read_all(int fd, struct rcpt_writer *w, struct sbuf *addresses)
{
	unsigned long lines = 0, last = 0;
	struct rcpt_reader r;
	int rc, errors = 0;

	if (rcpt_read_begin(&r, fd) == 0) {
		while ((rc = rcpt_read(&r)) != 0 && errors < 100) {
			require(r.line == last + 1);
			last = r.line;
			if (rc == -1) {
				errors++;
				continue;
			}
			lines++;
			require(r.address.len > 0);
			sbuf_printf(addresses, "%c%s\n%s\n", r.state,
			    r.address.data, r.words);
			if (w != NULL)
				copy_line(w, &r);
		}
	}
	rcpt_read_free(&r);
	return lines;
}

static void
try_list(const uint8_t *bytes, size_t n)
{
	int fd = memfd_create("in", MFD_CLOEXEC);
	int copy = memfd_create("out", MFD_CLOEXEC);
	struct sbuf first = {0}, second = {0};
	struct rcpt_writer w;
	unsigned long lines;

	require(pwrite(fd, bytes, n, 0) == (ssize_t)n);
	rcpt_write_begin(&w, copy);
	lines = read_all(fd, &w, &first);
	require(rcpt_write_end(&w) == 0);
	if (w.lines == lines) {
		require(read_all(copy, NULL, &second) == lines);
		require(strcmp(sbuf_str(&first), sbuf_str(&second)) == 0);
	}
	rcpt_write_free(&w);
	sbuf_free(&first);
	sbuf_free(&second);
	close(fd);
	close(copy);
}

static void
try_result(const uint8_t *bytes, size_t n)
{
	char *text = strndup((const char *)bytes, n);
	char *line = strdup(text);
	struct result r, again;
	struct sbuf out = {0};

	if (result_parse(line, &r) == 0)
		require(r.line > 0 && r.reply != NULL && r.code <= 999);
	r = (struct result){1, 2, 'D', text, 250, text, text};
	result_format(&r, &out);
	require(strchr(out.data, '\n') == out.data + out.len - 1);
	out.data[out.len - 1] = '\0';
	require(result_parse(out.data, &again) == 0);
	require(again.line == 1 && again.time == 2 && again.code == 250);
	free(text);
	free(line);
	sbuf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char magic[] = RCPT_MAGIC;
	uint8_t *with_magic = malloc(n + sizeof(magic));

	try_list(bytes, n);
	memcpy(with_magic, magic, sizeof(magic) - 1);
	if (n > 0)
		memcpy(with_magic + sizeof(magic) - 1, bytes, n);
	try_list(with_magic, n + sizeof(magic) - 1);
	free(with_magic);
	try_result(bytes, n);
	return 0;
}
