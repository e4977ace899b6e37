/* SPDX-License-Identifier: BSD-2-Clause
 *
 * smtp - the client's side of an SMTP or LMTP session, without its socket
 *
 * Bytes of the server go in, bytes for the server come out; the caller owns
 * descriptors, TLS and time.  With PIPELINING (RFC 2920) MAIL, RCPT and DATA
 * of a transaction go in one piece, and those of the next one right behind the
 * final dot, so that a transaction costs one round trip.  RFC 5321, 2033, 3461
 * (DSN), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3207 (STARTTLS), 4954
 * (AUTH).
 */
#ifndef SEPTET_OUTBOUND_SMTP_H
#define SEPTET_OUTBOUND_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/sbuf.h"
#include "common/domain/site.h"
#include "runners/outbound/reply.h"
#include "runners/outbound/wire.h"

/* Refused by this many at once, and by all: the post's or relay's fault. */
#define SMTP_ALL_REFUSED 20

enum smtp_extension {
	SMTP_HAS_PIPELINING = 1,
	SMTP_HAS_8BITMIME = 2,
	SMTP_HAS_UTF8 = 4,
	SMTP_HAS_DSN = 8,
	SMTP_HAS_SIZE = 16,
	SMTP_HAS_STARTTLS = 32,
	SMTP_HAS_AUTH = 64
};

struct smtp_rcpt {
	char *address;
	unsigned long line;     /* the caller's: in the distribution list */
	off_t offset;           /* the caller's: of its state byte */
	bool is_accepted;       /* 2xx to its RCPT */
	char state;             /* D, T, F when ended; 0: never tried */
	bool is_refusal;        /* F by its own reply, not by ours */
	int code;
	char status[12];
	char *reply;            /* its own; NULL: the transaction's */
};

struct smtp_transaction {
	char *sender;           /* "" the null one */
	struct smtp_rcpt *rcpts;
	size_t n;
	bool is_utf8;           /* needs SMTPUTF8 */
	bool is_8bit;           /* needs 8BITMIME */
	const char *mail_words; /* DSN: "RET=HDRS ENVID=x", or NULL */
	const char *rcpt_words; /* DSN: "NOTIFY=FAILURE", or NULL */
	const struct wire *wire;
	void *owner;            /* the caller's */
	unsigned tries;         /* the caller's */
	struct smtp_transaction *next; /* the caller's, once it has ended */

	/* How it ended, where a rcpt has no reply of its own. */
	char *reply;
	bool is_fault;          /* 5xx: the relay's or the post's fault */
	bool is_untried;        /* the session ended before it got anywhere */

	int stage;              /* smtp's own from here on */
	size_t at;
	bool is_mail_refused;
	struct wire_cursor cursor;
};

enum smtp_state {
	SMTP_GREETING, SMTP_EHLO, SMTP_HELO, SMTP_STARTTLS,
	SMTP_TLS,       /* the caller makes the handshake, then smtp_tls_done */
	SMTP_AUTHENTICATE, SMTP_READY, SMTP_QUIT, SMTP_CLOSED
};

struct smtp_config {
	const char *helo;
	bool is_lmtp;
	enum site_tls tls;
	const char *user;       /* NULL: no AUTH */
	const char *password;
	bool is_plain_ok;       /* PLAIN and LOGIN without TLS too */
};

struct sasl;

struct smtp {
	const struct smtp_config *config;
	enum smtp_state state;
	unsigned extensions;
	unsigned long long size_limit; /* of SIZE; 0 none */
	struct sbuf mechanisms; /* of AUTH */
	bool is_secure;
	struct sbuf out;        /* to be sent, from out_at on */
	size_t out_at;
	struct reply reply;
	struct sasl *sasl;
	struct smtp_transaction *current;
	struct smtp_transaction *following; /* pipelined behind it */
	struct smtp_transaction *ended; /* oldest first */
	bool needs_reset;
	unsigned long replies;  /* whole replies so far: a sign of life */
	unsigned long started;  /* transactions */
	unsigned long completed; /* of them with a final reply */
	struct sbuf error;      /* why it is SMTP_CLOSED */
	bool is_fault;          /* closed for a 5xx, or a thing missing */
};

void smtp_begin(struct smtp *s, const struct smtp_config *config);
/* Bytes of the server. */
void smtp_input(struct smtp *s, const char *bytes, size_t n);
/* The handshake asked for by SMTP_TLS is made. */
void smtp_tls_done(struct smtp *s);
/* The connection is lost or has to be given up: every open transaction ends. */
void smtp_close(struct smtp *s, const char *why, bool is_fault);
/* Ask to end where nothing is open. */
void smtp_quit(struct smtp *s);
/* May smtp_start be called? */
bool smtp_can_start(const struct smtp *s);
bool smtp_is_idle(const struct smtp *s);
/* Hand over a transaction with at least one rcpt; it comes back through
 * smtp_ended. */
void smtp_start(struct smtp *s, struct smtp_transaction *t);
/* Take the next transaction that has ended, or NULL. */
struct smtp_transaction *smtp_ended(struct smtp *s);
/* Before sending: put the next piece of a message into out, where there is
 * room. */
void smtp_fill(struct smtp *s);
/* How long the server may be silent now, in milliseconds (RFC 5321 section
 * 4.5.3.2); -1: nothing is awaited. */
int smtp_timeout(const struct smtp *s);
void smtp_free(struct smtp *s);

/* Free a transaction with its strings. */
void smtp_transaction_free(struct smtp_transaction **t);

#endif
