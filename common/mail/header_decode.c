/* SPDX-License-Identifier: BSD-2-Clause
 *
 * header_decode - encoded words (RFC 2047) made readable, by GMime
 */
#include <gmime/gmime.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/mail/header.h"

void
header_decode(const char *value, size_t max, struct sbuf *out)
{
	size_t n, len;
	char *text;

	sbuf_truncate(out, 0);
	g_mime_init();
	text = g_mime_utils_header_decode_text(NULL, value);
	if (text == NULL)
		return;
	len = strlen(text);
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
			break;
		sbuf_add(out, add, n_add);
	}
	g_free(text);
}
