/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_journal - records appended and read back, broken ones passed over
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/spool/journal.h"
#include "common/system/fsutil.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))
/* 2026-11-20T09:30:08Z */
#define NOW INT64_C(1795167008000)
#define DAY "2026-11-20"
#define DAY_MS INT64_C(86400000)

static char root[64];
static int dir;

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%.40s/journal-XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(root));
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ne(dir, -1);
	clock_freeze(NOW);
}

static void
teardown(void)
{
	io_set_ops(NULL);
	close(dir);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, root), 0);
}

static int
file_of(const struct sbuf *bytes)
{
	int fd = memfd_create("part", MFD_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, sbuf_str(bytes), bytes->len),
	    (ssize_t)bytes->len);
	return fd;
}

static int
append(const char *id, const char *envelope, const struct sbuf *rcpt,
    const struct sbuf *result)
{
	struct sbuf text = {0};
	int rcpt_fd = rcpt == NULL ? -1 : file_of(rcpt);
	int result_fd = result == NULL ? -1 : file_of(result);
	int rc, saved;

	sbuf_adds(&text, envelope);
	rc = journal_append(dir, id, &text, rcpt_fd, result_fd);
	saved = errno;
	io_close(&rcpt_fd);
	io_close(&result_fd);
	sbuf_free(&text);
	errno = saved;
	return rc;
}

static void
read_day(struct sbuf *out)
{
	sbuf_truncate(out, 0);
	ck_assert_int_eq(fs_read(dir, DAY, 1 << 24, out), 0);
}

static void
write_day(const void *bytes, size_t n)
{
	int fd = openat(dir, DAY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

/* The IDs that are read, each with a blank behind it. */
static void
read_ids(struct sbuf *out)
{
	struct journal_record record = {0};
	struct journal_reader r;
	int rc;

	sbuf_set(out, "");
	ck_assert_int_eq(journal_open(&r, dir, DAY), 0);
	while ((rc = journal_next(&r, 1 << 20, &record)) == 1)
		sbuf_printf(out, "%s ", record.id);
	ck_assert_int_eq(rc, 0);
	journal_record_free(&record);
	journal_close(&r);
}

static void
load(const char *name, struct sbuf *out)
{
	char path[64];

	snprintf(path, sizeof(path), "spool-layout/examples/sample/%s", name);
	ck_assert_int_eq(fs_read(AT_FDCWD, path, 1 << 16, out), 0);
}

/* The sample was written by the Python writer: ours writes the same bytes. */
START_TEST(test_append_is_the_sample)
{
	struct sbuf want = {0}, got = {0}, rcpt = {0}, result = {0};
	struct journal_record record = {0};
	struct journal_reader r;

	load("journal", &want);
	load("rcpt", &rcpt);
	load("result", &result);
	write_day(want.data, want.len);
	ck_assert_int_eq(journal_open(&r, dir, DAY), 0);
	ck_assert_int_eq(journal_next(&r, 1 << 16, &record), 1);
	ck_assert_str_eq(record.id, "0k3v9q2t7m-a-01");
	ck_assert_int_eq(record.time, NOW);
	ck_assert_str_eq(record.rcpt.data, rcpt.data);
	ck_assert_str_eq(record.result.data, result.data);
	ck_assert_int_eq(unlinkat(dir, DAY, 0), 0);
	ck_assert_int_eq(append(record.id, record.envelope.data, &rcpt,
	    &result), 0);
	read_day(&got);
	ck_assert_uint_lt(got.len, want.len);
	ck_assert(memcmp(got.data, want.data, got.len) == 0);
	/* Behind a torn record in the sample there is one more. */
	ck_assert_int_eq(journal_next(&r, 1 << 16, &record), 1);
	ck_assert_str_eq(record.id, "0k3v9q2t7m-a-02");
	ck_assert_str_eq(sbuf_str(&record.rcpt), "");
	ck_assert_int_eq(journal_next(&r, 1 << 16, &record), 0);
	journal_close(&r);
	journal_record_free(&record);
	sbuf_free(&want);
	sbuf_free(&got);
	sbuf_free(&rcpt);
	sbuf_free(&result);
}
END_TEST

/* Parts of many sizes: within the window, at its edges, far over it. */
static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 300000};

START_TEST(test_sizes)
{
	struct sbuf rcpt = {0}, result = {0}, ids = {0};
	struct journal_record record = {0};
	struct journal_reader r;
	size_t i;

	for (i = 0; i < sizes[_i]; i++)
		sbuf_addc(&rcpt, (char)('a' + i % 26));
	for (i = 0; i < sizes[COUNT(sizes) - 1 - _i]; i++)
		sbuf_addc(&result, (char)('A' + i % 25));
	ck_assert_int_eq(append("before", "Septet-Envelope: 1\n", NULL, NULL),
	    0);
	ck_assert_int_eq(append("sized", "Septet-Envelope: 1\nX: y\n", &rcpt,
	    &result), 0);
	ck_assert_int_eq(append("after", "Septet-Envelope: 1\n", NULL, NULL),
	    0);
	read_ids(&ids);
	ck_assert_str_eq(ids.data, "before sized after ");
	ck_assert_int_eq(journal_open(&r, dir, DAY), 0);
	ck_assert_int_eq(journal_next(&r, 300000, &record), 1);
	ck_assert_int_eq(journal_next(&r, 300000, &record), 1);
	ck_assert_str_eq(record.envelope.data, "Septet-Envelope: 1\nX: y\n");
	ck_assert_str_eq(sbuf_str(&record.rcpt), sbuf_str(&rcpt));
	ck_assert_str_eq(sbuf_str(&record.result), sbuf_str(&result));
	journal_close(&r);
	/* What is over the limit is left empty, and the next record found. */
	ck_assert_int_eq(journal_open(&r, dir, DAY), 0);
	ck_assert_int_eq(journal_next(&r, 1000, &record), 1);
	ck_assert_int_eq(journal_next(&r, 1000, &record), 1);
	ck_assert_uint_eq(record.rcpt.len, rcpt.len > 1000 ? 0 : rcpt.len);
	ck_assert_uint_eq(record.result.len,
	    result.len > 1000 ? 0 : result.len);
	ck_assert_int_eq(journal_next(&r, 1000, &record), 1);
	ck_assert_str_eq(record.id, "after");
	journal_close(&r);
	journal_record_free(&record);
	sbuf_free(&rcpt);
	sbuf_free(&result);
	sbuf_free(&ids);
}
END_TEST

/* Wherever a writer is killed: the record before and the one after it are
 * found, and no record that is not whole. */
START_TEST(test_torn_anywhere)
{
	struct sbuf day = {0}, ids = {0}, rcpt = {0};
	size_t first, n;

	sbuf_adds(&rcpt, "Septet-Rcpt: 1\nT\ta@example.net\n");
	ck_assert_int_eq(append("first", "Septet-Envelope: 1\n", NULL, NULL),
	    0);
	read_day(&day);
	first = day.len;
	ck_assert_int_eq(append("second", "Septet-Envelope: 1\n", &rcpt,
	    &rcpt), 0);
	read_day(&day);
	for (n = first; n <= day.len; n++) {
		write_day(day.data, n);
		read_ids(&ids);
		ck_assert_str_eq(ids.data, n == day.len ? "first second " :
		    "first ");
		ck_assert_int_eq(append("third", "Septet-Envelope: 1\n", NULL,
		    NULL), 0);
		read_ids(&ids);
		ck_assert_msg(strcmp(ids.data, n == day.len ?
		    "first second third " : "first third ") == 0,
		    "cut at %zu: %s", n, ids.data);
	}
	sbuf_free(&day);
	sbuf_free(&ids);
	sbuf_free(&rcpt);
}
END_TEST

/* Any byte that is changed costs its own record and no other; but the last LF,
 * for the next head line then stands at no line's start. */
START_TEST(test_damaged_anywhere)
{
	struct sbuf day = {0}, ids = {0}, result = {0};
	size_t first, second, i;

	sbuf_adds(&result, "1\tx\n");
	ck_assert_int_eq(append("first", "Septet-Envelope: 1\n", NULL, NULL),
	    0);
	read_day(&day);
	first = day.len;
	ck_assert_int_eq(append("second", "Septet-Envelope: 1\n", NULL,
	    &result), 0);
	read_day(&day);
	second = day.len;
	ck_assert_int_eq(append("third", "Septet-Envelope: 1\n", NULL, NULL),
	    0);
	read_day(&day);
	for (i = first; i < second; i++) {
		day.data[i] ^= 1;
		write_day(day.data, day.len);
		day.data[i] ^= 1;
		read_ids(&ids);
		ck_assert_msg(strcmp(ids.data, i == second - 1 ? "first " :
		    "first third ") == 0, "byte %zu: %s", i, ids.data);
	}
	sbuf_free(&day);
	sbuf_free(&ids);
	sbuf_free(&result);
}
END_TEST

static const struct {
	const char *bytes;
	const char *ids;
} strange[] = {
	{"", ""},
	{"\n\n\n", ""},
	{"no journal at all\n", ""},
	{"Septet-Journal: 1 ", ""},
	{"Septet-Journal: 1 id=a time=2026-11-20T09:30:08.000Z envelope=0 "
	    "rcpt=0 result=0 crc32=8fc3fa35\n\n", "a "},
	/* A sum that is right does not make these records. */
	{"Septet-Journal: 1 id=A time=2026-11-20T09:30:08.000Z envelope=0 "
	    "rcpt=0 result=0 crc32=616e2359\n\n", ""},
	{"Septet-Journal: 1 id=a time=2026-11-20T09:30:08.000Z "
	    "envelope=9223372036854775807 rcpt=9223372036854775807 "
	    "result=9223372036854775807 crc32=00000000\n\n", ""},
	{"Septet-Journal: 1 id=a time=2026-11-20T09:30:08.000Z envelope=0 "
	    "rcpt=-1 result=0 crc32=00000000\n\n", ""},
	{"Septet-Journal: 2 id=a time=2026-11-20T09:30:08.000Z envelope=0 "
	    "rcpt=0 result=0 crc32=00000000\n\n", ""},
};

START_TEST(test_strange)
{
	struct sbuf ids = {0};

	write_day(strange[_i].bytes, strlen(strange[_i].bytes));
	read_ids(&ids);
	ck_assert_msg(strcmp(sbuf_str(&ids), strange[_i].ids) == 0, "%s: %s",
	    strange[_i].bytes, sbuf_str(&ids));
	sbuf_free(&ids);
}
END_TEST

static int writes_left;

static ssize_t
failing_write(int fd, const void *bytes, size_t n)
{
	if (writes_left-- > 0)
		return write(fd, bytes, n > 100 ? 100 : n);
	errno = ENOSPC;
	return -1;
}

/* A full disk leaves the file as it was. */
START_TEST(test_write_fails)
{
	struct io_ops ops = *io_system_ops();
	struct sbuf before = {0}, after = {0}, rcpt = {0};
	int i;

	for (i = 0; i < 200000; i++)
		sbuf_addc(&rcpt, 'x');
	ck_assert_int_eq(append("first", "Septet-Envelope: 1\n", NULL, NULL),
	    0);
	read_day(&before);
	ops.write = failing_write;
	io_set_ops(&ops);
	for (i = 0; i < 3; i++) {
		writes_left = i * 700;
		ck_assert_int_eq(append("second", "Septet-Envelope: 1\n",
		    &rcpt, NULL), -1);
		ck_assert_int_eq(errno, ENOSPC);
		read_day(&after);
		ck_assert_str_eq(after.data, before.data);
	}
	sbuf_free(&before);
	sbuf_free(&after);
	sbuf_free(&rcpt);
}
END_TEST

/* Processes that append at once do not mix their records. */
START_TEST(test_many_writers)
{
	enum { WRITERS = 4, EACH = 50 };
	struct sbuf part = {0};
	struct journal_record record = {0};
	struct journal_reader r;
	char id[32];
	int i, k, status, n = 0, rc;

	for (i = 0; i < 70000; i++)
		sbuf_addc(&part, 'p');
	for (i = 0; i < WRITERS; i++) {
		pid_t pid = fork();

		ck_assert_int_ne(pid, -1);
		for (k = 0; pid == 0 && k < EACH; k++) {
			snprintf(id, sizeof(id), "w%d-%d", i, k);
			if (append(id, "Septet-Envelope: 1\n",
			    k % 5 == 0 ? &part : NULL, NULL) == -1)
				_exit(1);
		}
		if (pid == 0)
			_exit(0);
	}
	for (i = 0; i < WRITERS; i++) {
		ck_assert_int_ne(wait(&status), -1);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_int_eq(journal_open(&r, dir, DAY), 0);
	while ((rc = journal_next(&r, 100000, &record)) == 1)
		n++;
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(n, WRITERS * EACH);
	journal_close(&r);
	journal_record_free(&record);
	sbuf_free(&part);
}
END_TEST

START_TEST(test_next_day)
{
	struct stat st;

	ck_assert_int_eq(append("first", "Septet-Envelope: 1\n", NULL, NULL),
	    0);
	clock_freeze(NOW + DAY_MS);
	ck_assert_int_eq(append("second", "Septet-Envelope: 1\n", NULL, NULL),
	    0);
	ck_assert_int_eq(fstatat(dir, DAY, &st, 0), 0);
	ck_assert_int_eq(st.st_mode & 07007, 0);
	ck_assert_int_eq(fstatat(dir, "2026-11-21", &st, 0), 0);
}
END_TEST

static const struct {
	const char *name;
	int error;
} bad_days[] = {
	{"2026-11-19", ENOENT},
	{"../outside", EINVAL},
	{"", EINVAL},
	{"link", ELOOP},
};

START_TEST(test_open_error)
{
	struct journal_reader r;

	ck_assert_int_eq(symlinkat("/etc/passwd", dir, "link"), 0);
	ck_assert_int_eq(journal_open(&r, dir, bad_days[_i].name), -1);
	ck_assert_int_eq(errno, bad_days[_i].error);
	journal_close(&r);
}
END_TEST

/* A link in the day's place is not written through. */
START_TEST(test_append_no_link)
{
	struct stat st;

	ck_assert_int_eq(symlinkat("elsewhere", dir, DAY), 0);
	ck_assert_int_eq(append("first", "Septet-Envelope: 1\n", NULL, NULL),
	    -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(fstatat(dir, "elsewhere", &st, 0), -1);
}
END_TEST

START_TEST(test_prune)
{
	static const struct {
		const char *name;
		bool stays;
	} files[] = {
		{"2026-10-20", false},
		{"2026-10-21", true}, /* ended 29 days, 9:30:08 ago */
		{"2026-11-20", true},
		{"2027-01-01", true},
		{"2026-10-2", true},
		{"2026-02-30", true},
		{"2026-01-01.gz", true},
		{"notes", true},
	};
	struct stat st;
	int i, fd;

	for (i = 0; i < COUNT(files); i++) {
		fd = openat(dir, files[i].name, O_CREAT | O_WRONLY, 0600);
		ck_assert_int_ne(fd, -1);
		close(fd);
	}
	ck_assert_int_eq(journal_prune(dir, 30 * DAY_MS), 0);
	for (i = 0; i < COUNT(files); i++) {
		ck_assert_msg((fstatat(dir, files[i].name, &st, 0) == 0) ==
		    files[i].stays, "%s", files[i].name);
	}
}
END_TEST

START_TEST(test_prune_error)
{
	ck_assert_int_eq(mkdirat(dir, "2026-10-01", 0700), 0);
	ck_assert_int_eq(mkdirat(dir, "2026-10-01/in", 0700), 0);
	ck_assert_int_eq(journal_prune(dir, 30 * DAY_MS), -1);
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_int_eq(journal_prune(-1, 30 * DAY_MS), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tests = tcase_create("journal");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_append_is_the_sample);
	tcase_add_loop_test(tests, test_sizes, 0, COUNT(sizes));
	tcase_add_test(tests, test_torn_anywhere);
	tcase_add_test(tests, test_damaged_anywhere);
	tcase_add_loop_test(tests, test_strange, 0, COUNT(strange));
	tcase_add_test(tests, test_write_fails);
	tcase_add_test(tests, test_many_writers);
	tcase_add_test(tests, test_next_day);
	tcase_add_loop_test(tests, test_open_error, 0, COUNT(bad_days));
	tcase_add_test(tests, test_append_no_link);
	tcase_add_test(tests, test_prune);
	tcase_add_test(tests, test_prune_error);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
