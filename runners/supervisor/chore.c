/* SPDX-License-Identifier: BSD-2-Clause
 *
 * chore - work that the supervisor leaves to a forked child
 *
 * Recovery, sweeping and the check of a new site file read what others wrote,
 * may take long and may run out of memory; none of that may hold up or end the
 * process that everything hangs on.  The child needs no exec: it works with the
 * site that is loaded, whatever has become of the file.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/exits.h"
#include "common/base/log.h"
#include "common/process/privilege.h"
#include "common/spool/journal.h"
#include "common/spool/recover.h"
#include "common/spool/spool.h"
#include "common/system/sigfd.h"
#include "runners/supervisor/supervisor.h"

/* Drafts and parts without an envelope that are younger may be somebody's. */
#define SWEEP_AGE_MS (36 * INT64_C(3600000))
#define SWEEP_EVERY_MS (24 * INT64_C(3600000))
#define FORK_RETRY_MS 1000

/* ---- in the child ----------------------------------------------------- */

/* What a chore makes must belong to the user that the runners run as. */
static int
become_user(const struct site *site)
{
	const char *what;

	what = "";
	if (privilege_drop(site, &what) == 0)
		return 0;
	log_error("user: %s: %s", what, strerror(errno));
	return -1;
}

static const char *
stage_at(void *ctx, const char *queue)
{
	return site_stage(ctx, queue);
}

static bool
reaches(void *ctx, const char *from, const char *to)
{
	return site_reaches(ctx, from, to);
}

static struct spool *
open_spool(struct site *site)
{
	static const enum spool_flush flushes[] = {
		[SITE_FLUSH_AUTO] = SPOOL_FLUSH_AUTO,
		[SITE_FLUSH_SYNCFS] = SPOOL_FLUSH_SYNCFS,
		[SITE_FLUSH_FSYNC] = SPOOL_FLUSH_FSYNC};
	struct spool_config config = {.path = site->spool, .run = site->run,
		.host = site->host, .flush = flushes[site->flush],
		.stage = stage_at, .reaches = reaches, .ctx = site};
	struct spool *spool;

	spool = spool_open(&config);
	if (spool == NULL)
		log_error("%s: %s", site->spool, strerror(errno));
	return spool;
}

static void
collect_queues(const struct supervisor *s, struct strv *queues)
{
	size_t i;

	for (i = 0; i < s->n_queues; i++)
		strv_add(queues, s->queues[i].name);
}

static int
make_folders(const struct supervisor *s)
{
	struct strv queues = {0};
	int result;

	collect_queues(s, &queues);
	result = spool_make(s->site->spool, &queues);
	if (result == -1)
		log_error("%s: cannot make the queues' folders: %s",
		    s->site->spool, strerror(errno));
	strv_free(&queues);
	return result;
}

static void
say_entry(void *ctx, const char *id, const char *what)
{
	const char *queue = ctx;

	log_info("id=%s queue=%s recovered=%s", id, queue, what);
}

static int
recover_one(struct spool *spool, struct queue *q)
{
	struct recover_count count = {0};

	if (recover_queue(spool, q->name, say_entry, q->name, &count) == -1) {
		log_error("queue=%s recovery: %s", q->name, strerror(errno));
		return -1;
	}
	if (count.returned + count.finished + count.voided + count.buried > 0)
		log_info("queue=%s returned=%lu finished=%lu voided=%lu "
		    "buried=%lu", q->name, count.returned, count.finished,
		    count.voided, count.buried);
	if (count.failed == 0)
		return 0;
	log_error("queue=%s recovery: failed=%lu: %s", q->name, count.failed,
	    strerror(count.error));
	return -1;
}

static int
recover_all(const struct supervisor *s)
{
	struct spool *spool;
	int result;
	size_t i;

	if (become_user(s->site) == -1)
		return EXIT_CONFIG;
	if (s->makes_folders && make_folders(s) == -1)
		return EXIT_TEMPORARY;
	spool = open_spool(s->site);
	if (spool == NULL)
		return EXIT_TEMPORARY;
	result = EXIT_OK;
	for (i = 0; i < s->n_queues; i++) {
		if (s->queues[i].is_recovering &&
		    recover_one(spool, &s->queues[i]) == -1)
			result = EXIT_TEMPORARY;
	}
	spool_close(&spool);
	return result;
}

static int
sweep_spool(const struct supervisor *s, struct spool *spool)
{
	struct recover_count count = {0};
	struct strv queues = {0};
	int journal, result;

	collect_queues(s, &queues);
	result = recover_sweep(spool, &queues, SWEEP_AGE_MS, &count);
	if (result == -1 && errno == ENOTSUP)
		log_warn("sweep: %s has a folder that is no queue of the site "
		    "file: no parts were swept", s->site->spool);
	else if (result == -1)
		log_error("sweep: %s", strerror(errno));
	if (count.swept > 0 || count.failed > 0)
		log_info("sweep: swept=%lu failed=%lu", count.swept,
		    count.failed);
	strv_free(&queues);
	journal = openat(spool_dir(spool), "journal",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (journal == -1 || journal_prune(journal, s->site->keep) == -1) {
		log_error("journal: %s", strerror(errno));
		result = -1;
	}
	if (journal != -1)
		close(journal);
	return result;
}

static int
sweep_all(const struct supervisor *s)
{
	struct spool *spool;
	int result;

	if (become_user(s->site) == -1)
		return EXIT_CONFIG;
	spool = open_spool(s->site);
	if (spool == NULL)
		return EXIT_TEMPORARY;
	result = sweep_spool(s, spool);
	spool_close(&spool);
	return result == -1 ? EXIT_TEMPORARY : EXIT_OK;
}

static int
check_site(const struct supervisor *s)
{
	struct conf_errors errors = {0};
	struct site *site;
	size_t i;
	int code;

	site = site_load(s->site->file, &errors);
	for (i = 0; i < errors.lines.n; i++)
		log_error("%s", errors.lines.items[i]);
	conf_errors_free(&errors);
	if (site == NULL)
		return EXIT_CONFIG;
	code = ready_look(site);
	site_free(&site);
	return code;
}

static int
look_at_site(const struct supervisor *s)
{
	return ready_look(s->site);
}

/* ---- in the supervisor ------------------------------------------------ */

/* The child drops every descriptor but stderr: the bells above all, since a
 * runner hears of our death only where nobody else holds its bell, and the
 * lock, which would outlive us. */
static pid_t
start_child(const struct supervisor *s, int (*work)(const struct supervisor *s))
{
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		close_range(STDERR_FILENO + 1, ~0U, 0);
		sigfd_child_reset();
		/* Ctrl-C at the terminal is the supervisor's. */
		signal(SIGINT, SIG_IGN);
		_exit(work(s));
	}
	if (pid == -1)
		log_error("fork: %s", strerror(errno));
	return pid;
}

static int
start(struct supervisor *s, struct chore *chore,
    int (*work)(const struct supervisor *s))
{
	pid_t pid;

	pid = start_child(s, work);
	if (pid == -1) {
		chore->not_before = clock_mono_ms() + FORK_RETRY_MS;
		return -1;
	}
	chore->not_before = 0;
	chore->pid = pid;
	return 0;
}

static bool
wants_recovery(const struct supervisor *s)
{
	size_t i;

	for (i = 0; i < s->n_queues; i++) {
		if (s->queues[i].needs_recovery)
			return true;
	}
	return s->makes_folders;
}

bool
chore_is_recovering(const struct supervisor *s)
{
	return s->recovery.pid != 0 || wants_recovery(s);
}

static void
start_recovery(struct supervisor *s)
{
	struct queue *q;
	size_t i;
	int result;

	for (i = 0; i < s->n_queues; i++)
		s->queues[i].is_recovering = s->queues[i].needs_recovery;
	result = start(s, &s->recovery, recover_all);
	if (result == 0)
		s->makes_folders = false;
	for (i = 0; i < s->n_queues; i++) {
		q = &s->queues[i];
		if (result == 0)
			q->needs_recovery = false;
		else
			q->is_recovering = false;
	}
}

static void
start_sweep(struct supervisor *s)
{
	if (start(s, &s->sweep, sweep_all) == -1)
		return;
	s->is_sweep_due = false;
	s->last_sweep = clock_mono_ms();
}

/* A sweep must not meet staged files of a decision that recovery is about to
 * finish: it makes way, and comes again afterwards. */
void
chore_tick(struct supervisor *s)
{
	const int64_t now = clock_mono_ms();

	if (now - s->last_sweep >= SWEEP_EVERY_MS)
		s->is_sweep_due = true;
	if (s->recovery.pid != 0)
		return;
	if (wants_recovery(s)) {
		if (s->sweep.pid != 0)
			kill(s->sweep.pid, SIGTERM);
		else if (s->recovery.not_before <= now)
			start_recovery(s);
		return;
	}
	if (s->is_sweep_due && s->sweep.pid == 0 &&
	    s->phase == PHASE_RUNNING && s->sweep.not_before <= now)
		start_sweep(s);
}

/* What comes back from recovery was put there by a rename of ours, which is
 * seen like any other; the ring is for the queue whose watch has failed. */
static void
recovered(struct supervisor *s, int status)
{
	char ended[STATUS_EXIT_SIZE];
	size_t i;

	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_OK) {
		status_exit(status, ended);
		log_error("recovery did not finish: exit=%s", ended);
	}
	for (i = 0; i < s->n_queues; i++) {
		if (s->queues[i].is_recovering)
			bells_ring(&s->bells, i);
		s->queues[i].is_recovering = false;
	}
	ring_watch(s);
}

bool
chore_reap(struct supervisor *s, pid_t pid, int status)
{
	if (pid == s->recovery.pid) {
		s->recovery.pid = 0;
		recovered(s, status);
	} else if (pid == s->sweep.pid) {
		s->sweep.pid = 0;
		if (WIFSIGNALED(status))
			s->last_sweep -= SWEEP_EVERY_MS;
	} else if (pid == s->check.pid) {
		s->check.pid = 0;
		supervisor_checked(s,
		    WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK);
	} else {
		return false;
	}
	return true;
}

void
chore_drop(struct supervisor *s)
{
	s->is_sweep_due = false;
	if (s->sweep.pid != 0)
		kill(s->sweep.pid, SIGTERM);
	if (s->check.pid != 0)
		kill(s->check.pid, SIGTERM);
}

int
chore_check(struct supervisor *s)
{
	return start(s, &s->check, check_site);
}

int
chore_look(const struct supervisor *s)
{
	int status;
	pid_t pid;

	pid = start_child(s, look_at_site);
	if (pid == -1)
		return EXIT_TEMPORARY;
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return EXIT_TEMPORARY;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_TEMPORARY;
}
