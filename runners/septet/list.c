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
#include "runners/septet/septet.h"

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
			printf("%s\n", address.data);
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
print_strings(struct json *j, const char *key, const struct strv *v)
{
	size_t i;

	json_array(j, key);
	for (i = 0; i < v->n; i++)
		json_string(j, NULL, v->items[i]);
	json_close(j, ']');
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
	fputs("  ", stdout);
	if (list != NULL) {
		join(&list->owners, &owners);
		out_text(stdout, sbuf_str(&owners));
	} else {
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
		json_number(j, "members", count_members(list));
		print_strings(j, "owners", &list->owners);
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

static const char *
identity_name(const struct list *list)
{
	static const char *const names[] = {
		[LIST_FROM_FIRST] = "from, envelope",
		[LIST_FROM_ONLY] = "from",
		[LIST_ENVELOPE_ONLY] = "envelope",
		[LIST_ENVELOPE_FIRST] = "envelope, from",
	};

	return names[list->identity];
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
		print_strings(&s->j, key, v);
		return;
	}
	join(v, &text);
	show_text(s, key, v->n == 0 ? NULL : text.data);
	sbuf_free(&text);
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
		print_strings(&s->j, "roles", &roles);
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
	show_number(s, "members", count_members(list));
	show_text(s, "language", list->language);
	show_text(s, "subject_prefix", list->subject_prefix);
	show_text(s, "member_action", list_action_name(list->member_action));
	show_text(s, "nonmember_action",
	    list_action_name(list->nonmember_action));
	show_text(s, "size_action", list_action_name(list->size_action));
	show_number(s, "size_limit", (long long)list->size_limit);
	show_text(s, "identity", identity_name(list));
	show_text(s, "subscribe", list->subscribe == LIST_CLOSED ? "closed" :
	    "confirm");
	show_text(s, "verp", list->verp == LIST_VERP_EACH ? "each" : "none");
	show_text(s, "closed", list->is_closed ? "yes" : "no");
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

/* 0 go on, else an exit code. */
static int
ask(const char *name, long long members)
{
	char answer[16];

	if (!isatty(STDIN_FILENO))
		return cli_fail(EXIT_USAGE, "list delete %s: there is no "
		    "terminal to ask on; say --yes", name);
	printf("%s has %lld members. Delete it with its roster? [y/N] ", name,
	    members);
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
	code = cli_open(c, CLI_LISTS);
	if (code == 0)
		code = cli_list(c, argv[1], &list);
	if (code != 0)
		return code;
	/* Named in full, so that an alias does not take a list with it that
	 * nobody thought of. */
	sbuf_set(&name, list->address);
	members = count_members(list);
	if (!is_sure)
		code = ask(name.data, members);
	if (code == 0 && lists_delete(c->lists, name.data) == -1)
		code = errno == ENOENT ? cli_fail(EXIT_DATA,
		    "%s: no such list", name.data) :
		    cli_errno("list %s", name.data);
	else if (code == 0)
		printf("%s deleted, %lld members\n", name.data, members);
	sbuf_free(&name);
	return code;
}
