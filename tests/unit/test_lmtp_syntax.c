/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_lmtp_syntax - arguments of MAIL, RCPT and XFORWARD, and what refuses
 * them
 */
/* test-objects: runners/lmtp/syntax.c runners/lmtp/xforward.c */
#include <check.h>
#include <string.h>

#include "runners/lmtp/syntax.h"

#define L32 "abcdefghijklmnopqrstuvwxyzabcdef"
#define L64 L32 L32
#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct {
	const char *text;
	const char *reply;      /* how the refusal begins; NULL: taken */
	const char *from;
	unsigned long long size;
	enum syntax_body body;
	bool is_utf8;
} mails[] = {
	{"FROM:<>", NULL, "", 0, SYNTAX_BODY_NONE, false},
	{"from:<ann@example.net>", NULL, "ann@example.net", 0,
	    SYNTAX_BODY_NONE, false},
	{"FROM: <ann@example.net>", NULL, "ann@example.net", 0,
	    SYNTAX_BODY_NONE, false},
	{"FROM:<ann@example.net> SIZE=0", NULL, "ann@example.net", 0,
	    SYNTAX_BODY_NONE, false},
	{"FROM:<ann@example.net>  size=4096  BODY=7BIT", NULL,
	    "ann@example.net", 4096, SYNTAX_BODY_7BIT, false},
	{"FROM:<ann@example.net> BODY=8bitmime SMTPUTF8", NULL,
	    "ann@example.net", 0, SYNTAX_BODY_8BIT, true},
	{"FROM:<\xc3\xa5sa@example.net> SMTPUTF8", NULL,
	    "\xc3\xa5sa@example.net", 0, SYNTAX_BODY_NONE, true},
	{"FROM:<ann@b\xc3\xbc" "cher.example> SMTPUTF8 SIZE=7", NULL,
	    "ann@b\xc3\xbc" "cher.example", 7, SYNTAX_BODY_NONE, true},
	{"FROM:<\"a b>c\\\"\"@example.net> SIZE=1", NULL,
	    "\"a b>c\\\"\"@example.net", 1, SYNTAX_BODY_NONE, false},
	{"FROM:<@a.example,@b.example:ann@example.net>", NULL,
	    "ann@example.net", 0, SYNTAX_BODY_NONE, false},
	{"FROM:<ann@[192.0.2.1]>", NULL, "ann@[192.0.2.1]", 0,
	    SYNTAX_BODY_NONE, false},
	{"FROM:<ann@[IPv6:2001:db8::1]>", NULL, "ann@[IPv6:2001:db8::1]", 0,
	    SYNTAX_BODY_NONE, false},
	{"FROM:<" L64 "@example.net>", NULL, L64 "@example.net", 0,
	    SYNTAX_BODY_NONE, false},
	{"FROM:<> SIZE=18446744073709551615", NULL, "", ~0ULL,
	    SYNTAX_BODY_NONE, false},

	{.text = "", .reply = "501 5.1.7"},
	{.text = "TO:<ann@example.net>", .reply = "501 5.1.7"},
	{.text = "FROM", .reply = "501 5.1.7"},
	{.text = "FROM:", .reply = "501 5.1.7"},
	{.text = "FROM:ann@example.net", .reply = "501 5.1.7"},
	{.text = "FROM:<ann@example.net", .reply = "501 5.1.7"},
	{.text = "FROM:<ann>", .reply = "501 5.1.7"},
	{.text = "FROM:<ann@>", .reply = "501 5.1.7"},
	{.text = "FROM:<@example.net>", .reply = "501 5.1.7"},
	{.text = "FROM:<@a.example", .reply = "501 5.1.7"},
	{.text = "FROM:<a<b@example.net>", .reply = "501 5.1.7"},
	{.text = "FROM:<a b@example.net>", .reply = "501 5.1.7"},
	{.text = "FROM:<\"a@example.net>", .reply = "501 5.1.7"},
	{.text = "FROM:<ann@example.net>SIZE=1", .reply = "501 5.1.7"},
	{.text = "FROM:<" L64 "x@example.net>", .reply = "501 5.1.7"},
	{.text = "FROM:<> SIZE", .reply = "501 5.5.4"},
	{.text = "FROM:<> SIZE=", .reply = "501 5.5.4"},
	{.text = "FROM:<> SIZE=12x", .reply = "501 5.5.4"},
	{.text = "FROM:<> SIZE=-1", .reply = "501 5.5.4"},
	{.text = "FROM:<> SIZE=184467440737095516150", .reply = "501 5.5.4"},
	{.text = "FROM:<> SIZE=1=2", .reply = "501 5.5.4"},
	{.text = "FROM:<> BODY", .reply = "501 5.5.4"},
	{.text = "FROM:<> BODY=BINARYMIME", .reply = "501 5.5.4"},
	{.text = "FROM:<> SMTPUTF8=yes", .reply = "501 5.5.4"},
	{.text = "FROM:<> =1", .reply = "501 5.5.4"},
	{.text = "FROM:<> " L32 "x=1", .reply = "501 5.5.4"},
	{.text = "FROM:<> RET=HDRS", .reply = "555 5.5.4"},
	{.text = "FROM:<> ENVID=abc", .reply = "555 5.5.4"},
	{.text = "FROM:<> AUTH=<>", .reply = "555 5.5.4"},
	{.text = "FROM:<\xc3\xa5sa@example.net>", .reply = "553 5.6.7"},
	{.text = "FROM:<\xc3\xa5sa@example.net> BODY=8BITMIME",
	    .reply = "553 5.6.7"},
};

START_TEST(test_mail)
{
	struct syntax_mail mail = {0};
	const char *got = syntax_mail(mails[_i].text, &mail);

	if (mails[_i].reply != NULL) {
		ck_assert_msg(got != NULL &&
		    strncmp(got, mails[_i].reply, 9) == 0, "%s: %s",
		    mails[_i].text, got == NULL ? "taken" : got);
	} else {
		ck_assert_msg(got == NULL, "%s: %s", mails[_i].text, got);
		ck_assert_str_eq(sbuf_str(&mail.from), mails[_i].from);
		ck_assert_uint_eq(mail.size, mails[_i].size);
		ck_assert_int_eq(mail.body, mails[_i].body);
		ck_assert_int_eq(mail.is_utf8, mails[_i].is_utf8);
	}
	syntax_mail_clear(&mail);
}
END_TEST

/* More digits than a number holds are a size that is too big, not small. */
START_TEST(test_size_overflow)
{
	struct syntax_mail mail = {0};

	ck_assert_ptr_null(syntax_mail("FROM:<> SIZE=99999999999999999999",
	    &mail));
	ck_assert_uint_gt(mail.size, 1ULL << 50);
	syntax_mail_clear(&mail);
}
END_TEST

static const struct {
	const char *text;
	bool is_utf8;
	const char *reply;
	const char *to;
} rcpts[] = {
	{"TO:<dev@lists.example.org>", false, NULL, "dev@lists.example.org"},
	{"to: <dev@lists.example.org>", false, NULL, "dev@lists.example.org"},
	{"TO:<dev-confirm+abc@lists.example.org>", false, NULL,
	    "dev-confirm+abc@lists.example.org"},
	{"TO:<Postmaster>", false, NULL, "Postmaster"},
	{"TO:<@a.example:dev@lists.example.org>", false, NULL,
	    "dev@lists.example.org"},
	{"TO:<\xc3\xa5sa@example.net>", true, NULL, "\xc3\xa5sa@example.net"},
	{"TO:<\xc3\xa5sa@example.net>", false, "553 5.6.7", NULL},
	{"TO:<>", false, "501 5.1.3", NULL},
	{"TO:<dev>", false, "501 5.1.3", NULL},
	{"TO:dev@lists.example.org", false, "501 5.1.3", NULL},
	{"FROM:<dev@lists.example.org>", false, "501 5.1.3", NULL},
	{"TO:<dev@lists..example.org>", false, "501 5.1.3", NULL},
	{"TO:<dev@lists.example.org> NOTIFY=NEVER", false, "555 5.5.4", NULL},
	{"TO:<dev@lists.example.org> ORCPT=rfc822;a@b.c", false, "555 5.5.4",
	    NULL},
	{"TO:<dev@lists.example.org> ?", false, "501 5.5.4", NULL},
};

START_TEST(test_rcpt)
{
	struct sbuf to = {0};
	const char *got;

	sbuf_set(&to, "what was there before");
	got = syntax_rcpt(rcpts[_i].text, rcpts[_i].is_utf8, &to);
	if (rcpts[_i].reply == NULL) {
		ck_assert_msg(got == NULL, "%s: %s", rcpts[_i].text, got);
		ck_assert_str_eq(to.data, rcpts[_i].to);
	} else {
		ck_assert_msg(got != NULL &&
		    strncmp(got, rcpts[_i].reply, 9) == 0, "%s: %s",
		    rcpts[_i].text, got == NULL ? "taken" : got);
	}
	sbuf_free(&to);
}
END_TEST

START_TEST(test_xforward)
{
	struct syntax_forward f = {0};

	ck_assert_ptr_null(syntax_xforward("NAME=mx.example.net "
	    "addr=192.0.2.7  PORT=4711", &f));
	ck_assert_ptr_null(syntax_xforward("HELO=a+20b+2Bc PROTO=ESMTPS "
	    "SOURCE=REMOTE", &f));
	ck_assert(f.is_given);
	ck_assert_str_eq(f.name.data, "mx.example.net");
	ck_assert_str_eq(f.addr.data, "192.0.2.7");
	ck_assert_str_eq(f.port.data, "4711");
	ck_assert_str_eq(f.helo.data, "a b+c");
	ck_assert_str_eq(f.proto.data, "ESMTPS");
	ck_assert_str_eq(f.source.data, "REMOTE");
	ck_assert_ptr_null(syntax_xforward("NAME=[UNAVAILABLE] "
	    "ADDR=IPV6:2001:db8::1 HELO=[tempunavail]", &f));
	ck_assert_str_eq(sbuf_str(&f.name), "");
	ck_assert_str_eq(sbuf_str(&f.helo), "");
	ck_assert_str_eq(f.addr.data, "IPV6:2001:db8::1");
	ck_assert_str_eq(f.port.data, "4711");
	syntax_forward_clear(&f);
	ck_assert(!f.is_given);
	ck_assert_uint_eq(f.addr.len, 0);
}
END_TEST

static const char *const bad_forwards[] = {
	"", " ", "NAME", "=x", "IDENT=x", "NAMES=x", "NAME=", "ADDR=mx",
	"ADDR=IPV6:192.0.2.7", "ADDR=192.0.2.256", "PORT=x", "PORT=123456",
	"SOURCE=here", "NAME=a+", "NAME=a+4", "NAME=a+4g", "HELO=a+0Ab",
	"HELO=a+00", "HELO=a+7F", "HELO=+C3", "HELO=" L64 L64 L64 L64,
	"NAME=good ADDR=bad",
};

START_TEST(test_bad_xforward)
{
	struct syntax_forward f = {0};
	const char *got = syntax_xforward(bad_forwards[_i], &f);

	ck_assert_msg(got != NULL, "%s", bad_forwards[_i]);
	ck_assert_int_eq(strncmp(got, "501 5.5.4", 9), 0);
	/* What was refused leaves nothing behind. */
	ck_assert_uint_eq(f.addr.len, 0);
	ck_assert_uint_eq(f.helo.len, 0);
	syntax_forward_clear(&f);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("syntax");
	Suite *suite = suite_create("lmtp_syntax");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, test_mail, 0, COUNT(mails));
	tcase_add_test(tc, test_size_overflow);
	tcase_add_loop_test(tc, test_rcpt, 0, COUNT(rcpts));
	tcase_add_test(tc, test_xforward);
	tcase_add_loop_test(tc, test_bad_xforward, 0, COUNT(bad_forwards));
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
