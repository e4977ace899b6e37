/* SPDX-License-Identifier: BSD-2-Clause
 *
 * strv - a list of C strings that it owns; {0} is a valid empty list
 */
#ifndef SEPTET_BASE_STRV_H
#define SEPTET_BASE_STRV_H

#include <stdbool.h>
#include <stddef.h>

struct strv {
	char **items;
	size_t n;
	size_t cap;
};

/* Append a copy of str. */
void strv_add(struct strv *v, const char *str);
bool strv_has(const struct strv *v, const char *str);
/* The same without regard to ASCII case. */
bool strv_has_nocase(const struct strv *v, const char *str);
void strv_sort(struct strv *v);
/* Free the strings and make v {0} again. */
void strv_free(struct strv *v);

#endif
