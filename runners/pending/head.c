/* SPDX-License-Identifier: BSD-2-Clause
 *
 * head - the header of list mail (RFC 2369, RFC 2919, mail-rules: Header)
 *
 * A member's signature over the post stays good because nothing that it may
 * cover is touched: fields are removed or added as a whole, never rewritten.
 * A subject prefix is the one exception, and only where the list asks for it.
 */
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/mail/address.h"
#include "common/mail/header.h"
#include "common/mail/message.h"
#include "runners/pending/pending.h"

static const char *const dropped_names[] = {
	"Return-Path", "Bcc", "Resent-Bcc", "Approved", "X-Approved",
	"Errors-To", "Return-Receipt-To", "Disposition-Notification-To",
	"Precedence"};

/* Does Delivered-To or X-Original-To name an address of this site?  Others'
 * say how the mail came here and stay. */
static bool
names_this_site(const struct head_input *in, const struct header_field *field)
{
	struct sbuf value = {0}, key = {0};
	struct strv found = {0};
	const char *address, *own;
	bool is_ours = false;
	size_t i;

	header_value(field, &value);
	(void)address_header(sbuf_str(&value), 1, &found);
	address = found.n > 0 ? found.items[0] : sbuf_str(&value);
	if (address_key(address, &key) == 0) {
		own = strrchr(key.data, '@') + 1;
		is_ours = strcasecmp(own, in->site->name) == 0;
		for (i = 0; !is_ours && i < in->list->addresses.n; i++)
			is_ours = strcmp(own, strrchr(
			    in->list->addresses.items[i], '@') + 1) == 0;
	}
	sbuf_free(&value);
	sbuf_free(&key);
	strv_free(&found);
	return is_ours;
}

/* Authentication-Results under a name of ours that we have no reason to trust
 * (RFC 8601 section 5). */
static bool
is_forged_result(const struct head_input *in, const struct header_field *field,
    const struct strv *trusted)
{
	struct sbuf value = {0}, id = {0};
	const char *p;
	bool is_ours;

	header_value(field, &value);
	/* The id may stand in quotes; a quoted pair in it fools nobody. */
	for (p = header_skip_cfws(sbuf_str(&value));
	    *p != '\0' && strchr(" \t(;", *p) == NULL; p++) {
		if (*p != '"' && *p != '\\')
			sbuf_addc(&id, *p);
	}
	is_ours = (strcasecmp(sbuf_str(&id), in->site->name) == 0 ||
	    strv_has_nocase(&in->site->trusted_authserv, sbuf_str(&id))) &&
	    !strv_has(trusted, sbuf_str(&value));
	sbuf_free(&value);
	sbuf_free(&id);
	return is_ours;
}

/* A line of ours from a former visit of this very entry. */
static bool
is_own_trace(const struct head_input *in, const struct header_field *field)
{
	struct sbuf value = {0}, mark = {0};
	bool is_own = false;

	header_value(field, &value);
	if (header_is(field, "X-Loop")) {
		is_own = address_is_same(sbuf_str(&value), in->list->address);
	} else if (header_is(field, "Received")) {
		sbuf_printf(&mark, " id %s;", in->id);
		is_own = strstr(sbuf_str(&value), " (Septet) ") != NULL &&
		    strstr(sbuf_str(&value), mark.data) != NULL;
	}
	sbuf_free(&value);
	sbuf_free(&mark);
	return is_own;
}

static bool
is_dropped(const struct head_input *in, const struct header_field *field,
    const struct strv *trusted)
{
	size_t i;

	for (i = 0; i < sizeof(dropped_names) / sizeof(dropped_names[0]); i++) {
		if (header_is(field, dropped_names[i]))
			return true;
	}
	if (header_has_prefix(field, "List-") || is_own_trace(in, field))
		return true;
	if (header_is(field, "Delivered-To") ||
	    header_is(field, "X-Original-To"))
		return names_this_site(in, field);
	return header_is(field, "Authentication-Results") &&
	    is_forged_result(in, field, trusted);
}

static void
add_mailto(struct sbuf *out, const struct list *list, const char *name,
    const char *suffix, const char *query)
{
	struct sbuf value = {0}, address = {0};

	list_role_address(list, suffix, &address);
	sbuf_printf(&value, "<mailto:%s%s>", sbuf_str(&address), query);
	header_write_raw(out, name, value.data);
	sbuf_free(&value);
	sbuf_free(&address);
}

/* RFC 2919 section 3: phrase, then the id in <>.  An ASCII description is
 * quoted, so that no byte of it is syntax; of another some become encoded
 * words, and the rest must do without what is syntax (RFC 5322 section 3.2.3),
 * as must "=?" anywhere. */
static void
add_list_id(struct sbuf *out, const struct list *list)
{
	const char *p = list->description == NULL ? "" : list->description;
	struct sbuf id = {0}, value = {0}, text = {0};
	bool is_ascii = true;
	const char *syntax;
	size_t i;

	for (i = 0; p[i] != '\0'; i++) {
		if ((unsigned char)p[i] >= 0x80)
			is_ascii = false;
	}
	syntax = is_ascii ? "\"\\<>" : "\"\\<>()[]:;@,.";
	for (; *p != '\0'; p++) {
		if (strchr(syntax, *p) == NULL &&
		    !(*p == '=' && p[1] == '?'))
			sbuf_addc(&text, *p);
	}
	list_id(list, &id);
	if (text.len > 0)
		sbuf_printf(&value, is_ascii ? "\"%s\" " : "%s ", text.data);
	sbuf_printf(&value, "<%s>", sbuf_str(&id));
	header_write(out, "List-Id", value.data);
	sbuf_free(&id);
	sbuf_free(&value);
	sbuf_free(&text);
}

static void
add_ours(const struct head_input *in, const struct sbuf *old,
    struct sbuf *out)
{
	char date[CLOCK_RFC5322_SIZE];

	clock_format_mail(clock_ms(), date);
	sbuf_printf(out, "Received: by %s (Septet)%s id %s;\n\t%s\n",
	    in->site->name, in->is_smtp ? " with LMTP" : "", in->id, date);
	header_write_raw(out, "X-Loop", in->list->address);
	add_list_id(out, in->list);
	add_mailto(out, in->list, "List-Help", "-request", "?subject=help");
	add_mailto(out, in->list, "List-Unsubscribe", "-leave", "");
	add_mailto(out, in->list, "List-Subscribe", "-join", "");
	add_mailto(out, in->list, "List-Owner", "-owner", "");
	if (in->list->is_closed)
		header_write_raw(out, "List-Post", "NO");
	else
		add_mailto(out, in->list, "List-Post", "", "");
	header_write_raw(out, "Precedence", "list");
	/* One that is there, whatever it holds, is the author's: two are
	 * worse than a bad one. */
	if (header_count(sbuf_str(old), old->len, "Message-ID") == 0 &&
	    in->message_id != NULL)
		header_write_raw(out, "Message-ID", in->message_id);
	if (header_count(sbuf_str(old), old->len, "Date") == 0) {
		clock_format_mail(in->date, date);
		header_write_raw(out, "Date", date);
	}
}

/* Is Subject among what a DKIM signature of the message covers? */
static bool
is_subject_signed(const struct sbuf *old)
{
	struct sbuf value = {0};
	bool is_signed;

	/* Every signature worth its name covers Subject (RFC 6376 section
	 * 5.4.1 recommends it), so h= is not taken apart. */
	is_signed = header_get(sbuf_str(old), old->len, "DKIM-Signature", 0,
	    &value) == 1;
	sbuf_free(&value);
	return is_signed;
}

/* "Subject: [dev] ".  White space between two encoded words does not show (RFC
 * 2047 section 6.2), so where both are, a no-break space goes with ours. */
static void
write_prefix(const char *prefix, bool is_before_encoded, struct sbuf *out)
{
	struct sbuf text = {0};
	size_t n = strlen(prefix);

	sbuf_add(&text, prefix, n);
	while (n > 0 && (unsigned char)prefix[n - 1] < 0x80 &&
	    prefix[n - 1] != ' ')
		n--;
	if (is_before_encoded && n > 0 && (unsigned char)prefix[n - 1] >= 0x80)
		sbuf_adds(&text, "\xc2\xa0");
	header_write(out, "Subject", text.data);
	sbuf_truncate(out, out->len - 1);
	sbuf_addc(out, ' ');
	sbuf_free(&text);
}

/* Subject with the list's prefix in front of its own bytes; as it is where
 * the prefix is already in it (a reply). */
static void
add_subject(const struct head_input *in, const struct header_field *field,
    const struct sbuf *old, struct sbuf *out, struct sbuf *change)
{
	const char *prefix = in->list->subject_prefix;
	const char *p = field->value, *end = field->raw + field->raw_len;
	struct sbuf value = {0}, text = {0};

	header_value(field, &value);
	header_decode(sbuf_str(&value), 1000, &text);
	if (strstr(sbuf_str(&text), prefix) != NULL) {
		sbuf_add(out, field->raw, field->raw_len);
	} else {
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		write_prefix(prefix, end - p > 1 && p[0] == '=' && p[1] == '?',
		    out);
		sbuf_add(out, p, (size_t)(end - p));
		sbuf_adds(change, "subject-prefix");
		if (is_subject_signed(old))
			sbuf_adds(change, " dkim=breaks");
	}
	sbuf_free(&value);
	sbuf_free(&text);
}

void
head_make(const struct head_input *in, const struct sbuf *old,
    struct sbuf *out, struct sbuf *change)
{
	const char *prefix = in->list->subject_prefix;
	struct header_field field;
	struct strv trusted = {0};
	bool has_subject = false;
	size_t at = 0;

	message_auth_results(sbuf_str(old), old->len,
	    &in->site->trusted_authserv, &trusted);
	add_ours(in, old, out);
	while (header_next(sbuf_str(old), old->len, &at, &field) == 1) {
		if (is_dropped(in, &field, &trusted))
			continue;
		if (prefix != NULL && !has_subject &&
		    header_is(&field, "Subject")) {
			has_subject = true;
			add_subject(in, &field, old, out, change);
		} else {
			sbuf_add(out, field.raw, field.raw_len);
		}
	}
	sbuf_addc(out, '\n');
	strv_free(&trusted);
}
