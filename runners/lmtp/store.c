/* SPDX-License-Identifier: BSD-2-Clause
 *
 * store - what sessions want of the spool and the lists
 */
#include "runners/lmtp/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/esc.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"

/* One entry to be: a recipient's. */
struct store_entry {
	struct spool_draft *draft; /* NULL: it could not be made */
	char *to;
	int error;
};

/* A transaction that waits for the commit. */
struct store_waiting {
	struct session *session; /* NULL: it is gone, nobody waits */
	struct store_entry *entries;
	size_t n;
	struct sbuf about;      /* for the log: what its entries share */
};

/* ---- begin and write --------------------------------------------------- */

/* Postmaster may stand without a domain; it is the site's then. */
static void
whole_address(const struct store *store, const char *address, struct sbuf *out)
{
	sbuf_set(out, address);
	if (strcasecmp(address, "postmaster") == 0)
		sbuf_printf(out, "@%s", store->site->name);
}

static int
store_resolve(void *ctx, const char *address)
{
	struct store *store = ctx;
	struct lists_match match = {0};
	struct sbuf whole = {0};
	int rc, saved;

	whole_address(store, address, &whole);
	rc = lists_resolve(store->lists, whole.data, &match);
	saved = errno;
	if (rc == -1)
		log_warn("cannot look up <%s>: %s", whole.data,
		    strerror(saved));
	lists_match_free(&match);
	sbuf_free(&whole);
	return rc;
}

static int
store_has_room(void *ctx, unsigned long long size)
{
	const struct store *store = ctx;
	unsigned long long need;
	int low;

	if (__builtin_add_overflow(size, store->site->low_space, &need))
		need = ~0ULL;
	low = spool_is_low(store->spool, need);
	if (low == -1)
		log_error("cannot tell the free space of %s: %s",
		    store->site->spool, strerror(errno));
	if (low == 1)
		log_warn("space is low at %s: mail is put off",
		    store->site->spool);
	return low == -1 ? -1 : !low;
}

static void *
store_begin(void *ctx)
{
	struct store *store = ctx;
	struct spool_draft *draft = spool_draft_begin(store->spool);
	int saved = errno;

	if (draft == NULL) {
		log_error("cannot begin a message: %s", strerror(saved));
		errno = saved;
	}
	return draft;
}

static int
store_write(void *ctx, void *message, const void *bytes, size_t n)
{
	int saved;

	(void)ctx;
	if (spool_draft_write(message, bytes, n) == 0)
		return 0;
	saved = errno;
	log_error("id=%s cannot write the message: %s",
	    spool_draft_id(message), strerror(saved));
	errno = saved;
	return -1;
}

static void
store_abandon(void *ctx, void *message)
{
	struct spool_draft *draft = message;

	(void)ctx;
	spool_draft_free(&draft);
}

/* ---- end --------------------------------------------------------------- */

static void
set_bracketed(struct spool_draft *draft, const char *name, const char *address)
{
	struct sbuf value = {0};

	sbuf_printf(&value, "<%s>", address);
	spool_draft_set(draft, name, value.data);
	sbuf_free(&value);
}

static int
seal_entry(struct store_entry *entry, const struct session_mail *mail)
{
	char body[32];

	snprintf(body, sizeof(body), "%llu", mail->body);
	spool_draft_set(entry->draft, "Kind", "post");
	set_bracketed(entry->draft, "Mail-From", mail->from);
	set_bracketed(entry->draft, "Rcpt-To", entry->to);
	if (*mail->options != '\0')
		spool_draft_set(entry->draft, "Mail-Options", mail->options);
	spool_draft_set(entry->draft, "Body-Offset", body);
	spool_draft_set(entry->draft, "Client", mail->client);
	return spool_draft_seal(entry->draft, "lmtp", "inbound");
}

static void
entry_failed(struct store_entry *entry, int error)
{
	log_error("rcpt=<%s> cannot make an entry: %s", entry->to,
	    strerror(error));
	entry->error = error;
	spool_draft_free(&entry->draft);
}

/* The first draft holds the message open and is the one that flushes it; the
 * others are links, worth nothing without it. */
static void
make_entry(struct store_waiting *waiting, size_t i,
    const struct session_mail *mail)
{
	struct store_entry *entry = &waiting->entries[i];

	if (entry->draft == NULL)
		return;
	if (waiting->entries[0].draft == NULL)
		entry_failed(entry, waiting->entries[0].error);
	else if (seal_entry(entry, mail) == -1)
		entry_failed(entry, errno);
}

static struct store_waiting *
add_waiting(struct store *store, struct session *s)
{
	struct store_waiting *waiting;

	if (store->n == store->cap) {
		store->cap = store->cap == 0 ? 16 : store->cap * 2;
		store->waiting = xreallocarray(store->waiting, store->cap,
		    sizeof(*store->waiting));
	}
	waiting = &store->waiting[store->n++];
	*waiting = (struct store_waiting){.session = s};
	return waiting;
}

static int
store_end(void *ctx, struct session *s, void *message,
    const struct session_mail *mail)
{
	struct store *store = ctx;
	struct store_waiting *waiting = add_waiting(store, s);
	struct sbuf to = {0};
	size_t i;

	waiting->n = mail->to->n;
	waiting->entries = xcalloc(waiting->n, sizeof(*waiting->entries));
	kv_add(&waiting->about, "from", mail->from);
	kv_addn(&waiting->about, "size", (long long)mail->size);
	kv_add(&waiting->about, "client", mail->client);
	/* All links before the first envelope: a draft is shared while it is
	 * only a message. */
	for (i = 0; i < waiting->n; i++) {
		struct store_entry *entry = &waiting->entries[i];

		whole_address(store, mail->to->items[i], &to);
		entry->to = xstrdup(to.data);
		entry->draft = i == 0 ? message : spool_draft_share(message);
		if (entry->draft == NULL)
			entry_failed(entry, errno);
	}
	sbuf_free(&to);
	for (i = 0; i < waiting->n; i++)
		make_entry(waiting, i, mail);
	return 0;
}

/* ---- commit ------------------------------------------------------------ */

static void
free_waiting(struct store_waiting *waiting)
{
	size_t i;

	for (i = 0; i < waiting->n; i++) {
		spool_draft_free(&waiting->entries[i].draft);
		free(waiting->entries[i].to);
	}
	free(waiting->entries);
	sbuf_free(&waiting->about);
	*waiting = (struct store_waiting){0};
}

static void
store_forget(void *ctx, struct session *s)
{
	struct store *store = ctx;
	size_t i;

	for (i = 0; i < store->n; i++) {
		if (store->waiting[i].session == s)
			free_waiting(&store->waiting[i]);
	}
}

static size_t
collect(const struct store *store, struct spool_draft **drafts)
{
	size_t i, j, n = 0;

	for (i = 0; i < store->n; i++) {
		for (j = 0; j < store->waiting[i].n; j++) {
			struct spool_draft *d =
			    store->waiting[i].entries[j].draft;

			if (d != NULL && drafts != NULL)
				drafts[n] = d;
			n += d != NULL;
		}
	}
	return n;
}

static void
log_accepted(const struct store_waiting *waiting,
    const struct store_entry *entry, const char *id)
{
	struct sbuf line = {0};

	sbuf_printf(&line, "id=%s accepted", id);
	kv_add(&line, "rcpt", entry->to);
	log_info("%s %s", line.data, waiting->about.data);
	sbuf_free(&line);
}

/* Say what became of each recipient.  A draft that is in its queue is accepted
 * even where the batch as a whole failed: refusing it would make it come
 * twice. */
static void
answer(struct store_waiting *waiting, int error)
{
	struct session_verdict *verdicts;
	size_t i;

	verdicts = xcalloc(waiting->n + 1, sizeof(*verdicts));
	for (i = 0; i < waiting->n; i++) {
		struct store_entry *entry = &waiting->entries[i];

		verdicts[i].error = entry->draft == NULL ? entry->error : error;
		if (entry->draft == NULL || !spool_draft_is_in(entry->draft))
			continue;
		verdicts[i].id = spool_draft_id(entry->draft);
		log_accepted(waiting, entry, verdicts[i].id);
	}
	session_answer(waiting->session, verdicts);
	free(verdicts);
}

void
store_commit(struct store *store)
{
	struct spool_draft **drafts;
	size_t i, n = collect(store, NULL);
	int error = 0;

	drafts = xcalloc(n + 1, sizeof(struct spool_draft *));
	collect(store, drafts);
	if (n > 0 && spool_draft_commit(store->spool, drafts, n) == -1) {
		error = errno;
		log_error("cannot make %zu entries durable: %s", n,
		    strerror(error));
	}
	free(drafts);
	for (i = 0; i < store->n; i++) {
		if (store->waiting[i].session != NULL)
			answer(&store->waiting[i], error);
		free_waiting(&store->waiting[i]);
	}
	store->n = 0;
}

/* ---- open and close ---------------------------------------------------- */

const struct session_ops store_ops = {
	.resolve = store_resolve,
	.has_room = store_has_room,
	.begin = store_begin,
	.write = store_write,
	.end = store_end,
	.abandon = store_abandon,
	.forget = store_forget,
};

int
store_open(struct store *store, struct site *site, const char **what)
{
	/* Nothing is claimed here, so nobody asks about stages. */
	struct spool_config config = {.path = site->spool, .run = site->run,
		.host = site->host, .flush = (enum spool_flush)site->flush};

	*store = (struct store){.site = site};
	*what = site->spool;
	store->spool = spool_open(&config);
	if (store->spool == NULL)
		return -1;
	*what = site->lists;
	store->lists = lists_open(site);
	return store->lists == NULL ? -1 : 0;
}

void
store_close(struct store *store)
{
	size_t i;

	for (i = 0; i < store->n; i++)
		free_waiting(&store->waiting[i]);
	free(store->waiting);
	store->waiting = NULL;
	store->n = store->cap = 0;
	lists_close(&store->lists);
	spool_close(&store->spool);
}
