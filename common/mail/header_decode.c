/* SPDX-License-Identifier: BSD-2-Clause
 *
 * header_decode - encoded words (RFC 2047) made readable, by GMime
 */
#include <gmime/gmime.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/mail/header.h"

/* Does an encoded word in base64 whose bytes end in padding start at text?  Its
 * length, or 0. */
static size_t
padded_word_len(const char *text)
{
	size_t n;

	if (text[0] != '=' || text[1] != '?')
		return 0;
	n = 2 + strcspn(text + 2, "? \t\r\n");
	if (text[n] != '?' || (text[n + 1] | 0x20) != 'b' || text[n + 2] != '?')
		return 0;
	n += 3;
	n += strspn(text + n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/=");
	return text[n - 1] == '=' && text[n] == '?' && text[n + 1] == '=' ?
	    n + 2 : 0;
}

/* GMime joins what stands in neighbouring encoded words before it decodes, for
 * the sake of characters cut in two; padding then ends the text early (3.2).
 * So value is cut behind padded words, and the white space between two
 * encoded words, which does not count, goes here.  *n is the length of the
 * first piece; the return value where the next one starts. */
static const char *
next_piece(const char *value, size_t *n)
{
	const char *p = value;
	size_t len, blank;

	while ((p = strstr(p, "=?")) != NULL) {
		len = padded_word_len(p);
		if (len == 0) {
			p += 2;
			continue;
		}
		p += len;
		*n = (size_t)(p - value);
		blank = strspn(p, " \t\r\n");
		return strncmp(p + blank, "=?", 2) == 0 ? p + blank : p;
	}
	*n = strlen(value);
	return value + *n;
}

/* Append text without controls, as much of it as fits: 0, or -1 where not all
 * did. */
static int
add_clean(const char *text, size_t max, struct sbuf *out)
{
	size_t len = strlen(text), n;

	for (size_t i = 0; i < len; i += n) {
		const unsigned char *p = (const unsigned char *)text + i;
		const char *add = text + i;
		size_t n_add;

		n = n_add = esc_utf8_len(text + i, len - i);
		if (n == 0) {
			n = n_add = 1;
			add = "?";
		} else if (*p == '\t') {
			add = " ";
		} else if (*p < 0x20 || *p == 0x7f ||
		    (*p == 0xc2 && p[1] <= 0x9f)) {
			continue;
		}
		if (n_add > max - out->len)
			return -1;
		sbuf_add(out, add, n_add);
	}
	return 0;
}

void
header_decode(const char *value, size_t max, struct sbuf *out)
{
	struct sbuf piece = {0};
	const char *next;
	char *text;
	size_t n;
	int rc = 0;

	sbuf_truncate(out, 0);
	g_mime_init();
	for (; rc == 0 && *value != '\0'; value = next) {
		next = next_piece(value, &n);
		sbuf_truncate(&piece, 0);
		sbuf_add(&piece, value, n);
		text = g_mime_utils_header_decode_text(NULL, sbuf_str(&piece));
		if (text != NULL)
			rc = add_clean(text, max, out);
		g_free(text);
	}
	sbuf_free(&piece);
}
