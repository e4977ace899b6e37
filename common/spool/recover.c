/* SPDX-License-Identifier: BSD-2-Clause
 *
 * recover - finish or undo what a dead owner left
 *
 * What is found in cur/OWNER decides (spool-layout/INTERNALS.md, the state
 * table).  Renaming the folder fences the dead: whatever wakes up late finds
 * its claims gone by path.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/system/fsutil.h"
#include "common/system/lock.h"
#include "common/spool/private.h"
#include "common/spool/recover.h"

struct recovery {
	struct spool *spool;
	const char *queue;
	char folder[ID_SIZE * 3]; /* ours, under QUEUE/cur */
	void (*fn)(void *ctx, const char *id, const char *what);
	void *ctx;
	struct recover_count *count;
};

/* One left-over envelope. */
struct leftover {
	struct spool_path path;
	char id[ID_SIZE];
	bool is_moving;
	struct sbuf bytes;
	struct envelope env;
	char owner[ID_SIZE * 3]; /* of its last claim */
};

static void
say(const struct recovery *r, const char *id, const char *what)
{
	if (r->fn != NULL)
		r->fn(r->ctx, id, what);
}

static void
failed(struct recovery *r, const char *id)
{
	r->count->failed++;
	r->count->error = errno;
	say(r, id, "failed");
}

/* Undecided: where it was claimed from.  What its last trail holds or buried
 * was claimed for a person's verdict and waits for the next one. */
static int
back_to_place(struct recovery *r, const struct leftover *l)
{
	const char *place = "new";
	const struct envelope_trail *last;
	struct spool_path to;

	if (l->env.n_blocks > 0) {
		last = envelope_last(&l->env);
		if (strcmp(last->queue, r->queue) == 0 &&
		    strcmp(last->to, r->queue) == 0) {
			if (strcmp(last->exit, "hold") == 0)
				place = "held";
			else if (strcmp(last->exit, "bury") == 0)
				place = "dead";
		}
	}
	spool_path(&to, "%s/%s/%s", r->queue, place, l->id);
	return io_rename_new(r->spool->dir, l->path.s, r->spool->dir, to.s);
}

/* owner= of the last Claim line that a trail sealed. */
static void
find_owner(struct leftover *l)
{
	const struct envelope *env = &l->env;
	struct sbuf owner = {0};
	size_t i;

	for (i = env->n_lines; i > 0; i--) {
		if (strcmp(env->lines[i - 1].name, "Claim") == 0) {
			(void)kv_get(env->lines[i - 1].value, "owner", &owner);
			break;
		}
	}
	snprintf(l->owner, sizeof(l->owner), "%s", sbuf_str(&owner));
	sbuf_free(&owner);
}

/* Are all staged files whole?  1, 0, -1.  The entry's own parts may already
 * have been moved into place. */
static int
is_staged_whole(const struct recovery *r, const struct decision *d,
    const struct staged_list *l)
{
	const struct staged *item;
	struct spool_path p;
	size_t i;
	int rc = 1;

	for (i = 0; rc == 1 && i < l->n; i++) {
		item = &l->items[i];
		if (item->link[0] != '\0')
			continue;
		staged_from(item, d->queue, d->owner, d->claim, &p);
		rc = spool_is_whole(r->spool->dir, p.s, item->size, item->crc);
		if (rc == 0 && strcmp(item->id, d->id) == 0) {
			staged_to(item, &p);
			rc = spool_is_whole(r->spool->dir, p.s, item->size,
			    item->crc);
		}
	}
	return rc;
}

static void
unstage(const struct recovery *r, const struct decision *d,
    const struct staged_list *l)
{
	struct spool_path p;
	size_t i;

	for (i = 0; i < l->n; i++) {
		staged_from(&l->items[i], d->queue, d->owner, d->claim, &p);
		(void)spool_remove(r->spool->dir, p.s);
	}
}

/* Cut the last block, so that the claim stands as one without an outcome. */
static int
void_block(struct recovery *r, struct leftover *l, const struct decision *d,
    const struct staged_list *staged)
{
	const struct envelope *env = &l->env;
	size_t start = env->n_blocks > 1 ?
	    env->trails[env->n_blocks - 2].end : 0;
	size_t end = start;
	const char *line, *stop;
	struct spool_path to;
	int fd, rc;

	/* Its Claim lines stay: they are the crash counter. */
	while (end < env->sealed &&
	    strncmp(env->raw.data + end, "Claim: ", 7) == 0) {
		line = env->raw.data + end;
		stop = memchr(line, '\n', env->sealed - end);
		end += (size_t)(stop - line) + 1;
	}
	fd = fs_open_regular(r->spool->dir, l->path.s, O_WRONLY, NULL);
	if (fd == -1)
		return -1;
	rc = io_ftruncate(fd, (off_t)end);
	if (rc == 0)
		rc = io_fdatasync(fd);
	io_close(&fd);
	if (rc == -1)
		return -1;
	unstage(r, d, staged);
	r->count->voided++;
	say(r, l->id, "voided");
	spool_path(&to, "%s/new/%s", r->queue, l->id);
	return io_rename_new(r->spool->dir, l->path.s, r->spool->dir, to.s);
}

static int
finish_decided(struct recovery *r, struct leftover *l)
{
	const struct envelope_trail *last = envelope_last(&l->env);
	struct staged_list staged = {0};
	struct decision d = {.queue = r->queue, .claim = last->claim,
		.id = l->id, .exit = last->exit, .to = last->to,
		.due = last->due};
	int rc;

	find_owner(l);
	d.owner = l->owner;
	rc = staged_read(&l->env, &staged);
	if (rc == 0 && !l->is_moving)
		rc = is_staged_whole(r, &d, &staged);
	else if (rc == 0)
		rc = 1;
	if (rc == 0) {
		rc = void_block(r, l, &d, &staged);
	} else if (rc == 1) {
		rc = decision_carry_out(r->spool, &d, &staged, l->path.s,
		    l->is_moving, &l->env.raw);
		if (rc == 0) {
			r->count->finished++;
			say(r, l->id, "finished");
		}
	}
	staged_free(&staged);
	return rc;
}

static int
settle_leftover(struct recovery *r, struct leftover *l)
{
	const struct envelope_trail *last;
	struct sbuf why = {0};
	int rc;

	/* What cannot be parsed goes to new/: the next claim buries it. */
	rc = envelope_parse(&l->env, l->bytes.data, l->bytes.len, &why);
	sbuf_free(&why);
	if (rc == 0) {
		last = envelope_last(&l->env);
		if (l->is_moving ||
		    (l->env.open_claims == 0 &&
		    strcmp(last->queue, r->queue) == 0))
			return finish_decided(r, l);
	}
	rc = back_to_place(r, l);
	if (rc == 0) {
		r->count->returned++;
		say(r, l->id, "returned");
	}
	return rc;
}

/* An envelope that took in a bare file removes it, should it still be here. */
static int
remove_source(struct recovery *r, const struct leftover *l)
{
	const char *source = envelope_get(&l->env, "Source");
	struct sbuf as = {0};
	struct spool_path p;
	int rc = 0;

	if (source != NULL && kv_get(source, "as", &as) == 1 &&
	    fs_is_name(as.data) && strchr(as.data, SPOOL_MARK) != NULL) {
		spool_path(&p, "%s/cur/%s/%s", r->queue, r->folder, as.data);
		rc = spool_remove(r->spool->dir, p.s);
	}
	sbuf_free(&as);
	return rc;
}

/* "ID" or "ID+moving"? */
static bool
parse_name(const char *name, struct leftover *l)
{
	size_t n = strlen(name), tail = strlen(SPOOL_MOVING);

	l->is_moving = n > tail && strcmp(name + n - tail, SPOOL_MOVING) == 0;
	if (l->is_moving)
		n -= tail;
	if (n > ID_MAX)
		return false;
	memcpy(l->id, name, n);
	l->id[n] = '\0';
	return id_is_valid(l->id);
}

static void
recover_envelope(struct recovery *r, const char *name)
{
	struct leftover l = {0};
	int rc;

	if (!parse_name(name, &l))
		return;
	spool_path(&l.path, "%s/cur/%s/%s", r->queue, r->folder, name);
	rc = fs_read(r->spool->dir, l.path.s, ENVELOPE_MAX, &l.bytes);
	if (rc == -1 && (errno == EINVAL || errno == ELOOP || errno == EFBIG))
		rc = back_to_place(r, &l);
	else if (rc == 0 && l.bytes.len == 0)
		rc = back_to_place(r, &l);
	else if (rc == 0)
		rc = settle_leftover(r, &l);
	if (rc == 0 && l.env.n_blocks > 0)
		rc = remove_source(r, &l);
	if (rc == -1 && errno != ENOENT)
		failed(r, name);
	envelope_free(&l.env);
	sbuf_free(&l.bytes);
}

static void
recover_bare(struct recovery *r, const char *name)
{
	struct spool_path from, to;
	struct leftover l;

	if (parse_name(name, &l))
		return;
	spool_path(&from, "%s/cur/%s/%s", r->queue, r->folder, name);
	spool_path(&to, "%s/new/%s", r->queue, entry_bare_name(name));
	if (io_rename_new(r->spool->dir, from.s, r->spool->dir, to.s) == 0) {
		r->count->returned++;
		say(r, entry_bare_name(name), "returned");
		return;
	}
	if (errno == EEXIST) {
		spool_path(&to, "%s/new/%s%c%s", r->queue, r->folder,
		    SPOOL_MARK, name);
		if (io_rename_new(r->spool->dir, from.s, r->spool->dir, to.s) ==
		    0)
			return;
	}
	if (errno != ENOENT)
		failed(r, name);
}

/* Envelopes first: they may name bare files as taken in. */
static int
recover_folder(struct recovery *r)
{
	void (*const pass[])(struct recovery *, const char *) = {
		recover_envelope, recover_bare};
	struct spool_scan *scan;
	const char *name, *folder;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < 2; i++) {
		scan = spool_scan_open(r->spool, r->queue, SPOOL_CUR, 0);
		if (scan == NULL)
			return -1;
		while ((rc = spool_scan_next(scan, &name, &folder)) == 1) {
			if (strcmp(folder, r->folder) == 0)
				pass[i](r, name);
		}
		spool_scan_close(&scan);
	}
	return rc;
}

/* A folder of this host whose owner is dead? */
static int
is_dead(const struct spool *s, const char *owner)
{
	size_t n = strlen(s->host);

	if (strncmp(owner, s->host, n) != 0 || owner[n] != '.')
		return 0;
	if (s->owner != NULL && strcmp(owner, s->owner) == 0)
		return 0;
	return lock_is_free(s->run_dir, owner);
}

/* Take one dead owner's folder as ours and settle what is in it. */
static int
recover_owner(struct recovery *r, const char *owner)
{
	struct spool *s = r->spool;
	struct spool_path from, to;
	int lock, rc;

	snprintf(r->folder, sizeof(r->folder), "%s.recover%ld.%lld", s->host,
	    (long)getpid(), (long long)clock_us());
	lock = lock_take(s->run_dir, r->folder, NULL);
	if (lock == -1)
		return -1;
	spool_path(&from, "%s/cur/%s", r->queue, owner);
	spool_path(&to, "%s/cur/%s", r->queue, r->folder);
	rc = io_rename_new(s->dir, from.s, s->dir, to.s);
	if (rc == -1 && errno == ENOENT) {
		rc = 0; /* another recoverer was faster */
	} else if (rc == 0) {
		rc = recover_folder(r);
		/* Not empty where something failed: it stays as a dead
		 * owner's, for the next recovery. */
		if (rc == 0 && io_unlinkat(s->dir, to.s, AT_REMOVEDIR) == 0)
			(void)spool_remove(s->run_dir, owner);
	}
	(void)spool_remove(s->run_dir, r->folder);
	io_close(&lock);
	return rc;
}

int
recover_queue(struct spool *s, const char *queue,
    void (*fn)(void *ctx, const char *id, const char *what), void *ctx,
    struct recover_count *count)
{
	struct recovery r = {.spool = s, .queue = queue, .fn = fn, .ctx = ctx,
		.count = count};
	struct strv owners = {0};
	struct spool_path p;
	size_t i;
	int dead, rc = 0;

	spool_path(&p, "%s/cur", queue);
	if (spool_names(s->dir, p.s, &owners) == -1)
		return -1;
	for (i = 0; rc == 0 && i < owners.n; i++) {
		dead = is_dead(s, owners.items[i]);
		if (dead == 1)
			rc = recover_owner(&r, owners.items[i]);
		else if (dead == -1)
			rc = -1;
	}
	strv_free(&owners);
	return rc;
}
