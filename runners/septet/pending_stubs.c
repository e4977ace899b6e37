/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pending_stubs - commands that are still to come
 */
#include "runners/septet/septet.h"
#define S(n) int n(struct cli *c, int a, char **v) { (void)a; (void)v; return cli_usage(c, "not yet"); }
S(check_run) S(trace_run) S(retry_run) S(requeue_run) S(discard_run) S(approve_run) S(reject_run) S(maps_run) S(status_run) S(log_run)
