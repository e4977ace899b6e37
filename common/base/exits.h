/* SPDX-License-Identifier: BSD-2-Clause
 *
 * exits - the exit codes that programs of Septet use
 *
 * Programs that an MTA runs use values that Postfix and qmail read alike; a
 * daemon that ends with EXIT_CONFIG is not restarted.  See septet(7).
 */
#ifndef SEPTET_BASE_EXITS_H
#define SEPTET_BASE_EXITS_H

enum septet_exit {
	EXIT_OK = 0,
	EXIT_DATA = 65,      /* permanent: the input is wrong, or not there */
	EXIT_USAGE = 64,     /* the command line is wrong */
	EXIT_TEMPORARY = 75, /* try again: disk, memory, config of a mailer */
	EXIT_REFUSED = 77,   /* permanent: not allowed */
	EXIT_CONFIG = 78     /* a daemon's config is wrong: do not restart */
};

#endif
