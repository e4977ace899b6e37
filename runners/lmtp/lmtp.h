/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lmtp - the LMTP server: one process, many connections
 *
 * What goes on in one turn of the loop: whatever epoll reports is read and
 * handed to the sessions; the transactions whose data ended in this turn are
 * made durable together and answered.  A message that comes alone is committed
 * in its own turn, at once.
 */
#ifndef SEPTET_LMTP_LMTP_H
#define SEPTET_LMTP_LMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/domain/site.h"
#include "runners/lmtp/session.h"
#include "runners/lmtp/store.h"

/* What one read takes. */
#define LMTP_BUFFER 65536

enum source_kind { SOURCE_BELL, SOURCE_SIGNAL, SOURCE_LISTENER, SOURCE_CONN };

/* What epoll reports about; the first member of what it belongs to. */
struct source {
	enum source_kind kind;
	int fd;
};

struct listener {
	struct source source;
	const char *spec;       /* the site file's words */
};

struct conn {
	struct source source;
	TAILQ_ENTRY(conn) link; /* in open or leaving, longest silent first */
	struct session *session;
	struct sbuf pending;    /* read, and not yet taken by the session */
	int64_t active;         /* last byte either way, monotonic ms */
	unsigned events;        /* what epoll is asked for */
	bool is_eof;            /* nothing more will come */
	bool is_broken;
	bool is_leaving;        /* all said; what still comes is thrown away */
	bool is_listed;         /* in server's waiting */
};

TAILQ_HEAD(conn_list, conn);

struct server {
	struct site *site;
	struct store store;
	struct session_config config;
	struct sbuf scratch;
	char *buffer;           /* LMTP_BUFFER bytes, from read to session */
	int epoll;
	struct source bell;
	struct source signals;
	struct listener *listeners;
	size_t n_listeners;
	struct conn_list open;
	struct conn_list leaving;
	size_t n_conns;         /* in both */
	struct conn **waiting;  /* whose transaction is to be committed */
	size_t n_waiting;
	size_t cap_waiting;
	bool is_stopping;
	bool is_deaf;           /* out of descriptors: not accepting for now */
};

/* ---- conn.c ------------------------------------------------------------- */

/* Serve a new caller.  The descriptor is the server's from here on. */
void conn_open(struct server *server, int fd);
void conn_close(struct server *server, struct conn *c);
/* epoll reports events. */
void conn_event(struct server *server, struct conn *c, unsigned events);
/* Read whatever has already arrived; for the last turn. */
void conn_read_all(struct server *server, struct conn *c);
/* Send, go on with what is pending, close or change what is waited for: after
 * anything that happened to the connection, which may be gone then. */
void conn_settle(struct server *server, struct conn *c);
/* Say goodbye with a reply. */
void conn_abort(struct server *server, struct conn *c, const char *reply);

/* ---- lmtp.c ------------------------------------------------------------- */

/* Serve until the bell ends or SIGTERM comes: the exit code. */
int lmtp_serve(struct site *site);

#endif
