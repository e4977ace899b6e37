/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_clock - instants, their written forms, and strings that are none
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"

#define LAST_MS INT64_C(253402300799999)

static const struct {
	int64_t ms;
	const char *rfc3339;
	const char *mail;
} instants[] = {
	{0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 +0000"},
	{999, "1970-01-01T00:00:00.999Z", "Thu, 01 Jan 1970 00:00:00 +0000"},
	{951782400000, "2000-02-29T00:00:00.000Z",
	    "Tue, 29 Feb 2000 00:00:00 +0000"},
	{1795165200123, "2026-11-20T09:00:00.123Z",
	    "Fri, 20 Nov 2026 09:00:00 +0000"},
	{2147483648000, "2038-01-19T03:14:08.000Z",
	    "Tue, 19 Jan 2038 03:14:08 +0000"},
	{4107542399999, "2100-02-28T23:59:59.999Z",
	    "Sun, 28 Feb 2100 23:59:59 +0000"},
	{LAST_MS, "9999-12-31T23:59:59.999Z",
	    "Fri, 31 Dec 9999 23:59:59 +0000"},
};

START_TEST(test_forms)
{
	char rfc3339[CLOCK_RFC3339_SIZE], mail[CLOCK_RFC5322_SIZE], day[11];
	int64_t ms = -1;

	clock_format(instants[_i].ms, rfc3339);
	ck_assert_str_eq(rfc3339, instants[_i].rfc3339);
	clock_format_mail(instants[_i].ms, mail);
	ck_assert_str_eq(mail, instants[_i].mail);
	clock_format_day(instants[_i].ms, day);
	ck_assert_uint_eq(strlen(day), 10);
	ck_assert_mem_eq(day, instants[_i].rfc3339, 10);
	ck_assert_int_eq(clock_parse(rfc3339, &ms), 0);
	ck_assert_int_eq(ms, instants[_i].ms);
}
END_TEST

/* What no form can hold is brought to the nearest that it can. */
START_TEST(test_forms_are_bounded)
{
	char out[CLOCK_RFC3339_SIZE];

	clock_format(-1, out);
	ck_assert_str_eq(out, "1970-01-01T00:00:00.000Z");
	clock_format(INT64_MIN, out);
	ck_assert_str_eq(out, "1970-01-01T00:00:00.000Z");
	clock_format(LAST_MS + 1, out);
	ck_assert_str_eq(out, "9999-12-31T23:59:59.999Z");
	clock_format(INT64_MAX, out);
	ck_assert_str_eq(out, "9999-12-31T23:59:59.999Z");
}
END_TEST

static const struct {
	const char *str;
	int64_t ms;
} good[] = {
	{"1970-01-01T00:00:01Z", 1000},
	{"1970-01-01T00:00:00.1Z", 100},
	{"1970-01-01T00:00:00.12Z", 120},
	{"1970-01-01T00:00:00.0019999Z", 1},
	{"1972-02-29T00:00:00Z", 68169600000},
	{"2000-02-29T00:00:00Z", 951782400000},
	{"2016-12-31T23:59:60Z", 1483228800000},
};

START_TEST(test_parse_good)
{
	int64_t ms = -1;

	ck_assert_int_eq(clock_parse(good[_i].str, &ms), 0);
	ck_assert_int_eq(ms, good[_i].ms);
}
END_TEST

static const char *const bad[] = {
	"",
	"2026",
	"2026-11-20",
	"2026-11-20T09:00:00",
	"2026-11-20T09:00:00.Z",
	"2026-11-20T09:00:00.123",
	"2026-11-20T09:00:00.123Z ",
	" 2026-11-20T09:00:00.123Z",
	"2026-11-20T09:00:00,123Z",
	"2026-11-20t09:00:00.123z",
	"2026-11-20 09:00:00.123Z",
	"2026-11-20T09:00:00+00:00",
	"2026-11-20T24:00:00Z",
	"2026-11-20T09:60:00Z",
	"2026-11-20T09:00:61Z",
	"2026-13-20T09:00:00Z",
	"2026-00-20T09:00:00Z",
	"2026-11-00T09:00:00Z",
	"2026-11-31T09:00:00Z",
	"2026-02-29T09:00:00Z",
	"2100-02-29T09:00:00Z",
	"1969-12-31T23:59:59Z",
	"+026-11-20T09:00:00Z",
	"2026-1-20T09:00:00Z",
	"12026-11-20T09:00:00Z",
	"0x26-11-20T09:00:00Z",
};

START_TEST(test_parse_bad)
{
	int64_t ms = 42;

	errno = 0;
	ck_assert_int_eq(clock_parse(bad[_i], &ms), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(ms, 42);
}
END_TEST

START_TEST(test_freeze)
{
	int64_t real = (int64_t)time(NULL) * 1000;

	clock_freeze(1795165200123);
	ck_assert_int_eq(clock_ms(), 1795165200123);
	ck_assert_int_eq(clock_us(), 1795165200123000);
	ck_assert_int_gt(clock_mono_ms(), 0);
	clock_freeze(0);
	ck_assert_int_ge(clock_ms(), real);
	ck_assert_int_lt(clock_ms(), real + 60000);
}
END_TEST

static const struct {
	const char *offset;
	int64_t seconds;
} offsets[] = {
	{"86400", 86400},
	{"-86400", -86400},
	{"", 0},
	{"soon", 0},
	{"1d", 0},
	{"99999999999999999999", 0},
	{"9223372036854775807", 0},
};

START_TEST(test_offset)
{
	int64_t real = (int64_t)time(NULL) * 1000 + offsets[_i].seconds * 1000;

	setenv("SEPTET_CLOCK_OFFSET", offsets[_i].offset, 1);
	errno = E2BIG;
	ck_assert_int_ge(clock_ms(), real);
	ck_assert_int_lt(clock_ms(), real + 60000);
	ck_assert_int_eq(errno, E2BIG);
	clock_freeze(5);
	ck_assert_int_eq(clock_ms(), 5);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, test_forms, 0,
	    sizeof(instants) / sizeof(*instants));
	tcase_add_test(tcase, test_forms_are_bounded);
	tcase_add_loop_test(tcase, test_parse_good, 0,
	    sizeof(good) / sizeof(*good));
	tcase_add_loop_test(tcase, test_parse_bad, 0,
	    sizeof(bad) / sizeof(*bad));
	tcase_add_test(tcase, test_freeze);
	tcase_add_loop_test(tcase, test_offset, 0,
	    sizeof(offsets) / sizeof(*offsets));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
