/* SPDX-License-Identifier: BSD-2-Clause
 *
 * entry - claim one entry, look at it and its parts
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/system/fsutil.h"
#include "common/spool/private.h"

/* Taken back to where its trail leads this often, an entry is buried. */
#define BACKS_MAX 3
/* More than any Claim line has. */
#define CLAIM_LINE_MAX 512
/* A higher version of the format is looked at again after this. */
#define NEWER_DELAY (60 * 60 * 1000)

const char *
entry_path(const struct entry *e, struct spool_path *p)
{
	return spool_path(p, "%s/cur/%s/%s", e->spool->queue, e->spool->owner,
	    e->id);
}

static const char *
origin_path(const struct spool *s, enum spool_place place, const char *folder,
    const char *name, struct spool_path *p)
{
	return spool_path(p, "%s/%s%s%s/%s", s->queue, spool_place_name(place),
	    *folder == '\0' ? "" : "/", folder, name);
}

/* 1 taken, 0 lost the race, -1.  On NFS a rename may have succeeded though it
 * says ENOENT (its answer was lost and it was sent again), so look. */
static int
take(struct spool *s, const char *from, const char *to)
{
	struct spool_path own;
	struct stat st;

	if (io_rename_new(s->dir, from, s->dir, to) == 0)
		return 1;
	if (errno != ENOENT)
		return -1;
	if (fstatat(s->dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	spool_path(&own, "%s/cur/%s", s->queue, s->owner);
	if (fstatat(s->dir, own.s, &st, 0) == -1) {
		/* Recovered: somebody thinks that this process is dead. */
		errno = ESTALE;
		return -1;
	}
	return 0;
}

static struct entry *
new_entry(struct spool *s, enum spool_place place, const char *name)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->spool = s;
	e->fd = -1;
	e->origin = place;
	snprintf(e->queue, sizeof(e->queue), "%s", s->queue);
	snprintf(e->id, sizeof(e->id), "%s", name);
	return e;
}

static bool
is_envelope(const char *start, size_t n)
{
	static const char magic[] = "Septet-Envelope: ";

	return n >= strlen(ENVELOPE_MAGIC) &&
	    memcmp(start, magic, strlen(magic)) == 0;
}

/* What the file in cur/OWNER is: 1 an envelope, as far as it fits; 0 no entry;
 * -1. */
static int
read_envelope(struct entry *e, struct sbuf *bytes)
{
	size_t want;
	struct spool_path p;
	struct stat st;

	e->fd = fs_open_regular(e->spool->dir, entry_path(e, &p),
	    O_RDWR | O_APPEND, &st);
	/* One that may not be written to is another user's file, which may
	 * well be a message; no claim could be recorded in it anyway. */
	if (e->fd == -1)
		return errno == EINVAL || errno == ELOOP || errno == EISDIR ||
		    errno == EACCES || errno == EPERM ? 0 : -1;
	e->inode = st.st_ino;
	/* A byte more than may be tells that it is too large. */
	want = st.st_size > ENVELOPE_MAX ? ENVELOPE_MAX + 1 :
	    (size_t)st.st_size;
	sbuf_reserve(bytes, want);
	if (io_read_full(e->fd, bytes->data, want) != (ssize_t)want) {
		errno = EIO;
		return -1;
	}
	bytes->len = want;
	sbuf_truncate(bytes, want);
	if (!is_envelope(bytes->data, want))
		return 0;
	spool_path(&p, "msg/%s", e->id);
	if (fstatat(e->spool->dir, p.s, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

/* How often was it taken back since a stage last sealed? */
static unsigned
count_backs(const struct envelope *env)
{
	unsigned n = 0;
	size_t i = env->n_blocks;

	while (i > 0 && strcmp(env->trails[i - 1].exit, "back") == 0) {
		n++;
		i--;
	}
	return n;
}

/* Does the trail lead here?  Else the entry is settled: 1; 0 it does; -1. */
static int
check_trail(struct entry *e, struct sbuf *why)
{
	const struct envelope_trail *last = envelope_last(&e->env);
	const char *id = envelope_get(&e->env, "Id");
	struct spool *s = e->spool;

	if (id == NULL || strcmp(id, e->id) != 0) {
		sbuf_printf(why, "stray: the envelope's Id is %s",
		    id == NULL ? "missing" : id);
		return entry_settle_now(e, "bury", e->queue, why->data) == -1 ?
		    -1 : 1;
	}
	if (e->env.open_claims >= ENTRY_CLAIMS_MAX) {
		sbuf_printf(why, "poison: claimed %u times without an outcome",
		    e->env.open_claims);
		return entry_settle_now(e, "bury", e->queue, why->data) == -1 ?
		    -1 : 1;
	}
	if (strcmp(last->to, e->queue) == 0)
		return 0;
	/* Only ever back, never forward: a trail is no way past a stage. */
	if (*last->to != '\0' && s->reaches != NULL &&
	    spool_is_queue_name(last->to) &&
	    s->reaches(s->ctx, last->to, e->queue) &&
	    count_backs(&e->env) + 1 < BACKS_MAX) {
		sbuf_printf(why, "back to %s, where its trail leads", last->to);
		return entry_settle_now(e, "back", last->to, why->data) == -1 ?
		    -1 : 1;
	}
	sbuf_printf(why, "stray: its trail leads to %s, not to %s",
	    *last->to == '\0' ? "an end" : last->to, e->queue);
	return entry_settle_now(e, "bury", e->queue, why->data) == -1 ? -1 : 1;
}

/* Each part is a file of its own, or not there.  What else stands in its place
 * could not be flushed, replaced or removed: the entry would be decided and then
 * stick.  Settled: 1; 0 all is well; -1. */
static int
check_parts(struct entry *e, struct sbuf *why)
{
	static const char *const folders[] = {"msg", "head", "rcpt", "result"};
	struct spool_path p;
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		spool_path(&p, "%s/%s", folders[i], e->id);
		if (fstatat(e->spool->dir, p.s, &st, AT_SYMLINK_NOFOLLOW) ==
		    -1) {
			if (errno != ENOENT)
				return -1;
		} else if (!S_ISREG(st.st_mode)) {
			sbuf_printf(why, "malformed: %s is no regular file",
			    p.s);
			return entry_settle_now(e, "bury", e->queue,
			    why->data) == -1 ? -1 : 1;
		}
	}
	return 0;
}

static int
write_claim(struct entry *e)
{
	const unsigned claim = e->env.last_claim + 1;
	struct sbuf line = {0};
	int rc;

	e->unclaimed_len = (off_t)e->env.raw.len;
	envelope_claim(&line, claim, e->queue, e->spool->owner);
	rc = io_write_full(e->fd, line.data, line.len);
	if (rc == 0) {
		e->claim = claim;
		sbuf_add(&e->env.raw, line.data, line.len);
		e->env.open_claims++;
		e->env.last_claim = e->claim;
		e->claimed_len = (off_t)e->env.raw.len;
	} else {
		int saved = errno;

		/* Half a line is a torn tail for whoever comes next, if even
		 * this fails. */
		if (io_ftruncate(e->fd, e->unclaimed_len) == -1)
			errno = saved;
		errno = saved;
	}
	sbuf_free(&line);
	return rc;
}

/* A higher version: out of the way for a while, untouched. */
static enum entry_claim
put_off(struct entry *e, struct sbuf *why)
{
	struct decision d = {.queue = e->queue, .id = e->id, .exit = "defer",
		.to = e->queue, .due = clock_ms() + NEWER_DELAY};
	struct staged_list none = {0};
	struct spool_path p;

	sbuf_adds(why, "; a higher version is looked at again later");
	if (decision_carry_out(e->spool, &d, &none, entry_path(e, &p), false,
	    NULL) == -1)
		return ENTRY_TROUBLE;
	return ENTRY_NEWER;
}

static enum entry_claim
bury_malformed(struct entry *e, struct sbuf *why)
{
	char id[ID_SIZE];
	struct sbuf text = {0};
	int rc;

	sbuf_printf(&text, "malformed: %s", sbuf_str(why));
	rc = entry_malformed_bury(e->spool, e->id, text.data, id);
	sbuf_set(why, text.data);
	sbuf_free(&text);
	return rc == -1 ? ENTRY_TROUBLE : ENTRY_SETTLED;
}

static enum entry_claim
judge_envelope(struct entry *e, const struct sbuf *bytes, struct sbuf *why)
{
	int rc;

	if (envelope_parse(&e->env, bytes->data, bytes->len, why) == -1) {
		if (errno == ENOTSUP)
			return put_off(e, why);
		return bury_malformed(e, why);
	}
	envelope_set_stages(&e->env, e->spool->stage, e->spool->ctx);
	if (e->env.raw.len < bytes->len &&
	    io_ftruncate(e->fd, (off_t)e->env.raw.len) == -1)
		return ENTRY_TROUBLE;
	e->unclaimed_len = e->claimed_len = (off_t)e->env.raw.len;
	rc = check_trail(e, why);
	if (rc == 0)
		rc = check_parts(e, why);
	if (rc == 0 && e->env.raw.len + CLAIM_LINE_MAX > ENVELOPE_MAX) {
		sbuf_adds(why, "the envelope would exceed 1 MiB");
		rc = entry_settle_now(e, "bury", e->queue, why->data) == -1 ?
		    -1 : 1;
	}
	if (rc != 0)
		return rc == -1 ? ENTRY_TROUBLE : ENTRY_SETTLED;
	e->is_suspect = e->env.open_claims > 0;
	return write_claim(e) == -1 ? ENTRY_TROUBLE : ENTRY_CLAIMED;
}

/* No entry at all: inbound takes it in as a message, elsewhere it is buried.
 * It gets a name that no later file of the same name can have, and that
 * recovery never takes for an entry's: in one step, unless its name is an
 * ID's. */
static enum entry_claim
claim_bare(struct spool *s, const char *from, const char *name,
    struct sbuf *why)
{
	struct spool_path to;
	char id[ID_SIZE];
	const char *own;
	int got, saved;

	spool_path(&to, "%s/cur/%s/%lu%c%.200s", s->queue, s->owner, ++s->bare,
	    SPOOL_MARK, name);
	got = take(s, from, to.s);
	if (got != 1)
		return got == 0 ? ENTRY_LOST : ENTRY_TROUBLE;
	own = strrchr(to.s, '/') + 1;
	sbuf_set(why, own);
	if (spool_bare_crashes(name) >= ENTRY_CLAIMS_MAX) {
		sbuf_truncate(why, 0);
		sbuf_printf(why, "poison: taken up %u times, and the runner "
		    "died each time", spool_bare_crashes(name));
	} else if (s->stage != NULL &&
	    strcmp(s->stage(s->ctx, s->queue), "inbound") == 0) {
		return ENTRY_BARE;
	} else {
		sbuf_set(why, "foreign: not an entry");
	}
	if (entry_bare_bury(s, own, why->data, id) == 0)
		return ENTRY_SETTLED;
	saved = errno;
	if (entry_bare_release(s, own) == -1)
		sbuf_adds(why, ", and it cannot be put back");
	errno = saved;
	return ENTRY_TROUBLE;
}

/* Trouble: put it back where it was found, so that it is not taken for a crash
 * of ours.  Where that fails, or a decision stands in it, it stays in cur/OWNER
 * until recovery. */
static void
put_back(const struct entry *e, const char *from, const char *to)
{
	int saved = errno;

	if (!e->is_stuck && spool_move_in(e->spool->dir, from, to) == -1)
		errno = saved;
	errno = saved;
}

enum entry_claim
entry_claim(struct spool *s, enum spool_place place, const char *folder,
    const char *name, struct entry **e, struct sbuf *why)
{
	struct spool_path from, to;
	struct sbuf bytes = {0};
	enum entry_claim rc;
	int got;

	*e = NULL;
	sbuf_truncate(why, 0);
	origin_path(s, place, folder, name, &from);
	if (!id_is_valid(name))
		return claim_bare(s, from.s, name, why);
	spool_path(&to, "%s/cur/%s/%s", s->queue, s->owner, name);
	if (place != SPOOL_CUR) {
		got = take(s, from.s, to.s);
		if (got != 1)
			return got == 0 ? ENTRY_LOST : ENTRY_TROUBLE;
	}
	*e = new_entry(s, place, name);
	got = read_envelope(*e, &bytes);
	if (got == 1)
		rc = judge_envelope(*e, &bytes, why);
	else if (got == 0)
		rc = claim_bare(s, to.s, name, why);
	else
		rc = ENTRY_TROUBLE;
	sbuf_free(&bytes);
	/* What has no place of its own, a bare file just taken in, waits. */
	if (place == SPOOL_CUR)
		spool_path(&from, "%s/new/%s", s->queue, name);
	if (rc == ENTRY_TROUBLE)
		put_back(*e, to.s, from.s);
	if (rc != ENTRY_CLAIMED)
		entry_free(e);
	return rc;
}

bool
entry_is_suspect(const struct entry *e)
{
	return e->is_suspect;
}

const char *
entry_id(const struct entry *e)
{
	return e->id;
}

const struct envelope *
entry_envelope(const struct entry *e)
{
	return &e->env;
}

void
entry_set_data(struct entry *e, void *data)
{
	e->data = data;
}

void *
entry_data(const struct entry *e)
{
	return e->data;
}

int
entry_message_open(const struct entry *e)
{
	struct spool_path p;

	return fs_open_regular(e->spool->dir,
	    spool_path(&p, "msg/%s", e->id), O_RDONLY, NULL);
}

static bool
has_head(const struct envelope *env)
{
	const char *head = envelope_get(env, "Head");

	return head != NULL && strcmp(head, "none") != 0;
}

int
entry_header(const struct entry *e, size_t max, struct sbuf *out, off_t *body)
{
	unsigned long long offset = 0;
	struct spool_path p;
	int fd, rc = 0;

	if (envelope_number(&e->env, "Body-Offset", &offset) == 1)
		*body = (off_t)offset;
	else
		*body = 0;
	if (has_head(&e->env))
		return fs_read(e->spool->dir, spool_path(&p, "head/%s", e->id),
		    max, out);
	if (offset > max) {
		errno = EFBIG;
		return -1;
	}
	fd = entry_message_open(e);
	if (fd == -1)
		return -1;
	sbuf_reserve(out, (size_t)offset);
	if (io_pread_full(fd, out->data + out->len, (size_t)offset, 0) !=
	    (ssize_t)offset) {
		errno = EIO;
		rc = -1;
	} else {
		out->len += (size_t)offset;
		sbuf_truncate(out, out->len);
	}
	io_close(&fd);
	return rc;
}

int
entry_rcpt_open(const struct entry *e, int flags)
{
	struct spool_path p;

	return fs_open_regular(e->spool->dir,
	    spool_path(&p, "rcpt/%s", e->id), flags, NULL);
}

int
entry_result_open(const struct entry *e)
{
	struct spool_path p;

	return io_openat(e->spool->dir, spool_path(&p, "result/%s", e->id),
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, SPOOL_FILE_MODE);
}

int
entry_is_ours(const struct entry *e)
{
	struct spool_path p;
	struct stat st;

	if (fstatat(e->spool->dir, entry_path(e, &p), &st,
	    AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -1;
	return st.st_ino == e->inode;
}

static void
free_children(struct entry *e)
{
	struct child *c, *next;

	for (c = e->children; c != NULL; c = next) {
		next = c->next;
		sbuf_free(&c->fields);
		staged_free(&c->staged);
		free(c);
	}
	e->children = NULL;
	e->n_children = 0;
}

void
entry_start_over(struct entry *e)
{
	entry_unstage(e);
	free_children(e);
	staged_free(&e->staged);
	sbuf_free(&e->fields);
	e->has_head = e->has_outcome = e->is_flush_needed = false;
	e->failed = 0;
	e->due = 0;
}

void
entry_free(struct entry **e)
{
	if (*e == NULL)
		return;
	free_children(*e);
	io_close(&(*e)->fd);
	envelope_free(&(*e)->env);
	sbuf_free(&(*e)->fields);
	sbuf_free(&(*e)->block);
	staged_free(&(*e)->staged);
	free(*e);
	*e = NULL;
}
