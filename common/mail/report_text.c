/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report_text - bounces of mailers that write no RFC 3464 report
 *
 * No form of any one mailer is followed.  What they share is read: a sentence
 * that says whom the mail did not reach (a lead), followed by addresses at the
 * beginning of lines; or lines that have an address and a reason together.
 * The words are in report_words.c.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/mail/report_source.h"

#define LINE_MAX_LOOKED 1000
#define ADDRESS_LOOKED 320
#define REASON_LINES 8
#define DECORATION " \t*->\"'<=|[:"

struct line {
	const char *text;       /* without white space around it */
	size_t len;
	size_t indent;
	bool is_blank_before;
};

struct address {
	char text[ADDRESS_LOOKED + 1];
	const char *start;      /* where it stood */
	const char *end;
};

struct scan {
	const struct report_source *source;
	const char *text;       /* the rest */
	struct line line;
	struct sbuf copy;       /* the line as a C string */
	struct sbuf window;     /* the one before and this one */
	size_t before;          /* length of the former in window */
	bool is_open;           /* a lead was seen */
	bool has_address;       /* ... and an address after it */
	size_t indent;
	char rcpt[ADDRESS_LOOKED + 1];  /* of the last RCPT TO */
	bool is_refused;        /* a 5xx came before any RCPT TO */
	bool is_sure;           /* From and Subject both speak of a bounce */
	enum report_kind kind;
	struct report strong;
	struct report weak;
};

static bool
is_local(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 ||
	    (c != '\0' && strchr(".!#$%&'*+/=?^_`{|}~-", c) != NULL);
}

static bool
is_domain(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 ||
	    c == '.' || c == '-' || c == '_';
}

/* The address around the '@' at `at`, no further left than from. */
static bool
take_around(const char *from, const char *at, struct address *out)
{
	const char *start = at, *end = at + 1;

	if (at > from && at[-1] == '"') {
		for (start = at - 1; start > from && start[-1] != '"' &&
		    at - start < 66; start--)
			;
		if (start > from)
			start--;
	} else {
		while (start > from && is_local(start[-1]) &&
		    at - start < 128)
			start--;
		while (start < at && strchr("'*`=.", *start) != NULL)
			start++;
	}
	if (*end == '[')
		end += strcspn(end, "] \t>") + 1;
	else
		while (is_domain(*end) && end - at < 190)
			end++;
	while (end > at + 1 && strchr(".-_", end[-1]) != NULL)
		end--;
	if (start == at || end == at + 1 ||
	    end - start > ADDRESS_LOOKED || memchr(start, '\0',
	    (size_t)(end - start)) != NULL)
		return false;
	memcpy(out->text, start, (size_t)(end - start));
	out->text[end - start] = '\0';
	out->start = start;
	out->end = end;
	return true;
}

/* The mail's own sender, whom the bounce is sent to, is named in many a
 * bounce. */
static bool
is_own(const struct scan *s, const char *address)
{
	static const char *const roles[] = { "postmaster@",
		"mailer-daemon@", "abuse@", "support@" };
	size_t i;

	if (strcasestr(sbuf_str(&s->source->to), address) != NULL)
		return true;
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strncasecmp(address, roles[i], strlen(roles[i])) == 0)
			return strcasestr(sbuf_str(&s->source->from),
			    strchr(address, '@')) != NULL;
	}
	return false;
}

/* The first address in text that is not the sender's: 1 or 0. */
static int
find_address(const struct scan *s, const char *text, struct address *out)
{
	const char *at, *from = text;

	while ((at = strchr(from, '@')) != NULL) {
		if (take_around(from, at, out) && !is_own(s, out->text))
			return 1;
		from = at + 1;
	}
	return 0;
}

/* "Ann Example" and Ann Example, and no sentence. */
static bool
is_name(const char *p, size_t n)
{
	size_t i;

	if (n > 80 || memchr(p, ':', n) != NULL)
		return false;
	for (i = 0; i < n; i++) {
		if (islower((unsigned char)p[i]) && (i == 0 ||
		    p[i - 1] == ' '))
			return false;
	}
	return true;
}

/* Does the line begin with an address, decoration and labels set aside? */
static int
leading_address(const struct scan *s, const char *text, struct address *out)
{
	const char *p = text;
	size_t n;

	p += strspn(p, DECORATION);
	/* "Recipient: [SMTP:" */
	while ((n = report_words_label(p)) > 0) {
		p += n;
		p += strspn(p, DECORATION);
	}
	if (!find_address(s, p, out))
		return 0;
	if (out->start == p)
		return 1;
	return out->start[-1] == '<' && s->is_open &&
	    is_name(p, (size_t)(out->start - 1 - p));
}

/* s->line as a C string, with the typographic apostrophe as the tables have
 * it. */
static void
copy_line(struct scan *s)
{
	const char *p = s->line.text, *end = p + s->line.len;

	sbuf_truncate(&s->copy, 0);
	while (p < end) {
		if (end - p >= 3 && memcmp(p, "\xe2\x80\x99", 3) == 0) {
			sbuf_addc(&s->copy, '\'');
			p += 3;
		} else {
			sbuf_addc(&s->copy, *p++);
		}
	}
}

/* Set s->line to the next line: 1, or 0 at the end. */
static int
next_line(struct scan *s)
{
	const char *p = s->text, *end;
	bool is_blank = false;

	for (;;) {
		if (*p == '\0')
			return 0;
		end = p + strcspn(p, "\n");
		s->line.indent = strspn(p, " \t");
		if (p + s->line.indent < end)
			break;
		is_blank = true;
		p = *end == '\0' ? end : end + 1;
	}
	s->text = *end == '\0' ? end : end + 1;
	s->line.text = p + s->line.indent;
	s->line.len = (size_t)(end - s->line.text);
	s->line.is_blank_before = is_blank;
	if (s->line.len > LINE_MAX_LOOKED)
		s->line.len = LINE_MAX_LOOKED;
	while (s->line.len > 0 && s->line.text[s->line.len - 1] == ' ')
		s->line.len--;
	/* window: the former line, then this one */
	if (is_blank)
		sbuf_truncate(&s->window, 0);
	else
		sbuf_set(&s->window, sbuf_str(&s->copy));
	s->before = s->window.len;
	copy_line(s);
	sbuf_addc(&s->window, ' ');
	sbuf_adds(&s->window, sbuf_str(&s->copy));
	return 1;
}

static bool
is_cut(const struct scan *s)
{
	const char *text = sbuf_str(&s->copy);

	return (s->line.indent == 0 && report_words_is_field(text)) ||
	    report_words_find(REPORT_WORDS_CUT, text) != NULL;
}

/* What follows the address, up to the next one: the reason given for it. */
static void
add_recipient(struct scan *s, struct report *to, const char *address,
    const char *rest)
{
	struct scan ahead = { .source = s->source, .text = s->text,
		.is_open = true };
	struct sbuf reason = { 0 }, status = { 0 };
	struct address other;
	enum report_kind kind = s->kind;
	int i;

	sbuf_adds(&reason, rest + strspn(rest, ">:\"'])., \t"));
	for (i = 0; i < REASON_LINES && reason.len < REPORT_DIAGNOSTIC_MAX &&
	    next_line(&ahead) == 1; i++) {
		if (is_cut(&ahead) || (ahead.line.indent <= s->line.indent &&
		    leading_address(&ahead, sbuf_str(&ahead.copy), &other) &&
		    strcasecmp(other.text, address) != 0))
			break;
		if (reason.len > 0)
			sbuf_addc(&reason, ' ');
		sbuf_adds(&reason, sbuf_str(&ahead.copy));
	}
	report_reason_status(sbuf_str(&reason), &status);
	report_add(to, address, kind, sbuf_str(&status), sbuf_str(&reason));
	sbuf_free(&ahead.copy);
	sbuf_free(&ahead.window);
	sbuf_free(&reason);
	sbuf_free(&status);
}

/* Lines of an SMTP dialogue: remember of whom it speaks.  True where there is
 * no more to the line. */
static bool
look_at_dialogue(struct scan *s, const char *text)
{
	const char *rcpt = strcasestr(text, "rcpt to:");
	struct address address;

	if (rcpt != NULL && find_address(s, rcpt, &address)) {
		memcpy(s->rcpt, address.text, sizeof(s->rcpt));
		if (s->is_refused)
			add_recipient(s, &s->weak, address.text, text);
		return true;
	}
	if (strcasestr(text, "mail from:") != NULL) {
		s->rcpt[0] = '\0';
		return true;
	}
	return false;
}

/* An address alone on its line, as "<ann@example.net>:". */
static bool
is_lonely(const struct scan *s, const char *text, struct address *out)
{
	const char *end;

	if (!leading_address(s, text, out))
		return false;
	end = out->end + strspn(out->end, ">\"':] \t");
	return *end == '\0';
}

/* A line of an SMTP dialogue, or one with a reason and an address. */
static void
look_weakly(struct scan *s)
{
	const char *text = sbuf_str(&s->copy), *p;
	struct address address;

	if (look_at_dialogue(s, text))
		return;
	p = text + strspn(text, "<>- \t");
	if (strncasecmp(p, "received", 8) == 0)
		p += 8 + strspn(p + 8, "<>: \t");
	else if (strncasecmp(p, "out:", 4) == 0)
		p += 4 + strspn(p + 4, " \t");
	if (*p == '5' && report_reason_reply(p) / 100 == 5) {
		if (find_address(s, p, &address))
			add_recipient(s, &s->weak, address.text, text);
		else if (s->rcpt[0] != '\0')
			add_recipient(s, &s->weak, s->rcpt, text);
		else
			s->is_refused = true;
		return;
	}
	if ((report_reason_is_failure(text) &&
	    find_address(s, text, &address)) ||
	    (s->is_sure && is_lonely(s, text, &address)))
		add_recipient(s, &s->weak, address.text, text);
}

static void
look_at_line(struct scan *s)
{
	struct address address;
	const char *lead, *text = sbuf_str(&s->copy);

	lead = report_words_lead(sbuf_str(&s->window), s->before + 1);
	if (lead != NULL) {
		s->is_open = true;
		s->has_address = false;
		if (find_address(s, lead, &address)) {
			add_recipient(s, &s->strong, address.text, address.end);
			s->has_address = true;
			s->indent = s->line.indent;
			return;
		}
	}
	if (s->is_open && leading_address(s, text, &address) &&
	    (!s->has_address || s->line.indent <= s->indent)) {
		add_recipient(s, &s->strong, address.text, address.end);
		s->has_address = true;
		s->indent = s->line.indent;
		return;
	}
	look_weakly(s);
}

/* Delays are told before or after the addresses. */
static enum report_kind
find_kind(const struct report_source *source)
{
	struct scan s = { .source = source,
		.text = sbuf_str(&source->text) };
	enum report_kind kind = REPORT_FAILED;

	if (report_words_find(REPORT_WORDS_DELAY,
	    sbuf_str(&source->subject)) != NULL)
		kind = REPORT_DELAYED;
	while (kind == REPORT_FAILED && next_line(&s) == 1 && !is_cut(&s)) {
		if (report_words_find(REPORT_WORDS_DELAY,
		    sbuf_str(&s.window)) != NULL)
			kind = REPORT_DELAYED;
	}
	sbuf_free(&s.copy);
	sbuf_free(&s.window);
	return kind;
}

/* X-Failed-Recipients names them; the text has the reasons. */
static void
take_failed(struct scan *s)
{
	const char *p = sbuf_str(&s->source->failed), *in_text, *rest;
	struct scan at;
	struct address address;

	while ((p = strchr(p, '@')) != NULL) {
		if (!take_around(sbuf_str(&s->source->failed), p, &address))
			return;
		at = (struct scan){ .source = s->source, .kind = s->kind };
		in_text = strcasestr(sbuf_str(&s->source->text),
		    address.text);
		rest = "";
		at.text = rest;
		if (in_text != NULL)
			at.text = in_text + strlen(address.text);
		add_recipient(&at, &s->strong, address.text, rest);
		p = address.end;
	}
}

static void
move_all(struct report *from, struct report *to)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		report_add(to, from->recipients[i].address,
		    from->recipients[i].kind, from->recipients[i].status,
		    from->recipients[i].text);
}

static bool
is_from_mailer(const struct report_source *source)
{
	return report_words_find(REPORT_WORDS_MAILER,
	    sbuf_str(&source->from)) != NULL;
}

static bool
is_subject_of_bounce(const struct report_source *source)
{
	const char *subject = sbuf_str(&source->subject);

	return strncasecmp(subject, "re:", 3) != 0 &&
	    strncasecmp(subject, "fwd:", 4) != 0 &&
	    strncasecmp(subject, "fw:", 3) != 0 &&
	    report_words_find(REPORT_WORDS_SUBJECT, subject) != NULL;
}

/* Where no mail system says that it speaks, a person may: then only what comes
 * with the reason of a mail server is believed. */
static bool
has_reason(const struct report_source *source, const struct report *r)
{
	size_t i;

	if (source->failed.len > 0 || source->is_status ||
	    is_from_mailer(source))
		return true;
	if (source->is_auto && !is_subject_of_bounce(source))
		return false;
	for (i = 0; i < r->n; i++) {
		if (r->recipients[i].code != 0 ||
		    r->recipients[i].status[0] != '\0')
			return true;
	}
	return false;
}

bool
report_text_is_likely(const struct report_source *source)
{
	/* A bounce may have come by way of a list, a post that speaks of one
	 * comes so every day. */
	if (source->is_posted)
		return !source->is_reply && is_from_mailer(source) &&
		    is_subject_of_bounce(source);
	if (source->failed.len > 0 || source->is_status ||
	    source->is_null_sender || is_from_mailer(source))
		return true;
	return !source->is_reply && is_subject_of_bounce(source);
}

enum report_kind
report_text_read(const struct report_source *source, struct report *out)
{
	struct scan s = { .source = source };
	enum report_kind kind = REPORT_NONE;

	s.kind = find_kind(source);
	s.is_sure = is_from_mailer(source) && is_subject_of_bounce(source);
	take_failed(&s);
	s.text = sbuf_str(&source->text);
	while (s.strong.n == 0 || source->failed.len == 0) {
		if (next_line(&s) == 0 || is_cut(&s))
			break;
		look_at_line(&s);
	}
	if (s.strong.n > 0)
		move_all(&s.strong, out);
	else if (s.weak.n > 0)
		move_all(&s.weak, out);
	if (out->n > 0 && !has_reason(source, out))
		report_free(out);
	if (out->n > 0)
		kind = s.kind;
	else if (s.is_sure)
		kind = REPORT_UNKNOWN;
	report_free(&s.strong);
	report_free(&s.weak);
	sbuf_free(&s.copy);
	sbuf_free(&s.window);
	return kind;
}
