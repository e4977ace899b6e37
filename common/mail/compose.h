/* SPDX-License-Identifier: BSD-2-Clause
 *
 * compose - a whole notice as RFC 5322, MIME where it must be
 */
#ifndef SEPTET_MAIL_COMPOSE_H
#define SEPTET_MAIL_COMPOSE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"

struct compose_notice {
	const char *from;         /* "dev-request@lists.example.org" */
	const char *from_name;    /* or NULL */
	const char *to;
	const char *reply_to;     /* or NULL */
	const char *subject;      /* UTF-8 */
	const char *id;           /* entry ID: makes the Message-ID */
	const char *host;         /* right side of the Message-ID */
	const char *in_reply_to;  /* Message-ID with brackets, or NULL */
	const char *text;         /* UTF-8 body, LF */
	const char *original_header; /* header block attached as
	                              * text/rfc822-headers, or NULL */
	int64_t date;             /* clock_ms */
};

/* Append the message (LF): Auto-Submitted: auto-replied, Precedence-free,
 * text/plain UTF-8 (quoted-printable where not ASCII or a line exceeds 998),
 * multipart/mixed only where original_header is given (cut at 16 KiB). */
void compose_notice(const struct compose_notice *n, struct sbuf *out);

#endif
