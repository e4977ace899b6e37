/* SPDX-License-Identifier: BSD-2-Clause
 *
 * template - texts of notices
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/mail/template.h"

struct fill {
	const struct template_value *values;
	struct sbuf *out;
	struct sbuf *why;
	size_t line;            /* number of the current one */
	bool is_body;
	const char *section;    /* the open one's name, or NULL */
	size_t section_len;
	size_t section_line;
	bool is_skipping;
};

static int
fail(struct fill *f, size_t line, const char *what, const char *name, size_t n)
{
	if (f->why != NULL)
		sbuf_printf(f->why, "line %zu: %s%s%.*s", line, what,
		    n > 0 ? " " : "", (int)(n > 60 ? 60 : n), name);
	errno = EINVAL;
	return -1;
}

static const struct template_value *
find_value(const struct fill *f, const char *name, size_t n)
{
	const struct template_value *v;

	for (v = f->values; v->name != NULL; v++) {
		if (strlen(v->name) == n && memcmp(v->name, name, n) == 0)
			return v;
	}
	return NULL;
}

static void
add_value(struct fill *f, const char *value)
{
	if (f->is_skipping || value == NULL)
		return;
	if (f->is_body) {
		sbuf_adds(f->out, value);
		return;
	}
	for (; *value != '\0'; value++)
		sbuf_addc(f->out, (unsigned char)*value < ' ' ||
		    *value == 0x7f ? ' ' : *value);
}

/* The name in "{{name}}" at p (n bytes are left of the line): its length, or 0
 * where there is none. */
static size_t
name_length(const char *p, size_t n)
{
	size_t len;

	for (len = 0; len + 4 < n; len++) {
		char c = p[2 + len];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
			break;
	}
	if (len == 0 || len + 4 > n || memcmp(p + 2 + len, "}}", 2) != 0)
		return 0;
	return len;
}

/* One line with its end. */
static int
fill_line(struct fill *f, const char *line, size_t n)
{
	const struct template_value *value;
	size_t i, len;

	for (i = 0; i < n; i++) {
		if (line[i] != '{' || i + 1 == n || line[i + 1] != '{') {
			if (!f->is_skipping)
				sbuf_addc(f->out, line[i]);
			continue;
		}
		len = name_length(line + i, n - i);
		if (len == 0)
			return fail(f, f->line, "braces without a name", "", 0);
		value = find_value(f, line + i + 2, len);
		if (value == NULL)
			return fail(f, f->line, "unknown name", line + i + 2,
			    len);
		add_value(f, value->value);
		i += len + 3;
	}
	return 0;
}

static int
open_section(struct fill *f, const char *name, size_t n)
{
	const struct template_value *value = find_value(f, name, n);

	if (f->section != NULL)
		return fail(f, f->line, "section inside a section:", name, n);
	if (value == NULL)
		return fail(f, f->line, "unknown name", name, n);
	f->section = name;
	f->section_len = n;
	f->section_line = f->line;
	f->is_skipping = value->value == NULL || value->value[0] == '\0';
	return 0;
}

static int
close_section(struct fill *f, const char *name, size_t n)
{
	if (f->section == NULL || f->section_len != n ||
	    memcmp(f->section, name, n) != 0)
		return fail(f, f->line, "end of a section not open:", name, n);
	f->section = NULL;
	f->is_skipping = false;
	return 0;
}

/* "{{#name}}" or "{{/name}}" alone on the line? */
static bool
is_section(const char *line, size_t n)
{
	return n > 5 && memcmp(line, "{{", 2) == 0 &&
	    (line[2] == '#' || line[2] == '/') &&
	    memcmp(line + n - 2, "}}", 2) == 0;
}

static int
take_line(struct fill *f, const char *line, size_t n)
{
	size_t bare = n;

	while (bare > 0 && strchr(" \t\r\n", line[bare - 1]) != NULL)
		bare--;
	if (is_section(line, bare)) {
		if (line[2] == '#')
			return open_section(f, line + 3, bare - 5);
		return close_section(f, line + 3, bare - 5);
	}
	if (bare == 0 && !f->is_skipping)
		f->is_body = true;
	return fill_line(f, line, n);
}

int
template_fill(const char *text, const struct template_value *values,
    struct sbuf *out, struct sbuf *why)
{
	struct fill f = { .values = values, .out = out, .why = why };
	size_t start = out->len, n;
	int result = 0;

	for (; *text != '\0' && result == 0; text += n) {
		n = strcspn(text, "\n");
		n += text[n] == '\n';
		f.line++;
		result = take_line(&f, text, n);
	}
	if (result == 0 && f.section != NULL)
		result = fail(&f, f.section_line, "section without an end:",
		    f.section, f.section_len);
	if (result == -1 && out->data != NULL)
		sbuf_truncate(out, start);
	return result;
}
