/* SPDX-License-Identifier: BSD-2-Clause
 *
 * listdb - the rosters and states that a process has open
 *
 * TDB forbids a process to open a file twice, and opening costs; so a process
 * keeps them here, at most LISTDB_OPEN at once, and notices when a list was
 * deleted and made again.  At most one transaction is open at a time: two
 * processes that each held several would wait for each other for ever.  To
 * commit one early is safe, since effects are recorded with the entry's ID.
 */
#ifndef SEPTET_DOMAIN_LISTDB_H
#define SEPTET_DOMAIN_LISTDB_H

#include "common/domain/list.h"
#include "common/domain/liststate.h"
#include "common/domain/roster.h"

#define LISTDB_OPEN 64

struct listdb;

/* mode: STORE_READ for a stage that only looks, else STORE_WRITE. */
struct listdb *listdb_open(enum store_mode mode);
/* Cancels an open transaction. */
void listdb_close(struct listdb **db);

/* The roster or state of a list; NULL with errno.  Valid until the next call
 * for another list. */
struct roster *listdb_roster(struct listdb *db, const struct list *list);
struct liststate *listdb_state(struct listdb *db, const struct list *list);

/* Make sure that a transaction is open on this store; one that is open on
 * another is committed first. */
int listdb_begin(struct listdb *db, struct store *store)
    __attribute__((warn_unused_result));
/* Commit what is open; for batch_end.  -1 also where an earlier commit of the
 * batch failed. */
int listdb_commit(struct listdb *db) __attribute__((warn_unused_result));
void listdb_cancel(struct listdb *db);

#endif
