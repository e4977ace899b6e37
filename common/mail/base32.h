/* SPDX-License-Identifier: BSD-2-Clause
 *
 * base32 - lower-case base32 (RFC 4648 alphabet, no padding) for what stands in
 * local parts, whose case mailers change
 */
#ifndef SEPTET_MAIL_BASE32_H
#define SEPTET_MAIL_BASE32_H

#include <stddef.h>

/* The first n_chars * 5 bits of bytes as n_chars characters and a NUL; bits
 * past n_bytes are zero. */
void base32_write(const unsigned char *bytes, size_t n_bytes, char *out,
    size_t n_chars);
/* Read n_chars characters of either case into n_bytes bytes: 0, or -1 where one
 * is not of the alphabet or a bit past n_bytes is set. */
int base32_read(const char *text, size_t n_chars, unsigned char *out,
    size_t n_bytes) __attribute__((warn_unused_result));

#endif
