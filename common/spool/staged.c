/* SPDX-License-Identifier: BSD-2-Clause
 *
 * staged - what a decided block names, and carrying the decision out
 *
 * Used by the process that decided and, after its death, by recovery: both take
 * the same steps in the same order, and every step may already have been taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/system/fsutil.h"
#include "common/spool/journal.h"
#include "common/spool/private.h"

static const char *const kind_names[] = {[STAGED_HEAD] = "head",
	[STAGED_RCPT] = "rcpt", [STAGED_MSG] = "msg",
	[STAGED_ENTRY] = "entry"};

struct staged *
staged_add(struct staged_list *l, enum staged_kind kind, const char *id)
{
	struct staged *item;

	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 4 : l->cap * 2;
		l->items = xreallocarray(l->items, l->cap, sizeof(*l->items));
	}
	item = &l->items[l->n++];
	memset(item, 0, sizeof(*item));
	item->kind = kind;
	snprintf(item->id, sizeof(item->id), "%s", id);
	return item;
}

void
staged_free(struct staged_list *l)
{
	free(l->items);
	memset(l, 0, sizeof(*l));
}

void
staged_write(const struct staged_list *l, struct sbuf *block)
{
	struct sbuf line = {0};
	const struct staged *item;
	char crc[16];
	size_t i;

	for (i = 0; i < l->n; i++) {
		item = &l->items[i];
		sbuf_set(&line, kind_names[item->kind]);
		kv_add(&line, "id", item->id);
		if (item->kind == STAGED_ENTRY)
			kv_add(&line, "to", item->queue);
		if (item->link[0] != '\0') {
			kv_add(&line, "link", item->link);
		} else {
			kv_addn(&line, "size", (long long)item->size);
			snprintf(crc, sizeof(crc), "%08x", (unsigned)item->crc);
			kv_add(&line, "crc32", crc);
		}
		envelope_line(block, "Staged", line.data);
	}
	sbuf_free(&line);
}

/* An ID or queue name from a block: these become paths. */
static int
get_name(const char *line, const char *key, bool is_queue, char out[ID_SIZE])
{
	struct sbuf value = {0};
	int rc = kv_get(line, key, &value);

	if (rc == 1 && (is_queue ? !spool_is_queue_name(value.data) :
	    !id_is_valid(sbuf_str(&value))))
		rc = -1;
	if (rc == 1)
		snprintf(out, ID_SIZE, "%s", value.data);
	sbuf_free(&value);
	return rc;
}

static int
read_line(const char *line, struct staged_list *l)
{
	struct sbuf word = {0};
	struct staged *item;
	long long size = 0;
	size_t kind;
	int rc = -1;

	kv_head(line, &word);
	for (kind = 0; kind <= STAGED_ENTRY; kind++) {
		if (strcmp(sbuf_str(&word), kind_names[kind]) == 0)
			break;
	}
	if (kind <= STAGED_ENTRY) {
		item = staged_add(l, (enum staged_kind)kind, "");
		rc = get_name(line, "id", false, item->id);
		if (rc == 1 && item->kind == STAGED_ENTRY)
			rc = get_name(line, "to", true, item->queue);
		if (rc == 1 && get_name(line, "link", false, item->link) != 1) {
			rc = kv_getn(line, "size", &size);
			item->size = (unsigned long long)size;
			if (rc == 1)
				rc = kv_get(line, "crc32", &word);
			if (rc == 1)
				item->crc = (uint32_t)strtoul(word.data, NULL,
				    16);
		}
	}
	sbuf_free(&word);
	return rc == 1 ? 0 : -1;
}

int
staged_read(const struct envelope *env, struct staged_list *l)
{
	size_t i;

	for (i = env->n_lines; i > 0 && env->lines[i - 1].block >=
	    env->n_blocks - 1; i--)
		;
	for (; i < env->n_lines; i++) {
		if (env->lines[i].block == env->n_blocks - 1 &&
		    strcasecmp(env->lines[i].name, "Staged") == 0 &&
		    read_line(env->lines[i].value, l) == -1) {
			errno = EPROTO;
			return -1;
		}
	}
	return 0;
}

const char *
staged_from(const struct staged *item, const char *queue, const char *owner,
    unsigned n, struct spool_path *p)
{
	if (item->kind == STAGED_ENTRY)
		return spool_path(p, "%s/tmp/%s%c%s%c%u", item->queue, item->id,
		    SPOOL_MARK, owner, SPOOL_MARK, n);
	return spool_path(p, "%s/tmp/%s%c%s%c%u%c%s", queue, item->id,
	    SPOOL_MARK, owner, SPOOL_MARK, n, SPOOL_MARK,
	    kind_names[item->kind]);
}

const char *
staged_to(const struct staged *item, struct spool_path *p)
{
	if (item->kind == STAGED_ENTRY)
		return spool_path(p, "%s/new/%s", item->queue, item->id);
	return spool_path(p, "%s/%s", kind_names[item->kind], item->id);
}

const char *
decision_target(const struct decision *d, struct spool_path *p)
{
	if (*d->to == '\0')
		return spool_path(p, "%s", "");
	if (strcmp(d->exit, "defer") == 0)
		return spool_path(p, "%s/later/%010lld/%s", d->queue,
		    (long long)((d->due + 59999) / 60000), d->id);
	/* Also the name of an exit that leads to another queue (bounce's). */
	if (strcmp(d->exit, "hold") == 0 && strcmp(d->to, d->queue) == 0)
		return spool_path(p, "%s/held/%s", d->queue, d->id);
	if (strcmp(d->exit, "bury") == 0)
		return spool_path(p, "%s/dead/%s", d->queue, d->id);
	return spool_path(p, "%s/new/%s", d->to, d->id);
}

/* Rename one staged file into place; gone means that it was moved before. */
static int
move_item(struct spool *s, const struct decision *d, const struct staged *item)
{
	struct spool_path from, to;
	int rc;

	staged_to(item, &to);
	if (item->link[0] != '\0') {
		spool_path(&from, "%s/%s", kind_names[item->kind], item->link);
		rc = spool_link_or_copy(s->dir, from.s, to.s);
		/* A part that the parent's envelope names and that is not
		 * there: to wait for it would be for ever.  Whoever claims the
		 * child finds it missing, and buries it with the reason. */
		return rc == -1 && errno == ENOENT ? 0 : rc;
	}
	staged_from(item, d->queue, d->owner, d->claim, &from);
	/* The entry's own parts replace what an earlier stage wrote; a child's
	 * are new, and the same name always is the same thing. */
	if (item->kind != STAGED_ENTRY && strcmp(item->id, d->id) == 0)
		rc = io_renameat(s->dir, from.s, s->dir, to.s);
	else if (item->kind == STAGED_ENTRY)
		rc = spool_move_in(s->dir, from.s, to.s);
	else
		rc = io_rename_new(s->dir, from.s, s->dir, to.s);
	if (rc == -1 && errno == EEXIST && item->kind != STAGED_ENTRY)
		rc = spool_remove(s->dir, from.s);
	return rc == -1 && errno == ENOENT ? 0 : rc;
}

/* A child whose envelope is no longer staged was handed over before: it may
 * live on elsewhere or be finished, so its parts are left alone. */
static bool
is_handed_over(struct spool *s, const struct decision *d,
    const struct staged_list *l, size_t at)
{
	struct spool_path p;
	struct stat st;
	size_t i;

	if (strcmp(l->items[at].id, d->id) == 0)
		return false;
	for (i = at; i < l->n && strcmp(l->items[i].id, l->items[at].id) == 0;
	    i++) {
		if (l->items[i].kind == STAGED_ENTRY) {
			staged_from(&l->items[i], d->queue, d->owner, d->claim,
			    &p);
			return fstatat(s->dir, p.s, &st,
			    AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT;
		}
	}
	return false;
}

static int
move_staged(struct spool *s, const struct decision *d,
    const struct staged_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (!is_handed_over(s, d, l, i) &&
		    move_item(s, d, &l->items[i]) == -1)
			return -1;
	}
	return 0;
}

static int
move_envelope(struct spool *s, const struct decision *d, const char *path)
{
	struct spool_path to, folder;
	int tries, rc = -1;

	decision_target(d, &to);
	for (tries = 0; tries < 3; tries++) {
		rc = spool_move_in(s->dir, path, to.s);
		if (rc == 0 || errno != ENOENT || strcmp(d->exit, "defer") != 0)
			return rc;
		/* The minute's folder is not there yet, or was just removed
		 * because it was empty. */
		spool_path(&folder, "%s", to.s);
		*strrchr(folder.s, '/') = '\0';
		if (io_mkdirat(s->dir, folder.s, SPOOL_DIR_MODE) == -1 &&
		    errno != EEXIST)
			return -1;
	}
	return rc;
}

/* A part that goes into the journal: *fd, or -1 where there is none.  false
 * where it is there and cannot be read: then nothing is forgotten yet. */
static bool
open_part(struct spool *s, const char *folder, const char *id, int *fd)
{
	struct spool_path p;

	*fd = fs_open_regular(s->dir, spool_path(&p, "%s/%s", folder, id),
	    O_RDONLY, NULL);
	return *fd != -1 || errno == ENOENT || errno == EINVAL ||
	    errno == ELOOP;
}

static int
forget(struct spool *s, const struct decision *d, const char *path,
    const struct sbuf *envelope)
{
	int dir, rcpt = -1, result = -1, rc = -1;

	dir = io_openat(s->dir, "journal", O_RDONLY | O_DIRECTORY, 0);
	if (dir == -1)
		return -1;
	if (open_part(s, "rcpt", d->id, &rcpt) &&
	    open_part(s, "result", d->id, &result))
		rc = journal_append(dir, d->id, envelope, rcpt, result);
	io_close(&dir);
	io_close(&rcpt);
	io_close(&result);
	if (rc == 0)
		rc = spool_remove(s->dir, path);
	if (rc == 0)
		rc = spool_remove_parts(s->dir, d->id);
	return rc;
}

static bool
has_children(const struct staged_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->items[i].kind == STAGED_ENTRY)
			return true;
	}
	return false;
}

int
decision_carry_out(struct spool *s, const struct decision *d,
    const struct staged_list *staged, const char *path, bool is_moving,
    const struct sbuf *envelope)
{
	struct spool_path moving;

	/* Once a child is handed over, a missing staged file no longer tells
	 * "never flushed" from "already moved".  The name says it: from here
	 * the flush is known to be done and nothing is ever voided. */
	if (!is_moving && has_children(staged)) {
		spool_path(&moving, "%s%s", path, SPOOL_MOVING);
		if (io_rename_new(s->dir, path, s->dir, moving.s) == -1)
			return -1;
		path = moving.s;
	}
	if (move_staged(s, d, staged) == -1)
		return -1;
	if (*d->to == '\0')
		return forget(s, d, path, envelope);
	return move_envelope(s, d, path);
}
