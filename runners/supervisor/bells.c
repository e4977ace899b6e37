/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bells - which queues are to be rung, and when
 */
#include "runners/supervisor/bells.h"

#include <sys/types.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MINUTE_MS 60000

int
bells_init(struct bells *b, size_t n, int64_t timer, int64_t mono)
{
	size_t i;

	*b = (struct bells){.timer = timer, .next_slow = BELLS_NEVER};
	if (timer > 0)
		b->next_slow = mono + timer;
	b->queues = calloc(n == 0 ? 1 : n, sizeof(*b->queues));
	if (b->queues == NULL)
		return -1;
	b->n = n;
	for (i = 0; i < n; i++) {
		b->queues[i].is_stale = true;
		b->queues[i].due = BELLS_NEVER;
		b->queues[i].next_poll = BELLS_NEVER;
	}
	bells_ring_all(b);
	return 0;
}

void
bells_free(struct bells *b)
{
	free(b->queues);
	*b = (struct bells){0};
}

void
bells_set_poll(struct bells *b, size_t queue, int64_t poll, int64_t mono)
{
	b->queues[queue].poll = poll > 0 ? poll : 0;
	b->queues[queue].next_poll = poll > 0 ? mono + poll : BELLS_NEVER;
}

void
bells_ring(struct bells *b, size_t queue)
{
	b->queues[queue].is_rung = true;
}

void
bells_ring_all(struct bells *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		b->queues[i].is_rung = true;
}

void
bells_set_stale(struct bells *b, size_t queue)
{
	b->queues[queue].is_stale = true;
	b->queues[queue].rung_due = 0;
}

/* A due time that was rung for and is still there is the runner's trouble
 * (an entry that it cannot take now): ringing for it again at once would
 * keep both busy for nothing.  The slow timer rings for it. */
void
bells_set_due(struct bells *b, size_t queue, int64_t due)
{
	struct bells_queue *q;

	q = &b->queues[queue];
	q->is_stale = false;
	q->due = due > q->rung_due ? due : BELLS_NEVER;
}

static void
tick_queue(struct bells_queue *q, int64_t mono, int64_t wall)
{
	if (q->due <= wall) {
		q->is_rung = true;
		q->is_stale = true;
		q->rung_due = q->due;
		q->due = BELLS_NEVER;
	}
	if (q->next_poll <= mono) {
		q->is_rung = true;
		q->next_poll = mono + q->poll;
	}
}

bool
bells_tick(struct bells *b, int64_t mono, int64_t wall)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		tick_queue(&b->queues[i], mono, wall);
	if (b->next_slow > mono)
		return false;
	b->next_slow = mono + b->timer;
	for (i = 0; i < b->n; i++)
		b->queues[i].is_stale = true;
	bells_ring_all(b);
	return true;
}

bool
bells_take(struct bells *b, size_t queue)
{
	bool is_rung;

	is_rung = b->queues[queue].is_rung;
	b->queues[queue].is_rung = false;
	return is_rung;
}

static int64_t
earlier(int64_t wait, int64_t when, int64_t now)
{
	int64_t left;

	if (when == BELLS_NEVER)
		return wait;
	left = when > now ? when - now : 0;
	return left < wait ? left : wait;
}

int64_t
bells_wait(const struct bells *b, int64_t mono, int64_t wall)
{
	int64_t wait;
	size_t i;

	wait = earlier(BELLS_NEVER, b->next_slow, mono);
	for (i = 0; i < b->n; i++) {
		if (b->queues[i].is_rung || b->queues[i].is_stale)
			return 0;
		wait = earlier(wait, b->queues[i].due, wall);
		wait = earlier(wait, b->queues[i].next_poll, mono);
	}
	return wait;
}

/* "0029823841": digits only, and no more than a minute count can have. */
static int
parse_minute(const char *name, int64_t *due)
{
	int64_t minute;
	size_t i;

	minute = 0;
	for (i = 0; name[i] != '\0'; i++) {
		if (name[i] < '0' || name[i] > '9' || i >= 14)
			return -1;
		minute = minute * 10 + (name[i] - '0');
	}
	if (i == 0)
		return -1;
	*due = minute * MINUTE_MS;
	return 0;
}

static int
earliest(DIR *folders, int64_t after, int64_t *due)
{
	const struct dirent *entry;
	int64_t one;
	int found;

	found = 0;
	for (;;) {
		errno = 0;
		entry = readdir(folders);
		if (entry == NULL)
			return errno != 0 ? -1 : found;
		if (parse_minute(entry->d_name, &one) == -1 || one <= after)
			continue;
		if (!found || one < *due)
			*due = one;
		found = 1;
	}
}

int
bells_next_folder(int dir, const char *later, int64_t after, int64_t *due)
{
	DIR *folders;
	int fd, result, saved;

	fd = openat(dir, later, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	folders = fdopendir(fd);
	if (folders == NULL) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	result = earliest(folders, after, due);
	saved = errno;
	closedir(folders);
	errno = saved;
	return result;
}
