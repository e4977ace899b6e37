/* SPDX-License-Identifier: BSD-2-Clause
 *
 * session - one LMTP conversation (RFC 2033): bytes in, bytes out
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/mail/header.h"
#include "runners/lmtp/session_private.h"

static const char big_header[] = "552 5.3.4 Header of the message is too big";
static const char has_nul[] = "554 5.6.0 Message has a NUL byte";

const char *
session_error_reply(int error)
{
	if (error == ENOSPC || error == EDQUOT)
		return SESSION_NO_ROOM;
	return SESSION_TROUBLE;
}

void
session_reply(struct session *s, const char *text)
{
	sbuf_adds(&s->out, text);
	sbuf_adds(&s->out, "\r\n");
}

void
session_reply_error(struct session *s, const char *text)
{
	session_reply(s, text);
	if (++s->errors < SESSION_ERRORS_MAX)
		return;
	session_abort(s, "421 4.7.0 Too many errors");
}

void
session_end_transaction(struct session *s)
{
	const struct session_config *config = s->config;

	if (s->message != NULL)
		config->ops->abandon(config->ctx, s->message);
	s->message = NULL;
	s->refusal = NULL;
	syntax_mail_clear(&s->mail);
	syntax_forward_clear(&s->forward);
	strv_free(&s->to);
	if (s->state != STATE_START && s->state != STATE_OVER)
		s->state = STATE_READY;
}

void
session_log_refused(const struct session *s, const char *to, const char *text)
{
	struct sbuf line = {0};

	sbuf_adds(&line, "refused");
	kv_add(&line, "rcpt", to);
	kv_add(&line, "from", sbuf_str(&s->mail.from));
	kv_add(&line, "client", s->peer);
	kv_add(&line, "reply", text);
	log_info("%s", line.data);
	sbuf_free(&line);
}

/* ---- input ------------------------------------------------------------- */

/* Take bytes up to the end of the line.  A bare LF ends a command too; what it
 * must never end is a message. */
static size_t
take_command(struct session *s, const char *bytes, size_t n)
{
	const char *lf = memchr(bytes, '\n', n);
	size_t used = lf == NULL ? n : (size_t)(lf - bytes) + 1;

	if (s->line.len + used > SESSION_LINE_MAX)
		s->is_line_long = true;
	if (!s->is_line_long)
		sbuf_add(&s->line, bytes, lf == NULL ? used : used - 1);
	if (lf == NULL)
		return used;
	if (s->is_line_long)
		session_reply_error(s, "500 5.5.2 Line is too long");
	else
		session_command(s, &s->line);
	s->is_line_long = false;
	sbuf_truncate(&s->line, 0);
	return used;
}

/* ---- data -------------------------------------------------------------- */

static void
refuse_message(struct session *s, const char *text)
{
	const struct session_config *config = s->config;

	if (s->message != NULL)
		config->ops->abandon(config->ctx, s->message);
	s->message = NULL;
	s->refusal = text;
}

/* Append who the mail is from: what a forwarder said, else the peer. */
static void
write_client(const struct session *s, struct sbuf *out)
{
	const struct syntax_forward *f = &s->forward;
	const char *proto = s->mail.is_utf8 ? "UTF8LMTP" : "LMTP";

	if (!f->is_given) {
		sbuf_adds(out, s->peer);
		kv_add(out, "helo", sbuf_str(&s->lhlo));
		kv_add(out, "proto", proto);
		return;
	}
	sbuf_adds(out, f->addr.len > 0 ? f->addr.data : "unknown");
	if (f->name.len > 0)
		kv_add(out, "name", f->name.data);
	if (f->helo.len > 0)
		kv_add(out, "helo", f->helo.data);
	if (f->proto.len > 0)
		kv_add(out, "proto", f->proto.data);
	if (f->port.len > 0)
		kv_add(out, "port", f->port.data);
	if (f->source.len > 0)
		kv_add(out, "source", f->source.data);
}

static void
write_options(const struct session *s, struct sbuf *out)
{
	if (s->mail.body == SYNTAX_BODY_7BIT)
		sbuf_adds(out, "BODY=7BIT");
	if (s->mail.body == SYNTAX_BODY_8BIT)
		sbuf_adds(out, "BODY=8BITMIME");
	if (s->mail.is_utf8)
		sbuf_adds(out, out->len > 0 ? " SMTPUTF8" : "SMTPUTF8");
}

static int
hand_over(struct session *s)
{
	const struct session_config *config = s->config;
	struct sbuf options = {0}, client = {0};
	struct session_mail mail;
	void *message = s->message;
	int rc, saved;

	write_options(s, &options);
	write_client(s, &client);
	mail = (struct session_mail){.from = sbuf_str(&s->mail.from),
		.to = &s->to, .options = sbuf_str(&options),
		.client = sbuf_str(&client), .size = s->data.size,
		.body = s->data.body};
	s->state = STATE_WAITING;
	rc = config->ops->end(config->ctx, s, message, &mail);
	saved = errno;
	if (rc == 0)
		s->message = NULL;
	sbuf_free(&options);
	sbuf_free(&client);
	errno = saved;
	return rc;
}

static void
end_data(struct session *s)
{
	size_t i;

	if (s->refusal == NULL) {
		if (hand_over(s) == 0)
			return;
		s->refusal = session_error_reply(errno);
	}
	for (i = 0; i < s->to.n; i++)
		session_reply(s, s->refusal);
	session_log_refused(s, s->to.items[0], s->refusal);
	session_end_transaction(s);
}

/* A reason for good outweighs a passing one: trying again would not help. */
static void
judge_data(struct session *s)
{
	unsigned long long limit = s->config->size_limit;
	const struct data *d = &s->data;

	if (limit != 0 && d->octets > limit)
		refuse_message(s, SESSION_TOO_BIG);
	else if (data_header_size(d) > HEADER_MAX)
		refuse_message(s, big_header);
	else if (d->has_nul)
		refuse_message(s, has_nul);
}

static size_t
take_data(struct session *s, const char *bytes, size_t n)
{
	const struct session_config *config = s->config;
	struct sbuf *text = config->scratch;
	size_t used;

	sbuf_truncate(text, 0);
	used = data_take(&s->data, bytes, n, text);
	judge_data(s);
	if (s->message != NULL && text->len > 0 &&
	    config->ops->write(config->ctx, s->message, text->data,
	    text->len) == -1)
		refuse_message(s, session_error_reply(errno));
	if (data_is_over(&s->data))
		end_data(s);
	return used;
}

/* ---- for the caller ---------------------------------------------------- */

struct session *
session_new(const struct session_config *config, const char *peer,
    bool is_forwarder)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->config = config;
	s->peer = xstrdup(peer);
	s->is_forwarder = is_forwarder;
	s->state = STATE_START;
	sbuf_printf(&s->out, "220 %s LMTP\r\n", config->site);
	return s;
}

static void
leave_transaction(struct session *s)
{
	if (s->state == STATE_WAITING)
		s->config->ops->forget(s->config->ctx, s);
	session_end_transaction(s);
}

void
session_free(struct session **s)
{
	if (*s == NULL)
		return;
	leave_transaction(*s);
	sbuf_free(&(*s)->line);
	sbuf_free(&(*s)->out);
	sbuf_free(&(*s)->lhlo);
	free((*s)->peer);
	free(*s);
	*s = NULL;
}

size_t
session_input(struct session *s, const char *bytes, size_t n)
{
	size_t used = 0;

	while (used < n && s->out.len <= SESSION_OUTPUT_MAX &&
	    s->state != STATE_WAITING && s->state != STATE_OVER) {
		if (s->state == STATE_DATA)
			used += take_data(s, bytes + used, n - used);
		else
			used += take_command(s, bytes + used, n - used);
	}
	return used;
}

struct sbuf *
session_output(struct session *s)
{
	return &s->out;
}

bool
session_is_waiting(const struct session *s)
{
	return s->state == STATE_WAITING;
}

bool
session_is_over(const struct session *s)
{
	return s->state == STATE_OVER;
}

void
session_answer(struct session *s, const struct session_verdict *verdicts)
{
	size_t i;

	for (i = 0; i < s->to.n; i++) {
		if (verdicts[i].id != NULL)
			sbuf_printf(&s->out, "250 2.0.0 Accepted as %s\r\n",
			    verdicts[i].id);
		else
			session_reply(s,
			    session_error_reply(verdicts[i].error));
	}
	s->errors = 0;
	session_end_transaction(s);
}

void
session_abort(struct session *s, const char *text)
{
	if (s->state == STATE_OVER)
		return;
	leave_transaction(s);
	s->state = STATE_OVER;
	session_reply(s, text);
}
