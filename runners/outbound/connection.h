/* SPDX-License-Identifier: BSD-2-Clause
 *
 * connection - an SMTP session on its socket, plain or with TLS
 *
 * Never blocks.  Nothing is sent but by connection_send, so that what the
 * server has said can be made safe before the next word.
 */
#ifndef SEPTET_OUTBOUND_CONNECTION_H
#define SEPTET_OUTBOUND_CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/sbuf.h"
#include "runners/outbound/smtp.h"

/* An unused connection is kept this long. */
#define CONNECTION_IDLE_MS (30 * 1000)
/* One address has this long to answer, and a handshake. */
#define CONNECTION_CONNECT_MS (30 * 1000)
#define CONNECTION_HANDSHAKE_MS (60 * 1000)

enum connection_phase { CONNECTION_CONNECTING, CONNECTION_HANDSHAKE,
	CONNECTION_TALKING };

struct connection {
	struct smtp_config config;
	struct smtp smtp;
	enum connection_phase phase;
	int fd;
	SSL_CTX *context;       /* not owned */
	const char *name;       /* of the server, for TLS; not owned */
	SSL *ssl;
	BIO *from_server;       /* owned by ssl */
	BIO *to_server;
	struct sbuf sealed;     /* TLS records to be sent, from sealed_at on */
	size_t sealed_at;
	bool is_blocked;        /* the last send took not all */
	bool was_ready;         /* got as far as SMTP_READY */
	bool is_tls_failed;     /* the handshake failed */
	int64_t since;          /* of the last sign of life, monotonic */
	unsigned long replies;
};

/* Begin to connect.  config is copied, its strings are not; context is needed
 * where config.tls is not none.  NULL with errno. */
struct connection *connection_open(const struct sockaddr *address,
    socklen_t len, const struct smtp_config *config, SSL_CTX *context,
    const char *name);
/* For poll(2). */
short connection_events(const struct connection *c);
/* Take what poll said: connect, read, let the session answer (into its out). */
void connection_ready(struct connection *c, short events);
/* Send what waits, until the socket takes no more. */
void connection_send(struct connection *c);
/* When connection_expire is to be called, on the monotonic clock. */
int64_t connection_deadline(const struct connection *c);
/* Time is over: an idle session is asked to end, another one is closed. */
void connection_expire(struct connection *c);
bool connection_is_closed(const struct connection *c);
void connection_free(struct connection **c);

#endif
