/* SPDX-License-Identifier: BSD-2-Clause
 *
 * command - mail to the list itself, and all automatic mail
 *
 * Commands by mail are carried out here, refused posts and other stages'
 * notices are told of here, and nowhere else is mail composed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "runners/command/command.h"

/* Answers between two prunings of the limits. */
#define PRUNE_EVERY 64

struct state_change {
	char *dir;              /* of the list */
	bool is_due;            /* owners-due is until; else a request */
	uint64_t number;
	char *text;             /* NULL: delete */
	int64_t until;
};

void *
command_init(struct runner *r)
{
	struct command *c = xcalloc(1, sizeof(*c));
	struct sbuf path = {0};
	int saved;

	sbuf_printf(&path, "%s/.limits.tdb", lists_folder(runner_lists(r)));
	c->limits = limits_open(path.data);
	saved = errno;
	if (c->limits == NULL)
		log_error("cannot open %s: %s", path.data, strerror(saved));
	sbuf_free(&path);
	if (c->limits == NULL) {
		free(c);
		errno = saved;
		return NULL;
	}
	c->db = listdb_open(STORE_WRITE);
	return c;
}

static void
forget_changes(struct command *c)
{
	size_t i;

	for (i = 0; i < c->n_changes; i++) {
		free(c->changes[i].dir);
		free(c->changes[i].text);
	}
	free(c->changes);
	c->changes = NULL;
	c->n_changes = 0;
}

void
command_fini(struct runner *r, void *data)
{
	struct command *c = data;

	(void)r;
	listdb_close(&c->db);
	if (c->is_open)
		store_cancel(limits_store(c->limits));
	limits_close(&c->limits);
	forget_changes(c);
	free(c);
}

/* ---- the batch's end ----------------------------------------------------- */

static int
by_list(const void *a, const void *b)
{
	const struct state_change *x = a, *y = b;

	return strcmp(x->dir, y->dir);
}

static int
apply_change(struct command *c, const struct state_change *change)
{
	/* The stores of a list are known by its folder alone. */
	struct list list = {.dir = change->dir};
	struct liststate *state = listdb_state(c->db, &list);

	if (state == NULL ||
	    listdb_begin(c->db, liststate_store(state)) == -1)
		return -1;
	if (change->is_due)
		return liststate_stamp_put(state, "owners-due",
		    change->until);
	if (change->text != NULL)
		return liststate_request_put(state, change->number,
		    change->text, change->until);
	return liststate_request_delete(state, change->number) == -1 ? -1 : 0;
}

/* After the rosters: a token is used up only when what it was for is done. */
static int
apply_changes(struct command *c)
{
	size_t i;
	int rc = 0;

	if (c->n_changes == 0)
		return 0;
	qsort(c->changes, c->n_changes, sizeof(*c->changes), by_list);
	for (i = 0; rc == 0 && i < c->n_changes; i++)
		rc = apply_change(c, &c->changes[i]);
	if (rc == -1) {
		listdb_cancel(c->db);
		return -1;
	}
	return listdb_commit(c->db);
}

static int
end_limits(struct command *c, int rc)
{
	bool is_due = c->asked >= PRUNE_EVERY;

	if (!c->is_open)
		return rc;
	c->is_open = false;
	if (rc == -1) {
		store_cancel(limits_store(c->limits));
		return -1;
	}
	if (is_due)
		c->asked = 0;
	/* What is pruned too late is only kept too long. */
	if (is_due && limits_prune(c->limits) == -1)
		log_warn("old limits stay: %s", strerror(errno));
	return store_commit(limits_store(c->limits));
}

int
command_batch_end(struct runner *r)
{
	struct command *c = runner_data(r);
	int rc;

	rc = listdb_commit(c->db);
	if (rc == 0)
		rc = apply_changes(c);
	forget_changes(c);
	return end_limits(c, rc);
}

/* ---- one entry ----------------------------------------------------------- */

void
order_note(struct order *o, const char *word, const char *rest,
    const char *result)
{
	struct sbuf line = {0};

	sbuf_adds(&line, word);
	if (*rest != '\0')
		sbuf_printf(&line, " %s", rest);
	kv_add(&line, "result", result);
	entry_set(o->entry, "Command", line.data);
	sbuf_free(&line);
}

int
order_may_answer(struct order *o, const char *address, const char *notice)
{
	struct command *c = runner_data(o->runner);

	c->asked++;
	return limits_answer(c->limits, entry_id(o->entry), o->list->address,
	    address, notice);
}

void
order_request(struct order *o, uint64_t number, const char *text,
    int64_t until)
{
	struct command *c = runner_data(o->runner);

	c->changes = xreallocarray(c->changes, c->n_changes + 1,
	    sizeof(*c->changes));
	c->changes[c->n_changes++] = (struct state_change){
	    .dir = xstrdup(o->list->dir), .number = number,
	    .text = text == NULL ? NULL : xstrdup(text), .until = until};
}

void
order_owners_due(struct order *o, int64_t ms)
{
	struct command *c = runner_data(o->runner);

	c->changes = xreallocarray(c->changes, c->n_changes + 1,
	    sizeof(*c->changes));
	c->changes[c->n_changes++] = (struct state_change){
	    .dir = xstrdup(o->list->dir), .is_due = true, .until = ms};
}

/* 1; 0 and the entry waits: one list's broken file is no reason to stop for
 * the others'. */
static int
open_stores(struct order *o)
{
	struct command *c = runner_data(o->runner);
	struct sbuf why = {0};

	o->roster = listdb_roster(c->db, o->list);
	if (o->roster != NULL)
		o->state = listdb_state(c->db, o->list);
	if (o->state != NULL)
		return 1;
	sbuf_printf(&why, "cannot open the list's %s: %s",
	    o->roster == NULL ? "members.tdb" : "state.tdb", strerror(errno));
	log_error("id=%s list=%s %s", entry_id(o->entry), o->list->address,
	    why.data);
	runner_defer(o->runner, o->entry, why.data);
	sbuf_free(&why);
	return 0;
}

/* Whom an answer could go to, and is it a person?  Where nobody has said that
 * it is none, nothing is known. */
static void
read_sender(struct order *o)
{
	const struct envelope *env = entry_envelope(o->entry);
	const char *kind = envelope_get(env, "Auto");
	bool is_known;

	is_known = envelope_address(env, "Mail-From", &o->sender) == 1;
	o->is_automatic = kind == NULL || strcmp(kind, "no") != 0 ||
	    (is_known && o->sender.len == 0);
	if (o->sender.len > 0 &&
	    address_check(o->sender.data, NULL, NULL) == -1)
		sbuf_truncate(&o->sender, 0);
}

static bool
has(const struct order *o, const char *field, const char *value)
{
	const char *text = envelope_get(entry_envelope(o->entry), field);

	return text != NULL && strcmp(text, value) == 0;
}

/* A single command, by the address it was sent to. */
static int
obey(struct order *o, const char *word, const char *rest,
    const char *(*act)(struct order *))
{
	const char *result = o->sender.len == 0 ? "no-sender" : act(o);

	if (result == NULL)
		return -1;
	order_note(o, word, rest, result);
	return 0;
}

static int
dispatch_role(struct order *o, const char *name)
{
	enum lists_role role;

	if (name == NULL || lists_role_parse(name, &role) == -1)
		role = ROLE_POST;
	if (o->is_automatic && (role == ROLE_REQUEST || role == ROLE_JOIN ||
	    role == ROLE_LEAVE || role == ROLE_CONFIRM)) {
		order_note(o, name, "why=automatic", "ignored");
		return 0;
	}
	switch (role) {
	case ROLE_REQUEST:
		return request_handle(o);
	case ROLE_JOIN:
		return obey(o, "subscribe", "mode=each", subscribe_join);
	case ROLE_LEAVE:
		return obey(o, "unsubscribe", "", subscribe_leave);
	case ROLE_CONFIRM:
		return confirm_handle(o);
	case ROLE_POST:
	case ROLE_BOUNCES:
	case ROLE_OWNER:
	case ROLE_SITE_OWNER:
		break;
	}
	entry_bury(o->entry, "neither a command nor a notice, and not refused "
	    "either");
	return 0;
}

static int
dispatch(struct order *o)
{
	if (has(o, "Kind", "notice"))
		return notice_handle(o);
	if (has(o, "Verdict", "reject"))
		return notice_rejected(o);
	return dispatch_role(o, envelope_get(entry_envelope(o->entry),
	    "Role"));
}

int
command_handle(struct runner *r, struct entry *e)
{
	struct command *c = runner_data(r);
	struct order o = {.runner = r, .entry = e};
	int rc;

	if (!runner_list(r, e, &o.list) || !open_stores(&o))
		return 0;
	/* Before any list's, and for the whole batch. */
	if (!c->is_open && (listdb_commit(c->db) == -1 ||
	    store_begin(limits_store(c->limits)) == -1))
		return -1;
	c->is_open = true;
	read_sender(&o);
	rc = dispatch(&o);
	sbuf_free(&o.sender);
	if (rc == 0 && !entry_has_outcome(e))
		entry_done(e, "done");
	return rc;
}
