/* SPDX-License-Identifier: BSD-2-Clause
 *
 * backoff - when to try again
 */
#include "common/spool/backoff.h"

static int64_t
doubled(int64_t first, int64_t most, unsigned n)
{
	int64_t ms = first;

	while (n-- > 1 && ms < most)
		ms *= 2;
	return ms > most ? most : ms;
}

int64_t
backoff_delay(unsigned n, uint32_t salt)
{
	int64_t ms = doubled(60 * 1000, 60 * 60 * 1000, n);

	return ms + (int64_t)(salt % 1000) * (ms / 4) / 1000;
}

int64_t
backoff_restart(unsigned n)
{
	return doubled(100, 60 * 1000, n);
}
