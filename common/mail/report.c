/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report - what a bounce says
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/xalloc.h"
#include "common/mail/header.h"
#include "common/mail/part.h"
#include "common/mail/report_source.h"

#define FIELD_MAX 2000

/* "one line": what a log or a field can carry. */
static char *
one_line(const char *text)
{
	struct sbuf line = { 0 }, clean = { 0 };
	char *copy;

	for (; *text != '\0' && line.len < 2 * REPORT_DIAGNOSTIC_MAX; text++) {
		if ((unsigned char)*text > ' ' && *text != 0x7f)
			sbuf_addc(&line, *text);
		else if (line.len > 0 && line.data[line.len - 1] != ' ')
			sbuf_addc(&line, ' ');
	}
	part_clean(sbuf_str(&line), line.len, REPORT_DIAGNOSTIC_MAX, &clean);
	while (clean.len > 0 && clean.data[clean.len - 1] == ' ')
		sbuf_truncate(&clean, clean.len - 1);
	copy = xstrdup(sbuf_str(&clean));
	sbuf_free(&line);
	sbuf_free(&clean);
	return copy;
}

/* The gravest first. */
static int
gravity(enum report_kind kind)
{
	static const int rank[] = {
		[REPORT_NONE] = 0, [REPORT_AUTO] = 1, [REPORT_DELIVERED] = 2,
		[REPORT_UNKNOWN] = 3, [REPORT_DELAYED] = 4,
		[REPORT_COMPLAINT] = 5, [REPORT_FAILED] = 6,
	};

	return rank[kind];
}

struct report_recipient *
report_add(struct report *r, const char *address, enum report_kind kind,
    const char *status, const char *text)
{
	struct report_recipient *rcpt;
	size_t i;

	for (i = 0; i < r->n; i++) {
		rcpt = &r->recipients[i];
		if (strcasecmp(rcpt->address, address) != 0)
			continue;
		if (gravity(kind) > gravity(rcpt->kind))
			rcpt->kind = kind;
		return rcpt;
	}
	if (r->n == REPORT_RECIPIENTS_MAX)
		return NULL;
	if (r->recipients == NULL)
		r->recipients = xcalloc(8, sizeof(*r->recipients));
	else if (r->n >= 8 && (r->n & (r->n - 1)) == 0)
		r->recipients = xreallocarray(r->recipients, r->n * 2,
		    sizeof(*r->recipients));
	rcpt = &r->recipients[r->n++];
	rcpt->address = one_line(address);
	rcpt->kind = kind;
	rcpt->status = xstrdup(status);
	rcpt->code = report_reason_reply(text);
	rcpt->text = one_line(text);
	rcpt->original = NULL;
	return rcpt;
}

static void
take_field(GMimeObject *part, const char *name, struct sbuf *out)
{
	const char *value;

	value = g_mime_object_get_header(part, name);
	if (value != NULL)
		part_clean(value, strlen(value), FIELD_MAX, out);
}

/* RFC 3834, and what was there before it. */
static bool
is_automatic(GMimeObject *message, const char *subject)
{
	static const char *const subjects[] = { "out of office", "auto:",
		"autoreply", "auto-reply", "auto reply", "automatic reply",
		"automatic response", "automatische antwort",
		"abwesenheitsnotiz", "vacation reply" };
	const char *value;
	size_t i;

	value = g_mime_object_get_header(message, "Auto-Submitted");
	if (value != NULL && strncasecmp(value + strspn(value, " \t"),
	    "auto-replied", 12) == 0)
		return true;
	value = g_mime_object_get_header(message, "Precedence");
	if (value != NULL && strcasestr(value, "auto_reply") != NULL)
		return true;
	if (g_mime_object_get_header(message, "X-Autoreply") != NULL ||
	    g_mime_object_get_header(message, "X-Autorespond") != NULL)
		return true;
	for (i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		if (strncasecmp(subject, subjects[i],
		    strlen(subjects[i])) == 0)
			return true;
	}
	return false;
}

static void
take_header(GMimeMessage *message, struct report_source *s)
{
	static const char *const list[] = { "List-Id", "List-Post",
		"X-Mailing-List", "Mailing-List", "X-BeenThere" };
	GMimeObject *object = GMIME_OBJECT(message), *top;
	const char *value, *type;
	size_t i;

	take_field(object, "From", &s->from);
	take_field(object, "Subject", &s->subject);
	take_field(object, "To", &s->to);
	take_field(object, "X-Failed-Recipients", &s->failed);
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (g_mime_object_get_header(object, list[i]) != NULL)
			s->is_posted = true;
	}
	s->is_reply = g_mime_object_get_header(object, "In-Reply-To") != NULL
	    || g_mime_object_get_header(object, "References") != NULL;
	value = g_mime_object_get_header(object, "Return-Path");
	s->is_null_sender = value != NULL && strstr(value, "<>") != NULL;
	s->is_auto = is_automatic(object, sbuf_str(&s->subject));
	top = g_mime_message_get_mime_part(message);
	if (top == NULL || !part_is(top, "multipart", "report"))
		return;
	s->is_report = true;
	type = g_mime_object_get_content_type_parameter(top, "report-type");
	if (type == NULL)
		return;
	s->is_status = strcasecmp(type, "delivery-status") == 0;
	s->is_receipt = strcasecmp(type, "disposition-notification") == 0;
}

static void
take_returned(GMimeMessagePart *part, struct report_source *s)
{
	GMimeMessage *message;
	const char *id;

	message = g_mime_message_part_get_message(part);
	if (message == NULL || s->returned.len > 0)
		return;
	id = g_mime_object_get_header(GMIME_OBJECT(message), "Message-ID");
	sbuf_adds(&s->returned, "Message-ID: ");
	if (id != NULL)
		part_clean(id, strcspn(id, "\r\n"), FIELD_MAX, &s->returned);
	sbuf_addc(&s->returned, '\n');
}

static void
take_text(GMimeObject *part, struct report_source *s)
{
	struct sbuf html = { 0 }, words = { 0 };
	size_t room;

	if (s->text.len >= REPORT_TEXT_MAX)
		return;
	room = REPORT_TEXT_MAX - s->text.len;
	if (!part_is(part, "text", "html")) {
		part_text(part, room, &s->text);
	} else if (s->text.len == 0) {
		part_text(part, REPORT_TEXT_MAX, &html);
		part_strip_html(sbuf_str(&html), html.len, &words);
		part_clean(sbuf_str(&words), words.len, room, &s->text);
		sbuf_free(&html);
		sbuf_free(&words);
	}
	sbuf_addc(&s->text, '\n');
}

/* A multipart whose boundary never comes has its text before the first
 * part. */
static void
take_prologue(GMimeMultipart *part, struct report_source *s)
{
	const char *text = g_mime_multipart_get_prologue(part);

	if (text != NULL && s->text.len == 0 && s->returned.len == 0)
		part_clean(text, strlen(text), REPORT_TEXT_MAX, &s->text);
}

static int
take_part(void *ctx, GMimeObject *part)
{
	struct report_source *s = ctx;

	if (GMIME_IS_MULTIPART(part)) {
		take_prologue(GMIME_MULTIPART(part), s);
	} else if (GMIME_IS_MESSAGE_PART(part)) {
		take_returned(GMIME_MESSAGE_PART(part), s);
	} else if (part_is(part, "message", "delivery-status") ||
	    part_is(part, "message", "global-delivery-status")) {
		part_text(part, REPORT_TEXT_MAX, &s->status);
		sbuf_adds(&s->status, "\n\n");
	} else if (part_is(part, "message", "feedback-report")) {
		part_text(part, REPORT_TEXT_MAX, &s->feedback);
	} else if (part_is(part, "text", "rfc822-headers") ||
	    part_is(part, "message", "*")) {
		if (s->returned.len == 0)
			part_text(part, REPORT_TEXT_MAX, &s->returned);
	} else if (part_is(part, "text", "*") && s->returned.len == 0) {
		take_text(part, s);
	}
	return 0;
}

static void
source_free(struct report_source *s)
{
	sbuf_free(&s->from);
	sbuf_free(&s->subject);
	sbuf_free(&s->to);
	sbuf_free(&s->failed);
	sbuf_free(&s->text);
	sbuf_free(&s->status);
	sbuf_free(&s->feedback);
	sbuf_free(&s->returned);
}

static void
judge_complaint(const struct report_source *s, struct report *out)
{
	struct sbuf value = { 0 }, who = { 0 };

	out->kind = REPORT_COMPLAINT;
	if (header_get(sbuf_str(&s->feedback), s->feedback.len,
	    "Original-Rcpt-To", 0, &value) == 1)
		report_status_address(sbuf_str(&value), &who);
	if (who.len > 0)
		report_add(out, sbuf_str(&who), REPORT_COMPLAINT, "", "");
	sbuf_free(&value);
	sbuf_free(&who);
}

/* Status fields are believed in a report, and in what looks like one; not in
 * a post that somebody has attached a bounce to. */
static size_t
judge_status(const struct report_source *s, bool is_likely,
    struct report *out)
{
	size_t blocks = 0;

	if (s->status.len > 0 && (is_likely || s->is_report))
		blocks = report_status_read(sbuf_str(&s->status),
		    s->status.len, out);
	if (blocks == 0 && is_likely && s->text.len > 0 &&
	    strcasestr(sbuf_str(&s->text), "\nFinal-Recipient:") != NULL)
		blocks = report_status_read(sbuf_str(&s->text), s->text.len,
		    out);
	return blocks;
}

static void
judge(const struct report_source *s, struct report *out)
{
	enum report_kind told = REPORT_NONE;
	bool is_likely;
	size_t i;

	if (s->feedback.len > 0 || (!s->is_posted && strncasecmp(
	    sbuf_str(&s->subject), "complaint about message from", 28) == 0)) {
		judge_complaint(s, out);
		return;
	}
	is_likely = report_text_is_likely(s);
	if (judge_status(s, is_likely, out) == 0 && is_likely)
		told = report_text_read(s, out);
	for (i = 0; i < out->n; i++) {
		if (gravity(out->recipients[i].kind) > gravity(told))
			told = out->recipients[i].kind;
	}
	if (told == REPORT_NONE && (s->is_auto || s->is_receipt))
		told = REPORT_AUTO;
	if (told == REPORT_NONE && s->is_status)
		told = REPORT_UNKNOWN;
	out->kind = told;
}

int
report_read(int fd, struct report *out)
{
	struct report_source s = { 0 };
	struct sbuf id = { 0 };
	GMimeMessage *message;

	*out = (struct report){ 0 };
	if (part_open(fd, &message) == -1)
		return -1;
	if (message == NULL)
		return 0;
	take_header(message, &s);
	part_walk(message, take_part, &s);
	g_object_unref(message);
	judge(&s, out);
	if (out->kind != REPORT_NONE && header_get(sbuf_str(&s.returned),
	    s.returned.len, "Message-ID", 0, &id) == 1 && id.len > 0)
		out->original_id = one_line(sbuf_str(&id));
	sbuf_free(&id);
	source_free(&s);
	return 0;
}

void
report_free(struct report *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		free(r->recipients[i].address);
		free(r->recipients[i].original);
		free(r->recipients[i].status);
		free(r->recipients[i].text);
	}
	free(r->recipients);
	free(r->envelope_id);
	free(r->original_id);
	*r = (struct report){ 0 };
}

int
report_scores(const char *status)
{
	/* 5.0.0 is what relays write where the remote gave no code: none. */
	return *status == '\0' || strncmp(status, "5.1.", 4) == 0 ||
	    strcmp(status, "5.2.1") == 0 || strcmp(status, "5.0.0") == 0;
}

const char *
report_class(const char *status)
{
	static const struct {
		const char *code;
		const char *name;
	} classes[] = {
		{ "1.", "mailbox" }, { "2.2", "full" }, { "2.3", "content" },
		{ "2.", "mailbox" }, { "3.4", "content" }, { "3.", "system" },
		{ "4.", "network" }, { "5.", "protocol" },
		{ "6.", "content" }, { "7.", "policy" },
	};
	size_t i, n;

	if ((*status != '4' && *status != '5') || status[1] != '.')
		return "none";
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		n = strlen(classes[i].code);
		if (strncmp(status + 2, classes[i].code, n) != 0)
			continue;
		/* not 2.22 for 2.2 */
		if (n == 3 && status[5] != '\0')
			continue;
		return classes[i].name;
	}
	return "none";
}
