/* SPDX-License-Identifier: BSD-2-Clause
 *
 * person - a line of a list of members: "addr" or "Name <addr>"
 */
#ifndef SEPTET_PERSON_H
#define SEPTET_PERSON_H

#include <stddef.h>

#include "common/base/sbuf.h"

#define PERSON_LINE_MAX 2048

/* Read one line (without its line end; it may hold any bytes).  1; 0 blank or
 * a comment ("# ..."); -1 and *why (a constant) what is wrong with it. */
int person_parse(const char *line, size_t n, struct sbuf *address,
    struct sbuf *name, const char **why) __attribute__((warn_unused_result));

#endif
