/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_lmtp_store - one flush for many transactions, and disks that fail
 */
/* test-objects: runners/lmtp/store.c runners/lmtp/session.c */
/* test-objects: runners/lmtp/command.c runners/lmtp/syntax.c */
/* test-objects: runners/lmtp/xforward.c runners/lmtp/data.c */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/base/log.h"
#include "common/system/fsutil.h"
#include "runners/lmtp/store.h"

#define SESSIONS 5

static const char site_text[] = "site: lists.example.org\nhost: a\n"
    "spool: spool\nlists: lists\nrun: run\nowner: owner@example.org\n"
    "low_space: 0\nflush: syncfs\n";
static const char list_text[] = "addresses: dev@lists.example.org\n"
    "owners: owner@example.org\n";

static char root[64];
static int root_dir;
static struct site *site;
static struct store store;
static struct sbuf scratch;
static struct session_config config;
static struct session *sessions[SESSIONS];

/* The seam: how often each call came, and which of them fails. */
static struct {
	int syncfs, openat;
	int syncfs_error, fsync_error;
	int openat_at, openat_error; /* the n-th fails */
} seam;

static int
seam_syncfs(int fd)
{
	seam.syncfs++;
	errno = seam.syncfs_error;
	return seam.syncfs_error != 0 ? -1 : io_system_ops()->syncfs(fd);
}

static int
seam_fsync(int fd)
{
	errno = seam.fsync_error;
	return seam.fsync_error != 0 ? -1 : io_system_ops()->fsync(fd);
}

static int
seam_openat(int dir, const char *path, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0 && ++seam.openat == seam.openat_at) {
		errno = seam.openat_error;
		return -1;
	}
	return io_system_ops()->openat(dir, path, flags, mode);
}

static void
make_site(void)
{
	struct conf_errors errors = {{0}};
	struct strv queues = {0};
	struct sbuf path = {0};

	ck_assert_int_eq(fs_mkdirs(root_dir, "lists/dev@lists.example.org",
	    0700), 0);
	ck_assert_int_eq(fs_replace_unsynced(root_dir,
	    "lists/dev@lists.example.org/list.yaml", list_text,
	    strlen(list_text), 0600), 0);
	ck_assert_int_eq(fs_replace_unsynced(root_dir, "septet.yaml",
	    site_text, strlen(site_text), 0600), 0);
	sbuf_printf(&path, "%s/septet.yaml", root);
	site = site_load(path.data, &errors);
	ck_assert_msg(site != NULL, "%s",
	    errors.lines.n > 0 ? errors.lines.items[0] : "no site");
	strv_add(&queues, "inbound");
	ck_assert_int_eq(spool_make(site->spool, &queues), 0);
	strv_free(&queues);
	sbuf_free(&path);
}

static void
set_up(void)
{
	const char *what, *tmp = getenv("TMPDIR");
	int i;

	log_setup("test", LOG_LEVEL_ERROR + 1);
	snprintf(root, sizeof(root), "%s/septet-test.XXXXXX",
	    tmp == NULL || strlen(tmp) > 30 ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(root));
	root_dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ne(root_dir, -1);
	make_site();
	ck_assert_int_eq(store_open(&store, site, &what), 0);
	config = (struct session_config){.site = site->name, .recipients = 100,
		.ops = &store_ops, .ctx = &store, .scratch = &scratch};
	for (i = 0; i < SESSIONS; i++)
		sessions[i] = session_new(&config, "192.0.2.1", false);
}

static void
tear_down(void)
{
	int i;

	for (i = 0; i < SESSIONS; i++)
		session_free(&sessions[i]);
	store_close(&store);
	site_free(&site);
	sbuf_free(&scratch);
	io_set_ops(NULL);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, root), 0);
	close(root_dir);
}

static void
use_seam(void)
{
	static struct io_ops ops;

	memset(&seam, 0, sizeof(seam));
	ops = *io_system_ops();
	ops.syncfs = seam_syncfs;
	ops.fsync = seam_fsync;
	ops.openat = seam_openat;
	io_set_ops(&ops);
}

static size_t
count(const char *path)
{
	int fd = openat(root_dir, path, O_RDONLY | O_DIRECTORY);
	DIR *dir = fdopendir(fd);
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

static void
expect_files(size_t msg, size_t tmp, size_t new)
{
	ck_assert_uint_eq(count("spool/msg"), msg);
	ck_assert_uint_eq(count("spool/inbound/tmp"), tmp);
	ck_assert_uint_eq(count("spool/inbound/new"), new);
}

/* A whole message with n recipients, up to its end. */
static void
post(struct session *s, size_t n)
{
	struct sbuf text = {0};
	size_t i;

	sbuf_adds(&text, "LHLO a\r\nMAIL FROM:<>\r\n");
	for (i = 0; i < n; i++)
		sbuf_adds(&text, "RCPT TO:<dev@lists.example.org>\r\n");
	sbuf_adds(&text, "DATA\r\na: b\r\n\r\nc\r\n.\r\n");
	ck_assert_uint_eq(session_input(s, text.data, text.len), text.len);
	ck_assert(session_is_waiting(s));
	sbuf_truncate(session_output(s), 0);
	sbuf_free(&text);
}

/* The answers begin with the codes of want, e.g. "250 452 ". */
static void
expect(struct session *s, const char *want)
{
	const char *p = sbuf_str(session_output(s));
	struct sbuf got = {0};

	while (*p != '\0') {
		sbuf_add(&got, p, 4);
		p = strchr(p, '\n') + 1;
	}
	ck_assert_str_eq(sbuf_str(&got), want);
	sbuf_free(&got);
}

START_TEST(test_one_flush_for_all)
{
	int i;

	use_seam();
	for (i = 0; i < SESSIONS; i++)
		post(sessions[i], 2);
	ck_assert_int_eq(seam.syncfs, 0);
	expect_files(2 * SESSIONS, 2 * SESSIONS, 0);
	store_commit(&store);
	ck_assert_int_eq(seam.syncfs, 1);
	for (i = 0; i < SESSIONS; i++)
		expect(sessions[i], "250 250 ");
	expect_files(2 * SESSIONS, 0, 2 * SESSIONS);
	store_commit(&store);
	ck_assert_int_eq(seam.syncfs, 1);
}
END_TEST

static void
flush_fails(int *error)
{
	int i;

	use_seam();
	for (i = 0; i < SESSIONS; i++)
		post(sessions[i], 1);
	*error = EIO;
	store_commit(&store);
	for (i = 0; i < SESSIONS; i++)
		expect(sessions[i], "451 ");
	expect_files(0, 0, 0);
	*error = 0;
	post(sessions[0], 1);
	store_commit(&store);
	expect(sessions[0], "250 ");
	expect_files(1, 0, 1);
}

START_TEST(test_flush_fails)
{
	flush_fails(&seam.syncfs_error);
}
END_TEST

/* The flush of the directory, after the renames. */
START_TEST(test_directory_flush_fails)
{
	flush_fails(&seam.fsync_error);
}
END_TEST

/* One of several recipients cannot be written: the others are. */
START_TEST(test_one_entry_fails)
{
	use_seam();
	/* msg, then the envelopes of three. */
	seam.openat_at = 3;
	seam.openat_error = ENOSPC;
	post(sessions[0], 3);
	store_commit(&store);
	expect(sessions[0], "250 452 250 ");
	expect_files(2, 0, 2);
}
END_TEST

/* The first draft has the message: without it there is nothing to flush. */
START_TEST(test_first_entry_fails)
{
	use_seam();
	seam.openat_at = 2;
	seam.openat_error = EIO;
	post(sessions[0], 3);
	post(sessions[1], 1);
	store_commit(&store);
	expect(sessions[0], "451 451 451 ");
	expect(sessions[1], "250 ");
	expect_files(1, 0, 1);
}
END_TEST

START_TEST(test_client_gone_before_commit)
{
	use_seam();
	post(sessions[0], 2);
	post(sessions[1], 1);
	session_free(&sessions[0]);
	expect_files(1, 1, 0);
	store_commit(&store);
	expect(sessions[1], "250 ");
	expect_files(1, 0, 1);
}
END_TEST

START_TEST(test_close_before_commit)
{
	const char *what;
	int i;

	post(sessions[0], 2);
	for (i = 0; i < SESSIONS; i++)
		session_free(&sessions[i]);
	store_close(&store);
	expect_files(0, 0, 0);
	ck_assert_int_eq(store_open(&store, site, &what), 0);
}
END_TEST

START_TEST(test_no_spool)
{
	struct store none;
	const char *what = NULL;

	ck_assert_int_eq(renameat(root_dir, "spool", root_dir, "away"), 0);
	ck_assert_int_eq(store_open(&none, site, &what), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(what, site->spool);
	store_close(&none);
	ck_assert_int_eq(renameat(root_dir, "away", root_dir, "spool"), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("store");
	Suite *suite = suite_create("lmtp_store");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_one_flush_for_all);
	tcase_add_test(tc, test_flush_fails);
	tcase_add_test(tc, test_directory_flush_fails);
	tcase_add_test(tc, test_one_entry_fails);
	tcase_add_test(tc, test_first_entry_fails);
	tcase_add_test(tc, test_client_gone_before_commit);
	tcase_add_test(tc, test_close_before_commit);
	tcase_add_test(tc, test_no_spool);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
