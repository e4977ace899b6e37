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
/* Of a line that is no command, so much is repeated to its writer. */
#define UNKNOWN_MAX 60

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
	struct request *out;
	unsigned lines;         /* looked at that were commands */
};

static bool
has_command(const struct request *out, enum request_command command)
{
	size_t i;

	for (i = 0; i < out->n; i++) {
		if (out->commands[i] == command)
			return true;
	}
	return false;
}

static bool
find_command(const char *word, enum request_command *command)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(word, words[i].word) == 0) {
			*command = words[i].command;
			return true;
		}
	}
	return false;
}

static enum line
read_line(struct reading *r, const char *line)
{
	struct sbuf word = {0};
	const char *rest = take_word(line, &word);
	enum line kind = word.len == 0 ? LINE_BLANK : LINE_JUNK;
	enum request_command command;

	if (find_command(sbuf_str(&word), &command)) {
		kind = LINE_COMMAND;
		r->lines++;
		if ((command == REQUEST_JOIN || command == REQUEST_LEAVE) &&
		    names_other(rest, r->sender))
			r->out->names_other = true;
		else if (!has_command(r->out, command))
			r->out->commands[r->out->n++] = command;
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

/* Does the writer know that nothing is read from here on?  "end", a signature
 * ("-- ") and quoted text. */
static bool
is_end(const char *line)
{
	struct sbuf word = {0};
	bool is;

	(void)take_word(line, &word);
	is = strcasecmp(sbuf_str(&word), "end") == 0 ||
	    strncmp(sbuf_str(&word), "--", 2) == 0 || sbuf_str(&word)[0] == '>';
	sbuf_free(&word);
	return is;
}

/* The line, short and without what could be more than text. */
static void
keep_unknown(const char *line, struct sbuf *out)
{
	size_t n, i;

	line += strspn(line, " \t\r");
	n = strcspn(line, "\r\n");
	if (n > UNKNOWN_MAX) {
		n = UNKNOWN_MAX;
		/* Not in the middle of a character. */
		while (n > 0 && ((unsigned char)line[n] & 0xc0) == 0x80)
			n--;
	}
	for (i = 0; i < n; i++)
		sbuf_addc(out, (unsigned char)line[i] < ' ' ||
		    line[i] == 0x7f ? ' ' : line[i]);
	if (n > 0 && line[n] != '\0' && strchr("\r\n", line[n]) == NULL)
		sbuf_adds(out, "...");
}

static const char *
next_line(const char *text)
{
	text += strcspn(text, "\n");
	return text + (*text == '\n');
}

static bool
is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

/* Does any line begin with a command? */
static bool
has_commands(const char *text)
{
	enum request_command command;
	struct sbuf word = {0};
	bool has = false;

	for (; !has && *text != '\0'; text = next_line(text)) {
		(void)take_word(text, &word);
		has = find_command(sbuf_str(&word), &command);
	}
	sbuf_free(&word);
	return has;
}

void
request_parse(const char *subject, const char *text, const char *sender,
    struct request *out)
{
	struct reading r = {.sender = sender, .out = out};
	unsigned before;

	memset(out, 0, sizeof(*out));
	/* A subject may be anything. */
	(void)read_line(&r, skip_reply_marks(subject));
	before = r.lines;
	for (; *text != '\0'; text = next_line(text)) {
		if (r.lines == REQUEST_COMMANDS_MAX) {
			text += strspn(text, " \t\r\n");
			out->is_cut = *text != '\0' && !is_end(text);
			return;
		}
		if (read_line(&r, text) != LINE_JUNK)
			continue;
		/* To a command in the subject people write a friendly text. */
		if (is_end(text) ||
		    (before > 0 && r.lines == before && !has_commands(text)))
			return;
		keep_unknown(text, &out->unknown);
		out->has_rest = !is_blank(next_line(text));
		return;
	}
}

void
request_free(struct request *out)
{
	sbuf_free(&out->unknown);
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

/* What was not read is said: nobody is to wait for what comes of it. */
static void
add_unread(const struct request *q, struct sbuf *results)
{
	if (q->unknown.len > 0)
		sbuf_printf(results, "%s  \"%s\" was not understood%s",
		    results->len > 0 ? "\n" : "", q->unknown.data,
		    q->has_rest ? "; the rest was not read" : "");
	else if (q->is_cut)
		sbuf_printf(results, "%s  more than %d commands: the rest was "
		    "not read", results->len > 0 ? "\n" : "",
		    REQUEST_COMMANDS_MAX);
}

static int
run_all(struct order *o, const struct request *q)
{
	struct sbuf results = {0};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < q->n && !entry_has_outcome(o->entry); i++)
		rc = run(o, q->commands[i], &results);
	if (q->names_other)
		add_result(o, "subscribe", "other-address", &results);
	add_unread(q, &results);
	if (rc == 0 && !entry_has_outcome(o->entry) && (q->names_other ||
	    q->n > 1 || q->commands[0] == REQUEST_PING ||
	    q->unknown.len > 0 || q->is_cut))
		rc = send_results(o, &results);
	sbuf_free(&results);
	return rc;
}

int
request_handle(struct order *o)
{
	const char *subject = envelope_get(entry_envelope(o->entry),
	    "Subject");
	struct sbuf text = {0};
	struct request q;
	int rc;

	if (o->sender.len == 0) {
		order_note(o, "request", "", "no-sender");
		return 0;
	}
	if (read_text(o, &text) == -1) {
		sbuf_free(&text);
		return -1;
	}
	request_parse(subject == NULL ? "" : subject, sbuf_str(&text),
	    o->sender.data, &q);
	sbuf_free(&text);
	/* Whoever finds no command finds out which there are, and the help is
	 * all the answer to a mail that has none. */
	if (q.n == 0 && !q.names_other) {
		q.commands[q.n++] = REQUEST_HELP;
		sbuf_truncate(&q.unknown, 0);
	}
	rc = run_all(o, &q);
	request_free(&q);
	return rc;
}
