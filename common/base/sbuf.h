/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sbuf - growable bytes that know their length
 *
 * {0} is a valid empty value.  data is NUL-terminated whenever it is not NULL
 * (the NUL is not counted in len).  Growing dies as xalloc does; a caller that
 * takes bytes from outside bounds them first.
 */
#ifndef SEPTET_BASE_SBUF_H
#define SEPTET_BASE_SBUF_H

#include <stdarg.h>
#include <stddef.h>

struct sbuf {
	char *data;
	size_t len;
	size_t cap;
};

/* Append n bytes, a C string, one byte, formatted text. */
void sbuf_add(struct sbuf *s, const void *bytes, size_t n);
void sbuf_adds(struct sbuf *s, const char *str);
void sbuf_addc(struct sbuf *s, char c);
void sbuf_printf(struct sbuf *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void sbuf_vprintf(struct sbuf *s, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Replace the content by a C string. */
void sbuf_set(struct sbuf *s, const char *str);
/* Make room for n more bytes; they may be written at data + len by the caller,
 * who then adds them to len and sets the NUL through sbuf_truncate. */
void sbuf_reserve(struct sbuf *s, size_t n);
/* Shorten to len bytes (len <= s->len after a direct write). */
void sbuf_truncate(struct sbuf *s, size_t len);
/* The content as a C string; "" when empty.  Valid until the next change. */
const char *sbuf_str(const struct sbuf *s);
/* Give the bytes back and make s {0} again. */
void sbuf_free(struct sbuf *s);

#endif
