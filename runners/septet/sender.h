/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sender - will the sender of a held post hear of its refusal?
 */
#ifndef SEPTET_SENDER_H
#define SEPTET_SENDER_H

#include "common/spool/envelope.h"
#include "runners/septet/septet.h"

/* Why nobody will be told, a constant; NULL where somebody will be, or where
 * that cannot be known here.  It is command that decides, by the same rules. */
const char *sender_untold(const struct cli *c, const struct envelope *env);

#endif
