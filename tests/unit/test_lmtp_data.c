/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_lmtp_data - where a message ends, and what of it goes to disk
 */
/* test-objects: runners/lmtp/data.c */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mail/header.h"
#include "runners/lmtp/data.h"

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *in;
	size_t n;
	size_t used;            /* where the message ends; 0: it does not */
	const char *disk;       /* what goes to disk */
	size_t disk_len;
	unsigned long long octets;
} samples[] = {
	{BYTES(".\r\n"), 3, BYTES(""), 0},
	{BYTES(".\r\nQUIT\r\n"), 3, BYTES(""), 0},
	{BYTES("\r\n.\r\n"), 5, BYTES("\n"), 2},
	{BYTES("a: b\r\n\r\nc\r\n.\r\n"), 14, BYTES("a: b\n\nc\n"), 11},
	{BYTES("..\r\n.\r\n"), 7, BYTES(".\n"), 3},
	{BYTES("..a\r\n.b\r\n.\r\n"), 12, BYTES(".a\nb\n"), 7},
	{BYTES("...\r\n.\r\n"), 8, BYTES("..\n"), 4},
	{BYTES("a\n.\n.\r\n.\r\n"), 10, BYTES("a\n.\n.\n"), 7},
	{BYTES("a\n..\r\n.\r\n"), 9, BYTES("a\n..\n"), 6},
	{BYTES("a\rb\r\n.\r\n"), 8, BYTES("a\rb\n"), 5},
	{BYTES("a\r\r\n.\r\n"), 7, BYTES("a\r\n"), 4},
	{BYTES("\r\r\r\n.\r\n"), 7, BYTES("\r\r\n"), 4},
	{BYTES(".\r\r\n.\r\n"), 7, BYTES("\r\n"), 3},
	{BYTES(".\ra\r\n.\r\n"), 8, BYTES("\ra\n"), 4},
	{BYTES(".\n.\r\n"), 0, BYTES("\n.\n"), 4},
	{BYTES("a\0b\r\n.\r\n"), 8, BYTES("a\0b\n"), 5},
	{BYTES("a\r\n.\r"), 0, BYTES("a\n"), 3},
	{BYTES("a\r\n."), 0, BYTES("a\n"), 3},
	{BYTES("a\r\n"), 0, BYTES("a\n"), 3},
	{BYTES("a\r"), 0, BYTES("a"), 1},
	{BYTES("\xff\x80\r\n.\r\n"), 7, BYTES("\xff\x80\n"), 4},
};

/* Feed the sample in two parts, or byte by byte (at == 0). */
static size_t
feed(struct data *d, const char *in, size_t n, size_t at, struct sbuf *out)
{
	size_t used = 0, part;

	data_begin(d);
	if (at > 0) {
		used = data_take(d, in, at, out);
		if (used == at)
			used += data_take(d, in + at, n - at, out);
		return used;
	}
	while (used < n && (part = data_take(d, in + used, 1, out)) > 0)
		used += part;
	return used;
}

START_TEST(test_samples)
{
	size_t n = samples[_i].n, at, want;

	want = samples[_i].used == 0 ? n : samples[_i].used;
	for (at = 0; at <= n; at++) {
		struct sbuf out = {0};
		struct data d;

		ck_assert_uint_eq(feed(&d, samples[_i].in, n, at, &out), want);
		ck_assert_int_eq(data_is_over(&d), samples[_i].used != 0);
		ck_assert_uint_eq(out.len, samples[_i].disk_len);
		ck_assert_mem_eq(sbuf_str(&out), samples[_i].disk, out.len);
		ck_assert_uint_eq(d.size, out.len);
		ck_assert_uint_eq(d.octets, samples[_i].octets);
		ck_assert_int_eq(d.has_nul,
		    memchr(samples[_i].in, '\0', n) != NULL);
		sbuf_free(&out);
	}
}
END_TEST

START_TEST(test_nothing_after_the_end)
{
	struct sbuf out = {0};
	struct data d;

	data_begin(&d);
	ck_assert_uint_eq(data_take(&d, BYTES(".\r\n"), &out), 3);
	ck_assert_uint_eq(data_take(&d, BYTES("a\r\n"), &out), 0);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

static const char *const headers[] = {
	"",
	"\n",
	"\nbody\n",
	"a: b\n",
	"a: b\n\n",
	"a: b\n\nbody\n",
	"a: b\n c\n\td\n\nbody\n",
	"a : b\nc:\n\nbody\n",
	"a b: c\n\nbody\n",
	"no field\n\nbody\n",
	"a: b\nno field\nc: d\n\nbody\n",
	" starts with a space\na: b\n\n",
	": no name\n\n",
	"a: b\n: no name\n\n",
	"a: b\n\xc3\xa9: c\n\n",
	"a: b\r\n\r\nbody\n",
	"a: b\n\r\nbody\n",
	"a: b\n\rbody\n\n",
	"a: b\n\r\n",
	"a:\n \n\nbody\n",
	"a\n",
	"From ann@example.org Fri Nov 20 09:00:00 2026\na: b\n\nbody\n",
};

/* The offset of the body is the one that readers of the header find. */
START_TEST(test_body_offset)
{
	const char *text = headers[_i], *line, *end;
	struct sbuf wire = {0}, disk = {0};
	struct data d;

	for (line = text; *line != '\0'; line = end) {
		end = strchr(line, '\n') + 1;
		sbuf_add(&wire, line, (size_t)(end - line) - 1);
		sbuf_adds(&wire, "\r\n");
	}
	sbuf_adds(&wire, ".\r\n");
	data_begin(&d);
	ck_assert_uint_eq(data_take(&d, wire.data, wire.len, &disk), wire.len);
	ck_assert(data_is_over(&d));
	ck_assert_str_eq(sbuf_str(&disk), text);
	ck_assert_uint_eq(d.body, header_end(text, strlen(text), true));
	ck_assert_uint_eq(data_header_size(&d), d.body);
	sbuf_free(&wire);
	sbuf_free(&disk);
}
END_TEST

/* A header without end shows its size while it comes. */
START_TEST(test_header_grows)
{
	struct sbuf out = {0};
	struct data d;
	int i;

	data_begin(&d);
	for (i = 0; i < 1000; i++)
		ck_assert_uint_eq(data_take(&d, BYTES("a: bcdef\r\n"), &out),
		    10);
	ck_assert_uint_eq(data_header_size(&d), 9000);
	ck_assert_uint_eq(data_take(&d, BYTES("\r\nbody\r\n"), &out), 8);
	ck_assert_uint_eq(data_header_size(&d), 9001);
	sbuf_free(&out);
}
END_TEST

/* ---- ../shared/corpora/smtp-eod-sequences.tsv --------------------------- */

static FILE *
open_corpus(void)
{
	const char *folder = getenv("SEPTET_CORPORA");
	struct sbuf path = {0};
	FILE *file;

	sbuf_printf(&path, "%s/smtp-eod-sequences.tsv",
	    folder == NULL ? "../shared/corpora" : folder);
	file = fopen(path.data, "r");
	sbuf_free(&path);
	return file;
}

static size_t
decode_hex(const char *hex, char *out, size_t size)
{
	unsigned byte;
	size_t n = 0;

	while (n < size && sscanf(hex, "%2x", &byte) == 1) {
		out[n++] = (char)byte;
		hex += 2;
	}
	return n;
}

/* One line: does the sequence, after text, end a message as the third column
 * says?  And the real end behind it always does. */
static void
check_sequence(const char *line)
{
	char bytes[64];
	size_t n = decode_hex(line, bytes, sizeof(bytes));
	bool must_end = strstr(line, "\tyes") != NULL;
	struct sbuf out = {0};
	struct data d;

	ck_assert_uint_gt(n, 0);
	data_begin(&d);
	ck_assert_uint_eq(data_take(&d, BYTES("text"), &out), 4);
	ck_assert_uint_eq(data_take(&d, bytes, n, &out), n);
	ck_assert_msg(data_is_over(&d) == must_end, "%s", line);
	if (!must_end) {
		data_take(&d, BYTES("\r\n.\r\n"), &out);
		ck_assert_msg(data_is_over(&d), "%s", line);
	}
	sbuf_free(&out);
}

START_TEST(test_end_sequences)
{
	FILE *file = open_corpus();
	char line[256];
	int n = 0;

	if (file == NULL) {
		printf("1 skipped: no corpora\n");
		return;
	}
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	for (; fgets(line, sizeof(line), file) != NULL; n++)
		check_sequence(line);
	fclose(file);
	ck_assert_int_ge(n, 14);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("data");
	Suite *suite = suite_create("lmtp_data");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, test_samples, 0,
	    (int)(sizeof(samples) / sizeof(samples[0])));
	tcase_add_test(tc, test_nothing_after_the_end);
	tcase_add_loop_test(tc, test_body_offset, 0,
	    (int)(sizeof(headers) / sizeof(headers[0])));
	tcase_add_test(tc, test_header_grows);
	tcase_add_test(tc, test_end_sequences);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
