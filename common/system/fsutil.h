/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fsutil - whole-file verbs, checked to the end
 *
 * All take a directory descriptor (or AT_FDCWD) and a path below it; all
 * return 0 or -1 with errno unless said otherwise.
 */
#ifndef SEPTET_SYSTEM_FSUTIL_H
#define SEPTET_SYSTEM_FSUTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/base/sbuf.h"

/* A name one may find in a directory that others write to: no '/', not empty,
 * not "." or "..", at most 255 bytes. */
bool fs_is_name(const char *name);
/* Open an existing regular file: never follows a link, never blocks on a FIFO.
 * Fills *st where it is not NULL.  ELOOP for a symlink, EFTYPE is not in
 * Linux: anything else that is not a regular file is EINVAL. */
int fs_open_regular(int dir, const char *path, int flags, struct stat *st)
    __attribute__((warn_unused_result));
/* Append a whole regular file to *out; EFBIG where it has more than max. */
int fs_read(int dir, const char *path, size_t max, struct sbuf *out)
    __attribute__((warn_unused_result));
/* Put data in place of path: temporary name, flush, rename, flush of the
 * directory.  At every instant path is the old or the new whole.  A kill can
 * leave a file named .tmp.* beside it.  The umask applies to mode. */
int fs_replace(int dir, const char *path, const void *data, size_t n,
    mode_t mode) __attribute__((warn_unused_result));
/* The same without a flush, for what can be made again (status files). */
int fs_replace_unsynced(int dir, const char *path, const void *data, size_t n,
    mode_t mode) __attribute__((warn_unused_result));
/* fsync a directory by path; every failure is reported. */
int fs_sync_dir(int dir, const char *path) __attribute__((warn_unused_result));
/* mkdir -p; a directory that is there is fine and stays as it is.  The umask
 * applies to mode; its set-group-id bit is honoured. */
int fs_mkdirs(int dir, const char *path, mode_t mode)
    __attribute__((warn_unused_result));
/* Free bytes of the file system that fd is on, for unprivileged users. */
int fs_free_bytes(int fd, unsigned long long *bytes)
    __attribute__((warn_unused_result));
/* rm -r for what tests and init made; ENOENT is fine.  Does not follow
 * links. */
int fs_remove_tree(int dir, const char *path)
    __attribute__((warn_unused_result));

#endif
