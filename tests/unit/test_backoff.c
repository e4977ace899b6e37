/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_backoff - waits double up to their bound, and spread
 */
#include <check.h>
#include <limits.h>

#include "common/spool/backoff.h"

#define MINUTE INT64_C(60000)

static const struct {
	unsigned n;
	int64_t delay;          /* without the spread */
	int64_t restart;
} waits[] = {
	{0, MINUTE, 100},
	{1, MINUTE, 100},
	{2, 2 * MINUTE, 200},
	{3, 4 * MINUTE, 400},
	{6, 32 * MINUTE, 3200},
	{7, 60 * MINUTE, 6400},
	{10, 60 * MINUTE, 51200},
	{11, 60 * MINUTE, 60000},
	{64, 60 * MINUTE, 60000},
	{UINT_MAX, 60 * MINUTE, 60000},
};

START_TEST(test_bounds)
{
	static const uint32_t salts[] = {0, 1, 2, 0x80000000, 0xffffffff};
	int64_t base = waits[_i].delay, got;
	int i;

	for (i = 0; i < 5; i++) {
		got = backoff_delay(waits[_i].n, salts[i]);
		ck_assert_int_ge(got, base);
		ck_assert_int_lt(got, base + base / 4);
	}
	ck_assert_int_eq(backoff_restart(waits[_i].n), waits[_i].restart);
}
END_TEST

/* A thousand entries that failed together fill the quarter evenly. */
START_TEST(test_spread)
{
	int tenths[10] = {0}, i;
	int64_t spread;

	for (i = 0; i < 1000; i++) {
		spread = backoff_delay(3, (uint32_t)i * 16) - 4 * MINUTE;
		tenths[spread * 10 / MINUTE]++;
	}
	for (i = 0; i < 10; i++) {
		ck_assert_int_ge(tenths[i], 70);
		ck_assert_int_le(tenths[i], 130);
	}
}
END_TEST

START_TEST(test_same_answer)
{
	ck_assert_int_eq(backoff_delay(4, 77), backoff_delay(4, 77));
	ck_assert_int_ne(backoff_delay(8, 77), backoff_delay(9, 77));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("backoff");
	TCase *tests = tcase_create("backoff");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tests, test_bounds, 0,
	    (int)(sizeof(waits) / sizeof(waits[0])));
	tcase_add_test(tests, test_spread);
	tcase_add_test(tests, test_same_answer);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
