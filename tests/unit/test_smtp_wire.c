/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_smtp_wire - messages as they go out: line ends, dots, NUL, pieces
 *
 * test-objects: runners/outbound/wire.c
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/xalloc.h"
#include "runners/outbound/wire.h"

static int
file_of(const char *bytes, size_t n)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	return fd;
}

static const struct {
	const char *header, *body, *want;
} cases[] = {
	{"A: b\n\n", "c\n", "A: b\r\n\r\nc\r\n.\r\n"},
	{"A: b\n\n", "", "A: b\r\n\r\n.\r\n"},
	{"A: b\n\n", "no end", "A: b\r\n\r\nno end\r\n.\r\n"},
	{"A: b\n\n", ".\n..\n.x\nx.\n",
	    "A: b\r\n\r\n..\r\n...\r\n..x\r\nx.\r\n.\r\n"},
	{"A: b\n\n", ".", "A: b\r\n\r\n..\r\n.\r\n"},
	{"A: b\n\n", "a\rb\r\rc\r\nd\r",
	    "A: b\r\n\r\na b  c\r\nd \r\n.\r\n"},
	{"A: b\n\n", "\r.\r\n", "A: b\r\n\r\n .\r\n.\r\n"},
	{"A: b\r\n\r\n", "c\r\n", "A: b\r\n\r\nc\r\n.\r\n"},
	{"A: b", "", "A: b\r\n.\r\n"},
	{"A: b\n", "no blank line", "A: b\r\nno blank line\r\n.\r\n"},
	{"", "", ".\r\n"},
	{"", "\n", "\r\n.\r\n"},
};

static void
send_all(const struct wire *w, struct sbuf *out)
{
	struct wire_cursor at = {0};
	int more;

	while ((more = wire_next(w, &at, out)) == 1)
		;
	ck_assert_int_eq(more, 0);
	ck_assert_int_eq(wire_next(w, &at, out), 0);
}

START_TEST(test_wire)
{
	int fd = file_of(cases[_i].body, strlen(cases[_i].body));
	struct sbuf header = {0}, out = {0};
	struct wire w;

	sbuf_adds(&header, cases[_i].header);
	ck_assert_int_eq(wire_load(&w, &header, fd, 0), 0);
	send_all(&w, &out);
	ck_assert_str_eq(sbuf_str(&out), cases[_i].want);
	ck_assert_uint_eq(w.size, strlen(cases[_i].want) - 3);
	ck_assert(w.is_whole);
	wire_free(&w);
	sbuf_free(&header);
	sbuf_free(&out);
	close(fd);
}
END_TEST

/* Wherever the bytes are cut, the same comes out. */
START_TEST(test_convert_in_pieces)
{
	static const char bytes[] = ".a\r\n.\n\r\r.b\rc\n\n..\r";
	size_t i, n = sizeof bytes - 1;
	struct sbuf whole = {0}, cut = {0};
	char before = '\n';

	wire_convert(&whole, bytes, n, &before);
	ck_assert_str_eq(sbuf_str(&whole),
	    "..a\r\n..\r\n  .b c\r\n\r\n...");
	for (i = 0; i <= n; i++) {
		before = '\n';
		sbuf_truncate(&cut, 0);
		wire_convert(&cut, bytes, i, &before);
		wire_convert(&cut, bytes + i, n - i, &before);
		ck_assert_str_eq(sbuf_str(&cut), sbuf_str(&whole));
	}
	sbuf_free(&whole);
	sbuf_free(&cut);
}
END_TEST

static const struct {
	const char *header, *body;
	size_t header_len, body_len;
} with_nul[] = {
	{"A: b\0\n\n", "c\n", 7, 2},
	{"A: b\n\n", "c\0\n", 6, 3},
};

START_TEST(test_nul)
{
	int fd = file_of(with_nul[_i].body, with_nul[_i].body_len);
	struct sbuf header = {0};
	struct wire w;

	sbuf_add(&header, with_nul[_i].header, with_nul[_i].header_len);
	errno = 0;
	ck_assert_int_eq(wire_load(&w, &header, fd, 0), -1);
	ck_assert_int_eq(errno, EILSEQ);
	sbuf_free(&header);
	close(fd);
}
END_TEST

/* Around the largest that is kept, and with a NUL far behind. */
static const size_t sizes[] = {WIRE_KEPT_MAX - 16, WIRE_KEPT_MAX,
	WIRE_KEPT_MAX + 1, 1000003};

START_TEST(test_large)
{
	size_t i, n = sizes[_i], lines = 0;
	struct sbuf header = {0}, out = {0}, want = {0};
	char *body = xmalloc(n), before = '\n';
	struct wire w;
	int fd;

	for (i = 0; i < n; i++)
		body[i] = i % 61 == 60 ? '\n' : i % 61 == 0 ? '.' : 'x';
	fd = file_of("skipped", 7);
	ck_assert_int_eq(write(fd, body, n), (ssize_t)n);
	sbuf_adds(&header, "A: b\n\n");
	ck_assert_int_eq(wire_load(&w, &header, fd, 7), 0);
	sbuf_adds(&want, "A: b\r\n\r\n");
	wire_convert(&want, body, n, &before);
	lines = before != '\n' ? 2 : 0;
	sbuf_adds(&want, before != '\n' ? "\r\n.\r\n" : ".\r\n");
	send_all(&w, &out);
	ck_assert_uint_eq(out.len, want.len);
	ck_assert_mem_eq(out.data, want.data, want.len);
	/* SIZE may leave a last line end out that the file has not. */
	ck_assert_uint_ge(w.size + lines, want.len - 3);
	ck_assert_uint_le(w.size, want.len - 3);
	ck_assert_int_eq(w.is_whole, n < WIRE_KEPT_MAX - 16);
	ck_assert_uint_le(w.kept.len, WIRE_KEPT_MAX + 8);
	wire_free(&w);
	sbuf_free(&header);
	sbuf_free(&out);
	sbuf_free(&want);
	free(body);
	close(fd);
}
END_TEST

START_TEST(test_small_is_kept)
{
	int fd = file_of("c\n", 2);
	struct sbuf header = {0}, out = {0};
	struct wire w;

	sbuf_adds(&header, "A: b\n\n");
	ck_assert_int_eq(wire_load(&w, &header, fd, 0), 0);
	close(fd);
	send_all(&w, &out);
	send_all(&w, &out);
	ck_assert_str_eq(sbuf_str(&out),
	    "A: b\r\n\r\nc\r\n.\r\nA: b\r\n\r\nc\r\n.\r\n");
	wire_free(&w);
	sbuf_free(&header);
	sbuf_free(&out);
}
END_TEST

START_TEST(test_nul_far_behind)
{
	size_t n = 700000;
	char *body = xcalloc(1, n);
	struct sbuf header = {0};
	struct wire w;
	int fd;

	memset(body, 'x', n - 1);
	fd = file_of(body, n);
	sbuf_adds(&header, "A: b\n\n");
	ck_assert_int_eq(wire_load(&w, &header, fd, 0), -1);
	ck_assert_int_eq(errno, EILSEQ);
	sbuf_free(&header);
	free(body);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("smtp_wire");
	TCase *tc = tcase_create("smtp_wire");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, test_wire, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, test_convert_in_pieces);
	tcase_add_loop_test(tc, test_nul, 0, 2);
	tcase_add_loop_test(tc, test_large, 0,
	    sizeof sizes / sizeof sizes[0]);
	tcase_add_test(tc, test_small_is_kept);
	tcase_add_test(tc, test_nul_far_behind);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
