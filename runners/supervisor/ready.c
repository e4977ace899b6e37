/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ready - can this site run here at all?
 *
 * Looked at once, before anything is started: what would end every runner, one
 * after another and again and again, is said in one line.  Trouble that may
 * pass by itself, and that of one runner, is left to them.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/exits.h"
#include "common/base/log.h"
#include "common/process/privilege.h"
#include "runners/supervisor/supervisor.h"

/* ---- programs ----------------------------------------------------------- */

static int
look_up_program(const char *folder, const char *runner)
{
	struct sbuf path = {0};
	int result, saved;

	sbuf_printf(&path, "%s/septet-%s", folder, runner);
	result = access(path.data, X_OK);
	saved = errno;
	sbuf_free(&path);
	errno = saved;
	return result;
}

/* True also where no runner is wanted. */
static bool
has_a_program(const struct site *site, const char *folder)
{
	const struct site_queue *q;
	bool is_wanted;
	size_t i;

	is_wanted = site->lmtp.listen.n > 0;
	if (is_wanted && look_up_program(folder, "lmtp") == 0)
		return true;
	for (i = 0; i < site->n_queues; i++) {
		q = &site->queues[i];
		if (q->instances == 0)
			continue;
		is_wanted = true;
		if (look_up_program(folder, q->runner) == 0)
			return true;
	}
	return !is_wanted;
}

static int
look_for_programs(const struct site *site)
{
	const char *named;
	char *folder;
	bool is_good;

	folder = process_folder(site);
	if (folder == NULL)
		return EXIT_TEMPORARY;
	is_good = has_a_program(site, folder);
	named = getenv("SEPTET_PROGRAMS");
	if (!is_good && named != NULL && *named != '\0')
		log_error("programs %s: no runner can be executed there: %s "
		    "(SEPTET_PROGRAMS names it)", folder, strerror(errno));
	else if (!is_good)
		log_error("programs %s: no runner can be executed there: %s "
		    "(programs: in %s, or SEPTET_PROGRAMS)", folder,
		    strerror(errno), site->file);
	free(folder);
	return is_good ? EXIT_OK : EXIT_CONFIG;
}

/* ---- folders ------------------------------------------------------------ */

static void
say_unwritable(const struct site *site, const char *path, bool is_dropped)
{
	const struct passwd *self;

	if (is_dropped) {
		log_error("%s: not writable by user %s (user: in %s)", path,
		    site->user, site->file);
		return;
	}
	self = getpwuid(geteuid());
	if (self != NULL)
		log_error("%s: not writable by user %s, who starts this", path,
		    self->pw_name);
	else
		log_error("%s: not writable by user %ld, who starts this", path,
		    (long)geteuid());
}

/* 0 it will do, or is not there yet; -1 after saying why.  A file in a folder's
 * place is told by who trips over it. */
static int
look_at(const struct site *site, const char *path, bool is_dropped)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return 0;
	if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == 0 ||
	    errno != EACCES)
		return 0;
	say_unwritable(site, path, is_dropped);
	return -1;
}

static int
look_below(const struct site *site, const char *name, bool is_dropped)
{
	struct sbuf path = {0};
	int result;

	sbuf_printf(&path, "%s/%s", site->spool, name);
	result = look_at(site, path.data, is_dropped);
	sbuf_free(&path);
	return result;
}

static int
look_at_queue(const struct site *site, const char *queue, bool is_dropped)
{
	static const char *const folders[] = {"tmp", "new", "cur", "later",
		"held", "dead", "status"};
	struct sbuf name = {0};
	size_t i;
	int result;

	result = look_below(site, queue, is_dropped);
	for (i = 0; result == 0 && i < sizeof(folders) / sizeof(folders[0]);
	    i++) {
		sbuf_set(&name, queue);
		sbuf_printf(&name, "/%s", folders[i]);
		result = look_below(site, name.data, is_dropped);
	}
	sbuf_free(&name);
	return result;
}

/* The first in the spool is told: where there is one there are most often
 * all. */
static int
look_at_spool(const struct site *site, bool is_dropped)
{
	static const char *const parts[] = {"msg", "head", "rcpt", "result",
		"journal"};
	size_t i;
	int result;

	result = look_at(site, site->spool, is_dropped);
	for (i = 0; result == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		result = look_below(site, parts[i], is_dropped);
	for (i = 0; result == 0 && i < site->n_queues; i++)
		result = look_at_queue(site, site->queues[i].name, is_dropped);
	return result;
}

static int
look_at_folders(const struct site *site, bool is_dropped)
{
	int result;

	result = look_at_spool(site, is_dropped);
	if (look_at(site, site->lists, is_dropped) == -1)
		result = -1;
	if (look_at(site, site->run, is_dropped) == -1)
		result = -1;
	return result == 0 ? EXIT_OK : EXIT_CONFIG;
}

/* ---- all ---------------------------------------------------------------- */

int
ready_look(const struct site *site)
{
	struct sbuf why = {0};
	struct privilege to;
	const char *what;
	int found, code;

	code = look_for_programs(site);
	if (code != EXIT_OK)
		return code;
	found = privilege_find(site, &to, &why);
	if (found == -1) {
		code = errno == ENOENT ? EXIT_CONFIG : EXIT_TEMPORARY;
		log_error("%s", why.data);
		sbuf_free(&why);
		return code;
	}
	if (privilege_drop(site, &what) == -1) {
		log_error("user: %s: %s", what, strerror(errno));
		return EXIT_TEMPORARY;
	}
	return look_at_folders(site, found == 1);
}
