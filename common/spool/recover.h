/* SPDX-License-Identifier: BSD-2-Clause
 *
 * recover - finish or undo what a dead owner left, and sweep
 *
 * Safe to interrupt at any point and to repeat; two recoverers never hold the
 * same claims, since a dead OWNER's folder is first renamed to the recoverer's
 * own.
 */
#ifndef SEPTET_SPOOL_RECOVER_H
#define SEPTET_SPOOL_RECOVER_H

#include <stdint.h>

#include "common/spool/spool.h"

struct recover_count {
	unsigned long returned; /* undecided: back in new/, claim counted */
	unsigned long finished; /* decided: moved to where the decision led */
	unsigned long voided;   /* decided, but its staged files were not whole */
	unsigned long buried;
	unsigned long swept;    /* stale temporary files and orphan parts */
	unsigned long failed;   /* could not be touched now; errno of the last */
	int error;
};

/* Take the claims of every OWNER of this host in the queue whose lock is free.
 * Says each entry to fn (id, what became of it), where fn is not NULL. */
int recover_queue(struct spool *s, const char *queue,
    void (*fn)(void *ctx, const char *id, const char *what), void *ctx,
    struct recover_count *count) __attribute__((warn_unused_result));
/* After recovery: staged and temporary files whose owner is dead, drafts and
 * parts without an envelope that are older than age_ms by ctime, empty folders
 * in later/ of the past.  Bounded memory.  queues: every queue of the volume;
 * an unknown queue folder makes it touch no parts (errno ENOTSUP). */
int recover_sweep(struct spool *s, const struct strv *queues, int64_t age_ms,
    struct recover_count *count) __attribute__((warn_unused_result));

#endif
