/* SPDX-License-Identifier: BSD-2-Clause
 *
 * score - points of members, recorded with the entry that gave them
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/log.h"
#include "runners/bounce/bounce.h"

#define DAY (24LL * 60 * 60 * 1000)
/* What was answered to an entry is remembered this long, for a repeat. */
#define KEEP_ANSWERS (30 * DAY)
/* An envelope is not a list: the first of many are told. */
#define BOUNCES_MAX 200
#define TEXT_MAX 300
/* Owners hear of disabled members at most this often per list: an hour, and a
 * moment for command, which counts its hour from when it sends. */
#define TELL_EVERY (61 * 60 * 1000)
/* Who is disabled this shortly before a notice goes out may not be in it. */
#define TELL_MARGIN (60 * 1000)

bool
score_point(const struct list *list, struct roster_member *m, int64_t now)
{
	if (m->scored != 0 && m->scored / DAY == now / DAY)
		return false;
	if (m->scored != 0 && now - m->scored > list->bounce_stale)
		m->score = 0;
	m->score++;
	m->scored = now;
	return true;
}

bool
score_counts(const struct failure *f)
{
	/* A 4xx that was tried until nobody wanted to any more is no word on
	 * the mailbox. */
	return f->is_proven && (f->code == 0 || f->code >= 500) &&
	    report_scores(f->status);
}

int
scoring_begin(struct scoring *s, struct runner *r, struct entry *e,
    const struct list *list)
{
	struct listdb *db = runner_data(r);
	int rc;

	memset(s, 0, sizeof(*s));
	s->runner = r;
	s->entry = e;
	s->list = list;
	s->roster = listdb_roster(db, list);
	if (s->roster == NULL ||
	    listdb_begin(db, roster_store(s->roster)) == -1)
		return -1;
	rc = store_effect_get(roster_store(s->roster), entry_id(e),
	    &s->answer);
	s->is_repeat = rc == 1;
	return rc == -1 ? -1 : 0;
}

/* Text from outside, short enough for hundreds in an envelope. */
static void
add_text(struct sbuf *line, const char *key, const char *value)
{
	struct sbuf text = {0};
	size_t n = strlen(value);

	if (n > TEXT_MAX) {
		n = TEXT_MAX;
		/* Not in the middle of a character. */
		while (n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80)
			n--;
	}
	sbuf_add(&text, value, n);
	kv_add(line, key, sbuf_str(&text));
	sbuf_free(&text);
}

/* "status=5.1.1 text=..." */
static void
add_reason(struct sbuf *line, const struct failure *f)
{
	if (*f->status != '\0')
		add_text(line, "status", f->status);
	if (f->code != 0)
		kv_addn(line, "code", f->code);
	add_text(line, "text", f->text);
}

static void
write_bounce(struct scoring *s, const struct roster_member *m,
    const struct failure *f)
{
	struct sbuf line = {0};

	if (s->told++ >= BOUNCES_MAX)
		return;
	sbuf_addc(&line, '<');
	esc_add(&line, f->address, strnlen(f->address, TEXT_MAX));
	sbuf_addc(&line, '>');
	if (m != NULL)
		kv_addn(&line, "member", (long long)m->id);
	kv_add(&line, "class", report_class(f->status));
	add_reason(&line, f);
	entry_set(s->entry, "Bounce", line.data);
	sbuf_free(&line);
}

/* By which notice do the owners hear of those that this entry disables?  One
 * that waits for its time takes them in; else one is asked for. */
static int
plan_notice(struct scoring *s, bool *is_new)
{
	struct store *store = roster_store(s->roster);
	int64_t now = clock_ms();
	struct sbuf text = {0};
	long long last = 0;
	int rc;

	*is_new = false;
	if (s->due != 0)
		return 0;
	rc = store_effect_get(store, "disabled-due", &text);
	/* A time later than any notice waits for: the clock was set back. */
	if (rc == 1 && (kv_getn(text.data, "due", &last) != 1 ||
	    last > now + TELL_EVERY + TELL_MARGIN))
		last = 0;
	*is_new = last <= now + TELL_MARGIN;
	s->due = !*is_new ? last :
	    last != 0 && last + TELL_EVERY > now ? last + TELL_EVERY : now;
	if (rc != -1 && *is_new) {
		sbuf_truncate(&text, 0);
		kv_addn(&text, "due", s->due);
		rc = store_effect_put(store, "disabled-due", text.data);
	}
	sbuf_free(&text);
	return rc == -1 ? -1 : 0;
}

/* What the notice says of a member. */
static int
record_disabled(struct scoring *s, const struct roster_member *m,
    const struct failure *f)
{
	struct sbuf key = {0}, record = {0};
	int rc;

	sbuf_printf(&key, "disabled-%llu", m->id);
	kv_addn(&record, "due", s->due);
	add_reason(&record, f);
	rc = store_effect_put(roster_store(s->roster), key.data, record.data);
	sbuf_free(&key);
	sbuf_free(&record);
	return rc;
}

static int
disable(struct scoring *s, struct roster_member *m, const struct failure *f)
{
	struct sbuf address = {0};
	bool is_new;

	if (plan_notice(s, &is_new) == -1 || record_disabled(s, m, f) == -1)
		return -1;
	m->status = ROSTER_DISABLED;
	sbuf_printf(&address, "<%s>", sbuf_str(&m->address));
	kv_add(&s->answer, "disabled", "yes");
	kv_add(&s->answer, "address", address.data);
	add_reason(&s->answer, f);
	if (is_new)
		kv_addn(&s->answer, "notice", s->due);
	sbuf_free(&address);
	return 0;
}

int
scoring_add(struct scoring *s, struct roster_member *m,
    const struct failure *f)
{
	char day[11];

	write_bounce(s, m, f);
	if (m == NULL || s->is_repeat || !score_counts(f) ||
	    !score_point(s->list, m, clock_ms()))
		return 0;
	clock_format_day(m->scored, day);
	sbuf_printf(&s->answer, "member=%llu score=%u day=%s", m->id, m->score,
	    day);
	if (s->list->bounce_threshold > 0 && m->status != ROSTER_DISABLED &&
	    m->score >= s->list->bounce_threshold && disable(s, m, f) == -1)
		return -1;
	sbuf_addc(&s->answer, '\n');
	return roster_set(s->roster, m);
}

/* The notice to the owners, from a line of the answer: it names this member,
 * and tells of all that bounce recorded for its time. */
static int
ask_notice(struct scoring *s, const char *line, const char *address,
    int64_t due)
{
	struct sbuf words = {0}, value = {0}, reason = {0}, why = {0};
	char time[CLOCK_RFC3339_SIZE];
	struct child *c;

	if (kv_get(line, "status", &value) == 1) {
		kv_add(&reason, "status", value.data);
		sbuf_adds(&why, value.data);
	}
	if (kv_get(line, "text", &value) == 1) {
		kv_add(&reason, "text", value.data);
		sbuf_printf(&why, "%s%s", why.len > 0 ? " " : "", value.data);
	}
	sbuf_adds(&words, "member-disabled to=owners");
	kv_add(&words, "address", address);
	kv_add(&words, "reason", sbuf_str(&why));
	kv_addn(&words, "due", due);
	clock_format(due, time);
	c = runner_notice(s->runner, s->entry, words.data);
	if (c != NULL) {
		child_set(c, "Reason", sbuf_str(&reason));
		child_set(c, "Not-Before", time);
	}
	sbuf_free(&words);
	sbuf_free(&value);
	sbuf_free(&reason);
	sbuf_free(&why);
	return c == NULL && errno != 0 ? -1 : 0;
}

/* From one line of the answer: the Score field, and the notice to the owners
 * where the member was disabled and nobody tells it yet. */
static int
announce(struct scoring *s, const char *line)
{
	struct sbuf address = {0};
	long long due;
	int rc = 0;

	entry_set(s->entry, "Score", line);
	if (kv_get(line, "address", &address) == 1) {
		log_info("id=%s list=%s member disabled %s",
		    entry_id(s->entry), s->list->address, line);
		if (kv_getn(line, "notice", &due) == 1)
			rc = ask_notice(s, line, address.data, due);
	}
	sbuf_free(&address);
	return rc;
}

int
scoring_end(struct scoring *s)
{
	struct store *store = roster_store(s->roster);
	char *line, *save = NULL;
	int rc = 0;

	if (!s->is_repeat) {
		rc = store_effect_put(store, entry_id(s->entry),
		    sbuf_str(&s->answer));
		if (rc == 0)
			rc = store_effects_prune(store, KEEP_ANSWERS);
	}
	if (rc != -1 && s->answer.len > 0) {
		for (line = strtok_r(s->answer.data, "\n", &save);
		    rc != -1 && line != NULL;
		    line = strtok_r(NULL, "\n", &save))
			rc = announce(s, line);
	}
	scoring_free(s);
	return rc == -1 ? -1 : 0;
}

void
scoring_free(struct scoring *s)
{
	sbuf_free(&s->answer);
}
