/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_envelope_fields - whose word counts, held against the page's table
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/spool/envelope.h"
#include "common/system/fsutil.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define STOCK "lmtp, inbound, auth, moderation, pending, outbound, bounce, " \
	"command, digest, septet"

/* "spamcheck" is nobody's; "bulk" is another queue of outbound. */
static const char *const queues[] = {"lmtp", "inbound", "auth", "moderation",
	"pending", "outbound", "bounce", "command", "digest", "septet", "api",
	"spamcheck", "bulk"};

struct row {
	char name[64];
	char block[128];
	char creation[128];
};

static struct row rows[100];
static int n_rows;

static const char *
stage_of(void *ctx, const char *queue)
{
	(void)ctx;
	return strcmp(queue, "bulk") == 0 ? "outbound" : queue;
}

/* The rows between "## Fields" and the next empty line behind the table. */
static void
read_table(void)
{
	struct sbuf page = {0};
	char *line, *rest;

	n_rows = 0;
	ck_assert_int_eq(fs_read(AT_FDCWD, "spool-layout/envelope.md", 1 << 20,
	    &page), 0);
	rest = strstr(page.data, "\n## Fields\n");
	ck_assert_ptr_nonnull(rest);
	rest = strstr(rest, "\n| --- ");
	ck_assert_ptr_nonnull(rest);
	rest = strchr(rest + 1, '\n') + 1;
	while ((line = strsep(&rest, "\n")) != NULL && *line == '|') {
		struct row *r = &rows[n_rows++];

		ck_assert_int_lt(n_rows, COUNT(rows));
		ck_assert_int_eq(sscanf(line,
		    "| %63[^ |] | %127[^|] | %127[^|] |", r->name, r->block,
		    r->creation), 3);
	}
	ck_assert_int_gt(n_rows, 60);
	sbuf_free(&page);
}

/* Is stage one of a column's, "inbound, pending " or so? */
static bool
is_in(const char *column, const char *stage)
{
	char *copy = strdup(column), *rest = copy, *word;
	bool found = strcmp(column, "any ") == 0;

	if (strcmp(column, "stock ") == 0) {
		free(copy);
		return is_in(STOCK, stage);
	}
	while (!found && (word = strsep(&rest, ", ")) != NULL)
		found = strcmp(word, stage) == 0;
	free(copy);
	return found;
}

static void
seal_block(struct envelope *env, struct sbuf *fields, const char *queue,
    unsigned claim)
{
	struct envelope_seal seal = {.host = "a", .queue = queue,
		.exit = "accept", .to = "b", .claim = claim};
	struct sbuf bytes = {0}, why = {0};

	if (claim != 0)
		envelope_claim(&env->raw, claim, queue, "o");
	sbuf_add(&bytes, sbuf_str(&env->raw), env->raw.len);
	envelope_seal(env->n_blocks == 0 ? NULL : env, fields, &seal, &bytes);
	envelope_free(env);
	ck_assert_msg(envelope_parse(env, bytes.data, bytes.len, &why) == 0,
	    "%s\n%s", sbuf_str(&why), bytes.data);
	ck_assert_uint_eq(env->raw.len, bytes.len);
	envelope_set_stages(env, stage_of, NULL);
	sbuf_free(&bytes);
	sbuf_free(&why);
}

static void
first_block(struct envelope *env)
{
	struct sbuf fields = {0};

	sbuf_adds(&fields, ENVELOPE_MAGIC);
	envelope_line(&fields, "Id", "root");
	seal_block(env, &fields, "lmtp", 0);
	sbuf_free(&fields);
}

/* Whether name counts in a block of queue: claimed, or its creator's. */
static bool
counts(const char *name, const char *queue, bool is_creation)
{
	struct envelope env = {0};
	struct sbuf fields = {0};
	const char *value;
	bool found;

	first_block(&env);
	if (is_creation)
		envelope_line(&fields, "Id", "child");
	envelope_line(&fields, name, "the value");
	seal_block(&env, &fields, queue, is_creation ? 0 : 1);
	/* The spool's own: Id and Trail were there before, Claim as well. */
	value = envelope_get(&env, name);
	found = value != NULL && (strcmp(value, "the value") == 0 ||
	    (strcmp(name, "Id") == 0 && strcmp(value, "child") == 0));
	envelope_free(&env);
	sbuf_free(&fields);
	return found;
}

START_TEST(test_table)
{
	int i, q;

	read_table();
	for (i = 0; i < n_rows; i++) {
		const struct row *r = &rows[i];

		if (strcmp(r->name, "Claim") == 0 ||
		    strcmp(r->name, "Trail") == 0)
			continue;
		for (q = 0; q < COUNT(queues); q++) {
			const char *stage = stage_of(NULL, queues[q]);
			bool block = is_in(r->block, stage);
			bool creation = is_in(r->creation, stage);

			ck_assert_msg(counts(r->name, queues[q], false) ==
			    block, "%s of %s", r->name, queues[q]);
			ck_assert_msg(counts(r->name, queues[q], true) ==
			    (block || creation), "%s of creator %s", r->name,
			    queues[q]);
			ck_assert_msg(envelope_owns(stage, queues[q],
			    r->name) == (block || creation), "%s owns %s",
			    queues[q], r->name);
		}
	}
}
END_TEST

/* The page names all fields of version 1 and no other. */
START_TEST(test_page_has_all)
{
	static const char *const listed[] = {"Id", "Origin", "Parent", "Kind",
		"Created", "Source", "Client", "Mail-From", "Rcpt-To",
		"Mail-Options", "Rcpt-Options", "Size", "Crc32", "Body-Offset",
		"Head", "Needs", "Message-Id", "Subject", "Author", "Sender",
		"Resent-From", "Auto", "Hops", "Digest-Sha256", "Duplicate-Of",
		"List", "Role", "Extension", "About", "Action", "Command",
		"Task", "Auth-Result", "Dmarc-Policy", "Identity", "Assurance",
		"Spam", "Virus", "Rule", "Verdict", "Reason", "Notice",
		"Notice-To", "Language", "Template", "Held", "Post-Number",
		"Change", "Archived-At", "Digest-Issue", "Recipients",
		"Fan-Out", "Send-From", "Send-Options", "Verp", "Merge",
		"Priority", "Not-Before", "Expires", "Relay", "Delivery",
		"Bounce", "Bounce-Source", "Score", "Claim", "Error", "Staged",
		"Note", "Trail"};
	int i, k;

	read_table();
	ck_assert_int_eq(n_rows, COUNT(listed));
	for (i = 0; i < COUNT(listed); i++) {
		for (k = 0; k < n_rows; k++) {
			if (strcmp(rows[k].name, listed[i]) == 0)
				break;
		}
		ck_assert_msg(k < n_rows, "%s", listed[i]);
	}
}
END_TEST

static const struct {
	const char *name;
	const char *queue;
	bool counts;
} others[] = {
	{"Unheard-Of", "spamcheck", true},
	{"Unheard-Of", "inbound", true},
	{"X-Spamcheck-Score", "spamcheck", true},
	{"x-SPAMCHECK-score", "spamcheck", true},
	{"X-Spamcheck-Score", "auth", false},
	{"X-Spamcheck-", "spamcheck", false},
	{"X-Spamcheck", "spamcheck", false},
	{"X-Spam-Score", "spamcheck", false},
	{"X-Spamcheck-Score", "bulk", false},
	{"X-Bulk-Score", "bulk", true},
	{"X-Outbound-Score", "bulk", false},
	{"X-", "spamcheck", false},
	{"role", "spamcheck", false},
	{"ROLE", "inbound", true},
	{"Delivery", "bulk", true},
};

START_TEST(test_others)
{
	ck_assert_msg(counts(others[_i].name, others[_i].queue, false) ==
	    others[_i].counts, "%s of %s", others[_i].name, others[_i].queue);
	ck_assert_int_eq(envelope_owns(stage_of(NULL, others[_i].queue),
	    others[_i].queue, others[_i].name), others[_i].counts);
}
END_TEST

/* Neither its Id line makes a claimed block one of creation, nor the missing
 * claim one without an Id. */
START_TEST(test_creation_needs_both)
{
	struct envelope env = {0};
	struct sbuf fields = {0};

	first_block(&env);
	envelope_line(&fields, "Id", "forged");
	envelope_line(&fields, "Mail-From", "<forged@example.net>");
	envelope_line(&fields, "Role", "verdict");
	seal_block(&env, &fields, "outbound", 1);
	ck_assert_str_eq(envelope_get(&env, "Id"), "root");
	ck_assert_ptr_null(envelope_get(&env, "Mail-From"));
	ck_assert_ptr_null(envelope_get(&env, "Role"));
	sbuf_truncate(&fields, 0);
	envelope_line(&fields, "Mail-From", "<forged@example.net>");
	seal_block(&env, &fields, "septet", 0);
	ck_assert_ptr_null(envelope_get(&env, "Mail-From"));
	envelope_free(&env);
	sbuf_free(&fields);
}
END_TEST

START_TEST(test_spool_only)
{
	ck_assert(!envelope_owns("inbound", "inbound", "Trail"));
	ck_assert(!envelope_owns("inbound", "inbound", "claim"));
	ck_assert(!envelope_owns("inbound", "inbound", "Septet-Envelope"));
}
END_TEST

/* A later block's list replaces an earlier one's whole; another's does not. */
START_TEST(test_lists)
{
	struct envelope env = {0};
	struct sbuf fields = {0};
	size_t at = 0;

	first_block(&env);
	envelope_line(&fields, "Rule", "one");
	envelope_line(&fields, "Author", "<a@example.net>");
	envelope_line(&fields, "rule", "two");
	envelope_line(&fields, "Author", "<b@example.net>");
	seal_block(&env, &fields, "inbound", 1);
	sbuf_truncate(&fields, 0);
	envelope_line(&fields, "Author", "<forged@example.net>");
	envelope_line(&fields, "Rule", "three");
	envelope_line(&fields, "Other", "x");
	seal_block(&env, &fields, "moderation", 2);
	ck_assert_str_eq(envelope_get(&env, "Author"), "<a@example.net>");
	ck_assert_str_eq(envelope_next(&env, "Author", &at),
	    "<a@example.net>");
	ck_assert_str_eq(envelope_next(&env, "author", &at),
	    "<b@example.net>");
	ck_assert_ptr_null(envelope_next(&env, "Author", &at));
	ck_assert_ptr_null(envelope_next(&env, "Author", &at));
	at = 0;
	ck_assert_str_eq(envelope_next(&env, "Rule", &at), "three");
	ck_assert_ptr_null(envelope_next(&env, "Rule", &at));
	at = 0;
	ck_assert_ptr_null(envelope_next(&env, "Absent", &at));
	/* The magic's line is the first of all: a walk goes back to it. */
	ck_assert_str_eq(envelope_get(&env, "Septet-Envelope"), "1");
	envelope_free(&env);
	sbuf_free(&fields);
}
END_TEST

/* Without a table of stages each queue is its own. */
START_TEST(test_no_stages)
{
	struct envelope env = {0};
	struct sbuf fields = {0};

	first_block(&env);
	envelope_line(&fields, "Delivery", "x");
	seal_block(&env, &fields, "bulk", 1);
	ck_assert_str_eq(envelope_get(&env, "Delivery"), "x");
	envelope_set_stages(&env, NULL, NULL);
	ck_assert_ptr_null(envelope_get(&env, "Delivery"));
	envelope_free(&env);
	sbuf_free(&fields);
}
END_TEST

START_TEST(test_open_claim_is_no_field)
{
	struct envelope env = {0}, again = {0};
	struct sbuf why = {0};

	first_block(&env);
	envelope_claim(&env.raw, 1, "auth", "o");
	ck_assert_int_eq(envelope_parse(&again, env.raw.data, env.raw.len,
	    &why), 0);
	ck_assert_uint_eq(again.open_claims, 1);
	ck_assert_ptr_null(envelope_get(&again, "Claim"));
	envelope_free(&again);
	envelope_free(&env);
}
END_TEST

static const struct {
	const char *value;
	int rc;
	unsigned long long number;
} numbers[] = {
	{"0", 1, 0},
	{"4096", 1, 4096},
	{"702 crc32=1c291ca3", 1, 702},
	{"18446744073709551615", 1, 18446744073709551615ULL},
	{"18446744073709551616", 0, 0},
	{"", 0, 0},
	{"none", 0, 0},
	{"-1", 0, 0},
	{"+1", 0, 0},
	{" 1", 0, 0},
	{"12a", 0, 0},
	{"0x10", 0, 0},
};

START_TEST(test_number)
{
	struct envelope env = {0};
	struct sbuf fields = {0};
	unsigned long long n = 7;

	first_block(&env);
	ck_assert_int_eq(envelope_number(&env, "Size", &n), 0);
	envelope_line(&fields, "Size", numbers[_i].value);
	seal_block(&env, &fields, "inbound", 1);
	ck_assert_msg(envelope_number(&env, "Size", &n) == numbers[_i].rc,
	    "%s", numbers[_i].value);
	ck_assert_uint_eq(n, numbers[_i].rc == 1 ? numbers[_i].number : 7);
	envelope_free(&env);
	sbuf_free(&fields);
}
END_TEST

static const struct {
	const char *value;
	const char *address;    /* NULL: none */
} addresses[] = {
	{"<ann@example.net>", "ann@example.net"},
	{"<>", ""},
	{"<ann@example.net> member=17", "ann@example.net"},
	{"<gr\xc3\xbcn@example.net>", "gr\xc3\xbcn@example.net"},
	{"<\"a>b\"@example.net> x=y", "\"a>b\"@example.net"},
	{"<\"a\\\">b\"@example.net>", "\"a\\\">b\"@example.net"},
	{"<\"a\\\\\">", "\"a\\\\\""},
	{"<\"open@example.net>", NULL},
	{"<\"\\", NULL},
	{"<", NULL},
	{"", NULL},
	{"ann@example.net", NULL},
	{" <ann@example.net>", NULL},
	{"<ann@example.net>x", NULL},
	{"<a@example.net>,<b@example.net>", NULL},
};

START_TEST(test_address)
{
	struct envelope env = {0};
	struct sbuf fields = {0}, out = {0};
	bool is_one = addresses[_i].address != NULL;

	first_block(&env);
	sbuf_set(&out, "before");
	ck_assert_int_eq(envelope_address(&env, "Identity", &out), 0);
	envelope_line(&fields, "Identity", addresses[_i].value);
	seal_block(&env, &fields, "auth", 1);
	ck_assert_msg(envelope_address(&env, "Identity", &out) == is_one, "%s",
	    addresses[_i].value);
	ck_assert_str_eq(sbuf_str(&out), is_one ? addresses[_i].address :
	    "before");
	envelope_free(&env);
	sbuf_free(&fields);
	sbuf_free(&out);
}
END_TEST

/* Nothing is quadratic: a million bytes of the same name, asked for often. */
START_TEST(test_much)
{
	struct envelope env = {0};
	struct sbuf fields = {0};
	size_t at = 0, n = 0;

	sbuf_adds(&fields, ENVELOPE_MAGIC "Id: root\n");
	while (fields.len < ENVELOPE_MAX - 200) {
		sbuf_adds(&fields, "Rule: \n");
		n++;
	}
	seal_block(&env, &fields, "lmtp", 0);
	while (envelope_next(&env, "Rule", &at) != NULL)
		n--;
	ck_assert_uint_eq(n, 0);
	for (n = 0; n < 100; n++)
		ck_assert_ptr_null(envelope_get(&env, "Subject"));
	envelope_free(&env);
	sbuf_free(&fields);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("envelope_fields");
	TCase *tests = tcase_create("envelope_fields");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_table);
	tcase_add_test(tests, test_page_has_all);
	tcase_add_loop_test(tests, test_others, 0, COUNT(others));
	tcase_add_test(tests, test_creation_needs_both);
	tcase_add_test(tests, test_spool_only);
	tcase_add_test(tests, test_lists);
	tcase_add_test(tests, test_no_stages);
	tcase_add_test(tests, test_open_claim_is_no_field);
	tcase_add_loop_test(tests, test_number, 0, COUNT(numbers));
	tcase_add_loop_test(tests, test_address, 0, COUNT(addresses));
	tcase_add_test(tests, test_much);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
