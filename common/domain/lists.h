/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lists - all lists of a site: which list and role is an address?
 *
 * A list is looked at by the stamp of its list.yaml at every call, so one made
 * or changed by any means is seen without a restart.  Aliases are known from a
 * look at all lists, made again after a second when somebody asks for an
 * address that is no list's name.
 */
#ifndef SEPTET_DOMAIN_LISTS_H
#define SEPTET_DOMAIN_LISTS_H

#include <stdbool.h>

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

/* What is put to a list's local part for each role, "" for posts first, text
 * NULL last: the one table of them. */
struct lists_suffix {
	const char *text;       /* "-subscribe" */
	enum lists_role role;
	bool has_extension;     /* is of use with "+..." */
};
const struct lists_suffix *lists_suffixes(void);

struct lists_match {
	const struct list *list; /* owned by lists; valid until the next call
	                          * that takes the struct lists */
	enum lists_role role;
	struct sbuf extension;   /* after '+', as given; may be empty */
};

struct lists;

struct lists *lists_open(const struct site *site);
void lists_close(struct lists **lists);
/* The site's lists: directory. */
const char *lists_folder(const struct lists *lists);

/* A list by its name (its first address, any case): 1 and *list, 0 no such
 * list, -1 it cannot be read now (errno; *why says more where not NULL). */
int lists_get(struct lists *lists, const char *name, const struct list **list,
    struct sbuf *why) __attribute__((warn_unused_result));
/* What an address stands for.  An exact list name or alias beats a role
 * suffix; -subscribe is -join, -unsubscribe is -leave.  Any of them, posts
 * too, may have an extension (an MTA with recipient_delimiter lets it pass).
 * "postmaster" without a domain is the site's.  1; 0 (not ours); -1 (errno: ask
 * again later; the lists directory cannot be read, the list.yaml is broken or
 * missing, or that of another list of the domain is, so that nobody knows its
 * aliases).  *match is cleared first; lists_match_free. */
int lists_resolve(struct lists *lists, const char *address,
    struct lists_match *match) __attribute__((warn_unused_result));
void lists_match_free(struct lists_match *match);
/* Why the last lists_resolve was -1, for people: "FILE:LINE: what is wrong" of
 * the list.yaml at fault; "" where errno says it all.  Valid until the next
 * call that takes the struct lists. */
const char *lists_why(const struct lists *lists);

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
