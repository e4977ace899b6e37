/* SPDX-License-Identifier: BSD-2-Clause
 *
 * log - the last lines of the site's log file, and those that come
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/xalloc.h"
#include "runners/septet/septet.h"

#define LINES 20
#define LINES_MAX 1000000
#define CHUNK_FIRST (64 * 1024)
/* A file that was put in the log's place is found after this. */
#define ROTATED_MS 2000

struct tail {
	const char *path;
	const char *filter;
	FILE *file;
	char **lines;           /* a ring of those to be printed */
	size_t max, n, at;
	char *line;
	size_t cap;
};

static bool
is_wanted(const struct tail *t)
{
	return t->filter == NULL || strstr(t->line, t->filter) != NULL;
}

/* Keep the last max wanted lines from an offset on. */
static int
read_from(struct tail *t, off_t from)
{
	if (fseeko(t->file, from, SEEK_SET) == -1)
		return -1;
	/* The line in which the offset lies is not whole. */
	if (from > 0 && getline(&t->line, &t->cap, t->file) == -1)
		return ferror(t->file) ? -1 : 0;
	t->n = t->at = 0;
	while (getline(&t->line, &t->cap, t->file) != -1) {
		if (!is_wanted(t))
			continue;
		free(t->lines[t->at]);
		t->lines[t->at] = xstrdup(t->line);
		t->at = (t->at + 1) % t->max;
		t->n += t->n < t->max;
	}
	return ferror(t->file) ? -1 : 0;
}

/* Read from near the end, further back until there are lines enough: the work
 * is at most twice what is needed. */
static int
find_last(struct tail *t)
{
	off_t back = CHUNK_FIRST, from;
	struct stat st;

	if (fstat(fileno(t->file), &st) == -1)
		return -1;
	do {
		from = st.st_size > back ? st.st_size - back : 0;
		if (read_from(t, from) == -1)
			return -1;
		back *= 2;
	} while (t->n < t->max && from > 0);
	return 0;
}

/* A line of the log has no byte that acts on a terminal; a file that somebody
 * wrote to by hand may. */
static void
print_line(const char *line)
{
	size_t n = strcspn(line, "\n");
	char *text = xstrndup(line, n);
	const char *level = strchr(text, ' ');
	enum out_color color = OUT_PLAIN;

	level = level == NULL ? NULL : strchr(level + 1, ' ');
	if (level != NULL && strncmp(level, " error ", 7) == 0)
		color = OUT_BAD;
	else if (level != NULL && strncmp(level, " warn ", 6) == 0)
		color = OUT_WARN;
	if (color != OUT_PLAIN)
		out_color(color);
	out_text(stdout, text);
	if (color != OUT_PLAIN)
		out_color(OUT_PLAIN);
	putchar('\n');
	free(text);
}

static void
print_ring(const struct tail *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		print_line(t->lines[(t->at + t->max - t->n + i) % t->max]);
}

/* Is another file in the log's place now?  Then go on with that. */
static void
reopen(struct tail *t)
{
	struct stat here, there;
	FILE *file;

	if (fstat(fileno(t->file), &here) == -1 ||
	    stat(t->path, &there) == -1)
		return;
	if (here.st_ino == there.st_ino && here.st_dev == there.st_dev) {
		if (there.st_size < ftello(t->file))
			rewind(t->file);
		return;
	}
	file = fopen(t->path, "re");
	if (file == NULL)
		return;
	fclose(t->file);
	t->file = file;
}

static void
print_new(struct tail *t)
{
	off_t start;

	clearerr(t->file);
	for (;;) {
		start = ftello(t->file);
		if (getline(&t->line, &t->cap, t->file) == -1)
			break;
		/* Half a line: its rest comes. */
		if (strchr(t->line, '\n') == NULL) {
			(void)!fseeko(t->file, start, SEEK_SET);
			break;
		}
		if (is_wanted(t))
			print_line(t->line);
	}
	fflush(stdout);
}

static int
follow(struct tail *t)
{
	struct pollfd fds = {.events = POLLIN};
	char events[4096];
	int watch = -1;

	fds.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	for (;;) {
		if (fds.fd != -1 && watch == -1)
			watch = inotify_add_watch(fds.fd, t->path, IN_MODIFY |
			    IN_MOVE_SELF | IN_DELETE_SELF);
		print_new(t);
		if (ferror(stdout))
			return 0;
		if (poll(&fds, 1, ROTATED_MS) > 0) {
			while (read(fds.fd, events, sizeof(events)) > 0)
				;
			continue;
		}
		print_new(t);
		reopen(t);
		if (watch != -1)
			(void)inotify_rm_watch(fds.fd, watch);
		watch = -1;
	}
}

static int
show_log(struct tail *t, bool is_following)
{
	size_t i;
	int code = 0;

	t->file = fopen(t->path, "re");
	if (t->file == NULL && errno == ENOENT)
		return cli_fail(EXIT_DATA, "%s: nothing was logged yet",
		    t->path);
	if (t->file == NULL)
		return cli_errno("%s", t->path);
	t->lines = xcalloc(t->max, sizeof(char *));
	if (find_last(t) == -1)
		code = cli_errno("%s", t->path);
	else
		print_ring(t);
	if (code == 0 && is_following)
		code = follow(t);
	for (i = 0; i < t->max; i++)
		free(t->lines[i]);
	free(t->lines);
	free(t->line);
	fclose(t->file);
	return code;
}

int
log_run(struct cli *c, int argc, char **argv)
{
	struct tail t = {.max = LINES};
	const char *count = NULL;
	bool is_following = false;
	const struct cli_option options[] = {
		{.name = "follow", .letter = 'f', .flag = &is_following},
		{.name = "lines", .letter = 'n', .value = &count},
		{.name = NULL},
	};
	char *end;
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){0, 1});
	if (code != 0)
		return code - 1;
	if (count != NULL) {
		t.max = strtoul(count, &end, 10);
		if (*end != '\0' || t.max < 1 || t.max > LINES_MAX)
			return cli_usage(c, "-n %s: a number from 1 to %d",
			    count, LINES_MAX);
	}
	code = cli_open(c, 0);
	if (code != 0)
		return code;
	if (c->site->log == NULL)
		return cli_fail(EXIT_DATA, "%s: there is no log: file; the log "
		    "is the supervisor's standard error (journalctl -u septet)",
		    c->site->file);
	t.path = c->site->log;
	t.filter = argc > 0 ? argv[1] : NULL;
	return show_log(&t, is_following);
}
