/* SPDX-License-Identifier: BSD-2-Clause
 *
 * results - Authentication-Results of a trusted host (RFC 8601) as items
 *
 * The host is trusted, but values that it quotes (a sender's local part, a
 * reason) come from strangers: a word is only ever what stands outside quotes
 * and comments, and an item has one method, its first word.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/esc.h"
#include "common/mail/address.h"
#include "common/mail/header.h"
#include "runners/auth/auth.h"

#define METHODS_MAX 32
#define PROPERTIES_MAX 16
#define WORD_MAX 320

/* Append the word at p to out, its quotes and quoted pairs taken off; stop
 * names the bytes that end it.  Returns what follows it. */
static const char *
take_word(const char *p, const char *stop, struct sbuf *out)
{
	bool is_quoted = false;

	sbuf_truncate(out, 0);
	for (; *p != '\0' && (is_quoted || strchr(stop, *p) == NULL); p++) {
		if (*p == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (is_quoted && *p == '\\' && p[1] != '\0')
			p++;
		if (out->len < WORD_MAX)
			sbuf_addc(out, *p);
	}
	return p;
}

/* "dkim/1" is dkim; methods and properties have no case. */
static void
fold_key(struct sbuf *key)
{
	size_t i;

	if (key->len > 0)
		sbuf_truncate(key, strcspn(key->data, "/"));
	for (i = 0; i < key->len; i++)
		key->data[i] = (char)tolower((unsigned char)key->data[i]);
}

static bool
is_key(const struct sbuf *key)
{
	return key->len > 0 && strspn(key->data,
	    "abcdefghijklmnopqrstuvwxyz0123456789._-") == key->len;
}

/* Take one "method=result ptype.property=value..." up to its semicolon: an
 * item, or nothing of it where its first word is no method.  Returns what
 * follows it. */
static const char *
take_item(const char *p, const char *by, struct strv *out)
{
	struct sbuf item = {0}, key = {0}, value = {0};
	bool has_method = false;
	unsigned n = 0;

	while (*(p = header_skip_cfws(p)) != '\0' && *p != ';') {
		p = header_skip_cfws(take_word(p, "=; \t(", &key));
		if (*p != '=')
			continue; /* a word alone, as "none" */
		p = take_word(header_skip_cfws(p + 1), "; \t(", &value);
		fold_key(&key);
		if (!is_key(&key) || n++ > PROPERTIES_MAX)
			continue;
		/* Behind the method only "ptype.property" counts: no reason,
		 * and no second method. */
		if (has_method == (strchr(key.data, '.') == NULL))
			continue;
		has_method = true;
		kv_add(&item, key.data, sbuf_str(&value));
	}
	if (has_method) {
		kv_add(&item, "by", by);
		strv_add(out, item.data);
	}
	sbuf_free(&item);
	sbuf_free(&key);
	sbuf_free(&value);
	return p;
}

void
results_split(const char *value, struct strv *out)
{
	struct sbuf by = {0}, version = {0};
	const char *p;
	unsigned n = 0;

	p = take_word(header_skip_cfws(value), "; \t(", &by);
	while (*(p = header_skip_cfws(p)) != '\0' && *p != ';')
		p = take_word(p, "; \t(", &version);
	while (*p == ';' && n++ < METHODS_MAX)
		p = take_item(p + 1, sbuf_str(&by), out);
	sbuf_free(&by);
	sbuf_free(&version);
}

/* The same domain, or one below the other (RFC 7489 relaxed alignment without
 * a list of public suffixes: only a domain below the address's own organisation
 * or above it passes, never two siblings). */
static bool
is_aligned(const char *domain, const char *address)
{
	const char *at = strrchr(address, '@');
	struct sbuf said = {0}, own = {0}, *longer = &own, *shorter = &said;
	size_t more;
	bool is;

	is = at != NULL && address_domain_key(domain, &said) == 0 &&
	    address_domain_key(at + 1, &own) == 0;
	if (is && own.len < said.len) {
		longer = &said;
		shorter = &own;
	}
	if (is) {
		more = longer->len - shorter->len;
		is = strchr(shorter->data, '.') != NULL &&
		    strcmp(longer->data + more, shorter->data) == 0 &&
		    (more == 0 || longer->data[more - 1] == '.');
	}
	sbuf_free(&said);
	sbuf_free(&own);
	return is;
}

/* Does the item's property (a domain, or an address) align with address?  A
 * property that is missing says `absent`. */
static bool
is_item_aligned(const char *item, const char *property, const char *address,
    bool absent)
{
	struct sbuf value = {0};
	const char *at;
	bool is = absent;

	if (kv_get(item, property, &value) == 1) {
		at = strrchr(sbuf_str(&value), '@');
		is = is_aligned(at == NULL ? sbuf_str(&value) : at + 1,
		    address);
	}
	sbuf_free(&value);
	return is;
}

static bool
item_is(const char *item, const char *method, const char *result)
{
	struct sbuf value = {0};
	bool is = kv_get(item, method, &value) == 1 &&
	    strcasecmp(value.data, result) == 0;

	sbuf_free(&value);
	return is;
}

static bool
is_pass(const char *item, const char *address, bool is_envelope)
{
	if (item_is(item, "dmarc", "pass"))
		return is_item_aligned(item, "header.from", address, false);
	if (item_is(item, "dkim", "pass"))
		return is_item_aligned(item, "header.d", address, false) ||
		    is_item_aligned(item, "header.i", address, false);
	return is_envelope && item_is(item, "spf", "pass") &&
	    is_item_aligned(item, "smtp.mailfrom", address, false);
}

enum results_verdict
results_judge(const struct strv *items, const char *address, bool is_envelope)
{
	enum results_verdict verdict = RESULTS_NOTHING;
	const char *item;
	size_t i;

	for (i = 0; i < items->n; i++) {
		item = items->items[i];
		/* One that does not say of whom speaks of From. */
		if (item_is(item, "dmarc", "fail") && is_item_aligned(item,
		    "header.from", address, !is_envelope))
			return RESULTS_FAIL;
		if (is_pass(item, address, is_envelope))
			verdict = RESULTS_PASS;
	}
	return verdict;
}
