/* SPDX-License-Identifier: BSD-2-Clause
 *
 * crash_hops - the hops to crash in, and what is to come of each
 */
#ifndef SEPTET_TESTS_CRASH_HOPS_H
#define SEPTET_TESTS_CRASH_HOPS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/spool/entry.h"
#include "tests/unit/crash_tree.h"

#define HEADER "X-New: 1\nSubject: x\n\n"
#define NOTICE "Subject: notice\n\nto you\n"
#define RCPT "Septet-Rcpt: 1\nT\tann@example.net\tid=1\n"

typedef void crash_stage_fn(struct entry *e);

struct crash_scenario {
	const char *name;
	void (*setup)(void);
	int queue;              /* where the hop is */
	enum spool_place place;
	crash_stage_fn *stage;  /* NULL: a verdict about what is held */
	/* What must have come in the end, by queue; journal: finished at least
	 * once; dead: entries, kept: files beside them. */
	int arrivals[N_QUEUES];
	int journal;
	int dead;
	int kept;
	bool has_head;          /* at outbound */
};

const struct crash_scenario *crash_scenario(int i);
int crash_n_scenarios(void);
/* The hop, in a process that may be killed. */
void crash_hop(const struct crash_scenario *s);
/* All that stands in one place, as a runner has it: 0, or -1 to end. */
int crash_handle(const char *queue, enum spool_place place,
    crash_stage_fn *stage);
/* From here on no stage leaves an entry without an outcome. */
void crash_calm(void);
/* Accept two drafts of one message. */
void crash_post_two(void);

#endif
