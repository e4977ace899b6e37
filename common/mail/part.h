/* SPDX-License-Identifier: BSD-2-Clause
 *
 * part - the parts of a MIME message, for the readers of this layer only
 *
 * GMime does the parsing; this bounds it.  GMime itself stops at a nesting of
 * about a thousand; what is deeper than PART_DEPTH_MAX or later than PART_MAX
 * is not looked at.
 */
#ifndef SEPTET_MAIL_PART_H
#define SEPTET_MAIL_PART_H

#include <gmime/gmime.h>
#include <stddef.h>

#include "common/base/sbuf.h"

#define PART_DEPTH_MAX 16
#define PART_MAX 200
/* How much of a message is parsed at all: what is read stands first, and GMime
 * takes some 250 bytes of memory for every byte of the smallest parts. */
#define PART_BYTES_MAX (256 * 1024)

/* Parse the first PART_BYTES_MAX bytes from fd's current offset (blank lines
 * there are passed over), without the addresses of fields that have so many, or
 * so odd ones, that GMime would take long or crash.  0 and *out
 * (g_object_unref; NULL where GMime sees no message), or -1 with errno. */
int part_open(int fd, GMimeMessage **out)
    __attribute__((warn_unused_result));

/* Call leaf for every part that is not a multipart, and for a multipart
 * without parts (its boundary never comes), in order, until it
 * returns non-zero. */
void part_walk(GMimeMessage *message, int (*leaf)(void *, GMimeObject *),
    void *ctx);

/* Does the part's type say type/subtype ("*" for any subtype)? */
int part_is(GMimeObject *part, const char *type, const char *subtype);

/* Append the part's content, decoded and converted to UTF-8, lines ended by
 * LF, no NUL, at most max bytes. */
void part_text(GMimeObject *part, size_t max, struct sbuf *out);
/* Append any bytes as valid UTF-8 (a bad byte becomes U+FFFD) with LF line
 * ends and no NUL, at most max bytes. */
void part_clean(const char *bytes, size_t n, size_t max, struct sbuf *out);
/* Append html without its tags, entities decoded. */
void part_strip_html(const char *html, size_t n, struct sbuf *out);

#endif
