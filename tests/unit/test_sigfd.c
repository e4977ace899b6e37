/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_sigfd - signals are read, and a child starts without our ways
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/system/sigfd.h"

START_TEST(test_next)
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGCHLD, 0};
	struct pollfd poll_fd = {.events = POLLIN};
	int fd = sigfd_open(signals);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(sigfd_next(fd), 0);
	poll_fd.fd = fd;
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
	raise(SIGTERM);
	raise(SIGHUP);
	raise(SIGHUP);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);
	ck_assert_int_eq(sigfd_next(fd), SIGHUP);
	ck_assert_int_eq(sigfd_next(fd), SIGTERM);
	ck_assert_int_eq(sigfd_next(fd), 0);
	io_close(&fd);
}
END_TEST

START_TEST(test_bad)
{
	static const int signals[] = {SIGTERM, 4711, 0};
	sigset_t now;

	ck_assert_int_eq(sigfd_open(signals), -1);
	ck_assert_int_eq(errno, EINVAL);
	sigprocmask(SIG_BLOCK, NULL, &now);
	ck_assert_int_eq(sigismember(&now, SIGTERM), 0);
	ck_assert_int_eq(sigfd_next(-1), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

/* Without a descriptor the signals stay as they were. */
START_TEST(test_no_descriptor)
{
	static const int signals[] = {SIGTERM, 0};
	sigset_t now;
	int fd;

	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) != -1)
		;
	ck_assert_int_eq(sigfd_open(signals), -1);
	ck_assert_int_eq(errno, EMFILE);
	for (fd = 3; fd < 4096; fd++) {
		if (fd % 2 == 0)
			close(fd);
	}
	sigprocmask(SIG_BLOCK, NULL, &now);
	ck_assert_int_eq(sigismember(&now, SIGTERM), 0);
}
END_TEST

static void
ignore(int signal_number)
{
	(void)signal_number;
}

/* What exec does not undo is undone: blocked and ignored signals. */
START_TEST(test_child_reset)
{
	static const int signals[] = {SIGTERM, SIGUSR1, 0};
	struct sigaction action;
	sigset_t now;
	int fd = sigfd_open(signals);

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, ignore);
	sigfd_child_reset();
	sigprocmask(SIG_BLOCK, NULL, &now);
	for (int i = 1; i < SIGRTMIN; i++)
		ck_assert_int_eq(sigismember(&now, i), 0);
	ck_assert_int_eq(sigaction(SIGPIPE, NULL, &action), 0);
	ck_assert(action.sa_handler == SIG_DFL);
	ck_assert_int_eq(sigaction(SIGHUP, NULL, &action), 0);
	ck_assert(action.sa_handler == SIG_DFL);
	io_close(&fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sigfd");
	TCase *tcase = tcase_create("sigfd");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_next);
	tcase_add_test(tcase, test_bad);
	tcase_add_test(tcase, test_no_descriptor);
	tcase_add_test(tcase, test_child_reset);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
