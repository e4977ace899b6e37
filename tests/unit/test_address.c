/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_address - what a mailbox is, when two are the same, and address fields
 */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mail/address.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define A63 A16 A16 A16 "aaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *addr;
	size_t local_len;
	bool is_utf8;
} valid[] = {
	{"ann@example.net", 3, false},
	{"a@b", 1, false},
	{"a.b.c@example.net", 5, false},
	{"!#$%&'*+-/=?^_`{|}~@example.net", 19, false},
	{"\"a b\"@example.net", 5, false},
	{"\"a@b\"@example.net", 5, false},
	{"\"\\\"\"@example.net", 4, false},
	{"\"\"@example.net", 2, false},
	{"ann@[192.0.2.7]", 3, false},
	{"ann@[IPv6:2001:db8::7]", 3, false},
	{"ann@[ipv6:::1]", 3, false},
	{"j\xc3\xb6rg@example.net", 5, true},
	{"\"j\xc3\xb6rg b\"@example.net", 9, true},
	{"ann@b\xc3\xbc" "cher.example", 3, true},
	{"ann@xn--bcher-kva.example", 3, false},
	{"ann@1.2.3.4", 3, false},
	{A64 "@example.net", 64, false},
	{"ann@" A63 ".example", 3, false},
	{"ann@" A63 "." A63 "." A63 "." A63, 3, false},
	{A64 "@" A63 "." A63 "." A63 "." A63, 64, false},
};

START_TEST(test_valid)
{
	struct address_info info = {0};
	const char *why = "unset";

	ck_assert_msg(address_check(valid[_i].addr, &info, &why) == 0,
	    "%s: %s", valid[_i].addr, why);
	ck_assert_uint_eq(info.local_len, valid[_i].local_len);
	ck_assert_ptr_eq(info.domain, valid[_i].addr + info.local_len + 1);
	ck_assert_int_eq(info.is_utf8, valid[_i].is_utf8);
	ck_assert_int_eq(address_check(valid[_i].addr, NULL, NULL), 0);
}
END_TEST

static const struct {
	const char *addr;
	const char *why;
} invalid[] = {
	{"", "no @"},
	{"ann", "no @"},
	{"@example.net", "nothing before the @"},
	{"ann@", "nothing after the @"},
	{".ann@example.net", "local part is no dot-string"},
	{"ann.@example.net", "local part is no dot-string"},
	{"a..b@example.net", "local part is no dot-string"},
	{"a b@example.net", "local part is no dot-string"},
	{"a\"b\"@example.net", "local part is no dot-string"},
	{"<ann@example.net>", "local part is no dot-string"},
	{"ann@bob@example.net", "domain is no host name"},
	{"\"ann@example.net", "quoted string is wrong or not closed"},
	{"\"ann\\\"@example.net", "quoted string is wrong or not closed"},
	{"\"\\", "quoted string is wrong or not closed"},
	{"\"\\\xc3\xb6\"@example.net", "quoted string is wrong or not closed"},
	{"\"a\"b@example.net", "no @ after the quoted string"},
	{"\"a\"", "no @ after the quoted string"},
	{A64 "a@example.net", "local part is longer than 64 octets"},
	{"ann@" A64 ".example", "domain is no host name"},
	{"ann@example..net", "domain is no host name"},
	{"ann@.example", "domain is no host name"},
	{"ann@example.net.", "domain is no host name"},
	{"ann@-example.net", "domain is no host name"},
	{"ann@example-.net", "domain is no host name"},
	{"ann@exam_ple.net", "domain is no host name"},
	{"ann@exam ple.net", "domain is no host name"},
	{"ann@" A63 "." A63 "." A63 "." A63 ".a",
	    "domain is longer than 255 octets"},
	{A64 "@" A63 "." A63 "." A63 "." A63 ".a", "longer than 320 octets"},
	{"ann@[192.0.2.256]", "address literal is wrong"},
	{"ann@[192.0.2.7", "address literal is wrong"},
	{"ann@[]", "address literal is wrong"},
	{"ann@[", "address literal is wrong"},
	{"ann@[IPv6:]", "address literal is wrong"},
	{"ann@[IPv6:2001:db8::1::2]", "address literal is wrong"},
	{"ann@[2001:db8::1]", "address literal is wrong"},
	{"ann@[x400:foo]", "address literal is wrong"},
	{"ann@[IPv6:" A64 "]", "address literal is wrong"},
	{"ann@b\xc3\xbc_cher.example",
	    "domain is no internationalized host name"},
	{"ann@b\xc3\xbc\xe2\x84\x80.example",
	    "domain is no internationalized host name"},
	{"a\nb@example.net", "has a control character"},
	{"a\x7f" "b@example.net", "has a control character"},
	{"a\xc2\x9b" "b@example.net", "has a control character"},
	{"j\xf6rg@example.net", "is not valid UTF-8"},
	{"a\xed\xa0\x80@example.net", "is not valid UTF-8"},
};

START_TEST(test_invalid)
{
	struct address_info info = {.local_len = 99};
	struct sbuf key = {0};
	const char *why = NULL;

	errno = 0;
	ck_assert_msg(address_check(invalid[_i].addr, &info, &why) == -1,
	    "%s", invalid[_i].addr);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_str_eq(why, invalid[_i].why);
	ck_assert_uint_eq(info.local_len, 99);

	sbuf_set(&key, "left over");
	errno = 0;
	ck_assert_int_eq(address_key(invalid[_i].addr, &key), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(key.len, 0);
	ck_assert(!address_is_same(invalid[_i].addr, invalid[_i].addr));
	sbuf_free(&key);
}
END_TEST

static const struct {
	const char *addr;
	const char *key;
} keys[] = {
	{"ann@example.net", "ann@example.net"},
	{"Ann.B@EXAMPLE.Net", "ann.b@example.net"},
	{"\"Ann\"@example.net", "ann@example.net"},
	{"\"a\\nn\"@example.net", "ann@example.net"},
	{"\"a b\"@example.net", "\"a b\"@example.net"},
	{"\"A\\ b\"@example.net", "\"a b\"@example.net"},
	{"\"a\\\"\\\\\"@example.net", "\"a\\\"\\\\\"@example.net"},
	{"\"a@b\"@example.net", "\"a@b\"@example.net"},
	{"\"a..b\"@example.net", "\"a..b\"@example.net"},
	{"\"\"@example.net", "\"\"@example.net"},
	{"J\xc3\x96rg@example.net", "j\xc3\xb6rg@example.net"},
	/* o and a combining diaeresis */
	{"jo\xcc\x88rg@example.net", "j\xc3\xb6rg@example.net"},
	{"\"j\xc3\xb6rg\"@example.net", "j\xc3\xb6rg@example.net"},
	/* NFC makes a semicolon of U+037E, which must be quoted. */
	{"a\xcd\xbe" "b@example.net", "\"a;b\"@example.net"},
	{"I@example.net", "i@example.net"},
	{"ann@B\xc3\x9c" "CHER.example", "ann@xn--bcher-kva.example"},
	{"ann@bu\xcc\x88" "cher.example", "ann@xn--bcher-kva.example"},
	{"ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"},
	/* not transitional: sharp s is a letter of its own */
	{"ann@stra\xc3\x9f" "e.example", "ann@xn--strae-oqa.example"},
	{"ann@[192.0.2.7]", "ann@[192.0.2.7]"},
	{"ann@[IPV6:2001:DB8:0:0::7]", "ann@[ipv6:2001:db8::7]"},
};

START_TEST(test_key)
{
	struct sbuf key = {0}, again = {0};

	ck_assert_int_eq(address_key(keys[_i].addr, &key), 0);
	ck_assert_str_eq(key.data, keys[_i].key);
	ck_assert_int_eq(address_key(key.data, &again), 0);
	ck_assert_str_eq(again.data, key.data);
	ck_assert(address_is_same(keys[_i].addr, keys[_i].key));
	sbuf_free(&key);
	sbuf_free(&again);
}
END_TEST

START_TEST(test_same)
{
	ck_assert(address_is_same("Ann@Example.net", "ann@example.NET"));
	ck_assert(!address_is_same("ann@example.net", "ann@example.org"));
	ck_assert(!address_is_same("ann@example.net", "ann+x@example.net"));
	ck_assert(!address_is_same("ann", "ann"));
}
END_TEST

START_TEST(test_domain_key)
{
	static const struct {
		const char *domain;
		const char *key; /* NULL: refused */
	} cases[] = {
		{"Example.ORG", "example.org"},
		{"b\xc3\xbc" "cher.example", "xn--bcher-kva.example"},
		{"[192.0.2.7]", "[192.0.2.7]"},
		{"", NULL}, {".", NULL}, {"a..b", NULL}, {"a b", NULL},
		{"\xff.example", NULL}, {"a\n.example", NULL},
		{A63 "." A63 "." A63 "." A63 ".a", NULL},
	};
	struct sbuf key = {0};

	for (size_t i = 0; i < N(cases); i++) {
		int rc = address_domain_key(cases[i].domain, &key);

		ck_assert_int_eq(rc, cases[i].key == NULL ? -1 : 0);
		ck_assert_str_eq(sbuf_str(&key),
		    cases[i].key == NULL ? "" : cases[i].key);
	}
	sbuf_free(&key);
}
END_TEST

START_TEST(test_unwrap)
{
	static const struct {
		const char *text;
		const char *inner; /* NULL: refused */
	} cases[] = {
		{"<ann@example.net>", "ann@example.net"},
		{"<>", ""},
		{"<\"a> b\"@example.net>", "\"a> b\"@example.net"},
		{"<\"a\\\">\"@example.net>", "\"a\\\">\"@example.net"},
		{"", NULL}, {"<", NULL}, {">", NULL}, {"ann@example.net", NULL},
		{"<ann@example.net", NULL}, {"ann@example.net>", NULL},
		{"<a@b> <c@d>", NULL}, {"<<a@b>>", NULL}, {"< a@b>", NULL},
		{"<\"a@b>", NULL}, {"<\"a\\>", NULL},
	};
	struct sbuf out = {0};

	for (size_t i = 0; i < N(cases); i++) {
		sbuf_set(&out, "left over");
		ck_assert_msg(address_unwrap(cases[i].text, &out) ==
		    (cases[i].inner == NULL ? -1 : 0), "%s", cases[i].text);
		ck_assert_str_eq(sbuf_str(&out),
		    cases[i].inner == NULL ? "" : cases[i].inner);
	}
	sbuf_free(&out);
}
END_TEST

static const struct {
	const char *value;
	const char *want; /* joined by spaces */
	size_t left;
} fields[] = {
	{"ann@example.net", "ann@example.net", 0},
	{"Ann <ann@example.net>, bob@example.org (Bob)",
	    "ann@example.net bob@example.org", 0},
	{"\"B, Ann\" <ann@example.net>", "ann@example.net", 0},
	{"\"x@y.example\" <ann@example.net>", "ann@example.net", 0},
	{"=?utf-8?q?a=40b.c?= <ann@example.net>", "ann@example.net", 0},
	{"Team: ann@example.net, bob@example.org;, eve@example.com",
	    "ann@example.net bob@example.org eve@example.com", 0},
	{"undisclosed-recipients:;", "", 0},
	{"<@a.example,@b.example:ann@example.net>", "ann@example.net", 0},
	{"\"a b\"@example.net", "\"a b\"@example.net", 0},
	/* An A-label stays one: the address needs no SMTPUTF8. */
	{"ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example", 0},
	{"ann@b\xc3\xbc" "cher.example", "ann@xn--bcher-kva.example", 0},
	{"j\xc3\xb6rg@example.net", "j\xc3\xb6rg@example.net", 0},
	{"ann, bob@example.org", "bob@example.org", 1},
	{"", "", 0},
	{",,,", "", 0},
	{"<>", "", 1},
	{"(nobody)", "", 0},
	{"ann@example.net (not closed, bob@example.org", "ann@example.net", 0},
	{"ann@example.net; bob@example.org", "ann@example.net bob@example.org",
	    0},
	{"B, Ann <ann@example.net>", "ann@example.net", 1},
	{"Ann <ann@example.net, bob@example.org",
	    "ann@example.net bob@example.org", 0},
	{"a@b.example (x, y \\) \"(z)\"), c@d.example",
	    "a@b.example c@d.example", 0},
	{"\"a, \\\" b\" <ann@example.net>, c@d.example",
	    "ann@example.net c@d.example", 0},
	{"\r\n ann@example.net,\r\n\tbob@example.org",
	    "ann@example.net bob@example.org", 0},
};

static void
join(const struct strv *v, struct sbuf *out)
{
	sbuf_truncate(out, 0);
	for (size_t i = 0; i < v->n; i++) {
		if (i > 0)
			sbuf_addc(out, ' ');
		sbuf_adds(out, v->items[i]);
	}
}

START_TEST(test_header_field)
{
	struct strv found = {0};
	struct sbuf joined = {0};

	ck_assert_uint_eq(address_header(fields[_i].value, 100, &found),
	    fields[_i].left);
	join(&found, &joined);
	ck_assert_str_eq(sbuf_str(&joined), fields[_i].want);
	strv_free(&found);
	sbuf_free(&joined);
}
END_TEST

START_TEST(test_header_max)
{
	struct strv found = {0};

	strv_add(&found, "before@example.net");
	ck_assert_uint_eq(address_header("a@b.example, c@d.example, "
	    "e@f.example", 2, &found), 1);
	ck_assert_uint_eq(found.n, 3);
	ck_assert_str_eq(found.items[2], "c@d.example");
	ck_assert_uint_eq(address_header("a@b.example", 0, &found), 1);
	ck_assert_uint_eq(found.n, 3);
	strv_free(&found);
}
END_TEST

/* A megabyte of each must neither overrun the stack nor take long: Check's own
 * time-out is the limit. */
START_TEST(test_header_bombs)
{
	static const char *const units[] = {"a:", ":", "(", "<", "\"", ",",
	    "<@", "a,", "a@b,", "a ", ";", "[", "\\", "=?utf-8?q?", "a:a@b,",
	    "\xff", "(a)", "\"a\" ", "=?utf-8?q?x?=,", "<@a,a"};
	struct sbuf value = {0};
	struct strv found = {0};

	for (size_t i = 0; i < N(units); i++) {
		sbuf_truncate(&value, 0);
		while (value.len < 1024 * 1024)
			sbuf_adds(&value, units[i]);
		(void)address_header(value.data, 10, &found);
		ck_assert_uint_le(found.n, 10);
		strv_free(&found);
	}
	sbuf_free(&value);
}
END_TEST

static void
unescape(const char *text, struct sbuf *out)
{
	sbuf_truncate(out, 0);
	for (; *text != '\0'; text++) {
		unsigned byte;

		if (text[0] == '\\' && text[1] == 'x' &&
		    sscanf(text + 2, "%2x", &byte) == 1) {
			sbuf_addc(out, (char)byte);
			text += 3;
		} else {
			if (text[0] == '\\' && text[1] == '\\')
				text++;
			sbuf_addc(out, *text);
		}
	}
}

/* What the category of the collection says about RFC 5321: 1 a mailbox, 0
 * none, -1 a difference of opinion (it counts 254 octets for the whole and
 * wants two groups behind "::"). */
static int
wanted(const char *category, const char *diagnosis)
{
	if (strstr(diagnosis, "IPV6DEPRECATED") != NULL ||
	    strcmp(diagnosis, "ISEMAIL_RFC5322_TOOLONG") == 0)
		return -1;
	return strcmp(category, "ISEMAIL_VALID_CATEGORY") == 0 ||
	    strcmp(category, "ISEMAIL_DNSWARN") == 0 ||
	    strcmp(category, "ISEMAIL_RFC5321") == 0;
}

static const char *corpora;

START_TEST(test_collection)
{
	char path[PATH_MAX], *line = NULL, *field[5], *rest;
	struct sbuf addr = {0};
	size_t cap = 0, n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/address-tests.tsv", corpora);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (getline(&line, &cap, f) > 0) {
		int want, i = 0;

		for (rest = line; i < 5 && rest != NULL; i++)
			field[i] = strsep(&rest, "\t");
		if (i < 5 || strcmp(field[0], "suite") == 0)
			continue;
		unescape(field[2], &addr);
		want = wanted(field[3], field[4]);
		if (want == -1 || strlen(sbuf_str(&addr)) != addr.len)
			continue;
		ck_assert_msg(address_check(sbuf_str(&addr), NULL, NULL) ==
		    want - 1, "%s %s: %s is %s", field[0], field[1], field[2],
		    field[4]);
		n++;
	}
	ck_assert_uint_gt(n, 200);
	fclose(f);
	free(line);
	sbuf_free(&addr);
}
END_TEST

static void
add_corpora(Suite *s)
{
	TCase *tc;
	FILE *f;
	char path[PATH_MAX];

	corpora = getenv("SEPTET_CORPORA");
	if (corpora == NULL)
		corpora = "../shared/corpora";
	snprintf(path, sizeof(path), "%s/address-tests.tsv", corpora);
	f = fopen(path, "re");
	if (f == NULL) {
		printf("1 skipped: no %s\n", path);
		return;
	}
	fclose(f);
	tc = tcase_create("corpora");
	tcase_add_test(tc, test_collection);
	suite_add_tcase(s, tc);
}

int
main(void)
{
	Suite *s = suite_create("address");
	TCase *tc = tcase_create("address");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, test_valid, 0, N(valid));
	tcase_add_loop_test(tc, test_invalid, 0, N(invalid));
	tcase_add_loop_test(tc, test_key, 0, N(keys));
	tcase_add_test(tc, test_same);
	tcase_add_test(tc, test_domain_key);
	tcase_add_test(tc, test_unwrap);
	tcase_add_loop_test(tc, test_header_field, 0, N(fields));
	tcase_add_test(tc, test_header_max);
	tcase_add_test(tc, test_header_bombs);
	suite_add_tcase(s, tc);
	add_corpora(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
