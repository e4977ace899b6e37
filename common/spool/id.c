/* SPDX-License-Identifier: BSD-2-Clause
 *
 * id - names of entries: time first, so that ls sorts by age
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/spool/id.h"

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

bool
id_is_valid(const char *id)
{
	size_t n = strlen(id);

	if (n == 0 || n > ID_MAX || id[0] == '.' || id[0] == '-')
		return false;
	return strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz.-") == n;
}

/* Base 36, most significant first, at least width digits. */
static void
base36(uint64_t value, size_t width, char *out)
{
	char reversed[16];
	size_t n = 0, i;

	do {
		reversed[n++] = digits[value % 36];
		value /= 36;
	} while (value > 0);
	while (n < width)
		reversed[n++] = '0';
	for (i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	out[n] = '\0';
}

void
id_new(char out[ID_SIZE], const char *host)
{
	static uint64_t last;
	char when[16], process[16];
	uint64_t now = (uint64_t)clock_us();

	/* Within a process no microsecond is used twice, also where the clock
	 * stands still or goes back; the pid keeps processes apart. */
	if (now <= last)
		now = last + 1;
	last = now;
	base36(now, 10, when);
	base36((uint64_t)getpid(), 1, process);
	snprintf(out, ID_SIZE, "%s-%.20s-%s", when, host, process);
}

int
id_child(char out[ID_SIZE], const char *parent, char letter, unsigned claim,
    unsigned number)
{
	int n;

	n = snprintf(out, ID_SIZE, "%s.%c%u-%u", parent, letter, claim, number);
	if (n < 0 || n > ID_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
