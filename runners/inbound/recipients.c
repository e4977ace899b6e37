/* SPDX-License-Identifier: BSD-2-Clause
 *
 * recipients - whom a message is for that came without an envelope
 */
#include <errno.h>
#include <string.h>

#include "common/mail/message.h"
#include "runners/inbound/inbound.h"

struct search {
	struct lists *lists;
	struct strv targets;    /* found so far: list, role, extension */
	int error;
};

/* Two addresses that mean the same (an alias, dev-join and dev-subscribe) are
 * one; an extension matters only where it is a token. */
static void
describe(const struct lists_match *match, struct sbuf *out)
{
	sbuf_printf(out, "%s %s",
	    match->list == NULL ? "-" : match->list->address,
	    lists_role_name(match->role));
	if (match->role == ROLE_CONFIRM || match->role == ROLE_BOUNCES)
		sbuf_printf(out, " %s", sbuf_str(&match->extension));
}

static int
is_ours(void *ctx, const char *address)
{
	struct search *search = ctx;
	struct lists_match match = {0};
	struct sbuf target = {0};
	int rc;

	rc = lists_resolve(search->lists, address, &match);
	if (rc == -1)
		search->error = errno == 0 ? EIO : errno;
	if (rc == 1) {
		describe(&match, &target);
		if (strv_has(&search->targets, target.data))
			rc = 0;
		else
			strv_add(&search->targets, target.data);
	}
	if (search->targets.n > INBOUND_RECIPIENTS_MAX) {
		search->error = E2BIG;
		rc = -1;
	}
	sbuf_free(&target);
	lists_match_free(&match);
	return rc;
}

int
recipients_find(struct lists *lists, const char *block, size_t len,
    struct strv *out)
{
	struct search search = {.lists = lists};
	int rc;

	rc = message_recipients(block, len, is_ours, &search, out);
	strv_free(&search.targets);
	if (rc == -1)
		errno = search.error;
	return rc;
}
