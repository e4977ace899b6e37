/* SPDX-License-Identifier: BSD-2-Clause
 *
 * show - one entry: where it stands, what it is, what it went through
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/system/fsutil.h"
#include "runners/septet/foreign.h"
#include "runners/septet/look.h"
#include "runners/septet/recipients.h"
#include "runners/septet/story.h"

static int
show_raw(struct cli *c, const struct look *l)
{
	struct sbuf bytes = {0};
	int code = 0;

	if (fs_read(spool_dir(c->spool), l->path.data, ENVELOPE_MAX,
	    &bytes) == 0)
		fwrite(bytes.data, 1, bytes.len, stdout);
	else
		code = cli_errno("%s", l->path.data);
	sbuf_free(&bytes);
	return code;
}

/* The states of its recipients in a line; empty where it has no list. */
static void
read_summary(const struct cli *c, const char *id, struct sbuf *out)
{
	struct recipients_count count;
	struct sbuf path = {0};
	int fd;

	sbuf_set(out, "");
	sbuf_printf(&path, "rcpt/%s", id);
	fd = fs_open_regular(spool_dir(c->spool), path.data, O_RDONLY, NULL);
	if (fd != -1 && recipients_count(fd, &count) == 0)
		recipients_summary(&count, out);
	else if (errno != ENOENT)
		sbuf_printf(out, "not readable: %s", strerror(errno));
	io_close(&fd);
	sbuf_free(&path);
}

static void
show_text(const struct cli *c, const struct look *l,
    const struct envelope *env)
{
	struct foreign foreign = {.name = {0}};
	struct sbuf text = {0};
	char age[16];

	look_where(l, &text);
	out_age(clock_ms() - look_created(l->id), age);
	printf("%s stands in %s, %s old\n", l->id, text.data, age);
	look_why(env, l->place, &text);
	if (text.len > 0) {
		fputs("  ", stdout);
		out_color(l->place == SPOOL_DEAD ? OUT_BAD : OUT_WARN);
		out_text(stdout, text.data);
		out_color(OUT_PLAIN);
		putchar('\n');
	}
	if (l->place == SPOOL_DEAD &&
	    foreign_read(c, l->queue, l->id, env, &foreign))
		foreign_print(&foreign, true);
	foreign_free(&foreign);
	story_facts(env);
	read_summary(c, l->id, &text);
	if (text.len > 0)
		printf("  %-13s %s\n", "recipients", text.data);
	story_steps(env, true);
	sbuf_free(&text);
}

static void
show_json(const struct cli *c, const struct look *l,
    const struct envelope *env)
{
	struct foreign foreign = {.name = {0}};
	struct sbuf text = {0};
	struct json j;
	bool is_foreign;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_string(&j, "id", l->id);
	json_string(&j, "queue", l->queue);
	json_string(&j, "place", spool_place_name(l->place));
	json_time(&j, "created", look_created(l->id));
	look_why(env, l->place, &text);
	json_string(&j, "why", text.len > 0 ? text.data : NULL);
	read_summary(c, l->id, &text);
	json_string(&j, "recipients", text.len > 0 ? text.data : NULL);
	is_foreign = l->place == SPOOL_DEAD &&
	    foreign_read(c, l->queue, l->id, env, &foreign);
	foreign_json(is_foreign ? &foreign : NULL, &j);
	foreign_free(&foreign);
	story_json(env, true, &j);
	json_close(&j, '}');
	json_end(&j);
	sbuf_free(&text);
}

static int
show_entry(struct cli *c, const struct look *l)
{
	struct sbuf why = {0};
	struct envelope env;
	int rc, code = 0;

	rc = look_envelope(c, l->path.data, &env, &why);
	if (rc == 1) {
		if (c->is_json)
			show_json(c, l, &env);
		else
			show_text(c, l, &env);
		envelope_free(&env);
	} else if (rc == 0) {
		code = cli_fail(EXIT_TEMPORARY, "%s: moves just now; ask again",
		    l->id);
	} else {
		code = cli_fail(EXIT_DATA, "%s: %s", l->path.data, why.data);
	}
	sbuf_free(&why);
	return code;
}

int
show_run(struct cli *c, int argc, char **argv)
{
	struct look l = {.queue = NULL};
	bool is_raw = false;
	const struct cli_option options[] = {
		{.name = "raw", .flag = &is_raw},
		{.name = NULL},
	};
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){1, 1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_SPOOL);
	if (code == 0)
		code = look_find(c, argv[1], &l);
	if (code == LOOK_ABSENT)
		code = look_absent(argv[1]);
	else if (code == 0)
		code = is_raw ? show_raw(c, &l) : show_entry(c, &l);
	look_free(&l);
	return code;
}
