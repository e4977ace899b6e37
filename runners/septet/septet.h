/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet - the command line tool: what its files share
 *
 * A subcommand is a function from a cli and its arguments to an exit code; it
 * parses its options with cli_options, opens what it needs with cli_open, and
 * says what is wrong in one line with cli_fail.
 */
#ifndef SEPTET_SEPTET_H
#define SEPTET_SEPTET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/exits.h"
#include "common/domain/lists.h"
#include "common/domain/site.h"
#include "common/spool/spool.h"
#include "runners/septet/output.h"

struct cli_command;

struct cli {
	const struct cli_command *command;
	const char *site_file;  /* --site, or NULL */
	bool is_json;
	uid_t uid;              /* who called, before privileges went */
	struct site *site;      /* what cli_open opened */
	struct spool *spool;
	struct lists *lists;
};

struct cli_command {
	const char *name;       /* "list create" */
	const char *arguments;  /* "ADDRESS --owner ADDRESS..." */
	const char *about;      /* one line, for the table of commands */
	const char *help;       /* more lines, each ended by LF; or NULL */
	int (*run)(struct cli *c, int argc, char **argv);
	bool has_json;
};

/* An option of a subcommand; --site, --json and --help go without saying. */
struct cli_option {
	const char *name;       /* "owner"; NULL ends the table */
	char letter;            /* 'n', or 0 */
	const char **value;     /* takes one: the last given */
	struct strv *values;    /* takes one: all given */
	bool *flag;             /* takes none */
};

extern const struct cli_command cli_commands[];

/* Parse argv (argv[0] is the command's name); the arguments end up in
 * argv[1..*n].  0, or the exit code + 1 (--help was asked for: EXIT_OK + 1). */
int cli_options(struct cli *c, int argc, char **argv,
    const struct cli_option *options, int *n)
    __attribute__((warn_unused_result));
/* The same, and a number of arguments from min to max (-1: any). */
int cli_arguments(struct cli *c, int *argc, char **argv,
    const struct cli_option *options, const int range[2])
    __attribute__((warn_unused_result));

/* "septet: TEXT" on stderr, controls escaped; returns code. */
int cli_fail(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with ": " and errno's text; the code is what errno is to a caller:
 * refused, or temporary. */
int cli_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The command line is wrong: EXIT_USAGE. */
int cli_usage(const struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define CLI_SPOOL 1
#define CLI_LISTS 2
/* Load the site and open what is asked for, as the site's user.  0, or an exit
 * code after saying why. */
int cli_open(struct cli *c, int what) __attribute__((warn_unused_result));
void cli_close(struct cli *c);

/* The address a person means: without a domain it is the site's. */
void cli_address(const struct cli *c, const char *text, struct sbuf *out);
/* A list by its name: 0, or an exit code after saying why. */
int cli_list(struct cli *c, const char *name, const struct list **list)
    __attribute__((warn_unused_result));
/* The name of who called: "ann", or "uid=1000". */
void cli_who(const struct cli *c, struct sbuf *out);

int init_run(struct cli *c, int argc, char **argv);
int check_run(struct cli *c, int argc, char **argv);
int list_create_run(struct cli *c, int argc, char **argv);
int list_ls_run(struct cli *c, int argc, char **argv);
int list_show_run(struct cli *c, int argc, char **argv);
int list_delete_run(struct cli *c, int argc, char **argv);
int member_add_run(struct cli *c, int argc, char **argv);
int member_ls_run(struct cli *c, int argc, char **argv);
int member_set_run(struct cli *c, int argc, char **argv);
int member_del_run(struct cli *c, int argc, char **argv);
int post_run(struct cli *c, int argc, char **argv);
int queue_run(struct cli *c, int argc, char **argv);
int show_run(struct cli *c, int argc, char **argv);
int trace_run(struct cli *c, int argc, char **argv);
int retry_run(struct cli *c, int argc, char **argv);
int requeue_run(struct cli *c, int argc, char **argv);
int discard_run(struct cli *c, int argc, char **argv);
int approve_run(struct cli *c, int argc, char **argv);
int reject_run(struct cli *c, int argc, char **argv);
int maps_run(struct cli *c, int argc, char **argv);
int status_run(struct cli *c, int argc, char **argv);
int log_run(struct cli *c, int argc, char **argv);

#endif
