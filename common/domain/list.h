/* SPDX-License-Identifier: BSD-2-Clause
 *
 * list - one list's policy: LISTS/NAME@DOMAIN/list.yaml
 *
 * The keys are described in list.yaml(5).
 */
#ifndef SEPTET_DOMAIN_LIST_H
#define SEPTET_DOMAIN_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"
#include "common/domain/conf.h"
#include "common/domain/site.h"

enum list_action { LIST_ACCEPT, LIST_HOLD, LIST_REJECT, LIST_DISCARD };
enum list_subscribe { LIST_OPEN_CONFIRM, LIST_CLOSED };
enum list_identity { LIST_FROM_FIRST, LIST_FROM_ONLY, LIST_ENVELOPE_ONLY,
	LIST_ENVELOPE_FIRST };
enum list_verp { LIST_VERP_EACH, LIST_VERP_NONE };

/* Longest local part of a list: NAME-confirm+aTOKEN, by which a moderator
 * approves, then has the 64 octets of RFC 5321 section 4.5.3.1.1. */
#define LIST_NAME_MAX 28

struct list {
	char *address;          /* the first of addresses: its name, which is
	                         * its directory's too */
	struct strv addresses;  /* and aliases; all in address_key's form */
	struct strv owners;
	struct strv moderators; /* none: the owners */
	char *description;
	char *language;         /* "en" */
	char *subject_prefix;   /* NULL: none */
	enum list_action member_action;    /* accept */
	enum list_action nonmember_action; /* hold */
	enum list_action size_action;      /* hold, for posts over size_limit */
	uint64_t size_limit;    /* 10M; a larger one than the site's counts
	                         * as that */
	enum list_identity identity;
	enum list_subscribe subscribe;
	enum list_verp verp;
	bool is_closed;         /* takes no posts: rejected */
	unsigned bounce_threshold; /* 5; 0: never disables */
	int64_t bounce_stale;   /* 7d: a score older than this starts anew */
	char *dir;              /* absolute path of its directory */
};

/* Load DIR/list.yaml over the site's defaults:.  NULL: errors says why; errno
 * is ENOENT where there is no list.yaml. */
struct list *list_load(const struct site *site, const char *dir,
    struct conf_errors *errors);
/* The same from a tree, which stays the caller's. */
struct list *list_make(const struct site *site, const char *dir,
    const struct conf_node *tree, struct conf_errors *errors);
void list_free(struct list **list);
/* Say what is wrong with the site's defaults: (site_load does). */
void list_check_defaults(const struct site *site, struct conf_errors *errors);

/* Can local be a list's local part: [a-z0-9][a-z0-9._+-]*, dots only between
 * others, at most LIST_NAME_MAX bytes?  That it neither is nor makes a role of
 * another list is for lists_create to see. */
bool list_is_name(const char *local);

/* "dev" and "-owner" to "dev-owner@lists.example.org"; empties out. */
void list_role_address(const struct list *list, const char *suffix,
    struct sbuf *out);
/* RFC 2919 List-Id: "dev.lists.example.org". */
void list_id(const struct list *list, struct sbuf *out);

const char *list_action_name(enum list_action action);

#endif
