/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sigfd - signals as a readable descriptor
 */
#ifndef SEPTET_SYSTEM_SIGFD_H
#define SEPTET_SYSTEM_SIGFD_H

#include <signal.h>

/* Block the signals of the 0-terminated list for this process and return a
 * non-blocking, close-on-exec signalfd for them, or -1. */
int sigfd_open(const int *signals) __attribute__((warn_unused_result));
/* The next signal's number, 0 when none waits, -1 error. */
int sigfd_next(int fd) __attribute__((warn_unused_result));
/* In a child before exec: the default mask and dispositions again. */
void sigfd_child_reset(void);

#endif
