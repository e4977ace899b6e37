/* SPDX-License-Identifier: BSD-2-Clause
 *
 * story - an envelope's journal as people read it
 */
#ifndef SEPTET_STORY_H
#define SEPTET_STORY_H

#include <stdbool.h>

#include "common/spool/envelope.h"
#include "runners/septet/output.h"

/* Is what an automatic mail's envelope says in this field inherited from the
 * message that it is about?  Its own From and Subject stand in no field. */
bool story_is_about(const struct envelope *env, const char *field);
/* What it is: list, sender, subject, and the like, a line each; of a notice
 * what it is about stands indented below "about". */
void story_facts(const struct envelope *env);
/* A line for each block since the entry was made, with its fields where
 * is_full. */
void story_steps(const struct envelope *env, bool is_full);
/* Both, as members of the open object. */
void story_json(const struct envelope *env, bool is_full, struct json *j);

#endif
