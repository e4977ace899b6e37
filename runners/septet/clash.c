/* SPDX-License-Identifier: BSD-2-Clause
 *
 * clash - lists made by hand whose addresses are in each other's way
 *
 * lists_create refuses such names; a folder that was copied, or an alias that
 * was written, nobody asked about.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/sbuf.h"
#include "common/base/xalloc.h"
#include "common/domain/lists.h"
#include "runners/septet/check.h"

void
clash_add(struct clashes *c, const char *address, const char *list)
{
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 64 : c->cap * 2;
		c->items = xreallocarray(c->items, c->cap, sizeof(*c->items));
	}
	c->items[c->n++] = (struct clash){.address = xstrdup(address),
		.list = xstrdup(list)};
}

static int
compare(const void *a, const void *b)
{
	const struct clash *x = a, *y = b;

	return strcmp(x->address, y->address);
}

/* The list that has local[0..n)@domain, or NULL. */
static const char *
owner_of(const struct clashes *c, const char *local, size_t n,
    const char *domain)
{
	struct sbuf address = {0};
	struct clash key = {NULL, NULL}, *found;

	sbuf_add(&address, local, n);
	sbuf_adds(&address, domain);
	key.address = address.data;
	found = bsearch(&key, c->items, c->n, sizeof(key), compare);
	sbuf_free(&address);
	return found == NULL ? NULL : found->list;
}

/* Whose role is the first n bytes of an address?  NULL: nobody's. */
static const char *
role_owner(const struct clashes *c, const char *address, size_t n,
    const char *domain)
{
	const struct lists_suffix *s;

	for (s = lists_suffixes(); s->text != NULL; s++) {
		size_t len = strlen(s->text);
		const char *owner;

		/* The list itself, without a role or a "+", is no clash. */
		if (n <= len || (len == 0 && address + n == domain) ||
		    memcmp(address + n - len, s->text, len) != 0)
			continue;
		owner = owner_of(c, address, n - len, domain);
		if (owner != NULL)
			return owner;
	}
	return NULL;
}

static void
find_one(const struct clashes *c, const struct clash *item,
    struct strv *problems)
{
	const char *domain = strrchr(item->address, '@'), *owner;
	struct sbuf text = {0};
	size_t n;

	if (domain == NULL)
		return;
	for (n = 1; item->address + n <= domain; n++) {
		if (item->address[n] != '+' && item->address + n != domain)
			continue;
		owner = role_owner(c, item->address, n, domain);
		if (owner == NULL || strcmp(owner, item->list) == 0)
			continue;
		sbuf_printf(&text, "list %s: its address %s is also one of "
		    "list %s; rename one of them", item->list, item->address,
		    owner);
		strv_add(problems, text.data);
		sbuf_free(&text);
		return;
	}
}

void
clash_find(struct clashes *c, struct strv *problems)
{
	struct sbuf text = {0};
	size_t i;

	if (c->n == 0)
		return;
	qsort(c->items, c->n, sizeof(*c->items), compare);
	for (i = 0; i < c->n; i++) {
		if (i > 0 && compare(&c->items[i], &c->items[i - 1]) == 0 &&
		    strcmp(c->items[i].list, c->items[i - 1].list) != 0) {
			sbuf_set(&text, "");
			sbuf_printf(&text, "lists %s and %s: both have the "
			    "address %s", c->items[i - 1].list,
			    c->items[i].list, c->items[i].address);
			strv_add(problems, text.data);
		}
		find_one(c, &c->items[i], problems);
	}
	sbuf_free(&text);
}

void
clash_free(struct clashes *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->items[i].address);
		free(c->items[i].list);
	}
	free(c->items);
	*c = (struct clashes){NULL, 0, 0};
}
