/* SPDX-License-Identifier: BSD-2-Clause
 *
 * verp - the variable part of a bounce address, and its proof
 *
 * LIST-bounces+user=domain=MAC@list-domain: the part after '+' is made per
 * member by pending and written to the recipient's line as verp=; outbound only
 * puts it in.  Read from the right: MAC, then domain, then user.  Where the
 * whole local part would exceed 64 octets, or the address is not ASCII, needs
 * quotes or could be taken for a route (% and !): ~MEMBERID=MAC.  The MAC is
 * lower-case base32 of a keyed hash (libsodium generichash) over list and member
 * id, constant per list and member.
 */
#ifndef SEPTET_MAIL_VERP_H
#define SEPTET_MAIL_VERP_H

#include "common/base/sbuf.h"

#define VERP_KEY_BYTES 32
/* base32 characters of the MAC: 50 bits; a guess is not worth a bounce. */
#define VERP_MAC_CHARS 10

struct verp_member {
	const char *address;    /* as delivered to */
	unsigned long long id;  /* never reused within a list */
};

/* Empties out and fills it with what stands after '+'.  list is the list's
 * address ("dev@lists.example.org"). */
void verp_make(const unsigned char key[VERP_KEY_BYTES], const char *list,
    const struct verp_member *member, struct sbuf *out);
/* Take apart what stands after '+'.  1: *address holds the member's address,
 * or is empty and *id is set (the ~ form); *mac holds the MAC.  0: not VERP. */
int verp_split(const char *extension, struct sbuf *address,
    unsigned long long *id, struct sbuf *mac);
/* 1 where mac is that of the member (constant time), else 0. */
int verp_check(const unsigned char key[VERP_KEY_BYTES], const char *list,
    unsigned long long id, const char *mac);

#endif
