/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_report - what is read out of bounces, delays, complaints and posts
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/sbuf.h"
#include "common/mail/report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define MAILER "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\n" \
	"To: dev-bounces@lists.example.org\n"
#define PERSON "From: Ann Example <ann@example.net>\n" \
	"To: dev@lists.example.org\n"
#define REPORT MAILER "Subject: Undelivered Mail Returned to Sender\n" \
	"MIME-Version: 1.0\n" \
	"Content-Type: multipart/report; report-type=delivery-status;\n" \
	" boundary=\"b1\"\n\n" \
	"--b1\nContent-Type: text/plain\n\nSorry.\n\n" \
	"--b1\nContent-Type: message/delivery-status\n\n" \
	"Reporting-MTA: dns; mx.example.org\n" \
	"Original-Envelope-Id: 20261120T090000.1\n\n"
#define RETURNED "\n--b1\nContent-Type: message/rfc822\n\n" \
	"Message-ID: <post1@example.net>\nSubject: hello\n\n" \
	"<nobody@example.org>: user unknown\n--b1--\n"

/* want: "address kind-letter status code;" for every recipient. */
static const struct {
	const char *name;
	const char *mail;
	enum report_kind kind;
	const char *want;
} cases[] = {
	{"empty", "", REPORT_NONE, ""},
	{"blank", "\n\n\n", REPORT_NONE, ""},
	{"no mail", "\xff\xfe\x00 nothing", REPORT_NONE, ""},
	{"failed", REPORT "Final-Recipient: rfc822; bob@example.org\n"
	    "Action: failed\nStatus: 5.1.1\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 <bob@example.org> unknown\n"
	    RETURNED, REPORT_FAILED, "bob@example.org F 5.1.1 550;"},
	{"delayed never fails", REPORT
	    "Final-Recipient: rfc822; bob@example.org\n"
	    "Action: delayed\nStatus: 5.1.1\n"
	    "Diagnostic-Code: smtp; 550 user unknown\n" RETURNED,
	    REPORT_DELAYED, "bob@example.org d 5.1.1 550;"},
	{"delivered", REPORT "Final-Recipient: rfc822; bob@example.org\n"
	    "Action: relayed\nStatus: 2.0.0\n" RETURNED,
	    REPORT_DELIVERED, "bob@example.org D 2.0.0 0;"},
	{"gravest counts", REPORT
	    "Final-Recipient: rfc822; a@example.org\nAction: delivered\n"
	    "Status: 2.0.0\n\n"
	    "Final-Recipient: rfc822; b@example.org\nAction: failed\n"
	    "Status: 5.2.2\n\n"
	    "Final-Recipient: rfc822; c@example.org\nAction: delayed\n"
	    "Status: 4.4.1\n" RETURNED, REPORT_FAILED,
	    "a@example.org D 2.0.0 0;b@example.org F 5.2.2 0;"
	    "c@example.org d 4.4.1 0;"},
	{"same recipient twice", REPORT
	    "Final-Recipient: rfc822; a@example.org\nAction: delayed\n"
	    "Status: 4.0.0\n\n"
	    "Final-Recipient: rfc822; A@example.org\nAction: failed\n"
	    "Status: 4.0.0\n" RETURNED, REPORT_FAILED,
	    "a@example.org F 4.0.0 0;"},
	{"no blank line between blocks", REPORT
	    "Action: failed\nFinal-Recipient: rfc822; a@example.org\n"
	    "Action: failed\nFinal-Recipient: rfc822; b@example.org\n"
	    RETURNED, REPORT_FAILED, "a@example.org F  0;b@example.org F  0;"},
	{"action first, both recipients", REPORT
	    "Action: failed\nStatus: 5.1.1\n"
	    "Original-Recipient: rfc822; a@example.org\n"
	    "Final-Recipient: rfc822; a@example.org\n\n"
	    "Action: failed\nStatus: 5.1.1\n"
	    "Original-Recipient: rfc822; b@example.org\n"
	    "Final-Recipient: rfc822; b@example.org\n" RETURNED,
	    REPORT_FAILED, "a@example.org F 5.1.1 0;b@example.org F 5.1.1 0;"},
	{"vague status, clear diagnostic", REPORT
	    "Final-Recipient: rfc822; <a@example.org> (Ann)\n"
	    "Action: failed\nStatus: 5.0.0\n"
	    "Diagnostic-Code: smtp; 550-5.7.1 [192.0.2.5.1] no\n" RETURNED,
	    REPORT_FAILED, "a@example.org F 5.7.1 550;"},
	{"no status, words", REPORT
	    "Final-Recipient: rfc822;a@example.org\nAction: failed\n"
	    "Diagnostic-Code: smtp; mailbox is full\n" RETURNED,
	    REPORT_FAILED, "a@example.org F 5.2.2 0;"},
	{"no action", REPORT "Final-Recipient: rfc822;a@example.org\n"
	    "Status: 5.1.1\n" RETURNED, REPORT_FAILED,
	    "a@example.org F 5.1.1 0;"},
	{"RFC 6533", REPORT
	    "Final-Recipient: utf-8; j\\x{F6}rg@example.org\n"
	    "Action: failed\nStatus: 5.1.1\n" RETURNED, REPORT_FAILED,
	    "j\xc3\xb6rg@example.org F 5.1.1 0;"},
	{"route and local name are no address", REPORT
	    "Final-Recipient: rfc822; @mx.example.org\nAction: failed\n\n"
	    "Final-Recipient: rfc822; bob\nAction: failed\n" RETURNED,
	    REPORT_UNKNOWN, ""},
	{"report of nothing", REPORT "\n" RETURNED, REPORT_UNKNOWN, ""},
	{"no MIME", MAILER "Subject: Undeliverable\n\n"
	    "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; "
	    "a@example.org\nAction: failed\nStatus: 5.1.1\n",
	    REPORT_FAILED, "a@example.org F 5.1.1 0;"},
	{"boundary never comes", MAILER "Subject: Undeliverable mail\n"
	    "Content-Type: multipart/report; boundary=zz\n\n"
	    "Your message could not be delivered to:\n"
	    "  a@example.org\n", REPORT_FAILED, "a@example.org F  0;"},
	{"complaint", PERSON "Subject: abuse\nContent-Type: multipart/report;"
	    " report-type=feedback-report; boundary=b1\n\n--b1\n\nx\n--b1\n"
	    "Content-Type: message/feedback-report\n\n"
	    "Feedback-Type: abuse\nOriginal-Rcpt-To: a@example.org\n"
	    RETURNED, REPORT_COMPLAINT, "a@example.org C  0;"},
	{"vacation", PERSON "Subject: away\nAuto-Submitted: auto-replied\n\n"
	    "I cannot be reached. Write to bob@example.org.\n",
	    REPORT_AUTO, ""},
	{"vacation with null sender", "Return-Path: <>\n" PERSON
	    "Subject: away\nAuto-Submitted: auto-replied\n\n"
	    "I could not be reached, 550 times. Ask bob@example.org.\n",
	    REPORT_AUTO, ""},
	{"tracker", PERSON "Subject: [Bug 1] mail delivery failed\n"
	    "Auto-Submitted: auto-generated\n\nopen\n", REPORT_NONE, ""},
	{"names before addresses", MAILER "Subject: failure notice\n\n"
	    "Hello, this is the mail program at mx.example.org. I was not\n"
	    "able to deliver your message to the following addresses.\n\n"
	    "<a@example.org>:\n"
	    "192.0.2.7 does not like recipient.\n"
	    "Remote host said: 550 5.1.1 No such user\n\n"
	    "<b@example.org>:\nmailbox is full\n\n"
	    "--- Below this line is a copy of the message.\n\n"
	    "Received: from x\n<c@example.org>: user unknown\n",
	    REPORT_FAILED, "a@example.org F 5.1.1 550;"
	    "b@example.org F 5.2.2 0;"},
	{"X-Failed-Recipients", MAILER "Subject: Mail delivery failed\n"
	    "X-Failed-Recipients: a@example.org,\n  b@example.org\n\n"
	    "The following addresses failed:\n\n  a@example.org\n"
	    "    host mx [192.0.2.1]: 550 Unknown user\n"
	    "  b@example.org\n    retry timeout exceeded\n",
	    REPORT_FAILED, "a@example.org F 5.1.1 550;"
	    "b@example.org F 4.4.1 0;"},
	{"dialogue", MAILER "Subject: Returned mail: User unknown\n\n"
	    "   ----- Transcript of session follows -----\n"
	    "... while talking to mx.example.org.:\n"
	    ">>> RCPT To:<a@example.org>\n<<< 550 nobody here\n"
	    ">>> MAIL From:<list@example.net>\n<<< 550 not you\n",
	    REPORT_FAILED, "a@example.org F  550;"},
	{"reason after the address", MAILER "Subject: Undeliverable\n\n"
	    "Your message\n  To: dev@lists.example.org\n"
	    "  Subject: hello\ndid not reach the following recipient(s):\n\n"
	    "Ann Example <a@example.org> on Fri, 20 Nov 2026\n"
	    "    The recipient name is not recognized\n", REPORT_FAILED,
	    "a@example.org F 5.1.1 0;"},
	{"one sentence", MAILER "Subject: Mail delivery failed\n\n"
	    "There was an error delivering your mail to <a@example.org>.\n\n"
	    "552 5.2.2 Mailbox full\n\nMessage headers follow.\n\n"
	    "To: <b@example.org>\n", REPORT_FAILED,
	    "a@example.org F 5.2.2 552;"},
	{"sentence over two lines", MAILER "Subject: Delivery failure\n\n"
	    "Your message could not be\ndelivered to <a@example.org> since "
	    "the user is unknown.\n", REPORT_FAILED,
	    "a@example.org F  0;"},
	{"German", MAILER "Subject: Unzustellbar: hallo\n"
	    "Content-Type: text/plain; charset=iso-8859-1\n\n"
	    "Diese Nachricht konnte folgenden Empf\xe4ngern nicht "
	    "zugestellt werden:\n\na@example.org\nEmpf\xe4nger unbekannt\n",
	    REPORT_FAILED, "a@example.org F 5.1.1 0;"},
	{"HTML", MAILER "Subject: Undeliverable: hello\n"
	    "Content-Type: text/html\n\n<html><head><title>Undeliverable"
	    "</title></head><body><p>Delivery has failed to these "
	    "recipients:<br><a href=\"mailto:x@example.org\">"
	    "a&#64;example.org</a><br>550 5.1.10 not found</p>",
	    REPORT_FAILED, "a@example.org F 5.1.10 550;"},
	{"typographic apostrophe", MAILER "Subject: Undeliverable: hello\n"
	    "Content-Type: text/plain; charset=utf-8\n\n"
	    "Your message wasn\xe2\x80\x99t delivered to a@example.org "
	    "because the address couldn\xe2\x80\x99t be found.\n",
	    REPORT_FAILED, "a@example.org F 5.1.1 0;"},
	{"delay in words", MAILER "Subject: Warning\n\n"
	    "Your message has not yet been delivered to:\n"
	    "  a@example.org\nDelivery attempts will continue.\n",
	    REPORT_DELAYED, "a@example.org d  0;"},
	{"gave up", MAILER "Subject: Delivery failure\n\n"
	    "Unable to deliver message to:\n<a@example.org>:\n"
	    "connection timed out; giving up.\n", REPORT_FAILED,
	    "a@example.org F 4.4.1 0;"},
	{"own address is not it", MAILER "Subject: Undelivered mail\n\n"
	    "Your mail from dev-bounces@lists.example.org was not delivered "
	    "to\na@example.org\n", REPORT_FAILED, "a@example.org F  0;"},
	{"mailer says nothing known", MAILER "Subject: failure notice\n\n"
	    "It did not work.\n", REPORT_UNKNOWN, ""},
	{"post about a bounce", PERSON "Subject: Re: delivery failure\n\n"
	    "My mail could not be delivered to <a@example.org>:\n"
	    "<a@example.org>: 550 5.1.1 User unknown\n", REPORT_NONE, ""},
	{"post of a list", PERSON "List-Id: <dev.lists.example.org>\n"
	    "Subject: delivery failure\n\nunable to deliver:\n"
	    "<a@example.org>: 550 5.1.1 User unknown\n", REPORT_NONE, ""},
	{"person with a subject, no reason", PERSON
	    "Subject: Delivery status of my parcel\n\n"
	    "Was not delivered to a@example.org.\n", REPORT_NONE, ""},
	{"bounce shown to the list", PERSON "Subject: look at this\n"
	    "Content-Type: multipart/mixed; boundary=b1\n\n--b1\n\nhm\n"
	    "--b1\nContent-Type: message/delivery-status\n\n"
	    "Final-Recipient: rfc822; a@example.org\nAction: failed\n"
	    "Status: 5.1.1\n" RETURNED, REPORT_NONE, ""},
	{"bounce forwarded to the list", PERSON "Subject: look at this\n"
	    "Content-Type: message/rfc822\n\n" REPORT
	    "Final-Recipient: rfc822; a@example.org\nAction: failed\n"
	    RETURNED, REPORT_NONE, ""},
};

static int
make_file(const char *mail, size_t n)
{
	int fd = memfd_create("mail", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, mail, n), (ssize_t)n);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void
describe(const struct report *r, struct sbuf *out)
{
	static const char letters[] = "NFdDCA?";
	size_t i;

	for (i = 0; i < r->n; i++)
		sbuf_printf(out, "%s %c %s %d;", r->recipients[i].address,
		    letters[r->recipients[i].kind], r->recipients[i].status,
		    r->recipients[i].code);
}

START_TEST(test_cases)
{
	struct report r;
	struct sbuf got = {0};
	int fd;

	fd = make_file(cases[_i].mail, strlen(cases[_i].mail));
	ck_assert_int_eq(report_read(fd, &r), 0);
	describe(&r, &got);
	ck_assert_msg(strcmp(sbuf_str(&got), cases[_i].want) == 0 &&
	    r.kind == cases[_i].kind, "%s: kind %d, %s", cases[_i].name,
	    r.kind, sbuf_str(&got));
	sbuf_free(&got);
	report_free(&r);
	ck_assert_uint_eq(r.n, 0);
	close(fd);
}
END_TEST

START_TEST(test_fields)
{
	static const char mail[] = REPORT
	    "Original-Recipient: rfc822; member@example.org\n"
	    "Final-Recipient: rfc822; forwarded@example.net\n"
	    "Action: failed\nStatus: 5.1.1\n"
	    "Diagnostic-Code: smtp; 550\n  5.1.1  gone\n" RETURNED;
	struct report r;
	int fd = make_file(mail, strlen(mail));

	ck_assert_int_eq(report_read(fd, &r), 0);
	ck_assert_str_eq(r.envelope_id, "20261120T090000.1");
	ck_assert_str_eq(r.original_id, "<post1@example.net>");
	ck_assert_uint_eq(r.n, 1);
	ck_assert_str_eq(r.recipients[0].address, "forwarded@example.net");
	ck_assert_str_eq(r.recipients[0].original, "member@example.org");
	ck_assert_str_eq(r.recipients[0].text, "smtp; 550 5.1.1 gone");
	report_free(&r);
	close(fd);
}
END_TEST

START_TEST(test_offset)
{
	static const char mail[] = "envelope\n\n" REPORT
	    "Final-Recipient: rfc822; a@example.org\nAction: failed\n"
	    RETURNED;
	struct report r;
	int fd = make_file(mail, strlen(mail));

	ck_assert_int_eq(lseek(fd, 10, SEEK_SET), 10);
	ck_assert_int_eq(report_read(fd, &r), 0);
	ck_assert_int_eq(r.kind, REPORT_FAILED);
	report_free(&r);
	close(fd);
}
END_TEST

START_TEST(test_unreadable)
{
	struct report r;
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	ck_assert_int_eq(report_read(-1, &r), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(report_read(fd, &r), -1);
	ck_assert_int_eq(errno, EISDIR);
	close(fd);
}
END_TEST

START_TEST(test_bounds)
{
	struct sbuf mail = {0};
	struct report r;
	int fd, i;

	sbuf_adds(&mail, REPORT);
	for (i = 0; i < REPORT_RECIPIENTS_MAX + 50; i++)
		sbuf_printf(&mail, "Final-Recipient: rfc822;%d@a.b\n"
		    "Action: failed\n\n", i);
	sbuf_adds(&mail, RETURNED);
	fd = make_file(mail.data, mail.len);
	ck_assert_int_eq(report_read(fd, &r), 0);
	ck_assert_uint_eq(r.n, REPORT_RECIPIENTS_MAX);
	report_free(&r);
	close(fd);

	sbuf_truncate(&mail, 0);
	sbuf_adds(&mail, REPORT "Final-Recipient: rfc822;a@example.org\n"
	    "Action: failed\nDiagnostic-Code: smtp; ");
	for (i = 0; i < 400; i++)
		sbuf_adds(&mail, "\xc3\xa4x\n ");
	sbuf_adds(&mail, RETURNED);
	fd = make_file(mail.data, mail.len);
	ck_assert_int_eq(report_read(fd, &r), 0);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_uint_le(strlen(r.recipients[0].text), 500);
	ck_assert_uint_gt(strlen(r.recipients[0].text), 490);
	report_free(&r);
	close(fd);
	sbuf_free(&mail);
}
END_TEST

/* Nesting as deep and parts as many as an attacker likes. */
START_TEST(test_hostile)
{
	struct sbuf mail = {0};
	struct report r;
	int fd, i;

	sbuf_adds(&mail, MAILER);
	for (i = 0; i < 20000; i++)
		sbuf_printf(&mail, "Content-Type: multipart/mixed; "
		    "boundary=b%d\n\n--b%d\n", i, i);
	fd = make_file(mail.data, mail.len);
	ck_assert_int_eq(report_read(fd, &r), 0);
	ck_assert_int_eq(r.kind, REPORT_NONE);
	report_free(&r);
	close(fd);

	sbuf_truncate(&mail, 0);
	sbuf_adds(&mail, MAILER "Content-Type: multipart/mixed; "
	    "boundary=b\n\n");
	for (i = 0; i < 100000; i++)
		sbuf_adds(&mail, "--b\n\n");
	sbuf_adds(&mail, "--b\n\nunable to deliver: <a@example.org>\n");
	fd = make_file(mail.data, mail.len);
	ck_assert_int_eq(report_read(fd, &r), 0);
	ck_assert_int_eq(r.kind, REPORT_NONE);
	report_free(&r);
	close(fd);
	sbuf_free(&mail);
}
END_TEST

static const struct {
	const char *status;
	int scores;
	const char *class;
} statuses[] = {
	{"", 1, "none"}, {"5.0.0", 1, "none"}, {"5.1.1", 1, "mailbox"},
	{"5.1.10", 1, "mailbox"}, {"5.2.1", 1, "mailbox"},
	{"5.2.2", 0, "full"}, {"5.2.10", 0, "mailbox"},
	{"5.2.3", 0, "content"}, {"5.3.0", 0, "system"},
	{"5.3.4", 0, "content"}, {"5.4.4", 0, "network"},
	{"5.5.1", 0, "protocol"}, {"5.6.7", 0, "content"},
	{"5.7.1", 0, "policy"}, {"4.1.1", 0, "mailbox"},
	{"4.4.1", 0, "network"}, {"2.1.5", 0, "none"}, {"5.8.1", 0, "none"},
	{"5", 0, "none"}, {"x", 0, "none"}, {"5.10.1", 0, "none"},
};

START_TEST(test_status)
{
	ck_assert_int_eq(report_scores(statuses[_i].status),
	    statuses[_i].scores);
	ck_assert_str_eq(report_class(statuses[_i].status),
	    statuses[_i].class);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("report");
	TCase *tc = tcase_create("report");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_cases, 0, (int)COUNT(cases));
	tcase_add_test(tc, test_fields);
	tcase_add_test(tc, test_offset);
	tcase_add_test(tc, test_unreadable);
	tcase_add_test(tc, test_bounds);
	tcase_add_test(tc, test_hostile);
	tcase_add_loop_test(tc, test_status, 0, (int)COUNT(statuses));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
