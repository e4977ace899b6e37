/* SPDX-License-Identifier: BSD-2-Clause
 *
 * runner_entry - a runner's dealings with entries: next, outcome, settle
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/exits.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/mail/header.h"
#include "common/process/runner_private.h"
#include "common/spool/backoff.h"
#include "common/system/fsutil.h"

/* Names passed over in one look, before it is the host's trouble after all. */
#define SKIPS_MAX 16
/* A list that cannot be read is told of this often, and so many of them. */
#define WARN_EVERY (60 * 1000)
#define WARNED_MAX 100

void *
runner_data(const struct runner *r)
{
	return r->data;
}

const struct site *
runner_site(const struct runner *r)
{
	return r->site;
}

const struct site_queue *
runner_queue(const struct runner *r)
{
	return r->queue;
}

struct lists *
runner_lists(struct runner *r)
{
	return r->lists;
}

struct spool *
runner_spool(struct runner *r)
{
	return r->spool;
}

int
runner_bell(const struct runner *r)
{
	(void)r;
	return STDIN_FILENO;
}

bool
runner_is_drain(const struct runner *r)
{
	return r->is_drain;
}

const char *
runner_exit(const struct runner *r, const char *exit)
{
	return site_exit(r->queue, exit);
}

void
runner_forward(struct runner *r, struct entry *e, const char *exit)
{
	const char *queue = site_exit(r->queue, exit);
	struct sbuf why = {0};

	if (queue != NULL) {
		entry_forward(e, exit, queue);
		return;
	}
	sbuf_printf(&why, "queue %s has no exit %s in the site file",
	    r->queue->name, exit);
	entry_bury(e, why.data);
	sbuf_free(&why);
}

void
runner_defer(struct runner *r, struct entry *e, const char *why)
{
	const struct envelope *env = entry_envelope(e);
	const struct envelope_trail *t;
	struct sbuf text = {0};
	unsigned attempts = 1;
	size_t i = env->n_blocks;
	uint32_t salt;

	while (i > 1 && strcmp(env->trails[i - 1].exit, "defer") == 0 &&
	    strcmp(env->trails[i - 1].queue, r->queue->name) == 0) {
		attempts++;
		i--;
	}
	t = &env->trails[i - 1];
	if (clock_ms() - t->time > r->site->give_up) {
		sbuf_printf(&text, "given up after %u attempts: %s", attempts,
		    why);
		entry_bury(e, text.data);
		sbuf_free(&text);
		return;
	}
	salt = (uint32_t)crc32(0, (const unsigned char *)entry_id(e),
	    (uInt)strlen(entry_id(e)));
	entry_defer(e, clock_ms() + backoff_delay(attempts, salt), why);
}

void
runner_defer_error(struct runner *r, struct entry *e, const char *what)
{
	struct sbuf why = {0};

	sbuf_printf(&why, "%s: %s", what, strerror(errno));
	log_warn("id=%s queue=%s %s", entry_id(e), r->queue->name, why.data);
	runner_defer(r, e, why.data);
	sbuf_free(&why);
}

void
runner_defer_list(struct runner *r, struct entry *e, const char *why)
{
	int64_t now = clock_mono_ms();
	struct sbuf text = {0};

	if (*why != '\0')
		sbuf_adds(&text, why);
	else
		sbuf_printf(&text, "cannot look up lists: %s",
		    strerror(errno));
	if (now - r->warned_since >= WARN_EVERY) {
		strv_free(&r->warned);
		r->warned_since = now;
	}
	if (r->warned.n < WARNED_MAX && !strv_has(&r->warned, text.data)) {
		strv_add(&r->warned, text.data);
		log_warn("id=%s queue=%s mail waits for a list that cannot be "
		    "read: %s", entry_id(e), r->queue->name, text.data);
	}
	/* Other lists' mail goes on meanwhile, and this is to be seen. */
	runner_status(r, text.data);
	r->error_kept = now + WARN_EVERY;
	runner_defer(r, e, text.data);
	sbuf_free(&text);
}

/* Is the message shorter than its header is said to be? */
static bool
is_cut_off(const struct entry *e)
{
	unsigned long long offset = 0;
	struct stat st;
	int fd = entry_message_open(e);
	bool is;

	if (fd == -1)
		return false;
	is = fstat(fd, &st) == 0 &&
	    envelope_number(entry_envelope(e), "Body-Offset", &offset) == 1 &&
	    offset > (unsigned long long)st.st_size;
	io_close(&fd);
	return is;
}

int
runner_header(struct runner *r, struct entry *e, struct sbuf *out, off_t *body)
{
	(void)r;
	if (entry_header(e, HEADER_MAX, out, body) == 0)
		return 1;
	switch (errno) {
	case EFBIG:
		entry_bury(e, "a header block over 1 MiB");
		return 0;
	case ENOENT:
	case ELOOP:
	case EINVAL:
	case EISDIR:
	case EACCES:
		entry_bury(e, "its header is no file that can be read");
		return 0;
	case EIO:
		if (!is_cut_off(e)) {
			errno = EIO;
			return -1;
		}
		entry_bury(e, "the message is shorter than its Body-Offset");
		return 0;
	default:
		return -1;
	}
}

int
runner_list(struct runner *r, struct entry *e, const struct list **list)
{
	const char *name = envelope_get(entry_envelope(e), "List");
	struct sbuf why = {0};
	int rc;

	if (name == NULL) {
		entry_bury(e, "no List field: inbound has not seen this");
		return 0;
	}
	rc = lists_get(r->lists, name, list, &why);
	if (rc == 0)
		entry_bury(e, "the list is gone");
	else if (rc == -1)
		runner_defer_list(r, e, sbuf_str(&why));
	sbuf_free(&why);
	return rc == 1;
}

struct child *
runner_notice(struct runner *r, struct entry *e, const char *words)
{
	const char *queue = site_exit(r->queue, "notice");
	const char *list = envelope_get(entry_envelope(e), "List");
	struct child *c;

	errno = 0;
	if (queue == NULL)
		return NULL;
	c = entry_child(e, 'n', queue);
	if (c == NULL || child_share_message(c) == -1)
		return NULL;
	child_set(c, "Kind", "notice");
	child_set(c, "Role", "notice");
	if (list != NULL)
		child_set(c, "List", list);
	child_set(c, "About", entry_id(e));
	child_set(c, "Notice", words);
	return c;
}

static void
note_error(struct runner *r)
{
	r->error_time = clock_ms();
	r->error_kept = 0;
	r->is_error_new = true;
}

/* A batch went well: what was wrong before it is over. */
static void
clear_error(struct runner *r)
{
	if (r->last_error.len > 0 && !r->is_error_new && !r->is_troubled &&
	    r->skipped == 0 && clock_mono_ms() >= r->error_kept) {
		sbuf_truncate(&r->last_error, 0);
		r->is_changed = true;
	}
}

void
runner_trouble(struct runner *r, const char *what, int error)
{
	log_error("queue=%s trouble with %s: %s", r->queue->name, what,
	    strerror(error));
	sbuf_truncate(&r->last_error, 0);
	sbuf_printf(&r->last_error, "%s: %s", what, strerror(error));
	note_error(r);
	r->is_troubled = true;
	r->is_changed = true;
	if (error == ESTALE) {
		log_error("queue=%s the claims of %s were taken over: ending",
		    r->queue->name, spool_owner(r->spool));
		runner_leave(r, EXIT_TEMPORARY);
	}
}

/* Is it trouble of this host, and not of one file? */
static bool
is_host_trouble(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENODEV:
	case ESTALE:
		return true;
	default:
		return false;
	}
}

/* Trouble with one name: the others need not wait for it, but the look ends as
 * one in trouble.  0 look at the next, -1. */
static int
pass_over(struct runner *r, const char *name, int error)
{
	runner_trouble(r, name, error);
	errno = error;
	if (is_host_trouble(error) || ++r->skipped > SKIPS_MAX)
		return -1;
	r->is_troubled = false;
	return 0;
}

void
runner_look_again(struct runner *r)
{
	r->skipped = 0;
	spool_scan_close(&r->scan);
	r->place = SPOOL_LATER;
}

/* A bare file: inbound makes an entry of it; 1, 0 settled, -1. */
static int
adopt(struct runner *r, const char *name, struct entry **e)
{
	int rc, saved;

	if (r->def->adopt == NULL) {
		errno = ENOTSUP;
		rc = -1;
	} else {
		rc = r->def->adopt(r, name, e);
	}
	if (rc != -1)
		return rc;
	saved = errno;
	if (entry_bare_release(r->spool, name) == -1) {
		/* Neither here nor there: recovery knows what to do. */
		log_error("queue=%s file=\"%s\" cannot be put back: %s",
		    r->queue->name, entry_bare_name(name), strerror(errno));
		runner_leave(r, EXIT_TEMPORARY);
	}
	return pass_over(r, entry_bare_name(name), saved);
}

/* Claim one name: 1 and *e, 0 look at the next, -1 trouble. */
static int
claim(struct runner *r, const char *folder, const char *name,
    struct entry **e)
{
	struct sbuf why = {0}, bare = {0};
	int rc = 0;

	switch (entry_claim(r->spool, r->place, folder, name, e, &why)) {
	case ENTRY_CLAIMED:
		rc = 1;
		break;
	case ENTRY_LOST:
		break;
	case ENTRY_SETTLED:
		log_warn("id=%s queue=%s moved aside: %s", name, r->queue->name,
		    sbuf_str(&why));
		r->buried++;
		break;
	case ENTRY_BARE:
		sbuf_set(&bare, sbuf_str(&why));
		rc = adopt(r, bare.data, e);
		break;
	case ENTRY_NEWER:
		log_error("id=%s queue=%s alarm: %s", name, r->queue->name,
		    sbuf_str(&why));
		break;
	case ENTRY_TROUBLE:
		/* A file that may not be touched keeps nobody waiting. */
		if (errno == EACCES || errno == EPERM) {
			log_error("queue=%s file=\"%s\" stays where it is: %s",
			    r->queue->name, name, strerror(errno));
			break;
		}
		rc = pass_over(r, name, errno);
		break;
	}
	sbuf_free(&why);
	sbuf_free(&bare);
	return rc;
}

/* Open the next place to look at: 1, 0 none is left, -1. */
static int
next_place(struct runner *r)
{
	if (r->place == SPOOL_HELD && r->skipped == 0)
		return 0;
	if (r->place == SPOOL_HELD) {
		r->is_troubled = true;
		errno = EIO;
		return -1;
	}
	r->scan = spool_scan_open(r->spool, r->queue->name, r->place,
	    clock_ms());
	if (r->scan == NULL) {
		runner_trouble(r, spool_place_name(r->place), errno);
		return -1;
	}
	return 1;
}

int
runner_next(struct runner *r, struct entry **e)
{
	const char *name, *folder;
	int rc;

	for (;;) {
		if (r->scan == NULL && (rc = next_place(r)) != 1)
			return rc;
		rc = spool_scan_next(r->scan, &name, &folder);
		if (rc == -1) {
			runner_trouble(r, spool_place_name(r->place), errno);
			return -1;
		}
		if (rc == 0) {
			spool_scan_close(&r->scan);
			/* Due entries first, then new ones, then no more. */
			r->place = r->place == SPOOL_LATER ? SPOOL_NEW :
			    SPOOL_HELD;
			continue;
		}
		rc = claim(r, folder, name, e);
		if (rc != 0)
			return rc;
	}
}

static void
count(struct runner *r, const struct entry *e)
{
	const char *exit = entry_exit(e);

	r->settled++;
	r->is_changed = true;
	if (strcmp(exit, "defer") == 0)
		r->deferred++;
	else if (strcmp(exit, "hold") == 0)
		r->held++;
	else if (strcmp(exit, "bury") == 0)
		r->buried++;
	else if (*entry_to(e) == '\0')
		r->done++;
	else
		r->forwarded++;
}

static void
report(struct runner *r, const struct entry *e)
{
	const char *list = envelope_get(entry_envelope(e), "List");

	switch (entry_state(e)) {
	case ENTRY_MOVED:
		count(r, e);
		log_info("id=%s list=%s queue=%s exit=%s to=%s", entry_id(e),
		    list == NULL ? "-" : list, r->queue->name, entry_exit(e),
		    *entry_to(e) == '\0' ? "-" : entry_to(e));
		break;
	case ENTRY_RELEASED:
		if (entry_errno(e) != 0)
			runner_trouble(r, entry_id(e), entry_errno(e));
		else
			log_warn("id=%s queue=%s no outcome: put back",
			    entry_id(e), r->queue->name);
		r->is_troubled = true;
		break;
	case ENTRY_FENCED:
		runner_trouble(r, entry_id(e), ESTALE);
		break;
	case ENTRY_OPEN:
	case ENTRY_STUCK:
		log_error("id=%s queue=%s decided, but cannot be moved: %s",
		    entry_id(e), r->queue->name, strerror(entry_errno(e)));
		break;
	}
}

int
runner_settle(struct runner *r, struct entry **entries, size_t n)
{
	bool is_stuck = false;
	int error = 0;
	size_t i;

	if (r->def->batch_end != NULL && r->def->batch_end(r) == -1) {
		runner_trouble(r, "batch", errno);
		for (i = 0; i < n; i++)
			entry_abandon(entries[i], errno == 0 ? EIO : errno);
	}
	(void)spool_commit(r->spool, entries, n);
	for (i = 0; i < n; i++) {
		report(r, entries[i]);
		if (entry_state(entries[i]) == ENTRY_STUCK)
			is_stuck = true;
		if (entry_state(entries[i]) != ENTRY_MOVED)
			error = entry_errno(entries[i]) == 0 ? EIO :
			    entry_errno(entries[i]);
		entry_free(&entries[i]);
	}
	if (is_stuck)
		runner_leave(r, EXIT_TEMPORARY);
	if (error == 0)
		clear_error(r);
	r->is_error_new = false;
	errno = error;
	return error == 0 ? 0 : -1;
}

static void
add_line(struct sbuf *out, const char *key, unsigned long value)
{
	sbuf_printf(out, "%s: %lu\n", key, value);
}

void
runner_publish(struct runner *r)
{
	char started[CLOCK_RFC3339_SIZE], now[CLOCK_RFC3339_SIZE];
	char at[CLOCK_RFC3339_SIZE];
	struct sbuf text = {0}, path = {0};

	if (!r->is_changed)
		return;
	r->published = clock_mono_ms();
	r->is_changed = false;
	clock_format(r->started, started);
	clock_format(clock_ms(), now);
	sbuf_printf(&text, "queue: %s\ninstance: %s\nowner: %s\npid: %ld\n"
	    "started: %s\nupdated: %s\n", r->queue->name, r->instance,
	    spool_owner(r->spool), (long)getpid(), started, now);
	add_line(&text, "settled", r->settled);
	add_line(&text, "forwarded", r->forwarded);
	add_line(&text, "done", r->done);
	add_line(&text, "deferred", r->deferred);
	add_line(&text, "held", r->held);
	add_line(&text, "buried", r->buried);
	sbuf_printf(&text, "last-error: %s\n", sbuf_str(&r->last_error));
	if (r->last_error.len > 0) {
		clock_format(r->error_time, at);
		sbuf_printf(&text, "last-error-at: %s\n", at);
	}
	sbuf_printf(&path, "%s/status/%s", r->queue->name, r->instance);
	/* Only a report: where it cannot be written, work goes on. */
	if (fs_replace_unsynced(spool_dir(r->spool), path.data, text.data,
	    text.len, 0664) == -1)
		log_warn("queue=%s status file: %s", r->queue->name,
		    strerror(errno));
	sbuf_free(&text);
	sbuf_free(&path);
}

void
runner_status(struct runner *r, const char *last_error)
{
	if (last_error != NULL) {
		sbuf_set(&r->last_error, last_error);
		note_error(r);
		r->is_changed = true;
	}
	if (r->is_changed && clock_mono_ms() - r->published >= 1000)
		runner_publish(r);
}
