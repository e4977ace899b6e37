/* SPDX-License-Identifier: BSD-2-Clause
 *
 * look - find entries and read their envelopes, without claiming anything
 */
#include "runners/septet/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/system/fsutil.h"

/* Looks before an ID is said to be nowhere: it may be on its way from one
 * queue to the next. */
#define LOOKS 3
#define LOOK_PAUSE (20 * 1000 * 1000)
#define ID_DIGITS 10
#define MOVING "+moving"
/* Shorter beginnings of an ID would walk through everything for nothing. */
#define PREFIX_MIN 4
/* More are not looked for: one cannot be meant then. */
#define MATCHES_MAX 1000

static const enum spool_place places[] = {SPOOL_NEW, SPOOL_CUR, SPOOL_LATER,
	SPOOL_HELD, SPOOL_DEAD};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

void
look_free(struct look *l)
{
	sbuf_free(&l->folder);
	sbuf_free(&l->path);
}

int
look_absent(const char *id)
{
	return cli_fail(EXIT_DATA, "%s: no such entry; septet queue NAME lists "
	    "them, septet trace %s looks into the journal", id, id);
}

int
look_name(const char *file, char out[ID_SIZE])
{
	size_t n = strlen(file), mark = strlen(MOVING);

	if (n > mark && strcmp(file + n - mark, MOVING) == 0)
		n -= mark;
	if (n >= ID_SIZE)
		return 0;
	memcpy(out, file, n);
	out[n] = '\0';
	return id_is_valid(out);
}

int64_t
look_created(const char *id)
{
	int64_t us = 0;
	int i;

	for (i = 0; i < ID_DIGITS; i++) {
		char c = id[i];

		if (c >= '0' && c <= '9')
			us = us * 36 + (c - '0');
		else if (c >= 'a' && c <= 'z')
			us = us * 36 + (c - 'a' + 10);
		else
			return 0;
	}
	return us / 1000;
}

/* The folder between the place and the name of QUEUE/PLACE/FOLDER/NAME. */
static void
take_folder(struct look *l)
{
	const char *p = l->path.data, *end;
	int i;

	sbuf_set(&l->folder, "");
	for (i = 0; i < 2 && p != NULL; i++) {
		p = strchr(p, '/');
		p = p == NULL ? NULL : p + 1;
	}
	end = p == NULL ? NULL : strrchr(p, '/');
	if (end != NULL)
		sbuf_add(&l->folder, p, (size_t)(end - p));
}

/* 1, 0, -1. */
static int
find_exact(struct cli *c, const char *id, struct look *l)
{
	size_t i;
	int rc = 0;

	if (!id_is_valid(id))
		return 0;
	for (i = 0; rc == 0 && i < c->site->n_queues; i++) {
		l->queue = c->site->queues[i].name;
		rc = spool_find(c->spool, l->queue, id, &l->place, &l->path);
		if (rc == -1 && errno == ENOENT)
			rc = 0;
	}
	if (rc == 1) {
		strcpy(l->id, id);
		take_folder(l);
	}
	return rc;
}

/* What begins with a prefix. */
struct matches {
	const char *prefix;
	struct strv ids;
	struct look *best;      /* the shortest ID */
};

static void
take_match(struct matches *m, const char *id, const char *name,
    const char *folder)
{
	struct look *l = m->best;

	if (!strv_has(&m->ids, id))
		strv_add(&m->ids, id);
	if (m->ids.n > 1 && strlen(id) > strlen(l->id))
		return;
	strcpy(l->id, id);
	sbuf_set(&l->folder, folder);
	sbuf_set(&l->path, "");
	sbuf_printf(&l->path, "%s/%s/%s%s%s", l->queue,
	    spool_place_name(l->place), folder, *folder == '\0' ? "" : "/",
	    name);
}

/* Look for names that begin so in one place.  0 or -1. */
static int
match_place(struct cli *c, const char *queue, enum spool_place place,
    struct matches *m)
{
	struct spool_scan *scan;
	const char *name, *folder;
	char id[ID_SIZE];
	int rc = 0;

	scan = spool_scan_open(c->spool, queue, place, INT64_MAX);
	if (scan == NULL)
		return errno == ENOENT ? 0 : -1;
	while (m->ids.n < MATCHES_MAX &&
	    (rc = spool_scan_next(scan, &name, &folder)) == 1) {
		if (strncmp(name, m->prefix, strlen(m->prefix)) != 0 ||
		    !look_name(name, id))
			continue;
		if (m->ids.n == 0 || strlen(id) <= strlen(m->best->id)) {
			m->best->queue = queue;
			m->best->place = place;
		}
		take_match(m, id, name, folder);
	}
	spool_scan_close(&scan);
	return rc == -1 ? -1 : 0;
}

/* How many entries it may mean: one and its children are that one. */
static int
count_meant(const struct matches *m)
{
	size_t i, n;

	if (m->ids.n < 2)
		return (int)m->ids.n;
	n = strlen(m->best->id);
	for (i = 0; i < m->ids.n; i++) {
		const char *id = m->ids.items[i];

		if (strncmp(id, m->best->id, n) != 0 ||
		    (id[n] != '\0' && id[n] != '.'))
			return (int)m->ids.n;
	}
	return 1;
}

/* How many IDs begin with prefix; -1. */
static int
find_prefix(struct cli *c, const char *prefix, struct look *l)
{
	struct matches m = {.prefix = prefix, .best = l};
	size_t i, k;
	int rc = 0;

	if (!id_is_valid(prefix) || strlen(prefix) < PREFIX_MIN)
		return 0;
	for (i = 0; rc == 0 && i < c->site->n_queues; i++) {
		for (k = 0; rc == 0 && k < N_PLACES; k++)
			rc = match_place(c, c->site->queues[i].name, places[k],
			    &m);
	}
	if (rc == 0)
		rc = count_meant(&m);
	strv_free(&m.ids);
	return rc;
}

int
look_find(struct cli *c, const char *id, struct look *out)
{
	const struct timespec pause = {.tv_nsec = LOOK_PAUSE};
	int i, found = 0;

	for (i = 0; found == 0 && i < LOOKS; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		found = find_exact(c, id, out);
		if (found == 0)
			found = find_prefix(c, id, out);
	}
	if (found == -1)
		return cli_errno("%s", c->site->spool);
	if (found > 1)
		return cli_fail(EXIT_DATA, "%s: %d IDs begin so; say more of "
		    "it", id, found);
	return found == 1 ? 0 : LOOK_ABSENT;
}

static const char *
stage_of(void *ctx, const char *queue)
{
	return site_stage(ctx, queue);
}

int
look_parse(const struct cli *c, const struct sbuf *bytes, struct envelope *env,
    struct sbuf *why)
{
	if (envelope_parse(env, sbuf_str(bytes), bytes->len, why) == -1) {
		if (errno == ENOTSUP && why->len == 0)
			sbuf_set(why, "a higher version of the format");
		return -1;
	}
	envelope_set_stages(env, stage_of, c->site);
	return 1;
}

int
look_envelope(const struct cli *c, const char *path, struct envelope *env,
    struct sbuf *why)
{
	struct sbuf bytes = {0};
	int rc;

	sbuf_set(why, "");
	if (fs_read(spool_dir(c->spool), path, ENVELOPE_MAX, &bytes) == 0) {
		rc = look_parse(c, &bytes, env, why);
	} else if (errno == ENOENT) {
		rc = 0;
	} else {
		sbuf_set(why, errno == EINVAL || errno == ELOOP ?
		    "no regular file" : strerror(errno));
		rc = -1;
	}
	sbuf_free(&bytes);
	return rc;
}

size_t
look_first_block(const struct envelope *env)
{
	size_t i = env->n_blocks;

	while (i > 0) {
		i--;
		if (env->trails[i].is_creation)
			return i;
	}
	return 0;
}

const char *
look_from(const struct envelope *env)
{
	const char *from = envelope_get(env, "Author");

	if (from == NULL || *from == '\0')
		from = envelope_get(env, "Mail-From");
	return from == NULL ? "" : from;
}

static void
add_held(const struct envelope *env, struct sbuf *out)
{
	const char *held = envelope_get(env, "Held");
	const char *reason = envelope_get(env, "Reason");
	struct sbuf word = {0};

	sbuf_adds(out, "held");
	if (held != NULL && kv_get(held, "for", &word) == 1)
		sbuf_printf(out, " for %s", sbuf_str(&word));
	if (held != NULL && kv_get(held, "until", &word) == 1)
		sbuf_printf(out, " until %s", sbuf_str(&word));
	if (reason != NULL && kv_get(reason, "text", &word) == 1)
		sbuf_printf(out, ": %s", sbuf_str(&word));
	sbuf_free(&word);
}

void
look_why(const struct envelope *env, enum spool_place place, struct sbuf *out)
{
	const struct envelope_trail *last = envelope_last(env);
	const char *error = envelope_get(env, "Error");
	char due[CLOCK_RFC3339_SIZE];

	sbuf_set(out, "");
	switch (place) {
	case SPOOL_HELD:
		add_held(env, out);
		return;
	case SPOOL_LATER:
		if (last->due != 0) {
			clock_format(last->due, due);
			sbuf_printf(out, "due %s", due);
		}
		break;
	case SPOOL_CUR:
		sbuf_printf(out, "with %s", env->open_owner == NULL ?
		    "a runner" : env->open_owner);
		return;
	case SPOOL_NEW:
		return;
	case SPOOL_DEAD:
		break;
	}
	if (error != NULL)
		sbuf_printf(out, "%s%s", out->len > 0 ? ": " : "", error);
}

bool
look_is_foreign(const struct envelope *env)
{
	const char *source = envelope_get(env, "Source");
	struct sbuf kept = {0};
	bool is;

	is = source != NULL && kv_get(source, "kept", &kept) == 1;
	sbuf_free(&kept);
	return is;
}

void
look_where(const struct look *l, struct sbuf *out)
{
	sbuf_set(out, l->queue);
	sbuf_printf(out, "/%s", spool_place_name(l->place));
}
