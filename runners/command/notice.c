/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notice - mail that other stages ask for, and what becomes of refused posts
 *
 * Nobody is told what he did not cause: a sender only where he is known, since
 * anybody can write any sender's name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/mail/address.h"
#include "runners/command/command.h"

/* More owners of a list than this are not written to. */
#define OWNERS_MAX 50
#define MINUTE (60 * 1000)
#define HOUR (60 * MINUTE)

/* What the words of a Notice field say. */
struct wish {
	struct sbuf name, to, address, reason;
};

static void
wish_read(struct wish *w, const struct envelope *env)
{
	const char *words = envelope_get(env, "Notice");
	struct sbuf value = {0};

	if (words == NULL)
		words = "post-rejected to=sender";
	kv_head(words, &w->name);
	(void)kv_get(words, "to", &w->to);
	(void)kv_get(words, "reason", &w->reason);
	if (kv_get(words, "address", &value) == 1 &&
	    address_unwrap(value.data, &w->address) == -1)
		sbuf_set(&w->address, value.data);
	if (w->reason.len == 0 && envelope_get(env, "Reason") != NULL)
		(void)kv_get(envelope_get(env, "Reason"), "text", &w->reason);
	sbuf_free(&value);
}

static void
wish_free(struct wish *w)
{
	sbuf_free(&w->name);
	sbuf_free(&w->to);
	sbuf_free(&w->address);
	sbuf_free(&w->reason);
}

static bool
is_named(const struct wish *w, const char *name)
{
	return strcmp(sbuf_str(&w->name), name) == 0;
}

static void
note(struct order *o, const struct wish *w, const char *result)
{
	struct sbuf rest = {0};

	kv_add(&rest, "name", sbuf_str(&w->name));
	kv_add(&rest, "to", sbuf_str(&w->to));
	order_note(o, "notice", rest.data, result);
	sbuf_free(&rest);
}

/* ---- the sender ---------------------------------------------------------- */

/* Is the envelope sender a member, or proved to be who wrote?  1, 0, -1.  What
 * auth found out about another address (From's) says nothing of this one. */
static int
is_known(struct order *o)
{
	const struct envelope *env = entry_envelope(o->entry);
	const char *identity = envelope_get(env, "Identity");
	const char *assurance = envelope_get(env, "Assurance");
	struct roster_member m = {0};
	struct sbuf head = {0}, address = {0};
	int rc;

	rc = roster_get(o->roster, o->sender.data, &m);
	if (rc == -1 && errno == EINVAL)
		rc = 0;
	roster_member_free(&m);
	if (rc == 0 && identity != NULL && assurance != NULL &&
	    strcmp(assurance, "verified") == 0) {
		kv_head(identity, &head);
		rc = address_unwrap(sbuf_str(&head), &address) == 0 &&
		    address_is_same(sbuf_str(&address), o->sender.data);
	}
	sbuf_free(&head);
	sbuf_free(&address);
	return rc;
}

/* Until when it is held, for people; empty where it is not. */
static void
held_until(const struct envelope *env, char date[ANSWER_DATE_SIZE])
{
	const char *held = envelope_get(env, "Held");
	struct sbuf until = {0};
	int64_t ms;

	*date = '\0';
	if (held != NULL && kv_get(held, "until", &until) == 1 &&
	    clock_parse(until.data, &ms) == 0)
		answer_date(ms, date);
	sbuf_free(&until);
}

static void
fill_common(const struct wish *w, const struct envelope *env,
    struct answer *a)
{
	a->notice = sbuf_str(&w->name);
	a->subject = envelope_get(env, "Subject");
	a->reason = sbuf_str(&w->reason);
	a->address = sbuf_str(&w->address);
	a->has_original = is_named(w, "post-rejected") ||
	    is_named(w, "post-held") || is_named(w, "hold-expired");
}

static int
tell_sender(struct order *o, const struct wish *w)
{
	char date[ANSWER_DATE_SIZE];
	struct answer a = {.date = date};
	const char *result = NULL;
	int known;

	if (o->sender.len == 0 || o->is_automatic) {
		note(o, w, o->is_automatic ? "automatic" : "no-sender");
		return 0;
	}
	known = is_known(o);
	if (known == 1) {
		held_until(entry_envelope(o->entry), date);
		fill_common(w, entry_envelope(o->entry), &a);
		a.to = o->sender.data;
		if (w->address.len == 0)
			a.address = o->sender.data;
		result = answer_word(answer_send(o, &a), "sent");
	} else if (known == 0) {
		result = "unknown-sender";
	}
	if (result == NULL)
		return -1;
	note(o, w, result);
	return 0;
}

/* ---- owners -------------------------------------------------------------- */

static const struct strv *
find_owners(const struct order *o, const struct wish *w)
{
	if (is_named(w, "held-owners") && o->list->moderators.n > 0)
		return &o->list->moderators;
	if (o->list->owners.n > 0)
		return &o->list->owners;
	return &runner_site(o->runner)->owners;
}

static int
send_to_owners(struct order *o, const struct wish *w, struct answer *a)
{
	const struct strv *owners = find_owners(o, w);
	size_t i, n = 0;
	enum answer_result sent;
	char result[32];

	a->is_to_owners = true;
	for (i = 0; i < owners->n && i < OWNERS_MAX; i++) {
		a->to = owners->items[i];
		sent = answer_send(o, a);
		if (sent == ANSWER_TROUBLE)
			return -1;
		if (sent == ANSWER_BURIED)
			return 0;
		n += sent == ANSWER_SENT;
	}
	snprintf(result, sizeof(result), "sent:%zu", n);
	note(o, w, n == 0 ? "limited" : result);
	return 0;
}

/* When was it asked for? */
static int64_t
asked_at(const struct envelope *env)
{
	size_t i = env->n_blocks;

	while (i > 1 && !env->trails[i - 1].is_creation)
		i--;
	return env->trails[i - 1].time;
}

/* Owners who had enough mail for now hear of it later: true, and the entry
 * waits. */
static bool
try_again(struct order *o, int64_t due)
{
	if (o->answers > 0 || entry_has_outcome(o->entry) || clock_ms() -
	    asked_at(entry_envelope(o->entry)) >
	    runner_site(o->runner)->give_up)
		return false;
	entry_defer(o->entry, due, "the owners had enough mail for now");
	return true;
}

/* The same for what is held.  Another notice that waits tells it too; where
 * none does, this is the one that later holds rely on. */
static int
try_again_held(struct order *o)
{
	int64_t now = clock_ms(), due;

	if (liststate_stamp_get(o->state, "owners-due", &due) == -1)
		return -1;
	if ((due <= now + MINUTE || due > now + 2 * HOUR) &&
	    try_again(o, now + HOUR))
		order_owners_due(o, now + HOUR);
	return 0;
}

static int
tell_held(struct order *o, const struct wish *w)
{
	char count[16], date[ANSWER_DATE_SIZE] = "";
	struct answer a = {.held_count = count, .date = date};
	struct held held = {0};
	int rc;

	rc = held_list(o, &held);
	if (rc == 0 && held.count == 0) {
		note(o, w, "nothing-held");
	} else if (rc == 0) {
		fill_common(w, entry_envelope(o->entry), &a);
		snprintf(count, sizeof(count), "%u", held.count);
		if (held.until != 0)
			answer_date(held.until, date);
		a.held_items = held.items.data;
		rc = send_to_owners(o, w, &a);
		if (rc == 0)
			rc = try_again_held(o);
	}
	held_free(&held);
	return rc;
}

/* Those that were disabled since the last such notice; one alone where whoever
 * asks names no more. */
static int
tell_disabled(struct order *o, const struct wish *w)
{
	const char *words = envelope_get(entry_envelope(o->entry), "Notice");
	struct disabled d = {0};
	struct answer a = {0};
	long long due;
	int rc = 0;

	if (words != NULL && kv_getn(words, "due", &due) == 1)
		rc = disabled_list(o, due, &d);
	else
		disabled_add(&d, sbuf_str(&w->address), sbuf_str(&w->reason));
	disabled_end(&d);
	if (rc == 0 && d.count == 0) {
		note(o, w, "nobody-disabled");
	} else if (rc == 0) {
		fill_common(w, entry_envelope(o->entry), &a);
		a.address = sbuf_str(&d.address);
		a.reason = sbuf_str(&d.reason);
		a.members = sbuf_str(&d.members);
		rc = send_to_owners(o, w, &a);
		if (rc == 0)
			(void)try_again(o, clock_ms() + HOUR);
	}
	disabled_free(&d);
	return rc;
}

static int
tell_owners(struct order *o, const struct wish *w)
{
	struct answer a = {0};

	if (is_named(w, "held-owners"))
		return tell_held(o, w);
	if (is_named(w, "member-disabled"))
		return tell_disabled(o, w);
	fill_common(w, entry_envelope(o->entry), &a);
	return send_to_owners(o, w, &a);
}

/* ---- an address that the stage names ------------------------------------- */

static int
tell_address(struct order *o, const struct wish *w)
{
	struct answer a = {.to = sbuf_str(&w->address)};
	const char *result = "no-address";

	if (address_check(a.to, NULL, NULL) == 0) {
		fill_common(w, entry_envelope(o->entry), &a);
		/* The original is the business of its sender. */
		a.has_original = false;
		result = answer_word(answer_send(o, &a), "sent");
	}
	if (result == NULL)
		return -1;
	note(o, w, result);
	return 0;
}

static int
carry_out(struct order *o, const struct wish *w)
{
	const char *to = sbuf_str(&w->to);

	if (strcmp(to, "sender") == 0)
		return tell_sender(o, w);
	if (strcmp(to, "owners") == 0)
		return tell_owners(o, w);
	if (strcmp(to, "address") == 0)
		return tell_address(o, w);
	entry_bury(o->entry, "its Notice has no to=sender, owners or address");
	return 0;
}

/* Is its time still to come?  Then it waits, but never long: the clock may have
 * been set back. */
static bool
is_early(struct order *o)
{
	const char *text = envelope_get(entry_envelope(o->entry),
	    "Not-Before");
	int64_t now = clock_ms(), ms;

	if (text == NULL || clock_parse(text, &ms) == -1 || ms <= now ||
	    ms > now + 2 * HOUR)
		return false;
	entry_defer(o->entry, ms, "told together with what comes until then");
	return true;
}

int
notice_handle(struct order *o)
{
	struct wish w = {0};
	int rc = 0;

	if (envelope_get(entry_envelope(o->entry), "Notice") == NULL) {
		entry_bury(o->entry, "a notice without a Notice field");
		return 0;
	}
	if (is_early(o))
		return 0;
	wish_read(&w, entry_envelope(o->entry));
	rc = carry_out(o, &w);
	wish_free(&w);
	return rc;
}

int
notice_rejected(struct order *o)
{
	struct wish w = {0};
	int rc;

	wish_read(&w, entry_envelope(o->entry));
	rc = carry_out(o, &w);
	wish_free(&w);
	return rc;
}
