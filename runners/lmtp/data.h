/* SPDX-License-Identifier: BSD-2-Clause
 *
 * data - the end-of-data automaton: what follows DATA, as it goes to disk
 *
 * Only CRLF.CRLF ends a message (RFC 5321 section 4.1.1.4), and only a dot
 * after CRLF was stuffed; a bare LF is a line end inside the message and a bare
 * CR stays.  So no two programs can disagree about where a message ends.
 */
#ifndef SEPTET_LMTP_DATA_H
#define SEPTET_LMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/sbuf.h"

enum data_state { DATA_LINE, DATA_DOT, DATA_DOT_CR, DATA_CR, DATA_TEXT,
	DATA_OVER };
enum data_header { DATA_H_LINE, DATA_H_CR, DATA_H_NAME, DATA_H_SPACE,
	DATA_H_VALUE, DATA_H_BODY };

struct data {
	enum data_state state;
	enum data_header header;
	bool has_field;
	bool has_nul;
	unsigned long long octets; /* unstuffed, CRLF as two, as SIZE counts */
	unsigned long long size; /* as on disk */
	unsigned long long line; /* where the current header line begins */
	unsigned long long body; /* offset of the body (header.h, header_end) */
};

void data_begin(struct data *d);
/* Take bytes and append to out what goes to disk (at most n + 1 bytes).
 * Returns how many were taken: fewer than n only where the message ended. */
size_t data_take(struct data *d, const char *bytes, size_t n,
    struct sbuf *out);
bool data_is_over(const struct data *d);
/* Length of the header block so far. */
unsigned long long data_header_size(const struct data *d);

#endif
