/* SPDX-License-Identifier: BSD-2-Clause
 *
 * spool - a volume of queue directories: open it, make entries, look around
 *
 * With entry.h (one claimed entry) and recover.h this is the only code that
 * renames in a spool.  The states and what a crash leaves in each are in
 * spool-layout/INTERNALS.md; change both or none.
 */
#ifndef SEPTET_SPOOL_SPOOL_H
#define SEPTET_SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"
#include "common/spool/envelope.h"
#include "common/spool/id.h"

struct spool;

enum spool_flush { SPOOL_FLUSH_AUTO, SPOOL_FLUSH_SYNCFS, SPOOL_FLUSH_FSYNC };

/* What the spool must know of the site; the strings are copied. */
struct spool_config {
	const char *path;       /* SPOOL */
	const char *run;        /* folder of locks, local to the host */
	const char *host;       /* in IDs and OWNERs */
	enum spool_flush flush;
	envelope_stage_fn *stage; /* owner of fields at a queue; may be NULL */
	/* Is `to` reached from `from` by exits?  NULL: never. */
	bool (*reaches)(void *ctx, const char *from, const char *to);
	void *ctx;
};

/* Make SPOOL with its part folders, and the folders of each queue.  What is
 * there stays.  0 or -1. */
int spool_make(const char *path, const struct strv *queues)
    __attribute__((warn_unused_result));
/* Open; the tree must be there.  NULL with errno. */
struct spool *spool_open(const struct spool_config *config);
/* Gives up ownership as spool_disown does. */
void spool_close(struct spool **s);
/* The directory descriptor of SPOOL, for readers. */
int spool_dir(const struct spool *s);
const char *spool_host(const struct spool *s);

/* Become an owner of claims in a queue: lock RUN/OWNER and make
 * QUEUE/cur/OWNER.  OWNER is host.instance.epoch with an epoch that no earlier
 * start used.  A process owns at one queue at a time.  0 or -1. */
int spool_own(struct spool *s, const char *queue, const char *instance)
    __attribute__((warn_unused_result));
/* Remove the own folder where it is empty, give the lock back. */
void spool_disown(struct spool *s);
/* NULL where none. */
const char *spool_owner(const struct spool *s);

/* Less than `bytes` free on the volume?  1, 0, -1. */
int spool_is_low(const struct spool *s, unsigned long long bytes)
    __attribute__((warn_unused_result));

/* ---- new root entries (LMTP server, septet post, notices from outside) ---- */

struct spool_draft;

/* Begin a new entry: a fresh ID, msg/ID created empty.  NULL with errno. */
struct spool_draft *spool_draft_begin(struct spool *s);
const char *spool_draft_id(const struct spool_draft *d);
/* Append to its message (LF line ends). */
int spool_draft_write(struct spool_draft *d, const void *bytes, size_t n)
    __attribute__((warn_unused_result));
unsigned long long spool_draft_size(const struct spool_draft *d);
/* A second entry with the same message (a hard link of msg/ID; a copy where
 * links run out): call when the message is written.  NULL with errno. */
struct spool_draft *spool_draft_share(struct spool_draft *d);
/* Add a field.  Id, Created, Size and Crc32 are written by the draft. */
void spool_draft_set(struct spool_draft *d, const char *name,
    const char *value);
/* Write and seal the envelope into QUEUE/tmp: `stage` names who seals. */
int spool_draft_seal(struct spool_draft *d, const char *stage,
    const char *queue) __attribute__((warn_unused_result));
/* Make n sealed drafts durable and put them into their queues: one flush of
 * messages and envelopes, the renames, one of the directories.  0: all of them
 * are accepted.  -1: errno; spool_draft_is_in tells which are accepted (those
 * renamed when a directory's flush failed count as not accepted and are taken
 * back where they still can be; a repeat is then possible, a loss not). */
int spool_draft_commit(struct spool *s, struct spool_draft **drafts, size_t n)
    __attribute__((warn_unused_result));
bool spool_draft_is_in(const struct spool_draft *d);
/* Forget; removes the files of one that is not accepted. */
void spool_draft_free(struct spool_draft **d);

/* ---- looking around -------------------------------------------------- */

enum spool_place { SPOOL_NEW, SPOOL_LATER, SPOOL_HELD, SPOOL_DEAD, SPOOL_CUR };

/* "new", "later", "held", "dead", "cur". */
const char *spool_place_name(enum spool_place place);

/* A walk through one place of a queue in the order of the directory, sorted in
 * stretches of a few thousand names, bounded in memory.  For SPOOL_LATER
 * only folders that are due at `now` (ms; INT64_MAX: all).  Names are returned as they are: not
 * yet looked at, perhaps no IDs. */
struct spool_scan;

struct spool_scan *spool_scan_open(struct spool *s, const char *queue,
    enum spool_place place, int64_t now);
/* 1 and *name, *folder ("" or the MINUTE or OWNER), valid until the next call;
 * 0 at the end, -1 errno. */
int spool_scan_next(struct spool_scan *scan, const char **name,
    const char **folder) __attribute__((warn_unused_result));
void spool_scan_close(struct spool_scan **scan);

/* Where does an ID stand?  Looks at every place of the queue: 1 and *place,
 * *path ("QUEUE/held/ID", relative to spool_dir), 0, -1. */
int spool_find(struct spool *s, const char *queue, const char *id,
    enum spool_place *place, struct sbuf *path)
    __attribute__((warn_unused_result));
/* When is the next deferred entry of a queue due?  1 and *ms, 0 none, -1. */
int spool_next_due(struct spool *s, const char *queue, int64_t *ms)
    __attribute__((warn_unused_result));

#endif
