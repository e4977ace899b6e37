/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet-command - mail to the list itself, and all automatic mail
 */
#include "runners/command/command.h"

static const struct runner_def def = {
	.name = "command",
	.usage = "[OPTION...]\n"
	    "Carry out commands by mail; write the answers and notices.",
	.init = command_init,
	.handle = command_handle,
	.batch_end = command_batch_end,
	.fini = command_fini,
};

int
main(int argc, char **argv)
{
	return runner_main(argc, argv, &def);
}
