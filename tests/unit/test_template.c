/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_template - values and sections of notices, and the notices themselves
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/sbuf.h"
#include "common/mail/template.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct template_value values[] = {
	{"list", "dev@lists.example.org"},
	{"subject", "a\r\nBcc: b\x7f"},
	{"braces", "{{list}}"},
	{"empty", ""},
	{"null", NULL},
	{NULL, NULL},
};

/* why is set where filling must fail. */
static const struct {
	const char *text;
	const char *want;
	const char *why;
} cases[] = {
	{"", "", NULL},
	{"Subject: x\n\nbody", "Subject: x\n\nbody", NULL},
	{"S: {{list}}!\n\n{{list}}{{list}}\n",
	    "S: dev@lists.example.org!\n\n"
	    "dev@lists.example.orgdev@lists.example.org\n", NULL},
	{"S: {{subject}}\n\n{{subject}}\n",
	    "S: a  Bcc: b \n\na\r\nBcc: b\x7f\n", NULL},
	{"S: {{empty}}{{null}}.\n", "S: .\n", NULL},
	{"{{braces}}\n", "{{list}}\n", NULL},
	{"a { b } c\n", "a { b } c\n", NULL},
	{"\na\n{{#list}}\nb {{list}}\n{{/list}}\nc\n",
	    "\na\nb dev@lists.example.org\nc\n", NULL},
	{"\na\n{{#empty}}\nb\n\nd\n{{/empty}}\nc\n", "\na\nc\n", NULL},
	{"\n{{#null}}\nb\n{{/null}}\n{{#list}}\nc\n{{/list}}", "\nc\n", NULL},
	{"{{#empty}}\n\n{{/empty}}\nS: {{subject}}\n", "S: a  Bcc: b \n",
	    NULL},
	{"a\nb {{lists}}\n", "", "line 2: unknown name lists"},
	{"{{#nobody}}\n{{/nobody}}\n", "", "line 1: unknown name nobody"},
	{"{{#empty}}\n{{nobody}}\n{{/empty}}\n", "",
	    "line 2: unknown name nobody"},
	{"a\n\n{{ list }}\n", "", "line 3: braces without a name"},
	{"{{list}\n", "", "line 1: braces without a name"},
	{"{{list", "", "line 1: braces without a name"},
	{"{{", "", "line 1: braces without a name"},
	{"{{}}", "", "line 1: braces without a name"},
	{"x {{#list}}\n", "", "line 1: braces without a name"},
	{"{{#list}}\n{{#list}}\n", "",
	    "line 2: section inside a section: list"},
	{"\n{{#list}}\n", "", "line 2: section without an end: list"},
	{"{{/list}}\n", "", "line 1: end of a section not open: list"},
	{"{{#list}}\n{{/empty}}\n", "",
	    "line 2: end of a section not open: empty"},
};

START_TEST(test_cases)
{
	struct sbuf out = {0}, why = {0}, want = {0};
	int result;

	sbuf_adds(&out, "before|");
	sbuf_printf(&want, "before|%s", cases[_i].want);
	errno = 0;
	result = template_fill(cases[_i].text, values, &out, &why);
	ck_assert_msg(result == (cases[_i].why == NULL ? 0 : -1),
	    "%s: %s", cases[_i].text, sbuf_str(&why));
	ck_assert_str_eq(sbuf_str(&out), sbuf_str(&want));
	ck_assert_str_eq(sbuf_str(&why),
	    cases[_i].why == NULL ? "" : cases[_i].why);
	if (cases[_i].why != NULL) {
		ck_assert_int_eq(errno, EINVAL);
		ck_assert_int_eq(template_fill(cases[_i].text, values, &out,
		    NULL), -1);
	}
	sbuf_free(&out);
	sbuf_free(&why);
	sbuf_free(&want);
}
END_TEST

static const struct template_value all[] = {
	{"list", "dev@lists.example.org"}, {"list_name", "Developers"},
	{"domain", "lists.example.org"},
	{"owner", "dev-owner@lists.example.org"},
	{"request", "dev-request@lists.example.org"},
	{"subscribe", "dev-join@lists.example.org"},
	{"unsubscribe", "dev-leave@lists.example.org"},
	{"address", "ann@example.net"}, {"subject", "hello"},
	{"reason", "reason"}, {"token_address", "dev-confirm+t@example.org"},
	{"token_reject", "r"}, {"token_discard", "d"}, {"date", "tomorrow"},
	{"results", "done"}, {"held_items", "one"}, {"held_count", "1"},
	{"members", "  bob@example.net"},
	{"help_commands", "help"}, {NULL, NULL},
};

static const char *const notices[] = {
	"confirm-subscribe", "confirm-unsubscribe", "welcome", "goodbye",
	"already-member", "not-member", "help", "command-results",
	"post-held", "post-rejected", "held-owners", "hold-expired",
	"member-disabled", "subscribe-closed", "confirm-invalid",
};

/* The tests run in the root of the sources. */
static void
check_notice(const char *language, const char *name)
{
	char path[128], text[8192];
	struct sbuf out = {0}, why = {0};
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "config/templates/%s/%s", language, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, (ssize_t)sizeof(text) - 1);
	text[n] = '\0';
	close(fd);
	ck_assert_msg(template_fill(text, all, &out, &why) == 0, "%s: %s",
	    path, sbuf_str(&why));
	ck_assert_msg(strncmp(sbuf_str(&out), "Subject: ", 9) == 0, "%s",
	    path);
	ck_assert_msg(strstr(sbuf_str(&out), "\n\n") != NULL, "%s", path);
	ck_assert_msg(strstr(sbuf_str(&out), "{{") == NULL, "%s", path);
	ck_assert_msg(out.data[out.len - 1] == '\n', "%s", path);
	sbuf_free(&out);
	sbuf_free(&why);
}

START_TEST(test_notices)
{
	check_notice("en", notices[_i]);
	check_notice("de", notices[_i]);
}
END_TEST

/* A template that the table above does not know would never be looked at. */
START_TEST(test_no_other_notice)
{
	static const char *const folders[] = { "config/templates/en",
		"config/templates/de" };
	DIR *dir = opendir(folders[_i]);
	struct dirent *entry;
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	ck_assert_uint_eq(n, COUNT(notices));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("template");
	TCase *tc = tcase_create("template");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, test_cases, 0, (int)COUNT(cases));
	tcase_add_loop_test(tc, test_notices, 0, (int)COUNT(notices));
	tcase_add_loop_test(tc, test_no_other_notice, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
