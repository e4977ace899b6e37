/* SPDX-License-Identifier: BSD-2-Clause
 *
 * envelope - the journal of one entry, read and extended
 *
 * A file of lines "Name: value"; a block of lines ends with its Trail.  What is
 * sealed is never rewritten.  spool-layout/envelope.md is the grammar; this
 * module is the only reader and writer of it in the library, and touches no
 * file itself: bytes in, bytes out.
 */
#ifndef SEPTET_SPOOL_ENVELOPE_H
#define SEPTET_SPOOL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/sbuf.h"

#define ENVELOPE_MAX (1024 * 1024)
#define ENVELOPE_LINE_MAX 8192
#define ENVELOPE_NAME_MAX 40
#define ENVELOPE_MAGIC "Septet-Envelope: 1\n"

struct envelope_line {
	const char *name;       /* as written */
	const char *value;      /* decoded (esc.h) */
	size_t block;           /* its block; n_blocks: an unsealed claim */
};

struct envelope_trail {
	int64_t time;           /* ms */
	const char *host;
	const char *queue;      /* who sealed */
	const char *exit;
	const char *to;         /* queue it leads to; "" where it ends */
	int64_t due;            /* defer: ms; else 0 */
	unsigned claim;         /* N, 0: sealed by a creator or by hand */
	bool is_summed;         /* had a crc32, not "-" */
	size_t end;             /* offset after its line */
	bool is_creation;       /* its block holds an Id line, and claim is 0 */
};

/* Owner of fields: which stage (stock runner's name) stands at a queue.  A
 * name comes back for any queue. */
typedef const char *envelope_stage_fn(void *ctx, const char *queue);

struct envelope {
	struct sbuf raw;        /* the bytes, without a torn tail */
	struct envelope_line *lines;
	size_t n_lines;
	struct envelope_trail *trails; /* one per block */
	size_t n_blocks;
	size_t sealed;          /* offset after the last trail that counts */
	uint32_t crc;           /* running sum there */
	unsigned open_claims;   /* whole Claim lines after it */
	unsigned last_claim;    /* highest N in the file, 0 none */
	char *open_owner;       /* owner= of the last open Claim, or NULL */
	char *strings;          /* storage of names and values */
	envelope_stage_fn *stage;
	void *stage_ctx;
};

/* Parse bytes (n <= ENVELOPE_MAX, else EFBIG).  0; or -1: EPROTO (not an
 * envelope, or nothing sealed; *why says what and the line), ENOTSUP (a higher
 * version: to be deferred with an alarm, never buried).  A torn tail (anything
 * after the last Trail that counts but whole Claim lines directly behind it)
 * is left out: raw.len < n tells that the file is to be cut to raw.len.  A
 * Trail counts where its lines= and crc32= agree and where claim=N is the N of
 * the last Claim line in its block; the first one that does not, and any line
 * that is malformed, ends the journal.  On failure env needs no free. */
int envelope_parse(struct envelope *env, const char *bytes, size_t n,
    struct sbuf *why) __attribute__((warn_unused_result));
void envelope_free(struct envelope *env);
/* Without it every queue is its own stage. */
void envelope_set_stages(struct envelope *env, envelope_stage_fn *fn,
    void *ctx);

/* Value of a field, or NULL.  Only sealed blocks of the field's owner count
 * (spool-layout/envelope.md has the list); a later block's value replaces an
 * earlier one's.  A name the list does not know counts from any block,
 * X-QUEUE-Name only from that queue.  The first value where the block repeats
 * the name. */
const char *envelope_get(const struct envelope *env, const char *name);
/* All values of a list field: start with *at = 0; NULL at the end. */
const char *envelope_next(const struct envelope *env, const char *name,
    size_t *at);
/* A field's value as number, or its first word ("702 crc32=..."): 1, 0 absent
 * or none. */
int envelope_number(const struct envelope *env, const char *name,
    unsigned long long *out);
/* The address of a <> field, brackets off, into *out: 1; 0 absent, or no
 * brackets.  "" is the null sender. */
int envelope_address(const struct envelope *env, const char *name,
    struct sbuf *out);
/* Last sealed trail (there is always one). */
const struct envelope_trail *envelope_last(const struct envelope *env);

/* May `stage`, standing at `queue`, write field `name`?  (For writers and
 * septet check.)  True too for what it may write into a creation block only;
 * nobody's are Trail, Claim and the magic, which only the spool writes. */
bool envelope_owns(const char *stage, const char *queue, const char *name);

/* Append "Name: value\n" to a block being composed, escaped.  A line that would
 * exceed ENVELOPE_LINE_MAX is cut at a character and ends in "...".  In a name,
 * what no name may hold becomes "-". */
void envelope_line(struct sbuf *block, const char *name, const char *value);

struct envelope_seal {
	int64_t time;
	const char *host;
	const char *queue;
	const char *exit;
	const char *to;         /* NULL: none */
	int64_t due;            /* 0: none */
	unsigned claim;         /* 0: none */
};

/* Append fields and their Trail to out, as they are to be appended to the file
 * that env was parsed from (env NULL: a new file; fields then begins with
 * ENVELOPE_MAGIC).  The seal covers the open Claim lines too. */
void envelope_seal(const struct envelope *env, const struct sbuf *fields,
    const struct envelope_seal *seal, struct sbuf *out);
/* Append the line "Claim: N queue=... owner=...". */
void envelope_claim(struct sbuf *out, unsigned n, const char *queue,
    const char *owner);

#endif
