/* SPDX-License-Identifier: BSD-2-Clause
 *
 * service - the states that one runner's process goes through
 */
#include "runners/supervisor/service.h"

#include "common/spool/backoff.h"

/* Bits of a step beyond what the caller is told. */
#define BACK_OFF 256u   /* count a failure, wait before the next start */
#define PUSH 512u       /* it was hung up and lives: SIGTERM, then SIGKILL */
#define FORGIVE 1024u   /* failures so far say nothing about the next start */

struct step {
	enum service_state next;
	unsigned actions;
};

/* An event that a state has no step for changes nothing there. */
/* clang-format off */
static const struct step table[SERVICE_STATES][SERVICE_EVENTS] = {
	[SERVICE_DOWN] = {
		[SERVICE_WANT] = {SERVICE_STARTING, FORGIVE},
	},
	[SERVICE_STARTING] = {
		[SERVICE_DROP] = {SERVICE_DOWN, 0},
		[SERVICE_RENEW] = {SERVICE_STAY, FORGIVE},
		[SERVICE_RECOVERED] = {SERVICE_UP, SERVICE_DO_START},
	},
	[SERVICE_UP] = {
		[SERVICE_DROP] = {SERVICE_STOPPING, SERVICE_DO_HANG_UP},
		[SERVICE_RENEW] = {SERVICE_RESTARTING, SERVICE_DO_HANG_UP},
		[SERVICE_DIED] = {SERVICE_BACKOFF,
		    SERVICE_DO_RECOVER | BACK_OFF},
		[SERVICE_DIED_CONFIG] = {SERVICE_FAILED, SERVICE_DO_RECOVER},
	},
	[SERVICE_STOPPING] = {
		[SERVICE_WANT] = {SERVICE_RESTARTING, 0},
		[SERVICE_DIED] = {SERVICE_DOWN, SERVICE_DO_RECOVER},
		[SERVICE_DIED_CONFIG] = {SERVICE_DOWN, SERVICE_DO_RECOVER},
		[SERVICE_TIMER] = {SERVICE_STAY, PUSH},
	},
	[SERVICE_RESTARTING] = {
		[SERVICE_DROP] = {SERVICE_STOPPING, 0},
		[SERVICE_DIED] = {SERVICE_STARTING,
		    SERVICE_DO_RECOVER | FORGIVE},
		[SERVICE_DIED_CONFIG] = {SERVICE_STARTING,
		    SERVICE_DO_RECOVER | FORGIVE},
		[SERVICE_TIMER] = {SERVICE_STAY, PUSH},
	},
	[SERVICE_BACKOFF] = {
		[SERVICE_DROP] = {SERVICE_DOWN, 0},
		[SERVICE_RENEW] = {SERVICE_STARTING, FORGIVE},
		[SERVICE_TIMER] = {SERVICE_STARTING, 0},
	},
	[SERVICE_FAILED] = {
		[SERVICE_DROP] = {SERVICE_DOWN, 0},
		[SERVICE_RENEW] = {SERVICE_STARTING, FORGIVE},
	},
};
/* clang-format on */

static const char *const names[SERVICE_STATES] = {
	[SERVICE_STAY] = "?",
	[SERVICE_DOWN] = "down",
	[SERVICE_STARTING] = "starting",
	[SERVICE_UP] = "up",
	[SERVICE_STOPPING] = "stopping",
	[SERVICE_RESTARTING] = "restarting",
	[SERVICE_BACKOFF] = "backoff",
	[SERVICE_FAILED] = "failed",
};

void
service_init(struct service *s, int64_t grace)
{
	*s = (struct service){.state = SERVICE_DOWN, .grace = grace};
}

static void
back_off(struct service *s, int64_t now)
{
	if (now - s->started >= SERVICE_SETTLED_MS)
		s->failures = 0;
	s->failures++;
	s->deadline = now + backoff_restart(s->failures);
}

static unsigned
push(struct service *s, int64_t now)
{
	s->deadline = now + SERVICE_KILL_MS;
	return s->pushes++ == 0 ? SERVICE_DO_TERMINATE : SERVICE_DO_KILL;
}

unsigned
service_step(struct service *s, enum service_event event, int64_t now)
{
	const struct step *step;
	unsigned todo;

	step = &table[s->state][event];
	todo = step->actions;
	if (step->next != SERVICE_STAY) {
		s->state = step->next;
		/* One that is hung up keeps its bound whatever comes after. */
		if (!service_has_process(s))
			s->deadline = 0;
	}
	if (todo & FORGIVE)
		s->failures = 0;
	if (todo & BACK_OFF)
		back_off(s, now);
	if (todo & PUSH)
		todo |= push(s, now);
	if (todo & SERVICE_DO_START) {
		s->started = now;
		s->starts++;
		s->pushes = 0;
	}
	if (todo & SERVICE_DO_HANG_UP)
		s->deadline = now + s->grace;
	return todo & ~(BACK_OFF | PUSH | FORGIVE);
}

const char *
service_state_name(enum service_state state)
{
	return names[state];
}

bool
service_has_process(const struct service *s)
{
	return s->state == SERVICE_UP || s->state == SERVICE_STOPPING ||
	    s->state == SERVICE_RESTARTING;
}

bool
service_is_moving(const struct service *s)
{
	return s->state == SERVICE_STARTING || s->state == SERVICE_STOPPING ||
	    s->state == SERVICE_RESTARTING;
}
