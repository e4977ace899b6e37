/* SPDX-License-Identifier: BSD-2-Clause
 *
 * session - one LMTP conversation (RFC 2033): bytes in, bytes out
 *
 * Knows no socket, no clock and no spool; what it wants of the world it asks
 * through session_ops.  Input is taken piece by piece: nothing but one command
 * line and the accepted recipients is held.
 */
#ifndef SEPTET_LMTP_SESSION_H
#define SEPTET_LMTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"

/* A command line with its line end.  RFC 5321 section 4.5.3.1.4 wants 512, the
 * extensions add some; XFORWARD takes most. */
#define SESSION_LINE_MAX 2048
/* Commands wait while this much output has not been fetched. */
#define SESSION_OUTPUT_MAX 65536
/* So many errors in the protocol, and it is no mailer that is talking. */
#define SESSION_ERRORS_MAX 100

struct session;

/* A transaction whose data has arrived. */
struct session_mail {
	const char *from;       /* "" is the null sender */
	const struct strv *to;  /* as given, in order */
	const char *options;    /* "BODY=8BITMIME SMTPUTF8", "" none */
	const char *client;     /* the Client field */
	unsigned long long size; /* bytes on disk */
	unsigned long long body; /* offset of the body */
};

/* The answer to one recipient. */
struct session_verdict {
	const char *id;         /* accepted as; NULL: not accepted */
	int error;              /* errno then */
};

struct session_ops {
	/* Is the address one of ours?  1, 0, -1 (cannot be told now). */
	int (*resolve)(void *ctx, const char *address);
	/* Is there room for size more bytes?  1, 0, -1. */
	int (*has_room)(void *ctx, unsigned long long size);
	/* A message to write to.  NULL with errno. */
	void *(*begin)(void *ctx);
	int (*write)(void *ctx, void *message, const void *bytes, size_t n);
	/* All has arrived: the message is the callee's now, and it answers with
	 * session_answer, later.  -1: it is not, and errno says why. */
	int (*end)(void *ctx, struct session *s, void *message,
	    const struct session_mail *mail);
	/* Forget a message that was begun. */
	void (*abandon)(void *ctx, void *message);
	/* The session ends before the answer: whatever has not been made
	 * durable yet may be forgotten. */
	void (*forget)(void *ctx, struct session *s);
};

/* The same for all sessions of a process. */
struct session_config {
	const char *site;       /* our name in the greeting */
	unsigned long long size_limit; /* octets, 0: none */
	size_t recipients;      /* in one transaction */
	const struct session_ops *ops;
	void *ctx;
	struct sbuf *scratch;   /* for message data on its way */
};

/* Greets.  peer is "192.0.2.7" or "unix uid=1000". */
struct session *session_new(const struct session_config *config,
    const char *peer, bool is_forwarder);
void session_free(struct session **s);

/* Take input; returns how many bytes were taken.  The rest is to be given again
 * when output was fetched or an answer given; after the end none is taken. */
size_t session_input(struct session *s, const char *bytes, size_t n);
/* What is to be sent; the caller takes from its front. */
struct sbuf *session_output(struct session *s);
/* Waits for session_answer. */
bool session_is_waiting(const struct session *s);
/* Nothing more is taken; to be closed when the output is sent. */
bool session_is_over(const struct session *s);

/* One verdict per recipient of the mail handed to `end`, in order. */
void session_answer(struct session *s, const struct session_verdict *verdicts);
/* End it with a reply ("421 4.4.2 ...").  A transaction is abandoned. */
void session_abort(struct session *s, const char *reply);

#endif
