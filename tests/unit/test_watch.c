/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_watch - what happens in a directory is reported, once it is lost too
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/sbuf.h"
#include "common/system/fsutil.h"
#include "common/system/watch.h"

static struct sbuf base;
static struct watcher watcher;

static const char *
below(const char *name)
{
	static struct sbuf path;

	sbuf_set(&path, sbuf_str(&base));
	sbuf_addc(&path, '/');
	sbuf_adds(&path, name);
	return sbuf_str(&path);
}

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	sbuf_set(&base, tmp != NULL ? tmp : "/tmp");
	sbuf_adds(&base, "/septet-watch-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base.data));
	ck_assert_int_eq(mkdir(below("new"), 0700), 0);
	ck_assert_int_eq(mkdir(below("tmp"), 0700), 0);
	ck_assert_int_eq(watch_open(&watcher), 0);
}

static void
teardown(void)
{
	watch_close(&watcher);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, sbuf_str(&base)), 0);
	sbuf_free(&base);
}

static void
write_file(const char *name, const char *text)
{
	int fd;

	fd = open(below(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(fd), 0);
}

static void
move_file(const char *from, const char *to)
{
	char *copy = strdup(below(from));

	ck_assert_int_eq(rename(copy, below(to)), 0);
	free(copy);
}

static bool
is_readable(int timeout_ms)
{
	struct pollfd poll_fd = {.fd = watch_fd(&watcher), .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void
expect(enum watch_event want, const char *name)
{
	const char *dir;
	enum watch_event event;

	event = watch_next(&watcher, &dir);
	ck_assert_int_eq(event, want);
	if (name == NULL)
		ck_assert_ptr_null(dir);
	else
		ck_assert_str_eq(dir, below(name));
}

START_TEST(test_rename_into)
{
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	write_file("tmp/a", "x");
	ck_assert(!is_readable(0));
	expect(WATCH_NONE, NULL);
	move_file("tmp/a", "new/a");
	ck_assert(is_readable(1000));
	expect(WATCH_CHANGED, "new");
	expect(WATCH_NONE, NULL);
	ck_assert(!is_readable(0));
}
END_TEST

START_TEST(test_write_and_link)
{
	char *from;

	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	write_file("new/b", "x");
	expect(WATCH_CHANGED, "new"); /* created */
	expect(WATCH_CHANGED, "new"); /* closed */
	expect(WATCH_NONE, NULL);
	from = strdup(below("new/b"));
	ck_assert_int_eq(link(from, below("new/c")), 0);
	free(from);
	expect(WATCH_CHANGED, "new");
	/* Leaving is no news, nor is reading. */
	ck_assert_int_eq(unlink(below("new/c")), 0);
	move_file("new/b", "tmp/b");
	expect(WATCH_NONE, NULL);
}
END_TEST

START_TEST(test_two_dirs)
{
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_int_eq(watch_add_dir(&watcher, below("tmp")), 0);
	ck_assert_int_eq(mkdir(below("tmp/d"), 0700), 0);
	ck_assert_int_eq(mkdir(below("new/d"), 0700), 0);
	expect(WATCH_CHANGED, "tmp");
	/* The second now waits in the library, not in the descriptor. */
	expect(WATCH_CHANGED, "new");
	expect(WATCH_NONE, NULL);
}
END_TEST

START_TEST(test_add_again)
{
	char *same;

	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_uint_eq(watcher.n, 1);
	same = strdup(below("new/."));
	ck_assert_int_eq(watch_add_dir(&watcher, same), -1);
	ck_assert_int_eq(errno, EEXIST);
	free(same);
	write_file("tmp/a", "");
	move_file("tmp/a", "new/a");
	expect(WATCH_CHANGED, "new");
	expect(WATCH_NONE, NULL);
}
END_TEST

static const struct {
	const char *name;
	int want;
} bad_dirs[] = {
	{"absent", ENOENT},
	{"tmp/file", ENOTDIR},
};

START_TEST(test_add_bad)
{
	write_file("tmp/file", "");
	ck_assert_int_eq(watch_add_dir(&watcher, below(bad_dirs[_i].name)), -1);
	ck_assert_int_eq(errno, bad_dirs[_i].want);
	ck_assert_uint_eq(watcher.n, 0);
}
END_TEST

START_TEST(test_remove_dir)
{
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	write_file("new/a", "x");
	ck_assert_int_eq(watch_remove_dir(&watcher, below("new")), 1);
	ck_assert_int_eq(watch_remove_dir(&watcher, below("new")), 0);
	write_file("new/b", "x");
	expect(WATCH_NONE, NULL);
	/* It can be watched again. */
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_int_eq(mkdir(below("new/d"), 0700), 0);
	expect(WATCH_CHANGED, "new");
	expect(WATCH_NONE, NULL);
}
END_TEST

START_TEST(test_gone)
{
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_int_eq(rmdir(below("new")), 0);
	expect(WATCH_GONE, "new");
	expect(WATCH_NONE, NULL);
	ck_assert_uint_eq(watcher.n, 0);
	ck_assert_int_eq(mkdir(below("new"), 0700), 0);
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_int_eq(mkdir(below("new/d"), 0700), 0);
	expect(WATCH_CHANGED, "new");
}
END_TEST

/* Made anew before anyone has looked: what comes into it counts. */
START_TEST(test_replaced)
{
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	move_file("new", "old");
	ck_assert_int_eq(mkdir(below("new"), 0700), 0);
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_int_eq(mkdir(below("old/d"), 0700), 0);
	expect(WATCH_NONE, NULL);
	ck_assert_int_eq(mkdir(below("new/d"), 0700), 0);
	expect(WATCH_CHANGED, "new");
	expect(WATCH_NONE, NULL);
}
END_TEST

START_TEST(test_moved_away)
{
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	move_file("new", "old");
	expect(WATCH_GONE, "new");
	ck_assert_int_eq(mkdir(below("old/d"), 0700), 0);
	expect(WATCH_NONE, NULL);
}
END_TEST

static long
queue_length(void)
{
	FILE *file;
	long n = 0;

	file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%ld", &n), 1);
	fclose(file);
	return n;
}

/* Two files in turn, since the kernel merges equal events in a row. */
START_TEST(test_overflow)
{
	long limit = queue_length(), changed = 0;
	const char *dir;
	enum watch_event event;
	int to, fd;

	write_file("new/0", "");
	write_file("new/1", "");
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	to = open(below("new"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ne(to, -1);
	for (long i = 0; i < limit + 100; i++) {
		fd = openat(to, i % 2 == 0 ? "0" : "1", O_WRONLY | O_CLOEXEC);
		close(fd);
	}
	close(to);
	while ((event = watch_next(&watcher, &dir)) == WATCH_CHANGED)
		changed++;
	ck_assert_int_eq(event, WATCH_OVERFLOW);
	ck_assert_ptr_null(dir);
	ck_assert_int_eq(changed, limit);
	expect(WATCH_NONE, NULL);
	/* And the eyes are open again. */
	write_file("tmp/a", "");
	move_file("tmp/a", "new/a");
	expect(WATCH_CHANGED, "new");
}
END_TEST

START_TEST(test_one_per_process)
{
	struct watcher second;
	const char *dir;
	int flags;

	ck_assert_int_eq(watch_open(&second), -1);
	ck_assert_int_eq(errno, EBUSY);
	watch_close(&second);
	flags = fcntl(watch_fd(&watcher), F_GETFD);
	ck_assert_int_ne(flags, -1);
	ck_assert_int_ne(flags & FD_CLOEXEC, 0);
	/* What the first has left unread is not the next one's. */
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_int_eq(mkdir(below("new/a"), 0700), 0);
	ck_assert_int_eq(mkdir(below("new/b"), 0700), 0);
	ck_assert_int_eq(watch_next(&watcher, &dir), WATCH_CHANGED);
	watch_close(&watcher);
	ck_assert_int_eq(watch_open(&watcher), 0);
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	expect(WATCH_NONE, NULL);
	ck_assert_int_eq(mkdir(below("new/c"), 0700), 0);
	expect(WATCH_CHANGED, "new");
}
END_TEST

/* The number found for the descriptor is the library's also where it is not
 * the next after the last. */
START_TEST(test_descriptor_in_a_gap)
{
	int low, high;

	watch_close(&watcher);
	low = open("/dev/null", O_RDONLY | O_CLOEXEC);
	high = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(low);
	ck_assert_int_eq(watch_open(&watcher), 0);
	ck_assert_int_eq(watch_fd(&watcher), low);
	ck_assert_int_eq(watch_add_dir(&watcher, below("new")), 0);
	ck_assert_int_eq(mkdir(below("new/a"), 0700), 0);
	ck_assert(is_readable(1000));
	close(high);
}
END_TEST

START_TEST(test_next_does_not_wait)
{
	int64_t before = clock_mono_ms();

	for (int i = 0; i < 100; i++)
		expect(WATCH_NONE, NULL);
	ck_assert_int_lt(clock_mono_ms() - before, 1000);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tcase = tcase_create("watch");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_rename_into);
	tcase_add_test(tcase, test_write_and_link);
	tcase_add_test(tcase, test_two_dirs);
	tcase_add_test(tcase, test_add_again);
	tcase_add_loop_test(tcase, test_add_bad, 0,
	    sizeof(bad_dirs) / sizeof(*bad_dirs));
	tcase_add_test(tcase, test_remove_dir);
	tcase_add_test(tcase, test_gone);
	tcase_add_test(tcase, test_replaced);
	tcase_add_test(tcase, test_moved_away);
	tcase_add_test(tcase, test_overflow);
	tcase_add_test(tcase, test_one_per_process);
	tcase_add_test(tcase, test_descriptor_in_a_gap);
	tcase_add_test(tcase, test_next_does_not_wait);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
