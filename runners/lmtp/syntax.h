/* SPDX-License-Identifier: BSD-2-Clause
 *
 * syntax - the arguments of MAIL, RCPT and XFORWARD
 *
 * RFC 5321 section 4.1.2, RFC 6531 (SMTPUTF8), RFC 1870 (SIZE), RFC 6152
 * (8BITMIME), and Postfix's XFORWARD_README.  Each reader returns NULL, or the
 * reply that refuses the command: a constant, without line end.
 */
#ifndef SEPTET_LMTP_SYNTAX_H
#define SEPTET_LMTP_SYNTAX_H

#include <stdbool.h>

#include "common/base/sbuf.h"

enum syntax_body { SYNTAX_BODY_NONE, SYNTAX_BODY_7BIT, SYNTAX_BODY_8BIT };

struct syntax_mail {
	struct sbuf from;       /* without brackets; "" is the null sender */
	unsigned long long size; /* SIZE=, 0 where not given */
	enum syntax_body body;
	bool is_utf8;           /* SMTPUTF8 */
};

/* Who the client of our client was.  A value is empty where it is unknown. */
struct syntax_forward {
	bool is_given;          /* any attribute was named */
	struct sbuf name;
	struct sbuf addr;
	struct sbuf port;
	struct sbuf proto;
	struct sbuf helo;
	struct sbuf source;     /* REMOTE or LOCAL */
};

/* text is what stands after "MAIL " or "RCPT "; *out and *to are emptied
 * first. */
const char *syntax_mail(const char *text, struct syntax_mail *out);
const char *syntax_rcpt(const char *text, bool is_utf8, struct sbuf *to);
/* Adds to *out; what it said before stays unless named again. */
const char *syntax_xforward(const char *text, struct syntax_forward *out);

void syntax_mail_clear(struct syntax_mail *m);
void syntax_forward_clear(struct syntax_forward *f);

#endif
