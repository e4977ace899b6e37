/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lock - who lives: flock(2) on a named file, held for a process's life
 *
 * The kernel drops the lock with the process, so none is ever stale.  The file
 * stays: removing a lock file is a race.
 */
#ifndef SEPTET_SYSTEM_LOCK_H
#define SEPTET_SYSTEM_LOCK_H

#include <sys/types.h>

/* Take the lock and write this process's pid into the file.  Returns the
 * descriptor that holds it (close-on-exec), or -1: EWOULDBLOCK where another
 * process has it, and *holder (may be NULL) is its pid or 0. */
int lock_take(int dir, const char *path, pid_t *holder)
    __attribute__((warn_unused_result));
/* 1 free (or no such file), 0 held, -1 error.  Takes nothing that outlasts the
 * call; lock_take waits 10 ms for those who ask to be gone. */
int lock_is_free(int dir, const char *path)
    __attribute__((warn_unused_result));

#endif
