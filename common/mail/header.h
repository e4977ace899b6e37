/* SPDX-License-Identifier: BSD-2-Clause
 *
 * header - a header block as bytes: looked at and edited field by field
 *
 * Nothing is reformatted: a field that is not removed keeps its bytes, folding
 * and place.  Lines end in LF (CRLF is accepted and kept as it stands).  RFC
 * 5322 section 2.2; tolerant: a line that is neither a field nor a continuation
 * ends the block, as mail readers do.
 */
#ifndef SEPTET_MAIL_HEADER_H
#define SEPTET_MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/sbuf.h"

/* A header block larger than this is not taken in. */
#define HEADER_MAX (1024 * 1024)
#define HEADER_FIELDS_MAX 10000

struct header_field {
	const char *raw;        /* whole field with its line ends */
	size_t raw_len;
	const char *name;       /* name_len bytes, not terminated */
	size_t name_len;
	const char *value;      /* after the colon, still folded, without the
	                         * last line end */
	size_t value_len;
};

/* Walk a block: start with *at = 0.  1 and *field, or 0 at the end, where *at
 * is the offset of the blank line, or of the first line that is no field, or
 * of the end. */
int header_next(const char *block, size_t len, size_t *at,
    struct header_field *field);
/* Length of the header block with its blank line: the offset of the body.
 * Where a line that is no field ends the block there is no blank line to
 * count.  Where data ends before the block does: SIZE_MAX (read more). */
size_t header_end(const char *data, size_t len, bool is_all);

bool header_is(const struct header_field *field, const char *name);
/* Does the name start with prefix (no regard to case)? */
bool header_has_prefix(const struct header_field *field, const char *prefix);
/* Empties out and fills it with the value unfolded, white space around it
 * taken off (RFC 5322 section 2.2.3).  A NUL becomes a space, so that the
 * result is a C string. */
void header_value(const struct header_field *field, struct sbuf *out);
/* The n-th (0: topmost) field of that name: 1 and the unfolded value, or 0. */
int header_get(const char *block, size_t len, const char *name, size_t n,
    struct sbuf *out);
/* How many fields of that name. */
size_t header_count(const char *block, size_t len, const char *name);
/* Past white space and comments (RFC 5322 section 3.2.2). */
const char *header_skip_cfws(const char *text);
/* Decoded for people (RFC 2047), controls dropped (a tab becomes a space), cut
 * at max bytes at a character: for Subject in fields, notices and logs.
 * Empties out.  The only function here that needs GMime. */
void header_decode(const char *value, size_t max, struct sbuf *out);

/* Append "Name: value" and a line end to out, as ASCII (RFC 2047 where needed),
 * folded at 78 columns where it can be.  Controls in value become spaces. */
void header_write(struct sbuf *out, const char *name, const char *value);
/* The same for an address list field whose value is written as given (only
 * folding), e.g. "<mailto:dev-join@example.org>". */
void header_write_raw(struct sbuf *out, const char *name, const char *value);

#endif
