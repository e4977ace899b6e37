/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report_status - delivery status fields (RFC 3464, RFC 6533)
 *
 * Tolerant: blocks are told apart by blank lines and by a second recipient,
 * and lines that are no fields are passed over, since many mailers break both
 * rules.
 */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/base/xalloc.h"
#include "common/mail/header.h"
#include "common/mail/report_source.h"

struct block {
	struct sbuf original;
	struct sbuf final;
	struct sbuf action;
	struct sbuf status;
	struct sbuf diagnostic;
};

static void
block_clear(struct block *b)
{
	sbuf_truncate(&b->original, 0);
	sbuf_truncate(&b->final, 0);
	sbuf_truncate(&b->action, 0);
	sbuf_truncate(&b->status, 0);
	sbuf_truncate(&b->diagnostic, 0);
}

static void
block_free(struct block *b)
{
	sbuf_free(&b->original);
	sbuf_free(&b->final);
	sbuf_free(&b->action);
	sbuf_free(&b->status);
	sbuf_free(&b->diagnostic);
}

/* Append what \x{HEX} stands for (RFC 6533 section 3); its length, or 0. */
static size_t
add_unitext(const char *p, struct sbuf *out)
{
	size_t i;
	unsigned c = 0;

	if (strncmp(p, "\\x{", 3) != 0)
		return 0;
	for (i = 3; i < 10 && strchr("0123456789abcdefABCDEF", p[i]) != NULL &&
	    p[i] != '\0'; i++)
		c = c * 16 + (unsigned)(p[i] <= '9' ? p[i] - '0' :
		    (p[i] | 0x20) - 'a' + 10);
	if (i == 3 || p[i] != '}' || c < 0x20 || c == 0x7f || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (c < 0x80) {
		sbuf_addc(out, (char)c);
	} else if (c < 0x800) {
		sbuf_addc(out, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		sbuf_addc(out, (char)(0xe0 | c >> 12));
		sbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	} else {
		sbuf_addc(out, (char)(0xf0 | c >> 18));
		sbuf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		sbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	if (c >= 0x80)
		sbuf_addc(out, (char)(0x80 | (c & 0x3f)));
	return i + 1;
}

void
report_status_address(const char *value, struct sbuf *out)
{
	const char *p, *end;
	size_t n;

	sbuf_truncate(out, 0);
	p = strchr(value, ';');
	p = p == NULL ? value : p + 1;
	p += strspn(p, " \t<");
	end = *p == '"' ? strstr(p + 1, "\"@") : p;
	if (end == NULL)
		end = ++p;
	end += strcspn(end + (*end == '"'), " \t<>;,\"") + (*end == '"');
	/* "@host" and "@host:ann@example.net" (a route) are nobody's. */
	if (*p == '@' || memchr(p, '@', (size_t)(end - p)) == NULL)
		return;
	while (p < end) {
		n = add_unitext(p, out);
		if (n == 0)
			sbuf_addc(out, *p);
		p += n == 0 ? 1 : n;
	}
}

static enum report_kind
action_kind(const char *action, const char *status)
{
	static const struct {
		const char *word;
		enum report_kind kind;
	} actions[] = {
		{ "fail", REPORT_FAILED }, { "delayed", REPORT_DELAYED },
		{ "deliver", REPORT_DELIVERED }, { "relayed", REPORT_DELIVERED },
		{ "expanded", REPORT_DELIVERED },
	};
	size_t i;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strncasecmp(action, actions[i].word,
		    strlen(actions[i].word)) == 0)
			return actions[i].kind;
	}
	/* Action is required, and yet left out by some. */
	if (*status == '5')
		return REPORT_FAILED;
	if (*status == '4')
		return REPORT_DELAYED;
	return *status == '2' ? REPORT_DELIVERED : REPORT_UNKNOWN;
}

/* The field's status, unless it is missing or vague and the diagnostic knows
 * better. */
static void
refine_status(struct block *b, struct sbuf *out)
{
	const char *at;
	size_t n;

	n = report_reason_code(sbuf_str(&b->status), &at);
	sbuf_truncate(out, 0);
	if (n > 0)
		sbuf_add(out, at, n);
	if (n > 0 && strcmp(sbuf_str(out) + 1, ".0.0") != 0)
		return;
	report_reason_status(sbuf_str(&b->diagnostic), out);
	if (out->len == 0 && n > 0)
		sbuf_add(out, at, n);
}

static bool
has_recipient(const struct block *b)
{
	return b->original.len > 0 || b->final.len > 0;
}

static size_t
block_end(struct block *b, struct report *out)
{
	struct sbuf original = { 0 }, final = { 0 }, status = { 0 };
	struct report_recipient *rcpt;
	enum report_kind kind;
	const char *address;
	size_t n = 0;

	report_status_address(sbuf_str(&b->original), &original);
	report_status_address(sbuf_str(&b->final), &final);
	address = sbuf_str(final.len > 0 ? &final : &original);
	if (*address != '\0') {
		refine_status(b, &status);
		kind = action_kind(sbuf_str(&b->action), sbuf_str(&b->status));
		rcpt = report_add(out, address, kind, sbuf_str(&status),
		    sbuf_str(&b->diagnostic));
		if (rcpt != NULL && rcpt->original == NULL &&
		    original.len > 0 &&
		    strcasecmp(sbuf_str(&original), address) != 0)
			rcpt->original = xstrdup(sbuf_str(&original));
		n = 1;
	}
	block_clear(b);
	sbuf_free(&original);
	sbuf_free(&final);
	sbuf_free(&status);
	return n;
}

/* Take in one field; how many blocks that has ended. */
static size_t
block_field(struct block *b, const struct header_field *field,
    struct report *out)
{
	size_t ended = 0;

	if (header_is(field, "Original-Recipient")) {
		if (b->original.len > 0)
			ended = block_end(b, out);
		header_value(field, &b->original);
	} else if (header_is(field, "Final-Recipient")) {
		if (b->final.len > 0)
			ended = block_end(b, out);
		header_value(field, &b->final);
	} else if (header_is(field, "Action")) {
		if (b->action.len > 0 && has_recipient(b))
			ended = block_end(b, out);
		header_value(field, &b->action);
	} else if (header_is(field, "Status")) {
		header_value(field, &b->status);
	} else if (header_is(field, "Diagnostic-Code")) {
		header_value(field, &b->diagnostic);
	} else if (header_is(field, "Original-Envelope-Id") &&
	    out->envelope_id == NULL) {
		struct sbuf id = { 0 };

		header_value(field, &id);
		out->envelope_id = xstrdup(sbuf_str(&id));
		sbuf_free(&id);
	}
	return ended;
}

size_t
report_status_read(const char *text, size_t n, struct report *out)
{
	struct block b = { 0 };
	struct header_field field;
	size_t at, start, blocks = 0;
	const char *line_end;

	for (start = 0; start < n; ) {
		at = 0;
		while (header_next(text + start, n - start, &at, &field) == 1)
			blocks += block_field(&b, &field, out);
		start += at;
		if (start >= n)
			break;
		/* a blank line, or one that is no field */
		if (text[start] == '\n' && has_recipient(&b) &&
		    (b.action.len > 0 || b.status.len > 0))
			blocks += block_end(&b, out);
		line_end = memchr(text + start, '\n', n - start);
		if (line_end == NULL)
			break;
		start = (size_t)(line_end - text) + 1;
	}
	blocks += block_end(&b, out);
	block_free(&b);
	return blocks;
}
