/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bounce - who failed, and what becomes of the member?
 *
 * Reads mail to LIST-bounces+..., reports that came to other addresses of a
 * list, and what outbound hands over of recipients that were refused.  Only
 * what a VERP MAC or our own outbound proves ever scores.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/mail/verp.h"
#include "runners/bounce/bounce.h"

void *
bounce_init(struct runner *r)
{
	(void)r;
	return listdb_open(STORE_WRITE);
}

void
bounce_fini(struct runner *r, void *data)
{
	struct listdb *db = data;

	(void)r;
	listdb_close(&db);
}

int
bounce_batch_end(struct runner *r)
{
	return listdb_commit(runner_data(r));
}

/* ---- recipients that our outbound saw refused ---------------------------- */

static int
score_line(struct scoring *s, const struct rcpt_reader *line)
{
	struct roster_member m = {0};
	struct sbuf status = {0}, text = {0};
	struct failure f = {.address = sbuf_str(&line->address),
		.is_proven = true};
	long long id = 0, code = 0;
	int rc = 0;

	(void)kv_get(line->words, "status", &status);
	(void)kv_get(line->words, "text", &text);
	if (kv_getn(line->words, "code", &code) == 1 && code < 1000)
		f.code = (int)code;
	f.status = sbuf_str(&status);
	f.text = sbuf_str(&text);
	if (kv_getn(line->words, "id", &id) == 1)
		rc = roster_get_id(s->roster, (unsigned long long)id, &m);
	if (rc != -1)
		rc = scoring_add(s, rc == 1 ? &m : NULL, &f);
	roster_member_free(&m);
	sbuf_free(&status);
	sbuf_free(&text);
	return rc;
}

static int
score_refused(struct scoring *s, struct entry *e)
{
	struct rcpt_reader line = {0};
	int fd, rc;

	fd = entry_rcpt_open(e, O_RDWR);
	if (fd == -1)
		return -1;
	rc = rcpt_read_begin(&line, fd);
	while (rc == 0 && (rc = rcpt_read(&line)) == 1) {
		rc = 0;
		if (line.state != RCPT_TODO)
			continue;
		rc = score_line(s, &line);
		/* The mark is for people: a repeat goes by the effect. */
		if (rc == 0)
			rc = rcpt_mark(fd, line.offset, RCPT_DONE);
	}
	rcpt_read_free(&line);
	io_close(&fd);
	return rc;
}

static int
handle_refused(struct runner *r, struct entry *e, const struct list *list)
{
	struct scoring s;
	int rc;

	rc = scoring_begin(&s, r, e, list);
	if (rc == 0)
		rc = score_refused(&s, e);
	if (rc == -1 && errno == EPROTO) {
		scoring_free(&s);
		entry_bury(e, "its distribution list is malformed");
		return 0;
	}
	if (rc == -1) {
		scoring_free(&s);
		return -1;
	}
	entry_set(e, "Bounce-Source", "smtp");
	entry_done(e, "done");
	return scoring_end(&s);
}

/* ---- reports by mail ----------------------------------------------------- */

/* The member that a VERP extension names, where its MAC is right: 1, 0, -1. */
static int
verp_member(struct runner *r, const struct entry *e, const struct list *list,
    struct roster_member *m)
{
	const char *extension = envelope_get(entry_envelope(e), "Extension");
	struct liststate *state = listdb_state(runner_data(r), list);
	struct roster *roster = listdb_roster(runner_data(r), list);
	unsigned char key[VERP_KEY_BYTES];
	struct sbuf address = {0}, mac = {0};
	unsigned long long id = 0;
	int rc;

	if (state == NULL || roster == NULL || liststate_key(state, key) == -1)
		return -1;
	if (extension == NULL ||
	    verp_split(extension, &address, &id, &mac) == 0) {
		sbuf_free(&address);
		sbuf_free(&mac);
		return 0;
	}
	rc = address.len > 0 ? roster_get(roster, address.data, m) :
	    roster_get_id(roster, id, m);
	if (rc == -1 && errno == EINVAL)
		rc = 0;
	if (rc == 1 && !verp_check(key, list->address, m->id, mac.data))
		rc = 0;
	sbuf_free(&address);
	sbuf_free(&mac);
	return rc;
}

/* The report's word on the member: the recipient of that address, else the
 * first that failed (a forwarded address bounces under another name). */
static const struct report_recipient *
pick_recipient(const struct report *report, const char *address)
{
	const struct report_recipient *first = NULL;
	size_t i;

	for (i = 0; i < report->n; i++) {
		if (report->recipients[i].kind != REPORT_FAILED)
			continue;
		if (strcasecmp(report->recipients[i].address, address) == 0)
			return &report->recipients[i];
		if (first == NULL)
			first = &report->recipients[i];
	}
	return first;
}

static int
score_verp(struct scoring *s, const struct report *report,
    struct roster_member *m)
{
	const struct report_recipient *who = pick_recipient(report,
	    m->address.data);
	struct failure f = {.address = m->address.data, .status = "",
		.text = "", .is_proven = true};

	if (who != NULL) {
		f.status = who->status;
		f.code = who->code;
		f.text = who->text;
	}
	return scoring_add(s, m, &f);
}

/* A report that nothing proves: told, never scored. */
static int
note_unproven(struct scoring *s, const struct report *report)
{
	struct failure f = {0};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < report->n && i < 20; i++) {
		f.address = report->recipients[i].address;
		f.status = report->recipients[i].status;
		f.code = report->recipients[i].code;
		f.text = report->recipients[i].text;
		rc = scoring_add(s, NULL, &f);
	}
	return rc;
}

static const char *
source_name(enum report_kind kind)
{
	switch (kind) {
	case REPORT_FAILED:
		return "report";
	case REPORT_DELAYED:
		return "delayed";
	case REPORT_DELIVERED:
		return "delivered";
	case REPORT_COMPLAINT:
		return "complaint";
	case REPORT_AUTO:
		return "auto";
	case REPORT_NONE:
	case REPORT_UNKNOWN:
		break;
	}
	return "unknown";
}

static int
apply_report(struct runner *r, struct entry *e, const struct list *list,
    const struct report *report)
{
	struct roster_member m = {0};
	struct scoring s = {0};
	int proven, rc;

	entry_set(e, "Bounce-Source", source_name(report->kind));
	if (report->kind == REPORT_NONE || report->kind == REPORT_UNKNOWN) {
		runner_forward(r, e, "hold");
		return 0;
	}
	entry_done(e, "done");
	if (report->kind != REPORT_FAILED)
		return 0;
	proven = verp_member(r, e, list, &m);
	rc = proven == -1 ? -1 : scoring_begin(&s, r, e, list);
	if (rc == 0)
		rc = proven == 1 ? score_verp(&s, report, &m) :
		    note_unproven(&s, report);
	if (rc == 0)
		rc = scoring_end(&s);
	else
		scoring_free(&s);
	roster_member_free(&m);
	return rc;
}

static int
handle_report(struct runner *r, struct entry *e, const struct list *list)
{
	struct report report = {0};
	int fd, rc;

	fd = entry_message_open(e);
	if (fd == -1)
		return -1;
	rc = report_read(fd, &report);
	io_close(&fd);
	if (rc == 0)
		rc = apply_report(r, e, list, &report);
	report_free(&report);
	return rc;
}

int
bounce_handle(struct runner *r, struct entry *e)
{
	const struct envelope *env = entry_envelope(e);
	const char *kind = envelope_get(env, "Kind");
	const struct list *list;

	if (!runner_list(r, e, &list))
		return 0;
	if (kind != NULL && strcmp(kind, "report") == 0 &&
	    envelope_get(env, "Parent") != NULL)
		return handle_refused(r, e, list);
	return handle_report(r, e, list);
}
