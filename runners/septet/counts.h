/* SPDX-License-Identifier: BSD-2-Clause
 *
 * counts - how many entries wait in a queue, and since when
 */
#ifndef SEPTET_COUNTS_H
#define SEPTET_COUNTS_H

#include "runners/septet/septet.h"

#define COUNTS_PLACES 5         /* enum spool_place */

struct counts {
	unsigned long n[COUNTS_PLACES];
	int64_t oldest;         /* ms: the creation of the oldest entry that a
	                         * runner is to handle; 0 none */
	int64_t next_due;       /* ms, 0 none */
};

/* 0 or -1 (errno; ENOENT: no such folder). */
int counts_read(const struct cli *c, const char *queue, struct counts *out)
    __attribute__((warn_unused_result));

#endif
