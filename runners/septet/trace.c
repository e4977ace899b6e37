/* SPDX-License-Identifier: BSD-2-Clause
 *
 * trace - what became of a message or an address's mail
 */
#include "runners/septet/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/system/fsutil.h"
#include "runners/septet/recipients.h"
#include "runners/septet/story.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define DAYS_MAX 3650

struct teller {
	struct cli *c;
	const struct trace_query *query;
	bool is_all;
	struct json j;
	unsigned long told;
};

/* One thing to tell: an envelope, and its parts where it has them. */
struct tale {
	const struct trace_hit *hit;
	struct sbuf where;      /* "outbound/later", "finished" */
	struct sbuf why;
	struct envelope env;
	int rcpt;               /* or -1 */
	struct sbuf results;
};

static int
tell_recipients(struct teller *t, struct tale *tale)
{
	struct recipients_query query = {.is_all = t->is_all};
	struct recipients_count count;
	struct sbuf summary = {0};
	int rc;

	if (tale->rcpt == -1)
		return 0;
	if (tale->hit->is_recipient)
		query.key = t->query->key.data;
	rc = recipients_count(tale->rcpt, &count);
	/* Of a large list who posted to it wants to know about himself. */
	if (rc == 0 && count.total > RECIPIENTS_SHOWN && !t->is_all &&
	    t->query->key.len > 0 &&
	    recipients_has(tale->rcpt, t->query->key.data) == 1)
		query.key = t->query->key.data;
	if (rc == 0 && !t->c->is_json) {
		recipients_summary(&count, &summary);
		printf("  %-13s %s\n", "recipients", summary.data);
	}
	sbuf_free(&summary);
	if (rc == 0)
		rc = recipients_print(tale->rcpt, &tale->results, &query,
		    t->c->is_json ? &t->j : NULL);
	return rc;
}

static void
tell_text(struct teller *t, struct tale *tale)
{
	if (t->told > 0)
		putchar('\n');
	printf("%s ", tale->hit->id);
	out_text(stdout, tale->where.data);
	putchar('\n');
	if (tale->why.len > 0) {
		fputs("  ", stdout);
		out_color(OUT_WARN);
		out_text(stdout, tale->why.data);
		out_color(OUT_PLAIN);
		putchar('\n');
	}
	story_facts(&tale->env);
	story_steps(&tale->env, false);
}

static int
tell(struct teller *t, struct tale *tale)
{
	int rc;

	if (t->c->is_json) {
		json_object(&t->j, NULL);
		json_string(&t->j, "id", tale->hit->id);
		json_bool(&t->j, "live", tale->hit->is_live);
		json_string(&t->j, "where", tale->where.data);
		json_string(&t->j, "why", tale->why.len > 0 ?
		    tale->why.data : NULL);
		story_json(&tale->env, false, &t->j);
		rc = tell_recipients(t, tale);
		json_close(&t->j, '}');
	} else {
		tell_text(t, tale);
		rc = tell_recipients(t, tale);
	}
	t->told++;
	return rc == -1 ? cli_errno("recipients of %s", tale->hit->id) : 0;
}

static void
free_tale(struct tale *tale)
{
	io_close(&tale->rcpt);
	sbuf_free(&tale->where);
	sbuf_free(&tale->why);
	sbuf_free(&tale->results);
}

/* ---- live -------------------------------------------------------------- */

static void
open_parts(const struct cli *c, struct tale *tale)
{
	int dir = spool_dir(c->spool);
	struct sbuf path = {0};

	sbuf_printf(&path, "rcpt/%s", tale->hit->id);
	tale->rcpt = fs_open_regular(dir, path.data, O_RDONLY, NULL);
	sbuf_set(&path, "result/");
	sbuf_adds(&path, tale->hit->id);
	if (tale->rcpt != -1 && fs_read(dir, path.data, RECIPIENTS_MAX,
	    &tale->results) == -1)
		sbuf_set(&tale->results, "");
	sbuf_free(&path);
}

/* 0, LOOK_ABSENT where it is gone meanwhile, or an exit code. */
static int
tell_live(struct teller *t, const struct trace_hit *hit)
{
	struct tale tale = {.hit = hit, .rcpt = -1};
	struct look l = {.queue = NULL};
	struct sbuf why = {0};
	int code;

	code = look_find(t->c, hit->id, &l);
	if (code == 0 && look_envelope(t->c, l.path.data, &tale.env, &why) != 1)
		code = LOOK_ABSENT;
	if (code == 0) {
		look_where(&l, &tale.where);
		look_why(&tale.env, l.place, &tale.why);
		open_parts(t->c, &tale);
		code = tell(t, &tale);
		envelope_free(&tale.env);
	}
	free_tale(&tale);
	look_free(&l);
	sbuf_free(&why);
	return code;
}

/* ---- journal ----------------------------------------------------------- */

/* The list of a record as a file, as its reader wants it. */
static int
list_file(const struct sbuf *bytes)
{
	int fd;

	if (bytes->len == 0)
		return -1;
	fd = memfd_create("rcpt", MFD_CLOEXEC);
	if (fd != -1 && io_write_full(fd, bytes->data, bytes->len) == -1)
		io_close(&fd);
	return fd;
}

static int
tell_record(struct teller *t, const struct trace_hit *hit,
    struct journal_record *record)
{
	struct tale tale = {.hit = hit, .rcpt = -1};
	char when[CLOCK_RFC3339_SIZE];
	struct sbuf why = {0};
	int code = 0;

	if (look_parse(t->c, &record->envelope, &tale.env, &why) == 1) {
		clock_format(record->time, when);
		sbuf_printf(&tale.where, "finished %s", when);
		tale.rcpt = list_file(&record->rcpt);
		tale.results = record->result;
		record->result = (struct sbuf){0};
		code = tell(t, &tale);
		envelope_free(&tale.env);
	}
	free_tale(&tale);
	sbuf_free(&why);
	return code;
}

static int
tell_finished(struct teller *t, const struct trace_hit *hit)
{
	struct journal_record record = {.time = 0};
	struct journal_reader reader;
	int dir, rc, code = 0;

	dir = io_openat(spool_dir(t->c->spool), "journal", O_RDONLY |
	    O_DIRECTORY, 0);
	rc = dir == -1 ? -1 : journal_open(&reader, dir, hit->day);
	if (rc == 0) {
		reader.at = hit->at;
		rc = journal_next(&reader, RECIPIENTS_MAX, &record);
		if (rc == 1)
			code = tell_record(t, hit, &record);
		journal_record_free(&record);
		journal_close(&reader);
	}
	if (rc == -1)
		code = cli_errno("%s/journal/%s", t->c->site->spool, hit->day);
	io_close(&dir);
	return code;
}

/* ---- all --------------------------------------------------------------- */

static int
tell_all(struct teller *t, const struct trace_hits *hits)
{
	const struct trace_hit *hit;
	size_t i;
	int code = 0;

	json_begin(&t->j, stdout);
	if (t->c->is_json)
		json_array(&t->j, NULL);
	for (i = 0; code == 0 && i < hits->n; i++) {
		hit = &hits->items[i];
		code = hit->is_live ? tell_live(t, hit) :
		    tell_finished(t, hit);
		if (code == LOOK_ABSENT)
			code = cli_fail(EXIT_TEMPORARY, "%s was finished just "
			    "now; ask again", hit->id);
	}
	if (t->c->is_json) {
		json_close(&t->j, ']');
		json_end(&t->j);
	}
	return code;
}

static int
parse_days(const char *text, int64_t *days)
{
	char *end;
	long n;

	if (text == NULL)
		return 0;
	n = strtol(text, &end, 10);
	if (*end != '\0' || end == text || n < 1 || n > DAYS_MAX)
		return cli_fail(EXIT_USAGE, "--days %s: a number from 1 to %d",
		    text, DAYS_MAX);
	*days = n;
	return 0;
}

static int
trace(struct cli *c, const char *text, const char *days_text, bool is_all)
{
	int64_t days = (c->site->keep + DAY_MS - 1) / DAY_MS;
	struct teller t = {.c = c, .is_all = is_all};
	struct trace_hits hits = {NULL, 0, 0};
	struct trace_query query;
	int code;

	code = parse_days(days_text, &days);
	if (code != 0)
		return code;
	trace_query_make(&query, text);
	t.query = &query;
	code = trace_collect(c, &query, days, &hits);
	if (code == 0 && hits.n == 0)
		code = cli_fail(EXIT_DATA, "%s: nothing is known of it, "
		    "waiting or finished in the last %lld day%s", text,
		    (long long)days, days == 1 ? "" : "s");
	else if (code == 0)
		code = tell_all(&t, &hits);
	free(hits.items);
	trace_query_free(&query);
	return code;
}

int
trace_run(struct cli *c, int argc, char **argv)
{
	const char *days = NULL;
	bool is_all = false;
	const struct cli_option options[] = {
		{.name = "days", .value = &days},
		{.name = "all", .flag = &is_all},
		{.name = NULL},
	};
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){1, 1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_SPOOL);
	return code != 0 ? code : trace(c, argv[1], days, is_all);
}
