/* SPDX-License-Identifier: BSD-2-Clause
 *
 * text - the words of a command mail, whatever its MIME shape
 */
#include "common/mail/part.h"
#include "common/mail/text.h"

struct found {
	GMimeObject *plain;
	GMimeObject *html;
};

static int
is_attachment(GMimeObject *part)
{
	GMimeContentDisposition *disposition;

	disposition = g_mime_object_get_content_disposition(part);
	return disposition != NULL &&
	    g_mime_content_disposition_is_attachment(disposition);
}

static int
look(void *ctx, GMimeObject *part)
{
	struct found *found = ctx;

	if (!GMIME_IS_PART(part) || is_attachment(part))
		return 0;
	if (part_is(part, "text", "plain")) {
		found->plain = part;
		return 1;
	}
	if (found->html == NULL && part_is(part, "text", "html"))
		found->html = part;
	return 0;
}

/* Commands are read to the first max bytes, so the tags come off before the
 * cut. */
static void
add_html(GMimeObject *part, size_t max, struct sbuf *out)
{
	struct sbuf html = { 0 }, words = { 0 };

	part_text(part, PART_BYTES_MAX, &html);
	part_strip_html(sbuf_str(&html), html.len, &words);
	part_clean(sbuf_str(&words), words.len, max, out);
	sbuf_free(&html);
	sbuf_free(&words);
}

int
text_first(int fd, size_t max, struct sbuf *out)
{
	struct found found = { 0 };
	GMimeMessage *message;

	if (part_open(fd, &message) == -1)
		return -1;
	if (message == NULL)
		return 0;
	part_walk(message, look, &found);
	if (found.plain != NULL)
		part_text(found.plain, max, out);
	else if (found.html != NULL)
		add_html(found.html, max, out);
	g_object_unref(message);
	return found.plain != NULL || found.html != NULL;
}
