/* SPDX-License-Identifier: BSD-2-Clause
 *
 * trace_collect - walk live entries, then the journal
 *
 * In that order: an entry that is finished meanwhile is in the journal by the
 * time that is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/system/fsutil.h"
#include "runners/septet/recipients.h"
#include "runners/septet/trace.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

struct collector {
	struct cli *c;
	const struct trace_query *query;
	struct trace_hits *hits;
	struct sbuf path;
	struct sbuf why;
};

static struct trace_hit *
add_hit(struct trace_hits *hits, const char *id)
{
	struct trace_hit *hit;

	if (hits->n == hits->cap) {
		hits->cap = hits->cap == 0 ? 64 : hits->cap * 2;
		hits->items = xreallocarray(hits->items, hits->cap,
		    sizeof(*hits->items));
	}
	hit = &hits->items[hits->n++];
	memset(hit, 0, sizeof(*hit));
	memcpy(hit->id, id, strlen(id) + 1);
	return hit;
}

/* ---- live -------------------------------------------------------------- */

/* Is the address in the entry's distribution list? */
static bool
is_recipient(const struct collector *k, const char *id)
{
	struct sbuf path = {0};
	int fd;
	bool is = false;

	if (k->query->key.len == 0)
		return false;
	sbuf_printf(&path, "rcpt/%s", id);
	fd = fs_open_regular(spool_dir(k->c->spool), path.data, O_RDONLY, NULL);
	if (fd != -1)
		is = recipients_has(fd, k->query->key.data) == 1;
	io_close(&fd);
	sbuf_free(&path);
	return is;
}

static void
look_at_entry(struct collector *k, const char *id)
{
	struct sbuf bytes = {0};
	struct envelope env;
	bool is = false, is_one = false;

	if (fs_read(spool_dir(k->c->spool), k->path.data, ENVELOPE_MAX,
	    &bytes) == 0) {
		if (trace_query_may_be(k->query, &bytes) &&
		    look_parse(k->c, &bytes, &env, &k->why) == 1) {
			is = trace_query_is(k->query, &env);
			envelope_free(&env);
		}
		is_one = !is && is_recipient(k, id);
	}
	if (is || is_one) {
		struct trace_hit *hit = add_hit(k->hits, id);

		hit->is_live = true;
		hit->is_recipient = is_one;
	}
	sbuf_free(&bytes);
}

static int
collect_place(struct collector *k, const char *queue, enum spool_place place)
{
	struct spool_scan *scan;
	const char *name, *folder;
	char id[ID_SIZE];
	int rc;

	scan = spool_scan_open(k->c->spool, queue, place, INT64_MAX);
	if (scan == NULL)
		return errno == ENOENT ? 0 : -1;
	while ((rc = spool_scan_next(scan, &name, &folder)) == 1) {
		if (!look_name(name, id))
			continue;
		sbuf_set(&k->path, queue);
		sbuf_printf(&k->path, "/%s/%s%s%s", spool_place_name(place),
		    folder, *folder == '\0' ? "" : "/", name);
		look_at_entry(k, id);
	}
	spool_scan_close(&scan);
	return rc;
}

static int
collect_live(struct collector *k)
{
	static const enum spool_place places[] = {SPOOL_NEW, SPOOL_CUR,
		SPOOL_LATER, SPOOL_HELD, SPOOL_DEAD};
	const struct site *site = k->c->site;
	size_t i, p;

	for (i = 0; i < site->n_queues; i++) {
		for (p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
			if (collect_place(k, site->queues[i].name,
			    places[p]) == -1)
				return cli_errno("%s/%s", site->spool,
				    site->queues[i].name);
		}
	}
	return 0;
}

/* ---- journal ----------------------------------------------------------- */

/* Is the address a recipient in a record's list? */
static bool
is_in_record(const struct collector *k, const struct journal_record *record)
{
	const struct trace_query *q = k->query;
	int fd;
	bool is = false;

	if (q->key.len == 0 || record->rcpt.len == 0 ||
	    !trace_query_may_be(q, &record->rcpt))
		return false;
	fd = memfd_create("rcpt", MFD_CLOEXEC);
	if (fd != -1 && io_write_full(fd, record->rcpt.data,
	    record->rcpt.len) == 0)
		is = recipients_has(fd, q->key.data) == 1;
	io_close(&fd);
	return is;
}

static void
look_at_record(struct collector *k, const struct journal_record *record,
    const char *day, off_t at)
{
	struct envelope env;
	bool is = false, is_one;
	struct trace_hit *hit;

	if (trace_query_may_be(k->query, &record->envelope) &&
	    look_parse(k->c, &record->envelope, &env, &k->why) == 1) {
		is = trace_query_is(k->query, &env);
		envelope_free(&env);
	}
	is_one = !is && is_in_record(k, record);
	if (!is && !is_one)
		return;
	hit = add_hit(k->hits, record->id);
	hit->is_recipient = is_one;
	memcpy(hit->day, day, sizeof(hit->day));
	hit->at = at;
}

static int
collect_day(struct collector *k, int dir, const char *day)
{
	/* Lists are read only where somebody is looked for in them. */
	size_t max = k->query->key.len > 0 ? RECIPIENTS_MAX : 0;
	struct journal_record record = {.time = 0};
	struct journal_reader reader;
	int64_t before;
	off_t at;
	int rc;

	if (journal_open(&reader, dir, day) == -1)
		return errno == ENOENT ? 0 : -1;
	before = reader.at;
	while ((rc = journal_next(&reader, max, &record)) == 1) {
		/* Broken bytes between records are passed over again. */
		at = (off_t)before;
		before = reader.at;
		look_at_record(k, &record, day, at);
	}
	journal_record_free(&record);
	journal_close(&reader);
	return rc;
}

static int
collect_journal(struct collector *k, int64_t days)
{
	int64_t now = clock_ms(), created, day;
	char name[TRACE_DAY_SIZE];
	int dir, code = 0;

	dir = io_openat(spool_dir(k->c->spool), "journal", O_RDONLY |
	    O_DIRECTORY, 0);
	if (dir == -1)
		return cli_errno("%s/journal", k->c->site->spool);
	created = k->query->is_id ? look_created(k->query->root) : 0;
	for (day = days; code == 0 && day >= 0; day--) {
		/* Nothing is finished before the day on which it began. */
		if (created > 0 && now - (day - 1) * DAY_MS < created)
			continue;
		clock_format_day(now - day * DAY_MS, name);
		if (collect_day(k, dir, name) == -1)
			code = cli_errno("%s/journal/%s", k->c->site->spool,
			    name);
	}
	io_close(&dir);
	return code;
}

/* ---- in order ---------------------------------------------------------- */

/* By ID, so that families stand together and by age; of one ID what is live
 * first, then as the journal has it. */
static int
compare_hits(const void *a, const void *b)
{
	const struct trace_hit *x = a, *y = b;
	int rc = strcmp(x->id, y->id);

	if (rc == 0)
		rc = (int)y->is_live - (int)x->is_live;
	if (rc == 0)
		rc = strcmp(x->day, y->day);
	if (rc == 0)
		rc = x->at < y->at ? -1 : x->at > y->at;
	return rc;
}

/* The last of an ID counts (journal.h). */
static void
sort_hits(struct trace_hits *hits)
{
	size_t i, n = 0;

	if (hits->n == 0)
		return;
	qsort(hits->items, hits->n, sizeof(*hits->items), compare_hits);
	for (i = 0; i < hits->n; i++) {
		if (i + 1 < hits->n && strcmp(hits->items[i].id,
		    hits->items[i + 1].id) == 0)
			continue;
		hits->items[n++] = hits->items[i];
	}
	hits->n = n;
}

int
trace_collect(struct cli *c, const struct trace_query *q, int64_t days,
    struct trace_hits *hits)
{
	struct collector k = {.c = c, .query = q, .hits = hits};
	int code;

	code = collect_live(&k);
	if (code == 0)
		code = collect_journal(&k, days);
	if (code == 0)
		sort_hits(hits);
	sbuf_free(&k.path);
	sbuf_free(&k.why);
	return code;
}
