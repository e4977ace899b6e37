/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sbuf - growable bytes that know their length
 */
#include "common/base/sbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"

#define SBUF_MIN_CAP 64

void
sbuf_reserve(struct sbuf *s, size_t n)
{
	size_t need, cap;

	/* A sum that overflows asks for what no allocator has, and dies. */
	if (__builtin_add_overflow(s->len, n, &need) ||
	    __builtin_add_overflow(need, 1, &need))
		need = SIZE_MAX;
	if (s->data != NULL && need <= s->cap)
		return;
	if (__builtin_mul_overflow(s->cap, 2, &cap) || cap < need)
		cap = need;
	if (cap < SBUF_MIN_CAP)
		cap = SBUF_MIN_CAP;
	s->data = xreallocarray(s->data, cap, 1);
	s->cap = cap;
	s->data[s->len] = '\0';
}

void
sbuf_add(struct sbuf *s, const void *bytes, size_t n)
{
	/* Nothing appended is a string, too: data is not NULL afterwards. */
	sbuf_reserve(s, n);
	if (n > 0)
		memcpy(s->data + s->len, bytes, n);
	s->len += n;
	s->data[s->len] = '\0';
}

void
sbuf_adds(struct sbuf *s, const char *str)
{
	sbuf_add(s, str, strlen(str));
}

void
sbuf_addc(struct sbuf *s, char c)
{
	sbuf_add(s, &c, 1);
}

void
sbuf_vprintf(struct sbuf *s, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	int n;

	sbuf_reserve(s, 0);
	room = s->cap - s->len;
	va_copy(again, ap);
	n = vsnprintf(s->data + s->len, room, fmt, again);
	va_end(again);
	if (n > 0 && (size_t)n >= room) {
		sbuf_reserve(s, (size_t)n);
		n = vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
	}
	if (n > 0)
		s->len += (size_t)n;
	s->data[s->len] = '\0';
}

void
sbuf_printf(struct sbuf *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(s, fmt, ap);
	va_end(ap);
}

void
sbuf_set(struct sbuf *s, const char *str)
{
	sbuf_truncate(s, 0);
	sbuf_adds(s, str);
}

void
sbuf_truncate(struct sbuf *s, size_t len)
{
	if (s->data == NULL || len > s->len)
		return;
	s->len = len;
	s->data[len] = '\0';
}

const char *
sbuf_str(const struct sbuf *s)
{
	return s->data == NULL ? "" : s->data;
}

void
sbuf_free(struct sbuf *s)
{
	free(s->data);
	*s = (struct sbuf){0};
}
