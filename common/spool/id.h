/* SPDX-License-Identifier: BSD-2-Clause
 *
 * id - names of entries: time first, so that ls sorts by age
 *
 * TIME-HOST-PID-COUNT: ten base-36 digits of microseconds since 1970, the
 * host's name, pid and a counter in base 36.  A child's ID is its parent's with
 * ".xC-N" (letter of the exit, claim, number).  spool-layout/ids.md.
 */
#ifndef SEPTET_SPOOL_ID_H
#define SEPTET_SPOOL_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_MAX 64
#define ID_SIZE (ID_MAX + 1)

/* [0-9a-z.-], 1 to 64 bytes, begins with a digit or letter. */
bool id_is_valid(const char *id);
/* A new one, unlike any other of this host; host is [a-z0-9-]{1,20}. */
void id_new(char out[ID_SIZE], const char *host);
/* When one was made, by its first ten digits: ms; 0 where they are none. */
int64_t id_time(const char *id);
/* parent.XC-N: the letter of the exit, the number of the claim in which the
 * child was made (so that no later visit makes the same name), and a number
 * from 1.  0, or -1 (ENAMETOOLONG). */
int id_child(char out[ID_SIZE], const char *parent, char letter,
    unsigned claim, unsigned number);

#endif
