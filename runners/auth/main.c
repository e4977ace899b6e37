/* SPDX-License-Identifier: BSD-2-Clause
 *
 * septet-auth - who sent this, and how sure are we?
 */
#include "runners/auth/auth.h"

static const struct runner_def def = {
	.name = "auth",
	.usage = "[OPTION...]\n"
	    "Find out who sent a post and whether that is a member.",
	.init = auth_init,
	.handle = auth_handle,
	.fini = auth_fini,
};

int
main(int argc, char **argv)
{
	return runner_main(argc, argv, &def);
}
