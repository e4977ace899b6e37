/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_lists - which list and role an address is; lists made and removed
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/domain/lists.h"
#include "common/domain/liststate.h"
#include "common/domain/roster.h"
#include "common/system/fsutil.h"

static char dir[256];
static struct site *site;
static struct lists *lists;
static struct sbuf why;

static void
setup(void)
{
	const char *tmp = getenv("TMPDIR");
	struct conf_errors errors = {0};
	struct sbuf text = {0};
	struct conf_node *tree;

	snprintf(dir, sizeof(dir), "%.200s/septet-lists.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	sbuf_printf(&text, "site: example.org\nlists: %s\n", dir);
	tree = conf_parse("s", text.data, text.len, &errors);
	site = site_make("/s", tree, &errors);
	ck_assert_ptr_nonnull(site);
	lists = lists_open(site);
	sbuf_free(&text);
}

static void
teardown(void)
{
	lists_close(&lists);
	ck_assert_ptr_null(lists);
	site_free(&site);
	sbuf_free(&why);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, dir), 0);
}

/* Write a list.yaml; NULL takes it away. */
static void
write_list(const char *name, const char *text)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(fs_mkdirs(AT_FDCWD, path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/list.yaml", dir, name);
	if (text == NULL) {
		(void)unlink(path);
		return;
	}
	ck_assert_int_eq(fs_replace_unsynced(AT_FDCWD, path, text,
	    strlen(text), 0600), 0);
}

/* See what changed now, not within a second. */
static void
reopen(void)
{
	lists_close(&lists);
	lists = lists_open(site);
}

static void
make_some(void)
{
	write_list("dev@example.org",
	    "addresses: [dev@example.org, hackers@example.net]\n");
	write_list("c++@example.org", "addresses: [c++@example.org]\n");
	write_list("ops@xn--mller-kva.example",
	    "addresses: [ops@xn--mller-kva.example, dev-help@example.org]\n");
	write_list("help@example.org",
	    "addresses: [help@example.org, help-owner@example.org]\n");
}

static const struct {
	const char *address, *list;
	enum lists_role role;
	const char *extension;
} addresses[] = {
	{"dev@example.org", "dev@example.org", ROLE_POST, ""},
	{"DEV@Example.ORG", "dev@example.org", ROLE_POST, ""},
	{"\"dev\"@example.org", "dev@example.org", ROLE_POST, ""},
	{"hackers@example.net", "dev@example.org", ROLE_POST, ""},
	{"dev-request@example.org", "dev@example.org", ROLE_REQUEST, ""},
	{"dev-join@example.org", "dev@example.org", ROLE_JOIN, ""},
	{"dev-subscribe@example.org", "dev@example.org", ROLE_JOIN, ""},
	{"dev-leave@example.org", "dev@example.org", ROLE_LEAVE, ""},
	{"dev-Unsubscribe@example.org", "dev@example.org", ROLE_LEAVE, ""},
	{"dev-owner@example.org", "dev@example.org", ROLE_OWNER, ""},
	{"dev-confirm@example.org", "dev@example.org", ROLE_CONFIRM, ""},
	{"dev-confirm+aB3@example.org", "dev@example.org", ROLE_CONFIRM,
	    "aB3"},
	{"dev-bounces@example.org", "dev@example.org", ROLE_BOUNCES, ""},
	{"dev-bounces+Ann+x-owner=ex.net=mac@example.org", "dev@example.org",
	    ROLE_BOUNCES, "Ann+x-owner=ex.net=mac"},
	{"\"dev-bounces+a b=ex.net=mac\"@example.org", "dev@example.org",
	    ROLE_BOUNCES, "a b=ex.net=mac"},
	{"hackers-bounces+~7=mac@example.net", "dev@example.org",
	    ROLE_BOUNCES, "~7=mac"},
	{"dev+tag@example.org", "dev@example.org", ROLE_POST, "tag"},
	{"dev+@example.org", "dev@example.org", ROLE_POST, ""},
	{"c++@example.org", "c++@example.org", ROLE_POST, ""},
	{"c++-owner@example.org", "c++@example.org", ROLE_OWNER, ""},
	{"c++-confirm+t@example.org", "c++@example.org", ROLE_CONFIRM, "t"},
	{"c+++x@example.org", "c++@example.org", ROLE_POST, "x"},
	{"ops@m\xc3\xbcller.example", "ops@xn--mller-kva.example", ROLE_POST,
	    ""},
	{"ops-join@M\xc3\x9cLLER.example", "ops@xn--mller-kva.example",
	    ROLE_JOIN, ""},
	/* Exact beats role, by alias too. */
	{"dev-help@example.org", "ops@xn--mller-kva.example", ROLE_POST, ""},
	{"help-owner@example.org", "help@example.org", ROLE_POST, ""},
	{"postmaster@example.org", NULL, ROLE_SITE_OWNER, ""},
	{"PostMaster@example.net", NULL, ROLE_SITE_OWNER, ""},
	{"postmaster", NULL, ROLE_SITE_OWNER, ""},
	{"postmaster@other.example", NULL, -1, ""},
	{"dev@example.net", NULL, -1, ""},
	{"dev@other.example", NULL, -1, ""},
	{"nobody@example.org", NULL, -1, ""},
	{"nobody-owner@example.org", NULL, -1, ""},
	{"dev-@example.org", NULL, -1, ""},
	{"-owner@example.org", NULL, -1, ""},
	{"-owner+x@example.org", NULL, -1, ""},
	{"+dev@example.org", NULL, -1, ""},
	{"dev-ownerx@example.org", NULL, -1, ""},
	{"dev", NULL, -1, ""},
	{"", NULL, -1, ""},
	{"@example.org", NULL, -1, ""},
	{"../dev@example.org", NULL, -1, ""},
	{"dev@../example.org", NULL, -1, ""},
	{"++++++++++++++++++++++++++++++++@example.org", NULL, -1, ""},
	{"dev@example.org@example.org", NULL, -1, ""},
};

START_TEST(test_resolve)
{
	struct lists_match match = {0};
	int found;

	make_some();
	found = lists_resolve(lists, addresses[_i].address, &match);
	if ((int)addresses[_i].role == -1) {
		ck_assert_int_eq(found, 0);
		ck_assert_ptr_null(match.list);
	} else {
		ck_assert_int_eq(found, 1);
		ck_assert_int_eq(match.role, addresses[_i].role);
		ck_assert_str_eq(sbuf_str(&match.extension),
		    addresses[_i].extension);
		if (addresses[_i].list == NULL) {
			ck_assert_ptr_null(match.list);
		} else {
			ck_assert_str_eq(match.list->address,
			    addresses[_i].list);
		}
	}
	lists_match_free(&match);
}
END_TEST

START_TEST(test_get)
{
	const struct list *list;

	make_some();
	ck_assert_int_eq(lists_get(lists, "Dev@Example.org", &list, &why), 1);
	ck_assert_str_eq(list->address, "dev@example.org");
	ck_assert_int_eq(lists_get(lists, "hackers@example.net", &list, NULL),
	    0);
	ck_assert_ptr_null(list);
	ck_assert_int_eq(lists_get(lists, "..", &list, NULL), 0);
	ck_assert_int_eq(lists_get(lists, "", &list, NULL), 0);
	/* A changed file is seen at once. */
	write_list("dev@example.org",
	    "addresses: [dev@example.org]\nclosed: yes\n");
	ck_assert_int_eq(lists_get(lists, "dev@example.org", &list, NULL), 1);
	ck_assert(list->is_closed);
	write_list("dev@example.org", "addresses: [dev@example.org]\nx: y\n");
	ck_assert_int_eq(lists_get(lists, "dev@example.org", &list, &why), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_nonnull(strstr(sbuf_str(&why),
	    "dev@example.org/list.yaml:2: unknown key \"x\""));
	sbuf_truncate(&why, 0);
	write_list("dev@example.org", NULL);
	ck_assert_int_eq(lists_get(lists, "dev@example.org", &list, &why), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(sbuf_str(&why), "has no list.yaml"));
}
END_TEST

/* What cannot be known now is not "no such list". */
START_TEST(test_temporary)
{
	struct lists_match match = {0};
	char elsewhere[300], place[400];

	make_some();
	write_list("bad@example.org", "addresses: [\n");
	ck_assert_str_eq(lists_why(lists), "");
	ck_assert_int_eq(lists_resolve(lists, "bad@example.org", &match), -1);
	snprintf(place, sizeof(place), "%s/bad@example.org/list.yaml:", dir);
	ck_assert_ptr_eq(strstr(lists_why(lists), place), lists_why(lists));
	ck_assert_int_eq(lists_resolve(lists, "bad-owner@example.org", &match),
	    -1);
	ck_assert_ptr_eq(strstr(lists_why(lists), place), lists_why(lists));
	/* It may have been an alias of the bad one. */
	ck_assert_int_eq(lists_resolve(lists, "nobody@example.org", &match),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_eq(strstr(lists_why(lists), place), lists_why(lists));
	ck_assert_int_eq(lists_resolve(lists, "nobody@example.net", &match),
	    0);
	ck_assert_str_eq(lists_why(lists), "");
	ck_assert_int_eq(lists_resolve(lists, "dev-owner@example.org",
	    &match), 1);
	ck_assert_int_eq(lists_resolve(lists, "postmaster@example.org",
	    &match), 1);
	write_list("bad@example.org", NULL);
	reopen();
	ck_assert_int_eq(lists_resolve(lists, "bad@example.org", &match), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(lists_why(lists), "has no list.yaml"));
	snprintf(elsewhere, sizeof(elsewhere), "%s.away", dir);
	ck_assert_int_eq(rename(dir, elsewhere), 0);
	reopen();
	ck_assert_int_eq(lists_resolve(lists, "dev@example.org", &match), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(lists_resolve(lists, "nobody@example.org", &match),
	    -1);
	ck_assert_int_eq(rename(elsewhere, dir), 0);
	ck_assert_int_eq(lists_resolve(lists, "dev@example.org", &match), 1);
	lists_match_free(&match);
}
END_TEST

START_TEST(test_alias_seen)
{
	struct lists_match match = {0};
	int64_t until = clock_mono_ms() + 10000;

	make_some();
	ck_assert_int_eq(lists_resolve(lists, "fresh@example.org", &match), 0);
	write_list("dev@example.org",
	    "addresses: [dev@example.org, fresh@example.org]\n");
	while (lists_resolve(lists, "fresh@example.org", &match) == 0) {
		ck_assert_int_lt(clock_mono_ms(), until);
		usleep(20000);
	}
	ck_assert_str_eq(match.list->address, "dev@example.org");
	/* The former alias goes with that look. */
	ck_assert_int_eq(lists_resolve(lists, "hackers@example.net", &match),
	    0);
	lists_match_free(&match);
}
END_TEST

START_TEST(test_names)
{
	struct strv names = {0};
	char path[300];

	make_some();
	write_list("bad@example.org", "addresses: [\n");
	write_list("no-address", NULL);
	write_list("UPPER@example.org", NULL);
	write_list(".new.1@example.org", NULL);
	snprintf(path, sizeof(path), "%s/file@example.org", dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	ck_assert_int_eq(lists_names(lists, &names), 0);
	ck_assert_uint_eq(names.n, 5);
	ck_assert_str_eq(names.items[0], "bad@example.org");
	ck_assert_str_eq(names.items[4], "ops@xn--mller-kva.example");
	strv_free(&names);
}
END_TEST

START_TEST(test_create)
{
	struct strv owners = {0};
	const struct list *list;
	struct liststate *state;
	struct roster *roster;
	unsigned char key[32];
	char path[300];

	strv_add(&owners, "Ann@example.net");
	strv_add(&owners, "o'neil@example.net");
	ck_assert_int_eq(lists_create(lists, "New@Example.org", &owners, &why),
	    0);
	ck_assert_int_eq(lists_get(lists, "new@example.org", &list, &why), 1);
	ck_assert_uint_eq(list->owners.n, 2);
	ck_assert_str_eq(list->owners.items[0], "Ann@example.net");
	ck_assert_str_eq(list->owners.items[1], "o'neil@example.net");
	roster = roster_open(list->dir, STORE_WRITE);
	ck_assert_ptr_nonnull(roster);
	ck_assert_int_eq(roster_count(roster), 0);
	roster_close(&roster);
	state = liststate_open(list->dir, STORE_WRITE);
	ck_assert_ptr_nonnull(state);
	ck_assert_int_eq(liststate_key(state, key), 0);
	liststate_close(&state);
	ck_assert_int_eq(lists_create(lists, "new@example.org", &owners, NULL),
	    -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(lists_delete(lists, "NEW@example.org"), 0);
	ck_assert_int_eq(lists_get(lists, "new@example.org", &list, NULL), 0);
	ck_assert_int_eq(lists_delete(lists, "new@example.org"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(lists_delete(lists, ".."), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(lists_create(lists, "empty@example.org", NULL, NULL),
	    0);
	ck_assert_int_eq(lists_get(lists, "empty@example.org", &list, &why),
	    1);
	/* Nothing else is left behind. */
	ck_assert_int_eq(lists_delete(lists, "empty@example.org"), 0);
	snprintf(path, sizeof(path), "%s", dir);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	strv_free(&owners);
}
END_TEST

static const struct {
	const char *address;
	int error;
	const char *why;
} refused[] = {
	{"dev@example.org", EEXIST, ""},
	{"hackers@example.net", EINVAL, "hackers@example.net: is an address "
	    "of list dev@example.org (post)"},
	{"dev-owner@example.org", EINVAL, "dev-owner@example.org: is an "
	    "address of list dev@example.org (owner)"},
	{"dev-bounces+x@example.org", EINVAL, "dev-bounces+x@example.org: is "
	    "an address of list dev@example.org (bounces)"},
	{"dev+x@example.org", EINVAL, "dev+x@example.org: is an address of "
	    "list dev@example.org (post)"},
	{"web@example.org", EINVAL, "web@example.org: list "
	    "web-request@example.org would be one of its addresses"},
	{"c@example.org", EINVAL, "c@example.org: list c++@example.org would "
	    "be one of its addresses"},
	{"postmaster@example.org", EINVAL, "postmaster@example.org: no list's "
	    "name; "},
	{"a b@example.org", EINVAL, "a b@example.org: "},
	{"dev", EINVAL, "dev: "},
	{"../x@example.org", EINVAL, "../x@example.org: "},
	{"abcdefghijklmnopqrstuvwxyz012@example.org", EINVAL,
	    "abcdefghijklmnopqrstuvwxyz012@example.org: no list's name; 1 "
	    "to 28 of "},
	{"x@example.org", EINVAL, "owner nobody: "},
};

START_TEST(test_refused)
{
	struct strv owners = {0}, names = {0};

	make_some();
	write_list("web-request@example.org",
	    "addresses: [web-request@example.org]\n");
	if (strncmp(refused[_i].why, "owner", 5) == 0) {
		strv_add(&owners, "nobody");
	}
	ck_assert_int_eq(lists_create(lists, refused[_i].address, &owners,
	    &why), -1);
	ck_assert_int_eq(errno, refused[_i].error);
	ck_assert_msg(strncmp(sbuf_str(&why), refused[_i].why,
	    strlen(refused[_i].why)) == 0, "%s", sbuf_str(&why));
	ck_assert_int_eq(lists_names(lists, &names), 0);
	ck_assert_uint_eq(names.n, 5);
	strv_free(&names);
	strv_free(&owners);
}
END_TEST

START_TEST(test_roles)
{
	enum lists_role role;

	for (int i = ROLE_POST; i <= ROLE_SITE_OWNER; i++) {
		ck_assert_int_eq(lists_role_parse(lists_role_name(
		    (enum lists_role)i), &role), 0);
		ck_assert_int_eq(role, i);
	}
	ck_assert_str_eq(lists_role_name(ROLE_SITE_OWNER), "site-owner");
	ck_assert_int_eq(lists_role_parse("Post", &role), -1);
	ck_assert_str_eq(lists_suffixes()[0].text, "");
	ck_assert_int_eq(lists_suffixes()[0].role, ROLE_POST);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("lists");
	TCase *tc = tcase_create("lists");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_resolve, 0, COUNT(addresses));
	tcase_add_test(tc, test_get);
	tcase_add_test(tc, test_temporary);
	tcase_add_test(tc, test_alias_seen);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_create);
	tcase_add_loop_test(tc, test_refused, 0, COUNT(refused));
	tcase_add_test(tc, test_roles);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
