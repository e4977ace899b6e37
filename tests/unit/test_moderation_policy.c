/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_moderation_policy - which of a list's rules decides over a post
 *
 * test-objects: runners/moderation/policy.c
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "runners/moderation/moderation.h"

enum {
	MEMBER = 1, MODERATED = 2, REPLIED = 4, NULL_SENDER = 8, BOUNCE = 16,
	LARGE = 32, CLOSED = 64
};

static const struct {
	int is;
	/* the list's actions for members, non-members, size */
	enum list_action member, nonmember, size;
	const char *rules;      /* "name=action ...", the deciding one first */
	const char *reason;     /* in its reason; NULL: it has none */
} posts[] = {
	{MEMBER, LIST_ACCEPT, LIST_HOLD, LIST_HOLD, "member=accept", NULL},
	{MEMBER, LIST_HOLD, LIST_ACCEPT, LIST_HOLD, "member=hold",
	    "not simply taken"},
	{MEMBER, LIST_REJECT, LIST_ACCEPT, LIST_HOLD, "member=reject",
	    "5.7.1"},
	{MEMBER, LIST_DISCARD, LIST_ACCEPT, LIST_HOLD, "member=discard", ""},
	{0, LIST_ACCEPT, LIST_HOLD, LIST_HOLD, "nonmember=hold", "5.7.2"},
	{0, LIST_ACCEPT, LIST_ACCEPT, LIST_HOLD, "nonmember=accept", NULL},
	{0, LIST_ACCEPT, LIST_REJECT, LIST_HOLD, "nonmember=reject", "5.7.2"},
	{0, LIST_ACCEPT, LIST_DISCARD, LIST_HOLD, "nonmember=discard",
	    "not a member"},
	/* moderated says something only of a member */
	{MEMBER | MODERATED, LIST_ACCEPT, LIST_ACCEPT, LIST_HOLD,
	    "moderated-member=hold member=accept", "looked at first"},
	{MODERATED, LIST_ACCEPT, LIST_ACCEPT, LIST_HOLD, "nonmember=accept",
	    NULL},
	/* size */
	{MEMBER | LARGE, LIST_ACCEPT, LIST_HOLD, LIST_HOLD,
	    "size=hold member=accept", "5.2.3"},
	{MEMBER | LARGE, LIST_ACCEPT, LIST_HOLD, LIST_REJECT,
	    "size=reject member=accept", "5.2.3"},
	{MEMBER | LARGE, LIST_ACCEPT, LIST_HOLD, LIST_ACCEPT,
	    "size=accept member=accept", NULL},
	{LARGE, LIST_ACCEPT, LIST_HOLD, LIST_HOLD,
	    "size=hold nonmember=hold", "5.2.3"},
	{LARGE, LIST_ACCEPT, LIST_DISCARD, LIST_REJECT,
	    "nonmember=discard size=reject", "5.7.2"},
	/* automatic answers */
	{MEMBER | REPLIED, LIST_ACCEPT, LIST_HOLD, LIST_HOLD,
	    "automatic=hold member=accept", "automatic"},
	{MEMBER | NULL_SENDER, LIST_ACCEPT, LIST_HOLD, LIST_HOLD,
	    "automatic=hold member=accept", "automatic"},
	{REPLIED, LIST_ACCEPT, LIST_DISCARD, LIST_HOLD,
	    "nonmember=discard automatic=hold", "5.7.2"},
	/* closed beats what would hold, not what discards */
	{MEMBER | CLOSED, LIST_ACCEPT, LIST_HOLD, LIST_HOLD,
	    "closed=reject member=accept", "takes no posts"},
	{MEMBER | MODERATED | CLOSED, LIST_ACCEPT, LIST_HOLD, LIST_HOLD,
	    "closed=reject moderated-member=hold member=accept",
	    "takes no posts"},
	{CLOSED, LIST_ACCEPT, LIST_DISCARD, LIST_HOLD,
	    "nonmember=discard closed=reject", "5.7.2"},
	/* an unrecognised bounce is no post, whatever the list says of posts */
	{BOUNCE, LIST_ACCEPT, LIST_ACCEPT, LIST_HOLD,
	    "unrecognised-bounce=hold", "bounce"},
	{BOUNCE | NULL_SENDER | LARGE | CLOSED, LIST_DISCARD, LIST_DISCARD,
	    LIST_DISCARD, "unrecognised-bounce=hold", "bounce"},
	{BOUNCE | MEMBER, LIST_ACCEPT, LIST_DISCARD, LIST_HOLD,
	    "unrecognised-bounce=hold", "bounce"},
};

START_TEST(test_judge)
{
	struct policy_rule rules[16];
	struct policy_input in = {0};
	struct sbuf got = {0};
	struct list list = {0};
	int is = posts[_i].is;
	size_t n;

	list.member_action = posts[_i].member;
	list.nonmember_action = posts[_i].nonmember;
	list.size_action = posts[_i].size;
	list.size_limit = 1000;
	list.is_closed = (is & CLOSED) != 0;
	in.list = &list;
	in.is_member = (is & MEMBER) != 0;
	in.is_moderated = (is & MODERATED) != 0;
	in.is_auto_replied = (is & REPLIED) != 0;
	in.is_null_sender = (is & NULL_SENDER) != 0;
	in.is_bounce = (is & BOUNCE) != 0;
	in.size = (is & LARGE) != 0 ? 1001 : 1000;
	n = policy_judge(&in, rules, 16);
	for (size_t i = 0; i < n; i++)
		sbuf_printf(&got, "%s%s=%s", i == 0 ? "" : " ",
		    rules[i].name, list_action_name(rules[i].action));
	ck_assert_str_eq(sbuf_str(&got), posts[_i].rules);
	if (posts[_i].reason == NULL) {
		ck_assert_ptr_null(rules[0].reason);
	} else {
		ck_assert_ptr_nonnull(rules[0].reason);
		ck_assert_ptr_nonnull(strstr(rules[0].reason,
		    posts[_i].reason));
	}
	sbuf_free(&got);
}
END_TEST

/* With room for one rule there is still a verdict. */
START_TEST(test_little_room)
{
	struct list list = {.is_closed = true};
	struct policy_input in = {.list = &list, .is_member = true};
	struct policy_rule rule;

	ck_assert_uint_eq(policy_judge(&in, &rule, 1), 1);
	ck_assert_str_eq(rule.name, "closed");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("moderation_policy");
	TCase *tests = tcase_create("policy");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tests, test_judge, 0,
	    (int)(sizeof(posts) / sizeof(posts[0])));
	tcase_add_test(tests, test_little_room);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
