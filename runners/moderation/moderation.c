/* SPDX-License-Identifier: BSD-2-Clause
 *
 * moderation - does the list accept it?
 *
 * Members' posts pass, others are held, rejected or discarded by the list's
 * policy; what was found and why stands in the envelope.  The only queue whose
 * held/ waits for people.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "runners/moderation/moderation.h"

#define RULES_MAX 16
/* held/ is looked through at most this often. */
#define EXPIRE_EVERY (10 * 60 * 1000)

void *
moderation_init(struct runner *r)
{
	struct moderation *m = xcalloc(1, sizeof(*m));

	(void)r;
	m->db = listdb_open(STORE_WRITE);
	return m;
}

void
moderation_fini(struct runner *r, void *data)
{
	struct moderation *m = data;

	(void)r;
	listdb_close(&m->db);
	free(m);
}

int
moderation_batch_end(struct runner *r)
{
	struct moderation *m = runner_data(r);

	return listdb_commit(m->db);
}

void
moderation_set(struct entry *e, const char *name, const char *value)
{
	if (*value != '\0' || envelope_get(entry_envelope(e), name) != NULL)
		entry_set(e, name, value);
}

/* The member that auth found, looked at again: a member who was put under
 * moderation meanwhile is held. */
static int
read_member(struct runner *r, const struct envelope *env,
    const struct list *list, struct policy_input *in)
{
	struct moderation *m = runner_data(r);
	const char *identity = envelope_get(env, "Identity");
	struct roster_member member = {0};
	struct roster *roster;
	long long id;
	int rc;

	if (identity == NULL || kv_getn(identity, "member", &id) != 1)
		return 0;
	roster = listdb_roster(m->db, list);
	if (roster == NULL)
		return -1;
	rc = roster_get_id(roster, (unsigned long long)id, &member);
	in->is_member = rc == 1;
	in->is_moderated = rc == 1 && member.status == ROSTER_MODERATED;
	roster_member_free(&member);
	return rc == -1 ? -1 : 0;
}

/* Did bounce send it here?  What was done to it on the way, or here before (a
 * defer), is passed over. */
static bool
is_from_bounce(const struct runner *r, const struct envelope *env)
{
	static const char *const moves[] = {"defer", "back", "carried",
	    "requeue"};
	size_t i, k;

	for (i = env->n_blocks; i > 0; i--) {
		const struct envelope_trail *t = &env->trails[i - 1];

		for (k = 0; k < sizeof(moves) / sizeof(moves[0]); k++) {
			if (strcmp(t->exit, moves[k]) == 0)
				break;
		}
		if (k == sizeof(moves) / sizeof(moves[0]))
			return strcmp(site_stage(runner_site(r), t->queue),
			    "bounce") == 0;
	}
	return false;
}

static int
read_input(struct runner *r, const struct entry *e, const struct list *list,
    struct policy_input *in)
{
	const struct envelope *env = entry_envelope(e);
	const char *kind = envelope_get(env, "Auto");
	struct sbuf sender = {0};

	memset(in, 0, sizeof(*in));
	in->list = list;
	(void)envelope_number(env, "Size", &in->size);
	in->is_automatic = kind != NULL && strcmp(kind, "no") != 0;
	in->is_auto_replied = kind != NULL &&
	    strcmp(kind, "auto-replied") == 0;
	in->is_null_sender = envelope_address(env, "Mail-From", &sender) ==
	    1 && sender.len == 0;
	in->is_bounce = is_from_bounce(r, env);
	sbuf_free(&sender);
	return read_member(r, env, list, in);
}

static void
write_rules(struct entry *e, const struct policy_input *in,
    const struct policy_rule *rules, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(rules[i].name, "size") == 0)
			entry_setf(e, "Rule",
			    "%s action=%s value=%llu limit=%llu", rules[i].name, list_action_name(rules[i].action),
			    in->size,
			    (unsigned long long)in->list->size_limit);
		else
			entry_setf(e, "Rule", "%s action=%s", rules[i].name,
			    list_action_name(rules[i].action));
	}
	entry_set(e, "Verdict", list_action_name(rules[0].action));
	moderation_set(e, "Reason", rules[0].reason == NULL ? "" :
	    rules[0].reason);
	moderation_set(e, "Notice", rules[0].action == LIST_REJECT ?
	    "post-rejected to=sender" : "");
}

static int
judge(struct runner *r, struct entry *e, const struct list *list)
{
	struct policy_rule rules[RULES_MAX];
	struct policy_input in;
	size_t n;

	if (read_input(r, e, list, &in) == -1)
		return -1;
	n = policy_judge(&in, rules, RULES_MAX);
	write_rules(e, &in, rules, n);
	switch (rules[0].action) {
	case LIST_ACCEPT:
		runner_forward(r, e, "accept");
		break;
	case LIST_HOLD:
		return hold_entry(r, e, &in, rules[0].reason);
	case LIST_REJECT:
		runner_forward(r, e, "reject");
		break;
	case LIST_DISCARD:
		entry_done(e, "discard");
		break;
	}
	return 0;
}

int
moderation_look(struct runner *r)
{
	struct moderation *m = runner_data(r);
	int64_t now = clock_mono_ms();

	if (m->expired != 0 && now - m->expired < EXPIRE_EVERY)
		return 0;
	m->expired = now;
	return holds_expire(r);
}

int
moderation_handle(struct runner *r, struct entry *e)
{
	struct moderation *m = runner_data(r);
	const char *role = envelope_get(entry_envelope(e), "Role");
	const struct list *list;

	if (role != NULL && strcmp(role, "verdict") == 0)
		return verdict_handle(r, e);
	if (!runner_list(r, e, &list))
		return 0;
	/* One list's broken roster or state is that list's trouble alone. */
	if (listdb_roster(m->db, list) == NULL) {
		runner_defer_error(r, e, "the list's roster");
		return 0;
	}
	if (listdb_state(m->db, list) == NULL) {
		runner_defer_error(r, e, "the list's state");
		return 0;
	}
	return judge(r, e, list);
}
