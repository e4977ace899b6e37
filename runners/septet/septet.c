/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet - the table of commands, and what they share: options, errors, what
 * is opened
 */
#include "runners/septet/septet.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "common/process/privilege.h"

#define OPTIONS_MAX 12

const struct cli_command cli_commands[] = {
	{"init", "DIR --domain DOMAIN [--owner ADDRESS] [--maildir] "
	    "[--lmtp-port N]", "make a site in an empty directory",
	    "  --domain DOMAIN  the site's domain\n"
	    "  --owner ADDRESS  who gets postmaster's mail "
	    "(postmaster@DOMAIN)\n"
	    "  --maildir        deliver to DIR/mail instead of an SMTP server\n"
	    "  --lmtp-port N    where the LMTP server listens (8024)\n",
	    init_run, false},
	{"check", "", "look for mistakes in the site and its lists",
	    "Prints every problem; exits 78 where there is one.\n",
	    check_run, true},
	{"list create", "ADDRESS --owner ADDRESS...", "make a list", NULL,
	    list_create_run, false},
	{"list ls", "", "all lists", NULL, list_ls_run, true},
	{"list show", "LIST", "a list's policy and addresses", NULL,
	    list_show_run, true},
	{"list delete", "LIST [--yes]", "remove a list and its roster",
	    "  --yes  do not ask\n", list_delete_run, false},
	{"member add", "LIST ADDRESS... | LIST - [--skip-bad]",
	    "add members",
	    "  -           read standard input: a line is an address, or\n"
	    "              Name <address>\n"
	    "  --skip-bad  leave bad lines out instead of adding nothing\n",
	    member_add_run, true},
	{"member ls", "LIST", "the members of a list", NULL, member_ls_run,
	    true},
	{"member set", "LIST ADDRESS KEY=VALUE...", "change a member",
	    "  status=active|disabled|moderated\n"
	    "      disabled: gets no posts; moderated: own posts are held\n"
	    "  mode=each|none\n      gets every post, or none\n"
	    "  name=TEXT  lang=TEXT  address=ADDRESS\n", member_set_run, false},
	{"member del", "LIST ADDRESS... | LIST -", "remove members", NULL,
	    member_del_run, true},
	{"post", "[--sender ADDRESS] LIST [FILE]",
	    "send a message to a list",
	    "  --sender ADDRESS  the envelope's sender; <> for none\n"
	    "  FILE              the message (standard input)\n",
	    post_run, true},
	{"queue", "[NAME]", "what is waiting where", NULL, queue_run, true},
	{"show", "ID [--raw]", "an entry: where it is and what it went through",
	    "  --raw  the envelope as it stands\n", show_run, true},
	{"trace", "ID|MESSAGE-ID|ADDRESS [--days N] [--all]",
	    "what became of a message, or of an address's mail",
	    "  --days N  look back so far in the journal (as long as it is "
	    "kept)\n  --all     every recipient, also of large lists\n",
	    trace_run, true},
	{"retry", "ID...", "try what is dead or deferred again now", NULL,
	    retry_run, false},
	{"requeue", "ID QUEUE", "move an entry to another queue", NULL,
	    requeue_run, false},
	{"discard", "ID...", "drop an entry; the journal keeps its trail", NULL,
	    discard_run, false},
	{"approve", "ID... [--by ADDRESS]", "let a held post pass",
	    "  --by ADDRESS  who decided, instead of the user's name\n",
	    approve_run, false},
	{"reject", "ID... [--by ADDRESS]", "refuse a held post",
	    "Its sender is told only where that is a member or was verified: a "
	    "stranger's\naddress may be made up.\n"
	    "  --by ADDRESS  who decided, instead of the user's name\n",
	    reject_run, false},
	{"maps", "postfix|exim", "a table of all addresses for the MTA", NULL,
	    maps_run, false},
	{"status", "", "is everything well?",
	    "Exits 1 where something needs attention.\n", status_run, true},
	{"log", "[-f] [-n N] [TEXT]", "the last lines of the log",
	    "  -f    go on with what comes\n"
	    "  -n N  so many lines (20)\n"
	    "  TEXT  only lines with this in them\n", log_run, false},
	{NULL, NULL, NULL, NULL, NULL, false},
};

/* ---- errors ------------------------------------------------------------ */

static void __attribute__((format(printf, 1, 0)))
complain(const char *fmt, va_list ap)
{
	struct sbuf text = {0};

	sbuf_vprintf(&text, fmt, ap);
	fflush(stdout);
	fputs("septet: ", stderr);
	out_text(stderr, sbuf_str(&text));
	fputc('\n', stderr);
	sbuf_free(&text);
}

int
cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return code;
}

int
cli_errno(const char *fmt, ...)
{
	int error = errno;
	struct sbuf text = {0};
	va_list ap;
	bool is_refused;

	is_refused = error == EACCES || error == EPERM || error == EROFS;
	va_start(ap, fmt);
	sbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	cli_fail(0, "%s: %s", sbuf_str(&text), strerror(error));
	sbuf_free(&text);
	return is_refused ? EXIT_REFUSED : EXIT_TEMPORARY;
}

int
cli_usage(const struct cli *c, const char *fmt, ...)
{
	struct sbuf text = {0};
	va_list ap;

	va_start(ap, fmt);
	sbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	cli_fail(0, "%s: %s; usage: septet %s%s%s", c->command->name,
	    sbuf_str(&text), c->command->name,
	    *c->command->arguments == '\0' ? "" : " ", c->command->arguments);
	sbuf_free(&text);
	return EXIT_USAGE;
}

/* ---- options ----------------------------------------------------------- */

static int
print_help(const struct cli *c)
{
	const char *about = c->command->about;

	printf("usage: septet [--site FILE]%s %s%s%s\n%c%s%s\n",
	    c->command->has_json ? " [--json]" : "", c->command->name,
	    *c->command->arguments == '\0' ? "" : " ", c->command->arguments,
	    about[0] - 'a' + 'A', about + 1,
	    about[strlen(about) - 1] == '?' ? "" : ".");
	if (c->command->help != NULL)
		fputs(c->command->help, stdout);
	return EXIT_OK + 1;
}

static void
take(struct cli *c, const struct cli_option *o)
{
	if (o->flag != NULL)
		*o->flag = true;
	else if (o->values != NULL)
		strv_add(o->values, optarg);
	else
		*o->value = optarg;
	(void)c;
}

/* Fill getopt's two forms of the table; val is the option's index + 256. */
static void
make_tables(const struct cli_option *options, struct option *out, char *letters)
{
	size_t n = 0;

	out[n++] = (struct option){"site", required_argument, NULL, 's' + 512};
	out[n++] = (struct option){"json", no_argument, NULL, 'j' + 512};
	out[n++] = (struct option){"help", no_argument, NULL, 'h' + 512};
	for (size_t i = 0; options != NULL && options[i].name != NULL; i++) {
		int has = options[i].flag == NULL;

		out[n++] = (struct option){options[i].name, has, NULL,
			(int)i + 256};
		if (options[i].letter == 0)
			continue;
		*letters++ = options[i].letter;
		if (has)
			*letters++ = ':';
	}
	out[n] = (struct option){NULL, 0, NULL, 0};
	*letters = '\0';
}

static const struct cli_option *
find_option(const struct cli_option *options, int got)
{
	if (got >= 256)
		return &options[got - 256];
	for (; options != NULL && options->name != NULL; options++) {
		if (options->letter == got)
			return options;
	}
	return NULL;
}

int
cli_options(struct cli *c, int argc, char **argv,
    const struct cli_option *options, int *n)
{
	struct option table[OPTIONS_MAX + 4];
	char letters[2 * OPTIONS_MAX + 1];
	const struct cli_option *o;
	int got;

	make_tables(options, table, letters);
	optind = 0;
	opterr = 0;
	while ((got = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		if (got == 's' + 512) {
			c->site_file = optarg;
		} else if (got == 'j' + 512) {
			c->is_json = true;
		} else if (got == 'h' + 512) {
			return print_help(c);
		} else if ((o = find_option(options, got)) != NULL) {
			take(c, o);
		} else {
			return cli_usage(c, "%s: no such option, or its value "
			    "is missing", argv[optind - 1]) + 1;
		}
	}
	if (c->is_json && !c->command->has_json)
		return cli_usage(c, "prints nothing for programs, so there is "
		    "no --json") + 1;
	*n = argc - optind;
	memmove(argv + 1, argv + optind, (size_t)*n * sizeof(char *));
	return 0;
}

int
cli_arguments(struct cli *c, int *argc, char **argv,
    const struct cli_option *options, const int range[2])
{
	int n = 0, rc;

	rc = cli_options(c, *argc, argv, options, &n);
	if (rc != 0)
		return rc;
	*argc = n;
	if (n < range[0])
		return cli_usage(c, n == 0 ? "arguments are missing" :
		    "an argument is missing") + 1;
	if (range[1] != -1 && n > range[1])
		return cli_usage(c, "%s: one argument too many",
		    argv[range[1] + 1]) + 1;
	return 0;
}

/* ---- what is opened ---------------------------------------------------- */

static const char *
stage_of(void *ctx, const char *queue)
{
	return site_stage(ctx, queue);
}

static bool
reaches(void *ctx, const char *from, const char *to)
{
	return site_reaches(ctx, from, to);
}

static int
load_site(struct cli *c)
{
	const char *path = site_path(c->site_file);
	struct conf_errors errors = {{0}};
	size_t i;

	c->site = site_load(path, &errors);
	if (c->site == NULL && errno == ENOENT) {
		cli_fail(0, "%s: there is no such site file; name one with "
		    "--site or $SEPTET_SITE, or make one with septet init",
		    path);
	} else {
		for (i = 0; i < errors.lines.n; i++)
			cli_fail(0, "%s", errors.lines.items[i]);
	}
	conf_errors_free(&errors);
	return c->site == NULL ? EXIT_CONFIG : 0;
}

int
cli_open(struct cli *c, int what)
{
	struct spool_config config;
	const char *failed = NULL;
	int code;

	code = load_site(c);
	if (code != 0)
		return code;
	if (privilege_drop(c->site, &failed) == -1)
		return cli_errno("%s", failed);
	if ((what & CLI_SPOOL) != 0) {
		config = (struct spool_config){.path = c->site->spool,
			.run = c->site->run, .host = c->site->host,
			.flush = (enum spool_flush)c->site->flush,
			.stage = stage_of, .reaches = reaches, .ctx = c->site};
		c->spool = spool_open(&config);
		if (c->spool == NULL)
			return cli_errno("spool %s", c->site->spool);
	}
	if ((what & CLI_LISTS) != 0) {
		c->lists = lists_open(c->site);
		if (c->lists == NULL)
			return cli_errno("lists %s", c->site->lists);
	}
	return 0;
}

void
cli_close(struct cli *c)
{
	lists_close(&c->lists);
	spool_close(&c->spool);
	site_free(&c->site);
}

void
cli_address(const struct cli *c, const char *text, struct sbuf *out)
{
	sbuf_set(out, text);
	if (strchr(text, '@') == NULL)
		sbuf_printf(out, "@%s", c->site->name);
}

int
cli_list(struct cli *c, const char *name, const struct list **list)
{
	struct lists_match match = {0};
	struct sbuf address = {0}, why = {0};
	int found, code = 0;

	cli_address(c, name, &address);
	found = lists_get(c->lists, sbuf_str(&address), list, &why);
	if (found == 0 && lists_resolve(c->lists, sbuf_str(&address),
	    &match) == 1 && match.role == ROLE_POST && match.list != NULL &&
	    match.extension.len == 0) {
		/* An alias. */
		*list = match.list;
		found = 1;
	}
	if (found == 0)
		code = cli_fail(EXIT_DATA, "%s: no such list; septet list ls "
		    "names them", sbuf_str(&address));
	else if (found == -1 && why.len > 0)
		code = cli_fail(EXIT_CONFIG, "%s", sbuf_str(&why));
	else if (found == -1)
		code = cli_errno("list %s", sbuf_str(&address));
	lists_match_free(&match);
	sbuf_free(&address);
	sbuf_free(&why);
	return code;
}

void
cli_who(const struct cli *c, struct sbuf *out)
{
	const struct passwd *user = getpwuid(c->uid);

	if (user != NULL)
		sbuf_set(out, user->pw_name);
	else
		sbuf_printf(out, "uid=%lu", (unsigned long)c->uid);
}
