/* SPDX-License-Identifier: BSD-2-Clause
 *
 * envelope - the journal of one entry, parsed
 *
 * One pass over the bytes.  Whatever is wrong ends the journal at that line:
 * what was sealed before it counts, the rest is a torn tail.
 */
#include "common/spool/envelope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/xalloc.h"
#include "common/spool/envelope_fields.h"

#define MAGIC "Septet-Envelope: "
/* "a: " and LF. */
#define LINE_MIN 4
#define TRAIL_MIN 64
#define WORD_MAX 64
/* An envelope has room for some 30,000 claims; the bound keeps the next N from
 * ever running over. */
#define CLAIM_MAX 99999999
#define CRC_DIGITS 8

struct parser {
	struct envelope *env;
	const char *bytes;
	size_t n;
	size_t line_start;
	size_t line_end;        /* of its LF */
	struct sbuf strings;    /* reserved once: pointers into it stay */
	struct sbuf word;
	unsigned long line_number;
	size_t block_start;
	unsigned long block_lines;
	unsigned block_claim;   /* N of the block's last Claim, 0 none */
	bool block_has_id;
	size_t sealed_lines;    /* env->n_lines after the last good trail */
	unsigned sealed_claim;  /* env->last_claim there */
	const char *problem;
};

static size_t
count_line_feeds(const char *bytes, size_t n)
{
	const char *end = bytes + n;
	size_t lines = 0;

	while (n > 0 && (bytes = memchr(bytes, '\n', n)) != NULL) {
		lines++;
		n = (size_t)(end - ++bytes);
	}
	return lines;
}

static char *
keep(struct parser *p, const char *text, size_t n, bool is_escaped)
{
	size_t at = p->strings.len;

	if (is_escaped)
		esc_decode(&p->strings, text, n);
	else
		sbuf_add(&p->strings, text, n);
	sbuf_addc(&p->strings, '\0');
	return p->strings.data + at;
}

static int
refuse(struct parser *p, const char *problem)
{
	p->problem = problem;
	return -1;
}

static size_t
name_len(const char *line, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		char c = line[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-'))
			break;
	}
	return i;
}

static bool
is_clean(const char *text, size_t n)
{
	bool is_ascii = true;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		is_ascii = is_ascii && c < 0x80;
	}
	return is_ascii || esc_is_utf8(text, n);
}

/* Take the next line into env->lines: 1, 0 no whole line left, -1. */
static int
take_line(struct parser *p)
{
	const char *line = p->bytes + p->line_end, *lf;
	size_t left = p->n - p->line_end, n, name;
	struct envelope_line *l;

	lf = left == 0 ? NULL : memchr(line, '\n', left);
	if (lf == NULL)
		return 0;
	n = (size_t)(lf - line);
	p->line_start = p->line_end;
	p->line_end += n + 1;
	p->line_number++;
	if (n + 1 > ENVELOPE_LINE_MAX)
		return refuse(p, "the line is too long");
	name = name_len(line, n);
	if (name == 0 || name > ENVELOPE_NAME_MAX || n < name + 2 ||
	    line[name] != ':' || line[name + 1] != ' ')
		return refuse(p, "not a line \"Name: value\"");
	if (!is_clean(line + name + 2, n - name - 2))
		return refuse(p, "a control or a byte that is not UTF-8");
	l = &p->env->lines[p->env->n_lines++];
	l->name = keep(p, line, name, false);
	l->value = keep(p, line + name + 2, n - name - 2, true);
	l->block = p->env->n_blocks;
	return 1;
}

/* Words of a Trail become parts of paths. */
static bool
is_word(const char *str)
{
	size_t n = strnlen(str, WORD_MAX + 1);

	return n > 0 && n <= WORD_MAX && *str != '.' && *str != '-' &&
	    strspn(str, "0123456789abcdefghijklmnopqrstuvwxyz._-") == n;
}

/* A word of the Trail line: 1, 0 absent, -1 not one. */
static int
trail_word(struct parser *p, const char *text, const char *key,
    const char **out)
{
	*out = "";
	if (kv_get(text, key, &p->word) == 0)
		return 0;
	if (!is_word(sbuf_str(&p->word)))
		return -1;
	*out = keep(p, p->word.data, p->word.len, false);
	return 1;
}

static int
trail_time(struct parser *p, const char *text, int64_t *ms)
{
	size_t n = strcspn(text, " ");

	if (n >= CLOCK_RFC3339_SIZE * 2)
		return -1;
	sbuf_truncate(&p->word, 0);
	sbuf_add(&p->word, text, n);
	return clock_parse(sbuf_str(&p->word), ms);
}

static int
read_trail(struct parser *p, const char *text, struct envelope_trail *t)
{
	long long claim = 0;
	int due;

	if (trail_time(p, text, &t->time) == -1)
		return refuse(p, "the Trail's time");
	if (trail_word(p, text, "host", &t->host) != 1 ||
	    trail_word(p, text, "queue", &t->queue) != 1 ||
	    trail_word(p, text, "exit", &t->exit) != 1 ||
	    trail_word(p, text, "to", &t->to) == -1)
		return refuse(p, "the Trail's host, queue, exit or to");
	due = kv_get(text, "due", &p->word);
	if (due == 1 && clock_parse(sbuf_str(&p->word), &t->due) == -1)
		return refuse(p, "the Trail's due");
	if (kv_getn(text, "claim", &claim) == -1 || claim > CLAIM_MAX)
		return refuse(p, "the Trail's claim");
	t->claim = (unsigned)claim;
	return 0;
}

/* Does the seal hold?  *crc is the running sum after it. */
static int
check_seal(struct parser *p, const char *text, struct envelope_trail *t,
    uint32_t *crc)
{
	static const char key[] = " crc32=";
	const size_t key_len = sizeof(key) - 1;
	const char *line = p->bytes + p->line_start;
	size_t n = p->line_end - 1 - p->line_start, at;
	bool is_dash = n > key_len && line[n - 1] == '-';
	size_t digits = is_dash ? 1 : CRC_DIGITS;
	char hex[CRC_DIGITS + 1] = "";
	long long lines;

	if (kv_getn(text, "lines", &lines) != 1 ||
	    (unsigned long long)lines != p->block_lines)
		return refuse(p, "the Trail's lines are not the block's");
	if (n < key_len + digits ||
	    memcmp(line + n - digits - key_len, key, key_len) != 0)
		return refuse(p, "the Trail does not end in crc32");
	at = p->line_start + n - digits - key_len;
	*crc = (uint32_t)crc32(p->env->crc,
	    (const unsigned char *)p->bytes + p->block_start,
	    (uInt)(at - p->block_start));
	t->is_summed = !is_dash;
	if (is_dash)
		return 0;
	memcpy(hex, line + n - digits, digits);
	if (strspn(hex, "0123456789abcdef") != digits ||
	    strtoul(hex, NULL, 16) != *crc)
		return refuse(p, "the Trail's crc32 is not the block's");
	return 0;
}

static int
take_trail(struct parser *p, const char *text)
{
	struct envelope *env = p->env;
	struct envelope_trail t = {0};
	uint32_t crc;

	if (read_trail(p, text, &t) == -1 || check_seal(p, text, &t, &crc) ==
	    -1)
		return -1;
	/* A late word of somebody whose claim was taken from him. */
	if (t.claim != 0 && t.claim != p->block_claim)
		return refuse(p, "the Trail's claim is not the block's last");
	t.end = p->line_end;
	t.is_creation = p->block_has_id && t.claim == 0;
	env->trails[env->n_blocks++] = t;
	env->sealed = p->line_end;
	env->crc = crc;
	p->sealed_lines = env->n_lines;
	p->sealed_claim = env->last_claim;
	p->block_start = p->line_end;
	p->block_lines = 0;
	p->block_claim = 0;
	p->block_has_id = false;
	return 0;
}

/* N counts up over the entry's whole life: names are made of it. */
static int
take_claim(struct parser *p, const char *text)
{
	char *end;
	unsigned long claim;

	if (*text < '1' || *text > '9')
		return refuse(p, "the Claim's number");
	claim = strtoul(text, &end, 10);
	if ((*end != ' ' && *end != '\0') || claim > CLAIM_MAX ||
	    claim <= p->env->last_claim)
		return refuse(p, "the Claim's number");
	p->env->last_claim = p->block_claim = (unsigned)claim;
	return 0;
}

static int
take_block_line(struct parser *p)
{
	const struct envelope_line *l = &p->env->lines[p->env->n_lines - 1];

	if (strcasecmp(l->name, "Trail") == 0)
		return take_trail(p, l->value);
	p->block_lines++;
	if (strcasecmp(l->name, "Claim") == 0)
		return take_claim(p, l->value);
	if (strcasecmp(l->name, "Id") == 0)
		p->block_has_id = true;
	return 0;
}

/* Keep the Claim lines that stand right behind the last Trail. */
static void
take_open_claims(struct parser *p, size_t good_lines)
{
	struct envelope *env = p->env;
	const char *lf;
	size_t end = env->sealed;

	env->n_lines = p->sealed_lines;
	env->last_claim = p->sealed_claim;
	while (env->n_lines < good_lines &&
	    strcasecmp(env->lines[env->n_lines].name, "Claim") == 0) {
		lf = memchr(p->bytes + end, '\n', p->n - end);
		end = (size_t)(lf - p->bytes) + 1;
		env->last_claim = (unsigned)strtoul(
		    env->lines[env->n_lines].value, NULL, 10);
		env->n_lines++;
		env->open_claims++;
	}
	sbuf_add(&env->raw, p->bytes, end);
	if (env->open_claims > 0) {
		(void)kv_get(env->lines[env->n_lines - 1].value, "owner",
		    &p->word);
		env->open_owner = xstrdup(sbuf_str(&p->word));
	}
}

/* The first line: 0, ENOTSUP, EPROTO. */
static int
check_magic(struct parser *p, struct sbuf *why)
{
	const size_t n = strlen(MAGIC);
	size_t digits = 0;

	if (p->n >= strlen(ENVELOPE_MAGIC) &&
	    memcmp(p->bytes, ENVELOPE_MAGIC, strlen(ENVELOPE_MAGIC)) == 0)
		return 0;
	if (p->n > n && memcmp(p->bytes, MAGIC, n) == 0 &&
	    p->bytes[n] >= '1' && p->bytes[n] <= '9') {
		while (n + digits < p->n && p->bytes[n + digits] >= '0' &&
		    p->bytes[n + digits] <= '9')
			digits++;
		if (digits <= 9 && n + digits < p->n &&
		    p->bytes[n + digits] == '\n') {
			sbuf_printf(why, "version %.*s of the envelope",
			    (int)digits, p->bytes + n);
			return ENOTSUP;
		}
	}
	sbuf_adds(why, "line 1: not an envelope");
	return EPROTO;
}

/* What is parsed stays in env; errno of what is wrong, or 0. */
static int
parse(struct parser *p, struct sbuf *why)
{
	struct envelope *env = p->env;
	size_t lines, good_lines = 0;
	int rc;

	rc = check_magic(p, why);
	if (rc != 0)
		return rc;
	lines = count_line_feeds(p->bytes, p->n);
	if (lines > p->n / LINE_MIN)
		lines = p->n / LINE_MIN;
	/* One more: a last line may be shorter than any that counts. */
	env->lines = xcalloc(lines + 1, sizeof(*env->lines));
	env->trails = xcalloc(p->n / TRAIL_MIN + 1, sizeof(*env->trails));
	/* Each line's two NULs stand where its ": " was, its LF leaves one to
	 * spare; a Trail's words are kept once more. */
	sbuf_reserve(&p->strings, 2 * p->n);
	while ((rc = take_line(p)) == 1) {
		if (take_block_line(p) == -1)
			break;
		good_lines = env->n_lines;
	}
	if (env->n_blocks == 0) {
		if (p->problem == NULL)
			p->problem = "the end, and nothing sealed";
		sbuf_printf(why, "line %lu: %s", p->line_number + (rc == 0),
		    p->problem);
		return EPROTO;
	}
	take_open_claims(p, good_lines);
	return 0;
}

int
envelope_parse(struct envelope *env, const char *bytes, size_t n,
    struct sbuf *why)
{
	struct parser p = {.env = env, .bytes = bytes, .n = n};
	int error = EFBIG;

	*env = (struct envelope){0};
	if (n <= ENVELOPE_MAX)
		error = parse(&p, why);
	else
		sbuf_adds(why, "larger than 1 MiB");
	env->strings = p.strings.data;
	sbuf_free(&p.word);
	if (error == 0)
		return 0;
	envelope_free(env);
	errno = error;
	return -1;
}

void
envelope_free(struct envelope *env)
{
	sbuf_free(&env->raw);
	free(env->lines);
	free(env->trails);
	free(env->open_owner);
	free(env->strings);
	*env = (struct envelope){0};
}
