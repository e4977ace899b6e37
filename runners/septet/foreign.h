/* SPDX-License-Identifier: BSD-2-Clause
 *
 * foreign - a file that was dropped and could not be taken in
 */
#ifndef SEPTET_FOREIGN_H
#define SEPTET_FOREIGN_H

#include "runners/septet/look.h"

struct foreign {
	struct sbuf name;       /* as it was dropped */
	struct sbuf path;       /* where it is kept, absolute; "": no more */
	struct sbuf from, to, subject; /* what its header says, or "" */
};

/* Look at the file that a dead entry stands for.  Empties and fills out: true;
 * false where the entry stands for none. */
bool foreign_read(const struct cli *c, const char *queue, const char *id,
    const struct envelope *env, struct foreign *out);
void foreign_free(struct foreign *f);
/* Lines with its name, its place and, where has_header, its header; or the
 * object "foreign" (f NULL: null). */
void foreign_print(const struct foreign *f, bool has_header);
void foreign_json(const struct foreign *f, struct json *j);

#endif
