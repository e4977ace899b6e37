/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_token - tokens that hold, and those that were tampered with
 */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/mail/base32.h"
#include "common/mail/token.h"

#define LIST "dev@lists.example.org"

static const unsigned char key[TOKEN_KEY_BYTES] = "key of a list in a test";
static const unsigned char other_key[TOKEN_KEY_BYTES] = "key of another list";

/* Is token refused, and are the outputs left alone? */
static void
refuse(const unsigned char *k, const char *list, const char *token)
{
	uint64_t number = 7;
	char purpose = '?';

	ck_assert_msg(token_check(k, list, token, &purpose, &number) == 0,
	    "%s taken for %s", token, list);
	ck_assert_int_eq(purpose, '?');
	ck_assert_uint_eq(number, 7);
}

START_TEST(test_round_trip)
{
	static const char purposes[] = "sumSU";
	char token[TOKEN_SIZE], purpose;
	uint64_t number, read;

	for (size_t i = 0; purposes[i] != '\0'; i++) {
		token_make(key, LIST, purposes[i], &number, token);
		ck_assert_uint_eq(strlen(token), TOKEN_CHARS);
		ck_assert_uint_eq(strspn(token,
		    "abcdefghijklmnopqrstuvwxyz234567"), TOKEN_CHARS);
		ck_assert_uint_lt(number, UINT64_C(1) << 48);
		ck_assert_int_eq(token_check(key, LIST, token, &purpose,
		    &read), 1);
		ck_assert_int_eq(purpose, purposes[i]);
		ck_assert_uint_eq(read, number);
	}
}
END_TEST

START_TEST(test_numbers_differ)
{
	char a[TOKEN_SIZE], b[TOKEN_SIZE];
	uint64_t number_a, number_b;

	token_make(key, LIST, 's', &number_a, a);
	token_make(key, LIST, 's', &number_b, b);
	ck_assert_uint_ne(number_a, number_b);
	ck_assert_str_ne(a, b);
}
END_TEST

START_TEST(test_shouting_is_heard)
{
	char token[TOKEN_SIZE], purpose;
	uint64_t number, read;

	token_make(key, LIST, 'u', &number, token);
	for (char *p = token; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	ck_assert_int_eq(token_check(key, "Dev@Lists.Example.ORG", token,
	    &purpose, &read), 1);
	ck_assert_uint_eq(read, number);
}
END_TEST

START_TEST(test_every_changed_character_is_refused)
{
	char token[TOKEN_SIZE], changed[TOKEN_SIZE];
	uint64_t number;

	token_make(key, LIST, 's', &number, token);
	for (size_t i = 0; i < TOKEN_CHARS; i++) {
		for (const char *c = "abcdefghijklmnopqrstuvwxyz2345670!=";
		    *c != '\0'; c++) {
			if (*c == token[i])
				continue;
			memcpy(changed, token, sizeof(changed));
			changed[i] = *c;
			refuse(key, LIST, changed);
		}
	}
}
END_TEST

START_TEST(test_wrong_list_key_or_length)
{
	char token[TOKEN_SIZE + 1];
	uint64_t number;

	token_make(key, LIST, 's', &number, token);
	refuse(other_key, LIST, token);
	refuse(key, "ops@lists.example.org", token);
	refuse(key, "dev@lists.example.net", token);
	refuse(key, LIST, "");
	token[TOKEN_CHARS] = 'a';
	token[TOKEN_CHARS + 1] = '\0';
	refuse(key, LIST, token);
	token[TOKEN_CHARS - 1] = '\0';
	refuse(key, LIST, token);
}
END_TEST

START_TEST(test_random_fills_all)
{
	unsigned char bytes[64], zero[64] = {0};

	memset(bytes, 0, sizeof(bytes));
	token_random(bytes, 32);
	ck_assert_mem_ne(bytes, zero, 32);
	ck_assert_mem_eq(bytes + 32, zero, 32);
}
END_TEST

START_TEST(test_base32)
{
	/* RFC 4648 section 10, without padding. */
	static const struct {
		const char *bytes;
		const char *text;
	} cases[] = {
		{"f", "my"}, {"fo", "mzxq"}, {"foo", "mzxw6"},
		{"foob", "mzxw6yq"}, {"fooba", "mzxw6ytb"},
		{"foobar", "mzxw6ytboi"},
	};
	unsigned char read[8];
	char text[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].bytes), chars;

		chars = strlen(cases[i].text);
		base32_write((const unsigned char *)cases[i].bytes, n, text,
		    chars);
		ck_assert_str_eq(text, cases[i].text);
		ck_assert_int_eq(base32_read(text, chars, read, n), 0);
		ck_assert_mem_eq(read, cases[i].bytes, n);
	}
	ck_assert_int_eq(base32_read("m1", 2, read, 1), -1);
	/* A bit that no byte holds. */
	ck_assert_int_eq(base32_read("mz", 2, read, 1), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("token");
	TCase *tc = tcase_create("token");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_numbers_differ);
	tcase_add_test(tc, test_shouting_is_heard);
	tcase_add_test(tc, test_every_changed_character_is_refused);
	tcase_add_test(tc, test_wrong_list_key_or_length);
	tcase_add_test(tc, test_random_fills_all);
	tcase_add_test(tc, test_base32);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
