/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_smtp - sessions played from scripts, the server's bytes one by one
 *
 * test-objects: runners/outbound/smtp.c runners/outbound/smtp_transaction.c runners/outbound/reply.c runners/outbound/wire.c runners/outbound/sasl.c
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "runners/outbound/smtp.h"

#define GREETING "220 mx.example.net\r\n"
#define HELLO "EHLO out.example.org\r\n"
#define OFFER_ALL "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 1000\r\n" \
	"250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"
#define OFFER_PIPELINING "250-mx.example.net\r\n250 PIPELINING\r\n"
#define MESSAGE "Subject: x\r\n\r\nhello\r\n.\r\n"
#define MAIL "MAIL FROM:<dev-bounces@lists.example.org>\r\n"
#define RCPT(n) "RCPT TO:<" n "@example.net>\r\n"

enum act { NOTHING, START, START_NEXT, TLS_DONE, QUIT };

struct step {
	enum act act;           /* first */
	const char *server;     /* then these bytes come */
	const char *client;     /* and this is what has to go out */
};

struct script {
	const char *name;
	struct smtp_config config;
	const char *rcpts[2];   /* of transaction 1 and 2: "ann bob" */
	struct step steps[16];
	const char *states[2];  /* a byte per rcpt; '-' untried, NULL: open */
	bool is_fault[2];
	enum smtp_state end;
	const char *error;      /* found in it */
};

static struct wire message;

static struct smtp_transaction *
make_transaction(const char *names)
{
	struct smtp_transaction *t = xcalloc(1, sizeof *t);
	char *copy = xstrdup(names), *name, *at = NULL, address[64];

	t->sender = xstrdup("dev-bounces@lists.example.org");
	t->rcpts = xcalloc(64, sizeof *t->rcpts);
	t->wire = &message;
	for (name = strtok_r(copy, " ", &at); name != NULL;
	    name = strtok_r(NULL, " ", &at)) {
		snprintf(address, sizeof address, "%s@example.net", name);
		t->rcpts[t->n++].address = xstrdup(address);
	}
	free(copy);
	return t;
}

static void
feed(struct smtp *s, const char *bytes)
{
	for (; *bytes != '\0'; bytes++)
		smtp_input(s, bytes, 1);
}

static void
expect_out(struct smtp *s, const struct script *script, size_t step)
{
	const char *want = script->steps[step].client;

	smtp_fill(s);
	ck_assert_msg(strcmp(sbuf_str(&s->out), want) == 0,
	    "%s, step %zu: sent \"%s\", not \"%s\"", script->name, step,
	    sbuf_str(&s->out), want);
	sbuf_truncate(&s->out, 0);
}

static void
expect_end(struct smtp *s, const struct script *script,
    struct smtp_transaction *const *open)
{
	struct smtp_transaction *t;
	char states[65];
	size_t i, k;

	for (k = 0; k < 2 && script->states[k] != NULL; k++) {
		t = smtp_ended(s);
		ck_assert_msg(t == open[k], "%s: transaction %zu is open",
		    script->name, k);
		for (i = 0; i < t->n; i++)
			states[i] = t->rcpts[i].state != 0
			    ? t->rcpts[i].state : '-';
		states[i] = '\0';
		ck_assert_msg(strcmp(states, script->states[k]) == 0,
		    "%s: transaction %zu ended %s", script->name, k, states);
		ck_assert_msg(t->is_fault == script->is_fault[k],
		    "%s: transaction %zu: fault %d", script->name, k,
		    t->is_fault);
		ck_assert_msg(t->is_untried == (states[0] == '-'), "%s",
		    script->name);
		smtp_transaction_free(&t);
	}
	ck_assert_msg(smtp_ended(s) == NULL, "%s: one more", script->name);
	ck_assert_msg(s->state == script->end, "%s: state %d (%s)",
	    script->name, (int)s->state, sbuf_str(&s->error));
	if (script->error != NULL)
		ck_assert_msg(strstr(sbuf_str(&s->error), script->error)
		    != NULL, "%s: %s", script->name, sbuf_str(&s->error));
}

static void
play(const struct script *script)
{
	struct smtp_transaction *t[2] = {NULL, NULL};
	struct smtp s;
	size_t i;

	smtp_begin(&s, &script->config);
	for (i = 0; i < 16 && script->steps[i].client != NULL; i++) {
		enum act act = script->steps[i].act;

		if (act == START || act == START_NEXT) {
			size_t k = act == START_NEXT;

			ck_assert_msg(smtp_can_start(&s), "%s, step %zu",
			    script->name, i);
			t[k] = make_transaction(script->rcpts[k]);
			smtp_start(&s, t[k]);
		} else if (act == TLS_DONE) {
			ck_assert_int_eq(s.state, SMTP_TLS);
			smtp_tls_done(&s);
		} else if (act == QUIT) {
			smtp_quit(&s);
		}
		feed(&s, script->steps[i].server);
		expect_out(&s, script, i);
	}
	expect_end(&s, script, t);
	smtp_free(&s);
}

#define PLAIN_CONFIG {.helo = "out.example.org"}

static const struct script transactions[] = {
	{"pipelined", PLAIN_CONFIG, {"ann bob", "cal"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER_PIPELINING, ""},
		{START, "", MAIL RCPT("ann") RCPT("bob") "DATA\r\n"},
		{NOTHING, "250 Ok\r\n250 Ok\r\n550 5.1.1 who?\r\n", ""},
		{NOTHING, "354 Go\r\n", MESSAGE},
		{START_NEXT, "", MAIL RCPT("cal") "DATA\r\n"},
		{NOTHING, "250 2.0.0 Queued\r\n250 Ok\r\n250 Ok\r\n", ""},
		{NOTHING, "354 Go\r\n", MESSAGE},
		{NOTHING, "250 2.0.0 Queued\r\n", ""},
		{QUIT, "221 Bye\r\n", "QUIT\r\n"},
	}, {"DF", "D"}, {false, false}, SMTP_CLOSED, "ended"},
	{"lock-step", PLAIN_CONFIG, {"ann bob", "cal"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, "250 mx.example.net\r\n", ""},
		{START, "", MAIL},
		{NOTHING, "250 Ok\r\n", RCPT("ann")},
		{NOTHING, "450 4.2.0 Later\r\n", RCPT("bob")},
		{NOTHING, "250 Ok\r\n", "DATA\r\n"},
		{NOTHING, "354 Go\r\n", MESSAGE},
		{NOTHING, "250 Ok\r\n", ""},
		{START_NEXT, "", MAIL},
		{NOTHING, "250 Ok\r\n", RCPT("cal")},
		{NOTHING, "550 No\r\n", ""},
	}, {"TD", "F"}, {false, false}, SMTP_READY, NULL},
	{"reset where all were refused", PLAIN_CONFIG, {"ann", "bob"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, "250 mx.example.net\r\n", ""},
		{START, "250 Ok\r\n", MAIL RCPT("ann")},
		{NOTHING, "550 No\r\n", ""},
		{START_NEXT, "", "RSET\r\n"},
		{NOTHING, "250 Ok\r\n", MAIL},
		{NOTHING, "250 Ok\r\n", RCPT("bob")},
	}, {"F", NULL}, {false, false}, SMTP_READY, NULL},
	{"354 though all were refused", PLAIN_CONFIG, {"ann bob", "cal"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER_PIPELINING, ""},
		{START, "250 Ok\r\n550 No\r\n451 Later\r\n",
		    MAIL RCPT("ann") RCPT("bob") "DATA\r\n"},
		{NOTHING, "354 Go\r\n", ".\r\n"},
		{NOTHING, "554 No valid recipients\r\n", ""},
		{START_NEXT, "", MAIL RCPT("cal") "DATA\r\n"},
	}, {"FT", NULL}, {false, false}, SMTP_READY, NULL},
	{"DATA refused, then RSET", PLAIN_CONFIG, {"ann bob", "cal"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER_PIPELINING, ""},
		{START, "250 Ok\r\n550 No\r\n250 Ok\r\n",
		    MAIL RCPT("ann") RCPT("bob") "DATA\r\n"},
		{NOTHING, "554 5.7.1 Not this post\r\n", ""},
		{START_NEXT, "", "RSET\r\n" MAIL RCPT("cal") "DATA\r\n"},
	}, {"FT", NULL}, {true, false}, SMTP_READY, NULL},
	{"MAIL refused", PLAIN_CONFIG, {"ann bob", "cal"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER_PIPELINING, ""},
		{START, "552 5.3.4 Too big\r\n503 Need MAIL\r\n503 No\r\n",
		    MAIL RCPT("ann") RCPT("bob") "DATA\r\n"},
		{NOTHING, "503 Need RCPT\r\n", ""},
		{START_NEXT, "451 4.3.0 Not now\r\n503 No\r\n503 No\r\n",
		    MAIL RCPT("cal") "DATA\r\n"},
	}, {"TT", "T"}, {true, false}, SMTP_READY, NULL},
	{"final dot", PLAIN_CONFIG, {"ann", "bob"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER_PIPELINING, ""},
		{START, "250 Ok\r\n250 Ok\r\n354 Go\r\n",
		    MAIL RCPT("ann") "DATA\r\n" MESSAGE},
		{START_NEXT, "554 5.6.0 Spam\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n",
		    MAIL RCPT("bob") "DATA\r\n" MESSAGE},
		{NOTHING, "452 4.3.1 Disk\r\n", ""},
	}, {"T", "T"}, {true, false}, SMTP_READY, NULL},
	{"server has had enough", PLAIN_CONFIG, {"ann", "bob"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER_PIPELINING, ""},
		{START, "250 Ok\r\n250 Ok\r\n354 Go\r\n",
		    MAIL RCPT("ann") "DATA\r\n" MESSAGE},
		{START_NEXT, "250 Ok\r\n421 4.7.0 Enough\r\n",
		    MAIL RCPT("bob") "DATA\r\n"},
	}, {"D", "-"}, {false, false}, SMTP_CLOSED, "Enough"},
	{"421 for the dot", PLAIN_CONFIG, {"ann", "bob"}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER_PIPELINING, ""},
		{START, "250 Ok\r\n250 Ok\r\n354 Go\r\n",
		    MAIL RCPT("ann") "DATA\r\n" MESSAGE},
		{START_NEXT, "421 4.3.2 Going down\r\n",
		    MAIL RCPT("bob") "DATA\r\n"},
	}, {"T", "-"}, {false, false}, SMTP_CLOSED, "Going down"},
	{"all extensions", PLAIN_CONFIG, {"ann", NULL}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER_ALL, ""},
		{START, "", "MAIL FROM:<dev-bounces@lists.example.org> "
		    "SIZE=21\r\n" RCPT("ann") "DATA\r\n"},
	}, {NULL, NULL}, {false, false}, SMTP_READY, NULL},
	{"LMTP answers for each", {.helo = "o", .is_lmtp = true},
		{"ann bob cal dan", NULL}, {
		{NOTHING, GREETING, "LHLO o\r\n"},
		{NOTHING, OFFER_PIPELINING, ""},
		{START, "250 Ok\r\n250 Ok\r\n550 No\r\n250 Ok\r\n250 Ok\r\n",
		    MAIL RCPT("ann") RCPT("bob") RCPT("cal") RCPT("dan")
		    "DATA\r\n"},
		{NOTHING, "354 Go\r\n", MESSAGE},
		{NOTHING, "250 Ok\r\n452 4.2.2 Full\r\n", ""},
		{NOTHING, "552 5.2.2 Full\r\n", ""},
	}, {"DFTF", NULL}, {false, false}, SMTP_READY, NULL},
	{"answer in the middle of nothing", PLAIN_CONFIG, {NULL, NULL}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, "250 mx\r\n421 idle too long\r\n", ""},
	}, {NULL, NULL}, {false, false}, SMTP_CLOSED, "idle too long"},
	{"no SMTP at all", PLAIN_CONFIG, {NULL, NULL}, {
		{NOTHING, "SSH-2.0-x\r\n", ""},
	}, {NULL, NULL}, {false, false}, SMTP_CLOSED, "malformed"},
	{"an intermediate reply to MAIL", PLAIN_CONFIG, {"ann", NULL}, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, "250 mx\r\n", ""},
		{START, "354 What?\r\n", MAIL},
	}, {"-", NULL}, {false, false}, SMTP_CLOSED, "unexpected"},
};

START_TEST(test_transaction)
{
	play(&transactions[_i]);
}
END_TEST

#define SECRET(t, plain) {.helo = "out.example.org", .tls = (t), \
	.user = "list", .password = "secret", .is_plain_ok = (plain)}
#define OFFER(words) "250-mx.example.net\r\n250 " words "\r\n"
/* "\0list\0secret", "list", "secret" in base64 */
#define AUTH_PLAIN "AUTH PLAIN AGxpc3QAc2VjcmV0\r\n"
#define NONE {NULL, NULL}

static const struct script openings[] = {
	{"greeting 554", PLAIN_CONFIG, NONE, {
		{NOTHING, "554 No service\r\n", ""},
	}, NONE, {false, false}, SMTP_CLOSED, "greeting: 554 No service"},
	{"HELO for an old server", PLAIN_CONFIG, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, "502 What?\r\n", "HELO out.example.org\r\n"},
		{NOTHING, "250 Ok\r\n", ""},
	}, NONE, {false, false}, SMTP_READY, NULL},
	{"EHLO 550", PLAIN_CONFIG, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, "550 Go away\r\n", ""},
	}, NONE, {false, false}, SMTP_CLOSED, "EHLO: 550"},
	{"tls must, not offered", {.helo = "out.example.org",
	    .tls = SITE_TLS_MUST}, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("PIPELINING"), ""},
	}, NONE, {false, false}, SMTP_CLOSED, "STARTTLS is not offered"},
	{"tls must, no EHLO", {.helo = "out.example.org",
	    .tls = SITE_TLS_MUST}, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, "502 What?\r\n", ""},
	}, NONE, {false, false}, SMTP_CLOSED, "EHLO: 502"},
	{"tls may, not offered", {.helo = "out.example.org",
	    .tls = SITE_TLS_MAY}, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("PIPELINING"), ""},
	}, NONE, {false, false}, SMTP_READY, NULL},
	{"tls may, refused", {.helo = "out.example.org",
	    .tls = SITE_TLS_MAY}, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("STARTTLS"), "STARTTLS\r\n"},
		{NOTHING, "454 Not now\r\n", ""},
	}, NONE, {false, false}, SMTP_READY, NULL},
	{"tls verify, refused", {.helo = "out.example.org",
	    .tls = SITE_TLS_VERIFY}, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("STARTTLS"), "STARTTLS\r\n"},
		{NOTHING, "554 Never\r\n", ""},
	}, NONE, {false, false}, SMTP_CLOSED, "STARTTLS: 554"},
	{"EHLO again after the handshake", {.helo = "out.example.org",
	    .tls = SITE_TLS_MUST}, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("STARTTLS"), "STARTTLS\r\n"},
		{NOTHING, "220 Go\r\n", ""},
		{TLS_DONE, OFFER("PIPELINING"), HELLO},
	}, NONE, {false, false}, SMTP_READY, NULL},
	{"a reply slipped in before the handshake", {
	    .helo = "out.example.org", .tls = SITE_TLS_MAY}, NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("STARTTLS"), "STARTTLS\r\n"},
		{NOTHING, "220 Go\r\n250 PIPELINING\r\n", ""},
	}, NONE, {false, false}, SMTP_CLOSED, "behind the reply"},
	{"AUTH PLAIN", SECRET(SITE_TLS_NONE, true), NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("AUTH LOGIN PLAIN X"), AUTH_PLAIN},
		{NOTHING, "235 2.7.0 Yes\r\n", ""},
	}, NONE, {false, false}, SMTP_READY, NULL},
	{"AUTH LOGIN", SECRET(SITE_TLS_NONE, true), NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("AUTH=LOGIN"), "AUTH LOGIN\r\n"},
		{NOTHING, "334 VXNlciBOYW1lAA==\r\n", "bGlzdA==\r\n"},
		{NOTHING, "334 UGFzc3dvcmQA\r\n", "c2VjcmV0\r\n"},
		{NOTHING, "235 2.7.0 Yes\r\n", ""},
	}, NONE, {false, false}, SMTP_READY, NULL},
	{"AUTH refused", SECRET(SITE_TLS_NONE, true), NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("AUTH PLAIN"), AUTH_PLAIN},
		{NOTHING, "535 5.7.8 No\r\n", ""},
	}, NONE, {false, false}, SMTP_CLOSED, "AUTH: 535 5.7.8 No"},
	{"no AUTH on offer", SECRET(SITE_TLS_NONE, true), NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("PIPELINING"), ""},
	}, NONE, {false, false}, SMTP_CLOSED, "no AUTH mechanism"},
	{"password in the clear", SECRET(SITE_TLS_MAY, false), NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("AUTH PLAIN"), ""},
	}, NONE, {false, false}, SMTP_CLOSED, "no TLS"},
	{"password over TLS", SECRET(SITE_TLS_MAY, false), NONE, {
		{NOTHING, GREETING, HELLO},
		{NOTHING, OFFER("STARTTLS"), "STARTTLS\r\n"},
		{NOTHING, "220 Go\r\n", ""},
		{TLS_DONE, OFFER("AUTH PLAIN"), HELLO AUTH_PLAIN},
	}, NONE, {false, false}, SMTP_AUTHENTICATE, NULL},
};

START_TEST(test_opening)
{
	play(&openings[_i]);
}
END_TEST

static void
open_session(struct smtp *s, const struct smtp_config *config,
    const char *offer)
{
	smtp_begin(s, config);
	feed(s, GREETING);
	feed(s, offer);
	ck_assert_int_eq(s->state, SMTP_READY);
	sbuf_truncate(&s->out, 0);
}

static const struct smtp_config plain_config = PLAIN_CONFIG;

START_TEST(test_words_only_where_offered)
{
	static const char *const offers[] = {OFFER_ALL, OFFER_PIPELINING};
	static const char *const want[] = {
		"MAIL FROM:<dev-bounces@lists.example.org> SIZE=21 "
		"BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=0abc\r\n"
		"RCPT TO:<ann@example.net> NOTIFY=FAILURE\r\nDATA\r\n",
		MAIL RCPT("ann") "DATA\r\n",
	};
	struct smtp_transaction *t;
	struct smtp s;

	open_session(&s, &plain_config, offers[_i]);
	t = make_transaction("ann");
	t->is_utf8 = t->is_8bit = true;
	t->mail_words = "RET=HDRS ENVID=0abc";
	t->rcpt_words = "NOTIFY=FAILURE";
	smtp_start(&s, t);
	ck_assert_str_eq(sbuf_str(&s.out), want[_i]);
	ck_assert_uint_eq(s.size_limit, _i == 0 ? 1000 : 0);
	smtp_free(&s);
}
END_TEST

/* n refused of n + accepted: all of 20 is the relay's fault, else theirs. */
static const struct {
	size_t refused, accepted;
	bool is_fault;
} refusals[] = {{19, 0, false}, {20, 0, true}, {20, 1, false}};

START_TEST(test_all_refused)
{
	struct smtp_transaction *t = make_transaction("");
	size_t i, n = refusals[_i].refused + refusals[_i].accepted;
	struct smtp s;

	open_session(&s, &plain_config, OFFER_PIPELINING);
	for (i = 0; i < n; i++)
		t->rcpts[t->n++].address = xstrdup("ann@example.net");
	smtp_start(&s, t);
	feed(&s, "250 Ok\r\n");
	for (i = 0; i < n; i++)
		feed(&s, i < refusals[_i].refused
		    ? "550 5.7.1 Relay access denied\r\n" : "250 Ok\r\n");
	feed(&s, refusals[_i].accepted > 0 ? "354 Go\r\n" : "503 No\r\n");
	smtp_fill(&s);
	if (refusals[_i].accepted > 0)
		feed(&s, "250 Ok\r\n");
	t = smtp_ended(&s);
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(t->is_fault, refusals[_i].is_fault);
	ck_assert_int_eq(t->rcpts[0].state, refusals[_i].is_fault ? 'T' : 'F');
	ck_assert_int_eq(t->rcpts[0].code, 550);
	ck_assert_str_eq(t->rcpts[0].status, "5.7.1");
	ck_assert_str_eq(t->rcpts[0].reply, "550 5.7.1 Relay access denied");
	smtp_transaction_free(&t);
	smtp_free(&s);
}
END_TEST

START_TEST(test_timeouts)
{
	struct smtp s;

	smtp_begin(&s, &plain_config);
	ck_assert_int_eq(smtp_timeout(&s), 300000);
	feed(&s, GREETING OFFER_PIPELINING);
	ck_assert_int_eq(smtp_timeout(&s), -1);
	smtp_start(&s, make_transaction("ann"));
	ck_assert_int_eq(smtp_timeout(&s), 300000);
	feed(&s, "250 Ok\r\n250 Ok\r\n");
	ck_assert_int_eq(smtp_timeout(&s), 120000);
	feed(&s, "354 Go\r\n");
	ck_assert_int_eq(smtp_timeout(&s), 180000);
	smtp_fill(&s);
	ck_assert_int_eq(smtp_timeout(&s), 600000);
	feed(&s, "250 Ok\r\n");
	smtp_quit(&s);
	ck_assert_int_eq(smtp_timeout(&s), 2000);
	smtp_close(&s, "time-out", false);
	ck_assert_int_eq(smtp_timeout(&s), -1);
	smtp_free(&s);
}
END_TEST

/* After the dot is sent and the connection lost nobody knows: deferred, with
 * what happened as reply; what was pipelined behind it was never tried. */
START_TEST(test_lost_connection)
{
	struct smtp_transaction *t;
	struct smtp s;

	open_session(&s, &plain_config, OFFER_PIPELINING);
	smtp_start(&s, make_transaction("ann bob"));
	feed(&s, "250 Ok\r\n550 No\r\n250 Ok\r\n354 Go\r\n");
	smtp_fill(&s);
	smtp_start(&s, make_transaction("cal"));
	smtp_close(&s, "connection lost", false);
	smtp_close(&s, "a second reason", true);
	t = smtp_ended(&s);
	ck_assert_int_eq(t->rcpts[0].state, 'F');
	ck_assert_int_eq(t->rcpts[1].state, 'T');
	ck_assert_int_eq(t->rcpts[1].code, 0);
	ck_assert_str_eq(t->reply, "connection lost");
	ck_assert(!t->is_fault && !t->is_untried);
	smtp_transaction_free(&t);
	t = smtp_ended(&s);
	ck_assert(t->is_untried);
	smtp_transaction_free(&t);
	smtp_free(&s);
}
END_TEST

static void
load_message(void)
{
	message = (struct wire){.fd = -1, .is_whole = true, .size = 21};
	sbuf_adds(&message.kept, MESSAGE);
}

int
main(void)
{
	Suite *suite = suite_create("smtp");
	TCase *tc = tcase_create("smtp");
	SRunner *sr = srunner_create(suite);
	int failed;

	load_message();
	tcase_add_loop_test(tc, test_transaction, 0,
	    sizeof transactions / sizeof transactions[0]);
	tcase_add_loop_test(tc, test_opening, 0,
	    sizeof openings / sizeof openings[0]);
	tcase_add_loop_test(tc, test_words_only_where_offered, 0, 2);
	tcase_add_loop_test(tc, test_all_refused, 0, 3);
	tcase_add_test(tc, test_timeouts);
	tcase_add_test(tc, test_lost_connection);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	wire_free(&message);
	return failed == 0 ? 0 : 1;
}
