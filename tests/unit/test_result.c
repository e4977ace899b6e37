/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_result - a line of results both ways, and lines that are none
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/spool/result.h"
#include "common/system/fsutil.h"

static const struct result sample[] = {
	{1, 1795165207250, 'D', "main", 250, "2.0.0", "Ok: queued as 4F2\\1"},
	{2, 1795165207251, 'T', "main", 451, "4.7.1",
	    "come back later\t\xe2\x80\xa6"},
	{3, 1795165207300, 'F', "main", 550, "5.1.1",
	    "no \"gr\xc3\xbcn\" here"},
	{2, 1795167007000, 'T', "main", 0, "", "connection refused"},
};

#define N_SAMPLE ((int)(sizeof(sample) / sizeof(sample[0])))

START_TEST(test_format_is_the_sample)
{
	struct sbuf want = {0}, got = {0};
	int i;

	ck_assert_int_eq(fs_read(AT_FDCWD,
	    "spool-layout/examples/sample/result", 4096, &want), 0);
	for (i = 0; i < N_SAMPLE; i++)
		result_format(&sample[i], &got);
	ck_assert_str_eq(got.data, want.data);
	sbuf_free(&want);
	sbuf_free(&got);
}
END_TEST

START_TEST(test_both_ways)
{
	const struct result *want = &sample[_i];
	struct sbuf line = {0}, reply = {0};
	struct result got;

	result_format(want, &line);
	line.data[line.len - 1] = '\0';
	ck_assert_int_eq(result_parse(line.data, &got), 0);
	ck_assert_uint_eq(got.line, want->line);
	ck_assert_int_eq(got.time, want->time);
	ck_assert_int_eq(got.state, want->state);
	ck_assert_str_eq(got.relay, want->relay);
	ck_assert_int_eq(got.code, want->code);
	ck_assert_str_eq(got.status, want->status);
	esc_decode(&reply, got.reply, strlen(got.reply));
	ck_assert_str_eq(reply.data, want->reply);
	sbuf_free(&line);
	sbuf_free(&reply);
}
END_TEST

/* A reply of 498 bytes and a character of three goes on to 501. */
static const struct {
	int plain;
	const char *tail;
	size_t want;
} replies[] = {
	{0, "", 0},
	{499, "x", 500},
	{500, "x", 500},
	{2000, "", 500},
	{498, "\xe2\x82\xac", 498},
	{499, "\xe2\x82\xac", 499},
	{497, "\xe2\x82\xac", 500},
	{497, "\xe2\x82\xac.", 500},
	{497, "\xf0\x9f\x93\xac.", 497},
	{499, "\xc3", 503}, /* no character: escaped as \xc3 */
};

START_TEST(test_reply_is_cut)
{
	struct result r = sample[0];
	struct sbuf line = {0}, reply = {0};
	int i;

	for (i = 0; i < replies[_i].plain; i++)
		sbuf_addc(&reply, 'a');
	sbuf_adds(&reply, replies[_i].tail);
	r.reply = sbuf_str(&reply);
	result_format(&r, &line);
	line.data[line.len - 1] = '\0';
	ck_assert_int_eq(result_parse(line.data, &r), 0);
	ck_assert_uint_eq(strlen(r.reply), replies[_i].want);
	sbuf_free(&line);
	sbuf_free(&reply);
}
END_TEST

START_TEST(test_no_injection)
{
	struct result r = {7, 0, 'F', "a\tb", 550, "5.\n1", "x\n9\tq\r"};
	struct sbuf line = {0};

	result_format(&r, &line);
	ck_assert_str_eq(line.data, "7\t1970-01-01T00:00:00.000Z\tF\ta\\x09b\t"
	    "550\t5.\\x0a1\tx\\x0a9\\x09q\\x0d\n");
	sbuf_free(&line);
}
END_TEST

static const struct {
	const char *line;
	int rc;
} lines[] = {
	{"1\t2026-11-20T09:00:07Z\tD\tmain\t250\t2.0.0\tOk", 0},
	{"1\t2026-11-20T09:00:07Z\tD\t\t0\t\t", 0},
	{"1\t2026-11-20T09:00:07Z\tD\tmain\t250\t2.0.0\tOk\tlater column", 0},
	{"18446744073709551615\t2026-11-20T09:00:07Z\tD\tm\t999\t\t", 0},
	{"", -1},
	{"1\t2026-11-20T09:00:07Z\tD\tmain\t250\t2.0.0", -1},
	{"0\t2026-11-20T09:00:07Z\tD\tmain\t250\t2.0.0\tOk", -1},
	{"-1\t2026-11-20T09:00:07Z\tD\tmain\t250\t2.0.0\tOk", -1},
	{" 1\t2026-11-20T09:00:07Z\tD\tmain\t250\t2.0.0\tOk", -1},
	{"1x\t2026-11-20T09:00:07Z\tD\tmain\t250\t2.0.0\tOk", -1},
	{"18446744073709551616\t2026-11-20T09:00:07Z\tD\tm\t1\t\t", -1},
	{"1\tyesterday\tD\tmain\t250\t2.0.0\tOk", -1},
	{"1\t2026-11-20T09:00:07Z\t\tmain\t250\t2.0.0\tOk", -1},
	{"1\t2026-11-20T09:00:07Z\tDD\tmain\t250\t2.0.0\tOk", -1},
	{"1\t2026-11-20T09:00:07Z\t*\tmain\t250\t2.0.0\tOk", -1},
	{"1\t2026-11-20T09:00:07Z\tD\tmain\t\t2.0.0\tOk", -1},
	{"1\t2026-11-20T09:00:07Z\tD\tmain\t1000\t2.0.0\tOk", -1},
};

START_TEST(test_lines)
{
	char *line = strdup(lines[_i].line);
	struct result r;

	ck_assert_msg(result_parse(line, &r) == lines[_i].rc, "%s",
	    lines[_i].line);
	if (lines[_i].rc == -1)
		ck_assert_int_eq(errno, EPROTO);
	if (lines[_i].rc == 0)
		ck_assert_ptr_nonnull(r.reply);
	free(line);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("result");
	TCase *tests = tcase_create("result");
	SRunner *sr;
	int failed;

	tcase_add_test(tests, test_format_is_the_sample);
	tcase_add_loop_test(tests, test_both_ways, 0, N_SAMPLE);
	tcase_add_loop_test(tests, test_reply_is_cut, 0, COUNT(replies));
	tcase_add_test(tests, test_no_injection);
	tcase_add_loop_test(tests, test_lines, 0, COUNT(lines));
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
