/* SPDX-License-Identifier: BSD-2-Clause
 *
 * listdb - the rosters and states that a process has open
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/xalloc.h"
#include "common/domain/listdb.h"

struct slot {
	char *dir;
	struct roster *roster;
	struct liststate *state;
	ino_t roster_inode;
	ino_t state_inode;
	unsigned long used;     /* tick of the last use */
};

struct listdb {
	enum store_mode mode;
	struct slot slots[LISTDB_OPEN];
	unsigned long tick;
	struct store *transaction;
	int error;              /* of a commit before its time */
};

struct listdb *
listdb_open(enum store_mode mode)
{
	struct listdb *db = xcalloc(1, sizeof(*db));

	db->mode = mode;
	return db;
}

static bool
has_transaction(const struct listdb *db, const struct slot *s)
{
	return db->transaction != NULL &&
	    ((s->roster != NULL &&
	    roster_store(s->roster) == db->transaction) ||
	    (s->state != NULL &&
	    liststate_store(s->state) == db->transaction));
}

static int
commit(struct listdb *db)
{
	struct store *store = db->transaction;

	db->transaction = NULL;
	return store == NULL ? 0 : store_commit(store);
}

/* In the middle of a batch: a failure is that of the entries before this one,
 * so it is kept for whoever commits at the batch's end. */
static int
commit_early(struct listdb *db)
{
	if (commit(db) == 0)
		return 0;
	db->error = errno;
	return -1;
}

/* The file that a transaction was on is another one now: the entries before
 * this one have to be handled again. */
static void
lose(struct listdb *db)
{
	listdb_cancel(db);
	db->error = ESTALE;
}

static int
close_slot(struct listdb *db, struct slot *s)
{
	if (has_transaction(db, s) && commit_early(db) == -1)
		return -1;
	roster_close(&s->roster);
	liststate_close(&s->state);
	free(s->dir);
	memset(s, 0, sizeof(*s));
	return 0;
}

void
listdb_close(struct listdb **db)
{
	size_t i;

	if (*db == NULL)
		return;
	listdb_cancel(*db);
	for (i = 0; i < LISTDB_OPEN; i++) {
		roster_close(&(*db)->slots[i].roster);
		liststate_close(&(*db)->slots[i].state);
		free((*db)->slots[i].dir);
	}
	free(*db);
	*db = NULL;
}

static ino_t
inode_of(const char *dir, const char *file)
{
	struct sbuf path = {0};
	struct stat st;
	int rc;

	sbuf_printf(&path, "%s/%s", dir, file);
	rc = stat(path.data, &st);
	sbuf_free(&path);
	return rc == -1 ? 0 : st.st_ino;
}

/* The slot of a list: its own, else a free or the oldest one. */
static struct slot *
find_slot(struct listdb *db, const char *dir)
{
	struct slot *s = NULL;
	size_t i;

	for (i = 0; i < LISTDB_OPEN; i++) {
		if (db->slots[i].dir != NULL &&
		    strcmp(db->slots[i].dir, dir) == 0) {
			s = &db->slots[i];
			break;
		}
		if (s == NULL || db->slots[i].used < s->used)
			s = &db->slots[i];
	}
	if (s->dir != NULL && strcmp(s->dir, dir) != 0 &&
	    close_slot(db, s) == -1)
		return NULL;
	if (s->dir == NULL)
		s->dir = xstrdup(dir);
	s->used = ++db->tick;
	return s;
}

struct roster *
listdb_roster(struct listdb *db, const struct list *list)
{
	struct slot *s = find_slot(db, list->dir);
	ino_t inode;

	if (s == NULL)
		return NULL;
	inode = inode_of(list->dir, "members.tdb");
	if (s->roster != NULL && inode != s->roster_inode) {
		if (has_transaction(db, s))
			lose(db);
		roster_close(&s->roster);
	}
	if (s->roster == NULL) {
		s->roster = roster_open(list->dir, db->mode);
		s->roster_inode = inode;
	}
	return s->roster;
}

struct liststate *
listdb_state(struct listdb *db, const struct list *list)
{
	struct slot *s = find_slot(db, list->dir);
	ino_t inode;

	if (s == NULL)
		return NULL;
	inode = inode_of(list->dir, "state.tdb");
	if (s->state != NULL && inode != s->state_inode) {
		if (has_transaction(db, s))
			lose(db);
		liststate_close(&s->state);
	}
	if (s->state == NULL) {
		s->state = liststate_open(list->dir, db->mode);
		s->state_inode = inode;
	}
	return s->state;
}

int
listdb_begin(struct listdb *db, struct store *store)
{
	if (db->transaction == store)
		return 0;
	if (commit_early(db) == -1 || store_begin(store) == -1)
		return -1;
	db->transaction = store;
	return 0;
}

int
listdb_commit(struct listdb *db)
{
	int rc = commit(db);

	if (db->error != 0) {
		errno = db->error;
		db->error = 0;
		rc = -1;
	}
	return rc;
}

void
listdb_cancel(struct listdb *db)
{
	if (db->transaction != NULL)
		store_cancel(db->transaction);
	db->transaction = NULL;
	db->error = 0;
}
