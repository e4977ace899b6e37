/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_rcpt - distribution lists written, read, marked, and such that are none
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/spool/rcpt.h"
#include "common/system/fsutil.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct {
	char state;
	const char *address;
	const char *words;
} sample[] = {
	{'D', "ann@example.net",
	    "id=17\tverp=ann=example.net=k5d2q7xa\tname=Ann"},
	{'T', "Bob.Smith@example.org", "id=18\tname=\"Bob Smith\"\tlang=de"},
	{'F', "gr\xc3\xbcn@example.net", "id=19\tstatus=5.1.1\tcode=550\t"
	    "text=\"no \\x22gr\xc3\xbcn\\x22 here\""},
	{'S', "odd\\name@example.net", "id=20"},
	{'X', "later@example.net", ""},
};

/* A file without a name, that holds n bytes. */
static int
file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("rcpt", MFD_CLOEXEC);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(pwrite(fd, bytes, n, 0), (ssize_t)n);
	return fd;
}

static void
contents(int fd, struct sbuf *out)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	sbuf_reserve(out, (size_t)st.st_size);
	ck_assert_int_eq(pread(fd, out->data, (size_t)st.st_size, 0),
	    st.st_size);
	out->len = (size_t)st.st_size;
	sbuf_truncate(out, out->len);
}

static int
write_sample(struct rcpt_writer *w)
{
	int fd = file_of("", 0), i;

	rcpt_write_begin(w, fd);
	for (i = 0; i < COUNT(sample); i++)
		ck_assert_int_eq(rcpt_write(w, sample[i].state,
		    sample[i].address, sample[i].words), 0);
	ck_assert_int_eq(rcpt_write_end(w), 0);
	return fd;
}

START_TEST(test_written_is_the_sample)
{
	struct sbuf want = {0}, got = {0};
	struct rcpt_writer w;
	int fd;

	ck_assert_int_eq(fs_read(AT_FDCWD, "spool-layout/examples/sample/rcpt",
	    4096, &want), 0);
	fd = write_sample(&w);
	contents(fd, &got);
	ck_assert_str_eq(got.data, want.data);
	ck_assert_uint_eq(w.lines, COUNT(sample));
	ck_assert_uint_eq(w.size, got.len);
	ck_assert_uint_eq(w.crc, crc32(0, (unsigned char *)got.data,
	    (uInt)got.len));
	rcpt_write_free(&w);
	sbuf_free(&want);
	sbuf_free(&got);
	close(fd);
}
END_TEST

START_TEST(test_read_what_was_written)
{
	struct rcpt_writer w;
	struct rcpt_reader r;
	int fd, i;

	fd = write_sample(&w);
	ck_assert_int_eq(rcpt_read_begin(&r, fd), 0);
	for (i = 0; i < COUNT(sample); i++) {
		ck_assert_int_eq(rcpt_read(&r), 1);
		ck_assert_uint_eq(r.line, i + 1);
		ck_assert_int_eq(r.state, sample[i].state);
		ck_assert_str_eq(r.address.data, sample[i].address);
		ck_assert_str_eq(r.words, sample[i].words);
	}
	ck_assert_int_eq(rcpt_read(&r), 0);
	ck_assert_int_eq(rcpt_read(&r), 0);
	rcpt_read_free(&r);
	rcpt_write_free(&w);
	close(fd);
}
END_TEST

/* Each mark changes one byte of the file and nothing of the reading. */
START_TEST(test_mark)
{
	struct sbuf before = {0}, after = {0};
	struct rcpt_writer w;
	struct rcpt_reader r;
	size_t i, changed = 0;
	int fd;

	fd = write_sample(&w);
	contents(fd, &before);
	ck_assert_int_eq(rcpt_read_begin(&r, fd), 0);
	while (rcpt_read(&r) == 1) {
		ck_assert_int_eq(before.data[r.offset], r.state);
		if (r.state == RCPT_TODO)
			ck_assert_int_eq(rcpt_mark(fd, r.offset, RCPT_DONE),
			    0);
	}
	ck_assert_uint_eq(r.line, COUNT(sample));
	contents(fd, &after);
	ck_assert_uint_eq(after.len, before.len);
	for (i = 0; i < after.len; i++)
		changed += after.data[i] != before.data[i];
	ck_assert_uint_eq(changed, 1);
	ck_assert_int_eq(rcpt_mark(fd, 0, '\n'), -1);
	ck_assert_int_eq(errno, EINVAL);
	rcpt_read_free(&r);
	rcpt_write_free(&w);
	sbuf_free(&before);
	sbuf_free(&after);
	close(fd);
}
END_TEST

static const struct {
	const char *bytes;
	int error;              /* 0: fine */
} heads[] = {
	{"Septet-Rcpt: 1\n", 0},
	{"Septet-Rcpt: 1\nT\ta@b", 0},
	{"Septet-Rcpt: 2\n", ENOTSUP},
	{"Septet-Rcpt: 10\nanything\n", ENOTSUP},
	{"", EPROTO},
	{"Septet-Rcpt: 1", EPROTO},
	{"Septet-Rcpt: \n", EPROTO},
	{"Septet-Rcpt: 0\n", EPROTO},
	{"Septet-Rcpt: 01\n", EPROTO},
	{"Septet-Rcpt: 1 \n", EPROTO},
	{"Septet-Rcpt: -2\n", EPROTO},
	{"Septet-Rcpt: 99999999999999\n", EPROTO},
	{"septet-rcpt: 1\n", EPROTO},
	{"T\ta@example.net\n", EPROTO},
	{"\n", EPROTO},
};

START_TEST(test_heads)
{
	int fd = file_of(heads[_i].bytes, strlen(heads[_i].bytes)), rc;
	struct rcpt_reader r;

	errno = 0;
	rc = rcpt_read_begin(&r, fd);
	ck_assert_msg(rc == (heads[_i].error == 0 ? 0 : -1), "%s",
	    heads[_i].bytes);
	if (rc == -1)
		ck_assert_int_eq(errno, heads[_i].error);
	rcpt_read_free(&r);
	close(fd);
}
END_TEST

static const struct {
	const char *line;
	int rc;
	const char *address;
	const char *words;
} lines[] = {
	{"T\ta@b\n", 1, "a@b", ""},
	{"T\ta\n", 1, "a", ""},
	{"z\ta@b\tid=1\n", 1, "a@b", "id=1"},
	{"T\ta@b\t\n", 1, "a@b", ""},
	{"T\ta@b\tid=1\t\tx=\n", 1, "a@b", "id=1\t\tx="},
	{"T\t\\x0aa@b\n", 1, "\na@b", ""},
	{"T\ta@b", 0, NULL, NULL}, /* torn */
	{"\n", -1, NULL, NULL},
	{"T\n", -1, NULL, NULL},
	{"T\t\n", -1, NULL, NULL},
	{"T\t\tid=1\n", -1, NULL, NULL},
	{"T a@b\n", -1, NULL, NULL},
	{"TT\ta@b\n", -1, NULL, NULL},
	{"1\ta@b\n", -1, NULL, NULL},
	{"\xff\ta@b\n", -1, NULL, NULL},
	{"T\ta\r@b\n", -1, NULL, NULL},
	{"T\ta@b\tid=\x7f\n", -1, NULL, NULL},
	{"T\ta@\xc3\n", -1, NULL, NULL},
};

/* A malformed line is named by its number, and passed over. */
START_TEST(test_lines)
{
	struct sbuf bytes = {0};
	struct rcpt_reader r;
	int fd;

	sbuf_adds(&bytes, RCPT_MAGIC "D\tfirst@example.net\n");
	sbuf_adds(&bytes, lines[_i].line);
	if (lines[_i].rc != 0)
		sbuf_adds(&bytes, "S\tlast@example.net\n");
	fd = file_of(bytes.data, bytes.len);
	ck_assert_int_eq(rcpt_read_begin(&r, fd), 0);
	ck_assert_int_eq(rcpt_read(&r), 1);
	errno = 0;
	ck_assert_msg(rcpt_read(&r) == lines[_i].rc, "%s", lines[_i].line);
	if (lines[_i].rc == -1)
		ck_assert_int_eq(errno, EPROTO);
	if (lines[_i].rc == 1) {
		ck_assert_str_eq(r.address.data, lines[_i].address);
		ck_assert_str_eq(r.words, lines[_i].words);
	}
	if (lines[_i].rc != 0) {
		ck_assert_uint_eq(r.line, 2);
		ck_assert_int_eq(rcpt_read(&r), 1);
		ck_assert_int_eq(r.state, 'S');
		ck_assert_uint_eq(r.line, 3);
	}
	ck_assert_int_eq(rcpt_read(&r), 0);
	rcpt_read_free(&r);
	sbuf_free(&bytes);
	close(fd);
}
END_TEST

START_TEST(test_nul)
{
	static const char bytes[] = RCPT_MAGIC "T\ta\0b@example.net\n";
	int fd = file_of(bytes, sizeof(bytes) - 1);
	struct rcpt_reader r;

	ck_assert_int_eq(rcpt_read_begin(&r, fd), 0);
	ck_assert_int_eq(rcpt_read(&r), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(rcpt_read(&r), 0);
	rcpt_read_free(&r);
	close(fd);
}
END_TEST

static const struct {
	char state;
	size_t address;         /* its length */
	const char *words;
	int error;
} refused[] = {
	{'T', RCPT_LINE_MAX - 3, "", 0},
	{'T', RCPT_LINE_MAX - 2, "", EMSGSIZE},
	{'T', RCPT_LINE_MAX - 8, "id=1", 0},
	{'T', RCPT_LINE_MAX - 7, "id=1", EMSGSIZE},
	{'T', 0, "", EINVAL},
	{'\t', 3, "", EINVAL},
	{'\0', 3, "", EINVAL},
	{'T', 3, "a=1\nT\tx@y", EINVAL},
	{'T', 3, "a=\xc3", EINVAL},
	{'T', 3, "a=\x1b", EINVAL},
};

/* What is refused leaves nothing, what is taken can be read. */
START_TEST(test_write_limits)
{
	char *address = calloc(1, refused[_i].address + 1);
	int fd = file_of("", 0), rc;
	struct rcpt_writer w;
	struct rcpt_reader r;

	memset(address, 'a', refused[_i].address);
	rcpt_write_begin(&w, fd);
	rc = rcpt_write(&w, refused[_i].state, address, refused[_i].words);
	if (refused[_i].error != 0) {
		ck_assert_int_eq(rc, -1);
		ck_assert_int_eq(errno, refused[_i].error);
	} else {
		ck_assert_int_eq(rc, 0);
	}
	ck_assert_int_eq(rcpt_write_end(&w), 0);
	ck_assert_uint_eq(w.lines, rc == 0);
	ck_assert_int_eq(rcpt_read_begin(&r, fd), 0);
	ck_assert_int_eq(rcpt_read(&r), rc + 1);
	if (rc == 0)
		ck_assert_uint_eq(r.address.len, refused[_i].address);
	ck_assert_int_eq(rcpt_read(&r), 0);
	rcpt_write_free(&w);
	rcpt_read_free(&r);
	free(address);
	close(fd);
}
END_TEST

START_TEST(test_line_too_long)
{
	struct sbuf bytes = {0};
	struct rcpt_reader r;
	int fd, i;

	sbuf_adds(&bytes, RCPT_MAGIC "T\t");
	for (i = 0; i < RCPT_LINE_MAX - 2; i++)
		sbuf_addc(&bytes, 'a');
	sbuf_addc(&bytes, '\n');
	fd = file_of(bytes.data, bytes.len);
	ck_assert_int_eq(rcpt_read_begin(&r, fd), 0);
	ck_assert_int_eq(rcpt_read(&r), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_uint_eq(r.line, 1);
	rcpt_read_free(&r);
	sbuf_free(&bytes);
	close(fd);
}
END_TEST

/* Lines of many lengths, so that every place of a line meets the window's end;
 * and the window does not grow with the list. */
START_TEST(test_many)
{
	enum { N = 50000 };
	char address[200], words[40];
	struct rcpt_writer w;
	struct rcpt_reader r;
	int fd = file_of("", 0), i;

	rcpt_write_begin(&w, fd);
	memset(address, 'a', sizeof(address));
	for (i = 0; i < N; i++) {
		address[i % 150 + 1] = '\0';
		snprintf(words, sizeof(words), "id=%d", i);
		ck_assert_int_eq(rcpt_write(&w, RCPT_TODO, address, words), 0);
		address[i % 150 + 1] = 'a';
	}
	ck_assert_int_eq(rcpt_write_end(&w), 0);
	ck_assert_uint_le(w.pending.cap, 200000);
	ck_assert_int_eq(rcpt_read_begin(&r, fd), 0);
	for (i = 0; i < N; i++) {
		ck_assert_int_eq(rcpt_read(&r), 1);
		ck_assert_uint_eq(r.address.len, (size_t)(i % 150 + 1));
		snprintf(words, sizeof(words), "id=%d", i);
		ck_assert_str_eq(r.words, words);
	}
	ck_assert_int_eq(rcpt_read(&r), 0);
	ck_assert_uint_le(r.window.cap, 200000);
	rcpt_write_free(&w);
	rcpt_read_free(&r);
	close(fd);
}
END_TEST

START_TEST(test_write_error)
{
	struct rcpt_writer w;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC), i, rc = 0;

	ck_assert_int_ne(fd, -1);
	rcpt_write_begin(&w, fd);
	for (i = 0; rc == 0 && i < 20000; i++)
		rc = rcpt_write(&w, RCPT_TODO, "a@example.net", "id=1");
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(errno, ENOSPC);
	rcpt_write_free(&w);
	rcpt_write_begin(&w, fd);
	ck_assert_int_eq(rcpt_write(&w, RCPT_TODO, "a@example.net", ""), 0);
	ck_assert_int_eq(rcpt_write_end(&w), -1);
	ck_assert_int_eq(errno, ENOSPC);
	rcpt_write_free(&w);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rcpt");
	TCase *tests = tcase_create("rcpt");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_written_is_the_sample);
	tcase_add_test(tests, test_read_what_was_written);
	tcase_add_test(tests, test_mark);
	tcase_add_loop_test(tests, test_heads, 0, COUNT(heads));
	tcase_add_loop_test(tests, test_lines, 0, COUNT(lines));
	tcase_add_test(tests, test_nul);
	tcase_add_loop_test(tests, test_write_limits, 0, COUNT(refused));
	tcase_add_test(tests, test_line_too_long);
	tcase_add_test(tests, test_many);
	tcase_add_test(tests, test_write_error);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
