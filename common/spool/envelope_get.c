/* SPDX-License-Identifier: BSD-2-Clause
 *
 * envelope_get - fields of a parsed envelope, as far as they count
 */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/spool/envelope.h"
#include "common/spool/envelope_fields.h"

void
envelope_set_stages(struct envelope *env, envelope_stage_fn *fn, void *ctx)
{
	env->stage = fn;
	env->stage_ctx = ctx;
}

static const char *
stage_of(const struct envelope *env, const char *queue)
{
	return env->stage == NULL ? queue : env->stage(env->stage_ctx, queue);
}

/* The number behind the last line of a name in the last block where it counts,
 * or 0.  Each block is asked once, so this is one walk from the end. */
static size_t
find_last(const struct envelope *env, const char *name)
{
	const struct envelope_field *field = envelope_field(name);
	const struct envelope_trail *trail;
	size_t i, refused = env->n_blocks;

	for (i = env->n_lines; i > 0; i--) {
		size_t block = env->lines[i - 1].block;

		if (block == refused || block >= env->n_blocks ||
		    strcasecmp(env->lines[i - 1].name, name) != 0)
			continue;
		trail = &env->trails[block];
		if (envelope_field_counts(field, name, trail,
		    stage_of(env, trail->queue)))
			return i;
		refused = block;
	}
	return 0;
}

const char *
envelope_next(const struct envelope *env, const char *name, size_t *at)
{
	size_t i = *at, block;

	if (i == 0) {
		i = find_last(env, name);
		if (i == 0)
			return NULL;
		block = env->lines[i - 1].block;
		while (i > 0 && env->lines[i - 1].block == block)
			i--;
	} else {
		block = env->lines[i - 1].block;
	}
	for (; i < env->n_lines && env->lines[i].block == block; i++) {
		if (strcasecmp(env->lines[i].name, name) == 0) {
			*at = i + 1;
			return env->lines[i].value;
		}
	}
	return NULL;
}

const char *
envelope_get(const struct envelope *env, const char *name)
{
	size_t at = 0;

	return envelope_next(env, name, &at);
}

int
envelope_number(const struct envelope *env, const char *name,
    unsigned long long *out)
{
	const char *p = envelope_get(env, name);
	unsigned long long value = 0;

	if (p == NULL || *p < '0' || *p > '9')
		return 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value,
		    (unsigned long long)(*p - '0'), &value))
			return 0;
	}
	/* "702 crc32=..." is 702; "12a" is none. */
	if (*p != '\0' && *p != ' ')
		return 0;
	*out = value;
	return 1;
}

/* The closing bracket; a quoted local part may hold one too. */
static const char *
closing_bracket(const char *p)
{
	bool is_quoted = false;

	for (; *p != '\0'; p++) {
		if (is_quoted && *p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '"')
			is_quoted = !is_quoted;
		else if (*p == '>' && !is_quoted)
			return p;
	}
	return NULL;
}

int
envelope_address(const struct envelope *env, const char *name,
    struct sbuf *out)
{
	const char *value = envelope_get(env, name), *end;

	if (value == NULL || *value != '<')
		return 0;
	end = closing_bracket(value + 1);
	if (end == NULL || (end[1] != '\0' && end[1] != ' '))
		return 0;
	sbuf_truncate(out, 0);
	sbuf_add(out, value + 1, (size_t)(end - value - 1));
	return 1;
}

const struct envelope_trail *
envelope_last(const struct envelope *env)
{
	return &env->trails[env->n_blocks - 1];
}
