/* SPDX-License-Identifier: BSD-2-Clause
 *
 * journal - what is finished: envelope, recipients and results by day
 *
 * spool-layout/journal.md.  A record is a head line "Septet-Journal: 1 id=...
 * time=... envelope=N rcpt=N result=N crc32=...", then that many bytes of each,
 * then an empty line.  Written under a lock, so records do not mix; the same ID
 * may stand twice (a crash between journal and removal): readers take the last.
 */
#ifndef SEPTET_SPOOL_JOURNAL_H
#define SEPTET_SPOOL_JOURNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/sbuf.h"

struct journal_record {
	char id[65];
	int64_t time;
	struct sbuf envelope;
	struct sbuf rcpt;       /* distribution list; empty where none */
	struct sbuf result;
};

/* Append to JOURNAL_DIR/DAY.  rcpt_fd and result_fd are files to be copied, or
 * -1.  Opened and closed each time: the file may be moved away by hand.  Not
 * flushed.  On -1 nothing is left of the record. */
int journal_append(int dir, const char *id, const struct sbuf *envelope,
    int rcpt_fd, int result_fd) __attribute__((warn_unused_result));

struct journal_reader {
	int fd;
	off_t at;               /* of the next line to look at */
	struct sbuf window;
	off_t window_at;
};

/* Read one day's file from its start; a broken record is skipped to the next
 * head line.  journal_open: 0 or -1 (ENOENT: nothing finished on that day).
 * journal_next: 1, 0 at the end, -1; *record starts as {0} and is used again.
 * Rcpt and result parts over max bytes are left empty. */
int journal_open(struct journal_reader *r, int dir, const char *day)
    __attribute__((warn_unused_result));
int journal_next(struct journal_reader *r, size_t max,
    struct journal_record *record) __attribute__((warn_unused_result));
void journal_close(struct journal_reader *r);
void journal_record_free(struct journal_record *record);
/* Remove days that ended more than keep_ms ago. */
int journal_prune(int dir, int64_t keep_ms)
    __attribute__((warn_unused_result));

#endif
