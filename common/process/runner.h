/* SPDX-License-Identifier: BSD-2-Clause
 *
 * runner - the process around a stage
 *
 * Options, config, log, bell, privilege drop, claim loop, batching, commit,
 * retry times and status file are here; a runner is a function from an entry
 * to an outcome, its main a table and a call.
 */
#ifndef SEPTET_PROCESS_RUNNER_H
#define SEPTET_PROCESS_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/domain/lists.h"
#include "common/domain/site.h"
#include "common/spool/entry.h"
#include "common/spool/spool.h"

struct runner;

struct runner_def {
	const char *name;       /* "inbound": program septet-inbound */
	const char *usage;      /* text of --help after the options line */
	/* Once at start; its return is runner_data.  NULL function: none.
	 * -1 in errno sense: return NULL with errno set to end with
	 * EXIT_TEMPORARY. */
	void *(*init)(struct runner *r);
	/* Give the entry exactly one outcome and return 0; or -1 with errno for
	 * trouble of this host (disk, memory, store): the entry is released and
	 * the runner pauses, then tries again.  The second time
	 * for an entry, what may be about it alone (EIO, EINVAL ...) keeps
	 * nobody waiting: it is deferred. */
	int (*handle)(struct runner *r, struct entry *e);
	/* At start and at each ring, before the queue is looked through; may be
	 * NULL.  -1: trouble, errno. */
	int (*look)(struct runner *r);
	/* inbound: turn a claimed bare file into an entry (1 and *e), or settle
	 * it (0); -1 trouble. */
	int (*adopt)(struct runner *r, const char *name, struct entry **e);
	/* Before a batch's decisions are flushed (to commit a store's
	 * transaction); may be NULL.  -1: trouble; the batch is released. */
	int (*batch_end)(struct runner *r);
	/* Instead of handle: the runner's own loop, until the bell ends.  0, or
	 * the exit code. */
	int (*serve)(struct runner *r);
	void (*fini)(struct runner *r, void *data);
};

/* The whole of main: does not return before the process is to end. */
int runner_main(int argc, char **argv, const struct runner_def *def);

void *runner_data(const struct runner *r);
const struct site *runner_site(const struct runner *r);
const struct site_queue *runner_queue(const struct runner *r);
struct lists *runner_lists(struct runner *r);
struct spool *runner_spool(struct runner *r);

/* Forward through a named exit of this queue.  An exit that the site maps to
 * no queue buries the entry with the reason. */
void runner_forward(struct runner *r, struct entry *e, const char *exit);
/* The queue of an exit, or NULL. */
const char *runner_exit(const struct runner *r, const char *exit);
/* Defer with backoff by the number of defers in its journal since it came to
 * this queue; past the site's give_up it is buried with the reason. */
void runner_defer(struct runner *r, struct entry *e, const char *why);
/* The same for what failed with errno: "what: reason". */
void runner_defer_error(struct runner *r, struct entry *e, const char *what);
/* The same for a list that cannot be read, why as lists_why or lists_get say it
 * (empty: errno): also logged, once a minute, and shown in the status. */
void runner_defer_list(struct runner *r, struct entry *e, const char *why);
/* The entry's header block, as entry_header has it: 1; 0 and the entry is
 * buried, since no later look will find it whole; -1 trouble. */
int runner_header(struct runner *r, struct entry *e, struct sbuf *out,
    off_t *body) __attribute__((warn_unused_result));
/* The list of the entry's List field: 1 and *list (valid until the next look),
 * or 0, and the entry has an outcome: buried (no such field, the list is gone)
 * or deferred (it cannot be read now). */
int runner_list(struct runner *r, struct entry *e, const struct list **list)
    __attribute__((warn_unused_result));
/* Ask command for an automatic mail: a child (letter 'n', exit "notice") with
 * Kind: notice, Role: notice, Notice: and the given words ("held
 * to=owners"), sharing the message.  NULL with errno, or where there is no exit
 * "notice" (errno 0). */
struct child *runner_notice(struct runner *r, struct entry *e,
    const char *words);

/* ---- for a runner with its own loop (serve) ---------------------------- */

/* The bell's descriptor, for poll(2); read it only through bell_wait. */
int runner_bell(const struct runner *r);
/* Was --drain given?  The bell then rings once and ends, and all that waits is
 * to be handled before the loop returns. */
bool runner_is_drain(const struct runner *r);
/* Claim the next entry that waits in new/ or is due: 1, 0 none now, -1 trouble
 * (errno, logged).  What is no entry is settled on the way. */
int runner_next(struct runner *r, struct entry **e)
    __attribute__((warn_unused_result));
/* Start over at the beginning of the directories: call after a ring. */
void runner_look_again(struct runner *r);
/* Settle a batch: commit, log one line each, count, free.  ENTRY_STUCK ends
 * the process.  0 all are moved, or -1: errno of one that is not. */
int runner_settle(struct runner *r, struct entry **entries, size_t n);
/* Publish the status file when a second has passed since the last.  last_error
 * stays until a batch that settles without trouble. */
void runner_status(struct runner *r, const char *last_error);

#endif
