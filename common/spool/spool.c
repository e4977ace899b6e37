/* SPDX-License-Identifier: BSD-2-Clause
 *
 * spool - open a volume, own claims in one of its queues
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/system/fsutil.h"
#include "common/system/lock.h"
#include "common/spool/private.h"

/* A queue's name and a number. */
#define INSTANCE_MAX 80

static int
make_queue(int dir, const char *queue)
{
	static const char *const folders[] = {"tmp", "new", "cur", "later",
		"held", "dead", "status"};
	struct spool_path p;
	size_t i;

	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		spool_path(&p, "%s/%s", queue, folders[i]);
		if (fs_mkdirs(dir, p.s, SPOOL_DIR_MODE) == -1)
			return -1;
	}
	return 0;
}

int
spool_make(const char *path, const struct strv *queues)
{
	static const char *const parts[] = {"msg", "head", "rcpt", "result",
		"journal"};
	size_t i;
	int dir, rc = 0;

	if (fs_mkdirs(AT_FDCWD, path, SPOOL_DIR_MODE) == -1)
		return -1;
	dir = io_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (dir == -1)
		return -1;
	for (i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		rc = fs_mkdirs(dir, parts[i], SPOOL_DIR_MODE);
	for (i = 0; rc == 0 && i < queues->n; i++) {
		if (!spool_is_queue_name(queues->items[i])) {
			errno = EINVAL;
			rc = -1;
		} else {
			rc = make_queue(dir, queues->items[i]);
		}
	}
	if (rc == 0)
		rc = io_fsync(dir);
	io_close(&dir);
	return rc;
}

struct spool *
spool_open(const struct spool_config *config)
{
	struct spool *s;
	int dir, run;

	dir = io_openat(AT_FDCWD, config->path, O_RDONLY | O_DIRECTORY, 0);
	if (dir == -1)
		return NULL;
	if (fs_mkdirs(AT_FDCWD, config->run, SPOOL_DIR_MODE) == -1 ||
	    (run = io_openat(AT_FDCWD, config->run, O_RDONLY | O_DIRECTORY,
	    0)) == -1) {
		io_close(&dir);
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->dir = dir;
	s->run_dir = run;
	s->host = xstrdup(config->host);
	s->flush = config->flush;
	s->stage = config->stage;
	s->reaches = config->reaches;
	s->ctx = config->ctx;
	s->lock = -1;
	return s;
}

void
spool_close(struct spool **s)
{
	if (*s == NULL)
		return;
	spool_disown(*s);
	io_close(&(*s)->dir);
	io_close(&(*s)->run_dir);
	free((*s)->host);
	free(*s);
	*s = NULL;
}

int
spool_dir(const struct spool *s)
{
	return s->dir;
}

const char *
spool_host(const struct spool *s)
{
	return s->host;
}

const char *
spool_owner(const struct spool *s)
{
	return s->owner;
}

/* One try: the lock first, so that a folder is never seen without it. */
static int
own_as(struct spool *s, const char *queue, const char *owner)
{
	struct spool_path p;
	int lock, saved;

	lock = lock_take(s->run_dir, owner, NULL);
	if (lock == -1)
		return -1;
	spool_path(&p, "%s/cur/%s", queue, owner);
	if (io_mkdirat(s->dir, p.s, SPOOL_DIR_MODE) == -1) {
		saved = errno;
		/* EEXIST: the lock file of the dead man whose folder it is. */
		if (saved != EEXIST)
			(void)spool_remove(s->run_dir, owner);
		io_close(&lock);
		errno = saved;
		return -1;
	}
	s->lock = lock;
	return 0;
}

/* It becomes part of file names, between marks. */
static bool
is_instance(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= INSTANCE_MAX && strspn(name,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789_-") == n;
}

int
spool_own(struct spool *s, const char *queue, const char *instance)
{
	int64_t epoch = clock_us();
	struct spool_path p;
	int tries;

	if (s->owner != NULL || !spool_is_queue_name(queue) ||
	    !is_instance(instance)) {
		errno = EINVAL;
		return -1;
	}
	/* A clock that went back may meet an epoch that was used. */
	for (tries = 0; tries < 100; tries++) {
		spool_path(&p, "%s.%s.%lld", s->host, instance,
		    (long long)(epoch + tries));
		if (own_as(s, queue, p.s) == 0) {
			s->owner = xstrdup(p.s);
			s->queue = xstrdup(queue);
			return 0;
		}
		if (errno != EEXIST && errno != EWOULDBLOCK)
			return -1;
	}
	return -1;
}

void
spool_disown(struct spool *s)
{
	struct spool_path p;

	if (s->owner == NULL)
		return;
	spool_path(&p, "%s/cur/%s", s->queue, s->owner);
	/* The name is never used again, so its lock file may go; where claims
	 * are left the folder stays and recovery takes both. */
	if (io_unlinkat(s->dir, p.s, AT_REMOVEDIR) == 0 || errno == ENOENT)
		(void)spool_remove(s->run_dir, s->owner);
	io_close(&s->lock);
	free(s->owner);
	free(s->queue);
	s->owner = s->queue = NULL;
}

int
spool_is_low(const struct spool *s, unsigned long long bytes)
{
	unsigned long long have;

	if (fs_free_bytes(s->dir, &have) == -1)
		return -1;
	return have < bytes;
}

const char *
spool_place_name(enum spool_place place)
{
	static const char *const names[] = {
		[SPOOL_NEW] = "new", [SPOOL_LATER] = "later",
		[SPOOL_HELD] = "held", [SPOOL_DEAD] = "dead",
		[SPOOL_CUR] = "cur"};

	return names[place];
}
