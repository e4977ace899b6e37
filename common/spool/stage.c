/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stage - what a hop adds: fields, parts, children, an outcome
 *
 * Staged files lie in tmp folders under names made of ID, OWNER and claim
 * number, so that an attempt never meets what an earlier one left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/spool/private.h"

static int
fail(struct entry *e)
{
	e->failed = errno == 0 ? EIO : errno;
	return -1;
}

static void add_field(struct sbuf *fields, const char *name, const char *fmt,
    va_list ap) __attribute__((format(printf, 3, 0)));

static void
add_field(struct sbuf *fields, const char *name, const char *fmt, va_list ap)
{
	struct sbuf value = {0};

	sbuf_vprintf(&value, fmt, ap);
	envelope_line(fields, name, sbuf_str(&value));
	sbuf_free(&value);
}

void
entry_set(struct entry *e, const char *name, const char *value)
{
	envelope_line(&e->fields, name, value);
}

void
entry_setf(struct entry *e, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_field(&e->fields, name, fmt, ap);
	va_end(ap);
}

void
child_set(struct child *c, const char *name, const char *value)
{
	envelope_line(&c->fields, name, value);
}

void
child_setf(struct child *c, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_field(&c->fields, name, fmt, ap);
	va_end(ap);
}

static const char *
staging_path(const struct entry *e, const struct staged *item,
    struct spool_path *p)
{
	return staged_from(item, e->queue, e->spool->owner, e->claim, p);
}

/* Write a whole staged file and note it. */
static int
stage_bytes(struct entry *e, struct staged_list *l, enum staged_kind kind,
    const char *id, const struct sbuf *bytes)
{
	struct staged *item = staged_add(l, kind, id);
	struct spool_path p;

	item->size = bytes->len;
	item->crc = (uint32_t)crc32(0, (const unsigned char *)sbuf_str(bytes),
	    (uInt)bytes->len);
	if (spool_write_file(e->spool->dir, staging_path(e, item, &p),
	    sbuf_str(bytes), bytes->len) == -1)
		return fail(e);
	return 0;
}

int
entry_stage_head(struct entry *e, const struct sbuf *head)
{
	if (stage_bytes(e, &e->staged, STAGED_HEAD, e->id, head) == -1)
		return -1;
	e->has_head = true;
	entry_setf(e, "Head", "%zu crc32=%08x", head->len,
	    (unsigned)e->staged.items[e->staged.n - 1].crc);
	return 0;
}

static int
stage_rcpt(struct entry *e, struct staged_list *l, const char *id,
    struct rcpt_writer *w)
{
	struct staged *item = staged_add(l, STAGED_RCPT, id);
	struct spool_path p;
	int fd;

	fd = io_openat(e->spool->dir, staging_path(e, item, &p),
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, SPOOL_FILE_MODE);
	if (fd == -1)
		return fail(e);
	rcpt_write_begin(w, fd);
	return 0;
}

static int
end_rcpt(struct entry *e, struct staged_list *l, struct sbuf *fields,
    struct rcpt_writer *w)
{
	struct staged *item = &l->items[l->n - 1];
	struct sbuf text = {0};
	int rc;

	rc = rcpt_write_end(w);
	if (rc == -1)
		(void)fail(e);
	item->size = w->size;
	item->crc = w->crc;
	sbuf_printf(&text, "%lu bytes=%llu", w->lines, w->size);
	envelope_line(fields, "Recipients", text.data);
	sbuf_free(&text);
	io_close(&w->fd);
	rcpt_write_free(w);
	return rc;
}

int
entry_stage_rcpt(struct entry *e, struct rcpt_writer *w)
{
	return stage_rcpt(e, &e->staged, e->id, w);
}

int
entry_stage_rcpt_end(struct entry *e, struct rcpt_writer *w)
{
	return end_rcpt(e, &e->staged, &e->fields, w);
}

/* Numbers go on over all generations of one letter under one parent. */
static unsigned
next_number(const struct entry *e, char letter)
{
	const struct child *c;
	unsigned n = 1;

	for (c = e->children; c != NULL; c = c->next) {
		if (c->id[strlen(e->id) + 1] == letter)
			n++;
	}
	return n;
}

struct child *
entry_child(struct entry *e, char letter, const char *queue)
{
	struct child *c, **end;
	char id[ID_SIZE];

	if (!spool_is_queue_name(queue)) {
		errno = EINVAL;
		(void)fail(e);
		return NULL;
	}
	/* With the claim in it, the child of a later attempt or a later visit
	 * (outbound, deferred and back) never has the ID of an earlier one. */
	if (id_child(id, e->id, letter, e->claim, next_number(e, letter)) ==
	    -1) {
		(void)fail(e);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->parent = e;
	strcpy(c->id, id);
	strcpy(c->queue, queue);
	for (end = &e->children; *end != NULL; end = &(*end)->next)
		;
	*end = c;
	e->n_children++;
	return c;
}

const char *
child_id(const struct child *c)
{
	return c->id;
}

int
child_share_message(struct child *c)
{
	if (c->has_message || c->is_shared) {
		errno = EINVAL;
		return fail(c->parent);
	}
	c->is_shared = true;
	return 0;
}

int
child_stage_message(struct child *c, const struct sbuf *message, size_t body)
{
	struct staged *item;

	if (c->has_message || c->is_shared) {
		errno = EINVAL;
		return fail(c->parent);
	}
	c->has_message = true;
	if (stage_bytes(c->parent, &c->staged, STAGED_MSG, c->id, message) ==
	    -1)
		return -1;
	item = &c->staged.items[c->staged.n - 1];
	child_setf(c, "Size", "%llu", item->size);
	child_setf(c, "Crc32", "%08x", (unsigned)item->crc);
	child_setf(c, "Body-Offset", "%zu", body);
	return 0;
}

int
child_stage_rcpt(struct child *c, struct rcpt_writer *w)
{
	return stage_rcpt(c->parent, &c->staged, c->id, w);
}

int
child_stage_rcpt_end(struct child *c, struct rcpt_writer *w)
{
	return end_rcpt(c->parent, &c->staged, &c->fields, w);
}

void
entry_needs_flush(struct entry *e)
{
	e->is_flush_needed = true;
}

static void
set_outcome(struct entry *e, const char *exit, const char *to)
{
	e->has_outcome = true;
	snprintf(e->exit, sizeof(e->exit), "%s", exit);
	snprintf(e->to, sizeof(e->to), "%s", to);
}

void
entry_forward(struct entry *e, const char *exit, const char *queue)
{
	set_outcome(e, exit, queue);
}

void
entry_defer(struct entry *e, int64_t due, const char *why)
{
	set_outcome(e, "defer", e->queue);
	e->due = due;
	entry_set(e, "Error", why);
	e->is_flush_needed = true;
}

void
entry_hold(struct entry *e)
{
	set_outcome(e, "hold", e->queue);
	e->is_flush_needed = true;
}

void
entry_bury(struct entry *e, const char *why)
{
	set_outcome(e, "bury", e->queue);
	entry_set(e, "Error", why);
	e->is_flush_needed = true;
}

void
entry_done(struct entry *e, const char *exit)
{
	set_outcome(e, exit, "");
}

bool
entry_has_outcome(const struct entry *e)
{
	return e->has_outcome;
}

void
entry_abandon(struct entry *e, int error)
{
	e->failed = error == 0 ? EIO : error;
}

enum entry_state
entry_state(const struct entry *e)
{
	return e->state;
}

int
entry_errno(const struct entry *e)
{
	return e->error;
}

const char *
entry_exit(const struct entry *e)
{
	return e->exit;
}

const char *
entry_to(const struct entry *e)
{
	return e->to;
}
