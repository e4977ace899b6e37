/* SPDX-License-Identifier: BSD-2-Clause
 *
 * limits - how often anybody is written to automatically: LISTS/.limits.tdb
 *
 * One answer an hour per list, address and notice; ten a day per address over
 * all lists of the site, confirmations included (mail-rules.md).  Also the
 * dedup window of inbound lives in a file of this form.
 */
#ifndef SEPTET_DOMAIN_LIMITS_H
#define SEPTET_DOMAIN_LIMITS_H

#include <stdint.h>

#include "common/base/sbuf.h"
#include "common/domain/store.h"

struct limits;

/* path: the file.  NULL with errno. */
struct limits *limits_open(const char *path);
void limits_close(struct limits **l);
/* For a transaction over several calls: one flush for a batch. */
struct store *limits_store(struct limits *l);

/* May entry id send this notice to address for list now?  Records it where
 * yes.  1 yes (also when the same id asked before and got yes), 0 no, -1
 * (EINVAL: no address). */
int limits_answer(struct limits *l, const char *id, const char *list,
    const char *address, const char *notice)
    __attribute__((warn_unused_result));

/* Seen before?  Records key for window_ms with the entry's id.  1: another
 * entry had it (its id appended to *other), 0: new or the same entry, -1. */
int limits_seen(struct limits *l, const char *key, const char *id,
    int64_t window_ms, struct sbuf *other)
    __attribute__((warn_unused_result));
/* Drop what is out of its window; bounded work per call, so callers may do it
 * every so often. */
int limits_prune(struct limits *l) __attribute__((warn_unused_result));

#endif
