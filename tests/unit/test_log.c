/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_log - what a line looks like, and what cannot break it
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/log.h"

#define STAMP "2026-11-20T09:00:00.123Z"

static int reader;

/* From here on what goes to stderr comes out of reader. */
static void
setup(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ne(dup2(ends[1], STDERR_FILENO), -1);
	close(ends[1]);
	reader = ends[0];
	clock_freeze(1795165200123);
}

static void
teardown(void)
{
	close(reader);
}

/* One write(2) is one read(2) here: the pipe had nothing else in it. */
static void
expect(const char *want)
{
	char got[8192];
	ssize_t n;

	n = read(reader, got, sizeof(got) - 1);
	ck_assert_int_ge(n, 0);
	got[n] = '\0';
	ck_assert_str_eq(got, want);
}

START_TEST(test_before_setup)
{
	log_debug("unseen");
	log_info("id=%s n=%d", "x", 7);
	expect(STAMP " septet info id=x n=7\n");
}
END_TEST

static const struct {
	const char *name;
	enum log_level level;
	const char *want;
} levels[] = {
	{"debug", LOG_LEVEL_DEBUG,
	    STAMP " p debug a\n" STAMP " p info b\n" STAMP " p warn c\n" STAMP
		  " p error d\n"},
	{"info", LOG_LEVEL_INFO,
	    STAMP " p info b\n" STAMP " p warn c\n" STAMP " p error d\n"},
	{"warn", LOG_LEVEL_WARN, STAMP " p warn c\n" STAMP " p error d\n"},
	{"error", LOG_LEVEL_ERROR, STAMP " p error d\n"},
};

START_TEST(test_levels)
{
	enum log_level level = LOG_LEVEL_INFO;

	ck_assert_int_eq(log_level_parse(levels[_i].name, &level), 0);
	ck_assert_int_eq(level, levels[_i].level);
	log_setup("p", level);
	log_debug("a");
	log_info("b");
	log_warn("c");
	log_error("d");
	expect(levels[_i].want);
}
END_TEST

static const char *const no_levels[] = {"", "Info", "warning", "info ", "err"};

START_TEST(test_level_unknown)
{
	enum log_level level = LOG_LEVEL_WARN;

	ck_assert_int_eq(log_level_parse(no_levels[_i], &level), -1);
	ck_assert_int_eq(level, LOG_LEVEL_WARN);
}
END_TEST

static const struct {
	const char *text;
	const char *want;
} hostile[] = {
	{"a\n2026 septet info forged", "a\\x0a2026 septet info forged"},
	{"\r\t\x1b[2J\x7f", "\\x0d\\x09\\x1b[2J\\x7f"},
	{"\xc2\x9b" "2J", "\\xc2\\x9b2J"}, /* a CSI in one character */
	{"\xc2\xa0", "\xc2\xa0"},
	{"\xff\xc3", "\\xff\\xc3"},
	{"Gr\xc3\xbc\xc3\x9f", "Gr\xc3\xbc\xc3\x9f"},
	{"%s%n", "%s%n"},
	{"", ""},
};

START_TEST(test_hostile)
{
	char want[256];

	log_setup("p", LOG_LEVEL_INFO);
	snprintf(want, sizeof(want), STAMP " p info %s\n", hostile[_i].want);
	log_info("%s", hostile[_i].text);
	expect(want);
}
END_TEST

/* A value that went through kv_add is not escaped a second time. */
START_TEST(test_kv_value)
{
	struct sbuf line = {0};

	log_setup("p", LOG_LEVEL_INFO);
	kv_add(&line, "subject", "a\nb \"c\"");
	log_info("%s", sbuf_str(&line));
	expect(STAMP " p info subject=\"a\\x0ab \\x22c\\x22\"\n");
	sbuf_free(&line);
}
END_TEST

/* However long the text, whatever it grows to: a line ends within 4 KiB, and
 * not inside an escape or a character. */
START_TEST(test_long)
{
	static const char *const fills[] = {"a", "\n", "\xc3\xbc"};
	char text[10000], got[8192];
	size_t len = strlen(fills[_i]);
	ssize_t n;

	log_setup("p", LOG_LEVEL_INFO);
	for (size_t shift = 0; shift < 5; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + len < sizeof(text); i += len)
			memcpy(text + i, fills[_i], len + 1);
		log_info("%s", text);
		n = read(reader, got, sizeof(got));
		ck_assert_int_le(n, 4096);
		ck_assert_int_gt(n, 4080);
		ck_assert_mem_eq(got + n - 4, "...\n", 4);
		ck_assert(esc_is_utf8(got, (size_t)n));
		ck_assert_ptr_eq(memchr(got, '\n', (size_t)n), got + n - 1);
		if (_i == 1)
			ck_assert_mem_eq(got + n - 8, "\\x0a", 4);
	}
}
END_TEST

START_TEST(test_errno_is_kept)
{
	log_setup("p", LOG_LEVEL_INFO);
	errno = ENOSPC;
	log_info("why=\"%m\"");
	ck_assert_int_eq(errno, ENOSPC);
	expect(STAMP " p info why=\"No space left on device\"\n");
	close(STDERR_FILENO);
	errno = EDOM;
	log_error("nobody hears");
	ck_assert_int_eq(errno, EDOM);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_before_setup);
	tcase_add_loop_test(tcase, test_levels, 0,
	    sizeof(levels) / sizeof(*levels));
	tcase_add_loop_test(tcase, test_level_unknown, 0,
	    sizeof(no_levels) / sizeof(*no_levels));
	tcase_add_loop_test(tcase, test_hostile, 0,
	    sizeof(hostile) / sizeof(*hostile));
	tcase_add_test(tcase, test_kv_value);
	tcase_add_loop_test(tcase, test_long, 0, 3);
	tcase_add_test(tcase, test_errno_is_kept);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
