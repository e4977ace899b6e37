/* SPDX-License-Identifier: BSD-2-Clause
 *
 * part - the parts of a MIME message, bounded
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/esc.h"
#include "common/mail/part.h"

struct walk {
	int (*leaf)(void *, GMimeObject *);
	void *ctx;
	int n;
};

/* GMime parses address fields as it meets them.  It calls itself for every
 * group inside a group, and looks through all that follows for every word that
 * is no address: 100 KiB of "a:" overran the stack, 64 KiB of "a," took six
 * seconds.  So no field of a part or of a message within it that looks like
 * this is shown to it. */
#define ADDRESSES_BYTES_MAX (8 * 1024)
#define ADDRESSES_COLONS_MAX 32
#define ADDRESSES_COMMAS_MAX 256

/* Length of what stands at line up to the colon of an address field, with it;
 * 0 where no address field begins.  White space does not keep GMime from
 * seeing one. */
static size_t
address_name(const char *line, size_t n)
{
	static const char *const names[] = { "From", "Sender", "Reply-To",
		"To", "Cc", "Bcc" };
	size_t i, len, at = 0;

	while (at < n && (line[at] == ' ' || line[at] == '\t'))
		at++;
	if (n - at > 7 && strncasecmp(line + at, "Resent-", 7) == 0)
		at += 7;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		len = strlen(names[i]);
		if (n - at > len &&
		    strncasecmp(line + at, names[i], len) == 0 &&
		    strchr(" \t:", line[at + len]) != NULL)
			break;
	}
	if (i == sizeof(names) / sizeof(names[0]))
		return 0;
	for (at += len; at < n && (line[at] == ' ' || line[at] == '\t'); at++)
		;
	return at < n && line[at] == ':' ? at + 1 : 0;
}

static size_t
line_length(const char *line, size_t n)
{
	const char *end = memchr(line, '\n', n);

	return end == NULL ? n : (size_t)(end - line) + 1;
}

/* Length of the field at text, with the lines that go on with it. */
static size_t
field_length(const char *text, size_t n)
{
	size_t at = line_length(text, n);

	while (at < n && (text[at] == ' ' || text[at] == '\t'))
		at += line_length(text + at, n - at);
	return at;
}

static bool
is_harmless(const char *value, size_t n)
{
	size_t i, colons = 0, commas = 0;

	for (i = 0; i < n; i++) {
		colons += value[i] == ':';
		commas += value[i] == ',';
	}
	return n <= ADDRESSES_BYTES_MAX && colons <= ADDRESSES_COLONS_MAX &&
	    commas <= ADDRESSES_COMMAS_MAX;
}

/* Take the value out of every address field that GMime would choke on, at any
 * depth: how deep a line stands is not looked at. */
static void
blank_addresses(struct sbuf *mail)
{
	size_t at, len, name, kept = 0;
	char *text = mail->data;

	for (at = 0; at < mail->len; at += len) {
		name = address_name(text + at, mail->len - at);
		len = name == 0 ? line_length(text + at, mail->len - at) :
		    field_length(text + at, mail->len - at);
		if (name == 0 || is_harmless(text + at + name, len - name)) {
			memmove(text + kept, text + at, len);
			kept += len;
			continue;
		}
		memmove(text + kept, text + at, name);
		kept += name;
		text[kept++] = '\n';
	}
	if (mail->len > 0)
		sbuf_truncate(mail, kept);
}

/* From fd's offset, without blank lines there. */
static int
read_mail(int fd, struct sbuf *mail)
{
	size_t blank;
	ssize_t n;
	off_t at;

	at = lseek(fd, 0, SEEK_CUR);
	if (at == -1)
		return -1;
	sbuf_reserve(mail, PART_BYTES_MAX + 1);
	do {
		n = pread(fd, mail->data + mail->len,
		    PART_BYTES_MAX - mail->len, at + (off_t)mail->len);
		if (n > 0)
			mail->len += (size_t)n;
	} while (n > 0 || (n == -1 && errno == EINTR));
	sbuf_truncate(mail, mail->len);
	if (n == -1)
		return -1;
	for (blank = 0; blank < mail->len && (mail->data[blank] == '\n' ||
	    mail->data[blank] == '\r'); blank++)
		;
	memmove(mail->data, mail->data + blank, mail->len - blank);
	sbuf_truncate(mail, mail->len - blank);
	return 0;
}

int
part_open(int fd, GMimeMessage **out)
{
	struct sbuf mail = { 0 };
	GMimeStream *stream;
	GMimeParser *parser;

	*out = NULL;
	if (read_mail(fd, &mail) == -1) {
		sbuf_free(&mail);
		return -1;
	}
	blank_addresses(&mail);
	g_mime_init();
	stream = g_mime_stream_mem_new_with_buffer(mail.data, mail.len);
	sbuf_free(&mail);
	parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_persist_stream(parser, TRUE);
	*out = g_mime_parser_construct_message(parser, NULL);
	g_object_unref(parser);
	g_object_unref(stream);
	return 0;
}

static int
walk(struct walk *w, GMimeObject *part, int depth)
{
	GMimeMultipart *multipart;
	int i;

	if (part == NULL || depth > PART_DEPTH_MAX || w->n >= PART_MAX)
		return 0;
	if (!GMIME_IS_MULTIPART(part) ||
	    g_mime_multipart_get_count(GMIME_MULTIPART(part)) == 0) {
		w->n++;
		return w->leaf(w->ctx, part);
	}
	multipart = GMIME_MULTIPART(part);
	for (i = 0; i < g_mime_multipart_get_count(multipart); i++) {
		if (w->n >= PART_MAX)
			break;
		if (walk(w, g_mime_multipart_get_part(multipart, i),
		    depth + 1) != 0)
			return 1;
	}
	return 0;
}

void
part_walk(GMimeMessage *message, int (*leaf)(void *, GMimeObject *), void *ctx)
{
	struct walk w = { .leaf = leaf, .ctx = ctx };

	walk(&w, g_mime_message_get_mime_part(message), 0);
}

int
part_is(GMimeObject *part, const char *type, const char *subtype)
{
	GMimeContentType *content = g_mime_object_get_content_type(part);

	if (content == NULL)
		return 0;
	return g_mime_content_type_is_type(content, type, subtype);
}

void
part_clean(const char *bytes, size_t n, size_t max, struct sbuf *out)
{
	size_t i, len, start;

	start = out->len;
	for (i = 0; i < n; i += len) {
		len = esc_utf8_len(bytes + i, n - i);
		if (out->len - start + (len == 0 ? 3 : len) > max)
			return;
		if (len == 0) {
			sbuf_adds(out, "\xef\xbf\xbd");
			len = 1;
		} else if (bytes[i] == '\0') {
			sbuf_addc(out, ' ');
		} else if (bytes[i] == '\r') {
			if (i + 1 == n || bytes[i + 1] != '\n')
				sbuf_addc(out, '\n');
		} else {
			sbuf_add(out, bytes + i, len);
		}
	}
}

/* The charset that a part names, unless that is UTF-8 or one that iconv does
 * not know: then the bytes pass and part_clean looks after them. */
static GMimeFilter *
charset_filter(GMimeObject *part)
{
	const char *charset;

	charset = g_mime_object_get_content_type_parameter(part, "charset");
	if (charset == NULL || strcasecmp(charset, "utf-8") == 0 ||
	    strcasecmp(charset, "us-ascii") == 0)
		return NULL;
	return g_mime_filter_charset_new(charset, "utf-8");
}

void
part_text(GMimeObject *part, size_t max, struct sbuf *out)
{
	GMimeDataWrapper *content;
	GMimeStream *mem, *sink;
	GMimeFilter *filter;
	GByteArray *bytes;

	if (!GMIME_IS_PART(part))
		return;
	content = g_mime_part_get_content(GMIME_PART(part));
	if (content == NULL)
		return;
	mem = g_mime_stream_mem_new();
	sink = g_mime_stream_filter_new(mem);
	filter = charset_filter(part);
	if (filter != NULL) {
		g_mime_stream_filter_add(GMIME_STREAM_FILTER(sink), filter);
		g_object_unref(filter);
	}
	g_mime_data_wrapper_write_to_stream(content, sink);
	g_mime_stream_flush(sink);
	bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(mem));
	part_clean((const char *)bytes->data, bytes->len, max, out);
	g_object_unref(sink);
	g_object_unref(mem);
}

static void
add_code_point(unsigned long c, struct sbuf *out)
{
	if (c < 0x20 && c != '\n' && c != '\t')
		c = ' ';
	if (c < 0x80) {
		sbuf_addc(out, (char)c);
	} else if (c < 0x800) {
		sbuf_addc(out, (char)(0xc0 | c >> 6));
		sbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000 && (c < 0xd800 || c > 0xdfff)) {
		sbuf_addc(out, (char)(0xe0 | c >> 12));
		sbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		sbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c >= 0x10000 && c <= 0x10ffff) {
		sbuf_addc(out, (char)(0xf0 | c >> 18));
		sbuf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		sbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		sbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		sbuf_adds(out, "\xef\xbf\xbd");
	}
}

/* Append what the entity at p stands for; its length, or 0 where there is
 * none (html is NUL-terminated). */
static size_t
add_entity(const char *p, struct sbuf *out)
{
	static const struct {
		const char *name;
		unsigned long c;
	} names[] = {
		{ "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' },
		{ "&quot;", '"' }, { "&apos;", '\'' }, { "&nbsp;", ' ' },
		{ "&auml;", 0xe4 }, { "&ouml;", 0xf6 }, { "&uuml;", 0xfc },
		{ "&szlig;", 0xdf },
	};
	unsigned long c;
	char *end;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncasecmp(p, names[i].name, strlen(names[i].name)) == 0) {
			add_code_point(names[i].c, out);
			return strlen(names[i].name);
		}
	}
	if (p[1] != '#')
		return 0;
	if (p[2] == 'x' || p[2] == 'X')
		c = strtoul(p + 3, &end, 16);
	else
		c = strtoul(p + 2, &end, 10);
	if (*end != ';' || end - p < 4 || end - p > 10)
		return 0;
	add_code_point(c, out);
	return (size_t)(end - p) + 1;
}

static bool
tag_is(const char *p, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(p, name, n) == 0 &&
	    (p[n] == '>' || p[n] == ' ' || p[n] == '/' || p[n] == '\t' ||
	    p[n] == '\n' || p[n] == '\0');
}

static bool
tag_breaks(const char *p)
{
	static const char *const names[] = { "br", "p", "div", "tr", "li",
		"h1", "h2", "h3", "table", "ul", "ol", "hr", "pre",
		"blockquote" };
	size_t i;

	if (*p == '/')
		p++;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (tag_is(p, names[i]))
			return true;
	}
	return false;
}

/* Where the tag at p ("<...") ends; styles and scripts go with their
 * content. */
static const char *
skip_tag(const char *p)
{
	static const struct {
		const char *open, *close;
	} whole[] = {
		{ "style", "</style" }, { "script", "</script" },
		{ "title", "</title" }, { "!--", "-->" },
	};
	const char *end;
	size_t i;

	for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		if (!tag_is(p + 1, whole[i].open) && (whole[i].open[0] !=
		    '!' || strncmp(p + 1, whole[i].open, 3) != 0))
			continue;
		end = strcasestr(p + 1, whole[i].close);
		if (end == NULL)
			return p + strlen(p);
		p = end;
		break;
	}
	end = strchr(p, '>');
	return end == NULL ? p + strlen(p) : end + 1;
}

/* "<p>", "</p>", "<!--", but not "a < b", and not "<ann@example.net>", which
 * careless mailers put into HTML as it is. */
static bool
is_tag(const char *p)
{
	size_t n;

	if (p[1] == '/' || p[1] == '!' || p[1] == '?')
		return true;
	if ((p[1] | 0x20) < 'a' || (p[1] | 0x20) > 'z')
		return false;
	n = strcspn(p, "@> \t\n=\"");
	return p[n] != '@';
}

void
part_strip_html(const char *html, size_t n, struct sbuf *out)
{
	struct sbuf copy = { 0 };
	const char *p;
	size_t len;

	part_clean(html, n, SIZE_MAX, &copy);
	for (p = sbuf_str(&copy); *p != '\0'; ) {
		if (*p == '<' && is_tag(p)) {
			if (tag_breaks(p + 1))
				sbuf_addc(out, '\n');
			p = skip_tag(p);
		} else if (*p == '&' && (len = add_entity(p, out)) > 0) {
			p += len;
		} else {
			sbuf_addc(out, *p++);
		}
	}
	sbuf_free(&copy);
}
