/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_message - what header blocks say about a message
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mail/address.h"
#include "common/mail/message.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define A16 "aaaaaaaaaaaaaaaa"
#define A256 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16

START_TEST(test_auto_names)
{
	static const char *const names[] = {"no", "auto-generated",
	    "auto-replied", "bulk", "report"};
	enum message_auto kind;

	for (size_t i = 0; i < N(names); i++) {
		ck_assert_int_eq(message_auto_parse(names[i], &kind), 0);
		ck_assert_int_eq((int)kind, (int)i);
		ck_assert_str_eq(message_auto_name(kind), names[i]);
	}
	ck_assert_int_eq(message_auto_parse("", &kind), -1);
	ck_assert_int_eq(message_auto_parse("NO", &kind), -1);
}
END_TEST

static const struct {
	const char *block;
	const char *sender;
	enum message_auto want;
} autos[] = {
	{"From: ann@example.net\n", "ann@example.net", MESSAGE_AUTO_NO},
	{"", NULL, MESSAGE_AUTO_NO},
	{"Auto-Submitted: no\n", "a@b", MESSAGE_AUTO_NO},
	{"Auto-Submitted: (a person) No\n", "a@b", MESSAGE_AUTO_NO},
	{"Auto-Submitted: \n", "a@b", MESSAGE_AUTO_NO},
	{"Auto-Submitted: auto-generated\n", "a@b", MESSAGE_AUTO_GENERATED},
	{"Auto-Submitted: Auto-Notified; owner-email=x\n", "a@b",
	    MESSAGE_AUTO_GENERATED},
	{"auto-submitted: auto-replied\n", "a@b", MESSAGE_AUTO_REPLIED},
	{"Auto-Submitted:\n auto-replied (vacation)\n", "a@b",
	    MESSAGE_AUTO_REPLIED},
	{"Auto-Submitted: auto-replied;x=y\n", "", MESSAGE_AUTO_REPLIED},
	/* the tracker's own word is stronger than its precedence */
	{"Precedence: bulk\nAuto-Submitted: auto-generated\n", "a@b",
	    MESSAGE_AUTO_GENERATED},
	{"X-Auto-Response-Suppress: All\n", "a@b", MESSAGE_AUTO_GENERATED},
	{"X-Auto-Response-Suppress: None\n", "a@b", MESSAGE_AUTO_NO},
	{"X-Autoreply: yes\n", "a@b", MESSAGE_AUTO_REPLIED},
	{"X-Autoreply: no\n", "a@b", MESSAGE_AUTO_NO},
	{"X-Autorespond: back on Monday\n", "a@b", MESSAGE_AUTO_REPLIED},
	{"Precedence: auto_reply\n", "a@b", MESSAGE_AUTO_REPLIED},
	{"Auto-Submitted: auto-generated\nX-Autoreply: yes\n", "a@b",
	    MESSAGE_AUTO_REPLIED},
	{"Auto-Submitted: no\nX-Autoreply: yes\n", "a@b", MESSAGE_AUTO_NO},
	{"Precedence: bulk\n", "a@b", MESSAGE_AUTO_BULK},
	{"Precedence: JUNK\n", "a@b", MESSAGE_AUTO_BULK},
	{"Precedence: list\n", "a@b", MESSAGE_AUTO_BULK},
	{"Precedence: first-class\n", "a@b", MESSAGE_AUTO_NO},
	{"Precedence: bulky\n", "a@b", MESSAGE_AUTO_NO},
	/* a bounce that also says auto-replied is a bounce */
	{"Auto-Submitted: auto-replied\nContent-Type: multipart/report;\n"
	    "\treport-type=delivery-status\n", "", MESSAGE_AUTO_REPORT},
	{"From: MAILER-DAEMON (Mail Delivery)\n", NULL, MESSAGE_AUTO_REPORT},
};

START_TEST(test_auto)
{
	enum message_auto kind;

	kind = message_auto_of(autos[_i].block, strlen(autos[_i].block),
	    autos[_i].sender);
	ck_assert_str_eq(message_auto_name(kind),
	    message_auto_name(autos[_i].want));
}
END_TEST

static const struct {
	const char *block;
	const char *sender;
	bool want;
} reports[] = {
	{"Content-Type: multipart/report; boundary=x\n", "a@b", true},
	{"Content-Type: Multipart/REPORT\n", "a@b", true},
	{"Content-Type: multipart (x) / report ;\n", "a@b", true},
	{"Content-Type: multipart/reports\n", "", false},
	{"Content-Type: multipart/repor\n", "", false},
	{"Content-Type: multipart/mixed; x=\"multipart/report\"\n", "", false},
	{"Content-Type:\n", "", false},
	{"From: MAILER-DAEMON@mx.example.net (Mail Delivery System)\n", "a@b",
	    true},
	{"From: Mail Delivery Subsystem <mailer-daemon@mx.example.net>\n", "",
	    true},
	{"From: Mail <MAILER-DAEMON>\n", "", true},
	{"From: \"MAILER-DAEMON\"@mx.example.net\n", "", true},
	{"From: mailer-daemons@example.net\n", "", false},
	{"From: MAILER-DAEMON <ann@example.net>\n", "a@b", false},
	{"From: ann+mailer-daemon@example.net\n", "a@b", false},
	{"From: Postmaster <postmaster@example.net>\n", "", true},
	/* people write from there too */
	{"From: Postmaster <postmaster@example.net>\n",
	    "postmaster@example.net", false},
	{"From: Postmaster <postmaster@example.net>\n", NULL, false},
	{"From: ann@example.net\n", "", false},
	{"From: <\n", "", false},
	{"X-Failed-Recipients: bob@example.org\nFrom: ann@example.net\n",
	    "", true},
	{"Subject: Undelivered Mail Returned to Sender\n", "a@b", false},
	{"", "", false},
};

START_TEST(test_report)
{
	ck_assert_msg(message_is_report(reports[_i].block,
	    strlen(reports[_i].block), reports[_i].sender) == reports[_i].want,
	    "%s", reports[_i].block);
}
END_TEST

START_TEST(test_hops)
{
	static const char block[] =
	    "Received: a\nX-Received: b\nRECEIVED: c\n d\n\nReceived: e\n";

	ck_assert_uint_eq(message_hops(block, sizeof(block) - 1), 2);
	ck_assert_uint_eq(message_hops("", 0), 0);
}
END_TEST

static const struct {
	const char *block;
	bool want;
} loops[] = {
	{"X-Loop: dev@lists.example.org\n", true},
	{"x-loop:  DEV@Lists.Example.Org \n", true},
	{"X-Loop: <dev@lists.example.org>\n", true},
	{"X-Loop: loop of dev@lists.example.org (list)\n", true},
	{"X-Loop: ops@lists.example.org\nX-Loop: devel@lists.example.org\n",
	    true},
	{"X-Loop: ops@lists.example.org, dev@lists.example.org\n", true},
	{"X-Loop: ops@lists.example.org\n", false},
	{"X-Loop: dev\n", false},
	{"X-Loop:\n", false},
	{"X-Loops: dev@lists.example.org\n", false},
	{"List-Id: dev@lists.example.org\n", false},
	{"Subject: x\n\nX-Loop: dev@lists.example.org\n", false},
};

START_TEST(test_loop)
{
	struct strv own = {0};

	strv_add(&own, "dev@lists.example.org");
	strv_add(&own, "devel@lists.example.org");
	ck_assert_msg(message_has_loop(loops[_i].block,
	    strlen(loops[_i].block), &own) == loops[_i].want, "%s",
	    loops[_i].block);
	strv_free(&own);
	ck_assert(!message_has_loop(loops[_i].block, strlen(loops[_i].block),
	    &own));
}
END_TEST

static const struct {
	const char *block;
	const char *want; /* NULL: none */
} ids[] = {
	{"Message-ID: <a@example.net>\n", "<a@example.net>"},
	{"message-id:<a@example.net>\n", "<a@example.net>"},
	{"Message-ID:\n <a@example.net>\n", "<a@example.net>"},
	{"Message-ID: <a\n @example.net>\n", "<a@example.net>"},
	{"Message-ID: <a b\x01\x7f@example.net> (x)\n", "<ab@example.net>"},
	{"Message-ID: (x) <a@example.net>\n", "<a@example.net>"},
	{"Message-ID: a@example.net\n", "<a@example.net>"},
	{"Message-ID: <no-at>\n", "<no-at>"},
	{"Message-ID: <a@x>\nMessage-ID: <b@x>\n", "<a@x>"},
	{"Message-ID: <>\n", NULL},
	{"Message-ID: < >\n", NULL},
	{"Message-ID: <a@example.net\n", NULL},
	{"Message-ID: a@example.net>\n", NULL},
	{"Message-ID: some words\n", NULL},
	{"Message-ID:\n", NULL},
	{"Subject: x\n", NULL},
	{"", NULL},
	{"Message-ID: <" A256 A256 A256 A256 "@example.net>\n", NULL},
};

START_TEST(test_id)
{
	struct sbuf id = {0};
	int rc;

	sbuf_set(&id, "left over");
	rc = message_id(ids[_i].block, strlen(ids[_i].block), &id);
	ck_assert_int_eq(rc, ids[_i].want != NULL);
	ck_assert_str_eq(sbuf_str(&id), ids[_i].want == NULL ? "" :
	    ids[_i].want);
	sbuf_free(&id);
}
END_TEST

START_TEST(test_needs_utf8)
{
	ck_assert(!message_needs_utf8("Subject: =?utf-8?q?=C3=BC?=\n", 29));
	ck_assert(message_needs_utf8("Subject: \xc3\xbc\n", 12));
	ck_assert(!message_needs_utf8("Subject: \xc3\xbc\n", 9));
	ck_assert(!message_needs_utf8("", 0));
}
END_TEST

/* Ours is what ends in "@lists.example.org"; "error@..." cannot be told. */
struct asked {
	int n;
};

static int
is_ours(void *ctx, const char *address)
{
	struct asked *asked = ctx;
	const char *at = strrchr(address, '@');

	asked->n++;
	if (strncmp(address, "error@", 6) == 0)
		return -1;
	return strcasecmp(at, "@lists.example.org") == 0;
}

#define DEV "dev@lists.example.org"
#define OPS "ops@lists.example.org"

static const struct {
	const char *block;
	const char *want; /* joined by spaces; NULL: -1 */
} recipients[] = {
	{"To: " DEV "\n", DEV},
	{"To: ann@example.net\nCc: Dev <" DEV ">, " OPS "\n", DEV " " OPS},
	{"Bcc: " DEV "\n", DEV},
	{"To: " DEV "\nTo: " OPS "\n", DEV " " OPS},
	{"To: " DEV ", DEV@Lists.Example.Org\nCc: \"dev\"@lists.example.org\n",
	    DEV},
	{"To: Lists: " DEV ", " OPS ";\n", DEV " " OPS},
	{"To: ann@example.net\n", ""},
	{"Subject: x\n", ""},
	{"", ""},
	/* Delivered-To and X-Original-To, topmost of each, come first. */
	{"Delivered-To: " OPS "\nTo: " DEV "\n", OPS},
	{"X-Original-To: <" OPS ">\nTo: " DEV "\n", OPS},
	{"Delivered-To: mailing list " OPS "\nTo: " DEV "\n", OPS},
	{"X-Original-To: " DEV "\nDelivered-To: " OPS "\n", OPS " " DEV},
	{"Delivered-To: " DEV "\nX-Original-To: " DEV "\n", DEV},
	{"Delivered-To: " DEV "\nDelivered-To: " OPS "\n", DEV},
	{"Delivered-To: joe@example.net\nDelivered-To: " OPS "\nTo: " DEV "\n",
	    DEV},
	{"Delivered-To:\nX-Original-To: nobody\nTo: " DEV "\n", DEV},
	/* then the newest resending */
	{"Resent-To: " OPS "\nResent-From: ann@example.net\nTo: " DEV "\n",
	    OPS},
	{"Resent-From: a@example.net\nResent-Cc: " OPS "\n"
	    "Resent-From: b@example.net\nResent-To: " DEV "\n", OPS},
	{"Resent-To: " OPS "\nReceived: x\nResent-Cc: " DEV "\n", OPS},
	{"Resent-To: " OPS "\nSubject: moved\nResent-Bcc: " DEV "\n",
	    OPS " " DEV},
	{"Resent-To: bob@example.net\nResent-Date: x\nResent-To: " OPS "\n"
	    "To: " DEV "\n", DEV},
	{"Resent-Date: x\nTo: " DEV "\n", DEV},
	/* who cannot be told of is an error, whoever else there is */
	{"To: " DEV ", error@lists.example.org\n", NULL},
	{"Delivered-To: error@lists.example.org\nTo: " DEV "\n", NULL},
};

START_TEST(test_recipients)
{
	struct asked asked = {0};
	struct sbuf joined = {0};
	struct strv out = {0};
	int rc;

	rc = message_recipients(recipients[_i].block,
	    strlen(recipients[_i].block), is_ours, &asked, &out);
	ck_assert_int_eq(rc, recipients[_i].want == NULL ? -1 : 0);
	for (size_t i = 0; i < out.n; i++)
		sbuf_printf(&joined, "%s%s", i > 0 ? " " : "", out.items[i]);
	if (recipients[_i].want != NULL)
		ck_assert_str_eq(sbuf_str(&joined), recipients[_i].want);
	strv_free(&out);
	sbuf_free(&joined);
}
END_TEST

START_TEST(test_recipients_are_bounded)
{
	struct asked asked = {0};
	struct sbuf block = {0};
	struct strv out = {0};

	sbuf_adds(&block, "To: x@example.net");
	for (int i = 0; i < 5000; i++)
		sbuf_printf(&block, ",\n a%d@example.net, a%d@example.net", i,
		    i);
	sbuf_adds(&block, "\nCc: " DEV "\n");
	ck_assert_int_eq(message_recipients(block.data, block.len, is_ours,
	    &asked, &out), 0);
	ck_assert_uint_eq(out.n, 0);
	/* 1000 candidates, all but the first twice there */
	ck_assert_int_eq(asked.n, 501);
	sbuf_free(&block);
}
END_TEST

#define OWN "mx.example.org"
#define BY_OWN "Received: from a (a [192.0.2.7]) by " OWN " (X) with ESMTP; d\n"
#define BY_OTHER "Received: from b by mx.example.net with ESMTP; d\n"
#define PASS "; dkim=pass header.d=example.net"

static const struct {
	const char *block;
	const char *want; /* values joined by | */
} auths[] = {
	{"Authentication-Results: " OWN PASS "\n" BY_OWN BY_OTHER, OWN PASS},
	{BY_OWN "Authentication-Results: " OWN PASS "\n" BY_OTHER, OWN PASS},
	{"Authentication-Results: MX.Example.Org" PASS "\n",
	    "MX.Example.Org" PASS},
	{"Authentication-Results: " OWN " 1" PASS "\n", OWN " 1" PASS},
	{"Authentication-Results: (ours) \"" OWN "\" (v) 1" PASS "\n",
	    "(ours) \"" OWN "\" (v) 1" PASS},
	{"Authentication-Results: " OWN ";\n dkim=pass;\n\tspf=fail\n",
	    OWN "; dkim=pass;\tspf=fail"},
	{"Authentication-Results: " OWN "; none\n" BY_OWN
	    "Authentication-Results: " OWN "; spf=pass\n",
	    OWN "; none|" OWN "; spf=pass"},
	{"Received: from x by in." OWN " with LMTP\n"
	    "Authentication-Results: " OWN PASS "\n", OWN PASS},
	/* not ours, of another version, or not whole */
	{"Authentication-Results: mx.example.net" PASS "\n", ""},
	{"Authentication-Results: in." OWN PASS "\n", ""},
	{"Authentication-Results: " OWN ".example.net" PASS "\n", ""},
	{"Authentication-Results: " OWN " 2" PASS "\n", ""},
	{"Authentication-Results: " OWN " 10" PASS "\n", ""},
	{"Authentication-Results: " OWN " dkim=pass\n", ""},
	{"Authentication-Results: " OWN "\n", ""},
	{"Authentication-Results: \"" OWN "\n", ""},
	{"Authentication-Results: (" OWN PASS "\n", ""},
	{"Authentication-Results:\n", ""},
	{"ARC-Authentication-Results: i=1; " OWN PASS "\n", ""},
	/* below a field that another host wrote */
	{BY_OTHER "Authentication-Results: " OWN PASS "\n", ""},
	{BY_OWN BY_OTHER BY_OWN "Authentication-Results: " OWN PASS "\n", ""},
	{"Received: (by " OWN ") from a\nAuthentication-Results: " OWN PASS
	    "\n", ""},
	{"Received: from a; by " OWN "\nAuthentication-Results: " OWN PASS
	    "\n", ""},
	{"Received: from by by " OWN "\nAuthentication-Results: " OWN PASS
	    "\n", ""},
	{"Received: by evil" OWN "\nAuthentication-Results: " OWN PASS "\n",
	    ""},
	{"Received:\nAuthentication-Results: " OWN PASS "\n", ""},
};

START_TEST(test_auth_results)
{
	struct strv trusted = {0}, out = {0};
	struct sbuf joined = {0};
	const char *block = auths[_i].block;

	message_auth_results(block, strlen(block), &trusted, &out);
	ck_assert_uint_eq(out.n, 0);
	strv_add(&trusted, "other.example.com");
	strv_add(&trusted, OWN);
	message_auth_results(block, strlen(block), &trusted, &out);
	for (size_t i = 0; i < out.n; i++)
		sbuf_printf(&joined, "%s%s", i > 0 ? "|" : "", out.items[i]);
	ck_assert_str_eq(sbuf_str(&joined), auths[_i].want);
	strv_free(&trusted);
	strv_free(&out);
	sbuf_free(&joined);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("message");
	TCase *tc = tcase_create("message");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, test_auto_names);
	tcase_add_loop_test(tc, test_auto, 0, N(autos));
	tcase_add_loop_test(tc, test_report, 0, N(reports));
	tcase_add_test(tc, test_hops);
	tcase_add_loop_test(tc, test_loop, 0, N(loops));
	tcase_add_loop_test(tc, test_id, 0, N(ids));
	tcase_add_test(tc, test_needs_utf8);
	tcase_add_loop_test(tc, test_recipients, 0, N(recipients));
	tcase_add_test(tc, test_recipients_are_bounded);
	tcase_add_loop_test(tc, test_auth_results, 0, N(auths));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
