/* SPDX-License-Identifier: BSD-2-Clause
 *
 * init - a new site in an empty directory
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/system/fsutil.h"
#include "runners/septet/septet.h"

#define LMTP_PORT "8024"
#define PROGRAM_MAX 4096

struct init {
	const char *dir;
	const char *owner;
	const char *port;
	bool is_maildir;
	bool is_made;           /* dir was not there before */
	struct sbuf domain;
	struct sbuf build;      /* where our programs lie, not installed; or
	                         * empty */
};

static const char *const folders[] = {"lists", "run", "log"};

/* Is it there and empty, or can it be made?  0 or an exit code. */
static int
take_dir(struct init *in)
{
	struct dirent *d;
	DIR *dir;
	int code = 0;

	if (mkdir(in->dir, 0755) == 0) {
		in->is_made = true;
		return 0;
	}
	if (errno != EEXIST)
		return errno == ENOENT || errno == ENOTDIR ?
		    cli_fail(EXIT_DATA, "%s: %s; make the folder above it "
		    "first", in->dir, strerror(errno)) :
		    cli_errno("%s", in->dir);
	dir = opendir(in->dir);
	if (dir == NULL)
		return errno == ENOTDIR ? cli_fail(EXIT_DATA, "%s: not a "
		    "directory", in->dir) : cli_errno("%s", in->dir);
	while (code == 0 && (d = readdir(dir)) != NULL) {
		if (fs_is_name(d->d_name))
			code = cli_fail(EXIT_DATA, "%s: not empty; name a new "
			    "directory", in->dir);
	}
	closedir(dir);
	return code;
}

/* Where this program was built but not installed, its runners lie beside it:
 * the site names them, so that it runs without more ado. */
static void
find_build(struct init *in)
{
	char path[PROGRAM_MAX];
	struct sbuf name = {0};
	ssize_t n;

	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	dirname(path);
	sbuf_printf(&name, "%s/septet-inbound", path);
	if (access(name.data, X_OK) == 0 && strpbrk(path, "\"\\") == NULL)
		sbuf_set(&in->build, path);
	sbuf_free(&name);
}

static void
add_build(const struct init *in, struct sbuf *out)
{
	struct sbuf name = {0};
	char *real;

	if (in->build.len == 0)
		return;
	sbuf_printf(out, "\n# Not installed, but run from where it was "
	    "built.\nprograms: \"%s\"\n", in->build.data);
	sbuf_printf(&name, "%s/../../config/templates", in->build.data);
	real = realpath(name.data, NULL);
	if (real != NULL)
		sbuf_printf(out, "templates: \"%s\"\n", real);
	free(real);
	sbuf_free(&name);
}

static void
compose(const struct init *in, struct sbuf *out)
{
	sbuf_printf(out,
	    "# A Septet site.  Relative paths start at this file's folder, so "
	    "it can be\n# moved.  septet.yaml(5) says what else can stand "
	    "here; septet check looks\n# for mistakes.\n\n"
	    "# The site's domain: greets, signs notices, stands in "
	    "Message-IDs.\nsite: %s\n\n"
	    "# Who gets postmaster's mail: better an address that is not "
	    "this site's.\nowner: [\"%s\"]\n\n"
	    "# The queues; a folder for each list; locks and sockets; the "
	    "log.\nspool: spool\nlists: lists\nrun: run\nlog: log/septet.log\n",
	    in->domain.data, in->owner);
	add_build(in, out);
	sbuf_printf(out,
	    "\n# The LMTP server, where the MTA hands mail in: see septet "
	    "maps.\nlmtp:\n  listen: [\"127.0.0.1:%s\"]\n\nqueues:\n  "
	    "outbound:\n", in->port);
	if (in->is_maildir)
		sbuf_adds(out, "    # Every recipient has a Maildir "
		    "mail/ADDRESS.  For real mail, say smtp:.\n"
		    "    maildir: mail\n");
	else
		sbuf_adds(out, "    # The SMTP server that all mail is handed "
		    "to.\n    smtp: {host: 127.0.0.1, port: 25}\n");
}

static int
make_folder(const struct init *in, const char *name)
{
	struct sbuf path = {0};
	int rc;

	sbuf_printf(&path, "%s/%s", in->dir, name);
	rc = fs_mkdirs(AT_FDCWD, path.data, 02770);
	sbuf_free(&path);
	return rc;
}

static int
make_spool(const char *file)
{
	struct conf_errors errors = {{0}};
	struct strv queues = {0};
	struct site *site;
	size_t i;
	int code = 0;

	site = site_load(file, &errors);
	if (site == NULL) {
		code = cli_fail(EXIT_DATA, "%s", errors.lines.n > 0 ?
		    errors.lines.items[0] : strerror(errno));
	} else {
		for (i = 0; i < site->n_queues; i++)
			strv_add(&queues, site->queues[i].name);
		if (spool_make(site->spool, &queues) == -1)
			code = cli_errno("%s", site->spool);
	}
	strv_free(&queues);
	conf_errors_free(&errors);
	site_free(&site);
	return code;
}

static int
make_site(const struct init *in, const char *file)
{
	struct sbuf text = {0};
	size_t i;
	int rc = 0;

	compose(in, &text);
	for (i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++)
		rc = make_folder(in, folders[i]);
	if (rc == 0 && in->is_maildir)
		rc = make_folder(in, "mail");
	if (rc == 0)
		rc = fs_replace(AT_FDCWD, file, text.data, text.len, 0644);
	sbuf_free(&text);
	return rc == 0 ? make_spool(file) : cli_errno("%s", in->dir);
}

/* Nothing is left of a failed start; the directory was empty. */
static void
undo(const struct init *in)
{
	static const char *const all[] = {"lists", "run", "log", "mail",
		"spool", "septet.yaml"};
	struct sbuf path = {0};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		sbuf_truncate(&path, 0);
		sbuf_printf(&path, "%s/%s", in->dir, all[i]);
		(void)!fs_remove_tree(AT_FDCWD, path.data);
	}
	if (in->is_made)
		(void)!rmdir(in->dir);
	sbuf_free(&path);
}

/* As the shell reads it. */
static void
print_quoted(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@%";

	if (text[strspn(text, plain)] == '\0') {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\'", stdout);
		putchar(*text);
	}
	putchar('\'');
}

/* A program as it can be called now. */
static void
print_program(const struct init *in, const char *installed, const char *name)
{
	struct sbuf path = {0};

	if (in->build.len > 0)
		sbuf_printf(&path, "%s/", in->build.data);
	else
		sbuf_set(&path, installed);
	sbuf_adds(&path, name);
	print_quoted(path.data);
	sbuf_free(&path);
}

static void
say_next(const struct init *in, const char *file)
{
	fputs("export SEPTET_SITE=", stdout);
	print_quoted(file);
	putchar('\n');
	print_program(in, "", "septet");
	printf(" list create dev@%s --owner you@example.org && ",
	    in->domain.data);
	print_program(in, "", "septet");
	fputs(" member add dev you@example.org\n", stdout);
	print_program(in, SEPTET_LIBEXEC "/", "septet-supervisor");
	fputs(" &   # then: septet post dev <message; septet status\n",
	    stdout);
}

static int
init_site(struct init *in)
{
	struct sbuf file = {0};
	char *real;
	int code;

	code = take_dir(in);
	if (code != 0)
		return code;
	real = realpath(in->dir, NULL);
	if (real == NULL)
		return cli_errno("%s", in->dir);
	sbuf_printf(&file, "%s/septet.yaml", real);
	code = make_site(in, file.data);
	if (code == 0)
		say_next(in, file.data);
	else
		undo(in);
	free(real);
	sbuf_free(&file);
	return code;
}

static int
check_values(const struct cli *c, struct init *in, const char *domain)
{
	const char *why = "not a domain";
	struct sbuf probe = {0};
	char *end;
	long port;
	int code = 0;

	if (domain == NULL)
		return cli_usage(c, "--domain is missing");
	sbuf_printf(&probe, "postmaster@%s", domain);
	port = strtol(in->port, &end, 10);
	if (address_check(probe.data, NULL, &why) == -1 ||
	    address_domain_key(domain, &in->domain) == -1)
		code = cli_fail(EXIT_DATA, "--domain %s: %s", domain, why);
	else if (in->owner != NULL && (address_check(in->owner, NULL,
	    &why) == -1 || strpbrk(in->owner, "\"\\") != NULL))
		code = cli_fail(EXIT_DATA, "--owner %s: %s", in->owner, why);
	else if (*end != '\0' || port < 1 || port > 65535)
		code = cli_fail(EXIT_DATA, "--lmtp-port %s: a port is 1 to "
		    "65535", in->port);
	sbuf_free(&probe);
	return code;
}

int
init_run(struct cli *c, int argc, char **argv)
{
	struct init in = {.port = LMTP_PORT};
	const char *domain = NULL;
	bool is_owned;
	struct sbuf owner = {0};
	const struct cli_option options[] = {
		{.name = "domain", .value = &domain},
		{.name = "owner", .value = &in.owner},
		{.name = "lmtp-port", .value = &in.port},
		{.name = "maildir", .flag = &in.is_maildir},
		{.name = NULL},
	};
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){1, 1});
	if (code != 0)
		return code - 1;
	code = check_values(c, &in, domain);
	if (code == 0) {
		find_build(&in);
		in.dir = argv[1];
		sbuf_printf(&owner, "postmaster@%s", in.domain.data);
		is_owned = in.owner != NULL;
		if (!is_owned)
			in.owner = owner.data;
		code = init_site(&in);
		if (code == 0 && !is_owned)
			cli_fail(0, "without --owner nobody reads the mail to "
			    "postmaster@%s; name somebody in %s/septet.yaml",
			    in.domain.data, in.dir);
	}
	sbuf_free(&owner);
	sbuf_free(&in.domain);
	sbuf_free(&in.build);
	return code;
}
