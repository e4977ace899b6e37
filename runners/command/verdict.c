/* SPDX-License-Identifier: BSD-2-Clause
 *
 * verdict - what a moderator answered, passed on to moderation
 */
#include <string.h>

#include "common/base/esc.h"
#include "runners/command/command.h"

const char *
verdict_word(char letter)
{
	switch (letter) {
	case 'a':
		return "approve";
	case 'r':
		return "reject";
	case 'd':
		return "discard";
	default:
		return NULL;
	}
}

/* The held entry's ID out of "held id=... until=...": 1, 0. */
static int
read_hold(const char *request, struct sbuf *id)
{
	struct sbuf word = {0};
	int rc;

	kv_head(request, &word);
	rc = strcmp(sbuf_str(&word), "held") == 0 &&
	    kv_get(request, "id", id) == 1 && id_is_valid(id->data);
	sbuf_free(&word);
	return rc;
}

static int
stage(struct order *o, const char *word, const char *token, const char *id)
{
	const char *by = envelope_get(entry_envelope(o->entry), "Mail-From");
	struct sbuf action = {0}, nothing = {0};
	struct child *c;

	c = entry_child(o->entry, 'v', runner_exit(o->runner, "verdict"));
	if (c == NULL || child_stage_message(c, &nothing, 0) == -1)
		return -1;
	sbuf_adds(&action, word);
	kv_add(&action, "by", by == NULL ? "unknown" : by);
	kv_add(&action, "via", "mail");
	kv_add(&action, "token", token);
	child_set(c, "Kind", "verdict");
	child_set(c, "Role", "verdict");
	child_set(c, "List", o->list->address);
	child_set(c, "About", id);
	child_set(c, "Action", action.data);
	sbuf_free(&action);
	return 0;
}

int
verdict_send(struct order *o, char letter, const char *token,
    uint64_t number)
{
	const char *word = verdict_word(letter);
	struct sbuf request = {0}, id = {0}, rest = {0};
	int rc;

	if (runner_exit(o->runner, "verdict") == NULL) {
		entry_bury(o->entry, "this queue has no exit verdict in the "
		    "site file");
		return 1;
	}
	rc = liststate_request_get(o->state, number, &request);
	if (rc == 1)
		rc = read_hold(sbuf_str(&request), &id);
	if (rc == 1 && stage(o, word, token, id.data) == -1)
		rc = -1;
	if (rc == 1) {
		kv_add(&rest, "about", id.data);
		order_note(o, word, rest.data, "passed-on");
	}
	sbuf_free(&request);
	sbuf_free(&id);
	sbuf_free(&rest);
	return rc;
}
