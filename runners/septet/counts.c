/* SPDX-License-Identifier: BSD-2-Clause
 *
 * counts - how many entries wait in a queue, and since when
 */
#include "runners/septet/counts.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "runners/septet/look.h"

/* What stands in dead/ as ID+bare belongs to ID. */
static bool
is_counted(enum spool_place place, const char *name)
{
	return place != SPOOL_DEAD || strchr(name, '+') == NULL;
}

static int
count_place(const struct cli *c, const char *queue, enum spool_place place,
    struct counts *out)
{
	struct spool_scan *scan;
	const char *name, *folder;
	bool is_waiting = place != SPOOL_HELD && place != SPOOL_DEAD;
	int64_t created;
	int rc;

	scan = spool_scan_open(c->spool, queue, place, INT64_MAX);
	if (scan == NULL)
		return -1;
	while ((rc = spool_scan_next(scan, &name, &folder)) == 1) {
		if (!is_counted(place, name))
			continue;
		out->n[place]++;
		created = look_created(name);
		if (is_waiting && created > 0 && created <= clock_ms() &&
		    (out->oldest == 0 || created < out->oldest))
			out->oldest = created;
	}
	spool_scan_close(&scan);
	return rc;
}

int
counts_read(const struct cli *c, const char *queue, struct counts *out)
{
	static const enum spool_place places[] = {SPOOL_NEW, SPOOL_CUR,
		SPOOL_LATER, SPOOL_HELD, SPOOL_DEAD};
	size_t i;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; rc == 0 && i < COUNTS_PLACES; i++) {
		rc = count_place(c, queue, places[i], out);
		/* The last of a cur/OWNER may go while we look. */
		if (rc == -1 && errno == ENOENT && places[i] == SPOOL_CUR)
			rc = 0;
	}
	if (rc == 0 && spool_next_due(c->spool, queue, &out->next_due) == -1)
		rc = -1;
	return rc;
}
