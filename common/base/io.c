/* SPDX-License-Identifier: BSD-2-Clause
 *
 * io - every system call that changes a file system or a connection
 */
#include "common/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Evaluate a call until a signal does not interrupt it. */
#define RETRY(result, call)                                                   \
	do {                                                                  \
		(result) = (call);                                            \
	} while ((result) == -1 && errno == EINTR)

/* openat(2) is variadic, which the table's entry is not. */
static int
system_openat(int dir, const char *path, int flags, mode_t mode)
{
	return openat(dir, path, flags, mode);
}

static const struct io_ops system_ops = {
	.openat = system_openat,
	.write = write,
	.pwrite = pwrite,
	.writev = writev,
	.send = send,
	.fsync = fsync,
	.fdatasync = fdatasync,
	.syncfs = syncfs,
	.ftruncate = ftruncate,
	.renameat2 = renameat2,
	.linkat = linkat,
	.unlinkat = unlinkat,
	.mkdirat = mkdirat,
};

/* The seam of the crash tests. */
static const struct io_ops *ops = &system_ops;

const struct io_ops *
io_set_ops(const struct io_ops *new_ops)
{
	const struct io_ops *former = ops;

	ops = new_ops == NULL ? &system_ops : new_ops;
	return former;
}

const struct io_ops *
io_system_ops(void)
{
	return &system_ops;
}

int
io_openat(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	RETRY(fd, ops->openat(dir, path, flags | O_CLOEXEC, mode));
	return fd;
}

/* What a write that took `got` bytes of those asked for leaves to do.  Nothing
 * taken without an error would loop for ever, so it counts as one. */
static int
advance(ssize_t got, const char **p, size_t *n)
{
	if (got == 0)
		errno = EIO;
	if (got <= 0)
		return -1;
	*p += got;
	*n -= (size_t)got;
	return 0;
}

int
io_write_full(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;
	ssize_t got;

	while (n > 0) {
		RETRY(got, ops->write(fd, p, n));
		if (advance(got, &p, &n) == -1)
			return -1;
	}
	return 0;
}

int
io_pwrite_full(int fd, const void *bytes, size_t n, off_t at)
{
	const char *p = bytes;
	ssize_t got;

	while (n > 0) {
		RETRY(got, ops->pwrite(fd, p, n, at));
		if (advance(got, &p, &n) == -1)
			return -1;
		at += got;
	}
	return 0;
}

ssize_t
io_writev(int fd, const struct iovec *iov, int n)
{
	ssize_t got;

	RETRY(got, ops->writev(fd, iov, n));
	return got;
}

ssize_t
io_send(int fd, const void *bytes, size_t n)
{
	ssize_t got;

	RETRY(got, ops->send(fd, bytes, n, MSG_NOSIGNAL));
	return got;
}

ssize_t
io_read_full(int fd, void *bytes, size_t n)
{
	size_t have = 0;
	ssize_t got;

	while (have < n) {
		RETRY(got, read(fd, (char *)bytes + have, n - have));
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

ssize_t
io_pread_full(int fd, void *bytes, size_t n, off_t at)
{
	size_t have = 0;
	ssize_t got;

	while (have < n) {
		RETRY(got, pread(fd, (char *)bytes + have, n - have,
		    at + (off_t)have));
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

int
io_fsync(int fd)
{
	int result;

	RETRY(result, ops->fsync(fd));
	return result;
}

int
io_fdatasync(int fd)
{
	int result;

	RETRY(result, ops->fdatasync(fd));
	return result;
}

int
io_syncfs(int fd)
{
	int result;

	RETRY(result, ops->syncfs(fd));
	return result;
}

int
io_ftruncate(int fd, off_t len)
{
	int result;

	RETRY(result, ops->ftruncate(fd, len));
	return result;
}

int
io_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	int result;

	RETRY(result, ops->renameat2(from_dir, from, to_dir, to, 0));
	return result;
}

int
io_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
	int result;

	RETRY(result,
	    ops->renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE));
	if (result == 0 || (errno != EINVAL && errno != ENOSYS))
		return result;
	/* NFS and others.  A crash between the two leaves both names of one
	 * file, which the next attempt sees as EEXIST. */
	if (io_linkat(from_dir, from, to_dir, to) == -1)
		return -1;
	return io_unlinkat(from_dir, from, 0);
}

int
io_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
	int result;

	RETRY(result, ops->linkat(from_dir, from, to_dir, to, 0));
	return result;
}

int
io_unlinkat(int dir, const char *path, int flags)
{
	int result;

	RETRY(result, ops->unlinkat(dir, path, flags));
	return result;
}

int
io_mkdirat(int dir, const char *path, mode_t mode)
{
	int result;

	RETRY(result, ops->mkdirat(dir, path, mode));
	return result;
}

void
io_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
