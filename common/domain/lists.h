/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lists - all lists of a site: which list and role is an address?
 *
 * Opened lists are cached by the stamp of their list.yaml, aliases by the stamp
 * of the lists directory and of each list.yaml (looked at again when an address is not
 * found, at most once a second), so a list made or changed by any means is seen without a restart.
 */
#ifndef SEPTET_DOMAIN_LISTS_H
#define SEPTET_DOMAIN_LISTS_H

#include "common/base/sbuf.h"
#include "common/base/strv.h"
#include "common/domain/list.h"
#include "common/domain/site.h"

enum lists_role {
	ROLE_POST, ROLE_REQUEST, ROLE_JOIN, ROLE_LEAVE, ROLE_CONFIRM,
	ROLE_BOUNCES, ROLE_OWNER,
	ROLE_SITE_OWNER         /* postmaster@ a domain of ours; list NULL */
};

/* post, request, join, leave, confirm, bounces, owner, site-owner. */
const char *lists_role_name(enum lists_role role);
int lists_role_parse(const char *name, enum lists_role *role);

struct lists_match {
	const struct list *list; /* owned by lists; valid until the next call
	                          * that takes the struct lists */
	enum lists_role role;
	struct sbuf extension;   /* after '+', as given; may be empty */
};

struct lists;

struct lists *lists_open(const struct site *site);
void lists_close(struct lists **lists);

/* A list by its name (its first address, any case): 1 and *list, 0 no such
 * list, -1 it cannot be read now (errno; *why says more where not NULL). */
int lists_get(struct lists *lists, const char *name, const struct list **list,
    struct sbuf *why) __attribute__((warn_unused_result));
/* What an address stands for.  An exact list name or alias beats a role
 * suffix; -subscribe is -join, -unsubscribe is -leave.  Compared by
 * address_key.  1, 0 (not ours), -1 (errno: ask again later; a lists directory
 * that cannot be read, or a list.yaml that is broken or missing).  *match is
 * cleared first; lists_match_free. */
int lists_resolve(struct lists *lists, const char *address,
    struct lists_match *match) __attribute__((warn_unused_result));
void lists_match_free(struct lists_match *match);

/* Names of all lists, sorted: what stands in the directory, readable or not.
 * -1 with errno. */
int lists_names(struct lists *lists, struct strv *out)
    __attribute__((warn_unused_result));

/* Make LISTS/ADDRESS/ with list.yaml, an empty roster and keys; durable on
 * return.  0, or -1: EEXIST, EINVAL (*why: bad name, or it is or makes a role
 * of a list that is there), else errno. */
int lists_create(struct lists *lists, const char *address,
    const struct strv *owners, struct sbuf *why)
    __attribute__((warn_unused_result));
/* Remove a list's directory: renamed away first, so that it is gone or whole.
 * -1: ENOENT ... */
int lists_delete(struct lists *lists, const char *address)
    __attribute__((warn_unused_result));

#endif
