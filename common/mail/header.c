/* SPDX-License-Identifier: BSD-2-Clause
 *
 * header - walking a header block; header_text.c writes fields and
 * header_decode.c reads encoded words
 */
#include "common/mail/header.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Offset after the line that starts at at. */
static size_t
line_end(const char *block, size_t len, size_t at)
{
	const char *lf = memchr(block + at, '\n', len - at);

	return lf == NULL ? len : (size_t)(lf - block) + 1;
}

/* If the line starts a field: 1, the name's length and the colon's place.
 * Space before the colon is obsolete syntax (RFC 5322 section 4.5) that still
 * arrives. */
static int
find_colon(const char *line, size_t len, size_t *name_len, size_t *colon)
{
	size_t i = 0;

	while (i < len && line[i] > 32 && line[i] < 127 && line[i] != ':')
		i++;
	*name_len = i;
	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	*colon = i;
	return *name_len > 0 && i < len && line[i] == ':';
}

int
header_next(const char *block, size_t len, size_t *at,
    struct header_field *field)
{
	size_t start = *at, end, name_len, colon, value_end;

	if (start >= len)
		return 0;
	end = line_end(block, len, start);
	if (!find_colon(block + start, end - start, &name_len, &colon))
		return 0;
	while (end < len && (block[end] == ' ' || block[end] == '\t'))
		end = line_end(block, len, end);

	value_end = end;
	if (block[value_end - 1] == '\n') {
		value_end--;
		if (block[value_end - 1] == '\r')
			value_end--;
	}
	field->raw = block + start;
	field->raw_len = end - start;
	field->name = block + start;
	field->name_len = name_len;
	field->value = block + start + colon + 1;
	field->value_len = value_end - (start + colon + 1);
	*at = end;
	return 1;
}

size_t
header_end(const char *data, size_t len, bool is_all)
{
	struct header_field field;
	size_t at = 0, end, n;

	while (header_next(data, len, &at, &field))
		continue;
	if (at >= len)
		return is_all ? len : SIZE_MAX;
	end = line_end(data, len, at);
	if (data[end - 1] != '\n' && !is_all)
		return SIZE_MAX;
	n = end - at;
	if (data[at] == '\n' || (n == 2 && memcmp(data + at, "\r\n", 2) == 0))
		return end;
	return at;
}

bool
header_is(const struct header_field *field, const char *name)
{
	return field->name_len == strlen(name) &&
	    strncasecmp(field->name, name, field->name_len) == 0;
}

bool
header_has_prefix(const struct header_field *field, const char *prefix)
{
	size_t n = strlen(prefix);

	return field->name_len >= n && strncasecmp(field->name, prefix, n) == 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

void
header_value(const struct header_field *field, struct sbuf *out)
{
	const char *p = field->value, *end = p + field->value_len;

	sbuf_set(out, "");
	while (p < end && is_space(*p))
		p++;
	while (end > p && is_space(end[-1]))
		end--;
	for (; p < end; p++) {
		if (*p == '\n')
			continue;
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			continue;
		sbuf_addc(out, *p == '\0' ? ' ' : *p);
	}
}

int
header_get(const char *block, size_t len, const char *name, size_t n,
    struct sbuf *out)
{
	struct header_field field;
	size_t at = 0;

	sbuf_truncate(out, 0);
	while (header_next(block, len, &at, &field)) {
		if (!header_is(&field, name))
			continue;
		if (n == 0) {
			header_value(&field, out);
			return 1;
		}
		n--;
	}
	return 0;
}

size_t
header_count(const char *block, size_t len, const char *name)
{
	struct header_field field;
	size_t at = 0, n = 0;

	while (header_next(block, len, &at, &field)) {
		if (header_is(&field, name))
			n++;
	}
	return n;
}

const char *
header_skip_cfws(const char *text)
{
	size_t depth = 0;

	for (; *text != '\0'; text++) {
		if (*text == '(')
			depth++;
		else if (depth == 0 && !is_space(*text))
			break;
		else if (depth > 0 && *text == ')')
			depth--;
		else if (depth > 0 && *text == '\\' && text[1] != '\0')
			text++;
	}
	return text;
}
