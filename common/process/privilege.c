/* SPDX-License-Identifier: BSD-2-Clause
 *
 * privilege - become the user that the site file names
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/process/privilege.h"

/* What is missing is ENOENT; *what is the name that was looked up. */
static int
look_up(const struct site *site, struct privilege *out, const char **what)
{
	const struct passwd *pw;
	const struct group *gr;

	*what = site->user;
	errno = 0;
	pw = getpwnam(site->user);
	if (pw == NULL) {
		errno = errno == 0 ? ENOENT : errno;
		return -1;
	}
	*out = (struct privilege){.uid = pw->pw_uid, .gid = pw->pw_gid};
	if (site->group == NULL)
		return 0;
	*what = site->group;
	errno = 0;
	gr = getgrnam(site->group);
	if (gr == NULL) {
		errno = errno == 0 ? ENOENT : errno;
		return -1;
	}
	out->gid = gr->gr_gid;
	return 0;
}

int
privilege_find(const struct site *site, struct privilege *out,
    struct sbuf *why)
{
	const char *what, *kind;
	int saved;

	if (geteuid() != 0 || site->user == NULL)
		return 0;
	if (look_up(site, out, &what) == 0)
		return 1;
	saved = errno;
	kind = what == site->user ? "user" : "group";
	if (saved == ENOENT)
		sbuf_printf(why, "there is no %s %s on this host (%s: in %s)",
		    kind, what, kind, site->file);
	else
		sbuf_printf(why, "%s %s: %s (%s: in %s)", kind, what,
		    strerror(saved), kind, site->file);
	errno = saved;
	return -1;
}

int
privilege_drop(const struct site *site, const char **what)
{
	struct privilege to;

	(void)umask(007);
	if (geteuid() != 0 || site->user == NULL)
		return 0;
	if (look_up(site, &to, what) == -1)
		return -1;
	*what = "setgroups, setgid, setuid";
	if (setgroups(1, &to.gid) == -1 ||
	    setresgid(to.gid, to.gid, to.gid) == -1 ||
	    setresuid(to.uid, to.uid, to.uid) == -1)
		return -1;
	/* A root that could come back would be no drop at all. */
	if (to.uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}
