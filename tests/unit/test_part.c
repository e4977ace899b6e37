/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_part - address fields that GMime must not see
 */
#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/sbuf.h"
#include "common/mail/part.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WITHIN "MIME-Version: 1.0\nContent-Type: message/rfc822\n\n"
/* What took GMime seconds takes milliseconds now. */
#define PATIENCE_MS 2000

static GMimeMessage *
parse(const struct sbuf *mail)
{
	GMimeMessage *message;
	int fd = memfd_create("mail", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, mail->data, mail->len),
	    (ssize_t)mail->len);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(part_open(fd, &message), 0);
	close(fd);
	ck_assert_ptr_nonnull(message);
	return message;
}

/* before, piece repeated, after. */
static const struct {
	const char *before, *piece, *after;
	size_t repeat;
	const char *field;
	size_t want;            /* length of its value that is left; 0 none */
} cases[] = {
	{"To: ", "a:", "\n\nx\n", 400000, "To", 0},
	{"To: ", "a,", "\n\nx\n", 32768, "To", 0},
	{"to \t: ", "a:", "\n\nx\n", 100000, "To", 0},
	{"TO:\n", " a:\n", "\nx\n", 60000, "To", 0},
	{"Cc:\r\n", "\ta:\r\n", "\r\nx\r\n", 50000, "Cc", 0},
	{"X: y\nBcc: ", "a:", "\n\nx\n", 100000, "Bcc", 0},
	{"From: ", "a:", "\n\nx\n", 100000, "From", 0},
	{"Sender: ", "a:", "\n\nx\n", 100000, "Sender", 0},
	{"Reply-To: ", "a:", "\n\nx\n", 100000, "Reply-To", 0},
	{"Resent-To: ", "a:", "\n\nx\n", 100000, "Resent-To", 0},
	{"\r\nTo: ", "a:", "\n\nx\n", 100000, "To", 0},
	{"Subject: y\n" WITHIN "To: ", "a:", "\n\nx\n", 100000, NULL, 0},
	{"Subject: y\n" WITHIN " To: ", "a:", "\n\nx\n", 100000, NULL, 0},
	{WITHIN WITHIN WITHIN "To: ", "a,", "\n\nx\n", 100000, NULL, 0},
	/* The borders: colons, commas, bytes. */
	{"To: ", "a:", "b\n\nx\n", 32, "To", 65},
	{"To: ", "a:", "b\n\nx\n", 33, "To", 0},
	{"To: ", "a,", "b\n\nx\n", 256, "To", 513},
	{"To: ", "a,", "b\n\nx\n", 257, "To", 0},
	{"To: ", "a", "\n\nx\n", 8190, "To", 8190},
	{"To: ", "a", "\n\nx\n", 8191, "To", 0},
	/* No address field. */
	{"Subject: ", "a:", "\n\nx\n", 1000, "Subject", 2000},
	{"Total: ", "a:", "\n\nx\n", 1000, "Total", 2000},
	{"X-To: ", "a,", "\n\nx\n", 1000, "X-To", 2000},
	{"To: ann@example.net\nX: ", "a,", "\n\nx\n", 1000, "To", 15},
};

START_TEST(test_address_fields)
{
	struct sbuf mail = {0};
	GMimeMessage *message;
	const char *value;
	int64_t started = clock_mono_ms();
	size_t i;

	sbuf_adds(&mail, cases[_i].before);
	for (i = 0; i < cases[_i].repeat; i++)
		sbuf_adds(&mail, cases[_i].piece);
	sbuf_adds(&mail, cases[_i].after);
	message = parse(&mail);
	if (cases[_i].field != NULL) {
		value = g_mime_object_get_header(GMIME_OBJECT(message),
		    cases[_i].field);
		ck_assert_ptr_nonnull(value);
		ck_assert_uint_eq(strlen(value), cases[_i].want);
	}
	g_object_unref(message);
	sbuf_free(&mail);
	ck_assert_int_lt(clock_mono_ms() - started, PATIENCE_MS);
}
END_TEST

static int
take_text(void *ctx, GMimeObject *part)
{
	part_text(part, 100, ctx);
	return 0;
}

/* Only the field's value goes; what stands around it stays. */
START_TEST(test_rest_stays)
{
	struct sbuf mail = {0}, text = {0};
	GMimeMessage *message;
	size_t i;

	sbuf_adds(&mail, "Subject: one\nTo: ");
	for (i = 0; i < 1000; i++)
		sbuf_adds(&mail, "a:\n ");
	sbuf_adds(&mail, "end\nCc: ann@example.net\n\nTo: you\n  and: me\n");
	message = parse(&mail);
	ck_assert_str_eq(g_mime_message_get_subject(message), "one");
	ck_assert_str_eq(g_mime_object_get_header(GMIME_OBJECT(message),
	    "Cc"), "ann@example.net");
	part_walk(message, take_text, &text);
	ck_assert_str_eq(sbuf_str(&text), "To: you\n  and: me\n");
	g_object_unref(message);
	sbuf_free(&mail);
	sbuf_free(&text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("part");
	TCase *tc = tcase_create("part");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_address_fields, 0, (int)COUNT(cases));
	tcase_add_test(tc, test_rest_stays);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
