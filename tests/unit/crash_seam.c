/* SPDX-License-Identifier: BSD-2-Clause
 *
 * crash_seam - calls that fail, or are the last of their process
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/io.h"
#include "tests/unit/crash_seam.h"

static struct crash_seam *seam;

/* How many calls from the one on are concerned? */
static int
reach(enum crash_mode mode)
{
	return mode == FAIL_ON ? INT_MAX : mode == FAIL_TWO ? 2 : 1;
}

/* Is this call to fail?  Dies where it is the last. */
static bool
is_faulty(bool is_write)
{
	const int n = ++seam->calls;

	if (n == seam->at)
		seam->is_write = is_write;
	if (seam->at < 1 || n < seam->at || n - seam->at >= reach(seam->mode))
		return false;
	if (seam->mode == KILL)
		(void)kill(getpid(), SIGKILL);
	errno = seam->error;
	return seam->mode >= FAIL;
}

static int
seam_openat(int dir, const char *path, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0 && is_faulty(false))
		return -1;
	return io_system_ops()->openat(dir, path, flags, mode);
}

static ssize_t
seam_write(int fd, const void *bytes, size_t n)
{
	if (is_faulty(true))
		return -1;
	if (seam->mode == TEAR && seam->calls == seam->at) {
		(void)!io_system_ops()->write(fd, bytes, n / 2);
		(void)kill(getpid(), SIGKILL);
	}
	return io_system_ops()->write(fd, bytes, n);
}

static ssize_t
seam_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->pwrite(fd, bytes, n, at);
}

/* The page cache outlives a process: there is nothing to wait for. */
static int
seam_sync(int fd)
{
	(void)fd;
	return is_faulty(false) ? -1 : 0;
}

static int
seam_ftruncate(int fd, off_t len)
{
	return is_faulty(false) ? -1 : io_system_ops()->ftruncate(fd, len);
}

static int
seam_renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->renameat2(a, from, b, to, flags);
}

static int
seam_linkat(int a, const char *from, int b, const char *to, int flags)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->linkat(a, from, b, to, flags);
}

static int
seam_unlinkat(int dir, const char *path, int flags)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->unlinkat(dir, path, flags);
}

static int
seam_mkdirat(int dir, const char *path, mode_t mode)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->mkdirat(dir, path, mode);
}

struct crash_seam *
crash_seam(void)
{
	return seam;
}

void
crash_seam_begin(void)
{
	static struct io_ops ops;

	seam = mmap(NULL, sizeof(*seam), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seam == MAP_FAILED)
		abort();
	seam->at = -1;
	seam->mode = COUNT;
	ops = *io_system_ops();
	ops.openat = seam_openat;
	ops.write = seam_write;
	ops.pwrite = seam_pwrite;
	ops.fsync = seam_sync;
	ops.fdatasync = seam_sync;
	ops.syncfs = seam_sync;
	ops.ftruncate = seam_ftruncate;
	ops.renameat2 = seam_renameat2;
	ops.linkat = seam_linkat;
	ops.unlinkat = seam_unlinkat;
	ops.mkdirat = seam_mkdirat;
	io_set_ops(&ops);
}

void
crash_seam_end(void)
{
	io_set_ops(NULL);
	munmap(seam, sizeof(*seam));
}
