/* SPDX-License-Identifier: BSD-2-Clause
 *
 * trace - what became of a message or an address's mail
 */
#ifndef SEPTET_TRACE_H
#define SEPTET_TRACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/spool/journal.h"
#include "runners/septet/look.h"

#define TRACE_DAY_SIZE 11

/* What is asked for. */
struct trace_query {
	const char *text;
	bool is_id;             /* else a Message-ID or an address */
	char root[ID_SIZE];     /* the family of an ID */
	struct sbuf message_id; /* with brackets */
	struct sbuf key;        /* of an address; empty: it is none */
	struct sbuf hint;       /* an envelope without these bytes (no regard
	                         * to case) speaks of none of it; or empty */
};

void trace_query_make(struct trace_query *q, const char *text);
void trace_query_free(struct trace_query *q);
/* Does the envelope speak of it? */
bool trace_query_is(const struct trace_query *q, const struct envelope *env);
/* Can the raw envelope? */
bool trace_query_may_be(const struct trace_query *q, const struct sbuf *raw);

/* Where something was found; two passes, so that memory holds places and no
 * distribution lists. */
struct trace_hit {
	char id[ID_SIZE];
	bool is_live;
	bool is_recipient;      /* the address's own results are asked for */
	char day[TRACE_DAY_SIZE]; /* of the journal, and where in it */
	off_t at;
};

struct trace_hits {
	struct trace_hit *items;
	size_t n, cap;
};

/* All that is found, in families, each once: live, or finished within so many
 * days (24 hours; the journal of one more day is looked into).  0 or an exit
 * code. */
int trace_collect(struct cli *c, const struct trace_query *q, int64_t days,
    struct trace_hits *hits) __attribute__((warn_unused_result));

#endif
