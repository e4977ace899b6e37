/* SPDX-License-Identifier: BSD-2-Clause
 *
 * liststate - what a list remembers besides its members: LISTS/NAME/state.tdb
 *
 * Keys (VERP, tokens), pending requests, held posts by token, the number of
 * the last post, bounce points per day, when owners were last told.
 */
#ifndef SEPTET_DOMAIN_LISTSTATE_H
#define SEPTET_DOMAIN_LISTSTATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"
#include "common/domain/store.h"

struct liststate;

/* Open DIR/state.tdb; STORE_CREATE makes it and its secret key. */
struct liststate *liststate_open(const char *list_dir, enum store_mode mode);
void liststate_close(struct liststate **s);
struct store *liststate_store(struct liststate *s);

/* The list's secret: 32 bytes. */
int liststate_key(struct liststate *s, unsigned char key[32])
    __attribute__((warn_unused_result));

/* A pending request named by a token's number: kv text ("subscribe
 * address=... mode=... until=..."), until its time is over.  put: 0/-1;
 * take: 1 and removed, 0 none or expired, -1. */
int liststate_request_put(struct liststate *s, uint64_t number,
    const char *text, int64_t until) __attribute__((warn_unused_result));
int liststate_request_get(struct liststate *s, uint64_t number,
    struct sbuf *text) __attribute__((warn_unused_result));
int liststate_request_delete(struct liststate *s, uint64_t number)
    __attribute__((warn_unused_result));

/* Next post number for entry id; the same id gets the same number again. */
int liststate_post_number(struct liststate *s, const char *id,
    unsigned long long *number) __attribute__((warn_unused_result));

/* When a named thing last happened, or is to ("owners-due"): ms, 0 never. */
int liststate_stamp_get(struct liststate *s, const char *name, int64_t *ms)
    __attribute__((warn_unused_result));
int liststate_stamp_put(struct liststate *s, const char *name, int64_t ms)
    __attribute__((warn_unused_result));

#endif
