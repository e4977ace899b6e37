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
	const char *domain = strrchr(in->list->address, '@');
	struct sbuf value = {0};
	const char *at;
	bool is_ours;

	header_value(field, &value);
	at = strrchr(sbuf_str(&value), '@');
	is_ours = at != NULL && (strcasecmp(at, domain) == 0 ||
	    strcasecmp(at + 1, in->site->name) == 0);
	sbuf_free(&value);
	return is_ours;
}

/* Authentication-Results under a name of ours that we have no reason to trust
 * (RFC 8601 section 5). */
static bool
is_forged_result(const struct head_input *in, const struct header_field *field,
    const struct strv *trusted)
{
	struct sbuf value = {0};
	const char *id;
	size_t n;
	bool is_ours;
	size_t i;

	header_value(field, &value);
	id = header_skip_cfws(sbuf_str(&value));
	n = strcspn(id, " \t(;");
	is_ours = n == strlen(in->site->name) &&
	    strncasecmp(id, in->site->name, n) == 0;
	for (i = 0; i < in->site->trusted_authserv.n; i++) {
		const char *name = in->site->trusted_authserv.items[i];

		if (n == strlen(name) && strncasecmp(id, name, n) == 0)
			is_ours = true;
	}
	is_ours = is_ours && !strv_has(trusted, sbuf_str(&value));
	sbuf_free(&value);
	return is_ours;
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
	if (header_has_prefix(field, "List-"))
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
 * quoted, so that no byte of it is syntax; another becomes encoded words. */
static void
add_list_id(struct sbuf *out, const struct list *list)
{
	const char *p = list->description == NULL ? "" : list->description;
	bool is_ascii = true;
	struct sbuf id = {0}, value = {0}, text = {0};

	for (; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			is_ascii = false;
		if (strchr("\"\\<>", *p) == NULL)
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
	struct sbuf value = {0};

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
	if (message_id(sbuf_str(old), old->len, &value) == 0 &&
	    in->message_id != NULL)
		header_write_raw(out, "Message-ID", in->message_id);
	if (header_count(sbuf_str(old), old->len, "Date") == 0) {
		clock_format_mail(in->date, date);
		header_write_raw(out, "Date", date);
	}
	sbuf_free(&value);
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
		header_write(out, "Subject", prefix);
		sbuf_truncate(out, out->len - 1);
		sbuf_addc(out, ' ');
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
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
