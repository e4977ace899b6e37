/* SPDX-License-Identifier: BSD-2-Clause
 *
 * child - start a program with just the descriptors it is meant to have
 */
#ifndef SEPTET_SYSTEM_CHILD_H
#define SEPTET_SYSTEM_CHILD_H

#include <sys/types.h>

struct child_spec {
	const char *path;        /* program; no search in PATH */
	char *const *argv;
	char *const *env;        /* extra NAME=value, NULL-ended, or NULL */
	int in;                  /* its standard input; -1: /dev/null */
	int out;                 /* -1: ours */
	int err;                 /* -1: ours */
};

/* fork and exec; every other descriptor is closed in the child, signals are
 * reset, and the child dies with SIGTERM-free end of its stdin, not with us.
 * Returns the pid, or -1 with errno of the fork or of the exec itself (read
 * from a close-on-exec pipe, so a missing program is an error here). */
pid_t child_start(const struct child_spec *spec)
    __attribute__((warn_unused_result));

#endif
