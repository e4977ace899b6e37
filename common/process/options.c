/* SPDX-License-Identifier: BSD-2-Clause
 *
 * options - the command line that all programs share
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/exits.h"
#include "common/process/options.h"

static const struct option long_options[] = {
	{"site", required_argument, NULL, 's'},
	{"queue", required_argument, NULL, 'q'},
	{"instance", required_argument, NULL, 'i'},
	{"log-level", required_argument, NULL, 'l'},
	{"drain", no_argument, NULL, 'd'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static void
print_help(const char *program, const char *usage, bool is_server)
{
	printf("usage: %s %s\n"
	    "  --site FILE        the site file (else $SEPTET_SITE, else %s)\n",
	    program, usage, SEPTET_SITE_FILE);
	if (!is_server)
		fputs("  --queue NAME       stand at this queue instead of the "
		    "stock one\n"
		    "  --instance NAME    this process's name among those of "
		    "its queue\n", stdout);
	fputs("  --log-level LEVEL  debug, info, warn or error\n", stdout);
	if (!is_server)
		fputs("  --drain            look once, handle what is there, "
		    "and end\n", stdout);
	fputs("  --version, --help\n", stdout);
}

static int
parse(int argc, char **argv, const char *usage, bool is_server,
    struct options *out)
{
	int c;

	memset(out, 0, sizeof(*out));
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			out->site = optarg;
			break;
		case 'q':
			out->queue = optarg;
			break;
		case 'i':
			out->instance = optarg;
			break;
		case 'l':
			out->log_level = optarg;
			break;
		case 'd':
			out->is_drain = true;
			break;
		case 'h':
			print_help(base_name(argv[0]), usage, is_server);
			exit(EXIT_OK);
		case 'V':
			printf("%s %s\n", base_name(argv[0]), SEPTET_VERSION);
			exit(EXIT_OK);
		default:
			fprintf(stderr, "%s: see --help\n", base_name(argv[0]));
			exit(EXIT_USAGE);
		}
	}
	return optind;
}

int
options_parse(int argc, char **argv, const char *usage, struct options *out)
{
	return parse(argc, argv, usage, false, out);
}

int
options_parse_server(int argc, char **argv, const char *usage,
    struct options *out)
{
	return parse(argc, argv, usage, true, out);
}

struct site *
options_site(const struct options *o, const char *program)
{
	struct conf_errors errors = {{0}};
	enum log_level level;
	struct site *site;
	size_t i;

	log_setup(program, LOG_LEVEL_INFO);
	site = site_load(site_path(o->site), &errors);
	for (i = 0; i < errors.lines.n; i++)
		log_error("config error \"%s\"", errors.lines.items[i]);
	if (site == NULL)
		exit(EXIT_CONFIG);
	level = site->log_level;
	if (o->log_level != NULL &&
	    log_level_parse(o->log_level, &level) == -1) {
		fprintf(stderr, "%s: --log-level %s: debug, info, warn or "
		    "error\n", program, o->log_level);
		exit(EXIT_USAGE);
	}
	log_setup(program, level);
	conf_errors_free(&errors);
	return site;
}
