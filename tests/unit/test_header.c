/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_header - header blocks walked, values read, fields written
 */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mail/header.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

static const struct {
	const char *block;
	const char *fields; /* name=value| of each, unfolded */
	size_t stop;        /* where header_next stops */
	size_t end;         /* what header_end says of all of it */
} walks[] = {
	{"A: 1\nB: 2\n\nbody\n", "A=1|B=2|", 10, 11},
	{"A: 1\r\nB: 2\r\n\r\nbody\r\n", "A=1|B=2|", 12, 14},
	{"A: 1\n two\n\tthree\n\n", "A=1 two\tthree|", 17, 18},
	{"A: 1\r\n two\r\n\r\n", "A=1 two|", 12, 14},
	{"A:\nB: \nC:  x \t\n\n", "A=|B=|C=x|", 15, 16},
	{"A :1\nB\t: 2\n\n", "A=1|B=2|", 11, 12},
	{"A: b: c\n\n", "A=b: c|", 8, 9},
	/* no line end, no blank line */
	{"A: 1", "A=1|", 4, 4},
	{"A: 1\n", "A=1|", 5, 5},
	{"A: 1\r\n", "A=1|", 6, 6},
	{"", "", 0, 0},
	{"\n", "", 0, 1},
	{"\r\n", "", 0, 2},
	{"\r", "", 0, 0},
	/* a line that is no field ends the block and is not eaten */
	{"A: 1\nno field\nB: 2\n\n", "A=1|", 5, 5},
	{"A: 1\n: empty\n", "A=1|", 5, 5},
	{"A: 1\nB\n\n", "A=1|", 5, 5},
	{" starts folded\nA: 1\n", "", 0, 0},
	{"From ann@example.net Fri Nov 20 09:00:00 2026\nA: 1\n", "", 0, 0},
	{"A: 1\nna\xc3\xafve: 2\n", "A=1|", 5, 5},
	{"A: 1\n\r\r\n", "A=1|", 5, 5},
	/* a line of white space goes on with the field */
	{"A: 1\n \n 2\n\n", "A=1  2|", 10, 11},
	{"A: 1\rB: 2\n\n", "A=1\rB: 2|", 10, 11},
};

static void
describe(const char *block, size_t len, struct sbuf *out, size_t *at)
{
	struct header_field field;
	struct sbuf value = {0};

	*at = 0;
	while (header_next(block, len, at, &field)) {
		header_value(&field, &value);
		sbuf_add(out, field.name, field.name_len);
		sbuf_printf(out, "=%s|", sbuf_str(&value));
	}
	sbuf_free(&value);
}

START_TEST(test_walk)
{
	const char *block = walks[_i].block;
	struct sbuf seen = {0};
	size_t len = strlen(block), at;

	describe(block, len, &seen, &at);
	ck_assert_str_eq(sbuf_str(&seen), walks[_i].fields);
	ck_assert_uint_eq(at, walks[_i].stop);
	ck_assert_uint_eq(header_end(block, len, true), walks[_i].end);
	sbuf_free(&seen);
}
END_TEST

/* Whoever reads a piece at a time never hears of an end that more bytes would
 * have moved. */
START_TEST(test_end_of_pieces)
{
	const char *block = walks[_i].block;
	size_t len = strlen(block), end;

	for (size_t n = 0; n <= len; n++) {
		end = header_end(block, n, false);
		ck_assert_msg(end == SIZE_MAX || end == walks[_i].end,
		    "%zu of %zu bytes: %zu", n, len, end);
		ck_assert(end == SIZE_MAX || end <= n);
	}
}
END_TEST

START_TEST(test_end_needs_more)
{
	ck_assert_uint_eq(header_end("", 0, false), SIZE_MAX);
	ck_assert_uint_eq(header_end("A: 1\n", 5, false), SIZE_MAX);
	ck_assert_uint_eq(header_end("A: 1\n\r", 6, false), SIZE_MAX);
	ck_assert_uint_eq(header_end("A: 1\nB", 6, false), SIZE_MAX);
	ck_assert_uint_eq(header_end("A: 1\n\n", 6, false), 6);
	ck_assert_uint_eq(header_end("A: 1\nbody\n", 10, false), 5);
}
END_TEST

START_TEST(test_raw_bytes)
{
	static const char block[] = "A :  1\r\n two \r\nB:\n\nbody";
	struct header_field field;
	size_t at = 0, len = sizeof(block) - 1;

	ck_assert_int_eq(header_next(block, len, &at, &field), 1);
	ck_assert_ptr_eq(field.raw, block);
	ck_assert_uint_eq(field.raw_len, 15);
	ck_assert_uint_eq(field.name_len, 1);
	ck_assert_ptr_eq(field.value, block + 3);
	ck_assert_uint_eq(field.value_len, 10);
	ck_assert_int_eq(header_next(block, len, &at, &field), 1);
	ck_assert_ptr_eq(field.raw, block + 15);
	ck_assert_uint_eq(field.raw_len, 3);
	ck_assert_uint_eq(field.value_len, 0);
	ck_assert_int_eq(header_next(block, len, &at, &field), 0);
	ck_assert_uint_eq(at, 18);
	ck_assert_int_eq(header_next(block, len, &at, &field), 0);
}
END_TEST

START_TEST(test_nul_is_a_space)
{
	static const char block[] = "A: x\0y\0\n\n";
	struct sbuf value = {0};

	ck_assert_int_eq(header_get(block, sizeof(block) - 1, "a", 0, &value),
	    1);
	ck_assert_str_eq(value.data, "x y");
	ck_assert_uint_eq(value.len, 3);
	sbuf_free(&value);
}
END_TEST

START_TEST(test_get_and_count)
{
	static const char block[] =
	    "Received: 1\nTo: ann\nreceived: 2\nRECEIVED: 3\n\nReceived: 4\n";
	struct sbuf value = {0};
	size_t len = sizeof(block) - 1;

	ck_assert_uint_eq(header_count(block, len, "Received"), 3);
	ck_assert_uint_eq(header_count(block, len, "Receive"), 0);
	ck_assert_uint_eq(header_count(block, 0, "Received"), 0);
	ck_assert_int_eq(header_get(block, len, "Received", 0, &value), 1);
	ck_assert_str_eq(value.data, "1");
	ck_assert_int_eq(header_get(block, len, "Received", 2, &value), 1);
	ck_assert_str_eq(value.data, "3");
	ck_assert_int_eq(header_get(block, len, "Received", 3, &value), 0);
	ck_assert_uint_eq(value.len, 0);
	ck_assert_int_eq(header_get(block, len, "Cc", 0, &value), 0);
	sbuf_free(&value);
}
END_TEST

START_TEST(test_names)
{
	struct header_field field = {.name = "List-Id: x", .name_len = 7};

	ck_assert(header_is(&field, "list-id"));
	ck_assert(!header_is(&field, "list-i"));
	ck_assert(!header_is(&field, "list-id:"));
	ck_assert(header_has_prefix(&field, "LIST-"));
	ck_assert(header_has_prefix(&field, "List-Id"));
	ck_assert(!header_has_prefix(&field, "List-Id:"));
	ck_assert(!header_has_prefix(&field, "X-"));
}
END_TEST

START_TEST(test_skip_cfws)
{
	static const struct {
		const char *text;
		const char *rest;
	} cases[] = {
		{"x", "x"}, {" \t x", "x"}, {"(a) x", "x"}, {"(a(b)c)x", "x"},
		{"(\\)) x", "x"}, {"(a", ""}, {"", ""}, {"(a\\", ""},
		{")", ")"},
	};

	for (size_t i = 0; i < N(cases); i++)
		ck_assert_str_eq(header_skip_cfws(cases[i].text),
		    cases[i].rest);
}
END_TEST

static const struct {
	const char *value;
	size_t max;
	const char *want;
} decodes[] = {
	{"plain", 100, "plain"},
	{"", 100, ""},
	{"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", 100, "Gr\xc3\xbc\xc3\x9f" "e"},
	{"=?iso-8859-1?Q?Gr=FC=DFe_an?= alle", 100,
	    "Gr\xc3\xbc\xc3\x9f" "e an alle"},
	{"=?utf-8?b?w7w=?= =?utf-8?b?w7w=?=", 100, "\xc3\xbc\xc3\xbc"},
	{"a =?utf-8?b?w7w=?= b =?utf-8?B?w7w=?=\t=?utf-8?q?c?= d", 100,
	    "a \xc3\xbc b \xc3\xbc" "c d"},
	/* a character cut in two, as some mailers do */
	{"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", 100, "\xc3\xbc"},
	{"=?utf-8?b?w7w=", 100, "=?utf-8?b?w7w="},
	{"=?", 100, "=?"},
	{"=?utf-8?b?", 100, "=?utf-8?b?"},
	{"Gr\xc3\xbc\xc3\x9f" "e", 100, "Gr\xc3\xbc\xc3\x9f" "e"},
	/* raw Latin-1 is taken for that */
	{"Gr\xfc\xdf" "e", 100, "Gr\xc3\xbc\xc3\x9f" "e"},
	{"=?utf-8?q?a=0D=0ABcc=3A_x?=", 100, "aBcc: x"},
	{"=?utf-8?q?a=1B[2Jb=7F?=", 100, "a[2Jb"},
	{"=?utf-8?q?a=C2=9B2Jb?=", 100, "a2Jb"},
	{"a\tb", 100, "a b"},
	{"abcdef", 3, "abc"},
	{"abcdef", 0, ""},
	{"a\xc3\xbc", 2, "a"},
	{"a\xc3\xbc", 3, "a\xc3\xbc"},
	{"\xf0\x9f\x93\xac", 3, ""},
};

START_TEST(test_decode)
{
	struct sbuf out = {0};

	sbuf_set(&out, "left over");
	header_decode(decodes[_i].value, decodes[_i].max, &out);
	ck_assert_str_eq(sbuf_str(&out), decodes[_i].want);
	sbuf_free(&out);
}
END_TEST

static const struct {
	const char *value;
	const char *want; /* without "Subject:" and the last line end */
} writes[] = {
	{"short", " short"},
	{"", ""},
	{"  trimmed  ", " trimmed"},
	{"two  spaces", " two  spaces"},
	/* 78 columns fit, 79 do not */
	{A64 " 1234", " " A64 " 1234"},
	{A64 " 12345", " " A64 "\n 12345"},
	{"line\nBcc: eve@example.net", " line Bcc: eve@example.net"},
	{"line\r\n\tx", " line   x"},
	{"Gr\xc3\xbc\xc3\x9f" "e an alle",
	    " =?utf-8?b?R3LDvMOfZQ==?= an alle"},
	{"[dev] caf\xc3\xa9 au lait d'\xc3\xa9t\xc3\xa9 now",
	    " [dev] =?utf-8?b?Y2Fmw6kgYXUgbGFpdCBkJ8OpdMOp?= now"},
	{"au lait d'\xc3\xa9t\xc3\xa9 caf",
	    " au lait =?utf-8?b?ZCfDqXTDqQ==?= caf"},
	{"a longer word: Donaudampfschiff\xc3\xa4hnlich",
	    " a longer word: =?utf-8?q?Donaudampfschiff=C3=A4hnlich?="},
	{"not =?utf-8?q?encoded?=",
	    " not =?utf-8?b?PT91dGYtOD9xP2VuY29kZWQ/PQ==?="},
};

START_TEST(test_write)
{
	struct sbuf out = {0}, want = {0};

	header_write(&out, "Subject", writes[_i].value);
	sbuf_printf(&want, "Subject:%s\n", writes[_i].want);
	ck_assert_str_eq(out.data, want.data);
	sbuf_free(&out);
	sbuf_free(&want);
}
END_TEST

static const char *const texts[] = {
	"plain words, long enough that they need to be folded once or twice "
	    "or, so that nothing is left to chance, more often than that",
	"Re: a first word with a colon and then very much text behind it so "
	    "that it folds",
	"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe4\xbb\xb6\xe5\x90"
	    "\x8d\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe4\xbb\xb6"
	    "\xe5\x90\x8d\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe4"
	    "\xbb\xb6\xe5\x90\x8d\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
	"some plain words before it is said: \xc3\xa4\xc3\xb6\xc3\xbc and some "
	    "more after that, until \xc3\xa9t\xc3\xa9 comes and goes at last",
	"\xf0\x9f\x93\xac\xf0\x9f\x93\xac\xf0\x9f\x93\xac\xf0\x9f\x93\xac"
	    "\xf0\x9f\x93\xac\xf0\x9f\x93\xac\xf0\x9f\x93\xac\xf0\x9f\x93\xac"
	    "\xf0\x9f\x93\xac\xf0\x9f\x93\xac\xf0\x9f\x93\xac\xf0\x9f\x93\xac",
	"a =?x?= b ?= c",
	"\xc3\xbc  two spaces  \xc3\xbc",
	A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64,
};

/* Every line within its limit and ASCII, every encoded word within its own. */
static void
check_lines(const char *text)
{
	for (const char *line = text; *line != '\0';) {
		size_t n = strcspn(line, "\n");
		const char *word = strstr(line, "=?utf-8?");

		ck_assert_int_eq(line[n], '\n');
		ck_assert_msg(n <= 78, "%zu columns: %.*s", n, (int)n, line);
		ck_assert_uint_gt(n, strspn(line, " "));
		if (word != NULL && word < line + n)
			ck_assert_uint_le(strcspn(word, " \n"), 75);
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_lt((unsigned char)line[i], 0x80);
		line += n + 1;
	}
}

START_TEST(test_written_is_read_back)
{
	struct sbuf out = {0}, value = {0}, text = {0};

	header_write(&out, "Subject", texts[_i]);
	check_lines(out.data);
	sbuf_adds(&out, "Next: field\n\n");
	ck_assert_int_eq(header_get(out.data, out.len, "Subject", 0, &value),
	    1);
	header_decode(value.data, 10000, &text);
	ck_assert_str_eq(sbuf_str(&text), texts[_i]);
	ck_assert_uint_eq(header_count(out.data, out.len, "Next"), 1);
	sbuf_free(&out);
	sbuf_free(&value);
	sbuf_free(&text);
}
END_TEST

START_TEST(test_write_bad_utf8)
{
	struct sbuf out = {0};

	header_write(&out, "A", "x\xff");
	ck_assert_str_eq(out.data, "A: =?utf-8?b?eO+/vQ==?=\n");
	sbuf_free(&out);
}
END_TEST

START_TEST(test_write_raw)
{
	struct sbuf out = {0};

	header_write_raw(&out, "List-Unsubscribe",
	    "<mailto:dev-leave@lists.example.org>, "
	    "<https://lists.example.org/dev/leave>\nBcc: x");
	ck_assert_str_eq(out.data,
	    "List-Unsubscribe: <mailto:dev-leave@lists.example.org>,\n"
	    " <https://lists.example.org/dev/leave> Bcc: x\n");
	sbuf_truncate(&out, 0);
	header_write_raw(&out, "List-Help", "<https://" A64 A16 ".example/>");
	ck_assert_str_eq(out.data,
	    "List-Help: <https://" A64 A16 ".example/>\n");
	sbuf_free(&out);
}
END_TEST

/* Real mail: unpacked by tar into a folder of our own. */

static const char *corpora;
static size_t n_files;
static size_t n_with_fields;

static void
check_block(const char *data, size_t len, const char *path)
{
	struct header_field field;
	struct sbuf whole = {0}, value = {0};
	size_t at = 0, n = 0, end;

	while (header_next(data, len, &at, &field)) {
		sbuf_add(&whole, field.raw, field.raw_len);
		header_value(&field, &value);
		ck_assert_uint_eq(strlen(sbuf_str(&value)), value.len);
		ck_assert_ptr_null(strchr(sbuf_str(&value), '\n'));
		n++;
	}
	sbuf_add(&whole, data + at, len - at);
	ck_assert_msg(whole.len == len &&
	    (len == 0 || memcmp(whole.data, data, len) == 0), "%s", path);
	end = header_end(data, len, true);
	ck_assert(end == at || end == at + 1 || end == at + 2);
	if (memchr(data + at, '\n', len - at) != NULL)
		ck_assert_uint_eq(header_end(data, len, false), end);
	n_with_fields += n > 0;
	sbuf_free(&whole);
	sbuf_free(&value);
}

static int
check_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct sbuf data = {0};
	const char *rest;
	FILE *f;

	(void)ftw;
	if (type != FTW_F || st->st_size > 64 * 1024 * 1024)
		return 0;
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	sbuf_reserve(&data, (size_t)st->st_size);
	data.len = fread(data.data, 1, (size_t)st->st_size, f);
	sbuf_truncate(&data, data.len);
	fclose(f);
	check_block(data.data, data.len, path);
	/* what stands behind the first line of an mbox */
	rest = memchr(data.data, '\n', data.len);
	if (rest != NULL && strncmp(data.data, "From ", 5) == 0) {
		rest++;
		check_block(rest, data.len - (size_t)(rest - data.data), path);
	}
	n_files++;
	sbuf_free(&data);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static const struct {
	const char *bundle;
	size_t n_files;
	size_t n_with_fields;
} bundles[] = {
	{"list-openbmc", 1900, 1900},
	{"mime-permissive", 900, 400},
	{"spam", 600, 600},
	{"hostile", 150, 1},
	{"bounces-permissive", 600, 500},
};

START_TEST(test_corpora)
{
	const char *base = getenv("TMPDIR");
	char dir[PATH_MAX], command[3 * PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/septet-header-XXXXXX",
	    base == NULL ? "/tmp" : base);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(command, sizeof(command), "tar -xJf '%s/%s.tar.xz' -C '%s'",
	    corpora, bundles[_i].bundle, dir);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(nftw(dir, check_file, 16, FTW_PHYS), 0);
	ck_assert_int_eq(nftw(dir, remove_one, 16, FTW_PHYS | FTW_DEPTH), 0);
	ck_assert_uint_ge(n_files, bundles[_i].n_files);
	ck_assert_uint_ge(n_with_fields, bundles[_i].n_with_fields);
}
END_TEST

static void
add_corpora(Suite *s)
{
	char path[PATH_MAX];
	TCase *tc;

	corpora = getenv("SEPTET_CORPORA");
	if (corpora == NULL)
		corpora = "../shared/corpora";
	snprintf(path, sizeof(path), "%s/%s.tar.xz", corpora,
	    bundles[0].bundle);
	if (access(path, R_OK) == -1) {
		printf("%zu skipped: no %s\n", N(bundles), path);
		return;
	}
	tc = tcase_create("corpora");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_corpora, 0, N(bundles));
	suite_add_tcase(s, tc);
}

int
main(void)
{
	Suite *s = suite_create("header");
	TCase *tc = tcase_create("header");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, test_walk, 0, N(walks));
	tcase_add_loop_test(tc, test_end_of_pieces, 0, N(walks));
	tcase_add_test(tc, test_end_needs_more);
	tcase_add_test(tc, test_raw_bytes);
	tcase_add_test(tc, test_nul_is_a_space);
	tcase_add_test(tc, test_get_and_count);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_skip_cfws);
	tcase_add_loop_test(tc, test_decode, 0, N(decodes));
	tcase_add_loop_test(tc, test_write, 0, N(writes));
	tcase_add_loop_test(tc, test_written_is_read_back, 0, N(texts));
	tcase_add_test(tc, test_write_bad_utf8);
	tcase_add_test(tc, test_write_raw);
	suite_add_tcase(s, tc);
	add_corpora(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
