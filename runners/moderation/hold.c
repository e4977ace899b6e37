/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hold - what waits for a person: holding it, verdicts on it, its end
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/log.h"
#include "common/mail/token.h"
#include "runners/moderation/moderation.h"

/* Owners hear of held posts at most this often per list. */
#define TELL_EVERY (60 * 60 * 1000)
/* A verdict whose entry is on its way comes back after this. */
#define VERDICT_DELAY (60 * 1000)

/* Tell the owners, unless that was done within the hour: later holds are in
 * the next notice, which lists all that wait. */
static int
tell_owners(struct runner *r, struct entry *e, struct liststate *state)
{
	int64_t told;

	if (liststate_stamp_get(state, "owners-told", &told) == -1)
		return -1;
	if (told != 0 && clock_ms() - told < TELL_EVERY && told <= clock_ms())
		return 0;
	if (runner_notice(r, e, "held-owners to=owners") == NULL && errno != 0)
		return -1;
	return liststate_stamp_put(state, "owners-told", clock_ms());
}

int
hold_entry(struct runner *r, struct entry *e, const struct list *list,
    bool is_silent)
{
	struct moderation *m = runner_data(r);
	struct liststate *state = listdb_state(m->db, list);
	int64_t until = clock_ms() + runner_site(r)->hold;
	char when[CLOCK_RFC3339_SIZE], token[TOKEN_SIZE];
	unsigned char key[TOKEN_KEY_BYTES];
	struct sbuf text = {0};
	uint64_t number;
	int rc;

	if (state == NULL || liststate_key(state, key) == -1 ||
	    listdb_begin(m->db, liststate_store(state)) == -1)
		return -1;
	token_make(key, list->address, 'm', &number, token);
	clock_format(until, when);
	sbuf_adds(&text, "held");
	kv_add(&text, "id", entry_id(e));
	kv_add(&text, "until", when);
	rc = liststate_request_put(state, number, text.data, until);
	sbuf_free(&text);
	/* A bounce or an automatic answer never causes a mail of ours. */
	if (rc == 0 && !is_silent)
		rc = tell_owners(r, e, state);
	if (rc == -1)
		return -1;
	entry_setf(e, "Held", "for=moderator until=%s token=%s", when, token);
	entry_hold(e);
	return 0;
}

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
	struct sbuf word = {0}, by = {0};
	bool is_known = true;

	kv_head(action, &word);
	(void)kv_get(action, "by", &by);
	entry_setf(held, "Rule", "verdict action=%s value=\"%s\"",
	    sbuf_str(&word), sbuf_str(&by));
	if (strcmp(sbuf_str(&word), "approve") == 0) {
		entry_set(held, "Verdict", "accept");
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
	return is_known;
}

/* Settle the held entry first and alone, flushed: its decision is durable
 * before the verdict is forgotten. */
static int
settle_held(struct runner *r, struct entry *held, struct entry *verdict)
{
	const char *action = envelope_get(entry_envelope(verdict), "Action");
	struct entry *batch[1] = {held};

	if (!is_token_right(held, verdict)) {
		entry_bury(verdict, "its token is not the one of the hold");
	} else if (!apply(r, held, action)) {
		entry_bury(verdict, "its Action is none of approve, reject, "
		    "discard");
	} else {
		entry_needs_flush(held);
		runner_settle(r, batch, 1);
		entry_done(verdict, "done");
		return 0;
	}
	/* Untouched: back to held/. */
	if (spool_release(runner_spool(r), held) == -1) {
		entry_free(&held);
		return -1;
	}
	entry_free(&held);
	return 0;
}

/* Not in held/: on its way there or back, already settled, or never there. */
static int
miss(struct runner *r, struct entry *verdict, const char *id)
{
	const struct site *site = runner_site(r);
	struct sbuf path = {0};
	enum spool_place place;
	size_t i;
	int rc = 0;

	rc = spool_find(runner_spool(r), runner_queue(r)->name, id, &place,
	    &path);
	for (i = 0; rc == 0 && i < site->n_queues; i++) {
		if (strcmp(site_stage(site, site->queues[i].name), "inbound") ==
		    0 || strcmp(site_stage(site, site->queues[i].name),
		    "auth") == 0)
			rc = spool_find(runner_spool(r), site->queues[i].name,
			    id, &place, &path);
	}
	sbuf_free(&path);
	if (rc == -1)
		return -1;
	if (rc == 1)
		entry_defer(verdict, clock_ms() + VERDICT_DELAY,
		    "the entry it names is on its way");
	else
		entry_done(verdict, "discard");
	if (rc == 0)
		log_warn("id=%s about=%s verdict for what is not held (any "
		    "more)", entry_id(verdict), id);
	return 0;
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
	case ENTRY_SETTLED:
	case ENTRY_BARE:
	case ENTRY_NEWER:
		entry_setf(verdict, "Error", "%s: %s", id, sbuf_str(&why));
		entry_done(verdict, "discard");
		break;
	}
	sbuf_free(&why);
	return rc;
}

/* 1 where the hold's time is over. */
static bool
is_over(const struct entry *e)
{
	const char *held = envelope_get(entry_envelope(e), "Held");
	struct sbuf until = {0};
	int64_t ms;
	bool is;

	is = held != NULL && kv_get(held, "until", &until) == 1 &&
	    clock_parse(until.data, &ms) == 0 && ms < clock_ms();
	sbuf_free(&until);
	return is;
}

/* Names sort by age and every hold lasts the same, so whatever was created
 * less than the hold ago is not even opened. */
static bool
may_be_over(const struct runner *r, const char *id)
{
	int64_t us = 0;
	size_t i;

	for (i = 0; i < 10 && id[i] != '\0'; i++)
		us = us * 36 + (id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
	return us / 1000 + runner_site(r)->hold < clock_ms();
}

static int
expire_one(struct runner *r, const char *id)
{
	struct entry *e, *batch[1];
	struct sbuf why = {0};
	enum entry_claim got;
	int rc = 0;

	got = entry_claim(runner_spool(r), SPOOL_HELD, "", id, &e, &why);
	if (got == ENTRY_TROUBLE)
		rc = -1;
	sbuf_free(&why);
	if (got != ENTRY_CLAIMED)
		return rc;
	if (!is_over(e)) {
		rc = spool_release(runner_spool(r), e);
		entry_free(&e);
		return rc;
	}
	entry_set(e, "Verdict", "discard");
	entry_set(e, "Reason", "text=\"held too long\"");
	if (runner_notice(r, e, "hold-expired to=owners") == NULL &&
	    errno != 0) {
		rc = spool_release(runner_spool(r), e);
		entry_free(&e);
		return rc == -1 ? -1 : 0;
	}
	entry_done(e, "discard");
	batch[0] = e;
	runner_settle(r, batch, 1);
	return 0;
}

int
holds_expire(struct runner *r)
{
	struct spool_scan *scan;
	const char *name, *folder;
	int rc, rc2 = 0;

	scan = spool_scan_open(runner_spool(r), runner_queue(r)->name,
	    SPOOL_HELD, 0);
	if (scan == NULL)
		return -1;
	while (rc2 == 0 &&
	    (rc = spool_scan_next(scan, &name, &folder)) == 1) {
		if (id_is_valid(name) && may_be_over(r, name))
			rc2 = expire_one(r, name);
	}
	spool_scan_close(&scan);
	return rc2 == -1 || rc == -1 ? -1 : 0;
}
