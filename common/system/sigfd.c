/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sigfd - signals as a readable descriptor
 */
#include "common/system/sigfd.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int
sigfd_open(const int *signals)
{
	sigset_t set, former;
	int fd, saved;

	sigemptyset(&set);
	for (; *signals != 0; signals++) {
		if (sigaddset(&set, *signals) == -1)
			return -1;
	}
	if (sigprocmask(SIG_BLOCK, &set, &former) == -1)
		return -1;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd == -1) {
		saved = errno;
		sigprocmask(SIG_SETMASK, &former, NULL);
		errno = saved;
	}
	return fd;
}

int
sigfd_next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t got;

	do
		got = read(fd, &info, sizeof(info));
	while (got == -1 && errno == EINTR);
	if (got == (ssize_t)sizeof(info))
		return (int)info.ssi_signo;
	if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (got != -1)
		errno = EIO;
	return -1;
}

void
sigfd_child_reset(void)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t none;

	/* SIGKILL, SIGSTOP and libc's own refuse; they need no reset. */
	for (int signal_number = 1; signal_number <= SIGRTMAX; signal_number++)
		sigaction(signal_number, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
