/* SPDX-License-Identifier: BSD-2-Clause
 *
 * queue - what waits where: all queues in numbers, or one entry by entry
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "runners/septet/counts.h"
#include "runners/septet/foreign.h"
#include "runners/septet/look.h"
#include "runners/septet/story.h"

static const enum spool_place places[] = {SPOOL_NEW, SPOOL_CUR, SPOOL_LATER,
	SPOOL_HELD, SPOOL_DEAD};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

/* ---- all queues -------------------------------------------------------- */

static void
print_counts(const char *queue, const struct counts *counts)
{
	char age[16] = "-";
	enum spool_place place;
	size_t i;

	printf("%-14s", queue);
	for (i = 0; i < N_PLACES; i++) {
		place = places[i];
		if (counts->n[place] > 0 && place == SPOOL_DEAD)
			out_color(OUT_BAD);
		else if (counts->n[place] > 0 && place == SPOOL_HELD)
			out_color(OUT_WARN);
		printf("%8lu", counts->n[place]);
		if (counts->n[place] > 0 && place >= SPOOL_HELD &&
		    place <= SPOOL_DEAD)
			out_color(OUT_PLAIN);
	}
	if (counts->oldest != 0)
		out_age(clock_ms() - counts->oldest, age);
	printf("  %8s\n", age);
}

static void
print_counts_json(struct json *j, const char *queue,
    const struct counts *counts)
{
	size_t i;

	json_object(j, NULL);
	json_string(j, "queue", queue);
	for (i = 0; i < N_PLACES; i++)
		json_number(j, spool_place_name(places[i]),
		    (long long)counts->n[places[i]]);
	json_time(j, "oldest", counts->oldest);
	json_time(j, "next_due", counts->next_due);
	json_close(j, '}');
}

static int
all_queues(struct cli *c)
{
	struct counts counts;
	struct json j;
	size_t i;
	int code = 0;

	json_begin(&j, stdout);
	if (c->is_json)
		json_array(&j, NULL);
	else
		printf("%-14s%8s%8s%8s%8s%8s  %8s\n", "queue", "new", "cur",
		    "later", "held", "dead", "oldest");
	for (i = 0; i < c->site->n_queues; i++) {
		const char *queue = c->site->queues[i].name;

		if (counts_read(c, queue, &counts) == -1)
			code = cli_errno("%s/%s", c->site->spool, queue);
		else if (c->is_json)
			print_counts_json(&j, queue, &counts);
		else
			print_counts(queue, &counts);
	}
	if (c->is_json) {
		json_close(&j, ']');
		json_end(&j);
	}
	return code;
}

/* ---- one queue --------------------------------------------------------- */

struct listing {
	struct cli *c;
	struct json j;
	const char *queue;
	struct sbuf path;
	struct sbuf why;
	struct foreign foreign; /* of the entry at hand, where is_foreign */
	bool is_foreign;
	unsigned long n;
};

/* Whose list, from whom, about what: of a foreign file what it says itself. */
static void
list_mail(const struct listing *l, const struct envelope *env)
{
	const char *subject = envelope_get(env, "Subject");
	const char *list = envelope_get(env, "List");
	const char *from = look_from(env);

	if (list == NULL)
		list = envelope_get(env, "Rcpt-To");
	if (story_is_about(env, "Subject"))
		from = "notice about:";
	if (l->is_foreign) {
		list = l->foreign.to.len > 0 ? l->foreign.to.data : NULL;
		from = sbuf_str(&l->foreign.from);
		subject = l->foreign.subject.len > 0 ?
		    l->foreign.subject.data : NULL;
	}
	out_cell(stdout, list == NULL ? "-" : list, 24, 0);
	putchar(' ');
	out_cell(stdout, from, 24, 0);
	putchar(' ');
	out_cell(stdout, subject == NULL ? "-" : subject, 0, 60);
}

static void
list_text(struct listing *l, enum spool_place place, const char *id,
    const struct envelope *env)
{
	char age[16] = "-";
	int64_t created = look_created(id);

	if (created != 0 && created <= clock_ms())
		out_age(clock_ms() - created, age);
	out_cell(stdout, id, 24, 0);
	printf(" %-5s ", spool_place_name(place));
	out_cell(stdout, age, -6, 0);
	fputs("  ", stdout);
	if (env != NULL)
		list_mail(l, env);
	putchar('\n');
	if (l->why.len > 0) {
		fputs("    ", stdout);
		out_color(place == SPOOL_DEAD ? OUT_BAD : OUT_DIM);
		out_text(stdout, l->why.data);
		out_color(OUT_PLAIN);
		putchar('\n');
	}
	if (l->is_foreign)
		foreign_print(&l->foreign, false);
}

static void
list_json(struct listing *l, enum spool_place place, const char *id,
    const struct envelope *env)
{
	struct json *j = &l->j;
	bool is_notice = env != NULL && story_is_about(env, "Subject");

	json_object(j, NULL);
	json_string(j, "id", id);
	json_string(j, "queue", l->queue);
	json_string(j, "place", spool_place_name(place));
	json_time(j, "created", look_created(id));
	if (env != NULL) {
		json_string(j, "list", envelope_get(env, "List"));
		json_string(j, "role", envelope_get(env, "Role"));
		json_string(j, "from", is_notice || *look_from(env) == '\0' ?
		    NULL : look_from(env));
		json_string(j, "subject", is_notice ? NULL :
		    envelope_get(env, "Subject"));
		json_string(j, "message_id",
		    story_is_about(env, "Message-Id") ? NULL :
		    envelope_get(env, "Message-Id"));
		json_string(j, "about", envelope_get(env, "About"));
		json_time(j, "due", place == SPOOL_LATER ?
		    envelope_last(env)->due : 0);
	}
	json_string(j, "why", l->why.len > 0 ? l->why.data : NULL);
	foreign_json(l->is_foreign ? &l->foreign : NULL, j);
	json_close(j, '}');
}

static void
list_one(struct listing *l, enum spool_place place, const char *name,
    const char *folder)
{
	struct envelope env;
	char id[ID_SIZE];
	bool is_entry;
	int rc;

	sbuf_set(&l->path, l->queue);
	sbuf_printf(&l->path, "/%s/%s%s%s", spool_place_name(place), folder,
	    *folder == '\0' ? "" : "/", name);
	is_entry = look_name(name, id);
	rc = -1;
	if (is_entry)
		rc = look_envelope(l->c, l->path.data, &env, &l->why);
	else
		sbuf_set(&l->why, "not an entry");
	/* Handled while we looked, or spoken of by the entry beside it. */
	if (rc == 0 || (place == SPOOL_DEAD && strchr(name, '+') != NULL))
		return;
	if (rc == 1)
		look_why(&env, place, &l->why);
	l->is_foreign = rc == 1 && place == SPOOL_DEAD &&
	    foreign_read(l->c, l->queue, id, &env, &l->foreign);
	l->n++;
	if (l->c->is_json)
		list_json(l, place, is_entry ? id : name,
		    rc == 1 ? &env : NULL);
	else
		list_text(l, place, is_entry ? id : name,
		    rc == 1 ? &env : NULL);
	if (rc == 1)
		envelope_free(&env);
}

static int
list_place(struct listing *l, enum spool_place place)
{
	struct spool_scan *scan;
	const char *name, *folder;
	int rc;

	scan = spool_scan_open(l->c->spool, l->queue, place, INT64_MAX);
	if (scan == NULL)
		return cli_errno("%s/%s/%s", l->c->site->spool, l->queue,
		    spool_place_name(place));
	while ((rc = spool_scan_next(scan, &name, &folder)) == 1)
		list_one(l, place, name, folder);
	spool_scan_close(&scan);
	return rc == -1 ? cli_errno("%s/%s", l->c->site->spool, l->queue) : 0;
}

static int
one_queue(struct cli *c, const char *name)
{
	struct listing l = {.c = c, .queue = name};
	size_t i;
	int code = 0;

	json_begin(&l.j, stdout);
	if (c->is_json)
		json_array(&l.j, NULL);
	for (i = 0; code == 0 && i < N_PLACES; i++)
		code = list_place(&l, places[i]);
	if (c->is_json) {
		json_close(&l.j, ']');
		json_end(&l.j);
	} else if (code == 0 && l.n == 0) {
		printf("%s is empty\n", name);
	}
	foreign_free(&l.foreign);
	sbuf_free(&l.path);
	sbuf_free(&l.why);
	return code;
}

int
queue_run(struct cli *c, int argc, char **argv)
{
	int code;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){0, 1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_SPOOL);
	if (code != 0)
		return code;
	if (argc == 0)
		return all_queues(c);
	if (site_queue(c->site, argv[1]) == NULL)
		return cli_fail(EXIT_DATA, "%s: no such queue; septet queue "
		    "names them", argv[1]);
	return one_queue(c, argv[1]);
}
