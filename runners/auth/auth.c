/* SPDX-License-Identifier: BSD-2-Clause
 *
 * auth - who sent this, and how sure are we?
 *
 * Reads the header of a post and the roster; writes Identity, Assurance and
 * Auth-Result.  Decides nothing: what a list makes of it is moderation's.
 */
#include <errno.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/domain/listdb.h"
#include "common/mail/address.h"
#include "common/mail/header.h"
#include "common/mail/message.h"
#include "runners/auth/auth.h"

/* A From with more authors than this is looked at only so far. */
#define AUTHORS_MAX 50
/* What trusted hosts say beyond this is left out. */
#define ITEMS_MAX 100

/* One address the post may be from. */
struct claim {
	struct sbuf address;
	const char *from;       /* author, sender, envelope */
	unsigned long long member; /* id, 0: not a member */
	enum results_verdict verdict;
};

void *
auth_init(struct runner *r)
{
	(void)r;
	return listdb_open(STORE_READ);
}

void
auth_fini(struct runner *r, void *data)
{
	struct listdb *db = data;

	(void)r;
	listdb_close(&db);
}

/* A field that says nothing is written only where it takes back what an
 * earlier block says: of a former visit, or made up. */
static void
set_or_clear(struct entry *e, const char *name, const char *value)
{
	if (*value != '\0' || envelope_get(entry_envelope(e), name) != NULL)
		entry_set(e, name, value);
}

/* 1; 0 the entry is buried; -1. */
static int
read_results(struct runner *r, struct entry *e, struct strv *items)
{
	const struct strv *trusted = &runner_site(r)->trusted_authserv;
	struct strv values = {0};
	struct sbuf header = {0};
	off_t body;
	size_t i;
	int rc = 1;

	if (trusted->n > 0)
		rc = runner_header(r, e, &header, &body);
	if (rc == 1)
		message_auth_results(sbuf_str(&header), header.len, trusted,
		    &values);
	for (i = 0; i < values.n && items->n < ITEMS_MAX; i++)
		results_split(values.items[i], items);
	for (i = 0; i < items->n; i++)
		entry_set(e, "Auth-Result", items->items[i]);
	if (rc == 1 && items->n == 0)
		set_or_clear(e, "Auth-Result", "");
	strv_free(&values);
	sbuf_free(&header);
	return rc;
}

/* Is a claim's address a member?  A failed dmarc is never the member. */
static int
look_up(struct roster *roster, const struct strv *items, struct claim *c)
{
	struct roster_member m = {0};
	int rc;

	c->member = 0;
	c->verdict = results_judge(items, c->address.data,
	    strcmp(c->from, "envelope") == 0);
	if (c->verdict == RESULTS_FAIL)
		return 0;
	rc = roster_get(roster, c->address.data, &m);
	if (rc == -1 && errno == EINVAL)
		rc = 0;
	if (rc == 1)
		c->member = m.id;
	roster_member_free(&m);
	return rc == -1 ? -1 : 0;
}

/* Keep the better of two claims in *c: one that failed, since a forged author
 * beside a member's name is a forgery; else the first member; else the
 * first. */
static void
keep_better(struct claim *c, struct claim *next, bool is_first)
{
	struct claim worse = *next;

	if (is_first || (next->verdict == RESULTS_FAIL &&
	    c->verdict != RESULTS_FAIL) || (c->member == 0 &&
	    next->member != 0 && c->verdict != RESULTS_FAIL)) {
		worse = *c;
		*c = *next;
	}
	sbuf_free(&worse.address);
}

/* From's mailboxes; where From has none, Sender.  0 none, 1, -1. */
static int
claim_author(struct entry *e, struct roster *roster, const struct strv *items,
    struct claim *c)
{
	const struct envelope *env = entry_envelope(e);
	struct claim next = {.from = "author"};
	const char *value;
	size_t at = 0, n = 0;
	int rc = 0;

	while (rc != -1 && n < AUTHORS_MAX &&
	    (value = envelope_next(env, "Author", &at)) != NULL) {
		if (address_unwrap(value, &next.address) == 0 &&
		    next.address.len > 0) {
			rc = look_up(roster, items, &next) == -1 ? -1 : 1;
			keep_better(c, &next, n++ == 0);
			next.address = (struct sbuf){0};
		}
	}
	sbuf_free(&next.address);
	if (rc == 0 && envelope_address(env, "Sender", &c->address) == 1 &&
	    c->address.len > 0) {
		c->from = "sender";
		rc = look_up(roster, items, c) == -1 ? -1 : 1;
	}
	return rc;
}

static int
claim_envelope(struct entry *e, struct roster *roster,
    const struct strv *items, struct claim *c)
{
	c->from = "envelope";
	if (envelope_address(entry_envelope(e), "Mail-From", &c->address) !=
	    1 || c->address.len == 0)
		return 0;
	return look_up(roster, items, c) == -1 ? -1 : 1;
}

/* In the order that the list asks for: the first identity that is a member,
 * else the first there is. */
static int
identify(struct entry *e, const struct list *list, struct roster *roster,
    const struct strv *items, struct claim *c)
{
	int (*const ways[2])(struct entry *, struct roster *,
	    const struct strv *, struct claim *) = {
		claim_author, claim_envelope};
	bool is_envelope_first = list->identity == LIST_ENVELOPE_FIRST ||
	    list->identity == LIST_ENVELOPE_ONLY;
	bool is_one = list->identity == LIST_FROM_ONLY ||
	    list->identity == LIST_ENVELOPE_ONLY;
	struct claim second = {0};
	int rc, rc2;

	rc = ways[is_envelope_first](e, roster, items, c);
	if (rc == -1 || is_one || (rc == 1 && c->member != 0) ||
	    (rc == 1 && c->verdict == RESULTS_FAIL))
		return rc;
	rc2 = ways[!is_envelope_first](e, roster, items, &second);
	if (rc2 == 1 && (rc == 0 || second.member != 0)) {
		sbuf_free(&c->address);
		*c = second;
	} else {
		sbuf_free(&second.address);
	}
	return rc2 == -1 ? -1 : rc == 1 || rc2 == 1;
}

/* The address is escaped as kv words are: a quoted local part of a stranger's
 * could hold "> member=1". */
static void
write_identity(struct entry *e, int found, const struct claim *c)
{
	struct sbuf text = {0};

	if (found == 1) {
		sbuf_addc(&text, '<');
		esc_add(&text, sbuf_str(&c->address), c->address.len);
		sbuf_addc(&text, '>');
		kv_add(&text, "from", c->from);
	}
	if (found == 1 && c->member != 0)
		kv_addn(&text, "member", (long long)c->member);
	set_or_clear(e, "Identity", sbuf_str(&text));
	entry_set(e, "Assurance", found == 0 || c->verdict == RESULTS_FAIL ?
	    "none" : c->verdict == RESULTS_PASS ? "verified" : "claimed");
	sbuf_free(&text);
}

/* 1; 0 the entry is buried; -1. */
static int
authenticate(struct runner *r, struct entry *e, const struct list *list,
    struct roster *roster)
{
	struct claim c = {0};
	struct strv items = {0};
	int found, rc;

	rc = read_results(r, e, &items);
	if (rc == 1) {
		found = identify(e, list, roster, &items, &c);
		rc = found == -1 ? -1 : 1;
		if (found != -1)
			write_identity(e, found, &c);
	}
	sbuf_free(&c.address);
	strv_free(&items);
	return rc;
}

int
auth_handle(struct runner *r, struct entry *e)
{
	const struct list *list;
	struct roster *roster;
	int rc;

	if (!runner_list(r, e, &list))
		return 0;
	/* One list's broken roster is that list's trouble alone. */
	roster = listdb_roster(runner_data(r), list);
	if (roster == NULL) {
		runner_defer_error(r, e, "the list's roster");
		return 0;
	}
	rc = authenticate(r, e, list, roster);
	if (rc == 1)
		runner_forward(r, e, "accept");
	return rc == -1 ? -1 : 0;
}
