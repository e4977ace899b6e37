/* SPDX-License-Identifier: BSD-2-Clause
 *
 * address - mailboxes as SMTP writes them, and the form they are compared in
 *
 * Sources: RFC 5321 section 4.1.2 (Mailbox), RFC 6531 (SMTPUTF8), RFC 5322
 * section 3.4 for addresses in header fields (parsed by GMime).
 */
#ifndef SEPTET_MAIL_ADDRESS_H
#define SEPTET_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"

/* Limits of RFC 5321 section 4.5.3.1, in octets. */
#define ADDRESS_LOCAL_MAX 64
#define ADDRESS_DOMAIN_MAX 255
#define ADDRESS_MAX 320

/* What an address is, found by address_check. */
struct address_info {
	size_t local_len;       /* bytes before the last unquoted '@' */
	const char *domain;     /* into the given string, after the '@' */
	bool is_utf8;           /* has a byte over 0x7f: needs SMTPUTF8 */
};

/* Is addr ("local@domain", no angle brackets) a Mailbox of RFC 5321 or 6531
 * with limits kept?  0 and *info (may be NULL), or -1 and *why (may be NULL)
 * points to a constant reason. */
int address_check(const char *addr, struct address_info *info,
    const char **why) __attribute__((warn_unused_result));

/* The form that rosters and limits compare: local part lower-case NFC,
 * quotes taken off where needless, domain as lower-case A-labels (libidn2,
 * non-transitional).  Empties and fills out.  -1 (EINVAL) where addr is no
 * address. */
int address_key(const char *addr, struct sbuf *out)
    __attribute__((warn_unused_result));
/* The local part's key without its domain, quotes taken off; and the domain
 * alone in its compared form. */
int address_domain_key(const char *domain, struct sbuf *out)
    __attribute__((warn_unused_result));
/* Same key? false where either is no address. */
bool address_is_same(const char *a, const char *b);

/* "<ann@example.net>" to "ann@example.net", "<>" to "": 0, else -1.  What an
 * envelope field holds. */
int address_unwrap(const char *text, struct sbuf *out)
    __attribute__((warn_unused_result));

/* Append the mailboxes of an address header field's unfolded value (From, To,
 * Cc ...; groups are opened; at most max), in order; those that fail
 * address_check are left out.  Returns how many were left out for being too
 * many or no address. */
size_t address_header(const char *value, size_t max, struct strv *out);

#endif
