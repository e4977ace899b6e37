/* SPDX-License-Identifier: BSD-2-Clause
 *
 * person - a line of a list of members: "addr" or "Name <addr>"
 */
#include <string.h>

#include "common/base/esc.h"
#include "common/mail/address.h"
#include "runners/septet/person.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void
trim(const char **text, size_t *n)
{
	while (*n > 0 && is_blank(**text)) {
		(*text)++;
		(*n)--;
	}
	while (*n > 0 && is_blank((*text)[*n - 1]))
		(*n)--;
}

/* Appended without the quotes around it, and without their backslashes. */
static void
unquote(const char *text, size_t n, struct sbuf *out)
{
	size_t i;

	if (n < 2 || text[0] != '"' || text[n - 1] != '"') {
		sbuf_add(out, text, n);
		return;
	}
	for (i = 1; i < n - 1; i++) {
		if (text[i] == '\\' && i + 1 < n - 1)
			i++;
		sbuf_addc(out, text[i]);
	}
}

static bool
has_control(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') ||
		    text[i] == 0x7f)
			return true;
	}
	return false;
}

static int
bad(const char **why, const char *text)
{
	*why = text;
	return -1;
}

int
person_parse(const char *line, size_t n, struct sbuf *address,
    struct sbuf *name, const char **why)
{
	const char *open;

	sbuf_set(address, "");
	sbuf_set(name, "");
	trim(&line, &n);
	if (n == 0 || (line[0] == '#' && (n == 1 || is_blank(line[1]))))
		return 0;
	if (n > PERSON_LINE_MAX)
		return bad(why, "too long");
	if (!esc_is_utf8(line, n) || has_control(line, n))
		return bad(why, "control characters, or not UTF-8");
	open = line[n - 1] == '>' ? memrchr(line, '<', n) : NULL;
	if (open == NULL) {
		sbuf_add(address, line, n);
	} else {
		const char *text = line;
		size_t len = (size_t)(open - line);

		sbuf_add(address, open + 1, n - len - 2);
		trim(&text, &len);
		unquote(text, len, name);
	}
	return address_check(sbuf_str(address), NULL, why) == -1 ? -1 : 1;
}
