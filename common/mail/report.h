/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report - what a bounce says: RFC 3464 delivery status, and the common forms
 * of mailers that do not write one
 *
 * MIME is walked by GMime, from a stream, with limits on depth and parts; text
 * is looked at for the first 64 KiB only.
 */
#ifndef SEPTET_MAIL_REPORT_H
#define SEPTET_MAIL_REPORT_H

#include <stddef.h>
#include <sys/types.h>

#include "common/base/sbuf.h"

enum report_kind {
	REPORT_NONE,            /* not a report */
	REPORT_FAILED,          /* delivery failed for good */
	REPORT_DELAYED,         /* Action: delayed and its like: never scores */
	REPORT_DELIVERED,       /* delivered, relayed, expanded */
	REPORT_COMPLAINT,       /* RFC 5965 abuse report */
	REPORT_AUTO,            /* vacation, challenge */
	REPORT_UNKNOWN          /* a report, and nobody can tell of what */
};

struct report_recipient {
	char *address;          /* as the report spells it: whom it failed for */
	char *original;         /* Original-Recipient: whom we had sent it to,
				 * where that differs, or NULL */
	enum report_kind kind;
	char *status;           /* RFC 3463 "5.1.1", or "" */
	int code;               /* 550 of the SMTP reply, or 0 */
	char *text;             /* the diagnostic, one line, at most 500 bytes */
};

struct report {
	enum report_kind kind;  /* the gravest of its recipients' */
	struct report_recipient *recipients;
	size_t n;
	char *envelope_id;      /* Original-Envelope-Id, or NULL */
	char *original_id;      /* Message-ID of the returned mail, or NULL */
};

#define REPORT_RECIPIENTS_MAX 1000

/* Read the message at fd (from its current offset; header first).  0 and
 * *out (report_free), or -1 with errno when fd cannot be read.  Whatever the
 * bytes are, it is 0 with some kind. */
int report_read(int fd, struct report *out)
    __attribute__((warn_unused_result));
void report_free(struct report *r);

/* mail-rules.md, "What scores": does a failure with this status (""
 * where none was given) count against the member? */
int report_scores(const char *status);
/* mailbox, policy, content, full, system, network, protocol, none: the class
 * written to the Bounce field. */
const char *report_class(const char *status);

#endif
