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
};

static const struct fact facts[] = {
	{"Parent", "child of", "parent"},
	{"About", "about", "about"},
	{"List", "list", "list"},
	{"Role", "role", "role"},
	{"Mail-From", "sender", "sender"},
	{"Author", "from", "from"},
	{"Rcpt-To", "to", "to"},
	{"Subject", "subject", "subject"},
	{"Message-Id", "message-id", "message_id"},
	{"Size", "bytes", "size"},
	{"Post-Number", "post", "post_number"},
	{"Duplicate-Of", "duplicate of", "duplicate_of"},
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

void
story_facts(const struct envelope *env)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++) {
		const char *value = envelope_get(env, facts[i].field);

		if (value == NULL)
			continue;
		printf("  %-13s ", facts[i].word);
		out_text(stdout, value);
		putchar('\n');
	}
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

void
story_json(const struct envelope *env, bool is_full, struct json *j)
{
	size_t i;

	for (i = 0; i < N_FACTS; i++)
		json_string(j, facts[i].key, envelope_get(env,
		    facts[i].field));
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
