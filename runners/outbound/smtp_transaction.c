/* SPDX-License-Identifier: BSD-2-Clause
 *
 * smtp_transaction - MAIL to the reply after the final dot
 *
 * The replies come in the order of the commands, so the stage of the current
 * transaction says what a reply is for; a pipelined one behind it waits for
 * its turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "common/spool/rcpt.h"
#include "runners/outbound/smtp_private.h"

/* So much may wait in out before more of a message is put there. */
#define FILL_BELOW ((size_t)64 * 1024)

static bool
is_pipelined(const struct smtp *s)
{
	return (s->extensions & SMTP_HAS_PIPELINING) != 0;
}

static void
send_mail(struct smtp *s, const struct smtp_transaction *t)
{
	sbuf_adds(&s->out, "MAIL FROM:<");
	sbuf_adds(&s->out, t->sender);
	sbuf_addc(&s->out, '>');
	if ((s->extensions & SMTP_HAS_SIZE) != 0)
		sbuf_printf(&s->out, " SIZE=%llu", t->wire->size);
	if (t->is_8bit && (s->extensions & SMTP_HAS_8BITMIME) != 0)
		sbuf_adds(&s->out, " BODY=8BITMIME");
	if (t->is_utf8 && (s->extensions & SMTP_HAS_UTF8) != 0)
		sbuf_adds(&s->out, " SMTPUTF8");
	if (t->mail_words != NULL && (s->extensions & SMTP_HAS_DSN) != 0) {
		sbuf_addc(&s->out, ' ');
		sbuf_adds(&s->out, t->mail_words);
	}
	sbuf_adds(&s->out, "\r\n");
}

static void
send_rcpt(struct smtp *s, const struct smtp_transaction *t, size_t i)
{
	sbuf_adds(&s->out, "RCPT TO:<");
	sbuf_adds(&s->out, t->rcpts[i].address);
	sbuf_addc(&s->out, '>');
	if (t->rcpt_words != NULL && (s->extensions & SMTP_HAS_DSN) != 0) {
		sbuf_addc(&s->out, ' ');
		sbuf_adds(&s->out, t->rcpt_words);
	}
	sbuf_adds(&s->out, "\r\n");
}

/* Everything that may go before the server's answers are known. */
static void
send_envelope(struct smtp *s, struct smtp_transaction *t)
{
	size_t i;

	t->stage = STAGE_MAIL;
	if (s->needs_reset) {
		sbuf_adds(&s->out, "RSET\r\n");
		t->stage = STAGE_RESET;
		s->needs_reset = false;
		if (!is_pipelined(s))
			return;
	}
	send_mail(s, t);
	if (!is_pipelined(s))
		return;
	for (i = 0; i < t->n; i++)
		send_rcpt(s, t, i);
	sbuf_adds(&s->out, "DATA\r\n");
}

bool
smtp_can_start(const struct smtp *s)
{
	if (s->state != SMTP_READY)
		return false;
	if (s->current == NULL)
		return true;
	return is_pipelined(s) && s->following == NULL
	    && s->current->stage == STAGE_DOT;
}

void
smtp_start(struct smtp *s, struct smtp_transaction *t)
{
	size_t i;

	s->started++;
	t->at = 0;
	t->is_mail_refused = t->is_fault = t->is_untried = false;
	t->cursor = (struct wire_cursor){0};
	for (i = 0; i < t->n; i++) {
		t->rcpts[i].state = 0;
		t->rcpts[i].is_accepted = false;
	}
	if (s->current == NULL)
		s->current = t;
	else
		s->following = t;
	send_envelope(s, t);
}

static void
settle(struct smtp_rcpt *r, char state, int code, const char *status)
{
	r->state = state;
	r->code = code;
	snprintf(r->status, sizeof r->status, "%s", status);
}

/* Give every recipient that is still open the state, by the transaction's
 * reply. */
static void
settle_open(struct smtp_transaction *t, char state, int code,
    const char *status)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (t->rcpts[i].state == 0)
			settle(&t->rcpts[i], state, code, status);
	}
}

static void
set_reply(struct smtp_transaction *t, const char *text)
{
	free(t->reply);
	t->reply = xstrdup(text);
}

/* A relay that refuses twenty people at once and nobody else speaks about the
 * post or about itself, not about them. */
static void
doubt_refusals(struct smtp_transaction *t)
{
	size_t i;

	if (t->n < SMTP_ALL_REFUSED)
		return;
	for (i = 0; i < t->n; i++) {
		if (t->rcpts[i].state != RCPT_FAILED
		    || !t->rcpts[i].is_refusal)
			return;
	}
	for (i = 0; i < t->n; i++)
		t->rcpts[i].state = RCPT_TODO;
	t->is_fault = true;
}

static void
append_ended(struct smtp *s, struct smtp_transaction *t)
{
	struct smtp_transaction **last = &s->ended;

	while (*last != NULL)
		last = &(*last)->next;
	t->next = NULL;
	*last = t;
}

static void
finish(struct smtp *s)
{
	struct smtp_transaction *t = s->current;

	doubt_refusals(t);
	s->completed++;
	s->current = s->following;
	s->following = NULL;
	append_ended(s, t);
}

/* A 4xx or 5xx that speaks of all that are still open. */
static void
fail_open(struct smtp *s, struct smtp_transaction *t)
{
	set_reply(t, sbuf_str(&s->reply.text));
	settle_open(t, RCPT_TODO, s->reply.code, s->reply.status);
	t->is_fault = s->reply.code >= 500;
}

static size_t
count_accepted(const struct smtp_transaction *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++)
		n += t->rcpts[i].is_accepted;
	return n;
}

static void
on_reset(struct smtp *s, struct smtp_transaction *t)
{
	if (s->reply.code >= 300) {
		smtp_close_reply(s, "RSET");
		return;
	}
	t->stage = STAGE_MAIL;
	if (!is_pipelined(s))
		send_mail(s, t);
}

static void
on_mail(struct smtp *s, struct smtp_transaction *t)
{
	t->stage = STAGE_RCPT;
	if (s->reply.code < 300) {
		if (!is_pipelined(s))
			send_rcpt(s, t, 0);
		return;
	}
	/* A server that has had enough of this connection says 421; nothing
	 * of this transaction has been looked at. */
	if (s->reply.code == 421) {
		t->stage = STAGE_MAIL;
		return;
	}
	t->is_mail_refused = true;
	fail_open(s, t);
	if (!is_pipelined(s))
		finish(s);
}

static void
on_rcpt_reply(struct smtp *s, struct smtp_rcpt *r)
{
	if (s->reply.code < 300) {
		r->is_accepted = true;
		return;
	}
	r->is_refusal = s->reply.code >= 500;
	free(r->reply);
	r->reply = xstrdup(sbuf_str(&s->reply.text));
	settle(r, r->is_refusal ? RCPT_FAILED : RCPT_TODO, s->reply.code,
	    s->reply.status);
}

static void
on_rcpt(struct smtp *s, struct smtp_transaction *t)
{
	if (!t->is_mail_refused)
		on_rcpt_reply(s, &t->rcpts[t->at]);
	t->at++;
	if (t->at < t->n) {
		if (!is_pipelined(s))
			send_rcpt(s, t, t->at);
		return;
	}
	t->stage = STAGE_DATA;
	if (is_pipelined(s))
		return;
	if (count_accepted(t) == 0) {
		s->needs_reset = true;
		finish(s);
		return;
	}
	sbuf_adds(&s->out, "DATA\r\n");
}

static void
on_data(struct smtp *s, struct smtp_transaction *t)
{
	size_t accepted = count_accepted(t);

	if (s->reply.code == 354) {
		t->stage = accepted > 0 ? STAGE_CONTENT : STAGE_LONE_DOT;
		if (accepted == 0)
			sbuf_adds(&s->out, ".\r\n");
		t->at = 0;
		return;
	}
	if (s->reply.code < 400) {
		smtp_close_reply(s, "DATA");
		return;
	}
	if (accepted > 0)
		fail_open(s, t);
	s->needs_reset = !t->is_mail_refused;
	finish(s);
}

/* RFC 2033: one reply for each accepted recipient, in their order. */
static void
on_dot_lmtp(struct smtp *s, struct smtp_transaction *t)
{
	struct smtp_rcpt *r;

	while (!t->rcpts[t->at].is_accepted)
		t->at++;
	r = &t->rcpts[t->at++];
	free(r->reply);
	r->reply = xstrdup(sbuf_str(&s->reply.text));
	r->is_refusal = s->reply.code >= 500;
	settle(r, s->reply.code < 300 ? RCPT_DONE
	    : r->is_refusal ? RCPT_FAILED : RCPT_TODO,
	    s->reply.code, s->reply.status);
	while (t->at < t->n && !t->rcpts[t->at].is_accepted)
		t->at++;
	if (t->at == t->n)
		finish(s);
}

static void
on_dot(struct smtp *s, struct smtp_transaction *t)
{
	if (s->config->is_lmtp) {
		on_dot_lmtp(s, t);
		return;
	}
	if (s->reply.code < 300) {
		set_reply(t, sbuf_str(&s->reply.text));
		settle_open(t, RCPT_DONE, s->reply.code, s->reply.status);
	} else {
		fail_open(s, t);
	}
	finish(s);
}

void
smtp_transaction_reply(struct smtp *s)
{
	struct smtp_transaction *t = s->current;

	/* Only 354 is an intermediate reply that has a meaning here. */
	if (s->reply.code < 200 || (s->reply.code / 100 == 3
	    && t->stage != STAGE_DATA)) {
		smtp_close_reply(s, "unexpected");
		return;
	}
	switch ((enum smtp_stage)t->stage) {
	case STAGE_RESET:
		on_reset(s, t);
		break;
	case STAGE_MAIL:
		on_mail(s, t);
		break;
	case STAGE_RCPT:
		on_rcpt(s, t);
		break;
	case STAGE_DATA:
		on_data(s, t);
		break;
	case STAGE_CONTENT:
		/* It did not wait for the end: there is no way back. */
		fail_open(s, t);
		smtp_close_reply(s, "during the message");
		break;
	case STAGE_DOT:
		on_dot(s, t);
		break;
	case STAGE_LONE_DOT:
		finish(s);
		break;
	}
}

static void
abort_one(struct smtp *s, struct smtp_transaction *t)
{
	/* Nothing of the message has gone out: another connection may try. */
	if (t->stage < STAGE_RCPT) {
		t->is_untried = true;
	} else {
		if (t->reply == NULL)
			set_reply(t, sbuf_str(&s->error));
		settle_open(t, RCPT_TODO, 0, "");
	}
	append_ended(s, t);
}

void
smtp_transaction_abort(struct smtp *s)
{
	if (s->current != NULL)
		abort_one(s, s->current);
	if (s->following != NULL)
		abort_one(s, s->following);
	s->current = s->following = NULL;
}

void
smtp_fill(struct smtp *s)
{
	struct smtp_transaction *t = s->current;

	if (t == NULL || t->stage != STAGE_CONTENT)
		return;
	while (s->out.len - s->out_at < FILL_BELOW) {
		int more = wire_next(t->wire, &t->cursor, &s->out);

		if (more == -1) {
			smtp_close(s, "the message could not be read", false);
			return;
		}
		if (more == 0) {
			t->stage = STAGE_DOT;
			return;
		}
	}
}

void
smtp_transaction_free(struct smtp_transaction **t)
{
	size_t i;

	if (*t == NULL)
		return;
	for (i = 0; i < (*t)->n; i++) {
		free((*t)->rcpts[i].address);
		free((*t)->rcpts[i].reply);
	}
	free((*t)->rcpts);
	free((*t)->sender);
	free((*t)->reply);
	free(*t);
	*t = NULL;
}
