/* SPDX-License-Identifier: BSD-2-Clause
 *
 * runner_private - what the files of the runner module share
 */
#ifndef SEPTET_PROCESS_RUNNER_PRIVATE_H
#define SEPTET_PROCESS_RUNNER_PRIVATE_H

#include "common/process/runner.h"

struct runner {
	const struct runner_def *def;
	struct site *site;
	const struct site_queue *queue;
	struct spool *spool;
	struct lists *lists;
	void *data;
	struct sbuf instance_name;
	const char *instance;
	bool is_drain;
	/* looking */
	struct spool_scan *scan;
	enum spool_place place;
	struct entry *suspect;  /* claimed, waits until the batch is settled */
	bool is_rung;
	bool is_troubled;
	char troubled[ID_SIZE]; /* the entry whose handling failed last */
	unsigned skipped; /* names passed over for trouble in this look */
	int64_t pause;
	/* status */
	int64_t started;
	int64_t published;
	bool is_changed;
	unsigned long settled;
	unsigned long forwarded;
	unsigned long done;
	unsigned long deferred;
	unsigned long held;
	unsigned long buried;
	struct sbuf last_error;
	int64_t error_time;     /* of last_error, clock_ms */
	int64_t error_kept;     /* on the monotonic clock: not cleared before */
	bool is_error_new;      /* it came with what is being settled */
	struct strv warned;     /* of lists, since the minute began */
	int64_t warned_since;   /* on the monotonic clock */
};

/* Write the status file now, where anything changed. */
void runner_publish(struct runner *r);
/* Note trouble of this host with an entry or the spool: logged, shown in the
 * status, and the loop pauses. */
void runner_trouble(struct runner *r, const char *what, int error);
/* The process ends: what is claimed and waits goes back. */
void runner_put_back_suspect(struct runner *r);
/* End the process at once. */
void runner_leave(struct runner *r, int code) __attribute__((noreturn));

#endif
