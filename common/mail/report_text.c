/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report_text - bounces of mailers that write no RFC 3464 report
 *
 * No form of any one mailer is followed.  What they share is read: a sentence
 * that says whom the mail did not reach (leads), followed by addresses at the
 * beginning of lines; or lines that have an address and a reason together.
 * The tables below are all there is to extend.
 */
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/mail/report_source.h"

#define LINE_MAX_LOOKED 1000
#define ADDRESS_LOOKED 320
#define REASON_LINES 8

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* From says that a mail system speaks. */
static const char *const mailers[] = {
	"mailer-daemon", "mailer daemon", "postmaster", "post_master",
	"mail delivery", "mail.delivery", "delivery subsystem",
	"delivery system", "mdaemon@", "system administrator",
	"mail administrator", "smtp_mail_service", "mailerdaemon",
};

/* Subject says that a mail did not get through. */
static const char *const subjects[] = {
	"undeliver", "returned mail", "failure notice", "failure delivery",
	"delivery failure", "delivery fail", "delivery status",
	"delivery problem", "delivery error", "delivery has failed",
	"delivery report", "delivery notification", "not delivered",
	"not be delivered", "delivery unsuccessful", "mail failure",
	"mail system error", "mail error", "nondeliver", "non-deliver",
	"failed mail", "message delayed", "delayed mail", "delivery delayed",
	"returned to sender", "returning message to sender",
	"error sending your mail", "user unknown", "unknown user",
	"processing error", "could not send message",
	"could not send mail", "unable to deliver", "server: errors from",
	"unzustellbar", "nicht zugestellt", "zustellung", "non remis",
	"non distribu", "no entregado", "no se pudo entregar",
	"mancata consegna", "nie dostarczon", "onbestelbaar",
	"mensagem nao entregue", "\xe9\x80\x80\xe4\xbf\xa1",
	"\xe9\x85\x8d\xe4\xbf\xa1",
};

/* Sentences that lead to the addresses which were not reached, on their own
 * line or after. */
static const char *const leads[] = {
	"not be delivered", "cannot be delivered", "not been delivered",
	"not delivered", "was not delivered", "wasn't delivered",
	"couldn't be delivered", "not be reached", "did not reach",
	"unable to deliver", "able to deliver", "not deliver",
	"error delivering", "trouble delivering", "problem delivering",
	"problems delivering", "trying to deliver", "attempting to deliver",
	"failed to deliver", "delivery failed", "delivery has failed",
	"delivery to the following", "delevery to the following",
	"delivery to these recipients", "has been delayed",
	"is delayed for more than", "list of recipients",
	"following recipient", "following address", "following user",
	"these recipients", "recipients were affected",
	"affected recipient", "undeliverable", "unknown user:",
	"failed recipient", "error-for:", "intended recipient:",
	"fatal errors", "permanent error", "transient", "address failed",
	"addresses failed", "address(es) failed",
	"invalid final delivery userid", "delivery problems",
	"attempted to send to", "addressed to", "was rejected by",
	"your message to ", "your mail to ", "yet been delivered",
	"rcpt to generated", "recipient:", "duplicated message-id in",
	"nicht zugestellt werden", "nicht ausgeliefert", "folgende empf",
	"folgenden empf", "folgende adresse", "folgenden adresse",
	"pas pu \xc3\xaatre", "impossible de remettre",
	"no pudo ser entregado", "no se pudo entregar",
	"no se ha podido entregar", "nao pode ser",
	"n\xc3\xa3o p\xc3\xb4" "de ser",
	"non \xc3\xa8 stato possibile", "impossibile recapitare",
	"niet worden afgeleverd", "niet worden bezorgd",
	"nie mog\xc5\x82" "a zosta\xc4\x87",
	/* Japanese: failed to send, cannot be sent, not delivered */
	"\xe9\x80\x81\xe4\xbf\xa1\xe3\x81\xab\xe5\xa4\xb1\xe6\x95\x97",
	"\xe9\x80\x81\xe4\xbf\xa1\xe3\x81\xa7\xe3\x81\x8d\xe3\x81\xbe"
	"\xe3\x81\x9b\xe3\x82\x93",
	"\xe9\x85\x8d\xe4\xbf\xa1\xe3\x81\xa7\xe3\x81\x8d\xe3\x81\xbe"
	"\xe3\x81\x9b\xe3\x82\x93",
	/* Chinese: cannot be delivered */
	"\xe6\x97\xa0\xe6\xb3\x95\xe9\x80\x81\xe8\xbe\xbe",
	"\xe6\x97\xa0\xe6\xb3\x95\xe6\x8a\x95\xe9\x80\x92",
};

/* The mailer still tries. */
static const char *const delays[] = {
	"has been delayed", "is delayed", "been delayed", "message delayed",
	"will be retried", "will continue to be made",
	"delivery attempts will continue", "attempts will continue",
	"this is a warning message only", "warning message only",
	"only a temporary failure", "not yet been delivered",
	"not yet been able to", "will keep trying", "will try again",
	"still trying", "do not need to resend", "do not need to re-send",
	"could not send message for past", "will continue trying",
	"noch nicht zugestellt", "retry the delivery",
};

/* Here begins the message that was returned. */
static const char *const cuts[] = {
	"original message follows", "original mail as follows",
	"message header follow", "message headers follow",
	"message header is", "unsent message follows",
	"unsent message below", "copy of the original message",
	"copy of the message", "copy of your message", "below this line is",
	"header of the original", "headers of the original",
	"message reads (in part)", "returned message follows",
	"returned message below", "returned mail follows", "old message:",
	"message text follows", "start of returned message",
	"top 20 lines", "begin forwarded message", "original message header",
	"-- original message", "original headers", "the message follows",
	"message content follows", "rejected message follows",
};

/* Fields of that message, where it follows without a word. */
static const char *const cut_fields[] = {
	"return-path:", "received: ", "delivered-to:", "message-id:",
	"dkim-signature:", "mime-version:", "x-originating-ip:",
	"domainkey-signature:", "x-mailer:",
};

/* What may stand before an address at the beginning of a line. */
static const char *const labels[] = {
	"recipient", "recipients", "failed recipient",
	"recipient address", "recipient(s)", "email address", "e-mail address",
	"address", "user", "smtp", "mailto", "rcpt to", "email", "e-mail",
	"original recipient", "final recipient", "x-envelope-to",
	"empf\xc3\xa4nger", "destinataire", "destinatario", "adresse",
};

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

static const char *
find_any(const char *text, const char *const *table, size_t n)
{
	const char *hit;
	size_t i;

	for (i = 0; i < n; i++) {
		hit = strcasestr(text, table[i]);
		if (hit != NULL)
			return hit + strlen(table[i]);
	}
	return NULL;
}

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
	for (i = 0; i < COUNT(roles); i++) {
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
	size_t i, n;

	p += strspn(p, " \t*->\"'<=|[:");
	for (i = 0; i < COUNT(labels); i++) {
		n = strlen(labels[i]);
		if (strncasecmp(p, labels[i], n) == 0 && (p[n] == ':' ||
		    (p[n] == ' ' && p[n + 1] == ':'))) {
			p += n;
			p += strspn(p, " \t*->\"'<=|[:");
			i = (size_t)-1;         /* "Recipient: [SMTP:" */
		}
	}
	if (!find_address(s, p, out))
		return 0;
	if (out->start == p)
		return 1;
	return out->start[-1] == '<' && s->is_open &&
	    is_name(p, (size_t)(out->start - 1 - p));
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
	sbuf_addc(&s->window, ' ');
	sbuf_add(&s->window, s->line.text, s->line.len);
	sbuf_truncate(&s->copy, 0);
	sbuf_add(&s->copy, s->line.text, s->line.len);
	return 1;
}

static bool
is_cut(const struct scan *s)
{
	const char *text = sbuf_str(&s->copy);
	size_t i;

	for (i = 0; i < COUNT(cut_fields); i++) {
		if (s->line.indent == 0 && strncasecmp(text, cut_fields[i],
		    strlen(cut_fields[i])) == 0)
			return true;
	}
	return find_any(text, cuts, COUNT(cuts)) != NULL;
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

/* A lead that ends on this line: what stands after it, or NULL. */
static const char *
find_lead(const struct scan *s)
{
	const char *window = sbuf_str(&s->window), *hit, *from;
	const char *last = NULL;
	size_t i;

	for (i = 0; i < COUNT(leads); i++) {
		for (from = window; (hit = strcasestr(from, leads[i])) != NULL;
		    from = hit) {
			hit += strlen(leads[i]);
			if (hit > window + s->before + 1 &&
			    (last == NULL || hit < last))
				last = hit;
		}
	}
	return last;
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

	lead = find_lead(s);
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

	if (find_any(sbuf_str(&source->subject), delays, COUNT(delays)) !=
	    NULL || strcasestr(sbuf_str(&source->subject), "(delay)") != NULL)
		kind = REPORT_DELAYED;
	while (kind == REPORT_FAILED && next_line(&s) == 1 && !is_cut(&s)) {
		if (find_any(sbuf_str(&s.window), delays, COUNT(delays)) !=
		    NULL)
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
	return find_any(sbuf_str(&source->from), mailers, COUNT(mailers)) !=
	    NULL;
}

static bool
is_subject_of_bounce(const struct report_source *source)
{
	const char *subject = sbuf_str(&source->subject);

	return strncasecmp(subject, "re:", 3) != 0 &&
	    strncasecmp(subject, "fwd:", 4) != 0 &&
	    strncasecmp(subject, "fw:", 3) != 0 &&
	    find_any(subject, subjects, COUNT(subjects)) != NULL;
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
