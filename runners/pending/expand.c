/* SPDX-License-Identifier: BSD-2-Clause
 *
 * expand - from a roster to distribution lists of bounded size
 *
 * The entry itself carries the first list, children carry the others and share
 * its message and header by hard link.  The roster is walked once, and one
 * list is written at a time, so memory does not grow with the members.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/base/strv.h"
#include "common/base/xalloc.h"
#include "common/mail/verp.h"
#include "runners/pending/pending.h"

struct expansion {
	struct entry *entry;
	const struct list *list;
	const char *queue;      /* of exit accept */
	unsigned long max;      /* lines in one list */
	unsigned char key[VERP_KEY_BYTES];
	struct rcpt_writer writer;
	bool is_open;
	struct child *child;    /* whose list is open; NULL: the entry's */
	struct child **children;
	size_t n_children;
	unsigned long lines;    /* in the open list */
	unsigned long members;
};

static int
close_list(struct expansion *x)
{
	if (!x->is_open)
		return 0;
	x->is_open = false;
	return x->child == NULL ? entry_stage_rcpt_end(x->entry, &x->writer) :
	    child_stage_rcpt_end(x->child, &x->writer);
}

static int
open_list(struct expansion *x)
{
	int rc;

	x->lines = 0;
	if (x->members == 0) {
		rc = entry_stage_rcpt(x->entry, &x->writer);
	} else {
		x->child = entry_child(x->entry, 'o', x->queue);
		if (x->child == NULL || child_share_message(x->child) == -1)
			return -1;
		x->children = xreallocarray(x->children, x->n_children + 1,
		    sizeof(*x->children));
		x->children[x->n_children++] = x->child;
		rc = child_stage_rcpt(x->child, &x->writer);
	}
	x->is_open = rc == 0;
	return rc;
}

static int
write_member(struct expansion *x, const struct roster_member *m)
{
	struct verp_member who = {m->address.data, m->id};
	struct sbuf words = {0}, verp = {0}, word = {0};
	int rc;

	kv_addn(&words, "id", (long long)m->id);
	if (x->list->verp == LIST_VERP_EACH) {
		verp_make(x->key, x->list->address, &who, &verp);
		kv_add(&word, "verp", verp.data);
		sbuf_printf(&words, "\t%s", word.data);
	}
	if (m->name.len > 0) {
		sbuf_truncate(&word, 0);
		kv_add(&word, "name", m->name.data);
		sbuf_printf(&words, "\t%s", word.data);
	}
	if (m->language.len > 0) {
		sbuf_truncate(&word, 0);
		kv_add(&word, "lang", m->language.data);
		sbuf_printf(&words, "\t%s", word.data);
	}
	rc = rcpt_write(&x->writer, RCPT_TODO, m->address.data, words.data);
	sbuf_free(&words);
	sbuf_free(&verp);
	sbuf_free(&word);
	return rc;
}

static int
add_member(void *ctx, const struct roster_member *m)
{
	struct expansion *x = ctx;

	if (m->status == ROSTER_DISABLED || m->mode == ROSTER_MODE_NONE)
		return 0;
	if ((!x->is_open || x->lines >= x->max) &&
	    (close_list(x) == -1 || open_list(x) == -1))
		return -1;
	x->lines++;
	x->members++;
	return write_member(x, m);
}

/* Every field that outbound reads stands in the child's own block: what this
 * hop writes for the entry is not in the journal that a child begins with. */
static void
describe(struct expansion *x)
{
	const struct list *list = x->list;
	bool is_verp = list->verp == LIST_VERP_EACH;
	struct sbuf from = {0}, options = {0};
	size_t i;

	list_role_address(list, "-bounces", &from);
	if (is_verp) {
		/* dev-bounces@... to dev-bounces+{verp}@... */
		char *at = strrchr(from.data, '@');
		struct sbuf text = {0};

		sbuf_add(&text, from.data, (size_t)(at - from.data));
		sbuf_printf(&text, "+{verp}%s", at);
		sbuf_set(&from, text.data);
		sbuf_free(&text);
	}
	sbuf_printf(&options, "NOTIFY=FAILURE RET=HDRS ENVID=%s",
	    entry_id(x->entry));
	entry_setf(x->entry, "Send-From", "<%s>", from.data);
	entry_set(x->entry, "Verp", is_verp ? "each" : "none");
	entry_set(x->entry, "Send-Options", options.data);
	entry_setf(x->entry, "Fan-Out", "1/%zu", x->n_children + 1);
	for (i = 0; i < x->n_children; i++) {
		child_setf(x->children[i], "Send-From", "<%s>", from.data);
		child_set(x->children[i], "Verp", is_verp ? "each" : "none");
		child_set(x->children[i], "Send-Options", options.data);
		child_setf(x->children[i], "Fan-Out", "%zu/%zu", i + 2,
		    x->n_children + 1);
	}
	sbuf_free(&from);
	sbuf_free(&options);
}

int
expand_roster(struct runner *r, struct entry *e, const struct list *list,
    struct listdb *db, unsigned long *members)
{
	struct expansion x = {.entry = e, .list = list,
		.queue = runner_exit(r, "accept"),
		.max = runner_queue(r)->recipients};
	struct liststate *state = listdb_state(db, list);
	struct roster *roster = listdb_roster(db, list);
	int rc;

	if (state == NULL || roster == NULL ||
	    liststate_key(state, x.key) == -1)
		return -1;
	if (x.queue == NULL) {
		errno = EINVAL;
		return -1;
	}
	rc = roster_each(roster, false, add_member, &x);
	if (rc != 0 && x.is_open) {
		int saved = errno;

		(void)close_list(&x);
		errno = saved;
	}
	if (rc == 0)
		rc = close_list(&x);
	if (rc == 0 && x.members > 0)
		describe(&x);
	*members = x.members;
	free(x.children);
	return rc;
}
