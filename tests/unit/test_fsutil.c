/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_fsutil - whole files, odd files, trees
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/system/fsutil.h"

/* The longest name there is: 4 x 60 + 15. */
#define A_60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAME_255 A_60 A_60 A_60 A_60 "aaaaaaaaaaaaaaa"

static struct sbuf base;
static int dir = -1;

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	sbuf_set(&base, tmp != NULL ? tmp : "/tmp");
	sbuf_adds(&base, "/septet-fs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base.data));
	dir = open(sbuf_str(&base), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ne(dir, -1);
	umask(022);
}

static void
teardown(void)
{
	io_set_ops(NULL);
	io_close(&dir);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, sbuf_str(&base)), 0);
	ck_assert_int_eq(access(sbuf_str(&base), F_OK), -1);
	sbuf_free(&base);
}

static void
make(const char *name, const char *text, size_t n)
{
	int fd;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
}

static void
make_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/%.20s",
	    sbuf_str(&base), name);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static const struct {
	const char *name;
	bool want;
} names[] = {
	{"a", true},
	{"0k3v9q2t7m-a-01", true},
	{"...", true},
	{".hidden", true},
	{"a\nb", true},
	{NAME_255, true},
	{NAME_255 "a", false},
	{"", false},
	{".", false},
	{"..", false},
	{"/", false},
	{"a/b", false},
	{"a/", false},
	{"../a", false},
};

START_TEST(test_is_name)
{
	ck_assert_int_eq(fs_is_name(names[_i].name), names[_i].want);
}
END_TEST

static const struct {
	const char *name;
	int flags;
	int want; /* errno; 0: it opens */
} opens[] = {
	{"file", O_RDONLY, 0},
	{"file", O_RDWR | O_APPEND, 0},
	{"sub/file", O_RDONLY, 0},
	{"absent", O_RDONLY, ENOENT},
	{"absent", O_WRONLY | O_CREAT, ENOENT},
	{"link", O_RDONLY, ELOOP},
	{"dangling", O_WRONLY, ELOOP},
	{"sub", O_RDONLY, EINVAL},
	{"sub", O_WRONLY, EINVAL},
	{"fifo", O_RDONLY, EINVAL},
	{"fifo", O_WRONLY, EINVAL},
	{"fifo", O_RDWR, EINVAL},
	{"socket", O_RDONLY, EINVAL},
	{"socket", O_WRONLY, EINVAL},
	{"file/x", O_RDONLY, ENOTDIR},
};

START_TEST(test_open_regular)
{
	struct stat st;
	int fd;

	make("file", "abc", 3);
	ck_assert_int_eq(mkdirat(dir, "sub", 0700), 0);
	make("sub/file", "abc", 3);
	ck_assert_int_eq(symlinkat("file", dir, "link"), 0);
	ck_assert_int_eq(symlinkat("absent", dir, "dangling"), 0);
	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	make_socket("socket");
	fd = fs_open_regular(dir, opens[_i].name, opens[_i].flags, &st);
	if (opens[_i].want != 0) {
		ck_assert_int_eq(fd, -1);
		ck_assert_int_eq(errno, opens[_i].want);
		ck_assert_int_eq(faccessat(dir, "absent", F_OK, 0), -1);
		return;
	}
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(st.st_size, 3);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	io_close(&fd);
	fd = fs_open_regular(dir, opens[_i].name, opens[_i].flags, NULL);
	ck_assert_int_ne(fd, -1);
	io_close(&fd);
}
END_TEST

static const struct {
	size_t size;
	size_t max;
	bool fits;
} reads[] = {
	{0, 0, true},
	{0, 10, true},
	{1, 0, false},
	{9, 10, true},
	{10, 10, true},
	{11, 10, false},
	{65535, 65535, true},
	{65536, 65535, false},
	{65536, 65536, true},
	{65537, 65536, false},
	{200000, SIZE_MAX, true},
};

START_TEST(test_read)
{
	struct sbuf out = {0};
	char *text = malloc(reads[_i].size + 1);

	for (size_t i = 0; i < reads[_i].size; i++)
		text[i] = (char)(i * 7);
	make("f", text, reads[_i].size);
	sbuf_set(&out, "before");
	if (reads[_i].fits) {
		ck_assert_int_eq(fs_read(dir, "f", reads[_i].max, &out), 0);
		ck_assert_uint_eq(out.len, 6 + reads[_i].size);
		ck_assert_mem_eq(out.data, "before", 6);
		ck_assert(memcmp(out.data + 6, text, reads[_i].size) == 0);
		ck_assert_int_eq(out.data[out.len], '\0');
	} else {
		ck_assert_int_eq(fs_read(dir, "f", reads[_i].max, &out), -1);
		ck_assert_int_eq(errno, EFBIG);
		ck_assert_str_eq(sbuf_str(&out), "before");
	}
	free(text);
	sbuf_free(&out);
}
END_TEST

/* A file of 5 GiB that is all hole is refused before it is read. */
START_TEST(test_read_sparse)
{
	struct sbuf out = {0};
	int fd;

	make("f", "", 0);
	fd = openat(dir, "f", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, (off_t)5 << 30), 0);
	io_close(&fd);
	ck_assert_int_eq(fs_read(dir, "f", 1 << 20, &out), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_ptr_null(out.data);
	ck_assert_int_eq(fs_read(dir, "absent", 1 << 20, &out), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* Files of /proc say that they are empty and are not. */
START_TEST(test_read_of_unknown_size)
{
	struct sbuf out = {0};

	ck_assert_int_eq(fs_read(AT_FDCWD, "/proc/self/status", 1 << 20, &out),
	    0);
	ck_assert_mem_eq(out.data, "Name:", 5);
	sbuf_truncate(&out, 0);
	ck_assert_int_eq(fs_read(AT_FDCWD, "/proc/self/status", 10, &out), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_uint_eq(out.len, 0);
	sbuf_free(&out);
}
END_TEST

static void
expect_content(const char *name, const char *want)
{
	struct sbuf out = {0};

	ck_assert_int_eq(fs_read(dir, name, 1 << 20, &out), 0);
	ck_assert_str_eq(sbuf_str(&out), want);
	sbuf_free(&out);
}

START_TEST(test_replace)
{
	struct sbuf path = {0};

	ck_assert_int_eq(fs_replace(dir, "f", "new", 3, 0640), 0);
	expect_content("f", "new");
	ck_assert_uint_eq(mode_of("f"), 0640);
	ck_assert_int_eq(fs_replace(dir, "f", "", 0, 0666), 0);
	expect_content("f", "");
	ck_assert_uint_eq(mode_of("f"), 0644);
	ck_assert_int_eq(mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(fs_replace_unsynced(dir, "sub/f", "x", 1, 0600), 0);
	expect_content("sub/f", "x");
	ck_assert_int_eq(fs_replace(dir, NAME_255, "long", 4, 0600), 0);
	expect_content(NAME_255, "long");
	sbuf_printf(&path, "%s/abs", sbuf_str(&base));
	ck_assert_int_eq(
	    fs_replace(AT_FDCWD, sbuf_str(&path), "abs", 3, 0600), 0);
	expect_content("abs", "abs");
	sbuf_free(&path);
}
END_TEST

/* Who has the old file open keeps it; a link is replaced, not followed. */
START_TEST(test_replace_is_a_new_file)
{
	char byte;
	int fd;

	make("f", "old", 3);
	ck_assert_int_eq(symlinkat("f", dir, "link"), 0);
	fd = fs_open_regular(dir, "f", O_RDONLY, NULL);
	ck_assert_int_eq(fs_replace(dir, "f", "new", 3, 0600), 0);
	ck_assert_int_eq(io_pread_full(fd, &byte, 1, 0), 1);
	ck_assert_int_eq(byte, 'o');
	io_close(&fd);
	ck_assert_int_eq(fs_replace(dir, "link", "mine", 4, 0600), 0);
	expect_content("link", "mine");
	expect_content("f", "new");
}
END_TEST

static const struct {
	const char *path;
	int want;
} bad_paths[] = {
	{"", EINVAL},
	{".", EINVAL},
	{"..", EINVAL},
	{"sub/", EINVAL},
	{"sub/..", EINVAL},
	{NAME_255 "a", EINVAL},
	{"absent/f", ENOENT},
	{"file/f", ENOTDIR},
	{"sub", EISDIR},
};

START_TEST(test_replace_bad_path)
{
	make("file", "old", 3);
	ck_assert_int_eq(mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(
	    fs_replace(dir, bad_paths[_i].path, "new", 3, 0600), -1);
	ck_assert_int_eq(errno, bad_paths[_i].want);
	expect_content("file", "old");
	ck_assert_int_eq(unlinkat(dir, "sub", AT_REMOVEDIR), 0);
}
END_TEST

static char flushed[8][8];
static int flushes, flush_error_at;

/* Notes what kind of thing is flushed, in order. */
static int
noting_fsync(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	strcpy(flushed[flushes], S_ISDIR(st.st_mode) ? "dir" : "file");
	if (++flushes != flush_error_at)
		return 0;
	errno = EIO;
	return -1;
}

static int
noting_renameat2(int from_dir, const char *from, int to_dir, const char *to,
    unsigned flags)
{
	strcpy(flushed[flushes++], "rename");
	return renameat2(from_dir, from, to_dir, to, flags);
}

START_TEST(test_flushes)
{
	struct io_ops ops = *io_system_ops();

	ops.fsync = noting_fsync;
	ops.renameat2 = noting_renameat2;
	io_set_ops(&ops);
	ck_assert_int_eq(fs_replace(dir, "f", "new", 3, 0600), 0);
	ck_assert_int_eq(flushes, 3);
	ck_assert_str_eq(flushed[0], "file");
	ck_assert_str_eq(flushed[1], "rename");
	ck_assert_str_eq(flushed[2], "dir");
	flushes = 0;
	ck_assert_int_eq(fs_replace_unsynced(dir, "f", "x", 1, 0600), 0);
	ck_assert_int_eq(flushes, 1);
	ck_assert_str_eq(flushed[0], "rename");
	flushes = 0;
	ck_assert_int_eq(fs_sync_dir(dir, "."), 0);
	ck_assert_int_eq(flushes, 1);
	ck_assert_str_eq(flushed[0], "dir");
	/* The directory's flush failing is told, too. */
	flushes = 0;
	flush_error_at = 3;
	ck_assert_int_eq(fs_replace(dir, "f", "newer", 5, 0600), -1);
	ck_assert_int_eq(errno, EIO);
	expect_content("f", "newer");
	flush_error_at = 1;
	flushes = 0;
	ck_assert_int_eq(fs_sync_dir(dir, "."), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(fs_sync_dir(dir, "f"), -1);
	ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

static const struct {
	const char *path;
	mode_t mode;
	int want;
	mode_t made; /* of the last part */
} trees[] = {
	{"a", 0700, 0, 0700},
	{"a/b/c", 0750, 0, 0750},
	{"a//b/", 0777, 0, 0755},
	{"./a/../b", 0700, 0, 0700},
	{"a/b", 02770, 0, 02750},
	{"there", 0700, 0, 0711},
	{"there/x", 0700, 0, 0700},
	{"file", 0700, ENOTDIR, 0},
	{"file/x", 0700, ENOTDIR, 0},
	{"", 0700, ENOENT, 0},
};

START_TEST(test_mkdirs)
{
	make("file", "", 0);
	ck_assert_int_eq(mkdirat(dir, "there", 0711), 0);
	errno = 0;
	for (int twice = 0; twice < 2; twice++) {
		int result = fs_mkdirs(dir, trees[_i].path, trees[_i].mode);

		if (trees[_i].want != 0) {
			ck_assert_int_eq(result, -1);
			ck_assert_int_eq(errno, trees[_i].want);
			continue;
		}
		ck_assert_int_eq(result, 0);
		ck_assert_uint_eq(mode_of(trees[_i].path), trees[_i].made);
	}
}
END_TEST

START_TEST(test_mkdirs_absolute)
{
	struct sbuf path = {0};

	sbuf_printf(&path, "%s/x/y", sbuf_str(&base));
	ck_assert_int_eq(fs_mkdirs(AT_FDCWD, sbuf_str(&path), 0700), 0);
	ck_assert_uint_eq(mode_of("x/y"), 0700);
	ck_assert_int_eq(fs_mkdirs(AT_FDCWD, "/", 0700), 0);
	sbuf_free(&path);
}
END_TEST

START_TEST(test_free_bytes)
{
	unsigned long long bytes = 0;

	ck_assert_int_eq(fs_free_bytes(dir, &bytes), 0);
	ck_assert_uint_gt(bytes, 0);
	ck_assert_uint_lt(bytes, ULLONG_MAX);
	ck_assert_int_eq(fs_free_bytes(-1, &bytes), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(test_remove_tree)
{
	ck_assert_int_eq(fs_mkdirs(dir, "keep", 0700), 0);
	make("keep/f", "x", 1);
	ck_assert_int_eq(fs_mkdirs(dir, "t/a/b/c", 0700), 0);
	make("t/a/f", "x", 1);
	ck_assert_int_eq(symlinkat("../keep", dir, "t/link"), 0);
	ck_assert_int_eq(symlinkat("absent", dir, "t/a/dangling"), 0);
	ck_assert_int_eq(mkfifoat(dir, "t/a/b/fifo", 0600), 0);
	ck_assert_int_eq(fs_remove_tree(dir, "t"), 0);
	ck_assert_int_eq(faccessat(dir, "t", F_OK, 0), -1);
	expect_content("keep/f", "x");
	ck_assert_int_eq(fs_remove_tree(dir, "t"), 0);
	ck_assert_int_eq(symlinkat("keep", dir, "l"), 0);
	ck_assert_int_eq(fs_remove_tree(dir, "l"), 0);
	ck_assert_int_eq(fs_remove_tree(dir, "keep/f"), 0);
	ck_assert_int_eq(faccessat(dir, "keep", F_OK, 0), 0);
}
END_TEST

/* A tree that is deeper than anything of ours is left, not overrun. */
START_TEST(test_remove_deep_tree)
{
	struct sbuf path = {0};

	for (int i = 0; i < 70; i++)
		sbuf_adds(&path, i == 0 ? "d" : "/d");
	ck_assert_int_eq(fs_mkdirs(dir, sbuf_str(&path), 0700), 0);
	ck_assert_int_eq(fs_remove_tree(dir, "d"), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(faccessat(dir, sbuf_str(&path), F_OK, 0), 0);
	/* From half way down it is not too deep. */
	sbuf_truncate(&path, 39);
	ck_assert_int_eq(fs_remove_tree(dir, sbuf_str(&path)), 0);
	ck_assert_int_eq(fs_remove_tree(dir, "d"), 0);
	sbuf_free(&path);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fsutil");
	TCase *tcase = tcase_create("fsutil");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, test_is_name, 0,
	    sizeof(names) / sizeof(*names));
	tcase_add_loop_test(tcase, test_open_regular, 0,
	    sizeof(opens) / sizeof(*opens));
	tcase_add_loop_test(tcase, test_read, 0,
	    sizeof(reads) / sizeof(*reads));
	tcase_add_test(tcase, test_read_sparse);
	tcase_add_test(tcase, test_read_of_unknown_size);
	tcase_add_test(tcase, test_replace);
	tcase_add_test(tcase, test_replace_is_a_new_file);
	tcase_add_loop_test(tcase, test_replace_bad_path, 0,
	    sizeof(bad_paths) / sizeof(*bad_paths));
	tcase_add_test(tcase, test_flushes);
	tcase_add_loop_test(tcase, test_mkdirs, 0,
	    sizeof(trees) / sizeof(*trees));
	tcase_add_test(tcase, test_mkdirs_absolute);
	tcase_add_test(tcase, test_free_bytes);
	tcase_add_test(tcase, test_remove_tree);
	tcase_add_test(tcase, test_remove_deep_tree);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
