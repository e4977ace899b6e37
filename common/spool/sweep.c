/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sweep - remove what crashes left behind and nobody names
 *
 * Runs after recovery, so no sealed block names what a dead owner staged.
 * Parts are looked at by ctime only after `age`, far longer than any hop, and
 * go only where two walks through all queues found no envelope of theirs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/system/lock.h"
#include "common/spool/private.h"
#include "common/spool/recover.h"

/* Part names looked up in one pair of walks. */
#define CANDIDATES 4096

static int
ctime_age(int dir, const char *path, int64_t *age)
{
	struct stat st;

	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	*age = clock_ms() - ((int64_t)st.st_ctim.tv_sec * 1000 +
	    st.st_ctim.tv_nsec / 1000000);
	return 0;
}

/* Has an owner claims, in any queue?  Under his own name, or, once recovery
 * has begun, under one that begins with it: asked in this order, as it is
 * renamed in this order. */
static bool
has_claims(const struct spool *s, const struct strv *queues,
    const char *owner)
{
	const size_t n = strlen(owner);
	struct strv folders = {0};
	struct spool_path p;
	struct stat st;
	bool has = false;
	size_t i, k;

	for (i = 0; !has && i < queues->n; i++) {
		spool_path(&p, "%s/cur/%s", queues->items[i], owner);
		has = fstatat(s->dir, p.s, &st, 0) == 0 || errno != ENOENT;
		spool_path(&p, "%s/cur", queues->items[i]);
		if (!has && spool_names(s->dir, p.s, &folders) == -1)
			has = true;
		for (k = 0; !has && k < folders.n; k++)
			has = strncmp(folders.items[k], owner, n) == 0 &&
			    folders.items[k][n] == SPOOL_MARK;
		strv_free(&folders);
	}
	return has;
}

/* "ID+OWNER+N..." of an owner of this host that is dead and has no claims
 * left, looked at in this order: the dead make no new ones. */
static bool
is_dead_staging(const struct spool *s, const struct strv *queues,
    const char *name)
{
	char owner[ID_SIZE * 3];
	const char *start, *end;

	start = strchr(name, SPOOL_MARK);
	end = start == NULL ? NULL : strchr(start + 1, SPOOL_MARK);
	if (end == NULL || (size_t)(end - start) > sizeof(owner))
		return false;
	snprintf(owner, sizeof(owner), "%.*s", (int)(end - start - 1),
	    start + 1);
	if (strncmp(owner, s->host, strlen(s->host)) != 0 ||
	    owner[strlen(s->host)] != '.')
		return false;
	return lock_is_free(s->run_dir, owner) == 1 &&
	    !has_claims(s, queues, owner);
}

static void
remove_swept(struct spool *s, const char *path, struct recover_count *count)
{
	if (spool_remove(s->dir, path) == 0) {
		count->swept++;
	} else {
		count->failed++;
		count->error = errno;
	}
}

static int
sweep_tmp(struct spool *s, const struct strv *queues, const char *queue,
    int64_t age_ms, struct recover_count *count)
{
	struct spool_path p;
	struct dirent *d;
	int64_t age;
	DIR *dir;
	int fd;

	spool_path(&p, "%s/tmp", queue);
	fd = io_openat(s->dir, p.s, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		io_close(&fd);
		return -1;
	}
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		spool_path(&p, "%s/tmp/%s", queue, d->d_name);
		if (is_dead_staging(s, queues, d->d_name) ||
		    (ctime_age(s->dir, p.s, &age) == 0 && age > age_ms &&
		    strchr(d->d_name, SPOOL_MARK) == NULL))
			remove_swept(s, p.s, count);
	}
	closedir(dir);
	return 0;
}

/* Lock files of owners that died before they had a folder, or after.  By age,
 * since a new one stands there for an instant before it is locked. */
static int
sweep_locks(struct spool *s, const struct strv *queues, int64_t age_ms,
    struct recover_count *count)
{
	const size_t n = strlen(s->host);
	struct strv names = {0};
	const char *name;
	int64_t age;
	size_t i;

	if (spool_names(s->run_dir, ".", &names) == -1)
		return -1;
	for (i = 0; i < names.n; i++) {
		name = names.items[i];
		if (strncmp(name, s->host, n) != 0 || name[n] != '.' ||
		    strchr(name + n + 1, '.') == NULL ||
		    ctime_age(s->run_dir, name, &age) == -1 || age <= age_ms ||
		    lock_is_free(s->run_dir, name) != 1 ||
		    has_claims(s, queues, name))
			continue;
		if (spool_remove(s->run_dir, name) == 0)
			count->swept++;
	}
	strv_free(&names);
	return 0;
}

/* Minutes of the past that are empty. */
static void
sweep_minutes(struct spool *s, const char *queue)
{
	struct strv minutes = {0};
	struct spool_path p;
	long long now = clock_ms() / 60000;
	size_t i;

	spool_path(&p, "%s/later", queue);
	if (spool_names(s->dir, p.s, &minutes) == 0) {
		for (i = 0; i < minutes.n; i++) {
			if (atoll(minutes.items[i]) >= now)
				continue;
			spool_path(&p, "%s/later/%s", queue, minutes.items[i]);
			/* Not empty: due, and about to be claimed. */
			if (io_unlinkat(s->dir, p.s, AT_REMOVEDIR) == -1 &&
			    errno != ENOTEMPTY)
				continue;
		}
	}
	strv_free(&minutes);
}

struct candidates {
	struct strv names;      /* IDs, sorted */
	bool *is_alive;
};

static int
compare_names(const void *key, const void *item)
{
	return strcmp(key, *(char *const *)item);
}

static void
mark_alive(struct candidates *c, const char *name)
{
	char id[ID_SIZE];
	char **hit;
	size_t n = strcspn(name, "+");

	if (n > ID_MAX)
		return;
	memcpy(id, name, n);
	id[n] = '\0';
	hit = bsearch(id, c->names.items, c->names.n, sizeof(char *),
	    compare_names);
	if (hit != NULL)
		c->is_alive[hit - c->names.items] = true;
}

/* What is staged names its parts too: of a child whose parts are in place and
 * whose envelope is not. */
static int
walk_tmp(struct spool *s, const char *queue, struct candidates *c)
{
	struct spool_path p;
	struct dirent *d;
	DIR *dir;
	int fd, rc;

	spool_path(&p, "%s/tmp", queue);
	fd = io_openat(s->dir, p.s, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		io_close(&fd);
		return -1;
	}
	for (errno = 0; (d = readdir(dir)) != NULL; errno = 0)
		mark_alive(c, d->d_name);
	rc = errno == 0 ? 0 : -1;
	closedir(dir);
	return rc;
}

static int
walk_queues(struct spool *s, const struct strv *queues, struct candidates *c)
{
	static const enum spool_place places[] = {SPOOL_NEW, SPOOL_CUR,
		SPOOL_LATER, SPOOL_HELD, SPOOL_DEAD};
	struct spool_scan *scan;
	const char *name, *folder;
	size_t i, k;
	int rc;

	for (i = 0; i < queues->n; i++) {
		if (walk_tmp(s, queues->items[i], c) == -1)
			return -1;
		for (k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
			scan = spool_scan_open(s, queues->items[i], places[k],
			    INT64_MAX);
			if (scan == NULL)
				return -1;
			while ((rc = spool_scan_next(scan, &name, &folder)) ==
			    1)
				mark_alive(c, name);
			spool_scan_close(&scan);
			if (rc == -1)
				return -1;
		}
	}
	return 0;
}

/* A third look, for this one: 1 stands nowhere, 0, -1. */
static int
is_orphan(struct spool *s, const struct strv *queues, const char *name)
{
	struct sbuf path = {0};
	enum spool_place place;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && id_is_valid(name) && i < queues->n; i++)
		rc = spool_find(s, queues->items[i], name, &place, &path);
	sbuf_free(&path);
	return rc == -1 ? -1 : rc == 0;
}

/* Judge one set of old part names. */
static int
sweep_candidates(struct spool *s, const struct strv *queues, const char *part,
    struct candidates *c, struct recover_count *count)
{
	struct spool_path p;
	size_t i;
	int orphan, rc;

	if (c->names.n == 0)
		return 0;
	strv_sort(&c->names);
	c->is_alive = xcalloc(c->names.n, sizeof(*c->is_alive));
	rc = walk_queues(s, queues, c);
	if (rc == 0)
		rc = walk_queues(s, queues, c);
	for (i = 0; rc == 0 && i < c->names.n; i++) {
		if (c->is_alive[i])
			continue;
		orphan = is_orphan(s, queues, c->names.items[i]);
		spool_path(&p, "%s/%s", part, c->names.items[i]);
		if (orphan == 1)
			remove_swept(s, p.s, count);
		else if (orphan == -1)
			rc = -1;
	}
	free(c->is_alive);
	strv_free(&c->names);
	return rc;
}

static int
sweep_part(struct spool *s, const struct strv *queues, const char *part,
    int64_t age_ms, struct recover_count *count)
{
	struct candidates c = {{0}, NULL};
	struct spool_path p;
	struct dirent *d;
	int64_t age;
	DIR *dir;
	int fd, rc = 0;

	fd = io_openat(s->dir, part, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		io_close(&fd);
		return -1;
	}
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		spool_path(&p, "%s/%s", part, d->d_name);
		if (d->d_name[0] == '.' ||
		    ctime_age(s->dir, p.s, &age) == -1 || age <= age_ms)
			continue;
		strv_add(&c.names, d->d_name);
		if (c.names.n == CANDIDATES)
			rc = sweep_candidates(s, queues, part, &c, count);
	}
	closedir(dir);
	if (rc == 0)
		rc = sweep_candidates(s, queues, part, &c, count);
	strv_free(&c.names);
	return rc;
}

/* A folder that has the shape of a queue but is none that we were told of may
 * hold envelopes of the parts. */
static int
has_unknown_queue(struct spool *s, const struct strv *queues)
{
	struct strv names = {0};
	struct spool_path p;
	struct stat st;
	size_t i;
	int rc;

	rc = spool_names(s->dir, ".", &names);
	for (i = 0; rc == 0 && i < names.n; i++) {
		spool_path(&p, "%s/new", names.items[i]);
		if (!strv_has(queues, names.items[i]) &&
		    fstatat(s->dir, p.s, &st, 0) == 0)
			rc = 1;
	}
	strv_free(&names);
	return rc;
}

int
recover_sweep(struct spool *s, const struct strv *queues, int64_t age_ms,
    struct recover_count *count)
{
	static const char *const parts[] = {"msg", "head", "rcpt", "result"};
	size_t i;
	int rc;

	for (i = 0; i < queues->n; i++) {
		if (sweep_tmp(s, queues, queues->items[i], age_ms, count) == -1)
			return -1;
		sweep_minutes(s, queues->items[i]);
	}
	if (sweep_locks(s, queues, age_ms, count) == -1)
		return -1;
	rc = has_unknown_queue(s, queues);
	if (rc == 1)
		errno = ENOTSUP;
	if (rc != 0)
		return -1;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (sweep_part(s, queues, parts[i], age_ms, count) == -1)
			return -1;
	}
	return 0;
}
