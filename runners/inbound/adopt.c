/* SPDX-License-Identifier: BSD-2-Clause
 *
 * adopt - a bare message in new/ becomes an entry
 *
 * The file is copied, never moved: it may be another user's, have other names,
 * or be written to still.  Line ends become LF on the way, a CR that ends no
 * line stays.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/mail/header.h"
#include "runners/inbound/inbound.h"

#define CHUNK 65536

struct adoption {
	struct runner *runner;
	const char *name;       /* in cur/OWNER */
	int fd;
	uint64_t limit;
	uint64_t taken;         /* bytes read of the file */
	unsigned char *chunk;
	bool has_cr;            /* the chunk before ended in a CR */
	bool is_end;
	struct sbuf start;      /* header, and what was read with it */
	size_t body;            /* its offset */
	struct sbuf sender;     /* bracketed; empty: unknown */
	struct strv to;
	struct sbuf why;        /* not to be taken in */
};

/* Append the next bytes with LF line ends.  0 or -1, with *why where the file
 * has grown past the limit meanwhile. */
static int
read_more(struct adoption *a, struct sbuf *out)
{
	const unsigned char *p = a->chunk, *end, *cr;
	ssize_t got = io_read_full(a->fd, a->chunk, CHUNK);

	if (got == -1)
		return -1;
	end = p + got;
	a->taken += (uint64_t)got;
	a->is_end = got < CHUNK;
	if (a->taken > a->limit) {
		sbuf_set(&a->why, "it grew past size_limit while it was read");
		errno = EFBIG;
		return -1;
	}
	if (a->has_cr && (got == 0 || *p != '\n'))
		sbuf_addc(out, '\r');
	a->has_cr = false;
	while ((cr = memchr(p, '\r', (size_t)(end - p))) != NULL) {
		sbuf_add(out, p, (size_t)(cr - p));
		p = cr + 1;
		if (p == end && !a->is_end)
			a->has_cr = true;
		else if (p == end || *p != '\n')
			sbuf_addc(out, '\r');
	}
	sbuf_add(out, p, (size_t)(end - p));
	return 0;
}

/* How long is the mbox line that the message begins with?  0: none.  ("From :
 * ann" is an old way to write the field.) */
static size_t
mbox_line(const struct sbuf *start)
{
	struct header_field field;
	const char *end;
	size_t at = 0;

	if (start->len < 5 || memcmp(start->data, "From ", 5) != 0 ||
	    header_next(start->data, start->len, &at, &field))
		return 0;
	end = memchr(start->data, '\n', start->len);
	return end == NULL ? 0 : (size_t)(end - start->data) + 1;
}

/* Take text for the sender where it is one.  MAILER-DAEMON is how mbox writes
 * the null sender. */
static void
take_sender(struct adoption *a, const char *text, size_t n)
{
	char *word = xstrndup(text, n);
	struct sbuf address = {0};

	if (address_unwrap(word, &address) == -1)
		sbuf_set(&address, word);
	if (strcasecmp(sbuf_str(&address), "MAILER-DAEMON") == 0)
		sbuf_set(&address, "");
	if (n > 0 && (address.len == 0 ||
	    address_check(address.data, NULL, NULL) == 0))
		sbuf_printf(&a->sender, "<%s>", sbuf_str(&address));
	sbuf_free(&address);
	free(word);
}

static void
find_sender(struct adoption *a, const char *mbox, size_t n)
{
	struct sbuf path = {0};
	const char *word;

	if (n > 5) {
		word = mbox + 5 + strspn(mbox + 5, " ");
		take_sender(a, word, strcspn(word, " \t\n"));
	}
	if (a->sender.len == 0 && header_get(a->start.data, a->body,
	    "Return-Path", 0, &path) == 1) {
		word = header_skip_cfws(sbuf_str(&path));
		take_sender(a, word, strcspn(word, " \t"));
	}
	sbuf_free(&path);
}

/* Read up to the end of the header: 1; 0 *why; -1. */
static int
read_header(struct adoption *a)
{
	struct sbuf mbox = {0};
	size_t n;

	if (read_more(a, &a->start) == -1)
		return -1;
	n = mbox_line(&a->start);
	if (n > 0) {
		sbuf_add(&mbox, a->start.data, n);
		memmove(a->start.data, a->start.data + n, a->start.len - n);
		sbuf_truncate(&a->start, a->start.len - n);
	}
	while ((a->body = header_end(sbuf_str(&a->start), a->start.len,
	    a->is_end)) == SIZE_MAX && a->start.len <= HEADER_MAX) {
		if (read_more(a, &a->start) == -1) {
			sbuf_free(&mbox);
			return -1;
		}
	}
	/* A file that is all header still ends in a whole line. */
	if (a->body == a->start.len && a->body > 0 &&
	    a->start.data[a->body - 1] != '\n') {
		sbuf_addc(&a->start, '\n');
		a->body++;
	}
	if (a->body <= HEADER_MAX)
		find_sender(a, sbuf_str(&mbox), mbox.len);
	else
		sbuf_set(&a->why, "a header block over 1 MiB");
	sbuf_free(&mbox);
	return a->why.len == 0;
}

/* Which of our addresses?  1; 0 *why. */
static int
find_recipients(struct adoption *a)
{
	int rc;

	rc = recipients_find(runner_lists(a->runner), sbuf_str(&a->start),
	    a->body, &a->to);
	if (rc == -1 && errno == E2BIG) {
		sbuf_printf(&a->why, "names more than %d addresses of this "
		    "site", INBOUND_RECIPIENTS_MAX);
	} else if (rc == -1) {
		/* A list cannot be read now.  A file cannot be put off without
		 * standing in the way of others, an entry can: it asks again. */
		strv_free(&a->to);
	} else if (a->to.n == 0) {
		sbuf_set(&a->why, "names no address of this site");
	}
	return a->why.len == 0;
}

static void
set_fields(const struct adoption *a, struct spool_draft *d)
{
	struct sbuf text = {0};
	size_t i;

	spool_draft_set(d, "Kind", "post");
	if (a->sender.len > 0)
		spool_draft_set(d, "Mail-From", a->sender.data);
	for (i = 0; i < a->to.n; i++) {
		sbuf_truncate(&text, 0);
		sbuf_printf(&text, "<%s>", a->to.items[i]);
		spool_draft_set(d, "Rcpt-To", text.data);
	}
	sbuf_truncate(&text, 0);
	sbuf_printf(&text, "%zu", a->body);
	spool_draft_set(d, "Body-Offset", text.data);
	sbuf_free(&text);
}

static int
copy(struct adoption *a, struct spool_draft *d)
{
	struct sbuf bytes = {0};
	int rc;

	rc = spool_draft_write(d, sbuf_str(&a->start), a->start.len);
	while (rc == 0 && !a->is_end) {
		sbuf_truncate(&bytes, 0);
		rc = read_more(a, &bytes);
		if (rc == 0)
			rc = spool_draft_write(d, sbuf_str(&bytes), bytes.len);
	}
	sbuf_free(&bytes);
	return rc;
}

/* Make the entry: 1 and *e, 0 *why, -1. */
static int
make_entry(struct adoption *a, struct entry **e)
{
	struct spool *s = runner_spool(a->runner);
	struct spool_draft *d = spool_draft_begin(s);
	int rc, saved;

	if (d == NULL)
		return -1;
	rc = copy(a, d);
	if (rc == 0) {
		set_fields(a, d);
		rc = entry_bare_adopt(s, a->name, &d, e);
	}
	saved = errno;
	spool_draft_free(&d);
	errno = saved;
	if (a->why.len > 0)
		return 0;
	return rc == -1 ? -1 : 1;
}

/* Is there room for a copy?  1, 0 with errno, -1. */
static int
has_room(struct runner *r, uint64_t size)
{
	unsigned long long need;
	int low;

	if (__builtin_add_overflow(runner_site(r)->low_space, size, &need))
		need = ~0ULL;
	low = spool_is_low(runner_spool(r), need);
	if (low == 1)
		errno = ENOSPC;
	return low == -1 ? -1 : !low;
}

static int
take_in(struct adoption *a, uint64_t size, struct entry **e)
{
	int rc;

	if (size > a->limit) {
		/* Known from its size: a sparse file has no bytes to read. */
		sbuf_printf(&a->why, "%llu bytes, over the size_limit of %llu",
		    (unsigned long long)size, (unsigned long long)a->limit);
		return 0;
	}
	if (has_room(a->runner, size) != 1)
		return -1;
	rc = read_header(a);
	if (a->why.len > 0)
		return 0;
	if (rc == 1)
		rc = find_recipients(a);
	return rc == 1 ? make_entry(a, e) : rc;
}

/* Errors of open that stay for this file; others are this host's. */
static const char *
refusal(int error)
{
	switch (error) {
	case EINVAL:
		return "no regular file";
	case ELOOP:
		return "a symbolic link";
	case EACCES:
	case EPERM:
		return "not readable by this user";
	default:
		return NULL;
	}
}

static int
bury(struct runner *r, const char *name, const char *why)
{
	struct sbuf line = {0};
	char id[ID_SIZE];
	int rc;

	rc = entry_bare_bury(runner_spool(r), name, why, id);
	if (rc == 0) {
		kv_add(&line, "file", entry_bare_name(name));
		kv_add(&line, "why", why);
		log_warn("id=%s queue=%s buried %s", id, runner_queue(r)->name,
		    line.data);
	}
	sbuf_free(&line);
	return rc;
}

static void
report(struct runner *r, const struct entry *e, const char *name)
{
	struct sbuf line = {0};

	kv_add(&line, "file", entry_bare_name(name));
	log_info("id=%s queue=%s adopted %s", entry_id(e),
	    runner_queue(r)->name, line.data);
	sbuf_free(&line);
}

int
inbound_adopt(struct runner *r, const char *name, struct entry **e)
{
	struct adoption a = {.runner = r, .name = name,
		.limit = runner_queue(r)->size_limit};
	struct stat st;
	int rc, saved;

	a.fd = entry_bare_open(runner_spool(r), name, &st);
	if (a.fd == -1) {
		if (refusal(errno) == NULL)
			return -1;
		return bury(r, name, refusal(errno));
	}
	a.chunk = xmalloc(CHUNK);
	rc = take_in(&a, (uint64_t)st.st_size, e);
	saved = errno;
	io_close(&a.fd);
	free(a.chunk);
	if (rc == 0 && bury(r, name, sbuf_str(&a.why)) == -1) {
		saved = errno;
		rc = -1;
	}
	if (rc == 1)
		report(r, *e, name);
	sbuf_free(&a.start);
	sbuf_free(&a.sender);
	sbuf_free(&a.why);
	strv_free(&a.to);
	errno = saved;
	return rc;
}
