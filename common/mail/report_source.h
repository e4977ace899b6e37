/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report_source - what is taken out of a message to judge it as a report; for
 * report*.c only
 */
#ifndef SEPTET_MAIL_REPORT_SOURCE_H
#define SEPTET_MAIL_REPORT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/sbuf.h"
#include "common/mail/report.h"

#define REPORT_TEXT_MAX (64 * 1024)
#define REPORT_DIAGNOSTIC_MAX 500

struct report_source {
	struct sbuf from;       /* decoded header fields of the message */
	struct sbuf subject;
	struct sbuf to;
	struct sbuf failed;     /* X-Failed-Recipients */
	struct sbuf text;       /* what is written for people */
	struct sbuf status;     /* message/delivery-status */
	struct sbuf feedback;   /* message/feedback-report */
	struct sbuf returned;   /* header of the returned message */
	bool is_report;         /* multipart/report */
	bool is_status;         /* ... of delivery-status */
	bool is_receipt;        /* ... of disposition-notification */
	bool is_null_sender;    /* Return-Path: <> */
	bool is_posted;         /* has passed a list */
	bool is_reply;          /* In-Reply-To or References */
	bool is_auto;           /* says that it is an automatic answer */
};

/* Add a recipient unless he is there already (then the graver kind stays, and
 * the first text).  status and text may be "".  Returns it, or NULL where
 * there are too many. */
struct report_recipient *report_add(struct report *r, const char *address,
    enum report_kind kind, const char *status, const char *text);

/* RFC 3464 fields, wherever they stand: adds recipients to *out.  Returns how
 * many blocks with a recipient there were. */
size_t report_status_read(const char *text, size_t n, struct report *out);

/* "rfc822; <ann@example.net> (Ann)" to "ann@example.net".  Empties out; it
 * stays empty where no mailbox is named. */
void report_status_address(const char *value, struct sbuf *out);

/* Could the message be a report at all, judged by its header? */
bool report_text_is_likely(const struct report_source *source);
/* The words of mailers that write no RFC 3464 report: adds recipients to
 * *out, and says what the message as a whole tells. */
enum report_kind report_text_read(const struct report_source *source,
    struct report *out);

enum report_words {
	REPORT_WORDS_MAILER,    /* From says that a mail system speaks */
	REPORT_WORDS_SUBJECT,   /* Subject says that a mail was not delivered */
	REPORT_WORDS_DELAY,     /* the mailer still tries */
	REPORT_WORDS_CUT        /* here begins the returned message */
};

/* Where a phrase of that table ends in text, or NULL. */
const char *report_words_find(enum report_words table, const char *text);
/* The first end beyond text + from of a phrase that leads to addresses. */
const char *report_words_lead(const char *text, size_t from);
/* Does a header of a returned message begin on this line? */
bool report_words_is_field(const char *line);
/* Length of a label of a recipient at p ("Recipient:", without the colon), or
 * 0. */
size_t report_words_label(const char *p);

/* Find out the status that a diagnostic tells: an RFC 3463 code in it, else one
 * for its words, else "".  Empties out. */
void report_reason_status(const char *text, struct sbuf *out);
/* Where an RFC 3463 code stands in text: its length and *at, or 0. */
size_t report_reason_code(const char *text, const char **at);
/* The SMTP reply code in text, or 0. */
int report_reason_reply(const char *text);
/* Does text say that something failed for good, or was only delayed? */
bool report_reason_is_failure(const char *text);

#endif
