/* SPDX-License-Identifier: BSD-2-Clause
 *
 * draft - new root entries: written aside, accepted in one step
 *
 * The message is written under its final name msg/ID at once: the ID is new,
 * so nobody looks there before the envelope stands in its queue.  What a crash
 * leaves before that is an orphan that the sweep removes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/system/fsutil.h"
#include "common/spool/private.h"

#define BUFFER 65536

struct spool_draft {
	struct spool *spool;
	char id[ID_SIZE];
	int fd;                 /* msg/ID while it is written, else -1 */
	char *buffer;
	size_t buffered;
	unsigned long long size;
	uint32_t crc;
	struct sbuf fields;
	char queue[ID_SIZE];    /* where it was sealed for, or "" */
	bool is_written;        /* nothing is left in the buffer */
	bool is_shared;         /* its message is a link of another's */
	bool is_in;
};

static struct spool_draft *
new_draft(struct spool *s)
{
	struct spool_draft *d = xcalloc(1, sizeof(*d));

	d->spool = s;
	d->fd = -1;
	id_new(d->id, s->host);
	return d;
}

struct spool_draft *
spool_draft_begin(struct spool *s)
{
	struct spool_draft *d = new_draft(s);
	struct spool_path p;

	spool_path(&p, "msg/%s", d->id);
	d->fd = io_openat(s->dir, p.s, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
	    SPOOL_FILE_MODE);
	if (d->fd == -1) {
		int saved = errno;

		free(d);
		errno = saved;
		return NULL;
	}
	d->buffer = xmalloc(BUFFER);
	return d;
}

const char *
spool_draft_id(const struct spool_draft *d)
{
	return d->id;
}

static int
write_out(struct spool_draft *d)
{
	size_t n = d->buffered;

	d->buffered = 0;
	return n == 0 ? 0 : io_write_full(d->fd, d->buffer, n);
}

int
spool_draft_write(struct spool_draft *d, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t room;

	if (d->fd == -1) {
		errno = EINVAL;
		return -1;
	}
	d->size += n;
	while (n > 0) {
		room = BUFFER - d->buffered;
		if (room > n)
			room = n;
		memcpy(d->buffer + d->buffered, p, room);
		d->crc = (uint32_t)crc32(d->crc, p, (uInt)room);
		d->buffered += room;
		p += room;
		n -= room;
		if (d->buffered == BUFFER && write_out(d) == -1)
			return -1;
	}
	return 0;
}

unsigned long long
spool_draft_size(const struct spool_draft *d)
{
	return d->size;
}

static int
finish_message(struct spool_draft *d)
{
	if (d->is_written)
		return 0;
	if (write_out(d) == -1)
		return -1;
	free(d->buffer);
	d->buffer = NULL;
	d->is_written = true;
	return 0;
}

struct spool_draft *
spool_draft_share(struct spool_draft *d)
{
	struct spool_draft *copy;
	struct spool_path from, to;

	if (finish_message(d) == -1)
		return NULL;
	copy = new_draft(d->spool);
	copy->size = d->size;
	copy->crc = d->crc;
	copy->is_written = copy->is_shared = true;
	spool_path(&from, "msg/%s", d->id);
	spool_path(&to, "msg/%s", copy->id);
	if (spool_link_or_copy(d->spool->dir, from.s, to.s) == -1) {
		int saved = errno;

		free(copy);
		errno = saved;
		return NULL;
	}
	return copy;
}

/* Size and crc32 of a message that is there already. */
static int
measure(struct spool_draft *d, const char *path)
{
	int fd = fs_open_regular(d->spool->dir, path, O_RDONLY, NULL);
	unsigned char *bytes;
	ssize_t n;

	if (fd == -1)
		return -1;
	bytes = xmalloc(BUFFER);
	while ((n = io_read_full(fd, bytes, BUFFER)) > 0) {
		d->size += (unsigned long long)n;
		d->crc = (uint32_t)crc32(d->crc, bytes, (uInt)n);
	}
	free(bytes);
	io_close(&fd);
	return n == -1 ? -1 : 0;
}

struct spool_draft *
spool_draft_inherit(struct spool *s, const char *id)
{
	static const char *const parts[] = {"msg", "head", "rcpt", "result"};
	struct spool_draft *d = new_draft(s);
	struct spool_path from, to;
	size_t i;
	int saved, rc = 0;

	d->is_written = d->is_shared = true;
	for (i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		spool_path(&from, "%s/%s", parts[i], id);
		spool_path(&to, "%s/%s", parts[i], d->id);
		rc = spool_link_or_copy(s->dir, from.s, to.s);
		if (rc == -1 && errno == ENOENT && i > 0)
			rc = 0;
	}
	if (rc == 0)
		rc = measure(d, spool_path(&to, "msg/%s", d->id));
	if (rc == 0)
		return d;
	saved = errno;
	(void)spool_remove_parts(s->dir, d->id);
	spool_draft_free(&d);
	errno = saved;
	return NULL;
}

void
spool_draft_set(struct spool_draft *d, const char *name, const char *value)
{
	envelope_line(&d->fields, name, value);
}

static void
first_block(const struct spool_draft *d, const char *stage, const char *exit,
    const char *queue, struct sbuf *out)
{
	struct envelope_seal seal = {.time = clock_ms(), .queue = stage,
		.exit = exit, .to = queue, .host = d->spool->host};
	struct sbuf fields = {0};
	char text[32], now[CLOCK_RFC3339_SIZE];

	sbuf_adds(&fields, ENVELOPE_MAGIC);
	envelope_line(&fields, "Id", d->id);
	clock_format(seal.time, now);
	envelope_line(&fields, "Created", now);
	snprintf(text, sizeof(text), "%llu", d->size);
	envelope_line(&fields, "Size", text);
	snprintf(text, sizeof(text), "%08x", (unsigned)d->crc);
	envelope_line(&fields, "Crc32", text);
	sbuf_add(&fields, sbuf_str(&d->fields), d->fields.len);
	envelope_seal(NULL, &fields, &seal, out);
	sbuf_free(&fields);
}

int
spool_draft_seal_as(struct spool_draft *d, const char *stage, const char *exit,
    const char *queue)
{
	struct spool_path p;
	struct sbuf bytes = {0};
	int rc;

	if (!spool_is_queue_name(queue)) {
		errno = EINVAL;
		return -1;
	}
	if (finish_message(d) == -1)
		return -1;
	first_block(d, stage, exit, queue, &bytes);
	spool_path(&p, "%s/tmp/%s", queue, d->id);
	rc = spool_write_file(d->spool->dir, p.s, bytes.data, bytes.len);
	sbuf_free(&bytes);
	if (rc == 0)
		strcpy(d->queue, queue);
	return rc;
}

int
spool_draft_seal(struct spool_draft *d, const char *stage, const char *queue)
{
	return spool_draft_seal_as(d, stage, "accept", queue);
}

/* Message and envelope of one draft, and where msg/ID's name lies. */
static int
sync_draft(struct spool_draft *d)
{
	struct spool_path p;

	spool_path(&p, "msg/%s", d->id);
	/* A shared message may have been written by a draft that is not in this
	 * batch; what is flushed already costs next to nothing. */
	if ((d->fd != -1 ? io_fsync(d->fd) :
	    spool_sync_path(d->spool->dir, p.s)) == -1)
		return -1;
	spool_path(&p, "%s/tmp/%s", d->queue, d->id);
	return spool_sync_path(d->spool->dir, p.s);
}

/* A flush of everything beats one per file from the third file on; but on a
 * volume that others write to, syncfs waits for their data too, so a lone
 * message goes by fsync. */
static int
sync_drafts(struct spool *s, struct spool_draft **drafts, size_t n)
{
	size_t i;

	if (s->flush == SPOOL_FLUSH_SYNCFS ||
	    (s->flush == SPOOL_FLUSH_AUTO && n > 1))
		return io_syncfs(s->dir);
	for (i = 0; i < n; i++) {
		if (sync_draft(drafts[i]) == -1)
			return -1;
	}
	return spool_sync_path(s->dir, "msg");
}

static int
sync_queues(struct spool *s, struct spool_draft **drafts, size_t n)
{
	struct spool_path p;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i > 0 && strcmp(drafts[i]->queue, drafts[i - 1]->queue) == 0)
			continue;
		spool_path(&p, "%s/new", drafts[i]->queue);
		if (spool_sync_path(s->dir, p.s) == -1)
			return -1;
	}
	return 0;
}

static int
rename_in(struct spool_draft *d)
{
	struct spool_path from, to;

	spool_path(&from, "%s/tmp/%s", d->queue, d->id);
	spool_path(&to, "%s/new/%s", d->queue, d->id);
	if (io_rename_new(d->spool->dir, from.s, d->spool->dir, to.s) == -1)
		return -1;
	d->is_in = true;
	return 0;
}

/* Not accepted after all: out of the queue, unless a runner has it already. */
static void
take_back(struct spool_draft *d)
{
	struct spool_path from, to;

	if (!d->is_in)
		return;
	spool_path(&from, "%s/new/%s", d->queue, d->id);
	spool_path(&to, "%s/tmp/%s", d->queue, d->id);
	if (io_rename_new(d->spool->dir, from.s, d->spool->dir, to.s) == 0)
		d->is_in = false;
}

int
spool_draft_commit(struct spool *s, struct spool_draft **drafts, size_t n)
{
	size_t i;
	int rc = 0, saved;

	for (i = 0; i < n; i++) {
		if (drafts[i]->queue[0] == '\0') {
			errno = EINVAL;
			return -1;
		}
	}
	if (sync_drafts(s, drafts, n) == -1)
		return -1;
	for (i = 0; rc == 0 && i < n; i++)
		rc = rename_in(drafts[i]);
	if (rc == 0)
		rc = sync_queues(s, drafts, n);
	if (rc == 0)
		return 0;
	saved = errno;
	for (i = 0; i < n; i++)
		take_back(drafts[i]);
	errno = saved;
	return -1;
}

bool
spool_draft_is_in(const struct spool_draft *d)
{
	return d->is_in;
}

void
spool_draft_keep(struct spool_draft *d, bool stays)
{
	d->is_in = stays;
}

void
spool_draft_free(struct spool_draft **d)
{
	struct spool_path p;
	int dir;

	if (*d == NULL)
		return;
	dir = (*d)->spool->dir;
	if (!(*d)->is_in) {
		/* What cannot be removed now is swept later. */
		spool_path(&p, "%s/tmp/%s", (*d)->queue, (*d)->id);
		if ((*d)->queue[0] != '\0')
			(void)spool_remove(dir, p.s);
		spool_path(&p, "msg/%s", (*d)->id);
		(void)spool_remove(dir, p.s);
	}
	io_close(&(*d)->fd);
	free((*d)->buffer);
	sbuf_free(&(*d)->fields);
	free(*d);
	*d = NULL;
}

/* The source is gone: what cannot be claimed now waits in new/. */
static int
claim_adopted(struct spool *s, struct spool_draft **d, struct entry **e)
{
	struct sbuf why = {0};
	enum entry_claim got;
	int saved;

	got = entry_claim(s, SPOOL_CUR, "", (*d)->id, e, &why);
	saved = got == ENTRY_TROUBLE ? errno : EIO;
	sbuf_free(&why);
	spool_draft_free(d);
	errno = saved;
	return got == ENTRY_CLAIMED ? 0 : -1;
}

/* The draft's envelope goes straight into our own claims, so that no other
 * instance sees entry and source at once.  Renaming it there is the instant in
 * which the bare file is taken in; recovery removes a source that such an
 * envelope names. */
int
entry_bare_adopt(struct spool *s, const char *name, struct spool_draft **d,
    struct entry **e)
{
	struct spool_path from, to, bare;
	struct sbuf source = {0};
	struct stat st;
	int rc, saved;

	spool_path(&bare, "%s/cur/%s/%s", s->queue, s->owner, name);
	if (fstatat(s->dir, bare.s, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	sbuf_adds(&source, "drop");
	kv_add(&source, "host", s->host);
	kv_add(&source, "name", entry_bare_name(name));
	kv_addn(&source, "uid", (long long)st.st_uid);
	kv_add(&source, "as", name);
	spool_draft_set(*d, "Source", source.data);
	sbuf_free(&source);
	spool_path(&from, "%s/tmp/%s", s->queue, (*d)->id);
	spool_path(&to, "%s/cur/%s/%s", s->queue, s->owner, (*d)->id);
	if (spool_draft_seal_as(*d, s->queue, "drop", s->queue) == -1)
		return -1;
	rc = sync_drafts(s, d, 1);
	if (rc == 0)
		rc = io_rename_new(s->dir, from.s, s->dir, to.s);
	if (rc == -1)
		return -1;
	(*d)->is_in = true;
	if (spool_remove(s->dir, bare.s) == 0)
		return claim_adopted(s, d, e);
	saved = errno;
	/* One of the two has to go, else the message is handled twice. */
	if (io_rename_new(s->dir, to.s, s->dir, from.s) == 0)
		(*d)->is_in = false;
	else
		s->is_stuck = true;
	errno = saved;
	return -1;
}
