/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conf_value - values of a config tree by key and type; see conf.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "common/domain/conf.h"

#define SHOWN_MAX 60
#define DISTANCE_MAX 64
/* A key further off than this is no misspelling. */
#define DISTANCE_NEAR 2
#define TEN_YEARS_MS (3650LL * 86400 * 1000)
#define SIZE_MOST (1ULL << 50)

/* A key that is there twice is an error already; it is not an unknown one. */
const struct conf_node *
conf_get(const struct conf_node *map, const char *key)
{
	const struct conf_node *found = NULL;

	if (map == NULL || map->kind != CONF_MAP) {
		return NULL;
	}
	for (size_t i = 0; i < map->n; i++) {
		struct conf_node *item = &map->items[i];

		if (strcmp(item->key, key) == 0) {
			item->is_used = true;
			found = found == NULL ? item : found;
		}
	}
	return found == NULL || found->is_null ? NULL : found;
}

static const char *
shown(const struct conf_node *node, struct sbuf *out)
{
	sbuf_truncate(out, 0);
	if (node->kind == CONF_MAP) {
		sbuf_adds(out, "a map");
	} else if (node->kind == CONF_SEQUENCE) {
		sbuf_adds(out, "a list");
	} else {
		sbuf_printf(out, "\"%.*s\"%s", SHOWN_MAX, node->text,
		    strlen(node->text) > SHOWN_MAX ? "..." : "");
	}
	return sbuf_str(out);
}

static void
wrong(struct conf_errors *errors, const struct conf_node *node,
    const char *allowed)
{
	struct sbuf found = {0};

	conf_error(errors, node, "%s is %s, %s is allowed",
	    node->key == NULL ? "a list's item" : node->key,
	    shown(node, &found), allowed);
	sbuf_free(&found);
}

const struct conf_node *
conf_get_map(struct conf_errors *errors, const struct conf_node *map,
    const char *key)
{
	const struct conf_node *node = conf_get(map, key);

	if (node != NULL && node->kind != CONF_MAP) {
		wrong(errors, node, "a map (\"key: value\" lines)");
		return NULL;
	}
	return node;
}

/* Levenshtein's distance; long words are as far as can be. */
static unsigned
distance(const char *a, const char *b, size_t b_len)
{
	unsigned row[DISTANCE_MAX + 1];

	if (strlen(a) > DISTANCE_MAX || b_len > DISTANCE_MAX) {
		return DISTANCE_MAX;
	}
	for (unsigned j = 0; j <= b_len; j++) {
		row[j] = j;
	}
	for (unsigned i = 1; *a != '\0'; i++, a++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = diagonal + (*a != b[j - 1]);

			if (best > row[j] + 1) {
				best = row[j] + 1;
			}
			if (best > row[j - 1] + 1) {
				best = row[j - 1] + 1;
			}
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b_len];
}

/* The word of "a, b, c" that key may be a misspelling of, or NULL. */
static const char *
nearest(const char *key, const char *allowed, size_t *len)
{
	const char *best = NULL;
	unsigned least = DISTANCE_NEAR + 1;

	while (*allowed != '\0') {
		size_t n = strcspn(allowed, ",");
		unsigned d = distance(key, allowed, n);

		/* All letters but none alike is no likeness. */
		if (d < least && d < n && d < strlen(key)) {
			least = d;
			best = allowed;
			*len = n;
		}
		allowed += n;
		allowed += strspn(allowed, ", ");
	}
	return best;
}

void
conf_unknown(struct conf_errors *errors, const struct conf_node *map,
    const char *allowed)
{
	if (map == NULL || map->kind != CONF_MAP) {
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct conf_node *item = &map->items[i];
		const char *near;
		size_t len;

		if (item->is_used) {
			continue;
		}
		near = nearest(item->key, allowed, &len);
		if (near == NULL) {
			conf_error(errors, item, "unknown key \"%.*s\"; "
			    "allowed are %s", SHOWN_MAX, item->key, allowed);
		} else {
			conf_error(errors, item, "unknown key \"%.*s\", "
			    "nearest is \"%.*s\"; allowed are %s", SHOWN_MAX,
			    item->key, (int)len, near, allowed);
		}
	}
}

/* Is node one line of text? */
static bool
is_text(const struct conf_node *node)
{
	if (node->kind != CONF_SCALAR || *node->text == '\0') {
		return false;
	}
	for (const char *p = node->text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			return false;
		}
	}
	return true;
}

static const char *const one_line = "one line of text, not empty,";

void
conf_string(struct conf_errors *errors, const struct conf_node *map,
    const char *key, char **out)
{
	const struct conf_node *node = conf_get(map, key);

	if (node == NULL) {
		return;
	}
	if (!is_text(node)) {
		wrong(errors, node, one_line);
		return;
	}
	free(*out);
	*out = xstrdup(node->text);
}

void
conf_strings(struct conf_errors *errors, const struct conf_node *map,
    const char *key, struct strv *out)
{
	const struct conf_node *node = conf_get(map, key);
	const struct conf_node *items = node;
	size_t n = 1;

	if (node == NULL) {
		return;
	}
	if (node->kind == CONF_MAP) {
		wrong(errors, node, "a list of texts, or one text,");
		return;
	}
	if (node->kind == CONF_SEQUENCE) {
		items = node->items;
		n = node->n;
	}
	strv_free(out);
	for (size_t i = 0; i < n; i++) {
		if (is_text(&items[i])) {
			strv_add(out, items[i].text);
		} else {
			wrong(errors, &items[i], one_line);
		}
	}
}

void
conf_choice(struct conf_errors *errors, const struct conf_node *map,
    const char *key, const char *const *words, int *out)
{
	const struct conf_node *node = conf_get(map, key);
	struct sbuf allowed = {0};

	if (node == NULL) {
		return;
	}
	for (int i = 0; words[i] != NULL; i++) {
		if (node->kind == CONF_SCALAR &&
		    strcmp(node->text, words[i]) == 0) {
			*out = i;
			sbuf_free(&allowed);
			return;
		}
		sbuf_printf(&allowed, "%s%s", i == 0 ? ""
		    : words[i + 1] == NULL ? " or " : ", ", words[i]);
	}
	wrong(errors, node, sbuf_str(&allowed));
	sbuf_free(&allowed);
}

void
conf_bool(struct conf_errors *errors, const struct conf_node *map,
    const char *key, bool *out)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off",
		"on", NULL};
	int word = -1;

	conf_choice(errors, map, key, words, &word);
	if (word >= 0) {
		*out = word % 2 == 1;
	}
}

/* Decimal digits, then *unit points to the rest.  -1: none, or too many. */
static int
read_digits(const char *text, unsigned long long *value, const char **unit)
{
	const char *p = text;

	*value = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(*value, 10ULL, value) ||
		    __builtin_add_overflow(*value,
		    (unsigned long long)(*p - '0'), value)) {
			return -1;
		}
	}
	*unit = p;
	return p == text ? -1 : 0;
}

static int
read_number(const char *text, long long *value)
{
	unsigned long long digits;
	const char *rest;
	bool is_negative = *text == '-';

	if (read_digits(text + is_negative, &digits, &rest) == -1 ||
	    *rest != '\0' || digits > INT64_MAX) {
		return -1;
	}
	*value = is_negative ? -(long long)digits : (long long)digits;
	return 0;
}

void
conf_number(struct conf_errors *errors, const struct conf_node *map,
    const char *key, long long min, long long max, long long *out)
{
	const struct conf_node *node = conf_get(map, key);
	struct sbuf allowed = {0};
	long long value;

	if (node == NULL) {
		return;
	}
	if (node->kind == CONF_SCALAR && read_number(node->text, &value) == 0 &&
	    value >= min && value <= max) {
		*out = value;
		return;
	}
	sbuf_printf(&allowed, "a number from %lld to %lld", min, max);
	wrong(errors, node, sbuf_str(&allowed));
	sbuf_free(&allowed);
}

void
conf_count(struct conf_errors *errors, const struct conf_node *map,
    const char *key, const unsigned range[2], unsigned *out)
{
	long long value = *out;

	conf_number(errors, map, key, range[0], range[1], &value);
	*out = (unsigned)value;
}

struct unit {
	const char *name;
	unsigned long long factor;
};

/* A number and one of the units: 0 and *value, at most max; else -1. */
static int
read_quantity(const struct conf_node *node, const struct unit *units,
    unsigned long long max, unsigned long long *value)
{
	const char *rest;

	if (node->kind != CONF_SCALAR ||
	    read_digits(node->text, value, &rest) == -1) {
		return -1;
	}
	if (*value == 0 && *rest == '\0') {
		return 0;
	}
	while (units->name != NULL && strcmp(units->name, rest) != 0) {
		units++;
	}
	if (units->name == NULL ||
	    __builtin_mul_overflow(*value, units->factor, value)) {
		return -1;
	}
	return *value > max ? -1 : 0;
}

void
conf_size(struct conf_errors *errors, const struct conf_node *map,
    const char *key, uint64_t *out)
{
	static const struct unit units[] = {{"", 1}, {"K", 1ULL << 10},
		{"M", 1ULL << 20}, {"G", 1ULL << 30}, {"T", 1ULL << 40},
		{NULL, 0}};
	const struct conf_node *node = conf_get(map, key);
	unsigned long long value;

	if (node == NULL) {
		return;
	}
	if (read_quantity(node, units, SIZE_MOST, &value) == -1) {
		wrong(errors, node, "a size such as 4096, 64K, 40M, 2G or 1T");
		return;
	}
	*out = value;
}

void
conf_time(struct conf_errors *errors, const struct conf_node *map,
    const char *key, int64_t *out)
{
	static const struct unit units[] = {{"ms", 1}, {"s", 1000},
		{"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 86400 * 1000},
		{"w", 7ULL * 86400 * 1000}, {NULL, 0}};
	const struct conf_node *node = conf_get(map, key);
	unsigned long long value;

	if (node == NULL) {
		return;
	}
	if (read_quantity(node, units, TEN_YEARS_MS, &value) == -1) {
		wrong(errors, node,
		    "a time such as 500ms, 30s, 10m, 2h, 5d or 1w");
		return;
	}
	*out = (int64_t)value;
}
