/* SPDX-License-Identifier: BSD-2-Clause
 *
 * strv - a list of C strings that it owns
 */
#include "common/base/strv.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"

#define STRV_MIN_CAP 8

void
strv_add(struct strv *v, const char *str)
{
	size_t cap;

	if (v->n == v->cap) {
		if (__builtin_mul_overflow(v->cap, 2, &cap))
			cap = (size_t)-1;
		if (cap < STRV_MIN_CAP)
			cap = STRV_MIN_CAP;
		v->items = xreallocarray(v->items, cap, sizeof(*v->items));
		v->cap = cap;
	}
	v->items[v->n++] = xstrdup(str);
}

bool
strv_has(const struct strv *v, const char *str)
{
	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->items[i], str) == 0)
			return true;
	}
	return false;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* strcasecmp would ask the locale; names in mail are compared as ASCII. */
static bool
is_equal_nocase(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

bool
strv_has_nocase(const struct strv *v, const char *str)
{
	for (size_t i = 0; i < v->n; i++) {
		if (is_equal_nocase(v->items[i], str))
			return true;
	}
	return false;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
strv_sort(struct strv *v)
{
	if (v->n > 1)
		qsort(v->items, v->n, sizeof(*v->items), compare);
}

void
strv_free(struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i]);
	free(v->items);
	*v = (struct strv){0};
}
