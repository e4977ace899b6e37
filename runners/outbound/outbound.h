/* SPDX-License-Identifier: BSD-2-Clause
 *
 * outbound - hand entries to SMTP servers, or put them into Maildirs
 *
 * A loop of its own over the bell and the connections: open entries (jobs) are
 * a queue of work from which every connection that is ready takes its next
 * transaction.
 */
#ifndef SEPTET_OUTBOUND_OUTBOUND_H
#define SEPTET_OUTBOUND_OUTBOUND_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/process/runner.h"
#include "runners/outbound/job.h"
#include "runners/outbound/relay.h"

/* Entries open at once, and the bytes of messages kept for them. */
#define OUTBOUND_OPEN_MAX 64
#define OUTBOUND_KEPT_MAX ((size_t)32 * 1024 * 1024)
/* Settled in one batch: at most so many, after at most so many ms. */
#define OUTBOUND_BATCH_MAX 32
#define OUTBOUND_BATCH_MS 20
/* Claimed before the connections have their turn again. */
#define OUTBOUND_CLAIM_MAX 8
/* Open transactions have this long when the bell has ended. */
#define OUTBOUND_END_MS (10 * 1000)
/* Connections that a transaction is tried on before it counts as deferred. */
#define OUTBOUND_TRIES 3

struct outbound {
	struct runner *runner;
	const struct site_queue *queue;
	char *helo;
	struct relay *relays;
	size_t n_relays;
	struct job *jobs[OUTBOUND_OPEN_MAX]; /* oldest first */
	size_t n_jobs;
	struct smtp_transaction *untried; /* wait for another connection */
	struct entry *settled[OUTBOUND_BATCH_MAX];
	size_t n_settled;
	int64_t settled_since;
	struct pollfd *fds;     /* the bell, then connections */
	struct connection **polled; /* those connections */
	size_t fds_cap;
	int64_t now;            /* monotonic, of this turn */
	int64_t pause_until;    /* after trouble; 0 none */
	int64_t status_at;      /* publish the status then; 0: all is said */
	bool is_all_claimed;    /* nothing waits until the next ring */
	bool is_bell_over;
	bool is_ending;         /* no new transactions */
	int64_t end_at;
};

/* The runner's functions. */
void *outbound_init(struct runner *r);
int outbound_serve(struct runner *r);
void outbound_fini(struct runner *r, void *data);

/* ---- talking to servers (dispatch.c) -------------------------------- */

/* Take what has ended on the connections, and forget closed ones. */
void outbound_collect(struct outbound *o);
/* Give transactions to connections that are free, open more where they are
 * wanted, and send. */
void outbound_dispatch(struct outbound *o);
/* Drop what waits for another connection; its jobs go back. */
void outbound_cut_untried(struct outbound *o);
/* Can the job be worked on now? */
bool outbound_has_work(const struct outbound *o, const struct job *j);

#endif
