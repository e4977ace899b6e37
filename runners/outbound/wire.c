/* SPDX-License-Identifier: BSD-2-Clause
 *
 * wire - a message in the form in which SMTP sends it
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "runners/outbound/wire.h"

void
wire_convert(struct sbuf *out, const char *bytes, size_t n, char *before)
{
	size_t at = 0, run;

	while (at < n) {
		/* A CR is written once it is known what follows it. */
		if (*before == '\r' && bytes[at] != '\n') {
			sbuf_addc(out, ' ');
			*before = ' ';
		}
		if (bytes[at] == '\n' || bytes[at] == '\r') {
			if (bytes[at] == '\n')
				sbuf_add(out, "\r\n", 2);
			*before = bytes[at++];
			continue;
		}
		if (bytes[at] == '.' && *before == '\n')
			sbuf_addc(out, '.');
		for (run = at; run < n && bytes[run] != '\n'
		    && bytes[run] != '\r'; run++)
			;
		sbuf_add(out, bytes + at, run - at);
		*before = bytes[run - 1];
		at = run;
	}
}

static void
finish(struct sbuf *out, char before)
{
	if (before == '\r')
		sbuf_addc(out, ' ');
	if (before != '\n')
		sbuf_add(out, "\r\n", 2);
	sbuf_add(out, ".\r\n", 3);
}

/* What follows the header block: at the start of a line, unless the block has
 * no line end at its end. */
static char
after_header(const struct wire *w)
{
	size_t n = w->kept.len;

	return n == 0 || w->kept.data[n - 1] == '\n' ? '\n' : '\0';
}

/* Convert one piece of the body: bytes read, 0 at the end, -1. */
static ssize_t
read_piece(int fd, off_t at, char *before, struct sbuf *out)
{
	char *piece = xmalloc(WIRE_PIECE);
	ssize_t got = io_pread_full(fd, piece, WIRE_PIECE, at);

	if (got > 0 && memchr(piece, '\0', (size_t)got) != NULL) {
		got = -1;
		errno = EILSEQ;
	}
	if (got > 0)
		wire_convert(out, piece, (size_t)got, before);
	free(piece);
	return got;
}

/* The whole body is read even where it is too large to keep: a NUL has to be
 * found before anything is sent. */
static int
load_body(struct wire *w)
{
	struct sbuf body = {0};
	char before = after_header(w);
	off_t at = w->body;
	ssize_t got;

	w->is_whole = true;
	while ((got = read_piece(w->fd, at, &before, &body)) > 0) {
		at += got;
		if (w->kept.len + body.len <= WIRE_KEPT_MAX && w->is_whole)
			continue;
		w->is_whole = false;
		w->size += body.len;
		sbuf_truncate(&body, 0);
	}
	if (got == 0 && w->is_whole) {
		sbuf_add(&w->kept, sbuf_str(&body), body.len);
		finish(&w->kept, body.len == 0 ? after_header(w) : before);
		w->size = w->kept.len - 3;
		w->fd = -1;
	} else if (got == 0) {
		w->size += w->kept.len + body.len;
	}
	sbuf_free(&body);
	return got == 0 ? 0 : -1;
}

int
wire_load(struct wire *w, const struct sbuf *header, int fd, off_t body)
{
	char before = '\n';

	*w = (struct wire){.fd = fd, .body = body};
	if (header->len > 0
	    && memchr(header->data, '\0', header->len) != NULL) {
		errno = EILSEQ;
		return -1;
	}
	sbuf_reserve(&w->kept, header->len + header->len / 16);
	wire_convert(&w->kept, sbuf_str(header), header->len, &before);
	if (before == '\r')
		sbuf_addc(&w->kept, ' ');
	if (load_body(w) == -1) {
		int saved = errno;

		wire_free(w);
		errno = saved;
		return -1;
	}
	return 0;
}

int
wire_next(const struct wire *w, struct wire_cursor *at, struct sbuf *out)
{
	ssize_t got;

	if (at->is_at_end)
		return 0;
	if (!at->has_kept) {
		at->has_kept = true;
		sbuf_add(out, sbuf_str(&w->kept), w->kept.len);
		at->before = after_header(w);
		at->is_at_end = w->is_whole;
		return w->is_whole ? 0 : 1;
	}
	got = read_piece(w->fd, w->body + at->done, &at->before, out);
	if (got == -1)
		return -1;
	at->done += got;
	if (got > 0)
		return 1;
	finish(out, at->before);
	at->is_at_end = true;
	return 0;
}

void
wire_free(struct wire *w)
{
	sbuf_free(&w->kept);
	w->fd = -1;
}
