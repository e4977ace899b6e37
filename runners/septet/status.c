/* SPDX-License-Identifier: BSD-2-Clause
 *
 * status - is everything well?  Supervisor, runners, queues, space
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/esc.h"
#include "common/system/fsutil.h"
#include "common/system/lock.h"
#include "runners/septet/check.h"
#include "runners/septet/counts.h"
#include "runners/septet/look.h"

#define LOCK "supervisor.lock"
#define STATUS "supervisor.status"
#define STATUS_MAX ((size_t)1024 * 1024)
#define EXIT_ATTENTION 1
/* Lists looked at, and broken ones named. */
#define LISTS_MAX 10000
#define BROKEN_SHOWN 10

struct status {
	struct cli *c;
	struct json j;
	bool is_running;
	struct sbuf text;       /* of the supervisor's file */
	unsigned long broken;   /* lists */
	struct strv alarms;
	struct strv warnings;   /* shown like alarms, but no cause for one */
};

static void __attribute__((format(printf, 2, 3)))
alarm_add(struct status *s, const char *fmt, ...)
{
	struct sbuf text = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	strv_add(&s->alarms, sbuf_str(&text));
	sbuf_free(&text);
}

static void __attribute__((format(printf, 2, 3)))
warning_add(struct status *s, const char *fmt, ...)
{
	struct sbuf text = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	strv_add(&s->warnings, sbuf_str(&text));
	sbuf_free(&text);
}

/* ---- supervisor and runners -------------------------------------------- */

static int
read_supervisor(struct status *s)
{
	int dir = spool_dir(s->c->spool), is_free;

	is_free = lock_is_free(dir, LOCK);
	if (is_free == -1)
		return cli_errno("%s/%s", s->c->site->spool, LOCK);
	s->is_running = is_free == 0;
	if (!s->is_running)
		alarm_add(s, "the supervisor does not run; septet-supervisor "
		    "starts it");
	if (s->is_running && fs_read(dir, STATUS, STATUS_MAX, &s->text) == -1 &&
	    errno != ENOENT)
		return cli_errno("%s/%s", s->c->site->spool, STATUS);
	return 0;
}

/* The value of "last-error: " in a runner's status file, or "". */
static void
read_last_error(struct status *s, const char *queue, const char *instance,
    struct sbuf *out)
{
	static const char name[] = "\nlast-error: ";
	struct sbuf path = {0}, text = {0};
	const char *p;

	sbuf_set(out, "");
	sbuf_printf(&path, "%s/status/%s", queue, instance);
	if (fs_read(spool_dir(s->c->spool), path.data, STATUS_MAX, &text) ==
	    0 && (p = strstr(text.data, name)) != NULL) {
		p += sizeof(name) - 1;
		sbuf_add(out, p, strcspn(p, "\n"));
	}
	sbuf_free(&path);
	sbuf_free(&text);
}

struct service {
	struct sbuf name, state, queue, since, last_error;
	long long pid, restarts;
};

static void
parse_service(struct status *s, const char *line, struct service *v)
{
	sbuf_set(&v->last_error, "");
	kv_head(line, &v->name);
	if (kv_get(line, "state", &v->state) != 1)
		sbuf_set(&v->state, "?");
	if (kv_get(line, "queue", &v->queue) != 1)
		sbuf_set(&v->queue, "-");
	if (kv_get(line, "since", &v->since) != 1)
		sbuf_set(&v->since, "");
	if (kv_getn(line, "pid", &v->pid) != 1)
		v->pid = 0;
	if (kv_getn(line, "restarts", &v->restarts) != 1)
		v->restarts = 0;
	if (site_queue(s->c->site, sbuf_str(&v->queue)) != NULL &&
	    fs_is_name(sbuf_str(&v->name)))
		read_last_error(s, v->queue.data, v->name.data,
		    &v->last_error);
}

static void
judge_service(struct status *s, const struct service *v)
{
	if (strcmp(v->state.data, "failed") == 0)
		alarm_add(s, "%s has failed: its config is wrong; septet check "
		    "says more, then reload", v->name.data);
	else if (strcmp(v->state.data, "backoff") == 0)
		alarm_add(s, "%s ends again and again (restarts: %lld); see "
		    "septet log %s", v->name.data, v->restarts, v->name.data);
	if (v->last_error.len > 0)
		alarm_add(s, "%s: %s", v->name.data, v->last_error.data);
}

static void
print_service(struct status *s, const struct service *v)
{
	if (s->c->is_json) {
		json_object(&s->j, NULL);
		json_string(&s->j, "name", v->name.data);
		json_string(&s->j, "state", v->state.data);
		json_string(&s->j, "queue", strcmp(v->queue.data, "-") == 0 ?
		    NULL : v->queue.data);
		json_string(&s->j, "since", v->since.len > 0 ?
		    v->since.data : NULL);
		json_number(&s->j, "pid", v->pid);
		json_number(&s->j, "restarts", v->restarts);
		json_string(&s->j, "last_error", v->last_error.len > 0 ?
		    v->last_error.data : NULL);
		json_close(&s->j, '}');
		return;
	}
	out_cell(stdout, v->name.data, 16, 0);
	out_color(strcmp(v->state.data, "up") == 0 ? OUT_GOOD : OUT_WARN);
	out_cell(stdout, v->state.data, 11, 0);
	out_color(OUT_PLAIN);
	printf("pid %-8lld since ", v->pid);
	out_text(stdout, v->since.data);
	if (v->restarts > 0)
		printf(", %lld restart%s", v->restarts,
		    v->restarts == 1 ? "" : "s");
	putchar('\n');
}

static void
each_service(struct status *s)
{
	char *line = s->text.data, *end;
	struct service v = {.pid = 0};

	if (s->c->is_json)
		json_array(&s->j, "services");
	while (line != NULL && (end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		parse_service(s, line, &v);
		judge_service(s, &v);
		print_service(s, &v);
		line = end + 1;
	}
	if (s->c->is_json)
		json_close(&s->j, ']');
	sbuf_free(&v.name);
	sbuf_free(&v.state);
	sbuf_free(&v.queue);
	sbuf_free(&v.since);
	sbuf_free(&v.last_error);
}

/* ---- queues ------------------------------------------------------------- */

static void
print_queue(struct status *s, const char *queue, const struct counts *n)
{
	unsigned long waiting = n->n[SPOOL_NEW] + n->n[SPOOL_CUR];
	char age[16];

	if (s->c->is_json) {
		json_object(&s->j, NULL);
		json_string(&s->j, "queue", queue);
		json_number(&s->j, "waiting", (long long)waiting);
		json_number(&s->j, "later", (long long)n->n[SPOOL_LATER]);
		json_number(&s->j, "held", (long long)n->n[SPOOL_HELD]);
		json_number(&s->j, "dead", (long long)n->n[SPOOL_DEAD]);
		json_time(&s->j, "oldest", n->oldest);
		json_close(&s->j, '}');
		return;
	}
	printf("%-16s%lu waiting, %lu deferred, %lu held, %lu dead", queue,
	    waiting, n->n[SPOOL_LATER], n->n[SPOOL_HELD], n->n[SPOOL_DEAD]);
	if (n->oldest != 0) {
		out_age(clock_ms() - n->oldest, age);
		printf("; the oldest is %s old", age);
	}
	putchar('\n');
}

static void
each_queue(struct status *s)
{
	struct counts counts;
	size_t i;

	if (s->c->is_json)
		json_array(&s->j, "queues");
	for (i = 0; i < s->c->site->n_queues; i++) {
		const struct site_queue *queue = &s->c->site->queues[i];

		if (counts_read(s->c, queue->name, &counts) == -1) {
			alarm_add(s, "%s/%s: %s; septet check says more",
			    s->c->site->spool, queue->name, strerror(errno));
			continue;
		}
		print_queue(s, queue->name, &counts);
		if (counts.n[SPOOL_DEAD] > 0)
			alarm_add(s, "%lu dead in %s; septet queue %s says why",
			    counts.n[SPOOL_DEAD], queue->name, queue->name);
		if (queue->instances == 0 && counts.n[SPOOL_NEW] > 0)
			alarm_add(s, "%lu wait in %s, which has no runner "
			    "(instances: 0)", counts.n[SPOOL_NEW], queue->name);
	}
	if (s->c->is_json)
		json_close(&s->j, ']');
}

/* ---- lists -------------------------------------------------------------- */

/* One that is broken takes no mail, and nor do unknown addresses of its domain:
 * the MTA keeps it all, and nothing here waits that would tell. */
static void
look_at_list(struct status *s, const char *name)
{
	struct conf_errors errors = {{0}};
	struct sbuf dir = {0};
	struct list *list;

	sbuf_printf(&dir, "%s/%s", s->c->site->lists, name);
	list = list_load(s->c->site, dir.data, &errors);
	if (list == NULL && s->broken++ < BROKEN_SHOWN)
		alarm_add(s, "list %s: %s", name, errors.lines.n > 0 ?
		    errors.lines.items[0] : strerror(errno));
	list_free(&list);
	conf_errors_free(&errors);
	sbuf_free(&dir);
}

static void
each_list(struct status *s)
{
	struct lists *lists = lists_open(s->c->site);
	struct strv names = {0};
	size_t i;

	if (lists == NULL || lists_names(lists, &names) == -1)
		alarm_add(s, "%s: %s", s->c->site->lists, strerror(errno));
	for (i = 0; i < names.n && i < LISTS_MAX; i++)
		look_at_list(s, names.items[i]);
	if (s->broken > BROKEN_SHOWN)
		alarm_add(s, "%lu more lists are broken; septet check says why",
		    s->broken - BROKEN_SHOWN);
	if (names.n > LISTS_MAX)
		warning_add(s, "only %d of %zu lists were looked at; septet "
		    "check looks at all", LISTS_MAX, names.n);
	if (s->c->is_json)
		json_number(&s->j, "lists", (long long)names.n);
	else
		printf("%-16s%zu\n", "lists", names.n);
	strv_free(&names);
	if (lists != NULL)
		lists_close(&lists);
}

static void
check_space(struct status *s)
{
	unsigned long long bytes;
	char size[16];

	if (fs_free_bytes(spool_dir(s->c->spool), &bytes) == -1) {
		alarm_add(s, "%s: %s", s->c->site->spool, strerror(errno));
		return;
	}
	out_size(bytes, size);
	if (s->c->is_json)
		json_number(&s->j, "free_bytes", (long long)bytes);
	else
		printf("%-16s%s free\n", "spool", size);
	if (bytes < s->c->site->low_space)
		alarm_add(s, "space is low at %s: %s; no mail is taken in",
		    s->c->site->spool, size);
}

static void
print_lines(const struct strv *lines, enum out_color color)
{
	size_t i;

	out_color(color);
	for (i = 0; i < lines->n; i++) {
		fputs("! ", stdout);
		out_text(stdout, lines->items[i]);
		putchar('\n');
	}
	out_color(OUT_PLAIN);
}

static void
print_alarms(struct status *s)
{
	if (s->c->is_json) {
		json_strings(&s->j, "alarms", &s->alarms);
		json_strings(&s->j, "warnings", &s->warnings);
		json_bool(&s->j, "ok", s->alarms.n == 0);
		return;
	}
	print_lines(&s->alarms, OUT_BAD);
	print_lines(&s->warnings, OUT_WARN);
	if (s->alarms.n > 0)
		return;
	out_color(OUT_GOOD);
	puts(s->warnings.n == 0 ? "all is well" : "all is well but for that");
	out_color(OUT_PLAIN);
}

static int
tell(struct status *s)
{
	int code = read_supervisor(s);

	if (code != 0)
		return code;
	json_begin(&s->j, stdout);
	if (s->c->is_json) {
		json_object(&s->j, NULL);
		json_string(&s->j, "site", s->c->site->name);
		json_bool(&s->j, "running", s->is_running);
	}
	each_service(s);
	each_queue(s);
	each_list(s);
	if (check_is_root(s->c->site))
		warning_add(s, CHECK_ROOT, s->c->site->file);
	check_space(s);
	print_alarms(s);
	if (s->c->is_json) {
		json_close(&s->j, '}');
		json_end(&s->j);
	}
	return s->alarms.n == 0 ? EXIT_OK : EXIT_ATTENTION;
}

int
status_run(struct cli *c, int argc, char **argv)
{
	struct status s = {.c = c};
	int code;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){0, 0});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_SPOOL);
	if (code == 0)
		code = tell(&s);
	sbuf_free(&s.text);
	strv_free(&s.alarms);
	strv_free(&s.warnings);
	return code;
}
