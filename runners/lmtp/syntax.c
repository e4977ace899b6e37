/* SPDX-License-Identifier: BSD-2-Clause
 *
 * syntax - the arguments of MAIL and RCPT
 */
#include "runners/lmtp/syntax.h"

#include <string.h>
#include <strings.h>

#include "common/mail/address.h"

#define PARAM_NAME_MAX 32

static const char bad_sender[] = "501 5.1.7 Bad sender address syntax";
static const char bad_recipient[] = "501 5.1.3 Bad recipient address syntax";
static const char bad_param[] = "501 5.5.4 Malformed parameter";
static const char unknown_param[] = "555 5.5.4 Parameter not supported";
static const char needs_utf8[] =
    "553 5.6.7 Address is not ASCII, and SMTPUTF8 was not asked for";

struct param {
	char name[PARAM_NAME_MAX + 1];
	const char *value;      /* NULL where there is no '=' */
	size_t len;
};

static const char *
skip_spaces(const char *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* The '>' that ends a path: not one in a quoted string.  NULL: none. */
static const char *
path_end(const char *p)
{
	bool is_quoted = false;

	for (; *p != '\0'; p++) {
		if (*p == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && *p == '\\' && p[1] != '\0')
			p++;
		else if (!is_quoted && *p == '>')
			return p;
		else if (!is_quoted && (*p == '<' || *p == ' '))
			return NULL;
	}
	return NULL;
}

/* A source route is taken and forgotten (RFC 5321 appendix C).  Returns the
 * mailbox after it, or NULL where it never ends. */
static const char *
skip_route(const char *p, const char *end)
{
	if (*p != '@')
		return p;
	p += strcspn(p, ":\">");
	return p < end && *p == ':' ? p + 1 : NULL;
}

/* Read "<path>" after a word like "FROM:".  0 and *rest behind it, or -1. */
static int
read_path(const char *text, const char *word, struct sbuf *out,
    const char **rest)
{
	size_t n = strlen(word);
	const char *end;

	sbuf_truncate(out, 0);
	if (strncasecmp(text, word, n) != 0)
		return -1;
	text = skip_spaces(text + n);
	if (*text++ != '<')
		return -1;
	end = path_end(text);
	if (end == NULL || (end[1] != ' ' && end[1] != '\0'))
		return -1;
	*rest = end + 1;
	text = skip_route(text, end);
	if (text == NULL)
		return -1;
	sbuf_add(out, text, (size_t)(end - text));
	return 0;
}

/* 1 and the next parameter, 0 at the end, -1 malformed. */
static int
next_param(const char **p, struct param *out)
{
	static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	const char *text = skip_spaces(*p);
	size_t n;

	if (*text == '\0')
		return 0;
	n = strspn(text, name_bytes);
	if (n == 0 || n > PARAM_NAME_MAX || *text == '-')
		return -1;
	memcpy(out->name, text, n);
	out->name[n] = '\0';
	text += n;
	out->value = NULL;
	out->len = 0;
	if (*text == '=') {
		out->value = ++text;
		out->len = strcspn(text, " =");
		text += out->len;
		if (out->len == 0)
			return -1;
	}
	if (*text != ' ' && *text != '\0')
		return -1;
	*p = text;
	return 1;
}

static bool
value_is(const struct param *param, const char *word)
{
	return param->value != NULL && param->len == strlen(word) &&
	    strncasecmp(param->value, word, param->len) == 0;
}

/* RFC 1870: up to twenty digits; more than can be counted is as good as the
 * most that can. */
static const char *
read_size(const struct param *param, unsigned long long *out)
{
	unsigned long long value = 0;
	size_t i;

	if (param->value == NULL || param->len > 20)
		return bad_param;
	for (i = 0; i < param->len; i++) {
		if (param->value[i] < '0' || param->value[i] > '9')
			return bad_param;
		if (__builtin_mul_overflow(value, 10ULL, &value) ||
		    __builtin_add_overflow(value,
		    (unsigned long long)(param->value[i] - '0'), &value))
			value = ~0ULL / 16;
	}
	*out = value;
	return NULL;
}

static const char *
mail_param(const struct param *param, struct syntax_mail *out)
{
	if (strcasecmp(param->name, "SIZE") == 0)
		return read_size(param, &out->size);
	if (strcasecmp(param->name, "BODY") == 0) {
		if (value_is(param, "7BIT"))
			out->body = SYNTAX_BODY_7BIT;
		else if (value_is(param, "8BITMIME"))
			out->body = SYNTAX_BODY_8BIT;
		else
			return bad_param;
		return NULL;
	}
	if (strcasecmp(param->name, "SMTPUTF8") == 0) {
		out->is_utf8 = true;
		return param->value == NULL ? NULL : bad_param;
	}
	return unknown_param;
}

static const char *
mail_params(const char *p, struct syntax_mail *out)
{
	struct param param;
	const char *refusal;
	int got;

	while ((got = next_param(&p, &param)) == 1) {
		refusal = mail_param(&param, out);
		if (refusal != NULL)
			return refusal;
	}
	return got == -1 ? bad_param : NULL;
}

void
syntax_mail_clear(struct syntax_mail *m)
{
	sbuf_free(&m->from);
	*m = (struct syntax_mail){0};
}

const char *
syntax_mail(const char *text, struct syntax_mail *out)
{
	struct address_info info = {0};
	const char *rest, *refusal;

	syntax_mail_clear(out);
	if (read_path(text, "FROM:", &out->from, &rest) == -1)
		return bad_sender;
	if (out->from.len > 0 &&
	    address_check(out->from.data, &info, NULL) == -1)
		return bad_sender;
	refusal = mail_params(rest, out);
	if (refusal != NULL)
		return refusal;
	return info.is_utf8 && !out->is_utf8 ? needs_utf8 : NULL;
}

const char *
syntax_rcpt(const char *text, bool is_utf8, struct sbuf *to)
{
	struct address_info info = {0};
	struct param param;
	const char *rest;

	if (read_path(text, "TO:", to, &rest) == -1 || to->len == 0)
		return bad_recipient;
	/* The one recipient that may stand without a domain (RFC 5321 section
	 * 4.1.1.3). */
	if (strcasecmp(to->data, "postmaster") != 0 &&
	    address_check(to->data, &info, NULL) == -1)
		return bad_recipient;
	switch (next_param(&rest, &param)) {
	case 1:
		return unknown_param;
	case -1:
		return bad_param;
	default:
		return info.is_utf8 && !is_utf8 ? needs_utf8 : NULL;
	}
}
