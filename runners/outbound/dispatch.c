/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dispatch - who takes which transaction, on which connection
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "runners/outbound/outbound.h"

/* ---- what has ended ------------------------------------------------- */

/* The bell has ended, or the claim is lost: somebody else will try. */
static void
cut(struct smtp_transaction *t)
{
	struct job *j = t->owner;

	j->open--;
	j->is_cut = true;
	smtp_transaction_free(&t);
}

void
outbound_cut_untried(struct outbound *o)
{
	struct smtp_transaction *t;

	while ((t = o->untried) != NULL) {
		o->untried = t->next;
		cut(t);
	}
}

static void
give_back(struct outbound *o, const char *relay, struct smtp_transaction *t,
    const char *why)
{
	struct smtp_transaction **last = &o->untried;

	if (o->is_ending || ((struct job *)t->owner)->is_lost) {
		cut(t);
		return;
	}
	if (++t->tries < OUTBOUND_TRIES) {
		while (*last != NULL)
			last = &(*last)->next;
		t->next = NULL;
		*last = t;
		return;
	}
	free(t->reply);
	t->reply = xstrdup(why);
	job_take(t->owner, relay, &t);
}

static void
collect_connection(struct outbound *o, struct relay *r, struct connection *c)
{
	const char *relay = r->config->name;
	struct smtp_transaction *t;

	while ((t = smtp_ended(&c->smtp)) != NULL) {
		if (t->is_untried)
			give_back(o, relay, t, sbuf_str(&c->smtp.error));
		else
			job_take(t->owner, relay, &t);
	}
}

/* A relay that has come to fail is said once. */
static void
say_relay_error(struct outbound *o, struct relay *r)
{
	struct sbuf text = {0};

	if (!r->is_new_error)
		return;
	r->is_new_error = false;
	sbuf_printf(&text, "relay=%s host=%s alarm: %s", r->config->name,
	    r->config->host, sbuf_str(&r->error));
	log_warn("queue=%s %s", o->queue->name, sbuf_str(&text));
	runner_status(o->runner, sbuf_str(&text));
	o->status_at = o->now + 1000;
	sbuf_free(&text);
}

void
outbound_collect(struct outbound *o)
{
	size_t i, k;

	for (i = 0; i < o->n_relays; i++) {
		struct relay *r = &o->relays[i];

		for (k = r->n; k > 0; k--) {
			struct connection *c = r->connections[k - 1];

			collect_connection(o, r, c);
			if (connection_is_closed(c))
				relay_reap(r, k - 1, o->now);
		}
		say_relay_error(o, r);
	}
}

/* ---- what is to be done --------------------------------------------- */

bool
outbound_has_work(const struct outbound *o, const struct job *j)
{
	/* What may have crashed us is handled when nothing else is open. */
	if (j->is_alone && o->n_jobs > 1)
		return false;
	return !j->is_at_end && !j->is_stopped && j->trouble == 0;
}

static bool
is_work_waiting(const struct outbound *o)
{
	size_t i;

	if (o->is_ending)
		return false;
	for (i = 0; i < o->n_jobs; i++) {
		if (outbound_has_work(o, o->jobs[i]))
			return true;
	}
	return o->untried != NULL;
}

/* Once a turn, before anything of a job is sent: another may have taken the
 * claim of a process that it thought dead. */
static bool
is_still_ours(struct outbound *o, struct job *j)
{
	int rc;

	if (j->looked == o->now)
		return true;
	rc = entry_is_ours(j->entry);
	if (rc == 1) {
		j->looked = o->now;
		return true;
	}
	if (rc == 0)
		j->is_lost = true;
	job_stop(j, rc == 0 ? "the claim was taken over" : strerror(errno));
	return false;
}

/* One that another connection did not come to. */
static struct smtp_transaction *
next_untried(struct outbound *o, const struct relay *r, unsigned extensions)
{
	struct smtp_transaction *t = o->untried;

	if (t == NULL)
		return NULL;
	o->untried = t->next;
	t->next = NULL;
	if (!is_still_ours(o, t->owner)) {
		cut(t);
		return NULL;
	}
	if ((t->is_utf8 && (extensions & SMTP_HAS_UTF8) == 0)
	    || (t->is_8bit && (extensions & SMTP_HAS_8BITMIME) == 0)) {
		free(t->reply);
		t->reply = xstrdup("this relay lacks an extension");
		job_take(t->owner, r->config->name, &t);
	}
	return t;
}

static struct smtp_transaction *
next_transaction(struct outbound *o, const struct relay *r,
    const struct connection *c)
{
	unsigned extensions = c->smtp.extensions;
	struct smtp_transaction *t;
	size_t i;

	if (o->is_ending)
		return NULL;
	while (o->untried != NULL) {
		t = next_untried(o, r, extensions);
		if (t != NULL)
			return t;
	}
	for (i = 0; i < o->n_jobs; i++) {
		struct job *j = o->jobs[i];

		if (outbound_has_work(o, j) && is_still_ours(o, j)
		    && job_next(j, extensions, r->config->recipients,
		    r->config->name, &t) == 1)
			return t;
	}
	return NULL;
}

static void
feed_connection(struct outbound *o, struct relay *r, struct connection *c)
{
	struct smtp_transaction *t;

	/* The message goes in first: behind its final dot there is room for
	 * the commands of the next transaction. */
	if (c->phase == CONNECTION_TALKING) {
		smtp_fill(&c->smtp);
		while (smtp_can_start(&c->smtp)
		    && (t = next_transaction(o, r, c)) != NULL) {
			smtp_start(&c->smtp, t);
			c->since = o->now;
		}
	}
	connection_send(c);
}

/* ---- connections ---------------------------------------------------- */

static bool
has_free_connection(const struct outbound *o)
{
	size_t i, k;

	for (i = 0; i < o->n_relays; i++) {
		for (k = 0; k < o->relays[i].n; k++) {
			if (smtp_can_start(&o->relays[i].connections[k]->smtp))
				return true;
		}
	}
	return false;
}

/* The one with the fewest connections, the first of equals. */
static struct relay *
least_loaded(struct outbound *o)
{
	struct relay *best = NULL;
	size_t i;

	for (i = 0; i < o->n_relays; i++) {
		if (relay_can_open(&o->relays[i], o->now)
		    && (best == NULL || o->relays[i].n < best->n))
			best = &o->relays[i];
	}
	return best;
}

static bool
is_any_up(const struct outbound *o)
{
	size_t i;

	for (i = 0; i < o->n_relays; i++) {
		if (o->relays[i].n > 0
		    || !relay_is_down(&o->relays[i], o->now))
			return true;
	}
	return false;
}

/* No relay works: what is open waits in the queue, not here. */
static void
stop_all(struct outbound *o)
{
	struct sbuf why = {0};
	struct smtp_transaction *t;
	size_t i;

	sbuf_printf(&why, "relay %s: %s", o->relays[0].config->name,
	    sbuf_str(&o->relays[0].error));
	while ((t = o->untried) != NULL) {
		o->untried = t->next;
		t->next = NULL;
		free(t->reply);
		t->reply = xstrdup(sbuf_str(&why));
		job_take(t->owner, o->relays[0].config->name, &t);
	}
	for (i = 0; i < o->n_jobs; i++) {
		if (!o->jobs[i]->is_at_end)
			job_stop(o->jobs[i], sbuf_str(&why));
	}
	sbuf_free(&why);
}

static void
open_connections(struct outbound *o)
{
	struct relay *r;

	if (!is_work_waiting(o) || has_free_connection(o))
		return;
	while ((r = least_loaded(o)) != NULL) {
		relay_open(r, o->now);
		say_relay_error(o, r);
		if (!relay_is_down(r, o->now))
			break;
	}
	if (!is_any_up(o))
		stop_all(o);
}

void
outbound_dispatch(struct outbound *o)
{
	size_t i, k;

	for (i = 0; i < o->n_relays; i++) {
		for (k = 0; k < o->relays[i].n; k++)
			feed_connection(o, &o->relays[i],
			    o->relays[i].connections[k]);
	}
	open_connections(o);
}
