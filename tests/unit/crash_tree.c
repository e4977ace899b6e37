/* SPDX-License-Identifier: BSD-2-Clause
 *
 * crash_tree - a spool of five queues to crash in
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/system/fsutil.h"
#include "tests/unit/crash_tree.h"

static const char *const queue_names[N_QUEUES] = {"inbound", "auth",
	"moderation", "command", "outbound"};

static char root[64];
static struct spool *spool;
static struct strv queues;

struct spool *
crash_spool(void)
{
	return spool;
}

const char *
crash_root(void)
{
	return root;
}

const char *
crash_queue(int queue)
{
	return queue_names[queue];
}

const struct strv *
crash_queues(void)
{
	return &queues;
}

static const char *
stage_of(void *ctx, const char *queue)
{
	(void)ctx;
	return queue;
}

static bool
reaches(void *ctx, const char *from, const char *to)
{
	(void)ctx;
	return strcmp(from, "inbound") == 0 && strcmp(to, "auth") == 0;
}

static void
open_spool(void)
{
	struct spool_config config = {.host = "a", .stage = stage_of,
		.reaches = reaches};
	char path[80], run[80];

	snprintf(path, sizeof(path), "%s/spool", root);
	snprintf(run, sizeof(run), "%s/run", root);
	config.path = path;
	config.run = run;
	spool = spool_open(&config);
	ck_assert_ptr_nonnull(spool);
}

void
crash_tree_begin(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[80];
	int i;

	/* Thousands of trees: in memory, where there is such a place. */
	if (tmp == NULL || strlen(tmp) > 40)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(root, sizeof(root), "%s/septet-crash.XXXXXX", tmp);
	ck_assert_ptr_nonnull(mkdtemp(root));
	for (i = 0; i < N_QUEUES; i++)
		strv_add(&queues, queue_names[i]);

	snprintf(path, sizeof(path), "%s/spool", root);
	ck_assert_int_eq(spool_make(path, &queues), 0);
	open_spool();
}

/* Folders are costly to make: they stay from one kill to the next. */
static void
empty(const char *queue, const char *folder)
{
	struct sbuf path = {0};
	struct dirent *d;
	DIR *dir;

	sbuf_printf(&path, "%s/spool/%s%s", root, queue, folder);
	dir = opendir(path.data);
	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] != '.')
			ck_assert_int_eq(fs_remove_tree(dirfd(dir),
			    d->d_name), 0);
	}
	closedir(dir);
	sbuf_free(&path);
}

void
crash_tree_empty(void)
{
	static const char *const folders[] = {"msg", "head", "rcpt", "result",
		"journal"};
	size_t i;

	for (i = 0; i < 5; i++)
		empty(folders[i], "");
	for (i = 0; i < queues.n; i++) {
		empty(queues.items[i], "/dead");
		empty(queues.items[i], "/later");
	}
}

void
crash_drop(const char *path, const char *text)
{
	int fd = openat(spool_dir(spool), path, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

void
crash_post(const char *queue, const char *kind)
{
	struct spool_draft *d = spool_draft_begin(spool);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(spool_draft_write(d, MESSAGE, strlen(MESSAGE)), 0);
	spool_draft_set(d, "Kind", kind);
	spool_draft_set(d, "Body-Offset", "12");
	ck_assert_int_eq(spool_draft_seal(d, "lmtp", queue), 0);
	ck_assert_int_eq(spool_draft_commit(spool, &d, 1), 0);
	spool_draft_free(&d);
}

void
crash_find_one(const char *folder, struct sbuf *path)
{
	struct dirent *d;
	DIR *dir;

	sbuf_printf(path, "%s/spool/%s", root, folder);
	dir = opendir(path->data);
	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] != '.')
			break;
	}
	ck_assert_ptr_nonnull(d);
	sbuf_printf(path, "/%s", d->d_name);
	closedir(dir);
}

int
crash_count(const char *folder, const char *queue, const char *tail)
{
	struct sbuf path = {0};
	struct dirent *d;
	DIR *dir;
	size_t n;
	int count = 0;

	sbuf_printf(&path, "%s/spool/", root);
	sbuf_printf(&path, "%s%s", queue, folder);
	dir = opendir(path.data);
	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)) != NULL) {
		n = strlen(d->d_name);
		if (d->d_name[0] != '.' && n >= strlen(tail) &&
		    strcmp(d->d_name + n - strlen(tail), tail) == 0)
			count++;
	}
	closedir(dir);
	sbuf_free(&path);
	return count;
}

void
crash_tree_end(void)
{
	spool_close(&spool);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, root), 0);
	strv_free(&queues);
}
