/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bounce - who failed, and what becomes of the member?
 */
#ifndef SEPTET_BOUNCE_H
#define SEPTET_BOUNCE_H

#include "common/domain/listdb.h"
#include "common/mail/report.h"
#include "common/process/runner.h"

void *bounce_init(struct runner *r);
int bounce_handle(struct runner *r, struct entry *e);
int bounce_batch_end(struct runner *r);
void bounce_fini(struct runner *r, void *data);

/* One failure of one member, as a report or an SMTP reply tells it. */
struct failure {
	const char *address;    /* as told */
	const char *status;     /* RFC 3463, or "" */
	int code;               /* 550, or 0 */
	const char *text;
	bool is_proven;         /* by a VERP MAC, or by our own outbound */
};

/* The scoring of one entry: all its members in one transaction with the
 * entry's ID, so that a repeat changes nothing and says the same.  Members are
 * read inside it, so that nobody's change is lost. */
struct scoring {
	struct runner *runner;
	struct entry *entry;
	const struct list *list;
	struct roster *roster;
	bool is_repeat;         /* this ID did its work before */
	unsigned told;          /* Bounce fields written */
	int64_t due;            /* owners hear of it then; 0 nothing to tell */
	struct sbuf answer;     /* kv line a scored member; recorded */
};

/* Begin: 0, or -1 with errno. */
int scoring_begin(struct scoring *s, struct runner *r, struct entry *e,
    const struct list *list);
/* Count a failure against member m (NULL: nobody's), where it counts: writes
 * the Bounce field, and the roster.  0 or -1. */
int scoring_add(struct scoring *s, struct roster_member *m,
    const struct failure *f);
/* Record the answer, write Score fields, ask for notices.  0 or -1; frees. */
int scoring_end(struct scoring *s);
void scoring_free(struct scoring *s);

/* Does a failure count against anybody? (mail-rules: what scores) */
bool score_counts(const struct failure *f);

/* The new score after a bounce at now (ms): one point a day, a score older
 * than the list's bounce_stale starts anew.  True where a point was added. */
bool score_point(const struct list *list, struct roster_member *m,
    int64_t now);

#endif
