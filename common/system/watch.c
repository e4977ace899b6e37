/* SPDX-License-Identifier: BSD-2-Clause
 *
 * watch - the supervisor's eyes: which directory has something new
 *
 * The library opens the inotify descriptor and reads it.  Its own table of
 * watches is left empty: it goes by name, never learns that the kernel has
 * dropped a watch, refuses (on stderr) to forget such a one, and would then
 * answer for a directory made anew under the old name with the dead watch.
 */
#include "common/system/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <unistd.h>

#include <inotifytools/inotifytools.h>

#include "common/base/io.h"

/* IN_CREATE is for link(2), which is how a file comes into a directory of a
 * file system that cannot rename without replacing. */
#define WATCH_MASK                                                            \
	(IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE_SELF |          \
	    IN_MOVE_SELF | IN_ONLYDIR)
#define GONE_MASK (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

#define DIRS_MIN_CAP 16

struct watch_dir {
	int wd;
	char *path;
};

/* The library has one state for the whole process. */
static bool is_open;

/* The library keeps its descriptor to itself.  It gets it from inotify_init(2),
 * which returns the lowest free number, so we let the kernel give us that
 * number first, for a descriptor of the same kind (which also tells why there
 * is none), and free it again.  Between the two nothing else may open one: the
 * supervisor has a single thread.  That the number is in use afterwards, and
 * was not before, proves it. */
static int
initialize(void)
{
	int fd, expected;

	fd = inotify_init1(IN_CLOEXEC);
	if (fd == -1)
		return -1;
	expected = fd;
	io_close(&fd);
	if (!inotifytools_initialize()) {
		errno = inotifytools_error();
		return -1;
	}
	/* The library waits with select(2) and opens without close-on-exec. */
	if (expected >= FD_SETSIZE ||
	    fcntl(expected, F_SETFD, FD_CLOEXEC) == -1) {
		inotifytools_cleanup();
		errno = EMFILE;
		return -1;
	}
	return expected;
}

int
watch_open(struct watcher *w)
{
	*w = (struct watcher){.fd = -1};
	if (is_open) {
		errno = EBUSY;
		return -1;
	}
	w->fd = initialize();
	if (w->fd == -1)
		return -1;
	is_open = true;
	return 0;
}

/* The library's buffer outlives its cleanup; what is left in it would come out
 * of the next watcher. */
static void
discard_events(void)
{
	while (inotifytools_next_events(0, 1) != NULL)
		;
}

void
watch_close(struct watcher *w)
{
	if (w->fd == -1)
		return;
	while (w->n > 0)
		watch_remove_dir(w, w->dirs[0].path);
	discard_events();
	inotifytools_cleanup();
	is_open = false;
	free(w->dirs);
	free(w->gone);
	*w = (struct watcher){.fd = -1};
}

int
watch_fd(const struct watcher *w)
{
	return w->fd;
}

static struct watch_dir *
find_path(const struct watcher *w, const char *path)
{
	for (size_t i = 0; i < w->n; i++) {
		if (strcmp(w->dirs[i].path, path) == 0)
			return &w->dirs[i];
	}
	return NULL;
}

static struct watch_dir *
find_wd(const struct watcher *w, int wd)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->dirs[i].wd == wd)
			return &w->dirs[i];
	}
	return NULL;
}

static int
make_room(struct watcher *w)
{
	struct watch_dir *dirs;
	size_t cap;

	if (w->n < w->cap)
		return 0;
	cap = w->cap == 0 ? DIRS_MIN_CAP : w->cap * 2;
	dirs = reallocarray(w->dirs, cap, sizeof(*dirs));
	if (dirs == NULL)
		return -1;
	w->dirs = dirs;
	w->cap = cap;
	return 0;
}

/* Take a watch off.  That the kernel has done so before us is no matter. */
static void
unwatch(int fd, int wd)
{
	int saved = errno;

	inotify_rm_watch(fd, wd);
	errno = saved;
}

/* A path that is watched already now leads to wd. */
static int
renew(struct watcher *w, struct watch_dir *dir, int wd)
{
	if (dir->wd == wd)
		return 0;
	unwatch(w->fd, dir->wd);
	dir->wd = wd;
	return 0;
}

int
watch_add_dir(struct watcher *w, const char *path)
{
	struct watch_dir *dir, *same;
	char *copy;
	int wd;

	if (make_room(w) == -1)
		return -1;
	wd = inotify_add_watch(w->fd, path, WATCH_MASK);
	if (wd == -1)
		return -1;
	dir = find_path(w, path);
	same = find_wd(w, wd);
	if (same != NULL && same != dir) {
		errno = EEXIST;
		return -1;
	}
	if (dir != NULL)
		return renew(w, dir, wd);
	copy = strdup(path);
	if (copy == NULL) {
		unwatch(w->fd, wd);
		return -1;
	}
	w->dirs[w->n].wd = wd;
	w->dirs[w->n].path = copy;
	w->n++;
	return 0;
}

/* Forget a directory; its path stays valid until the next call. */
static const char *
drop(struct watcher *w, struct watch_dir *dir)
{
	unwatch(w->fd, dir->wd);
	free(w->gone);
	w->gone = dir->path;
	*dir = w->dirs[--w->n];
	return w->gone;
}

int
watch_remove_dir(struct watcher *w, const char *path)
{
	struct watch_dir *dir = find_path(w, path);

	if (dir == NULL)
		return 0;
	drop(w, dir);
	return 1;
}

/* NULL with errno 0 where nothing waits.  next_event(0) would wait for ever. */
static const struct inotify_event *
take_event(void)
{
	const struct inotify_event *event;

	do {
		event = inotifytools_next_events(0, 1);
		errno = event == NULL ? inotifytools_error() : 0;
	} while (event == NULL && errno == EINTR);
	return event;
}

enum watch_event
watch_next(struct watcher *w, const char **path)
{
	const struct inotify_event *event;
	struct watch_dir *dir;

	*path = NULL;
	while ((event = take_event()) != NULL) {
		if ((event->mask & IN_Q_OVERFLOW) != 0)
			return WATCH_OVERFLOW;
		/* A watch taken off leaves events, the last an IN_IGNORED. */
		dir = find_wd(w, event->wd);
		if (dir == NULL)
			continue;
		if ((event->mask & GONE_MASK) != 0) {
			*path = drop(w, dir);
			return WATCH_GONE;
		}
		*path = dir->path;
		return WATCH_CHANGED;
	}
	return errno == 0 ? WATCH_NONE : WATCH_FAILED;
}
