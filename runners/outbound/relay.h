/* SPDX-License-Identifier: BSD-2-Clause
 *
 * relay - an SMTP server of the site file, and the connections to it
 */
#ifndef SEPTET_OUTBOUND_RELAY_H
#define SEPTET_OUTBOUND_RELAY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/sbuf.h"
#include "common/domain/site.h"
#include "runners/outbound/connection.h"

#define RELAY_ADDRESSES_MAX 8

struct relay_address {
	struct sockaddr_storage where;
	socklen_t len;
};

struct relay {
	const struct site_relay *config;
	struct smtp_config smtp;
	struct sbuf password;
	SSL_CTX *context;
	struct relay_address addresses[RELAY_ADDRESSES_MAX];
	size_t n_addresses;
	size_t address;         /* tried next */
	int64_t resolved;       /* monotonic; 0: never */
	struct connection **connections;
	size_t n;
	unsigned failures;      /* in a row */
	int64_t down_until;     /* monotonic */
	int64_t plain_until;    /* TLS "may" failed: without it until then */
	bool is_new_error;      /* nobody has logged it yet */
	struct sbuf error;      /* why it is down */
};

/* Prepare; helo is used where the site file says none.  0, or -1 with errno
 * and *why. */
int relay_init(struct relay *r, const struct site_relay *config,
    const char *helo, struct sbuf *why) __attribute__((warn_unused_result));
/* It failed not long ago, and is left alone for a while. */
bool relay_is_down(const struct relay *r, int64_t now);
/* May another connection be opened?  One at a time is on its way up. */
bool relay_can_open(const struct relay *r, int64_t now);
/* Begin to connect; where that fails at once the relay is down. */
void relay_open(struct relay *r, int64_t now);
/* Forget a closed connection whose transactions are taken, and learn from how
 * it ended. */
void relay_reap(struct relay *r, size_t i, int64_t now);
void relay_free(struct relay *r);

#endif
