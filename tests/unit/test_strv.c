/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_strv - lists keep copies, find, sort
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/base/strv.h"

START_TEST(test_add)
{
	struct strv v = {0};
	char text[32];

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "item %d", i);
		strv_add(&v, text);
		ck_assert_uint_eq(v.n, (size_t)i + 1);
		ck_assert_uint_ge(v.cap, v.n);
	}
	ck_assert_str_eq(v.items[0], "item 0");
	ck_assert_str_eq(v.items[8], "item 8");
	ck_assert_str_eq(v.items[99], "item 99");
	strv_free(&v);
	ck_assert_uint_eq(v.n, 0);
	ck_assert_ptr_null(v.items);
	strv_free(&v);
}
END_TEST

static const struct {
	const char *str;
	bool has;
	bool has_nocase;
} lookups[] = {
	{"dev@example.org", true, true},
	{"DEV@Example.ORG", false, true},
	{"dev@example.or", false, false},
	{"dev@example.orgs", false, false},
	{"", true, true},
	{"[", true, true},
	{"{", false, false}, /* differs from [ as a letter from its capital */
	{"\xc3\x84", true, true},
	{"\xc3\xa4", false, false},
};

START_TEST(test_lookup)
{
	struct strv v = {0};

	ck_assert(!strv_has(&v, lookups[_i].str));
	ck_assert(!strv_has_nocase(&v, lookups[_i].str));
	strv_add(&v, "dev@example.org");
	strv_add(&v, "");
	strv_add(&v, "[");
	strv_add(&v, "\xc3\x84");
	ck_assert_int_eq(strv_has(&v, lookups[_i].str), lookups[_i].has);
	ck_assert_int_eq(strv_has_nocase(&v, lookups[_i].str),
	    lookups[_i].has_nocase);
	strv_free(&v);
}
END_TEST

START_TEST(test_sort)
{
	static const char *const given[] = {"b", "a", "", "B", "ab", "a"};
	static const char *const want[] = {"", "B", "a", "a", "ab", "b"};
	struct strv v = {0};

	strv_sort(&v);
	ck_assert_uint_eq(v.n, 0);
	for (size_t i = 0; i < 6; i++)
		strv_add(&v, given[i]);
	strv_sort(&v);
	for (size_t i = 0; i < 6; i++)
		ck_assert_str_eq(v.items[i], want[i]);
	strv_free(&v);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("strv");
	TCase *tcase = tcase_create("strv");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_add);
	tcase_add_loop_test(tcase, test_lookup, 0,
	    sizeof(lookups) / sizeof(*lookups));
	tcase_add_test(tcase, test_sort);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
