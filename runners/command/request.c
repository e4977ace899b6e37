/* SPDX-License-Identifier: BSD-2-Clause
 *
 * request - commands in the subject and the text of a mail
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/io.h"
#include "common/mail/address.h"
#include "common/mail/text.h"
#include "runners/command/command.h"

/* Commands stand at the beginning; more of a mail is not read. */
#define TEXT_MAX (16 * 1024)
#define WORD_MAX 400

/* ---- reading ------------------------------------------------------------- */

enum line { LINE_COMMAND, LINE_BLANK, LINE_JUNK };

static const struct {
	const char *word;
	enum request_command command;
} words[] = {
	{"subscribe", REQUEST_JOIN}, {"join", REQUEST_JOIN},
	{"sub", REQUEST_JOIN},
	{"unsubscribe", REQUEST_LEAVE}, {"leave", REQUEST_LEAVE},
	{"signoff", REQUEST_LEAVE}, {"remove", REQUEST_LEAVE},
	{"unsub", REQUEST_LEAVE},
	{"help", REQUEST_HELP}, {"info", REQUEST_HELP},
	{"ping", REQUEST_PING},
};

/* Takes one word (cut at WORD_MAX bytes) off the line. */
static const char *
take_word(const char *line, struct sbuf *word)
{
	size_t n, taken;

	sbuf_truncate(word, 0);
	line += strspn(line, " \t\r");
	n = strcspn(line, " \t\r\n");
	taken = n < WORD_MAX ? n : WORD_MAX;
	sbuf_add(word, line, taken);
	return line + n;
}

/* Does what follows a command name an address that is not the sender's?  Other
 * words (a name, the list's) mean nothing. */
static bool
names_other(const char *rest, const char *sender)
{
	struct sbuf word = {0};
	bool is_other = false;
	size_t n;

	while (!is_other && *rest != '\0' && *rest != '\n') {
		rest = take_word(rest, &word);
		n = strspn(sbuf_str(&word), "<\"'(");
		if (word.len > 0 && strchr(word.data, '@') != NULL) {
			word.data[n + strcspn(word.data + n, ">\"')")] = '\0';
			is_other = !address_is_same(word.data + n, sender);
		}
	}
	sbuf_free(&word);
	return is_other;
}

struct reading {
	const char *sender;
	enum request_command *out;
	size_t n;
	unsigned lines;         /* looked at that were commands */
	bool *other;
};

static bool
has_command(const struct reading *r, enum request_command command)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->out[i] == command)
			return true;
	}
	return false;
}

static enum line
read_line(struct reading *r, const char *line)
{
	struct sbuf word = {0};
	const char *rest = take_word(line, &word);
	enum line kind = word.len == 0 ? LINE_BLANK : LINE_JUNK;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(sbuf_str(&word), words[i].word) != 0)
			continue;
		kind = LINE_COMMAND;
		r->lines++;
		if ((words[i].command == REQUEST_JOIN ||
		    words[i].command == REQUEST_LEAVE) &&
		    names_other(rest, r->sender))
			*r->other = true;
		else if (!has_command(r, words[i].command))
			r->out[r->n++] = words[i].command;
		break;
	}
	sbuf_free(&word);
	return kind;
}

/* Past "Re:", "AW: Re:" and the like. */
static const char *
skip_reply_marks(const char *subject)
{
	size_t n;

	for (;;) {
		subject += strspn(subject, " \t");
		n = strspn(subject, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (n == 0 || n > 3 || subject[n] != ':')
			return subject;
		subject += n + 1;
	}
}

size_t
request_parse(const char *subject, const char *text, const char *sender,
    enum request_command *out, bool *other)
{
	struct reading r = {.sender = sender, .out = out, .other = other};
	enum line kind;

	*other = false;
	/* A subject may be anything. */
	(void)read_line(&r, skip_reply_marks(subject));
	while (*text != '\0' && r.lines < REQUEST_COMMANDS_MAX) {
		/* The signature ("-- "), quoted text, and "end" are junk. */
		kind = read_line(&r, text);
		if (kind == LINE_JUNK)
			break;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return r.n;
}

/* ---- doing --------------------------------------------------------------- */

static int
read_text(struct order *o, struct sbuf *text)
{
	int fd = entry_message_open(o->entry);
	int rc;

	if (fd == -1)
		return -1;
	rc = text_first(fd, TEXT_MAX, text);
	io_close(&fd);
	return rc;
}

static const char *
send_help(struct order *o)
{
	struct answer a = {.notice = "help", .to = o->sender.data};

	return answer_word(answer_send(o, &a), "help");
}

/* What a result means, for people; the words of Command fields. */
static const char *
explain(const char *result)
{
	static const struct {
		const char *result, *text;
	} texts[] = {
		{"confirm-sent", "you get a message to confirm it"},
		{"already-member", "you are subscribed already"},
		{"not-member", "you are not subscribed"},
		{"closed", "this list takes no subscriptions by mail"},
		{"limited", "you have asked for this a short while ago"},
		{"help", "is on its way"},
		{"pong", "pong"},
		{"other-address", "only the address that you write from can "
		    "be subscribed or removed"},
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(result, texts[i].result) == 0)
			return texts[i].text;
	}
	return result;
}

static void
add_result(struct order *o, const char *word, const char *result,
    struct sbuf *results)
{
	order_note(o, word, "", result);
	sbuf_printf(results, "%s  %s: %s", results->len > 0 ? "\n" : "", word,
	    explain(result));
}

static int
run(struct order *o, enum request_command command, struct sbuf *results)
{
	static const char *const names[] = {"subscribe", "unsubscribe", "help",
		"ping"};
	const char *result = NULL;

	switch (command) {
	case REQUEST_JOIN:
		result = subscribe_join(o);
		break;
	case REQUEST_LEAVE:
		result = subscribe_leave(o);
		break;
	case REQUEST_HELP:
		result = send_help(o);
		break;
	case REQUEST_PING:
		result = "pong";
		break;
	}
	if (result == NULL)
		return -1;
	add_result(o, names[command], result, results);
	return 0;
}

/* One command that has a mail of its own needs no second one. */
static int
send_results(struct order *o, const struct sbuf *results)
{
	struct answer a = {.notice = "command-results", .to = o->sender.data,
		.results = results->data};
	const char *word;

	word = answer_word(answer_send(o, &a), "sent");
	if (word == NULL)
		return -1;
	order_note(o, "results", "", word);
	return 0;
}

static int
run_all(struct order *o, const enum request_command *commands, size_t n,
    bool has_other)
{
	struct sbuf results = {0};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n && !entry_has_outcome(o->entry); i++)
		rc = run(o, commands[i], &results);
	if (has_other)
		add_result(o, "subscribe", "other-address", &results);
	if (rc == 0 && !entry_has_outcome(o->entry) &&
	    (has_other || n > 1 || commands[0] == REQUEST_PING))
		rc = send_results(o, &results);
	sbuf_free(&results);
	return rc;
}

int
request_handle(struct order *o)
{
	enum request_command commands[REQUEST_COMMANDS_MAX + 1];
	const char *subject = envelope_get(entry_envelope(o->entry),
	    "Subject");
	struct sbuf text = {0};
	bool has_other;
	size_t n;

	if (o->sender.len == 0) {
		order_note(o, "request", "", "no-sender");
		return 0;
	}
	if (read_text(o, &text) == -1) {
		sbuf_free(&text);
		return -1;
	}
	n = request_parse(subject == NULL ? "" : subject, sbuf_str(&text),
	    o->sender.data, commands, &has_other);
	sbuf_free(&text);
	/* Whoever finds no command finds out which there are. */
	if (n == 0 && !has_other)
		commands[n++] = REQUEST_HELP;
	return run_all(o, commands, n, has_other);
}
