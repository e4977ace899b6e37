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

static void
write_bounce(struct scoring *s, const struct roster_member *m,
    const struct failure *f)
{
	struct sbuf line = {0};

	sbuf_printf(&line, "<%s>", f->address);
	if (m != NULL)
		kv_addn(&line, "member", (long long)m->id);
	kv_add(&line, "class", report_class(f->status));
	if (*f->status != '\0')
		kv_add(&line, "status", f->status);
	if (f->code != 0)
		kv_addn(&line, "code", f->code);
	kv_add(&line, "text", f->text);
	entry_set(s->entry, "Bounce", line.data);
	sbuf_free(&line);
}

int
scoring_add(struct scoring *s, struct roster_member *m,
    const struct failure *f)
{
	char day[11];

	write_bounce(s, m, f);
	if (m == NULL || s->is_repeat || !f->is_proven ||
	    !report_scores(f->status) ||
	    !score_point(s->list, m, clock_ms()))
		return 0;
	clock_format_day(m->scored, day);
	sbuf_printf(&s->answer, "member=%llu score=%u day=%s", m->id, m->score,
	    day);
	if (s->list->bounce_threshold > 0 && m->status != ROSTER_DISABLED &&
	    m->score >= s->list->bounce_threshold) {
		m->status = ROSTER_DISABLED;
		sbuf_adds(&s->answer, " disabled=yes");
		kv_add(&s->answer, "address", m->address.data);
	}
	sbuf_addc(&s->answer, '\n');
	return roster_set(s->roster, m);
}

/* From one line of the answer: the Score field, and the notice to the owners
 * where the member was disabled.  One notice at most is asked for a list and
 * hour by command, so each is. */
static int
announce(struct scoring *s, const char *line)
{
	struct sbuf value = {0}, words = {0};
	struct child *c;
	int rc = 0;

	entry_set(s->entry, "Score", line);
	if (kv_get(line, "address", &value) == 1) {
		log_info("id=%s list=%s member disabled %s",
		    entry_id(s->entry), s->list->address, line);
		sbuf_adds(&words, "member-disabled to=owners");
		kv_add(&words, "address", value.data);
		errno = 0;
		c = runner_notice(s->runner, s->entry, words.data);
		if (c == NULL && errno != 0)
			rc = -1;
	}
	sbuf_free(&value);
	sbuf_free(&words);
	return rc;
}

int
scoring_end(struct scoring *s)
{
	char *line, *save = NULL;
	int rc = 0;

	if (!s->is_repeat)
		rc = store_effect_put(roster_store(s->roster),
		    entry_id(s->entry), sbuf_str(&s->answer));
	if (rc == 0 && s->answer.len > 0) {
		for (line = strtok_r(s->answer.data, "\n", &save);
		    rc == 0 && line != NULL;
		    line = strtok_r(NULL, "\n", &save))
			rc = announce(s, line);
	}
	scoring_free(s);
	return rc;
}

void
scoring_free(struct scoring *s)
{
	sbuf_free(&s->answer);
}
