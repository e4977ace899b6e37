/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scan - walk the places of a queue without holding a whole directory
 *
 * A directory of a million names is read once, in stretches that are sorted,
 * so that within a stretch the oldest goes first; a full sort would cost memory
 * and a pass over all names for each look.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/system/fsutil.h"
#include "common/spool/private.h"

#define STRETCH 4096

struct spool_scan {
	struct spool *spool;
	char queue[ID_SIZE];
	enum spool_place place;
	struct strv folders;    /* what is to be read: "" or sub-folders */
	size_t folder;          /* the current one, + 1 */
	DIR *dir;
	struct strv names;
	size_t at;
};

static DIR *
open_dir(int at, const char *path)
{
	DIR *dir;
	int fd;

	fd = io_openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd == -1)
		return NULL;
	dir = fdopendir(fd);
	if (dir == NULL)
		io_close(&fd);
	return dir;
}

/* Read up to max names: 0 at the end of the directory, 1 there may be more. */
static int
read_names(DIR *dir, struct strv *out, size_t max)
{
	struct dirent *d;

	while (out->n < max) {
		errno = 0;
		d = readdir(dir);
		if (d == NULL)
			return errno == 0 ? 0 : -1;
		if (fs_is_name(d->d_name))
			strv_add(out, d->d_name);
	}
	return 1;
}

int
spool_names(int at, const char *path, struct strv *out)
{
	DIR *dir = open_dir(at, path);
	int rc;

	if (dir == NULL)
		return -1;
	rc = read_names(dir, out, SIZE_MAX);
	closedir(dir);
	strv_sort(out);
	return rc;
}

/* later/MINUTE: ten digits, so that names sort by time. */
static int
minute_of(const char *name, int64_t *ms)
{
	char *end;
	long long minute;

	if (strspn(name, "0123456789") != strlen(name) || strlen(name) > 12)
		return -1;
	minute = strtoll(name, &end, 10);
	*ms = minute * 60000;
	return 0;
}

static int
find_folders(struct spool_scan *scan, int64_t now)
{
	struct strv all = {0};
	struct spool_path p;
	int64_t due;
	size_t i;

	if (scan->place != SPOOL_LATER && scan->place != SPOOL_CUR) {
		strv_add(&scan->folders, "");
		return 0;
	}
	spool_path(&p, "%s/%s", scan->queue, spool_place_name(scan->place));
	if (spool_names(scan->spool->dir, p.s, &all) == -1) {
		strv_free(&all);
		return -1;
	}
	for (i = 0; i < all.n; i++) {
		if (scan->place == SPOOL_LATER &&
		    (minute_of(all.items[i], &due) == -1 || due > now))
			continue;
		strv_add(&scan->folders, all.items[i]);
	}
	strv_free(&all);
	return 0;
}

struct spool_scan *
spool_scan_open(struct spool *s, const char *queue, enum spool_place place,
    int64_t now)
{
	struct spool_scan *scan;

	if (!spool_is_queue_name(queue)) {
		errno = EINVAL;
		return NULL;
	}
	scan = xcalloc(1, sizeof(*scan));
	scan->spool = s;
	scan->place = place;
	strcpy(scan->queue, queue);
	if (find_folders(scan, now) == -1)
		spool_scan_close(&scan);
	return scan;
}

/* Open the next folder: 1, 0 none is left, -1. */
static int
next_folder(struct spool_scan *scan)
{
	const char *folder;
	struct spool_path p;

	if (scan->dir != NULL)
		closedir(scan->dir);
	scan->dir = NULL;
	while (scan->folder < scan->folders.n) {
		folder = scan->folders.items[scan->folder++];
		spool_path(&p, "%s/%s%s%s", scan->queue,
		    spool_place_name(scan->place), *folder == '\0' ? "" : "/",
		    folder);
		scan->dir = open_dir(scan->spool->dir, p.s);
		if (scan->dir != NULL)
			return 1;
		/* A stray file among the folders, or one that is gone. */
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			return -1;
	}
	return 0;
}

int
spool_scan_next(struct spool_scan *scan, const char **name,
    const char **folder)
{
	int rc;

	while (scan->at == scan->names.n) {
		strv_free(&scan->names);
		scan->at = 0;
		if (scan->dir == NULL && (rc = next_folder(scan)) != 1)
			return rc;
		rc = read_names(scan->dir, &scan->names, STRETCH);
		if (rc == -1)
			return -1;
		if (rc == 0) {
			closedir(scan->dir);
			scan->dir = NULL;
		}
		strv_sort(&scan->names);
	}
	*name = scan->names.items[scan->at++];
	*folder = scan->folders.items[scan->folder - 1];
	return 1;
}

void
spool_scan_close(struct spool_scan **scan)
{
	if (*scan == NULL)
		return;
	if ((*scan)->dir != NULL)
		closedir((*scan)->dir);
	strv_free(&(*scan)->names);
	strv_free(&(*scan)->folders);
	free(*scan);
	*scan = NULL;
}

static int
find_in_folders(struct spool *s, const char *queue, const char *id,
    enum spool_place place, struct sbuf *path)
{
	struct spool_path p;
	struct strv folders = {0};
	struct stat st;
	size_t i;
	int rc = 0;

	spool_path(&p, "%s/%s", queue, spool_place_name(place));
	if (spool_names(s->dir, p.s, &folders) == -1)
		rc = errno == ENOENT ? 0 : -1;
	for (i = 0; rc == 0 && i < folders.n; i++) {
		spool_path(&p, "%s/%s/%s/%s", queue, spool_place_name(place),
		    folders.items[i], id);
		if (fstatat(s->dir, p.s, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			sbuf_set(path, p.s);
			rc = 1;
		}
	}
	strv_free(&folders);
	return rc;
}

int
spool_find(struct spool *s, const char *queue, const char *id,
    enum spool_place *place, struct sbuf *path)
{
	static const enum spool_place flat[] = {SPOOL_NEW, SPOOL_HELD,
		SPOOL_DEAD};
	static const enum spool_place deep[] = {SPOOL_CUR, SPOOL_LATER};
	struct spool_path p;
	struct stat st;
	size_t i;
	int rc;

	for (i = 0; i < 3; i++) {
		*place = flat[i];
		spool_path(&p, "%s/%s/%s", queue, spool_place_name(flat[i]),
		    id);
		if (fstatat(s->dir, p.s, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			sbuf_set(path, p.s);
			return 1;
		}
		if (errno != ENOENT)
			return -1;
	}
	for (i = 0; i < 2; i++) {
		*place = deep[i];
		rc = find_in_folders(s, queue, id, deep[i], path);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
spool_next_due(struct spool *s, const char *queue, int64_t *ms)
{
	struct spool_path p;
	struct strv minutes = {0};
	int64_t due;
	size_t i;
	int rc = 0;

	spool_path(&p, "%s/later", queue);
	if (spool_names(s->dir, p.s, &minutes) == -1)
		rc = -1;
	for (i = 0; rc == 0 && i < minutes.n; i++) {
		if (minute_of(minutes.items[i], &due) == 0) {
			*ms = due;
			rc = 1;
		}
	}
	strv_free(&minutes);
	return rc;
}
