/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ring - from what the watcher sees and the clock says to the runners' bells
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "runners/supervisor/supervisor.h"

int
ring_plan(struct supervisor *s, const struct site *site)
{
	const struct site_queue *q;
	struct bells bells;
	int64_t now;
	size_t i;

	now = clock_mono_ms();
	if (bells_init(&bells, s->n_queues, site->timer, now) == -1)
		return -1;
	for (i = 0; i < s->n_queues; i++) {
		q = site_queue(site, s->queues[i].name);
		if (q != NULL && q->instances > 0)
			bells_set_poll(&bells, i, q->poll, now);
	}
	bells_free(&s->bells);
	s->bells = bells;
	return 0;
}

/* Without a watcher the slow timer and the polls ring, as on a file system
 * where inotify is blind. */
void
ring_open(struct supervisor *s)
{
	if (watch_open(&s->watcher) == 0)
		return;
	log_warn("cannot watch: %s; the timer rings every %lld s",
	    strerror(errno), (long long)(s->site->timer / 1000));
	s->watcher.fd = -1;
}

/* What came before the watch was there is not reported: hence the ring. */
static void
watch_queue(struct supervisor *s, size_t queue)
{
	struct queue *q;

	q = &s->queues[queue];
	if (watch_add_dir(&s->watcher, q->new_dir) == 0 &&
	    watch_add_dir(&s->watcher, q->later_dir) == 0) {
		if (!q->is_watched) {
			bells_ring(&s->bells, queue);
			bells_set_stale(&s->bells, queue);
		}
		q->is_watched = true;
		q->is_unwatched_told = false;
		return;
	}
	q->is_watched = false;
	if (!q->is_unwatched_told)
		log_error("queue=%s cannot be watched: %s", q->name,
		    strerror(errno));
	q->is_unwatched_told = true;
}

static void
unwatch_queue(struct supervisor *s, struct queue *q)
{
	watch_remove_dir(&s->watcher, q->new_dir);
	watch_remove_dir(&s->watcher, q->later_dir);
	q->is_watched = false;
}

/* Also those that are watched: a directory whose parent was moved away, and
 * another put in its place, is not reported. */
void
ring_watch(struct supervisor *s)
{
	size_t i;

	if (s->watcher.fd == -1)
		return;
	for (i = 0; i < s->n_queues; i++) {
		if (s->queues[i].is_owned)
			watch_queue(s, i);
		else if (s->queues[i].is_watched)
			unwatch_queue(s, &s->queues[i]);
	}
}

static void
doubt_everything(struct supervisor *s)
{
	size_t i;

	bells_ring_all(&s->bells);
	for (i = 0; i < s->n_queues; i++)
		bells_set_stale(&s->bells, i);
}

static void
see_change(struct supervisor *s, const char *dir)
{
	size_t i;

	for (i = 0; i < s->n_queues; i++) {
		if (strcmp(dir, s->queues[i].new_dir) == 0)
			bells_ring(&s->bells, i);
		if (strcmp(dir, s->queues[i].later_dir) == 0)
			bells_set_stale(&s->bells, i);
	}
}

/* Nothing is put in its place: that it is gone may mean that a volume is not
 * mounted.  The slow timer looks whether it is back. */
static void
see_gone(struct supervisor *s, const char *dir)
{
	size_t i;

	log_error("%s has vanished", dir);
	for (i = 0; i < s->n_queues; i++) {
		if (strcmp(dir, s->queues[i].new_dir) != 0 &&
		    strcmp(dir, s->queues[i].later_dir) != 0)
			continue;
		s->queues[i].is_watched = false;
		s->queues[i].is_unwatched_told = true;
	}
}

/* A watcher that fails is made anew, so that it is not asked for ever. */
static void
see_failure(struct supervisor *s)
{
	size_t i;

	log_error("watching failed: %s", strerror(errno));
	watch_close(&s->watcher);
	for (i = 0; i < s->n_queues; i++)
		s->queues[i].is_watched = false;
	ring_open(s);
	ring_watch(s);
	doubt_everything(s);
}

void
ring_seen(struct supervisor *s)
{
	const char *dir;

	for (;;) {
		switch (watch_next(&s->watcher, &dir)) {
		case WATCH_NONE:
			return;
		case WATCH_CHANGED:
			see_change(s, dir);
			break;
		case WATCH_GONE:
			see_gone(s, dir);
			break;
		case WATCH_OVERFLOW:
			log_warn("watch events were lost, looking everywhere");
			doubt_everything(s);
			break;
		case WATCH_FAILED:
			see_failure(s);
			return;
		}
	}
}

static void
look_up_due(struct supervisor *s, size_t queue)
{
	int64_t due;
	int found;

	found = bells_next_folder(s->spool, s->queues[queue].later,
	    s->bells.queues[queue].rung_due, &due);
	if (found == -1)
		log_debug("%s: %s", s->queues[queue].later_dir,
		    strerror(errno));
	bells_set_due(&s->bells, queue, found == 1 ? due : BELLS_NEVER);
}

/* Folders in cur/, or 0 where it cannot be read. */
static size_t
count_owners(const struct supervisor *s, const struct queue *q)
{
	const struct dirent *entry;
	DIR *owners;
	size_t n;
	int fd;

	fd = openat(s->spool, q->cur, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	owners = fdopendir(fd);
	if (owners == NULL) {
		close(fd);
		return 0;
	}
	n = 0;
	while ((entry = readdir(owners)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(owners);
	return n;
}

/* A runner that outlived a former supervisor, or was started by hand, and then
 * died is no child of ours: that more own claims than we have runners is how
 * we learn of it. */
static void
look_for_strangers(struct supervisor *s, size_t queue)
{
	size_t k, runners;

	runners = 0;
	for (k = 0; k < s->n_instances; k++)
		runners += s->instances[k].queue == queue &&
		    s->instances[k].pid != 0;
	if (count_owners(s, &s->queues[queue]) > runners)
		s->queues[queue].needs_recovery = true;
}

static void
ring_queue(struct supervisor *s, size_t queue)
{
	size_t k;

	for (k = 0; k < s->n_instances; k++) {
		if (s->instances[k].queue == queue)
			process_ring(s, &s->instances[k]);
	}
}

void
ring_tick(struct supervisor *s)
{
	bool is_slow;
	size_t i;

	is_slow = bells_tick(&s->bells, clock_mono_ms(), clock_ms());
	if (is_slow)
		ring_watch(s);
	for (i = 0; i < s->n_queues; i++) {
		if (is_slow && s->phase == PHASE_RUNNING)
			look_for_strangers(s, i);
		if (s->bells.queues[i].is_stale)
			look_up_due(s, i);
		if (bells_take(&s->bells, i))
			ring_queue(s, i);
	}
}
