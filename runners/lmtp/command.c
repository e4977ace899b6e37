/* SPDX-License-Identifier: BSD-2-Clause
 *
 * command - the commands of an LMTP session
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/esc.h"
#include "runners/lmtp/session_private.h"

static void
do_lhlo(struct session *s, const char *arg)
{
	const struct session_config *config = s->config;

	if (*arg == '\0' || strchr(arg, ' ') != NULL) {
		session_reply_error(s, "501 5.5.4 LHLO needs your name");
		return;
	}
	session_end_transaction(s);
	s->state = STATE_READY;
	sbuf_set(&s->lhlo, arg);
	sbuf_printf(&s->out, "250-%s\r\n250-PIPELINING\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n",
	    config->site);
	if (s->is_forwarder)
		session_reply(s,
		    "250-XFORWARD NAME ADDR PROTO HELO PORT SOURCE");
	if (config->size_limit != 0)
		sbuf_printf(&s->out, "250 SIZE %llu\r\n", config->size_limit);
	else
		session_reply(s, "250 SIZE");
}

static void
do_ehlo(struct session *s, const char *arg)
{
	(void)arg;
	session_reply_error(s, "500 5.5.1 This is LMTP: say LHLO");
}

/* Is there room for the size that MAIL named?  NULL or a refusal. */
static const char *
judge_size(const struct session *s)
{
	const struct session_config *config = s->config;

	if (config->size_limit != 0 && s->mail.size > config->size_limit)
		return SESSION_TOO_BIG;
	switch (config->ops->has_room(config->ctx, s->mail.size)) {
	case 1:
		return NULL;
	case 0:
		return SESSION_NO_ROOM;
	default:
		return SESSION_TROUBLE;
	}
}

static void
do_mail(struct session *s, const char *arg)
{
	const char *refusal;

	if (s->state == STATE_MAIL) {
		session_reply_error(s, "503 5.5.1 There is a sender already");
		return;
	}
	refusal = syntax_mail(arg, &s->mail);
	if (refusal != NULL) {
		syntax_mail_clear(&s->mail);
		session_reply_error(s, refusal);
		return;
	}
	refusal = judge_size(s);
	if (refusal != NULL) {
		syntax_mail_clear(&s->mail);
		session_reply(s, refusal);
		return;
	}
	s->state = STATE_MAIL;
	session_reply(s, "250 2.1.0 Sender ok");
}

static void
refuse_recipient(struct session *s, const char *to, const char *text)
{
	session_log_refused(s, to, text);
	session_reply(s, text);
}

static void
do_rcpt(struct session *s, const char *arg)
{
	const struct session_config *config = s->config;
	struct sbuf to = {0};
	const char *refusal;

	if (s->state != STATE_MAIL) {
		session_reply_error(s, "503 5.5.1 Say MAIL first");
		return;
	}
	refusal = syntax_rcpt(arg, s->mail.is_utf8, &to);
	if (refusal != NULL) {
		session_log_refused(s, sbuf_str(&to), refusal);
		session_reply_error(s, refusal);
	} else if (s->to.n >= config->recipients) {
		refuse_recipient(s, to.data, "452 4.5.3 Too many recipients");
	} else {
		switch (config->ops->resolve(config->ctx, to.data)) {
		case 1:
			strv_add(&s->to, to.data);
			session_reply(s, "250 2.1.5 Recipient ok");
			break;
		case 0:
			refuse_recipient(s, to.data,
			    "550 5.1.1 No such list here");
			break;
		default:
			refuse_recipient(s, to.data,
			    "451 4.3.0 Cannot look up the list now");
		}
	}
	sbuf_free(&to);
}

static void
do_data(struct session *s, const char *arg)
{
	const struct session_config *config = s->config;
	const char *refusal;

	if (*arg != '\0') {
		session_reply_error(s, "501 5.5.4 DATA takes no argument");
		return;
	}
	if (s->state != STATE_MAIL || s->to.n == 0) {
		session_reply_error(s, "503 5.5.1 There is no valid recipient");
		return;
	}
	refusal = judge_size(s);
	if (refusal == NULL) {
		s->message = config->ops->begin(config->ctx);
		if (s->message == NULL)
			refusal = session_error_reply(errno);
	}
	if (refusal != NULL) {
		session_reply(s, refusal);
		return;
	}
	data_begin(&s->data);
	s->refusal = NULL;
	s->state = STATE_DATA;
	session_reply(s, "354 End data with <CR><LF>.<CR><LF>");
}

static void
do_rset(struct session *s, const char *arg)
{
	if (*arg != '\0') {
		session_reply_error(s, "501 5.5.4 RSET takes no argument");
		return;
	}
	session_end_transaction(s);
	session_reply(s, "250 2.0.0 Ok");
}

static void
do_noop(struct session *s, const char *arg)
{
	(void)arg;
	session_reply(s, "250 2.0.0 Ok");
}

static void
do_quit(struct session *s, const char *arg)
{
	if (*arg != '\0') {
		session_reply_error(s, "501 5.5.4 QUIT takes no argument");
		return;
	}
	session_abort(s, "221 2.0.0 Bye");
}

static void
do_vrfy(struct session *s, const char *arg)
{
	if (*arg == '\0') {
		session_reply_error(s, "501 5.5.4 VRFY needs an address");
		return;
	}
	session_reply(s, "252 2.0.0 Cannot tell here, try RCPT");
}

static void
do_help(struct session *s, const char *arg)
{
	(void)arg;
	session_reply(s, "214 2.0.0 LHLO MAIL RCPT DATA RSET NOOP VRFY QUIT "
	    "HELP; see septet-lmtp(8)");
}

static void
do_xforward(struct session *s, const char *arg)
{
	const char *refusal;

	if (!s->is_forwarder) {
		session_reply_error(s, "550 5.7.0 XFORWARD is not for you");
		return;
	}
	if (s->state == STATE_MAIL) {
		session_reply_error(s, "503 5.5.1 XFORWARD goes before MAIL");
		return;
	}
	refusal = syntax_xforward(arg, &s->forward);
	if (refusal != NULL)
		session_reply_error(s, refusal);
	else
		session_reply(s, "250 2.0.0 Ok");
}

static void
do_unsupported(struct session *s, const char *arg)
{
	(void)arg;
	session_reply_error(s, "502 5.5.1 Command not supported");
}

static const struct command {
	const char *name;
	void (*run)(struct session *s, const char *arg);
	bool needs_lhlo;
} commands[] = {
	{"LHLO", do_lhlo, false},
	{"MAIL", do_mail, true},
	{"RCPT", do_rcpt, true},
	{"DATA", do_data, true},
	{"RSET", do_rset, false},
	{"NOOP", do_noop, false},
	{"QUIT", do_quit, false},
	{"VRFY", do_vrfy, false},
	{"HELP", do_help, false},
	{"XFORWARD", do_xforward, true},
	{"EHLO", do_ehlo, false},
	{"HELO", do_ehlo, false},
	{"EXPN", do_unsupported, false},
	{"BDAT", do_unsupported, false},
	{"STARTTLS", do_unsupported, false},
	{"AUTH", do_unsupported, false},
};

static const struct command *
find_command(const char *line, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strlen(commands[i].name) == n &&
		    strncasecmp(commands[i].name, line, n) == 0)
			return &commands[i];
	}
	return NULL;
}

static bool
is_clean(const struct sbuf *line)
{
	size_t i;

	for (i = 0; i < line->len; i++) {
		unsigned char c = (unsigned char)line->data[i];

		if (c < 32 || c == 127)
			return false;
	}
	return esc_is_utf8(sbuf_str(line), line->len);
}

void
session_command(struct session *s, struct sbuf *line)
{
	const struct command *command;
	const char *text;
	size_t n;

	if (line->len > 0 && line->data[line->len - 1] == '\r')
		sbuf_truncate(line, line->len - 1);
	while (line->len > 0 && line->data[line->len - 1] == ' ')
		sbuf_truncate(line, line->len - 1);
	if (!is_clean(line)) {
		session_reply_error(s, "500 5.5.2 Bytes that no command has");
		return;
	}
	text = sbuf_str(line);
	n = strcspn(text, " ");
	command = find_command(text, n);
	text += n;
	text += strspn(text, " ");
	if (command == NULL)
		session_reply_error(s, "500 5.5.1 Unknown command");
	else if (command->needs_lhlo && s->state == STATE_START)
		session_reply_error(s, "503 5.5.1 Say LHLO first");
	else
		command->run(s, text);
}
