/* SPDX-License-Identifier: BSD-2-Clause
 *
 * result - what became of each recipient, appended as it happens
 *
 * spool-layout/results.md.  A line: number of the recipient's line, time,
 * state, relay, code, enhanced status, reply; tab-separated.
 */
#ifndef SEPTET_SPOOL_RESULT_H
#define SEPTET_SPOOL_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"

struct result {
	unsigned long line;     /* in the distribution list */
	int64_t time;           /* ms */
	char state;             /* RCPT_..., or 'T': deferred */
	const char *relay;
	int code;               /* 250; 0: no reply */
	const char *status;     /* "2.0.0", "" */
	const char *reply;      /* one line, cut at 500 bytes */
};

/* Append one line's text to out. */
void result_format(const struct result *r, struct sbuf *out);
/* Parse one line (without LF); strings point into line, which is changed.  The
 * reply and relay are still escaped.  0 or -1. */
int result_parse(char *line, struct result *r)
    __attribute__((warn_unused_result));

#endif
