/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_envelope - what of a journal counts: seals, claims, torn tails
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/spool/envelope.h"
#include "common/system/fsutil.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define FIRST \
	"Septet-Envelope: 1\n" \
	"Id: 0k3v9q2t7m-a-01\n" \
	"Mail-From: <ann@example.net>\n" \
	"Rcpt-To: <dev@lists.example.org>\n" \
	"Size: 4096\n"
#define FIRST_TRAIL \
	"Trail: 2026-11-20T09:00:00.123Z host=a queue=lmtp exit=accept " \
	"to=inbound lines=5"
#define SECOND \
	"Claim: 1 queue=inbound owner=a.inbound1.7\n" \
	"List: dev@lists.example.org\n" \
	"Role: post\n"
#define SECOND_TRAIL \
	"Trail: 2026-11-20T09:00:00.130Z host=a queue=inbound exit=accept " \
	"to=auth claim=1 lines=3"
#define BLOCK_1 FIRST FIRST_TRAIL " crc32=579df219\n"
#define BLOCK_2 SECOND SECOND_TRAIL " crc32=1469f589\n"

static struct sbuf bytes, why;
static struct envelope env;

static void
teardown(void)
{
	envelope_free(&env);
	sbuf_free(&bytes);
	sbuf_free(&why);
}

static int
parse(void)
{
	char *exact = malloc(bytes.len + 1);
	int rc, saved;

	/* Without a byte behind it, so that reading on is seen. */
	memcpy(exact, sbuf_str(&bytes), bytes.len);
	exact = realloc(exact, bytes.len == 0 ? 1 : bytes.len);
	rc = envelope_parse(&env, exact, bytes.len, &why);
	saved = errno;
	free(exact);
	errno = saved;
	return rc;
}

/* Seal fields behind what stands in bytes, as the page says it: the running
 * sum over all that stands since the last Trail. */
static void
seal(const char *fields, const char *trail)
{
	static size_t start;
	static uint32_t crc;

	if (bytes.len == 0) {
		start = 0;
		crc = 0;
	}
	sbuf_adds(&bytes, fields);
	sbuf_adds(&bytes, trail);
	crc = (uint32_t)crc32(crc, (unsigned char *)bytes.data + start,
	    (uInt)(bytes.len - start));
	sbuf_printf(&bytes, " crc32=%08x\n", (unsigned)crc);
	start = bytes.len;
}

/* The worked example of spool-layout/envelope.md. */
START_TEST(test_worked_example)
{
	uint32_t crc;

	crc = (uint32_t)crc32(0, (const unsigned char *)FIRST FIRST_TRAIL,
	    strlen(FIRST FIRST_TRAIL));
	ck_assert_uint_eq(crc, 0x579df219);
	crc = (uint32_t)crc32(crc, (const unsigned char *)SECOND SECOND_TRAIL,
	    strlen(SECOND SECOND_TRAIL));
	ck_assert_uint_eq(crc, 0x1469f589);
	seal(FIRST, FIRST_TRAIL);
	seal(SECOND, SECOND_TRAIL);
	ck_assert_str_eq(bytes.data, BLOCK_1 BLOCK_2);
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(env.n_blocks, 2);
	ck_assert_uint_eq(env.crc, 0x1469f589);
}
END_TEST

START_TEST(test_sample)
{
	const struct envelope_trail *t;

	ck_assert_int_eq(fs_read(AT_FDCWD,
	    "spool-layout/examples/sample/envelope", 65536, &bytes), 0);
	ck_assert(strncmp(bytes.data, BLOCK_1 BLOCK_2,
	    strlen(BLOCK_1 BLOCK_2)) == 0);
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(env.raw.len, bytes.len);
	ck_assert_str_eq(env.raw.data, bytes.data);
	ck_assert_uint_eq(env.n_lines, 20);
	ck_assert_uint_eq(env.n_blocks, 4);
	ck_assert_uint_eq(env.open_claims, 1);
	ck_assert_uint_eq(env.last_claim, 5);
	ck_assert_str_eq(env.open_owner, "a.moderation1.11");
	ck_assert_uint_eq(env.crc, 0x62be909b);
	t = &env.trails[0];
	ck_assert_int_eq(t->time, 1795165200123);
	ck_assert_str_eq(t->host, "a");
	ck_assert_str_eq(t->queue, "lmtp");
	ck_assert_str_eq(t->exit, "accept");
	ck_assert_str_eq(t->to, "inbound");
	ck_assert_uint_eq(t->claim, 0);
	ck_assert_int_eq(t->due, 0);
	ck_assert(t->is_summed && t->is_creation);
	ck_assert_uint_eq(t->end, strlen(BLOCK_1));
	t = &env.trails[2];
	ck_assert(!t->is_summed && !t->is_creation);
	ck_assert_uint_eq(t->claim, 2);
	t = envelope_last(&env);
	ck_assert_ptr_eq(t, &env.trails[3]);
	ck_assert_str_eq(t->exit, "defer");
	ck_assert_int_eq(t->due, 1795165260000);
	ck_assert_uint_eq(t->end, env.sealed);
	ck_assert_str_eq(env.lines[12].value,
	    "Gr\xc3\xbc\xc3\x9f" "e aus \\server\t\xff");
	ck_assert_uint_eq(env.lines[12].block, 2);
	ck_assert_uint_eq(env.lines[19].block, 4);
}
END_TEST

static const struct {
	const char *tail;       /* behind BLOCK_1 BLOCK_2 */
	size_t kept;            /* of it */
	unsigned claims;
	unsigned last;
} tails[] = {
	{"", 0, 0, 1},
	{"C", 0, 0, 1},
	{"Claim: 2 queue=auth owner=o", 0, 0, 1},
	{"Claim: 2 queue=auth owner=o\n", 28, 1, 2},
	{"claim: 2 queue=auth owner=o\n", 28, 1, 2},
	{"Claim: 2 queue=auth owner=o\nClaim: 3 queue=auth owner=p\n", 56, 2,
	    3},
	{"Claim: 7 queue=auth owner=o\n", 28, 1, 7},
	/* Fields are torn off, the claims before them are the crash counter. */
	{"Claim: 2 queue=auth owner=o\nIdentity: x\n", 28, 1, 2},
	{"Identity: x\nClaim: 2 queue=auth owner=o\n", 0, 0, 1},
	{"Claim: 2 queue=auth owner=o\nIdentity: x\nClaim: 3 queue=auth "
	    "owner=o\n", 28, 1, 2},
	/* Numbers that do not count up, or are none. */
	{"Claim: 1 queue=auth owner=o\n", 0, 0, 1},
	{"Claim: 2 queue=auth owner=o\nClaim: 2 queue=auth owner=o\n", 28, 1,
	    2},
	{"Claim: 0 queue=auth owner=o\n", 0, 0, 1},
	{"Claim: -2 queue=auth owner=o\n", 0, 0, 1},
	{"Claim: 2x queue=auth owner=o\n", 0, 0, 1},
	{"Claim: queue=auth owner=o\n", 0, 0, 1},
	{"Claim: 99999999 queue=auth owner=o\n", 35, 1, 99999999},
	{"Claim: 100000000 queue=auth owner=o\n", 0, 0, 1},
	{"Claim: 18446744073709551618 queue=auth owner=o\n", 0, 0, 1},
	{"\n", 0, 0, 1},
	{"Claim: 2 queue=auth owner=o\n\n", 28, 1, 2},
	{"\x80\xff\n", 0, 0, 1},
};

START_TEST(test_tails)
{
	size_t sealed = strlen(BLOCK_1 BLOCK_2);

	sbuf_adds(&bytes, BLOCK_1 BLOCK_2);
	sbuf_adds(&bytes, tails[_i].tail);
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(env.sealed, sealed);
	ck_assert_msg(env.raw.len == sealed + tails[_i].kept, "%zu: %s",
	    env.raw.len - sealed, tails[_i].tail);
	ck_assert_uint_eq(env.open_claims, tails[_i].claims);
	ck_assert_uint_eq(env.last_claim, tails[_i].last);
	ck_assert_int_eq(env.open_owner == NULL, tails[_i].claims == 0);
}
END_TEST

/* A third block behind the two of the example: does it count? */
static const struct {
	const char *fields;
	const char *trail;
	bool counts;
} thirds[] = {
	{"Claim: 2 queue=auth owner=o\n", "Trail: 2026-11-20T09:00:00Z host=a "
	    "queue=auth exit=accept to=moderation claim=2 lines=1", true},
	{"", "trail: 2026-11-20T09:00:00Z host=a queue=septet exit=requeue "
	    "to=auth lines=0", true},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=septet exit=discard "
	    "lines=0", true},
	{"Claim: 2 queue=auth owner=o\nX: y\nClaim: 3 queue=auth owner=p\n",
	    "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept to=b "
	    "claim=3 lines=3", true},
	{"Claim: 2 queue=auth owner=o\n", "Trail: 2026-11-20T09:00:00Z host=a "
	    "queue=auth exit=bury to=auth lines=1", true},
	/* His claim was taken from him, or is of an earlier block. */
	{"Claim: 2 queue=auth owner=o\nClaim: 3 queue=auth owner=p\n",
	    "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept to=b "
	    "claim=2 lines=2", false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept to=b "
	    "claim=1 lines=0", false},
	{"Claim: 2 queue=auth owner=o\n", "Trail: 2026-11-20T09:00:00Z host=a "
	    "queue=auth exit=accept to=b claim=3 lines=1", false},
	{"Claim: 1 queue=auth owner=o\n", "Trail: 2026-11-20T09:00:00Z host=a "
	    "queue=auth exit=accept to=b claim=1 lines=1", false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept to=b "
	    "claim=-1 lines=0", false},
	/* lines= is not the number of lines. */
	{"X: y\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=b lines=2", false},
	{"X: y\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=b lines=0", false},
	{"X: y\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=b", false},
	{"X: y\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=b lines=4294967297", false},
	/* Words that are missing, or that would be a path. */
	{"", "Trail: yesterday host=a queue=auth exit=accept to=b lines=0",
	    false},
	{"", "Trail: host=a queue=auth exit=accept to=b lines=0", false},
	{"", "Trail: 2026-11-20T09:00:00Z queue=auth exit=accept lines=0",
	    false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a exit=accept to=b lines=0",
	    false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=auth to=b lines=0",
	    false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=../x lines=0", false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=a/b exit=accept to=b "
	    "lines=0", false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=\"\" lines=0", false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=.. lines=0", false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=defer "
	    "to=auth due=soon lines=0", false},
	{"", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=0123456789012345678901234567890123456789012345678901234567890"
	    "1234 lines=0", false},
	/* Lines that are none. */
	{"no colon\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth "
	    "exit=accept to=b lines=1", false},
	{"Name:value\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth "
	    "exit=accept to=b lines=1", false},
	{": value\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth "
	    "exit=accept to=b lines=1", false},
	{" Folded: value\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth "
	    "exit=accept to=b lines=1", false},
	{"Under_score: value\n", "Trail: 2026-11-20T09:00:00Z host=a "
	    "queue=auth exit=accept to=b lines=1", false},
	{"A123456789012345678901234567890123456789: 40\n",
	    "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept to=b "
	    "lines=1", true},
	{"A1234567890123456789012345678901234567890: 41\n",
	    "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept to=b "
	    "lines=1", false},
	{"X: \n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth exit=accept "
	    "to=b lines=1", true},
	{"X: a\rb\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth "
	    "exit=accept to=b lines=1", false},
	{"X: a\tb\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth "
	    "exit=accept to=b lines=1", false},
	{"X: \xc3\xbc\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth "
	    "exit=accept to=b lines=1", true},
	{"X: \xc3\n", "Trail: 2026-11-20T09:00:00Z host=a queue=auth "
	    "exit=accept to=b lines=1", false},
	{"X: \\xc3 \\ \\x00\n", "Trail: 2026-11-20T09:00:00Z host=a "
	    "queue=auth exit=accept to=b lines=1", true},
};

START_TEST(test_thirds)
{
	size_t before;

	seal(FIRST, FIRST_TRAIL);
	seal(SECOND, SECOND_TRAIL);
	before = bytes.len;
	seal(thirds[_i].fields, thirds[_i].trail);
	ck_assert_int_eq(parse(), 0);
	ck_assert_msg(env.n_blocks == (thirds[_i].counts ? 3 : 2), "%s%s",
	    thirds[_i].fields, thirds[_i].trail);
	ck_assert_uint_eq(env.sealed, thirds[_i].counts ? bytes.len : before);
	if (thirds[_i].counts)
		ck_assert_uint_eq(env.open_claims, 0);
}
END_TEST

/* The last word of the Trail line. */
static const struct {
	const char *word;
	bool counts;
	bool is_summed;
} sums[] = {
	{" crc32=1469f589", true, true},
	{" crc32=-", true, false},
	{" crc32=1469f588", false, false},
	{" crc32=1469F589", false, false},
	{" crc32=01469f589", false, false},
	{" crc32=1469f589 ", false, false},
	{" crc32=1469f589 x=y", false, false},
	{" crc32=", false, false},
	{" crc32=--", false, false},
	{"", false, false},
	{" crc32=0x469f58", false, false},
};

START_TEST(test_sums)
{
	sbuf_adds(&bytes, BLOCK_1 SECOND SECOND_TRAIL);
	sbuf_adds(&bytes, sums[_i].word);
	sbuf_adds(&bytes, "\n");
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(env.n_blocks, sums[_i].counts ? 2 : 1);
	ck_assert_int_eq(envelope_last(&env)->is_summed,
	    sums[_i].counts ? sums[_i].is_summed : true);
	/* The sum runs on over a block that was sealed without one. */
	ck_assert_uint_eq(env.crc, sums[_i].counts ? 0x1469f589 : 0x579df219);
}
END_TEST

/* Any byte changed, anywhere: never a third reading of a block. */
START_TEST(test_damaged_anywhere)
{
	size_t first = strlen(BLOCK_1), all = strlen(BLOCK_1 BLOCK_2), i;

	for (i = 0; i < all; i++) {
		sbuf_set(&bytes, BLOCK_1 BLOCK_2);
		bytes.data[i] ^= 1;
		if (i < first) {
			ck_assert_msg(parse() == -1, "byte %zu", i);
			continue;
		}
		ck_assert_int_eq(parse(), 0);
		ck_assert_msg(env.n_blocks == 1, "byte %zu", i);
		envelope_free(&env);
	}
}
END_TEST

/* Wherever an append is cut short, what was sealed before it counts. */
START_TEST(test_torn_anywhere)
{
	size_t first = strlen(BLOCK_1), all = strlen(BLOCK_1 BLOCK_2), n;
	size_t claim = first + strcspn(BLOCK_2, "\n") + 1;

	for (n = 0; n <= all; n++) {
		sbuf_set(&bytes, BLOCK_1 BLOCK_2);
		sbuf_truncate(&bytes, n);
		if (n < first) {
			ck_assert_int_eq(parse(), -1);
			ck_assert_int_eq(errno, EPROTO);
			continue;
		}
		ck_assert_int_eq(parse(), 0);
		ck_assert_uint_eq(env.n_blocks, n == all ? 2 : 1);
		ck_assert_uint_eq(env.raw.len, n == all ? all :
		    n >= claim ? claim : first);
		envelope_free(&env);
	}
}
END_TEST

static const struct {
	const char *bytes;
	int error;
	const char *why;
} refused[] = {
	{"", EPROTO, "line 1: not an envelope"},
	{"S", EPROTO, "line 1: not an envelope"},
	{"From: ann@example.net\n\nHello\n", EPROTO,
	    "line 1: not an envelope"},
	{"septet-envelope: 1\n", EPROTO, "line 1: not an envelope"},
	{"Septet-Envelope: 1", EPROTO, "line 1: not an envelope"},
	{"Septet-Envelope: 1\r\n", EPROTO, "line 1: not an envelope"},
	{"Septet-Envelope: 01\n", EPROTO, "line 1: not an envelope"},
	{"Septet-Envelope: 2", EPROTO, "line 1: not an envelope"},
	{"Septet-Envelope: 2\nwhat\xff"
	    "ever", ENOTSUP,
	    "version 2 of the envelope"},
	{"Septet-Envelope: 123456789\n", ENOTSUP,
	    "version 123456789 of the envelope"},
	{"Septet-Envelope: 1234567890\n", EPROTO, "line 1: not an envelope"},
	{"Septet-Envelope: 1\n", EPROTO, "line 2: the end, and nothing sealed"},
	{"Septet-Envelope: 1\nId: a\nSize", EPROTO,
	    "line 3: the end, and nothing sealed"},
	{"Septet-Envelope: 1\nId: a\n\n", EPROTO,
	    "line 3: not a line \"Name: value\""},
	{"Septet-Envelope: 1\nId: \x01\n", EPROTO,
	    "line 2: a control or a byte that is not UTF-8"},
	{"Septet-Envelope: 1\nTrail: 2026-11-20T09:00:00Z host=a queue=b "
	    "exit=c to=d lines=2 crc32=-\n", EPROTO,
	    "line 2: the Trail's lines are not the block's"},
	{"Septet-Envelope: 1\nTrail: 2026-11-20T09:00:00Z host=a queue=b "
	    "exit=c to=d lines=1 crc32=00000000\n", EPROTO,
	    "line 2: the Trail's crc32 is not the block's"},
	{"Septet-Envelope: 1\nTrail: 2026-11-20T09:00:00Z host=a queue=b "
	    "exit=c to=d lines=1\n", EPROTO,
	    "line 2: the Trail does not end in crc32"},
	{"Septet-Envelope: 1\nTrail: 2026-11-20T09:00:00Z host=a queue=b "
	    "exit=c to=d claim=1 lines=1 crc32=-\n", EPROTO,
	    "line 2: the Trail's claim is not the block's last"},
	{"Septet-Envelope: 1\nTrail: now\n", EPROTO,
	    "line 2: the Trail's time"},
	{"Septet-Envelope: 1\nTrail: 2026-11-20T09:00:00Z host=a queue=B "
	    "exit=c to=d lines=1 crc32=-\n", EPROTO,
	    "line 2: the Trail's host, queue, exit or to"},
	{"Septet-Envelope: 1\nClaim: x\n", EPROTO,
	    "line 2: the Claim's number"},
};

START_TEST(test_refused)
{
	sbuf_adds(&bytes, refused[_i].bytes);
	ck_assert_int_eq(parse(), -1);
	ck_assert_int_eq(errno, refused[_i].error);
	ck_assert_str_eq(sbuf_str(&why), refused[_i].why);
	ck_assert_ptr_null(env.lines);
}
END_TEST

START_TEST(test_line_lengths)
{
	int longer, i;

	for (longer = 0; longer < 2; longer++) {
		sbuf_set(&bytes, "Septet-Envelope: 1\nX: ");
		for (i = 0; i < ENVELOPE_LINE_MAX - 4 + longer; i++)
			sbuf_addc(&bytes, 'x');
		sbuf_adds(&bytes, "\nTrail: 2026-11-20T09:00:00Z host=a "
		    "queue=b exit=c lines=2 crc32=-\n");
		ck_assert_int_eq(parse(), longer == 0 ? 0 : -1);
		envelope_free(&env);
	}
	ck_assert_str_eq(why.data, "line 2: the line is too long");
}
END_TEST

START_TEST(test_size)
{
	sbuf_adds(&bytes, BLOCK_1);
	while (bytes.len < ENVELOPE_MAX)
		sbuf_addc(&bytes, '\n');
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(env.raw.len, strlen(BLOCK_1));
	envelope_free(&env);
	sbuf_addc(&bytes, '\n');
	ck_assert_int_eq(parse(), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_str_eq(why.data, "larger than 1 MiB");
}
END_TEST

/* Bytes that cost most: short lines, short blocks, escapes. */
START_TEST(test_full_of)
{
	static const char trail[] = "Trail: 1970-01-01T00:00:00Z host=a "
	    "queue=b exit=c lines=0 crc32=-\n";
	const char *unit = _i == 0 ? "a: \n" : trail;
	size_t i, n = 0;

	sbuf_adds(&bytes, "Septet-Envelope: 1\n");
	if (_i == 1)
		sbuf_adds(&bytes, "Trail: 1970-01-01T00:00:00Z host=a queue=b "
		    "exit=c lines=1 crc32=-\n");
	while (bytes.len + strlen(unit) + 200 < ENVELOPE_MAX) {
		sbuf_adds(&bytes, unit);
		n++;
	}
	if (_i == 0)
		sbuf_printf(&bytes, "Trail: 1970-01-01T00:00:00Z host=a "
		    "queue=b exit=c lines=%zu crc32=-\n", n + 1);
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(env.raw.len, bytes.len);
	ck_assert_uint_eq(env.n_blocks, _i == 0 ? 1 : n + 1);
	ck_assert_uint_eq(env.n_lines, n + 2);
	for (i = 0; i < env.n_blocks; i++)
		ck_assert_str_eq(env.trails[i].host, "a");
}
END_TEST

/* Words are kept once more than the line: all of it words. */
START_TEST(test_longest_trail)
{
	char word[65];

	memset(word, 'w', 64);
	word[64] = '\0';
	sbuf_printf(&bytes, "Septet-Envelope: 1\nTrail: 1970-01-01T00:00:00Z "
	    "host=%s queue=%s exit=%s to=%s lines=1 crc32=-\n", word, word,
	    word, word);
	ck_assert_int_eq(parse(), 0);
	ck_assert_str_eq(env.trails[0].host, word);
	ck_assert_str_eq(env.trails[0].to, word);
	ck_assert_str_eq(env.lines[0].name, "Septet-Envelope");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("envelope");
	TCase *tests = tcase_create("envelope");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, test_worked_example);
	tcase_add_test(tests, test_sample);
	tcase_add_loop_test(tests, test_tails, 0, COUNT(tails));
	tcase_add_loop_test(tests, test_thirds, 0, COUNT(thirds));
	tcase_add_loop_test(tests, test_sums, 0, COUNT(sums));
	tcase_add_test(tests, test_damaged_anywhere);
	tcase_add_test(tests, test_torn_anywhere);
	tcase_add_loop_test(tests, test_refused, 0, COUNT(refused));
	tcase_add_test(tests, test_line_lengths);
	tcase_add_test(tests, test_size);
	tcase_add_loop_test(tests, test_full_of, 0, 2);
	tcase_add_test(tests, test_longest_trail);
	suite_add_tcase(suite, tests);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
