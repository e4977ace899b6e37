/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet-pending - what is sent, and to whom
 */
#include "runners/pending/pending.h"

static const struct runner_def def = {
	.name = "pending",
	.usage = "[OPTION...]\n"
	    "Make list mail of accepted posts: header, distribution lists.",
	.init = pending_init,
	.handle = pending_handle,
	.batch_end = pending_batch_end,
	.fini = pending_fini,
};

int
main(int argc, char **argv)
{
	return runner_main(argc, argv, &def);
}
