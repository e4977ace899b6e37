/* SPDX-License-Identifier: BSD-2-Clause
 *
 * text - the words of a command mail, whatever its MIME shape
 */
#ifndef SEPTET_MAIL_TEXT_H
#define SEPTET_MAIL_TEXT_H

#include <stddef.h>

#include "common/base/sbuf.h"

/* Append the first text/plain part of the message at fd (else the first
 * text/html one with its tags taken off), decoded to UTF-8, at most max bytes,
 * lines ended by LF.  1, 0 where there is no text, -1 with errno when fd cannot
 * be read. */
int text_first(int fd, size_t max, struct sbuf *out)
    __attribute__((warn_unused_result));

#endif
