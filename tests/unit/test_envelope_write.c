/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_envelope_write - lines, seals and claims, byte by byte, and read again
 */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/spool/envelope.h"
#include "common/system/fsutil.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void
parse(struct envelope *env, const struct sbuf *bytes)
{
	struct sbuf why = {0};

	ck_assert_msg(envelope_parse(env, bytes->data, bytes->len, &why) == 0,
	    "%s", sbuf_str(&why));
	ck_assert_uint_eq(env->raw.len, bytes->len);
	sbuf_free(&why);
}

/* Append to bytes, as a program does to the file. */
static void
append(struct sbuf *bytes, const char *claims, const struct sbuf *fields,
    const struct envelope_seal *seal)
{
	struct envelope env = {0};

	if (bytes->len == 0) {
		envelope_seal(NULL, fields, seal, bytes);
		return;
	}
	sbuf_adds(bytes, claims);
	parse(&env, bytes);
	envelope_seal(&env, fields, seal, bytes);
	envelope_free(&env);
}

/* The sample again, as the library writes it; its third block is sealed by a
 * shell that cannot compute the sum. */
START_TEST(test_sample)
{
	struct sbuf want = {0}, got = {0}, fields = {0};

	ck_assert_int_eq(fs_read(AT_FDCWD,
	    "spool-layout/examples/sample/envelope", 65536, &want), 0);
	sbuf_adds(&fields, ENVELOPE_MAGIC);
	envelope_line(&fields, "Id", "0k3v9q2t7m-a-01");
	envelope_line(&fields, "Mail-From", "<ann@example.net>");
	envelope_line(&fields, "Rcpt-To", "<dev@lists.example.org>");
	envelope_line(&fields, "Size", "4096");
	append(&got, "", &fields, &(struct envelope_seal){
	    .time = 1795165200123, .host = "a", .queue = "lmtp",
	    .exit = "accept", .to = "inbound"});
	sbuf_truncate(&fields, 0);
	envelope_line(&fields, "List", "dev@lists.example.org");
	envelope_line(&fields, "Role", "post");
	append(&got, "Claim: 1 queue=inbound owner=a.inbound1.7\n", &fields,
	    &(struct envelope_seal){.time = 1795165200130, .host = "a",
	    .queue = "inbound", .exit = "accept", .to = "auth", .claim = 1});
	sbuf_adds(&got, "Claim: 2 queue=spamcheck owner=a.spamcheck1.8\n"
	    "X-Spamcheck-Score: 3.1\n");
	envelope_line(&got, "Subject", "Gr\xc3\xbc\xc3\x9f" "e aus \\server\t"
	    "\xff");
	sbuf_adds(&got, "Trail: 2026-11-20T09:00:00.200Z host=a "
	    "queue=spamcheck exit=accept to=moderation claim=2 lines=3 "
	    "crc32=-\n");
	sbuf_truncate(&fields, 0);
	envelope_line(&fields, "Reason",
	    "status=5.7.2 text=\"not a member: \\x22ann\\x22\"");
	envelope_line(&fields, "Held",
	    "for=moderator until=2026-12-04T09:00:00Z token=k7f2");
	append(&got, "Claim: 3 queue=moderation owner=a.moderation1.9\n"
	    "Claim: 4 queue=moderation owner=a.moderation1.10\n", &fields,
	    &(struct envelope_seal){.time = 1795165205000, .host = "a",
	    .queue = "moderation", .exit = "defer", .to = "moderation",
	    .due = 1795165260000, .claim = 4});
	envelope_claim(&got, 5, "moderation", "a.moderation1.11");
	ck_assert_str_eq(got.data, want.data);
	sbuf_free(&want);
	sbuf_free(&got);
	sbuf_free(&fields);
}
END_TEST

static const struct {
	const char *name;
	const char *value;
	const char *line;
} lines[] = {
	{"Name", "value", "Name: value\n"},
	{"Name", "", "Name: \n"},
	{"Name", " two  blanks ", "Name:  two  blanks \n"},
	{"Name", "a\nTrail: forged", "Name: a\\x0aTrail: forged\n"},
	{"Name", "\\x41", "Name: \\x5cx41\n"},
	{"Name", "\xc3\xbc\xff", "Name: \xc3\xbc\\xff\n"},
	{"Na me\n", "v", "Na-me-: v\n"},
	{"N\xc3\xbc", "v", "N--: v\n"},
	{"", "v", "-: v\n"},
	{"A1234567890123456789012345678901234567890", "v",
	    "A123456789012345678901234567890123456789: v\n"},
};

START_TEST(test_lines)
{
	struct sbuf block = {0};

	sbuf_set(&block, "before\n");
	envelope_line(&block, lines[_i].name, lines[_i].value);
	ck_assert_str_eq(block.data + strlen("before\n"), lines[_i].line);
	sbuf_free(&block);
}
END_TEST

/* A value of so many bytes 'a', then a tail, then more than enough. */
static const struct {
	size_t plain;
	const char *tail;
	size_t len;             /* of the line */
	const char *end;
} cuts[] = {
	{8188, "", 8192, "aaaa\n"},
	{8189, "", 8192, "aaaa...\n"},
	{100000, "", 8192, "aaaa...\n"},
	/* The cut would fall at the 8185th byte of the value. */
	{8183, "\xc3\xbc" "bbbbbbbbb", 8192, "aaa\xc3\xbc" "...\n"},
	{8184, "\xc3\xbc" "bbbbbbbbb", 8191, "aaaa...\n"},
	{8182, "\xf0\x9f\x93\xac" "bbbbbb", 8189, "aaaa...\n"},
	{8180, "\\bbbbbbbbb", 8192, "\\x5cb...\n"},
	{8181, "\\bbbbbbbbb", 8192, "\\x5c...\n"},
	{8182, "\\bbbbbbbbb", 8189, "aaaa...\n"},
	{8184, "\\bbbbbbbbb", 8191, "aaaa...\n"},
	{8185, "\\bbbbbbbbb", 8192, "aaaa...\n"},
	{8182, "\xff\xff\xff", 8189, "aaaa...\n"},
};

START_TEST(test_cuts)
{
	struct sbuf value = {0}, block = {0};
	struct envelope env = {0};
	size_t i;

	for (i = 0; i < cuts[_i].plain; i++)
		sbuf_addc(&value, 'a');
	sbuf_adds(&value, cuts[_i].tail);
	envelope_line(&block, "N", sbuf_str(&value));
	ck_assert_uint_eq(block.len, cuts[_i].len);
	ck_assert_str_eq(block.data + block.len - strlen(cuts[_i].end),
	    cuts[_i].end);
	/* Whatever comes out is a line that the reader takes. */
	sbuf_set(&value, ENVELOPE_MAGIC);
	sbuf_add(&value, block.data, block.len);
	sbuf_truncate(&block, 0);
	append(&block, "", &value, &(struct envelope_seal){.host = "a",
	    .queue = "b", .exit = "c", .to = "d"});
	parse(&env, &block);
	ck_assert_uint_eq(env.n_lines, 3);
	envelope_free(&env);
	sbuf_free(&value);
	sbuf_free(&block);
}
END_TEST

/* Escaping makes a value four times as long; no more is read than needed. */
START_TEST(test_cut_escapes)
{
	struct sbuf value = {0}, block = {0};
	int i;

	for (i = 0; i < 100000; i++)
		sbuf_addc(&value, '\n');
	envelope_line(&block, "N", value.data);
	ck_assert_uint_le(block.len, ENVELOPE_LINE_MAX);
	ck_assert_uint_gt(block.len, ENVELOPE_LINE_MAX - 4);
	ck_assert_str_eq(block.data + block.len - 8, "\\x0a...\n");
	sbuf_free(&value);
	sbuf_free(&block);
}
END_TEST

static const struct {
	struct envelope_seal seal;
	const char *trail;
} seals[] = {
	{{.time = 0, .host = "a", .queue = "b", .exit = "c"},
	    "Trail: 1970-01-01T00:00:00.000Z host=a queue=b exit=c lines=2 "},
	{{.time = 1, .host = "a", .queue = "b", .exit = "accept", .to = "d"},
	    "Trail: 1970-01-01T00:00:00.001Z host=a queue=b exit=accept to=d "
	    "lines=2 "},
	{{.time = 1, .host = "a", .queue = "b", .exit = "defer", .to = "b",
	    .due = 60000, .claim = 0},
	    "Trail: 1970-01-01T00:00:00.001Z host=a queue=b exit=defer to=b "
	    "due=1970-01-01T00:01:00.000Z lines=2 "},
};

START_TEST(test_trails)
{
	struct sbuf fields = {0}, out = {0};
	struct envelope env = {0};
	const struct envelope_trail *t;
	const char *trail;

	sbuf_adds(&fields, ENVELOPE_MAGIC "Id: x\n");
	append(&out, "", &fields, &seals[_i].seal);
	trail = strstr(out.data, "Trail: ");
	ck_assert_ptr_nonnull(trail);
	ck_assert(strncmp(trail, seals[_i].trail, strlen(seals[_i].trail)) ==
	    0);
	parse(&env, &out);
	t = envelope_last(&env);
	ck_assert_int_eq(t->time, seals[_i].seal.time);
	ck_assert_int_eq(t->due, seals[_i].seal.due);
	ck_assert_str_eq(t->to, seals[_i].seal.to == NULL ? "" :
	    seals[_i].seal.to);
	envelope_free(&env);
	sbuf_free(&fields);
	sbuf_free(&out);
}
END_TEST

/* A child: its parent's journal up to the last Trail, without the claim that is
 * open there, and a block sealed on top of it. */
START_TEST(test_child)
{
	struct sbuf fields = {0}, parent = {0}, child = {0};
	struct envelope env = {0}, view, made = {0};
	struct envelope_seal seal = {.host = "a", .queue = "pending",
		.exit = "accept", .to = "outbound"};

	sbuf_adds(&fields, ENVELOPE_MAGIC "Id: x\nMail-From: <>\n");
	append(&parent, "", &fields, &seal);
	envelope_claim(&parent, 4, "pending", "a.pending1.3");
	parse(&env, &parent);
	view = env;
	view.raw.len = view.sealed;
	view.open_claims = 0;
	sbuf_truncate(&fields, 0);
	envelope_line(&fields, "Id", "x.o4-1");
	sbuf_add(&child, view.raw.data, view.sealed);
	envelope_seal(&view, &fields, &seal, &child);
	parse(&made, &child);
	ck_assert_uint_eq(made.n_blocks, 2);
	ck_assert_uint_eq(made.last_claim, 0);
	ck_assert(made.trails[1].is_creation);
	ck_assert_str_eq(envelope_get(&made, "Id"), "x.o4-1");
	ck_assert_str_eq(envelope_get(&made, "Mail-From"), "<>");
	envelope_free(&env);
	envelope_free(&made);
	sbuf_free(&fields);
	sbuf_free(&parent);
	sbuf_free(&child);
}
END_TEST

START_TEST(test_claim)
{
	struct sbuf out = {0};

	envelope_claim(&out, 4294967295U, "auth", "a.auth1.7");
	ck_assert_str_eq(out.data,
	    "Claim: 4294967295 queue=auth owner=a.auth1.7\n");
	sbuf_free(&out);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("envelope_write");
	TCase *tests = tcase_create("envelope_write");
	SRunner *sr;
	int failed;

	tcase_add_test(tests, test_sample);
	tcase_add_loop_test(tests, test_lines, 0, COUNT(lines));
	tcase_add_loop_test(tests, test_cuts, 0, COUNT(cuts));
	tcase_add_test(tests, test_cut_escapes);
	tcase_add_loop_test(tests, test_trails, 0, COUNT(seals));
	tcase_add_test(tests, test_child);
	tcase_add_test(tests, test_claim);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
