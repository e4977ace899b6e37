/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_bounce_score - which failures count, and for how much
 *
 * test-objects: runners/bounce/score.c
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "runners/bounce/bounce.h"

#define DAY (24LL * 60 * 60 * 1000)
#define NOON (20000 * DAY + DAY / 2)

static const struct {
	unsigned score;         /* before */
	int64_t scored, now;
	bool is_added;
	unsigned want;
} points[] = {
	{0, 0, NOON, true, 1},
	{3, NOON - DAY, NOON, true, 4},
	/* one a day of the calendar (UTC) */
	{3, NOON - 1, NOON, false, 3},
	{3, NOON - DAY / 2, NOON, false, 3},
	{3, NOON - DAY / 2 - 1, NOON, true, 4},
	{3, NOON, NOON + DAY / 2 - 1, false, 3},
	{3, NOON, NOON + DAY / 2, true, 4},
	/* an old score starts anew, the very age of it does not */
	{3, NOON - 7 * DAY, NOON, true, 4},
	{3, NOON - 7 * DAY - 1, NOON, true, 1},
	{9, 1, NOON, true, 1},
	/* a clock that went back */
	{3, NOON + DAY, NOON, true, 4},
};

START_TEST(test_point)
{
	struct list list = {.bounce_stale = 7 * DAY};
	struct roster_member m = {.score = points[_i].score,
		.scored = points[_i].scored};

	ck_assert_int_eq(score_point(&list, &m, points[_i].now),
	    points[_i].is_added);
	ck_assert_uint_eq(m.score, points[_i].want);
	ck_assert_int_eq(m.scored, points[_i].is_added ? points[_i].now :
	    points[_i].scored);
	/* Never twice for one day. */
	ck_assert(!score_point(&list, &m, points[_i].now));
}
END_TEST

static const struct {
	const char *status;
	int code;
	bool is_proven, want;
} failures[] = {
	{"5.1.1", 550, true, true},
	{"5.1.10", 550, true, true},
	{"5.2.1", 550, true, true},
	{"", 550, true, true},
	{"", 0, true, true},
	{"5.0.0", 0, true, true},
	/* nobody proves it */
	{"5.1.1", 550, false, false},
	{"", 0, false, false},
	/* the post's fault, a policy, a full mailbox, the relay's */
	{"5.7.1", 550, true, false},
	{"5.7.26", 550, true, false},
	{"5.6.3", 550, true, false},
	{"5.6.7", 553, true, false},
	{"5.5.0", 550, true, false},
	{"5.3.4", 552, true, false},
	{"5.2.2", 552, true, false},
	{"5.2.12", 550, true, false},
	{"5.4.4", 550, true, false},
	/* for now */
	{"4.1.1", 450, true, false},
	{"", 450, true, false},
	{"", 421, true, false},
	{"5.1.1", 451, true, false},
};

START_TEST(test_counts)
{
	struct failure f = {.address = "ann@example.net",
		.status = failures[_i].status, .code = failures[_i].code,
		.text = "", .is_proven = failures[_i].is_proven};

	ck_assert_int_eq(score_counts(&f), failures[_i].want);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("bounce_score");
	TCase *tests = tcase_create("score");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tests, test_point, 0, COUNT(points));
	tcase_add_loop_test(tests, test_counts, 0, COUNT(failures));
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
