/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xforward - the arguments of XFORWARD: who our client's client was
 */
#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/base/esc.h"
#include "runners/lmtp/syntax.h"

#define VALUE_MAX 255

static const char bad_value[] = "501 5.5.4 Bad XFORWARD attribute value";
static const char bad_attribute[] = "501 5.5.4 Bad XFORWARD attribute";

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Decode xtext (RFC 3461 section 4).  0, or -1 where it is malformed, too
 * long, not UTF-8 or has controls. */
static int
decode_xtext(const char *text, size_t n, struct sbuf *out)
{
	int high, low;
	size_t i;

	sbuf_truncate(out, 0);
	for (i = 0; i < n; i++) {
		char c = text[i];

		if (c == '+') {
			if (n - i < 3 || (high = hex_digit(text[i + 1])) < 0 ||
			    (low = hex_digit(text[i + 2])) < 0)
				return -1;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if ((c >= 0 && c < 32) || c == 127)
			return -1;
		sbuf_addc(out, c);
	}
	return out->len <= VALUE_MAX &&
	    esc_is_utf8(sbuf_str(out), out->len) ? 0 : -1;
}

static bool
is_unavailable(const struct sbuf *value)
{
	return strcasecmp(sbuf_str(value), "[UNAVAILABLE]") == 0 ||
	    strcasecmp(sbuf_str(value), "[TEMPUNAVAIL]") == 0;
}

static bool
is_any(const char *value)
{
	return *value != '\0';
}

static bool
is_address(const char *value)
{
	struct in6_addr address;

	if (strncasecmp(value, "IPV6:", 5) == 0)
		return inet_pton(AF_INET6, value + 5, &address) == 1;
	return inet_pton(AF_INET, value, &address) == 1 ||
	    inet_pton(AF_INET6, value, &address) == 1;
}

static bool
is_port(const char *value)
{
	size_t n = strspn(value, "0123456789");

	return n > 0 && n <= 5 && value[n] == '\0';
}

static bool
is_source(const char *value)
{
	return strcasecmp(value, "LOCAL") == 0 ||
	    strcasecmp(value, "REMOTE") == 0;
}

static const struct attribute {
	const char *name;
	size_t at;
	bool (*is_good)(const char *value);
} attributes[] = {
	{"NAME", offsetof(struct syntax_forward, name), is_any},
	{"ADDR", offsetof(struct syntax_forward, addr), is_address},
	{"PORT", offsetof(struct syntax_forward, port), is_port},
	{"PROTO", offsetof(struct syntax_forward, proto), is_any},
	{"HELO", offsetof(struct syntax_forward, helo), is_any},
	{"SOURCE", offsetof(struct syntax_forward, source), is_source},
};

static const struct attribute *
find_attribute(const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (strlen(attributes[i].name) == n &&
		    strncasecmp(attributes[i].name, name, n) == 0)
			return &attributes[i];
	}
	return NULL;
}

/* "NAME=value" of n bytes. */
static const char *
read_attribute(const char *text, size_t n, struct syntax_forward *out)
{
	const char *equals = memchr(text, '=', n);
	const struct attribute *attribute;
	struct sbuf *value;

	if (equals == NULL)
		return bad_attribute;
	attribute = find_attribute(text, (size_t)(equals - text));
	if (attribute == NULL)
		return bad_attribute;
	value = (struct sbuf *)((char *)out + attribute->at);
	n -= (size_t)(equals + 1 - text);
	if (decode_xtext(equals + 1, n, value) == -1) {
		sbuf_truncate(value, 0);
		return bad_value;
	}
	if (is_unavailable(value)) {
		sbuf_truncate(value, 0);
		return NULL;
	}
	if (!attribute->is_good(sbuf_str(value))) {
		sbuf_truncate(value, 0);
		return bad_value;
	}
	return NULL;
}

const char *
syntax_xforward(const char *text, struct syntax_forward *out)
{
	const char *refusal;
	size_t n;

	text += strspn(text, " ");
	if (*text == '\0')
		return bad_attribute;
	while (*text != '\0') {
		n = strcspn(text, " ");
		refusal = read_attribute(text, n, out);
		if (refusal != NULL)
			return refusal;
		out->is_given = true;
		text += n;
		text += strspn(text, " ");
	}
	return NULL;
}

void
syntax_forward_clear(struct syntax_forward *f)
{
	size_t i;

	for (i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		sbuf_free((struct sbuf *)((char *)f + attributes[i].at));
	f->is_given = false;
}
