/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_list - a list's policy read, over the site's defaults
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/domain/list.h"
#include "common/system/fsutil.h"

static struct conf_errors errors;

static struct site *
make_site(const char *text)
{
	struct conf_node *tree;
	struct site *site;

	tree = conf_parse("s", text, strlen(text), &errors);
	ck_assert_ptr_nonnull(tree);
	site = site_make("/s", tree, &errors);
	ck_assert_ptr_nonnull(site);
	return site;
}

static struct list *
make(const struct site *site, const char *text)
{
	struct conf_node *tree;
	struct list *list;

	conf_errors_free(&errors);
	tree = conf_parse("f", text, strlen(text), &errors);
	ck_assert_ptr_nonnull(tree);
	list = list_make(site, "/l/dev@x.org", tree, &errors);
	conf_free(&tree);
	return list;
}

START_TEST(test_defaults)
{
	struct site *site = make_site("site: x.org\n");
	struct list *list = make(site, "addresses: [Dev@X.org]\n");

	ck_assert_ptr_nonnull(list);
	ck_assert_str_eq(list->address, "dev@x.org");
	ck_assert_str_eq(list->dir, "/l/dev@x.org");
	ck_assert_uint_eq(list->addresses.n, 1);
	ck_assert_uint_eq(list->owners.n, 0);
	ck_assert_str_eq(list->language, "en");
	ck_assert_ptr_null(list->subject_prefix);
	ck_assert_ptr_null(list->description);
	ck_assert_int_eq(list->member_action, LIST_ACCEPT);
	ck_assert_int_eq(list->nonmember_action, LIST_HOLD);
	ck_assert_int_eq(list->size_action, LIST_HOLD);
	ck_assert_uint_eq(list->size_limit, 10 << 20);
	ck_assert_int_eq(list->identity, LIST_FROM_FIRST);
	ck_assert_int_eq(list->subscribe, LIST_OPEN_CONFIRM);
	ck_assert_int_eq(list->verp, LIST_VERP_EACH);
	ck_assert(!list->is_closed);
	ck_assert_uint_eq(list->bounce_threshold, 5);
	ck_assert_int_eq(list->bounce_stale, 7LL * 86400000);
	list_free(&list);
	ck_assert_ptr_null(list);
	site_free(&site);
}
END_TEST

START_TEST(test_values)
{
	struct site *site = make_site("site: x.org\nqueues: {inbound: "
	    "{size_limit: 2M}}\ndefaults: {owners: [s@x.org], verp: none,\n"
	    "  size_limit: 1M, language: de, member_action: hold}\n");
	struct list *list;

	list = make(site, "version: 1\n"
	    "addresses: [dev@x.org, DEVEL@m\xc3\xbcller.example]\n"
	    "owners: [\"a@x.org\", b@x.org]\nmoderators: c@x.org\n"
	    "description: \"G\xc3\xbcte\"\nsubject_prefix: '[dev]'\n"
	    "nonmember_action: reject\nsize_action: discard\n"
	    "size_limit: 500M\nidentity: [envelope, from]\n"
	    "subscribe: closed\nclosed: yes\nbounce_threshold: 0\n"
	    "bounce_stale: 1d\n");
	ck_assert_msg(list != NULL, "%s", errors.lines.n > 0
	    ? errors.lines.items[0] : "");
	ck_assert_uint_eq(list->addresses.n, 2);
	ck_assert_str_eq(list->addresses.items[1],
	    "devel@xn--mller-kva.example");
	ck_assert_uint_eq(list->owners.n, 2);
	ck_assert_uint_eq(list->moderators.n, 1);
	ck_assert_str_eq(list->description, "G\xc3\xbcte");
	ck_assert_str_eq(list->subject_prefix, "[dev]");
	ck_assert_int_eq(list->member_action, LIST_HOLD);
	ck_assert_int_eq(list->nonmember_action, LIST_REJECT);
	ck_assert_int_eq(list->size_action, LIST_DISCARD);
	ck_assert_uint_eq(list->size_limit, 2 << 20);
	ck_assert_int_eq(list->identity, LIST_ENVELOPE_FIRST);
	ck_assert_int_eq(list->subscribe, LIST_CLOSED);
	ck_assert_int_eq(list->verp, LIST_VERP_NONE);
	ck_assert_str_eq(list->language, "de");
	ck_assert(list->is_closed);
	ck_assert_uint_eq(list->bounce_threshold, 0);
	list_free(&list);
	list = make(site, "addresses: dev@x.org\n");
	ck_assert_ptr_nonnull(list);
	ck_assert_str_eq(list->owners.items[0], "s@x.org");
	ck_assert_uint_eq(list->size_limit, 1 << 20);
	list_free(&list);
	site_free(&site);
}
END_TEST

static const struct {
	const char *text;
	int value;
} identities[] = {
	{"[from, envelope]", LIST_FROM_FIRST},
	{"[envelope, from]", LIST_ENVELOPE_FIRST},
	{"[from]", LIST_FROM_ONLY},
	{"envelope", LIST_ENVELOPE_ONLY},
	{"[]", -1},
	{"[from, from]", -1},
	{"[from, envelope, from]", -1},
	{"sender", -1},
	{"{from: 1}", -1},
};

START_TEST(test_identity)
{
	struct site *site = make_site("site: x.org\n");
	struct sbuf text = {0};
	struct list *list;

	sbuf_printf(&text, "addresses: [dev@x.org]\nidentity: %s\n",
	    identities[_i].text);
	list = make(site, sbuf_str(&text));
	if (identities[_i].value != -1) {
		ck_assert_ptr_nonnull(list);
		ck_assert_int_eq(list->identity, identities[_i].value);
	} else {
		ck_assert_ptr_null(list);
		ck_assert_str_eq(errors.lines.items[0], "f:2: identity is "
		    "something else, [from, envelope], [envelope, from], "
		    "[from] or [envelope] is allowed");
	}
	list_free(&list);
	sbuf_free(&text);
	site_free(&site);
}
END_TEST

static const struct {
	const char *text, *error;
} wrong[] = {
	{"owners: [a@x.org]\n", "f:1: addresses has 0 addresses, 1 to 100 are "
	    "allowed"},
	{"addresses: []\n", "f:1: addresses has 0 addresses, 1 to 100 are "
	    "allowed"},
	{"addresses: [other@x.org]\n", "f:1: addresses begins with "
	    "\"other@x.org\", the name of the list's directory is allowed: "
	    "dev@x.org"},
	{"addresses: [dev@x.org, '../x@x.org']\n", "f:1: addresses has "
	    "\"../x@x.org\" ("},
	{"addresses: [dev@x.org, nowhere]\n", "f:1: addresses has \"nowhere\" "
	    "("},
	{"addresses: [dev@x.org, '\"a b\"@x.org']\n", "f:1: addresses has "
	    "\"\"a b\"@x.org\" (not a list's name), NAME@DOMAIN is allowed "
	    "with 1 to 28 of a-z 0-9 . _ + - in NAME"},
	{"version: 2\naddresses: [dev@x.org]\n", "f:1: version is \"2\", a "
	    "number from 1 to 1 is allowed"},
	{"addresses: [dev@x.org]\nowner: a@x.org\n", "f:2: unknown key "
	    "\"owner\", nearest is \"owners\"; allowed are version, "},
	{"addresses: [dev@x.org]\nowners: [a]\n", "f:2: owners has \"a\" ("},
	{"addresses: [dev@x.org]\nlanguage: ../de\n", "f:2: language is "
	    "\"../de\", a language tag such as en or pt-BR is allowed"},
	{"addresses: [dev@x.org]\nsubject_prefix: \"a\\nBcc: b\"\n", "f:2: "
	    "subject_prefix is \"a\\x0aBcc: b\", one line of text, not empty, "
	    "is allowed"},
	{"addresses: [dev@x.org]\nmember_action: drop\n", "f:2: member_action "
	    "is \"drop\", accept, hold, reject or discard is allowed"},
};

START_TEST(test_wrong)
{
	struct site *site = make_site("site: x.org\n");

	ck_assert_ptr_null(make(site, wrong[_i].text));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(errors.lines.n, 1);
	ck_assert_msg(strncmp(errors.lines.items[0], wrong[_i].error,
	    strlen(wrong[_i].error)) == 0, "%s", errors.lines.items[0]);
	site_free(&site);
}
END_TEST

static const struct {
	const char *name;
	bool is_name;
} names[] = {
	{"dev", true}, {"0", true}, {"a.b_c+d-e", true},
	{"abcdefghijklmnopqrstuvwxyz01", true},
	{"abcdefghijklmnopqrstuvwxyz012", false},
	{"", false}, {".", false}, {"..", false}, {".a", false}, {"a.", false},
	{"a..b", false}, {"-a", false}, {"_a", false}, {"+", false},
	{"a/b", false}, {"A", false}, {"a b", false}, {"a@b", false},
	{"\xc3\xbc", false}, {"a\n", false},
};

START_TEST(test_names)
{
	ck_assert_int_eq(list_is_name(names[_i].name), names[_i].is_name);
}
END_TEST

START_TEST(test_addresses)
{
	struct site *site = make_site("site: x.org\n");
	struct list *list = make(site, "addresses: dev@x.org\n");
	struct sbuf out = {0};

	list_role_address(list, "-owner", &out);
	ck_assert_str_eq(sbuf_str(&out), "dev-owner@x.org");
	list_role_address(list, "", &out);
	ck_assert_str_eq(sbuf_str(&out), "dev@x.org");
	list_id(list, &out);
	ck_assert_str_eq(sbuf_str(&out), "dev.x.org");
	ck_assert_str_eq(list_action_name(LIST_ACCEPT), "accept");
	ck_assert_str_eq(list_action_name(LIST_DISCARD), "discard");
	sbuf_free(&out);
	list_free(&list);
	site_free(&site);
}
END_TEST

START_TEST(test_load)
{
	const char *tmp = getenv("TMPDIR");
	struct site *site = make_site("site: x.org\n");
	char base[256], dir[300], path[340];
	struct sbuf sample = {0};
	struct list *list;

	snprintf(base, sizeof(base), "%.200s/septet-list.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/dev@lists.example.org", base);
	snprintf(path, sizeof(path), "%s/list.yaml", dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_ptr_null(list_load(site, dir, &errors));
	ck_assert_int_eq(errno, ENOENT);
	conf_errors_free(&errors);
	ck_assert_int_eq(fs_read(AT_FDCWD, "config/list.yaml.sample", 65536,
	    &sample), 0);
	ck_assert_int_eq(fs_replace_unsynced(AT_FDCWD, path, sample.data,
	    sample.len, 0600), 0);
	list = list_load(site, dir, &errors);
	ck_assert_msg(list != NULL, "%s", errors.lines.n > 0
	    ? errors.lines.items[0] : "");
	ck_assert_str_eq(list->address, "dev@lists.example.org");
	ck_assert_uint_eq(list->addresses.n, 2);
	list_free(&list);
	sbuf_adds(&sample, "closed: yes\n");
	ck_assert_int_eq(fs_replace_unsynced(AT_FDCWD, path, sample.data,
	    sample.len, 0600), 0);
	ck_assert_ptr_null(list_load(site, dir, &errors));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(errors.lines.n, 1);
	ck_assert_ptr_nonnull(strstr(errors.lines.items[0],
	    "key \"closed\" stands in line "));
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, base), 0);
	sbuf_free(&sample);
	site_free(&site);
}
END_TEST

static void
teardown(void)
{
	conf_errors_free(&errors);
}

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("list");
	TCase *tc = tcase_create("list");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_values);
	tcase_add_loop_test(tc, test_identity, 0, COUNT(identities));
	tcase_add_loop_test(tc, test_wrong, 0, COUNT(wrong));
	tcase_add_loop_test(tc, test_names, 0, COUNT(names));
	tcase_add_test(tc, test_addresses);
	tcase_add_test(tc, test_load);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
