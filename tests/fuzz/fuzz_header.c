/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_header - any bytes as a header block, and as a value to be written
 *
 * clang -fsanitize=fuzzer,address,undefined with the library.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/base/xalloc.h"
#include "common/mail/header.h"
#include "common/mail/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
require(int is_so)
{
	if (!is_so)
		abort();
}

/* Fields follow one another without a gap, and reading in pieces finds no
 * other end. */
static void
try_walk(const char *block, size_t len)
{
	struct header_field field;
	struct sbuf value = {0};
	size_t at = 0, before = 0, end, piece;

	while (header_next(block, len, &at, &field)) {
		require(field.raw == block + before);
		require(field.raw_len == at - before);
		require(field.value + field.value_len <= block + at);
		header_value(&field, &value);
		require(strlen(sbuf_str(&value)) == value.len);
		before = at;
	}
	require(at == before);
	end = header_end(block, len, true);
	require(end >= at && end <= at + 2);
	for (size_t n = 0; n < len && n < 200; n++) {
		piece = header_end(block, n, false);
		require(piece == SIZE_MAX || piece == end);
	}
	sbuf_free(&value);
}

static int
is_ours(void *ctx, const char *address)
{
	(void)ctx;
	return address[0] == 'a';
}

static void
try_message(const char *block, size_t len)
{
	struct strv names = {0}, out = {0};
	struct sbuf id = {0};

	strv_add(&names, "a.example.org");
	(void)message_auto_of(block, len, "");
	(void)message_has_loop(block, len, &names);
	(void)message_id(block, len, &id);
	require(message_recipients(block, len, is_ours, NULL, &out) == 0);
	message_auth_results(block, len, &names, &out);
	strv_free(&names);
	strv_free(&out);
	sbuf_free(&id);
}

/* What is written is one field in ASCII, no line of it blank, that reads back
 * as a text of which only controls and bad bytes were changed. */
static void
try_write(const char *text)
{
	struct sbuf out = {0}, value = {0}, shown = {0};
	struct header_field field;
	size_t at = 0;

	header_write(&out, "Subject", text);
	require(header_next(out.data, out.len, &at, &field) == 1);
	require(at == out.len && out.data[out.len - 1] == '\n');
	require(!message_needs_utf8(out.data, out.len));
	header_value(&field, &value);
	header_decode(sbuf_str(&value), 100, &shown);
	require(shown.len <= 100 && esc_is_utf8(sbuf_str(&shown), shown.len));

	sbuf_truncate(&out, 0);
	at = 0;
	header_write_raw(&out, "List-Help", text);
	require(header_next(out.data, out.len, &at, &field) == 1);
	require(at == out.len);

	header_decode(text, 100, &shown);
	require(shown.len <= 100 && esc_is_utf8(sbuf_str(&shown), shown.len));
	sbuf_free(&out);
	sbuf_free(&value);
	sbuf_free(&shown);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = xstrndup((const char *)bytes, n);

	try_walk((const char *)bytes, n);
	try_message((const char *)bytes, n);
	try_write(text);
	free(text);
	return 0;
}
