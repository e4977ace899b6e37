/* SPDX-License-Identifier: BSD-2-Clause
 *
 * roster - who is a member of a list: LISTS/NAME/members.tdb
 *
 * Beside the members, whose keys have an '@': "#id:N" is the key of member N,
 * "#ids" the next ID and how many members there are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/base/strv.h"
#include "common/base/xalloc.h"
#include "common/domain/roster.h"
#include "common/mail/address.h"

/* Buckets of a new roster: 128 KiB of file for chains of six records where
 * a list has 100,000 members. */
#define HASH_HINT 32768

struct roster {
	struct store *store;
	struct sbuf value;      /* room that is used again and again */
	struct sbuf key;
};

static const char *const status_names[] = {"active", "disabled", "moderated"};
static const char *const mode_names[] = {"each", "none"};

void
roster_member_free(struct roster_member *m)
{
	sbuf_free(&m->key);
	sbuf_free(&m->address);
	sbuf_free(&m->name);
	sbuf_free(&m->language);
	sbuf_free(&m->other);
	*m = (struct roster_member){0};
}

struct roster *
roster_open(const char *list_dir, enum store_mode mode)
{
	struct sbuf path = {0};
	struct store *store;
	struct roster *r;

	sbuf_printf(&path, "%s/members.tdb", list_dir);
	store = store_open(sbuf_str(&path), mode, HASH_HINT);
	sbuf_free(&path);
	if (store == NULL) {
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	r->store = store;
	return r;
}

void
roster_close(struct roster **r)
{
	if (*r == NULL) {
		return;
	}
	store_close(&(*r)->store);
	sbuf_free(&(*r)->value);
	sbuf_free(&(*r)->key);
	free(*r);
	*r = NULL;
}

struct store *
roster_store(struct roster *r)
{
	return r->store;
}

/* Value of a word: quotes are off where it had them. */
static void
decode(struct sbuf *out, const char *text, size_t n)
{
	sbuf_truncate(out, 0);
	if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
		text++;
		n -= 2;
	}
	esc_decode(out, text, n);
}

static int
index_of(const char *const *names, int count, const char *text, size_t n)
{
	for (int i = 0; i < count; i++) {
		if (strlen(names[i]) == n && memcmp(names[i], text, n) == 0) {
			return i;
		}
	}
	return -1;
}

/* A word of a number: 0, or -1 and *out as it was. */
static int
parse_number(const char *text, size_t n, long long *out)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (n == 0 || *text < '0' || *text > '9' || end != text + n ||
	    errno != 0) {
		return -1;
	}
	*out = value;
	return 0;
}

/* 0 where the word is known and of its kind; else it is kept as it is. */
static int
parse_field(struct roster_member *m, const char *key, const char *value,
    size_t n)
{
	long long number = 0;
	int word;

	if (strcmp(key, "addr") == 0) {
		decode(&m->address, value, n);
	} else if (strcmp(key, "name") == 0) {
		decode(&m->name, value, n);
	} else if (strcmp(key, "lang") == 0) {
		decode(&m->language, value, n);
	} else if (strcmp(key, "status") == 0) {
		word = index_of(status_names, 3, value, n);
		m->status = word == -1 ? ROSTER_MODERATED
		    : (enum roster_status)word;
		return word == -1 ? -1 : 0;
	} else if (strcmp(key, "mode") == 0) {
		word = index_of(mode_names, 2, value, n);
		m->mode = word == -1 ? ROSTER_MODE_EACH
		    : (enum roster_mode)word;
		return word == -1 ? -1 : 0;
	} else if (parse_number(value, n, &number) == -1) {
		return -1;
	} else if (strcmp(key, "id") == 0) {
		m->id = (unsigned long long)number;
	} else if (strcmp(key, "joined") == 0) {
		m->joined = number;
	} else if (strcmp(key, "score") == 0) {
		m->score = number > UINT32_MAX ? UINT32_MAX : (unsigned)number;
	} else if (strcmp(key, "scored") == 0) {
		m->scored = number;
	} else {
		return -1;
	}
	return 0;
}

static void
parse_word(struct roster_member *m, const char *word, size_t n)
{
	char key[16];
	const char *equals = memchr(word, '=', n);
	size_t len = equals == NULL ? 0 : (size_t)(equals - word);

	if (len > 0 && len < sizeof(key)) {
		memcpy(key, word, len);
		key[len] = '\0';
		if (parse_field(m, key, equals + 1, n - len - 1) == 0) {
			return;
		}
	}
	if (m->other.len > 0) {
		sbuf_addc(&m->other, '\t');
	}
	sbuf_add(&m->other, word, n);
}

static void
parse_member(struct roster_member *m, const char *key, const char *value)
{
	sbuf_set(&m->key, key);
	sbuf_truncate(&m->address, 0);
	sbuf_truncate(&m->name, 0);
	sbuf_truncate(&m->language, 0);
	sbuf_truncate(&m->other, 0);
	m->id = 0;
	m->status = ROSTER_ACTIVE;
	m->mode = ROSTER_MODE_EACH;
	m->joined = m->scored = 0;
	m->score = 0;
	while (*value != '\0') {
		size_t n = strcspn(value, "\t");

		if (n > 0) {
			parse_word(m, value, n);
		}
		value += n + (value[n] == '\t');
	}
	/* A roster made by hand may leave out what the key says too. */
	if (m->address.len == 0) {
		sbuf_set(&m->address, key);
	}
}

static void
add_word(struct sbuf *out, const char *key, const struct sbuf *value)
{
	if (value->len > 0) {
		sbuf_addc(out, '\t');
		kv_add(out, key, sbuf_str(value));
	}
}

static void
format_member(const struct roster_member *m, struct sbuf *out)
{
	sbuf_truncate(out, 0);
	sbuf_printf(out, "id=%llu", m->id);
	add_word(out, "addr", &m->address);
	add_word(out, "name", &m->name);
	sbuf_printf(out, "\tstatus=%s\tmode=%s", status_names[m->status],
	    mode_names[m->mode]);
	add_word(out, "lang", &m->language);
	sbuf_printf(out, "\tjoined=%" PRId64, m->joined);
	if (m->score != 0 || m->scored != 0) {
		sbuf_printf(out, "\tscore=%u\tscored=%" PRId64, m->score,
		    m->scored);
	}
	if (m->other.len > 0) {
		sbuf_addc(out, '\t');
		sbuf_add(out, m->other.data, m->other.len);
	}
}

static int
get_by_key(struct roster *r, const char *key, struct roster_member *m)
{
	int found = store_get(r->store, key, &r->value);

	if (found == 1) {
		parse_member(m, key, sbuf_str(&r->value));
	}
	return found;
}

int
roster_get(struct roster *r, const char *address, struct roster_member *m)
{
	if (address_key(address, &r->key) == -1) {
		errno = EINVAL;
		return -1;
	}
	return get_by_key(r, sbuf_str(&r->key), m);
}

static void
id_key(unsigned long long id, char out[32])
{
	snprintf(out, 32, "#id:%llu", id);
}

int
roster_get_id(struct roster *r, unsigned long long id,
    struct roster_member *m)
{
	char index[32];
	int found;

	id_key(id, index);
	found = store_get(r->store, index, &r->key);
	return found == 1 ? get_by_key(r, sbuf_str(&r->key), m) : found;
}

struct counters {
	unsigned long long next, count;
};

static int
get_counters(struct roster *r, struct counters *c)
{
	*c = (struct counters){.next = 1};
	if (store_get(r->store, "#ids", &r->value) == -1) {
		return -1;
	}
	if (r->value.len > 0 && sscanf(sbuf_str(&r->value),
	    "next=%llu count=%llu", &c->next, &c->count) != 2) {
		errno = EIO;
		return -1;
	}
	return 0;
}

/* One width, so that TDB writes it in place. */
static int
put_counters(struct roster *r, const struct counters *c)
{
	char text[64];
	int n;

	n = snprintf(text, sizeof(text), "next=%020llu count=%020llu", c->next,
	    c->count);
	return store_put(r->store, "#ids", text, (size_t)n);
}

static int
put_member(struct roster *r, const char *key, const struct roster_member *m)
{
	format_member(m, &r->value);
	return store_put(r->store, key, r->value.data, r->value.len);
}

static int
add_within(struct roster *r, struct roster_member *m)
{
	struct counters c;
	char index[32];
	int added;

	if (get_counters(r, &c) == -1) {
		return -1;
	}
	m->id = c.next++;
	c.count++;
	format_member(m, &r->value);
	added = store_insert(r->store, sbuf_str(&m->key), r->value.data,
	    r->value.len);
	if (added != 1) {
		m->id = 0;
		return added;
	}
	id_key(m->id, index);
	if (put_counters(r, &c) == -1 ||
	    store_put(r->store, index, m->key.data, m->key.len) == -1) {
		return -1;
	}
	return 1;
}

int
roster_add(struct roster *r, struct roster_member *m)
{
	if (address_key(sbuf_str(&m->address), &m->key) == -1) {
		errno = EINVAL;
		return -1;
	}
	if (store_begin(r->store) == -1) {
		return -1;
	}
	return store_end(r->store, add_within(r, m));
}

/* The member's address may have changed, and with it the key.  1; 0 where
 * nothing was written since *refusal is in the way; -1. */
static int
set_within(struct roster *r, const struct roster_member *m, const char *key,
    int *refusal)
{
	struct sbuf old = {0};
	char index[32];
	int found;

	id_key(m->id, index);
	found = store_get(r->store, index, &old);
	*refusal = ENOENT;
	if (found == 1 && strcmp(sbuf_str(&old), key) != 0) {
		found = store_get(r->store, key, &r->value);
		*refusal = EEXIST;
		if (found == 0 &&
		    store_delete(r->store, sbuf_str(&old)) != -1 &&
		    store_put(r->store, index, key, strlen(key)) == 0) {
			found = 1;
		} else {
			found = found == 1 ? 0 : -1;
		}
	}
	sbuf_free(&old);
	if (found == 1 && put_member(r, key, m) == -1) {
		found = -1;
	}
	return found;
}

int
roster_set(struct roster *r, const struct roster_member *m)
{
	struct sbuf key = {0};
	int result, refusal = 0;

	if (address_key(sbuf_str(&m->address), &key) == -1) {
		errno = EINVAL;
		return -1;
	}
	result = store_begin(r->store);
	if (result == 0) {
		result = store_end(r->store,
		    set_within(r, m, sbuf_str(&key), &refusal));
		if (result == 0) {
			errno = refusal;
		}
	}
	sbuf_free(&key);
	return result == 1 ? 0 : -1;
}

static int
remove_within(struct roster *r, const char *key)
{
	struct roster_member m = {0};
	struct counters c;
	char index[32];
	int found;

	found = get_by_key(r, key, &m);
	if (found == 1) {
		id_key(m.id, index);
		if (get_counters(r, &c) == -1) {
			found = -1;
		}
		c.count -= c.count > 0;
		if (found == -1 || put_counters(r, &c) == -1 ||
		    store_delete(r->store, key) == -1 ||
		    store_delete(r->store, index) == -1) {
			found = -1;
		}
	}
	roster_member_free(&m);
	return found;
}

int
roster_remove(struct roster *r, const char *address)
{
	if (address_key(address, &r->key) == -1) {
		errno = EINVAL;
		return -1;
	}
	if (store_begin(r->store) == -1) {
		return -1;
	}
	return store_end(r->store, remove_within(r, sbuf_str(&r->key)));
}

struct each {
	int (*fn)(void *ctx, const struct roster_member *m);
	void *ctx;
	struct roster_member member;
	struct strv keys;
};

/* No other record has an '@' without a ':' before it, and no address that is
 * not in quotes has that. */
static bool
is_member_key(const char *key)
{
	const char *at = strchr(key, '@');

	return at != NULL && (*key == '"' ||
	    memchr(key, ':', (size_t)(at - key)) == NULL);
}

static int
visit_member(void *ctx, const char *key, const char *value, size_t n)
{
	struct each *e = ctx;

	(void)n;
	if (!is_member_key(key)) {
		return 0;
	}
	parse_member(&e->member, key, value);
	return e->fn(e->ctx, &e->member);
}

static int
collect_key(void *ctx, const char *key, const char *value, size_t n)
{
	struct each *e = ctx;

	(void)value;
	(void)n;
	if (is_member_key(key)) {
		strv_add(&e->keys, key);
	}
	return 0;
}

/* Who goes while the others are looked at is left out. */
static int
each_sorted(struct roster *r, struct each *e)
{
	int result;

	result = store_each(r->store, "", collect_key, e);
	strv_sort(&e->keys);
	for (size_t i = 0; result == 0 && i < e->keys.n; i++) {
		int found = get_by_key(r, e->keys.items[i], &e->member);

		result = found == -1 ? -1
		    : found == 1 ? e->fn(e->ctx, &e->member) : 0;
	}
	strv_free(&e->keys);
	return result;
}

int
roster_each(struct roster *r, bool is_sorted,
    int (*fn)(void *ctx, const struct roster_member *m), void *ctx)
{
	struct each e = {.fn = fn, .ctx = ctx};
	int result;

	result = is_sorted ? each_sorted(r, &e)
	    : store_each(r->store, "", visit_member, &e);
	roster_member_free(&e.member);
	return result;
}

long long
roster_count(struct roster *r)
{
	struct counters c;

	return get_counters(r, &c) == -1 ? -1 : (long long)c.count;
}
