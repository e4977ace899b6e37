/* SPDX-License-Identifier: BSD-2-Clause
 *
 * smtp - the client's side of a session: greeting, EHLO, STARTTLS, AUTH
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/xalloc.h"
#include "runners/outbound/sasl.h"
#include "runners/outbound/smtp_private.h"

#define MINUTE (60 * 1000)

void
smtp_begin(struct smtp *s, const struct smtp_config *config)
{
	*s = (struct smtp){.config = config, .state = SMTP_GREETING};
}

void
smtp_close(struct smtp *s, const char *why, bool is_fault)
{
	if (s->state == SMTP_CLOSED)
		return;
	s->state = SMTP_CLOSED;
	s->is_fault = is_fault;
	sbuf_set(&s->error, why);
	smtp_transaction_abort(s);
}

void
smtp_close_reply(struct smtp *s, const char *where)
{
	struct sbuf why = {0};

	sbuf_printf(&why, "%s: %s", where, sbuf_str(&s->reply.text));
	smtp_close(s, sbuf_str(&why), s->reply.code >= 500);
	sbuf_free(&why);
}

static void
send_hello(struct smtp *s)
{
	s->state = SMTP_EHLO;
	s->extensions = 0;
	s->size_limit = 0;
	sbuf_truncate(&s->mechanisms, 0);
	sbuf_printf(&s->out, "%s %s\r\n", s->config->is_lmtp ? "LHLO" : "EHLO",
	    s->config->helo);
}

static bool
keyword_is(const char *words, size_t n, const char *keyword)
{
	return strlen(keyword) == n && strncasecmp(words, keyword, n) == 0;
}

/* One line of the answer to EHLO behind the first. */
static void
learn_extension(struct smtp *s)
{
	static const struct {
		const char *keyword;
		enum smtp_extension extension;
	} known[] = {
		{"PIPELINING", SMTP_HAS_PIPELINING},
		{"8BITMIME", SMTP_HAS_8BITMIME},
		{"SMTPUTF8", SMTP_HAS_UTF8},
		{"DSN", SMTP_HAS_DSN},
		{"SIZE", SMTP_HAS_SIZE},
		{"STARTTLS", SMTP_HAS_STARTTLS},
		{"AUTH", SMTP_HAS_AUTH},
	};
	const char *words = reply_words(&s->reply);
	size_t i, n = strcspn(words, " \t=");

	for (i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (!keyword_is(words, n, known[i].keyword))
			continue;
		s->extensions |= known[i].extension;
		if (known[i].extension == SMTP_HAS_SIZE)
			s->size_limit = strtoull(words + n, NULL, 10);
		/* "AUTH=" is the older form of the same. */
		if (known[i].extension == SMTP_HAS_AUTH && words[n] != '\0') {
			sbuf_addc(&s->mechanisms, ' ');
			sbuf_adds(&s->mechanisms, words + n + 1);
		}
	}
}

static void
begin_auth(struct smtp *s)
{
	struct sbuf first = {0};
	const char *why;

	if (s->config->user == NULL) {
		s->state = SMTP_READY;
		return;
	}
	s->sasl = sasl_begin(sbuf_str(&s->mechanisms), s->config->user,
	    s->config->password, s->is_secure || s->config->is_plain_ok,
	    &first, &why);
	if (s->sasl == NULL) {
		smtp_close(s, why, true);
	} else {
		s->state = SMTP_AUTHENTICATE;
		sbuf_printf(&s->out, "AUTH %s\r\n", sbuf_str(&first));
	}
	sbuf_free(&first);
}

static void
after_hello(struct smtp *s)
{
	bool is_wanted = s->config->tls != SITE_TLS_NONE && !s->is_secure;

	if (is_wanted && (s->extensions & SMTP_HAS_STARTTLS) != 0) {
		s->state = SMTP_STARTTLS;
		sbuf_adds(&s->out, "STARTTLS\r\n");
		return;
	}
	if (is_wanted && s->config->tls != SITE_TLS_MAY) {
		smtp_close(s, "STARTTLS is not offered", true);
		return;
	}
	begin_auth(s);
}

static void
on_greeting(struct smtp *s)
{
	if (s->reply.code != 220) {
		smtp_close_reply(s, "greeting");
		return;
	}
	send_hello(s);
}

static void
on_hello(struct smtp *s)
{
	int code = s->reply.code;

	if (code < 300) {
		after_hello(s);
		return;
	}
	/* RFC 5321 section 3.2: an old server; without EHLO there is neither
	 * TLS nor AUTH. */
	if ((code == 500 || code == 502) && s->state == SMTP_EHLO
	    && !s->config->is_lmtp && s->config->user == NULL
	    && s->config->tls <= SITE_TLS_MAY) {
		s->state = SMTP_HELO;
		s->extensions = 0;
		sbuf_printf(&s->out, "HELO %s\r\n", s->config->helo);
		return;
	}
	smtp_close_reply(s, "EHLO");
}

static void
on_starttls(struct smtp *s)
{
	if (s->reply.code == 220)
		s->state = SMTP_TLS;
	else if (s->config->tls == SITE_TLS_MAY && s->reply.code != 421)
		begin_auth(s);
	else
		smtp_close_reply(s, "STARTTLS");
}

static void
on_auth(struct smtp *s)
{
	if (s->reply.code == 235) {
		s->state = SMTP_READY;
		sasl_free(&s->sasl);
		return;
	}
	if (s->reply.code != 334) {
		smtp_close_reply(s, "AUTH");
		return;
	}
	if (sasl_step(s->sasl, reply_words(&s->reply), &s->out) == -1) {
		smtp_close(s, "AUTH: the server's challenge is wrong", true);
		return;
	}
	sbuf_adds(&s->out, "\r\n");
}

static void
on_reply(struct smtp *s)
{
	s->replies++;
	switch (s->state) {
	case SMTP_GREETING:
		on_greeting(s);
		break;
	case SMTP_EHLO:
	case SMTP_HELO:
		on_hello(s);
		break;
	case SMTP_STARTTLS:
		on_starttls(s);
		break;
	case SMTP_AUTHENTICATE:
		on_auth(s);
		break;
	case SMTP_READY:
		if (s->current != NULL)
			smtp_transaction_reply(s);
		else
			smtp_close_reply(s, "unasked");
		break;
	case SMTP_QUIT:
		smtp_close(s, "ended", false);
		break;
	case SMTP_TLS:
	case SMTP_CLOSED:
		break;
	}
	/* RFC 5321 section 3.8: the server closes now, whatever it was for. */
	if (s->reply.code == 421)
		smtp_close_reply(s, "server ends the session");
}

void
smtp_input(struct smtp *s, const char *bytes, size_t n)
{
	enum reply_step step;
	size_t used;

	while (n > 0 && s->state != SMTP_CLOSED) {
		/* Nothing may come between the reply and the handshake: it
		 * would have been slipped in by somebody else. */
		if (s->state == SMTP_TLS) {
			smtp_close(s, "bytes behind the reply to STARTTLS",
			    false);
			return;
		}
		step = reply_take(&s->reply, bytes, n, &used);
		bytes += used;
		n -= used;
		if (step == REPLY_BROKEN) {
			smtp_close(s, "the server's reply is malformed",
			    false);
			return;
		}
		if (s->state == SMTP_EHLO && step != REPLY_MORE
		    && s->reply.lines > 1)
			learn_extension(s);
		if (step == REPLY_DONE)
			on_reply(s);
	}
}

void
smtp_tls_done(struct smtp *s)
{
	s->is_secure = true;
	send_hello(s);
}

void
smtp_quit(struct smtp *s)
{
	if (s->state != SMTP_READY || s->current != NULL)
		return;
	s->state = SMTP_QUIT;
	sbuf_adds(&s->out, "QUIT\r\n");
}

bool
smtp_is_idle(const struct smtp *s)
{
	return s->state == SMTP_READY && s->current == NULL;
}

struct smtp_transaction *
smtp_ended(struct smtp *s)
{
	struct smtp_transaction *t = s->ended;

	if (t != NULL) {
		s->ended = t->next;
		t->next = NULL;
	}
	return t;
}

int
smtp_timeout(const struct smtp *s)
{
	switch (s->state) {
	case SMTP_CLOSED:
		return -1;
	case SMTP_QUIT:
		return 2000;
	case SMTP_READY:
		break;
	default:
		return 5 * MINUTE;
	}
	if (s->current == NULL)
		return -1;
	switch ((enum smtp_stage)s->current->stage) {
	case STAGE_DATA:
		return 2 * MINUTE;
	case STAGE_CONTENT:
		return 3 * MINUTE;
	case STAGE_DOT:
	case STAGE_LONE_DOT:
		return 10 * MINUTE;
	default:
		return 5 * MINUTE;
	}
}

void
smtp_free(struct smtp *s)
{
	struct smtp_transaction *t;

	smtp_close(s, "ended", false);
	while ((t = smtp_ended(s)) != NULL)
		smtp_transaction_free(&t);
	sasl_free(&s->sasl);
	sbuf_free(&s->out);
	sbuf_free(&s->mechanisms);
	sbuf_free(&s->error);
	reply_free(&s->reply);
}
