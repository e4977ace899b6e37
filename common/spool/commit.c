/* SPDX-License-Identifier: BSD-2-Clause
 *
 * commit - settle a batch: seal the decisions, flush, move
 *
 * The order is the whole point.  Staged files are written, then the sealed
 * block that names them, then one flush of both for the batch, then the moves.
 * A crash before the block undoes the hop, one after it finishes the hop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/spool/private.h"

static void
unstage_list(struct entry *e, const struct staged_list *l)
{
	struct spool_path p;
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->items[i].link[0] == '\0')
			(void)spool_remove(e->spool->dir, staged_from(
			    &l->items[i], e->queue, e->spool->owner, e->claim,
			    &p));
	}
}

void
entry_unstage(struct entry *e)
{
	const struct child *c;
	int saved = errno;

	unstage_list(e, &e->staged);
	for (c = e->children; c != NULL; c = c->next)
		unstage_list(e, &c->staged);
	errno = saved;
}

static void
fill_seal(const struct entry *e, struct envelope_seal *seal)
{
	memset(seal, 0, sizeof(*seal));
	seal->time = clock_ms();
	seal->host = e->spool->host;
	seal->queue = e->queue;
}

/* The first block that is a child's own. */
static void
child_fields(const struct child *c, struct sbuf *out)
{
	const struct envelope *env = &c->parent->env;
	const char *origin = envelope_get(env, "Origin");
	const char *head = envelope_get(env, "Head");
	char now[CLOCK_RFC3339_SIZE];

	envelope_line(out, "Id", c->id);
	envelope_line(out, "Origin", origin == NULL ? c->parent->id : origin);
	envelope_line(out, "Parent", c->parent->id);
	clock_format(clock_ms(), now);
	envelope_line(out, "Created", now);
	if (!c->is_shared && head != NULL && strcmp(head, "none") != 0)
		envelope_line(out, "Head", "none");
	if (!c->is_shared && !c->has_message) {
		envelope_line(out, "Size", "0");
		envelope_line(out, "Crc32", "00000000");
		envelope_line(out, "Body-Offset", "0");
	}
	sbuf_add(out, sbuf_str(&c->fields), c->fields.len);
}

/* Parts that are linked when the child is handed over; a child with neither
 * has an empty message, since no entry is without one. */
static int
child_message(struct child *c, struct sbuf *fields)
{
	struct entry *e = c->parent;
	const char *head = envelope_get(&e->env, "Head");
	const struct sbuf empty = {0};
	struct staged *item;
	struct spool_path p;
	size_t i;

	if (c->has_message)
		return 0;
	item = staged_add(&c->staged, STAGED_MSG, c->id);
	if (!c->is_shared)
		return spool_write_file(e->spool->dir, staged_from(item,
		    e->queue, e->spool->owner, e->claim, &p), sbuf_str(&empty),
		    0);
	strcpy(item->link, e->id);
	if (!e->has_head && (head == NULL || strcmp(head, "none") == 0))
		return 0;
	item = staged_add(&c->staged, STAGED_HEAD, c->id);
	strcpy(item->link, e->id);
	for (i = 0; e->has_head && i < e->staged.n; i++) {
		if (e->staged.items[i].kind == STAGED_HEAD)
			sbuf_printf(fields, "Head: %llu crc32=%08x\n",
			    e->staged.items[i].size,
			    (unsigned)e->staged.items[i].crc);
	}
	return 0;
}

/* Write a child's envelope into its queue's tmp: its parent's sealed journal
 * and a block of its own. */
static int
prepare_child(struct child *c)
{
	struct entry *e = c->parent;
	struct envelope view = e->env;
	struct envelope_seal seal;
	struct sbuf fields = {0}, bytes = {0};
	struct staged *item;
	struct spool_path p;
	int rc;

	view.raw.len = view.sealed;
	view.open_claims = 0;
	child_fields(c, &fields);
	rc = child_message(c, &fields);
	if (rc == 0) {
		fill_seal(e, &seal);
		seal.exit = "accept";
		seal.to = c->queue;
		sbuf_add(&bytes, view.raw.data, view.sealed);
		envelope_seal(&view, &fields, &seal, &bytes);
		item = staged_add(&c->staged, STAGED_ENTRY, c->id);
		strcpy(item->queue, c->queue);
		item->size = bytes.len;
		item->crc = (uint32_t)crc32(0, (unsigned char *)bytes.data,
		    (uInt)bytes.len);
		if (bytes.len > ENVELOPE_MAX) {
			errno = EFBIG;
			rc = -1;
		} else {
			rc = spool_write_file(e->spool->dir, staged_from(item,
			    e->queue, e->spool->owner, e->claim, &p),
			    bytes.data, bytes.len);
		}
	}
	sbuf_free(&fields);
	sbuf_free(&bytes);
	return rc;
}

/* Everything that the hop stages, in the order in which it is moved. */
static void
collect_staged(const struct entry *e, struct staged_list *all)
{
	const struct child *c;
	size_t i;

	for (i = 0; i < e->staged.n; i++)
		*staged_add(all, STAGED_HEAD, "") = e->staged.items[i];
	for (c = e->children; c != NULL; c = c->next) {
		for (i = 0; i < c->staged.n; i++)
			*staged_add(all, STAGED_HEAD, "") = c->staged.items[i];
	}
}

/* Append the sealed block: from here the outcome is fixed. */
static int
decide(struct entry *e)
{
	struct staged_list all = {0};
	struct envelope_seal seal;
	int rc;

	collect_staged(e, &all);
	staged_write(&all, &e->fields);
	staged_free(&all);
	fill_seal(e, &seal);
	seal.exit = e->exit;
	seal.to = *e->to == '\0' ? NULL : e->to;
	seal.due = e->due;
	seal.claim = e->claim;
	envelope_seal(&e->env, &e->fields, &seal, &e->block);
	if (e->env.raw.len + e->block.len > ENVELOPE_MAX) {
		errno = EFBIG;
		return -1;
	}
	e->is_decided = true;
	rc = io_write_full(e->fd, e->block.data, e->block.len);
	return rc;
}

static void
release(struct entry *e, int error)
{
	if (spool_release(e->spool, e) == -1) {
		e->state = errno == ESTALE ? ENTRY_FENCED : ENTRY_STUCK;
		e->error = errno;
		return;
	}
	e->state = ENTRY_RELEASED;
	e->error = error;
}

/* An entry that can never be settled as its stage wants (its journal would
 * grow past the limit, its ID has no room for a child's) is buried instead,
 * without what it staged.  true where that is done. */
static bool
is_buried_instead(struct entry *e, int error)
{
	entry_unstage(e);
	if (entry_is_ours(e) != 1 ||
	    io_ftruncate(e->fd, e->claimed_len) == -1 ||
	    entry_settle_now(e, "bury", e->queue, error == EFBIG ?
	    "the envelope would exceed 1 MiB" :
	    "its ID has no room for a child's") == -1)
		return false;
	e->state = ENTRY_MOVED;
	strcpy(e->exit, "bury");
	strcpy(e->to, e->queue);
	return true;
}

static void
prepare(struct entry *e)
{
	struct child *c;
	int rc = 0;

	if (!e->has_outcome || e->failed != 0) {
		if (e->failed != ENAMETOOLONG ||
		    !is_buried_instead(e, ENAMETOOLONG))
			release(e, e->failed);
		return;
	}
	/* A late word in somebody else's claim would spoil his journal. */
	rc = entry_is_ours(e);
	if (rc == 0) {
		entry_unstage(e);
		e->state = ENTRY_FENCED;
		return;
	}
	rc = rc == 1 ? 0 : -1;
	for (c = e->children; rc == 0 && c != NULL; c = c->next)
		rc = prepare_child(c);
	if (rc == 0)
		rc = decide(e);
	if (rc == 0)
		return;
	if (errno != EFBIG || !is_buried_instead(e, EFBIG))
		release(e, errno);
}

static bool
is_flushed(const struct entry *e)
{
	return e->is_flush_needed || e->staged.n > 0 || e->children != NULL;
}

static int
sync_list(struct entry *e, const struct staged_list *l)
{
	struct spool_path p;
	char *slash;
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->items[i].link[0] != '\0')
			continue;
		staged_from(&l->items[i], e->queue, e->spool->owner, e->claim,
		    &p);
		if (spool_sync_path(e->spool->dir, p.s) == -1)
			return -1;
		slash = strrchr(p.s, '/');
		*slash = '\0';
		if (spool_sync_path(e->spool->dir, p.s) == -1)
			return -1;
	}
	return 0;
}

static int
sync_entry(struct entry *e)
{
	const struct child *c;

	if (sync_list(e, &e->staged) == -1)
		return -1;
	for (c = e->children; c != NULL; c = c->next) {
		if (sync_list(e, &c->staged) == -1)
			return -1;
	}
	return io_fdatasync(e->fd);
}

static int
sync_batch(struct spool *s, struct entry **entries, size_t n)
{
	size_t i, files = 0;

	for (i = 0; i < n; i++) {
		if (entries[i]->state == ENTRY_OPEN && is_flushed(entries[i]))
			files += 1 + 2 * (entries[i]->staged.n +
			    entries[i]->n_children);
	}
	if (files == 0)
		return 0;
	if (s->flush == SPOOL_FLUSH_SYNCFS ||
	    (s->flush == SPOOL_FLUSH_AUTO && files > 2))
		return io_syncfs(s->dir);
	for (i = 0; i < n; i++) {
		if (entries[i]->state == ENTRY_OPEN &&
		    is_flushed(entries[i]) && sync_entry(entries[i]) == -1)
			return -1;
	}
	return 0;
}

static void
move(struct entry *e)
{
	struct decision d = {.queue = e->queue, .owner = e->spool->owner,
		.claim = e->claim, .id = e->id, .exit = e->exit, .to = e->to,
		.due = e->due};
	struct staged_list all = {0};
	struct sbuf envelope = {0};
	struct spool_path p;
	int rc;

	rc = entry_is_ours(e);
	if (rc == 0) {
		e->state = ENTRY_FENCED;
		return;
	}
	if (rc == 1) {
		collect_staged(e, &all);
		if (*e->to == '\0') {
			sbuf_add(&envelope, e->env.raw.data, e->env.raw.len);
			sbuf_add(&envelope, e->block.data, e->block.len);
		}
		rc = decision_carry_out(e->spool, &d, &all, entry_path(e, &p),
		    false, &envelope) == -1 ? -1 : 1;
	}
	e->state = rc == 1 ? ENTRY_MOVED : ENTRY_STUCK;
	e->error = rc == 1 ? 0 : errno;
	staged_free(&all);
	sbuf_free(&envelope);
}

int
spool_commit(struct spool *s, struct entry **entries, size_t n)
{
	size_t i;
	int saved, rc = 0;

	for (i = 0; i < n; i++)
		prepare(entries[i]);
	/* A failed flush is final: what it covered is written anew, by the
	 * next claim. */
	if (sync_batch(s, entries, n) == -1) {
		saved = errno;
		for (i = 0; i < n; i++) {
			if (entries[i]->state == ENTRY_OPEN &&
			    is_flushed(entries[i]))
				release(entries[i], saved);
		}
	}
	for (i = 0; i < n; i++) {
		if (entries[i]->state == ENTRY_OPEN)
			move(entries[i]);
		if (entries[i]->state != ENTRY_MOVED)
			rc = -1;
	}
	return rc;
}

int
spool_release(struct spool *s, struct entry *e)
{
	struct spool_path from, to;
	const char *place = "new";
	int rc = entry_is_ours(e);

	/* Whose claim it is now, his is the end of the file. */
	if (rc == 0)
		errno = ESTALE;
	if (rc != 1)
		return -1;
	if (e->origin == SPOOL_HELD || e->origin == SPOOL_DEAD)
		place = spool_place_name(e->origin);
	/* The block goes before what it names; the claim's number, and with it
	 * the names, come again. */
	if (io_ftruncate(e->fd, e->unclaimed_len) == -1)
		return -1;
	/* Where this fails too, there is no more to be done about it. */
	if (e->is_decided && io_fdatasync(e->fd) == -1)
		e->is_flush_needed = true;
	entry_unstage(e);
	entry_path(e, &from);
	spool_path(&to, "%s/%s/%s", e->queue, place, e->id);
	return spool_move_in(s->dir, from.s, to.s);
}

int
entry_settle_now(struct entry *e, const char *exit, const char *to,
    const char *why)
{
	struct decision d = {.queue = e->queue, .owner = e->spool->owner,
		.id = e->id, .exit = exit, .to = to};
	struct envelope_seal seal;
	struct sbuf fields = {0}, block = {0};
	struct staged_list none = {0};
	struct spool_path p;
	int saved, rc;

	/* Claim and decision in one: recovery trusts no block in our folder
	 * that does not stand under a claim of ours. */
	fill_seal(e, &seal);
	seal.claim = e->claim;
	if (seal.claim == 0) {
		seal.claim = e->env.last_claim + 1;
		envelope_claim(&fields, seal.claim, e->queue, e->spool->owner);
	}
	d.claim = seal.claim;
	envelope_line(&fields, "Error", why);
	seal.exit = exit;
	seal.to = to;
	envelope_seal(&e->env, &fields, &seal, &block);
	/* A journal already at its limit is buried without a last word. */
	rc = e->env.raw.len + block.len > ENVELOPE_MAX ? 0 :
	    io_write_full(e->fd, block.data, block.len);
	if (rc == 0)
		rc = io_fdatasync(e->fd);
	if (rc == 0)
		rc = decision_carry_out(e->spool, &d, &none, entry_path(e, &p),
		    false, NULL);
	/* Put back with such a block it would be taken for settled. */
	if (rc == -1) {
		saved = errno;
		e->is_stuck = io_ftruncate(e->fd, (off_t)e->env.raw.len) == -1;
		errno = saved;
	}
	sbuf_free(&fields);
	sbuf_free(&block);
	return rc;
}
