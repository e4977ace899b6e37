/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_lmtp_session - conversations with a session that has no socket
 */
/* test-objects: runners/lmtp/session.c runners/lmtp/command.c */
/* test-objects: runners/lmtp/syntax.c runners/lmtp/xforward.c */
/* test-objects: runners/lmtp/data.c */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/mail/header.h"
#include "runners/lmtp/session.h"

#define LIMIT 100000
#define RECIPIENTS 3
#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* The world as the session sees it. */
struct world {
	int room;               /* answer of has_room */
	int room_calls;
	int begin_error;
	int write_error;
	int end_error;
	int begun;
	int abandoned;
	int ended;
	int forgotten;
	struct sbuf message;
	struct sbuf envelope;   /* what `end` was told */
	unsigned long long size;
	unsigned long long body;
};

static struct world world;
static struct sbuf scratch;

static int
world_resolve(void *ctx, const char *address)
{
	(void)ctx;
	if (strcmp(address, "later@lists.example.org") == 0) {
		errno = EIO;
		return -1;
	}
	return strcasecmp(address, "postmaster") == 0 ||
	    strcmp(address, "dev@lists.example.org") == 0 ||
	    strcmp(address, "ops@lists.example.org") == 0;
}

static int
world_has_room(void *ctx, unsigned long long size)
{
	struct world *w = ctx;

	(void)size;
	w->room_calls++;
	return w->room;
}

static void *
world_begin(void *ctx)
{
	struct world *w = ctx;

	errno = w->begin_error;
	if (w->begin_error != 0)
		return NULL;
	w->begun++;
	sbuf_truncate(&w->message, 0);
	return &w->message;
}

static int
world_write(void *ctx, void *message, const void *bytes, size_t n)
{
	struct world *w = ctx;

	errno = w->write_error;
	if (w->write_error != 0)
		return -1;
	sbuf_add(message, bytes, n);
	return 0;
}

static int
world_end(void *ctx, struct session *s, void *message,
    const struct session_mail *mail)
{
	struct world *w = ctx;
	size_t i;

	(void)s;
	ck_assert_ptr_eq(message, &w->message);
	errno = w->end_error;
	if (w->end_error != 0)
		return -1;
	w->ended++;
	sbuf_set(&w->envelope, "");
	sbuf_printf(&w->envelope, "<%s>", mail->from);
	for (i = 0; i < mail->to->n; i++)
		sbuf_printf(&w->envelope, " <%s>", mail->to->items[i]);
	sbuf_printf(&w->envelope, "|%s|%s", mail->options, mail->client);
	w->size = mail->size;
	w->body = mail->body;
	return 0;
}

static void
world_abandon(void *ctx, void *message)
{
	struct world *w = ctx;

	ck_assert_ptr_eq(message, &w->message);
	w->abandoned++;
}

static void
world_forget(void *ctx, struct session *s)
{
	struct world *w = ctx;

	(void)s;
	w->forgotten++;
}

static const struct session_ops ops = {world_resolve, world_has_room,
	world_begin, world_write, world_end, world_abandon, world_forget};

static const struct session_config config = {.site = "lists.example.org",
	.size_limit = LIMIT, .recipients = RECIPIENTS, .ops = &ops,
	.ctx = &world, .scratch = &scratch};

static struct session *session;

static void
set_up(void)
{
	log_setup("test", LOG_LEVEL_ERROR);
	world = (struct world){.room = 1};
	session = session_new(&config, "192.0.2.1", true);
	ck_assert_str_eq(session_output(session)->data,
	    "220 lists.example.org LMTP\r\n");
	sbuf_truncate(session_output(session), 0);
}

static void
tear_down(void)
{
	session_free(&session);
	sbuf_free(&world.message);
	sbuf_free(&world.envelope);
	sbuf_free(&scratch);
}

/* Each line of the output begins as the words of want, separated by '|', say;
 * "" wants none. */
static void
expect(const char *said, const char *want)
{
	struct sbuf *out = session_output(session);
	const char *p = sbuf_str(out), *w = want;
	size_t n;

	while (*w != '\0') {
		n = strcspn(w, "|");
		ck_assert_msg(strncmp(p, w, n) == 0, "%.60s: got \"%s\", want "
		    "%s", said, sbuf_str(out), want);
		p = strstr(p, "\r\n");
		ck_assert_ptr_nonnull(p);
		p += 2;
		w += n + (w[n] == '|');
	}
	ck_assert_msg(*p == '\0', "%.60s: too much: %s", said, p);
	sbuf_truncate(out, 0);
}

static void
say(const char *text, const char *want)
{
	size_t n = strlen(text);

	ck_assert_uint_eq(session_input(session, text, n), n);
	expect(text, want);
}

static void
say_many(const char *byte, size_t n)
{
	while (n-- > 0)
		ck_assert_uint_eq(session_input(session, byte, 1), 1);
}

static void
accept_all(size_t n)
{
	static const struct session_verdict good[RECIPIENTS] = {
		{"id-1", 0}, {"id-2", 0}, {"id-3", 0}};

	ck_assert_uint_le(n, RECIPIENTS);
	ck_assert(session_is_waiting(session));
	session_answer(session, good);
	ck_assert(!session_is_waiting(session));
}

static void
start_mail(void)
{
	say("LHLO mx.example.net\r\n",
	    "250-|250-|250-|250-|250-|250-XFORWARD |250 SIZE 100000");
	say("MAIL FROM:<ann@example.net>\r\n", "250 2.1.0");
	say("RCPT TO:<dev@lists.example.org>\r\n", "250 2.1.5");
}

/* ---- conversations ----------------------------------------------------- */

static const struct {
	const char *say;
	const char *want;
} talk[] = {
	{"NOOP\r\n", "250 2.0.0"},
	{"noop with words\r\n", "250 2.0.0"},
	{"EHLO mx.example.net\r\n", "500 5.5.1"},
	{"HELO mx.example.net\r\n", "500 5.5.1"},
	{"MAIL FROM:<ann@example.net>\r\n", "503 5.5.1"},
	{"LHLO\r\n", "501 5.5.4"},
	{"LHLO a b\r\n", "501 5.5.4"},
	{"lhlo mx.example.net  \r\n", "250-lists.example.org|250-PIPELINING|"
	    "250-ENHANCEDSTATUSCODES|250-8BITMIME|250-SMTPUTF8|"
	    "250-XFORWARD NAME ADDR PROTO HELO PORT SOURCE|250 SIZE 100000"},
	{"HELP\r\n", "214 2.0.0"},
	{"VRFY dev\r\n", "252 2.0.0"},
	{"VRFY\r\n", "501 5.5.4"},
	{"EXPN dev\r\n", "502 5.5.1"},
	{"STARTTLS\r\n", "502 5.5.1"},
	{"BDAT 3 LAST\r\n", "502 5.5.1"},
	{"NONSENSE\r\n", "500 5.5.1"},
	{"\r\n", "500 5.5.1"},
	{"MAILFROM:<ann@example.net>\r\n", "500 5.5.1"},
	{"NOOP \x01\r\n", "500 5.5.2"},
	{"NOOP a\rb\r\n", "500 5.5.2"},
	{"NOOP \xff\r\n", "500 5.5.2"},
	{"RCPT TO:<dev@lists.example.org>\r\n", "503 5.5.1"},
	{"DATA\r\n", "503 5.5.1"},
	{"RSET now\r\n", "501 5.5.4"},
	{"RSET\r\n", "250 2.0.0"},
	{"MAIL FROM:<ann\r\n", "501 5.1.7"},
	{"MAIL FROM:<> SIZE=100001\r\n", "552 5.3.4"},
	{"MAIL FROM:<> SIZE=100000\r\n", "250 2.1.0"},
	{"MAIL FROM:<>\r\n", "503 5.5.1"},
	{"XFORWARD NAME=a\r\n", "503 5.5.1"},
	{"DATA\r\n", "503 5.5.1"},
	{"RCPT TO:<nobody@lists.example.org>\r\n", "550 5.1.1"},
	{"RCPT TO:<later@lists.example.org>\r\n", "451 4.3.0"},
	{"RCPT TO:<dev\r\n", "501 5.1.3"},
	{"DATA\r\n", "503 5.5.1"},
	{"RCPT TO:<dev@lists.example.org>\r\n", "250 2.1.5"},
	{"DATA now\r\n", "501 5.5.4"},
	{"RCPT TO:<ops@lists.example.org>\r\n", "250 2.1.5"},
	{"RCPT TO:<postmaster>\r\n", "250 2.1.5"},
	{"RCPT TO:<dev@lists.example.org>\r\n", "452 4.5.3"},
	{"RSET\r\n", "250 2.0.0"},
	{"NOOP\n", "250 2.0.0"},
	{"NOOP\r\nNOOP\r\nRSET\r\n", "250|250|250"},
	{"QUIT now\r\n", "501 5.5.4"},
	{"QUIT\r\n", "221 2.0.0"},
};

START_TEST(test_talk)
{
	int i;

	for (i = 0; i < COUNT(talk); i++)
		say(talk[i].say, talk[i].want);
	ck_assert(session_is_over(session));
	ck_assert_uint_eq(session_input(session, "NOOP\r\n", 6), 0);
	ck_assert_int_eq(world.begun, 0);
}
END_TEST

/* The same, one byte at a time. */
START_TEST(test_talk_in_bytes)
{
	const char *p;
	int i;

	for (i = 0; i < COUNT(talk); i++) {
		for (p = talk[i].say; *p != '\0'; p++)
			ck_assert_uint_eq(session_input(session, p, 1), 1);
		expect(talk[i].say, talk[i].want);
	}
}
END_TEST

START_TEST(test_message)
{
	start_mail();
	say("RCPT TO:<nobody@lists.example.org>\r\n", "550 5.1.1");
	say("RCPT TO:<ops@lists.example.org>\r\n", "250 2.1.5");
	say("DATA\r\n", "354 ");
	say("Subject: a\r\n\r\n..b\r\n.\r\n", "");
	ck_assert_str_eq(world.message.data, "Subject: a\n\n.b\n");
	ck_assert_str_eq(world.envelope.data, "<ann@example.net> "
	    "<dev@lists.example.org> <ops@lists.example.org>||"
	    "192.0.2.1 helo=mx.example.net proto=LMTP");
	ck_assert_uint_eq(world.size, 15);
	ck_assert_uint_eq(world.body, 12);
	accept_all(2);
	expect("data", "250 2.0.0 Accepted as id-1|250 2.0.0 Accepted as id-2");
	say("DATA\r\n", "503 5.5.1");
	say("MAIL FROM:<>\r\n", "250 2.1.0");
	ck_assert_int_eq(world.abandoned, 0);
	ck_assert_int_eq(world.forgotten, 0);
}
END_TEST

/* What is sent behind the message waits until it is answered. */
START_TEST(test_pipelined)
{
	static const char text[] = "LHLO a\r\nMAIL FROM:<> BODY=8BITMIME "
	    "SMTPUTF8\r\nRCPT TO:<dev@lists.example.org>\r\nDATA\r\na\r\n.\r\n"
	    "MAIL FROM:<>\r\nQUIT\r\n";
	size_t n = sizeof(text) - 1, used;

	used = session_input(session, text, n);
	ck_assert_str_eq(text + used, "MAIL FROM:<>\r\nQUIT\r\n");
	expect("all", "250-|250-|250-|250-|250-|250-|250 |250|250|354");
	ck_assert_uint_eq(session_input(session, text + used, n - used), 0);
	ck_assert_str_eq(world.envelope.data, "<> <dev@lists.example.org>|"
	    "BODY=8BITMIME SMTPUTF8|192.0.2.1 helo=a proto=UTF8LMTP");
	ck_assert_str_eq(world.message.data, "a\n");
	ck_assert_uint_eq(world.body, 0);
	accept_all(1);
	expect("data", "250 2.0.0 Accepted as id-1");
	say(text + used, "250 2.1.0|221 2.0.0");
}
END_TEST

START_TEST(test_each_recipient_has_its_answer)
{
	static const struct session_verdict verdicts[] = {
		{"id-1", 0}, {NULL, ENOSPC}, {NULL, EIO}};

	start_mail();
	say("RCPT TO:<ops@lists.example.org>\r\n", "250");
	say("RCPT TO:<postmaster>\r\n", "250");
	say("DATA\r\n", "354");
	say(".\r\n", "");
	session_answer(session, verdicts);
	expect("data", "250 2.0.0|452 4.3.1|451 4.3.0");
}
END_TEST

/* ---- what goes wrong --------------------------------------------------- */

static const struct {
	int room, begin_error, write_error, end_error;
	const char *at_mail;    /* NULL: taken */
	const char *at_data;
	const char *at_end;
} troubles[] = {
	{0, 0, 0, 0, "452 4.3.1", NULL, NULL},
	{-1, 0, 0, 0, "451 4.3.0", NULL, NULL},
	{1, ENOSPC, 0, 0, NULL, "452 4.3.1", NULL},
	{1, EDQUOT, 0, 0, NULL, "452 4.3.1", NULL},
	{1, EIO, 0, 0, NULL, "451 4.3.0", NULL},
	{1, 0, ENOSPC, 0, NULL, NULL, "452 4.3.1|452 4.3.1"},
	{1, 0, EIO, 0, NULL, NULL, "451 4.3.0|451 4.3.0"},
	{1, 0, 0, EROFS, NULL, NULL, "451 4.3.0|451 4.3.0"},
};

START_TEST(test_trouble)
{
	say("LHLO a\r\n", "250-|250-|250-|250-|250-|250-|250 ");
	world.room = troubles[_i].room;
	world.begin_error = troubles[_i].begin_error;
	world.write_error = troubles[_i].write_error;
	world.end_error = troubles[_i].end_error;
	if (troubles[_i].at_mail != NULL) {
		say("MAIL FROM:<>\r\n", troubles[_i].at_mail);
		say("RCPT TO:<dev@lists.example.org>\r\n", "503");
		return;
	}
	say("MAIL FROM:<>\r\n", "250");
	say("RCPT TO:<dev@lists.example.org>\r\n", "250");
	say("RCPT TO:<ops@lists.example.org>\r\n", "250");
	if (troubles[_i].at_data != NULL) {
		say("DATA\r\n", troubles[_i].at_data);
		say("RSET\r\n", "250");
		return;
	}
	say("DATA\r\n", "354");
	say("a\r\nb\r\n", "");
	say(".\r\n", troubles[_i].at_end);
	ck_assert_int_eq(world.abandoned, 1);
	say("MAIL FROM:<>\r\n", "250");
}
END_TEST

START_TEST(test_room_is_asked_at_data)
{
	start_mail();
	ck_assert_int_eq(world.room_calls, 1);
	world.room = 0;
	say("DATA\r\n", "452 4.3.1");
	ck_assert_int_eq(world.room_calls, 2);
	ck_assert_int_eq(world.begun, 0);
	/* The transaction stands: there may be room in a moment. */
	world.room = 1;
	say("DATA\r\n", "354");
}
END_TEST

START_TEST(test_nul)
{
	start_mail();
	say("DATA\r\n", "354");
	ck_assert_uint_eq(session_input(session, "a\0b\r\n", 5), 5);
	expect("nul", "");
	ck_assert_int_eq(world.abandoned, 1);
	say("more\r\n.\r\n", "554 5.6.0");
	ck_assert_int_eq(world.ended, 0);
	say("RSET\r\n", "250");
}
END_TEST

/* Exactly the limit passes, counted with CRLF and without the stuffed dots. */
START_TEST(test_size_limit)
{
	int over;

	for (over = 0; over <= 1; over++) {
		start_mail();
		say("DATA\r\n", "354");
		say("\r\n..\r\n", "");
		say_many("x", LIMIT - 2 - 3 - 2 + (size_t)over);
		say("\r\n.\r\n", over ? "552 5.3.4" : "");
		if (!over) {
			ck_assert_uint_eq(world.size, LIMIT - 3);
			accept_all(1);
			expect("data", "250");
		}
	}
	ck_assert_int_eq(world.ended, 1);
	ck_assert_int_eq(world.abandoned, 1);
}
END_TEST

START_TEST(test_header_limit)
{
	struct session_config large = config;
	size_t i;
	int over;

	large.size_limit = 0;
	session_free(&session);
	session = session_new(&large, "192.0.2.1", false);
	sbuf_truncate(session_output(session), 0);
	say("LHLO a\r\n", "250-|250-|250-|250-|250-|250 SIZE");
	for (over = 0; over <= 1; over++) {
		say("MAIL FROM:<> SIZE=100000000000\r\n", "250");
		say("RCPT TO:<dev@lists.example.org>\r\n", "250");
		say("DATA\r\n", "354");
		for (i = 0; i < HEADER_MAX / 8 - 1; i++)
			say("a: bcde\r\n", "");
		say(over ? "a: bcde\r\n" : "a: bcd\r\n", "");
		say("\r\nbody\r\n.\r\n", over ? "552 5.3.4" : "");
		if (!over) {
			ck_assert_uint_eq(world.body, HEADER_MAX);
			accept_all(1);
			expect("data", "250");
		}
	}
}
END_TEST

START_TEST(test_long_lines)
{
	say("LHLO a\r\n", "250-|250-|250-|250-|250-|250-|250 ");
	say("NOOP ", "");
	say_many("x", SESSION_LINE_MAX - 5 - 2);
	say("\r\n", "250");
	say("NOOP ", "");
	say_many("x", SESSION_LINE_MAX - 5 - 1);
	say("\r\n", "500 5.5.2");
	say_many("x", 1000000);
	say("\r\nNOOP\r\n", "500 5.5.2|250");
	say("MAIL FROM:<>\r\nRCPT TO:<dev@lists.example.org>\r\nDATA\r\n",
	    "250|250|354");
	say_many("x", 10 * SESSION_LINE_MAX);
	say("\r\n.\r\n", "");
	accept_all(1);
	expect("data", "250");
}
END_TEST

/* Output that nobody fetches stops the commands, and fetching lets them go
 * on. */
START_TEST(test_output_is_bounded)
{
	static const char noop[] = "NOOP\r\n";
	size_t taken = 0, n;
	int i;

	for (i = 0; i < 100000; i++) {
		n = session_input(session, noop, 6);
		if (n == 0)
			break;
		ck_assert_uint_eq(n, 6);
		taken += n;
	}
	ck_assert_int_lt(i, 100000);
	ck_assert_uint_gt(taken, SESSION_OUTPUT_MAX / 4);
	ck_assert_uint_le(session_output(session)->len,
	    SESSION_OUTPUT_MAX + 100);
	sbuf_truncate(session_output(session), 0);
	say(noop, "250");
}
END_TEST

START_TEST(test_too_many_errors)
{
	int i;

	for (i = 0; i < SESSION_ERRORS_MAX - 1; i++)
		say("NONSENSE\r\n", "500 5.5.1");
	say("NONSENSE\r\n", "500 5.5.1|421 4.7.0");
	ck_assert(session_is_over(session));
}
END_TEST

START_TEST(test_refused_recipients_are_no_errors)
{
	int i;

	start_mail();
	for (i = 0; i < 2 * SESSION_ERRORS_MAX; i++)
		say("RCPT TO:<nobody@lists.example.org>\r\n", "550 5.1.1");
	say("NOOP\r\n", "250");
}
END_TEST

/* ---- the end of it ------------------------------------------------------ */

START_TEST(test_abort_in_data)
{
	start_mail();
	say("DATA\r\n", "354");
	say("a\r\n", "");
	session_abort(session, "421 4.4.2 Silent");
	expect("abort", "421 4.4.2 Silent");
	ck_assert(session_is_over(session));
	ck_assert_int_eq(world.abandoned, 1);
	session_abort(session, "421 again");
	expect("abort", "");
}
END_TEST

START_TEST(test_free_while_waiting)
{
	start_mail();
	say("DATA\r\n", "354");
	say(".\r\n", "");
	ck_assert(session_is_waiting(session));
	session_free(&session);
	ck_assert_ptr_null(session);
	ck_assert_int_eq(world.forgotten, 1);
	ck_assert_int_eq(world.abandoned, 0);
}
END_TEST

START_TEST(test_lhlo_and_rset_forget)
{
	start_mail();
	say("RSET\r\n", "250");
	say("RCPT TO:<dev@lists.example.org>\r\n", "503");
	start_mail();
	start_mail();
	say("DATA\r\n.\r\n", "354");
	ck_assert_str_eq(world.envelope.data, "<ann@example.net> "
	    "<dev@lists.example.org>||192.0.2.1 helo=mx.example.net "
	    "proto=LMTP");
}
END_TEST

/* ---- XFORWARD ----------------------------------------------------------- */

static void
one_message(const char *client)
{
	say("MAIL FROM:<>\r\nRCPT TO:<dev@lists.example.org>\r\nDATA\r\n.\r\n",
	    "250|250|354");
	ck_assert_str_eq(strrchr(world.envelope.data, '|') + 1, client);
	accept_all(1);
	expect("data", "250");
}

START_TEST(test_xforward)
{
	say("XFORWARD NAME=a\r\n", "503 5.5.1");
	say("LHLO relay\r\n", "250-|250-|250-|250-|250-|250-XFORWARD|250 ");
	say("XFORWARD NAME=mx.example.net ADDR=192.0.2.7\r\n", "250");
	say("XFORWARD HELO=a+20b PROTO=ESMTPS PORT=4711 SOURCE=REMOTE\r\n",
	    "250");
	one_message("192.0.2.7 name=mx.example.net helo=\"a b\" proto=ESMTPS "
	    "port=4711 source=REMOTE");
	one_message("192.0.2.1 helo=relay proto=LMTP");
	say("XFORWARD NAME=localhost ADDR=[UNAVAILABLE] SOURCE=LOCAL\r\n",
	    "250");
	one_message("unknown name=localhost source=LOCAL");
	say("XFORWARD NAME=a\r\nRSET\r\n", "250|250");
	one_message("192.0.2.1 helo=relay proto=LMTP");
	say("XFORWARD IDENT=a\r\n", "501 5.5.4");
	say("XFORWARD\r\n", "501 5.5.4");
}
END_TEST

START_TEST(test_xforward_is_not_for_all)
{
	session_free(&session);
	session = session_new(&config, "192.0.2.1", false);
	sbuf_truncate(session_output(session), 0);
	say("LHLO a\r\n", "250-|250-PIPELINING|250-|250-|250-SMTPUTF8|"
	    "250 SIZE");
	say("XFORWARD NAME=mx.example.net\r\n", "550 5.7.0");
	one_message("192.0.2.1 helo=a proto=LMTP");
}
END_TEST

static TCase *
make_cases(void)
{
	TCase *tc = tcase_create("session");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_talk);
	tcase_add_test(tc, test_talk_in_bytes);
	tcase_add_test(tc, test_message);
	tcase_add_test(tc, test_pipelined);
	tcase_add_test(tc, test_each_recipient_has_its_answer);
	tcase_add_loop_test(tc, test_trouble, 0, COUNT(troubles));
	tcase_add_test(tc, test_room_is_asked_at_data);
	tcase_add_test(tc, test_nul);
	tcase_add_test(tc, test_size_limit);
	tcase_add_test(tc, test_header_limit);
	tcase_add_test(tc, test_long_lines);
	tcase_add_test(tc, test_output_is_bounded);
	tcase_add_test(tc, test_too_many_errors);
	tcase_add_test(tc, test_refused_recipients_are_no_errors);
	tcase_add_test(tc, test_abort_in_data);
	tcase_add_test(tc, test_free_while_waiting);
	tcase_add_test(tc, test_lhlo_and_rset_forget);
	tcase_add_test(tc, test_xforward);
	tcase_add_test(tc, test_xforward_is_not_for_all);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("lmtp_session");
	SRunner *sr;
	int failed;

	suite_add_tcase(suite, make_cases());
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
