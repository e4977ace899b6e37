/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_service - every state and event of a supervised process
 *
 * test-objects: runners/supervisor/service.c
 */
#include <check.h>
#include <stdlib.h>

#include "runners/supervisor/service.h"

#define RECOVER SERVICE_DO_RECOVER
#define START SERVICE_DO_START
#define HANG_UP SERVICE_DO_HANG_UP
#define TERMINATE SERVICE_DO_TERMINATE
#define KILL SERVICE_DO_KILL

#define GRACE 15000

/* clang-format off */
/* The whole table, told a second time: from, event, to, what to do. */
static const struct {
	enum service_state from;
	enum service_event event;
	enum service_state to;
	unsigned todo;
} steps[] = {
	{SERVICE_DOWN, SERVICE_WANT, SERVICE_STARTING, 0},
	{SERVICE_DOWN, SERVICE_DROP, SERVICE_DOWN, 0},
	{SERVICE_DOWN, SERVICE_RENEW, SERVICE_DOWN, 0},
	{SERVICE_DOWN, SERVICE_RECOVERED, SERVICE_DOWN, 0},
	{SERVICE_DOWN, SERVICE_DIED, SERVICE_DOWN, 0},
	{SERVICE_DOWN, SERVICE_DIED_CONFIG, SERVICE_DOWN, 0},
	{SERVICE_DOWN, SERVICE_TIMER, SERVICE_DOWN, 0},
	{SERVICE_STARTING, SERVICE_WANT, SERVICE_STARTING, 0},
	{SERVICE_STARTING, SERVICE_DROP, SERVICE_DOWN, 0},
	{SERVICE_STARTING, SERVICE_RENEW, SERVICE_STARTING, 0},
	{SERVICE_STARTING, SERVICE_RECOVERED, SERVICE_UP, START},
	{SERVICE_STARTING, SERVICE_DIED, SERVICE_STARTING, 0},
	{SERVICE_STARTING, SERVICE_DIED_CONFIG, SERVICE_STARTING, 0},
	{SERVICE_STARTING, SERVICE_TIMER, SERVICE_STARTING, 0},
	{SERVICE_UP, SERVICE_WANT, SERVICE_UP, 0},
	{SERVICE_UP, SERVICE_DROP, SERVICE_STOPPING, HANG_UP},
	{SERVICE_UP, SERVICE_RENEW, SERVICE_RESTARTING, HANG_UP},
	{SERVICE_UP, SERVICE_RECOVERED, SERVICE_UP, 0},
	{SERVICE_UP, SERVICE_DIED, SERVICE_BACKOFF, RECOVER},
	{SERVICE_UP, SERVICE_DIED_CONFIG, SERVICE_FAILED, RECOVER},
	{SERVICE_UP, SERVICE_TIMER, SERVICE_UP, 0},
	{SERVICE_STOPPING, SERVICE_WANT, SERVICE_RESTARTING, 0},
	{SERVICE_STOPPING, SERVICE_DROP, SERVICE_STOPPING, 0},
	{SERVICE_STOPPING, SERVICE_RENEW, SERVICE_STOPPING, 0},
	{SERVICE_STOPPING, SERVICE_RECOVERED, SERVICE_STOPPING, 0},
	{SERVICE_STOPPING, SERVICE_DIED, SERVICE_DOWN, RECOVER},
	{SERVICE_STOPPING, SERVICE_DIED_CONFIG, SERVICE_DOWN, RECOVER},
	{SERVICE_STOPPING, SERVICE_TIMER, SERVICE_STOPPING, TERMINATE},
	{SERVICE_RESTARTING, SERVICE_WANT, SERVICE_RESTARTING, 0},
	{SERVICE_RESTARTING, SERVICE_DROP, SERVICE_STOPPING, 0},
	{SERVICE_RESTARTING, SERVICE_RENEW, SERVICE_RESTARTING, 0},
	{SERVICE_RESTARTING, SERVICE_RECOVERED, SERVICE_RESTARTING, 0},
	{SERVICE_RESTARTING, SERVICE_DIED, SERVICE_STARTING, RECOVER},
	{SERVICE_RESTARTING, SERVICE_DIED_CONFIG, SERVICE_STARTING, RECOVER},
	{SERVICE_RESTARTING, SERVICE_TIMER, SERVICE_RESTARTING, TERMINATE},
	{SERVICE_BACKOFF, SERVICE_WANT, SERVICE_BACKOFF, 0},
	{SERVICE_BACKOFF, SERVICE_DROP, SERVICE_DOWN, 0},
	{SERVICE_BACKOFF, SERVICE_RENEW, SERVICE_STARTING, 0},
	{SERVICE_BACKOFF, SERVICE_RECOVERED, SERVICE_BACKOFF, 0},
	{SERVICE_BACKOFF, SERVICE_DIED, SERVICE_BACKOFF, 0},
	{SERVICE_BACKOFF, SERVICE_DIED_CONFIG, SERVICE_BACKOFF, 0},
	{SERVICE_BACKOFF, SERVICE_TIMER, SERVICE_STARTING, 0},
	{SERVICE_FAILED, SERVICE_WANT, SERVICE_FAILED, 0},
	{SERVICE_FAILED, SERVICE_DROP, SERVICE_DOWN, 0},
	{SERVICE_FAILED, SERVICE_RENEW, SERVICE_STARTING, 0},
	{SERVICE_FAILED, SERVICE_RECOVERED, SERVICE_FAILED, 0},
	{SERVICE_FAILED, SERVICE_DIED, SERVICE_FAILED, 0},
	{SERVICE_FAILED, SERVICE_DIED_CONFIG, SERVICE_FAILED, 0},
	{SERVICE_FAILED, SERVICE_TIMER, SERVICE_FAILED, 0},
};
/* clang-format on */

#define N_STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

static struct service
up_at(int64_t now)
{
	struct service s;

	service_init(&s, GRACE);
	service_step(&s, SERVICE_WANT, now);
	service_step(&s, SERVICE_RECOVERED, now);
	return s;
}

START_TEST(test_step)
{
	struct service s;
	unsigned todo;

	service_init(&s, GRACE);
	s.state = steps[_i].from;
	todo = service_step(&s, steps[_i].event, 1000);
	ck_assert_str_eq(service_state_name(s.state),
	    service_state_name(steps[_i].to));
	ck_assert_uint_eq(todo, steps[_i].todo);
}
END_TEST

START_TEST(test_table_is_whole)
{
	int seen[SERVICE_STATES][SERVICE_EVENTS] = {{0}};
	int i, state, event;

	for (i = 0; i < N_STEPS; i++)
		seen[steps[i].from][steps[i].event]++;
	for (state = SERVICE_DOWN; state < SERVICE_STATES; state++) {
		for (event = 0; event < SERVICE_EVENTS; event++)
			ck_assert_int_eq(seen[state][event], 1);
	}
}
END_TEST

START_TEST(test_start_counts)
{
	struct service s = up_at(500);

	ck_assert_int_eq(s.state, SERVICE_UP);
	ck_assert_uint_eq(s.starts, 1);
	ck_assert_int_eq(s.started, 500);
	ck_assert_int_eq(s.deadline, 0);
	ck_assert(service_has_process(&s));
	ck_assert(!service_is_moving(&s));
}
END_TEST

START_TEST(test_backoff_grows)
{
	struct service s = up_at(0);
	int64_t now = 0, wait, last = 0;
	int i;

	for (i = 0; i < 5; i++) {
		service_step(&s, SERVICE_DIED, now);
		ck_assert_int_eq(s.state, SERVICE_BACKOFF);
		ck_assert_uint_eq(s.failures, (unsigned)i + 1);
		wait = s.deadline - now;
		ck_assert_int_gt(wait, last);
		last = wait;
		now = s.deadline;
		service_step(&s, SERVICE_TIMER, now);
		ck_assert_int_eq(s.deadline, 0);
		service_step(&s, SERVICE_RECOVERED, now);
	}
	ck_assert_uint_eq(s.starts, 6);
}
END_TEST

/* One that lived long enough is not held back for what went before. */
START_TEST(test_backoff_resets)
{
	static const struct {
		int64_t lived;
		unsigned failures;
	} lives[] = {
		{SERVICE_SETTLED_MS - 1, 4},
		{SERVICE_SETTLED_MS, 1},
	};
	struct service s = up_at(1000);

	s.failures = 3;
	service_step(&s, SERVICE_DIED, 1000 + lives[_i].lived);
	ck_assert_uint_eq(s.failures, lives[_i].failures);
}
END_TEST

START_TEST(test_escalation)
{
	struct service s = up_at(0);

	ck_assert_uint_eq(service_step(&s, SERVICE_DROP, 100), HANG_UP);
	ck_assert_int_eq(s.deadline, 100 + GRACE);
	ck_assert_uint_eq(service_step(&s, SERVICE_TIMER, s.deadline),
	    TERMINATE);
	ck_assert_int_eq(s.deadline, 100 + GRACE + SERVICE_KILL_MS);
	ck_assert_uint_eq(service_step(&s, SERVICE_TIMER, s.deadline), KILL);
	ck_assert_int_gt(s.deadline, 100 + GRACE + SERVICE_KILL_MS);
	ck_assert_uint_eq(service_step(&s, SERVICE_TIMER, s.deadline), KILL);
	ck_assert_uint_eq(service_step(&s, SERVICE_DIED, 1), RECOVER);
	ck_assert_int_eq(s.deadline, 0);
}
END_TEST

/* Changing one's mind about one that was hung up does not prolong its bound. */
START_TEST(test_bound_is_kept)
{
	struct service s = up_at(0);

	service_step(&s, SERVICE_RENEW, 100);
	service_step(&s, SERVICE_DROP, 200);
	ck_assert_int_eq(s.state, SERVICE_STOPPING);
	ck_assert_int_eq(s.deadline, 100 + GRACE);
	service_step(&s, SERVICE_WANT, 300);
	ck_assert_int_eq(s.state, SERVICE_RESTARTING);
	ck_assert_int_eq(s.deadline, 100 + GRACE);
}
END_TEST

/* The pushes of one life are not held against the next. */
START_TEST(test_pushes_are_per_life)
{
	struct service s = up_at(0);

	service_step(&s, SERVICE_RENEW, 0);
	service_step(&s, SERVICE_TIMER, s.deadline);
	service_step(&s, SERVICE_DIED, s.deadline);
	service_step(&s, SERVICE_RECOVERED, 50000);
	ck_assert_int_eq(s.state, SERVICE_UP);
	service_step(&s, SERVICE_DROP, 50000);
	ck_assert_uint_eq(service_step(&s, SERVICE_TIMER, s.deadline),
	    TERMINATE);
}
END_TEST

START_TEST(test_renewal_forgives)
{
	struct service s = up_at(0);

	s.failures = 9;
	service_step(&s, SERVICE_DIED, 1);
	ck_assert_uint_eq(s.failures, 10);
	service_step(&s, SERVICE_RENEW, 2);
	ck_assert_uint_eq(s.failures, 0);
	ck_assert_int_eq(s.deadline, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("service");
	TCase *tc = tcase_create("states");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, test_step, 0, N_STEPS);
	tcase_add_test(tc, test_table_is_whole);
	tcase_add_test(tc, test_start_counts);
	tcase_add_test(tc, test_backoff_grows);
	tcase_add_loop_test(tc, test_backoff_resets, 0, 2);
	tcase_add_test(tc, test_escalation);
	tcase_add_test(tc, test_bound_is_kept);
	tcase_add_test(tc, test_pushes_are_per_life);
	tcase_add_test(tc, test_renewal_forgives);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
