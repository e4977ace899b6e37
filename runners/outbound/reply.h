/* SPDX-License-Identifier: BSD-2-Clause
 *
 * reply - replies of an SMTP server, taken apart as they arrive
 *
 * RFC 5321 section 4.2 and RFC 2034.  A reply may come in any pieces; what is
 * kept of it is bounded.
 */
#ifndef SEPTET_OUTBOUND_REPLY_H
#define SEPTET_OUTBOUND_REPLY_H

#include <stddef.h>

#include "common/base/sbuf.h"

#define REPLY_LINE_MAX 2048
#define REPLY_LINES_MAX 128
#define REPLY_TEXT_MAX 500

enum reply_step {
	REPLY_MORE,     /* all bytes taken, no line is complete */
	REPLY_LINE,     /* a line, more of the reply follow */
	REPLY_DONE,     /* the last line of a reply */
	REPLY_BROKEN    /* no reply: wrong form, or too long */
};

struct reply {
	int code;               /* of the latest line */
	char status[12];        /* "5.1.1" where the latest line has one */
	struct sbuf text;       /* the lines so far as one, code in front */
	struct sbuf line;       /* the latest line without its end */
	unsigned lines;
	enum reply_step last;
};

/* Take bytes up to the end of one line; *used says how many.  After REPLY_DONE
 * the next call begins a new reply. */
enum reply_step reply_take(struct reply *r, const char *bytes, size_t n,
    size_t *used);
/* What follows code and separator in the latest line. */
const char *reply_words(const struct reply *r);
void reply_free(struct reply *r);

#endif
