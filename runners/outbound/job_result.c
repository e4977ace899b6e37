/* SPDX-License-Identifier: BSD-2-Clause
 *
 * job_result - results are appended, then bytes flipped, then both flushed
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/spool/result.h"
#include "runners/outbound/job.h"

/* Results are on the disk this long after they happened, at the latest. */
#define SYNC_MS 1000
#define READ_SIZE ((size_t)64 * 1024)

static struct job_count *
count_of(struct job *j, const char *relay)
{
	size_t i;

	for (i = 0; i < j->n_counts; i++) {
		if (strcmp(j->counts[i].relay, relay) == 0)
			return &j->counts[i];
	}
	j->counts = xreallocarray(j->counts, j->n_counts + 1,
	    sizeof *j->counts);
	j->counts[j->n_counts] = (struct job_count){.relay = relay};
	return &j->counts[j->n_counts++];
}

static void
add_to_counts(struct job *j, const struct job_result *r)
{
	struct job_count *count;

	if (r->state == RCPT_EXPIRED) {
		j->expired++;
		return;
	}
	count = count_of(j, r->relay);
	switch (r->state) {
	case RCPT_DONE:
		j->done++;
		count->done++;
		break;
	case RCPT_FAILED:
		j->failed++;
		count->failed++;
		break;
	default:
		j->deferred++;
		count->deferred++;
		break;
	}
	sbuf_set(&count->reply, r->reply != NULL ? r->reply : "");
}

void
job_record(struct job *j, const struct job_result *r)
{
	struct result line = {.line = r->line, .time = clock_ms(),
		.state = r->state, .relay = r->relay, .code = r->code,
		.status = r->status != NULL ? r->status : "",
		.reply = r->reply != NULL ? r->reply : ""};

	add_to_counts(j, r);
	result_format(&line, &j->lines);
	if (r->state == RCPT_TODO) {
		sbuf_set(&j->why, line.reply);
		return;
	}
	if (j->n_marks == j->marks_cap) {
		j->marks_cap = j->marks_cap == 0 ? 16 : j->marks_cap * 2;
		j->marks = xreallocarray(j->marks, j->marks_cap,
		    sizeof *j->marks);
	}
	j->marks[j->n_marks++] = (struct job_mark){r->offset, r->state};
}

static int
append_lines(struct job *j)
{
	if (j->lines.len == 0)
		return 0;
	if (io_write_full(j->result, j->lines.data, j->lines.len) == -1) {
		int saved = errno;

		/* Half a line must not stay in front of the next. */
		if (io_ftruncate(j->result, j->result_size) == -1)
			log_debug("id=%s a torn result stays", entry_id(
			    j->entry));
		errno = saved;
		return -1;
	}
	j->result_size += (off_t)j->lines.len;
	sbuf_truncate(&j->lines, 0);
	if (j->dirty_since == 0)
		j->dirty_since = clock_mono_ms();
	return 0;
}

int
job_flush(struct job *j)
{
	size_t done = 0;

	j->trouble = 0;
	if (j->lines.len == 0 && j->n_marks == 0)
		return 0;
	if (append_lines(j) == -1)
		j->trouble = errno;
	while (j->trouble == 0 && done < j->n_marks) {
		if (rcpt_mark(j->rcpt, j->marks[done].offset,
		    j->marks[done].state) == -1)
			j->trouble = errno;
		else
			done++;
	}
	j->n_marks -= done;
	/* There may be no marks at all, where all were deferred. */
	if (j->n_marks > 0)
		memmove(j->marks, j->marks + done,
		    j->n_marks * sizeof *j->marks);
	return j->trouble == 0 ? 0 : -1;
}

int
job_sync(struct job *j, bool is_now)
{
	if (j->dirty_since == 0
	    || (!is_now && clock_mono_ms() - j->dirty_since < SYNC_MS))
		return 0;
	if (io_fdatasync(j->result) == -1 || io_fdatasync(j->rcpt) == -1)
		return -1;
	j->dirty_since = 0;
	return 0;
}

/* ---- an attempt that was cut short ---------------------------------- */

static void
learn(struct job *j, void *most, char *line, off_t at)
{
	struct result r;

	(void)at;
	if (result_parse(line, &r) == -1 || r.state == RCPT_TODO
	    || r.line > *(unsigned long *)most)
		return;
	if (r.line >= j->n_known) {
		size_t n = r.line + 1024;

		j->known = xreallocarray(j->known, n, 1);
		memset(j->known + j->n_known, 0, n - j->n_known);
		j->n_known = n;
	}
	if (r.state == RCPT_FAILED && j->known[r.line] == 0)
		j->failed++;
	if (r.state == RCPT_DONE && j->known[r.line] == 0)
		j->done++;
	j->known[r.line] = r.state;
}

int
job_scan_results(struct job *j, off_t from,
    void (*fn)(struct job *j, void *ctx, char *line, off_t at), void *ctx,
    off_t *end)
{
	struct sbuf text = {0};
	ssize_t got;
	size_t used;
	char *lf;

	*end = from;
	for (;;) {
		sbuf_reserve(&text, READ_SIZE);
		got = io_pread_full(j->result, text.data + text.len, READ_SIZE,
		    *end + (off_t)text.len);
		if (got <= 0)
			break;
		text.len += (size_t)got;
		sbuf_truncate(&text, text.len);
		for (used = 0; (lf = memchr(text.data + used, '\n',
		    text.len - used)) != NULL;
		    used = (size_t)(lf - text.data) + 1) {
			*lf = '\0';
			fn(j, ctx, text.data + used, *end + (off_t)used);
		}
		/* No line is as long as that: over what is none. */
		if (used == 0 && text.len > READ_SIZE)
			used = text.len;
		*end += (off_t)used;
		memmove(text.data, text.data + used, text.len - used);
		sbuf_truncate(&text, text.len - used);
	}
	sbuf_free(&text);
	return got == 0 ? 0 : -1;
}

/* Flip what the attempt had not come to flip. */
static int
mark_known(struct job *j)
{
	int rc;

	while ((rc = rcpt_read(&j->reader)) == 1) {
		unsigned long line = j->reader.line;

		if (j->reader.state != RCPT_TODO || line >= j->n_known
		    || j->known[line] == 0)
			continue;
		if (rcpt_mark(j->rcpt, j->reader.offset, j->known[line]) == -1)
			return -1;
	}
	free(j->known);
	j->known = NULL;
	j->n_known = 0;
	rcpt_read_free(&j->reader);
	/* A malformed line is met again by the attempt itself. */
	if (rc == -1 && errno != EPROTO)
		return -1;
	return rcpt_read_begin(&j->reader, j->rcpt);
}

int
job_recover(struct job *j)
{
	const char *delivery = envelope_get(entry_envelope(j->entry),
	    "Delivery");
	long long start = 0;
	unsigned long most;
	off_t end;

	if (delivery != NULL && kv_getn(delivery, "results", &start) != 1)
		start = 0;
	if (start > j->result_size)
		start = j->result_size;
	j->attempt_start = start;
	if (j->result_size == start)
		return 0;
	/* A line of the list has two bytes at least. */
	most = (unsigned long)(j->rcpt_size / 2);
	if (job_scan_results(j, start, learn, &most, &end) == -1)
		return -1;
	/* A torn last line does not count, and the next is not to be
	 * appended to it. */
	if (end < j->result_size && io_ftruncate(j->result, end) == -1)
		return -1;
	j->result_size = end;
	return j->n_known > 0 ? mark_known(j) : 0;
}

/* ---- refusals ------------------------------------------------------- */

static void
record_refusal(struct job *j, const struct job_refusal *refusal, char state)
{
	struct job_result r = {.line = refusal->line,
		.offset = refusal->offset, .state = state,
		.relay = refusal->relay, .code = refusal->code,
		.status = refusal->status, .reply = refusal->reply};

	job_record(j, &r);
}

void
job_judge_refusals(struct job *j)
{
	bool is_fault = !j->is_heard && j->done == 0
	    && j->n_refusals >= SMTP_ALL_REFUSED;
	size_t i;

	if (is_fault)
		job_alarm(j, j->refusals[0].relay, j->refusals[0].reply);
	for (i = 0; i < j->n_refusals; i++) {
		record_refusal(j, &j->refusals[i],
		    is_fault ? RCPT_TODO : RCPT_FAILED);
		free(j->refusals[i].reply);
	}
	free(j->refusals);
	j->refusals = NULL;
	j->n_refusals = 0;
}

void
job_refuse(struct job *j, const char *relay, const struct smtp_rcpt *rcpt)
{
	struct job_refusal r = {.line = rcpt->line, .offset = rcpt->offset,
		.relay = relay, .code = rcpt->code};

	memcpy(r.status, rcpt->status, sizeof r.status);
	r.reply = xstrdup(rcpt->reply != NULL ? rcpt->reply : "");
	if (j->is_heard || j->done > 0) {
		record_refusal(j, &r, RCPT_FAILED);
		free(r.reply);
		return;
	}
	if ((j->n_refusals & (j->n_refusals - 1)) == 0)
		j->refusals = xreallocarray(j->refusals,
		    j->n_refusals == 0 ? 1 : j->n_refusals * 2,
		    sizeof *j->refusals);
	j->refusals[j->n_refusals++] = r;
	if (j->n_refusals >= JOB_REFUSALS_MAX)
		job_stop(j, "all recipients were refused");
}

void
job_alarm(struct job *j, const char *relay, const char *reply)
{
	struct sbuf text = {0};

	if (j->is_alarmed)
		return;
	j->is_alarmed = true;
	sbuf_printf(&text, "id=%s relay=%s alarm: not its recipients' fault, "
	    "deferred: %s", entry_id(j->entry), relay,
	    reply != NULL ? reply : "");
	log_warn("%s", sbuf_str(&text));
	runner_status(j->runner, sbuf_str(&text));
	sbuf_free(&text);
}
