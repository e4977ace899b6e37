/* SPDX-License-Identifier: BSD-2-Clause
 *
 * backoff - when to try again
 */
#include "common/spool/backoff.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define RESTART_FIRST INT64_C(100)

static int64_t
doubled(int64_t first, int64_t last, unsigned n)
{
	while (n-- > 1 && first < last)
		first *= 2;
	return first < last ? first : last;
}

int64_t
backoff_delay(unsigned n, uint32_t salt)
{
	int64_t delay = doubled(MINUTE, HOUR, n);

	/* Knuth's multiplier: whatever bits the salts of a batch share, and in
	 * each attempt anew, the waits spread. */
	salt = (salt + n) * UINT32_C(2654435761);
	return delay + delay / 4 * (int64_t)(salt >> 16) / 65536;
}

int64_t
backoff_restart(unsigned n)
{
	return doubled(RESTART_FIRST, MINUTE, n);
}
