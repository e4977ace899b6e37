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

/* Owners hear of held posts at most this often per list: an hour, and a moment
 * for command, which counts its hour from when it sends. */
#define TELL_EVERY (61 * 60 * 1000)
/* What is held this shortly before a notice goes out may not be in it. */
#define TELL_MARGIN (60 * 1000)
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
	int64_t due;            /* owners hear of it then, by a notice that is
	                         * asked for here; 0: another tells it */
};

static void
hold_free(struct hold *h)
{
	sbuf_free(&h->token);
	sbuf_free(&h->until);
}

/* When do owners hear of this one?  Now, or an hour after the last notice; a
 * notice that waits for its time tells all that is held then.  The stamp is
 * when the last one went, or the next one goes. */
static int
plan_notice(struct liststate *state, int64_t *due)
{
	int64_t now = clock_ms(), last;

	*due = 0;
	if (liststate_stamp_get(state, "owners-due", &last) == -1)
		return -1;
	/* A stamp later than any notice waits for: the clock was set back. */
	if (last > now + TELL_EVERY + TELL_MARGIN)
		last = 0;
	if (last > now + TELL_MARGIN)
		return 0;
	*due = last + TELL_EVERY > now && last != 0 ? last + TELL_EVERY : now;
	return liststate_stamp_put(state, "owners-due", *due);
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
	return rc;
}

static void
read_hold(const char *answer, struct hold *h)
{
	long long due;

	(void)kv_get(answer, "token", &h->token);
	(void)kv_get(answer, "until", &h->until);
	if (kv_getn(answer, "due", &due) == 1)
		h->due = due;
}

static int
write_hold(struct store *store, const char *key, const struct hold *h)
{
	struct sbuf answer = {0};
	int rc;

	kv_add(&answer, "token", sbuf_str(&h->token));
	kv_add(&answer, "until", sbuf_str(&h->until));
	if (h->due != 0)
		kv_addn(&answer, "due", h->due);
	rc = store_effect_put(store, key, answer.data);
	if (rc == 0)
		rc = store_effects_prune(store, KEEP_ANSWERS);
	sbuf_free(&answer);
	return rc;
}

/* The hold that this hop makes: recorded with the entry and its place in the
 * journal, since an entry may be held again later under another token.  Where
 * it left the telling to another's notice, that may be gone by now. */
static int
find_hold(struct runner *r, const struct entry *e,
    const struct policy_input *in, struct liststate *state, struct hold *h)
{
	struct store *store = liststate_store(state);
	struct sbuf key = {0}, answer = {0};
	int rc;

	sbuf_printf(&key, "%s/%zu", entry_id(e), entry_envelope(e)->n_blocks);
	rc = store_effect_get(store, key.data, &answer);
	if (rc == 1)
		read_hold(sbuf_str(&answer), h);
	else if (rc == 0)
		rc = record_hold(r, e, in, state, h);
	if (rc != -1 && h->due == 0) {
		rc = is_silent(in) ? 0 : plan_notice(state, &h->due);
		if (rc != -1)
			rc = write_hold(store, key.data, h);
	}
	sbuf_free(&key);
	sbuf_free(&answer);
	return rc == -1 ? -1 : 0;
}

/* Ask for one mail.  What this hop writes for the entry is not in a child's
 * journal, so what the mail says goes with it; the token does not, since the
 * sender's notice is no place for it. */
static int
tell(struct runner *r, struct entry *e, const char *words, const char *reason,
    struct child **c)
{
	*c = runner_notice(r, e, words);
	if (*c == NULL)
		return errno == 0 ? 0 : -1; /* 0: the site wants no notices */
	child_set(*c, "Reason", reason);
	return 0;
}

static int
tell_held(struct runner *r, struct entry *e, const char *words,
    const char *reason, const struct hold *h)
{
	char due[CLOCK_RFC3339_SIZE];
	struct child *c;

	if (tell(r, e, words, reason, &c) == -1)
		return -1;
	if (c == NULL)
		return 0;
	child_setf(c, "Held", "for=moderator until=%s", sbuf_str(&h->until));
	if (strncmp(words, "held-owners ", 12) == 0) {
		clock_format(h->due, due);
		child_set(c, "Not-Before", due);
	}
	return 0;
}

static int
tell_of_hold(struct runner *r, struct entry *e, const struct policy_input *in,
    const struct hold *h, const char *reason)
{
	int rc = 0;

	/* A stranger who is not let in is not answered: he may be made up. */
	if (in->is_member && !in->is_automatic && !is_silent(in))
		rc = tell_held(r, e, "post-held to=sender", reason, h);
	if (rc == 0 && h->due != 0)
		rc = tell_held(r, e, "held-owners to=owners", reason, h);
	return rc;
}

int
hold_entry(struct runner *r, struct entry *e, const struct policy_input *in,
    const char *reason)
{
	struct moderation *m = runner_data(r);
	struct liststate *state = listdb_state(m->db, in->list);
	struct hold h = {{0}, {0}, 0};
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
	struct child *c;
	long long member;
	int rc;

	rc = tell(r, e, "hold-expired to=owners", EXPIRED, &c);
	if (rc == 0 && identity != NULL &&
	    kv_getn(identity, "member", &member) == 1 &&
	    (automatic == NULL || strcmp(automatic, "no") == 0))
		rc = tell(r, e, "hold-expired to=sender", EXPIRED, &c);
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
