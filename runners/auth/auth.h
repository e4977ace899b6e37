/* SPDX-License-Identifier: BSD-2-Clause
 *
 * auth - who sent this, and how sure are we?
 */
#ifndef SEPTET_AUTH_H
#define SEPTET_AUTH_H

#include <stdbool.h>

#include "common/base/strv.h"
#include "common/process/runner.h"

void *auth_init(struct runner *r);
int auth_handle(struct runner *r, struct entry *e);
void auth_fini(struct runner *r, void *data);

/* Take one Authentication-Results value (unfolded, trusted) apart and append
 * an item per method: "dkim=pass header.d=example.net by=mx.example.org"
 * (RFC 8601 section 2.2; comments and reasons are left out). */
void results_split(const char *value, struct strv *out);

enum results_verdict {
	RESULTS_NOTHING,        /* nothing that speaks of this address */
	RESULTS_PASS,           /* an aligned dmarc, dkim or spf pass */
	RESULTS_FAIL            /* an aligned dmarc fail: never the member */
};

/* What the items of results_split say of address.  is_envelope: the address is
 * the envelope sender's, for which spf counts. */
enum results_verdict results_judge(const struct strv *items,
    const char *address, bool is_envelope);

#endif
