/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fsutil - whole-file verbs, checked to the end
 */
#include "common/system/fsutil.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"

#define NAME_BYTES_MAX 255
#define READ_CHUNK 65536
#define TEMPORARY_TRIES 100
/* Deeper than anything Septet makes; each level costs a descriptor. */
#define TREE_DEPTH_MAX 64

bool
fs_is_name(const char *name)
{
	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	return strnlen(name, NAME_BYTES_MAX + 1) <= NAME_BYTES_MAX &&
	    strchr(name, '/') == NULL;
}

/* What a directory, a socket or a FIFO without a reader answers when it is
 * opened for writing says no more than that it is no regular file. */
static int
open_errno(int error)
{
	return error == EISDIR || error == ENXIO ? EINVAL : error;
}

int
fs_open_regular(int dir, const char *path, int flags, struct stat *st)
{
	struct stat own;
	int fd;

	if (st == NULL)
		st = &own;
	flags &= ~(O_CREAT | O_EXCL);
	flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	fd = io_openat(dir, path, flags, 0);
	if (fd == -1) {
		errno = open_errno(errno);
		return -1;
	}
	if (fstat(fd, st) == -1) {
		io_close(&fd);
		return -1;
	}
	if (!S_ISREG(st->st_mode)) {
		io_close(&fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* Read to the end of the file, which may grow meanwhile; EFBIG past max. */
static int
read_all(int fd, size_t max, struct sbuf *out)
{
	size_t total = 0, want;
	ssize_t got;

	for (;;) {
		/* One byte more than allowed tells "full" from "too much". */
		want = max - total < READ_CHUNK ? max - total + 1 : READ_CHUNK;
		sbuf_reserve(out, want);
		got = io_read_full(fd, out->data + out->len, want);
		if (got == -1)
			return -1;
		total += (size_t)got;
		if (total > max) {
			errno = EFBIG;
			return -1;
		}
		out->len += (size_t)got;
		sbuf_truncate(out, out->len);
		if ((size_t)got < want)
			return 0;
	}
}

int
fs_read(int dir, const char *path, size_t max, struct sbuf *out)
{
	size_t before = out->len;
	struct stat st;
	int fd, result;

	fd = fs_open_regular(dir, path, O_RDONLY, &st);
	if (fd == -1)
		return -1;
	if (st.st_size > 0 && (uintmax_t)st.st_size > max) {
		io_close(&fd);
		errno = EFBIG;
		return -1;
	}
	result = read_all(fd, max, out);
	if (result == -1)
		sbuf_truncate(out, before);
	io_close(&fd);
	return result;
}

/* Open the directory that path lies in and point *name at its last part. */
static int
open_parent(int dir, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	struct sbuf parent = {0};
	int fd;

	*name = slash == NULL ? path : slash + 1;
	if (!fs_is_name(*name)) {
		errno = EINVAL;
		return -1;
	}
	if (slash == NULL)
		sbuf_set(&parent, ".");
	else if (slash == path)
		sbuf_set(&parent, "/");
	else
		sbuf_add(&parent, path, (size_t)(slash - path));
	fd = io_openat(dir, sbuf_str(&parent), O_RDONLY | O_DIRECTORY, 0);
	sbuf_free(&parent);
	return fd;
}

/* A file of a name that nobody has.  The name's length does not depend on the
 * one it stands in for, which may be as long as names get. */
static int
open_temporary(int parent, mode_t mode, struct sbuf *name)
{
	int fd = -1;

	for (int i = 0; i < TEMPORARY_TRIES && fd == -1; i++) {
		sbuf_truncate(name, 0);
		sbuf_printf(name, ".tmp.%lld.%ld.%d", (long long)clock_us(),
		    (long)getpid(), i);
		fd = io_openat(parent, sbuf_str(name),
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
		if (fd == -1 && errno != EEXIST)
			return -1;
	}
	return fd;
}

struct content {
	const void *data;
	size_t n;
	mode_t mode;
	bool sync;
};

/* Write the temporary file whole; it is the caller's to remove. */
static int
write_temporary(int fd, const struct content *content)
{
	if (io_write_full(fd, content->data, content->n) == -1)
		return -1;
	if (content->sync && io_fsync(fd) == -1)
		return -1;
	return 0;
}

/* What cannot be removed either is left to the sweeping of temporary names; the
 * failure to report is the one that led here. */
static void
remove_temporary(int parent, const char *name)
{
	int saved = errno, ignored;

	ignored = io_unlinkat(parent, name, 0);
	(void)ignored;
	errno = saved;
}

/* Everything but the directory's flush; on failure nothing is left behind. */
static int
replace_in(int parent, const char *name, const struct content *content)
{
	struct sbuf temporary = {0};
	int fd, result;

	fd = open_temporary(parent, content->mode, &temporary);
	if (fd == -1) {
		sbuf_free(&temporary);
		return -1;
	}
	result = write_temporary(fd, content);
	/* close tells of a write that failed late (NFS); no second close. */
	if (result == -1)
		io_close(&fd);
	else if (close(fd) == -1 && errno != EINTR)
		result = -1;
	if (result == 0)
		result = io_renameat(parent, sbuf_str(&temporary), parent,
		    name);
	if (result == -1)
		remove_temporary(parent, sbuf_str(&temporary));
	sbuf_free(&temporary);
	return result;
}

static int
replace(int dir, const char *path, const struct content *content)
{
	const char *name;
	int parent, result;

	parent = open_parent(dir, path, &name);
	if (parent == -1)
		return -1;
	result = replace_in(parent, name, content);
	if (result == 0 && content->sync)
		result = io_fsync(parent);
	io_close(&parent);
	return result;
}

int
fs_replace(int dir, const char *path, const void *data, size_t n, mode_t mode)
{
	struct content content = {data, n, mode, true};

	return replace(dir, path, &content);
}

int
fs_replace_unsynced(int dir, const char *path, const void *data, size_t n,
    mode_t mode)
{
	struct content content = {data, n, mode, false};

	return replace(dir, path, &content);
}

int
fs_sync_dir(int dir, const char *path)
{
	int fd, result;

	fd = io_openat(dir, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return -1;
	result = io_fsync(fd);
	io_close(&fd);
	return result;
}

/* mkdir(2) drops the set-group-id bit, by which a queue's files keep their
 * group; it is put back without asking for the umask. */
static int
make_dir(int dir, const char *path, mode_t mode)
{
	struct stat st;

	if (io_mkdirat(dir, path, mode) == -1) {
		if (errno != EEXIST || fstatat(dir, path, &st, 0) == -1)
			return -1;
		if (S_ISDIR(st.st_mode))
			return 0;
		errno = ENOTDIR;
		return -1;
	}
	if ((mode & S_ISGID) == 0)
		return 0;
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	return fchmodat(dir, path, (st.st_mode & 07777) | S_ISGID, 0);
}

int
fs_mkdirs(int dir, const char *path, mode_t mode)
{
	struct sbuf part = {0};
	const char *p = path;
	int result = 0;

	if (*path == '\0') {
		errno = ENOENT;
		return -1;
	}
	while (result == 0 && *p != '\0') {
		p += strspn(p, "/");
		p += strcspn(p, "/");
		sbuf_truncate(&part, 0);
		sbuf_add(&part, path, (size_t)(p - path));
		p += strspn(p, "/");
		result = make_dir(dir, sbuf_str(&part), mode);
	}
	sbuf_free(&part);
	return result;
}

int
fs_free_bytes(int fd, unsigned long long *bytes)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) == -1)
		return -1;
	if (__builtin_mul_overflow((unsigned long long)fs.f_bavail,
	    (unsigned long long)fs.f_frsize, bytes))
		*bytes = ULLONG_MAX;
	return 0;
}

static int remove_at(int dir, const char *name, int depth);

static int
remove_entries(DIR *entries, int depth)
{
	struct dirent *entry;

	for (;;) {
		errno = 0;
		entry = readdir(entries);
		if (entry == NULL)
			return errno == 0 ? 0 : -1;
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (remove_at(dirfd(entries), entry->d_name, depth + 1) == -1)
			return -1;
	}
}

static int
empty_dir(int dir, const char *name, int depth)
{
	DIR *entries;
	int fd, result;

	if (depth >= TREE_DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	fd = io_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd == -1)
		return -1;
	entries = fdopendir(fd);
	if (entries == NULL) {
		io_close(&fd);
		return -1;
	}
	result = remove_entries(entries, depth);
	closedir(entries);
	return result;
}

static int
remove_at(int dir, const char *name, int depth)
{
	if (io_unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* EPERM is what POSIX says of directories; Linux says EISDIR. */
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (empty_dir(dir, name, depth) == -1)
		return errno == ENOENT ? 0 : -1;
	if (io_unlinkat(dir, name, AT_REMOVEDIR) == -1 && errno != ENOENT)
		return -1;
	return 0;
}

int
fs_remove_tree(int dir, const char *path)
{
	return remove_at(dir, path, 0);
}
