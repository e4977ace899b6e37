/* SPDX-License-Identifier: BSD-2-Clause
 *
 * disabled - the members that one notice to the owners is about
 *
 * bounce records with each member that it disables which notice tells of it, so
 * that none is told twice and none is left out.
 */
#include <errno.h>
#include <string.h>

#include "common/base/esc.h"
#include "runners/command/command.h"

#define SHOWN_MAX 100

struct search {
	struct order *order;
	struct disabled *out;
	long long due;
};

/* "5.1.1 no such user": what the last bounce said. */
static void
read_reason(const char *record, struct sbuf *out)
{
	struct sbuf text = {0};

	if (kv_get(record, "status", out) != 1)
		sbuf_truncate(out, 0);
	if (kv_get(record, "text", &text) == 1 && text.len > 0) {
		/* Most replies begin with their status. */
		if (out->len > 0 && strstr(text.data, out->data) != NULL)
			sbuf_truncate(out, 0);
		sbuf_printf(out, "%s%s", out->len > 0 ? " " : "", text.data);
	}
	sbuf_free(&text);
}

void
disabled_add(struct disabled *d, const char *address, const char *reason)
{
	const char *p;

	if (d->count++ == 0) {
		sbuf_set(&d->address, address);
		sbuf_set(&d->reason, reason);
	}
	if (d->count > SHOWN_MAX)
		return;
	sbuf_printf(&d->members, "%s  %s", d->count > 1 ? "\n" : "", address);
	sbuf_adds(&d->members, *reason == '\0' ? "" : "\n      ");
	for (p = reason; *p != '\0'; p++)
		sbuf_addc(&d->members, (unsigned char)*p < ' ' ||
		    *p == 0x7f ? ' ' : *p);
}

static int
look(void *ctx, const struct roster_member *m)
{
	struct search *s = ctx;
	struct sbuf key = {0}, record = {0}, reason = {0};
	long long due;
	int rc;

	if (m->status != ROSTER_DISABLED)
		return 0;
	sbuf_printf(&key, "disabled-%llu", m->id);
	rc = store_effect_get(roster_store(s->order->roster), key.data,
	    &record);
	if (rc == 1 && kv_getn(record.data, "due", &due) == 1 &&
	    due == s->due) {
		read_reason(record.data, &reason);
		disabled_add(s->out, sbuf_str(&m->address),
		    sbuf_str(&reason));
	}
	sbuf_free(&key);
	sbuf_free(&record);
	sbuf_free(&reason);
	return rc == -1 ? -1 : 0;
}

int
disabled_list(struct order *o, long long due, struct disabled *out)
{
	struct search s = {.order = o, .out = out, .due = due};

	if (roster_each(o->roster, true, look, &s) == -1)
		return -1;
	return 0;
}

void
disabled_end(struct disabled *d)
{
	if (d->count > SHOWN_MAX)
		sbuf_printf(&d->members, "\n  ... and %u more",
		    d->count - SHOWN_MAX);
}

void
disabled_free(struct disabled *d)
{
	sbuf_free(&d->members);
	sbuf_free(&d->address);
	sbuf_free(&d->reason);
}
