/* SPDX-License-Identifier: BSD-2-Clause
 *
 * liststate - what a list remembers besides its members: LISTS/NAME/state.tdb
 *
 * Records: "#key" the secret, "request:N" and "post:ID" (both aged), "#post"
 * the last post's number, "stamp:NAME".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/xalloc.h"
#include "common/domain/liststate.h"
#include "common/mail/token.h"

#define KEY_BYTES 32
/* Pending requests of a busy list; TDB walks chains of what is more. */
#define HASH_HINT 4096
#define PRUNE_AT_ONCE 8
/* A post that is handled again gets its number again that long; longer than
 * an entry can wait anywhere (give_up, hold). */
#define POST_KEEP_MS (60LL * 24 * 3600 * 1000)

struct liststate {
	struct store *store;
};

static int
make_key(struct store *store)
{
	unsigned char key[KEY_BYTES];
	struct sbuf had = {0};
	int result;

	if (store_begin(store) == -1) {
		return -1;
	}
	result = store_get(store, "#key", &had);
	if (result == 0) {
		token_random(key, sizeof(key));
		result = store_put(store, "#key", key, sizeof(key));
	}
	sbuf_free(&had);
	return store_end(store, result);
}

struct liststate *
liststate_open(const char *list_dir, enum store_mode mode)
{
	struct sbuf path = {0};
	struct store *store;
	struct liststate *s;

	sbuf_printf(&path, "%s/state.tdb", list_dir);
	store = store_open(sbuf_str(&path), mode, HASH_HINT);
	sbuf_free(&path);
	if (store == NULL) {
		return NULL;
	}
	if (mode == STORE_CREATE && make_key(store) == -1) {
		int saved = errno;

		store_close(&store);
		errno = saved;
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->store = store;
	return s;
}

void
liststate_close(struct liststate **s)
{
	if (*s == NULL) {
		return;
	}
	store_close(&(*s)->store);
	free(*s);
	*s = NULL;
}

struct store *
liststate_store(struct liststate *s)
{
	return s->store;
}

int
liststate_key(struct liststate *s, unsigned char key[32])
{
	struct sbuf value = {0};
	int found, result = -1;

	found = store_get(s->store, "#key", &value);
	if (found == 1 && value.len == KEY_BYTES) {
		memcpy(key, value.data, KEY_BYTES);
		result = 0;
	} else if (found != -1) {
		errno = found == 0 ? ENOENT : EIO;
	}
	sbuf_free(&value);
	return result;
}

static void
request_key(uint64_t number, char out[32])
{
	snprintf(out, 32, "request:%" PRIu64, number);
}

/* Whoever asks for much makes old requests go, so that they cannot pile up. */
int
liststate_request_put(struct liststate *s, uint64_t number, const char *text,
    int64_t until)
{
	char key[32];
	int result;

	request_key(number, key);
	if (store_begin(s->store) == -1) {
		return -1;
	}
	result = store_aged_put(s->store, "request", key, until, text);
	if (result == 0) {
		result = store_aged_prune(s->store, "request", clock_ms(),
		    PRUNE_AT_ONCE);
	}
	return store_end(s->store, result);
}

int
liststate_request_get(struct liststate *s, uint64_t number,
    struct sbuf *text)
{
	char key[32];
	int64_t until;
	int found;

	request_key(number, key);
	found = store_aged_get(s->store, key, &until, text);
	if (found == 1 && clock_ms() >= until) {
		sbuf_truncate(text, 0);
		found = 0;
	}
	return found;
}

int
liststate_request_delete(struct liststate *s, uint64_t number)
{
	char key[32];

	request_key(number, key);
	return store_delete(s->store, key);
}

static int
new_post_number(struct liststate *s, const char *key,
    unsigned long long *number)
{
	struct sbuf value = {0};
	char text[24];
	int result;

	result = store_get(s->store, "#post", &value);
	*number = strtoull(sbuf_str(&value), NULL, 10) + 1;
	sbuf_free(&value);
	if (result == -1) {
		return -1;
	}
	snprintf(text, sizeof(text), "%020llu", *number);
	if (store_put(s->store, "#post", text, 20) == -1 ||
	    store_aged_put(s->store, "post", key, clock_ms(), text) == -1) {
		return -1;
	}
	return store_aged_prune(s->store, "post", clock_ms() - POST_KEEP_MS,
	    PRUNE_AT_ONCE);
}

static int
post_number(struct liststate *s, const char *key, unsigned long long *number)
{
	struct sbuf value = {0};
	int64_t when;
	int found;

	found = store_aged_get(s->store, key, &when, &value);
	*number = strtoull(sbuf_str(&value), NULL, 10);
	sbuf_free(&value);
	return found == 0 ? new_post_number(s, key, number)
	    : found == 1 ? 0 : -1;
}

int
liststate_post_number(struct liststate *s, const char *id,
    unsigned long long *number)
{
	struct sbuf key = {0};
	int result;

	sbuf_printf(&key, "post:%s", id);
	result = store_begin(s->store);
	if (result == 0) {
		result = store_end(s->store,
		    post_number(s, sbuf_str(&key), number));
	}
	sbuf_free(&key);
	return result;
}

int
liststate_stamp_get(struct liststate *s, const char *name, int64_t *ms)
{
	struct sbuf key = {0}, value = {0};
	int found;

	sbuf_printf(&key, "stamp:%s", name);
	found = store_get(s->store, sbuf_str(&key), &value);
	*ms = found == 1 ? strtoll(sbuf_str(&value), NULL, 10) : 0;
	sbuf_free(&key);
	sbuf_free(&value);
	return found == -1 ? -1 : 0;
}

int
liststate_stamp_put(struct liststate *s, const char *name, int64_t ms)
{
	struct sbuf key = {0}, value = {0};
	int result;

	sbuf_printf(&key, "stamp:%s", name);
	sbuf_printf(&value, "%" PRId64, ms);
	result = store_put(s->store, sbuf_str(&key), value.data, value.len);
	sbuf_free(&key);
	sbuf_free(&value);
	return result;
}
