/* SPDX-License-Identifier: BSD-2-Clause
 *
 * limits - how often anybody is written to automatically: LISTS/.limits.tdb
 *
 * Records, all aged, so that what nobody asks for any more can go:
 * "answer:LIST\tADDRESS\tNOTICE" is the ID that had the answer,
 * "day:ADDRESS" is "MS ID" for each answer of the last day, by tabs,
 * "seen:KEY" is the ID that was first, its time the end of its window.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/xalloc.h"
#include "common/domain/limits.h"
#include "common/domain/store.h"
#include "common/mail/address.h"

#define HOUR_MS (3600LL * 1000)
#define DAY_MS (24 * HOUR_MS)
#define ANSWERS_A_DAY 10
#define PRUNE_AT_ONCE 64
#define HASH_HINT 4096

struct limits {
	struct store *store;
};

struct limits *
limits_open(const char *path)
{
	struct store *store = store_open(path, STORE_CREATE, HASH_HINT);
	struct limits *l;

	if (store == NULL) {
		return NULL;
	}
	l = xcalloc(1, sizeof(*l));
	l->store = store;
	return l;
}

void
limits_close(struct limits **l)
{
	if (*l == NULL) {
		return;
	}
	store_close(&(*l)->store);
	free(*l);
	*l = NULL;
}

struct store *
limits_store(struct limits *l)
{
	return l->store;
}

/* A time ahead of now (the clock was set back) counts as now. */
static bool
is_within(int64_t then, int64_t now, int64_t window)
{
	return now - then < window;
}

/* Take what is out of the day off and count the rest.  A record may be longer
 * than this version writes. */
static unsigned
fresh_of_day(const char *text, int64_t now, struct sbuf *out)
{
	unsigned n = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, "\t");

		if (is_within(strtoll(text, NULL, 10), now, DAY_MS)) {
			sbuf_add(out, text, len);
			sbuf_addc(out, '\t');
			n++;
		}
		text += len + (text[len] == '\t');
	}
	return n;
}

/* The day's ten: 1 and recorded, 0, -1. */
static int
take_of_day(struct limits *l, const char *address, const char *id)
{
	struct sbuf key = {0}, had = {0}, now_has = {0};
	int64_t when, now = clock_ms();
	int result;

	sbuf_printf(&key, "day:%s", address);
	result = store_aged_get(l->store, sbuf_str(&key), &when, &had);
	if (result != -1 && fresh_of_day(sbuf_str(&had), now, &now_has) >=
	    ANSWERS_A_DAY) {
		result = 0;
	} else if (result != -1) {
		sbuf_printf(&now_has, "%" PRId64 " %s", now, id);
		result = store_aged_put(l->store, "day", sbuf_str(&key), now,
		    sbuf_str(&now_has)) == -1 ? -1 : 1;
	}
	sbuf_free(&key);
	sbuf_free(&had);
	sbuf_free(&now_has);
	return result;
}

static int
answer(struct limits *l, const char *id, const char *key, const char *address)
{
	struct sbuf other = {0};
	int64_t when, now = clock_ms();
	int found, result;

	found = store_aged_get(l->store, key, &when, &other);
	if (found == 1 && strcmp(sbuf_str(&other), id) == 0) {
		result = 1;
	} else if (found == 1 && is_within(when, now, HOUR_MS)) {
		result = 0;
	} else {
		result = found == -1 ? -1 : take_of_day(l, address, id);
		if (result == 1 && store_aged_put(l->store, "answer", key, now,
		    id) == -1) {
			result = -1;
		}
	}
	sbuf_free(&other);
	return result;
}

int
limits_answer(struct limits *l, const char *id, const char *list,
    const char *address, const char *notice)
{
	struct sbuf to = {0}, key = {0};
	int result = -1;

	if (address_key(address, &to) == -1) {
		errno = EINVAL;
	} else if (store_begin(l->store) == 0) {
		sbuf_printf(&key, "answer:%s\t%s\t%s", list, sbuf_str(&to),
		    notice);
		result = store_end(l->store,
		    answer(l, id, sbuf_str(&key), sbuf_str(&to)));
	}
	sbuf_free(&to);
	sbuf_free(&key);
	return result;
}

static int
seen(struct limits *l, const char *key, const char *id, int64_t window_ms,
    struct sbuf *other)
{
	struct sbuf first = {0};
	int64_t until, now = clock_ms();
	int found;

	found = store_aged_get(l->store, key, &until, &first);
	if (found == 1 && strcmp(sbuf_str(&first), id) == 0) {
		found = 0;
	} else if (found == 1 && now < until) {
		if (other != NULL) {
			sbuf_adds(other, sbuf_str(&first));
		}
	} else if (found != -1) {
		found = store_aged_put(l->store, "seen", key, now + window_ms,
		    id);
	}
	sbuf_free(&first);
	return found;
}

int
limits_seen(struct limits *l, const char *key, const char *id,
    int64_t window_ms, struct sbuf *other)
{
	struct sbuf name = {0};
	int result;

	result = store_begin(l->store);
	if (result == 0) {
		sbuf_printf(&name, "seen:%s", key);
		result = store_end(l->store,
		    seen(l, sbuf_str(&name), id, window_ms, other));
	}
	sbuf_free(&name);
	return result;
}

int
limits_prune(struct limits *l)
{
	int64_t now = clock_ms();
	int result = -1;

	if (store_begin(l->store) == -1) {
		return -1;
	}
	if (store_aged_prune(l->store, "answer", now - HOUR_MS,
	    PRUNE_AT_ONCE) == 0 &&
	    store_aged_prune(l->store, "day", now - DAY_MS,
	    PRUNE_AT_ONCE) == 0 &&
	    store_aged_prune(l->store, "seen", now, PRUNE_AT_ONCE) == 0) {
		result = 0;
	}
	return store_end(l->store, result);
}
