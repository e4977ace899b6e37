/* SPDX-License-Identifier: BSD-2-Clause
 *
 * job_settle - what becomes of an entry after an attempt
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/spool/result.h"
#include "runners/outbound/job.h"

/* Of a reply in a report or a Delivery field. */
#define TEXT_MAX 300
/* More than a result line can have. */
#define RESULT_LINE_MAX 4096
/* Results noted before they are written, where many come at once. */
#define FLUSH_EVERY 256

/* ---- the report to bounce ------------------------------------------- */

struct failure {
	unsigned long line;
	off_t at;               /* of its result */
};

struct failures {
	struct failure *items;
	size_t n;
	size_t cap;
};

static void
collect_failure(struct job *j, void *ctx, char *line, off_t at)
{
	struct failures *f = ctx;
	struct result r;

	(void)j;
	if (result_parse(line, &r) == -1 || r.state != RCPT_FAILED)
		return;
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 16 : f->cap * 2;
		f->items = xreallocarray(f->items, f->cap, sizeof *f->items);
	}
	f->items[f->n++] = (struct failure){r.line, at};
}

static int
compare_lines(const void *a, const void *b)
{
	const struct failure *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

/* The recipient's words with those about the failure behind them. */
static int
failure_words(struct job *j, off_t at, struct sbuf *words)
{
	char line[RESULT_LINE_MAX + 1], *end;
	struct sbuf text = {0};
	struct result r;
	ssize_t got;

	got = io_pread_full(j->result, line, RESULT_LINE_MAX, at);
	if (got == -1)
		return -1;
	line[got] = '\0';
	end = strchr(line, '\n');
	if (end != NULL)
		*end = '\0';
	if (result_parse(line, &r) == -1)
		return 0;
	esc_decode(&text, r.reply, strlen(r.reply));
	if (text.len > TEXT_MAX)
		sbuf_truncate(&text, TEXT_MAX);
	if (words->len > 0)
		sbuf_addc(words, '\t');
	kv_add(words, "status", r.status);
	sbuf_addc(words, '\t');
	kv_addn(words, "code", r.code);
	sbuf_addc(words, '\t');
	kv_add(words, "text", sbuf_str(&text));
	sbuf_free(&text);
	return 0;
}

/* Start over at the head of the list. */
static int
rewind_list(struct job *j)
{
	rcpt_read_free(&j->reader);
	return rcpt_read_begin(&j->reader, j->rcpt);
}

static int
write_report(struct job *j, const struct failures *f, struct rcpt_writer *w)
{
	struct sbuf words = {0};
	size_t at = 0;
	int rc = rewind_list(j);

	while (rc != -1 && at < f->n && (rc = rcpt_read(&j->reader)) == 1) {
		if (j->reader.line != f->items[at].line)
			continue;
		/* A repeat after a crash has two results; one is enough. */
		while (at + 1 < f->n
		    && f->items[at + 1].line == j->reader.line)
			at++;
		sbuf_set(&words, j->reader.words);
		rc = failure_words(j, f->items[at].at, &words);
		if (rc == 0)
			rc = rcpt_write(w, RCPT_TODO,
			    sbuf_str(&j->reader.address), sbuf_str(&words));
		at++;
	}
	sbuf_free(&words);
	return rc == -1 ? -1 : 0;
}

/* One child with all that were refused in this attempt. */
static int
stage_report(struct job *j)
{
	const char *queue = runner_exit(j->runner, "bounce");
	struct failures f = {0};
	struct rcpt_writer w;
	struct child *c;
	off_t end;
	int rc;

	if (queue == NULL) {
		log_warn("id=%s no exit \"bounce\" for %lu refused",
		    entry_id(j->entry), j->failed);
		return 0;
	}
	c = entry_child(j->entry, 'b', queue);
	if (c == NULL || child_share_message(c) == -1)
		return -1;
	child_set(c, "Kind", "report");
	child_set(c, "Role", "bounces");
	rc = job_scan_results(j, j->attempt_start, collect_failure, &f, &end);
	if (rc == 0)
		rc = child_stage_rcpt(c, &w);
	if (rc == 0) {
		if (f.n > 0)
			qsort(f.items, f.n, sizeof *f.items, compare_lines);
		rc = write_report(j, &f, &w);
		if (rc == 0)
			rc = child_stage_rcpt_end(c, &w);
		rcpt_write_free(&w);
	}
	free(f.items);
	return rc;
}

/* ---- expiry --------------------------------------------------------- */

/* The same clock as runner_defer's: since the entry came to this queue. */
static bool
is_past_give_up(const struct job *j)
{
	const struct envelope *env = entry_envelope(j->entry);
	const char *queue = runner_queue(j->runner)->name;
	size_t i = env->n_blocks;

	while (i > 1 && strcmp(env->trails[i - 1].exit, "defer") == 0
	    && strcmp(env->trails[i - 1].queue, queue) == 0)
		i--;
	return clock_ms() - env->trails[i - 1].time
	    >= runner_site(j->runner)->give_up;
}

static int
expire_rest(struct job *j)
{
	int rc = rewind_list(j), saved;

	while (rc != -1 && (rc = rcpt_read(&j->reader)) == 1) {
		struct job_result r = {.line = j->reader.line,
			.offset = j->reader.offset, .state = RCPT_EXPIRED,
			.relay = "-", .reply = sbuf_str(&j->why)};

		if (j->reader.state != RCPT_TODO)
			continue;
		job_record(j, &r);
		if (j->n_marks >= FLUSH_EVERY && job_flush(j) == -1)
			return -1;
	}
	saved = errno;
	if (job_flush(j) == -1)
		return -1;
	if (rc == -1) {
		errno = saved;
		return -1;
	}
	log_warn("id=%s given up for %lu recipients: %s", entry_id(j->entry),
	    j->expired, sbuf_str(&j->why));
	return 0;
}

/* ---- the outcome ---------------------------------------------------- */

static void
set_delivery(struct job *j, const struct job_count *count)
{
	struct sbuf value = {0}, reply = {0};

	kv_add(&value, "relay", count->relay);
	kv_addn(&value, "done", (long long)count->done);
	kv_addn(&value, "deferred", (long long)count->deferred);
	kv_addn(&value, "failed", (long long)count->failed);
	kv_addn(&value, "results", (long long)j->result_size);
	sbuf_add(&reply, sbuf_str(&count->reply), count->reply.len);
	if (reply.len > TEXT_MAX)
		sbuf_truncate(&reply, TEXT_MAX);
	kv_add(&value, "reply", sbuf_str(&reply));
	entry_set(j->entry, "Delivery", sbuf_str(&value));
	sbuf_free(&value);
	sbuf_free(&reply);
}

static void
set_deliveries(struct job *j)
{
	struct job_count none = {.relay = "-", .reply = j->why};
	size_t i;

	for (i = 0; i < j->n_counts; i++)
		set_delivery(j, &j->counts[i]);
	if (j->n_counts == 0)
		set_delivery(j, &none);
}

/* Mail of ours to people (notices), or of the site to owners: nobody is there
 * to be told. */
static bool
is_reported(const struct job *j)
{
	const char *role = envelope_get(entry_envelope(j->entry), "Role");

	/* Owner mail is not a list's: no member is behind its recipients. */
	return !j->is_null && (role == NULL || (strcmp(role, "owner") != 0 &&
	    strcmp(role, "site-owner") != 0));
}

static int
settle_failures(struct job *j)
{
	if (j->failed == 0)
		return 0;
	if (is_reported(j))
		return stage_report(j);
	log_warn("id=%s %lu refused for good, nobody is told: %s",
	    entry_id(j->entry), j->failed,
	    j->n_counts > 0 ? sbuf_str(&j->counts[0].reply) : "");
	return 0;
}

static void
set_outcome(struct job *j, bool has_left)
{
	struct entry *e = j->entry;
	const char *why = j->why.len > 0 ? j->why.data : "not tried";

	if (j->bury.len > 0)
		entry_bury(e, j->bury.data);
	else if (has_left)
		runner_defer(j->runner, e, why);
	else if (j->is_null && j->done + j->done_before == 0
	    && j->failed + j->expired > 0)
		entry_bury(e, "nobody got it, and it has no sender to tell");
	else
		entry_done(e, j->expired > 0 ? "expired" : "done");
}

int
job_settle(struct job *j)
{
	bool has_left;
	int rc;

	job_judge_refusals(j);
	if (job_flush(j) == -1)
		return -1;
	has_left = j->deferred > 0 || !j->is_at_end;
	if (has_left && j->bury.len == 0 && is_past_give_up(j)) {
		has_left = false;
		rc = expire_rest(j);
		if (rc == -1 && errno != EPROTO) {
			j->trouble = errno;
			return -1;
		}
		if (rc == -1)
			sbuf_set(&j->bury, "given up, and the distribution "
			    "list is malformed");
	}
	set_deliveries(j);
	if (has_left || j->bury.len > 0) {
		entry_needs_flush(j->entry);
		if (job_sync(j, true) == -1)
			entry_abandon(j->entry, errno);
	}
	if (settle_failures(j) == -1)
		entry_abandon(j->entry, errno);
	set_outcome(j, has_left);
	return 0;
}

int
job_put_by(struct job *j)
{
	return job_flush(j) == -1 || job_sync(j, true) == -1 ? -1 : 0;
}
