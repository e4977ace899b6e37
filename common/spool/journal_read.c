/* SPDX-License-Identifier: BSD-2-Clause
 *
 * journal_read - records of one day, broken ones passed over
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/spool/envelope.h"
#include "common/spool/id.h"
#include "common/spool/journal.h"
#include "common/system/fsutil.h"

#define WINDOW 65536
#define HEAD_MAX 512
#define MAGIC "Septet-Journal: 1 "
#define CRC_KEY " crc32="
#define CRC_DIGITS 8

struct head {
	size_t len;             /* with its LF */
	size_t summed;          /* up to " crc32=" */
	unsigned long long sizes[3]; /* envelope, rcpt, result */
	off_t total;            /* of the record, with its empty line */
	uint32_t crc;
};

int
journal_open(struct journal_reader *r, int dir, const char *day)
{
	*r = (struct journal_reader){.fd = -1};
	if (!fs_is_name(day)) {
		errno = EINVAL;
		return -1;
	}
	r->fd = fs_open_regular(dir, day, O_RDONLY, NULL);
	return r->fd == -1 ? -1 : 0;
}

void
journal_close(struct journal_reader *r)
{
	io_close(&r->fd);
	sbuf_free(&r->window);
}

/* Bring the bytes at `at` into the window, n of them where the file has as
 * many: how many stand there, or -1. */
static ssize_t
fill(struct journal_reader *r, off_t at, size_t n)
{
	off_t end = r->window_at + (off_t)r->window.len;
	ssize_t got;

	if (at < r->window_at || at + (off_t)n > end) {
		sbuf_truncate(&r->window, 0);
		sbuf_reserve(&r->window, WINDOW);
		got = io_pread_full(r->fd, r->window.data, WINDOW, at);
		if (got == -1)
			return -1;
		r->window.len = (size_t)got;
		sbuf_truncate(&r->window, r->window.len);
		r->window_at = at;
		end = at + got;
	}
	return (ssize_t)(end - at);
}

static const char *
window(const struct journal_reader *r, off_t at)
{
	return sbuf_str(&r->window) + (at - r->window_at);
}

static int
number(const char *line, const char *key, off_t max, unsigned long long *out)
{
	long long value;

	if (kv_getn(line, key, &value) != 1 || value > max)
		return 0;
	*out = (unsigned long long)value;
	return 1;
}

/* id= and time=, into the record. */
static int
parse_name(const char *line, struct journal_record *record)
{
	struct sbuf word = {0};
	int rc = 0;

	if (kv_get(line, "id", &word) == 1 && id_is_valid(sbuf_str(&word))) {
		memcpy(record->id, word.data, word.len + 1);
		rc = kv_get(line, "time", &word) == 1 &&
		    clock_parse(sbuf_str(&word), &record->time) == 0;
	}
	sbuf_free(&word);
	return rc;
}

/* The head line at `at` of which n bytes are in the window: 1, 0 none. */
static int
parse_head(const struct journal_reader *r, size_t n, off_t left,
    struct head *head, struct journal_record *record)
{
	const size_t key = strlen(CRC_KEY);
	const char *text = window(r, r->at), *lf;
	char line[HEAD_MAX + 1], *end;

	if (n > HEAD_MAX)
		n = HEAD_MAX;
	lf = memchr(text, '\n', n);
	if (lf == NULL || (size_t)(lf - text) < strlen(MAGIC) ||
	    memcmp(text, MAGIC, strlen(MAGIC)) != 0)
		return 0;
	n = (size_t)(lf - text);
	memcpy(line, text, n);
	line[n] = '\0';
	if (strlen(line) != n || n < key + CRC_DIGITS)
		return 0;
	head->len = n + 1;
	head->summed = n - key - CRC_DIGITS;
	if (memcmp(line + head->summed, CRC_KEY, key) != 0)
		return 0;
	head->crc = (uint32_t)strtoul(line + head->summed + key, &end, 16);
	if (*end != '\0' || parse_name(line, record) != 1 ||
	    number(line, "envelope", ENVELOPE_MAX, &head->sizes[0]) != 1 ||
	    number(line, "rcpt", left, &head->sizes[1]) != 1 ||
	    number(line, "result", left, &head->sizes[2]) != 1)
		return 0;
	head->total = (off_t)(head->len + 1 + head->sizes[0] + head->sizes[1] +
	    head->sizes[2]);
	return head->total <= left;
}

static int
add_crc(struct journal_reader *r, off_t at, off_t n, uint32_t *crc)
{
	while (n > 0) {
		size_t want = n < WINDOW ? (size_t)n : WINDOW;
		ssize_t got = fill(r, at, want);

		if (got < (ssize_t)want)
			return -1;
		*crc = (uint32_t)crc32(*crc,
		    (const unsigned char *)window(r, at), (uInt)want);
		at += (off_t)want;
		n -= (off_t)want;
	}
	return 0;
}

/* 1 whole, 0 not, -1. */
static int
is_whole(struct journal_reader *r, const struct head *head)
{
	off_t parts = r->at + (off_t)head->len, end = r->at + head->total - 1;
	uint32_t crc = 0;

	if (add_crc(r, r->at, (off_t)head->summed, &crc) == -1 ||
	    add_crc(r, parts, end - parts, &crc) == -1 || fill(r, end, 1) < 1)
		return -1;
	return crc == head->crc && *window(r, end) == '\n';
}

static int
read_part(const struct journal_reader *r, off_t at, unsigned long long n,
    struct sbuf *out)
{
	sbuf_reserve(out, (size_t)n);
	if (io_pread_full(r->fd, out->data, (size_t)n, at) != (ssize_t)n) {
		errno = EIO;
		return -1;
	}
	out->len = (size_t)n;
	sbuf_truncate(out, out->len);
	return 0;
}

static int
read_record(struct journal_reader *r, const struct head *head, size_t max,
    struct journal_record *record)
{
	struct sbuf *parts[] = {&record->envelope, &record->rcpt,
		&record->result};
	off_t at = r->at + (off_t)head->len;
	int i;

	for (i = 0; i < 3; i++) {
		sbuf_truncate(parts[i], 0);
		if ((i == 0 || head->sizes[i] <= max) &&
		    read_part(r, at, head->sizes[i], parts[i]) == -1)
			return -1;
		at += (off_t)head->sizes[i];
	}
	r->at += head->total;
	return 1;
}

/* To the start of the next line, or to the end. */
static int
skip_line(struct journal_reader *r)
{
	const char *text, *lf;
	ssize_t got;

	while ((got = fill(r, r->at, 1)) > 0) {
		text = window(r, r->at);
		lf = memchr(text, '\n', (size_t)got);
		if (lf != NULL) {
			r->at += lf - text + 1;
			return 0;
		}
		r->at += got;
	}
	return (int)got;
}

int
journal_next(struct journal_reader *r, size_t max,
    struct journal_record *record)
{
	struct head head;
	struct stat st;
	ssize_t got;
	int rc;

	for (;;) {
		if (fstat(r->fd, &st) == -1 ||
		    (got = fill(r, r->at, HEAD_MAX)) == -1)
			return -1;
		if (got == 0)
			return 0;
		rc = parse_head(r, (size_t)got, st.st_size - r->at, &head,
		    record);
		if (rc == 1)
			rc = is_whole(r, &head);
		if (rc == 1)
			return read_record(r, &head, max, record);
		if (rc == -1 || skip_line(r) == -1)
			return -1;
	}
}

void
journal_record_free(struct journal_record *record)
{
	sbuf_free(&record->envelope);
	sbuf_free(&record->rcpt);
	sbuf_free(&record->result);
}
