/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_text - the words of a command mail out of any MIME shape
 */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/sbuf.h"
#include "common/mail/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEAD "From: ann@example.net\nSubject: x\nMIME-Version: 1.0\n"

static const struct {
	const char *name;
	const char *mail;
	size_t max;
	int found;
	const char *want;
} cases[] = {
	{"plain", HEAD "\njoin\nend\n", 100, 1, "join\nend\n"},
	{"no MIME at all", "Subject: x\n\nhelp\n", 100, 1, "help\n"},
	{"CRLF", "Subject: x\r\n\r\njoin\r\nend\r\n", 100, 1, "join\nend\n"},
	{"cut", HEAD "\njoin\nend\n", 4, 1, "join"},
	{"cut at a character", HEAD "Content-Type: text/plain; charset=utf-8"
	    "\n\na\xc3\xa4", 2, 1, "a"},
	{"quoted-printable", HEAD "Content-Transfer-Encoding: "
	    "quoted-printable\nContent-Type: text/plain; charset=utf-8\n\n"
	    "j=C3=B6in =\nnow\n", 100, 1, "j\xc3\xb6in now\n"},
	{"base64", HEAD "Content-Transfer-Encoding: base64\n\nam9pbgo=\n",
	    100, 1, "join\n"},
	{"latin 1", HEAD "Content-Type: text/plain; charset=iso-8859-1\n\n"
	    "\xe4\n", 100, 1, "\xc3\xa4\n"},
	{"unknown charset", HEAD "Content-Type: text/plain; charset=nonsense"
	    "\n\nok \xe4\n", 100, 1, "ok \xef\xbf\xbd\n"},
	{"alternative", HEAD "Content-Type: multipart/alternative; "
	    "boundary=b\n\n--b\nContent-Type: text/html\n\n<p>html\n--b\n"
	    "Content-Type: text/plain\n\nplain\n--b--\n", 100, 1, "plain"},
	{"nested", HEAD "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	    "Content-Type: multipart/alternative; boundary=c\n\n--c\n\n"
	    "inner\n--c--\n--b\n\nouter\n--b--\n", 100, 1, "inner"},
	{"attachment is passed over", HEAD "Content-Type: multipart/mixed; "
	    "boundary=b\n\n--b\nContent-Disposition: attachment\n\nfile\n"
	    "--b\n\nwords\n--b--\n", 100, 1, "words"},
	{"html", HEAD "Content-Type: text/html\n\n"
	    "<style>p {}</style><p>join<br>a &lt; b &amp; &#65;<!-- no -->\n",
	    100, 1, "\njoin\na < b & A\n"},
	{"html keeps addresses", HEAD "Content-Type: text/html\n\n"
	    "<b>x</b> <ann@example.net> 1 < 2\n", 100, 1,
	    "x <ann@example.net> 1 < 2\n"},
	{"html never closed", HEAD "Content-Type: text/html\n\n"
	    "a<script>b", 100, 1, "a"},
	{"image only", HEAD "Content-Type: image/png\n\nx\n", 100, 0, ""},
	{"forwarded message only", HEAD "Content-Type: message/rfc822\n\n"
	    "Subject: y\n\njoin\n", 100, 0, ""},
	{"empty", "", 100, 0, ""},
};

START_TEST(test_cases)
{
	struct sbuf out = {0};
	const char *mail = cases[_i].mail;
	int fd = memfd_create("mail", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, mail, strlen(mail)),
	    (ssize_t)strlen(mail));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_msg(text_first(fd, cases[_i].max, &out) == cases[_i].found,
	    "%s", cases[_i].name);
	ck_assert_msg(strcmp(sbuf_str(&out), cases[_i].want) == 0,
	    "%s: \"%s\"", cases[_i].name, sbuf_str(&out));
	sbuf_free(&out);
	close(fd);
}
END_TEST

START_TEST(test_appends)
{
	static const char mail[] = "Subject: x\n\na\0b\rc\n";
	struct sbuf out = {0};
	int fd = memfd_create("mail", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, mail, sizeof(mail) - 1),
	    (ssize_t)sizeof(mail) - 1);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	sbuf_adds(&out, "before ");
	ck_assert_int_eq(text_first(fd, 100, &out), 1);
	ck_assert_str_eq(sbuf_str(&out), "before a b\nc\n");
	sbuf_free(&out);
	close(fd);
}
END_TEST

START_TEST(test_unreadable)
{
	struct sbuf out = {0};

	ck_assert_int_eq(text_first(-1, 100, &out), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("text");
	TCase *tc = tcase_create("text");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_cases, 0, (int)COUNT(cases));
	tcase_add_test(tc, test_appends);
	tcase_add_test(tc, test_unreadable);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
