/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet-outbound - hand list mail to SMTP servers
 */
#include "common/process/runner.h"
#include "runners/outbound/outbound.h"

int
main(int argc, char **argv)
{
	static const struct runner_def def = {
		.name = "outbound",
		.usage = "[OPTION...]\n",
		.init = outbound_init,
		.serve = outbound_serve,
		.fini = outbound_fini,
	};

	return runner_main(argc, argv, &def);
}
