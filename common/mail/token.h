/* SPDX-License-Identifier: BSD-2-Clause
 *
 * token - signed tokens for confirmations and moderators' answers
 *
 * A token is lower-case base32 [a-z2-7], 26 characters: a random 48 bit number
 * that names a pending request in the list's state, a purpose byte, and a 72
 * bit MAC over list, purpose and number.  So a made-up token is refused without
 * a look into any store.  Upper case is read too (some mailers shout).
 */
#ifndef SEPTET_MAIL_TOKEN_H
#define SEPTET_MAIL_TOKEN_H

#include <stdint.h>

#define TOKEN_KEY_BYTES 32
#define TOKEN_CHARS 26
#define TOKEN_SIZE (TOKEN_CHARS + 1)

/* purpose: one letter, e.g. 's' subscribe, 'u' unsubscribe, 'm' moderation.
 * The number is random; what it stands for is the caller's to record. */
void token_make(const unsigned char key[TOKEN_KEY_BYTES], const char *list,
    char purpose, uint64_t *number, char out[TOKEN_SIZE]);
/* 1 and *purpose, *number where the MAC is right, else 0. */
int token_check(const unsigned char key[TOKEN_KEY_BYTES], const char *list,
    const char *token, char *purpose, uint64_t *number);
/* n random bytes for keys. */
void token_random(void *out, unsigned n);

#endif
