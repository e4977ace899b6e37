/* SPDX-License-Identifier: BSD-2-Clause
 *
 * wire - a message in the form in which SMTP sends it
 *
 * LF becomes CRLF, a leading dot is doubled, a stray CR becomes a space, and a
 * dot on a line of its own ends it (RFC 5321 section 4.5.2).  A small message
 * is converted once and kept; of a large one only the header block is kept,
 * and its body is read anew for each transaction, in pieces.
 */
#ifndef SEPTET_OUTBOUND_WIRE_H
#define SEPTET_OUTBOUND_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/sbuf.h"

/* Messages up to this size on the wire are kept. */
#define WIRE_KEPT_MAX ((size_t)256 * 1024)
/* Of larger ones this much of the file is read at a time. */
#define WIRE_PIECE ((size_t)64 * 1024)

struct wire {
	struct sbuf kept;       /* whole message, or its header block */
	bool is_whole;
	int fd;                 /* of the body, not owned; -1 when whole */
	off_t body;             /* its offset */
	unsigned long long size; /* on the wire, without the final dot */
};

/* Where one transaction is in it; {0} is the start. */
struct wire_cursor {
	bool has_kept;
	off_t done;             /* bytes of the body read */
	char before;            /* the last byte of the body so far */
	bool is_at_end;
};

/* Read header (with its blank line) and the body in fd from offset on.  0; -1
 * with errno: EILSEQ where there is a NUL. */
int wire_load(struct wire *w, const struct sbuf *header, int fd, off_t body)
    __attribute__((warn_unused_result));
/* Append the next piece, and the final dot after the last: 1 more follows, 0
 * that was all, -1 errno. */
int wire_next(const struct wire *w, struct wire_cursor *at, struct sbuf *out)
    __attribute__((warn_unused_result));
void wire_free(struct wire *w);

/* Append bytes converted; *before is the byte before them ('\n' at the start),
 * and the last afterwards.  A CR at their end is looked at with the next
 * bytes. */
void wire_convert(struct sbuf *out, const char *bytes, size_t n,
    char *before);

#endif
