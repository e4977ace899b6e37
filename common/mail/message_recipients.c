/* SPDX-License-Identifier: BSD-2-Clause
 *
 * message_recipients - whom a dropped file was meant for
 */
#include <string.h>

#include "common/mail/address.h"
#include "common/mail/header.h"
#include "common/mail/message.h"

/* Asking whose an address is costs a look at the disk. */
#define CANDIDATES_MAX 1000

struct block {
	const char *bytes;
	size_t len;
};

/* The topmost field of that name, which a mailer wrote: one address, bare or
 * in brackets, perhaps after words ("mailing list dev@lists.example.org"). */
static void
take_delivered(const struct block *b, const char *name, struct strv *found)
{
	struct sbuf value = {0};
	const char *word;
	size_t n;

	if (!header_get(b->bytes, b->len, name, 0, &value)) {
		sbuf_free(&value);
		return;
	}
	if (address_check(sbuf_str(&value), NULL, NULL) == 0) {
		strv_add(found, sbuf_str(&value));
		sbuf_free(&value);
		return;
	}
	n = value.len;
	if (n > 0 && value.data[n - 1] == '>')
		sbuf_truncate(&value, n - 1);
	word = sbuf_str(&value) + value.len;
	while (word > sbuf_str(&value) && strchr(" \t<", word[-1]) == NULL)
		word--;
	if (address_check(word, NULL, NULL) == 0)
		strv_add(found, word);
	sbuf_free(&value);
}

static void
take_addresses(const struct header_field *field, struct strv *found)
{
	struct sbuf value = {0};

	header_value(field, &value);
	if (found->n < CANDIDATES_MAX)
		(void)address_header(sbuf_str(&value),
		    CANDIDATES_MAX - found->n, found);
	sbuf_free(&value);
}

/* Is field To, Cc or Bcc, with that prefix before it? */
static bool
is_destination(const struct header_field *field, const char *prefix)
{
	static const char *const names[] = {"To", "Cc", "Bcc"};
	struct header_field rest = *field;
	size_t n = strlen(prefix);

	if (!header_has_prefix(field, prefix))
		return false;
	rest.name += n;
	rest.name_len -= n;
	for (size_t i = 0; i < 3; i++) {
		if (header_is(&rest, names[i]))
			return true;
	}
	return false;
}

static void
take_destinations(const struct block *b, struct strv *found)
{
	struct header_field field;
	size_t at = 0;

	while (header_next(b->bytes, b->len, &at, &field)) {
		if (is_destination(&field, ""))
			take_addresses(&field, found);
	}
}

/* Each resending puts a block of Resent- fields on top (RFC 5322 section
 * 3.6.6).  The newest ends where a field comes a second time or, fields having
 * been moved about on the way, where trace fields follow it. */
static void
take_resent(const struct block *b, struct strv *found)
{
	struct header_field field;
	struct strv seen = {0};
	struct sbuf name = {0};
	size_t at = 0;

	while (header_next(b->bytes, b->len, &at, &field)) {
		if (!header_has_prefix(&field, "Resent-")) {
			if (seen.n > 0 && (header_is(&field, "Received") ||
			    header_is(&field, "Return-Path")))
				break;
			continue;
		}
		sbuf_truncate(&name, 0);
		sbuf_add(&name, field.name, field.name_len);
		if (strv_has_nocase(&seen, name.data))
			break;
		strv_add(&seen, name.data);
		if (is_destination(&field, "Resent-"))
			take_addresses(&field, found);
	}
	strv_free(&seen);
	sbuf_free(&name);
}

static void
take_all_delivered(const struct block *b, struct strv *found)
{
	take_delivered(b, "Delivered-To", found);
	take_delivered(b, "X-Original-To", found);
}

/* Offer each of found once: 1 where any is ours, 0, or -1. */
static int
offer(const struct strv *found, int (*is_ours)(void *ctx, const char *address),
    void *ctx, struct strv *out)
{
	struct strv keys = {0};
	struct sbuf key = {0};
	int rc = 0, is_mine = 0;

	for (size_t i = 0; i < found->n && is_mine != -1; i++) {
		if (address_key(found->items[i], &key) == -1 ||
		    strv_has(&keys, key.data))
			continue;
		strv_add(&keys, key.data);
		is_mine = is_ours(ctx, found->items[i]);
		if (is_mine == 1) {
			strv_add(out, found->items[i]);
			rc = 1;
		}
	}
	strv_free(&keys);
	sbuf_free(&key);
	return is_mine == -1 ? -1 : rc;
}

int
message_recipients(const char *block, size_t len,
    int (*is_ours)(void *ctx, const char *address), void *ctx,
    struct strv *out)
{
	static void (*const steps[])(const struct block *, struct strv *) = {
		take_all_delivered, take_resent, take_destinations};
	struct block b = {.bytes = block, .len = len};
	int rc = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct strv found = {0};

		steps[i](&b, &found);
		rc = offer(&found, is_ours, ctx, out);
		strv_free(&found);
		if (rc != 0)
			break;
	}
	return rc == -1 ? -1 : 0;
}
