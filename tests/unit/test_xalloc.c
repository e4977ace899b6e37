/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_xalloc - memory, or exit code 75
 */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/exits.h"
#include "common/base/xalloc.h"

/* The sanitizer would end the test before our own code can. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* The line that dying writes is no news here. */
static void
be_quiet(void)
{
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

/* Held back from the compiler, which would refuse the calls. */
static volatile size_t huge = SIZE_MAX / 2 + 1;

START_TEST(test_zero_is_memory)
{
	void *p = xmalloc(0);

	ck_assert_ptr_nonnull(p);
	free(p);
	p = xcalloc(0, 8);
	ck_assert_ptr_nonnull(p);
	free(p);
	p = xreallocarray(NULL, 0, 0);
	ck_assert_ptr_nonnull(p);
	free(p);
}
END_TEST

START_TEST(test_calloc_is_clean)
{
	static const unsigned char zero[4096];
	void *p = xcalloc(64, 64);

	ck_assert_mem_eq(p, zero, sizeof(zero));
	free(p);
}
END_TEST

START_TEST(test_realloc_keeps)
{
	char *p = xmalloc(4);

	memcpy(p, "abc", 4);
	p = xreallocarray(p, 1000, 16);
	ck_assert_str_eq(p, "abc");
	memset(p, 'x', 16000);
	free(p);
}
END_TEST

START_TEST(test_strings)
{
	char *p = xstrdup("list");

	ck_assert_str_eq(p, "list");
	free(p);
	p = xstrndup("list", 2);
	ck_assert_str_eq(p, "li");
	free(p);
	p = xstrndup("list", 10);
	ck_assert_str_eq(p, "list");
	free(p);
}
END_TEST

START_TEST(test_malloc_dies)
{
	be_quiet();
	free(xmalloc(huge));
	ck_abort_msg("half of all memory was there");
}
END_TEST

START_TEST(test_calloc_overflow_dies)
{
	be_quiet();
	free(xcalloc(huge, 2));
	ck_abort_msg("an overflowing product was there");
}
END_TEST

START_TEST(test_realloc_overflow_dies)
{
	be_quiet();
	free(xreallocarray(NULL, huge, 2));
	ck_abort_msg("an overflowing product was there");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("xalloc");
	TCase *tcase = tcase_create("xalloc");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_zero_is_memory);
	tcase_add_test(tcase, test_calloc_is_clean);
	tcase_add_test(tcase, test_realloc_keeps);
	tcase_add_test(tcase, test_strings);
	tcase_add_exit_test(tcase, test_malloc_dies, EXIT_TEMPORARY);
	tcase_add_exit_test(tcase, test_calloc_overflow_dies, EXIT_TEMPORARY);
	tcase_add_exit_test(tcase, test_realloc_overflow_dies, EXIT_TEMPORARY);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
