/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pending - make list mail of an accepted post
 *
 * Reads the post's header, the list's file, its roster and state.  Writes a new
 * header, distribution lists and, where one list is not enough, children.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "runners/pending/pending.h"

void *
pending_init(struct runner *r)
{
	(void)r;
	return listdb_open(STORE_WRITE);
}

void
pending_fini(struct runner *r, void *data)
{
	struct listdb *db = data;

	(void)r;
	listdb_close(&db);
}

int
pending_batch_end(struct runner *r)
{
	return listdb_commit(runner_data(r));
}

/* 1; 0 the entry is buried; -1. */
static int
make_head(struct runner *r, struct entry *e, const struct list *list)
{
	const struct envelope *env = entry_envelope(e);
	const char *created = envelope_get(env, "Created");
	struct head_input in = {.site = runner_site(r), .list = list,
		.id = entry_id(e),
		.message_id = envelope_get(env, "Message-Id"),
		.is_smtp = envelope_get(env, "Client") != NULL};
	struct sbuf old = {0}, head = {0}, change = {0};
	off_t body;
	int rc;

	if (created == NULL || clock_parse(created, &in.date) == -1)
		in.date = id_time(entry_id(e));
	if (in.date == 0)
		in.date = clock_ms();
	rc = runner_header(r, e, &old, &body);
	if (rc == 1) {
		head_make(&in, &old, &head, &change);
		if (entry_stage_head(e, &head) == -1)
			rc = -1;
	}
	if (change.len > 0 || envelope_get(env, "Change") != NULL)
		entry_set(e, "Change", sbuf_str(&change));
	sbuf_free(&old);
	sbuf_free(&head);
	sbuf_free(&change);
	return rc;
}

/* The number of the post in its list: recorded with the entry's ID, so a
 * repeat of this hop gets the same one. */
static int
number(struct entry *e, const struct list *list, struct listdb *db,
    unsigned long long *n)
{
	struct liststate *state = listdb_state(db, list);

	if (state == NULL ||
	    listdb_begin(db, liststate_store(state)) == -1)
		return -1;
	return liststate_post_number(state, entry_id(e), n);
}

static int
distribute(struct runner *r, struct entry *e, const struct list *list)
{
	struct listdb *db = runner_data(r);
	struct expansion *x = expand_roster(r, e, list, db);
	unsigned long long post;

	/* Only what is certain first: a list's number is not spent on a post
	 * that cannot be made. */
	if (x == NULL)
		return -1;
	if (number(e, list, db, &post) == -1) {
		expand_free(&x);
		return -1;
	}
	if (expand_members(x) == 0) {
		entry_setf(e, "Post-Number", "%llu", post);
		entry_set(e, "Recipients", "0 bytes=0");
		entry_done(e, "done");
		expand_free(&x);
	} else {
		expand_end(&x, post);
		runner_forward(r, e, "accept");
	}
	return 0;
}

int
pending_handle(struct runner *r, struct entry *e)
{
	struct listdb *db = runner_data(r);
	const struct list *list;
	int rc;

	if (!runner_list(r, e, &list))
		return 0;
	/* One list's broken roster or state is that list's trouble alone. */
	if (listdb_state(db, list) == NULL) {
		runner_defer_error(r, e, "the list's state");
		return 0;
	}
	if (listdb_roster(db, list) == NULL) {
		runner_defer_error(r, e, "the list's roster");
		return 0;
	}
	if (runner_exit(r, "accept") == NULL) {
		runner_forward(r, e, "accept"); /* buries, and says why */
		return 0;
	}
	rc = make_head(r, e, list);
	return rc == 1 ? distribute(r, e, list) : rc;
}
