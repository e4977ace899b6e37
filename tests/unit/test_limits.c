/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_limits - one answer an hour, ten a day; duplicates within a window
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/domain/limits.h"
#include "common/system/fsutil.h"

#define T0 1700000000000LL
#define HOUR 3600000LL
#define DAY (24 * HOUR)

static char dir[256];
static struct limits *limits;

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[300];

	snprintf(dir, sizeof(dir), "%.200s/septet-limits.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/.limits.tdb", dir);
	limits = limits_open(path);
	ck_assert_ptr_nonnull(limits);
	clock_freeze(T0);
}

static void
teardown(void)
{
	clock_freeze(0);
	limits_close(&limits);
	ck_assert_ptr_null(limits);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, dir), 0);
}

/* In this order; id, list, address, notice, and when after T0. */
static const struct {
	const char *id, *list, *address, *notice;
	int64_t at;
	int want;
} steps[] = {
	{"1", "dev@x.org", "a@x.net", "held", 0, 1},
	{"1", "dev@x.org", "a@x.net", "held", 0, 1},
	{"2", "dev@x.org", "a@x.net", "held", 0, 0},
	{"2", "dev@x.org", "A@X.net", "held", HOUR - 1, 0},
	{"2", "dev@x.org", "a@x.net", "help", 0, 1},
	{"2", "ops@x.org", "a@x.net", "held", 0, 1},
	{"2", "dev@x.org", "b@x.net", "held", 0, 1},
	{"1", "dev@x.org", "a@x.net", "held", HOUR - 1, 1},
	{"3", "dev@x.org", "a@x.net", "held", HOUR, 1},
	{"4", "dev@x.org", "a@x.net", "held", HOUR + 1, 0},
	{"5", "dev@x.org", "nobody", "held", 0, -1},
	{"5", "dev@x.org", "", "held", 0, -1},
};

START_TEST(test_hour)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		clock_freeze(T0 + steps[i].at);
		ck_assert_msg(limits_answer(limits, steps[i].id,
		    steps[i].list, steps[i].address, steps[i].notice) ==
		    steps[i].want, "step %zu", i);
	}
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(test_day)
{
	char list[32], id[16];

	for (int i = 0; i < 12; i++) {
		snprintf(list, sizeof(list), "list%d@x.org", i);
		snprintf(id, sizeof(id), "id-%d", i);
		clock_freeze(T0 + i);
		ck_assert_int_eq(limits_answer(limits, id, list, "a@x.net",
		    "confirm"), i < 10);
	}
	/* Again for an entry that had its yes; another address is free. */
	ck_assert_int_eq(limits_answer(limits, "id-9", "list9@x.org",
	    "a@x.net", "confirm"), 1);
	ck_assert_int_eq(limits_answer(limits, "x", "l@x.org", "b@x.net",
	    "confirm"), 1);
	/* A refusal is not counted; with a day over one place is free. */
	clock_freeze(T0 + DAY);
	ck_assert_int_eq(limits_answer(limits, "y", "l@x.org", "a@x.net",
	    "confirm"), 1);
	ck_assert_int_eq(limits_answer(limits, "z", "m@x.org", "a@x.net",
	    "confirm"), 0);
	clock_freeze(T0 + DAY + 1);
	ck_assert_int_eq(limits_answer(limits, "z", "m@x.org", "a@x.net",
	    "confirm"), 1);
}
END_TEST

START_TEST(test_seen)
{
	struct sbuf other = {0};

	ck_assert_int_eq(limits_seen(limits, "k", "1", DAY, &other), 0);
	ck_assert_int_eq(limits_seen(limits, "k", "1", DAY, &other), 0);
	ck_assert_uint_eq(other.len, 0);
	ck_assert_int_eq(limits_seen(limits, "k", "2", DAY, &other), 1);
	ck_assert_str_eq(sbuf_str(&other), "1");
	ck_assert_int_eq(limits_seen(limits, "k2", "2", DAY, NULL), 0);
	clock_freeze(T0 + DAY - 1);
	ck_assert_int_eq(limits_seen(limits, "k", "2", DAY, NULL), 1);
	clock_freeze(T0 + DAY);
	ck_assert_int_eq(limits_seen(limits, "k", "2", DAY, NULL), 0);
	ck_assert_int_eq(limits_seen(limits, "k", "1", DAY, NULL), 1);
	sbuf_free(&other);
}
END_TEST

static int
count(void *ctx, const char *key, const char *value, size_t n)
{
	(void)value;
	(void)n;
	*(int *)ctx += strncmp(key, "queue:", 6) != 0 ||
	    strspn(key + 6, "answerdysx") + 6 < strlen(key);
	return 0;
}

START_TEST(test_prune)
{
	struct store *store = limits_store(limits);
	char text[32];
	int n = 0;

	ck_assert_int_eq(store_begin(store), 0);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "a%d@x.net", i);
		ck_assert_int_eq(limits_answer(limits, text, "l@x.org", text,
		    "held"), 1);
		ck_assert_int_eq(limits_seen(limits, text, text, 7 * DAY,
		    NULL), 0);
	}
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_int_eq(limits_prune(limits), 0);
	ck_assert_int_eq(store_each(store, "", count, &n), 0);
	/* Three records for each, and their places. */
	ck_assert_int_eq(n, 240);
	clock_freeze(T0 + DAY + 1);
	ck_assert_int_eq(limits_prune(limits), 0);
	n = 0;
	ck_assert_int_eq(store_each(store, "", count, &n), 0);
	ck_assert_int_eq(n, 80);
	ck_assert_int_eq(limits_seen(limits, "a7@x.net", "other", 7 * DAY,
	    NULL), 1);
	clock_freeze(T0 + 7 * DAY + 1);
	ck_assert_int_eq(limits_prune(limits), 0);
	n = 0;
	ck_assert_int_eq(store_each(store, "", count, &n), 0);
	ck_assert_int_eq(n, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tc = tcase_create("limits");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_hour);
	tcase_add_test(tc, test_day);
	tcase_add_test(tc, test_seen);
	tcase_add_test(tc, test_prune);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
