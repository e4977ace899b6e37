/* SPDX-License-Identifier: BSD-2-Clause
 *
 * store - a small durable key-value file with transactions (TDB)
 *
 * TDB makes its own system calls; a crash in them is what its recovery area is
 * for.  Only the making of a file goes through io.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* tdb.h wants these before it. */
#include <tdb.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/domain/store.h"
#include "common/system/fsutil.h"

#define HASH_SMALL 127
#define HASH_MOST (1 << 20)
#define EFFECTS_PER_PRUNE 64

struct store {
	struct tdb_context *tdb;
	unsigned depth;         /* of transactions */
	bool is_doomed;         /* an inner one was cancelled */
	bool is_walking;        /* in store_each */
	bool is_readonly;
};

static void
quiet(struct tdb_context *tdb, enum tdb_debug_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
quiet(struct tdb_context *tdb, enum tdb_debug_level level, const char *fmt, ...)
{
	(void)tdb;
	(void)level;
	(void)fmt;
}

static const struct tdb_logging_context no_log = {quiet, NULL};

static int
fail(const struct store *s)
{
	switch (tdb_error(s->tdb)) {
	case TDB_ERR_OOM:
		errno = ENOMEM;
		break;
	case TDB_ERR_LOCK:
	case TDB_ERR_NOLOCK:
	case TDB_ERR_LOCK_TIMEOUT:
		errno = EDEADLK;
		break;
	case TDB_ERR_EXISTS:
		errno = EEXIST;
		break;
	case TDB_ERR_NOEXIST:
		errno = ENOENT;
		break;
	case TDB_ERR_RDONLY:
		errno = EROFS;
		break;
	case TDB_ERR_EINVAL:
		errno = EINVAL;
		break;
	case TDB_ERR_IO:
		/* ENOSPC and EDQUOT are worth knowing; TDB leaves them. */
		if (errno != ENOSPC && errno != EDQUOT) {
			errno = EIO;
		}
		break;
	default:
		errno = EIO;
	}
	return -1;
}

/* tdb_open would take any file for one to be made anew.  Closing a descriptor
 * drops this process's locks on the file, which is one more reason to open it
 * once and keep it. */
static int
check_magic(const char *path)
{
	static const char magic[] = "TDB file\n";
	char head[sizeof(magic)];
	ssize_t n;
	int fd;

	fd = fs_open_regular(AT_FDCWD, path, O_RDONLY, NULL);
	if (fd == -1) {
		if (errno == EINVAL || errno == EISDIR) {
			errno = ENOTSUP;
		}
		return -1;
	}
	n = io_read_full(fd, head, sizeof(head));
	io_close(&fd);
	if (n == -1) {
		return -1;
	}
	if ((size_t)n < sizeof(head) ||
	    memcmp(head, magic, sizeof(head)) != 0) {
		errno = ENOTSUP;
		return -1;
	}
	return 0;
}

static struct tdb_context *
open_tdb(const char *path, size_t hash, int flags)
{
	return tdb_open_ex(path, (int)hash,
	    TDB_INCOMPATIBLE_HASH | TDB_ALLOW_NESTING, flags | O_CLOEXEC, 0660,
	    &no_log, NULL);
}

static int
sync_path(const char *path)
{
	int fd, result;

	fd = fs_open_regular(AT_FDCWD, path, O_RDONLY, NULL);
	if (fd == -1) {
		return -1;
	}
	result = io_fsync(fd);
	io_close(&fd);
	return result;
}

static int
sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int result;

	dir = slash == NULL ? xstrdup(".")
	    : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	result = fs_sync_dir(AT_FDCWD, dir);
	free(dir);
	return result;
}

/* A new file gets its name only when it is whole on disk, so that no crash
 * leaves a file that can be neither opened nor made. */
static int
make_file(const char *path, size_t hash)
{
	struct tdb_context *tdb;
	struct sbuf tmp = {0};
	int result = -1;

	sbuf_printf(&tmp, "%s.new.%ld", path, (long)getpid());
	if (io_unlinkat(AT_FDCWD, sbuf_str(&tmp), 0) == -1 &&
	    errno != ENOENT) {
		sbuf_free(&tmp);
		return -1;
	}
	tdb = open_tdb(sbuf_str(&tmp), hash, O_RDWR | O_CREAT | O_EXCL);
	if (tdb != NULL) {
		tdb_close(tdb);
		result = sync_path(sbuf_str(&tmp));
	}
	if (result == 0) {
		result = io_rename_new(AT_FDCWD, sbuf_str(&tmp), AT_FDCWD,
		    path);
	}
	if (result == -1) {
		int saved = errno;

		(void)!io_unlinkat(AT_FDCWD, sbuf_str(&tmp), 0);
		errno = saved;
	}
	sbuf_free(&tmp);
	if (result == -1) {
		return errno == EEXIST ? 0 : -1;
	}
	return sync_parent(path);
}

struct store *
store_open(const char *path, enum store_mode mode, size_t entries_hint)
{
	struct tdb_context *tdb;
	struct store *s;
	size_t hash;

	hash = entries_hint < HASH_SMALL ? HASH_SMALL
	    : entries_hint > HASH_MOST ? HASH_MOST : entries_hint | 1;
	if (check_magic(path) == -1) {
		if (errno != ENOENT || mode != STORE_CREATE) {
			return NULL;
		}
		if (make_file(path, hash) == -1 || check_magic(path) == -1) {
			return NULL;
		}
	}
	/* A reader opens for writing too where it may: only so can it recover
	 * what a writer that was killed in its commit left behind. */
	tdb = open_tdb(path, 0, O_RDWR);
	if (tdb == NULL && mode == STORE_READ &&
	    (errno == EACCES || errno == EROFS || errno == EPERM)) {
		tdb = open_tdb(path, 0, O_RDONLY);
	}
	if (tdb == NULL) {
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->tdb = tdb;
	s->is_readonly = mode == STORE_READ;
	return s;
}

void
store_close(struct store **s)
{
	if (*s == NULL) {
		return;
	}
	while ((*s)->depth > 0) {
		store_cancel(*s);
	}
	tdb_close((*s)->tdb);
	free(*s);
	*s = NULL;
}

static TDB_DATA
data_of(const void *bytes, size_t n)
{
	return (TDB_DATA){.dptr = (unsigned char *)bytes, .dsize = n};
}

static TDB_DATA
key_of(const char *key)
{
	return data_of(key, strlen(key));
}

static int
copy_value(TDB_DATA key, TDB_DATA value, void *ctx)
{
	(void)key;
	sbuf_add(ctx, value.dptr, value.dsize);
	return 0;
}

int
store_get(struct store *s, const char *key, struct sbuf *value)
{
	sbuf_truncate(value, 0);
	if (tdb_parse_record(s->tdb, key_of(key), copy_value, value) == 0) {
		return 1;
	}
	return tdb_error(s->tdb) == TDB_ERR_NOEXIST ? 0 : fail(s);
}

int
store_begin(struct store *s)
{
	if (s->is_readonly) {
		errno = EROFS;
		return -1;
	}
	if (s->is_walking) {
		errno = EDEADLK;
		return -1;
	}
	if (s->depth == 0 && tdb_transaction_start(s->tdb) == -1) {
		return fail(s);
	}
	s->depth++;
	return 0;
}

int
store_commit(struct store *s)
{
	if (s->depth == 0) {
		errno = EINVAL;
		return -1;
	}
	if (s->depth > 1) {
		s->depth--;
		return 0;
	}
	if (s->is_doomed) {
		store_cancel(s);
		errno = ECANCELED;
		return -1;
	}
	s->depth = 0;
	return tdb_transaction_commit(s->tdb) == -1 ? fail(s) : 0;
}

void
store_cancel(struct store *s)
{
	int saved = errno;

	if (s->depth == 0) {
		return;
	}
	s->depth--;
	s->is_doomed = s->depth > 0;
	if (s->depth == 0) {
		tdb_transaction_cancel(s->tdb);
	}
	errno = saved;
}

int
store_end(struct store *s, int result)
{
	if (result == -1) {
		store_cancel(s);
		return -1;
	}
	return store_commit(s) == -1 ? -1 : result;
}

int
store_put(struct store *s, const char *key, const void *value, size_t n)
{
	int result;

	if (store_begin(s) == -1) {
		return -1;
	}
	result = tdb_store(s->tdb, key_of(key), data_of(value, n), TDB_REPLACE);
	return store_end(s, result == -1 ? fail(s) : 0);
}

int
store_insert(struct store *s, const char *key, const void *value, size_t n)
{
	int result = 1;

	if (store_begin(s) == -1) {
		return -1;
	}
	if (tdb_store(s->tdb, key_of(key), data_of(value, n), TDB_INSERT) ==
	    -1) {
		result = tdb_error(s->tdb) == TDB_ERR_EXISTS ? 0 : fail(s);
	}
	return store_end(s, result);
}

int
store_delete(struct store *s, const char *key)
{
	int result = 1;

	if (store_begin(s) == -1) {
		return -1;
	}
	if (tdb_delete(s->tdb, key_of(key)) == -1) {
		result = tdb_error(s->tdb) == TDB_ERR_NOEXIST ? 0 : fail(s);
	}
	return store_end(s, result);
}

struct walk {
	const char *prefix;
	size_t prefix_len;
	int (*fn)(void *ctx, const char *key, const char *value, size_t n);
	void *ctx;
	int result;
	struct sbuf key, value;
};

static int
visit(struct tdb_context *tdb, TDB_DATA key, TDB_DATA value, void *ctx)
{
	struct walk *w = ctx;

	(void)tdb;
	if (key.dsize < w->prefix_len ||
	    memcmp(key.dptr, w->prefix, w->prefix_len) != 0) {
		return 0;
	}
	sbuf_truncate(&w->key, 0);
	sbuf_add(&w->key, key.dptr, key.dsize);
	sbuf_truncate(&w->value, 0);
	sbuf_add(&w->value, value.dptr, value.dsize);
	w->result = w->fn(w->ctx, sbuf_str(&w->key), sbuf_str(&w->value),
	    w->value.len);
	return w->result != 0;
}

int
store_each(struct store *s, const char *prefix,
    int (*fn)(void *ctx, const char *key, const char *value, size_t n),
    void *ctx)
{
	struct walk w = {.prefix = prefix, .prefix_len = strlen(prefix),
	    .fn = fn, .ctx = ctx};
	bool is_held, was_walking = s->is_walking;
	int n;

	/* In a transaction TDB leaves out two locks a record.  (With
	 * tdb_lockall_read too, but that takes its locks in another order than
	 * a commit, and so the two would wait for each other.)  Those who read
	 * by key go on meanwhile; writers would wait anyhow. */
	is_held = s->depth == 0 && !was_walking &&
	    tdb_transaction_start(s->tdb) == 0;
	s->is_walking = true;
	n = tdb_traverse_read(s->tdb, visit, &w);
	s->is_walking = was_walking;
	if (n == -1) {
		(void)fail(s);
	}
	if (is_held) {
		int saved = errno;

		tdb_transaction_cancel(s->tdb);
		errno = saved;
	}
	sbuf_free(&w.key);
	sbuf_free(&w.value);
	return n == -1 ? -1 : w.result;
}

/* Records of a queue: "queue:NAME" is "FIRST NEXT", "queue:NAME:N" is
 * "MS\tKEY".  Numbers have one width, so that TDB writes them in place. */
struct queue {
	uint64_t first, next;
};

static int
read_queue(struct store *s, const char *name, struct queue *q)
{
	struct sbuf key = {0}, value = {0};
	int found;

	*q = (struct queue){0};
	sbuf_printf(&key, "queue:%s", name);
	found = store_get(s, sbuf_str(&key), &value);
	if (found == 1 && sscanf(sbuf_str(&value), "%" SCNu64 " %" SCNu64,
	    &q->first, &q->next) != 2) {
		*q = (struct queue){0};
	}
	sbuf_free(&key);
	sbuf_free(&value);
	return found == -1 ? -1 : 0;
}

static int
write_queue(struct store *s, const char *name, const struct queue *q)
{
	struct sbuf key = {0}, value = {0};
	int result;

	sbuf_printf(&key, "queue:%s", name);
	sbuf_printf(&value, "%020" PRIu64 " %020" PRIu64, q->first, q->next);
	result = store_put(s, sbuf_str(&key), value.data, value.len);
	sbuf_free(&key);
	sbuf_free(&value);
	return result;
}

static int
put_aged(struct store *s, const char *key, int64_t ms, const char *text)
{
	struct sbuf value = {0};
	int result;

	sbuf_printf(&value, "%" PRId64 "\t%s", ms, text);
	result = store_put(s, key, value.data, value.len);
	sbuf_free(&value);
	return result;
}

int
store_aged_get(struct store *s, const char *key, int64_t *ms, struct sbuf *text)
{
	struct sbuf value = {0};
	char *end;
	int found;

	sbuf_truncate(text, 0);
	found = store_get(s, key, &value);
	if (found == 1) {
		*ms = strtoll(sbuf_str(&value), &end, 10);
		if (*end == '\t') {
			sbuf_adds(text, end + 1);
		}
	}
	sbuf_free(&value);
	return found;
}

int
store_aged_put(struct store *s, const char *queue, const char *key, int64_t ms,
    const char *text)
{
	struct sbuf place = {0};
	struct queue q;
	int result;

	if (store_begin(s) == -1) {
		return -1;
	}
	result = put_aged(s, key, ms, text);
	if (result == 0) {
		result = read_queue(s, queue, &q);
	}
	if (result == 0) {
		sbuf_printf(&place, "queue:%s:%" PRIu64, queue, q.next++);
		result = put_aged(s, sbuf_str(&place), ms, key);
		sbuf_free(&place);
	}
	if (result == 0) {
		result = write_queue(s, queue, &q);
	}
	return store_end(s, result);
}

/* The line at `place`: 1 taken off (with its record, where that has not been
 * put again since), 0 too young, -1. */
static int
prune_one(struct store *s, const char *place, int64_t before)
{
	struct sbuf key = {0}, text = {0};
	int64_t ms;
	int found;

	found = store_aged_get(s, place, &ms, &key);
	if (found == 1 && ms >= before) {
		found = 0;
	} else if (found == 1) {
		found = store_aged_get(s, sbuf_str(&key), &ms, &text);
		if (found == 1 && ms < before) {
			found = store_delete(s, sbuf_str(&key));
		}
		if (found != -1) {
			found = store_delete(s, place);
		}
		found = found == -1 ? -1 : 1;
	} else if (found == 0) {
		found = 1;
	}
	sbuf_free(&key);
	sbuf_free(&text);
	return found;
}

static int
prune_queue(struct store *s, const char *queue, int64_t before, unsigned max)
{
	struct sbuf place = {0};
	struct queue q;
	unsigned n = 0;
	int result = 1;

	if (read_queue(s, queue, &q) == -1) {
		return -1;
	}
	while (n < max && q.first < q.next && result == 1) {
		sbuf_truncate(&place, 0);
		sbuf_printf(&place, "queue:%s:%" PRIu64, queue, q.first);
		result = prune_one(s, sbuf_str(&place), before);
		if (result == 1) {
			q.first++;
			n++;
		}
	}
	sbuf_free(&place);
	if (result == -1) {
		return -1;
	}
	return n == 0 ? 0 : write_queue(s, queue, &q);
}

int
store_aged_prune(struct store *s, const char *queue, int64_t before,
    unsigned max)
{
	if (store_begin(s) == -1) {
		return -1;
	}
	return store_end(s, prune_queue(s, queue, before, max));
}

static void
effect_key(struct sbuf *key, const char *id)
{
	sbuf_adds(key, "effect:");
	sbuf_adds(key, id);
}

int
store_effect_get(struct store *s, const char *id, struct sbuf *answer)
{
	struct sbuf key = {0};
	int64_t ms;
	int found;

	effect_key(&key, id);
	found = store_aged_get(s, sbuf_str(&key), &ms, answer);
	sbuf_free(&key);
	return found;
}

int
store_effect_put(struct store *s, const char *id, const char *answer)
{
	struct sbuf key = {0};
	int result;

	effect_key(&key, id);
	result = store_aged_put(s, "effect", sbuf_str(&key), clock_ms(),
	    answer);
	sbuf_free(&key);
	return result;
}

int
store_effects_prune(struct store *s, long long keep_ms)
{
	return store_aged_prune(s, "effect", clock_ms() - keep_ms,
	    EFFECTS_PER_PRUNE);
}
