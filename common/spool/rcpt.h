/* SPDX-License-Identifier: BSD-2-Clause
 *
 * rcpt - distribution lists: who is to get a message, and who has it
 *
 * spool-layout/distribution-list.md.  Written once as a stream, read as a
 * stream with a window of 64 KiB, whatever its length; the state byte of a line
 * is flipped in place.
 */
#ifndef SEPTET_SPOOL_RCPT_H
#define SEPTET_SPOOL_RCPT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/sbuf.h"

#define RCPT_MAGIC "Septet-Rcpt: 1\n"
#define RCPT_LINE_MAX 8192

/* State bytes; all but TODO are final. */
#define RCPT_TODO 'T'
#define RCPT_DONE 'D'
#define RCPT_FAILED 'F'
#define RCPT_SKIPPED 'S'
#define RCPT_EXPIRED 'E'

struct rcpt_writer {
	int fd;                 /* not owned */
	struct sbuf pending;
	unsigned long long size;
	uint32_t crc;
	unsigned long lines;    /* recipients */
};

/* Begin at an empty file. */
void rcpt_write_begin(struct rcpt_writer *w, int fd);
/* One recipient; words: "id=17\tverp=..." already key=value, tab-separated (kv
 * escapes), may be "".  -1: EINVAL, EMSGSIZE (nothing of it is written), or
 * errno of the write. */
int rcpt_write(struct rcpt_writer *w, char state, const char *address,
    const char *words) __attribute__((warn_unused_result));
/* Write what is buffered.  0 or -1. */
int rcpt_write_end(struct rcpt_writer *w) __attribute__((warn_unused_result));
void rcpt_write_free(struct rcpt_writer *w);

struct rcpt_reader {
	int fd;                 /* not owned */
	struct sbuf window;
	size_t at;              /* next line in window */
	off_t window_off;       /* file offset of window's start */
	unsigned long line;     /* number of the last recipient read; the first
	                         * below the magic is 1 */
	char state;
	off_t offset;           /* of its state byte */
	struct sbuf address;    /* decoded */
	const char *words;      /* key=value text as written, valid until the
	                         * next read */
};

/* Check the magic.  0, or -1: EPROTO, ENOTSUP (higher version), errno. */
int rcpt_read_begin(struct rcpt_reader *r, int fd)
    __attribute__((warn_unused_result));
/* Next line: 1, 0 at the end (a last line without LF is not counted), -1
 * (EPROTO: malformed line, r->line says which; it is passed over unless it is
 * too long). */
int rcpt_read(struct rcpt_reader *r) __attribute__((warn_unused_result));
void rcpt_read_free(struct rcpt_reader *r);
/* Flip one state byte (fd open for writing). */
int rcpt_mark(int fd, off_t offset, char state)
    __attribute__((warn_unused_result));

#endif
