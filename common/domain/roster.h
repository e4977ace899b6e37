/* SPDX-License-Identifier: BSD-2-Clause
 *
 * roster - who is a member of a list: LISTS/NAME/members.tdb
 *
 * Key address_key(); value key=value words separated by tabs, unknown ones
 * kept (formats: "roster").  IDs count up from 1 and are never reused.
 */
#ifndef SEPTET_DOMAIN_ROSTER_H
#define SEPTET_DOMAIN_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"
#include "common/domain/store.h"

enum roster_status {
	ROSTER_ACTIVE,
	ROSTER_DISABLED,        /* bounced past the threshold: gets no posts */
	ROSTER_MODERATED        /* gets posts; own posts are held */
};
enum roster_mode { ROSTER_MODE_EACH, ROSTER_MODE_NONE };

struct roster_member {
	unsigned long long id;
	struct sbuf key;
	struct sbuf address;    /* spelling as given, used for delivery */
	struct sbuf name;
	enum roster_status status;
	enum roster_mode mode;
	struct sbuf language;
	int64_t joined;         /* ms */
	unsigned score;         /* bounces */
	int64_t scored;         /* ms of the last point, 0 */
	struct sbuf other;      /* unknown words, kept */
};

void roster_member_free(struct roster_member *m);

struct roster;

/* Open DIR/members.tdb.  NULL with errno; a missing file is ENOENT unless
 * mode is STORE_CREATE. */
struct roster *roster_open(const char *list_dir, enum store_mode mode);
void roster_close(struct roster **r);
/* For effects and transactions over several calls, and for records of others:
 * "NAME:...". */
struct store *roster_store(struct roster *r);

/* 1 and *m, 0 not a member, -1 errno (EINVAL: no address). */
int roster_get(struct roster *r, const char *address, struct roster_member *m)
    __attribute__((warn_unused_result));
int roster_get_id(struct roster *r, unsigned long long id,
    struct roster_member *m) __attribute__((warn_unused_result));
/* New member (m->id is set): 1 added, 0 is one already (nothing changed). */
int roster_add(struct roster *r, struct roster_member *m)
    __attribute__((warn_unused_result));
/* Write a changed member back, found by its id; its address may have changed.
 * ENOENT: no such id; EEXIST: another has that address. */
int roster_set(struct roster *r, const struct roster_member *m)
    __attribute__((warn_unused_result));
/* 1 removed, 0 was none, -1. */
int roster_remove(struct roster *r, const char *address)
    __attribute__((warn_unused_result));
/* All members, sorted by key where is_sorted (memory for the keys), else in
 * store order under one read lock.  fn returns 0 to go on. */
int roster_each(struct roster *r, bool is_sorted,
    int (*fn)(void *ctx, const struct roster_member *m), void *ctx)
    __attribute__((warn_unused_result));
long long roster_count(struct roster *r);

#endif
