/* SPDX-License-Identifier: BSD-2-Clause
 *
 * data - the end-of-data automaton: what follows DATA, as it goes to disk
 */
#include "runners/lmtp/data.h"

void
data_begin(struct data *d)
{
	*d = (struct data){.state = DATA_LINE, .header = DATA_H_LINE};
}

bool
data_is_over(const struct data *d)
{
	return d->state == DATA_OVER;
}

unsigned long long
data_header_size(const struct data *d)
{
	return d->header == DATA_H_BODY ? d->body : d->size;
}

static void
body_at(struct data *d, unsigned long long offset)
{
	d->header = DATA_H_BODY;
	d->body = offset;
}

static bool
is_name_byte(char c)
{
	return c > 32 && c < 127 && c != ':';
}

/* The first byte of a line of the header block. */
static enum data_header
header_line(struct data *d, char c)
{
	d->line = d->size;
	if (c == '\n') {
		body_at(d, d->size + 1);
		return DATA_H_BODY;
	}
	if (c == '\r')
		return DATA_H_CR;
	if ((c == ' ' || c == '\t') && d->has_field)
		return DATA_H_VALUE;
	return is_name_byte(c) ? DATA_H_NAME : DATA_H_BODY;
}

/* Where the body begins, byte by byte as the bytes go to disk: it must be
 * known without holding the header block in memory, and be the offset that
 * header_end finds in it. */
static void
header_byte(struct data *d, char c)
{
	enum data_header next = d->header;

	switch (d->header) {
	case DATA_H_LINE:
		next = header_line(d, c);
		break;
	case DATA_H_CR:
		next = DATA_H_BODY;
		if (c == '\n')
			body_at(d, d->size + 1);
		break;
	case DATA_H_NAME:
	case DATA_H_SPACE:
		if (c == ':') {
			d->has_field = true;
			next = DATA_H_VALUE;
		} else if (c == ' ' || c == '\t') {
			next = DATA_H_SPACE;
		} else if (d->header == DATA_H_SPACE || !is_name_byte(c)) {
			next = DATA_H_BODY;
		}
		break;
	case DATA_H_VALUE:
		if (c == '\n')
			next = DATA_H_LINE;
		break;
	case DATA_H_BODY:
		return;
	}
	if (next == DATA_H_BODY && d->header != DATA_H_BODY)
		body_at(d, d->line);
	d->header = next;
}

static void
emit(struct data *d, const char *bytes, size_t n, struct sbuf *out)
{
	sbuf_add(out, bytes, n);
	d->octets += n;
	while (n > 0 && d->header != DATA_H_BODY) {
		header_byte(d, *bytes++);
		d->size++;
		n--;
	}
	d->size += n;
}

/* Bytes up to the next CR or LF.  One pass: two searches would let a sender of
 * many stray CRs make each of them cost a whole buffer. */
static size_t
take_text(struct data *d, const char *bytes, size_t n, struct sbuf *out)
{
	size_t i;

	for (i = 0; i < n && bytes[i] != '\r' && bytes[i] != '\n'; i++) {
		if (bytes[i] == '\0')
			d->has_nul = true;
	}
	emit(d, bytes, i, out);
	return i;
}

/* One byte, or in the middle of a line the run up to its end. */
static size_t
step(struct data *d, const char *bytes, size_t n, struct sbuf *out)
{
	char c = *bytes;

	switch (d->state) {
	case DATA_LINE:
		d->state = c == '.' ? DATA_DOT : DATA_TEXT;
		return c == '.' ? 1 : 0;
	case DATA_DOT:
		d->state = c == '\r' ? DATA_DOT_CR : DATA_TEXT;
		return c == '\r' ? 1 : 0;
	case DATA_DOT_CR:
		d->state = c == '\n' ? DATA_OVER : DATA_CR;
		return c == '\n' ? 1 : 0;
	case DATA_CR:
		if (c == '\n') {
			d->state = DATA_LINE;
			d->octets++;
			emit(d, "\n", 1, out);
			return 1;
		}
		emit(d, "\r", 1, out);
		d->state = c == '\r' ? DATA_CR : DATA_TEXT;
		return c == '\r' ? 1 : 0;
	case DATA_TEXT:
		if (c == '\r') {
			d->state = DATA_CR;
			return 1;
		}
		if (c == '\n') {
			emit(d, "\n", 1, out);
			return 1;
		}
		return take_text(d, bytes, n, out);
	case DATA_OVER:
		break;
	}
	return 0;
}

size_t
data_take(struct data *d, const char *bytes, size_t n, struct sbuf *out)
{
	size_t used = 0;

	while (used < n && d->state != DATA_OVER)
		used += step(d, bytes + used, n - used, out);
	if (d->state == DATA_OVER && d->header != DATA_H_BODY)
		body_at(d, d->header == DATA_H_LINE ? d->size : d->line);
	return used;
}
