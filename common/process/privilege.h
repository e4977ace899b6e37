/* SPDX-License-Identifier: BSD-2-Clause
 *
 * privilege - become the user that the site file names
 */
#ifndef SEPTET_PROCESS_PRIVILEGE_H
#define SEPTET_PROCESS_PRIVILEGE_H

#include <sys/types.h>

#include "common/base/sbuf.h"
#include "common/domain/site.h"

struct privilege {
	uid_t uid;
	gid_t gid;
};

/* Whom privilege_drop would become: 1; 0 where it would change nothing (not
 * root, or a site without a user); -1 with errno, ENOENT where there is no
 * such user or group, and why has a sentence that names the key. */
int privilege_find(const struct site *site, struct privilege *out,
    struct sbuf *why) __attribute__((warn_unused_result));

/* Where started as root and the site has a user: become it, for good, with the
 * site's group (else the user's own).  Also sets umask 007, so that files
 * belong to the group.  0, or -1 and *what names the failing thing (a name
 * of the site's or a constant). */
int privilege_drop(const struct site *site, const char **what)
    __attribute__((warn_unused_result));

#endif
