/* SPDX-License-Identifier: BSD-2-Clause
 *
 * member - who is on a list
 *
 * Whatever one command changes is one transaction: all of it or nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/mail/address.h"
#include "common/domain/roster.h"
#include "runners/septet/person.h"
#include "runners/septet/septet.h"

#define PROGRESS_EVERY 10000
/* After so many bad lines the others are only counted. */
#define COMPLAINTS_MAX 20

struct change {
	struct cli *c;
	struct roster *roster;
	const char *list;
	bool is_removal;
	bool is_skipping;
	unsigned long done;
	unsigned long same;     /* were members already; were not */
	unsigned long bad;
	unsigned long undotted; /* were added with a warning */
	struct sbuf address;
	struct sbuf name;
};

static const char *const status_names[] = {"active", "disabled", "moderated",
	NULL};
static const char *const mode_names[] = {"each", "none", NULL};

static int
open_roster(struct cli *c, const char *name, enum store_mode mode,
    struct roster **roster)
{
	const struct list *list;
	int code = cli_list(c, name, &list);

	if (code != 0)
		return code;
	*roster = roster_open(list->dir, mode);
	return *roster == NULL ? cli_errno("%s/members.tdb", list->dir) : 0;
}

/* 1 changed, 0 nothing to change, -1. */
static int
change_one(struct change *ch)
{
	struct roster_member m = {0};
	int rc;

	if (ch->is_removal)
		return roster_remove(ch->roster, sbuf_str(&ch->address));
	sbuf_set(&m.address, sbuf_str(&ch->address));
	sbuf_set(&m.name, sbuf_str(&ch->name));
	m.joined = clock_ms();
	rc = roster_add(ch->roster, &m);
	roster_member_free(&m);
	return rc;
}

static void
bad_line(struct change *ch, unsigned long line, const char *what,
    const char *why)
{
	ch->bad++;
	if (ch->bad > COMPLAINTS_MAX)
		return;
	if (line > 0)
		cli_fail(0, "line %lu: %s: %s", line, what, why);
	else
		cli_fail(0, "%s: %s", what, why);
}

/* A domain without a dot is an address (RFC 5321 section 2.3.5), but outside a
 * host's own network seldom what was meant. */
static bool
has_dot(const struct change *ch)
{
	const char *domain = strrchr(ch->address.data, '@');

	return domain == NULL || strpbrk(domain, ".[") != NULL ||
	    strcasecmp(domain + 1, ch->c->site->name) == 0;
}

static void
undotted(struct change *ch, unsigned long line)
{
	static const char text[] = "a domain without a dot; is it whole?";

	if (++ch->undotted > COMPLAINTS_MAX)
		return;
	if (line > 0)
		cli_fail(0, "line %lu: %s: %s", line, ch->address.data, text);
	else
		cli_fail(0, "%s: %s", ch->address.data, text);
}

/* One line of input, or one argument (line 0).  0 or an exit code. */
static int
take_line(struct change *ch, unsigned long line, const char *text, size_t n)
{
	const char *why = NULL;
	int rc;

	rc = person_parse(text, n, &ch->address, &ch->name, &why);
	if (rc == 0 && line > 0)
		return 0;
	if (rc != 1) {
		bad_line(ch, line, n > 100 ? "..." : text, rc == 0 ?
		    "no address" : why);
		return 0;
	}
	rc = change_one(ch);
	if (rc == -1 && errno == EINVAL) {
		bad_line(ch, line, sbuf_str(&ch->address), "no address");
		return 0;
	}
	if (rc == -1)
		return cli_errno("roster of %s", ch->list);
	if (rc == 1 && !ch->is_removal && !has_dot(ch))
		undotted(ch, line);
	ch->done += rc == 1;
	ch->same += rc == 0;
	/* Of one who was asked for by name, say that he is not there. */
	if (rc == 0 && ch->is_removal && line == 0)
		bad_line(ch, 0, sbuf_str(&ch->address), "not a member");
	return 0;
}

static int
take_stdin(struct change *ch)
{
	bool is_shown = isatty(STDERR_FILENO);
	unsigned long line = 0;
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;
	int code = 0;

	while (code == 0 && (n = getline(&text, &cap, stdin)) != -1) {
		if (n > 0 && text[n - 1] == '\n')
			text[--n] = '\0';
		code = take_line(ch, ++line, text, (size_t)n);
		if (is_shown && line % PROGRESS_EVERY == 0)
			fprintf(stderr, "\r%lu lines", line);
	}
	if (is_shown && line >= PROGRESS_EVERY)
		fputs("\r\033[K", stderr);
	if (code == 0 && ferror(stdin))
		code = cli_errno("standard input");
	free(text);
	return code;
}

static int
take_all(struct change *ch, int argc, char **argv)
{
	int i, code = 0;

	if (argc == 2 && strcmp(argv[2], "-") == 0)
		return take_stdin(ch);
	for (i = 2; code == 0 && i <= argc; i++)
		code = take_line(ch, 0, argv[i], strlen(argv[i]));
	return code;
}

static void
report(const struct change *ch)
{
	const char *verb = ch->is_removal ? "removed" : "added";
	const char *same = ch->is_removal ? "were not members" :
	    "were members already";
	struct json j;

	if (!ch->c->is_json) {
		printf("%lu %s, %lu %s", ch->done, verb, ch->same, same);
		if (ch->bad > 0)
			printf(", %lu bad lines left out", ch->bad);
		putchar('\n');
		return;
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_number(&j, verb, (long long)ch->done);
	json_number(&j, "unchanged", (long long)ch->same);
	json_number(&j, "bad", (long long)ch->bad);
	json_close(&j, '}');
	json_end(&j);
}

static int
change_all(struct change *ch, int argc, char **argv)
{
	struct store *store = roster_store(ch->roster);
	int code;

	if (store_begin(store) == -1)
		return cli_errno("roster of %s", ch->list);
	code = take_all(ch, argc, argv);
	if (code == 0 && ch->bad > COMPLAINTS_MAX)
		cli_fail(0, "and %lu more", ch->bad - COMPLAINTS_MAX);
	if (code == 0 && ch->bad > 0 && !ch->is_skipping)
		code = cli_fail(EXIT_DATA, "nothing was changed on %s",
		    ch->list);
	if (code != 0) {
		store_cancel(store);
		return code;
	}
	if (store_commit(store) == -1)
		return cli_errno("roster of %s", ch->list);
	report(ch);
	return 0;
}

static int
change_run(struct cli *c, int argc, char **argv, bool is_removal)
{
	struct change ch = {.c = c, .is_removal = is_removal};
	const struct cli_option options[] = {
		{.name = "skip-bad", .flag = &ch.is_skipping},
		{.name = NULL},
	};
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){2, -1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_LISTS);
	if (code == 0)
		code = open_roster(c, argv[1], STORE_WRITE, &ch.roster);
	if (code == 0) {
		ch.list = argv[1];
		code = change_all(&ch, argc, argv);
	}
	roster_close(&ch.roster);
	sbuf_free(&ch.address);
	sbuf_free(&ch.name);
	return code;
}

int
member_add_run(struct cli *c, int argc, char **argv)
{
	return change_run(c, argc, argv, false);
}

int
member_del_run(struct cli *c, int argc, char **argv)
{
	return change_run(c, argc, argv, true);
}

/* ---- ls ---------------------------------------------------------------- */

static int
print_member(void *ctx, const struct roster_member *m)
{
	(void)ctx;
	out_cell(stdout, sbuf_str(&m->address), 40, 0);
	printf("  %-9s %s", status_names[m->status], mode_names[m->mode]);
	if (m->name.len > 0) {
		putchar(' ');
		out_text(stdout, m->name.data);
	}
	if (m->score > 0)
		printf(" (bounces: %u)", m->score);
	putchar('\n');
	return 0;
}

static int
print_member_json(void *ctx, const struct roster_member *m)
{
	struct json *j = ctx;

	json_object(j, NULL);
	json_number(j, "id", (long long)m->id);
	json_string(j, "address", sbuf_str(&m->address));
	json_string(j, "name", m->name.len == 0 ? NULL : m->name.data);
	json_string(j, "status", status_names[m->status]);
	json_string(j, "mode", mode_names[m->mode]);
	json_string(j, "lang", m->language.len == 0 ? NULL :
	    m->language.data);
	json_time(j, "joined", m->joined);
	json_number(j, "score", m->score);
	json_close(j, '}');
	return 0;
}

int
member_ls_run(struct cli *c, int argc, char **argv)
{
	struct roster *roster = NULL;
	struct json j;
	int code, rc;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){1, 1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_LISTS);
	if (code == 0)
		code = open_roster(c, argv[1], STORE_READ, &roster);
	if (code != 0)
		return code;
	json_begin(&j, stdout);
	if (c->is_json) {
		json_array(&j, NULL);
		rc = roster_each(roster, true, print_member_json, &j);
		json_close(&j, ']');
		json_end(&j);
	} else {
		rc = roster_each(roster, true, print_member, NULL);
	}
	if (rc == -1)
		code = cli_errno("roster of %s", argv[1]);
	roster_close(&roster);
	return code;
}

/* ---- set --------------------------------------------------------------- */

/* Index of a word, or -1 after saying which there are. */
static int
choose(const char *key, const char *value, const char *const *words)
{
	struct sbuf all = {0};
	int i;

	for (i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], value) == 0)
			return i;
	}
	for (i = 0; words[i] != NULL; i++)
		sbuf_printf(&all, "%s%s", i > 0 ? ", " : "", words[i]);
	cli_fail(0, "%s=%s: allowed are %s", key, value, sbuf_str(&all));
	sbuf_free(&all);
	return -1;
}

static int
set_status(struct roster_member *m, const char *value)
{
	int i = choose("status", value, status_names);

	if (i == -1)
		return EXIT_DATA;
	/* Who is let in again begins anew. */
	if (m->status == ROSTER_DISABLED && i != ROSTER_DISABLED) {
		m->score = 0;
		m->scored = 0;
	}
	m->status = (enum roster_status)i;
	return 0;
}

static bool
is_text(const char *value)
{
	for (; *value != '\0'; value++) {
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	}
	return true;
}

/* What bounced at another mailbox says nothing of this one; another spelling
 * of the same is no other. */
static void
set_address(struct roster_member *m, const char *value)
{
	if (!address_is_same(sbuf_str(&m->address), value)) {
		m->score = 0;
		m->scored = 0;
	}
	sbuf_set(&m->address, value);
}

/* One KEY=VALUE.  0 or an exit code. */
static int
set_word(struct roster_member *m, const char *word)
{
	const char *equals = strchr(word, '='), *value, *why = NULL;
	size_t n;
	int i;

	if (equals == NULL)
		return cli_fail(EXIT_USAGE, "%s: KEY=VALUE is wanted", word);
	n = (size_t)(equals - word);
	value = equals + 1;
	if (!is_text(value))
		return cli_fail(EXIT_DATA, "%s: control characters", word);
	if (n == 6 && strncmp(word, "status", n) == 0)
		return set_status(m, value);
	if (n == 4 && strncmp(word, "mode", n) == 0) {
		i = choose("mode", value, mode_names);
		if (i != -1)
			m->mode = (enum roster_mode)i;
		return i == -1 ? EXIT_DATA : 0;
	}
	if (n == 4 && strncmp(word, "name", n) == 0)
		sbuf_set(&m->name, value);
	else if (n == 4 && strncmp(word, "lang", n) == 0)
		sbuf_set(&m->language, value);
	else if (n != 7 || strncmp(word, "address", n) != 0)
		return cli_fail(EXIT_USAGE, "%s: the keys are status, mode, "
		    "name, lang and address", word);
	else if (address_check(value, NULL, &why) == -1)
		return cli_fail(EXIT_DATA, "%s: %s", word, why);
	else
		set_address(m, value);
	return 0;
}

/* Read, change and write in one transaction: a bounce that scores meanwhile
 * is not lost. */
static int
set_member(struct roster *roster, int argc, char **argv)
{
	struct store *store = roster_store(roster);
	struct roster_member m = {0};
	int i, rc, code = 0;

	if (store_begin(store) == -1)
		return cli_errno("roster of %s", argv[1]);
	rc = roster_get(roster, argv[2], &m);
	if (rc == 0 || (rc == -1 && errno == EINVAL))
		code = cli_fail(EXIT_DATA, "%s: not a member of %s", argv[2],
		    argv[1]);
	else if (rc == -1)
		code = cli_errno("roster of %s", argv[1]);
	for (i = 3; code == 0 && i <= argc; i++)
		code = set_word(&m, argv[i]);
	if (code == 0 && roster_set(roster, &m) == -1)
		code = errno == EEXIST ? cli_fail(EXIT_DATA,
		    "%s: another member has that address",
		    sbuf_str(&m.address)) : cli_errno("roster of %s", argv[1]);
	roster_member_free(&m);
	if (code != 0)
		store_cancel(store);
	else if (store_commit(store) == -1)
		code = cli_errno("roster of %s", argv[1]);
	return code;
}

int
member_set_run(struct cli *c, int argc, char **argv)
{
	struct roster *roster = NULL;
	int code;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){3, -1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_LISTS);
	if (code == 0)
		code = open_roster(c, argv[1], STORE_WRITE, &roster);
	if (code == 0)
		code = set_member(roster, argc, argv);
	roster_close(&roster);
	return code;
}
