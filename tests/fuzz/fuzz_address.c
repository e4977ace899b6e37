/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_address - any bytes as an address, an address field and a VERP part
 *
 * clang -fsanitize=fuzzer,address,undefined with the library.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/mail/verp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
require(int is_so)
{
	if (!is_so)
		abort();
}

/* A key is an address with the same key, but for one whose folding made it
 * longer than an address may be. */
static void
try_key(const char *addr)
{
	struct sbuf key = {0}, again = {0};
	struct address_info info;
	const char *why = NULL;
	int rc = address_check(addr, &info, &why);

	require(rc == 0 || why != NULL);
	require((address_key(addr, &key) == 0) == (rc == 0));
	if (rc == 0) {
		require(addr[info.local_len] == '@');
		require(address_is_same(addr, addr));
		if (address_key(key.data, &again) == 0)
			require(strcmp(key.data, again.data) == 0);
		else
			require(strrchr(key.data, '@') - key.data >
			    ADDRESS_LOCAL_MAX || key.len > ADDRESS_MAX);
	}
	sbuf_free(&key);
	sbuf_free(&again);
}

static void
try_verp(const char *text)
{
	static const unsigned char key[VERP_KEY_BYTES] = "k";
	struct verp_member member = {.address = text, .id = 9};
	struct sbuf out = {0}, address = {0}, mac = {0};
	unsigned long long id;

	if (verp_split(text, &address, &id, &mac))
		require(mac.len == VERP_MAC_CHARS);
	verp_make(key, "dev@lists.example.org", &member, &out);
	require(verp_split(out.data, &address, &id, &mac) == 1);
	require(verp_check(key, "dev@lists.example.org", 9, mac.data) == 1);
	require(address.len > 0 ? strcmp(address.data, text) == 0 : id == 9);
	sbuf_free(&out);
	sbuf_free(&address);
	sbuf_free(&mac);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = xstrndup((const char *)bytes, n);
	struct sbuf out = {0};
	struct strv found = {0};

	try_key(text);
	try_verp(text);
	(void)!address_unwrap(text, &out);
	(void)!address_domain_key(text, &out);
	(void)address_header(text, 100, &found);
	for (size_t i = 0; i < found.n; i++)
		require(address_check(found.items[i], NULL, NULL) == 0);
	strv_free(&found);
	sbuf_free(&out);
	free(text);
	return 0;
}
