/* SPDX-License-Identifier: BSD-2-Clause
 *
 * job - one open entry of outbound: recipients become transactions, and their
 * ends become results
 *
 * The distribution list is read as a stream, so a job's memory does not grow
 * with it.  For each recipient the result line is appended before the state
 * byte is flipped, and both happen before the next word is sent to a server:
 * a process that is killed repeats at most what was on the wire.  What a
 * killed attempt had got written is found again by its place in the result
 * file: a Delivery field says how long that was when it was sealed.
 */
#ifndef SEPTET_OUTBOUND_JOB_H
#define SEPTET_OUTBOUND_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/sbuf.h"
#include "common/process/runner.h"
#include "common/spool/rcpt.h"
#include "runners/outbound/smtp.h"
#include "runners/outbound/wire.h"

/* Ends of transactions in a row that were bad for all of their recipients,
 * after which the rest of the list waits for the next attempt. */
#define JOB_STRIKES 20
/* Refusals kept back until somebody is accepted: SMTP_ALL_REFUSED and more by
 * everybody are the relay's fault and not theirs. */
#define JOB_REFUSALS_MAX 1024
/* Results noted before they have to be written. */
#define JOB_MARKS_MAX 1024

struct job_mark {
	off_t offset;
	char state;
};

/* Somebody who was refused, not yet written. */
struct job_refusal {
	unsigned long line;
	off_t offset;
	const char *relay;
	int code;
	char status[12];
	char *reply;
};

/* What a Delivery field says. */
struct job_count {
	const char *relay;
	unsigned long done;
	unsigned long deferred;
	unsigned long failed;
	struct sbuf reply;
};

struct job {
	struct runner *runner;
	struct entry *entry;
	int rcpt;
	int result;
	int message;
	struct rcpt_reader reader;
	off_t rcpt_size;
	bool is_at_end;         /* the list is read to its end */
	bool is_stopped;        /* no more transactions in this attempt */
	bool is_alone;          /* a crash was near it: not beside others */
	struct sbuf why;        /* of the stop, or of the latest deferral */
	struct sbuf bury;       /* why it can never be sent; empty: it can */
	bool is_cut;            /* some went back untried: the bell ended */
	bool is_lost;           /* the claim was taken over */
	int64_t looked;         /* when that was last looked at */
	int trouble;            /* errno of a disk that does not take results */

	/* what is sent */
	struct sbuf sender_head; /* of Send-From, before {verp} */
	struct sbuf sender_tail;
	bool is_verp;
	bool is_null;           /* Send-From: <> */
	bool needs_8bit;
	bool needs_utf8;
	struct sbuf mail_words;
	struct sbuf rcpt_words;
	struct wire wire;
	struct sbuf header;     /* for a Maildir; else empty */
	off_t body;

	/* what became of it */
	char *known;            /* while opening: states by line of an
				 * attempt that was cut short */
	size_t n_known;
	off_t attempt_start;    /* of this attempt in the result file */
	off_t result_size;
	struct sbuf lines;      /* results to be appended */
	struct job_mark *marks; /* bytes to be flipped then */
	size_t n_marks;
	size_t marks_cap;
	int64_t dirty_since;    /* monotonic; 0: all is flushed */
	struct job_refusal *refusals;
	size_t n_refusals;
	bool is_heard;          /* the relay spoke for single recipients */
	struct job_count *counts; /* a relay each */
	size_t n_counts;
	unsigned long done_before; /* in earlier attempts */
	unsigned long done;
	unsigned long deferred;
	unsigned long failed;
	unsigned long expired;
	unsigned strikes;
	bool is_alarmed;        /* the alarm was said once */
	unsigned open;          /* transactions on their way */
};

/* Open an entry.  0: *job, or NULL where it has got its outcome (it cannot be
 * sent, ever).  -1: trouble, errno. */
int job_open(struct runner *r, struct entry *e, struct job **job)
    __attribute__((warn_unused_result));
void job_free(struct job **job);

/* Recipients that are left, as the next transaction for a server with these
 * extensions: 1; 0 none are left, or it is stopped. */
int job_next(struct job *j, unsigned extensions, unsigned max,
    const char *relay, struct smtp_transaction **t);
/* Read on to the next recipient that is to be worked on: 1, 0. */
int job_read(struct job *j);
/* The current recipient fails for good before anybody is asked. */
void job_fail(struct job *j, const char *relay, const char *status,
    const char *why);
/* The sender's address for the current recipient.  -1: it is unusable, which
 * is nobody's but ours to mend; the job is stopped and will be buried. */
int job_sender(struct job *j, struct sbuf *out, bool *is_utf8)
    __attribute__((warn_unused_result));
/* Take the results of an ended transaction and free it. */
void job_take(struct job *j, const char *relay, struct smtp_transaction **t);
/* Give up for this attempt: what is left stays as it is. */
void job_stop(struct job *j, const char *why);
/* Nothing is left, or it is stopped; and nothing is on its way. */
bool job_is_finished(const struct job *j);

/* ---- results (job_result.c) ----------------------------------------- */

struct job_result {
	unsigned long line;
	off_t offset;
	char state;
	const char *relay;
	int code;
	const char *status;
	const char *reply;
};

/* Note a result; nothing is written before job_flush. */
void job_record(struct job *j, const struct job_result *r);
/* Append the noted results and flip their bytes.  0, or -1 (j->trouble): they
 * are kept, and are written by a later call. */
int job_flush(struct job *j);
/* Flush file data where results are unflushed since a second, or at once. */
int job_sync(struct job *j, bool is_now);
/* Find what an attempt that was cut short has written. */
int job_recover(struct job *j) __attribute__((warn_unused_result));
/* Call fn for each whole line of the result file from an offset on, without
 * its end; at is the line's own offset.  *end is behind the last one.  0 or
 * -1. */
int job_scan_results(struct job *j, off_t from,
    void (*fn)(struct job *j, void *ctx, char *line, off_t at), void *ctx,
    off_t *end) __attribute__((warn_unused_result));
/* Somebody was refused by a server's own word. */
void job_refuse(struct job *j, const char *relay, const struct smtp_rcpt *r);
/* Write the refusals kept back: as theirs, or as the relay's fault. */
void job_judge_refusals(struct job *j);
/* Log once, and show in the status: the relay or the post is at fault. */
void job_alarm(struct job *j, const char *relay, const char *reply);

/* ---- the end (job_settle.c) ----------------------------------------- */

/* Give a finished job's entry its outcome: done, deferred, and a report to
 * bounce beside either.  0; or -1 (j->trouble) where the results cannot be
 * written now: call again later. */
int job_settle(struct job *j) __attribute__((warn_unused_result));
/* What has been written stays written: for an entry that is put back. */
int job_put_by(struct job *j) __attribute__((warn_unused_result));

#endif
