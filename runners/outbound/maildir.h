/* SPDX-License-Identifier: BSD-2-Clause
 *
 * maildir - delivery into a Maildir per recipient, for demos and tests
 *
 * DIR/ADDRESS/{tmp,new,cur}.  A file is named by entry and line of the
 * distribution list, and renamed over what may be there: a delivery that is
 * repeated after a crash replaces its own first copy (unless a reader has
 * moved that to cur/ meanwhile).
 */
#ifndef SEPTET_OUTBOUND_MAILDIR_H
#define SEPTET_OUTBOUND_MAILDIR_H

#include "common/base/sbuf.h"
#include "runners/outbound/job.h"

/* Deliver to the next recipients of a job, a bounded number of them; results
 * are noted when the files are on the disk. */
void maildir_work(struct job *j, const char *dir);
/* An address as the name of a folder: '/', '%', controls and a leading dot are
 * written %HH.  Empties out.  0, or -1 (ENAMETOOLONG). */
int maildir_name(const char *address, struct sbuf *out)
    __attribute__((warn_unused_result));

#endif
