/* SPDX-License-Identifier: BSD-2-Clause
 *
 * process - a runner's process: start, ring, hang up, reap
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/exits.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/system/bell.h"
#include "common/system/child.h"
#include "runners/supervisor/supervisor.h"

#define PROGRAM_MAX 4096

/* Ours is the write end: only that must not block, and nobody else has it, so
 * that our death is an end of file for every runner. */
static int
make_bell(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) == -1)
		return -1;
	if (fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	io_close(&ends[0]);
	io_close(&ends[1]);
	return -1;
}

/* The folder that we were started from: it has the runners where all was moved
 * after it was built.  NULL: it cannot be told. */
static char *
own_folder(void)
{
	char path[PROGRAM_MAX], *slash;
	ssize_t n;

	n = readlink("/proc/self/exe", path, sizeof(path));
	if (n <= 0 || (size_t)n == sizeof(path))
		return NULL;
	path[n] = '\0';
	slash = strrchr(path, '/');
	return slash == NULL ? NULL : strndup(path, (size_t)(slash - path));
}

char *
process_folder(const struct site *site)
{
	char *own;

	if (strcmp(site->programs, SEPTET_LIBEXEC) == 0 &&
	    access(site->programs, F_OK) == -1) {
		own = own_folder();
		if (own != NULL)
			return own;
	}
	return strdup(site->programs);
}

static char *
program_path(const struct supervisor *s, const struct instance *i)
{
	char *folder, *path;

	folder = process_folder(s->site);
	if (folder == NULL || asprintf(&path, "%s/%s", folder, i->program) ==
	    -1)
		path = NULL;
	free(folder);
	return path;
}

/* Drops const: exec's argv is not written to. */
static void
add_option(char **argv, size_t *n, const char *option, const char *value)
{
	if (value == NULL)
		return;
	argv[(*n)++] = (char *)(uintptr_t)option;
	argv[(*n)++] = (char *)(uintptr_t)value;
}

static pid_t
start_on(const struct supervisor *s, const struct instance *i,
    const char *path, int in)
{
	char *argv[10] = {i->program};
	struct child_spec spec = {.path = path, .argv = argv, .in = in,
		.out = STDERR_FILENO, .err = -1};
	size_t n;

	n = 1;
	add_option(argv, &n, "--site", s->site->file);
	if (i->queue != NO_QUEUE)
		add_option(argv, &n, "--queue", s->queues[i->queue].name);
	add_option(argv, &n, "--instance", i->name);
	add_option(argv, &n, "--log-level", s->options.log_level);
	argv[n] = NULL;
	return child_start(&spec);
}

static int
start(struct supervisor *s, struct instance *i)
{
	int ends[2];
	char *path;

	path = program_path(s, i);
	if (path == NULL || make_bell(ends) == -1) {
		log_error("service=%s cannot start: %s", i->name,
		    strerror(errno));
		free(path);
		return -1;
	}
	i->pid = start_on(s, i, path, ends[0]);
	if (i->pid == -1) {
		log_error("service=%s cannot start %s: %s (programs: in %s)",
		    i->name, path, strerror(errno), s->site->file);
		i->pid = 0;
		io_close(&ends[1]);
	}
	io_close(&ends[0]);
	free(path);
	i->bell = i->pid == 0 ? -1 : ends[1];
	return i->pid == 0 ? -1 : 0;
}

static void
hang_up(struct instance *i)
{
	if (i->bell != -1)
		io_close(&i->bell);
	i->bell = -1;
}

static void
push(const struct instance *i, int signal_number)
{
	log_warn("service=%s pid=%ld does not end: signal=%d", i->name,
	    (long)i->pid, signal_number);
	if (i->pid > 0)
		kill(i->pid, signal_number);
}

static void act(struct supervisor *s, struct instance *i, unsigned todo);

/* A failed start is told to the service as a death, which never starts
 * anything at once.  It was not up before, whatever the service thinks. */
static void
fail_start(struct supervisor *s, struct instance *i)
{
	unsigned todo;

	todo = service_step(&i->service, SERVICE_DIED, clock_mono_ms());
	i->since = clock_ms();
	status_log(s, i, SERVICE_STARTING);
	act(s, i, todo);
}

static void
act(struct supervisor *s, struct instance *i, unsigned todo)
{
	if (todo & SERVICE_DO_RECOVER && i->queue != NO_QUEUE)
		s->queues[i->queue].needs_recovery = true;
	if (todo & SERVICE_DO_HANG_UP)
		hang_up(i);
	if (todo & SERVICE_DO_TERMINATE)
		push(i, SIGTERM);
	if (todo & SERVICE_DO_KILL)
		push(i, SIGKILL);
	if (!(todo & SERVICE_DO_START))
		return;
	if (start(s, i) == 0)
		process_ring(s, i);
	else
		fail_start(s, i);
}

void
process_event(struct supervisor *s, struct instance *i,
    enum service_event event)
{
	enum service_state was;
	unsigned todo;

	was = i->service.state;
	todo = service_step(&i->service, event, clock_mono_ms());
	if (i->service.state == was) {
		act(s, i, todo);
		return;
	}
	i->since = clock_ms();
	s->is_dirty = true;
	/* A start is logged with its pid, the rest before what follows from
	 * it. */
	if (todo & SERVICE_DO_START) {
		act(s, i, todo);
		if (i->pid != 0)
			status_log(s, i, was);
		return;
	}
	status_log(s, i, was);
	act(s, i, todo);
}

static bool
is_config_trouble(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG;
}

bool
process_reap(struct supervisor *s, pid_t pid, int status)
{
	struct instance *i;
	size_t k;

	for (k = 0; k < s->n_instances; k++) {
		i = &s->instances[k];
		if (i->pid != pid)
			continue;
		/* One that ends while all are to end was not asked to yet,
		 * but is not to come back (a Ctrl-C reaches it too). */
		if (s->phase == PHASE_STOPPING)
			process_event(s, i, SERVICE_DROP);
		hang_up(i);
		i->pid = 0;
		i->has_ended = true;
		i->last_status = status;
		process_event(s, i, is_config_trouble(status) ?
		    SERVICE_DIED_CONFIG : SERVICE_DIED);
		return true;
	}
	return false;
}

/* May a runner of this queue start?  Not before dead owners' claims are
 * back, and the first ones not before the folders are there. */
static bool
is_recovered(const struct supervisor *s, const struct instance *i)
{
	const struct queue *q;

	if (s->makes_folders || i->queue == NO_QUEUE)
		return !s->makes_folders && !chore_is_recovering(s);
	q = &s->queues[i->queue];
	return !q->needs_recovery && !q->is_recovering;
}

void
process_tick(struct supervisor *s)
{
	struct instance *i;
	size_t k;

	for (k = 0; k < s->n_instances; k++) {
		i = &s->instances[k];
		if (i->service.deadline != 0 &&
		    i->service.deadline <= clock_mono_ms())
			process_event(s, i, SERVICE_TIMER);
		if (i->service.state == SERVICE_STARTING && is_recovered(s, i))
			process_event(s, i, SERVICE_RECOVERED);
	}
}

/* One that has closed its end is about to be reaped, or wants no rings. */
void
process_ring(struct supervisor *s, struct instance *i)
{
	(void)s;
	if (i->bell == -1 || i->queue == NO_QUEUE)
		return;
	if (bell_ring(i->bell) == -1)
		log_debug("service=%s ring: %s", i->name, strerror(errno));
}
