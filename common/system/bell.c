/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bell - the doorbell: standard input tells a runner when to look
 */
#include "common/system/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"

/* As much as a pipe can hold.  Who rings without end is answered all the same;
 * what is left is the next ring. */
#define DRAIN_READS_MAX 256

enum taken { TAKEN_NOTHING, TAKEN_RING, TAKEN_END };

/* 1 readable (or broken, which the read will tell), 0 not until the deadline
 * (-1: none). */
static int
wait_readable(int fd, int64_t deadline)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int64_t left;
	int n;

	for (;;) {
		left = -1;
		if (deadline != -1) {
			left = deadline - clock_mono_ms();
			left = left < 0 ? 0 : left;
		}
		n = poll(&poll_fd, 1, (int)left);
		if (n >= 0 || errno != EINTR)
			return n != 0;
	}
}

static enum taken
take(int fd)
{
	char rings[4096];
	ssize_t got;

	do
		got = read(fd, rings, sizeof(rings));
	while (got == -1 && errno == EINTR);
	if (got > 0)
		return TAKEN_RING;
	if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return TAKEN_NOTHING;
	return TAKEN_END;
}

/* After a first ring: take the others.  An end of file met here is seen again
 * at the next call. */
static void
drain(int fd)
{
	for (int i = 0; i < DRAIN_READS_MAX; i++) {
		if (!wait_readable(fd, 0) || take(fd) != TAKEN_RING)
			return;
	}
}

enum bell
bell_wait(int fd, int timeout_ms)
{
	int64_t deadline = -1;
	int flags = fcntl(fd, F_GETFL);

	/* poll(2) would wait for ever at the writing end of a pipe. */
	if (flags == -1 || (flags & O_ACCMODE) == O_WRONLY)
		return BELL_END;
	if (timeout_ms >= 0)
		deadline = clock_mono_ms() + timeout_ms;
	while (wait_readable(fd, deadline)) {
		switch (take(fd)) {
		case TAKEN_RING:
			drain(fd);
			return BELL_RING;
		case TAKEN_END:
			return BELL_END;
		case TAKEN_NOTHING:
			break;
		}
	}
	return BELL_TIMEOUT;
}

int
bell_ring(int fd)
{
	struct pollfd poll_fd = {.fd = fd};
	int waiting = 0;

	/* A reader that has gone may have left rings behind it. */
	if (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLERR) != 0) {
		errno = EPIPE;
		return -1;
	}
	if (ioctl(fd, FIONREAD, &waiting) == -1)
		return -1;
	if (waiting > 0)
		return 0;
	if (io_write_full(fd, "\n", 1) == 0)
		return 0;
	/* A full pipe is ringing already. */
	return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
}
