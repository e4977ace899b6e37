/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_io - the seam: what fails, is interrupted or is cut short
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/base/sbuf.h"
#include "common/system/fsutil.h"

static struct sbuf base;
static int dir = -1;

/* What the table below does: interrupts, then takes `slice` bytes at once until
 * `room` is used up, then fails. */
static struct {
	int interrupts;
	size_t slice;
	size_t room;
	int error;
	int calls;
	unsigned rename_flags;
} fault;

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	sbuf_set(&base, tmp != NULL ? tmp : "/tmp");
	sbuf_adds(&base, "/septet-io-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base.data));
	dir = open(sbuf_str(&base), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ne(dir, -1);
}

static void
teardown(void)
{
	io_set_ops(NULL);
	io_close(&dir);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, sbuf_str(&base)), 0);
	sbuf_free(&base);
}

/* 0 to go on, -1 to fail. */
static int
interrupted(void)
{
	fault.calls++;
	if (fault.interrupts == 0)
		return 0;
	fault.interrupts--;
	errno = EINTR;
	return -1;
}

static ssize_t
cut(size_t n)
{
	if (interrupted() == -1)
		return -1;
	if (n > fault.slice)
		n = fault.slice;
	if (n > fault.room)
		n = fault.room;
	fault.room -= n;
	if (n > 0 || fault.error == 0)
		return (ssize_t)n;
	errno = fault.error;
	return -1;
}

static ssize_t
faulty_write(int fd, const void *bytes, size_t n)
{
	ssize_t got = cut(n);

	return got <= 0 ? got : write(fd, bytes, (size_t)got);
}

static ssize_t
faulty_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	ssize_t got = cut(n);

	return got <= 0 ? got : pwrite(fd, bytes, (size_t)got, at);
}

static ssize_t
faulty_writev(int fd, const struct iovec *iov, int n)
{
	return interrupted() == -1 ? -1 : writev(fd, iov, n);
}

static ssize_t
faulty_send(int fd, const void *bytes, size_t n, int flags)
{
	return interrupted() == -1 ? -1 : send(fd, bytes, n, flags);
}

static int
faulty_flush(int fd)
{
	if (interrupted() == -1)
		return -1;
	errno = fault.error;
	return fault.error == 0 ? fsync(fd) : -1;
}

static int
faulty_ftruncate(int fd, off_t len)
{
	return interrupted() == -1 ? -1 : ftruncate(fd, len);
}

static int
faulty_openat(int at, const char *path, int flags, mode_t mode)
{
	return interrupted() == -1 ? -1 : openat(at, path, flags, mode);
}

static int
faulty_renameat2(int from_dir, const char *from, int to_dir, const char *to,
    unsigned flags)
{
	fault.rename_flags = flags;
	if (interrupted() == -1)
		return -1;
	errno = fault.error;
	return fault.error != 0 ? -1 :
	    renameat2(from_dir, from, to_dir, to, flags);
}

static int
faulty_linkat(int from_dir, const char *from, int to_dir, const char *to,
    int flags)
{
	return interrupted() == -1 ? -1 :
	    linkat(from_dir, from, to_dir, to, flags);
}

static int
faulty_unlinkat(int at, const char *path, int flags)
{
	return interrupted() == -1 ? -1 : unlinkat(at, path, flags);
}

static int
faulty_mkdirat(int at, const char *path, mode_t mode)
{
	return interrupted() == -1 ? -1 : mkdirat(at, path, mode);
}

static const struct io_ops faulty = {
	.openat = faulty_openat,
	.write = faulty_write,
	.pwrite = faulty_pwrite,
	.writev = faulty_writev,
	.send = faulty_send,
	.fsync = faulty_flush,
	.fdatasync = faulty_flush,
	.syncfs = faulty_flush,
	.ftruncate = faulty_ftruncate,
	.renameat2 = faulty_renameat2,
	.linkat = faulty_linkat,
	.unlinkat = faulty_unlinkat,
	.mkdirat = faulty_mkdirat,
};

static int
make(const char *name, const char *text)
{
	int fd;

	fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void
expect_content(const char *name, const char *want)
{
	struct sbuf got = {0};

	ck_assert_int_eq(fs_read(dir, name, 1 << 20, &got), 0);
	ck_assert_str_eq(sbuf_str(&got), want);
	sbuf_free(&got);
}

/* No temporary file lies beside the only one that a test has made. */
static void
expect_alone(void)
{
	struct dirent *entry;
	DIR *entries;
	int n = 0;

	entries = opendir(sbuf_str(&base));
	ck_assert_ptr_nonnull(entries);
	while ((entry = readdir(entries)) != NULL)
		n++;
	closedir(entries);
	ck_assert_int_eq(n, 3); /* with . and .. */
}

START_TEST(test_set_ops)
{
	ck_assert_ptr_eq(io_set_ops(&faulty), io_system_ops());
	ck_assert_ptr_eq(io_set_ops(NULL), &faulty);
	ck_assert_ptr_eq(io_set_ops(NULL), io_system_ops());
}
END_TEST

static const struct {
	int interrupts;
	size_t slice;
	size_t room;
	int error;
	int want; /* errno; 0: success */
	const char *content;
	int calls;
} writes[] = {
	{0, 100, 100, 0, 0, "0123456789", 1},
	{3, 100, 100, 0, 0, "0123456789", 4},
	{0, 1, 100, 0, 0, "0123456789", 10},
	{2, 3, 100, EIO, 0, "0123456789", 6},
	{0, 3, 7, ENOSPC, ENOSPC, "0123456", 4},
	{0, 100, 0, EIO, EIO, "", 1},
	{0, 3, 6, EDQUOT, EDQUOT, "012345", 3},
	/* Taking nothing without an error must not loop for ever. */
	{0, 100, 5, 0, EIO, "01234", 2},
};

static void
set_fault(int i)
{
	fault.interrupts = writes[i].interrupts;
	fault.slice = writes[i].slice;
	fault.room = writes[i].room;
	fault.error = writes[i].error;
	fault.calls = 0;
	io_set_ops(&faulty);
}

static void
expect_write(int result, int i)
{
	int saved = errno;

	io_set_ops(NULL);
	ck_assert_int_eq(result, writes[i].want == 0 ? 0 : -1);
	if (writes[i].want != 0)
		ck_assert_int_eq(saved, writes[i].want);
	ck_assert_int_eq(fault.calls, writes[i].calls);
	expect_content("f", writes[i].content);
}

START_TEST(test_write_full)
{
	int fd = make("f", "");

	set_fault(_i);
	expect_write(io_write_full(fd, "0123456789", 10), _i);
	io_close(&fd);
}
END_TEST

START_TEST(test_pwrite_full)
{
	int fd = make("f", "");

	set_fault(_i);
	expect_write(io_pwrite_full(fd, "0123456789", 10, 0), _i);
	ck_assert_int_eq(io_pwrite_full(fd, "ab", 2, 20), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 22);
	io_close(&fd);
}
END_TEST

START_TEST(test_write_nothing)
{
	set_fault(5);
	ck_assert_int_eq(io_write_full(-1, "", 0), 0);
	ck_assert_int_eq(fault.calls, 0);
}
END_TEST

/* At whatever byte the disk is full or breaks, path keeps its old content,
 * whole, and nothing is left beside it. */
START_TEST(test_replace_keeps_old)
{
	static const int errors[] = {ENOSPC, EIO, 0};
	int fd = make("f", "old");
	struct sbuf path = {0};

	io_close(&fd);
	sbuf_printf(&path, "%s/f", sbuf_str(&base));
	for (size_t room = 0; room < 10; room++) {
		fault.slice = 4;
		fault.room = room;
		fault.error = errors[_i];
		io_set_ops(&faulty);
		ck_assert_int_eq(
		    fs_replace(dir, "f", "0123456789", 10, 0600), -1);
		ck_assert_int_eq(errno, errors[_i] == 0 ? EIO : errors[_i]);
		fault.room = room;
		ck_assert_int_eq(fs_replace_unsynced(AT_FDCWD, sbuf_str(&path),
		    "0123456789", 10, 0600), -1);
		io_set_ops(NULL);
		expect_content("f", "old");
		expect_alone();
	}
	sbuf_free(&path);
}
END_TEST

/* The flush fails, then the rename; the short writes before them do not. */
START_TEST(test_replace_flush_fails)
{
	struct io_ops ops = *io_system_ops();
	int fd = make("f", "old");

	io_close(&fd);
	ops.write = faulty_write;
	if (_i == 0)
		ops.fsync = faulty_flush;
	else
		ops.renameat2 = faulty_renameat2;
	fault.slice = 1;
	fault.room = 100;
	fault.error = EIO;
	io_set_ops(&ops);
	ck_assert_int_eq(fs_replace(dir, "f", "new", 3, 0600), -1);
	ck_assert_int_eq(errno, EIO);
	io_set_ops(NULL);
	expect_content("f", "old");
	expect_alone();
}
END_TEST

/* Everything interrupted twice at each call still does its work once. */
START_TEST(test_interrupted)
{
	struct iovec iov = {(void *)(size_t)"ab", 2};
	int fd, ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fault.error = 0;
	io_set_ops(&faulty);
	fault.interrupts = 2;
	fd = io_openat(dir, "f", O_RDWR | O_CREAT, 0600);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_writev(fd, &iov, 1), 2);
	fault.interrupts = 2;
	ck_assert_int_eq(io_fsync(fd), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_fdatasync(fd), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_syncfs(fd), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_ftruncate(fd, 1), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_linkat(dir, "f", dir, "g"), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_unlinkat(dir, "f", 0), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_renameat(dir, "g", dir, "h"), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_rename_new(dir, "h", dir, "i"), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_mkdirat(dir, "d", 0700), 0);
	fault.interrupts = 2;
	ck_assert_int_eq(io_send(ends[0], "x", 1), 1);
	ck_assert_int_eq(fault.interrupts, 0);
	ck_assert_int_eq(fault.calls, 12 * 3);
	expect_content("i", "a");
	io_close(&fd);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_send_to_nobody)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	close(ends[1]);
	/* No SIGPIPE, which would end the test. */
	ck_assert_int_eq(io_send(ends[0], "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(ends[0]);
}
END_TEST

START_TEST(test_read_full)
{
	char bytes[8] = "#######";
	int ends[2], fd = make("f", "0123456789");

	ck_assert_int_eq(io_pread_full(fd, bytes, 4, 3), 4);
	ck_assert_mem_eq(bytes, "3456###", 8);
	ck_assert_int_eq(io_pread_full(fd, bytes, 4, 8), 2);
	ck_assert_int_eq(io_pread_full(fd, bytes, 4, 10), 0);
	io_close(&fd);
	ck_assert_int_eq(io_pread_full(fd, bytes, 4, 0), -1);
	ck_assert_int_eq(errno, EBADF);
	/* A pipe gives what it has; only its end makes a read short. */
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "abc", 3), 3);
	ck_assert_int_eq(io_read_full(ends[0], bytes, 2), 2);
	close(ends[1]);
	ck_assert_int_eq(io_read_full(ends[0], bytes, 8), 1);
	ck_assert_int_eq(bytes[0], 'c');
	ck_assert_int_eq(io_read_full(ends[0], bytes, 8), 0);
	close(ends[0]);
	ck_assert_int_eq(io_read_full(-1, bytes, 8), -1);
}
END_TEST

START_TEST(test_rename_new)
{
	int fd = make("a", "a"), other = make("b", "b");

	ck_assert_int_eq(io_rename_new(dir, "a", dir, "b"), -1);
	ck_assert_int_eq(errno, EEXIST);
	expect_content("b", "b");
	ck_assert_int_eq(io_rename_new(dir, "a", dir, "c"), 0);
	expect_content("c", "a");
	ck_assert_int_eq(io_rename_new(dir, "a", dir, "d"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(io_renameat(dir, "c", dir, "b"), 0);
	expect_content("b", "a");
	io_close(&fd);
	io_close(&other);
}
END_TEST

static const int unknown_flag[] = {EINVAL, ENOSYS};

START_TEST(test_rename_new_by_link)
{
	int fd = make("a", "a"), other = make("b", "b");

	fault.error = unknown_flag[_i];
	io_set_ops(&faulty);
	ck_assert_int_eq(io_rename_new(dir, "a", dir, "b"), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_uint_eq(fault.rename_flags, RENAME_NOREPLACE);
	expect_content("a", "a");
	expect_content("b", "b");
	ck_assert_int_eq(io_rename_new(dir, "a", dir, "c"), 0);
	expect_content("c", "a");
	ck_assert_int_eq(faccessat(dir, "a", F_OK, 0), -1);
	/* An error of another kind is none that a link would mend. */
	fault.error = EXDEV;
	ck_assert_int_eq(io_rename_new(dir, "b", dir, "d"), -1);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(faccessat(dir, "d", F_OK, 0), -1);
	io_close(&fd);
	io_close(&other);
}
END_TEST

START_TEST(test_close_keeps_errno)
{
	int fd = 1000000;

	errno = ENOSPC;
	io_close(&fd);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_int_eq(fd, -1);
	io_close(&fd);
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("io");
	TCase *tcase = tcase_create("io");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_set_ops);
	tcase_add_loop_test(tcase, test_write_full, 0,
	    sizeof(writes) / sizeof(*writes));
	tcase_add_loop_test(tcase, test_pwrite_full, 0,
	    sizeof(writes) / sizeof(*writes));
	tcase_add_test(tcase, test_write_nothing);
	tcase_add_loop_test(tcase, test_replace_keeps_old, 0, 3);
	tcase_add_loop_test(tcase, test_replace_flush_fails, 0, 2);
	tcase_add_test(tcase, test_interrupted);
	tcase_add_test(tcase, test_send_to_nobody);
	tcase_add_test(tcase, test_read_full);
	tcase_add_test(tcase, test_rename_new);
	tcase_add_loop_test(tcase, test_rename_new_by_link, 0,
	    sizeof(unknown_flag) / sizeof(*unknown_flag));
	tcase_add_test(tcase, test_close_keeps_errno);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
