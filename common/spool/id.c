/* SPDX-License-Identifier: BSD-2-Clause
 *
 * id - names of entries: time first, so that ls sorts by age
 */
#include "common/spool/id.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

#define TIME_DIGITS 10
/* A counter that comes round after 36^4 IDs still differs within any stretch of
 * time that a clock set back can bring again. */
#define COUNT_MAX (36 * 36 * 36 * 36)
#define COUNT_DIGITS 2

static unsigned count;

bool
id_is_valid(const char *id)
{
	static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz.-";
	size_t n = strnlen(id, ID_SIZE);

	if (n == 0 || n > ID_MAX || *id == '.' || *id == '-')
		return false;
	return strspn(id, allowed) == n;
}

/* Write value in base 36, at least n digits; returns what follows them. */
static char *
put_base36(char *out, uint64_t value, int n)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char reversed[16];
	int len = 0;

	for (; value > 0 || len < n; value /= 36)
		reversed[len++] = digits[value % 36];
	while (len > 0)
		*out++ = reversed[--len];
	return out;
}

void
id_new(char out[ID_SIZE], const char *host)
{
	size_t len = strnlen(host, 20);
	char *p;

	p = put_base36(out, (uint64_t)clock_us(), TIME_DIGITS);
	*p++ = '-';
	p = mempcpy(p, host, len);
	*p++ = '-';
	p = put_base36(p, (uint64_t)getpid(), 1);
	*p++ = '-';
	p = put_base36(p, count, COUNT_DIGITS);
	*p = '\0';
	count = (count + 1) % COUNT_MAX;
}

int64_t
id_time(const char *id)
{
	int64_t us = 0;
	int i;

	for (i = 0; i < TIME_DIGITS; i++) {
		if (id[i] >= '0' && id[i] <= '9')
			us = us * 36 + (id[i] - '0');
		else if (id[i] >= 'a' && id[i] <= 'z')
			us = us * 36 + (id[i] - 'a' + 10);
		else
			return 0;
	}
	return us / 1000;
}

int
id_child(char out[ID_SIZE], const char *parent, char letter, unsigned claim,
    unsigned number)
{
	int n;

	if (letter < 'a' || letter > 'z') {
		errno = EINVAL;
		return -1;
	}
	n = snprintf(out, ID_SIZE, "%s.%c%u-%u", parent, letter, claim,
	    number);
	if (n < 0 || n > ID_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
