/* SPDX-License-Identifier: BSD-2-Clause
 *
 * log - one line per event on stderr
 */
#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/esc.h"

#define LINE_MAX_BYTES 4096
/* Room that a cut line keeps for its "..." and newline. */
#define LINE_TAIL 4

static const char *program_name = "septet";
static enum log_level lowest = LOG_LEVEL_INFO;

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_ERROR] = "error",
};

void
log_setup(const char *program, enum log_level level)
{
	program_name = program;
	lowest = level;
}

int
log_level_parse(const char *str, enum log_level *level)
{
	size_t n = sizeof(level_names) / sizeof(*level_names);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(level_names[i], str) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

/* C1 controls are valid UTF-8 (c2 80 to c2 9f), and terminals obey them. */
static bool
is_control(const char *p, size_t len)
{
	unsigned char c = (unsigned char)*p;

	if (len == 2)
		return c == 0xc2 && (unsigned char)p[1] < 0xa0;
	return len == 1 && (c < 0x20 || c == 0x7f);
}

/* Copy text behind line[at], escaped.  No memory is asked for, so that a
 * program which is short of it can still say so.  Returns the new end. */
static size_t
add_text(char line[LINE_MAX_BYTES], size_t at, const char *text, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	size_t len, need;
	unsigned char c;

	for (; n > 0; text += len, n -= len) {
		c = (unsigned char)*text;
		len = esc_utf8_len(text, n);
		need = len == 0 || is_control(text, len) ? 4 : len;
		if (at + need + LINE_TAIL > LINE_MAX_BYTES) {
			memcpy(line + at, "...", 3);
			return at + 3;
		}
		if (len != 0 && !is_control(text, len)) {
			memcpy(line + at, text, len);
			at += len;
			continue;
		}
		line[at++] = '\\';
		line[at++] = 'x';
		line[at++] = digits[c >> 4];
		line[at++] = digits[c & 15];
		len = 1;
	}
	return at;
}

static void
write_line(const char *line, size_t n)
{
	ssize_t got;

	do
		got = write(STDERR_FILENO, line, n);
	while (got == -1 && errno == EINTR);
}

static void __attribute__((format(printf, 2, 0)))
log_at(enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno, n;
	char stamp[CLOCK_RFC3339_SIZE];
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
	size_t at;

	if (level < lowest)
		return;
	clock_format(clock_ms(), stamp);
	n = snprintf(line, sizeof(line) / 2, "%s %s %s ", stamp, program_name,
	    level_names[level]);
	at = n < 0 ? 0 : (size_t)n;
	if (at >= sizeof(line) / 2)
		at = sizeof(line) / 2 - 1;
	/* The caller's errno, for a %m. */
	errno = saved;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		text[0] = '\0';
	at = add_text(line, at, text, strlen(text));
	line[at++] = '\n';
	write_line(line, at);
	errno = saved;
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_at(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_at(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_at(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_at(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}
