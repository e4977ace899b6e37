/* SPDX-License-Identifier: BSD-2-Clause
 *
 * journal - append what is finished, remove what is old
 */
#include "common/spool/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"

#define CHUNK 65536
#define FILE_MODE 0660
#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define OPEN_TRIES 3

/* A file that goes into the record as it is when the record is begun. */
struct part {
	int fd;                 /* -1: none */
	unsigned long long size;
};

static int
measure(struct part *part)
{
	struct stat st;

	if (part->fd == -1)
		return 0;
	if (fstat(part->fd, &st) == -1)
		return -1;
	part->size = (unsigned long long)st.st_size;
	return 0;
}

/* Hand a part's bytes in chunks to fn. */
static int
each_chunk(const struct part *part,
    int (*fn)(void *ctx, const char *bytes, size_t n), void *ctx)
{
	unsigned long long at;
	char *chunk;
	ssize_t got;
	size_t n;
	int rc = 0;

	if (part->size == 0)
		return 0;
	chunk = xmalloc(CHUNK);
	for (at = 0; rc == 0 && at < part->size; at += n) {
		n = part->size - at < CHUNK ? (size_t)(part->size - at) : CHUNK;
		got = io_pread_full(part->fd, chunk, n, (off_t)at);
		if (got == (ssize_t)n) {
			rc = fn(ctx, chunk, n);
		} else {
			/* Somebody cuts a finished entry's file. */
			if (got >= 0)
				errno = EIO;
			rc = -1;
		}
	}
	free(chunk);
	return rc;
}

static int
add_crc(void *ctx, const char *bytes, size_t n)
{
	uint32_t *crc = ctx;

	*crc = (uint32_t)crc32(*crc, (const unsigned char *)bytes, (uInt)n);
	return 0;
}

struct output {
	int fd;
	struct sbuf pending;
};

static int
put(void *ctx, const char *bytes, size_t n)
{
	struct output *out = ctx;
	int rc;

	sbuf_add(&out->pending, bytes, n);
	if (out->pending.len < CHUNK)
		return 0;
	rc = io_write_full(out->fd, out->pending.data, out->pending.len);
	sbuf_truncate(&out->pending, 0);
	return rc;
}

static int
put_record(struct output *out, const struct sbuf *head,
    const struct sbuf *envelope, const struct part parts[2])
{
	if (put(out, head->data, head->len) == -1 ||
	    put(out, sbuf_str(envelope), envelope->len) == -1 ||
	    each_chunk(&parts[0], put, out) == -1 ||
	    each_chunk(&parts[1], put, out) == -1)
		return -1;
	sbuf_addc(&out->pending, '\n');
	return io_write_full(out->fd, out->pending.data, out->pending.len);
}

static int
make_head(const char *id, const struct sbuf *envelope,
    const struct part parts[2], struct sbuf *head)
{
	char time[CLOCK_RFC3339_SIZE];
	uint32_t crc = 0;

	clock_format(clock_ms(), time);
	sbuf_printf(head, "Septet-Journal: 1 id=%s time=%s envelope=%zu "
	    "rcpt=%llu result=%llu", id, time, envelope->len, parts[0].size,
	    parts[1].size);
	(void)add_crc(&crc, head->data, head->len);
	(void)add_crc(&crc, sbuf_str(envelope), envelope->len);
	if (each_chunk(&parts[0], add_crc, &crc) == -1 ||
	    each_chunk(&parts[1], add_crc, &crc) == -1)
		return -1;
	sbuf_printf(head, " crc32=%08x\n", (unsigned)crc);
	return 0;
}

/* Open today's file and lock it.  One that was removed before the lock was ours
 * would take the record with it. */
static int
open_day(int dir, off_t *size)
{
	struct stat st;
	char day[11];
	int fd, rc, tries;

	clock_format_day(clock_ms(), day);
	for (tries = 0; tries < OPEN_TRIES; tries++) {
		fd = io_openat(dir, day, O_RDWR | O_APPEND | O_CREAT |
		    O_NOFOLLOW, FILE_MODE);
		if (fd == -1)
			return -1;
		do
			rc = flock(fd, LOCK_EX);
		while (rc == -1 && errno == EINTR);
		if (rc == 0)
			rc = fstat(fd, &st);
		if (rc == 0 && st.st_nlink > 0) {
			*size = st.st_size;
			return fd;
		}
		if (rc == 0)
			errno = ESTALE;
		io_close(&fd);
	}
	return -1;
}

/* What a writer that was killed left may end in the middle of a line: a head
 * line is only found at the start of one. */
static int
begin_line(int fd, off_t size, struct output *out)
{
	char last = '\n';

	if (size > 0 && io_pread_full(fd, &last, 1, size - 1) != 1)
		return -1;
	if (last != '\n')
		sbuf_addc(&out->pending, '\n');
	return 0;
}

static int
append(int dir, const struct sbuf *head, const struct sbuf *envelope,
    const struct part parts[2])
{
	struct output out = {.fd = -1};
	off_t size = 0;
	int rc, saved;

	out.fd = open_day(dir, &size);
	if (out.fd == -1)
		return -1;
	rc = begin_line(out.fd, size, &out);
	if (rc == 0)
		rc = put_record(&out, head, envelope, parts);
	if (rc == -1) {
		saved = errno;
		/* What stays of it where even this fails, readers skip. */
		if (io_ftruncate(out.fd, size) == -1)
			errno = saved;
		errno = saved;
	}
	io_close(&out.fd);
	sbuf_free(&out.pending);
	return rc;
}

int
journal_append(int dir, const char *id, const struct sbuf *envelope,
    int rcpt_fd, int result_fd)
{
	struct part parts[2] = {{.fd = rcpt_fd}, {.fd = result_fd}};
	struct sbuf head = {0};
	int rc;

	if (measure(&parts[0]) == -1 || measure(&parts[1]) == -1)
		return -1;
	rc = make_head(id, envelope, parts, &head);
	if (rc == 0)
		rc = append(dir, &head, envelope, parts);
	sbuf_free(&head);
	return rc;
}

/* When a file of this name began: 1, or 0 where it is not a day. */
static int
day_start(const char *name, int64_t *ms)
{
	char text[32];

	if (strnlen(name, 11) != 10)
		return 0;
	snprintf(text, sizeof(text), "%.10sT00:00:00Z", name);
	return clock_parse(text, ms) == 0;
}

int
journal_prune(int dir, int64_t keep_ms)
{
	int64_t now = clock_ms(), start;
	const struct dirent *entry;
	DIR *names;
	int fd, error = 0;

	fd = io_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return -1;
	names = fdopendir(fd);
	if (names == NULL) {
		io_close(&fd);
		return -1;
	}
	while ((entry = readdir(names)) != NULL) {
		/* From the day's end, so that its last record is kept as
		 * long as promised. */
		if (day_start(entry->d_name, &start) == 1 &&
		    now - (start + DAY_MS) > keep_ms &&
		    io_unlinkat(dir, entry->d_name, 0) == -1 &&
		    errno != ENOENT)
			error = errno;
	}
	closedir(names);
	errno = error;
	return error == 0 ? 0 : -1;
}
