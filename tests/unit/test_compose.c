/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_compose - notices as whole messages
 */
#include <check.h>
#include <gmime/gmime.h>
#include <stdio.h>
#include <string.h>

#include "common/base/sbuf.h"
#include "common/mail/compose.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct compose_notice plain = {
	.from = "dev-request@lists.example.org",
	.to = "ann@example.net",
	.subject = "Welcome",
	.id = "20261120T090000.1",
	.host = "lists.example.org",
	.text = "Hello\n",
	.date = 1795165200000,
};

static GMimeMessage *
parse(const struct sbuf *mail)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(mail->data,
	    mail->len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);

	g_object_unref(parser);
	g_object_unref(stream);
	ck_assert_ptr_nonnull(message);
	return message;
}

static void
check_text(GMimeObject *part, const char *want)
{
	char *text;

	ck_assert(GMIME_IS_TEXT_PART(part));
	text = g_mime_text_part_get_text(GMIME_TEXT_PART(part));
	ck_assert_str_eq(text, want);
	g_free(text);
}

START_TEST(test_plain)
{
	struct sbuf out = {0};

	compose_notice(&plain, &out);
	ck_assert_str_eq(sbuf_str(&out),
	    "From: dev-request@lists.example.org\n"
	    "To: ann@example.net\n"
	    "Subject: Welcome\n"
	    "Date: Fri, 20 Nov 2026 09:00:00 +0000\n"
	    "Message-ID: <20261120T090000.1@lists.example.org>\n"
	    "Auto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 7bit\n"
	    "\n"
	    "Hello\n");
	sbuf_free(&out);
}
END_TEST

START_TEST(test_fields)
{
	struct compose_notice n = plain;
	struct sbuf out = {0};
	GMimeMessage *message;
	GMimeObject *object;

	n.from_name = "J\xc3\xb6rg, \"Dev\" list";
	n.reply_to = "dev-confirm+t@lists.example.org";
	n.in_reply_to = "<a@example.net>";
	n.subject = "Gr\xc3\xbc\xc3\x9f" "e\nBcc: eve@example.com";
	compose_notice(&n, &out);
	ck_assert_ptr_null(strstr(sbuf_str(&out), "\nBcc:"));
	ck_assert_ptr_null(strstr(sbuf_str(&out), "Precedence"));
	message = parse(&out);
	object = GMIME_OBJECT(message);
	ck_assert_str_eq(g_mime_message_get_subject(message),
	    "Gr\xc3\xbc\xc3\x9f" "e Bcc: eve@example.com");
	ck_assert_str_eq(g_mime_object_get_header(object, "In-Reply-To"),
	    "<a@example.net>");
	ck_assert_str_eq(g_mime_object_get_header(object, "References"),
	    "<a@example.net>");
	ck_assert_str_eq(g_mime_object_get_header(object, "Reply-To"),
	    "dev-confirm+t@lists.example.org");
	ck_assert_int_eq(internet_address_list_length(
	    g_mime_message_get_from(message)), 1);
	ck_assert_str_eq(internet_address_get_name(
	    internet_address_list_get_address(g_mime_message_get_from(message),
	    0)), "J\xc3\xb6rg, \"Dev\" list");
	g_object_unref(message);
	sbuf_free(&out);
}
END_TEST

#define C10 "0123456789"
#define C70 C10 C10 C10 C10 C10 C10 C10
#define C980 C70 C70 C70 C70 C70 C70 C70 C70 C70 C70 C70 C70 C70 C70

static const struct {
	const char *text;
	const char *encoding;
	const char *want;       /* NULL: as text */
} bodies[] = {
	{"", "7bit", NULL},
	{"no end", "7bit", "no end\n"},
	{C70 "12345678\n", "7bit", NULL},
	{C70 "123456789\n", "7bit", NULL},
	{C980 "123456789012345678\n", "7bit", NULL},
	{C980 "1234567890123456789\n", "quoted-printable", NULL},
	{"Gr\xc3\xbc\xc3\x9f" "e = 3D \n.\nFrom me\n", "quoted-printable",
	    NULL},
	{"bad \xff byte\n", "quoted-printable",
	    "bad \xef\xbf\xbd byte\n"},
	{"control \x01\n", "quoted-printable", NULL},
	{"a\tb\r\nc\n", "7bit", "a\tb\nc\n"},
};

START_TEST(test_bodies)
{
	struct compose_notice n = plain;
	struct sbuf out = {0}, field = {0};
	GMimeMessage *message;
	const char *line;

	n.text = bodies[_i].text;
	compose_notice(&n, &out);
	sbuf_printf(&field, "\nContent-Transfer-Encoding: %s\n\n",
	    bodies[_i].encoding);
	ck_assert_msg(strstr(sbuf_str(&out), sbuf_str(&field)) != NULL, "%s",
	    sbuf_str(&out));
	for (line = sbuf_str(&out); *line != '\0'; line++) {
		ck_assert_uint_le(strcspn(line, "\n"),
		    strcmp(bodies[_i].encoding, "7bit") == 0 ? 998 : 78);
		ck_assert((unsigned char)*line < 0x7f);
		line += strcspn(line, "\n");
	}
	message = parse(&out);
	check_text(g_mime_message_get_mime_part(message),
	    bodies[_i].want != NULL ? bodies[_i].want : bodies[_i].text);
	g_object_unref(message);
	sbuf_free(&out);
	sbuf_free(&field);
}
END_TEST

START_TEST(test_original)
{
	struct compose_notice n = plain;
	struct sbuf out = {0};
	GMimeMessage *message;
	GMimeMultipart *top;
	GMimeObject *part;

	n.text = "See --=_20261120T090000.1\n";
	n.original_header = "From: ann@example.net\n"
	    "Subject: --=_20261120T090000.1_\n\n";
	compose_notice(&n, &out);
	message = parse(&out);
	ck_assert(GMIME_IS_MULTIPART(g_mime_message_get_mime_part(message)));
	top = GMIME_MULTIPART(g_mime_message_get_mime_part(message));
	ck_assert_int_eq(g_mime_multipart_get_count(top), 2);
	check_text(g_mime_multipart_get_part(top, 0),
	    "See --=_20261120T090000.1\n");
	part = g_mime_multipart_get_part(top, 1);
	ck_assert(g_mime_content_type_is_type(
	    g_mime_object_get_content_type(part), "text", "rfc822-headers"));
	check_text(part, "From: ann@example.net\n"
	    "Subject: --=_20261120T090000.1_\n");
	g_object_unref(message);
	sbuf_free(&out);
}
END_TEST

/* The original is a stranger's: long, and not even text. */
START_TEST(test_original_bounds)
{
	struct compose_notice n = plain;
	struct sbuf out = {0}, block = {0};
	GMimeMessage *message;
	GMimeObject *part;
	char *text;
	int i;

	for (i = 0; i < 3000; i++)
		sbuf_printf(&block, "X-Field-%d: \xc3\xa4\xff\n", i);
	n.original_header = sbuf_str(&block);
	compose_notice(&n, &out);
	ck_assert_uint_lt(out.len, 80 * 1024);
	message = parse(&out);
	part = g_mime_multipart_get_part(GMIME_MULTIPART(
	    g_mime_message_get_mime_part(message)), 1);
	text = g_mime_text_part_get_text(GMIME_TEXT_PART(part));
	ck_assert_uint_le(strlen(text), 16 * 1024);
	ck_assert_uint_gt(strlen(text), 16 * 1024 - 30);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	ck_assert_ptr_nonnull(strstr(text, "X-Field-0: \xc3\xa4\xef\xbf\xbd\n"));
	g_free(text);
	g_object_unref(message);
	sbuf_free(&block);
	sbuf_free(&out);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("compose");
	TCase *tc = tcase_create("compose");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_plain);
	tcase_add_test(tc, test_fields);
	tcase_add_loop_test(tc, test_bodies, 0, (int)COUNT(bodies));
	tcase_add_test(tc, test_original);
	tcase_add_test(tc, test_original_bounds);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
