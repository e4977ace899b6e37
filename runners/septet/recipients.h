/* SPDX-License-Identifier: BSD-2-Clause
 *
 * recipients - who was to get a message, and what became of it for each
 */
#ifndef SEPTET_RECIPIENTS_H
#define SEPTET_RECIPIENTS_H

#include <stdbool.h>

#include "common/base/sbuf.h"
#include "runners/septet/output.h"

/* Parts larger than this are not looked into. */
#define RECIPIENTS_MAX ((size_t)64 * 1024 * 1024)
/* More recipients than this are summed up, unless all are asked for. */
#define RECIPIENTS_SHOWN 20

struct recipients_query {
	const char *key;        /* of one address only (address_key), or NULL */
	bool is_all;
};

/* Counts by state of a distribution list. */
struct recipients_count {
	unsigned long total;
	unsigned long todo, done, failed, skipped, expired, other;
};

/* fd: a distribution list.  0 or -1 (EPROTO, ...). */
int recipients_count(int fd, struct recipients_count *out)
    __attribute__((warn_unused_result));
/* "48 delivered, 2 waiting". */
void recipients_summary(const struct recipients_count *n, struct sbuf *out);
/* Is key's address in it?  1, 0, -1. */
int recipients_has(int fd, const char *key)
    __attribute__((warn_unused_result));
/* Same address by key?  Cheap where both are plain ASCII. */
bool recipients_is(const char *address, const char *key);
/* Print recipients with the attempts in results, which are used up: as text,
 * or as the array "recipients" of *j where that is not NULL.  0 or -1. */
int recipients_print(int fd, struct sbuf *results,
    const struct recipients_query *query, struct json *j)
    __attribute__((warn_unused_result));

#endif
