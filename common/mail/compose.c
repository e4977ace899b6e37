/* SPDX-License-Identifier: BSD-2-Clause
 *
 * compose - a whole notice as RFC 5322, MIME where it must be
 */
#include <gmime/gmime.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/mail/compose.h"
#include "common/mail/header.h"
#include "common/mail/part.h"

#define ORIGINAL_MAX (16 * 1024)
#define LINE_OCTETS 998

/* A value for one field: no controls. */
static void
clean_value(const char *value, struct sbuf *out)
{
	size_t i;

	part_clean(value, strlen(value), SIZE_MAX, out);
	for (i = 0; i < out->len; i++) {
		if ((unsigned char)out->data[i] < ' ' || out->data[i] == 0x7f)
			out->data[i] = ' ';
	}
}

static void
write_raw(struct sbuf *out, const char *name, const char *value)
{
	struct sbuf clean = { 0 };

	if (value == NULL)
		return;
	clean_value(value, &clean);
	header_write_raw(out, name, sbuf_str(&clean));
	sbuf_free(&clean);
}

static void
write_from(const struct compose_notice *n, struct sbuf *out)
{
	struct sbuf name = { 0 }, value = { 0 };
	char *phrase;

	if (n->from_name == NULL || n->from_name[0] == '\0') {
		write_raw(out, "From", n->from);
		return;
	}
	clean_value(n->from_name, &name);
	phrase = g_mime_utils_header_encode_phrase(NULL, sbuf_str(&name),
	    "utf-8");
	sbuf_printf(&value, "%s <%s>", phrase, n->from);
	write_raw(out, "From", sbuf_str(&value));
	g_free(phrase);
	sbuf_free(&name);
	sbuf_free(&value);
}

static void
write_header(const struct compose_notice *n, struct sbuf *out)
{
	char date[CLOCK_RFC5322_SIZE];
	struct sbuf value = { 0 };

	write_from(n, out);
	write_raw(out, "To", n->to);
	write_raw(out, "Reply-To", n->reply_to);
	clean_value(n->subject, &value);
	header_write(out, "Subject", sbuf_str(&value));
	clock_format_mail(n->date, date);
	write_raw(out, "Date", date);
	sbuf_truncate(&value, 0);
	sbuf_printf(&value, "<%s@%s>", n->id, n->host);
	write_raw(out, "Message-ID", sbuf_str(&value));
	write_raw(out, "In-Reply-To", n->in_reply_to);
	write_raw(out, "References", n->in_reply_to);
	write_raw(out, "Auto-Submitted", "auto-replied");
	write_raw(out, "MIME-Version", "1.0");
	sbuf_free(&value);
}

/* Does the text pass as it is: ASCII, no controls that could get lost, lines
 * that SMTP takes? */
static bool
is_plain(const char *text)
{
	size_t column = 0;

	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			column = 0;
			continue;
		}
		if (++column > LINE_OCTETS || (unsigned char)*text >= 0x7f ||
		    ((unsigned char)*text < ' ' && *text != '\t'))
			return false;
	}
	return true;
}

static void
add_quoted_printable(const struct sbuf *text, struct sbuf *out)
{
	GMimeEncoding state;
	size_t room;

	g_mime_encoding_init_encode(&state,
	    GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	room = g_mime_encoding_outlen(&state, text->len);
	sbuf_reserve(out, room + 1);
	room = g_mime_encoding_flush(&state, sbuf_str(text), text->len,
	    out->data + out->len);
	out->len += room;
	sbuf_truncate(out, out->len);
}

/* The fields that say what follows, a blank line, and it. */
static void
add_part(const char *type, const struct sbuf *text, struct sbuf *out)
{
	bool plain = is_plain(sbuf_str(text));

	sbuf_printf(out, "Content-Type: %s; charset=utf-8\n", type);
	sbuf_printf(out, "Content-Transfer-Encoding: %s\n\n",
	    plain ? "7bit" : "quoted-printable");
	if (plain)
		sbuf_adds(out, sbuf_str(text));
	else
		add_quoted_printable(text, out);
	if (out->data[out->len - 1] != '\n')
		sbuf_addc(out, '\n');
}

/* The header block of the original, at most ORIGINAL_MAX bytes of it and
 * whole lines where there is a choice. */
static void
take_original(const char *block, struct sbuf *out)
{
	size_t n;

	part_clean(block, strlen(block), ORIGINAL_MAX, out);
	if (out->len > ORIGINAL_MAX - 4) {
		for (n = out->len; n > 0 && out->data[n - 1] != '\n'; n--)
			;
		if (n > 0)
			sbuf_truncate(out, n);
	}
	while (out->len > 1 && out->data[out->len - 1] == '\n' &&
	    out->data[out->len - 2] == '\n')
		sbuf_truncate(out, out->len - 1);
}

void
compose_notice(const struct compose_notice *n, struct sbuf *out)
{
	struct sbuf text = { 0 }, original = { 0 }, boundary = { 0 };

	g_mime_init();
	write_header(n, out);
	part_clean(n->text, strlen(n->text), SIZE_MAX, &text);
	if (n->original_header == NULL) {
		add_part("text/plain", &text, out);
		sbuf_free(&text);
		return;
	}
	take_original(n->original_header, &original);
	sbuf_printf(&boundary, "=_%.60s", n->id);
	while (strstr(sbuf_str(&text), sbuf_str(&boundary)) != NULL ||
	    strstr(sbuf_str(&original), sbuf_str(&boundary)) != NULL)
		sbuf_addc(&boundary, '_');
	sbuf_printf(out, "Content-Type: multipart/mixed; boundary=\"%s\"\n\n",
	    sbuf_str(&boundary));
	sbuf_printf(out, "--%s\n", sbuf_str(&boundary));
	add_part("text/plain", &text, out);
	sbuf_printf(out, "\n--%s\n", sbuf_str(&boundary));
	add_part("text/rfc822-headers", &original, out);
	sbuf_printf(out, "\n--%s--\n", sbuf_str(&boundary));
	sbuf_free(&text);
	sbuf_free(&original);
	sbuf_free(&boundary);
}
