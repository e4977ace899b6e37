/* SPDX-License-Identifier: BSD-2-Clause
 *
 * entry - one claimed entry: read it, stage what it becomes, settle it
 *
 * The hop of design: claim, stage, decide, flush, move or forget.  A stage reads the
 * envelope and the parts, adds fields and children, names one outcome, and
 * spool_commit does the rest for a whole batch.  Nothing a stage does shows
 * before its decision is sealed.
 */
#ifndef SEPTET_SPOOL_ENTRY_H
#define SEPTET_SPOOL_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"
#include "common/spool/envelope.h"
#include "common/spool/rcpt.h"
#include "common/spool/spool.h"

/* After this many claims that ended without a Trail an entry is poison. */
#define ENTRY_CLAIMS_MAX 3

struct entry;

enum entry_claim {
	ENTRY_CLAIMED,          /* *e is ours */
	ENTRY_LOST,             /* another took it, or it is gone */
	ENTRY_SETTLED,          /* moved aside by the spool: dead/ (stray, poison,
	                         * malformed, foreign) or back to where its trail
	                         * leads; *why says which */
	ENTRY_BARE,             /* in cur/OWNER now, and no entry: entry_bare_* */
	ENTRY_NEWER,            /* a higher version: deferred, alarm */
	ENTRY_TROUBLE           /* errno; it is where it was, or in cur/OWNER */
};

/* Claim NAME from a place of the owned queue (folder: MINUTE for SPOOL_LATER,
 * else ""). */
enum entry_claim entry_claim(struct spool *s, enum spool_place place,
    const char *folder, const char *name, struct entry **e, struct sbuf *why);
/* The claim before this one ended without a Trail: handle it alone. */
bool entry_is_suspect(const struct entry *e);

const char *entry_id(const struct entry *e);
/* The envelope as it was claimed; new fields do not show in it. */
const struct envelope *entry_envelope(const struct entry *e);
/* For a stage's own use; entry does not look at it. */
void entry_set_data(struct entry *e, void *data);
void *entry_data(const struct entry *e);

/* ---- parts ------------------------------------------------------------ */

/* Open msg/ID for reading.  -1 with errno. */
int entry_message_open(const struct entry *e)
    __attribute__((warn_unused_result));
/* Append the current header block with its blank line: head/ID where a stage
 * wrote one, else the message's own.  *body is the body's offset in msg/ID.
 * -1: EFBIG over max. */
int entry_header(const struct entry *e, size_t max, struct sbuf *out,
    off_t *body) __attribute__((warn_unused_result));
/* Open rcpt/ID: O_RDONLY or O_RDWR; result/ID: for reading and O_APPEND, made
 * where missing. */
int entry_rcpt_open(const struct entry *e, int flags)
    __attribute__((warn_unused_result));
int entry_result_open(const struct entry *e)
    __attribute__((warn_unused_result));
/* Is the claim still ours, looked at by path?  1, 0 (taken: drop the entry and
 * do nothing more for it), -1. */
int entry_is_ours(const struct entry *e) __attribute__((warn_unused_result));

/* ---- what this hop adds ------------------------------------------------ */

/* Add a field to the block. */
void entry_set(struct entry *e, const char *name, const char *value);
void entry_setf(struct entry *e, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* New header block for this entry (with its blank line).  Writes the Head
 * field. */
int entry_stage_head(struct entry *e, const struct sbuf *head)
    __attribute__((warn_unused_result));
/* New distribution list for this entry: begin, rcpt_write..., end.  `end`
 * writes the Recipients field. */
int entry_stage_rcpt(struct entry *e, struct rcpt_writer *w)
    __attribute__((warn_unused_result));
int entry_stage_rcpt_end(struct entry *e, struct rcpt_writer *w)
    __attribute__((warn_unused_result));

struct child;

/* A child of this entry for a queue: letter is the exit's ('o' outbound, 'b'
 * bounce, 'n' notice, 'v' verdict, 'l' list).  It begins with the parent's sealed journal.
 * Owned by e.  NULL with errno (ENAMETOOLONG: too many generations). */
struct child *entry_child(struct entry *e, char letter, const char *queue);
const char *child_id(const struct child *c);
void child_set(struct child *c, const char *name, const char *value);
void child_setf(struct child *c, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* One of the two is called: the parent's message by link with the parent's
 * current header (the one staged in this hop, where there is one); or a new
 * message (whole, LF).  `body` is the offset of its body. */
int child_share_message(struct child *c) __attribute__((warn_unused_result));
int child_stage_message(struct child *c, const struct sbuf *message,
    size_t body) __attribute__((warn_unused_result));
int child_stage_rcpt(struct child *c, struct rcpt_writer *w)
    __attribute__((warn_unused_result));
int child_stage_rcpt_end(struct child *c, struct rcpt_writer *w)
    __attribute__((warn_unused_result));

/* This hop rests on something flushed elsewhere, or must be durable before
 * what follows it in the batch: flush before moving. */
void entry_needs_flush(struct entry *e);

/* ---- outcomes: exactly one --------------------------------------------- */

/* Go on through an exit to a queue. */
void entry_forward(struct entry *e, const char *exit, const char *queue);
/* Come back to this queue at due (ms). */
void entry_defer(struct entry *e, int64_t due, const char *why);
/* Wait for a person in held/; a Held field should be set. */
void entry_hold(struct entry *e);
/* dead/, with why as Error field. */
void entry_bury(struct entry *e, const char *why);
/* Finished: journal, then gone.  exit: "done", "discard", ... */
void entry_done(struct entry *e, const char *exit);
bool entry_has_outcome(const struct entry *e);

/* Trouble of this host (errno): whatever was said before, spool_commit releases
 * the entry. */
void entry_abandon(struct entry *e, int error);

/* Forget all that was said and staged in this hop. */
void entry_start_over(struct entry *e);

enum entry_state {
	ENTRY_OPEN,             /* nothing decided */
	ENTRY_MOVED,            /* all done */
	ENTRY_RELEASED,         /* taken back: as if never claimed; errno in
	                         * entry_errno */
	ENTRY_FENCED,           /* somebody took the claim; nothing of ours counts */
	ENTRY_STUCK             /* decided, but a move failed: recovery will end
	                         * it; leave the process (EXIT_TEMPORARY) */
};

/* Decide, flush and move a batch, in order.  An entry without an outcome, or
 * whose staging failed, is released.  0, or -1 where any entry is not
 * ENTRY_MOVED. */
int spool_commit(struct spool *s, struct entry **entries, size_t n);
enum entry_state entry_state(const struct entry *e);
int entry_errno(const struct entry *e);
/* Name of the outcome and queue for the log: "accept", "auth". */
const char *entry_exit(const struct entry *e);
const char *entry_to(const struct entry *e);
/* Put a claimed entry back into new/ without a Trail and without counting the
 * claim: end of file on the bell, trouble of ours. */
int spool_release(struct spool *s, struct entry *e)
    __attribute__((warn_unused_result));
/* Frees memory and descriptors only. */
void entry_free(struct entry **e);

/* ---- bare messages ------------------------------------------------------ */

/* A claimed bare file is named N+NAME, so that one of the same NAME dropped
 * later is not taken for it.  This is its NAME. */
const char *entry_bare_name(const char *name);
/* Open the claimed bare file in cur/OWNER, and its stat.  -1: EINVAL no
 * regular file, ... */
int entry_bare_open(struct spool *s, const char *name, struct stat *st)
    __attribute__((warn_unused_result));
/* The draft (written, fields set, not sealed) takes the bare file's place:
 * durable in cur/OWNER with a first block that names the source (the Source
 * field is written here), source removed, claimed as *e.  The draft is used up
 * on success, and the caller's on failure. */
int entry_bare_adopt(struct spool *s, const char *name,
    struct spool_draft **d, struct entry **e)
    __attribute__((warn_unused_result));
/* Anything that cannot be taken in: QUEUE/dead/ID+bare keeps it as it is, and
 * QUEUE/dead/ID is an envelope that says why.  id gets the ID. */
int entry_bare_bury(struct spool *s, const char *name, const char *why,
    char id[ID_SIZE]) __attribute__((warn_unused_result));
/* Back to new/ as it was. */
int entry_bare_release(struct spool *s, const char *name)
    __attribute__((warn_unused_result));

#endif
