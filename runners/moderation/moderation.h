/* SPDX-License-Identifier: BSD-2-Clause
 *
 * moderation - does the list accept it?
 */
#ifndef SEPTET_MODERATION_H
#define SEPTET_MODERATION_H

#include "common/domain/listdb.h"
#include "common/process/runner.h"

struct moderation {
	struct listdb *db;
	int64_t expired;        /* when held/ was last looked through, on the
	                         * monotonic clock; 0 never */
};

void *moderation_init(struct runner *r);
int moderation_look(struct runner *r);
int moderation_handle(struct runner *r, struct entry *e);
int moderation_batch_end(struct runner *r);
void moderation_fini(struct runner *r, void *data);

/* What the rules read. */
struct policy_input {
	const struct list *list;
	bool is_member;
	bool is_moderated;      /* a member whose posts are held */
	bool is_automatic;      /* of any kind: never answered */
	bool is_auto_replied;
	bool is_null_sender;
	bool is_bounce;         /* an unrecognised one, sent on by bounce */
	unsigned long long size;
};

/* One rule that matched. */
struct policy_rule {
	const char *name;       /* "nonmember" */
	enum list_action action;
	const char *reason;     /* key=value text: status=5.7.2 text="...";
	                         * NULL where it accepts */
};

/* The rules that matched, strictest first: rules[0].action is the verdict.
 * max is the room; returns their number, at least 1 ("member"/"nonmember"
 * with accept where nothing objects). */
size_t policy_judge(const struct policy_input *in, struct policy_rule *rules,
    size_t max);

/* Write a field that may say nothing: only where it takes back what an earlier
 * block says. */
void moderation_set(struct entry *e, const char *name, const char *value);

/* Hold an entry: token, Held field, a notice to the sender where that is a
 * member, and one to the owners, an hour after the last, where none waits for
 * that already; none of both for what is no person's mail.  reason: what its Reason field says.  0,
 * or -1. */
int hold_entry(struct runner *r, struct entry *e,
    const struct policy_input *in, const char *reason);
/* Carry out the verdict entry on the held one it names: both are settled
 * here, or the verdict alone gets an outcome. 0, or -1. */
int verdict_handle(struct runner *r, struct entry *verdict);
/* Let go of what was held too long.  0, or -1 trouble. */
int holds_expire(struct runner *r);

#endif
