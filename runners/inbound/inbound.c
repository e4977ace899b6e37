/* SPDX-License-Identifier: BSD-2-Clause
 *
 * inbound - which list and role is this for, is it whole and sane?
 *
 * Whatever an entry says of its list, role or kind, its recipient address alone
 * decides: an entry can be put here by hand.  Loops end here, duplicates too,
 * and reports leave for bounce before anybody thinks of answering them.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/mail/message.h"
#include "runners/inbound/inbound.h"

#define DUPLICATE_WINDOW (7LL * 24 * 60 * 60 * 1000)
/* Each prune takes more than were added since the last. */
#define PRUNE_EVERY 32

void *
inbound_init(struct runner *r)
{
	struct inbound *in = xcalloc(1, sizeof(*in));
	struct sbuf path = {0};
	int saved;

	if (sodium_init() == -1) {
		free(in);
		errno = EIO;
		return NULL;
	}
	sbuf_printf(&path, "%s/.duplicates.tdb", runner_site(r)->spool);
	in->duplicates = limits_open(path.data);
	saved = errno;
	if (in->duplicates == NULL) {
		log_error("cannot open %s: %s", path.data, strerror(saved));
		free(in);
		in = NULL;
	}
	sbuf_free(&path);
	errno = saved;
	return in;
}

void
inbound_fini(struct runner *r, void *data)
{
	struct inbound *in = data;

	(void)r;
	if (in->is_open)
		store_cancel(limits_store(in->duplicates));
	limits_close(&in->duplicates);
	free(in);
}

int
inbound_batch_end(struct runner *r)
{
	struct inbound *in = runner_data(r);
	bool is_due = in->asked >= PRUNE_EVERY;

	if (!in->is_open)
		return 0;
	in->is_open = false;
	if (is_due)
		in->asked = 0;
	/* What is pruned too late is only kept too long. */
	if (is_due && limits_prune(in->duplicates) == -1)
		log_warn("queue=%s old duplicates stay: %s",
		    runner_queue(r)->name, strerror(errno));
	return store_commit(limits_store(in->duplicates));
}

void
inbound_set(struct entry *e, const char *name, const char *value)
{
	if (*value != '\0' || envelope_get(entry_envelope(e), name) != NULL)
		entry_set(e, name, value);
}

void
inbound_bury(struct entry *e, const char *why)
{
	struct sbuf line = {0};

	kv_add(&line, "why", why);
	log_warn("id=%s is buried %s", entry_id(e), line.data);
	entry_bury(e, why);
	sbuf_free(&line);
}

const char *
inbound_sender(const struct entry *e, struct sbuf *storage)
{
	if (envelope_address(entry_envelope(e), "Mail-From", storage) != 1)
		return NULL;
	return sbuf_str(storage);
}

/* ---- recipients -------------------------------------------------------- */

/* The addresses of Rcpt-To: 1, 0 there is none, or the entry has its
 * outcome. */
static int
read_recipients(struct entry *e, struct strv *to)
{
	const struct envelope *env = entry_envelope(e);
	struct sbuf address = {0};
	const char *value, *why = NULL;
	size_t at = 0;

	while (why == NULL &&
	    (value = envelope_next(env, "Rcpt-To", &at)) != NULL) {
		if (address_unwrap(value, &address) == -1)
			why = "a Rcpt-To that is no address in <>";
		else if (to->n == INBOUND_RECIPIENTS_MAX)
			why = "more than 100 recipients";
		else
			strv_add(to, sbuf_str(&address));
	}
	if (why != NULL)
		inbound_bury(e, why);
	sbuf_free(&address);
	return why == NULL && to->n > 0;
}

/* The entry's recipients, from its envelope or else its header: 1; 0 it has
 * its outcome. */
static int
find_recipients(struct runner *r, struct entry *e, const struct facts *f,
    struct strv *to)
{
	if (read_recipients(e, to) == 1)
		return 1;
	if (entry_has_outcome(e))
		return 0;
	if (recipients_find(runner_lists(r), sbuf_str(&f->header),
	    f->header.len, to) == 0) {
		if (to->n == 0)
			inbound_bury(e, "no Rcpt-To, and names no address of "
			    "this site");
	} else if (errno == E2BIG) {
		inbound_bury(e, "names more than 100 addresses of this site");
	} else {
		runner_defer_list(r, e, lists_why(runner_lists(r)));
	}
	return !entry_has_outcome(e);
}

/* The entry itself is for the first recipient; each other gets a child that
 * comes to this queue again.  Fan-Out says that this was done. */
static int
fan_out(struct runner *r, struct entry *e, const struct strv *to)
{
	struct child *c;
	size_t i;

	if (to->n == 1 || envelope_get(entry_envelope(e), "Fan-Out") != NULL)
		return 0;
	for (i = 1; i < to->n; i++) {
		c = entry_child(e, 'l', runner_queue(r)->name);
		if (c == NULL || child_share_message(c) == -1)
			return -1;
		child_setf(c, "Rcpt-To", "<%s>", to->items[i]);
		child_setf(c, "Fan-Out", "%zu/%zu", i + 1, to->n);
	}
	entry_setf(e, "Fan-Out", "1/%zu", to->n);
	return 0;
}

/* ---- judging ----------------------------------------------------------- */

/* 1 it goes round and is buried, 0. */
static int
is_loop(struct runner *r, struct entry *e, const struct facts *f,
    const struct lists_match *match, const char *address)
{
	const char *header = sbuf_str(&f->header);
	struct strv own = {0};
	struct sbuf postmaster = {0};
	const char *why = NULL;

	sbuf_printf(&postmaster, "postmaster@%s", runner_site(r)->name);
	strv_add(&own, postmaster.data);
	strv_add(&own, address);
	if (message_has_loop(header, f->header.len,
	    match->list != NULL ? &match->list->addresses : &own))
		why = "loop: it has been here, says its X-Loop";
	else if (message_hops(header, f->header.len) > INBOUND_HOPS_MAX)
		why = "loop: more than 100 Received fields";
	if (why != NULL)
		inbound_bury(e, why);
	strv_free(&own);
	sbuf_free(&postmaster);
	return why != NULL;
}

static bool
is_report(const struct entry *e, const struct facts *f)
{
	struct sbuf storage = {0};
	const char *sender = inbound_sender(e, &storage);
	bool is;

	is = (sender != NULL && *sender == '\0') ||
	    message_is_report(sbuf_str(&f->header), f->header.len, sender);
	sbuf_free(&storage);
	return is;
}

/* Did this post come to this list before?  1 and discarded, 0, -1. */
static int
is_duplicate(struct runner *r, struct entry *e, const struct facts *f,
    const struct list *list)
{
	struct inbound *in = runner_data(r);
	struct sbuf key = {0}, id = {0}, other = {0};
	int rc;

	/* One flush for a batch: the transaction ends with it. */
	if (!in->is_open &&
	    store_begin(limits_store(in->duplicates)) == -1)
		return -1;
	in->is_open = true;
	in->asked++;
	facts_message_id(r, e, f, &id);
	sbuf_printf(&key, "%s\t%s\t%s", list->address, id.data, f->sha256);
	rc = limits_seen(in->duplicates, key.data, entry_id(e),
	    DUPLICATE_WINDOW, &other);
	if (rc == 1) {
		entry_set(e, "Duplicate-Of", sbuf_str(&other));
		entry_done(e, "discard");
	}
	sbuf_free(&key);
	sbuf_free(&id);
	sbuf_free(&other);
	return rc;
}

static int
send_on(struct runner *r, struct entry *e, const struct facts *f,
    const struct lists_match *match)
{
	int rc = 0;

	switch (match->role) {
	case ROLE_OWNER:
	case ROLE_SITE_OWNER:
		return owner_forward(r, e, f, match->list);
	case ROLE_BOUNCES:
		runner_forward(r, e, "bounce");
		return 0;
	case ROLE_POST:
	case ROLE_REQUEST:
	case ROLE_JOIN:
	case ROLE_LEAVE:
	case ROLE_CONFIRM:
		break;
	}
	if (is_report(e, f)) {
		runner_forward(r, e, "bounce");
	} else if (match->role != ROLE_POST) {
		runner_forward(r, e, "command");
	} else {
		rc = is_duplicate(r, e, f, match->list);
		if (rc == 0) {
			inbound_set(e, "Duplicate-Of", "");
			runner_forward(r, e, "accept");
		}
	}
	return rc == -1 ? -1 : 0;
}

/* Fields that later stages write, found here, are an earlier visit's (requeued
 * by hand) or made up: this is the beginning, and they count no more. */
static void
forget_findings(struct entry *e, bool has_new_head)
{
	static const char *const names[] = {"Auth-Result", "Identity",
	    "Assurance", "Rule", "Verdict", "Reason", "Notice", NULL};
	const char *head = envelope_get(entry_envelope(e), "Head");
	size_t i;

	for (i = 0; names[i] != NULL; i++)
		inbound_set(e, names[i], "");
	if (!has_new_head && head != NULL && strcmp(head, "none") != 0)
		entry_set(e, "Head", "none");
}

static int
judge(struct runner *r, struct entry *e, const struct facts *f,
    const struct lists_match *match, const char *address)
{
	bool is_to_people = match->role == ROLE_OWNER ||
	    match->role == ROLE_SITE_OWNER;

	forget_findings(e, is_to_people);
	inbound_set(e, "List", match->list == NULL ? "" :
	    match->list->address);
	entry_set(e, "Role", lists_role_name(match->role));
	inbound_set(e, "Extension", sbuf_str(&match->extension));
	facts_write(r, e, f);
	/* What comes for bounces goes no further by itself, and may well be
	 * our own header sent back. */
	if (match->role != ROLE_BOUNCES && is_loop(r, e, f, match, address))
		return 0;
	return send_on(r, e, f, match);
}

static int
handle_for(struct runner *r, struct entry *e, const struct facts *f,
    const char *address)
{
	struct lists_match match = {0};
	struct sbuf why = {0};
	int rc;

	rc = lists_resolve(runner_lists(r), address, &match);
	if (rc == -1) {
		runner_defer_list(r, e, lists_why(runner_lists(r)));
		rc = 0;
	} else if (rc == 0) {
		sbuf_printf(&why, "no such list or role: <%s>", address);
		inbound_bury(e, why.data);
	} else {
		rc = judge(r, e, f, &match, address);
	}
	sbuf_free(&why);
	lists_match_free(&match);
	return rc;
}

int
inbound_handle(struct runner *r, struct entry *e)
{
	struct facts f;
	struct strv to = {0};
	int rc;

	rc = facts_read(r, e, &f);
	if (rc == 1)
		rc = find_recipients(r, e, &f, &to);
	if (rc == 1 && fan_out(r, e, &to) == -1)
		rc = -1;
	if (rc == 1)
		rc = handle_for(r, e, &f, to.items[0]);
	facts_free(&f);
	strv_free(&to);
	return rc == -1 ? -1 : 0;
}
