/* SPDX-License-Identifier: BSD-2-Clause
 *
 * clock - wall time in milliseconds since 1970, and its written forms
 */
#ifndef SEPTET_BASE_CLOCK_H
#define SEPTET_BASE_CLOCK_H

#include <stdint.h>

/* "2026-11-20T09:00:00.123Z" and its NUL. */
#define CLOCK_RFC3339_SIZE 25
/* "Fri, 20 Nov 2026 09:00:00 +0000" and its NUL. */
#define CLOCK_RFC5322_SIZE 32

/* Now; what a test has set with clock_freeze, else CLOCK_REALTIME. */
int64_t clock_ms(void);
int64_t clock_us(void);
/* CLOCK_MONOTONIC, for time-outs; never frozen. */
int64_t clock_mono_ms(void);
/* Tests: clock_ms returns ms from now on; 0 lets it run again.  The
 * environment variable SEPTET_CLOCK_OFFSET (seconds, may be negative) is added
 * to the running clock, so that e2e tests can look at a later day. */
void clock_freeze(int64_t ms);

/* RFC 3339 in UTC with milliseconds; years 1970 to 9999. */
void clock_format(int64_t ms, char out[CLOCK_RFC3339_SIZE]);
/* 0 and *ms, or -1 (EINVAL): RFC 3339 "Z" form, fraction optional. */
int clock_parse(const char *str, int64_t *ms);
/* RFC 5322 section 3.3 date-time, always +0000. */
void clock_format_mail(int64_t ms, char out[CLOCK_RFC5322_SIZE]);
/* "2026-11-20": name of a journal file.  out has 11 bytes. */
void clock_format_day(int64_t ms, char out[11]);

#endif
