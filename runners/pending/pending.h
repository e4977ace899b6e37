/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pending - make list mail of an accepted post
 */
#ifndef SEPTET_PENDING_H
#define SEPTET_PENDING_H

#include "common/domain/listdb.h"
#include "common/process/runner.h"

void *pending_init(struct runner *r);
int pending_handle(struct runner *r, struct entry *e);
int pending_batch_end(struct runner *r);
void pending_fini(struct runner *r, void *data);

/* What the new header is made from. */
struct head_input {
	const struct site *site;
	const struct list *list;
	const char *id;         /* of the entry */
	const char *message_id; /* with brackets: for a header without one */
	int64_t date;           /* Created: likewise */
	bool is_smtp;           /* came by LMTP: said in Received */
};

/* What is read of the entry's former visit to this queue (put back by hand) is
 * not doubled: X-Loop of this list and Received with this id make room.
 * Append the header that goes out (with its blank line): our fields on top,
 * then the rest of the old one, byte for byte.  What was changed beyond
 * mail-rules' removals is appended to *change, e.g. "subject-prefix
 * dkim=breaks"; empty where nothing was. */
void head_make(const struct head_input *in, const struct sbuf *old,
    struct sbuf *out, struct sbuf *change);

struct expansion;

/* Write the distribution lists: the entry's own and a child for each further
 * one, for the queue that exit accept leads to.  NULL with errno. */
struct expansion *expand_roster(struct runner *r, struct entry *e,
    const struct list *list, struct listdb *db);
/* How many will get the post. */
unsigned long expand_members(const struct expansion *x);
/* Write what outbound reads to the entry and its children; post is the number
 * of the post.  Frees. */
void expand_end(struct expansion **x, unsigned long long post);
void expand_free(struct expansion **x);

#endif
