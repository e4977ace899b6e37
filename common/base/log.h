/* SPDX-License-Identifier: BSD-2-Clause
 *
 * log - one line per event on stderr
 *
 * 2026-11-20T09:00:00.123Z septet-inbound info id=... list=... key=value
 *
 * Controls (C1 too) and invalid UTF-8 in the text after the level are escaped
 * as in esc.h, so that no byte from outside can end a line or move a terminal's
 * cursor; a backslash stays, since a value that comes from outside and may hold
 * spaces goes through kv_add, which has escaped it.  A line is one write(2) of
 * at most 4 KiB, a longer one ends in "...".  errno is kept.  Never bodies or
 * tokens.
 */
#ifndef SEPTET_BASE_LOG_H
#define SEPTET_BASE_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR };

/* Names the program in every line; str is kept, not copied.  Lines below level
 * are dropped.  Until the first call: "septet", info. */
void log_setup(const char *program, enum log_level level);
/* 0 and *level for "debug", "info", "warn", "error"; else -1. */
int log_level_parse(const char *str, enum log_level *level);

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
