/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_child - what a started program has, and how a failed start is told
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/base/sbuf.h"
#include "common/system/child.h"

static int
wait_for(pid_t pid)
{
	int status = -1;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* All that a shell command writes to the descriptor it is given as spec.out. */
static void
expect_output(struct child_spec *spec, const char *command, const char *want)
{
	char *argv[] = {(char *)(size_t)"sh", (char *)(size_t)"-c",
	    (char *)(size_t)command, NULL};
	char got[4096];
	int ends[2];
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	spec->path = "/bin/sh";
	spec->argv = argv;
	spec->out = ends[1];
	pid = child_start(spec);
	ck_assert_int_gt(pid, 0);
	close(ends[1]);
	n = io_read_full(ends[0], got, sizeof(got) - 1);
	ck_assert_int_ge(n, 0);
	got[n] = '\0';
	close(ends[0]);
	ck_assert_int_eq(wait_for(pid), 0);
	ck_assert_str_eq(got, want);
}

START_TEST(test_output_and_empty_input)
{
	struct child_spec spec = {.in = -1, .err = -1};

	expect_output(&spec, "cat; echo done; readlink /proc/$$/fd/0",
	    "done\n/dev/null\n");
}
END_TEST

START_TEST(test_input)
{
	struct child_spec spec = {.err = -1};
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(write(ends[1], "ring\n", 5), 5);
	close(ends[1]);
	spec.in = ends[0];
	expect_output(&spec, "cat", "ring\n");
	close(ends[0]);
}
END_TEST

/* Of many open descriptors, without and with close-on-exec, none gets through;
 * 3 is the one that ls itself opens. */
START_TEST(test_no_other_descriptors)
{
	struct child_spec spec = {.in = -1, .err = -1};

	for (int i = 0; i < 20; i++)
		ck_assert_int_ne(open("/dev/null", O_RDONLY), -1);
	ck_assert_int_ne(dup2(0, 500), -1);
	expect_output(&spec, "exec ls -1 /proc/self/fd", "0\n1\n2\n3\n");
}
END_TEST

/* Each stands where another is wanted. */
START_TEST(test_descriptors_in_each_others_place)
{
	int out[2], in[2];
	char *argv[] = {(char *)(size_t)"sh", (char *)(size_t)"-c",
	    (char *)(size_t)"cat; echo error >&2", NULL};
	struct child_spec spec = {.path = "/bin/sh", .argv = argv};
	char got[64];
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(out), 0);
	ck_assert_int_eq(pipe(in), 0);
	ck_assert_int_eq(write(in[1], "input\n", 6), 6);
	close(in[1]);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* 0 is the output, 1 the input, and errors go to 0 also. */
		dup2(out[1], 0);
		dup2(in[0], 1);
		close(out[1]);
		spec.in = 1;
		spec.out = 0;
		spec.err = 0;
		pid = child_start(&spec);
		_exit(pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : 1);
	}
	close(out[1]);
	n = io_read_full(out[0], got, sizeof(got) - 1);
	ck_assert_int_ge(n, 0);
	got[n] = '\0';
	ck_assert_str_eq(got, "input\nerror\n");
	ck_assert_int_eq(wait_for(pid), 0);
}
END_TEST

/* Where a program was started with its standard descriptors closed, its own
 * pipe and /dev/null get their numbers. */
START_TEST(test_closed_descriptors)
{
	char *argv[] = {(char *)(size_t)"true", NULL};
	struct child_spec good = {"/bin/true", argv, NULL, -1, -1, -1};
	struct child_spec bad = {"/absent", argv, NULL, -1, -1, -1};
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(0);
		close(1);
		close(2);
		if (child_start(&bad) != -1 || errno != ENOENT)
			_exit(1);
		pid = child_start(&good);
		if (pid == -1 || waitpid(pid, &status, 0) != pid)
			_exit(2);
		_exit(status == 0 ? 0 : 3);
	}
	ck_assert_int_eq(wait_for(pid), 0);
}
END_TEST

START_TEST(test_environment)
{
	char *env[] = {(char *)(size_t)"ADDED=new",
	    (char *)(size_t)"REPLACED=new", (char *)(size_t)"EMPTY=", NULL};
	struct child_spec spec = {.env = env, .in = -1, .err = -1};

	setenv("KEPT", "old", 1);
	setenv("REPLACED", "old", 1);
	setenv("REPLACED_NOT", "old", 1);
	expect_output(&spec,
	    "echo $ADDED $REPLACED $KEPT $REPLACED_NOT ${EMPTY-unset};"
	    "env | grep -c ^REPLACED=",
	    "new new old old\n1\n");
	spec.env = NULL;
	expect_output(&spec, "echo $KEPT ${ADDED-unset}", "old unset\n");
	ck_assert_str_eq(getenv("REPLACED"), "old");
}
END_TEST

/* Our blocked and ignored signals are none of the child's. */
START_TEST(test_signals)
{
	struct child_spec spec = {.in = -1, .err = -1};
	sigset_t all;

	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	expect_output(&spec,
	    "exec grep -E '^Sig(Blk|Ign):' /proc/self/status",
	    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}
END_TEST

static const struct {
	const char *path;
	int want;
} bad_paths[] = {
	{"/absent/program", ENOENT},
	{"", ENOENT},
	{"sh", ENOENT}, /* no search */
	{"/", EACCES},
	{"/dev/null", EACCES},
	{"/etc/passwd", EACCES},
};

START_TEST(test_bad_program)
{
	char *argv[] = {(char *)(size_t)"x", NULL};
	struct child_spec spec = {bad_paths[_i].path, argv, NULL, -1, -1, -1};

	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(child_start(&spec), -1);
	ck_assert_int_eq(errno, bad_paths[_i].want);
	/* It has been waited for. */
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(test_bad_descriptor)
{
	char *argv[] = {(char *)(size_t)"true", NULL};
	struct child_spec spec = {"/bin/true", argv, NULL, 777, -1, -1};

	ck_assert_int_eq(child_start(&spec), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(test_no_descriptors_left)
{
	char *argv[] = {(char *)(size_t)"true", NULL};
	struct child_spec spec = {"/bin/true", argv, NULL, -1, -1, -1};
	struct rlimit limit = {64, 64};
	int fd, last = -1;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fd = open("/dev/null", O_RDONLY)) != -1)
		last = fd;
	ck_assert_int_eq(child_start(&spec), -1);
	ck_assert_int_eq(errno, EMFILE);
	/* The pipe fits, what the child needs beside it does not. */
	close(last);
	close(last - 1);
	ck_assert_int_eq(child_start(&spec), -1);
	ck_assert_int_eq(errno, EMFILE);
	for (int i = 2; i < 5; i++)
		close(last - i);
	ck_assert_int_eq(wait_for(child_start(&spec)), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("child");
	TCase *tcase = tcase_create("child");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_output_and_empty_input);
	tcase_add_test(tcase, test_input);
	tcase_add_test(tcase, test_no_other_descriptors);
	tcase_add_test(tcase, test_descriptors_in_each_others_place);
	tcase_add_test(tcase, test_closed_descriptors);
	tcase_add_test(tcase, test_environment);
	tcase_add_test(tcase, test_signals);
	tcase_add_loop_test(tcase, test_bad_program, 0,
	    sizeof(bad_paths) / sizeof(*bad_paths));
	tcase_add_test(tcase, test_bad_descriptor);
	tcase_add_test(tcase, test_no_descriptors_left);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
