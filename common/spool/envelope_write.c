/* SPDX-License-Identifier: BSD-2-Clause
 *
 * envelope_write - lines, seals and claims as they stand in an envelope
 */
#include <string.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/spool/envelope.h"

/* A name that the reader would refuse would take the whole block with it. */
static void
add_name(struct sbuf *block, const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n = strnlen(name, ENVELOPE_NAME_MAX);

	for (size_t i = 0; i < n; i++)
		sbuf_addc(block, strchr(allowed, name[i]) ? name[i] : '-');
	if (n == 0)
		sbuf_addc(block, '-');
}

/* The last place at or before `at` that is between characters of escaped text,
 * which is UTF-8 and has a backslash only as the first byte of \xHH. */
static size_t
boundary(const char *text, size_t start, size_t at)
{
	while (at > start && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	for (size_t i = 1; i <= 3 && at >= start + i; i++) {
		if (text[at - i] == '\\')
			return at - i;
	}
	return at;
}

void
envelope_line(struct sbuf *block, const char *name, const char *value)
{
	size_t start = block->len, value_start, end;

	add_name(block, name);
	sbuf_adds(block, ": ");
	value_start = block->len;
	/* No byte gets shorter by escaping, so more would be cut anyway. */
	esc_add(block, value, strnlen(value, ENVELOPE_LINE_MAX));
	if (block->len + 1 - start > ENVELOPE_LINE_MAX) {
		end = start + ENVELOPE_LINE_MAX - strlen("...\n");
		sbuf_truncate(block, boundary(block->data, value_start, end));
		sbuf_adds(block, "...");
	}
	sbuf_addc(block, '\n');
}

static unsigned long
count_lines(const char *bytes, size_t n)
{
	const char *end = bytes + n;
	unsigned long lines = 0;

	while (n > 0 && (bytes = memchr(bytes, '\n', n)) != NULL) {
		lines++;
		n = (size_t)(end - ++bytes);
	}
	return lines;
}

static uint32_t
sum(uint32_t crc, const char *bytes, size_t n)
{
	return (uint32_t)crc32(crc, (const unsigned char *)bytes, (uInt)n);
}

void
envelope_seal(const struct envelope *env, const struct sbuf *fields,
    const struct envelope_seal *seal, struct sbuf *out)
{
	const char *claims = env == NULL ? "" : env->raw.data + env->sealed;
	size_t claims_len = env == NULL ? 0 : env->raw.len - env->sealed;
	uint32_t crc = env == NULL ? 0 : env->crc;
	char time[CLOCK_RFC3339_SIZE];
	struct sbuf line = {0};
	unsigned long lines;

	clock_format(seal->time, time);
	sbuf_printf(&line, "Trail: %s", time);
	kv_add(&line, "host", seal->host);
	kv_add(&line, "queue", seal->queue);
	kv_add(&line, "exit", seal->exit);
	if (seal->to != NULL)
		kv_add(&line, "to", seal->to);
	if (seal->due != 0) {
		clock_format(seal->due, time);
		kv_add(&line, "due", time);
	}
	if (seal->claim != 0)
		kv_addn(&line, "claim", (long long)seal->claim);
	lines = count_lines(claims, claims_len);
	lines += count_lines(sbuf_str(fields), fields->len);
	kv_addn(&line, "lines", (long long)lines);
	crc = sum(crc, claims, claims_len);
	crc = sum(crc, sbuf_str(fields), fields->len);
	crc = sum(crc, line.data, line.len);
	sbuf_printf(&line, " crc32=%08x\n", (unsigned)crc);
	sbuf_add(out, sbuf_str(fields), fields->len);
	sbuf_add(out, line.data, line.len);
	sbuf_free(&line);
}

void
envelope_claim(struct sbuf *out, unsigned n, const char *queue,
    const char *owner)
{
	struct sbuf value = {0};

	sbuf_printf(&value, "%u", n);
	kv_add(&value, "queue", queue);
	kv_add(&value, "owner", owner);
	envelope_line(out, "Claim", value.data);
	sbuf_free(&value);
}
