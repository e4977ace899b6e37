/* SPDX-License-Identifier: BSD-2-Clause
 *
 * crash_seam - calls that fail, or are the last of their process
 */
#ifndef SEPTET_TESTS_CRASH_SEAM_H
#define SEPTET_TESTS_CRASH_SEAM_H

#include <stdbool.h>

/* FAIL: this call; FAIL_TWO: this and the next, by which it might be undone;
 * FAIL_ON: this and all after it.  TEAR: killed in the middle of a write. */
enum crash_mode { COUNT, KILL, TEAR, FAIL, FAIL_TWO, FAIL_ON };

/* Shared with the process that is killed. */
struct crash_seam {
	int calls;
	int hop_calls;          /* what they came to */
	int at;
	enum crash_mode mode;
	int error;
	bool is_write;          /* the call at `at` was a write */
	bool is_accepted;       /* the hop told somebody that it is done */
};

struct crash_seam *crash_seam(void);
/* Put it between the library and the system, and take it away. */
void crash_seam_begin(void);
void crash_seam_end(void);

#endif
