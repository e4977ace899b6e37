/* SPDX-License-Identifier: BSD-2-Clause
 *
 * store - a small durable key-value file with transactions (TDB)
 *
 * The only module that includes tdb.h.  Safe between processes; a process
 * opens a file once (TDB forbids twice: EBUSY), so a struct store is shared
 * within it and kept by its owner; it is of no use in a child after fork.  A
 * transaction is flushed on commit; outside one, a write is a transaction of
 * its own.  A file that is not a TDB is ENOTSUP, never overwritten.
 */
#ifndef SEPTET_DOMAIN_STORE_H
#define SEPTET_DOMAIN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"

struct store;

enum store_mode { STORE_READ, STORE_WRITE, STORE_CREATE };

/* entries_hint sizes the hash of a new file (0: small), which is whole before
 * it has its name.  NULL with errno. */
struct store *store_open(const char *path, enum store_mode mode,
    size_t entries_hint);
void store_close(struct store **s);

/* 1 and *value (emptied first), 0 absent, -1 errno. */
int store_get(struct store *s, const char *key, struct sbuf *value)
    __attribute__((warn_unused_result));
int store_put(struct store *s, const char *key, const void *value, size_t n)
    __attribute__((warn_unused_result));
/* 1 put, 0 there already (nothing changed), -1. */
int store_insert(struct store *s, const char *key, const void *value, size_t n)
    __attribute__((warn_unused_result));
/* 1 removed, 0 was not there, -1. */
int store_delete(struct store *s, const char *key)
    __attribute__((warn_unused_result));
/* Transactions nest: only the outermost commit writes.  After an inner cancel
 * the outer commit writes nothing and is -1 with ECANCELED.  A commit that
 * fails has cancelled.  EDEADLK: begin inside store_each. */
int store_begin(struct store *s) __attribute__((warn_unused_result));
int store_commit(struct store *s) __attribute__((warn_unused_result));
void store_cancel(struct store *s);
/* A change of one record and what belongs to it is begin .. end: commits where
 * result is not -1, else cancels; returns result (or -1), errno kept. */
int store_end(struct store *s, int result) __attribute__((warn_unused_result));
/* Every record whose key starts with prefix, in no order, under one lock that
 * lets others read by key; fn returns 0 to go on.  It may get, not write.  0, the callback's
 * value, or -1 with errno. */
int store_each(struct store *s, const char *prefix,
    int (*fn)(void *ctx, const char *key, const char *value, size_t n),
    void *ctx) __attribute__((warn_unused_result));

/* Records that are forgotten by age: put writes ms and text, and a line in a
 * queue, so that prune deletes at most max records older than `before` without
 * looking at the others.  A queue's records come in about the order of ms.
 * get: 1, 0, -1 as store_get. */
int store_aged_put(struct store *s, const char *queue, const char *key,
    int64_t ms, const char *text) __attribute__((warn_unused_result));
int store_aged_get(struct store *s, const char *key, int64_t *ms,
    struct sbuf *text) __attribute__((warn_unused_result));
int store_aged_prune(struct store *s, const char *queue, int64_t before,
    unsigned max) __attribute__((warn_unused_result));

/* Effects (design: an effect outside the spool records the entry's ID and the
 * answer in the same transaction).  Keys "effect:ID".  Call between begin and
 * commit: 1 and the recorded answer where the ID did its work before. */
int store_effect_get(struct store *s, const char *id, struct sbuf *answer)
    __attribute__((warn_unused_result));
int store_effect_put(struct store *s, const char *id, const char *answer)
    __attribute__((warn_unused_result));
/* Forget effects older than keep_ms; bounded work per call. */
int store_effects_prune(struct store *s, long long keep_ms)
    __attribute__((warn_unused_result));

#endif
