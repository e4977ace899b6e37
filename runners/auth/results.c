/* SPDX-License-Identifier: BSD-2-Clause
 *
 * results - Authentication-Results of a trusted host (RFC 8601) as items
 */
#include <string.h>
#include <strings.h>

#include "common/base/esc.h"
#include "common/mail/address.h"
#include "common/mail/header.h"
#include "runners/auth/auth.h"

#define METHODS_MAX 32

/* Copy the value without comments, quotes taken off: what stays are words,
 * ';' and '='. */
static void
strip(const char *value, struct sbuf *out)
{
	const char *p = value, *next;

	while (*p != '\0') {
		if (*p == '(') {
			next = header_skip_cfws(p);
			if (next == p)
				return; /* a comment without an end */
			sbuf_addc(out, ' ');
			p = next;
		} else if (*p == '"') {
			for (p++; *p != '\0' && *p != '"'; p++)
				sbuf_addc(out, *p == ';' || *p == '=' ? '_' :
				    *p);
			if (*p == '"')
				p++;
		} else {
			sbuf_addc(out, *p++);
		}
	}
}

/* "dkim=pass reason=x header.d=example.net" to "dkim=pass
 * header.d=example.net by=ID".  Spaces around '=' are allowed there. */
static void
add_item(char *text, const char *by, struct strv *out)
{
	struct sbuf item = {0}, flat = {0};
	const char *p;
	char *word, *save = NULL, *eq;

	for (p = text; *p != '\0'; p++) {
		if (*p == ' ' || *p == '\t') {
			const char *q = p + strspn(p, " \t");

			if (*q == '=' || (flat.len > 0 &&
			    flat.data[flat.len - 1] == '=')) {
				p = q - 1;
				continue;
			}
			sbuf_addc(&flat, ' ');
			p = q - 1;
		} else {
			sbuf_addc(&flat, *p);
		}
	}
	if (flat.len > 0) {
		for (word = strtok_r(flat.data, " ", &save); word != NULL;
		    word = strtok_r(NULL, " ", &save)) {
			eq = strchr(word, '=');
			if (eq == NULL || eq == word ||
			    strncasecmp(word, "reason=", 7) == 0)
				continue;
			*eq = '\0';
			kv_add(&item, word, eq + 1);
		}
	}
	if (item.len > 0) {
		kv_add(&item, "by", by);
		strv_add(out, item.data);
	}
	sbuf_free(&item);
	sbuf_free(&flat);
}

void
results_split(const char *value, struct strv *out)
{
	struct sbuf text = {0}, by = {0};
	char *part, *save = NULL;
	unsigned n = 0;

	strip(value, &text);
	if (text.len > 0) {
		part = strtok_r(text.data, ";", &save);
		if (part != NULL) {
			part += strspn(part, " \t");
			sbuf_add(&by, part, strcspn(part, " \t"));
			while (n++ < METHODS_MAX &&
			    (part = strtok_r(NULL, ";", &save)) != NULL)
				add_item(part, sbuf_str(&by), out);
		}
	}
	sbuf_free(&text);
	sbuf_free(&by);
}

/* The same domain, or one below the other (RFC 7489 relaxed alignment without
 * a list of public suffixes: only a domain below the address's own organisation
 * or above it passes, never two siblings). */
static bool
is_aligned(const char *domain, const char *address)
{
	const char *own = strrchr(address, '@');
	size_t a, b;

	if (own == NULL || strchr(domain, '.') == NULL)
		return false;
	own++;
	a = strlen(domain);
	b = strlen(own);
	if (a == b)
		return strcasecmp(domain, own) == 0;
	if (a > b)
		return domain[a - b - 1] == '.' &&
		    strcasecmp(domain + a - b, own) == 0;
	return own[b - a - 1] == '.' && strcasecmp(own + b - a, domain) == 0;
}

/* Domain of a property that is a domain or an address. */
static const char *
domain_of(const char *value)
{
	const char *at = strrchr(value, '@');

	return at == NULL ? value : at + 1;
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
item_aligned(const char *item, const char *property, const char *address)
{
	struct sbuf value = {0};
	bool is = kv_get(item, property, &value) == 1 &&
	    is_aligned(domain_of(value.data), address);

	sbuf_free(&value);
	return is;
}

enum results_verdict
results_judge(const struct strv *items, const char *address, bool is_envelope)
{
	enum results_verdict verdict = RESULTS_NOTHING;
	const char *item;
	size_t i;

	for (i = 0; i < items->n; i++) {
		item = items->items[i];
		if (item_is(item, "dmarc", "fail") &&
		    item_aligned(item, "header.from", address))
			return RESULTS_FAIL;
		if ((item_is(item, "dmarc", "pass") &&
		    item_aligned(item, "header.from", address)) ||
		    (item_is(item, "dkim", "pass") &&
		    (item_aligned(item, "header.d", address) ||
		    item_aligned(item, "header.i", address))) ||
		    (is_envelope && item_is(item, "spf", "pass") &&
		    item_aligned(item, "smtp.mailfrom", address)))
			verdict = RESULTS_PASS;
	}
	return verdict;
}
