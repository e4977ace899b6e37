/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet-inbound - which list and role is this for, is it whole and sane?
 */
#include "runners/inbound/inbound.h"

static const struct runner_def def = {
	.name = "inbound",
	.usage = "[OPTION...]\n"
	    "Take in dropped files; find the list and role of each message.",
	.init = inbound_init,
	.handle = inbound_handle,
	.adopt = inbound_adopt,
	.batch_end = inbound_batch_end,
	.fini = inbound_fini,
};

int
main(int argc, char **argv)
{
	return runner_main(argc, argv, &def);
}
