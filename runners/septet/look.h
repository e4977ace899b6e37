/* SPDX-License-Identifier: BSD-2-Clause
 *
 * look - find entries and read their envelopes, without claiming anything
 *
 * Runners work on meanwhile: what was there may be elsewhere a moment later.
 */
#ifndef SEPTET_LOOK_H
#define SEPTET_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/spool/envelope.h"
#include "common/spool/id.h"
#include "runners/septet/output.h"
#include "runners/septet/septet.h"

struct look {
	char id[ID_SIZE];
	const char *queue;      /* the site's */
	enum spool_place place;
	struct sbuf folder;     /* MINUTE or OWNER, or "" */
	struct sbuf path;       /* below SPOOL */
};

/* An entry by its ID or the unique beginning of one.  0 and *out; or an exit
 * code after saying why; LOOK_ABSENT, nothing said. */
#define LOOK_ABSENT -1
int look_find(struct cli *c, const char *id, struct look *out)
    __attribute__((warn_unused_result));
/* "ID: no such entry" and its code. */
int look_absent(const char *id);
void look_free(struct look *l);

/* The envelope at a path below SPOOL: 1; 0 gone; -1 (*why). */
int look_envelope(const struct cli *c, const char *path, struct envelope *env,
    struct sbuf *why) __attribute__((warn_unused_result));
/* The same from bytes: 1 or -1. */
int look_parse(const struct cli *c, const struct sbuf *bytes,
    struct envelope *env, struct sbuf *why)
    __attribute__((warn_unused_result));
/* The name that an entry's file has in a place, without the mark of one that
 * is being moved: 1 and out, 0 no entry's. */
int look_name(const char *file, char out[ID_SIZE]);
/* When an ID was made, ms; 0 where it is none of ours. */
int64_t look_created(const char *id);
/* The index of the block that the entry itself begins with: what is before it
 * is its parent's. */
size_t look_first_block(const struct envelope *env);
/* From whom: the first Author, else the sender; "" where unknown. */
const char *look_from(const struct envelope *env);
/* Why it is where it is: "held for moderator: not a member", the error of a
 * dead one ...; empties out. */
void look_why(const struct envelope *env, enum spool_place place,
    struct sbuf *out);
/* Does it stand for a foreign file, kept beside it in dead/ as ID+bare? */
bool look_is_foreign(const struct envelope *env);
/* "outbound/later". */
void look_where(const struct look *l, struct sbuf *out);

#endif
