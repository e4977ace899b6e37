/* SPDX-License-Identifier: BSD-2-Clause
 *
 * status - what the supervisor tells: status file, log, service manager
 *
 * SPOOL/supervisor.status has a line for the supervisor and one for each
 * instance, words as in esc.h; it is replaced by rename at every change.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/system/fsutil.h"
#include "runners/supervisor/notify.h"
#include "runners/supervisor/supervisor.h"

#define STATUS_MODE 0644
#define LOG_MODE 0640
/* More than a line has beside its names. */
#define LINE_ROOM 256

static const char *const phase_names[] = {
	[PHASE_STARTING] = "starting",
	[PHASE_RUNNING] = "up",
	[PHASE_CHECKING] = "checking",
	[PHASE_RELOADING] = "reloading",
	[PHASE_STOPPING] = "stopping",
	[PHASE_STOPPED] = "down",
};

void
status_exit(int status, char out[STATUS_EXIT_SIZE])
{
	if (WIFSIGNALED(status))
		snprintf(out, STATUS_EXIT_SIZE, "signal:%d", WTERMSIG(status));
	else
		snprintf(out, STATUS_EXIT_SIZE, "%d", WEXITSTATUS(status));
}

/* "-" where it has not ended yet. */
static void
format_exit(const struct instance *i, char out[STATUS_EXIT_SIZE])
{
	if (i->has_ended)
		status_exit(i->last_status, out);
	else
		snprintf(out, STATUS_EXIT_SIZE, "-");
}

static void
add_instance(struct supervisor *s, const struct instance *i)
{
	char since[CLOCK_RFC3339_SIZE], ended[STATUS_EXIT_SIZE];
	unsigned starts;

	clock_format(i->since, since);
	format_exit(i, ended);
	starts = i->service.starts;
	sbuf_printf(&s->status,
	    "%s state=%s pid=%ld since=%s restarts=%u exit=%s queue=%s "
	    "program=%s\n", i->name, service_state_name(i->service.state),
	    (long)i->pid, since, starts > 0 ? starts - 1 : 0, ended,
	    i->queue == NO_QUEUE ? "-" : s->queues[i->queue].name, i->program);
}

void
status_reserve(struct supervisor *s)
{
	const struct instance *i;
	size_t k, room;

	room = LINE_ROOM;
	for (k = 0; k < s->n_instances; k++) {
		i = &s->instances[k];
		room += LINE_ROOM + strlen(i->name) + strlen(i->program);
		if (i->queue != NO_QUEUE)
			room += strlen(s->queues[i->queue].name);
	}
	sbuf_truncate(&s->status, 0);
	sbuf_reserve(&s->status, room);
}

void
status_write(struct supervisor *s)
{
	char since[CLOCK_RFC3339_SIZE];
	size_t k;

	s->is_dirty = false;
	clock_format(s->since, since);
	sbuf_truncate(&s->status, 0);
	sbuf_printf(&s->status, "supervisor state=%s pid=%ld since=%s\n",
	    phase_names[s->phase],
	    s->phase == PHASE_STOPPED ? 0L : (long)getpid(), since);
	for (k = 0; k < s->n_instances; k++)
		add_instance(s, &s->instances[k]);
	if (fs_replace_unsynced(s->spool, SUPERVISOR_STATUS, s->status.data,
	    s->status.len, STATUS_MODE) == -1)
		log_error("%s: %s", SUPERVISOR_STATUS, strerror(errno));
}

static void
tell_manager(const char *text)
{
	if (notify_send(text) == -1)
		log_warn("notify: %s", strerror(errno));
}

/* systemd wants the time of a reload's beginning, to match it with its end. */
static void
tell_reloading(void)
{
	char text[64];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_mono_ms() * 1000);
	tell_manager(text);
}

static void
tell_ready(struct supervisor *s)
{
	char text[96];

	snprintf(text, sizeof(text),
	    "READY=1\nSTATUS=%zu of %zu runners are up",
	    fleet_count(s, SERVICE_UP), s->n_instances);
	tell_manager(text);
	if (s->options.ready_fd == -1)
		return;
	if (io_write_full(s->options.ready_fd, "\n", 1) == -1)
		log_warn("--ready-fd: %s", strerror(errno));
	io_close(&s->options.ready_fd);
	s->options.ready_fd = -1;
}

void
status_phase(struct supervisor *s, enum phase phase)
{
	log_info("supervisor state=%s was=%s", phase_names[phase],
	    phase_names[s->phase]);
	s->phase = phase;
	if (phase == PHASE_STOPPED)
		s->since = clock_ms();
	/* Who is told that we are ready may look at the status file next. */
	status_write(s);
	s->is_dirty = true;
	if (phase == PHASE_CHECKING)
		tell_reloading();
	else if (phase == PHASE_STOPPING)
		tell_manager("STOPPING=1");
	else if (phase == PHASE_RUNNING)
		tell_ready(s);
}

/* What an instance says about itself beyond its state is on its own lines. */
void
status_log(struct supervisor *s, const struct instance *i,
    enum service_state was)
{
	const char *state, *before;
	char ended[STATUS_EXIT_SIZE];

	(void)s;
	state = service_state_name(i->service.state);
	before = service_state_name(was);
	if (i->pid != 0) {
		log_info("service=%s state=%s was=%s pid=%ld", i->name, state,
		    before, (long)i->pid);
		return;
	}
	format_exit(i, ended);
	if (i->service.state == SERVICE_FAILED)
		log_error("service=%s state=%s was=%s exit=%s: its config is "
		    "wrong; mend it and reload", i->name, state, before, ended);
	else if (i->service.state == SERVICE_BACKOFF)
		log_warn("service=%s state=%s was=%s exit=%s failures=%u",
		    i->name, state, before, ended, i->service.failures);
	else
		log_info("service=%s state=%s was=%s exit=%s", i->name, state,
		    before, ended);
}

int
status_open_log(const struct site *site)
{
	int fd, result;

	if (site->log == NULL)
		return 0;
	fd = io_openat(AT_FDCWD, site->log, O_WRONLY | O_APPEND | O_CREAT,
	    LOG_MODE);
	if (fd == -1)
		return -1;
	result = dup2(fd, STDERR_FILENO) == -1 ? -1 : 0;
	io_close(&fd);
	return result;
}
