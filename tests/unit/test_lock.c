/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_lock - who has it, who has not, and what a death leaves
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/system/fsutil.h"
#include "common/system/lock.h"

static struct sbuf base;
static int dir = -1;

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	sbuf_set(&base, tmp != NULL ? tmp : "/tmp");
	sbuf_adds(&base, "/septet-lock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base.data));
	dir = open(sbuf_str(&base), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ne(dir, -1);
}

static void
teardown(void)
{
	io_close(&dir);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, sbuf_str(&base)), 0);
	sbuf_free(&base);
}

static void
expect_content(const char *name, const char *want)
{
	struct sbuf out = {0};

	ck_assert_int_eq(fs_read(dir, name, 4096, &out), 0);
	ck_assert_str_eq(sbuf_str(&out), want);
	sbuf_free(&out);
}

static void
write_file(const char *name, const char *text)
{
	ck_assert_int_eq(fs_replace_unsynced(dir, name, text,
	    strlen(text), 0600), 0);
}

START_TEST(test_take)
{
	struct sbuf mine = {0};
	pid_t holder = 42;
	int fd, again;

	sbuf_printf(&mine, "%ld\n", (long)getpid());
	ck_assert_int_eq(lock_is_free(dir, "l"), 1);
	fd = lock_take(dir, "l", &holder);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(holder, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	expect_content("l", sbuf_str(&mine));
	ck_assert_int_eq(lock_is_free(dir, "l"), 0);
	again = lock_take(dir, "l", &holder);
	ck_assert_int_eq(again, -1);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	ck_assert_int_eq(holder, getpid());
	ck_assert_int_eq(lock_take(dir, "l", NULL), -1);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	io_close(&fd);
	ck_assert_int_eq(lock_is_free(dir, "l"), 1);
	/* Asking has taken nothing. */
	fd = lock_take(dir, "l", NULL);
	ck_assert_int_ne(fd, -1);
	io_close(&fd);
	sbuf_free(&mine);
}
END_TEST

/* The pid of a longer number does not shine through. */
START_TEST(test_stale_content)
{
	struct sbuf mine = {0};
	int fd;

	sbuf_printf(&mine, "%ld\n", (long)getpid());
	write_file("l", "99999999999999999999999999999999\nmore\n");
	fd = lock_take(dir, "l", NULL);
	ck_assert_int_ne(fd, -1);
	expect_content("l", sbuf_str(&mine));
	io_close(&fd);
	sbuf_free(&mine);
}
END_TEST

static const struct {
	const char *content;
	pid_t holder;
} contents[] = {
	{"123\n", 123},
	{"123", 123},
	{"", 0},
	{"\n", 0},
	{"none\n", 0},
	{"-5\n", 0},
	{"99999999999\n", 0},
	{"99999999999999999999999999999999\n", 0},
};

START_TEST(test_holder)
{
	pid_t holder = 42;
	int fd;

	write_file("l", contents[_i].content);
	fd = openat(dir, "l", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(lock_take(dir, "l", &holder), -1);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	ck_assert_int_eq(holder, contents[_i].holder);
	expect_content("l", contents[_i].content);
	io_close(&fd);
}
END_TEST

/* A child that dies by SIGKILL while it holds the lock. */
START_TEST(test_death_frees)
{
	int ready[2], fd, status;
	pid_t holder, pid;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		fd = lock_take(dir, "l", NULL);
		byte = fd == -1 ? 'n' : 'y';
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'y');
	ck_assert_int_eq(lock_is_free(dir, "l"), 0);
	ck_assert_int_eq(lock_take(dir, "l", &holder), -1);
	ck_assert_int_eq(holder, pid);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(lock_is_free(dir, "l"), 1);
	fd = lock_take(dir, "l", NULL);
	ck_assert_int_ne(fd, -1);
	io_close(&fd);
}
END_TEST

/* One asks all the time; the other gets the lock every time all the same. */
START_TEST(test_asking_does_not_refuse)
{
	int fd, status;
	pid_t pid;

	write_file("l", "");
	pid = fork();
	if (pid == 0) {
		while (getppid() != 1)
			(void)!lock_is_free(dir, "l");
		_exit(0);
	}
	for (int i = 0; i < 500; i++) {
		fd = lock_take(dir, "l", NULL);
		ck_assert_int_ne(fd, -1);
		io_close(&fd);
	}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

static const struct {
	const char *name;
	int take;    /* errno */
	int is_free; /* errno, or 0: it is */
} odd[] = {
	{"sub", EISDIR, EINVAL},
	{"link", ELOOP, ELOOP},
	{"fifo", EINVAL, EINVAL},
	{"absent/l", ENOENT, 0},
};

START_TEST(test_odd_files)
{
	pid_t holder = 42;
	int result;

	ck_assert_int_eq(mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(symlinkat("elsewhere", dir, "link"), 0);
	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	ck_assert_int_eq(lock_take(dir, odd[_i].name, &holder), -1);
	ck_assert_int_eq(errno, odd[_i].take);
	ck_assert_int_eq(holder, 0);
	result = lock_is_free(dir, odd[_i].name);
	ck_assert_int_eq(result, odd[_i].is_free == 0 ? 1 : -1);
	if (odd[_i].is_free != 0)
		ck_assert_int_eq(errno, odd[_i].is_free);
	ck_assert_int_eq(faccessat(dir, "elsewhere", F_OK, 0), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tcase = tcase_create("lock");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_take);
	tcase_add_test(tcase, test_stale_content);
	tcase_add_loop_test(tcase, test_holder, 0,
	    sizeof(contents) / sizeof(*contents));
	tcase_add_test(tcase, test_death_frees);
	tcase_add_test(tcase, test_asking_does_not_refuse);
	tcase_add_loop_test(tcase, test_odd_files, 0,
	    sizeof(odd) / sizeof(*odd));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
