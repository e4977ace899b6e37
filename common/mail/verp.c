/* SPDX-License-Identifier: BSD-2-Clause
 *
 * verp - the variable part of a bounce address, and its proof
 */
#include "common/mail/verp.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/mail/address.h"
#include "common/mail/base32.h"

#define ROLE "-bounces+"
#define MAC_HASH_BYTES ((VERP_MAC_CHARS * 5 + 7) / 8)
/* Digits of the greatest member id. */
#define ID_DIGITS_MAX 20

static void
make_mac(const unsigned char key[VERP_KEY_BYTES], const char *list,
    unsigned long long id, char out[VERP_MAC_CHARS + 1])
{
	unsigned char hash[crypto_generichash_BYTES];
	struct sbuf text = {0}, name = {0};

	/* With its NUL the word keeps these apart from other hashes. */
	sbuf_add(&text, "septet-verp", sizeof("septet-verp"));
	sbuf_adds(&text, address_key(list, &name) == 0 ? name.data : list);
	sbuf_printf(&text, " %llu", id);
	crypto_generichash(hash, sizeof(hash), (unsigned char *)text.data,
	    text.len, key, VERP_KEY_BYTES);
	base32_write(hash, MAC_HASH_BYTES, out, VERP_MAC_CHARS);
	sbuf_free(&text);
	sbuf_free(&name);
}

/* Can the address stand in a local part as it is?  '%' and '!' are read as
 * routes by some mailers, a quote or bracket would have to be quoted. */
static bool
is_plain(const char *address)
{
	struct address_info info;

	if (address_check(address, &info, NULL) == -1 || info.is_utf8)
		return false;
	return strpbrk(address, "\"%![") == NULL;
}

void
verp_make(const unsigned char key[VERP_KEY_BYTES], const char *list,
    const struct verp_member *member, struct sbuf *out)
{
	char mac[VERP_MAC_CHARS + 1];
	size_t prefix = strcspn(list, "@") + strlen(ROLE);
	const char *at;

	make_mac(key, list, member->id, mac);
	sbuf_truncate(out, 0);
	if (is_plain(member->address)) {
		at = strrchr(member->address, '@');
		sbuf_printf(out, "%.*s=%s=%s", (int)(at - member->address),
		    member->address, at + 1, mac);
		if (prefix + out->len <= ADDRESS_LOCAL_MAX)
			return;
	}
	sbuf_truncate(out, 0);
	sbuf_printf(out, "~%llu=%s", member->id, mac);
}

static bool
is_mac(const char *text)
{
	unsigned char bytes[MAC_HASH_BYTES];

	return strlen(text) == VERP_MAC_CHARS &&
	    base32_read(text, VERP_MAC_CHARS, bytes, sizeof(bytes)) == 0;
}

/* n digits and nothing else. */
static int
read_id(const char *text, size_t n, unsigned long long *id)
{
	if (n == 0 || n > ID_DIGITS_MAX ||
	    strspn(text, "0123456789") != n)
		return -1;
	errno = 0;
	*id = strtoull(text, NULL, 10);
	return errno == 0 ? 0 : -1;
}

int
verp_split(const char *extension, struct sbuf *address,
    unsigned long long *id, struct sbuf *mac)
{
	const char *last, *middle;

	sbuf_truncate(address, 0);
	sbuf_truncate(mac, 0);
	*id = 0;
	if (strnlen(extension, ADDRESS_MAX + 1) > ADDRESS_MAX)
		return 0;
	last = strrchr(extension, '=');
	if (last == NULL || !is_mac(last + 1))
		return 0;
	middle = memrchr(extension, '=', (size_t)(last - extension));
	if (middle != NULL) {
		sbuf_add(address, extension, (size_t)(middle - extension));
		sbuf_addc(address, '@');
		sbuf_add(address, middle + 1, (size_t)(last - middle - 1));
		if (address_check(address->data, NULL, NULL) == -1) {
			sbuf_truncate(address, 0);
			return 0;
		}
	} else if (extension[0] != '~' ||
	    read_id(extension + 1, (size_t)(last - extension - 1), id) == -1) {
		return 0;
	}
	for (const char *p = last + 1; *p != '\0'; p++)
		sbuf_addc(mac, (char)tolower((unsigned char)*p));
	return 1;
}

int
verp_check(const unsigned char key[VERP_KEY_BYTES], const char *list,
    unsigned long long id, const char *mac)
{
	char right[VERP_MAC_CHARS + 1], given[VERP_MAC_CHARS + 1];

	if (strlen(mac) != VERP_MAC_CHARS)
		return 0;
	for (size_t i = 0; i <= VERP_MAC_CHARS; i++)
		given[i] = (char)tolower((unsigned char)mac[i]);
	make_mac(key, list, id, right);
	return sodium_memcmp(right, given, VERP_MAC_CHARS) == 0;
}
