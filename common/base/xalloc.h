/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xalloc - memory or a temporary exit
 *
 * Running out of memory ends the process with EXIT_TEMPORARY after one line on
 * stderr; the spool makes that safe.  A program that must not end (the
 * supervisor) keeps away from these after it has started.
 */
#ifndef SEPTET_BASE_XALLOC_H
#define SEPTET_BASE_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
/* n elements of size bytes; an overflowing product dies too. */
void *xreallocarray(void *p, size_t n, size_t size)
    __attribute__((returns_nonnull));
char *xstrdup(const char *str) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *str, size_t n)
    __attribute__((malloc, returns_nonnull));

#endif
