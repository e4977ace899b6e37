/* SPDX-License-Identifier: BSD-2-Clause
 *
 * listen - the addresses that the server answers at, and who calls there
 */
#ifndef SEPTET_LMTP_LISTEN_H
#define SEPTET_LMTP_LISTEN_H

#include <stdbool.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"

/* Is it "unix:/path"? */
bool listen_is_unix(const char *spec);
/* Listen at "127.0.0.1:8024", "[::1]:8024" or "unix:/path".  The descriptor
 * is non-blocking.  A socket file whose server is gone is replaced.  -1 with
 * errno; *why says more. */
int listen_open(const char *spec, struct sbuf *why)
    __attribute__((warn_unused_result));
/* Stop, and remove the socket file. */
void listen_close(const char *spec, int *fd);

/* The next caller, non-blocking; -1 with errno. */
int listen_accept(int fd) __attribute__((warn_unused_result));
/* Write "192.0.2.7" or "unix uid=1000" to *out, and whether a list of
 * addresses (and the word unix) has it. */
void listen_peer(int fd, const struct strv *list, struct sbuf *out,
    bool *is_listed);

#endif
