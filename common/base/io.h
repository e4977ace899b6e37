/* SPDX-License-Identifier: BSD-2-Clause
 *
 * io - every system call that changes a file system or a connection
 *
 * The library calls these and nothing else for what a crash could leave half
 * done, through a table that a test can exchange: the seam of the crash tests.
 * All return what the system call returns, with errno; EINTR is retried.
 */
#ifndef SEPTET_BASE_IO_H
#define SEPTET_BASE_IO_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct io_ops {
	int (*openat)(int dir, const char *path, int flags, mode_t mode);
	ssize_t (*write)(int fd, const void *bytes, size_t n);
	ssize_t (*pwrite)(int fd, const void *bytes, size_t n, off_t at);
	ssize_t (*writev)(int fd, const struct iovec *iov, int n);
	ssize_t (*send)(int fd, const void *bytes, size_t n, int flags);
	int (*fsync)(int fd);
	int (*fdatasync)(int fd);
	int (*syncfs)(int fd);
	int (*ftruncate)(int fd, off_t len);
	int (*renameat2)(int from_dir, const char *from, int to_dir,
	    const char *to, unsigned flags);
	int (*linkat)(int from_dir, const char *from, int to_dir,
	    const char *to, int flags);
	int (*unlinkat)(int dir, const char *path, int flags);
	int (*mkdirat)(int dir, const char *path, mode_t mode);
};

/* Exchange the table; NULL puts the system's own back.  Returns the former.
 * Tests only. */
const struct io_ops *io_set_ops(const struct io_ops *ops);
const struct io_ops *io_system_ops(void);

/* O_CLOEXEC is added. */
int io_openat(int dir, const char *path, int flags, mode_t mode)
    __attribute__((warn_unused_result));
/* All n bytes or -1. */
int io_write_full(int fd, const void *bytes, size_t n)
    __attribute__((warn_unused_result));
int io_pwrite_full(int fd, const void *bytes, size_t n, off_t at)
    __attribute__((warn_unused_result));
/* One attempt: bytes taken, or -1 (EAGAIN on a non-blocking descriptor). */
ssize_t io_writev(int fd, const struct iovec *iov, int n)
    __attribute__((warn_unused_result));
/* send(2) with MSG_NOSIGNAL: bytes taken, or -1. */
ssize_t io_send(int fd, const void *bytes, size_t n)
    __attribute__((warn_unused_result));
/* Up to n bytes, fewer only at end of file; -1. */
ssize_t io_read_full(int fd, void *bytes, size_t n)
    __attribute__((warn_unused_result));
ssize_t io_pread_full(int fd, void *bytes, size_t n, off_t at)
    __attribute__((warn_unused_result));
int io_fsync(int fd) __attribute__((warn_unused_result));
int io_fdatasync(int fd) __attribute__((warn_unused_result));
int io_syncfs(int fd) __attribute__((warn_unused_result));
int io_ftruncate(int fd, off_t len) __attribute__((warn_unused_result));
/* rename(2), replacing. */
int io_renameat(int from_dir, const char *from, int to_dir, const char *to)
    __attribute__((warn_unused_result));
/* RENAME_NOREPLACE; where the file system knows no such flag (EINVAL), link
 * and unlink instead.  EEXIST where `to` is there. */
int io_rename_new(int from_dir, const char *from, int to_dir, const char *to)
    __attribute__((warn_unused_result));
int io_linkat(int from_dir, const char *from, int to_dir, const char *to)
    __attribute__((warn_unused_result));
int io_unlinkat(int dir, const char *path, int flags)
    __attribute__((warn_unused_result));
int io_mkdirat(int dir, const char *path, mode_t mode)
    __attribute__((warn_unused_result));
/* close(2), errno kept; for descriptors whose data no longer matters or is
 * already flushed. */
void io_close(int *fd);

#endif
