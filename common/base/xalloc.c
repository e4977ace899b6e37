/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xalloc - memory or a temporary exit
 */
#include "common/base/xalloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/exits.h"

/* Nothing here may need memory, so the line goes out without log or stdio. */
_Noreturn static void
die(void)
{
	static const char text[] = "septet: out of memory\n";
	ssize_t ignored;

	ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)ignored;
	_exit(EXIT_TEMPORARY);
}

/* malloc(0) may be NULL without being a failure; one byte is not. */
static void *
checked(void *p)
{
	if (p == NULL)
		die();
	return p;
}

void *
xmalloc(size_t n)
{
	return checked(malloc(n == 0 ? 1 : n));
}

void *
xcalloc(size_t n, size_t size)
{
	if (n == 0 || size == 0)
		n = size = 1;
	return checked(calloc(n, size));
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	if (n == 0 || size == 0)
		n = size = 1;
	return checked(reallocarray(p, n, size));
}

char *
xstrdup(const char *str)
{
	return checked(strdup(str));
}

char *
xstrndup(const char *str, size_t n)
{
	return checked(strndup(str, n));
}
