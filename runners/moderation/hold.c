/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hold - what waits for a person: how it comes to wait, and its end
 */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/log.h"
#include "common/mail/token.h"
#include "runners/moderation/moderation.h"

/* Owners hear of held posts at most this often per list. */
#define TELL_EVERY (60 * 60 * 1000)
/* What was answered to an entry is remembered this long, for a repeat. */
#define KEEP_ANSWERS (30LL * 24 * 60 * 60 * 1000)

/* A bounce or an automatic answer never causes a mail of ours. */
static bool
is_silent(const struct policy_input *in)
{
	return in->is_bounce || in->is_auto_replied || in->is_null_sender;
}

#define EXPIRED "text=\"held too long\""

/* What becomes known of a hold; the same again where the hop is repeated. */
struct hold {
	struct sbuf token;
	struct sbuf until;
	bool is_told;           /* owners hear of it now */
};

static void
hold_free(struct hold *h)
{
	sbuf_free(&h->token);
	sbuf_free(&h->until);
}

/* Do owners hear of this one?  Not within an hour of the last: later holds are
 * in the next notice, which lists all that wait. */
static int
is_time_to_tell(struct liststate *state)
{
	int64_t told;

	if (liststate_stamp_get(state, "owners-told", &told) == -1)
		return -1;
	if (told != 0 && clock_ms() - told < TELL_EVERY && told <= clock_ms())
		return 0;
	return liststate_stamp_put(state, "owners-told", clock_ms()) == -1 ?
	    -1 : 1;
}

static int
record_hold(struct runner *r, const struct entry *e,
    const struct policy_input *in, struct liststate *state, struct hold *h)
{
	int64_t until = clock_ms() + runner_site(r)->hold;
	char when[CLOCK_RFC3339_SIZE], token[TOKEN_SIZE];
	unsigned char key[TOKEN_KEY_BYTES];
	struct sbuf text = {0};
	uint64_t number;
	int rc;

	if (liststate_key(state, key) == -1)
		return -1;
	token_make(key, in->list->address, 'm', &number, token);
	sbuf_set(&h->token, token);
	clock_format(until, when);
	sbuf_set(&h->until, when);
	sbuf_adds(&text, "held");
	kv_add(&text, "id", entry_id(e));
	kv_add(&text, "until", when);
	rc = liststate_request_put(state, number, text.data, until);
	sbuf_free(&text);
	if (rc == -1 || is_silent(in))
		return rc;
	rc = is_time_to_tell(state);
	h->is_told = rc == 1;
	return rc == -1 ? -1 : 0;
}

/* The hold that this hop makes: recorded with the entry and its place in the
 * journal, since an entry may be held again later under another token. */
static int
find_hold(struct runner *r, const struct entry *e,
    const struct policy_input *in, struct liststate *state, struct hold *h)
{
	struct store *store = liststate_store(state);
	struct sbuf key = {0}, answer = {0}, told = {0};
	int rc;

	sbuf_printf(&key, "%s/%zu", entry_id(e), entry_envelope(e)->n_blocks);
	rc = store_effect_get(store, key.data, &answer);
	if (rc == 1) {
		(void)kv_get(sbuf_str(&answer), "token", &h->token);
		(void)kv_get(sbuf_str(&answer), "until", &h->until);
		h->is_told = kv_get(sbuf_str(&answer), "told", &told) == 1;
	} else if (rc == 0) {
		rc = record_hold(r, e, in, state, h);
		kv_add(&answer, "token", sbuf_str(&h->token));
		kv_add(&answer, "until", sbuf_str(&h->until));
		if (h->is_told)
			kv_add(&answer, "told", "yes");
		if (rc == 0)
			rc = store_effect_put(store, key.data, answer.data);
		if (rc == 0)
			rc = store_effects_prune(store, KEEP_ANSWERS);
	}
	sbuf_free(&key);
	sbuf_free(&answer);
	sbuf_free(&told);
	return rc == -1 ? -1 : 0;
}

/* Ask for one mail.  What this hop writes for the entry is not in a child's
 * journal, so what the mail says goes with it; the token does not, since the
 * sender's notice is no place for it. */
static int
tell(struct runner *r, struct entry *e, const char *words, const char *reason,
    const char *until)
{
	struct child *c = runner_notice(r, e, words);

	if (c == NULL)
		return errno == 0 ? 0 : -1; /* 0: the site wants no notices */
	child_set(c, "Reason", reason);
	if (until != NULL)
		child_setf(c, "Held", "for=moderator until=%s", until);
	return 0;
}

static int
tell_of_hold(struct runner *r, struct entry *e, const struct policy_input *in,
    const struct hold *h, const char *reason)
{
	const char *until = sbuf_str(&h->until);
	int rc = 0;

	/* A stranger who is not let in is not answered: he may be made up. */
	if (in->is_member && !in->is_automatic && !is_silent(in))
		rc = tell(r, e, "post-held to=sender", reason, until);
	if (rc == 0 && h->is_told)
		rc = tell(r, e, "held-owners to=owners", reason, until);
	return rc;
}

int
hold_entry(struct runner *r, struct entry *e, const struct policy_input *in,
    const char *reason)
{
	struct moderation *m = runner_data(r);
	struct liststate *state = listdb_state(m->db, in->list);
	struct hold h = {{0}, {0}, false};
	int rc = -1;

	if (state != NULL &&
	    listdb_begin(m->db, liststate_store(state)) == 0)
		rc = find_hold(r, e, in, state, &h);
	if (rc == 0)
		rc = tell_of_hold(r, e, in, &h, reason);
	if (rc == 0) {
		entry_setf(e, "Held", "for=moderator until=%s token=%s",
		    sbuf_str(&h.until), sbuf_str(&h.token));
		entry_hold(e);
	}
	hold_free(&h);
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

/* Every hold lasts the same, so whatever was made less than that ago is not
 * even opened. */
static bool
may_be_over(const struct runner *r, const char *id)
{
	return id_time(id) + runner_site(r)->hold < clock_ms();
}

static int
release(struct runner *r, struct entry *e)
{
	int rc = spool_release(runner_spool(r), e);

	entry_free(&e);
	return rc;
}

/* The owners hear of it, and who was told that it waits. */
static int
tell_of_end(struct runner *r, struct entry *e)
{
	const struct envelope *env = entry_envelope(e);
	const char *identity = envelope_get(env, "Identity");
	const char *automatic = envelope_get(env, "Auto");
	long long member;
	int rc;

	rc = tell(r, e, "hold-expired to=owners", EXPIRED, NULL);
	if (rc == 0 && identity != NULL &&
	    kv_getn(identity, "member", &member) == 1 &&
	    (automatic == NULL || strcmp(automatic, "no") == 0))
		rc = tell(r, e, "hold-expired to=sender", EXPIRED, NULL);
	return rc;
}

static int
expire_one(struct runner *r, const char *id)
{
	struct entry *e, *batch[1];
	struct sbuf why = {0};
	enum entry_claim got;

	got = entry_claim(runner_spool(r), SPOOL_HELD, "", id, &e, &why);
	if (got == ENTRY_SETTLED || got == ENTRY_NEWER)
		log_warn("id=%s queue=%s moved aside: %s", id,
		    runner_queue(r)->name, sbuf_str(&why));
	sbuf_free(&why);
	if (got != ENTRY_CLAIMED)
		return got == ENTRY_TROUBLE ? -1 : 0;
	if (!is_over(e))
		return release(r, e);
	entry_set(e, "Verdict", "discard");
	entry_set(e, "Reason", EXPIRED);
	moderation_set(e, "Notice", "");
	/* Where that fails the entry is marked by it, and put back. */
	(void)tell_of_end(r, e);
	entry_done(e, "discard");
	batch[0] = e;
	return runner_settle(r, batch, 1);
}

int
holds_expire(struct runner *r)
{
	struct spool_scan *scan;
	const char *name, *folder;
	int rc = 0, rc2 = 0;

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
