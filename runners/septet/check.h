/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check - every mistake in a site and its lists: what its files share
 */
#ifndef SEPTET_CHECK_H
#define SEPTET_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/strv.h"
#include "common/domain/site.h"

/* Addresses of all lists, to find one that is also a role of another. */
struct clashes {
	struct clash {
		char *address;
		char *list;
	} *items;
	size_t n, cap;
};

void clash_add(struct clashes *c, const char *address, const char *list);
/* Append a line to problems for each address that two lists have, and for each
 * that would be a role of another list: mail would go to the one or the other
 * by accident. */
void clash_find(struct clashes *c, struct strv *problems);
void clash_free(struct clashes *c);

struct check {
	struct site *site;
	struct strv problems;
	struct strv warnings;   /* what may be meant so */
	struct clashes clashes;
};

void check_add(struct check *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void check_warn(struct check *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Do we, and so would the runners, work as root?  CHECK_ROOT says so; it wants
 * the site's file. */
bool check_is_root(const struct site *site);
#define CHECK_ROOT "runs as root: no user: in %s"

#endif
