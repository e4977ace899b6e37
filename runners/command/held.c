/* SPDX-License-Identifier: BSD-2-Clause
 *
 * held - what waits for a list's moderators, for the notice that tells them
 *
 * The held/ of moderation is only read here; an entry that moves meanwhile is
 * left out, or in: the notice says how things were.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/mail/text.h"
#include "common/system/fsutil.h"
#include "runners/command/command.h"

#define SHOWN_MAX 50
/* The first so many with their text: lines and bytes of it. */
#define TEXTS_MAX 20
#define TEXT_LINES 20
#define TEXT_BYTES 1024
/* Whatever they say, the mail stays below 200 KB, of which quoted-printable
 * may take three bytes for one. */
#define ITEMS_BYTES (60 * 1024)
#define VALUE_BYTES 300
#define ITEM_BYTES (3 * 1024)
/* More entries than this are not opened, whosever they are. */
#define LOOKED_MAX 5000

struct search {
	struct order *order;
	struct held *held;
	const char *queue;
	const char *about;      /* ID of the entry that the notice came from */
	bool is_about_seen;
};

static const char *
stage_of(void *ctx, const char *queue)
{
	return site_stage(ctx, queue);
}

/* One line of n bytes, whatever somebody wrote into it. */
static void
add_clean(struct sbuf *out, const char *value, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		sbuf_addc(out, (unsigned char)value[i] < ' ' ||
		    value[i] == 0x7f ? ' ' : value[i]);
	sbuf_addc(out, '\n');
}

static void
add_line(struct sbuf *out, const char *name, const char *value)
{
	size_t n = strlen(value);

	if (n > VALUE_BYTES) {
		n = VALUE_BYTES;
		/* Not in the middle of a character. */
		while (n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80)
			n--;
	}
	sbuf_printf(out, "  %s", name);
	add_clean(out, value, n);
}

/* The beginning of what it says; what cannot be read is left out. */
static void
add_text(struct search *s, const char *id)
{
	struct sbuf path = {0}, text = {0};
	const char *line;
	unsigned lines = 0;
	size_t n;
	int fd, rc = 0;

	sbuf_printf(&path, "msg/%s", id);
	fd = fs_open_regular(spool_dir(runner_spool(s->order->runner)),
	    path.data, O_RDONLY, NULL);
	sbuf_free(&path);
	if (fd != -1) {
		rc = text_first(fd, TEXT_BYTES, &text);
		io_close(&fd);
	}
	line = sbuf_str(&text);
	line += strspn(line, " \t\r\n");
	if (rc == 1 && *line != '\0')
		sbuf_adds(&s->held->items, "  Text:\n");
	for (; rc == 1 && *line != '\0' && lines < TEXT_LINES; lines++) {
		n = strcspn(line, "\n");
		sbuf_adds(&s->held->items, n == 0 ? "" : "    ");
		add_clean(&s->held->items, line, n);
		line += n + (line[n] == '\n');
	}
	if (*line != '\0' || text.len + 4 > TEXT_BYTES)
		sbuf_adds(&s->held->items, "    [...]\n");
	sbuf_free(&text);
}

static void
add_address(struct search *s, const char *name, char letter,
    const char *token)
{
	struct sbuf extension = {0}, address = {0};

	sbuf_printf(&extension, "%c%s", letter, token);
	answer_confirm_address(s->order->list, extension.data, &address);
	sbuf_printf(&s->held->items, "  %s<mailto:%s>\n", name, address.data);
	sbuf_free(&extension);
	sbuf_free(&address);
}

static void
show(struct search *s, const struct envelope *env, const char *token,
    const char *id)
{
	const char *size = envelope_get(env, "Size");
	const char *from = envelope_get(env, "Author");
	const char *subject = envelope_get(env, "Subject");
	const char *reason = envelope_get(env, "Reason");
	struct sbuf *items = &s->held->items, text = {0};

	if (from == NULL)
		from = envelope_get(env, "Mail-From");
	if (s->held->shown++ > 0)
		sbuf_addc(items, '\n');
	add_line(items, "From:     ", from == NULL ? "unknown" : from);
	add_line(items, "Subject:  ", subject == NULL ? "none" : subject);
	if (reason != NULL && kv_get(reason, "text", &text) == 1)
		add_line(items, "Reason:   ", text.data);
	if (size != NULL) {
		sbuf_truncate(&text, 0);
		sbuf_printf(&text, "%s bytes", size);
		add_line(items, "Size:     ", text.data);
	}
	add_address(s, "approve:  ", 'a', token);
	add_address(s, "reject:   ", 'r', token);
	add_address(s, "discard:  ", 'd', token);
	if (s->held->shown <= TEXTS_MAX)
		add_text(s, id);
	sbuf_free(&text);
}

/* Count an envelope where it is a held one of this list. */
static void
take(struct search *s, const struct envelope *env, const char *id)
{
	const char *list = envelope_get(env, "List");
	const char *held = envelope_get(env, "Held");
	struct sbuf token = {0}, until = {0};
	int64_t ms;

	if (list != NULL && strcmp(list, s->order->list->address) == 0 &&
	    held != NULL && strcmp(envelope_last(env)->exit, "hold") == 0 &&
	    kv_get(held, "token", &token) == 1) {
		s->held->count++;
		if (kv_get(held, "until", &until) == 1 &&
		    clock_parse(until.data, &ms) == 0 &&
		    (s->held->until == 0 || ms < s->held->until))
			s->held->until = ms;
		if (s->held->shown < SHOWN_MAX &&
		    s->held->items.len < ITEMS_BYTES - ITEM_BYTES)
			show(s, env, token.data, id);
	}
	sbuf_free(&token);
	sbuf_free(&until);
}

/* Read one, where it is still there and an envelope. */
static void
look(struct search *s, const char *path, const char *id)
{
	const struct site *site = runner_site(s->order->runner);
	struct sbuf bytes = {0}, why = {0};
	struct envelope env;

	if (fs_read(spool_dir(runner_spool(s->order->runner)), path,
	    ENVELOPE_MAX, &bytes) == 0 &&
	    envelope_parse(&env, sbuf_str(&bytes), bytes.len, &why) == 0) {
		/* site_stage takes a const site and writes nothing. */
		envelope_set_stages(&env, stage_of, (void *)(uintptr_t)site);
		take(s, &env, id);
		envelope_free(&env);
	}
	sbuf_free(&bytes);
	sbuf_free(&why);
}

static int
look_at_all(struct search *s)
{
	struct spool_scan *scan;
	const char *name, *folder;
	struct sbuf path = {0};
	unsigned n = 0;
	int rc = 0;

	scan = spool_scan_open(runner_spool(s->order->runner), s->queue,
	    SPOOL_HELD, 0);
	if (scan == NULL)
		return -1;
	while (n++ < LOOKED_MAX &&
	    (rc = spool_scan_next(scan, &name, &folder)) == 1) {
		if (!id_is_valid(name))
			continue;
		if (s->about != NULL && strcmp(name, s->about) == 0)
			s->is_about_seen = true;
		sbuf_truncate(&path, 0);
		sbuf_printf(&path, "%s/held/%s", s->queue, name);
		look(s, path.data, name);
	}
	spool_scan_close(&scan);
	sbuf_free(&path);
	return rc == -1 ? -1 : 0;
}

/* The entry that caused the notice moves into held/ after it: it may be decided
 * and not there yet. */
static int
look_at_about(struct search *s)
{
	struct sbuf path = {0};
	enum spool_place place;
	int rc;

	if (s->about == NULL || s->is_about_seen || !id_is_valid(s->about))
		return 0;
	rc = spool_find(runner_spool(s->order->runner), s->queue, s->about,
	    &place, &path);
	if (rc == 1 && (place == SPOOL_CUR || place == SPOOL_HELD))
		look(s, path.data, s->about);
	sbuf_free(&path);
	return rc == -1 ? -1 : 0;
}

/* The queue that asked for this notice: who sealed its creation. */
static const char *
asking_queue(const struct envelope *env)
{
	size_t i = env->n_blocks;

	while (i > 1 && !env->trails[i - 1].is_creation)
		i--;
	return env->trails[i - 1].queue;
}

int
held_list(struct order *o, struct held *held)
{
	const struct envelope *env = entry_envelope(o->entry);
	struct search s = {.order = o, .held = held,
		.queue = asking_queue(env),
		.about = envelope_get(env, "About")};

	if (site_queue(runner_site(o->runner), s.queue) == NULL)
		return 0;
	if (look_at_all(&s) == -1 || look_at_about(&s) == -1)
		return -1;
	if (held->count > held->shown)
		sbuf_printf(&held->items, "\n  ... and %u more\n",
		    held->count - held->shown);
	/* The template ends the last line. */
	if (held->items.len > 0)
		sbuf_truncate(&held->items, held->items.len - 1);
	return 0;
}

void
held_free(struct held *held)
{
	sbuf_free(&held->items);
}
