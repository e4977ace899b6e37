/* SPDX-License-Identifier: BSD-2-Clause
 *
 * crash_hops - the hops to crash in, and what is to come of each
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/crash_hops.h"
#include "tests/unit/crash_seam.h"

/* ---- stages -------------------------------------------------------------- */

static bool
was(const struct entry *e, const char *exit)
{
	return strcmp(envelope_last(entry_envelope(e))->exit, exit) == 0;
}

static void
forward(struct entry *e)
{
	entry_set(e, "Identity", "<ann@example.net>");
	entry_forward(e, "accept", "outbound");
}

static void
stage_rcpt(struct rcpt_writer *w)
{
	(void)!rcpt_write(w, 'T', "ann@example.net", "id=1");
}

static void
make_children(struct entry *e)
{
	struct sbuf notice = {0};
	struct rcpt_writer w;
	struct child *c;

	sbuf_adds(&notice, NOTICE);
	c = entry_child(e, 'm', "moderation");
	if (c != NULL && child_share_message(c) == 0 &&
	    child_stage_rcpt(c, &w) == 0) {
		stage_rcpt(&w);
		(void)!child_stage_rcpt_end(c, &w);
	}
	c = entry_child(e, 'n', "command");
	if (c != NULL)
		(void)!child_stage_message(c, &notice, 17);
	sbuf_free(&notice);
}

static void
fan_out(struct entry *e)
{
	struct sbuf head = {0};
	struct rcpt_writer w;

	sbuf_adds(&head, HEADER);
	if (entry_stage_head(e, &head) == 0 && entry_stage_rcpt(e, &w) == 0) {
		stage_rcpt(&w);
		(void)!entry_stage_rcpt_end(e, &w);
	}
	make_children(e);
	forward(e);
	sbuf_free(&head);
}

static void
fan_out_and_end(struct entry *e)
{
	make_children(e);
	entry_done(e, "done");
}

static void
defer_once(struct entry *e)
{
	if (was(e, "defer"))
		forward(e);
	else
		entry_defer(e, 1800000000000, "not now");
}

static void
hold_once(struct entry *e)
{
	if (was(e, "hold"))
		forward(e);
	else
		entry_hold(e);
}

/* Held, and what a person then decides stages something. */
static void
hold_and_fan_out(struct entry *e)
{
	if (was(e, "hold"))
		fan_out(e);
	else
		entry_hold(e);
}

static void
bury(struct entry *e)
{
	entry_bury(e, "no good");
}

static void
end_with_results(struct entry *e)
{
	struct rcpt_writer w;
	int fd;

	if (was(e, "again")) {
		entry_done(e, "done");
		return;
	}
	fd = entry_result_open(e);
	if (fd != -1)
		close(fd);
	if (entry_stage_rcpt(e, &w) == 0) {
		stage_rcpt(&w);
		(void)!entry_stage_rcpt_end(e, &w);
	}
	entry_forward(e, "again", "auth");
}

static bool is_idle;

static void
give_up_once(struct entry *e)
{
	make_children(e);
	if (is_idle)
		forward(e);
	is_idle = true;
}

/* 1, 0 nothing is held, -1. */
static int
claim_held(struct entry **e)
{
	struct spool_scan *scan = spool_scan_open(crash_spool(), "moderation",
	    SPOOL_HELD, 0);
	struct sbuf why = {0};
	const char *name, *folder;
	int rc;

	if (scan == NULL)
		return -1;
	rc = spool_scan_next(scan, &name, &folder);
	if (rc == 1 && entry_claim(crash_spool(), SPOOL_HELD, "", name, e, &why) !=
	    ENTRY_CLAIMED)
		rc = -1;
	spool_scan_close(&scan);
	sbuf_free(&why);
	return rc;
}

/* ---- hops ---------------------------------------------------------------- */

/* 0, or -1 where this process has to end. */
static int
settle(struct entry **batch, size_t n)
{
	int rc = 0;
	size_t i;

	(void)!spool_commit(crash_spool(), batch, n);
	for (i = 0; i < n; i++) {
		if (entry_state(batch[i]) == ENTRY_STUCK ||
		    entry_state(batch[i]) == ENTRY_FENCED)
			rc = -1;
		entry_free(&batch[i]);
	}
	return rc;
}

/* A verdict: the held entry is settled with it; where there is none any more it
 * was settled before.  An error of the one must not lose the other, so they are
 * settled one by one where calls fail. */
static int
settle_verdict(struct entry *v)
{
	struct entry *batch[2] = {NULL, v};
	int rc = claim_held(&batch[0]);

	if (rc == 0)
		entry_done(v, "done");
	if (rc != 1)
		return settle(batch + 1, 1);
	forward(batch[0]);
	entry_needs_flush(batch[0]);
	if (crash_seam()->mode == KILL || crash_seam()->mode == TEAR) {
		entry_done(v, "done");
		return settle(batch, 2);
	}
	if (spool_commit(crash_spool(), batch, 1) == 0)
		entry_done(v, "done");
	if (entry_state(batch[0]) == ENTRY_STUCK)
		return -1;
	entry_free(&batch[0]);
	return settle(batch + 1, 1);
}

static int
adopt(const char *name, struct entry **e)
{
	struct spool_draft *d = spool_draft_begin(crash_spool());
	int rc = -1;

	if (d != NULL) {
		if (spool_draft_write(d, MESSAGE, strlen(MESSAGE)) == 0) {
			spool_draft_set(d, "Kind", "post");
			spool_draft_set(d, "Body-Offset", "12");
			rc = entry_bare_adopt(crash_spool(), name, &d, e);
		}
		spool_draft_free(&d);
	}
	if (rc == 0)
		return 1;
	return entry_bare_release(crash_spool(), name) == -1 ? -1 : 0;
}

/* One name as a runner has it: 0, or -1 to end. */
static int
handle_name(enum spool_place place, const char *folder, const char *name,
    crash_stage_fn *stage)
{
	struct sbuf why = {0};
	struct entry *e = NULL;
	int rc = 1;

	switch (entry_claim(crash_spool(), place, folder, name, &e, &why)) {
	case ENTRY_CLAIMED:
		break;
	case ENTRY_BARE:
		rc = adopt(why.data, &e);
		break;
	default:
		rc = 0;
		break;
	}
	sbuf_free(&why);
	if (rc != 1)
		return rc;
	if (stage == NULL)
		return settle_verdict(e);
	stage(e);
	return settle(&e, 1);
}

/* All that stands in one place. */
int
crash_handle(const char *queue, enum spool_place place,
    crash_stage_fn *stage)
{
	struct spool_scan *scan = spool_scan_open(crash_spool(), queue, place,
	    INT64_MAX);
	const char *name, *folder;
	int rc = 0;

	if (scan == NULL)
		return -1;
	while (rc == 0 && spool_scan_next(scan, &name, &folder) == 1)
		rc = handle_name(place, folder, name, stage);
	spool_scan_close(&scan);
	return rc;
}

void
crash_post_two(void)
{
	struct spool_draft *d[2] = {spool_draft_begin(crash_spool()), NULL};

	if (d[0] == NULL)
		return;
	if (spool_draft_write(d[0], MESSAGE, strlen(MESSAGE)) == 0)
		d[1] = spool_draft_share(d[0]);
	if (d[1] != NULL) {
		spool_draft_set(d[0], "Body-Offset", "12");
		spool_draft_set(d[1], "Body-Offset", "12");
		if (spool_draft_seal(d[0], "lmtp", "moderation") == 0 &&
		    spool_draft_seal(d[1], "lmtp", "command") == 0 &&
		    spool_draft_commit(crash_spool(), d, 2) == 0)
			crash_seam()->is_accepted = true;
	}
	spool_draft_free(&d[0]);
	spool_draft_free(&d[1]);
}

/* ---- scenarios ----------------------------------------------------------- */

static void
post_one(void)
{
	crash_post("auth", "post");
}

static void
run_once(const char *queue, crash_stage_fn *stage)
{
	ck_assert_int_eq(spool_own(crash_spool(), queue, "before"), 0);
	ck_assert_int_eq(crash_handle(queue, SPOOL_NEW, stage), 0);
	spool_disown(crash_spool());
}

static void
post_held(void)
{
	crash_post("auth", "post");
	run_once("auth", hold_once);
}

static void
post_results(void)
{
	crash_post("auth", "post");
	run_once("auth", end_with_results);
}

static void
post_verdict(void)
{
	crash_post("moderation", "post");
	run_once("moderation", hold_once);
	crash_post("moderation", "verdict");
}

static void
drop_bare(void)
{
	crash_drop("auth/new/hello+moving there", MESSAGE);
}

static void
drop_id(void)
{
	crash_drop("auth/new/0k3v9q2t7m-a-01", MESSAGE);
}

static void
adopt_bare(void)
{
	crash_drop("inbound/new/hello+moving there", MESSAGE);
	crash_drop("inbound/new/0k3v9q2t7m-a-01", MESSAGE);
}

static void
post_malformed(void)
{
	struct sbuf path = {0};

	crash_post("auth", "post");
	crash_find_one("auth/new", &path);
	ck_assert_int_eq(truncate(path.data, 30), 0);
	sbuf_free(&path);
}

/* An entry for inbound that stands in auth/new. */
static void
post_stray(void)
{
	struct sbuf from = {0}, to = {0};

	crash_post("inbound", "post");
	crash_find_one("inbound/new", &from);
	sbuf_printf(&to, "%s/spool/auth/new/%s", crash_root(),
	    strrchr(from.data, '/') + 1);
	ck_assert_int_eq(rename(from.data, to.data), 0);
	sbuf_free(&from);
	sbuf_free(&to);
}

/* One that moderation waits for stands in auth/new. */
static void
post_forged(void)
{
	struct sbuf from = {0}, to = {0};

	crash_post("moderation", "post");
	crash_find_one("moderation/new", &from);
	sbuf_printf(&to, "%s/spool/auth/new/%s", crash_root(),
	    strrchr(from.data, '/') + 1);
	ck_assert_int_eq(rename(from.data, to.data), 0);
	sbuf_free(&from);
	sbuf_free(&to);
}

/* Files where the entry and its first child are to go. */
static void
post_in_the_way(void)
{
	struct sbuf path = {0}, way = {0};
	const char *id;

	crash_post("auth", "post");
	crash_find_one("auth/new", &path);
	id = strrchr(path.data, '/') + 1;
	sbuf_printf(&way, "outbound/new/%s", id);
	crash_drop(way.data, "not it\n");
	sbuf_truncate(&way, 0);
	sbuf_printf(&way, "moderation/new/%s.m1-1", id);
	crash_drop(way.data, "not it\n");
	sbuf_free(&path);
	sbuf_free(&way);
}

static const struct crash_scenario scenarios[] = {
	{"forward", post_one, AUTH, SPOOL_NEW, forward,
		.arrivals = {[OUTBOUND] = 1}},
	{"fan out", post_one, AUTH, SPOOL_NEW, fan_out, .arrivals =
		{[OUTBOUND] = 1, [MODERATION] = 1, [COMMAND] = 1},
		.has_head = true},
	{"fan out, done", post_one, AUTH, SPOOL_NEW, fan_out_and_end,
		.arrivals = {[MODERATION] = 1, [COMMAND] = 1}, .journal = 1},
	{"defer", post_one, AUTH, SPOOL_NEW, defer_once,
		.arrivals = {[OUTBOUND] = 1}},
	{"hold", post_one, AUTH, SPOOL_NEW, hold_once,
		.arrivals = {[OUTBOUND] = 1}},
	{"from held", post_held, AUTH, SPOOL_HELD, hold_and_fan_out,
		.arrivals = {[OUTBOUND] = 1, [MODERATION] = 1, [COMMAND] = 1},
		.has_head = true},
	{"bury", post_one, AUTH, SPOOL_NEW, bury, .dead = 1},
	{"done", post_results, AUTH, SPOOL_NEW, end_with_results,
		.journal = 1},
	{"no outcome", post_one, AUTH, SPOOL_NEW, give_up_once, .arrivals =
		{[OUTBOUND] = 1, [MODERATION] = 1, [COMMAND] = 1}},
	{"verdict", post_verdict, MODERATION, SPOOL_NEW, NULL,
		.arrivals = {[OUTBOUND] = 1}, .journal = 1},
	{"adopt", adopt_bare, INBOUND, SPOOL_NEW, forward,
		.arrivals = {[OUTBOUND] = 2}},
	{"foreign", drop_bare, AUTH, SPOOL_NEW, forward, .dead = 1,
		.kept = 1},
	{"foreign ID", drop_id, AUTH, SPOOL_NEW, forward, .dead = 1,
		.kept = 1},
	{"malformed", post_malformed, AUTH, SPOOL_NEW, forward, .dead = 1,
		.kept = 1},
	{"stray", post_forged, AUTH, SPOOL_NEW, forward, .dead = 1},
	{"in the way", post_in_the_way, AUTH, SPOOL_NEW, fan_out, .arrivals =
		{[OUTBOUND] = 1, [MODERATION] = 1, [COMMAND] = 1},
		.dead = 2, .kept = 2, .has_head = true},
	{"back", post_stray, AUTH, SPOOL_NEW, forward,
		.arrivals = {[INBOUND] = 1}},
};

void
crash_hop(const struct crash_scenario *s)
{
	const char *queue = crash_queue(s->queue);
	int rc;

	is_idle = false;
	if (spool_own(crash_spool(), queue, "hop") == -1)
		return;
	rc = crash_handle(queue, s->place, s->stage);
	/* Who got an error and lives on tries again, in the same process. */
	if (rc == 0 && (crash_seam()->mode == FAIL ||
	    crash_seam()->mode == FAIL_TWO))
		rc = crash_handle(queue, s->place, s->stage);
	if (rc == 0)
		spool_disown(crash_spool());
}

void
crash_calm(void)
{
	is_idle = true;
}

const struct crash_scenario *
crash_scenario(int i)
{
	return &scenarios[i];
}

int
crash_n_scenarios(void)
{
	return (int)(sizeof(scenarios) / sizeof(scenarios[0]));
}
