/* SPDX-License-Identifier: BSD-2-Clause
 *
 * message - what a message is about, read from its header block
 *
 * The facts that inbound writes to the envelope and others decide by.  All
 * work on a header block in memory (bounded by HEADER_MAX); none touch a file.
 */
#ifndef SEPTET_MAIL_MESSAGE_H
#define SEPTET_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"

/* The Auto field: RFC 3834 Auto-Submitted and its older relatives. */
enum message_auto {
	MESSAGE_AUTO_NO,
	MESSAGE_AUTO_GENERATED, /* trackers: accepted */
	MESSAGE_AUTO_REPLIED,   /* vacation answers: held without answer */
	MESSAGE_AUTO_BULK,      /* Precedence: bulk, junk or list */
	MESSAGE_AUTO_REPORT     /* multipart/report, or From a MAILER-DAEMON */
};

const char *message_auto_name(enum message_auto kind);
/* -1 where name is none of them. */
int message_auto_parse(const char *name, enum message_auto *kind);

/* Classify.  sender is the envelope sender without brackets ("" is the null
 * sender, NULL unknown). */
enum message_auto message_auto_of(const char *block, size_t len,
    const char *sender);
/* multipart/report, or the marks of a non-standard bounce (From
 * MAILER-DAEMON or postmaster with a null sender, X-Failed-Recipients):
 * worth handing to the bounce reader before RFC 3834 is looked at. */
bool message_is_report(const char *block, size_t len, const char *sender);

/* Received fields; the caller compares with its limit. */
size_t message_hops(const char *block, size_t len);
/* An X-Loop field that names one of addresses (by key)? */
bool message_has_loop(const char *block, size_t len,
    const struct strv *addresses);
/* Empties out and fills it with the Message-ID with its brackets, controls and
 * folding removed: 1; 0 where there is none worth the name. */
int message_id(const char *block, size_t len, struct sbuf *out);
/* Does the header need SMTPUTF8 (a byte over 0x7f in it)? */
bool message_needs_utf8(const char *block, size_t len);

/* Which of its candidate addresses a dropped file was meant for, in the order
 * of mail-rules.md: topmost Delivered-To and X-Original-To, else the newest
 * Resent-To/Cc/Bcc block, else To and Cc and Bcc.  Each step's addresses are
 * offered to is_ours (1 ours, 0 not, -1 error); the first step with any that
 * is ours ends the search.  Appends them, each once.  0, or -1 where is_ours
 * said so. */
int message_recipients(const char *block, size_t len,
    int (*is_ours)(void *ctx, const char *address), void *ctx,
    struct strv *out);

/* Trusted Authentication-Results (RFC 8601) above the first Received field
 * that another host wrote: appends each trusted field's unfolded value.
 * trusted: authserv-ids; an empty list trusts none. */
void message_auth_results(const char *block, size_t len,
    const struct strv *trusted, struct strv *out);

#endif
