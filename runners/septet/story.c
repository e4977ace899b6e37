/* SPDX-License-Identifier: BSD-2-Clause
 *
 * story - an envelope's journal as people read it
 */
#include "runners/septet/story.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "runners/septet/look.h"

struct fact {
	const char *field;
	const char *word;
	const char *key;        /* in JSON */
	bool is_mail;           /* says which mail it is */
	bool is_number;
};

static const struct fact facts[] = {
	{"Parent", "child of", "parent", false, false},
	{"List", "list", "list", false, false},
	{"Role", "role", "role", false, false},
	{"Mail-From", "sender", "sender", true, false},
	{"Author", "from", "from", true, false},
	{"Rcpt-To", "to", "to", true, false},
	{"Subject", "subject", "subject", true, false},
	{"Message-Id", "message-id", "message_id", true, false},
	{"Size", "bytes", "size", false, true},
	{"Post-Number", "post", "post_number", false, true},
	{"Duplicate-Of", "duplicate of", "duplicate_of", false, false},
	{"About", "about", "about", false, false},
};
#define N_FACTS (sizeof(facts) / sizeof(facts[0]))

/* Told elsewhere, or of use to programs only. */
static const char *const quiet[] = {"Septet-Envelope", "Trail", "Claim",
	"Staged", "Id", "Created", "Size", "Crc32", "Body-Offset", "Head",
	NULL};

/* Fields that tell why a step went as it did, shown even in brief. */
static const char *const telling[] = {"Error", "Reason", "Verdict", "Delivery",
	"Bounce", "Score", "Command", "Duplicate-Of", "Action", "Note", NULL};

static bool
is_in(const char *const *names, const char *name)
{
	for (; *names != NULL; names++) {
		if (strcasecmp(*names, name) == 0)
			return true;
	}
	return false;
}

/* A value without the token in it: what is shown may be passed on, and a token
 * is as good as a signature. */
static void
hide_token(const char *value, struct sbuf *out)
{
	const char *token = strstr(value, "token=");
	size_t n;

	sbuf_set(out, "");
	if (token == NULL || (token > value && token[-1] != ' ')) {
		sbuf_adds(out, value);
		return;
	}
	n = (size_t)(token - value) + strlen("token=");
	sbuf_add(out, value, n);
	sbuf_adds(out, "(hidden)");
	sbuf_adds(out, value + n + strcspn(value + n, " "));
}

bool
story_is_about(const struct envelope *env, const char *field)
{
	const char *role = envelope_get(env, "Role");
	const char *kind = envelope_get(env, "Kind");
	size_t i, first = look_first_block(env);

	if ((role == NULL || strcmp(role, "notice") != 0) &&
	    (kind == NULL || strcmp(kind, "notice") != 0))
		return false;
	for (i = 0; i < env->n_lines; i++) {
		if (env->lines[i].block >= first &&
		    strcasecmp(env->lines[i].name, field) == 0)
			return false;
	}
	return true;
}

/* Those of the mail itself, or those of the one that it is about. */
static void
print_facts(const struct envelope *env, bool is_about)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++) {
		const struct fact *f = &facts[i];
		const char *value = envelope_get(env, f->field);

		if (value == NULL || (f->is_mail &&
		    story_is_about(env, f->field)) != is_about)
			continue;
		printf(is_about ? "    %-11s " : "  %-13s ", f->word);
		out_text(stdout, value);
		putchar('\n');
	}
}

void
story_facts(const struct envelope *env)
{
	print_facts(env, false);
	if (story_is_about(env, "Subject") && envelope_get(env, "About") ==
	    NULL)
		puts("  about         its parent:");
	print_facts(env, true);
}

static bool
is_shown(const struct envelope_line *line, size_t block, bool is_full)
{
	return line->block == block && !is_in(quiet, line->name) &&
	    (is_full || is_in(telling, line->name));
}

static void
print_fields(const struct envelope *env, size_t block, bool is_full)
{
	struct sbuf value = {0};
	size_t i;

	for (i = 0; i < env->n_lines; i++) {
		const struct envelope_line *line = &env->lines[i];

		if (!is_shown(line, block, is_full))
			continue;
		hide_token(line->value, &value);
		fputs("      ", stdout);
		out_text(stdout, line->name);
		fputs(": ", stdout);
		out_text(stdout, value.data);
		putchar('\n');
	}
	sbuf_free(&value);
}

static void
print_step(const struct envelope_trail *t)
{
	char when[CLOCK_RFC3339_SIZE], due[CLOCK_RFC3339_SIZE];

	clock_format(t->time, when);
	printf("  %s  %-11s %s", when, t->queue, t->exit);
	if (strcmp(t->exit, "defer") == 0 && t->due != 0) {
		clock_format(t->due, due);
		printf(" until %s", due);
	} else if (*t->to == '\0') {
		fputs(", the end", stdout);
	} else if (strcmp(t->to, t->queue) != 0) {
		printf(" -> %s", t->to);
	}
	putchar('\n');
}

void
story_steps(const struct envelope *env, bool is_full)
{
	size_t i;

	for (i = look_first_block(env); i < env->n_blocks; i++) {
		print_step(&env->trails[i]);
		print_fields(env, i, is_full);
	}
}

static void
json_fields(const struct envelope *env, size_t block, bool is_full,
    struct json *j)
{
	struct sbuf value = {0};
	size_t i;

	json_array(j, "fields");
	for (i = 0; i < env->n_lines; i++) {
		const struct envelope_line *line = &env->lines[i];

		if (!is_shown(line, block, is_full))
			continue;
		hide_token(line->value, &value);
		json_object(j, NULL);
		json_string(j, "name", line->name);
		json_string(j, "value", value.data);
		json_close(j, '}');
	}
	json_close(j, ']');
	sbuf_free(&value);
}

static void
json_fact(const struct envelope *env, const struct fact *f, struct json *j)
{
	unsigned long long number;

	if (f->is_number && envelope_number(env, f->field, &number) == 1 &&
	    number <= INT64_MAX)
		json_number(j, f->key, (long long)number);
	else if (f->is_number || (f->is_mail && story_is_about(env, f->field)))
		json_string(j, f->key, NULL);
	else
		json_string(j, f->key, envelope_get(env, f->field));
}

/* What it is about, where it is a notice: null elsewhere. */
static void
json_about(const struct envelope *env, struct json *j)
{
	size_t i;

	if (!story_is_about(env, "Subject")) {
		json_string(j, "about_mail", NULL);
		return;
	}
	json_object(j, "about_mail");
	for (i = 0; i < N_FACTS; i++) {
		if (facts[i].is_mail && story_is_about(env, facts[i].field))
			json_string(j, facts[i].key, envelope_get(env,
			    facts[i].field));
	}
	json_close(j, '}');
}

void
story_json(const struct envelope *env, bool is_full, struct json *j)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++)
		json_fact(env, &facts[i], j);
	json_about(env, j);
	json_array(j, "steps");
	for (i = look_first_block(env); i < env->n_blocks; i++) {
		const struct envelope_trail *t = &env->trails[i];

		json_object(j, NULL);
		json_time(j, "time", t->time);
		json_string(j, "host", t->host);
		json_string(j, "queue", t->queue);
		json_string(j, "exit", t->exit);
		json_string(j, "to", *t->to == '\0' ? NULL : t->to);
		json_time(j, "due", t->due);
		json_fields(env, i, is_full, j);
		json_close(j, '}');
	}
	json_close(j, ']');
}
