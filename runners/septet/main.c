/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet - the command line tool; see septet(1)
 */
#include "runners/septet/septet.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"

/* How many of argv's words name the command: 1 or 2, or 0. */
static int
match(const struct cli_command *command, int argc, char **argv)
{
	const char *space = strchr(command->name, ' ');
	size_t n;

	if (space == NULL)
		return argc > 0 && strcmp(argv[0], command->name) == 0;
	n = (size_t)(space - command->name);
	if (argc < 2 || strlen(argv[0]) != n ||
	    strncmp(argv[0], command->name, n) != 0)
		return 0;
	return strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

/* Those of one family ("list"), or all (""). */
static void
print_commands(const char *family, FILE *to)
{
	const struct cli_command *command;
	size_t n = strlen(family);

	for (command = cli_commands; command->name != NULL; command++) {
		if (n > 0 && (strncmp(command->name, family, n) != 0 ||
		    command->name[n] != ' '))
			continue;
		fprintf(to, "  %-15s %s\n", command->name, command->about);
	}
}

static bool
is_family(const char *word)
{
	const struct cli_command *command;
	size_t n = strlen(word);

	for (command = cli_commands; command->name != NULL; command++) {
		if (strncmp(command->name, word, n) == 0 &&
		    command->name[n] == ' ')
			return true;
	}
	return false;
}

static int
help(void)
{
	printf("usage: septet [--site FILE] [--json] COMMAND ...\n\n");
	print_commands("", stdout);
	printf("\nThe site file: --site, else $SEPTET_SITE, else %s.\n"
	    "septet COMMAND --help says more; so does septet(1).\n",
	    SEPTET_SITE_FILE);
	return EXIT_OK;
}

static int
unknown(int argc, char **argv)
{
	bool wants_help = argc > 1 && strcmp(argv[1], "--help") == 0;
	FILE *to = wants_help ? stdout : stderr;

	if (!is_family(argv[0]))
		return cli_fail(EXIT_USAGE, "%s: no such command; see "
		    "septet --help", argv[0]);
	if (!wants_help)
		cli_fail(EXIT_USAGE, "%s %s: no such command; there are:",
		    argv[0], argc > 1 ? argv[1] : "(nothing)");
	print_commands(argv[0], to);
	return wants_help ? EXIT_OK : EXIT_USAGE;
}

static int
run(struct cli *c, int argc, char **argv)
{
	const struct cli_command *command;
	int words = 0, code;

	for (command = cli_commands; command->name != NULL; command++) {
		words = match(command, argc, argv);
		if (words > 0)
			break;
	}
	if (words == 0)
		return unknown(argc, argv);
	c->command = command;
	code = command->run(c, argc - words + 1, argv + words - 1);
	if (fflush(stdout) == EOF || ferror(stdout))
		code = cli_errno("standard output");
	return code;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"site", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct cli cli = {.uid = getuid()};
	bool is_version = false;
	int c, code;

	log_setup("septet", LOG_LEVEL_WARN);
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'h')
			return help();
		if (c == 's') {
			cli.site_file = optarg;
		} else if (c == 'j') {
			cli.is_json = true;
		} else if (c == 'V') {
			is_version = true;
		} else {
			return cli_fail(EXIT_USAGE, "%s: no such option, or "
			    "its value is missing; see septet --help",
			    argv[optind - 1]);
		}
	}
	if (is_version) {
		printf(cli.is_json ? "{\"version\": \"%s\"}\n" :
		    "septet %s\n", SEPTET_VERSION);
		return EXIT_OK;
	}
	if (optind == argc) {
		cli_fail(EXIT_USAGE, "what to do? There are:");
		print_commands("", stderr);
		return EXIT_USAGE;
	}
	code = run(&cli, argc - optind, argv + optind);
	cli_close(&cli);
	return code;
}
