/* SPDX-License-Identifier: BSD-2-Clause
 *
 * clock - wall time in milliseconds since 1970, and its written forms
 */
#include "common/base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 9999-12-31T23:59:59.999Z: the last instant with a four-digit year. */
#define MS_MAX INT64_C(253402300799999)

/* Ten thousand years: more could only overflow. */
#define OFFSET_MAX INT64_C(315360000000)

/* A seam for tests; 0: not frozen. */
static int64_t frozen_ms;

static int64_t
offset_from_environment(void)
{
	const char *str;
	char *end;
	long long seconds;

	str = getenv("SEPTET_CLOCK_OFFSET");
	if (str == NULL || *str == '\0')
		return 0;
	errno = 0;
	seconds = strtoll(str, &end, 10);
	if (*end != '\0' || errno != 0 || seconds > OFFSET_MAX ||
	    seconds < -OFFSET_MAX)
		return 0;
	return seconds;
}

int64_t
clock_us(void)
{
	struct timespec ts;
	int saved;
	int64_t offset;

	if (frozen_ms != 0)
		return frozen_ms * 1000;
	saved = errno;
	offset = offset_from_environment();
	errno = saved;
	clock_gettime(CLOCK_REALTIME, &ts);
	return ((int64_t)ts.tv_sec + offset) * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t
clock_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
clock_freeze(int64_t ms)
{
	frozen_ms = ms;
}

/* Write n decimal digits and return what follows them. */
static char *
put_digits(char *p, int n, int value)
{
	for (int i = n - 1; i >= 0; i--) {
		p[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return p + n;
}

/* Bring ms into the years that the formats can write. */
static int
split(int64_t ms, struct tm *tm)
{
	time_t seconds;

	if (ms < 0)
		ms = 0;
	if (ms > MS_MAX)
		ms = MS_MAX;
	seconds = (time_t)(ms / 1000);
	gmtime_r(&seconds, tm);
	return (int)(ms % 1000);
}

static char *
put_date(char *p, const struct tm *tm)
{
	p = put_digits(p, 4, tm->tm_year + 1900);
	*p++ = '-';
	p = put_digits(p, 2, tm->tm_mon + 1);
	*p++ = '-';
	return put_digits(p, 2, tm->tm_mday);
}

static char *
put_time(char *p, const struct tm *tm)
{
	p = put_digits(p, 2, tm->tm_hour);
	*p++ = ':';
	p = put_digits(p, 2, tm->tm_min);
	*p++ = ':';
	return put_digits(p, 2, tm->tm_sec);
}

void
clock_format(int64_t ms, char out[CLOCK_RFC3339_SIZE])
{
	struct tm tm;
	char *p;
	int fraction;

	fraction = split(ms, &tm);
	p = put_date(out, &tm);
	*p++ = 'T';
	p = put_time(p, &tm);
	*p++ = '.';
	p = put_digits(p, 3, fraction);
	*p++ = 'Z';
	*p = '\0';
}

/* Names are written here because strftime would ask the locale. */
void
clock_format_mail(int64_t ms, char out[CLOCK_RFC5322_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;
	char *p = out;

	split(ms, &tm);
	p = mempcpy(p, days + (size_t)tm.tm_wday * 3, 3);
	p = mempcpy(p, ", ", 2);
	p = put_digits(p, 2, tm.tm_mday);
	*p++ = ' ';
	p = mempcpy(p, months + (size_t)tm.tm_mon * 3, 3);
	*p++ = ' ';
	p = put_digits(p, 4, tm.tm_year + 1900);
	*p++ = ' ';
	p = put_time(p, &tm);
	memcpy(p, " +0000", 7);
}

void
clock_format_day(int64_t ms, char out[11])
{
	struct tm tm;

	split(ms, &tm);
	*put_date(out, &tm) = '\0';
}

/* Read n digits and the byte after them; -1 where either is not there. */
static int
take(const char **str, int n, char after)
{
	const char *p = *str;
	int value = 0;

	for (int i = 0; i < n; i++, p++) {
		if (*p < '0' || *p > '9')
			return -1;
		value = value * 10 + (*p - '0');
	}
	if (after != '\0' && *p++ != after)
		return -1;
	*str = p;
	return value;
}

/* ".123Z" or "Z": milliseconds, more digits than three cut off; -1. */
static int
take_fraction(const char *str)
{
	int ms = 0, digits = 0;

	if (*str == '.') {
		for (str++; *str >= '0' && *str <= '9'; str++) {
			if (digits++ < 3)
				ms = ms * 10 + (*str - '0');
		}
		if (digits == 0)
			return -1;
	}
	for (; digits < 3; digits++)
		ms *= 10;
	return strcmp(str, "Z") == 0 ? ms : -1;
}

static bool
is_date(int year, int month, int day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
	    31};
	bool leap;

	if (year < 1970 || month < 1 || month > 12 || day < 1)
		return false;
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

int
clock_parse(const char *str, int64_t *ms)
{
	int year, month, day, hour, minute, second, fraction;
	struct tm tm = {0};

	errno = EINVAL;
	if ((year = take(&str, 4, '-')) == -1 ||
	    (month = take(&str, 2, '-')) == -1 ||
	    (day = take(&str, 2, 'T')) == -1 || !is_date(year, month, day))
		return -1;
	if ((hour = take(&str, 2, ':')) == -1 ||
	    (minute = take(&str, 2, ':')) == -1 ||
	    (second = take(&str, 2, '\0')) == -1 ||
	    (fraction = take_fraction(str)) == -1)
		return -1;
	/* A leap second is written :60; it counts as the second after it. */
	if (hour > 23 || minute > 59 || second > 60)
		return -1;
	tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1,
	    .tm_mday = day, .tm_hour = hour, .tm_min = minute,
	    .tm_sec = second};
	*ms = (int64_t)timegm(&tm) * 1000 + fraction;
	return 0;
}
