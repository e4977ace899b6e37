/* SPDX-License-Identifier: BSD-2-Clause
 *
 * recipients - who was to get a message, and what became of it for each
 */
#include "runners/septet/recipients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/spool/rcpt.h"
#include "common/spool/result.h"

struct attempt {
	struct result result;
	struct attempt *next;
};

/* A recipient that is shown. */
struct shown {
	unsigned long line;
	char state;
	char *address;
	struct attempt *first, **last;
};

struct table {
	struct shown *items;
	size_t n, cap;
	unsigned long left_out;
};

static const char *
state_name(char state)
{
	switch (state) {
	case RCPT_TODO:
		return "waiting";
	case RCPT_DONE:
		return "delivered";
	case RCPT_FAILED:
		return "failed";
	case RCPT_SKIPPED:
		return "skipped";
	case RCPT_EXPIRED:
		return "expired";
	default:
		return "other";
	}
}

static int
begin(struct rcpt_reader *r, int fd)
{
	if (lseek(fd, 0, SEEK_SET) == -1)
		return -1;
	return rcpt_read_begin(r, fd);
}

/* Next good line: malformed ones are passed over. */
static int
next(struct rcpt_reader *r)
{
	int rc;

	while ((rc = rcpt_read(r)) == -1 && errno == EPROTO)
		;
	return rc;
}

int
recipients_count(int fd, struct recipients_count *out)
{
	struct rcpt_reader r = {0};
	int rc;

	memset(out, 0, sizeof(*out));
	rc = begin(&r, fd);
	while (rc != -1 && (rc = next(&r)) == 1) {
		out->total++;
		out->todo += r.state == RCPT_TODO;
		out->done += r.state == RCPT_DONE;
		out->failed += r.state == RCPT_FAILED;
		out->skipped += r.state == RCPT_SKIPPED;
		out->expired += r.state == RCPT_EXPIRED;
	}
	out->other = out->total - out->todo - out->done - out->failed -
	    out->skipped - out->expired;
	rcpt_read_free(&r);
	return rc;
}

static void
add_count(struct sbuf *out, unsigned long n, const char *word)
{
	if (n > 0)
		sbuf_printf(out, "%s%lu %s", out->len > 0 ? ", " : "", n, word);
}

void
recipients_summary(const struct recipients_count *n, struct sbuf *out)
{
	sbuf_set(out, "");
	add_count(out, n->done, "delivered");
	add_count(out, n->todo, "waiting");
	add_count(out, n->failed, "failed");
	add_count(out, n->expired, "expired");
	add_count(out, n->skipped, "skipped");
	add_count(out, n->other, "in another state");
	if (out->len == 0)
		sbuf_adds(out, "none");
}

static bool
is_plain(const char *address)
{
	for (; *address != '\0'; address++) {
		if ((unsigned char)*address >= 0x80 || *address == '"' ||
		    *address == '\\')
			return false;
	}
	return true;
}

bool
recipients_is(const char *address, const char *key)
{
	struct sbuf other = {0};
	bool is_same;

	if (is_plain(address) && is_plain(key))
		return strcasecmp(address, key) == 0;
	is_same = address_key(address, &other) == 0 &&
	    strcmp(sbuf_str(&other), key) == 0;
	sbuf_free(&other);
	return is_same;
}

int
recipients_has(int fd, const char *key)
{
	struct rcpt_reader r = {0};
	int rc, found = 0;

	rc = begin(&r, fd);
	while (rc != -1 && !found && (rc = next(&r)) == 1)
		found = recipients_is(sbuf_str(&r.address), key);
	rcpt_read_free(&r);
	return rc == -1 ? -1 : found;
}

static void
show(struct table *t, const struct rcpt_reader *r)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 32 : t->cap * 2;
		t->items = xreallocarray(t->items, t->cap, sizeof(*t->items));
	}
	t->items[t->n++] = (struct shown){.line = r->line, .state = r->state,
		.address = xstrdup(sbuf_str(&r->address))};
}

/* Of a large list, those that did not get it (yet) come first. */
static int
choose(int fd, const struct recipients_query *query, struct table *t)
{
	struct recipients_count count;
	struct rcpt_reader r = {0};
	bool is_large;
	int rc;

	if (recipients_count(fd, &count) == -1)
		return -1;
	is_large = query->key == NULL && !query->is_all &&
	    count.total > RECIPIENTS_SHOWN;
	rc = begin(&r, fd);
	while (rc != -1 && (rc = next(&r)) == 1) {
		if (query->key != NULL &&
		    !recipients_is(sbuf_str(&r.address), query->key))
			continue;
		if (is_large && (t->n == RECIPIENTS_SHOWN ||
		    (r.state == RCPT_DONE && count.done < count.total)))
			t->left_out++;
		else
			show(t, &r);
	}
	rcpt_read_free(&r);
	return rc;
}

static int
compare_line(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

/* Hang the attempts that are spoken of to who is shown. */
static void
read_attempts(struct table *t, struct sbuf *results)
{
	char *line = results->data, *end;
	struct shown key = {.line = 0}, *found;
	struct attempt *attempt;
	struct result result;
	size_t i;

	for (i = 0; i < t->n; i++)
		t->items[i].last = &t->items[i].first;
	while (t->n > 0 && line != NULL && (end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (result_parse(line, &result) == 0) {
			key.line = result.line;
			found = bsearch(&key, t->items, t->n, sizeof(key),
			    compare_line);
			if (found != NULL) {
				attempt = xcalloc(1, sizeof(*attempt));
				attempt->result = result;
				*found->last = attempt;
				found->last = &attempt->next;
			}
		}
		line = end + 1;
	}
}

static void
print_attempt(const struct result *r)
{
	char when[CLOCK_RFC3339_SIZE];
	struct sbuf text = {0};

	clock_format(r->time, when);
	printf("        %s  %s", when, r->state == RCPT_TODO ? "deferred" :
	    state_name(r->state));
	if (*r->relay != '\0') {
		esc_decode(&text, r->relay, strlen(r->relay));
		fputs(" by ", stdout);
		out_text(stdout, sbuf_str(&text));
	}
	if (r->code != 0)
		printf(": %d", r->code);
	if (*r->status != '\0')
		printf(" %s", r->status);
	sbuf_set(&text, "");
	esc_decode(&text, r->reply, strlen(r->reply));
	fputs(r->code != 0 || *r->reply == '\0' ? " " : ": ", stdout);
	out_text(stdout, sbuf_str(&text));
	putchar('\n');
	sbuf_free(&text);
}

static void
print_text(const struct table *t)
{
	const struct attempt *a;
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct shown *s = &t->items[i];

		fputs("    ", stdout);
		out_cell(stdout, s->address, 36, 0);
		out_color(s->state == RCPT_DONE ? OUT_GOOD :
		    s->state == RCPT_TODO ? OUT_WARN : OUT_BAD);
		printf("  %s", state_name(s->state));
		out_color(OUT_PLAIN);
		putchar('\n');
		for (a = s->first; a != NULL; a = a->next)
			print_attempt(&a->result);
	}
	if (t->left_out > 0)
		printf("    ... and %lu more; --all shows them\n", t->left_out);
}

static void
json_text(struct json *j, const char *key, const char *escaped)
{
	struct sbuf text = {0};

	esc_decode(&text, escaped, strlen(escaped));
	json_string(j, key, sbuf_str(&text));
	sbuf_free(&text);
}

static void
print_json(const struct table *t, struct json *j)
{
	const struct attempt *a;
	size_t i;

	json_array(j, "recipients");
	for (i = 0; i < t->n; i++) {
		json_object(j, NULL);
		json_string(j, "address", t->items[i].address);
		json_string(j, "state", state_name(t->items[i].state));
		json_array(j, "attempts");
		for (a = t->items[i].first; a != NULL; a = a->next) {
			json_object(j, NULL);
			json_time(j, "time", a->result.time);
			json_string(j, "state", a->result.state == RCPT_TODO ?
			    "deferred" : state_name(a->result.state));
			json_text(j, "relay", a->result.relay);
			json_number(j, "code", a->result.code);
			json_string(j, "status", a->result.status);
			json_text(j, "reply", a->result.reply);
			json_close(j, '}');
		}
		json_close(j, ']');
		json_close(j, '}');
	}
	json_close(j, ']');
	json_number(j, "recipients_left_out", (long long)t->left_out);
}

static void
free_table(struct table *t)
{
	struct attempt *a, *after;
	size_t i;

	for (i = 0; i < t->n; i++) {
		for (a = t->items[i].first; a != NULL; a = after) {
			after = a->next;
			free(a);
		}
		free(t->items[i].address);
	}
	free(t->items);
}

int
recipients_print(int fd, struct sbuf *results,
    const struct recipients_query *query, struct json *j)
{
	struct table t = {0};
	int rc;

	rc = choose(fd, query, &t);
	if (rc != -1) {
		read_attempts(&t, results);
		if (j != NULL)
			print_json(&t, j);
		else
			print_text(&t);
	}
	free_table(&t);
	return rc;
}
