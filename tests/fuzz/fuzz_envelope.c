/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_envelope - any bytes as an envelope, and a block sealed behind them
 *
 * clang -fsanitize=fuzzer,address,undefined with the library.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/spool/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
require(int is_so)
{
	if (!is_so)
		abort();
}

/* What every reader may rely on. */
static void
check(const struct envelope *env, const char *bytes, size_t n)
{
	const struct envelope_trail *last = envelope_last(env);
	size_t i, at = 0, found = 0;

	require(env->n_blocks > 0 && env->raw.len <= n);
	require(memcmp(env->raw.data, bytes, env->raw.len) == 0);
	require(last->end == env->sealed && env->sealed <= env->raw.len);
	require(env->raw.data[env->raw.len - 1] == '\n');
	require((env->open_claims > 0) == (env->open_owner != NULL));
	require((env->open_claims > 0) == (env->raw.len > env->sealed));
	for (i = 0; i < env->n_blocks; i++) {
		require(*env->trails[i].queue != '\0');
		require(strchr(env->trails[i].to, '/') == NULL);
		require(i == 0 || env->trails[i].end > env->trails[i - 1].end);
	}
	for (i = 0; i < env->n_lines; i++) {
		require(env->lines[i].block <= env->n_blocks);
		require(i == 0 ||
		    env->lines[i].block >= env->lines[i - 1].block);
		found += strlen(env->lines[i].value) <= ENVELOPE_LINE_MAX;
	}
	require(found == env->n_lines);
	while (envelope_next(env, "Rule", &at) != NULL)
		require(at <= env->n_lines);
}

static void
try_fields(const struct envelope *env)
{
	static const char *const names[] = {"Id", "Role", "Claim", "X-a-B",
		"Unheard", "Trail"};
	struct sbuf address = {0};
	unsigned long long number;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)envelope_get(env, names[i]);
	(void)envelope_number(env, "Size", &number);
	(void)envelope_address(env, "Mail-From", &address);
	sbuf_free(&address);
}

/* A claim and a block behind it: all of that counts, whatever the value. */
static void
try_append(const struct envelope *env, const char *value)
{
	struct envelope_seal seal = {.time = 1, .host = "a", .queue = "q",
		.exit = "accept", .to = "next", .claim = env->last_claim + 1};
	struct sbuf fields = {0}, bytes = {0}, why = {0};
	struct envelope claimed = {0}, sealed = {0};
	const char *got;

	if (env->raw.len > ENVELOPE_MAX / 2 || seal.claim > 99999999)
		return;
	sbuf_add(&bytes, env->raw.data, env->raw.len);
	envelope_claim(&bytes, seal.claim, "q", "o");
	require(envelope_parse(&claimed, bytes.data, bytes.len, &why) == 0);
	require(claimed.open_claims == env->open_claims + 1);
	envelope_line(&fields, "Unheard", value);
	envelope_seal(&claimed, &fields, &seal, &bytes);
	require(envelope_parse(&sealed, bytes.data, bytes.len, &why) == 0);
	require(sealed.raw.len == bytes.len && sealed.open_claims == 0);
	require(sealed.n_blocks == env->n_blocks + 1);
	got = envelope_get(&sealed, "Unheard");
	require(got != NULL);
	if (fields.len < ENVELOPE_LINE_MAX / 2)
		require(strcmp(got, value) == 0);
	envelope_free(&claimed);
	envelope_free(&sealed);
	sbuf_free(&fields);
	sbuf_free(&bytes);
	sbuf_free(&why);
}

/* Make a value of the bytes, and a file in which they stand sealed. */
static void
try_sealed(const uint8_t *bytes, size_t n)
{
	char *value = strndup((const char *)bytes, n);
	struct envelope_seal seal = {.host = "a", .queue = "q", .exit = "x"};
	struct sbuf fields = {0}, out = {0}, why = {0};
	struct envelope env = {0};

	sbuf_adds(&fields, ENVELOPE_MAGIC);
	envelope_line(&fields, value, value);
	envelope_seal(NULL, &fields, &seal, &out);
	require(envelope_parse(&env, out.data, out.len, &why) == 0);
	try_append(&env, value);
	envelope_free(&env);
	sbuf_free(&fields);
	sbuf_free(&out);
	sbuf_free(&why);
	free(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct envelope env = {0};
	struct sbuf why = {0};

	if (envelope_parse(&env, (const char *)bytes, n, &why) == 0) {
		check(&env, (const char *)bytes, n);
		try_fields(&env);
		try_append(&env, "a\nb");
		envelope_free(&env);
	} else {
		require(why.len > 0 && env.lines == NULL);
	}
	sbuf_free(&why);
	try_sealed(bytes, n);
	return 0;
}
