/* SPDX-License-Identifier: BSD-2-Clause
 *
 * reply - replies of an SMTP server, taken apart as they arrive
 */
#include <stdbool.h>
#include <string.h>

#include "runners/outbound/reply.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Up to three digits; 0 where there are none, or more. */
static size_t
number_length(const char *str)
{
	size_t n = 0;

	while (is_digit(str[n]))
		n++;
	return n <= 3 ? n : 0;
}

/* RFC 3463: class.subject.detail, and the class is that of the code. */
static void
find_status(struct reply *r)
{
	const char *words = reply_words(r);
	size_t subject, detail, n;

	r->status[0] = '\0';
	if (words[0] != r->line.data[0] || words[0] == '3' || words[1] != '.')
		return;
	subject = number_length(words + 2);
	if (subject == 0 || words[2 + subject] != '.')
		return;
	detail = number_length(words + 3 + subject);
	if (detail == 0)
		return;
	n = 3 + subject + detail;
	if (words[n] != '\0' && words[n] != ' ')
		return;
	memcpy(r->status, words, n);
	r->status[n] = '\0';
}

static void
add_text(struct reply *r)
{
	const char *str = r->lines == 1 ? r->line.data : reply_words(r);
	size_t n = strlen(str);

	if (r->lines > 1 && r->text.len < REPLY_TEXT_MAX)
		sbuf_addc(&r->text, ' ');
	if (r->text.len + n > REPLY_TEXT_MAX)
		n = REPLY_TEXT_MAX - r->text.len;
	sbuf_add(&r->text, str, n);
}

static enum reply_step
whole_line(struct reply *r)
{
	const char *line;
	char separator;

	while (r->line.len > 0 && (r->line.data[r->line.len - 1] == '\r'
	    || r->line.data[r->line.len - 1] == '\n'))
		sbuf_truncate(&r->line, r->line.len - 1);
	if (r->line.len < 3)
		return REPLY_BROKEN;
	line = r->line.data;
	separator = line[3];
	if (line[0] < '1' || line[0] > '5' || !is_digit(line[1])
	    || !is_digit(line[2]) || (separator != ' ' && separator != '-'
	    && separator != '\0'))
		return REPLY_BROKEN;
	/* A NUL would hide the rest from all who read text as a string. */
	if (memchr(line, '\0', r->line.len) != NULL)
		return REPLY_BROKEN;
	r->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
	r->lines++;
	find_status(r);
	add_text(r);
	if (separator != '-')
		return REPLY_DONE;
	return r->lines < REPLY_LINES_MAX ? REPLY_LINE : REPLY_BROKEN;
}

enum reply_step
reply_take(struct reply *r, const char *bytes, size_t n, size_t *used)
{
	const char *end;

	*used = 0;
	if (n == 0)
		return REPLY_MORE;
	if (r->last == REPLY_DONE) {
		sbuf_truncate(&r->text, 0);
		r->lines = 0;
	}
	if (r->last != REPLY_MORE)
		sbuf_truncate(&r->line, 0);
	end = memchr(bytes, '\n', n);
	*used = end != NULL ? (size_t)(end - bytes) + 1 : n;
	if (*used > REPLY_LINE_MAX || r->line.len + *used > REPLY_LINE_MAX) {
		r->last = REPLY_BROKEN;
		return r->last;
	}
	sbuf_add(&r->line, bytes, *used);
	r->last = end != NULL ? whole_line(r) : REPLY_MORE;
	return r->last;
}

const char *
reply_words(const struct reply *r)
{
	return r->line.len > 4 ? r->line.data + 4 : "";
}

void
reply_free(struct reply *r)
{
	sbuf_free(&r->text);
	sbuf_free(&r->line);
}
