/* SPDX-License-Identifier: BSD-2-Clause
 *
 * esc - the escapes and key=value words shared by all of Septet's files
 *
 * Controls (0x00-0x1f, 0x7f), bytes that are not valid UTF-8, and the
 * backslash are written \xHH (two lower-case hex digits).  In a key=value word
 * the value stands in double quotes where it is empty or has a space or a
 * quote; a double quote inside is \x22.
 */
#ifndef SEPTET_BASE_ESC_H
#define SEPTET_BASE_ESC_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/sbuf.h"

/* Append the escaped form of n bytes. */
void esc_add(struct sbuf *out, const char *bytes, size_t n);
/* Append what the escaped form stands for.  Anything that is not a whole
 * \xHH stays as it is, and so does \x00: the result is a C string. */
void esc_decode(struct sbuf *out, const char *text, size_t n);
/* Length of the valid UTF-8 sequence at p (1 to 4), or 0 (RFC 3629: no
 * surrogates, no overlong forms). */
size_t esc_utf8_len(const char *p, size_t n);
bool esc_is_utf8(const char *p, size_t n);

/* Append key=value, with a space before it where out is not empty and does not
 * end in a space or tab.  kv_addn writes a number. */
void kv_add(struct sbuf *out, const char *key, const char *value);
void kv_addn(struct sbuf *out, const char *key, long long value);
/* Find key in a line of words; 1 and the decoded value appended to *out
 * (which is emptied first; its data is never NULL then), 0 where it is absent.
 * Words are separated by spaces or tabs; the first of several wins. */
int kv_get(const char *line, const char *key, struct sbuf *out);
/* The same for a number: 1, 0 absent, -1 not a number in 0..2^63-1. */
int kv_getn(const char *line, const char *key, long long *out);
/* The words before the first key=value word, decoded: the "<ann@example.net>"
 * of "<ann@example.net> member=17".  Empties out first. */
void kv_head(const char *line, struct sbuf *out);

#endif
