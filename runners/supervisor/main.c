/* SPDX-License-Identifier: BSD-2-Clause
 *
 * main - the supervisor's command line
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/exits.h"
#include "runners/supervisor/supervisor.h"

#define GRACE_DEFAULT 15
#define GRACE_MAX 3600

static const char usage[] =
    "usage: septet-supervisor [--site FILE] [--log-level LEVEL]\n"
    "                         [--ready-fd N] [--grace SECONDS]\n"
    "\n"
    "Starts the runners of a site, rings their bells, restarts what dies, and\n"
    "stops all of it on SIGTERM.  SIGHUP: reload.  Stays in the foreground.\n"
    "\n"
    "  --site FILE        else $SEPTET_SITE, else the installed site file\n"
    "  --log-level LEVEL  debug, info, warn or error\n"
    "  --ready-fd N       write a newline there when all are started\n"
    "  --grace SECONDS    how long a runner may take to end (15)\n"
    "  --version, --help\n";

static int
number(const char *option, const char *text, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && value >= 0 &&
	    value <= max)
		return (int)value;
	fprintf(stderr, "septet-supervisor: --%s %s: a number from 0 to %ld is "
	    "expected\n", option, text, max);
	exit(EXIT_USAGE);
}

static int
descriptor(const char *text)
{
	int fd;

	fd = number("ready-fd", text, INT_MAX);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return fd;
	fprintf(stderr, "septet-supervisor: --ready-fd %s: %s\n", text,
	    strerror(errno));
	exit(EXIT_USAGE);
}

static const char *
level(const char *text)
{
	enum log_level ignored;

	if (log_level_parse(text, &ignored) == 0)
		return text;
	fprintf(stderr, "septet-supervisor: --log-level %s: debug, info, warn "
	    "or error is expected\n", text);
	exit(EXIT_USAGE);
}

static void
parse(int argc, char **argv, struct supervisor_options *out)
{
	static const struct option known[] = {
		{"site", required_argument, NULL, 's'},
		{"log-level", required_argument, NULL, 'l'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"grace", required_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 's':
			out->site = optarg;
			break;
		case 'l':
			out->log_level = level(optarg);
			break;
		case 'r':
			out->ready_fd = descriptor(optarg);
			break;
		case 'g':
			out->grace = number("grace", optarg, GRACE_MAX) *
			    INT64_C(1000);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_OK);
		case 'V':
			puts("septet-supervisor " SEPTET_VERSION);
			exit(EXIT_OK);
		default:
			fputs("septet-supervisor: see --help\n", stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind == argc)
		return;
	fprintf(stderr, "septet-supervisor: %s: no argument is expected\n",
	    argv[optind]);
	exit(EXIT_USAGE);
}

int
main(int argc, char **argv)
{
	struct supervisor_options options = {.ready_fd = -1,
		.grace = GRACE_DEFAULT * INT64_C(1000)};

	parse(argc, argv, &options);
	return supervisor_main(&options);
}
