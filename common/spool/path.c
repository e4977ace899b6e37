/* SPDX-License-Identifier: BSD-2-Clause
 *
 * path - names, files and parts below SPOOL, for the spool's own modules
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/system/fsutil.h"
#include "common/spool/private.h"

static const char *const part_folders[] = {"msg", "head", "rcpt", "result"};

const char *
spool_path(struct spool_path *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p->s, sizeof(p->s), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(p->s))
		p->s[0] = '\0';
	return p->s;
}

bool
spool_is_queue_name(const char *name)
{
	size_t i, n = strlen(name);

	if (n == 0 || n > 64 || name[0] == '-')
		return false;
	for (i = 0; i < n; i++) {
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", name[i]) ==
		    NULL)
			return false;
	}
	for (i = 0; i < sizeof(part_folders) / sizeof(part_folders[0]); i++) {
		if (strcmp(name, part_folders[i]) == 0)
			return false;
	}
	return strcmp(name, "journal") != 0;
}

int
spool_write_file(int dir, const char *path, const void *bytes, size_t n)
{
	int fd, rc;

	fd = io_openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
	    SPOOL_FILE_MODE);
	if (fd == -1)
		return -1;
	rc = io_write_full(fd, bytes, n);
	io_close(&fd);
	if (rc == -1) {
		int saved = errno;

		(void)spool_remove(dir, path);
		errno = saved;
	}
	return rc;
}

static int
copy_bytes(int in, int out)
{
	char buf[65536];
	ssize_t n;

	while ((n = io_read_full(in, buf, sizeof(buf))) > 0) {
		if (io_write_full(out, buf, (size_t)n) == -1)
			return -1;
	}
	return n == -1 ? -1 : io_fsync(out);
}

/* The copy has a name of its own until it is whole and flushed. */
static int
copy_file(int dir, const char *from, const char *to)
{
	struct spool_path p;
	struct stat st;
	int in, out, rc;

	spool_path(&p, "%s%ccopy", to, SPOOL_MARK);
	in = fs_open_regular(dir, from, O_RDONLY, &st);
	if (in == -1)
		return -1;
	out = io_openat(dir, p.s, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW,
	    SPOOL_FILE_MODE);
	rc = out == -1 ? -1 : copy_bytes(in, out);
	io_close(&in);
	io_close(&out);
	if (rc == 0)
		rc = io_rename_new(dir, p.s, dir, to);
	if (rc == -1) {
		int saved = errno;

		(void)spool_remove(dir, p.s);
		errno = saved;
	}
	return rc;
}

int
spool_link_or_copy(int dir, const char *from, const char *to)
{
	int rc;

	rc = io_linkat(dir, from, dir, to);
	/* ENOSPC: how a GlusterFS brick says that it is out of links. */
	if (rc == -1 && (errno == EMLINK || errno == EPERM ||
	    errno == ENOTSUP || errno == ENOSPC))
		rc = copy_file(dir, from, to);
	return rc == -1 && errno == EEXIST ? 0 : rc;
}

int
spool_sync_path(int dir, const char *path)
{
	int fd, rc;

	fd = io_openat(dir, path, O_RDONLY | O_NOFOLLOW, 0);
	if (fd == -1)
		return -1;
	rc = io_fsync(fd);
	io_close(&fd);
	return rc;
}

int
spool_move_in(int dir, const char *from, const char *to)
{
	struct spool_path aside;
	struct stat a, b;
	const char *name = strrchr(to, '/') + 1;

	if (io_rename_new(dir, from, dir, to) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (fstatat(dir, from, &a, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fstatat(dir, to, &b, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return spool_remove(dir, from);
	spool_path(&aside, "%.*s%lld%c%.200s", (int)(name - to), to,
	    (long long)clock_us(), SPOOL_MARK, name);
	if (io_rename_new(dir, to, dir, aside.s) == -1 && errno != ENOENT)
		return -1;
	return io_rename_new(dir, from, dir, to);
}

int
spool_put_bare(int dir, const char *from, const char *queue, const char *name)
{
	struct spool_path to;

	spool_path(&to, "%s/new/%s", queue, name);
	if (io_rename_new(dir, from, dir, to.s) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	spool_path(&to, "%s/new/%lld%c%.200s", queue, (long long)clock_us(),
	    SPOOL_MARK, name);
	return io_rename_new(dir, from, dir, to.s);
}

int
spool_remove(int dir, const char *path)
{
	return io_unlinkat(dir, path, 0) == -1 && errno != ENOENT ? -1 : 0;
}

int
spool_remove_parts(int dir, const char *id)
{
	struct spool_path p;
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(part_folders) / sizeof(part_folders[0]); i++) {
		spool_path(&p, "%s/%s", part_folders[i], id);
		if (spool_remove(dir, p.s) == -1)
			rc = -1;
	}
	return rc;
}

int
spool_is_whole(int dir, const char *path, unsigned long long size,
    uint32_t crc)
{
	unsigned char buf[65536];
	uint32_t sum = 0;
	struct stat st;
	ssize_t n;
	int fd;

	fd = fs_open_regular(dir, path, O_RDONLY, &st);
	if (fd == -1)
		return errno == ENOENT || errno == EINVAL || errno == ELOOP ?
		    0 : -1;
	if ((unsigned long long)st.st_size != size) {
		io_close(&fd);
		return 0;
	}
	while ((n = io_read_full(fd, buf, sizeof(buf))) > 0)
		sum = (uint32_t)crc32(sum, buf, (uInt)n);
	io_close(&fd);
	return n == -1 ? -1 : sum == crc;
}
