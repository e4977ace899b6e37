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

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/mail/address.h"
#include "common/mail/verp.h"
#include "runners/bounce/bounce.h"

/* A report names this many recipients at most that are looked at. */
#define NAMED_MAX 50

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

/* Nothing of it will ever be there: bury.  Else -1, trouble of this host. */
static int
bury_missing(struct entry *e, const char *why)
{
	if (errno != ENOENT && errno != EINVAL && errno != ELOOP &&
	    errno != EACCES)
		return -1;
	entry_bury(e, why);
	return 0;
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

/* Walk the open list; s NULL: only see whether it is whole, so that a broken
 * one scores nobody. */
static int
walk_refused(struct scoring *s, int fd)
{
	struct rcpt_reader line = {0};
	int rc;

	rc = rcpt_read_begin(&line, fd);
	while (rc == 0 && (rc = rcpt_read(&line)) == 1) {
		rc = 0;
		if (s == NULL || line.state != RCPT_TODO)
			continue;
		rc = score_line(s, &line);
		/* The mark is for people: a repeat goes by the effect. */
		if (rc == 0)
			rc = rcpt_mark(fd, line.offset, RCPT_DONE);
	}
	rcpt_read_free(&line);
	return rc;
}

static int
score_refused(struct runner *r, struct entry *e, const struct list *list,
    int fd)
{
	struct scoring s;
	int rc;

	rc = walk_refused(NULL, fd);
	if (rc == -1 && (errno == EPROTO || errno == ENOTSUP)) {
		entry_bury(e, "its distribution list is malformed");
		return 0;
	}
	if (rc == -1)
		return -1;
	rc = scoring_begin(&s, r, e, list);
	if (rc == 0)
		rc = walk_refused(&s, fd);
	if (rc == -1) {
		scoring_free(&s);
		return -1;
	}
	entry_set(e, "Bounce-Source", "smtp");
	entry_done(e, "done");
	return scoring_end(&s);
}

static int
handle_refused(struct runner *r, struct entry *e, const struct list *list)
{
	int fd, rc;

	fd = entry_rcpt_open(e, O_RDWR);
	if (fd == -1)
		return bury_missing(e, "a report of refused recipients "
		    "without their list");
	rc = score_refused(r, e, list, fd);
	io_close(&fd);
	return rc;
}

/* ---- reports by mail ----------------------------------------------------- */

/* The member that a VERP extension names, where its MAC is right: 1, 0, -1. */
static int
verp_member(struct runner *r, const struct scoring *s, const char *extension,
    struct roster_member *m)
{
	struct liststate *state = listdb_state(runner_data(r), s->list);
	unsigned char key[VERP_KEY_BYTES];
	struct sbuf address = {0}, mac = {0};
	unsigned long long id = 0;
	int rc = 0;

	if (state == NULL || liststate_key(state, key) == -1)
		return -1;
	if (verp_split(extension, &address, &id, &mac) == 1) {
		rc = address.len > 0 ?
		    roster_get(s->roster, address.data, m) :
		    roster_get_id(s->roster, id, m);
		if (rc == -1 && errno == EINVAL)
			rc = 0;
		if (rc == 1 &&
		    !verp_check(key, s->list->address, m->id, mac.data))
			rc = 0;
	}
	sbuf_free(&address);
	sbuf_free(&mac);
	return rc;
}

static bool
is_of(const struct report_recipient *who, const char *address)
{
	return (who->original != NULL &&
	    address_is_same(who->original, address)) ||
	    address_is_same(who->address, address);
}

/* The report's word on the member: the recipient of that address, else the
 * first that failed (a forwarded address bounces under another name).  NULL
 * where it says that the member's mail did not fail, or names nobody. */
static const struct report_recipient *
pick_recipient(const struct report *report, const char *address,
    bool *has_failed)
{
	const struct report_recipient *first = NULL;
	size_t i;

	*has_failed = true;
	for (i = 0; i < report->n; i++) {
		const struct report_recipient *who = &report->recipients[i];

		if (is_of(who, address)) {
			*has_failed = who->kind == REPORT_FAILED;
			return *has_failed ? who : NULL;
		}
		if (first == NULL && who->kind == REPORT_FAILED)
			first = who;
	}
	return first;
}

static int
score_verp(struct scoring *s, const struct report *report,
    struct roster_member *m)
{
	bool has_failed;
	const struct report_recipient *who = pick_recipient(report,
	    sbuf_str(&m->address), &has_failed);
	struct failure f = {.address = sbuf_str(&m->address), .status = "",
		.text = "", .is_proven = true};

	if (!has_failed)
		return 0;
	if (who != NULL) {
		f.status = who->status;
		f.code = who->code;
		f.text = who->text;
	}
	return scoring_add(s, m, &f);
}

/* The member that a report's recipient is: by whom we had sent to, else by
 * whom it failed for.  1, 0, -1. */
static int
find_member(struct scoring *s, const struct report_recipient *who,
    struct roster_member *m)
{
	int rc = 0;

	if (who->original != NULL)
		rc = roster_get(s->roster, who->original, m);
	if (rc == 0 || (rc == -1 && errno == EINVAL))
		rc = roster_get(s->roster, who->address, m);
	return rc == -1 && errno == EINVAL ? 0 : rc;
}

/* A report that no MAC proves is told.  It scores only where the list sends
 * without VERP, so that there is no proof to be had, and it came to the plain
 * bounce address and gives a status in so many words. */
static int
score_named(struct scoring *s, const struct report *report, bool is_plain)
{
	bool may_score = is_plain && s->list->verp == LIST_VERP_NONE;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < report->n && i < NAMED_MAX; i++) {
		const struct report_recipient *who = &report->recipients[i];
		struct failure f = {.address = who->address,
			.status = who->status, .code = who->code,
			.text = who->text,
			.is_proven = may_score && *who->status != '\0'};
		struct roster_member m = {0};

		if (who->kind != REPORT_FAILED)
			continue;
		rc = find_member(s, who, &m);
		if (rc != -1)
			rc = scoring_add(s, rc == 1 ? &m : NULL, &f);
		roster_member_free(&m);
	}
	return rc;
}

static int
score_report(struct runner *r, struct entry *e, const struct list *list,
    const struct report *report)
{
	const struct envelope *env = entry_envelope(e);
	const char *extension = envelope_get(env, "Extension");
	const char *role = envelope_get(env, "Role");
	struct roster_member m = {0};
	struct scoring s;
	int rc;

	if (extension != NULL && *extension == '\0')
		extension = NULL;
	rc = scoring_begin(&s, r, e, list);
	if (rc == 0 && extension != NULL)
		rc = verp_member(r, &s, extension, &m);
	if (rc == 1)
		rc = score_verp(&s, report, &m);
	else if (rc == 0)
		rc = score_named(&s, report, extension == NULL &&
		    role != NULL && strcmp(role, "bounces") == 0);
	if (rc == 0)
		rc = scoring_end(&s);
	else
		scoring_free(&s);
	roster_member_free(&m);
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

/* Who should look at it?  What nobody can read, and an answering machine's mail
 * to the list itself. */
static bool
is_for_people(const struct entry *e, enum report_kind kind)
{
	const char *role = envelope_get(entry_envelope(e), "Role");

	return kind == REPORT_NONE || kind == REPORT_UNKNOWN ||
	    (kind == REPORT_AUTO && role != NULL && strcmp(role, "post") == 0);
}

static int
handle_report(struct runner *r, struct entry *e, const struct list *list)
{
	struct report report = {0};
	int fd, rc;

	fd = entry_message_open(e);
	if (fd == -1)
		return bury_missing(e, "its message is no file that can be "
		    "read");
	rc = report_read(fd, &report);
	io_close(&fd);
	if (rc == -1)
		return -1;
	entry_set(e, "Bounce-Source", source_name(report.kind));
	if (is_for_people(e, report.kind))
		runner_forward(r, e, "hold");
	else
		entry_done(e, "done");
	if (report.kind == REPORT_FAILED)
		rc = score_report(r, e, list, &report);
	report_free(&report);
	return rc;
}

int
bounce_handle(struct runner *r, struct entry *e)
{
	const struct envelope *env = entry_envelope(e);
	const char *kind = envelope_get(env, "Kind");
	struct listdb *db = runner_data(r);
	const struct list *list;

	if (!runner_list(r, e, &list))
		return 0;
	/* One list's broken roster or state is that list's trouble alone. */
	if (listdb_state(db, list) == NULL) {
		runner_defer_error(r, e, "the list's state");
		return 0;
	}
	if (listdb_roster(db, list) == NULL) {
		runner_defer_error(r, e, "the list's roster");
		return 0;
	}
	if (kind != NULL && strcmp(kind, "report") == 0 &&
	    envelope_get(env, "Parent") != NULL)
		return handle_refused(r, e, list);
	return handle_report(r, e, list);
}
