/* SPDX-License-Identifier: BSD-2-Clause
 *
 * template - texts of notices: a header part, a blank line, a body
 *
 * {{name}} is replaced by a value; an unknown name, or braces that are no name,
 * are errors of the template.  A line "{{#name}}" ... "{{/name}}" (alone on
 * their lines, not nested) is kept only where name has a value that is not
 * empty.
 */
#ifndef SEPTET_MAIL_TEMPLATE_H
#define SEPTET_MAIL_TEMPLATE_H

#include <stddef.h>

#include "common/base/sbuf.h"

struct template_value {
	const char *name;
	const char *value;      /* NULL counts as empty */
};

/* Append text with values (ended by a NULL name) put in.  A value goes into
 * the first part (up to the first blank line) with its controls made spaces,
 * so that it cannot start a field.  0, or -1 (EINVAL; out as it was) and *why
 * (appended to; may be NULL) names the line and the unknown name. */
int template_fill(const char *text, const struct template_value *values,
    struct sbuf *out, struct sbuf *why) __attribute__((warn_unused_result));

#endif
