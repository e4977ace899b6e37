/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_bell - no ring is lost, none is heard twice, the end is heard last
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/system/bell.h"

static int reader, writer;

static void
setup(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	reader = ends[0];
	writer = ends[1];
	ck_assert_int_eq(fcntl(writer, F_SETFL, O_NONBLOCK), 0);
	signal(SIGPIPE, SIG_IGN);
}

static void
teardown(void)
{
	io_close(&reader);
	io_close(&writer);
}

static int
waiting(void)
{
	int n = -1;

	ck_assert_int_eq(ioctl(reader, FIONREAD, &n), 0);
	return n;
}

START_TEST(test_nothing)
{
	int64_t before = clock_mono_ms();

	ck_assert_int_eq(bell_wait(reader, 0), BELL_TIMEOUT);
	ck_assert_int_lt(clock_mono_ms() - before, 1000);
	before = clock_mono_ms();
	ck_assert_int_eq(bell_wait(reader, 50), BELL_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 50);
}
END_TEST

START_TEST(test_ring)
{
	ck_assert_int_eq(bell_ring(writer), 0);
	ck_assert_int_eq(waiting(), 1);
	/* One ring waits already: a second adds none. */
	ck_assert_int_eq(bell_ring(writer), 0);
	ck_assert_int_eq(waiting(), 1);
	ck_assert_int_eq(bell_wait(reader, -1), BELL_RING);
	ck_assert_int_eq(bell_wait(reader, 0), BELL_TIMEOUT);
	ck_assert_int_eq(bell_ring(writer), 0);
	ck_assert_int_eq(bell_wait(reader, 0), BELL_RING);
	ck_assert_int_eq(bell_wait(reader, 0), BELL_TIMEOUT);
}
END_TEST

/* All that wait are one ring, also more than one read takes. */
START_TEST(test_rings_are_taken_together)
{
	char rings[60000];

	memset(rings, '\n', sizeof(rings));
	ck_assert_int_eq(write(writer, rings, sizeof(rings)), sizeof(rings));
	ck_assert_int_eq(bell_wait(reader, -1), BELL_RING);
	ck_assert_int_eq(waiting(), 0);
	ck_assert_int_eq(bell_wait(reader, 0), BELL_TIMEOUT);
}
END_TEST

START_TEST(test_end)
{
	io_close(&writer);
	ck_assert_int_eq(bell_wait(reader, -1), BELL_END);
	ck_assert_int_eq(bell_wait(reader, 0), BELL_END);
}
END_TEST

START_TEST(test_ring_then_end)
{
	ck_assert_int_eq(write(writer, "\n\n", 2), 2);
	io_close(&writer);
	ck_assert_int_eq(bell_wait(reader, -1), BELL_RING);
	ck_assert_int_eq(bell_wait(reader, -1), BELL_END);
}
END_TEST

/* Nobody could ever ring there. */
START_TEST(test_unreadable)
{
	int fd;

	ck_assert_int_eq(bell_wait(writer, -1), BELL_END);
	fd = open("/", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(bell_wait(fd, -1), BELL_END);
	io_close(&fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(bell_wait(fd, -1), BELL_END);
	io_close(&fd);
	ck_assert_int_eq(bell_wait(1000000, -1), BELL_END);
}
END_TEST

/* A source that never ends is rung and answered, not drained for ever. */
START_TEST(test_endless)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(bell_wait(fd, -1), BELL_RING);
	ck_assert_int_eq(bell_wait(fd, -1), BELL_RING);
	io_close(&fd);
}
END_TEST

START_TEST(test_non_blocking_reader)
{
	ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(bell_wait(reader, 10), BELL_TIMEOUT);
	ck_assert_int_eq(bell_ring(writer), 0);
	ck_assert_int_eq(bell_wait(reader, -1), BELL_RING);
	ck_assert_int_eq(bell_wait(reader, 0), BELL_TIMEOUT);
}
END_TEST

static void
on_alarm(int signal_number)
{
	(void)signal_number;
}

/* Signals do not end the wait, nor make it longer. */
START_TEST(test_interrupted)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval every_10_ms = {{0, 10000}, {0, 10000}};
	int64_t before = clock_mono_ms();

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every_10_ms, NULL);
	ck_assert_int_eq(bell_wait(reader, 100), BELL_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 100);
	ck_assert_int_lt(clock_mono_ms() - before, 2000);
}
END_TEST

START_TEST(test_wakes_the_waiting)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(bell_wait(reader, 20000) == BELL_RING ? 0 : 1);
	ck_assert_int_eq(bell_ring(writer), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_nobody_there)
{
	ck_assert_int_eq(bell_ring(writer), 0);
	io_close(&reader);
	/* A ring is left in the pipe, which nobody will hear. */
	ck_assert_int_eq(bell_ring(writer), -1);
	ck_assert_int_eq(errno, EPIPE);
	io_close(&writer);
	ck_assert_int_eq(bell_ring(writer), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("bell");
	TCase *tcase = tcase_create("bell");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_nothing);
	tcase_add_test(tcase, test_ring);
	tcase_add_test(tcase, test_rings_are_taken_together);
	tcase_add_test(tcase, test_end);
	tcase_add_test(tcase, test_ring_then_end);
	tcase_add_test(tcase, test_unreadable);
	tcase_add_test(tcase, test_endless);
	tcase_add_test(tcase, test_non_blocking_reader);
	tcase_add_test(tcase, test_interrupted);
	tcase_add_test(tcase, test_wakes_the_waiting);
	tcase_add_test(tcase, test_nobody_there);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
