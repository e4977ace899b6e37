/* SPDX-License-Identifier: BSD-2-Clause
 *
 * header_text - fields written: folded, and encoded (RFC 2047) where not ASCII
 */
#include <sodium.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/mail/header.h"

#define LINE_MAX_COLUMNS 78
/* RFC 2047 section 2. */
#define ENCODED_WORD_MAX 75
#define ENCODED_WORD_FRAME 12 /* =?utf-8?q??= */
/* Shorter ones are not worth their frame: the line is folded instead. */
#define ENCODED_WORD_MIN (ENCODED_WORD_FRAME + 16)
/* A word longer than this would break the 998 octets of a line; encoded, it
 * can be folded. */
#define PLAIN_WORD_MAX 900

/* A field being written. */
struct field {
	struct sbuf *out;
	size_t column;
	bool has_word;
};

/* A control would let a value start a field of its own. */
static void
clean(const char *value, bool is_strict, struct sbuf *out)
{
	size_t len = strlen(value), n;

	for (size_t i = 0; i < len; i += n) {
		const unsigned char *p = (const unsigned char *)value + i;

		n = esc_utf8_len(value + i, len - i);
		if (n == 0 && is_strict)
			sbuf_adds(out, "\xef\xbf\xbd");
		else if (n == 0)
			sbuf_addc(out, value[i]);
		else if (*p < 0x20 || *p == 0x7f ||
		    (*p == 0xc2 && p[1] <= 0x9f))
			sbuf_addc(out, ' ');
		else
			sbuf_add(out, value + i, n);
		if (n == 0)
			n = 1;
	}
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		sbuf_truncate(out, out->len - 1);
}

/* Add white space and the word after it; a fold comes before white space, so
 * that unfolding gives back the same text.  Never before the first word: a
 * first line without text upsets some readers. */
static void
put_word(struct field *f, const char *word, size_t n)
{
	if (f->has_word && f->column + n > LINE_MAX_COLUMNS) {
		sbuf_addc(f->out, '\n');
		f->column = 0;
	}
	sbuf_add(f->out, word, n);
	f->column += n;
	f->has_word = true;
}

/* Length of white space and the word after it. */
static size_t
word_len(const char *text)
{
	size_t n = strspn(text, " ");

	return n + strcspn(text + n, " ");
}

static void
put_words(struct field *f, const char *text, size_t len)
{
	while (len > 0) {
		size_t n = word_len(text);

		if (n > len)
			n = len;
		put_word(f, text, n);
		text += n;
		len -= n;
	}
}

static bool
is_q_safe(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '!' || c == '*' || c == '+' ||
	    c == '-' || c == '/' || c == ' ';
}

static size_t
q_len(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += is_q_safe((unsigned char)text[i]) ? 1 : 3;
	return n;
}

static size_t
b_len(size_t len)
{
	return (len + 2) / 3 * 4;
}

/* How many bytes of text, whole characters and at least one, fit into room
 * encoded ones. */
static size_t
fit(const char *text, size_t len, size_t room, bool is_q)
{
	size_t n = 0, used = 0;

	while (n < len) {
		size_t step = esc_utf8_len(text + n, len - n);

		if (step == 0)
			step = 1;
		used += q_len(text + n, step);
		if (n > 0 && (is_q ? used : b_len(n + step)) > room)
			break;
		n += step;
	}
	return n;
}

static void
encode_word(struct sbuf *out, const char *text, size_t len, bool is_q)
{
	char base64[ENCODED_WORD_MAX + 1];

	sbuf_adds(out, is_q ? "=?utf-8?q?" : "=?utf-8?b?");
	if (!is_q) {
		sodium_bin2base64(base64, sizeof(base64),
		    (const unsigned char *)text, len,
		    sodium_base64_VARIANT_ORIGINAL);
		sbuf_adds(out, base64);
	}
	for (size_t i = 0; is_q && i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == ' ')
			sbuf_addc(out, '_');
		else if (is_q_safe(c))
			sbuf_addc(out, (char)c);
		else
			sbuf_printf(out, "=%02X", c);
	}
	sbuf_adds(out, "?=");
}

/* text starts with a space, which stays; the rest becomes encoded words.
 * White space between two encoded words does not count, so a fold may stand
 * anywhere in between. */
static void
put_encoded(struct field *f, const char *text, size_t len)
{
	struct sbuf word = {0};
	size_t n, room, column;
	bool is_q;

	sbuf_addc(&word, ' ');
	text++;
	len--;
	is_q = q_len(text, len) <= b_len(len);
	while (len > 0) {
		/* The rest of the line, where it is worth an encoded word. */
		column = f->column + 1;
		room = ENCODED_WORD_MAX;
		if (column + ENCODED_WORD_MIN <= LINE_MAX_COLUMNS &&
		    room > LINE_MAX_COLUMNS - column)
			room = LINE_MAX_COLUMNS - column;
		n = fit(text, len, room - ENCODED_WORD_FRAME, is_q);
		encode_word(&word, text, n, is_q);
		put_word(f, word.data, word.len);
		sbuf_set(&word, " ");
		text += n;
		len -= n;
	}
	sbuf_free(&word);
}

static bool
needs_encoding(const char *word, size_t n)
{
	if (n > PLAIN_WORD_MAX)
		return true;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)word[i] >= 0x80)
			return true;
		if (word[i] == '=' && i + 1 < n && word[i + 1] == '?')
			return true;
	}
	return false;
}

/* Where what must be encoded starts (with its white space) and ends; equal
 * where nothing must be. */
static void
encoded_range(const struct sbuf *text, size_t *from, size_t *to)
{
	size_t n;

	*from = *to = 0;
	for (size_t i = 0; i < text->len; i += n) {
		n = word_len(text->data + i);
		if (!needs_encoding(text->data + i, n))
			continue;
		if (*to == 0)
			*from = i;
		*to = i + n;
	}
}

void
header_write(struct sbuf *out, const char *name, const char *value)
{
	struct field f = {.out = out, .column = strlen(name) + 1};
	struct sbuf text = {0};
	size_t from, to;

	sbuf_printf(out, "%s:", name);
	sbuf_addc(&text, ' ');
	clean(value + strspn(value, " \t"), true, &text);
	encoded_range(&text, &from, &to);
	put_words(&f, sbuf_str(&text), from);
	if (to > from)
		put_encoded(&f, text.data + from, to - from);
	put_words(&f, sbuf_str(&text) + to, text.len - to);
	sbuf_addc(out, '\n');
	sbuf_free(&text);
}

void
header_write_raw(struct sbuf *out, const char *name, const char *value)
{
	struct field f = {.out = out, .column = strlen(name) + 1};
	struct sbuf text = {0};

	sbuf_printf(out, "%s:", name);
	sbuf_addc(&text, ' ');
	clean(value + strspn(value, " \t"), false, &text);
	put_words(&f, sbuf_str(&text), text.len);
	sbuf_addc(out, '\n');
	sbuf_free(&text);
}
