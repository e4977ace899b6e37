/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_command_request - which commands a mail has, and what an extension is
 *
 * test-objects: runners/command/request.c runners/command/subscribe.c runners/command/verdict.c runners/command/answer.c runners/command/command.c runners/command/notice.c runners/command/held.c runners/command/disabled.c
 */
#include <check.h>
#include <string.h>

#include "common/mail/token.h"
#include "runners/command/command.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TOKEN26 "abcdefghijklmnopqrstuvwxyz"

static const struct {
	const char *subject, *text;
	const char *want;       /* j l h p; '!' another's address */
} cases[] = {
	{"", "", ""},
	{"subscribe", "", "j"},
	{"JOIN", "", "j"},
	{"sub", "", "j"},
	{"unsubscribe", "", "l"},
	{"leave", "", "l"},
	{"signoff", "", "l"},
	{"help", "", "h"},
	{"info", "", "h"},
	{"ping", "", "p"},
	{"Re: subscribe", "", "j"},
	{"AW: Re:join", "", "j"},
	{"Fwd: leave", "", "l"},
	{"Reply: leave", "", ""},
	{"Re", "", ""},
	{"Re:", "", ""},
	{"subscribed", "", ""},
	{"please subscribe me", "", ""},
	/* The text: blank lines pass, junk ends it. */
	{"hello", "join\n", "j"},
	{"", "join", "j"},
	{"", "\n \t\n\r\n  join\r\n", "j"},
	{"", "join\nleave\nhelp\nping\n", "jlhp"},
	{"", "help\nbla\njoin\n", "h"},
	{"", "bla\njoin\n", ""},
	{"", "> join\n", ""},
	{"", "help\n-- \njoin\n", "h"},
	{"", "help\n--\njoin\n", "h"},
	{"", "end\njoin\n", ""},
	{"help", "join\n", "hj"},
	{"nothing", "-- \njoin\n", ""},
	/* Each once. */
	{"join", "subscribe\njoin\nsub\nleave\njoin\n", "jl"},
	/* Ten lines of commands, the subject's too. */
	{"", "help\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\njoin\n",
	    "hj"},
	{"", "help\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\n"
	    "join\n", "h"},
	{"help", "help\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\n"
	    "join\n", "h"},
	/* Words after the command. */
	{"subscribe dev Ann Smith", "", "j"},
	{"", "subscribe ann@example.net\n", "j"},
	{"", "subscribe <Ann@EXAMPLE.net>\n", "j"},
	{"", "subscribe \"ann@example.net\"\n", "j"},
	{"", "subscribe dev address=<bob@example.net>\n", "!"},
	{"", "subscribe bob@example.net\n", "!"},
	{"", "leave bob@example.net\nhelp\n", "h!"},
	{"", "join @\n", "!"},
	{"", "join\nbob@example.net\n", "j"},
	{"", "help bob@example.net\n", "h"},
};

static void
parse(const char *subject, const char *text, char *got)
{
	static const char letters[] = {'j', 'l', 'h', 'p'};
	struct request q;
	size_t i, n;

	request_parse(subject, text, "ann@example.net", &q);
	n = q.n;
	ck_assert_uint_le(n, COUNT(letters));
	for (i = 0; i < n; i++)
		got[i] = letters[q.commands[i]];
	if (q.names_other)
		got[n++] = '!';
	got[n] = '\0';
	request_free(&q);
}

START_TEST(test_cases)
{
	char got[REQUEST_COMMANDS_MAX + 2];

	parse(cases[_i].subject, cases[_i].text, got);
	ck_assert_msg(strcmp(got, cases[_i].want) == 0,
	    "\"%s\" \"%s\": \"%s\", not \"%s\"", cases[_i].subject,
	    cases[_i].text, got, cases[_i].want);
}
END_TEST

/* A word of any length is one word. */
START_TEST(test_long_words)
{
	char got[REQUEST_COMMANDS_MAX + 2];
	struct sbuf text = {0};
	int i;

	sbuf_adds(&text, "help ");
	for (i = 0; i < 100000; i++)
		sbuf_addc(&text, 'x');
	sbuf_adds(&text, "\njoin");
	parse("", text.data, got);
	ck_assert_str_eq(got, "hj");
	sbuf_truncate(&text, 0);
	sbuf_adds(&text, "join ");
	for (i = 0; i < 100000; i++)
		sbuf_addc(&text, '<');
	sbuf_adds(&text, "@");
	parse("", text.data, got);
	ck_assert_str_eq(got, "j");
	sbuf_free(&text);
}
END_TEST

#define X20 "12345678901234567890"
#define TEN "help\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\nhelp\n"

static const struct {
	const char *text, *unknown;
	bool has_rest, is_cut;
	const char *subject;
} unread[] = {
	/* The subject's command, and text that is none. */
	{"Hello,\nI wish to help.\n", "", false, false, "join"},
	{"Hello,\n help\n", "Hello,", true, false, "join"},
	{"help\nfoo\nbar\n", "foo", true, false, "join"},
	{"Hello,\nfoo\n", "Hello,", true, false, "foo"},
	{"help\n", "", false, false, ""},
	{"help\nfoo bar\njoin\n", "foo bar", true, false, ""},
	{"help\n \tfoo bar\r\n\n", "foo bar", false, false, ""},
	{"foo", "foo", false, false, ""},
	{"foo\tbar\n\n \nx", "foo bar", true, false, ""},
	/* What ends the commands by intent. */
	{"help\n-- \nfoo\n", "", false, false, ""},
	{"help\n--\n", "", false, false, ""},
	{"help\nEND\nfoo\n", "", false, false, ""},
	{"> help\nfoo\n", "", false, false, ""},
	{"endless\n", "endless", false, false, ""},
	/* Cut, and not inside a character. */
	{X20 X20 X20 "\n", X20 X20 X20, false, false, ""},
	{X20 X20 X20 "1\n", X20 X20 X20 "...", false, false, ""},
	{X20 X20 "1234567890123456789\xc3\xa4\n",
	    X20 X20 "1234567890123456789...", false, false, ""},
	{TEN, "", false, false, ""},
	{TEN " \n\t\n", "", false, false, ""},
	{TEN "-- \nfoo\n", "", false, false, ""},
	{TEN "\n\n-- \nfoo\n", "", false, false, ""},
	{TEN "join\n", "", false, true, ""},
	{TEN "foo\n", "", false, true, ""},
};

START_TEST(test_unread)
{
	struct request q;

	request_parse(unread[_i].subject, unread[_i].text, "ann@example.net",
	    &q);
	ck_assert_str_eq(sbuf_str(&q.unknown), unread[_i].unknown);
	ck_assert_int_eq(q.has_rest, unread[_i].has_rest);
	ck_assert_int_eq(q.is_cut, unread[_i].is_cut);
	request_free(&q);
}
END_TEST

START_TEST(test_date)
{
	char date[ANSWER_DATE_SIZE];

	answer_date(1795165200000, date);
	ck_assert_str_eq(date, "2026-11-20 09:00 UTC");
}
END_TEST

static const struct {
	const char *extension;
	int rc;
	char letter;
	const char *token;
} extensions[] = {
	{TOKEN26, 0, '\0', TOKEN26},
	{"a" TOKEN26, 0, 'a', TOKEN26},
	{"r" TOKEN26, 0, 'r', TOKEN26},
	{"D" TOKEN26, 0, 'd', TOKEN26},
	{"x" TOKEN26, -1, 'x', NULL},
	{"aa" TOKEN26, -1, '\0', NULL},
	{"", -1, '\0', NULL},
	{"a", -1, '\0', NULL},
	{"bcdefghijklmnopqrstuvwxyz", -1, '\0', NULL},
};

START_TEST(test_extensions)
{
	const char *token;
	char letter;

	ck_assert_uint_eq(strlen(TOKEN26), TOKEN_CHARS);
	ck_assert_int_eq(confirm_split(extensions[_i].extension, &letter,
	    &token), extensions[_i].rc);
	if (extensions[_i].rc == -1)
		return;
	ck_assert_int_eq(letter, extensions[_i].letter);
	ck_assert_str_eq(token, extensions[_i].token);
}
END_TEST

START_TEST(test_verdict_words)
{
	int c;

	ck_assert_str_eq(verdict_word('a'), "approve");
	ck_assert_str_eq(verdict_word('r'), "reject");
	ck_assert_str_eq(verdict_word('d'), "discard");
	for (c = 0; c < 256; c++) {
		if (c == 0 || strchr("ard", c) == NULL)
			ck_assert_ptr_null(verdict_word((char)c));
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("command_request");
	TCase *tc = tcase_create("command_request");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, test_cases, 0, (int)COUNT(cases));
	tcase_add_loop_test(tc, test_unread, 0, (int)COUNT(unread));
	tcase_add_test(tc, test_date);
	tcase_add_test(tc, test_long_words);
	tcase_add_loop_test(tc, test_extensions, 0, (int)COUNT(extensions));
	tcase_add_test(tc, test_verdict_words);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
