/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_listdb - one transaction at a time, and whose failure it is
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/domain/listdb.h"
#include "common/system/fsutil.h"

static char folder[64];
static struct list lists[LISTDB_OPEN + 2];
static char dirs[LISTDB_OPEN + 2][96];

static void
make_stores(const struct list *list)
{
	struct roster *roster = roster_open(list->dir, STORE_CREATE);
	struct liststate *state = liststate_open(list->dir, STORE_CREATE);

	ck_assert_ptr_nonnull(roster);
	ck_assert_ptr_nonnull(state);
	roster_close(&roster);
	liststate_close(&state);
}

static void
make_list(size_t i)
{
	snprintf(dirs[i], sizeof(dirs[i]), "%s/l%zu", folder, i);
	lists[i].dir = dirs[i];
	ck_assert_int_eq(mkdir(dirs[i], 0700), 0);
	make_stores(&lists[i]);
}

static void
set_up(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%.40s/listdb.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	make_list(0);
	make_list(1);
}

static void
tear_down(void)
{
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, folder), 0);
}

static struct store *
store_of(struct listdb *db, size_t i)
{
	struct roster *roster = listdb_roster(db, &lists[i]);

	ck_assert_ptr_nonnull(roster);
	return roster_store(roster);
}

static int
has(struct listdb *db, size_t i, const char *key)
{
	struct sbuf value = {0};
	int rc = store_get(store_of(db, i), key, &value);

	sbuf_free(&value);
	return rc;
}

static void
put(struct listdb *db, size_t i, const char *key)
{
	struct store *store = store_of(db, i);

	ck_assert_int_eq(listdb_begin(db, store), 0);
	ck_assert_int_eq(store_put(store, key, "x", 1), 0);
}

START_TEST(test_another_list_commits_the_first)
{
	struct listdb *db = listdb_open(STORE_WRITE);

	put(db, 0, "one");
	put(db, 1, "two");
	listdb_cancel(db);
	ck_assert_int_eq(has(db, 0, "one"), 1);
	ck_assert_int_eq(has(db, 1, "two"), 0);
	put(db, 1, "two");
	ck_assert_int_eq(listdb_commit(db), 0);
	ck_assert_int_eq(has(db, 1, "two"), 1);
	ck_assert_int_eq(listdb_commit(db), 0);
	listdb_close(&db);
}
END_TEST

START_TEST(test_roster_and_state_are_two)
{
	struct listdb *db = listdb_open(STORE_WRITE);
	struct liststate *state;

	put(db, 0, "one");
	state = listdb_state(db, &lists[0]);
	ck_assert_ptr_nonnull(state);
	ck_assert_int_eq(listdb_begin(db, liststate_store(state)), 0);
	listdb_cancel(db);
	ck_assert_int_eq(has(db, 0, "one"), 1);
	listdb_close(&db);
	ck_assert_ptr_null(db);
}
END_TEST

/* An inner cancel dooms the outer commit. */
static void
doom(struct listdb *db, size_t i)
{
	put(db, i, "lost");
	ck_assert_int_eq(store_begin(store_of(db, i)), 0);
	store_cancel(store_of(db, i));
}

START_TEST(test_early_failure_is_told_at_the_end)
{
	struct listdb *db = listdb_open(STORE_WRITE);

	doom(db, 0);
	ck_assert_int_eq(listdb_begin(db, store_of(db, 1)), -1);
	ck_assert_int_eq(errno, ECANCELED);
	/* The next entry gets on, and yet the batch has failed. */
	put(db, 1, "two");
	ck_assert_int_eq(listdb_commit(db), -1);
	ck_assert_int_eq(errno, ECANCELED);
	ck_assert_int_eq(has(db, 0, "lost"), 0);
	/* Told once. */
	put(db, 1, "three");
	ck_assert_int_eq(listdb_commit(db), 0);
	listdb_close(&db);
}
END_TEST

START_TEST(test_cancel_forgets_the_failure)
{
	struct listdb *db = listdb_open(STORE_WRITE);

	doom(db, 0);
	ck_assert_int_eq(listdb_begin(db, store_of(db, 1)), -1);
	listdb_cancel(db);
	ck_assert_int_eq(listdb_commit(db), 0);
	listdb_close(&db);
}
END_TEST

START_TEST(test_list_made_anew)
{
	struct listdb *db = listdb_open(STORE_WRITE);
	char aside[80];

	put(db, 0, "old");
	/* Both are there for a moment: a freed inode number may come again. */
	snprintf(aside, sizeof(aside), "%s/aside", folder);
	ck_assert_int_eq(rename(dirs[0], aside), 0);
	make_list(0);
	ck_assert_int_eq(has(db, 0, "old"), 0);
	ck_assert_int_eq(listdb_commit(db), -1);
	ck_assert_int_eq(errno, ESTALE);
	put(db, 0, "new");
	ck_assert_int_eq(listdb_commit(db), 0);
	ck_assert_int_eq(has(db, 0, "new"), 1);
	listdb_close(&db);
}
END_TEST

START_TEST(test_list_that_is_gone)
{
	struct listdb *db = listdb_open(STORE_WRITE);

	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, dirs[0]), 0);
	ck_assert_ptr_null(listdb_roster(db, &lists[0]));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(listdb_state(db, &lists[0]));
	ck_assert_int_eq(errno, ENOENT);
	listdb_close(&db);
}
END_TEST

/* The oldest goes, and what was open on it is committed. */
START_TEST(test_more_lists_than_room)
{
	struct listdb *db = listdb_open(STORE_WRITE);
	size_t i;

	for (i = 2; i < LISTDB_OPEN + 2; i++)
		make_list(i);
	put(db, 0, "one");
	for (i = 1; i < LISTDB_OPEN + 2; i++)
		(void)store_of(db, i);
	listdb_cancel(db);
	ck_assert_int_eq(has(db, 0, "one"), 1);
	listdb_close(&db);
}
END_TEST

START_TEST(test_reader_writes_nothing)
{
	struct listdb *db = listdb_open(STORE_READ);

	ck_assert_int_eq(listdb_begin(db, store_of(db, 0)), -1);
	ck_assert_int_eq(errno, EROFS);
	listdb_close(&db);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listdb");
	TCase *tc = tcase_create("listdb");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_another_list_commits_the_first);
	tcase_add_test(tc, test_roster_and_state_are_two);
	tcase_add_test(tc, test_early_failure_is_told_at_the_end);
	tcase_add_test(tc, test_cancel_forgets_the_failure);
	tcase_add_test(tc, test_list_made_anew);
	tcase_add_test(tc, test_list_that_is_gone);
	tcase_add_test(tc, test_more_lists_than_room);
	tcase_add_test(tc, test_reader_writes_nothing);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
