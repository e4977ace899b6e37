/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conf - a YAML document as a tree that knows its lines
 *
 * libyaml reads; this module only bounds (1 MiB, depth 16, 65,536 nodes, no
 * aliases, anchors or tags, no key twice) and keeps file:line for every node,
 * so that every error of a config file can be said at its place, and all of
 * them in one go.
 */
#ifndef SEPTET_DOMAIN_CONF_H
#define SEPTET_DOMAIN_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"

/* "file:line: what was found, what is allowed", one per item, those of a file
 * in the order of its lines; the hundredth says that there are more.  Of a file
 * that cannot be read: "file: cannot be read: why". */
struct conf_errors {
	struct strv lines;
};

enum conf_kind { CONF_SCALAR, CONF_SEQUENCE, CONF_MAP };

struct conf_node {
	enum conf_kind kind;
	const char *file;
	int line;
	char *key;              /* in a map: its key, else NULL */
	char *text;             /* CONF_SCALAR */
	struct conf_node *items;
	size_t n;
	bool is_null;           /* nothing, ~ or null: as if not there */
	bool is_used;           /* asked for: the rest are unknown keys */
};

/* Parse a file whose top is a map.  NULL: errors has what is wrong, and errno
 * says which (ENOENT: a missing file; EINVAL: its text).  A key that is there
 * twice is an error in errors only; conf_get finds the first. */
struct conf_node *conf_load(const char *path, struct conf_errors *errors);
/* The same for text that is called name in errors. */
struct conf_node *conf_parse(const char *name, const char *text, size_t n,
    struct conf_errors *errors);
void conf_free(struct conf_node **root);
void conf_errors_free(struct conf_errors *errors);

/* Add an error at a node's place, as one escaped line. */
void conf_error(struct conf_errors *errors, const struct conf_node *at,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The value under key, or NULL where it is not there or null; marks it used.
 * map may be NULL, or no map (nothing is there). */
const struct conf_node *conf_get(const struct conf_node *map, const char *key);
/* The same where it is a map; else an error and NULL. */
const struct conf_node *conf_get_map(struct conf_errors *errors,
    const struct conf_node *map, const char *key);
/* After all conf_get: an error for each key that nobody asked for, with the
 * list of those allowed ("a, b, c"), and which may have been meant. */
void conf_unknown(struct conf_errors *errors, const struct conf_node *map,
    const char *allowed);

/* Typed readers: leave *out as it is (the default) where key is absent; say
 * an error and leave it where the value is not of the type.  A string has no
 * control characters and is not empty; conf_strings takes one string too. */
void conf_string(struct conf_errors *errors, const struct conf_node *map,
    const char *key, char **out);
void conf_strings(struct conf_errors *errors, const struct conf_node *map,
    const char *key, struct strv *out);
void conf_bool(struct conf_errors *errors, const struct conf_node *map,
    const char *key, bool *out);
void conf_number(struct conf_errors *errors, const struct conf_node *map,
    const char *key, long long min, long long max, long long *out);
/* The same for what is counted. */
void conf_count(struct conf_errors *errors, const struct conf_node *map,
    const char *key, const unsigned range[2], unsigned *out);
/* 4096, 64K, 40M, 2G, 1T: bytes. */
void conf_size(struct conf_errors *errors, const struct conf_node *map,
    const char *key, uint64_t *out);
/* 500ms, 30s, 10m, 2h, 5d, 1w, at most ten years; 0: milliseconds. */
void conf_time(struct conf_errors *errors, const struct conf_node *map,
    const char *key, int64_t *out);
/* One of the words of a NULL-terminated list: its index. */
void conf_choice(struct conf_errors *errors, const struct conf_node *map,
    const char *key, const char *const *words, int *out);

#endif
