/* SPDX-License-Identifier: BSD-2-Clause
 *
 * supervisor - one per host: starts the runners, rings them, keeps them alive
 *
 * One thread around one poll(2).  What each file holds: supervisor.c the loop
 * and the phases, fleet.c who is to run, process.c a runner's process, chore.c
 * work in forked children, ready.c what is looked at before anything starts,
 * ring.c the bells, status.c what is told.  No memory is asked for after the
 * site is loaded without a way to go on where there is none.
 */
#ifndef SEPTET_SUPERVISOR_SUPERVISOR_H
#define SEPTET_SUPERVISOR_SUPERVISOR_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"
#include "common/domain/site.h"
#include "common/system/watch.h"
#include "runners/supervisor/bells.h"
#include "runners/supervisor/service.h"

#define SUPERVISOR_LOCK "supervisor.lock"
#define SUPERVISOR_STATUS "supervisor.status"

#define STATUS_EXIT_SIZE 24

/* An instance that stands at no queue. */
#define NO_QUEUE ((size_t)-1)

struct supervisor_options {
	const char *site;       /* --site */
	const char *log_level;  /* --log-level, handed on to the runners */
	int ready_fd;           /* --ready-fd; -1: none */
	int64_t grace;          /* --grace, ms */
};

struct queue {
	char *name;
	char *new_dir;          /* as they are watched */
	char *later_dir;
	char *later;            /* below the spool */
	char *cur;
	bool is_owned;          /* the site file has runners for it */
	bool is_watched;
	bool is_unwatched_told;
	bool needs_recovery;
	bool is_recovering;
};

/* One runner. */
struct instance {
	struct service service;
	char *name;             /* "inbound1" */
	char *program;          /* "septet-inbound" */
	size_t queue;
	unsigned rank;          /* place in the pipeline: stops in this order */
	bool is_wanted;         /* by the site file that counts now */
	bool awaits_renewal;    /* its turn in a reload is to come */
	pid_t pid;              /* 0: none */
	int bell;               /* write end of its standard input; -1 */
	bool has_ended;         /* last_status counts */
	int last_status;        /* wait(2)'s */
	int64_t since;          /* of the state; wall ms */
};

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_CHECKING, PHASE_RELOADING,
	PHASE_STOPPING, PHASE_STOPPED };

/* A forked child that does a piece of work. */
struct chore {
	pid_t pid;              /* 0: none */
	int64_t not_before;     /* monotonic ms, after a fork that failed */
};

struct supervisor {
	struct supervisor_options options;
	struct site *site;
	enum phase phase;
	int64_t since;          /* its start, at last its end; wall ms */
	struct queue *queues;
	size_t n_queues;
	struct instance *instances;
	size_t n_instances;
	struct bells bells;
	struct watcher watcher;
	struct chore recovery;
	struct chore sweep;
	struct chore check;
	bool makes_folders;     /* the next recovery does first */
	bool is_again;          /* SIGHUP came during a reload */
	bool is_hurried;        /* a second SIGTERM came */
	bool is_dirty;          /* the status file is out of date */
	bool is_sweep_due;
	int64_t last_sweep;     /* monotonic ms */
	int spool;
	int signals;
	struct sbuf status;
};

/* Runs until it is told to stop; returns the exit code. */
int supervisor_main(const struct supervisor_options *options);

/* ---- fleet.c ---------------------------------------------------------- */

/* Make queues and instances what `site` says: adds what is new, marks what is
 * not wanted any more.  0, or -1 (ENOMEM) with nothing changed. */
int fleet_apply(struct supervisor *s, const struct site *site)
    __attribute__((warn_unused_result));
/* Tell every instance what the site file wants of it. */
void fleet_begin(struct supervisor *s);
/* The next queue's turn in a reload.  False: all had theirs. */
bool fleet_renew_next(struct supervisor *s);
bool fleet_is_moving(const struct supervisor *s);
/* Hang up those first in the pipeline (all where is_hurried).  False: all are
 * down. */
bool fleet_stop_next(struct supervisor *s);
/* Forget instances that are down and not wanted. */
void fleet_prune(struct supervisor *s);
void fleet_free(struct supervisor *s);
size_t fleet_count(const struct supervisor *s, enum service_state state);

/* ---- process.c -------------------------------------------------------- */

/* Let an instance take an event, and do what follows from it. */
void process_event(struct supervisor *s, struct instance *i,
    enum service_event event);
/* A child ended.  False: it was no runner. */
bool process_reap(struct supervisor *s, pid_t pid, int status);
/* Deadlines that have come, and starts that waited for recovery. */
void process_tick(struct supervisor *s);
void process_ring(struct supervisor *s, struct instance *i);
/* Where the runners' programs are: for free(3), NULL (ENOMEM). */
char *process_folder(const struct site *site);

/* ---- ready.c ---------------------------------------------------------- */

/* Can this site run here at all?  For a child: becomes the site's user, says
 * what is wrong.  An exit code. */
int ready_look(const struct site *site);

/* ---- chore.c ---------------------------------------------------------- */

/* Start what is wanted and can be started. */
void chore_tick(struct supervisor *s);
bool chore_reap(struct supervisor *s, pid_t pid, int status);
/* Recovery is under way or wanted. */
bool chore_is_recovering(const struct supervisor *s);
/* Stop what a stopping supervisor does not wait for. */
void chore_drop(struct supervisor *s);
/* Read the site file in a child, which says every error.  0, -1. */
int chore_check(struct supervisor *s) __attribute__((warn_unused_result));
/* ready_look in a child, waited for.  An exit code. */
int chore_look(const struct supervisor *s);
/* The child of the last chore_check ended. */
void supervisor_checked(struct supervisor *s, bool is_good);

/* ---- ring.c ----------------------------------------------------------- */

/* Plan anew after the queues have changed; everything is rung.  0, -1
 * (ENOMEM, nothing changed). */
int ring_plan(struct supervisor *s, const struct site *site)
    __attribute__((warn_unused_result));
void ring_open(struct supervisor *s);
/* Watch the directories of owned queues, those that are there now, and no
 * others. */
void ring_watch(struct supervisor *s);
/* Take what the watcher has seen. */
void ring_seen(struct supervisor *s);
/* Ring whom it is time to ring. */
void ring_tick(struct supervisor *s);

/* ---- status.c --------------------------------------------------------- */

/* Room for the status text, asked for while there is a way back. */
void status_reserve(struct supervisor *s);
void status_write(struct supervisor *s);
/* "0", "75", "signal:9": a wait(2) status as text. */
void status_exit(int status, char out[STATUS_EXIT_SIZE]);
/* Enter a phase, say so. */
void status_phase(struct supervisor *s, enum phase phase);
void status_log(struct supervisor *s, const struct instance *i,
    enum service_state was);
/* Make site->log the standard error.  0, or -1. */
int status_open_log(const struct site *site)
    __attribute__((warn_unused_result));

#endif
