/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_liststate - keys, requests, post numbers and stamps of a list
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/domain/liststate.h"
#include "common/system/fsutil.h"

static char dir[256];
static struct liststate *state;

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.200s/septet-state.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	state = liststate_open(dir, STORE_CREATE);
	ck_assert_ptr_nonnull(state);
	clock_freeze(1000000);
}

static void
teardown(void)
{
	clock_freeze(0);
	liststate_close(&state);
	ck_assert_ptr_null(state);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, dir), 0);
}

START_TEST(test_key)
{
	unsigned char key[32] = {0}, again[32] = {1}, other[32] = {0};
	char path[300];

	ck_assert_int_eq(liststate_key(state, key), 0);
	ck_assert_int_ne(memcmp(key, other, sizeof(key)), 0);
	liststate_close(&state);
	state = liststate_open(dir, STORE_CREATE);
	ck_assert_int_eq(liststate_key(state, again), 0);
	ck_assert_int_eq(memcmp(key, again, sizeof(key)), 0);
	ck_assert_int_eq(store_put(liststate_store(state), "#key", "short", 5),
	    0);
	ck_assert_int_eq(liststate_key(state, again), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(store_delete(liststate_store(state), "#key"), 1);
	ck_assert_int_eq(liststate_key(state, again), -1);
	ck_assert_int_eq(errno, ENOENT);
	liststate_close(&state);
	snprintf(path, sizeof(path), "%s/state.tdb", dir);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_ptr_null(liststate_open(dir, STORE_WRITE));
	ck_assert_int_eq(errno, ENOENT);
	state = liststate_open(dir, STORE_CREATE);
	ck_assert_int_eq(liststate_key(state, other), 0);
	ck_assert_int_ne(memcmp(key, other, sizeof(key)), 0);
}
END_TEST

START_TEST(test_requests)
{
	struct sbuf text = {0};

	ck_assert_int_eq(liststate_request_put(state, 281474976710655,
	    "subscribe address=<a@example.net>", 1000100), 0);
	ck_assert_int_eq(liststate_request_get(state, 281474976710655, &text),
	    1);
	ck_assert_str_eq(sbuf_str(&text), "subscribe address=<a@example.net>");
	ck_assert_int_eq(liststate_request_get(state, 2, &text), 0);
	ck_assert_str_eq(sbuf_str(&text), "");
	clock_freeze(1000099);
	ck_assert_int_eq(liststate_request_get(state, 281474976710655, &text),
	    1);
	clock_freeze(1000100);
	ck_assert_int_eq(liststate_request_get(state, 281474976710655, &text),
	    0);
	ck_assert_int_eq(liststate_request_put(state, 3, "x", 2000000), 0);
	ck_assert_int_eq(liststate_request_delete(state, 3), 1);
	ck_assert_int_eq(liststate_request_delete(state, 3), 0);
	ck_assert_int_eq(liststate_request_get(state, 3, &text), 0);
	sbuf_free(&text);
}
END_TEST

static int
count(void *ctx, const char *key, const char *value, size_t n)
{
	(void)key;
	(void)value;
	(void)n;
	++*(int *)ctx;
	return 0;
}

/* Requests that nobody answers do not pile up. */
START_TEST(test_requests_go)
{
	int n = 0;

	for (int i = 0; i < 50; i++) {
		clock_freeze(1000000 + i * 100);
		ck_assert_int_eq(liststate_request_put(state, (uint64_t)i,
		    "x", clock_ms() + 500), 0);
	}
	ck_assert_int_eq(store_each(liststate_store(state), "request:", count,
	    &n), 0);
	ck_assert_int_le(n, 6);
	ck_assert_int_ge(n, 5);
}
END_TEST

START_TEST(test_post_numbers)
{
	unsigned long long number;

	ck_assert_int_eq(liststate_post_number(state, "id-a", &number), 0);
	ck_assert_uint_eq(number, 1);
	ck_assert_int_eq(liststate_post_number(state, "id-b", &number), 0);
	ck_assert_uint_eq(number, 2);
	ck_assert_int_eq(liststate_post_number(state, "id-a", &number), 0);
	ck_assert_uint_eq(number, 1);
	/* A cancelled transaction takes no number. */
	ck_assert_int_eq(store_begin(liststate_store(state)), 0);
	ck_assert_int_eq(liststate_post_number(state, "id-c", &number), 0);
	ck_assert_uint_eq(number, 3);
	store_cancel(liststate_store(state));
	liststate_close(&state);
	state = liststate_open(dir, STORE_WRITE);
	ck_assert_int_eq(liststate_post_number(state, "id-d", &number), 0);
	ck_assert_uint_eq(number, 3);
	clock_freeze(1000000 + 61LL * 86400000);
	ck_assert_int_eq(liststate_post_number(state, "id-e", &number), 0);
	ck_assert_uint_eq(number, 4);
	/* The old ones are forgotten by now. */
	ck_assert_int_eq(liststate_post_number(state, "id-a", &number), 0);
	ck_assert_uint_eq(number, 5);
}
END_TEST

START_TEST(test_stamps)
{
	int64_t ms = 5;

	ck_assert_int_eq(liststate_stamp_get(state, "owners-told", &ms), 0);
	ck_assert_int_eq(ms, 0);
	ck_assert_int_eq(liststate_stamp_put(state, "owners-told",
	    1700000000000), 0);
	ck_assert_int_eq(liststate_stamp_get(state, "owners-told", &ms), 0);
	ck_assert_int_eq(ms, 1700000000000);
	ck_assert_int_eq(liststate_stamp_get(state, "other", &ms), 0);
	ck_assert_int_eq(ms, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("liststate");
	TCase *tc = tcase_create("liststate");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_key);
	tcase_add_test(tc, test_requests);
	tcase_add_test(tc, test_requests_go);
	tcase_add_test(tc, test_post_numbers);
	tcase_add_test(tc, test_stamps);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
