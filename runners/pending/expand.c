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
#include "common/base/log.h"
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
	bool has_own;           /* the entry's list was begun */
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
	if (!x->has_own) {
		x->has_own = true;
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

static void
add_word(struct sbuf *words, const char *key, const struct sbuf *value)
{
	struct sbuf word = {0};

	kv_add(&word, key, sbuf_str(value));
	sbuf_printf(words, "\t%s", word.data);
	sbuf_free(&word);
}

/* A member whose line cannot be written (a name of 8 KiB) gets one without
 * what is not needed; one that is no address at all is passed over, and the
 * others get their mail. */
static int
write_member(struct expansion *x, const struct roster_member *m)
{
	struct verp_member who = {sbuf_str(&m->address), m->id};
	struct sbuf words = {0}, verp = {0};
	size_t needed;
	int rc;

	kv_addn(&words, "id", (long long)m->id);
	if (x->list->verp == LIST_VERP_EACH) {
		verp_make(x->key, x->list->address, &who, &verp);
		add_word(&words, "verp", &verp);
	}
	needed = words.len;
	if (m->name.len > 0)
		add_word(&words, "name", &m->name);
	if (m->language.len > 0)
		add_word(&words, "lang", &m->language);
	rc = rcpt_write(&x->writer, RCPT_TODO, who.address, words.data);
	if (rc == -1 && errno == EMSGSIZE) {
		sbuf_truncate(&words, needed);
		rc = rcpt_write(&x->writer, RCPT_TODO, who.address,
		    words.data);
	}
	if (rc == 0) {
		x->lines++;
		x->members++;
	} else if (errno == EINVAL || errno == EMSGSIZE) {
		log_error("id=%s list=%s member=%llu has no address that mail "
		    "can go to", entry_id(x->entry), x->list->address, m->id);
		rc = 0;
	}
	sbuf_free(&words);
	sbuf_free(&verp);
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
	return write_member(x, m);
}

static int
walk(struct expansion *x, struct roster *roster)
{
	int rc, saved;

	rc = roster_each(roster, false, add_member, x);
	if (rc == 0)
		return close_list(x);
	saved = errno;
	(void)close_list(x);
	errno = saved;
	return -1;
}

struct expansion *
expand_roster(struct runner *r, struct entry *e, const struct list *list,
    struct listdb *db)
{
	struct liststate *state = listdb_state(db, list);
	struct roster *roster = listdb_roster(db, list);
	struct expansion *x = xcalloc(1, sizeof(*x));

	x->entry = e;
	x->list = list;
	x->queue = runner_exit(r, "accept");
	x->max = runner_queue(r)->recipients;
	if (state == NULL || roster == NULL ||
	    liststate_key(state, x->key) == -1 || walk(x, roster) == -1) {
		int saved = errno;

		expand_free(&x);
		errno = saved;
	}
	return x;
}

unsigned long
expand_members(const struct expansion *x)
{
	return x->members;
}

/* "<dev-bounces+{verp}@lists.example.org>" */
static void
send_from(const struct list *list, struct sbuf *out)
{
	struct sbuf address = {0};
	const char *at;

	list_role_address(list, "-bounces", &address);
	at = strrchr(address.data, '@');
	sbuf_addc(out, '<');
	sbuf_add(out, address.data, (size_t)(at - address.data));
	if (list->verp == LIST_VERP_EACH)
		sbuf_adds(out, "+{verp}");
	sbuf_printf(out, "%s>", at);
	sbuf_free(&address);
}

/* Every field stands in the child's own block: what this hop writes for the
 * entry is not in the journal that a child begins with. */
void
expand_end(struct expansion **expansion, unsigned long long post)
{
	struct expansion *x = *expansion;
	const char *verp = x->list->verp == LIST_VERP_EACH ? "each" : "none";
	struct sbuf from = {0}, options = {0};
	size_t i;

	send_from(x->list, &from);
	sbuf_printf(&options, "NOTIFY=FAILURE RET=HDRS ENVID=%s",
	    entry_id(x->entry));
	entry_setf(x->entry, "Post-Number", "%llu", post);
	entry_set(x->entry, "Send-From", from.data);
	entry_set(x->entry, "Verp", verp);
	entry_set(x->entry, "Send-Options", options.data);
	entry_setf(x->entry, "Fan-Out", "1/%zu", x->n_children + 1);
	for (i = 0; i < x->n_children; i++) {
		child_setf(x->children[i], "Post-Number", "%llu", post);
		child_set(x->children[i], "Send-From", from.data);
		child_set(x->children[i], "Verp", verp);
		child_set(x->children[i], "Send-Options", options.data);
		child_setf(x->children[i], "Fan-Out", "%zu/%zu", i + 2,
		    x->n_children + 1);
	}
	sbuf_free(&from);
	sbuf_free(&options);
	expand_free(expansion);
}

void
expand_free(struct expansion **x)
{
	free((*x)->children);
	free(*x);
	*x = NULL;
}
