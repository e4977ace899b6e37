/* SPDX-License-Identifier: BSD-2-Clause
 *
 * supervisor - the loop and the phases
 *
 * STARTING until every instance had its first start, then RUNNING; a SIGHUP
 * leads over CHECKING (a child reads the site file) and RELOADING (one queue
 * after another starts anew) back to RUNNING; SIGTERM leads to STOPPING from
 * anywhere.
 */
#include "runners/supervisor/supervisor.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/exits.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/process/options.h"
#include "common/process/privilege.h"
#include "common/system/fsutil.h"
#include "common/system/lock.h"
#include "common/system/sigfd.h"

#define PROGRAM "septet-supervisor"
#define RUN_MODE 02770

/* ---- reload ----------------------------------------------------------- */

static void
keep_config(struct supervisor *s, const char *why)
{
	log_error("%s: %s; the config of before stays", s->site->file, why);
	status_phase(s, PHASE_RUNNING);
}

static bool
is_same_tree(const struct site *a, const struct site *b)
{
	return strcmp(a->spool, b->spool) == 0 &&
	    strcmp(a->run, b->run) == 0 && strcmp(a->host, b->host) == 0;
}

static void
set_up_log(const struct supervisor *s)
{
	enum log_level level;

	level = s->site->log_level;
	if (s->options.log_level != NULL)
		(void)log_level_parse(s->options.log_level, &level);
	log_setup(PROGRAM, level);
	if (status_open_log(s->site) == -1)
		log_error("log %s: %s", s->site->log, strerror(errno));
}

static void
take_over(struct supervisor *s, struct site *site)
{
	if (!is_same_tree(site, s->site)) {
		keep_config(s, "spool, run and host change with a restart only");
		site_free(&site);
		return;
	}
	if (fleet_apply(s, site) == -1) {
		keep_config(s, strerror(errno));
		site_free(&site);
		return;
	}
	site_free(&s->site);
	s->site = site;
	set_up_log(s);
	status_reserve(s);
	status_phase(s, PHASE_RELOADING);
	ring_watch(s);
	fleet_begin(s);
}

void
supervisor_checked(struct supervisor *s, bool is_good)
{
	struct conf_errors errors = {0};
	struct site *site;

	if (s->phase != PHASE_CHECKING)
		return;
	if (!is_good) {
		keep_config(s, "not taken over");
		return;
	}
	site = site_load(s->site->file, &errors);
	conf_errors_free(&errors);
	if (site == NULL)
		keep_config(s, "changed while it was read");
	else
		take_over(s, site);
}

static void
reload(struct supervisor *s)
{
	if (s->phase == PHASE_STOPPING)
		return;
	if (status_open_log(s->site) == -1)
		log_error("log %s: %s", s->site->log, strerror(errno));
	s->is_again = s->phase != PHASE_RUNNING;
	if (s->is_again)
		return;
	status_phase(s, PHASE_CHECKING);
	if (chore_check(s) == -1)
		keep_config(s, "cannot be checked now");
}

/* ---- phases ----------------------------------------------------------- */

/* One queue at a time: the others work on meanwhile. */
static void
settle(struct supervisor *s)
{
	do {
		if (chore_is_recovering(s) || fleet_is_moving(s))
			return;
	} while (fleet_renew_next(s));
	fleet_prune(s);
	status_phase(s, PHASE_RUNNING);
}

static void
begin_stop(struct supervisor *s)
{
	if (s->phase == PHASE_STOPPING) {
		s->is_hurried = true;
		return;
	}
	status_phase(s, PHASE_STOPPING);
	chore_drop(s);
}

static void
phase_tick(struct supervisor *s)
{
	if (s->phase == PHASE_STARTING || s->phase == PHASE_RELOADING)
		settle(s);
	if (s->phase == PHASE_RUNNING && s->is_again)
		reload(s);
	if (s->phase != PHASE_STOPPING || fleet_stop_next(s))
		return;
	if (!chore_is_recovering(s) && s->sweep.pid == 0 && s->check.pid == 0)
		status_phase(s, PHASE_STOPPED);
}

/* ---- the loop --------------------------------------------------------- */

static void
reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!process_reap(s, pid, status))
			(void)chore_reap(s, pid, status);
	}
}

static void
take_signals(struct supervisor *s)
{
	int signal_number;

	while ((signal_number = sigfd_next(s->signals)) > 0) {
		if (signal_number == SIGCHLD)
			reap(s);
		else if (signal_number == SIGHUP)
			reload(s);
		else
			begin_stop(s);
	}
}

static int64_t
sooner(int64_t wait, int64_t when, int64_t now)
{
	int64_t left;

	if (when == 0)
		return wait;
	left = when > now ? when - now : 0;
	return left < wait ? left : wait;
}

/* ms for poll(2); -1: until something happens. */
static int
wait_ms(const struct supervisor *s)
{
	int64_t now, wait;
	size_t k;

	now = clock_mono_ms();
	wait = bells_wait(&s->bells, now, clock_ms());
	for (k = 0; k < s->n_instances; k++)
		wait = sooner(wait, s->instances[k].service.deadline, now);
	wait = sooner(wait, s->recovery.not_before, now);
	if (wait == BELLS_NEVER)
		return -1;
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

/* A pass that changed something may be the reason for another change. */
static void
pass(struct supervisor *s)
{
	bool is_changed;

	do {
		chore_tick(s);
		process_tick(s);
		phase_tick(s);
		ring_tick(s);
		is_changed = s->is_dirty;
		if (is_changed)
			status_write(s);
	} while (s->phase != PHASE_STOPPED && (is_changed || wait_ms(s) == 0));
}

static int
run(struct supervisor *s)
{
	struct pollfd fds[2];
	int n;

	s->is_dirty = true;
	status_write(s);
	for (;;) {
		pass(s);
		if (s->phase == PHASE_STOPPED)
			return EXIT_OK;
		fds[0] = (struct pollfd){.fd = s->signals, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = watch_fd(&s->watcher),
			.events = POLLIN};
		n = poll(fds, 2, wait_ms(s));
		if (n == -1 && errno != EINTR)
			log_error("poll: %s", strerror(errno));
		if (n > 0 && fds[0].revents != 0)
			take_signals(s);
		if (n > 0 && fds[1].revents != 0)
			ring_seen(s);
	}
}

/* ---- start ------------------------------------------------------------ */

/* The folder of locks lies in a place that only root may write to; its user
 * is to be the runners'. */
static int
make_run_folder(const struct site *site, const struct privilege *to)
{
	if (fs_mkdirs(AT_FDCWD, site->run, RUN_MODE) == -1)
		return -1;
	return to == NULL ? 0 : chown(site->run, to->uid, to->gid);
}

/* 0, or an exit code after saying why. */
static int
take_run_folder(const struct site *site)
{
	struct privilege to;
	struct sbuf why = {0};
	int found, code;

	found = privilege_find(site, &to, &why);
	if (found == -1) {
		code = errno == ENOENT ? EXIT_CONFIG : EXIT_TEMPORARY;
		log_error("%s", why.data);
		sbuf_free(&why);
		return code;
	}
	if (make_run_folder(site, found == 1 ? &to : NULL) == 0)
		return 0;
	log_error("run %s: %s", site->run, strerror(errno));
	return EXIT_CONFIG;
}

/* Open SPOOL and take its lock: 0, or an exit code after saying why. */
static int
take_tree(struct supervisor *s)
{
	pid_t holder;

	s->spool = io_openat(AT_FDCWD, s->site->spool, O_RDONLY | O_DIRECTORY,
	    0);
	if (s->spool == -1) {
		log_error("spool %s: %s; septet init makes one", s->site->spool,
		    strerror(errno));
		return EXIT_CONFIG;
	}
	if (lock_take(s->spool, SUPERVISOR_LOCK, &holder) == -1) {
		if (errno == EWOULDBLOCK)
			log_error("spool %s: a supervisor runs here already: "
			    "pid=%ld", s->site->spool, (long)holder);
		else
			log_error("%s/%s: %s", s->site->spool, SUPERVISOR_LOCK,
			    strerror(errno));
		return EXIT_REFUSED;
	}
	return take_run_folder(s->site);
}

static int
open_all(struct supervisor *s)
{
	static const int signals[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, 0};
	int code;

	code = take_tree(s);
	if (code == 0)
		code = chore_look(s);
	if (code != 0)
		return code;
	if (status_open_log(s->site) == -1) {
		log_error("log %s: %s", s->site->log, strerror(errno));
		return EXIT_CONFIG;
	}
	signal(SIGPIPE, SIG_IGN);
	s->signals = sigfd_open(signals);
	if (s->signals == -1 || fleet_apply(s, s->site) == -1) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_TEMPORARY;
	}
	ring_open(s);
	status_reserve(s);
	return 0;
}

int
supervisor_main(const struct supervisor_options *options)
{
	const struct options shared = {.site = options->site,
		.log_level = options->log_level};
	struct supervisor s = {.options = *options, .spool = -1, .signals = -1,
		.watcher = {.fd = -1}, .is_sweep_due = true};
	int code;

	s.site = options_site(&shared, PROGRAM);
	s.since = clock_ms();
	s.last_sweep = clock_mono_ms();
	umask(0007);
	code = open_all(&s);
	if (code == 0) {
		log_info("supervisor state=starting pid=%ld spool=%s",
		    (long)getpid(), s.site->spool);
		if (geteuid() == 0 && s.site->user == NULL)
			log_warn("the runners run as root: there is no user: "
			    "in %s", s.site->file);
		fleet_begin(&s);
		code = run(&s);
	}
	watch_close(&s.watcher);
	fleet_free(&s);
	sbuf_free(&s.status);
	site_free(&s.site);
	return code;
}
