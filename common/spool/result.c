/* SPDX-License-Identifier: BSD-2-Clause
 *
 * result - what became of each recipient, appended as it happens
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/spool/result.h"

#define REPLY_MAX 500

void
result_format(const struct result *r, struct sbuf *out)
{
	char time[CLOCK_RFC3339_SIZE];
	size_t n = strlen(r->reply);

	clock_format(r->time, time);
	sbuf_printf(out, "%lu\t%s\t%c\t", r->line, time, r->state);
	esc_add(out, r->relay, strlen(r->relay));
	sbuf_printf(out, "\t%d\t", r->code);
	esc_add(out, r->status, strlen(r->status));
	sbuf_addc(out, '\t');
	if (n > REPLY_MAX) {
		n = REPLY_MAX;
		while (n > 0 && ((unsigned char)r->reply[n] & 0xc0) == 0x80)
			n--;
	}
	esc_add(out, r->reply, n);
	sbuf_addc(out, '\n');
}

/* Cut the next tab-separated word off *rest; NULL where there is none. */
static char *
word(char **rest)
{
	char *start = *rest, *tab;

	if (start == NULL)
		return NULL;
	tab = strchr(start, '\t');
	if (tab != NULL)
		*tab++ = '\0';
	*rest = tab;
	return start;
}

static int
parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return errno != 0 || *end != '\0' || *out > max ? -1 : 0;
}

int
result_parse(char *line, struct result *r)
{
	const char *time, *state, *code;
	unsigned long number;
	char *rest = line;

	memset(r, 0, sizeof(*r));
	if (parse_number(word(&rest), (unsigned long)-1, &r->line) == -1)
		goto malformed;
	time = word(&rest);
	state = word(&rest);
	r->relay = word(&rest);
	code = word(&rest);
	r->status = word(&rest);
	r->reply = word(&rest);
	if (r->reply == NULL || strlen(state) != 1 ||
	    clock_parse(time, &r->time) == -1 ||
	    parse_number(code, 999, &number) == -1)
		goto malformed;
	r->state = *state;
	r->code = (int)number;
	return 0;
malformed:
	errno = EPROTO;
	return -1;
}
