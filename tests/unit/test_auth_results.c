/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_auth_results - what a trusted host's Authentication-Results prove
 *
 * test-objects: runners/auth/results.c
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "runners/auth/auth.h"

/* The items of a value, one a line. */
static void
split(const char *value, struct sbuf *out)
{
	struct strv items = {0};

	results_split(value, &items);
	for (size_t i = 0; i < items.n; i++)
		sbuf_printf(out, "%s\n", items.items[i]);
	strv_free(&items);
}

static const struct {
	const char *value, *want;
} values[] = {
	{"mx.example.org; dkim=pass header.d=example.net",
	    "dkim=pass header.d=example.net by=mx.example.org\n"},
	{"mx.example.org 1; spf=fail smtp.mailfrom=example.net; "
	    "dmarc=fail header.from=example.net",
	    "spf=fail smtp.mailfrom=example.net by=mx.example.org\n"
	    "dmarc=fail header.from=example.net by=mx.example.org\n"},
	{"mx.example.org; none", ""},
	{"mx.example.org", ""},
	{"mx.example.org;", ""},
	{"", ""},
	{";;;", ""},
	/* comments, also where blanks may stand */
	{"mx.example.org (x; dkim=pass); dmarc (a) = (b) pass (p=none; x) "
	    "header.from=example.net",
	    "dmarc=pass header.from=example.net by=mx.example.org\n"},
	{"(a(b)c) mx.example.org ; dkim = pass header.d = example.net",
	    "dkim=pass header.d=example.net by=mx.example.org\n"},
	{"mx.example.org; dkim=pass (never closed header.d=example.net",
	    "dkim=pass by=mx.example.org\n"},
	/* methods without regard to case, a version */
	{"mx.example.org; DKIM/1=Pass Header.D=Example.Net",
	    "dkim=Pass header.d=Example.Net by=mx.example.org\n"},
	/* reasons are left out, quoted or not */
	{"mx.example.org; dkim=fail reason=\"bad; dmarc=pass x\" "
	    "header.d=example.net",
	    "dkim=fail header.d=example.net by=mx.example.org\n"},
	{"mx.example.org; dkim=fail reason=\"a\\\" dmarc=pass "
	    "header.from=example.org \\\"b\" header.d=example.net",
	    "dkim=fail header.d=example.net by=mx.example.org\n"},
	/* a local part that would be a result of its own */
	{"mx.example.org; spf=pass smtp.mailfrom=\"a\\\" dmarc=pass "
	    "header.from=example.org \\\"b\"@example.net",
	    "spf=pass smtp.mailfrom=\"a\\x22 dmarc=pass "
	    "header.from=example.org \\x22b@example.net\" "
	    "by=mx.example.org\n"},
	{"mx.example.org; spf=pass smtp.mailfrom=\"a b\"@example.net",
	    "spf=pass smtp.mailfrom=\"a b@example.net\" by=mx.example.org\n"},
	{"mx.example.org; spf=pass smtp.mailfrom=\"never closed",
	    "spf=pass smtp.mailfrom=\"never closed\" by=mx.example.org\n"},
	{"mx.example.org; spf=pass "
	    "smtp.mailfrom=dev-bounces+ann=example.net=mac@example.org",
	    "spf=pass "
	    "smtp.mailfrom=dev-bounces+ann=example.net=mac@example.org "
	    "by=mx.example.org\n"},
	/* one method an item */
	{"mx.example.org; dkim=fail dmarc=pass header.from=example.net",
	    "dkim=fail header.from=example.net by=mx.example.org\n"},
	{"mx.example.org; header.from=example.net dmarc=pass",
	    "dmarc=pass by=mx.example.org\n"},
	/* what no key may be */
	{"mx.example.org; dk\xc3\xa4m=pass; =pass; ==; dkim=",
	    "dkim=\"\" by=mx.example.org\n"},
	{"\"mx.example.org\"; dkim=pass", "dkim=pass by=mx.example.org\n"},
};

START_TEST(test_split)
{
	struct sbuf got = {0};

	split(values[_i].value, &got);
	ck_assert_str_eq(sbuf_str(&got), values[_i].want);
	sbuf_free(&got);
}
END_TEST

/* Bounded, whatever comes. */
START_TEST(test_split_much)
{
	struct sbuf value = {0}, long_word = {0};
	struct strv items = {0};

	sbuf_adds(&value, "mx.example.org");
	for (int i = 0; i < 1000; i++)
		sbuf_adds(&value, "; dkim=pass header.d=example.net");
	results_split(value.data, &items);
	ck_assert_uint_eq(items.n, 32);
	strv_free(&items);

	sbuf_set(&value, "mx.example.org; dkim=pass");
	for (int i = 0; i < 1000; i++)
		sbuf_printf(&value, " header.x%d=example.net", i);
	for (int i = 0; i < 10000; i++)
		sbuf_addc(&long_word, 'x');
	sbuf_printf(&value, "; spf=pass smtp.mailfrom=%s", long_word.data);
	results_split(value.data, &items);
	ck_assert_uint_eq(items.n, 2);
	ck_assert_uint_lt(strlen(items.items[0]), 1000);
	ck_assert_uint_lt(strlen(items.items[1]), 500);
	strv_free(&items);
	sbuf_free(&value);
	sbuf_free(&long_word);
}
END_TEST

#define MX "mx.example.org; "
#define ANN "ann@example.net"

static const struct {
	const char *value, *address;
	bool is_envelope;
	enum results_verdict want;
} judged[] = {
	{MX "none", ANN, false, RESULTS_NOTHING},
	{MX "dmarc=pass header.from=example.net", ANN, false, RESULTS_PASS},
	{MX "dmarc=PASS header.from=EXAMPLE.net", ANN, false, RESULTS_PASS},
	{MX "dmarc=fail header.from=example.net", ANN, false, RESULTS_FAIL},
	{MX "dmarc=none header.from=example.net", ANN, false,
	    RESULTS_NOTHING},
	{MX "dmarc=temperror header.from=example.net", ANN, false,
	    RESULTS_NOTHING},
	/* of another */
	{MX "dmarc=pass header.from=example.com", ANN, false,
	    RESULTS_NOTHING},
	{MX "dmarc=fail header.from=example.com", ANN, false,
	    RESULTS_NOTHING},
	{MX "dmarc=pass header.from=xexample.net", ANN, false,
	    RESULTS_NOTHING},
	{MX "dmarc=pass header.from=net", ANN, false, RESULTS_NOTHING},
	/* of nobody: of From, where it is to the worse */
	{MX "dmarc=fail", ANN, false, RESULTS_FAIL},
	{MX "dmarc=fail", ANN, true, RESULTS_NOTHING},
	{MX "dmarc=pass", ANN, false, RESULTS_NOTHING},
	/* relaxed, never to a sibling */
	{MX "dkim=pass header.d=mail.example.net", ANN, false, RESULTS_PASS},
	{MX "dkim=pass header.d=example.net", "ann@lab.example.net", false,
	    RESULTS_PASS},
	{MX "dkim=pass header.d=a.example.net", "ann@b.example.net", false,
	    RESULTS_NOTHING},
	{MX "dkim=pass header.i=@example.net", ANN, false, RESULTS_PASS},
	{MX "dkim=pass header.i=x@example.com", ANN, false, RESULTS_NOTHING},
	{MX "dkim=fail header.d=example.net", ANN, false, RESULTS_NOTHING},
	{MX "dkim=pass", ANN, false, RESULTS_NOTHING},
	/* spf speaks of the envelope */
	{MX "spf=pass smtp.mailfrom=ann@example.net", ANN, false,
	    RESULTS_NOTHING},
	{MX "spf=pass smtp.mailfrom=ann@example.net", ANN, true,
	    RESULTS_PASS},
	{MX "spf=pass smtp.mailfrom=example.net", ANN, true, RESULTS_PASS},
	{MX "spf=pass smtp.mailfrom=example.com", ANN, true,
	    RESULTS_NOTHING},
	/* a failed dmarc beats all, wherever it stands */
	{MX "dmarc=fail header.from=example.net; dkim=pass "
	    "header.d=example.net", ANN, false, RESULTS_FAIL},
	{MX "dkim=pass header.d=example.net; dmarc=fail "
	    "header.from=example.net", ANN, true, RESULTS_FAIL},
	/* the same domain in its two spellings */
	{MX "dmarc=fail header.from=xn--mller-kva.example",
	    "ann@m\xc3\xbcller.example", false, RESULTS_FAIL},
	/* injected */
	{MX "spf=pass smtp.mailfrom=\"x\\\" dmarc=pass header.from="
	    "example.net \\\"\"@example.com", ANN, false, RESULTS_NOTHING},
	{MX "dkim=fail reason=\"\\\"; dmarc=pass header.from=example.net;"
	    "\\\"\"", ANN, false, RESULTS_NOTHING},
	{MX "dkim=fail (\\) ; dmarc=pass header.from=example.net) "
	    "header.d=example.net", ANN, false, RESULTS_NOTHING},
	{MX "dmarc=pass header.from=example.net", "no address", false,
	    RESULTS_NOTHING},
};

START_TEST(test_judge)
{
	struct strv items = {0};

	results_split(judged[_i].value, &items);
	ck_assert_int_eq(results_judge(&items, judged[_i].address,
	    judged[_i].is_envelope), judged[_i].want);
	strv_free(&items);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *suite = suite_create("auth_results");
	TCase *tests = tcase_create("results");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tests, test_split, 0, COUNT(values));
	tcase_add_test(tests, test_split_much);
	tcase_add_loop_test(tests, test_judge, 0, COUNT(judged));
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
