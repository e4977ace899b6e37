/* SPDX-License-Identifier: BSD-2-Clause
 *
 * session_private - what session.c and command.c share
 */
#ifndef SEPTET_LMTP_SESSION_PRIVATE_H
#define SEPTET_LMTP_SESSION_PRIVATE_H

#include "runners/lmtp/data.h"
#include "runners/lmtp/session.h"
#include "runners/lmtp/syntax.h"

enum session_state { STATE_START, STATE_READY, STATE_MAIL, STATE_DATA,
	STATE_WAITING, STATE_OVER };

struct session {
	const struct session_config *config;
	char *peer;
	bool is_forwarder;
	enum session_state state;
	unsigned errors;
	struct sbuf line;       /* the command so far */
	bool is_line_long;      /* its rest is passed over */
	struct sbuf out;
	struct sbuf lhlo;       /* what the client calls itself */
	struct syntax_forward forward;
	struct syntax_mail mail;
	struct strv to;
	struct data data;
	void *message;          /* being written, or NULL */
	const char *refusal;    /* of the message, told when its data ended */
};

/* Append a reply line. */
void session_reply(struct session *s, const char *text);
/* The same where the client broke the protocol: too many of them end the
 * session.  Refused recipients are none of that: a mailer may try many. */
void session_reply_error(struct session *s, const char *text);
/* What a failed call of the store is answered with. */
const char *session_error_reply(int error);
/* Forget the transaction, and the message that is being written. */
void session_end_transaction(struct session *s);
/* One log line for a refused recipient or message. */
void session_log_refused(const struct session *s, const char *to,
    const char *text);
/* Carry out one command line, without its line end. */
void session_command(struct session *s, struct sbuf *line);

#define SESSION_NO_ROOM "452 4.3.1 Not enough space, try again later"
#define SESSION_TROUBLE "451 4.3.0 Storage trouble, try again later"
#define SESSION_TOO_BIG "552 5.3.4 Message is too big"

#endif
