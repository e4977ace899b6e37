/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_septet_person - lines of a list of members
 */
/* test-objects: runners/septet/person.c */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "runners/septet/person.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STR(s) s, sizeof(s) - 1

static const struct {
	const char *line;
	size_t n;
	int want;
	const char *address;
	const char *name;
} lines[] = {
	{STR("ann@example.net"), 1, "ann@example.net", ""},
	{STR("  Ann@Example.net \t\r"), 1, "Ann@Example.net", ""},
	{STR("Ann <ann@example.net>"), 1, "ann@example.net", "Ann"},
	{STR("<ann@example.net>"), 1, "ann@example.net", ""},
	{STR("\"Doe, \\\"J\\\" \\\\\" <j@example.net>"), 1, "j@example.net",
	    "Doe, \"J\" \\"},
	{STR("J\xc3\xbcrgen Gro\xc3\x9f <j@example.net>"), 1, "j@example.net",
	    "J\xc3\xbcrgen Gro\xc3\x9f"},
	{STR("a < b <x@example.net>"), 1, "x@example.net", "a < b"},
	{STR("\" <x@example.net>"), 1, "x@example.net", "\""},
	{STR("#tag@example.net"), 1, "#tag@example.net", ""},
	{STR(""), 0, "", ""},
	{STR(" \t\r"), 0, "", ""},
	{STR("#"), 0, "", ""},
	{STR("# a comment, x@example.net"), 0, "", ""},
	{STR("ann"), -1, NULL, NULL},
	{STR("Ann <>"), -1, NULL, NULL},
	{STR(">"), -1, NULL, NULL},
	{STR("<"), -1, NULL, NULL},
	{STR("Ann <ann@example.net> x"), -1, NULL, NULL},
	{STR("ann@example.net, bob@example.net"), -1, NULL, NULL},
	{STR("ann@example.net\0x"), -1, NULL, NULL},
	{STR("A\x1b[31m <ann@example.net>"), -1, NULL, NULL},
	{STR("\xff <ann@example.net>"), -1, NULL, NULL},
	{STR("A\nB <ann@example.net>"), -1, NULL, NULL},
};

START_TEST(test_lines)
{
	struct sbuf address = {0}, name = {0};
	const char *why = NULL;
	int rc;

	sbuf_set(&address, "left over");
	sbuf_set(&name, "left over");
	rc = person_parse(lines[_i].line, lines[_i].n, &address, &name, &why);
	ck_assert_int_eq(rc, lines[_i].want);
	if (rc == -1) {
		ck_assert_ptr_nonnull(why);
	} else {
		ck_assert_str_eq(sbuf_str(&address), lines[_i].address);
		ck_assert_str_eq(sbuf_str(&name), lines[_i].name);
	}
	sbuf_free(&address);
	sbuf_free(&name);
}
END_TEST

START_TEST(test_long_line)
{
	struct sbuf address = {0}, name = {0}, line = {0};
	const char *why = NULL;
	size_t i;

	for (i = 0; i < PERSON_LINE_MAX - 6; i++)
		sbuf_addc(&line, 'x');
	sbuf_adds(&line, "<a@b.c>");
	ck_assert_int_eq(person_parse(line.data, line.len, &address, &name,
	    &why), -1);
	ck_assert_str_eq(why, "too long");
	ck_assert_int_eq(person_parse(line.data + 1, line.len - 1, &address,
	    &name, &why), 1);
	ck_assert_str_eq(sbuf_str(&address), "a@b.c");
	sbuf_free(&line);
	sbuf_free(&address);
	sbuf_free(&name);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("septet_person");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, test_lines, 0, COUNT(lines));
	tcase_add_test(tc, test_long_line);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
