/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bell - the doorbell: standard input tells a runner when to look
 *
 * A byte means "look"; end of file means "finish and go".  All waiting rings
 * are taken before the caller looks, never after, so none is lost.
 */
#ifndef SEPTET_SYSTEM_BELL_H
#define SEPTET_SYSTEM_BELL_H

enum bell { BELL_RING, BELL_END, BELL_TIMEOUT };

/* Wait for a ring at most timeout_ms (-1: for ever; 0: look only), and take
 * all that wait.  Where rings and end of file came together, BELL_RING is said
 * first and BELL_END at the next call.  A descriptor that cannot be read is
 * BELL_END. */
enum bell bell_wait(int fd, int timeout_ms);
/* Ring at the other end of a pipe (fd is non-blocking): writes a newline where
 * nothing is waiting (FIONREAD), else nothing.  0, or -1 with errno (EPIPE).
 * The caller ignores SIGPIPE. */
int bell_ring(int fd) __attribute__((warn_unused_result));

#endif
