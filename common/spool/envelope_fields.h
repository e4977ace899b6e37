/* SPDX-License-Identifier: BSD-2-Clause
 *
 * envelope_fields - whose word counts for which field; for envelope*.c only
 */
#ifndef SEPTET_SPOOL_ENVELOPE_FIELDS_H
#define SEPTET_SPOOL_ENVELOPE_FIELDS_H

#include <stdbool.h>

struct envelope_field;
struct envelope_trail;

/* The table's row for a name, or NULL. */
const struct envelope_field *envelope_field(const char *name);
/* Does a field count from this block?  field may be NULL (not in the table);
 * stage is whose queue sealed. */
bool envelope_field_counts(const struct envelope_field *field,
    const char *name, const struct envelope_trail *trail, const char *stage);

#endif
