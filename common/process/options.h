/* SPDX-License-Identifier: BSD-2-Clause
 *
 * options - the command line that all programs share
 */
#ifndef SEPTET_PROCESS_OPTIONS_H
#define SEPTET_PROCESS_OPTIONS_H

#include <stdbool.h>

#include "common/domain/site.h"

struct options {
	const char *site;       /* --site FILE, or NULL */
	const char *queue;      /* --queue NAME */
	const char *instance;   /* --instance NAME, default the queue's + "1" */
	const char *log_level;  /* --log-level debug|info|warn|error */
	bool is_drain;          /* --drain: once, then end */
};

/* Parse with getopt_long; --help prints usage text and exits 0, a wrong option
 * exits EXIT_USAGE with one line.  `usage` is the text after "usage: NAME ".
 * Returns the index of the first argument. */
int options_parse(int argc, char **argv, const char *usage,
    struct options *out);
/* The same for a program that stands at no queue: --help is silent on the
 * options that say nothing to it, which are taken all the same. */
int options_parse_server(int argc, char **argv, const char *usage,
    struct options *out);
/* Load the site that the options name, set up the log for `program`, print
 * every config error and exit EXIT_CONFIG where there is one. */
struct site *options_site(const struct options *o, const char *program);

#endif
