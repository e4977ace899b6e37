/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_inbound_parts - whose a dropped file is, and what owners get
 */
/* test-objects: runners/inbound/recipients.c runners/inbound/owner.c */
/* test-objects: runners/inbound/inbound.c runners/inbound/facts.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/system/fsutil.h"
#include "runners/inbound/inbound.h"

static char root[64];
static int root_dir;
static struct site *site;
static struct lists *lists;

static void
put(const char *path, const char *text)
{
	ck_assert_int_eq(fs_replace_unsynced(root_dir, path, text,
	    strlen(text), 0600), 0);
}

static void
make_list(const char *address, const char *aliases)
{
	struct sbuf path = {0}, text = {0};

	sbuf_printf(&path, "lists/%s", address);
	ck_assert_int_eq(fs_mkdirs(root_dir, path.data, 0700), 0);
	sbuf_adds(&path, "/list.yaml");
	sbuf_printf(&text, "addresses: [%s%s]\nowners: ann@example.org\n",
	    address, aliases);
	put(path.data, text.data);
	sbuf_free(&path);
	sbuf_free(&text);
}

static void
set_up(void)
{
	struct conf_errors errors = {{0}};
	struct sbuf path = {0};

	strcpy(root, "/tmp/septet-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	root_dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ne(root_dir, -1);
	make_list("dev@lists.example.org", ", developers@lists.example.org");
	make_list("ops@lists.example.org", "");
	put("septet.yaml", "site: lists.example.org\nhost: a\nspool: spool\n"
	    "lists: lists\nrun: run\nowner: owner@example.org\n");
	sbuf_printf(&path, "%s/septet.yaml", root);
	site = site_load(path.data, &errors);
	ck_assert_ptr_nonnull(site);
	lists = lists_open(site);
	ck_assert_ptr_nonnull(lists);
	sbuf_free(&path);
}

static void
tear_down(void)
{
	lists_close(&lists);
	site_free(&site);
	clock_freeze(0);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, root), 0);
	close(root_dir);
}

static const struct {
	const char *header;
	const char *want;       /* addresses, each with a space after it */
} recipients[] = {
	{"", ""},
	{"To: eve@example.net\n\n", ""},
	{"To: dev@lists.example.org\n\n", "dev@lists.example.org "},
	{"To: a@example.net\nCc: Ops <ops@lists.example.org>\n\n",
	    "ops@lists.example.org "},
	{"To: DEV@Lists.Example.ORG, developers@lists.example.org\n\n",
	    "DEV@Lists.Example.ORG "},
	{"To: dev-join@lists.example.org, dev-subscribe@lists.example.org,\n"
	    " dev-leave@lists.example.org\n\n",
	    "dev-join@lists.example.org dev-leave@lists.example.org "},
	{"To: dev+a@lists.example.org, dev+b@lists.example.org\n\n",
	    "dev+a@lists.example.org "},
	{"To: dev-confirm+a@lists.example.org,\n"
	    "\tdev-confirm+b@lists.example.org\n\n",
	    "dev-confirm+a@lists.example.org "
	    "dev-confirm+b@lists.example.org "},
	{"To: postmaster@lists.example.org, dev-owner@lists.example.org\n\n",
	    "postmaster@lists.example.org dev-owner@lists.example.org "},
	{"Delivered-To: ops@lists.example.org\nTo: dev@lists.example.org\n\n",
	    "ops@lists.example.org "},
	{"Delivered-To: eve@example.net\nTo: dev@lists.example.org\n\n",
	    "dev@lists.example.org "},
};

START_TEST(finds_recipients)
{
	const char *header = recipients[_i].header;
	struct strv found = {0};
	struct sbuf text = {0};
	size_t i;

	ck_assert_int_eq(recipients_find(lists, header, strlen(header),
	    &found), 0);
	for (i = 0; i < found.n; i++)
		sbuf_printf(&text, "%s ", found.items[i]);
	ck_assert_str_eq(sbuf_str(&text), recipients[_i].want);
	sbuf_free(&text);
	strv_free(&found);
}
END_TEST

static int
find_many(int n, size_t *found)
{
	struct strv out = {0};
	struct sbuf header = {0};
	int i, rc;

	for (i = 0; i < n; i++)
		sbuf_printf(&header, "To: dev-confirm+%d@lists.example.org\n",
		    i);
	rc = recipients_find(lists, sbuf_str(&header), header.len, &out);
	*found = out.n;
	sbuf_free(&header);
	strv_free(&out);
	return rc;
}

START_TEST(bounds_recipients)
{
	size_t n;

	ck_assert_int_eq(find_many(INBOUND_RECIPIENTS_MAX, &n), 0);
	ck_assert_uint_eq(n, INBOUND_RECIPIENTS_MAX);
	errno = 0;
	ck_assert_int_eq(find_many(INBOUND_RECIPIENTS_MAX + 1, &n), -1);
	ck_assert_int_eq(errno, E2BIG);
}
END_TEST

START_TEST(says_that_a_list_cannot_be_read)
{
	static const char header[] = "To: ops@lists.example.org\n\n";
	struct strv found = {0};

	put("lists/ops@lists.example.org/list.yaml", "nonsense: [");
	errno = 0;
	ck_assert_int_eq(recipients_find(lists, header, strlen(header),
	    &found), -1);
	ck_assert_int_ne(errno, 0);
	ck_assert_int_ne(errno, E2BIG);
	strv_free(&found);
}
END_TEST

#define TOP "Received: by lists.example.org (Septet)%s id 0k1-a-1;\n" \
	"\tFri, 20 Nov 2026 09:00:00 +0000\n" \
	"X-Loop: dev@lists.example.org\n"

static const struct {
	const char *old;
	const char *want;       /* below ours */
} heads[] = {
	{"", "\n"},
	{"\n", "\n"},
	{"A: 1\n\n", "A: 1\n\n"},
	{"A: 1", "A: 1\n\n"},
	{"A: 1\n", "A: 1\n\n"},
	{"A: 1\n\tx\nB:2\n\n", "A: 1\n\tx\nB:2\n\n"},
	{"Return-Path: <a@example.net>\nA: 1\nbcc: b\n c\nB: 2\n\n",
	    "A: 1\nB: 2\n\n"},
	{"Resent-Bcc: a\nReturn-Path:\nX-Loop: b\nList-Id: c\n\n",
	    "X-Loop: b\nList-Id: c\n\n"},
	{"Bccs: a\n\n", "Bccs: a\n\n"},
};

START_TEST(makes_the_owners_head)
{
	struct owner_head in = {.site = site, .id = "0k1-a-1",
		.loop = "dev@lists.example.org"};
	struct sbuf old = {0}, out = {0}, want = {0};

	clock_freeze(1795165200000LL);
	in.is_smtp = _i % 2 == 1;
	sbuf_adds(&old, heads[_i].old);
	owner_head(&in, &old, &out);
	sbuf_printf(&want, TOP, in.is_smtp ? " with LMTP" : "");
	sbuf_adds(&want, heads[_i].want);
	ck_assert_str_eq(out.data, want.data);
	sbuf_free(&old);
	sbuf_free(&out);
	sbuf_free(&want);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("inbound_parts");
	TCase *parts = tcase_create("parts");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(parts, set_up, tear_down);
	tcase_add_loop_test(parts, finds_recipients, 0,
	    sizeof(recipients) / sizeof(recipients[0]));
	tcase_add_test(parts, bounds_recipients);
	tcase_add_test(parts, says_that_a_list_cannot_be_read);
	tcase_add_loop_test(parts, makes_the_owners_head, 0,
	    sizeof(heads) / sizeof(heads[0]));
	suite_add_tcase(suite, parts);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
