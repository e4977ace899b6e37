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
#include "common/mail/header.h"
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
		in.date = clock_ms();
	rc = entry_header(e, HEADER_MAX, &old, &body);
	if (rc == 0) {
		head_make(&in, &old, &head, &change);
		rc = entry_stage_head(e, &head);
	}
	if (rc == 0 && change.len > 0)
		entry_set(e, "Change", change.data);
	sbuf_free(&old);
	sbuf_free(&head);
	sbuf_free(&change);
	return rc;
}

/* The number of the post in its list: recorded with the entry's ID, so a
 * repeat of this hop gets the same one. */
static int
number(struct entry *e, const struct list *list, struct listdb *db)
{
	struct liststate *state = listdb_state(db, list);
	unsigned long long n;

	if (state == NULL ||
	    listdb_begin(db, liststate_store(state)) == -1 ||
	    liststate_post_number(state, entry_id(e), &n) == -1)
		return -1;
	entry_setf(e, "Post-Number", "%llu", n);
	return 0;
}

int
pending_handle(struct runner *r, struct entry *e)
{
	struct listdb *db = runner_data(r);
	const struct list *list;
	unsigned long members;

	if (!runner_list(r, e, &list))
		return 0;
	/* Only what is certain first: a list's number is not spent on a post
	 * that cannot be made. */
	if (make_head(r, e, list) == -1 ||
	    expand_roster(r, e, list, db, &members) == -1 ||
	    number(e, list, db) == -1)
		return -1;
	if (members == 0) {
		entry_set(e, "Recipients", "0 bytes=0");
		entry_done(e, "done");
	} else {
		runner_forward(r, e, "accept");
	}
	return 0;
}
