/* SPDX-License-Identifier: BSD-2-Clause
 *
 * result - what became of each recipient, appended as it happens
 */
#include "common/spool/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"

#define REPLY_MAX 500
#define COLUMNS 7

/* Bytes of str to keep: whole characters, at most REPLY_MAX. */
static size_t
cut(const char *str)
{
	size_t n = strnlen(str, REPLY_MAX + 1), from, len;

	if (n <= REPLY_MAX)
		return n;
	n = REPLY_MAX;
	/* The NUL ends no character, so looking four bytes on is safe. */
	for (from = n - 3; from < n; from++) {
		len = esc_utf8_len(str + from, 4);
		if (len > 1 && from + len > n)
			return from;
	}
	return n;
}

void
result_format(const struct result *r, struct sbuf *out)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_format(r->time, time);
	sbuf_printf(out, "%lu\t%s\t%c\t", r->line, time, r->state);
	esc_add(out, r->relay, strlen(r->relay));
	sbuf_printf(out, "\t%d\t", r->code);
	esc_add(out, r->status, strlen(r->status));
	sbuf_addc(out, '\t');
	esc_add(out, r->reply, cut(r->reply));
	sbuf_addc(out, '\n');
}

/* Digits only, at most max. */
static int
parse_number(const char *str, unsigned long max, unsigned long *out)
{
	char *end;

	if (*str < '0' || *str > '9')
		return -1;
	errno = 0;
	*out = strtoul(str, &end, 10);
	return *end != '\0' || errno != 0 || *out > max ? -1 : 0;
}

int
result_parse(char *line, struct result *r)
{
	char *columns[COLUMNS];
	unsigned long code;
	int n = 0;

	/* Columns past the last one are a later version's. */
	while (n < COLUMNS && line != NULL)
		columns[n++] = strsep(&line, "\t");
	if (n < COLUMNS ||
	    parse_number(columns[0], ~0UL, &r->line) == -1 || r->line == 0 ||
	    clock_parse(columns[1], &r->time) == -1 ||
	    *columns[2] < 'A' || *columns[2] > 'Z' || columns[2][1] != '\0' ||
	    parse_number(columns[4], 999, &code) == -1) {
		errno = EPROTO;
		return -1;
	}
	r->state = *columns[2];
	r->relay = columns[3];
	r->code = (int)code;
	r->status = columns[5];
	r->reply = columns[6];
	return 0;
}
