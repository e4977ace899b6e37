/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sender - will the sender of a held post hear of its refusal?
 */
#include "runners/septet/sender.h"

#include <string.h>

#include "common/base/esc.h"
#include "common/domain/roster.h"
#include "common/mail/address.h"

/* Did auth find out that this address wrote it? */
static bool
is_verified(const struct envelope *env, const char *sender)
{
	const char *identity = envelope_get(env, "Identity");
	const char *assurance = envelope_get(env, "Assurance");
	struct sbuf head = {0}, address = {0};
	bool is;

	if (identity == NULL || assurance == NULL ||
	    strcmp(assurance, "verified") != 0)
		return false;
	kv_head(identity, &head);
	is = address_unwrap(sbuf_str(&head), &address) == 0 &&
	    address_is_same(sbuf_str(&address), sender);
	sbuf_free(&head);
	sbuf_free(&address);
	return is;
}

/* 1, 0, -1 it cannot be known. */
static int
is_member(const struct cli *c, const char *list_name, const char *sender)
{
	struct lists *lists = lists_open(c->site);
	struct roster_member m = {0};
	struct roster *roster = NULL;
	const struct list *list;
	int rc = -1;

	if (lists != NULL && lists_get(lists, list_name, &list, NULL) == 1)
		roster = roster_open(list->dir, STORE_READ);
	if (roster != NULL)
		rc = roster_get(roster, sender, &m);
	roster_member_free(&m);
	roster_close(&roster);
	if (lists != NULL)
		lists_close(&lists);
	return rc;
}

const char *
sender_untold(const struct cli *c, const struct envelope *env)
{
	const char *automatic = envelope_get(env, "Auto");
	const char *list = envelope_get(env, "List");
	struct sbuf sender = {0};
	const char *why = NULL;

	if (envelope_address(env, "Mail-From", &sender) != 1 ||
	    sender.len == 0)
		why = "there is none";
	else if (automatic != NULL && strcmp(automatic, "no") != 0)
		why = "a program wrote";
	else if (list != NULL && !is_verified(env, sender.data) &&
	    is_member(c, list, sender.data) == 0)
		why = "no member";
	sbuf_free(&sender);
	return why;
}
