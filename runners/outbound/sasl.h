/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sasl - AUTH by libgsasl: SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN
 */
#ifndef SEPTET_OUTBOUND_SASL_H
#define SEPTET_OUTBOUND_SASL_H

#include <stdbool.h>

#include "common/base/sbuf.h"

struct sasl;

/* Begin with the best mechanism of a server's list ("PLAIN LOGIN"); those that
 * show the password only where is_plain_ok.  Appends what follows "AUTH ".
 * NULL where none fits, or libgsasl fails; *why is a constant. */
struct sasl *sasl_begin(const char *mechanisms, const char *user,
    const char *password, bool is_plain_ok, struct sbuf *out,
    const char **why);
/* Answer the text of a 334 reply: appends a line without its end.  0 or -1. */
int sasl_step(struct sasl *s, const char *challenge, struct sbuf *out)
    __attribute__((warn_unused_result));
void sasl_free(struct sasl **s);

#endif
