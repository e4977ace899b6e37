/* SPDX-License-Identifier: BSD-2-Clause
 *
 * list - make, show and remove lists
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/domain/roster.h"
#include "runners/septet/look.h"
#include "runners/septet/septet.h"

/* Mail for a new list is refused, and for one that is gone taken, until the
 * MTA hears of it. */
static const char remind[] = "where an MTA has a table of addresses, make it "
    "anew: septet maps";

int
list_create_run(struct cli *c, int argc, char **argv)
{
	struct strv owners = {0};
	const struct cli_option options[] = {
		{.name = "owner", .values = &owners},
		{.name = NULL},
	};
	struct sbuf why = {0}, address = {0};
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){1, 1});
	if (code != 0) {
		strv_free(&owners);
		return code - 1;
	}
	if (owners.n == 0) {
		code = cli_usage(c, "--owner is missing");
	} else if ((code = cli_open(c, CLI_LISTS)) == 0) {
		cli_address(c, argv[1], &address);
		if (lists_create(c->lists, address.data, &owners, &why) == 0)
			printf("%s\n%s\n", address.data, remind);
		else if (errno == EEXIST)
			code = cli_fail(EXIT_DATA, "%s: there is such a list "
			    "already", address.data);
		else if (why.len > 0)
			code = cli_fail(EXIT_DATA, "%s", why.data);
		else
			code = cli_errno("list %s", address.data);
	}
	sbuf_free(&why);
	sbuf_free(&address);
	strv_free(&owners);
	return code;
}

/* How many members; -1 where the roster cannot be read. */
static long long
count_members(const struct list *list)
{
	struct roster *roster = roster_open(list->dir, STORE_READ);
	long long n = -1;

	if (roster != NULL)
		n = roster_count(roster);
	roster_close(&roster);
	return n;
}

static void
json_count(struct json *j, long long members)
{
	if (members == -1)
		json_string(j, "members", NULL);
	else
		json_number(j, "members", members);
}

static void
join(const struct strv *v, struct sbuf *out)
{
	size_t i;

	sbuf_truncate(out, 0);
	for (i = 0; i < v->n; i++)
		sbuf_printf(out, "%s%s", i > 0 ? ", " : "", v->items[i]);
}

static void
ls_text(const char *name, const struct list *list, const char *why)
{
	struct sbuf owners = {0};
	char count[32] = "-";
	long long n;

	if (list != NULL && (n = count_members(list)) != -1)
		snprintf(count, sizeof(count), "%lld", n);
	out_cell(stdout, name, 40, 0);
	out_cell(stdout, count, -9, 0);
	if (list != NULL && list->owners.n > 0) {
		join(&list->owners, &owners);
		fputs("  ", stdout);
		out_text(stdout, owners.data);
	} else if (list == NULL) {
		fputs("  ", stdout);
		out_color(OUT_BAD);
		out_text(stdout, why);
		out_color(OUT_PLAIN);
	}
	fputc('\n', stdout);
	sbuf_free(&owners);
}

static void
ls_json(struct json *j, const char *name, const struct list *list,
    const char *why)
{
	json_object(j, NULL);
	json_string(j, "list", name);
	if (list != NULL) {
		json_count(j, count_members(list));
		json_strings(j, "owners", &list->owners);
	} else {
		json_string(j, "error", why);
	}
	json_close(j, '}');
}

int
list_ls_run(struct cli *c, int argc, char **argv)
{
	struct strv names = {0};
	struct sbuf why = {0};
	const struct list *list;
	struct json j;
	size_t i;
	int code, found;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){0, 0});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_LISTS);
	if (code != 0)
		return code;
	if (lists_names(c->lists, &names) == -1)
		code = cli_errno("%s", c->site->lists);
	json_begin(&j, stdout);
	if (c->is_json)
		json_array(&j, NULL);
	else if (names.n > 0)
		printf("%-40s%9s  %s\n", "list", "members", "owners");
	for (i = 0; i < names.n; i++) {
		sbuf_set(&why, "");
		found = lists_get(c->lists, names.items[i], &list, &why);
		if (found == 0)
			sbuf_set(&why, "no list.yaml");
		if (c->is_json)
			ls_json(&j, names.items[i], list, why.data);
		else
			ls_text(names.items[i], list, why.data);
	}
	if (c->is_json) {
		json_close(&j, ']');
		json_end(&j);
	}
	sbuf_free(&why);
	strv_free(&names);
	return code;
}

/* One thing about a list in either form. */
struct shower {
	bool is_json;
	struct json j;
};

static void
show_text(struct shower *s, const char *key, const char *value)
{
	if (s->is_json) {
		json_string(&s->j, key, value);
		return;
	}
	printf("%-18s", key);
	out_text(stdout, value == NULL ? "-" : value);
	fputc('\n', stdout);
}

static void
show_number(struct shower *s, const char *key, long long value)
{
	if (s->is_json)
		json_number(&s->j, key, value);
	else
		printf("%-18s%lld\n", key, value);
}

static void
show_strings(struct shower *s, const char *key, const struct strv *v)
{
	struct sbuf text = {0};

	if (s->is_json) {
		json_strings(&s->j, key, v);
		return;
	}
	join(v, &text);
	show_text(s, key, v->n == 0 ? NULL : text.data);
	sbuf_free(&text);
}

static void
show_identity(struct shower *s, const struct list *list)
{
	static const char *const from = "from", *const envelope = "envelope";
	bool is_envelope_first = list->identity == LIST_ENVELOPE_FIRST ||
	    list->identity == LIST_ENVELOPE_ONLY;
	struct strv words = {0};

	strv_add(&words, is_envelope_first ? envelope : from);
	if (list->identity == LIST_FROM_FIRST ||
	    list->identity == LIST_ENVELOPE_FIRST)
		strv_add(&words, is_envelope_first ? from : envelope);
	show_strings(s, "identity", &words);
	strv_free(&words);
}

static void
show_bool(struct shower *s, const char *key, bool value)
{
	if (s->is_json)
		json_bool(&s->j, key, value);
	else
		show_text(s, key, value ? "yes" : "no");
}

static void
show_members(struct shower *s, const struct list *list)
{
	long long n = count_members(list);

	if (s->is_json)
		json_count(&s->j, n);
	else if (n == -1)
		show_text(s, "members", NULL);
	else
		show_number(s, "members", n);
}

static void
show_roles(struct shower *s, const struct list *list)
{
	const struct lists_suffix *suffix;
	struct strv roles = {0};
	struct sbuf address = {0};

	for (suffix = lists_suffixes(); suffix->text != NULL; suffix++) {
		list_role_address(list, suffix->text, &address);
		strv_add(&roles, address.data);
	}
	if (s->is_json) {
		json_strings(&s->j, "roles", &roles);
	} else {
		for (size_t i = 1; i < roles.n; i++)
			show_text(s, i == 1 ? "roles" : "", roles.items[i]);
	}
	sbuf_free(&address);
	strv_free(&roles);
}

static void
show_list(struct shower *s, const struct list *list)
{
	show_strings(s, "addresses", &list->addresses);
	show_text(s, "description", list->description);
	show_strings(s, "owners", &list->owners);
	show_strings(s, "moderators", &list->moderators);
	show_members(s, list);
	show_text(s, "language", list->language);
	show_text(s, "subject_prefix", list->subject_prefix);
	show_text(s, "member_action", list_action_name(list->member_action));
	show_text(s, "nonmember_action",
	    list_action_name(list->nonmember_action));
	show_text(s, "size_action", list_action_name(list->size_action));
	show_number(s, "size_limit", (long long)list->size_limit);
	show_identity(s, list);
	show_text(s, "subscribe", list->subscribe == LIST_CLOSED ? "closed" :
	    "confirm");
	show_text(s, "verp", list->verp == LIST_VERP_EACH ? "each" : "none");
	show_bool(s, "closed", list->is_closed);
	show_number(s, "bounce_threshold", list->bounce_threshold);
	show_text(s, "folder", list->dir);
	show_roles(s, list);
}

int
list_show_run(struct cli *c, int argc, char **argv)
{
	struct shower s = {.is_json = false};
	const struct list *list;
	int code;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){1, 1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_LISTS);
	if (code == 0)
		code = cli_list(c, argv[1], &list);
	if (code != 0)
		return code;
	s.is_json = c->is_json;
	json_begin(&s.j, stdout);
	if (s.is_json)
		json_object(&s.j, NULL);
	show_list(&s, list);
	if (s.is_json) {
		json_close(&s.j, '}');
		json_end(&s.j);
	}
	return EXIT_OK;
}

/* How many posts of a list are held in one queue. */
static unsigned long
count_held_in(struct cli *c, const char *queue, const char *list)
{
	struct spool_scan *scan;
	const char *name, *folder, *of;
	struct sbuf path = {0}, why = {0};
	struct envelope env;
	unsigned long n = 0;

	scan = spool_scan_open(c->spool, queue, SPOOL_HELD, INT64_MAX);
	while (scan != NULL && spool_scan_next(scan, &name, &folder) == 1) {
		sbuf_set(&path, queue);
		sbuf_printf(&path, "/%s/%s", spool_place_name(SPOOL_HELD),
		    name);
		if (look_envelope(c, path.data, &env, &why) != 1)
			continue;
		of = envelope_get(&env, "List");
		n += of != NULL && strcmp(of, list) == 0;
		envelope_free(&env);
	}
	if (scan != NULL)
		spool_scan_close(&scan);
	sbuf_free(&path);
	sbuf_free(&why);
	return n;
}

/* Said before a list goes; what cannot be read now is not counted. */
static void
warn_of_held(struct cli *c, const char *list)
{
	size_t i;

	for (i = 0; i < c->site->n_queues; i++) {
		const char *queue = c->site->queues[i].name;
		unsigned long n = count_held_in(c, queue, list);

		if (n > 0)
			printf("%lu held post%s of %s remain%s; septet queue "
			    "%s lists them\n", n, n == 1 ? "" : "s", list,
			    n == 1 ? "s" : "", queue);
	}
}

/* 0 go on, else an exit code. */
static int
ask(const char *name, long long members)
{
	char answer[16];

	if (!isatty(STDIN_FILENO))
		return cli_fail(EXIT_USAGE, "list delete %s: there is no "
		    "terminal to ask on; say --yes", name);
	printf("%s has %lld member%s. Delete it with its roster? [y/N] ", name,
	    members, members == 1 ? "" : "s");
	fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) != NULL &&
	    (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	return cli_fail(EXIT_REFUSED, "%s: kept", name);
}

int
list_delete_run(struct cli *c, int argc, char **argv)
{
	bool is_sure = false;
	const struct cli_option options[] = {
		{.name = "yes", .flag = &is_sure},
		{.name = NULL},
	};
	const struct list *list;
	struct sbuf name = {0};
	long long members;
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){1, 1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_SPOOL | CLI_LISTS);
	if (code == 0)
		code = cli_list(c, argv[1], &list);
	if (code != 0)
		return code;
	/* Named in full, so that an alias does not take a list with it that
	 * nobody thought of. */
	sbuf_set(&name, list->address);
	members = count_members(list);
	if (is_sure || isatty(STDIN_FILENO))
		warn_of_held(c, name.data);
	if (!is_sure)
		code = ask(name.data, members);
	if (code == 0 && lists_delete(c->lists, name.data) == -1)
		code = errno == ENOENT ? cli_fail(EXIT_DATA,
		    "%s: no such list", name.data) :
		    cli_errno("list %s", name.data);
	else if (code == 0)
		printf("%s deleted, %lld member%s\n%s\n", name.data, members,
		    members == 1 ? "" : "s", remind);
	sbuf_free(&name);
	return code;
}
