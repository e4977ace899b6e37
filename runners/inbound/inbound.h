/* SPDX-License-Identifier: BSD-2-Clause
 *
 * inbound - which list and role is this for, is it whole and sane?
 */
#ifndef SEPTET_INBOUND_H
#define SEPTET_INBOUND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/domain/limits.h"
#include "common/process/runner.h"

/* More Received fields than this are a loop (RFC 5321 section 6.3). */
#define INBOUND_HOPS_MAX 100
/* A file that names more addresses of this site is nobody's mail. */
#define INBOUND_RECIPIENTS_MAX 100

struct inbound {
	struct limits *duplicates; /* SPOOL/.duplicates.tdb */
	bool is_open;           /* its transaction, one for a batch */
	unsigned asked;         /* since it was last pruned */
};

void *inbound_init(struct runner *r);
int inbound_adopt(struct runner *r, const char *name, struct entry **e);
int inbound_handle(struct runner *r, struct entry *e);
int inbound_batch_end(struct runner *r);
void inbound_fini(struct runner *r, void *data);

/* What a message was found to be when it was read through, once. */
struct facts {
	struct sbuf header;     /* its own block, with the blank line */
	size_t body;            /* offset */
	unsigned long long size;
	uint32_t crc;
	bool is_8bit;           /* a body byte over 0x7f */
	char sha256[65];        /* of the body, hex */
};

/* Read the entry's message: 1; 0 the entry is buried, since the message is not
 * whole or not sane; -1 trouble. */
int facts_read(struct runner *r, struct entry *e, struct facts *f)
    __attribute__((warn_unused_result));
/* Write what the header says, and Size, Crc32, Body-Offset where the entry's
 * are not these. */
void facts_write(struct runner *r, struct entry *e, const struct facts *f);
/* Message-ID with its brackets, or the one derived from the entry's root. */
void facts_message_id(struct runner *r, const struct entry *e,
    const struct facts *f, struct sbuf *out);
void facts_free(struct facts *f);

/* Set a field that is inbound's; an empty value only where it has to hide what
 * an earlier visit wrote. */
void inbound_set(struct entry *e, const char *name, const char *value);

/* entry_bury, and a line in the log that says why. */
void inbound_bury(struct entry *e, const char *why);
/* The envelope sender without brackets; NULL where nobody knows it. */
const char *inbound_sender(const struct entry *e, struct sbuf *storage);

/* Whom a message without an envelope recipient is for: each address of this
 * site that its header names (mail-rules: Dropped files), and each list and
 * role once.  0; -1: errno of a list that cannot be read, E2BIG for more than
 * INBOUND_RECIPIENTS_MAX. */
int recipients_find(struct lists *lists, const char *block, size_t len,
    struct strv *out) __attribute__((warn_unused_result));

/* The header that goes to owners: a Received and an X-Loop on top, the rest
 * as it came but for Return-Path and Bcc.  Ends in its blank line. */
struct owner_head {
	const struct site *site;
	const char *id;         /* of the entry */
	const char *loop;       /* address for X-Loop */
	bool is_smtp;
};

void owner_head(const struct owner_head *in, const struct sbuf *old,
    struct sbuf *out);
/* Send the entry on to a list's owners; list NULL: to the site's.  0, -1. */
int owner_forward(struct runner *r, struct entry *e, const struct facts *f,
    const struct list *list) __attribute__((warn_unused_result));

#endif
