/* SPDX-License-Identifier: BSD-2-Clause
 *
 * service - the states that one runner's process goes through
 *
 * A table of states and events and nothing else: it makes no system call and
 * takes the time as an argument.  The caller does what service_step returns.
 */
#ifndef SEPTET_SUPERVISOR_SERVICE_H
#define SEPTET_SUPERVISOR_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

enum service_state {
	SERVICE_STAY,           /* in the table: the state does not change */
	SERVICE_DOWN,           /* no process, none wanted */
	SERVICE_STARTING,       /* waits until dead owners' claims are back */
	SERVICE_UP,
	SERVICE_STOPPING,       /* was hung up; then stays down */
	SERVICE_RESTARTING,     /* was hung up; then starts again */
	SERVICE_BACKOFF,        /* ended unasked; waits for its next start */
	SERVICE_FAILED,         /* its config is wrong; waits for a reload */
	SERVICE_STATES
};

enum service_event {
	SERVICE_WANT,           /* is to run */
	SERVICE_DROP,           /* is not to run */
	SERVICE_RENEW,          /* is to start anew, with a new config */
	SERVICE_RECOVERED,      /* nothing of its queue is held by the dead */
	SERVICE_DIED,
	SERVICE_DIED_CONFIG,    /* with EXIT_CONFIG */
	SERVICE_TIMER,          /* the deadline is there */
	SERVICE_EVENTS
};

/* What the caller is to do now, in this order. */
#define SERVICE_DO_RECOVER 1u   /* take back what its dead process had */
#define SERVICE_DO_START 2u     /* start it; where that fails: SERVICE_DIED */
#define SERVICE_DO_HANG_UP 4u   /* end of file on its standard input */
#define SERVICE_DO_TERMINATE 8u
#define SERVICE_DO_KILL 16u

/* A process that lived this long has settled: what it dies of later is not
 * the trouble that it was held back for. */
#define SERVICE_SETTLED_MS 10000
/* From SIGTERM to SIGKILL. */
#define SERVICE_KILL_MS 5000

struct service {
	enum service_state state;
	unsigned failures;      /* ends unasked, one soon after another */
	unsigned starts;
	unsigned pushes;        /* signals sent since it was hung up */
	int64_t grace;          /* ms from hanging up to SIGTERM */
	int64_t started;        /* monotonic ms */
	int64_t deadline;       /* monotonic ms; 0: none */
};

/* Down, and not wanted. */
void service_init(struct service *s, int64_t grace);
/* Take one event at `now` (monotonic ms); returns SERVICE_DO bits. */
unsigned service_step(struct service *s, enum service_event event, int64_t now);
/* "starting", "up" ... as the status file and the log have it. */
const char *service_state_name(enum service_state state);
bool service_has_process(const struct service *s);
/* On the way to being up, or on the way out: not at rest. */
bool service_is_moving(const struct service *s);

#endif
