/* SPDX-License-Identifier: BSD-2-Clause
 *
 * store - what sessions want of the spool and the lists
 *
 * The session_ops of the real server.  Transactions whose data has arrived wait
 * here until store_commit makes all of them durable in one go.
 */
#ifndef SEPTET_LMTP_STORE_H
#define SEPTET_LMTP_STORE_H

#include <stddef.h>

#include "common/domain/lists.h"
#include "common/domain/site.h"
#include "common/spool/spool.h"
#include "runners/lmtp/session.h"

extern const struct session_ops store_ops;

struct store_waiting;

struct store {
	const struct site *site;
	struct spool *spool;
	struct lists *lists;
	struct store_waiting *waiting;
	size_t n;
	size_t cap;
};

/* The spool and lists of the site.  0, or -1 with errno and *what names the
 * thing. */
int store_open(struct store *store, struct site *site, const char **what)
    __attribute__((warn_unused_result));
void store_close(struct store *store);
/* Make everything that waits durable, and answer its sessions. */
void store_commit(struct store *store);

#endif
