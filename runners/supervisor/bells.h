/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bells - which queues are to be rung, and when
 *
 * A plan and nothing else: it writes to no pipe and takes the time as an
 * argument, in ms; `mono` is the monotonic clock, `wall` the clock that the
 * names in later/ are made of.
 */
#ifndef SEPTET_SUPERVISOR_BELLS_H
#define SEPTET_SUPERVISOR_BELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BELLS_NEVER INT64_MAX

struct bells_queue {
	bool is_rung;           /* waits to be taken */
	bool is_stale;          /* due is not known: to be looked up */
	int64_t due;            /* wall; BELLS_NEVER: nothing is deferred */
	int64_t rung_due;       /* wall; the latest due time already rung for */
	int64_t poll;           /* between rings, mono; 0: not polled */
	int64_t next_poll;
};

struct bells {
	struct bells_queue *queues;
	size_t n;
	int64_t timer;          /* the slow timer, mono */
	int64_t next_slow;
};

/* n queues with nothing deferred and no poll; all of them are rung.  0, or -1
 * (ENOMEM). */
int bells_init(struct bells *b, size_t n, int64_t timer, int64_t mono)
    __attribute__((warn_unused_result));
void bells_free(struct bells *b);
void bells_set_poll(struct bells *b, size_t queue, int64_t poll, int64_t mono);

void bells_ring(struct bells *b, size_t queue);
void bells_ring_all(struct bells *b);
/* Something was deferred in this queue: due is to be looked up afresh, and what
 * it says counts though it be of the past. */
void bells_set_stale(struct bells *b, size_t queue);
/* What was looked up: the earliest due time after rung_due, or BELLS_NEVER. */
void bells_set_due(struct bells *b, size_t queue, int64_t due);
/* Turn the time that has come into rings; a due time that has come is stale.
 * True where the slow timer is among what came: then all are stale. */
bool bells_tick(struct bells *b, int64_t mono, int64_t wall);
/* Is this queue to be rung?  Once for each ring. */
bool bells_take(struct bells *b, size_t queue);
/* ms until the next tick is worth while (0: now), BELLS_NEVER. */
int64_t bells_wait(const struct bells *b, int64_t mono, int64_t wall);

/* The earliest MINUTE among the folders of LATER (a path below dir) that is
 * later than the wall time `after`; as wall time.  1, 0 none, -1 errno. */
int bells_next_folder(int dir, const char *later, int64_t after, int64_t *due)
    __attribute__((warn_unused_result));

#endif
