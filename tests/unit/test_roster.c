/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_roster - members come, change and go; their IDs do not come again
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/domain/roster.h"
#include "common/system/fsutil.h"

#define MANY 100000

static char dir[256];
static struct roster *roster;

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.200s/septet-roster.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_null(roster_open(dir, STORE_WRITE));
	ck_assert_int_eq(errno, ENOENT);
	roster = roster_open(dir, STORE_CREATE);
	ck_assert_ptr_nonnull(roster);
}

static void
teardown(void)
{
	roster_close(&roster);
	ck_assert_ptr_null(roster);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, dir), 0);
}

static unsigned long long
add(const char *address)
{
	struct roster_member m = {0};
	unsigned long long id;

	sbuf_set(&m.address, address);
	ck_assert_int_eq(roster_add(roster, &m), 1);
	id = m.id;
	roster_member_free(&m);
	return id;
}

START_TEST(test_member)
{
	struct roster_member m = {0}, got = {0};

	sbuf_set(&m.address, "Ann.Other@EXAMPLE.net");
	sbuf_set(&m.name, "Ann \"A\" \xc3\x96ther\t\n\\x");
	sbuf_set(&m.language, "de");
	m.status = ROSTER_MODERATED;
	m.mode = ROSTER_MODE_NONE;
	m.joined = 1700000000123;
	m.score = 3;
	m.scored = 1700000000999;
	ck_assert_int_eq(roster_add(roster, &m), 1);
	ck_assert_uint_eq(m.id, 1);
	ck_assert_str_eq(sbuf_str(&m.key), "ann.other@example.net");
	ck_assert_int_eq(roster_get(roster, "ANN.other@Example.NET", &got), 1);
	ck_assert_uint_eq(got.id, 1);
	ck_assert_str_eq(sbuf_str(&got.key), "ann.other@example.net");
	ck_assert_str_eq(sbuf_str(&got.address), "Ann.Other@EXAMPLE.net");
	ck_assert_str_eq(sbuf_str(&got.name), "Ann \"A\" \xc3\x96ther\t\n\\x");
	ck_assert_str_eq(sbuf_str(&got.language), "de");
	ck_assert_int_eq(got.status, ROSTER_MODERATED);
	ck_assert_int_eq(got.mode, ROSTER_MODE_NONE);
	ck_assert_int_eq(got.joined, 1700000000123);
	ck_assert_uint_eq(got.score, 3);
	ck_assert_int_eq(got.scored, 1700000000999);
	ck_assert_uint_eq(got.other.len, 0);
	/* What was in the struct before does not stay. */
	add("b@example.net");
	ck_assert_int_eq(roster_get(roster, "b@example.net", &got), 1);
	ck_assert_uint_eq(got.id, 2);
	ck_assert_str_eq(sbuf_str(&got.name), "");
	ck_assert_int_eq(got.status, ROSTER_ACTIVE);
	ck_assert_uint_eq(got.score, 0);
	ck_assert_int_eq(roster_get_id(roster, 1, &got), 1);
	ck_assert_str_eq(sbuf_str(&got.address), "Ann.Other@EXAMPLE.net");
	ck_assert_int_eq(roster_get_id(roster, 3, &got), 0);
	ck_assert_int_eq(roster_get(roster, "c@example.net", &got), 0);
	ck_assert_int_eq(roster_get(roster, "nobody", &got), -1);
	ck_assert_int_eq(errno, EINVAL);
	roster_member_free(&m);
	roster_member_free(&got);
}
END_TEST

START_TEST(test_again)
{
	struct roster_member m = {0};

	add("Ann@example.net");
	sbuf_set(&m.address, "ANN@example.net");
	ck_assert_int_eq(roster_add(roster, &m), 0);
	ck_assert_int_eq(roster_count(roster), 1);
	ck_assert_int_eq(roster_get(roster, "ann@example.net", &m), 1);
	ck_assert_str_eq(sbuf_str(&m.address), "Ann@example.net");
	sbuf_set(&m.address, "no address");
	ck_assert_int_eq(roster_add(roster, &m), -1);
	ck_assert_int_eq(errno, EINVAL);
	roster_member_free(&m);
}
END_TEST

START_TEST(test_remove)
{
	struct roster_member m = {0};

	ck_assert_uint_eq(add("a@example.net"), 1);
	ck_assert_uint_eq(add("b@example.net"), 2);
	ck_assert_int_eq(roster_count(roster), 2);
	ck_assert_int_eq(roster_remove(roster, "B@example.net"), 1);
	ck_assert_int_eq(roster_remove(roster, "b@example.net"), 0);
	ck_assert_int_eq(roster_remove(roster, "nobody"), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(roster_count(roster), 1);
	ck_assert_int_eq(roster_get_id(roster, 2, &m), 0);
	/* Back again, and another person for all we know. */
	ck_assert_uint_eq(add("b@example.net"), 3);
	roster_close(&roster);
	roster = roster_open(dir, STORE_WRITE);
	ck_assert_int_eq(roster_count(roster), 2);
	ck_assert_uint_eq(add("c@example.net"), 4);
	roster_member_free(&m);
}
END_TEST

START_TEST(test_set)
{
	struct roster_member m = {0};

	add("a@example.net");
	add("b@example.net");
	ck_assert_int_eq(roster_get(roster, "a@example.net", &m), 1);
	m.status = ROSTER_DISABLED;
	sbuf_set(&m.address, "A@example.net");
	ck_assert_int_eq(roster_set(roster, &m), 0);
	ck_assert_int_eq(roster_get(roster, "a@example.net", &m), 1);
	ck_assert_int_eq(m.status, ROSTER_DISABLED);
	ck_assert_str_eq(sbuf_str(&m.address), "A@example.net");
	sbuf_set(&m.address, "new@example.net");
	ck_assert_int_eq(roster_set(roster, &m), 0);
	ck_assert_int_eq(roster_get(roster, "a@example.net", &m), 0);
	ck_assert_int_eq(roster_get_id(roster, 1, &m), 1);
	ck_assert_str_eq(sbuf_str(&m.key), "new@example.net");
	ck_assert_int_eq(roster_count(roster), 2);
	/* A refusal leaves the caller's transaction as it is. */
	ck_assert_int_eq(store_begin(roster_store(roster)), 0);
	sbuf_set(&m.address, "b@example.net");
	ck_assert_int_eq(roster_set(roster, &m), -1);
	ck_assert_int_eq(errno, EEXIST);
	m.id = 99;
	ck_assert_int_eq(roster_set(roster, &m), -1);
	ck_assert_int_eq(errno, ENOENT);
	add("d@example.net");
	ck_assert_int_eq(store_commit(roster_store(roster)), 0);
	ck_assert_int_eq(roster_get(roster, "d@example.net", &m), 1);
	roster_member_free(&m);
}
END_TEST

/* Words of a later version, or written by hand, are kept. */
START_TEST(test_unknown_words)
{
	static const char value[] = "id=7\taddr=A@example.net\tcolour=\"light "
	    "blue\"\tstatus=retired\tscore=x\tjoined=5\tword";
	struct roster_member m = {0};
	struct sbuf text = {0};

	add("a@example.net");
	ck_assert_int_eq(store_put(roster_store(roster), "a@example.net",
	    value, strlen(value)), 0);
	ck_assert_int_eq(store_put(roster_store(roster), "#id:7",
	    "a@example.net", 13), 0);
	ck_assert_int_eq(roster_get(roster, "a@example.net", &m), 1);
	ck_assert_uint_eq(m.id, 7);
	ck_assert_int_eq(m.joined, 5);
	/* A state that is not known gives no right to post. */
	ck_assert_int_eq(m.status, ROSTER_MODERATED);
	ck_assert_str_eq(sbuf_str(&m.other), "colour=\"light blue\"\t"
	    "status=retired\tscore=x\tword");
	m.joined = 6;
	ck_assert_int_eq(roster_set(roster, &m), 0);
	ck_assert_int_eq(store_get(roster_store(roster), "a@example.net",
	    &text), 1);
	ck_assert_str_eq(sbuf_str(&text), "id=7\taddr=A@example.net\t"
	    "status=moderated\tmode=each\tjoined=6\tcolour=\"light blue\"\t"
	    "status=retired\tscore=x\tword");
	/* Rubbish and nothing are members too, with what the key says. */
	ck_assert_int_eq(store_put(roster_store(roster), "a@example.net",
	    "\t\t==\t=\t", 7), 0);
	ck_assert_int_eq(roster_get(roster, "a@example.net", &m), 1);
	ck_assert_str_eq(sbuf_str(&m.address), "a@example.net");
	ck_assert_int_eq(store_put(roster_store(roster), "a@example.net", "",
	    0), 0);
	ck_assert_int_eq(roster_get(roster, "a@example.net", &m), 1);
	sbuf_free(&text);
	roster_member_free(&m);
}
END_TEST

struct seen {
	struct sbuf keys;
	int n, stop_at;
};

static int
note(void *ctx, const struct roster_member *m)
{
	struct seen *seen = ctx;

	sbuf_printf(&seen->keys, "%s ", sbuf_str(&m->key));
	return ++seen->n == seen->stop_at ? 5 : 0;
}

START_TEST(test_each)
{
	struct seen seen = {0};

	ck_assert_int_eq(roster_each(roster, true, note, &seen), 0);
	ck_assert_int_eq(seen.n, 0);
	add("c@example.net");
	add("a@example.net");
	add("b@example.net");
	add("\"x:y\"@example.net");
	ck_assert_int_eq(store_effect_put(roster_store(roster), "id-1", "x"),
	    0);
	ck_assert_int_eq(store_put(roster_store(roster), "points:a@b", "1", 1),
	    0);
	ck_assert_int_eq(roster_each(roster, true, note, &seen), 0);
	ck_assert_str_eq(sbuf_str(&seen.keys), "\"x:y\"@example.net "
	    "a@example.net b@example.net c@example.net ");
	seen.n = 0;
	ck_assert_int_eq(roster_each(roster, false, note, &seen), 0);
	ck_assert_int_eq(seen.n, 4);
	seen.n = 0;
	seen.stop_at = 2;
	ck_assert_int_eq(roster_each(roster, true, note, &seen), 5);
	ck_assert_int_eq(seen.n, 2);
	seen.n = 0;
	ck_assert_int_eq(roster_each(roster, false, note, &seen), 5);
	ck_assert_int_eq(seen.n, 2);
	sbuf_free(&seen.keys);
}
END_TEST

START_TEST(test_cancelled)
{
	struct roster_member m = {0};

	add("a@example.net");
	ck_assert_int_eq(store_begin(roster_store(roster)), 0);
	ck_assert_uint_eq(add("b@example.net"), 2);
	ck_assert_int_eq(roster_remove(roster, "a@example.net"), 1);
	ck_assert_int_eq(roster_count(roster), 1);
	store_cancel(roster_store(roster));
	ck_assert_int_eq(roster_count(roster), 1);
	ck_assert_int_eq(roster_get(roster, "a@example.net", &m), 1);
	ck_assert_int_eq(roster_get(roster, "b@example.net", &m), 0);
	roster_member_free(&m);
}
END_TEST

/* A large roster in one transaction: a flush a member would take a minute. */
START_TEST(test_many)
{
	struct roster_member m = {0};
	struct seen seen = {0};
	int64_t before = clock_mono_ms();
	char address[64];

	ck_assert_int_eq(store_begin(roster_store(roster)), 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(address, sizeof(address), "Member%d@example%d.net", i,
		    i % 97);
		ck_assert_uint_eq(add(address), (unsigned)i + 1);
	}
	ck_assert_int_eq(store_commit(roster_store(roster)), 0);
	ck_assert_int_lt(clock_mono_ms() - before, 30000);
	ck_assert_int_eq(roster_count(roster), MANY);
	ck_assert_int_eq(roster_get_id(roster, 4712, &m), 1);
	ck_assert_str_eq(sbuf_str(&m.address), "Member4711@example55.net");
	ck_assert_int_eq(roster_each(roster, false, note, &seen), 0);
	ck_assert_int_eq(seen.n, MANY);
	sbuf_free(&seen.keys);
	roster_member_free(&m);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("roster");
	TCase *tc = tcase_create("roster");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_member);
	tcase_add_test(tc, test_again);
	tcase_add_test(tc, test_remove);
	tcase_add_test(tc, test_set);
	tcase_add_test(tc, test_unknown_words);
	tcase_add_test(tc, test_each);
	tcase_add_test(tc, test_cancelled);
	tcase_add_test(tc, test_many);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
