/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lock - who lives: flock(2) on a named file, held for a process's life
 */
#include "common/system/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/system/fsutil.h"

/* lock_is_free cannot ask without taking the lock for an instant, so that who
 * is refused tries again a few times before he believes it. */
#define PROBE_TRIES 5
#define PROBE_WAIT_NS 2000000

static int
open_lock(int dir, const char *path)
{
	int fd;
	struct stat st;

	fd = io_openat(dir, path,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0660);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		io_close(&fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static int
try_lock(int fd, int operation)
{
	int result;

	do
		result = flock(fd, operation | LOCK_NB);
	while (result == -1 && errno == EINTR);
	return result;
}

static int
lock_exclusive(int fd)
{
	struct timespec wait = {.tv_nsec = PROBE_WAIT_NS};

	for (int i = 0;; i++) {
		if (try_lock(fd, LOCK_EX) == 0)
			return 0;
		if (errno != EWOULDBLOCK || i == PROBE_TRIES)
			return -1;
		nanosleep(&wait, NULL);
	}
}

static pid_t
read_pid(int fd)
{
	char text[24];
	ssize_t got;
	long pid;

	got = io_pread_full(fd, text, sizeof(text) - 1, 0);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	pid = strtol(text, NULL, 10);
	return pid > 0 && (long)(pid_t)pid == pid ? (pid_t)pid : 0;
}

/* The longer number is written before the file is cut to it, so that no reader
 * meets an empty file. */
static int
write_pid(int fd)
{
	char text[24];
	int n;

	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (io_pwrite_full(fd, text, (size_t)n, 0) == -1)
		return -1;
	return io_ftruncate(fd, n);
}

int
lock_take(int dir, const char *path, pid_t *holder)
{
	int fd, saved;

	if (holder != NULL)
		*holder = 0;
	fd = open_lock(dir, path);
	if (fd == -1)
		return -1;
	if (lock_exclusive(fd) == -1) {
		saved = errno;
		if (saved == EWOULDBLOCK && holder != NULL)
			*holder = read_pid(fd);
		io_close(&fd);
		errno = saved;
		return -1;
	}
	if (write_pid(fd) == -1)
		io_close(&fd);
	return fd;
}

int
lock_is_free(int dir, const char *path)
{
	int fd, result;

	fd = fs_open_regular(dir, path, O_RDONLY, NULL);
	if (fd == -1)
		return errno == ENOENT ? 1 : -1;
	/* Shared, so that those who ask do not refuse one another. */
	result = try_lock(fd, LOCK_SH);
	io_close(&fd);
	if (result == 0)
		return 1;
	return errno == EWOULDBLOCK ? 0 : -1;
}
