/* SPDX-License-Identifier: BSD-2-Clause
 *
 * runner - the process around a stage: start, bell, claim loop, end
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/exits.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/process/options.h"
#include "common/process/privilege.h"
#include "common/process/runner_private.h"
#include "common/system/bell.h"

/* Trouble of this host: wait this long before looking again, then twice it. */
#define PAUSE_MIN 1000
#define PAUSE_MAX 30000

static const char *
stage_of(void *ctx, const char *queue)
{
	return site_stage(ctx, queue);
}

static bool
reaches(void *ctx, const char *from, const char *to)
{
	return site_reaches(ctx, from, to);
}

/* A failure at start: the supervisor tries again later. */
static void
die(const char *what)
{
	log_error("cannot start: %s: %s", what, strerror(errno));
	exit(EXIT_TEMPORARY);
}

static void
open_spool(struct runner *r)
{
	struct spool_config config = {.path = r->site->spool,
		.run = r->site->run, .host = r->site->host,
		.flush = (enum spool_flush)r->site->flush, .stage = stage_of,
		.reaches = reaches, .ctx = r->site};

	r->spool = spool_open(&config);
	if (r->spool == NULL)
		die(r->site->spool);
	if (spool_own(r->spool, r->queue->name, r->instance) == -1)
		die(r->queue->name);
}

static void
start(struct runner *r, const struct options *o)
{
	const char *what = NULL;

	r->queue = site_queue(r->site,
	    o->queue != NULL ? o->queue : r->def->name);
	if (r->queue == NULL) {
		log_error("no queue %s in %s: see queues:",
		    o->queue != NULL ? o->queue : r->def->name, r->site->file);
		exit(EXIT_CONFIG);
	}
	if (strcmp(r->queue->runner, r->def->name) != 0) {
		log_error("queue %s is run by %s, not by %s (%s)",
		    r->queue->name, r->queue->runner, r->def->name,
		    r->site->file);
		exit(EXIT_CONFIG);
	}
	if (privilege_drop(r->site, &what) == -1)
		die(what);
	if (o->instance != NULL)
		sbuf_set(&r->instance_name, o->instance);
	else
		sbuf_printf(&r->instance_name, "%s1", r->queue->name);
	r->instance = r->instance_name.data;
	open_spool(r);
	r->lists = lists_open(r->site);
	if (r->lists == NULL)
		die(r->site->lists);
	if (r->def->init != NULL) {
		r->data = r->def->init(r);
		if (r->data == NULL)
			die(r->def->name);
	}
	r->started = clock_ms();
	r->is_changed = true;
	runner_publish(r);
}

static void
end(struct runner *r)
{
	runner_publish(r);
	if (r->def->fini != NULL)
		r->def->fini(r, r->data);
	runner_look_again(r);
	lists_close(&r->lists);
	spool_close(&r->spool);
	site_free(&r->site);
	sbuf_free(&r->instance_name);
	sbuf_free(&r->last_error);
	strv_free(&r->warned);
}

void
runner_leave(struct runner *r, int code)
{
	/* No clean-up: what is claimed is recovered from outside.  But what is
	 * in nobody's way is not to be taken for a crash's cause. */
	runner_put_back_suspect(r);
	runner_publish(r);
	exit(code);
}

/* Let a pause go by, or the end of the bell: true where it ended.  Rings are
 * taken meanwhile (putting an entry back rings too) and answered after it. */
static bool
pause_for_trouble(struct runner *r)
{
	int64_t until, left;

	r->pause = r->pause == 0 ? PAUSE_MIN :
	    r->pause * 2 > PAUSE_MAX ? PAUSE_MAX : r->pause * 2;
	until = clock_mono_ms() + r->pause;
	while ((left = until - clock_mono_ms()) > 0) {
		if (bell_wait(STDIN_FILENO, (int)left) == BELL_END)
			return true;
	}
	return false;
}

/* May it be about this one entry: a bad sector, a part or a store that is no
 * such?  Where that is so twice running, nobody else has to wait for it. */
static bool
is_entry_trouble(int error)
{
	return error == EIO || error == EUCLEAN || error == EBADMSG ||
	    error == EPROTO || error == EINVAL || error == ELOOP;
}

static void
handle_one(struct runner *r, struct entry *e)
{
	int saved;

	if (r->def->handle(r, e) == 0)
		return;
	saved = errno;
	/* A child's ID that would be too long is the entry's trouble, not the
	 * host's: it is buried. */
	if (errno == ENAMETOOLONG) {
		entry_abandon(e, errno);
	} else if (is_entry_trouble(errno) &&
	    strcmp(r->troubled, entry_id(e)) == 0) {
		entry_start_over(e);
		errno = saved;
		runner_defer_error(r, e, "trouble");
	} else {
		/* Logged when it is put back, and the first to come again. */
		r->is_troubled = true;
		snprintf(r->troubled, sizeof(r->troubled), "%s", entry_id(e));
		entry_abandon(e, saved);
	}
}

/* Claim up to a batch, handle and settle it: entries settled, 0 none was
 * waiting, -1 trouble. */
static int
one_batch(struct runner *r)
{
	unsigned max = r->queue->batch == 0 ? 1 : r->queue->batch;
	struct entry **batch, *e;
	size_t n = 0;
	int got = 0;

	batch = xcalloc(max, sizeof(struct entry *));
	while (n < max && !r->is_troubled) {
		e = r->suspect;
		r->suspect = NULL;
		if (e == NULL && (got = runner_next(r, &e)) != 1)
			break;
		/* What may crash us is handled when nobody else's work is in
		 * our hands, and alone. */
		if (entry_is_suspect(e) && n > 0) {
			r->suspect = e;
			break;
		}
		handle_one(r, e);
		batch[n++] = e;
		if (entry_is_suspect(e))
			break;
	}
	if (n > 0)
		(void)runner_settle(r, batch, n); /* is_troubled says it */
	free(batch);
	return r->is_troubled || got == -1 ? -1 : (int)n;
}

/* Begin to look through the queue: 0, or -1 trouble. */
static int
look(struct runner *r)
{
	runner_look_again(r);
	r->is_troubled = false;
	r->is_error_new = false;
	if (r->def->look == NULL || r->def->look(r) == 0)
		return 0;
	runner_trouble(r, "look", errno);
	return -1;
}

/* Handle what is there: false where the bell ended or trouble came. */
static bool
drain(struct runner *r, bool *is_ended)
{
	enum bell bell;
	int n;

	if (look(r) == -1)
		return false;
	while ((n = one_batch(r)) > 0) {
		runner_status(r, NULL);
		r->pause = 0;
		bell = bell_wait(STDIN_FILENO, 0);
		if (bell == BELL_RING)
			r->is_rung = true;
		if (bell == BELL_END) {
			*is_ended = true;
			return false;
		}
	}
	if (n == 0)
		r->pause = 0;
	return n == 0;
}

void
runner_put_back_suspect(struct runner *r)
{
	if (r->suspect == NULL)
		return;
	if (spool_release(r->spool, r->suspect) == -1)
		log_warn("id=%s cannot be put back: %s",
		    entry_id(r->suspect), strerror(errno));
	entry_free(&r->suspect);
}

static int
serve(struct runner *r)
{
	bool is_ended = false;

	while (!is_ended) {
		if (!r->is_rung &&
		    bell_wait(STDIN_FILENO, -1) == BELL_END)
			break;
		r->is_rung = false;
		if (!drain(r, &is_ended) && !is_ended) {
			is_ended = pause_for_trouble(r);
			r->is_rung = true;
		}
		runner_publish(r);
	}
	runner_put_back_suspect(r);
	return EXIT_OK;
}

/* --drain: until a look finds nothing more. */
static int
drain_once(struct runner *r)
{
	unsigned long before;
	int n;

	do {
		before = r->settled;
		n = look(r);
		while (n != -1 && (n = one_batch(r)) > 0)
			;
	} while (n == 0 && r->settled != before);
	runner_put_back_suspect(r);
	return n == -1 ? EXIT_TEMPORARY : EXIT_OK;
}

/* A runner with a loop of its own gets a bell that rang once and ended. */
static void
bell_for_drain(void)
{
	int ends[2];

	if (pipe(ends) == -1 || write(ends[1], "\n", 1) != 1 ||
	    dup2(ends[0], STDIN_FILENO) == -1)
		die("pipe");
	close(ends[0]);
	close(ends[1]);
}

int
runner_main(int argc, char **argv, const struct runner_def *def)
{
	struct runner r = {.def = def};
	char program[64];
	struct options o;
	int code;

	snprintf(program, sizeof(program), "septet-%s", def->name);
	if (options_parse(argc, argv, def->usage, &o) != argc) {
		fprintf(stderr, "%s: no arguments are taken; see --help\n",
		    program);
		return EXIT_USAGE;
	}
	r.site = options_site(&o, program);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("signal");
	/* Ctrl-C at the supervisor's terminal is the supervisor's. */
	if (!o.is_drain && signal(SIGINT, SIG_IGN) == SIG_ERR)
		die("signal");
	r.is_drain = o.is_drain;
	start(&r, &o);
	if (def->serve != NULL) {
		if (o.is_drain)
			bell_for_drain();
		code = def->serve(&r);
	} else {
		code = o.is_drain ? drain_once(&r) : serve(&r);
	}
	end(&r);
	return code;
}
