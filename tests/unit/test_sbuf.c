/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_sbuf - growing at every boundary, and the NUL behind the content
 */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/exits.h"
#include "common/base/sbuf.h"

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

/* Held back from the compiler, which would refuse the call. */
static volatile size_t too_much = SIZE_MAX - 1;

START_TEST(test_empty)
{
	struct sbuf s = {0};

	ck_assert_str_eq(sbuf_str(&s), "");
	sbuf_truncate(&s, 0);
	sbuf_add(&s, "x", 0);
	ck_assert_str_eq(s.data, "");
	sbuf_free(&s);
	sbuf_set(&s, "");
	ck_assert_str_eq(s.data, "");
	sbuf_adds(&s, "");
	ck_assert_str_eq(sbuf_str(&s), "");
	ck_assert_uint_eq(s.len, 0);
	sbuf_free(&s);
	sbuf_free(&s);
	ck_assert_ptr_null(s.data);
}
END_TEST

/* Every length up to past two growths: the content is whole, the NUL stands
 * inside the room. */
START_TEST(test_growth)
{
	struct sbuf s = {0};

	for (size_t n = 1; n <= 300; n++) {
		sbuf_addc(&s, (char)('a' + n % 26));
		ck_assert_uint_eq(s.len, n);
		ck_assert_uint_gt(s.cap, s.len);
		ck_assert_uint_eq(strlen(sbuf_str(&s)), n);
	}
	for (size_t n = 1; n <= 300; n++)
		ck_assert_int_eq(s.data[n - 1], 'a' + (int)(n % 26));
	sbuf_free(&s);
}
END_TEST

START_TEST(test_exact_capacity)
{
	struct sbuf s = {0};
	char *before;
	size_t room;

	sbuf_reserve(&s, 1);
	before = s.data;
	room = s.cap - 1;
	sbuf_reserve(&s, room);
	ck_assert_ptr_eq(s.data, before);
	memset(s.data, 'x', room);
	s.len = room;
	sbuf_truncate(&s, s.len);
	ck_assert_uint_eq(strlen(s.data), room);
	sbuf_addc(&s, 'y');
	ck_assert_uint_gt(s.cap, room + 1);
	ck_assert_uint_eq(strlen(s.data), room + 1);
	sbuf_free(&s);
}
END_TEST

START_TEST(test_bytes_with_nul)
{
	struct sbuf s = {0};

	sbuf_add(&s, "a\0b", 3);
	sbuf_adds(&s, "c");
	ck_assert_uint_eq(s.len, 4);
	ck_assert_mem_eq(s.data, "a\0bc", 5);
	sbuf_free(&s);
}
END_TEST

/* The text is longer than the room, as long, and shorter. */
START_TEST(test_printf)
{
	struct sbuf s = {0};
	char want[400];

	for (int n = 0; n < 300; n += 7) {
		sbuf_set(&s, "<");
		sbuf_printf(&s, "%*d>", n, 7);
		snprintf(want, sizeof(want), "<%*d>", n, 7);
		ck_assert_str_eq(sbuf_str(&s), want);
		ck_assert_uint_eq(s.len, strlen(want));
		if (n % 2 == 0)
			sbuf_free(&s);
	}
	sbuf_free(&s);
}
END_TEST

START_TEST(test_set_and_truncate)
{
	struct sbuf s = {0};

	sbuf_set(&s, "first");
	sbuf_set(&s, "second");
	ck_assert_str_eq(sbuf_str(&s), "second");
	sbuf_truncate(&s, 3);
	ck_assert_str_eq(sbuf_str(&s), "sec");
	sbuf_truncate(&s, 4);
	ck_assert_uint_eq(s.len, 3);
	sbuf_truncate(&s, 0);
	ck_assert_str_eq(sbuf_str(&s), "");
	sbuf_set(&s, "");
	ck_assert_uint_eq(s.len, 0);
	sbuf_free(&s);
}
END_TEST

START_TEST(test_overflow_dies)
{
	struct sbuf s = {0};

	be_quiet();
	sbuf_set(&s, "content");
	sbuf_reserve(&s, too_much);
	ck_abort_msg("room for SIZE_MAX bytes was made");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sbuf");
	TCase *tcase = tcase_create("sbuf");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_empty);
	tcase_add_test(tcase, test_growth);
	tcase_add_test(tcase, test_exact_capacity);
	tcase_add_test(tcase, test_bytes_with_nul);
	tcase_add_test(tcase, test_printf);
	tcase_add_test(tcase, test_set_and_truncate);
	tcase_add_exit_test(tcase, test_overflow_dies, EXIT_TEMPORARY);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
