/* SPDX-License-Identifier: BSD-2-Clause
 *
 * backoff - when to try again
 */
#ifndef SEPTET_SPOOL_BACKOFF_H
#define SEPTET_SPOOL_BACKOFF_H

#include <stdint.h>

/* Milliseconds to wait after the n-th failed attempt (n >= 1): doubles from one
 * minute to an hour, spread by up to a quarter with `salt` (a hash of the
 * entry), so that what failed together does not come back together. */
int64_t backoff_delay(unsigned n, uint32_t salt);
/* The same for restarts of a process: 100 ms to one minute. */
int64_t backoff_restart(unsigned n);

#endif
