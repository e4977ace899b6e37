/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet-bounce - who failed, and what becomes of the member?
 */
#include "runners/bounce/bounce.h"

static const struct runner_def def = {
	.name = "bounce",
	.usage = "[OPTION...]\n"
	    "Read bounces, score members, disable those past the threshold.",
	.init = bounce_init,
	.handle = bounce_handle,
	.batch_end = bounce_batch_end,
	.fini = bounce_fini,
};

int
main(int argc, char **argv)
{
	return runner_main(argc, argv, &def);
}
