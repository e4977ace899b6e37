/* SPDX-License-Identifier: BSD-2-Clause
 *
 * message_auth - Authentication-Results (RFC 8601) that may be believed
 */
#include <string.h>
#include <strings.h>

#include "common/mail/header.h"
#include "common/mail/message.h"

/* Is host one of the trusted names, or below one? */
static bool
is_trusted(const char *host, size_t n, const struct strv *trusted)
{
	for (size_t i = 0; i < trusted->n; i++) {
		const char *name = trusted->items[i];
		size_t len = strlen(name);

		if (len == 0 || n < len ||
		    strncasecmp(host + n - len, name, len) != 0)
			continue;
		if (n == len || host[n - len - 1] == '.')
			return true;
	}
	return false;
}

/* Was this Received field written by a trusted host?  It says so after "by";
 * one that does not is another's. */
static bool
is_own_received(const char *value, const struct strv *trusted)
{
	const char *p = header_skip_cfws(value);

	while (*p != '\0' && *p != ';') {
		size_t n = strcspn(p, " \t(;");
		bool is_by = n == 2 && strncasecmp(p, "by", 2) == 0;

		p = header_skip_cfws(p + n);
		if (is_by)
			return is_trusted(p, strcspn(p, " \t(;"), trusted);
	}
	return false;
}

/* authserv-id [version] ";" ... (RFC 8601 section 2.2): the id must be one of
 * trusted, letter for letter, and the version 1 where there is one. */
static bool
is_own_result(const char *value, const struct strv *trusted)
{
	struct sbuf id = {0};
	const char *p = header_skip_cfws(value);
	bool is_own;
	size_t n;

	if (*p == '"') {
		p++;
		n = strcspn(p, "\"\\");
		if (p[n] != '"')
			return false;
		sbuf_add(&id, p, n);
		p += n + 1;
	} else {
		n = strcspn(p, " \t(;");
		sbuf_add(&id, p, n);
		p += n;
	}
	is_own = id.len > 0 && strv_has_nocase(trusted, id.data);
	sbuf_free(&id);
	p = header_skip_cfws(p);
	if (*p == '1')
		p = header_skip_cfws(p + 1);
	return is_own && *p == ';';
}

void
message_auth_results(const char *block, size_t len,
    const struct strv *trusted, struct strv *out)
{
	struct header_field field;
	struct sbuf value = {0};
	size_t at = 0;

	while (trusted->n > 0 && header_next(block, len, &at, &field)) {
		header_value(&field, &value);
		if (header_is(&field, "Received") &&
		    !is_own_received(sbuf_str(&value), trusted))
			break;
		if (header_is(&field, "Authentication-Results") &&
		    is_own_result(sbuf_str(&value), trusted))
			strv_add(out, sbuf_str(&value));
	}
	sbuf_free(&value);
}
