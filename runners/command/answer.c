/* SPDX-License-Identifier: BSD-2-Clause
 *
 * answer - one mail of ours: may it go, its template, its text, its child
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/mail/address.h"
#include "common/mail/compose.h"
#include "common/mail/header.h"
#include "common/mail/template.h"
#include "common/system/fsutil.h"
#include "runners/command/command.h"

#define TEMPLATE_MAX (64 * 1024)
#define NAME_MAX_BYTES 40

static const char help_commands[] =
    "  subscribe     join the list (also: join)\n"
    "  unsubscribe   leave the list (also: leave)\n"
    "  help          this text\n"
    "  ping          an answer that says only that mail gets through\n"
    "  end           nothing after it is read";

/* A word that others chose, and that becomes part of a path. */
static bool
is_safe_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return n > 0 && n <= NAME_MAX_BYTES && name[n] == '\0';
}

/* 1, 0 not there, -1 with errno. */
static int
try_template(const char *folder, const char *language, const char *name,
    struct sbuf *text)
{
	struct sbuf path = {0};
	int rc;

	sbuf_printf(&path, "%s/%s%s%s", folder, language,
	    *language == '\0' ? "" : "/", name);
	sbuf_truncate(text, 0);
	rc = fs_read(AT_FDCWD, path.data, TEMPLATE_MAX, text);
	sbuf_free(&path);
	if (rc == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

/* The list's own templates win; English is there when a language is not.  1;
 * 0 there is none; -1. */
static int
find_template(const struct order *o, const char *language, const char *name,
    struct sbuf *text)
{
	const char *folder = runner_site(o->runner)->templates;
	struct sbuf own = {0};
	int rc = 0;

	sbuf_printf(&own, "%s/templates", o->list->dir);
	if (is_safe_name(name)) {
		if (is_safe_name(language))
			rc = try_template(own.data, language, name, text);
		if (rc == 0)
			rc = try_template(own.data, "", name, text);
		if (rc == 0 && is_safe_name(language))
			rc = try_template(folder, language, name, text);
		if (rc == 0)
			rc = try_template(folder, "en", name, text);
	}
	sbuf_free(&own);
	return rc;
}

static enum answer_result
bury(struct order *o, const char *name, const char *why)
{
	struct sbuf text = {0};

	sbuf_printf(&text, "template %.60s: %s", name, why);
	log_error("id=%s list=%s %s", entry_id(o->entry), o->list->address,
	    text.data);
	entry_bury(o->entry, text.data);
	sbuf_free(&text);
	return ANSWER_BURIED;
}

/* ---- text ---------------------------------------------------------------- */

/* Addresses of the list for its templates. */
struct addresses {
	struct sbuf name, owner, request, subscribe, unsubscribe;
};

static void
addresses_make(const struct list *list, struct addresses *a)
{
	const char *at = strrchr(list->address, '@');

	sbuf_add(&a->name, list->address, (size_t)(at - list->address));
	list_role_address(list, "-owner", &a->owner);
	list_role_address(list, "-request", &a->request);
	list_role_address(list, "-join", &a->subscribe);
	list_role_address(list, "-leave", &a->unsubscribe);
}

static void
addresses_free(struct addresses *a)
{
	sbuf_free(&a->name);
	sbuf_free(&a->owner);
	sbuf_free(&a->request);
	sbuf_free(&a->subscribe);
	sbuf_free(&a->unsubscribe);
}

static int
fill(const struct order *o, const struct answer *a, const struct addresses *own,
    const char *template, struct sbuf *out, struct sbuf *why)
{
	const struct template_value values[] = {
		{"list", o->list->address},
		{"list_name", own->name.data},
		{"domain", strrchr(o->list->address, '@') + 1},
		{"owner", own->owner.data},
		{"request", own->request.data},
		{"subscribe", own->subscribe.data},
		{"unsubscribe", own->unsubscribe.data},
		{"address", a->address},
		{"subject", a->subject},
		{"reason", a->reason},
		{"date", a->date},
		{"token_address", a->token_address},
		{"token_reject", NULL},
		{"token_discard", NULL},
		{"results", a->results},
		{"held_items", a->held_items},
		{"held_count", a->held_count},
		{"members", a->members},
		{"help_commands", help_commands},
		{NULL, NULL},
	};

	return template_fill(template, values, out, why);
}

/* An address as a field of the header takes it: only a local part that is not
 * ASCII needs SMTPUTF8.  True where it does. */
static bool
write_address(const char *address, struct sbuf *out)
{
	const char *at = strrchr(address, '@');
	struct sbuf domain = {0};
	const char *p;

	sbuf_set(out, address);
	if (at != NULL && address_domain_key(at + 1, &domain) == 0) {
		sbuf_truncate(out, (size_t)(at + 1 - address));
		sbuf_adds(out, domain.data);
	}
	sbuf_free(&domain);
	for (p = sbuf_str(out); *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			return true;
	}
	return false;
}

/* The original's header, where it goes with the answer and can be read; the
 * answer goes without it too. */
static void
read_original(struct order *o, const struct answer *a, struct sbuf *out)
{
	off_t body;

	if (a->has_original &&
	    entry_header(o->entry, HEADER_MAX, out, &body) == -1)
		sbuf_truncate(out, 0);
}

/* ---- the child ----------------------------------------------------------- */

static void
describe(struct order *o, const struct answer *a, struct child *c,
    bool is_utf8)
{
	child_set(c, "Kind", "notice");
	child_set(c, "Role", "notice");
	child_set(c, "List", o->list->address);
	child_setf(c, "Message-Id", "<%s@%s>", child_id(c),
	    runner_site(o->runner)->name);
	child_set(c, "Template", a->notice);
	child_set(c, "Send-From", "<>");
	child_set(c, "Verp", "none");
	child_set(c, "Send-Options", "NOTIFY=NEVER");
	/* Said also where it is nothing: the parent's does not hold here. */
	child_set(c, "Needs", is_utf8 ? "SMTPUTF8" : "");
}

static int
stage_recipient(struct child *c, const char *address)
{
	struct rcpt_writer writer;
	int rc, rc2;

	if (child_stage_rcpt(c, &writer) == -1)
		return -1;
	rc = rcpt_write(&writer, RCPT_TODO, address, "");
	rc2 = child_stage_rcpt_end(c, &writer);
	return rc == -1 || rc2 == -1 ? -1 : 0;
}

static void
compose(struct order *o, const struct answer *a, const struct addresses *own,
    const struct sbuf *text, struct child *c, struct sbuf *message)
{
	struct sbuf subject = {0}, to = {0}, original = {0};
	struct compose_notice n = {
	    .from = a->is_to_owners ? own->owner.data : own->request.data,
	    .from_name = own->name.data, .reply_to = a->reply_to,
	    .id = child_id(c), .host = runner_site(o->runner)->name,
	    .in_reply_to = envelope_get(entry_envelope(o->entry),
	    "Message-Id"), .date = clock_ms(),
	    .text = text->data + header_end(text->data, text->len, true)};

	(void)header_get(text->data, text->len, "Subject", 0, &subject);
	describe(o, a, c, write_address(a->to, &to));
	read_original(o, a, &original);
	n.to = to.data;
	n.subject = sbuf_str(&subject);
	if (original.len > 0)
		n.original_header = original.data;
	compose_notice(&n, message);
	sbuf_free(&subject);
	sbuf_free(&to);
	sbuf_free(&original);
}

static int
stage(struct order *o, const struct answer *a, const struct addresses *own,
    const struct sbuf *text)
{
	struct sbuf message = {0};
	struct child *c;
	int rc;

	c = entry_child(o->entry, 'o', runner_exit(o->runner, "accept"));
	if (c == NULL)
		return -1;
	compose(o, a, own, text, c, &message);
	rc = child_stage_message(c, &message, header_end(message.data,
	    message.len, true));
	sbuf_free(&message);
	return rc == -1 ? -1 : stage_recipient(c, a->to);
}

/* The notice's text: true, or false and *result says why there is none. */
static bool
make_text(struct order *o, const struct answer *a,
    const struct addresses *own, struct sbuf *text,
    enum answer_result *result)
{
	struct sbuf template = {0}, why = {0};
	int rc;

	rc = find_template(o, a->language != NULL ? a->language :
	    o->list->language, a->notice, &template);
	if (rc == -1)
		sbuf_adds(&why, strerror(errno));
	else if (rc == 0)
		sbuf_adds(&why, "there is none");
	else if (fill(o, a, own, sbuf_str(&template), text, &why) == 0 &&
	    text->len == 0)
		sbuf_adds(&why, "it is empty");
	if (rc == -1 && (errno == EMFILE || errno == ENFILE))
		*result = ANSWER_TROUBLE;
	else if (why.len > 0)
		*result = bury(o, a->notice, why.data);
	rc = why.len == 0;
	sbuf_free(&template);
	sbuf_free(&why);
	return rc;
}

enum answer_result
answer_send(struct order *o, const struct answer *a)
{
	enum answer_result result = ANSWER_TROUBLE;
	struct addresses own = {0};
	struct sbuf text = {0};

	if (runner_exit(o->runner, "accept") == NULL)
		return bury(o, a->notice, "this queue has no exit accept in "
		    "the site file");
	addresses_make(o->list, &own);
	if (make_text(o, a, &own, &text, &result))
		result = (enum answer_result)order_may_answer(o, a->to,
		    a->notice);
	if (result == ANSWER_SENT && stage(o, a, &own, &text) == -1)
		result = ANSWER_TROUBLE;
	o->answers += result == ANSWER_SENT;
	addresses_free(&own);
	sbuf_free(&text);
	return result;
}

void
answer_date(int64_t ms, char out[ANSWER_DATE_SIZE])
{
	char text[CLOCK_RFC3339_SIZE];

	clock_format(ms, text);
	snprintf(out, ANSWER_DATE_SIZE, "%.10s %.5s UTC", text, text + 11);
}

const char *
answer_word(enum answer_result result, const char *sent)
{
	switch (result) {
	case ANSWER_SENT:
		return sent;
	case ANSWER_LIMITED:
		return "limited";
	case ANSWER_BURIED:
		return "no-template";
	case ANSWER_TROUBLE:
		break;
	}
	return NULL;
}

void
answer_confirm_address(const struct list *list, const char *extension,
    struct sbuf *out)
{
	struct sbuf suffix = {0};

	sbuf_printf(&suffix, "-confirm+%s", extension);
	list_role_address(list, suffix.data, out);
	sbuf_free(&suffix);
}
