/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check - every mistake in a site and its lists, not only the first
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/domain/liststate.h"
#include "common/domain/roster.h"
#include "common/process/privilege.h"
#include "runners/septet/check.h"
#include "runners/septet/septet.h"

/* What command composes; in English they must be there. */
static const char *const templates[] = {"already-member", "command-results",
	"confirm-invalid", "confirm-subscribe", "confirm-unsubscribe",
	"goodbye", "held-owners", "help", "hold-expired", "member-disabled",
	"not-member", "post-held", "post-rejected", "subscribe-closed",
	"welcome"};

void
check_add(struct check *k, const char *fmt, ...)
{
	struct sbuf text = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	strv_add(&k->problems, sbuf_str(&text));
	sbuf_free(&text);
}

void
check_warn(struct check *k, const char *fmt, ...)
{
	struct sbuf text = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	strv_add(&k->warnings, sbuf_str(&text));
	sbuf_free(&text);
}

bool
check_is_root(const struct site *site)
{
	return geteuid() == 0 && site->user == NULL;
}

static void
add_all(struct check *k, struct conf_errors *errors)
{
	size_t i;

	for (i = 0; i < errors->lines.n; i++)
		strv_add(&k->problems, errors->lines.items[i]);
	conf_errors_free(errors);
}

/* ---- folders ------------------------------------------------------------ */

/* Is it a folder that we can write to?  remedy is for one that is missing. */
static bool
check_folder(struct check *k, const char *path, const char *remedy)
{
	struct stat st;

	if (stat(path, &st) == -1) {
		check_add(k, "%s: %s%s%s", path, strerror(errno),
		    errno == ENOENT ? "; " : "", errno == ENOENT ? remedy : "");
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		check_add(k, "%s: not a folder", path);
		return false;
	}
	if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == -1) {
		check_add(k, "%s: %s; it must be writable for the user and "
		    "group of the site", path, strerror(errno));
		return false;
	}
	return true;
}

static void
check_queue(struct check *k, const char *name)
{
	static const char *const folders[] = {"tmp", "new", "cur", "later",
		"held", "dead", "status"};
	struct sbuf path = {0};
	size_t i;

	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		sbuf_set(&path, k->site->spool);
		sbuf_printf(&path, "/%s/%s", name, folders[i]);
		check_folder(k, path.data, "septet-supervisor makes it when it "
		    "starts");
	}
	sbuf_free(&path);
}

static void
check_spool(struct check *k)
{
	static const char *const parts[] = {"msg", "head", "rcpt", "result",
		"journal"};
	struct sbuf path = {0};
	size_t i;

	if (!check_folder(k, k->site->spool, "make it, for the site's user"))
		return;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		sbuf_set(&path, k->site->spool);
		sbuf_printf(&path, "/%s", parts[i]);
		check_folder(k, path.data, "septet-supervisor makes it when it "
		    "starts");
	}
	for (i = 0; i < k->site->n_queues; i++)
		check_queue(k, k->site->queues[i].name);
	sbuf_free(&path);
}

/* A file's folder must be there; the file itself may come. */
static void
check_parent(struct check *k, const char *file)
{
	char *folder = strdup(file), *slash;

	slash = folder == NULL ? NULL : strrchr(folder, '/');
	if (slash != NULL && slash != folder) {
		*slash = '\0';
		check_folder(k, folder, "make it");
	}
	free(folder);
}

/* ---- programs, texts, secrets ------------------------------------------- */

static void
check_program(struct check *k, const char *runner, const char *queue)
{
	struct sbuf path = {0};

	sbuf_printf(&path, "%s/septet-%s", k->site->programs, runner);
	if (access(path.data, X_OK) == -1)
		check_add(k, "%s: %s; it is wanted for %s (see programs:)",
		    path.data, strerror(errno), queue);
	sbuf_free(&path);
}

static void
check_programs(struct check *k)
{
	size_t i;

	for (i = 0; i < k->site->n_queues; i++) {
		const struct site_queue *queue = &k->site->queues[i];

		if (queue->instances > 0)
			check_program(k, queue->runner, queue->name);
	}
	if (k->site->lmtp.listen.n > 0)
		check_program(k, "lmtp", "lmtp:");
}

static void
check_templates(struct check *k)
{
	struct sbuf path = {0};
	size_t i;

	for (i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		sbuf_set(&path, k->site->templates);
		sbuf_printf(&path, "/en/%s", templates[i]);
		if (access(path.data, R_OK) == -1)
			check_add(k, "%s: %s (see templates:)", path.data,
			    strerror(errno));
	}
	sbuf_free(&path);
}

static void
check_secret(struct check *k, const char *path)
{
	struct stat st;

	if (path == NULL)
		return;
	if (access(path, R_OK) == -1 || stat(path, &st) == -1)
		check_add(k, "%s: %s (password_file)", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		check_add(k, "%s: not a file (password_file)", path);
	else if (st.st_size == 0)
		check_add(k, "%s: empty (password_file)", path);
	else if ((st.st_mode & S_IROTH) != 0)
		check_add(k, "%s: everybody can read it (password_file); "
		    "chmod o= helps", path);
}

static void
check_relays(struct check *k)
{
	size_t i, r;

	for (i = 0; i < k->site->n_queues; i++) {
		const struct site_queue *queue = &k->site->queues[i];

		for (r = 0; r < queue->n_relays; r++) {
			const struct site_relay *relay = &queue->relays[r];

			check_secret(k, relay->password_file);
			if (relay->tls_ca != NULL &&
			    access(relay->tls_ca, R_OK) == -1)
				check_add(k, "%s: %s (tls_ca)", relay->tls_ca,
				    strerror(errno));
		}
		if (queue->maildir != NULL)
			check_folder(k, queue->maildir, "make it");
	}
}

/* ---- lists -------------------------------------------------------------- */

static void
check_stores(struct check *k, const struct list *list)
{
	struct roster *roster = roster_open(list->dir, STORE_READ);
	struct liststate *state;

	if (roster == NULL)
		check_add(k, "%s/members.tdb: %s", list->dir, errno == ENOTSUP ?
		    "not a roster" : strerror(errno));
	roster_close(&roster);
	state = liststate_open(list->dir, STORE_READ);
	if (state == NULL)
		check_add(k, "%s/state.tdb: %s", list->dir, errno == ENOTSUP ?
		    "not a list's state" : strerror(errno));
	liststate_close(&state);
}

static void
check_list(struct check *k, const char *name)
{
	struct conf_errors errors = {{0}};
	struct sbuf dir = {0};
	struct list *list;
	size_t i;

	sbuf_printf(&dir, "%s/%s", k->site->lists, name);
	list = list_load(k->site, dir.data, &errors);
	if (list == NULL && errors.lines.n == 0)
		check_add(k, "%s/list.yaml: %s", dir.data, strerror(errno));
	add_all(k, &errors);
	if (list != NULL) {
		if (strcmp(list->address, name) != 0)
			check_add(k, "%s: its list.yaml is that of %s",
			    dir.data, list->address);
		for (i = 0; i < list->addresses.n; i++)
			clash_add(&k->clashes, list->addresses.items[i], name);
		check_stores(k, list);
	}
	list_free(&list);
	sbuf_free(&dir);
}

/* What comes for postmaster goes to the site's owner; where he is postmaster of
 * a domain of ours, or what has no owners of its own, it comes back. */
static void
check_owners(struct check *k, struct lists *lists)
{
	const struct strv *owners = &k->site->owners;
	struct lists_match match = {0};
	size_t i;

	for (i = 0; i < owners->n; i++) {
		const char *owner = owners->items[i];

		if (lists_resolve(lists, owner, &match) == 1 &&
		    (match.role == ROLE_SITE_OWNER ||
		    (match.role == ROLE_OWNER && match.list->owners.n == 0)))
			check_warn(k, "%s: owner %s is an address of this "
			    "site's own: mail to it would come back for ever, "
			    "so it ends in dead/", k->site->file, owner);
		lists_match_free(&match);
	}
}

static void
check_lists(struct check *k)
{
	struct lists *lists;
	struct strv names = {0};
	size_t i;

	if (!check_folder(k, k->site->lists, "make it, for the site's user"))
		return;
	lists = lists_open(k->site);
	if (lists == NULL || lists_names(lists, &names) == -1)
		check_add(k, "%s: %s", k->site->lists, strerror(errno));
	for (i = 0; i < names.n; i++)
		check_list(k, names.items[i]);
	if (lists != NULL)
		check_owners(k, lists);
	clash_find(&k->clashes, &k->problems);
	clash_free(&k->clashes);
	strv_free(&names);
	lists_close(&lists);
}

/* ---- all ---------------------------------------------------------------- */

static void
check_site(struct check *k)
{
	const char *what = NULL;
	struct stat st;

	if (privilege_drop(k->site, &what) == -1)
		check_add(k, "%s: %s (user:, group:)", what, strerror(errno));
	if (check_is_root(k->site))
		check_warn(k, CHECK_ROOT, k->site->file);
	check_spool(k);
	if (stat(k->site->run, &st) == 0)
		check_folder(k, k->site->run, "");
	else
		check_parent(k, k->site->run);
	if (k->site->log != NULL)
		check_parent(k, k->site->log);
	check_programs(k);
	check_templates(k);
	check_relays(k);
	check_lists(k);
}

static void
report_json(const char *file, const struct check *k)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_string(&j, "site_file", file);
	json_bool(&j, "ok", k->problems.n == 0);
	json_strings(&j, "problems", &k->problems);
	json_strings(&j, "warnings", &k->warnings);
	json_close(&j, '}');
	json_end(&j);
}

static void
report(const struct cli *c, const char *file, const struct check *k)
{
	size_t i;

	if (c->is_json) {
		report_json(file, k);
		return;
	}
	for (i = 0; i < k->warnings.n; i++) {
		fputs("! ", stdout);
		out_text(stdout, k->warnings.items[i]);
		putchar('\n');
	}
	for (i = 0; i < k->problems.n; i++) {
		out_text(stdout, k->problems.items[i]);
		putchar('\n');
	}
	if (k->problems.n > 0) {
		printf("%zu problem%s\n", k->problems.n,
		    k->problems.n == 1 ? "" : "s");
		return;
	}
	out_text(stdout, file);
	puts(": no problems");
}

int
check_run(struct cli *c, int argc, char **argv)
{
	struct conf_errors errors = {{0}};
	struct check k = {.site = NULL};
	const char *file;
	int code;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){0, 0});
	if (code != 0)
		return code - 1;
	file = site_path(c->site_file);
	k.site = site_load(file, &errors);
	if (k.site == NULL && errors.lines.n == 0)
		check_add(&k, "%s: %s", file, strerror(errno));
	add_all(&k, &errors);
	if (k.site != NULL)
		check_site(&k);
	report(c, file, &k);
	code = k.problems.n == 0 ? EXIT_OK : EXIT_CONFIG;
	strv_free(&k.problems);
	strv_free(&k.warnings);
	site_free(&k.site);
	return code;
}
