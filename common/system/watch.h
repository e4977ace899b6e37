/* SPDX-License-Identifier: BSD-2-Clause
 *
 * watch - the supervisor's eyes: which directory has something new
 *
 * Stands on libinotifytools, whose state is global: a process has one watcher.
 * What it reports is a hint, never the truth: look at the directory itself, and
 * also on a slow timer, since a change made by another host is not seen, and a
 * directory that someone holds open vanishes unreported.
 *
 * Wait for watch_fd to be readable, then call watch_next until WATCH_NONE:
 * events taken from the descriptor wait in the library, where poll(2) does not
 * see them.  Nothing here exits for want of memory.
 */
#ifndef SEPTET_SYSTEM_WATCH_H
#define SEPTET_SYSTEM_WATCH_H

#include <stddef.h>

struct watch_dir;

/* Filled by watch_open; the fields are watch.c's. */
struct watcher {
	int fd;
	struct watch_dir *dirs;
	size_t n;
	size_t cap;
	char *gone;
};

enum watch_event {
	WATCH_FAILED = -1, /* errno; what was missed is not known: rescan */
	WATCH_NONE,        /* nothing waits */
	WATCH_CHANGED,     /* a file came into *dir or was written there */
	WATCH_GONE,        /* *dir was removed, moved away or unmounted; it is
			    * not watched any more */
	WATCH_OVERFLOW     /* events were lost: rescan everything */
};

/* 0, or -1 with errno: EBUSY where this process has a watcher, EMFILE where
 * the descriptor or the user's share of inotify instances is used up. */
int watch_open(struct watcher *w) __attribute__((warn_unused_result));
void watch_close(struct watcher *w);
/* To be polled for reading; belongs to the watcher. */
int watch_fd(const struct watcher *w);

/* Watch for files renamed, linked or created in a directory, or closed after
 * writing.  A directory that is watched is fine; where the path has become
 * another directory, that one is watched from now on.  0, or -1 with errno:
 * EEXIST where the same directory is watched by another path, ENOSPC where the
 * user's share of watches is used up. */
int watch_add_dir(struct watcher *w, const char *path)
    __attribute__((warn_unused_result));
/* 1, or 0 where path is not watched.  Events that wait are dropped. */
int watch_remove_dir(struct watcher *w, const char *path);

/* The next event; never blocks.  *dir is the path as it was given, or NULL
 * where the event has none, and lasts until the next call with this watcher. */
enum watch_event watch_next(struct watcher *w, const char **dir);

#endif
