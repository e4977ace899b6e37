/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_store - what is committed is there, what is not is not
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/domain/store.h"
#include "common/system/fsutil.h"

static char dir[256];
static char path[300];

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.200s/septet-store.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.tdb", dir);
}

static void
teardown(void)
{
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, dir), 0);
}

static struct store *
made(void)
{
	struct store *s = store_open(path, STORE_CREATE, 0);

	ck_assert_ptr_nonnull(s);
	return s;
}

static void
assert_value(struct store *s, const char *key, const char *want)
{
	struct sbuf value = {0};

	ck_assert_int_eq(store_get(s, key, &value), want != NULL);
	if (want != NULL) {
		ck_assert_str_eq(sbuf_str(&value), want);
	}
	sbuf_free(&value);
}

START_TEST(test_values)
{
	struct store *s = made();

	assert_value(s, "a", NULL);
	ck_assert_int_eq(store_put(s, "a", "one", 3), 0);
	ck_assert_int_eq(store_put(s, "empty", "", 0), 0);
	assert_value(s, "a", "one");
	assert_value(s, "empty", "");
	ck_assert_int_eq(store_put(s, "a", "another", 7), 0);
	assert_value(s, "a", "another");
	ck_assert_int_eq(store_insert(s, "a", "third", 5), 0);
	assert_value(s, "a", "another");
	ck_assert_int_eq(store_insert(s, "b", "third", 5), 1);
	ck_assert_int_eq(store_delete(s, "a"), 1);
	ck_assert_int_eq(store_delete(s, "a"), 0);
	assert_value(s, "a", NULL);
	store_close(&s);
	ck_assert_ptr_null(s);
	s = store_open(path, STORE_READ, 0);
	ck_assert_ptr_nonnull(s);
	assert_value(s, "b", "third");
	ck_assert_int_eq(store_put(s, "b", "x", 1), -1);
	ck_assert_int_eq(errno, EROFS);
	store_close(&s);
}
END_TEST

START_TEST(test_open)
{
	struct store *s;
	struct stat st;
	FILE *f;

	ck_assert_ptr_null(store_open(path, STORE_READ, 0));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(store_open(path, STORE_WRITE, 0));
	ck_assert_int_eq(errno, ENOENT);
	f = fopen(path, "w");
	fputs("Dear diary, this is no database and must stay as it is.\n", f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_ptr_null(store_open(path, STORE_CREATE, 0));
	ck_assert_int_eq(errno, ENOTSUP);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 56);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_ptr_null(store_open(path, STORE_CREATE, 0));
	ck_assert_int_eq(errno, ENOTSUP);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_ptr_null(store_open(path, STORE_CREATE, 0));
	ck_assert_int_eq(errno, ENOTSUP);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("elsewhere", path), 0);
	ck_assert_ptr_null(store_open(path, STORE_CREATE, 0));
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(unlink(path), 0);
	s = made();
	ck_assert_ptr_null(store_open(path, STORE_WRITE, 0));
	ck_assert_int_eq(errno, EBUSY);
	store_close(&s);
}
END_TEST

/* Headers of a file that was cut or spoilt: an error, no crash. */
START_TEST(test_spoilt)
{
	char junk[4096];
	struct store *s = made();
	struct sbuf value = {0};
	int fd;

	for (int i = 0; i < 50; i++) {
		char key[16];

		snprintf(key, sizeof(key), "key%d", i);
		ck_assert_int_eq(store_put(s, key, "value", 5), 0);
	}
	store_close(&s);
	memset(junk, 0xa5, sizeof(junk));
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, junk, sizeof(junk), 200), sizeof(junk));
	close(fd);
	s = store_open(path, STORE_WRITE, 0);
	if (s != NULL) {
		ck_assert_int_ne(store_get(s, "key7", &value), 1);
		(void)!store_put(s, "key8", "x", 1);
		store_close(&s);
	}
	ck_assert_int_eq(truncate(path, 100), 0);
	s = store_open(path, STORE_WRITE, 0);
	ck_assert_ptr_null(s);
	sbuf_free(&value);
}
END_TEST

START_TEST(test_transactions)
{
	struct store *s = made();

	ck_assert_int_eq(store_commit(s), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(store_begin(s), 0);
	ck_assert_int_eq(store_put(s, "a", "1", 1), 0);
	assert_value(s, "a", "1");
	store_cancel(s);
	assert_value(s, "a", NULL);

	ck_assert_int_eq(store_begin(s), 0);
	ck_assert_int_eq(store_begin(s), 0);
	ck_assert_int_eq(store_put(s, "a", "1", 1), 0);
	ck_assert_int_eq(store_commit(s), 0);
	ck_assert_int_eq(store_put(s, "b", "2", 1), 0);
	ck_assert_int_eq(store_commit(s), 0);
	assert_value(s, "a", "1");

	ck_assert_int_eq(store_begin(s), 0);
	ck_assert_int_eq(store_put(s, "c", "3", 1), 0);
	ck_assert_int_eq(store_begin(s), 0);
	store_cancel(s);
	ck_assert_int_eq(store_commit(s), -1);
	ck_assert_int_eq(errno, ECANCELED);
	assert_value(s, "c", NULL);
	ck_assert_int_eq(store_begin(s), 0);
	ck_assert_int_eq(store_end(s, 7), 7);
	ck_assert_int_eq(store_begin(s), 0);
	ck_assert_int_eq(store_put(s, "b", "9", 1), 0);
	store_close(&s);
	s = made();
	assert_value(s, "b", "2");
	store_close(&s);
}
END_TEST

static int
count_and_stop(void *ctx, const char *key, const char *value, size_t n)
{
	int *left = ctx;

	ck_assert_int_eq(strncmp(key, "m:", 2), 0);
	ck_assert_uint_eq(strlen(value), n);
	return --*left == 0 ? 42 : 0;
}

static int
write_inside(void *ctx, const char *key, const char *value, size_t n)
{
	(void)value;
	(void)n;
	struct sbuf got = {0};

	ck_assert_int_eq(store_get(ctx, key, &got), 1);
	ck_assert_int_eq(store_delete(ctx, key), -1);
	ck_assert_int_eq(errno, EDEADLK);
	sbuf_free(&got);
	return 1;
}

START_TEST(test_each)
{
	struct store *s = made();
	int left;

	for (int i = 0; i < 20; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%s:%d", i % 2 ? "m" : "n", i);
		ck_assert_int_eq(store_put(s, key, "v", 1), 0);
	}
	left = 1000;
	ck_assert_int_eq(store_each(s, "m:", count_and_stop, &left), 0);
	ck_assert_int_eq(left, 990);
	left = 3;
	ck_assert_int_eq(store_each(s, "m:", count_and_stop, &left), 42);
	ck_assert_int_eq(store_each(s, "", write_inside, s), 1);
	left = 1000;
	ck_assert_int_eq(store_begin(s), 0);
	ck_assert_int_eq(store_put(s, "m:new", "v", 1), 0);
	ck_assert_int_eq(store_each(s, "m:", count_and_stop, &left), 0);
	ck_assert_int_eq(left, 989);
	ck_assert_int_eq(store_commit(s), 0);
	store_close(&s);
}
END_TEST

START_TEST(test_effects)
{
	struct store *s = made();
	struct sbuf answer = {0};

	clock_freeze(1000000);
	ck_assert_int_eq(store_begin(s), 0);
	ck_assert_int_eq(store_effect_get(s, "id-1", &answer), 0);
	ck_assert_int_eq(store_effect_put(s, "id-1", "added member=7"), 0);
	ck_assert_int_eq(store_commit(s), 0);
	clock_freeze(2000000);
	ck_assert_int_eq(store_effect_put(s, "id-2", ""), 0);
	ck_assert_int_eq(store_effect_get(s, "id-1", &answer), 1);
	ck_assert_str_eq(sbuf_str(&answer), "added member=7");
	ck_assert_int_eq(store_effects_prune(s, 1000000), 0);
	ck_assert_int_eq(store_effect_get(s, "id-1", &answer), 1);
	ck_assert_int_eq(store_effects_prune(s, 999999), 0);
	ck_assert_int_eq(store_effect_get(s, "id-1", &answer), 0);
	ck_assert_int_eq(store_effect_get(s, "id-2", &answer), 1);
	ck_assert_str_eq(sbuf_str(&answer), "");
	sbuf_free(&answer);
	store_close(&s);
}
END_TEST

START_TEST(test_aged)
{
	struct store *s = made();
	struct sbuf text = {0};
	char key[16];
	int64_t ms;
	int left = 0;

	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(store_aged_put(s, "q", key, i, "old"), 0);
	}
	ck_assert_int_eq(store_aged_put(s, "q", "k0", 100, "new"), 0);
	ck_assert_int_eq(store_delete(s, "k1"), 1);
	ck_assert_int_eq(store_aged_prune(s, "q", 50, 3), 0);
	ck_assert_int_eq(store_aged_get(s, "k0", &ms, &text), 1);
	ck_assert_int_eq(ms, 100);
	ck_assert_str_eq(sbuf_str(&text), "new");
	ck_assert_int_eq(store_aged_get(s, "k2", &ms, &text), 0);
	ck_assert_int_eq(store_aged_get(s, "k3", &ms, &text), 1);
	ck_assert_int_eq(store_aged_prune(s, "q", 50, 100), 0);
	ck_assert_int_eq(store_aged_get(s, "k9", &ms, &text), 0);
	ck_assert_int_eq(store_aged_prune(s, "q", 101, 100), 0);
	ck_assert_int_eq(store_aged_get(s, "k0", &ms, &text), 0);
	/* Nothing is left of it but the queue's own two numbers. */
	left = 1000;
	ck_assert_int_eq(store_each(s, "queue:q:", count_and_stop, &left), 0);
	ck_assert_int_eq(left, 1000);
	sbuf_free(&text);
	store_close(&s);
}
END_TEST

/* A writer that is killed in a transaction leaves what was committed. */
START_TEST(test_killed)
{
	struct store *s = made();
	struct sbuf value = {0};
	int status;
	pid_t pid;

	ck_assert_int_eq(store_put(s, "a", "1", 1), 0);
	store_close(&s);
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		s = store_open(path, STORE_WRITE, 0);
		if (s == NULL || store_begin(s) == -1 ||
		    store_put(s, "a", "2", 1) == -1) {
			_exit(1);
		}
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	s = made();
	assert_value(s, "a", "1");
	ck_assert_int_eq(store_put(s, "a", "3", 1), 0);
	sbuf_free(&value);
	store_close(&s);
}
END_TEST

/* Two processes count up together: no step is lost. */
START_TEST(test_shared)
{
	struct store *s = made();
	struct sbuf value = {0};
	pid_t pids[2];
	int status;

	store_close(&s);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] != 0) {
			continue;
		}
		s = store_open(path, STORE_WRITE, 0);
		for (int j = 0; s != NULL && j < 20; j++) {
			char text[16];

			if (store_begin(s) == -1 ||
			    store_get(s, "n", &value) == -1) {
				_exit(1);
			}
			snprintf(text, sizeof(text), "%d",
			    atoi(sbuf_str(&value)) + 1);
			if (store_put(s, "n", text, strlen(text)) == -1 ||
			    store_commit(s) == -1) {
				_exit(1);
			}
		}
		_exit(s == NULL);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	s = made();
	assert_value(s, "n", "40");
	store_close(&s);
}
END_TEST

static int
count_all(void *ctx, const char *key, const char *value, size_t n)
{
	(void)key;
	(void)value;
	(void)n;
	++*(int *)ctx;
	return 0;
}

/* Who commits and who looks at all do not wait for each other for ever. */
START_TEST(test_walk_and_commit)
{
	struct store *s = made();
	char key[16];
	int status, n;
	pid_t pid;

	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(store_put(s, key, "v", 1), 0);
	}
	store_close(&s);
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		s = store_open(path, STORE_WRITE, 0);
		for (int i = 0; s != NULL && i < 100; i++) {
			if (store_put(s, "k7", "w", 1) == -1) {
				_exit(1);
			}
		}
		_exit(s == NULL);
	}
	s = store_open(path, STORE_READ, 0);
	do {
		n = 0;
		ck_assert_int_eq(store_each(s, "", count_all, &n), 0);
		ck_assert_int_eq(n, 50);
		status = waitpid(pid, &n, WNOHANG);
	} while (status == 0);
	ck_assert_int_eq(status, pid);
	ck_assert_int_eq(n, 0);
	store_close(&s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_open);
	tcase_add_test(tc, test_spoilt);
	tcase_add_test(tc, test_transactions);
	tcase_add_test(tc, test_each);
	tcase_add_test(tc, test_effects);
	tcase_add_test(tc, test_aged);
	tcase_add_test(tc, test_killed);
	tcase_add_test(tc, test_shared);
	tcase_add_test(tc, test_walk_and_commit);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
