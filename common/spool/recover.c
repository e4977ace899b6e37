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
	char owner[ID_SIZE * 3]; /* whose claims they were */
	char folder[256];       /* ours, under QUEUE/cur: OWNER+recover... */
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

/* Undecided: where it was claimed from.  What its last trail that counts (of
 * n_blocks) holds or buried was claimed for a person's verdict and waits for the
 * next one. */
static int
back_to_place(struct recovery *r, const struct leftover *l, size_t n_blocks)
{
	const char *place = "new";
	const struct envelope_trail *last;
	struct spool_path to;

	if (n_blocks > 0) {
		last = &l->env.trails[n_blocks - 1];
		if (strcmp(last->queue, r->queue) == 0 &&
		    strcmp(last->to, r->queue) == 0) {
			if (strcmp(last->exit, "hold") == 0)
				place = "held";
			else if (strcmp(last->exit, "bury") == 0)
				place = "dead";
		}
	}
	spool_path(&to, "%s/%s/%s", r->queue, place, l->id);
	return spool_move_in(r->spool->dir, l->path.s, to.s);
}

/* Did the dead owner decide?  Only a block that stands under his own claim
 * says so: an entry that he had only just taken ends in somebody else's, and a
 * dropped file may end in anything. */
static bool
is_decided(const struct recovery *r, const struct envelope *env)
{
	const struct envelope_trail *last = envelope_last(env);
	struct sbuf owner = {0};
	size_t i = env->n_lines;
	bool is = false;

	if (env->open_claims > 0 || last->claim == 0 ||
	    strcmp(last->queue, r->queue) != 0)
		return false;
	while (i > 0 && strcasecmp(env->lines[i - 1].name, "Claim") != 0)
		i--;
	if (i > 0 && env->lines[i - 1].block == env->n_blocks - 1 &&
	    kv_get(env->lines[i - 1].value, "owner", &owner) == 1)
		is = strcmp(owner.data, r->owner) == 0;
	sbuf_free(&owner);
	return is;
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
	int fd, rc;

	/* Its Claim lines stay: they are the crash counter. */
	while (end < env->sealed &&
	    strncasecmp(env->raw.data + end, "Claim: ", 7) == 0) {
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
	rc = back_to_place(r, l, env->n_blocks - 1);
	if (rc == 0) {
		r->count->voided++;
		say(r, l->id, "voided");
	}
	return rc;
}

static int
finish_decided(struct recovery *r, struct leftover *l)
{
	const struct envelope_trail *last = envelope_last(&l->env);
	struct staged_list staged = {0};
	struct decision d = {.queue = r->queue, .owner = r->owner,
		.claim = last->claim, .id = l->id, .exit = last->exit,
		.to = last->to, .due = last->due};
	int rc;

	rc = staged_read(&l->env, &staged);
	if (rc == 0 && !l->is_moving)
		rc = is_staged_whole(r, &d, &staged);
	else if (rc == 0)
		rc = 1;
	/* Nobody can carry that out, ever: it is as good as not decided. */
	else if (errno == EPROTO && !l->is_moving)
		rc = 0;
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

/* An envelope that took in a bare file removes it, should it still be here:
 * then it was not even claimed yet. */
static int
remove_source(struct recovery *r, const struct leftover *l)
{
	const char *source = envelope_get(&l->env, "Source");
	struct sbuf as = {0};
	struct spool_path p;
	int rc = 0;

	if (l->env.n_blocks == 1 && l->env.last_claim == 0 && source != NULL &&
	    kv_get(source, "as", &as) == 1 && fs_is_name(as.data) &&
	    strchr(as.data, SPOOL_MARK) != NULL) {
		spool_path(&p, "%s/cur/%s/%s", r->queue, r->folder, as.data);
		rc = spool_remove(r->spool->dir, p.s);
	}
	sbuf_free(&as);
	return rc;
}

static int
settle_leftover(struct recovery *r, struct leftover *l)
{
	struct sbuf why = {0};
	int rc;

	/* What cannot be parsed goes to new/: the next claim buries it. */
	rc = envelope_parse(&l->env, l->bytes.data, l->bytes.len, &why);
	sbuf_free(&why);
	if (rc == 0) {
		if (is_decided(r, &l->env))
			return finish_decided(r, l);
		if (remove_source(r, l) == -1)
			return -1;
	}
	rc = back_to_place(r, l, l->env.n_blocks);
	if (rc == 0) {
		r->count->returned++;
		say(r, l->id, "returned");
	}
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
	/* No entry of ours, whatever it is: the next claim sees to it. */
	if (rc == -1 && (errno == EINVAL || errno == ELOOP || errno == EFBIG ||
	    errno == EACCES || errno == EPERM))
		rc = back_to_place(r, &l, 0);
	else if (rc == 0)
		rc = settle_leftover(r, &l);
	if (rc == -1)
		failed(r, name);
	envelope_free(&l.env);
	sbuf_free(&l.bytes);
}

static void
recover_bare(struct recovery *r, const char *name)
{
	const char *plain = entry_bare_name(name);
	struct spool_path from, crashed;
	struct leftover l;

	if (parse_name(name, &l))
		return;
	spool_path(&from, "%s/cur/%s/%s", r->queue, r->folder, name);
	/* It has no envelope to count in, so its name does. */
	spool_bare_crashed(spool_bare_kept(name), &crashed);
	if (spool_put_bare(r->spool->dir, from.s, r->queue, crashed.s) == 0) {
		r->count->returned++;
		say(r, plain, "returned");
	} else if (errno != ENOENT) {
		failed(r, name);
	}
}

/* Envelopes first: they may name bare files as taken in.  Where one of them
 * failed the bare files wait with it. */
static int
recover_folder(struct recovery *r)
{
	const unsigned long before = r->count->failed;
	struct strv names = {0};
	struct spool_path p;
	size_t i;
	int rc;

	spool_path(&p, "%s/cur/%s", r->queue, r->folder);
	rc = spool_names(r->spool->dir, p.s, &names);
	/* What the dead decided he may not have flushed; what is moved on rests
	 * on it. */
	if (rc == 0 && names.n > 0)
		rc = io_syncfs(r->spool->dir);
	for (i = 0; rc == 0 && i < names.n; i++)
		recover_envelope(r, names.items[i]);
	for (i = 0; rc == 0 && r->count->failed == before && i < names.n; i++)
		recover_bare(r, names.items[i]);
	strv_free(&names);
	return rc;
}

/* A folder of this host whose owner is dead? */
static int
is_dead(const struct spool *s, const char *queue, const char *owner)
{
	size_t n = strlen(s->host);
	struct spool_path p;
	struct stat st;

	if (strncmp(owner, s->host, n) != 0 || owner[n] != '.')
		return 0;
	if (s->owner != NULL && strcmp(owner, s->owner) == 0)
		return 0;
	spool_path(&p, "%s/cur/%s", queue, owner);
	if (fstatat(s->dir, p.s, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISDIR(st.st_mode))
		return 0;
	return lock_is_free(s->run_dir, owner);
}

/* Take one dead owner's folder as ours and settle what is in it. */
static int
recover_owner(struct recovery *r, const char *owner)
{
	struct spool *s = r->spool;
	struct spool_path from, to;
	int lock, saved, rc;

	/* The name still says whose claims they are, so that a decision of his
	 * is known for one, and that the sweep sees that he has some. */
	snprintf(r->owner, sizeof(r->owner), "%.*s",
	    (int)strcspn(owner, "+"), owner);
	snprintf(r->folder, sizeof(r->folder), "%s%crecover%ld.%lld", r->owner,
	    SPOOL_MARK, (long)getpid(), (long long)clock_us());
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
			(void)spool_remove(s->run_dir, r->owner);
		if (strcmp(owner, r->owner) != 0)
			(void)spool_remove(s->run_dir, owner);
	}
	saved = errno;
	(void)spool_remove(s->run_dir, r->folder);
	errno = saved;
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
	int dead, error = 0;

	spool_path(&p, "%s/cur", queue);
	if (spool_names(s->dir, p.s, &owners) == -1)
		return -1;
	/* Trouble with one keeps nobody else waiting. */
	for (i = 0; i < owners.n; i++) {
		dead = is_dead(s, queue, owners.items[i]);
		if (dead == -1 ||
		    (dead == 1 && recover_owner(&r, owners.items[i]) == -1))
			error = errno;
	}
	strv_free(&owners);
	errno = error;
	return error == 0 ? 0 : -1;
}
