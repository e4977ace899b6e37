/* SPDX-License-Identifier: BSD-2-Clause
 *
 * output - what people and programs read: text, tables, JSON
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "runners/septet/output.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * (int64_t)HOUR)

/* ---- JSON -------------------------------------------------------------- */

static void
quote_byte(struct sbuf *out, unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		sbuf_addc(out, '\\');
		sbuf_addc(out, (char)c);
		break;
	case '\n':
		sbuf_adds(out, "\\n");
		break;
	case '\t':
		sbuf_adds(out, "\\t");
		break;
	default:
		if (c < 0x20 || c == 0x7f)
			sbuf_printf(out, "\\u%04x", c);
		else
			sbuf_addc(out, (char)c);
	}
}

void
json_quote(struct sbuf *out, const char *value, size_t n)
{
	size_t i = 0, len;

	sbuf_addc(out, '"');
	while (i < n) {
		if ((unsigned char)value[i] < 0x80) {
			quote_byte(out, (unsigned char)value[i++]);
			continue;
		}
		len = esc_utf8_len(value + i, n - i);
		if (len == 0)
			sbuf_adds(out, "\\ufffd");
		else
			sbuf_add(out, value + i, len);
		i += len == 0 ? 1 : len;
	}
	sbuf_addc(out, '"');
}

static void
put_quoted(struct json *j, const char *text)
{
	struct sbuf quoted = {0};

	json_quote(&quoted, text, strlen(text));
	fwrite(quoted.data, 1, quoted.len, j->to);
	sbuf_free(&quoted);
}

/* What stands before a value: a comma, the line, the key. */
static void
before(struct json *j, const char *key)
{
	unsigned i;

	if (j->has_items[j->depth])
		fputc(',', j->to);
	j->has_items[j->depth] = true;
	if (j->depth > 0) {
		fputc('\n', j->to);
		for (i = 0; i < j->depth; i++)
			fputs("  ", j->to);
	}
	if (key != NULL) {
		put_quoted(j, key);
		fputs(": ", j->to);
	}
}

void
json_begin(struct json *j, FILE *to)
{
	memset(j, 0, sizeof(*j));
	j->to = to;
}

static void
open_bracket(struct json *j, const char *key, char bracket)
{
	before(j, key);
	fputc(bracket, j->to);
	if (j->depth == JSON_DEPTH)
		abort();
	j->has_items[++j->depth] = false;
}

void
json_object(struct json *j, const char *key)
{
	open_bracket(j, key, '{');
}

void
json_array(struct json *j, const char *key)
{
	open_bracket(j, key, '[');
}

void
json_close(struct json *j, char bracket)
{
	unsigned i;
	bool has_items = j->has_items[j->depth];

	j->depth--;
	if (has_items) {
		fputc('\n', j->to);
		for (i = 0; i < j->depth; i++)
			fputs("  ", j->to);
	}
	fputc(bracket, j->to);
}

void
json_string(struct json *j, const char *key, const char *value)
{
	before(j, key);
	if (value == NULL)
		fputs("null", j->to);
	else
		put_quoted(j, value);
}

void
json_number(struct json *j, const char *key, long long value)
{
	before(j, key);
	fprintf(j->to, "%lld", value);
}

void
json_bool(struct json *j, const char *key, bool value)
{
	before(j, key);
	fputs(value ? "true" : "false", j->to);
}

void
json_time(struct json *j, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_SIZE];

	if (ms == 0) {
		json_string(j, key, NULL);
		return;
	}
	clock_format(ms, text);
	json_string(j, key, text);
}

void
json_strings(struct json *j, const char *key, const struct strv *v)
{
	size_t i;

	json_array(j, key);
	for (i = 0; i < v->n; i++)
		json_string(j, NULL, v->items[i]);
	json_close(j, ']');
}

void
json_end(struct json *j)
{
	fputc('\n', j->to);
}

/* ---- text -------------------------------------------------------------- */

/* Does this character, valid UTF-8, act on a terminal instead of standing
 * there?  C1 controls; marks of direction and line (U+200E, U+200F, U+2028 to
 * U+202E, U+2066 to U+2069). */
static bool
is_acting(const unsigned char *p, size_t len)
{
	unsigned last;

	if (len == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (len != 3 || p[0] != 0xe2)
		return false;
	last = p[2];
	if (p[1] == 0x80)
		return last == 0x8e || last == 0x8f ||
		    (last >= 0xa8 && last <= 0xae);
	return p[1] == 0x81 && last >= 0xa6 && last <= 0xa9;
}

void
out_clean(struct sbuf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t left = strlen(text), len, i;

	while (left > 0) {
		len = esc_utf8_len((const char *)p, left);
		if (len == 0 || (len == 1 && (*p < 0x20 || *p == 0x7f)) ||
		    is_acting(p, len)) {
			if (len == 0)
				len = 1;
			for (i = 0; i < len; i++)
				sbuf_printf(out, "\\x%02x", p[i]);
		} else {
			sbuf_add(out, p, len);
		}
		p += len;
		left -= len;
	}
}

void
out_text(FILE *to, const char *text)
{
	struct sbuf clean = {0};

	out_clean(&clean, text);
	fwrite(sbuf_str(&clean), 1, clean.len, to);
	sbuf_free(&clean);
}

static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Columns, taking every character for one wide; and the bytes of at most max
 * of them. */
static int
columns(const char *text, int max, size_t *bytes)
{
	int n = 0;
	size_t i;

	for (i = 0; text[i] != '\0'; i++) {
		if (is_continuation(text[i]))
			continue;
		if (max > 0 && n == max)
			break;
		n++;
	}
	*bytes = i;
	return n;
}

void
out_cell(FILE *to, const char *text, int width, int max)
{
	struct sbuf clean = {0};
	size_t bytes;
	int n, wide = width < 0 ? -width : width;

	out_clean(&clean, text);
	n = columns(sbuf_str(&clean), max, &bytes);
	if (width < 0 && n < wide)
		fprintf(to, "%*s", wide - n, "");
	fwrite(sbuf_str(&clean), 1, bytes, to);
	if (width > 0 && n < wide)
		fprintf(to, "%*s", wide - n, "");
	sbuf_free(&clean);
}

void
out_color(enum out_color color)
{
	static const char *const codes[] = {
		[OUT_PLAIN] = "\033[0m", [OUT_GOOD] = "\033[32m",
		[OUT_WARN] = "\033[33m", [OUT_BAD] = "\033[31m",
		[OUT_DIM] = "\033[2m",
	};
	const char *no = getenv("NO_COLOR");

	if (isatty(STDOUT_FILENO) && (no == NULL || *no == '\0'))
		fputs(codes[color], stdout);
}

void
out_age(int64_t ms, char out[16])
{
	if (ms < 0)
		ms = 0;
	if (ms < 2 * MINUTE)
		snprintf(out, 16, "%d s", (int)(ms / SECOND));
	else if (ms < 2 * HOUR)
		snprintf(out, 16, "%d min", (int)(ms / MINUTE));
	else if (ms < 2 * DAY)
		snprintf(out, 16, "%d h", (int)(ms / HOUR));
	else
		snprintf(out, 16, "%lld d", (long long)(ms / DAY));
}

void
out_size(unsigned long long bytes, char out[16])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(out, 16, unit == 0 ? "%.0f %s" : "%.1f %s", value,
	    units[unit]);
}
