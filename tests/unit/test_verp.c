/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_verp - bounce addresses made, read and proved
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/mail/address.h"
#include "common/mail/verp.h"

#define LIST "dev@lists.example.org"
/* The n last characters of fifty. */
#define A10 "aaaaaaaaaa"
#define LONG_USER(n) (&A10 A10 A10 A10 A10[50 - (n)])

static const unsigned char key[VERP_KEY_BYTES] = "key of a list in a test";
static const unsigned char other_key[VERP_KEY_BYTES] = "key of another list";

static const struct {
	const char *address;
	bool is_by_id;
} cases[] = {
	{"ann@example.net", false},
	{"Ann.Example@Example.NET", false},
	{"ann+x=y@example.net", false},
	{"=ann@example.net", false},
	{"~17@example.net", false},
	{"o'neil@example.net", false},
	{"\"ann b\"@example.net", true},
	{"\"ann\"@example.net", true},
	{"j\xc3\xb6rg@example.net", true},
	{"ann@b\xc3\xbc" "cher.example", true},
	{"ann@xn--bcher-kva.example", false},
	{"ann@[192.0.2.7]", true},
	{"ann%net@example.net", true},
	{"net!ann@example.net", true},
	{"no address", true},
	{"", true},
};

START_TEST(test_make_and_split)
{
	struct verp_member member = {.address = cases[_i].address, .id = 4711};
	struct sbuf out = {0}, address = {0}, mac = {0};
	unsigned long long id = 1;

	verp_make(key, LIST, &member, &out);
	ck_assert_uint_le(strlen("dev-bounces+") + out.len, ADDRESS_LOCAL_MAX);
	ck_assert_int_eq(verp_split(out.data, &address, &id, &mac), 1);
	ck_assert_int_eq(verp_check(key, LIST, 4711, mac.data), 1);
	if (cases[_i].is_by_id) {
		ck_assert_int_eq(out.data[0], '~');
		ck_assert_uint_eq(address.len, 0);
		ck_assert_uint_eq(id, 4711);
	} else {
		ck_assert_str_eq(sbuf_str(&address), cases[_i].address);
		ck_assert_uint_eq(id, 0);
	}
	sbuf_free(&out);
	sbuf_free(&address);
	sbuf_free(&mac);
}
END_TEST

START_TEST(test_local_part_limit)
{
	struct sbuf out = {0}, address = {0};
	/* 64 - "dev-bounces+" - "=" MAC: 41 octets for user=example.net */
	static const size_t fits = 41 - sizeof("=example.net") + 1;

	for (size_t n = fits - 1; n <= fits + 1; n++) {
		struct verp_member member = {.id = 3};

		sbuf_set(&address, LONG_USER(n));
		sbuf_adds(&address, "@example.net");
		member.address = address.data;
		verp_make(key, LIST, &member, &out);
		ck_assert_int_eq(out.data[0], n <= fits ? 'a' : '~');
		if (n == fits)
			ck_assert_uint_eq(strlen("dev-bounces+") + out.len, 64);
	}
	sbuf_free(&out);
	sbuf_free(&address);
}
END_TEST

START_TEST(test_form)
{
	struct verp_member member = {.address = "ann@example.net", .id = 17};
	struct sbuf a = {0}, b = {0};

	verp_make(key, LIST, &member, &a);
	ck_assert_int_eq(strncmp(a.data, "ann=example.net=", 16), 0);
	ck_assert_uint_eq(a.len, 16 + VERP_MAC_CHARS);
	ck_assert_uint_eq(strspn(a.data + 16,
	    "abcdefghijklmnopqrstuvwxyz234567"), VERP_MAC_CHARS);
	verp_make(key, "DEV@lists.example.org", &member, &b);
	ck_assert_str_eq(a.data, b.data);
	sbuf_free(&a);
	sbuf_free(&b);
}
END_TEST

START_TEST(test_check_refuses)
{
	struct verp_member member = {.address = "", .id = 17};
	struct sbuf out = {0};
	char mac[VERP_MAC_CHARS + 1];

	verp_make(key, LIST, &member, &out);
	ck_assert_uint_eq(out.len, strlen("~17=") + VERP_MAC_CHARS);
	memcpy(mac, out.data + strlen("~17="), sizeof(mac));
	ck_assert_int_eq(verp_check(key, LIST, 17, mac), 1);
	ck_assert_int_eq(verp_check(key, LIST, 18, mac), 0);
	ck_assert_int_eq(verp_check(key, LIST, 1, mac), 0);
	ck_assert_int_eq(verp_check(other_key, LIST, 17, mac), 0);
	ck_assert_int_eq(verp_check(key, "ops@lists.example.org", 17, mac), 0);
	ck_assert_int_eq(verp_check(key, LIST, 17, ""), 0);
	for (size_t i = 0; i < VERP_MAC_CHARS; i++) {
		char was = mac[i];

		mac[i] = was == 'a' ? 'b' : 'a';
		ck_assert_int_eq(verp_check(key, LIST, 17, mac), 0);
		mac[i] = was;
	}
	mac[VERP_MAC_CHARS - 1] = '\0';
	ck_assert_int_eq(verp_check(key, LIST, 17, mac), 0);
	sbuf_free(&out);
}
END_TEST

static const struct {
	const char *extension;
	const char *address; /* NULL: not VERP; "": by id */
	unsigned long long id;
} splits[] = {
	{"ann=example.net=abcdefghij", "ann@example.net", 0},
	{"ann=example.net=ABCDEFGHIJ", "ann@example.net", 0},
	{"a=b=example.net=abcdefghij", "a=b@example.net", 0},
	{"~17=example.net=abcdefghij", "~17@example.net", 0},
	{"~17=abcdefghij", "", 17},
	{"~0=abcdefghij", "", 0},
	{"~18446744073709551615=abcdefghij", "", 18446744073709551615ULL},
	{"~18446744073709551616=abcdefghij", NULL, 0},
	{"~99999999999999999999=abcdefghij", NULL, 0},
	{"~=abcdefghij", NULL, 0},
	{"~-1=abcdefghij", NULL, 0},
	{"~ 1=abcdefghij", NULL, 0},
	{"~1x=abcdefghij", NULL, 0},
	{"17=abcdefghij", NULL, 0},
	{"=abcdefghij", NULL, 0},
	{"abcdefghij", NULL, 0},
	{"", NULL, 0},
	{"=", NULL, 0},
	{"==", NULL, 0},
	{"==abcdefghij", NULL, 0},
	{"ann=example.net=abcdefghi", NULL, 0},
	{"ann=example.net=abcdefghijk", NULL, 0},
	{"ann=example.net=abcdefgh1j", NULL, 0},
	{"ann=example.net=", NULL, 0},
	{"ann=exa mple.net=abcdefghij", NULL, 0},
	{"ann==abcdefghij", NULL, 0},
};

START_TEST(test_split)
{
	struct sbuf address = {0}, mac = {0};
	unsigned long long id = 1;
	int rc;

	sbuf_set(&address, "left over");
	rc = verp_split(splits[_i].extension, &address, &id, &mac);
	if (splits[_i].address == NULL) {
		ck_assert_int_eq(rc, 0);
		ck_assert_uint_eq(address.len, 0);
	} else {
		ck_assert_int_eq(rc, 1);
		ck_assert_str_eq(sbuf_str(&address), splits[_i].address);
		ck_assert_str_eq(sbuf_str(&mac), "abcdefghij");
		ck_assert_uint_eq(id, splits[_i].id);
	}
	sbuf_free(&address);
	sbuf_free(&mac);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("verp");
	TCase *tc = tcase_create("verp");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, test_make_and_split, 0,
	    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, test_local_part_limit);
	tcase_add_test(tc, test_form);
	tcase_add_test(tc, test_check_refuses);
	tcase_add_loop_test(tc, test_split, 0,
	    sizeof(splits) / sizeof(splits[0]));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
