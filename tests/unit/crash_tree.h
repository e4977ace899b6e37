/* SPDX-License-Identifier: BSD-2-Clause
 *
 * crash_tree - a spool of five queues to crash in
 */
#ifndef SEPTET_TESTS_CRASH_TREE_H
#define SEPTET_TESTS_CRASH_TREE_H

#include "common/base/sbuf.h"
#include "common/spool/spool.h"

#define MESSAGE "Subject: x\n\nbody\n"

enum { INBOUND, AUTH, MODERATION, COMMAND, OUTBOUND, N_QUEUES };

void crash_tree_begin(void);
void crash_tree_end(void);
/* Remove what a hop leaves for good, and what a failed test may have. */
void crash_tree_empty(void);
struct spool *crash_spool(void);
const char *crash_root(void);
const char *crash_queue(int queue);
const struct strv *crash_queues(void);

/* Write a file below the spool. */
void crash_drop(const char *path, const char *text);
/* Accept a message into a queue. */
void crash_post(const char *queue, const char *kind);
/* The path of a file of a folder below the spool: one has to be there. */
void crash_find_one(const char *folder, struct sbuf *path);
/* How many names in QUEUE FOLDER ("auth", "/new") end in tail? */
int crash_count(const char *folder, const char *queue, const char *tail);

#endif
