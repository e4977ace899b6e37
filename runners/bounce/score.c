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
#define NOTICES_MAX 20
#define TEXT_MAX 300

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

int
scoring_add(struct scoring *s, struct roster_member *m,
    const struct failure *f)
{
	struct sbuf address = {0};
	char day[11];

	write_bounce(s, m, f);
	if (m == NULL || s->is_repeat || !score_counts(f) ||
	    !score_point(s->list, m, clock_ms()))
		return 0;
	clock_format_day(m->scored, day);
	sbuf_printf(&s->answer, "member=%llu score=%u day=%s", m->id, m->score,
	    day);
	if (s->list->bounce_threshold > 0 && m->status != ROSTER_DISABLED &&
	    m->score >= s->list->bounce_threshold) {
		m->status = ROSTER_DISABLED;
		sbuf_printf(&address, "<%s>", sbuf_str(&m->address));
		kv_add(&s->answer, "disabled", "yes");
		kv_add(&s->answer, "address", address.data);
		add_reason(&s->answer, f);
		sbuf_free(&address);
	}
	sbuf_addc(&s->answer, '\n');
	return roster_set(s->roster, m);
}

/* "status=5.1.1 text=..." of a line of the answer, for the notice. */
static void
copy_reason(const char *line, struct child *c)
{
	struct sbuf value = {0}, reason = {0};

	if (kv_get(line, "status", &value) == 1)
		kv_add(&reason, "status", value.data);
	if (kv_get(line, "text", &value) == 1)
		kv_add(&reason, "text", sbuf_str(&value));
	child_set(c, "Reason", sbuf_str(&reason));
	sbuf_free(&value);
	sbuf_free(&reason);
}

/* From one line of the answer: the Score field, and the notice to the owners
 * where the member was disabled. */
static int
announce(struct scoring *s, const char *line)
{
	struct sbuf address = {0}, words = {0};
	struct child *c;
	int rc = 0;

	entry_set(s->entry, "Score", line);
	if (kv_get(line, "address", &address) == 1) {
		log_info("id=%s list=%s member disabled %s",
		    entry_id(s->entry), s->list->address, line);
		sbuf_adds(&words, "member-disabled to=owners");
		kv_add(&words, "address", address.data);
		/* Who loses a hundred at once reads the log. */
		if (s->announced++ < NOTICES_MAX) {
			c = runner_notice(s->runner, s->entry, words.data);
			if (c != NULL)
				copy_reason(line, c);
			else if (errno != 0)
				rc = -1;
		}
	}
	sbuf_free(&address);
	sbuf_free(&words);
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
