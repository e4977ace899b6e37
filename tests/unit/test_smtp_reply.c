/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_smtp_reply - replies whole, in pieces, and beyond their bounds
 *
 * test-objects: runners/outbound/reply.c
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "runners/outbound/reply.h"

static const struct {
	const char *bytes;
	enum reply_step last;
	int code;
	const char *status, *text;
} cases[] = {
	{"250 Ok\r\n", REPLY_DONE, 250, "", "250 Ok"},
	{"250 2.1.5 Ok\r\n", REPLY_DONE, 250, "2.1.5", "250 2.1.5 Ok"},
	{"250 2.0.0\n", REPLY_DONE, 250, "2.0.0", "250 2.0.0"},
	{"354\r\n", REPLY_DONE, 354, "", "354"},
	{"550-5.1.1 No\r\n550 5.1.1 such\r\n", REPLY_DONE, 550, "5.1.1",
	    "550-5.1.1 No 5.1.1 such"},
	{"550 4.1.1 class differs\r\n", REPLY_DONE, 550, "",
	    "550 4.1.1 class differs"},
	{"550 5.1111.1 x\r\n", REPLY_DONE, 550, "", "550 5.1111.1 x"},
	{"550 5.123.456 x\r\n", REPLY_DONE, 550, "5.123.456",
	    "550 5.123.456 x"},
	{"550 5.1.x\r\n", REPLY_DONE, 550, "", "550 5.1.x"},
	{"550 5.1.1x\r\n", REPLY_DONE, 550, "", "550 5.1.1x"},
	{"250-a\r\n", REPLY_LINE, 250, "", "250-a"},
	{"250 O", REPLY_MORE, 0, "", ""},
	{"25 Ok\r\n", REPLY_BROKEN, 0, "", ""},
	{"650 Ok\r\n", REPLY_BROKEN, 0, "", ""},
	{"2a0 Ok\r\n", REPLY_BROKEN, 0, "", ""},
	{"250_Ok\r\n", REPLY_BROKEN, 0, "", ""},
	{"\r\n", REPLY_BROKEN, 0, "", ""},
	{"HTTP/1.1 400 Bad Request\r\n", REPLY_BROKEN, 0, "", ""},
};

/* Whole (piece 0) or byte by byte (piece 1). */
static enum reply_step
take(struct reply *r, const char *bytes, size_t n, size_t piece)
{
	enum reply_step step = REPLY_MORE;
	size_t used;

	while (n > 0) {
		step = reply_take(r, bytes, piece != 0 ? piece : n, &used);
		ck_assert_uint_gt(used, 0);
		if (step == REPLY_BROKEN)
			break;
		bytes += used;
		n -= used;
	}
	return step;
}

START_TEST(test_reply)
{
	struct reply r = {0};
	size_t piece;

	for (piece = 0; piece < 2; piece++) {
		r = (struct reply){0};
		ck_assert_int_eq(take(&r, cases[_i].bytes,
		    strlen(cases[_i].bytes), piece), cases[_i].last);
		if (cases[_i].code != 0) {
			ck_assert_int_eq(r.code, cases[_i].code);
			ck_assert_str_eq(r.status, cases[_i].status);
			ck_assert_str_eq(sbuf_str(&r.text), cases[_i].text);
		}
		reply_free(&r);
	}
}
END_TEST

START_TEST(test_second_reply_begins_anew)
{
	static const char bytes[] = "550-5.1.1 a\r\n550 b\r\n250 Ok\r\n";
	struct reply r = {0};

	ck_assert_int_eq(take(&r, bytes, sizeof bytes - 1, 0), REPLY_DONE);
	ck_assert_str_eq(sbuf_str(&r.text), "250 Ok");
	ck_assert_str_eq(r.status, "");
	ck_assert_str_eq(reply_words(&r), "Ok");
	ck_assert_uint_eq(r.lines, 1);
	reply_free(&r);
}
END_TEST

START_TEST(test_nul_is_no_reply)
{
	struct reply r = {0};

	ck_assert_int_eq(take(&r, "250 a\0b\r\n", 9, 0), REPLY_BROKEN);
	reply_free(&r);
}
END_TEST

START_TEST(test_longest_line)
{
	static const size_t lengths[] = {REPLY_LINE_MAX, REPLY_LINE_MAX + 1};
	static const enum reply_step want[] = {REPLY_DONE, REPLY_BROKEN};
	char *line = malloc(lengths[_i]);
	struct reply r = {0};
	size_t piece;

	memset(line, 'x', lengths[_i]);
	memcpy(line, "250 ", 4);
	line[lengths[_i] - 1] = '\n';
	for (piece = 0; piece < 2; piece++) {
		r = (struct reply){0};
		ck_assert_int_eq(take(&r, line, lengths[_i], piece), want[_i]);
		ck_assert_uint_le(r.text.len, REPLY_TEXT_MAX);
		reply_free(&r);
	}
	free(line);
}
END_TEST

START_TEST(test_most_lines)
{
	struct reply r = {0};
	size_t i, used;

	for (i = 1; i < REPLY_LINES_MAX; i++)
		ck_assert_int_eq(reply_take(&r, "250-abcdef\r\n", 12, &used),
		    REPLY_LINE);
	ck_assert_uint_eq(r.text.len, REPLY_TEXT_MAX);
	ck_assert_int_eq(reply_take(&r, "250-abcdef\r\n", 12, &used),
	    REPLY_BROKEN);
	reply_free(&r);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("smtp_reply");
	TCase *tc = tcase_create("smtp_reply");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, test_reply, 0,
	    sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, test_second_reply_begins_anew);
	tcase_add_test(tc, test_nul_is_no_reply);
	tcase_add_loop_test(tc, test_longest_line, 0, 2);
	tcase_add_test(tc, test_most_lines);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
