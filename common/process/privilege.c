/* SPDX-License-Identifier: BSD-2-Clause
 *
 * privilege - become the user that the site file names
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/process/privilege.h"

int
privilege_drop(const struct site *site, const char **what)
{
	const struct passwd *pw;
	const struct group *gr = NULL;
	gid_t gid;

	(void)umask(007);
	if (geteuid() != 0 || site->user == NULL)
		return 0;
	errno = 0;
	*what = site->user;
	pw = getpwnam(site->user);
	if (pw == NULL) {
		if (errno == 0)
			errno = ENOENT;
		return -1;
	}
	gid = pw->pw_gid;
	if (site->group != NULL) {
		*what = site->group;
		gr = getgrnam(site->group);
		if (gr == NULL) {
			if (errno == 0)
				errno = ENOENT;
			return -1;
		}
		gid = gr->gr_gid;
	}
	*what = "setgroups, setgid, setuid";
	if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
		return -1;
	/* A root that could come back would be no drop at all. */
	if (pw->pw_uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}
