/* SPDX-License-Identifier: BSD-2-Clause
 *
 * policy - the rules of a list over one post
 */
#include <string.h>

#include "runners/moderation/moderation.h"

static const int strictness[] = {
	[LIST_ACCEPT] = 0, [LIST_HOLD] = 1, [LIST_REJECT] = 2,
	[LIST_DISCARD] = 3};

static bool
is_closed(const struct policy_input *in)
{
	return in->list->is_closed;
}

static bool
is_too_large(const struct policy_input *in)
{
	return in->size > in->list->size_limit;
}

/* Vacation answers and the like: a person looks, nobody is answered. */
static bool
is_automatic(const struct policy_input *in)
{
	return in->is_auto_replied || in->is_null_sender;
}

static bool
is_moderated(const struct policy_input *in)
{
	return in->is_member && in->is_moderated;
}

static bool
is_member(const struct policy_input *in)
{
	return in->is_member;
}

static bool
is_nonmember(const struct policy_input *in)
{
	return !in->is_member;
}

/* from: the list's setting the action is taken from; else the action is
 * fixed. */
enum source { FIXED, MEMBER, NONMEMBER, SIZE };

static const struct {
	const char *name;
	bool (*matches)(const struct policy_input *in);
	enum source source;
	enum list_action action;
	const char *reason;
} rules_table[] = {
	{"closed", is_closed, FIXED, LIST_REJECT,
	    "status=5.7.1 text=\"the list takes no posts\""},
	{"automatic", is_automatic, FIXED, LIST_HOLD,
	    "text=\"an automatic answer\""},
	{"size", is_too_large, SIZE, LIST_HOLD,
	    "status=5.2.3 text=\"larger than the list allows\""},
	{"moderated-member", is_moderated, FIXED, LIST_HOLD,
	    "status=5.7.1 text=\"posts of this member are looked at first\""},
	{"nonmember", is_nonmember, NONMEMBER, LIST_HOLD,
	    "status=5.7.2 text=\"not a member\""},
	{"member", is_member, MEMBER, LIST_ACCEPT,
	    "status=5.7.1 text=\"posts of members are not simply taken\""},
};

/* What nobody could read is no post: no policy of posts is asked, and nothing
 * but a person lets it go. */
static const struct policy_rule bounce_rule = {"unrecognised-bounce",
	LIST_HOLD, "text=\"looks like a bounce that nobody can read\""};

static enum list_action
action_of(const struct policy_input *in, size_t i)
{
	switch (rules_table[i].source) {
	case MEMBER:
		return in->list->member_action;
	case NONMEMBER:
		return in->list->nonmember_action;
	case SIZE:
		return in->list->size_action;
	case FIXED:
		break;
	}
	return rules_table[i].action;
}

size_t
policy_judge(const struct policy_input *in, struct policy_rule *rules,
    size_t max)
{
	struct policy_rule first;
	size_t i, n = 0, top = 0;

	if (in->is_bounce) {
		rules[0] = bounce_rule;
		return 1;
	}
	for (i = 0; i < sizeof(rules_table) / sizeof(rules_table[0]); i++) {
		if (n == max || !rules_table[i].matches(in))
			continue;
		rules[n].name = rules_table[i].name;
		rules[n].action = action_of(in, i);
		rules[n].reason = rules[n].action == LIST_ACCEPT ? NULL :
		    rules_table[i].reason;
		if (strictness[rules[n].action] > strictness[rules[top].action])
			top = n;
		n++;
	}
	/* The strictest decides; the others stay, to be read. */
	first = rules[0];
	rules[0] = rules[top];
	rules[top] = first;
	return n;
}
