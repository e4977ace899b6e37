/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet-lmtp - takes mail in over LMTP; see septet-lmtp(8)
 */
#include <stdio.h>

#include "common/base/exits.h"
#include "common/process/options.h"
#include "runners/lmtp/lmtp.h"

static const char usage[] =
    "[--site FILE] [--log-level LEVEL]\n"
    "Takes mail in over LMTP and puts it into the queue inbound.\n";

int
main(int argc, char **argv)
{
	struct options options;
	struct site *site;
	int at, code;

	at = options_parse_server(argc, argv, usage, &options);
	if (options.is_drain || at != argc) {
		fprintf(stderr, "septet-lmtp: %s; see --help\n",
		    options.is_drain ? "--drain makes no sense for a server" :
		    "takes no arguments");
		return EXIT_USAGE;
	}
	site = options_site(&options, "septet-lmtp");
	code = lmtp_serve(site);
	site_free(&site);
	return code;
}
