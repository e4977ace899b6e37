/* SPDX-License-Identifier: BSD-2-Clause
 *
 * esc - the escapes and key=value words shared by all of Septet's files
 */
#include "common/base/esc.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

static bool
is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The second byte's range is what keeps out overlong forms, surrogates and
 * what lies past U+10FFFF (table 3-7 of the Unicode standard). */
static bool
is_second(unsigned char first, unsigned char c)
{
	switch (first) {
	case 0xe0:
		return c >= 0xa0 && c <= 0xbf;
	case 0xed:
		return c >= 0x80 && c <= 0x9f;
	case 0xf0:
		return c >= 0x90 && c <= 0xbf;
	case 0xf4:
		return c >= 0x80 && c <= 0x8f;
	default:
		return is_continuation(c);
	}
}

size_t
esc_utf8_len(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t len;

	if (n == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		len = 2;
	else if (u[0] >= 0xe0 && u[0] <= 0xef)
		len = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (n < len || !is_second(u[0], u[1]))
		return 0;
	for (size_t i = 2; i < len; i++) {
		if (!is_continuation(u[i]))
			return 0;
	}
	return len;
}

bool
esc_is_utf8(const char *p, size_t n)
{
	size_t len;

	for (; n > 0; p += len, n -= len) {
		len = esc_utf8_len(p, n);
		if (len == 0)
			return false;
	}
	return true;
}

static void
add_hex(struct sbuf *out, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	const char text[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

	sbuf_add(out, text, sizeof(text));
}

/* Escapes the double quote too, where it would end a quoted value. */
static void
add_escaped(struct sbuf *out, const char *bytes, size_t n, bool quote)
{
	size_t len, run = 0;
	unsigned char c;

	for (size_t i = 0; i < n; i += len) {
		c = (unsigned char)bytes[i];
		len = esc_utf8_len(bytes + i, n - i);
		if (len != 0 && c >= 0x20 && c != 0x7f && c != '\\' &&
		    !(quote && c == '"')) {
			run += len;
			continue;
		}
		sbuf_add(out, bytes + i - run, run);
		add_hex(out, c);
		run = 0;
		len = 1;
	}
	sbuf_add(out, bytes + n - run, run);
}

void
esc_add(struct sbuf *out, const char *bytes, size_t n)
{
	add_escaped(out, bytes, n, false);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The byte that the escape at p stands for; -1 where there is none. */
static int
escape_at(const char *p, size_t n)
{
	int high, low;

	if (n < 4 || p[0] != '\\' || p[1] != 'x')
		return -1;
	high = hex_digit(p[2]);
	low = hex_digit(p[3]);
	if (high == -1 || low == -1 || high + low == 0)
		return -1;
	return high << 4 | low;
}

void
esc_decode(struct sbuf *out, const char *text, size_t n)
{
	const char *end = text + n, *slash;
	int byte;

	while (text < end) {
		slash = memchr(text, '\\', (size_t)(end - text));
		if (slash == NULL)
			slash = end;
		sbuf_add(out, text, (size_t)(slash - text));
		text = slash;
		if (text == end)
			return;
		byte = escape_at(text, (size_t)(end - text));
		sbuf_addc(out, byte == -1 ? '\\' : (char)byte);
		text += byte == -1 ? 1 : 4;
	}
}

static void
add_key(struct sbuf *out, const char *key)
{
	char last = out->len == 0 ? ' ' : out->data[out->len - 1];

	if (last != ' ' && last != '\t')
		sbuf_addc(out, ' ');
	sbuf_adds(out, key);
	sbuf_addc(out, '=');
}

void
kv_add(struct sbuf *out, const char *key, const char *value)
{
	bool quote = *value == '\0' || strpbrk(value, " \"") != NULL;

	add_key(out, key);
	if (quote)
		sbuf_addc(out, '"');
	add_escaped(out, value, strlen(value), quote);
	if (quote)
		sbuf_addc(out, '"');
}

void
kv_addn(struct sbuf *out, const char *key, long long value)
{
	add_key(out, key);
	sbuf_printf(out, "%lld", value);
}

struct word {
	const char *start;
	size_t key_len; /* 0: no key=value word */
	const char *value;
	size_t value_len;
	const char *end;
};

static bool
is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* The end of an address in <>.  Its quoted local part may hold anything, also
 * blanks and what looks like a key, which a stranger could have put there: what
 * is not closed runs to the end of the line. */
static const char *
angle_end(const char *p)
{
	bool quoted = false;

	for (p++; *p != '\0'; p++) {
		if (*p == '>' && !quoted)
			return p + 1;
		if (*p == '"')
			quoted = !quoted;
		/* A quoted pair: its backslash is written \x5c. */
		if (quoted && strncmp(p, "\\x5c", 4) == 0 && p[4] != '\0')
			p += escape_at(p + 4, strnlen(p + 4, 4)) == -1 ? 4 : 7;
	}
	return p;
}

/* Take the next word of the line; false at its end. */
static bool
next_word(const char **line, struct word *word)
{
	const char *p = *line + strspn(*line, " \t");
	const char *quote;

	if (*p == '\0')
		return false;
	*word = (struct word){.start = p};
	if (*p == '<')
		p = angle_end(p);
	while (is_key_char(*p))
		p++;
	if (p > word->start && is_key_char(*word->start) && *p == '=') {
		word->key_len = (size_t)(p - word->start);
		word->value = ++p;
	}
	if (word->key_len != 0 && *p == '"') {
		word->value = ++p;
		quote = strchr(p, '"');
		p = quote != NULL ? quote : p + strlen(p);
		word->value_len = (size_t)(p - word->value);
		p += strcspn(p, " \t");
	} else {
		p += strcspn(p, " \t");
		if (word->key_len != 0)
			word->value_len = (size_t)(p - word->value);
	}
	word->end = p;
	*line = p;
	return true;
}

int
kv_get(const char *line, const char *key, struct sbuf *out)
{
	size_t key_len = strlen(key);
	struct word word;

	sbuf_truncate(out, 0);
	while (next_word(&line, &word)) {
		if (key_len == 0 || word.key_len != key_len ||
		    memcmp(word.start, key, key_len) != 0)
			continue;
		/* A string, also where the value is empty. */
		sbuf_reserve(out, 0);
		esc_decode(out, word.value, word.value_len);
		return 1;
	}
	return 0;
}

/* Digits only: strtoll would take a sign and blanks. */
static int
parse_number(const char *str, long long *out)
{
	long long value = 0;

	if (*str == '\0')
		return -1;
	for (; *str != '\0'; str++) {
		if (*str < '0' || *str > '9' ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *str - '0', &value))
			return -1;
	}
	*out = value;
	return 0;
}

int
kv_getn(const char *line, const char *key, long long *out)
{
	struct sbuf value = {0};
	int found;

	found = kv_get(line, key, &value);
	if (found == 1 && parse_number(sbuf_str(&value), out) == -1) {
		errno = EINVAL;
		found = -1;
	}
	sbuf_free(&value);
	return found;
}

void
kv_head(const char *line, struct sbuf *out)
{
	const char *start = line + strspn(line, " \t"), *end = start;
	struct word word;

	sbuf_truncate(out, 0);
	while (next_word(&line, &word) && word.key_len == 0)
		end = word.end;
	esc_decode(out, start, (size_t)(end - start));
}
