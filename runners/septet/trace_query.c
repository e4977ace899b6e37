/* SPDX-License-Identifier: BSD-2-Clause
 *
 * trace_query - does an envelope speak of what is asked for?
 */
#include <string.h>
#include <strings.h>

#include "common/mail/address.h"
#include "runners/septet/recipients.h"
#include "runners/septet/trace.h"

/* A beginning of an ID this long is one enough. */
#define PREFIX_MIN 8

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text >= 0x80)
			return false;
	}
	return true;
}

void
trace_query_make(struct trace_query *q, const char *text)
{
	size_t n = strlen(text);
	struct sbuf bare = {0};

	memset(q, 0, sizeof(*q));
	q->text = text;
	q->is_id = strchr(text, '@') == NULL && id_is_valid(text);
	if (q->is_id) {
		memcpy(q->root, text, n + 1);
		q->root[strcspn(q->root, ".")] = '\0';
		sbuf_set(&q->hint, q->root);
		return;
	}
	if (n >= 2 && text[0] == '<' && text[n - 1] == '>')
		sbuf_add(&bare, text + 1, n - 2);
	else
		sbuf_set(&bare, text);
	sbuf_printf(&q->message_id, "<%s>", sbuf_str(&bare));
	if (address_key(sbuf_str(&bare), &q->key) == -1)
		sbuf_set(&q->key, "");
	/* What may be written in more than one way has no hint. */
	if (is_ascii(sbuf_str(&bare)) && strpbrk(sbuf_str(&bare), "\"\\") ==
	    NULL)
		sbuf_add(&q->hint, bare.data, strcspn(bare.data, "@"));
	sbuf_free(&bare);
}

void
trace_query_free(struct trace_query *q)
{
	sbuf_free(&q->message_id);
	sbuf_free(&q->key);
	sbuf_free(&q->hint);
}

bool
trace_query_may_be(const struct trace_query *q, const struct sbuf *raw)
{
	return q->hint.len == 0 || strcasestr(sbuf_str(raw), q->hint.data) !=
	    NULL;
}

static bool
is_of_family(const struct trace_query *q, const char *id)
{
	size_t n = strlen(q->root);

	if (id == NULL || strncmp(id, q->root, n) != 0)
		return false;
	return id[n] == '\0' || id[n] == '.' || n >= PREFIX_MIN;
}

static bool
is_address(const struct trace_query *q, const struct envelope *env,
    const char *field)
{
	struct sbuf address = {0};
	const char *value;
	size_t at = 0;
	bool is = false;

	while (!is && (value = envelope_next(env, field, &at)) != NULL)
		is = address_unwrap(value, &address) == 0 &&
		    recipients_is(sbuf_str(&address), q->key.data);
	sbuf_free(&address);
	return is;
}

bool
trace_query_is(const struct trace_query *q, const struct envelope *env)
{
	const char *message_id = envelope_get(env, "Message-Id");

	if (q->is_id)
		return is_of_family(q, envelope_get(env, "Id")) ||
		    is_of_family(q, envelope_get(env, "About"));
	if (message_id != NULL && strcmp(message_id, q->message_id.data) == 0)
		return true;
	return q->key.len > 0 && (is_address(q, env, "Mail-From") ||
	    is_address(q, env, "Author") || is_address(q, env, "Rcpt-To"));
}
