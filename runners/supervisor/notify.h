/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notify - tell a service manager how far we are (the sd_notify protocol)
 */
#ifndef SEPTET_SUPERVISOR_NOTIFY_H
#define SEPTET_SUPERVISOR_NOTIFY_H

/* Send "READY=1" and the like, newline-separated assignments, to the datagram
 * socket that $NOTIFY_SOCKET names: a path, or "@name" for an abstract one.
 * 1 sent, 0 where nobody asked, -1 with errno. */
int notify_send(const char *text) __attribute__((warn_unused_result));

#endif
