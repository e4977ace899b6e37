/* SPDX-License-Identifier: BSD-2-Clause
 *
 * token - signed tokens for confirmations and moderators' answers
 */
#include "common/mail/token.h"

#include <sodium.h>
#include <string.h>

#include "common/base/sbuf.h"
#include "common/mail/address.h"
#include "common/mail/base32.h"

#define NUMBER_BYTES 6
#define MAC_AT (NUMBER_BYTES + 1)
#define MAC_BYTES 9
#define TOKEN_BYTES (MAC_AT + MAC_BYTES)

/* A token for one spelling of the list's address is good for all. */
static void
make_mac(const unsigned char key[TOKEN_KEY_BYTES], const char *list,
    const unsigned char signed_part[MAC_AT], unsigned char mac[MAC_BYTES])
{
	unsigned char hash[crypto_generichash_BYTES];
	struct sbuf text = {0}, name = {0};

	sbuf_add(&text, "septet-token", sizeof("septet-token"));
	sbuf_add(&text, signed_part, MAC_AT);
	sbuf_adds(&text, address_key(list, &name) == 0 ? name.data : list);
	crypto_generichash(hash, sizeof(hash), (unsigned char *)text.data,
	    text.len, key, TOKEN_KEY_BYTES);
	memcpy(mac, hash, MAC_BYTES);
	sbuf_free(&text);
	sbuf_free(&name);
}

void
token_make(const unsigned char key[TOKEN_KEY_BYTES], const char *list,
    char purpose, uint64_t *number, char out[TOKEN_SIZE])
{
	unsigned char bytes[TOKEN_BYTES];

	token_random(bytes, NUMBER_BYTES);
	*number = 0;
	for (size_t i = 0; i < NUMBER_BYTES; i++)
		*number = *number << 8 | bytes[i];
	bytes[NUMBER_BYTES] = (unsigned char)purpose;
	make_mac(key, list, bytes, bytes + MAC_AT);
	base32_write(bytes, sizeof(bytes), out, TOKEN_CHARS);
}

int
token_check(const unsigned char key[TOKEN_KEY_BYTES], const char *list,
    const char *token, char *purpose, uint64_t *number)
{
	unsigned char bytes[TOKEN_BYTES], mac[MAC_BYTES];

	if (strnlen(token, TOKEN_SIZE) != TOKEN_CHARS ||
	    base32_read(token, TOKEN_CHARS, bytes, sizeof(bytes)) == -1)
		return 0;
	make_mac(key, list, bytes, mac);
	if (sodium_memcmp(mac, bytes + MAC_AT, MAC_BYTES) != 0)
		return 0;
	*purpose = (char)bytes[NUMBER_BYTES];
	*number = 0;
	for (size_t i = 0; i < NUMBER_BYTES; i++)
		*number = *number << 8 | bytes[i];
	return 1;
}

void
token_random(void *out, unsigned n)
{
	/* Without sodium_init it opens its source by itself; where the kernel
	 * has no randomness to give, it aborts. */
	randombytes_buf(out, n);
}
