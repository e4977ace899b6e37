/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet-moderation - does the list accept it?
 */
#include "runners/moderation/moderation.h"

static const struct runner_def def = {
	.name = "moderation",
	.usage = "[OPTION...]\n"
	    "Judge posts by their list's policy, hold them, carry out "
	    "verdicts.",
	.init = moderation_init,
	.look = moderation_look,
	.handle = moderation_handle,
	.batch_end = moderation_batch_end,
	.fini = moderation_fini,
};

int
main(int argc, char **argv)
{
	return runner_main(argc, argv, &def);
}
