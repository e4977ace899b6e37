/* SPDX-License-Identifier: BSD-2-Clause
 *
 * subscribe - join and leave, in two steps: a request, and its confirmation
 *
 * The request names the envelope sender and nobody else; the token of its
 * confirmation shows who reads that mailbox.
 */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/mail/address.h"
#include "common/mail/token.h"
#include "runners/command/command.h"

#define REQUEST_MS (3LL * 24 * 60 * 60 * 1000)
/* An entry that was handled is never handled again after this. */
#define EFFECTS_MS (60LL * 24 * 60 * 60 * 1000)
#define PRUNE_EVERY 64

/* ---- the request --------------------------------------------------------- */

/* Ask the sender to confirm.  The request is recorded only when the mail that
 * has its token goes out. */
static const char *
ask(struct order *o, char purpose, const char *language)
{
	int64_t until = clock_ms() + REQUEST_MS;
	struct answer a = {.notice = purpose == 's' ? "confirm-subscribe" :
	    "confirm-unsubscribe", .to = o->sender.data,
	    .address = o->sender.data, .language = language};
	unsigned char key[TOKEN_KEY_BYTES];
	char token[TOKEN_SIZE], date[ANSWER_DATE_SIZE];
	struct sbuf address = {0}, text = {0}, bracketed = {0};
	enum answer_result sent;
	uint64_t number;

	if (liststate_key(o->state, key) == -1)
		return NULL;
	token_make(key, o->list->address, purpose, &number, token);
	answer_date(until, date);
	answer_confirm_address(o->list, token, &address);
	a.date = date;
	a.token_address = a.reply_to = address.data;
	sent = answer_send(o, &a);
	if (sent == ANSWER_SENT) {
		sbuf_adds(&text, purpose == 's' ? "subscribe" : "unsubscribe");
		sbuf_printf(&bracketed, "<%s>", o->sender.data);
		kv_add(&text, "address", bracketed.data);
		if (purpose == 's')
			kv_add(&text, "mode", "each");
		order_request(o, number, text.data, until);
	}
	sbuf_free(&address);
	sbuf_free(&text);
	sbuf_free(&bracketed);
	return answer_word(sent, "confirm-sent");
}

/* Is the sender a member, and what is his language?  1, 0, -1. */
static int
look_up(struct order *o, struct sbuf *language)
{
	struct roster_member m = {0};
	int rc;

	rc = roster_get(o->roster, o->sender.data, &m);
	if (rc == -1 && errno == EINVAL)
		rc = 0;
	if (rc == 1 && m.language.len > 0)
		sbuf_set(language, m.language.data);
	roster_member_free(&m);
	return rc;
}

/* An answer to the sender that only says how things are. */
static const char *
tell(struct order *o, const char *notice, const char *language,
    const char *word)
{
	struct answer a = {.notice = notice, .to = o->sender.data,
		.address = o->sender.data, .language = language};

	return answer_word(answer_send(o, &a), word);
}

const char *
subscribe_join(struct order *o)
{
	struct sbuf language = {0};
	const char *result = NULL;
	int rc;

	rc = look_up(o, &language);
	if (rc == 1)
		result = tell(o, "already-member",
		    language.len > 0 ? language.data : NULL, "already-member");
	else if (rc == 0 && o->list->subscribe == LIST_CLOSED)
		result = tell(o, "subscribe-closed", NULL, "closed");
	else if (rc == 0)
		result = ask(o, 's', NULL);
	sbuf_free(&language);
	return result;
}

const char *
subscribe_leave(struct order *o)
{
	struct sbuf language = {0};
	const char *result = NULL;
	int rc;

	rc = look_up(o, &language);
	if (rc == 1)
		result = ask(o, 'u', language.len > 0 ? language.data : NULL);
	else if (rc == 0)
		result = tell(o, "not-member", NULL, "not-member");
	sbuf_free(&language);
	return result;
}

/* ---- the confirmation ---------------------------------------------------- */

/* What a request was for: 1 and *address, 0 it is none that this purpose makes.
 */
static int
read_request(const char *request, char purpose, struct sbuf *address)
{
	struct sbuf word = {0}, value = {0};
	int rc;

	kv_head(request, &word);
	rc = strcmp(sbuf_str(&word), purpose == 's' ? "subscribe" :
	    "unsubscribe") == 0 && kv_get(request, "address", &value) == 1 &&
	    address_unwrap(value.data, address) == 0 && address->len > 0;
	sbuf_free(&word);
	sbuf_free(&value);
	return rc;
}

/* "subscribe address=<...> member=17 result=welcome": recorded with the
 * entry's ID. */
static void
write_effect(bool is_join, const char *address, unsigned long long member,
    const char *result, struct sbuf *effect)
{
	struct sbuf bracketed = {0};

	sbuf_printf(&bracketed, "<%s>", address);
	sbuf_set(effect, is_join ? "subscribe" : "unsubscribe");
	kv_add(effect, "address", bracketed.data);
	if (member != 0)
		kv_addn(effect, "member", (long long)member);
	kv_add(effect, "result", result);
	sbuf_free(&bracketed);
}

static int
change_roster(struct order *o, char purpose, const char *address,
    struct sbuf *effect)
{
	struct roster_member m = {.status = ROSTER_ACTIVE,
		.mode = ROSTER_MODE_EACH, .joined = clock_ms()};
	int rc;

	if (purpose == 's') {
		sbuf_set(&m.address, address);
		rc = roster_add(o->roster, &m);
		write_effect(true, address, m.id, rc == 1 ? "welcome" :
		    "already-member", effect);
	} else {
		rc = roster_remove(o->roster, address);
		write_effect(false, address, 0, rc == 1 ? "goodbye" :
		    "not-member", effect);
	}
	roster_member_free(&m);
	return rc == -1 ? -1 : 0;
}

/* Roster and effect change together or not at all. */
static int
change(struct order *o, char purpose, const char *address,
    struct sbuf *effect)
{
	struct command *c = runner_data(o->runner);
	struct store *store = roster_store(o->roster);
	int rc;

	if (store_begin(store) == -1)
		return -1;
	rc = change_roster(o, purpose, address, effect);
	if (rc == 0)
		rc = store_effect_put(store, entry_id(o->entry), effect->data);
	if (rc == 0 && ++c->effects >= PRUNE_EVERY) {
		c->effects = 0;
		rc = store_effects_prune(store, EFFECTS_MS);
	}
	return store_end(store, rc);
}

/* Do what the token's number stands for: 1 and *effect, 0 it stands for nothing
 * (any more), -1.  An entry that did it before gets the same effect. */
static int
redeem(struct order *o, char purpose, uint64_t number, struct sbuf *effect)
{
	struct command *c = runner_data(o->runner);
	struct store *store = roster_store(o->roster);
	struct sbuf request = {0}, address = {0};
	int rc;

	if (listdb_begin(c->db, store) == -1)
		return -1;
	rc = store_effect_get(store, entry_id(o->entry), effect);
	if (rc == 0) {
		rc = liststate_request_get(o->state, number, &request);
		if (rc == 1)
			rc = read_request(sbuf_str(&request), purpose,
			    &address);
		if (rc == 1 && change(o, purpose, address.data, effect) == -1)
			rc = -1;
	}
	if (rc == 1)
		order_request(o, number, NULL, 0);
	sbuf_free(&request);
	sbuf_free(&address);
	return rc;
}

/* Tell the address that the request was for.  The effect names the notice. */
static int
announce(struct order *o, const char *effect)
{
	struct sbuf value = {0}, address = {0}, notice = {0}, line = {0};
	struct answer a = {0};
	enum answer_result sent = ANSWER_TROUBLE;

	errno = EIO;
	if (kv_get(effect, "address", &value) == 1 &&
	    address_unwrap(value.data, &address) == 0 &&
	    kv_get(effect, "result", &notice) == 1) {
		a.notice = notice.data;
		a.to = a.address = address.data;
		sent = answer_send(o, &a);
	}
	if (sent != ANSWER_TROUBLE) {
		sbuf_adds(&line, effect);
		if (sent != ANSWER_SENT)
			kv_add(&line, "mail", answer_word(sent, ""));
		entry_set(o->entry, "Command", line.data);
	}
	sbuf_free(&value);
	sbuf_free(&address);
	sbuf_free(&notice);
	sbuf_free(&line);
	return sent == ANSWER_TROUBLE ? -1 : 0;
}

static int
refuse(struct order *o)
{
	const char *mail = "no-sender";
	struct sbuf rest = {0};

	if (o->sender.len > 0)
		mail = tell(o, "confirm-invalid", NULL, "sent");
	if (mail == NULL)
		return -1;
	kv_add(&rest, "mail", mail);
	order_note(o, "confirm", rest.data, "invalid");
	sbuf_free(&rest);
	return 0;
}

int
confirm_split(const char *extension, char *letter, const char **token)
{
	size_t n = strlen(extension);

	*letter = '\0';
	*token = extension;
	if (n == TOKEN_CHARS + 1) {
		*letter = (char)(*extension | 0x20);
		*token = extension + 1;
		return verdict_word(*letter) != NULL ? 0 : -1;
	}
	return n == TOKEN_CHARS ? 0 : -1;
}

int
confirm_handle(struct order *o)
{
	const char *extension = envelope_get(entry_envelope(o->entry),
	    "Extension");
	unsigned char key[TOKEN_KEY_BYTES];
	struct sbuf effect = {0};
	const char *token;
	char letter, purpose;
	uint64_t number;
	int rc = 0;

	if (liststate_key(o->state, key) == -1)
		return -1;
	/* A made-up token costs no look into a store. */
	if (extension == NULL ||
	    confirm_split(extension, &letter, &token) == -1 ||
	    token_check(key, o->list->address, token, &purpose, &number) == 0)
		return refuse(o);
	if (letter != '\0' && purpose == 'm')
		rc = verdict_send(o, letter, token, number);
	else if (letter == '\0' && (purpose == 's' || purpose == 'u'))
		rc = redeem(o, purpose, number, &effect);
	if (rc == 0)
		rc = refuse(o);
	else if (rc == 1)
		rc = effect.len > 0 ? announce(o, effect.data) : 0;
	sbuf_free(&effect);
	return rc;
}
