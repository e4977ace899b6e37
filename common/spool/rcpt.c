/* SPDX-License-Identifier: BSD-2-Clause
 *
 * rcpt - distribution lists: who is to get a message, and who has it
 */
#include "common/spool/rcpt.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "common/base/esc.h"
#include "common/base/io.h"

#define WINDOW 65536
#define MAGIC "Septet-Rcpt: "

static bool
is_state(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Escaped text has no control in it but the tab between words. */
static bool
is_words(const char *words)
{
	const char *p;

	for (p = words; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return esc_is_utf8(words, (size_t)(p - words));
}

/* ---- writing ---------------------------------------------------------- */

static int
write_out(struct rcpt_writer *w)
{
	size_t n = w->pending.len;

	w->crc = (uint32_t)crc32(w->crc,
	    (const unsigned char *)sbuf_str(&w->pending), (uInt)n);
	w->size += n;
	if (io_write_full(w->fd, sbuf_str(&w->pending), n) == -1)
		return -1;
	sbuf_truncate(&w->pending, 0);
	return 0;
}

void
rcpt_write_begin(struct rcpt_writer *w, int fd)
{
	*w = (struct rcpt_writer){.fd = fd};
	sbuf_adds(&w->pending, RCPT_MAGIC);
}

int
rcpt_write(struct rcpt_writer *w, char state, const char *address,
    const char *words)
{
	size_t start = w->pending.len;

	if (!is_state(state) || *address == '\0' || !is_words(words)) {
		errno = EINVAL;
		return -1;
	}
	sbuf_addc(&w->pending, state);
	sbuf_addc(&w->pending, '\t');
	esc_add(&w->pending, address, strlen(address));
	if (*words != '\0')
		sbuf_addc(&w->pending, '\t');
	sbuf_adds(&w->pending, words);
	sbuf_addc(&w->pending, '\n');
	if (w->pending.len - start > RCPT_LINE_MAX) {
		sbuf_truncate(&w->pending, start);
		errno = EMSGSIZE;
		return -1;
	}
	w->lines++;
	return w->pending.len >= WINDOW ? write_out(w) : 0;
}

int
rcpt_write_end(struct rcpt_writer *w)
{
	return write_out(w);
}

void
rcpt_write_free(struct rcpt_writer *w)
{
	sbuf_free(&w->pending);
}

/* ---- reading ---------------------------------------------------------- */

/* Drop what was read from the window and fill it up: bytes got, 0 at the end of
 * the file, -1. */
static ssize_t
refill(struct rcpt_reader *r)
{
	size_t left = r->window.len - r->at;
	ssize_t got;

	if (r->at > 0)
		memmove(r->window.data, r->window.data + r->at, left);
	r->window_off += (off_t)r->at;
	r->at = 0;
	sbuf_truncate(&r->window, left);
	sbuf_reserve(&r->window, WINDOW - left);
	got = io_pread_full(r->fd, r->window.data + left, WINDOW - left,
	    r->window_off + (off_t)left);
	if (got > 0)
		r->window.len += (size_t)got;
	sbuf_truncate(&r->window, r->window.len);
	return got;
}

/* Find the line at r->at: 1 and its length without LF, 0 at the end, -1. */
static int
find_line(struct rcpt_reader *r, size_t *len)
{
	size_t left = r->window.len - r->at;
	const char *line, *lf;
	ssize_t got;

	lf = left == 0 ? NULL : memchr(r->window.data + r->at, '\n', left);
	if (lf == NULL && left <= RCPT_LINE_MAX) {
		got = refill(r);
		if (got == -1)
			return -1;
		left = r->window.len;
		lf = left == 0 ? NULL : memchr(r->window.data, '\n', left);
	}
	if (lf == NULL && left < RCPT_LINE_MAX)
		return 0;
	line = r->window.data + r->at;
	if (lf == NULL || lf - line >= RCPT_LINE_MAX) {
		errno = EPROTO;
		return -1;
	}
	*len = (size_t)(lf - line);
	return 1;
}

int
rcpt_read_begin(struct rcpt_reader *r, int fd)
{
	const size_t magic = strlen(MAGIC);
	const char *line;
	size_t n;
	int rc;

	*r = (struct rcpt_reader){.fd = fd};
	rc = find_line(r, &n);
	if (rc == -1)
		return -1;
	errno = EPROTO;
	if (rc == 0)
		return -1;
	line = r->window.data;
	r->at = n + 1;
	if (n + 1 == strlen(RCPT_MAGIC) && memcmp(line, RCPT_MAGIC, n) == 0)
		return 0;
	if (n > magic && n <= magic + 9 && memcmp(line, MAGIC, magic) == 0 &&
	    line[magic] != '0' &&
	    strspn(line + magic, "0123456789") == n - magic)
		errno = ENOTSUP;
	return -1;
}

int
rcpt_read(struct rcpt_reader *r)
{
	char *line, *tab;
	size_t n, address;
	int rc;

	rc = find_line(r, &n);
	if (rc != 1) {
		r->line += rc == -1;
		return rc;
	}
	line = r->window.data + r->at;
	line[n] = '\0';
	r->offset = r->window_off + (off_t)r->at;
	r->at += n + 1;
	r->line++;
	address = n < 3 ? 0 : strcspn(line + 2, "\t");
	if (address == 0 || !is_state(line[0]) || line[1] != '\t' ||
	    strlen(line) != n || !is_words(line + 2)) {
		errno = EPROTO;
		return -1;
	}
	r->state = line[0];
	sbuf_truncate(&r->address, 0);
	esc_decode(&r->address, line + 2, address);
	tab = line + 2 + address;
	r->words = *tab == '\0' ? tab : tab + 1;
	return 1;
}

void
rcpt_read_free(struct rcpt_reader *r)
{
	sbuf_free(&r->window);
	sbuf_free(&r->address);
}

int
rcpt_mark(int fd, off_t offset, char state)
{
	if (!is_state(state)) {
		errno = EINVAL;
		return -1;
	}
	return io_pwrite_full(fd, &state, 1, offset);
}
