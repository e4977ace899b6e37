/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_esc - escapes both ways, UTF-8's edges, words of a line
 */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/esc.h"

static const struct {
	const char *bytes;
	size_t n;
	size_t len;
} sequences[] = {
	{"", 0, 0},
	{"a", 1, 1},
	{"\0", 1, 1},
	{"\x7f", 1, 1},
	{"\x80", 1, 0},
	{"\xc1\xbf", 2, 0}, /* overlong */
	{"\xc2\x80", 2, 2},
	{"\xc2", 1, 0}, /* cut off */
	{"\xc2\x7f", 2, 0},
	{"\xc2\xc0", 2, 0},
	{"\xdf\xbf", 2, 2},
	{"\xe0\x9f\xbf", 3, 0}, /* overlong */
	{"\xe0\xa0\x80", 3, 3},
	{"\xe0\xa0", 2, 0},
	{"\xe0\xa0\x7f", 3, 0},
	{"\xed\x9f\xbf", 3, 3},
	{"\xed\xa0\x80", 3, 0}, /* surrogate */
	{"\xed\xbf\xbf", 3, 0},
	{"\xee\x80\x80", 3, 3},
	{"\xef\xbf\xbf", 3, 3},
	{"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
	{"\xf0\x90\x80\x80", 4, 4},
	{"\xf0\x90\x80", 3, 0},
	{"\xf4\x8f\xbf\xbf", 4, 4},
	{"\xf4\x90\x80\x80", 4, 0}, /* past U+10FFFF */
	{"\xf5\x80\x80\x80", 4, 0},
	{"\xff", 1, 0},
};

START_TEST(test_utf8_len)
{
	size_t n = sequences[_i].n, len = sequences[_i].len;
	char *exact = malloc(n == 0 ? 1 : n);

	/* Without a byte behind it, so that reading on is seen. */
	memcpy(exact, sequences[_i].bytes, n);
	ck_assert_uint_eq(esc_utf8_len(exact, n), len);
	ck_assert_int_eq(esc_is_utf8(exact, n), n == 0 || len == n);
	free(exact);
}
END_TEST

static const struct {
	const char *bytes;
	size_t n;
	const char *escaped;
} texts[] = {
	{"", 0, ""},
	{"plain text", 10, "plain text"},
	{"\"quoted\"", 8, "\"quoted\""},
	{"a\nb\r\t", 5, "a\\x0ab\\x0d\\x09"},
	{"\x1b[2J\x7f", 5, "\\x1b[2J\\x7f"},
	{"\\", 1, "\\x5c"},
	{"\\x41", 4, "\\x5cx41"},
	{"Gr\xc3\xbc\xc3\x9f", 6, "Gr\xc3\xbc\xc3\x9f"},
	{"\xc3\xbc\xc3", 3, "\xc3\xbc\\xc3"},
	{"\xff\xfe" "a", 3, "\\xff\\xfea"},
	{"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"},
	{"\xf0\x9f\x93\xac.", 5, "\xf0\x9f\x93\xac."},
};

START_TEST(test_both_ways)
{
	struct sbuf out = {0};

	sbuf_adds(&out, "=");
	esc_add(&out, texts[_i].bytes, texts[_i].n);
	ck_assert_str_eq(out.data + 1, texts[_i].escaped);
	sbuf_truncate(&out, 0);
	esc_decode(&out, texts[_i].escaped, strlen(texts[_i].escaped));
	ck_assert_uint_eq(out.len, texts[_i].n);
	if (texts[_i].n > 0)
		ck_assert_mem_eq(out.data, texts[_i].bytes, texts[_i].n);
	sbuf_free(&out);
}
END_TEST

START_TEST(test_every_byte_returns)
{
	struct sbuf escaped = {0}, back = {0};
	char bytes[2];

	for (int i = 0; i < 65536; i++) {
		bytes[0] = (char)(i >> 8);
		bytes[1] = (char)i;
		if (bytes[0] == '\0' || bytes[1] == '\0')
			continue;
		sbuf_truncate(&escaped, 0);
		sbuf_truncate(&back, 0);
		esc_add(&escaped, bytes, 2);
		ck_assert(esc_is_utf8(escaped.data, escaped.len));
		esc_decode(&back, escaped.data, escaped.len);
		ck_assert_uint_eq(back.len, 2);
		ck_assert_mem_eq(back.data, bytes, 2);
	}
	sbuf_free(&escaped);
	sbuf_free(&back);
}
END_TEST

static const struct {
	const char *text;
	size_t n;
	const char *decoded;
} broken[] = {
	{"\\", 1, "\\"},
	{"\\x", 2, "\\x"},
	{"\\x4", 3, "\\x4"},
	{"\\x41", 3, "\\x4"}, /* its last digit lies past the end */
	{"\\x00", 4, "\\x00"},
	{"\\x0A", 4, "\\x0A"},
	{"\\xg0", 4, "\\xg0"},
	{"\\n", 2, "\\n"},
	{"\\\\x41", 5, "\\A"},
	{"\\x5cx41", 7, "\\x41"},
};

START_TEST(test_decode_broken)
{
	struct sbuf out = {0};
	char *exact = malloc(broken[_i].n);

	memcpy(exact, broken[_i].text, broken[_i].n);
	esc_decode(&out, exact, broken[_i].n);
	ck_assert_str_eq(sbuf_str(&out), broken[_i].decoded);
	free(exact);
	sbuf_free(&out);
}
END_TEST

static const struct {
	const char *before;
	const char *value;
	const char *line;
} added[] = {
	{"", "v", "key=v"},
	{"head", "v", "head key=v"},
	{"head ", "v", "head key=v"},
	{"head\t", "v", "head\tkey=v"},
	{"a=b", "", "a=b key=\"\""},
	{"", "two words", "key=\"two words\""},
	{"", "a\"b", "key=\"a\\x22b\""},
	{"", "\"", "key=\"\\x22\""},
	{"", "a\tb", "key=a\\x09b"},
	{"", "a b\n", "key=\"a b\\x0a\""},
	{"", "back\\slash", "key=back\\x5cslash"},
	{"", "x=y", "key=x=y"},
	{"", "<\"a b\"@example.org>", "key=\"<\\x22a b\\x22@example.org>\""},
};

START_TEST(test_kv_add)
{
	struct sbuf line = {0}, value = {0};

	sbuf_set(&line, added[_i].before);
	kv_add(&line, "key", added[_i].value);
	ck_assert_str_eq(sbuf_str(&line), added[_i].line);
	kv_add(&line, "last", "x");
	ck_assert_int_eq(kv_get(sbuf_str(&line), "key", &value), 1);
	ck_assert_str_eq(sbuf_str(&value), added[_i].value);
	ck_assert_int_eq(kv_get(sbuf_str(&line), "last", &value), 1);
	ck_assert_str_eq(sbuf_str(&value), "x");
	sbuf_free(&line);
	sbuf_free(&value);
}
END_TEST

START_TEST(test_kv_addn)
{
	struct sbuf line = {0};

	kv_addn(&line, "a", 0);
	kv_addn(&line, "b", LLONG_MAX);
	kv_addn(&line, "c", -1);
	ck_assert_str_eq(sbuf_str(&line), "a=0 b=9223372036854775807 c=-1");
	sbuf_free(&line);
}
END_TEST

static const struct {
	const char *line;
	const char *key;
	const char *value; /* NULL: absent */
	const char *head;
} lines[] = {
	{"", "a", NULL, ""},
	{"   ", "a", NULL, ""},
	{"head", "head", NULL, "head"},
	{"head a=1", "a", "1", "head"},
	{"two words\ta=1\tb=2", "b", "2", "two words"},
	{"a=1 a=2", "a", "1", ""},
	{"a=1 b=2", "A", NULL, ""},
	{"ab=1 b=2", "b", "2", ""},
	{"b=\"a=1\" a=2", "a", "2", ""},
	{"b=\"x y a=1\" a=2", "a", "2", ""},
	{"b=\"x a=1", "a", NULL, ""}, /* never closed */
	{"b=\"x\"y a=1", "b", "x", ""},
	{"b=\"x\"y a=1", "a", "1", ""},
	{"b=x\"y a=1\"", "a", "1\"", ""},
	{"a= b=2", "a", "", ""},
	{"a=\"\" b=2", "a", "", ""},
	{"a=b=c", "a", "b=c", ""},
	{"=1 a=2", "", NULL, "=1"},
	{"h\\x20\\x41 a=\\x41\\x0a", "a", "A\n", "h A"},
	{"header.d=example.net", "header.d", "example.net", ""},
	{"<ann@example.net> member=17", "member", "17", "<ann@example.net>"},
	{"<prvs=1=ann@example.net> member=17", "member", "17",
	    "<prvs=1=ann@example.net>"},
	{"<> member=17", "member", "17", "<>"},
	/* What a stranger may put into his own address is none of ours. */
	{"<\"x member=1 \"@example.net> member=17", "member", "17",
	    "<\"x member=1 \"@example.net>"},
	{"<\"> member=1 \"@example.net> member=17", "member", "17",
	    "<\"> member=1 \"@example.net>"},
	{"<\"\\x5c\"> member=1 \"@example.net> member=17", "member", "17",
	    "<\"\\\"> member=1 \"@example.net>"},
	{"<\"\\x5c\\x5c\"@example.net> member=17", "member", "17",
	    "<\"\\\\\"@example.net>"},
	{"<\"x member=1 @example.net>", "member", NULL,
	    "<\"x member=1 @example.net>"},
	{"<x member=1", "member", NULL, "<x member=1"},
	{"<\"\\x5c", "a", NULL, "<\"\\"},
};

START_TEST(test_lines)
{
	struct sbuf out = {0};
	char *line = strdup(lines[_i].line);
	int found;

	sbuf_set(&out, "former");
	found = kv_get(line, lines[_i].key, &out);
	ck_assert_int_eq(found, lines[_i].value != NULL);
	ck_assert_str_eq(sbuf_str(&out),
	    lines[_i].value != NULL ? lines[_i].value : "");
	sbuf_set(&out, "former");
	kv_head(line, &out);
	ck_assert_str_eq(sbuf_str(&out), lines[_i].head);
	/* Into one that never held anything, too. */
	sbuf_free(&out);
	if (kv_get(line, lines[_i].key, &out) == 1)
		ck_assert_str_eq(out.data, lines[_i].value);
	free(line);
	sbuf_free(&out);
}
END_TEST

static const struct {
	const char *line;
	int found;
	long long value;
} numbers[] = {
	{"n=0", 1, 0},
	{"n=007", 1, 7},
	{"n=9223372036854775807", 1, LLONG_MAX},
	{"n=9223372036854775808", -1, 0},
	{"n=99999999999999999999999", -1, 0},
	{"n=-1", -1, 0},
	{"n=+1", -1, 0},
	{"n=\" 1\"", -1, 0},
	{"n=1k", -1, 0},
	{"n=0x10", -1, 0},
	{"n=", -1, 0},
	{"m=1", 0, 0},
};

START_TEST(test_numbers)
{
	long long value = 42;

	errno = 0;
	ck_assert_int_eq(kv_getn(numbers[_i].line, "n", &value),
	    numbers[_i].found);
	ck_assert_int_eq(value,
	    numbers[_i].found == 1 ? numbers[_i].value : 42);
	ck_assert_int_eq(errno, numbers[_i].found == -1 ? EINVAL : 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("esc");
	TCase *tcase = tcase_create("esc");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, test_utf8_len, 0,
	    sizeof(sequences) / sizeof(*sequences));
	tcase_add_loop_test(tcase, test_both_ways, 0,
	    sizeof(texts) / sizeof(*texts));
	tcase_add_test(tcase, test_every_byte_returns);
	tcase_add_loop_test(tcase, test_decode_broken, 0,
	    sizeof(broken) / sizeof(*broken));
	tcase_add_loop_test(tcase, test_kv_add, 0,
	    sizeof(added) / sizeof(*added));
	tcase_add_test(tcase, test_kv_addn);
	tcase_add_loop_test(tcase, test_lines, 0,
	    sizeof(lines) / sizeof(*lines));
	tcase_add_loop_test(tcase, test_numbers, 0,
	    sizeof(numbers) / sizeof(*numbers));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
