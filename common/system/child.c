/* SPDX-License-Identifier: BSD-2-Clause
 *
 * child - start a program with just the descriptors it is meant to have
 */
#include "common/system/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/system/sigfd.h"

/* Where close_range(2) is missing: more than a supervisor ever opens. */
#define DESCRIPTORS_MAX 65536

static bool
is_same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

static size_t
count(char *const *env)
{
	size_t n = 0;

	while (env != NULL && env[n] != NULL)
		n++;
	return n;
}

/* Our environment without what extra replaces, then extra.  Made before the
 * fork: a child of a threaded process may not allocate.  NULL: ENOMEM. */
static char **
merge_environment(char *const *extra)
{
	size_t n_extra = count(extra), n = 0;
	char **env;
	bool replaced;

	env = calloc(count(environ) + n_extra + 1, sizeof(*env));
	if (env == NULL)
		return NULL;
	for (char **p = environ; p != NULL && *p != NULL; p++) {
		replaced = false;
		for (size_t i = 0; i < n_extra && !replaced; i++)
			replaced = is_same_name(extra[i], *p);
		if (!replaced)
			env[n++] = *p;
	}
	for (size_t i = 0; i < n_extra; i++)
		env[n++] = extra[i];
	return env;
}

/* Out of the way of 0, 1 and 2, which are about to be replaced. */
static int
lift(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* Everything but 0, 1 and 2 ends with the exec. */
static void
close_others(void)
{
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Lift all before placing any: they may stand in each other's places. */
static int
place_descriptors(const struct child_spec *spec)
{
	int wanted[] = {spec->in, spec->out, spec->err};

	for (int i = 0; i < 3; i++) {
		if (wanted[i] == -1)
			continue;
		wanted[i] = lift(wanted[i]);
		if (wanted[i] == -1)
			return -1;
	}
	if (wanted[0] == -1) {
		wanted[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (wanted[0] == -1)
			return -1;
		/* open returns 0 where that was closed. */
		wanted[0] = lift(wanted[0]);
		if (wanted[0] == -1)
			return -1;
	}
	for (int i = 0; i < 3; i++) {
		if (wanted[i] != -1 && dup2(wanted[i], i) == -1)
			return -1;
	}
	return 0;
}

/* Only async-signal-safe calls from here on. */
_Noreturn static void
run(const struct child_spec *spec, char *const *env, int report)
{
	ssize_t ignored;
	int error, lifted;

	sigfd_child_reset();
	/* Where it cannot be lifted it may be lost, so nothing is tried. */
	lifted = lift(report);
	if (lifted != -1 && place_descriptors(spec) == 0) {
		close_others();
		execve(spec->path, spec->argv, env);
	}
	error = errno;
	ignored = write(lifted != -1 ? lifted : report, &error, sizeof(error));
	(void)ignored;
	_exit(127);
}

/* The exec closes the pipe, or the child writes why it failed. */
static pid_t
await_exec(pid_t pid, int report)
{
	int error = 0, status;
	ssize_t got;

	got = io_read_full(report, &error, sizeof(error));
	if (got <= 0)
		return pid;
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	errno = error != 0 ? error : EIO;
	return -1;
}

pid_t
child_start(const struct child_spec *spec)
{
	int report[2], saved;
	char **env;
	pid_t pid;

	env = merge_environment(spec->env);
	if (env == NULL)
		return -1;
	if (pipe2(report, O_CLOEXEC) == -1) {
		free(env);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		run(spec, env, report[1]);
	saved = errno;
	free(env);
	io_close(&report[1]);
	errno = saved;
	if (pid != -1)
		pid = await_exec(pid, report[0]);
	io_close(&report[0]);
	return pid;
}
