/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_pending_head - the header of list mail, byte for byte
 *
 * test-objects: runners/pending/head.c
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/mail/header.h"
#include "runners/pending/pending.h"

#define NOW 1795165200000 /* Fri, 20 Nov 2026 09:00:00 */
#define OURS_TOP "Received: by example.org (Septet) with LMTP id 0k-a-1;\n" \
    "\tFri, 20 Nov 2026 09:00:00 +0000\n" \
    "X-Loop: dev@lists.example.org\n"
#define OURS_END \
    "List-Help: <mailto:dev-request@lists.example.org?subject=help>\n" \
    "List-Unsubscribe: <mailto:dev-leave@lists.example.org>\n" \
    "List-Subscribe: <mailto:dev-join@lists.example.org>\n" \
    "List-Owner: <mailto:dev-owner@lists.example.org>\n" \
    "List-Post: <mailto:dev@lists.example.org>\n" \
    "Precedence: list\n"
#define OURS OURS_TOP "List-Id: <dev.lists.example.org>\n" OURS_END
#define DATE "Date: Fri, 20 Nov 2026 08:59:00 +0000\n"
#define BASE "Message-ID: <1@example.net>\n" DATE

static struct site site;
static struct list list;
static struct head_input in;
static struct sbuf out, change;

static void
setup(void)
{
	clock_freeze(NOW);
	site = (struct site){.name = (char *)"example.org"};
	list = (struct list){.address = (char *)"dev@lists.example.org"};
	strv_add(&list.addresses, "dev@lists.example.org");
	strv_add(&list.addresses, "hackers@other.example.org");
	in = (struct head_input){.site = &site, .list = &list,
		.id = "0k-a-1", .message_id = "<0k-a-1@example.org>",
		.date = NOW - 60000, .is_smtp = true};
}

static void
teardown(void)
{
	strv_free(&site.trusted_authserv);
	strv_free(&list.addresses);
	sbuf_free(&out);
	sbuf_free(&change);
}

static void
make(const char *header)
{
	struct sbuf old = {0};

	sbuf_adds(&old, header);
	sbuf_truncate(&out, 0);
	sbuf_truncate(&change, 0);
	head_make(&in, &old, &out, &change);
	sbuf_free(&old);
}

static const struct {
	const char *header, *want; /* without what is always added */
} fields[] = {
	/* kept, with bytes, folding and order */
	{BASE "\n", BASE},
	{"subject:a\nFROM :  Ann\t<ann@example.net> \n" BASE "To: x,\n"
	    "  y,\n\tz\n\n",
	    "subject:a\nFROM :  Ann\t<ann@example.net> \n" BASE "To: x,\n"
	    "  y,\n\tz\n"},
	{"DKIM-Signature: v=1; d=example.net\nSender: s\nReply-To: r\n"
	    "Resent-From: a\nResent-To: b\nResent-Date: c\n"
	    "Resent-Message-ID: d\n" BASE "X-Loop: other@example.com\n"
	    "Received: from a by b; x\nX-Mailing-List: x\nX-List: y\n"
	    "Listen: z\nMail-Followup-To: f\n\xff\xfe: no field\n",
	    "DKIM-Signature: v=1; d=example.net\nSender: s\nReply-To: r\n"
	    "Resent-From: a\nResent-To: b\nResent-Date: c\n"
	    "Resent-Message-ID: d\n" BASE "X-Loop: other@example.com\n"
	    "Received: from a by b; x\nX-Mailing-List: x\nX-List: y\n"
	    "Listen: z\nMail-Followup-To: f\n"},
	{BASE "Subject: Gr\xc3\xbc\xc3\x9f" "e \xe9\n\n",
	    BASE "Subject: Gr\xc3\xbc\xc3\x9f" "e \xe9\n"},
	{BASE "X: a\r\n", BASE "X: a\r\n"},
	/* removed, in any case and any number */
	{"Return-Path: <a>\n" BASE "return-path: <b>\n\n", BASE},
	{"Bcc: a,\n b\nResent-Bcc: c\n" BASE "\n", BASE},
	{"Approved: secret\nX-Approved: secret\n" BASE "\n", BASE},
	{"Errors-To: a\nReturn-Receipt-To: b\n"
	    "Disposition-Notification-To: c\n" BASE "\n", BASE},
	{"Precedence: bulk\nPRECEDENCE: junk\n" BASE "\n", BASE},
	{"List-Id: <x.example.com>\nList-Unsubscribe: <mailto:x>,\n"
	    " <https://x>\nList-Unsubscribe-Post: y\nlist-anything: z\n"
	    BASE "\n", BASE},
	/* of this site, or of another */
	{"Delivered-To: dev@lists.example.org\n"
	    "Delivered-To: <Dev@Lists.Example.ORG>\n"
	    "X-Original-To: hackers@other.example.org (alias)\n"
	    "X-Original-To: anybody@example.org\n" BASE "\n", BASE},
	{"Delivered-To: ann@example.net\nX-Original-To: x@ists.example.org\n"
	    "Delivered-To: dev\n" BASE "\n",
	    "Delivered-To: ann@example.net\n"
	    "X-Original-To: x@ists.example.org\nDelivered-To: dev\n" BASE},
	/* ours of a former visit */
	{OURS BASE "\n", BASE},
	{"X-Loop: dev@lists.example.org\n" BASE "\n", BASE},
	{"Received: by example.org (Septet) id 0k-a-2; x\n" BASE "\n",
	    "Received: by example.org (Septet) id 0k-a-2; x\n" BASE},
	/* nothing at all, and what is no field */
	{BASE "no field here\nX: y\n", BASE},
};

START_TEST(test_fields)
{
	struct sbuf want = {0};

	sbuf_printf(&want, "%s%s\n", OURS, fields[_i].want);
	make(fields[_i].header);
	ck_assert_str_eq(sbuf_str(&out), want.data);
	ck_assert_uint_eq(change.len, 0);
	sbuf_free(&want);
}
END_TEST

START_TEST(test_missing_fields)
{
	make("");
	ck_assert_str_eq(out.data, OURS
	    "Message-ID: <0k-a-1@example.org>\n" DATE "\n");
	in.message_id = NULL;
	make("\n");
	ck_assert_str_eq(out.data, OURS DATE "\n");
	/* Never two, whatever the first is worth. */
	in.message_id = "<0k-a-1@example.org>";
	make("Message-Id:\nDate: yesterday\n\n");
	ck_assert_str_eq(out.data, OURS "Message-Id:\nDate: yesterday\n\n");
}
END_TEST

START_TEST(test_not_by_smtp)
{
	in.is_smtp = false;
	make(BASE "\n");
	ck_assert_ptr_nonnull(strstr(out.data,
	    "Received: by example.org (Septet) id 0k-a-1;\n"));
	/* And again, from what came out. */
	make(out.data);
	ck_assert_ptr_nonnull(strstr(out.data, "Received: "));
	ck_assert_ptr_null(strstr(strstr(out.data, "Received: ") + 1,
	    "Received: "));
}
END_TEST

START_TEST(test_closed_list)
{
	list.is_closed = true;
	make(BASE "\n");
	ck_assert_ptr_nonnull(strstr(out.data, "List-Post: NO\n"));
	ck_assert_ptr_null(strstr(out.data, "List-Post: <"));
}
END_TEST

static const struct {
	const char *description, *want;
} descriptions[] = {
	{"Developers", "List-Id: \"Developers\" <dev.lists.example.org>\n"},
	{"The \"Dev\\Ops\" <list>, us",
	    "List-Id: \"The DevOps list, us\" <dev.lists.example.org>\n"},
	{"a\nEvil: b", "List-Id: \"a Evil: b\" <dev.lists.example.org>\n"},
	{"a =?utf-8?q?b?=",
	    "List-Id: \"a ?utf-8?q?b?=\" <dev.lists.example.org>\n"},
	{"Gr\xc3\xbc\xc3\x9f" "e",
	    "List-Id: =?utf-8?b?R3LDvMOfZQ==?= <dev.lists.example.org>\n"},
	{"Gr\xc3\xbc\xc3\x9f" "e, (alle) <x>",
	    "List-Id: =?utf-8?b?R3LDvMOfZQ==?= alle x "
	    "<dev.lists.example.org>\n"},
	{"", "List-Id: <dev.lists.example.org>\n"},
};

START_TEST(test_list_id)
{
	const char *at;

	list.description = (char *)descriptions[_i].description;
	make(BASE "\n");
	at = strstr(out.data, "List-Id:");
	ck_assert_ptr_nonnull(at);
	ck_assert_msg(strncmp(at, descriptions[_i].want,
	    strlen(descriptions[_i].want)) == 0, "have %.200s", at);
}
END_TEST

static const struct {
	const char *prefix, *header, *want, *change;
} subjects[] = {
	{"[dev]", "Subject: one\n", "Subject: [dev] one\n", "subject-prefix"},
	{"[dev]", "SUBJECT :\t one  \n", "Subject: [dev] one  \n",
	    "subject-prefix"},
	{"[dev]", "Subject: one\n two\n\tthree\n",
	    "Subject: [dev] one\n two\n\tthree\n", "subject-prefix"},
	{"[dev]", "Subject: Re: one\n", "Subject: [dev] Re: one\n",
	    "subject-prefix"},
	{"[dev]", "Subject:\n", "Subject: [dev] \n", "subject-prefix"},
	/* already there */
	{"[dev]", "Subject: [dev] one\n", "Subject: [dev] one\n", ""},
	{"[dev]", "subject:Re: [dev] one\n", "subject:Re: [dev] one\n", ""},
	{"[dev]", "Subject: Re: =?utf-8?q?=5Bdev=5D_one?=\n",
	    "Subject: Re: =?utf-8?q?=5Bdev=5D_one?=\n", ""},
	{"[dev]", "Subject: =?utf-8?b?R3LDvMOfZQ==?=\n",
	    "Subject: [dev] =?utf-8?b?R3LDvMOfZQ==?=\n", "subject-prefix"},
	/* none, two */
	{"[dev]", "X: y\n", "X: y\n", ""},
	{"[dev]", "Subject: a\nSubject: b\n",
	    "Subject: [dev] a\nSubject: b\n", "subject-prefix"},
	/* a signature breaks, which is said */
	{"[dev]", "DKIM-Signature: v=1\nSubject: one\n",
	    "DKIM-Signature: v=1\nSubject: [dev] one\n",
	    "subject-prefix dkim=breaks"},
	{"[dev]", "DKIM-Signature: v=1\nSubject: [dev] one\n",
	    "DKIM-Signature: v=1\nSubject: [dev] one\n", ""},
	/* not ASCII */
	{"[d\xc3\xa9v]", "Subject: one\n",
	    "Subject: =?utf-8?b?W2TDqXZd?= one\n", "subject-prefix"},
	{"[d\xc3\xa9v]", "Subject: =?utf-8?q?a?=\n",
	    "Subject: =?utf-8?b?W2TDqXZdwqA=?= =?utf-8?q?a?=\n",
	    "subject-prefix"},
	{"[d\xc3\xa9v]", "Subject: Re: =?utf-8?q?=5Bd=C3=A9v=5D?= one\n",
	    "Subject: Re: =?utf-8?q?=5Bd=C3=A9v=5D?= one\n", ""},
	{"[dev]\nEvil: x", "Subject: one\n", "Subject: [dev] Evil: x one\n",
	    "subject-prefix"},
	/* without a prefix not a byte */
	{NULL, "DKIM-Signature: v=1\nSUBJECT :  one\n",
	    "DKIM-Signature: v=1\nSUBJECT :  one\n", ""},
};

START_TEST(test_subject)
{
	struct sbuf header = {0}, want = {0};

	list.subject_prefix = (char *)subjects[_i].prefix;
	sbuf_printf(&header, "%s%s\n", subjects[_i].header, BASE);
	sbuf_printf(&want, "%s%s%s\n", OURS, subjects[_i].want, BASE);
	make(header.data);
	ck_assert_str_eq(out.data, want.data);
	ck_assert_str_eq(sbuf_str(&change), subjects[_i].change);
	sbuf_free(&header);
	sbuf_free(&want);
}
END_TEST

static const struct {
	const char *trusted, *header, *want;
} results[] = {
	/* A stranger's word under our name goes, another's stays. */
	{NULL, "Authentication-Results: example.org; dkim=pass\n", ""},
	{NULL, "Authentication-Results: EXAMPLE.org 1; dkim=pass\n", ""},
	{NULL, "Authentication-Results: \"example.org\"; dkim=pass\n", ""},
	{NULL, "Authentication-Results: (x) \"example\\.org\" ; a=b\n", ""},
	{NULL, "Authentication-Results: example.org.net; dkim=pass\n",
	    "Authentication-Results: example.org.net; dkim=pass\n"},
	{NULL, "Authentication-Results: mx.example.com; dkim=pass\n",
	    "Authentication-Results: mx.example.com; dkim=pass\n"},
	/* A trusted one's above the first foreign Received only. */
	{"mx.example.org", "Authentication-Results: mx.example.org; a=pass\n"
	    "Received: from x by elsewhere.example.com; d\n"
	    "Authentication-Results: mx.example.org; b=pass\n",
	    "Authentication-Results: mx.example.org; a=pass\n"
	    "Received: from x by elsewhere.example.com; d\n"},
};

START_TEST(test_results)
{
	struct sbuf header = {0}, want = {0};

	if (results[_i].trusted != NULL)
		strv_add(&site.trusted_authserv, results[_i].trusted);
	sbuf_printf(&header, "%s%s\n", results[_i].header, BASE);
	sbuf_printf(&want, "%s%s%s\n", OURS, results[_i].want, BASE);
	make(header.data);
	ck_assert_str_eq(out.data, want.data);
	sbuf_free(&header);
	sbuf_free(&want);
}
END_TEST

/* What we add is ASCII and well-formed, whatever the list file says. */
START_TEST(test_ours_is_ascii)
{
	struct header_field field;
	size_t at = 0, n = 0;

	list.description = (char *)"\xc3\xbc\r\n\n\x01 \xff\xfe long long long "
	    "long long long long long long long long long long long long";
	list.subject_prefix = (char *)"\xc3\xbc\n\x02\xff";
	make(BASE "Subject: a\n\n");
	for (size_t i = 0; i < out.len; i++)
		ck_assert_uint_lt((unsigned char)out.data[i], 0x7f);
	while (header_next(out.data, out.len, &at, &field) == 1)
		n++;
	ck_assert_uint_eq(n, 12);
	ck_assert_uint_eq(at + 1, out.len);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("pending_head");
	TCase *tests = tcase_create("head");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, test_fields, 0, COUNT(fields));
	tcase_add_test(tests, test_missing_fields);
	tcase_add_test(tests, test_not_by_smtp);
	tcase_add_test(tests, test_closed_list);
	tcase_add_loop_test(tests, test_list_id, 0, COUNT(descriptions));
	tcase_add_loop_test(tests, test_subject, 0, COUNT(subjects));
	tcase_add_loop_test(tests, test_results, 0, COUNT(results));
	tcase_add_test(tests, test_ours_is_ascii);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
