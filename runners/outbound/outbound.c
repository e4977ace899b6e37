/* SPDX-License-Identifier: BSD-2-Clause
 *
 * outbound - the loop: bell, entries, connections
 *
 * A turn: take what the servers said; write the results; settle what is
 * finished; claim; hand out and send; wait.  Results are written before
 * anything is sent, so what a kill can cost is what was on the wire.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/exits.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/system/bell.h"
#include "runners/outbound/maildir.h"
#include "runners/outbound/outbound.h"

/* After trouble of this host: before it is tried again. */
#define PAUSE_MS 1000

static void
say_hello_as(const struct site *site, char *out, size_t n)
{
	/* The host's own name, where it is one that others could know. */
	if (gethostname(out, n) == -1 || memchr(out, '\0', n) == NULL
	    || strchr(out, '.') == NULL)
		snprintf(out, n, "%s", site->name);
}

void *
outbound_init(struct runner *r)
{
	const struct site_queue *queue = runner_queue(r);
	struct outbound *o = xcalloc(1, sizeof *o);
	struct sbuf why = {0};
	char helo[256];
	size_t i;

	o->runner = r;
	o->queue = queue;
	o->is_all_claimed = true;
	say_hello_as(runner_site(r), helo, sizeof helo);
	o->helo = xstrdup(helo);
	if (queue->maildir != NULL)
		return o;
	o->relays = xcalloc(queue->n_relays + 1, sizeof *o->relays);
	for (i = 0; i < queue->n_relays; i++) {
		if (relay_init(&o->relays[o->n_relays++], &queue->relays[i],
		    o->helo, &why) == 0)
			continue;
		log_error("queue=%s %s", queue->name, sbuf_str(&why));
		sbuf_free(&why);
		outbound_fini(r, o);
		errno = EINVAL;
		return NULL;
	}
	return o;
}

void
outbound_fini(struct runner *r, void *data)
{
	struct outbound *o = data;
	struct smtp_transaction *t;
	size_t i;

	(void)r;
	for (i = 0; i < o->n_relays; i++)
		relay_free(&o->relays[i]);
	while ((t = o->untried) != NULL) {
		o->untried = t->next;
		smtp_transaction_free(&t);
	}
	for (i = 0; i < o->n_jobs; i++) {
		entry_free(&o->jobs[i]->entry);
		job_free(&o->jobs[i]);
	}
	free(o->relays);
	free(o->fds);
	free(o->polled);
	free(o->helo);
	free(o);
}

/* ---- claiming ------------------------------------------------------- */

static void
pause_for_trouble(struct outbound *o)
{
	o->pause_until = o->now + PAUSE_MS;
}

static void
add_settled(struct outbound *o, struct entry *e)
{
	if (o->n_settled == 0)
		o->settled_since = o->now;
	o->settled[o->n_settled++] = e;
}

static bool
can_claim(const struct outbound *o)
{
	size_t i, kept = 0;

	if (o->is_all_claimed || o->is_ending || o->pause_until != 0
	    || o->n_jobs == OUTBOUND_OPEN_MAX
	    || o->n_settled == OUTBOUND_BATCH_MAX)
		return false;
	for (i = 0; i < o->n_jobs; i++) {
		kept += o->jobs[i]->wire.kept.len;
		if (o->jobs[i]->is_alone)
			return false;
	}
	return kept < OUTBOUND_KEPT_MAX;
}

static void
open_entry(struct outbound *o, struct entry *e)
{
	struct job *j;

	if (job_open(o->runner, e, &j) == -1) {
		log_error("id=%s cannot be opened: %s", entry_id(e),
		    strerror(errno));
		entry_abandon(e, errno);
		pause_for_trouble(o);
		j = NULL;
	}
	if (j == NULL)
		add_settled(o, e);
	else
		o->jobs[o->n_jobs++] = j;
}

static void
claim_entries(struct outbound *o)
{
	unsigned n = 0;
	struct entry *e;

	while (n++ < OUTBOUND_CLAIM_MAX && can_claim(o)) {
		switch (runner_next(o->runner, &e)) {
		case 1:
			open_entry(o, e);
			break;
		case 0:
			o->is_all_claimed = true;
			break;
		default:
			pause_for_trouble(o);
			break;
		}
	}
}

/* ---- settling ------------------------------------------------------- */

/* Put back what is not finished: end of the bell. */
static void
put_back(struct outbound *o, struct job *j)
{
	if (job_put_by(j) == -1)
		log_warn("id=%s results may be lost: %s", entry_id(j->entry),
		    strerror(errno));
	if (spool_release(runner_spool(o->runner), j->entry) == -1)
		log_warn("id=%s cannot be put back: %s", entry_id(j->entry),
		    strerror(errno));
	entry_free(&j->entry);
}

/* true where the job is gone. */
static bool
end_job(struct outbound *o, struct job *j)
{
	/* What is on its way still points to the job. */
	if (j->is_lost && j->open > 0)
		return false;
	if (j->is_lost) {
		log_error("id=%s the claim was taken over", entry_id(
		    j->entry));
		entry_free(&j->entry);
		return true;
	}
	if (!job_is_finished(j)) {
		if (!o->is_ending || j->open > 0)
			return false;
		put_back(o, j);
		return true;
	}
	if (o->n_settled == OUTBOUND_BATCH_MAX || j->trouble != 0)
		return false;
	if (job_settle(j) == -1) {
		log_error("id=%s cannot be settled: %s", entry_id(j->entry),
		    strerror(j->trouble));
		pause_for_trouble(o);
		return false;
	}
	add_settled(o, j->entry);
	return true;
}

static void
end_jobs(struct outbound *o)
{
	size_t i, kept = 0;

	for (i = 0; i < o->n_jobs; i++) {
		struct job *j = o->jobs[i];

		if (end_job(o, j))
			job_free(&j);
		else
			o->jobs[kept++] = j;
	}
	o->n_jobs = kept;
}

static bool
is_batch_due(const struct outbound *o)
{
	return o->n_settled == OUTBOUND_BATCH_MAX
	    || (o->n_settled > 0 && (o->n_jobs == 0
	    || o->now - o->settled_since >= OUTBOUND_BATCH_MS));
}

static void
settle_batch(struct outbound *o)
{
	if (!is_batch_due(o))
		return;
	runner_settle(o->runner, o->settled, o->n_settled);
	o->n_settled = 0;
	runner_status(o->runner, NULL);
	o->status_at = o->now + 1000;
}

/* Append what is new, flush what is a second old. */
static void
write_results(struct outbound *o)
{
	size_t i;

	for (i = 0; i < o->n_jobs; i++) {
		struct job *j = o->jobs[i];

		if (j->is_lost || (j->trouble != 0 && o->pause_until != 0))
			continue;
		if (job_flush(j) == 0 && job_sync(j, false) == 0)
			continue;
		log_error("id=%s results cannot be written: %s",
		    entry_id(j->entry), strerror(errno));
		runner_status(o->runner, "results cannot be written");
		pause_for_trouble(o);
	}
}

/* ---- waiting -------------------------------------------------------- */

static size_t
list_descriptors(struct outbound *o)
{
	size_t i, k, n = 1;

	for (i = 0; i < o->n_relays; i++)
		n += o->relays[i].n;
	if (n > o->fds_cap) {
		o->fds_cap = n + 16;
		o->fds = xreallocarray(o->fds, o->fds_cap, sizeof *o->fds);
		o->polled = xreallocarray(o->polled, o->fds_cap,
		    sizeof(struct connection *));
	}
	o->fds[0] = (struct pollfd){.fd = runner_bell(o->runner),
		.events = POLLIN};
	if (o->is_bell_over)
		o->fds[0].fd = -1;
	n = 1;
	for (i = 0; i < o->n_relays; i++) {
		for (k = 0; k < o->relays[i].n; k++) {
			struct connection *c = o->relays[i].connections[k];

			o->polled[n] = c;
			o->fds[n++] = (struct pollfd){.fd = c->fd,
				.events = connection_events(c)};
		}
	}
	return n;
}

static void
sooner(int64_t *when, int64_t other)
{
	if (other < *when)
		*when = other;
}

/* Is there something to be done for it that waits for nobody? */
static bool
can_go_on(const struct outbound *o, const struct job *j)
{
	if (j->trouble != 0)
		return false;
	if (job_is_finished(j) || (j->lines.len > 0 && !j->is_lost))
		return true;
	return o->queue->maildir != NULL && !o->is_ending
	    && outbound_has_work(o, j);
}

/* When the loop has to turn though nothing was said; INT64_MAX: never. */
static int64_t
next_turn(const struct outbound *o, size_t n)
{
	int64_t when = INT64_MAX;
	size_t i;

	for (i = 1; i < n; i++) {
		if (connection_is_closed(o->polled[i])
		    || o->polled[i]->smtp.ended != NULL)
			return o->now;
		sooner(&when, connection_deadline(o->polled[i]));
	}
	for (i = 0; i < o->n_jobs; i++) {
		const struct job *j = o->jobs[i];

		if (can_go_on(o, j))
			return o->now;
		if (j->dirty_since != 0)
			sooner(&when, j->dirty_since + 1000);
	}
	if (can_claim(o))
		return o->now;
	if (o->n_settled > 0)
		sooner(&when, o->settled_since + OUTBOUND_BATCH_MS);
	if (o->pause_until != 0)
		sooner(&when, o->pause_until);
	if (o->status_at != 0)
		sooner(&when, o->status_at);
	if (o->is_ending)
		sooner(&when, o->end_at);
	return when;
}

static void
answer_bell(struct outbound *o)
{
	switch (bell_wait(runner_bell(o->runner), 0)) {
	case BELL_RING:
		runner_look_again(o->runner);
		o->is_all_claimed = false;
		break;
	case BELL_END:
		o->is_bell_over = true;
		o->is_ending = !runner_is_drain(o->runner);
		o->end_at = o->now + OUTBOUND_END_MS;
		if (o->is_ending)
			outbound_cut_untried(o);
		break;
	case BELL_TIMEOUT:
		break;
	}
}

static void
wait_for_news(struct outbound *o)
{
	size_t i, n = list_descriptors(o);
	int64_t when = next_turn(o, n), left = when - o->now;
	int timeout = when == INT64_MAX ? -1 : left < 0 ? 0
	    : left > 60 * 1000 ? 60 * 1000 : (int)left;

	if (poll(o->fds, n, timeout) == -1 && errno != EINTR)
		log_error("poll: %s", strerror(errno));
	o->now = clock_mono_ms();
	for (i = 1; i < n; i++) {
		if (o->fds[i].revents != 0)
			connection_ready(o->polled[i], o->fds[i].revents);
		else if (o->now >= connection_deadline(o->polled[i]))
			connection_expire(o->polled[i]);
	}
	if (o->fds[0].revents != 0)
		answer_bell(o);
	if (o->pause_until != 0 && o->now >= o->pause_until) {
		o->pause_until = 0;
		o->is_all_claimed = false;
		runner_look_again(o->runner);
	}
	if (o->status_at != 0 && o->now >= o->status_at) {
		o->status_at = 0;
		runner_status(o->runner, NULL);
	}
}

/* ---- the loop ------------------------------------------------------- */

static void
fill_maildirs(struct outbound *o)
{
	size_t i;

	for (i = 0; i < o->n_jobs && !o->is_ending; i++) {
		if (!outbound_has_work(o, o->jobs[i]))
			continue;
		if (entry_is_ours(o->jobs[i]->entry) == 1) {
			maildir_work(o->jobs[i], o->queue->maildir);
			return;
		}
		o->jobs[i]->is_lost = true;
		job_stop(o->jobs[i], "the claim was taken over");
	}
}

static bool
is_over(const struct outbound *o)
{
	if (!o->is_bell_over)
		return false;
	if (o->is_ending && o->now >= o->end_at)
		return true;
	return o->n_jobs == 0 && o->n_settled == 0
	    && (o->is_ending || o->is_all_claimed);
}

/* Time is up: what is on the wire now may come twice. */
static void
leave(struct outbound *o)
{
	size_t i, k;

	for (i = 0; i < o->n_relays; i++) {
		for (k = 0; k < o->relays[i].n; k++) {
			smtp_quit(&o->relays[i].connections[k]->smtp);
			connection_send(o->relays[i].connections[k]);
		}
	}
	for (i = 0; i < o->n_jobs; i++) {
		if (!o->jobs[i]->is_lost)
			put_back(o, o->jobs[i]);
	}
	if (o->n_settled > 0)
		runner_settle(o->runner, o->settled, o->n_settled);
	o->n_settled = 0;
}

int
outbound_serve(struct runner *r)
{
	struct outbound *o = runner_data(r);

	if (o->queue->maildir == NULL && o->n_relays == 0) {
		log_error("queue=%s has neither smtp: nor maildir: in %s",
		    o->queue->name, runner_site(r)->file);
		return EXIT_CONFIG;
	}
	o->now = clock_mono_ms();
	while (!is_over(o)) {
		outbound_collect(o);
		write_results(o);
		end_jobs(o);
		settle_batch(o);
		claim_entries(o);
		if (o->queue->maildir != NULL)
			fill_maildirs(o);
		else
			outbound_dispatch(o);
		if (!is_over(o))
			wait_for_news(o);
	}
	leave(o);
	return EXIT_OK;
}
