/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_septet_output - JSON and text for terminals, whatever the bytes
 */
/* test-objects: runners/septet/output.c */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runners/septet/output.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STR(s) s, sizeof(s) - 1

static const struct {
	const char *in;
	size_t n;
	const char *want;
} quotes[] = {
	{STR(""), "\"\""},
	{STR("plain"), "\"plain\""},
	{STR("a\"b\\c"), "\"a\\\"b\\\\c\""},
	{STR("\n\t\r\x01\x1f\x7f"), "\"\\n\\t\\u000d\\u0001\\u001f\\u007f\""},
	{STR("a\0b"), "\"a\\u0000b\""},
	{STR("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
	    "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\""},
	/* Not UTF-8: lone lead, lone tail, overlong, surrogate, too high. */
	{STR("x\xff"), "\"x\\ufffd\""},
	{STR("\xc3"), "\"\\ufffd\""},
	{STR("\x80z"), "\"\\ufffdz\""},
	{STR("\xc0\xaf"), "\"\\ufffd\\ufffd\""},
	{STR("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""},
	{STR("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	{STR("</script>"), "\"</script>\""},
};

START_TEST(test_quote)
{
	struct sbuf out = {0};

	json_quote(&out, quotes[_i].in, quotes[_i].n);
	ck_assert_str_eq(sbuf_str(&out), quotes[_i].want);
	sbuf_free(&out);
}
END_TEST

static const struct {
	const char *in;
	const char *want;
} texts[] = {
	{"", ""},
	{"plain \xc3\xbc \xe2\x82\xac", "plain \xc3\xbc \xe2\x82\xac"},
	{"a\x1b[31m", "a\\x1b[31m"},
	{"a\r\nb\tc\x7f", "a\\x0d\\x0ab\\x09c\\x7f"},
	/* C1: CSI as a character; U+00A0 is none. */
	{"\xc2\x9b", "\\xc2\\x9b"},
	{"\xc2\xa0", "\xc2\xa0"},
	/* Right-to-left override, isolate, line separator; their neighbours. */
	{"\xe2\x80\xae", "\\xe2\\x80\\xae"},
	{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
	{"\xe2\x80\xaf", "\xe2\x80\xaf"},
	{"\xe2\x80\xa7", "\xe2\x80\xa7"},
	{"\xff\xfe", "\\xff\\xfe"},
	{"\xe2\x80", "\\xe2\\x80"},
};

START_TEST(test_clean)
{
	struct sbuf out = {0};

	out_clean(&out, texts[_i].in);
	ck_assert_str_eq(sbuf_str(&out), texts[_i].want);
	sbuf_free(&out);
}
END_TEST

/* What fn prints, in memory. */
static char *
printed(void (*fn)(FILE *to))
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(to);
	fn(to);
	ck_assert_int_eq(fclose(to), 0);
	return text;
}

static void
print_json(FILE *to)
{
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	json_string(&j, "a\n", "b");
	json_string(&j, "none", NULL);
	json_number(&j, "n", -5);
	json_bool(&j, "yes", true);
	json_time(&j, "at", 1000);
	json_time(&j, "never", 0);
	json_array(&j, "empty");
	json_close(&j, ']');
	json_array(&j, "list");
	json_string(&j, NULL, "x");
	json_object(&j, NULL);
	json_close(&j, '}');
	json_close(&j, ']');
	json_close(&j, '}');
	json_end(&j);
}

START_TEST(test_json)
{
	char *text = printed(print_json);

	ck_assert_str_eq(text, "{\n"
	    "  \"a\\n\": \"b\",\n"
	    "  \"none\": null,\n"
	    "  \"n\": -5,\n"
	    "  \"yes\": true,\n"
	    "  \"at\": \"1970-01-01T00:00:01.000Z\",\n"
	    "  \"never\": null,\n"
	    "  \"empty\": [],\n"
	    "  \"list\": [\n"
	    "    \"x\",\n"
	    "    {}\n"
	    "  ]\n"
	    "}\n");
	free(text);
}
END_TEST

static void
print_cells(FILE *to)
{
	out_cell(to, "ab", 4, 0);
	fputc('|', to);
	out_cell(to, "ab", -4, 0);
	fputc('|', to);
	out_cell(to, "\xc3\xbc", 3, 0);
	fputc('|', to);
	out_cell(to, "abcdef", 3, 0);
	fputc('|', to);
	out_cell(to, "\xc3\xbc\xc3\xbc\xc3\xbc", 0, 2);
	fputc('|', to);
	out_cell(to, "a\nb", 0, 0);
}

START_TEST(test_cells)
{
	char *text = printed(print_cells);

	ck_assert_str_eq(text, "ab  |  ab|\xc3\xbc  |abcdef|\xc3\xbc\xc3\xbc|"
	    "a\\x0ab");
	free(text);
}
END_TEST

static const struct {
	int64_t ms;
	const char *want;
} ages[] = {
	{-1, "0 s"}, {0, "0 s"}, {119999, "119 s"}, {120000, "2 min"},
	{7199999, "119 min"}, {7200000, "2 h"}, {172799999, "47 h"},
	{172800000, "2 d"}, {INT64_MAX, "106751991167 d"},
};

START_TEST(test_age)
{
	char out[16];

	out_age(ages[_i].ms, out);
	ck_assert_str_eq(out, ages[_i].want);
}
END_TEST

static const struct {
	unsigned long long bytes;
	const char *want;
} sizes[] = {
	{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"},
	{1536 * 1024, "1.5 MiB"}, {~0ULL, "16777216.0 TiB"},
};

START_TEST(test_size)
{
	char out[16];

	out_size(sizes[_i].bytes, out);
	ck_assert_str_eq(out, sizes[_i].want);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("septet_output");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, test_quote, 0, COUNT(quotes));
	tcase_add_loop_test(tc, test_clean, 0, COUNT(texts));
	tcase_add_test(tc, test_json);
	tcase_add_test(tc, test_cells);
	tcase_add_loop_test(tc, test_age, 0, COUNT(ages));
	tcase_add_loop_test(tc, test_size, 0, COUNT(sizes));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
