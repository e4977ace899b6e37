/* SPDX-License-Identifier: BSD-2-Clause
 *
 * address - the syntax of a mailbox, and the form it is compared in
 *
 * Header fields are parsed in address_header.c, so that what needs only this
 * does not link GMime.
 */
#include "common/mail/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicase.h>

#include "common/base/esc.h"

#define LABEL_MAX 63
#define IPV6_TAG "[IPv6:"

static bool
is_let_dig(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

static bool
is_atext(unsigned char c)
{
	return c >= 0x80 || is_let_dig(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static void
add_lower(struct sbuf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		sbuf_addc(out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
	}
}

static bool
is_ascii(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] >= 0x80)
			return false;
	}
	return true;
}

/* Controls are refused everywhere, C1 (U+0080 to U+009F) too: RFC 6532 lets
 * them pass, but no mailbox has them and a terminal obeys them. */
static bool
has_control(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			return true;
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			return true;
	}
	return false;
}

static bool
is_dot_string(const char *text, size_t n)
{
	bool is_start = true;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.') {
			if (is_start)
				return false;
			is_start = true;
		} else if (is_atext((unsigned char)text[i])) {
			is_start = false;
		} else {
			return false;
		}
	}
	return !is_start;
}

/* Length of the quoted string at text, or 0. */
static size_t
quoted_len(const char *text)
{
	size_t i = 1;

	while (text[i] != '"') {
		if (text[i] == '\\') {
			i++;
			if ((unsigned char)text[i] >= 0x80)
				return 0;
		}
		if (text[i] == '\0')
			return 0;
		i++;
	}
	return i + 1;
}

/* Length of the local part, or 0 and *why. */
static size_t
local_len(const char *addr, const char **why)
{
	size_t n;

	if (addr[0] == '"') {
		n = quoted_len(addr);
		if (n == 0) {
			*why = "quoted string is wrong or not closed";
			return 0;
		}
		if (addr[n] != '@') {
			*why = "no @ after the quoted string";
			return 0;
		}
	} else {
		n = strcspn(addr, "@");
		if (addr[n] == '\0') {
			*why = "no @";
			return 0;
		}
		if (n == 0) {
			*why = "nothing before the @";
			return 0;
		}
		if (!is_dot_string(addr, n)) {
			*why = "local part is no dot-string";
			return 0;
		}
	}
	if (n > ADDRESS_LOCAL_MAX) {
		*why = "local part is longer than 64 octets";
		return 0;
	}
	return n;
}

static bool
is_host_name(const char *domain)
{
	const char *p = domain;

	for (;;) {
		size_t n = strcspn(p, ".");

		if (n == 0 || n > LABEL_MAX || p[0] == '-' || p[n - 1] == '-')
			return false;
		for (size_t i = 0; i < n; i++) {
			if (!is_let_dig((unsigned char)p[i]) && p[i] != '-')
				return false;
		}
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

/* Address literals of RFC 5321 section 4.1.3; no other tag than IPv6 was ever
 * registered.  Appends the one spelling that inet_ntop gives them. */
static int
literal_key(const char *domain, struct sbuf *out)
{
	size_t n = strlen(domain), tag;
	char text[INET6_ADDRSTRLEN], name[INET6_ADDRSTRLEN + 16];
	struct in6_addr addr;
	int family;

	if (n < 3 || domain[n - 1] != ']')
		return -1;
	family = AF_INET;
	tag = 1;
	if (strncasecmp(domain, IPV6_TAG, strlen(IPV6_TAG)) == 0) {
		family = AF_INET6;
		tag = strlen(IPV6_TAG);
	}
	if (n - tag - 1 >= sizeof(name))
		return -1;
	memcpy(name, domain + tag, n - tag - 1);
	name[n - tag - 1] = '\0';
	if (inet_pton(family, name, &addr) != 1 ||
	    inet_ntop(family, &addr, text, sizeof(text)) == NULL)
		return -1;
	sbuf_printf(out, "[%s%s]", family == AF_INET6 ? "ipv6:" : "", text);
	return 0;
}

/* What libidn2 maps to ASCII is looked at again: its mapping can bring in
 * characters that no host name has. */
static int
idn_key(const char *domain, struct sbuf *out)
{
	uint8_t *ascii = NULL;
	int rc;

	rc = idn2_lookup_u8((const uint8_t *)domain, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return -1;
	rc = -1;
	if (strlen((char *)ascii) <= ADDRESS_DOMAIN_MAX &&
	    is_host_name((char *)ascii)) {
		add_lower(out, (char *)ascii, strlen((char *)ascii));
		rc = 0;
	}
	idn2_free(ascii);
	return rc;
}

/* Append the compared form, or -1 and *why. */
static int
domain_key(const char *domain, struct sbuf *out, const char **why)
{
	size_t n = strlen(domain);

	*why = "domain is no host name";
	if (n == 0) {
		*why = "nothing after the @";
		return -1;
	}
	if (n > ADDRESS_DOMAIN_MAX) {
		*why = "domain is longer than 255 octets";
		return -1;
	}
	if (domain[0] == '[') {
		*why = "address literal is wrong";
		return literal_key(domain, out);
	}
	if (!is_ascii(domain, n)) {
		*why = "domain is no internationalized host name";
		return idn_key(domain, out);
	}
	if (!is_host_name(domain))
		return -1;
	add_lower(out, domain, n);
	return 0;
}

/* The parts of a valid address, its domain's key appended to domain. */
static int
take_apart(const char *addr, struct address_info *info, struct sbuf *domain,
    const char **why)
{
	size_t n = strnlen(addr, ADDRESS_MAX + 1);

	if (n > ADDRESS_MAX) {
		*why = "longer than 320 octets";
		return -1;
	}
	if (has_control(addr)) {
		*why = "has a control character";
		return -1;
	}
	if (!esc_is_utf8(addr, n)) {
		*why = "is not valid UTF-8";
		return -1;
	}
	info->local_len = local_len(addr, why);
	if (info->local_len == 0)
		return -1;
	info->domain = addr + info->local_len + 1;
	info->is_utf8 = !is_ascii(addr, n);
	return domain_key(info->domain, domain, why);
}

int
address_check(const char *addr, struct address_info *info, const char **why)
{
	struct address_info found = {0};
	struct sbuf domain = {0};
	const char *reason = NULL;
	int rc;

	rc = take_apart(addr, &found, &domain, &reason);
	sbuf_free(&domain);
	if (rc == -1) {
		if (why != NULL)
			*why = reason;
		errno = EINVAL;
		return -1;
	}
	if (info != NULL)
		*info = found;
	return 0;
}

/* Append what the local part stands for: its quoting taken off. */
static void
unquote(const char *local, size_t n, struct sbuf *out)
{
	if (local[0] != '"') {
		sbuf_add(out, local, n);
		return;
	}
	for (size_t i = 1; i + 1 < n; i++) {
		if (local[i] == '\\')
			i++;
		sbuf_addc(out, local[i]);
	}
}

static int
fold_case(const struct sbuf *text, struct sbuf *out)
{
	uint8_t *lower;
	size_t n = 0;

	if (is_ascii(sbuf_str(text), text->len)) {
		add_lower(out, sbuf_str(text), text->len);
		return 0;
	}
	/* No language: "I" is the same letter in every list. */
	lower = u8_tolower((const uint8_t *)text->data, text->len, NULL,
	    UNINORM_NFC, NULL, &n);
	if (lower == NULL)
		return -1;
	sbuf_add(out, lower, n);
	free(lower);
	return 0;
}

/* Whether quotes are needed is decided after folding: NFC turns U+037E into a
 * semicolon. */
static int
local_key(const char *local, size_t n, struct sbuf *out)
{
	struct sbuf plain = {0}, folded = {0};
	int rc;

	unquote(local, n, &plain);
	rc = fold_case(&plain, &folded);
	if (rc == 0 && is_dot_string(sbuf_str(&folded), folded.len)) {
		sbuf_add(out, folded.data, folded.len);
	} else if (rc == 0) {
		sbuf_addc(out, '"');
		for (size_t i = 0; i < folded.len; i++) {
			if (folded.data[i] == '"' || folded.data[i] == '\\')
				sbuf_addc(out, '\\');
			sbuf_addc(out, folded.data[i]);
		}
		sbuf_addc(out, '"');
	}
	sbuf_free(&plain);
	sbuf_free(&folded);
	return rc;
}

int
address_key(const char *addr, struct sbuf *out)
{
	struct address_info info = {0};
	struct sbuf domain = {0};
	const char *why;
	int rc;

	sbuf_truncate(out, 0);
	rc = take_apart(addr, &info, &domain, &why);
	if (rc == -1)
		errno = EINVAL;
	else
		rc = local_key(addr, info.local_len, out);
	if (rc == 0) {
		sbuf_addc(out, '@');
		sbuf_add(out, domain.data, domain.len);
	}
	sbuf_free(&domain);
	return rc;
}

int
address_domain_key(const char *domain, struct sbuf *out)
{
	const char *why;

	sbuf_truncate(out, 0);
	if (strnlen(domain, ADDRESS_DOMAIN_MAX + 1) > ADDRESS_DOMAIN_MAX ||
	    has_control(domain) || !esc_is_utf8(domain, strlen(domain)) ||
	    domain_key(domain, out, &why) == -1) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

bool
address_is_same(const char *a, const char *b)
{
	struct sbuf key_a = {0}, key_b = {0};
	bool is_same;

	is_same = address_key(a, &key_a) == 0 && address_key(b, &key_b) == 0 &&
	    strcmp(sbuf_str(&key_a), sbuf_str(&key_b)) == 0;
	sbuf_free(&key_a);
	sbuf_free(&key_b);
	return is_same;
}

int
address_unwrap(const char *text, struct sbuf *out)
{
	size_t n = strlen(text);
	bool is_quoted = false;

	sbuf_truncate(out, 0);
	if (n < 2 || text[0] != '<' || text[n - 1] != '>') {
		errno = EINVAL;
		return -1;
	}
	for (size_t i = 1; i + 1 < n; i++) {
		if (is_quoted && text[i] == '\\' && i + 2 < n)
			i++;
		else if (text[i] == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && strchr("<> ", text[i]) != NULL) {
			errno = EINVAL;
			return -1;
		}
	}
	if (is_quoted) {
		errno = EINVAL;
		return -1;
	}
	sbuf_add(out, text + 1, n - 2);
	return 0;
}
