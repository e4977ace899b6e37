/* SPDX-License-Identifier: BSD-2-Clause
 *
 * verdict - what a person decided of an entry that is held
 *
 * A verdict is an entry of its own that names the held one and the token of its
 * hold.  The held entry is settled first and flushed; only then is the verdict
 * forgotten.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/esc.h"
#include "common/base/log.h"
#include "runners/moderation/moderation.h"

/* 1 where the two token= words are the same, else 0. */
static bool
is_token_right(const struct entry *held, const struct entry *verdict)
{
	const char *h = envelope_get(entry_envelope(held), "Held");
	const char *a = envelope_get(entry_envelope(verdict), "Action");
	struct sbuf want = {0}, got = {0};
	bool is_right;

	is_right = h != NULL && a != NULL &&
	    kv_get(h, "token", &want) == 1 && kv_get(a, "token", &got) == 1 &&
	    strcasecmp(want.data, got.data) == 0;
	sbuf_free(&want);
	sbuf_free(&got);
	return is_right;
}

/* Give the held entry what the verdict says; false for an unknown word. */
static bool
apply(struct runner *r, struct entry *held, const char *action)
{
	struct sbuf word = {0}, by = {0}, rule = {0};
	bool is_known = true;

	kv_head(action, &word);
	(void)kv_get(action, "by", &by);
	sbuf_adds(&rule, "verdict");
	kv_add(&rule, "action", sbuf_str(&word));
	kv_add(&rule, "value", sbuf_str(&by));
	entry_set(held, "Rule", rule.data);
	if (strcmp(sbuf_str(&word), "approve") == 0) {
		entry_set(held, "Verdict", "accept");
		moderation_set(held, "Reason", "");
		moderation_set(held, "Notice", "");
		runner_forward(r, held, "accept");
	} else if (strcmp(sbuf_str(&word), "reject") == 0) {
		entry_set(held, "Verdict", "reject");
		entry_set(held, "Reason",
		    "status=5.7.1 text=\"refused by a moderator\"");
		entry_set(held, "Notice", "post-rejected to=sender");
		runner_forward(r, held, "reject");
	} else if (strcmp(sbuf_str(&word), "discard") == 0) {
		entry_set(held, "Verdict", "discard");
		entry_done(held, "discard");
	} else {
		is_known = false;
	}
	sbuf_free(&word);
	sbuf_free(&by);
	sbuf_free(&rule);
	return is_known;
}

/* Settle the held entry first and alone, flushed: its decision is durable
 * before the verdict is forgotten. */
static int
settle_held(struct runner *r, struct entry *held, struct entry *verdict)
{
	const char *action = envelope_get(entry_envelope(verdict), "Action");
	struct entry *batch[1] = {held};
	int rc;

	if (!is_token_right(held, verdict)) {
		entry_bury(verdict, "its token is not the one of the hold");
	} else if (!apply(r, held, action)) {
		entry_bury(verdict, "its Action is none of approve, reject, "
		    "discard");
	} else {
		entry_needs_flush(held);
		/* Put back: the verdict comes again with it. */
		if (runner_settle(r, batch, 1) == -1)
			return -1;
		entry_done(verdict, "done");
		return 0;
	}
	/* Untouched: back to held/. */
	rc = spool_release(runner_spool(r), held);
	entry_free(&held);
	return rc;
}

/* Does what is accepted at this queue come to moderation? */
static bool
leads_here(const struct runner *r, const struct site_queue *queue)
{
	const struct site *site = runner_site(r);
	size_t steps = 0;

	while (queue != NULL && queue != runner_queue(r) &&
	    steps++ < site->n_queues) {
		const char *next = site_exit(queue, "accept");

		queue = next == NULL ? NULL : site_queue(site, next);
	}
	return queue == runner_queue(r);
}

/* Is the entry on its way here, or held here again by now?  1, 0, -1. */
static int
is_on_its_way(struct runner *r, const char *id)
{
	const struct site *site = runner_site(r);
	struct sbuf path = {0};
	enum spool_place place;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < site->n_queues; i++) {
		if (!leads_here(r, &site->queues[i]))
			continue;
		rc = spool_find(runner_spool(r), site->queues[i].name, id,
		    &place, &path);
		/* Nothing comes out of there by itself. */
		if (rc == 1 && place == SPOOL_DEAD)
			rc = 0;
	}
	sbuf_free(&path);
	return rc;
}

/* Not in held/: on its way there or back, already settled, or never there. */
static int
miss(struct runner *r, struct entry *verdict, const char *id)
{
	int rc = is_on_its_way(r, id);

	if (rc == 1) {
		runner_defer(r, verdict, "the entry it names is on its way");
	} else if (rc == 0) {
		log_warn("id=%s about=%s verdict for what is not held (any "
		    "more)", entry_id(verdict), id);
		entry_set(verdict, "Error", "what it names is not held (any "
		    "more)");
		entry_done(verdict, "discard");
	}
	return rc == -1 ? -1 : 0;
}

int
verdict_handle(struct runner *r, struct entry *verdict)
{
	const struct envelope *env = entry_envelope(verdict);
	const char *id = envelope_get(env, "About");
	struct sbuf why = {0};
	struct entry *held;
	int rc = 0;

	if (id == NULL || !id_is_valid(id) ||
	    envelope_get(env, "Action") == NULL) {
		entry_bury(verdict, "a verdict without About or Action");
		return 0;
	}
	switch (entry_claim(runner_spool(r), SPOOL_HELD, "", id, &held, &why)) {
	case ENTRY_CLAIMED:
		rc = settle_held(r, held, verdict);
		break;
	case ENTRY_LOST:
		rc = miss(r, verdict, id);
		break;
	case ENTRY_TROUBLE:
		rc = -1;
		break;
	case ENTRY_NEWER:
		runner_defer(r, verdict, "the entry it names is of a higher "
		    "version");
		break;
	case ENTRY_SETTLED:
	case ENTRY_BARE:
		log_warn("id=%s about=%s %s", entry_id(verdict), id,
		    sbuf_str(&why));
		entry_setf(verdict, "Error", "%s: %s", id, sbuf_str(&why));
		entry_done(verdict, "discard");
		break;
	}
	sbuf_free(&why);
	return rc;
}
