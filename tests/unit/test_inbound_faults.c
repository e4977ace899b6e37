/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_inbound_faults - a dropped file and an entry, with every call that
 * changes the spool failing or being the last one of the process, in turn
 */
/* test-objects: runners/inbound/adopt.c runners/inbound/recipients.c */
/* test-objects: runners/inbound/owner.c runners/inbound/inbound.c */
/* test-objects: runners/inbound/facts.c */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/exits.h"
#include "common/base/io.h"
#include "common/spool/recover.h"
#include "common/system/fsutil.h"
#include "runners/inbound/inbound.h"

#define EXIT_CRASH 99

static char root[64];
static int root_dir;
static struct strv queues;

/* Shared with the process under test. */
static struct {
	int calls;
	int at;                 /* the n-th call: 0 none */
	int error;              /* fails with it; 0: the process dies */
} *seam;

static const struct runner_def def = {
	.name = "inbound", .usage = "", .init = inbound_init,
	.handle = inbound_handle, .adopt = inbound_adopt,
	.batch_end = inbound_batch_end, .fini = inbound_fini,
};

static bool
is_faulty(void)
{
	if (++seam->calls != seam->at)
		return false;
	if (seam->error == 0)
		_exit(EXIT_CRASH);
	errno = seam->error;
	return true;
}

static int
seam_openat(int dir, const char *path, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0 && is_faulty())
		return -1;
	return io_system_ops()->openat(dir, path, flags, mode);
}

static ssize_t
seam_write(int fd, const void *bytes, size_t n)
{
	return is_faulty() ? -1 : io_system_ops()->write(fd, bytes, n);
}

static int
seam_fsync(int fd)
{
	return is_faulty() ? -1 : io_system_ops()->fsync(fd);
}

static int
seam_fdatasync(int fd)
{
	return is_faulty() ? -1 : io_system_ops()->fdatasync(fd);
}

static int
seam_syncfs(int fd)
{
	return is_faulty() ? -1 : io_system_ops()->syncfs(fd);
}

static int
seam_renameat2(int from_dir, const char *from, int to_dir, const char *to,
    unsigned flags)
{
	return is_faulty() ? -1 : io_system_ops()->renameat2(from_dir, from,
	    to_dir, to, flags);
}

static int
seam_linkat(int from_dir, const char *from, int to_dir, const char *to,
    int flags)
{
	return is_faulty() ? -1 : io_system_ops()->linkat(from_dir, from,
	    to_dir, to, flags);
}

static int
seam_unlinkat(int dir, const char *path, int flags)
{
	return is_faulty() ? -1 : io_system_ops()->unlinkat(dir, path, flags);
}

static void
use_seam(void)
{
	static struct io_ops ops;

	ops = *io_system_ops();
	ops.openat = seam_openat;
	ops.write = seam_write;
	ops.fsync = seam_fsync;
	ops.fdatasync = seam_fdatasync;
	ops.syncfs = seam_syncfs;
	ops.renameat2 = seam_renameat2;
	ops.linkat = seam_linkat;
	ops.unlinkat = seam_unlinkat;
	io_set_ops(&ops);
}

static void
put(const char *path, const char *text)
{
	ck_assert_int_eq(fs_replace_unsynced(root_dir, path, text,
	    strlen(text), 0600), 0);
}

static void
make_list(const char *address)
{
	struct sbuf path = {0}, text = {0};

	sbuf_printf(&path, "lists/%s", address);
	ck_assert_int_eq(fs_mkdirs(root_dir, path.data, 0700), 0);
	sbuf_adds(&path, "/list.yaml");
	sbuf_printf(&text, "addresses: %s\nowners: ann@example.org\n",
	    address);
	put(path.data, text.data);
	sbuf_free(&path);
	sbuf_free(&text);
}

/* A file for two lists and an entry for an owner. */
static void
make_site(void)
{
	static const char file[] = "To: dev@lists.example.org,\n"
	    " ops@lists.example.org\nMessage-ID: <1@example.net>\n\nHello.\n";
	struct sbuf path = {0};

	strcpy(root, "/tmp/septet-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	root_dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ne(root_dir, -1);
	make_list("dev@lists.example.org");
	make_list("ops@lists.example.org");
	put("septet.yaml", "site: lists.example.org\nhost: a\nspool: spool\n"
	    "lists: lists\nrun: run\nowner: owner@example.org\n"
	    "low_space: 0\n");
	sbuf_printf(&path, "%s/spool", root);
	ck_assert_int_eq(spool_make(path.data, &queues), 0);
	put("spool/inbound/new/A file", file);
	put("spool/msg/0k1-a-1", "Subject: x\n\nHelp.\n");
	put("spool/inbound/new/0k1-a-1", "Septet-Envelope: 1\nId: 0k1-a-1\n"
	    "Mail-From: <eve@example.net>\n"
	    "Rcpt-To: <dev-owner@lists.example.org>\n"
	    "Trail: 2026-11-20T09:00:00.000Z host=a queue=lmtp exit=accept "
	    "to=inbound lines=4 crc32=-\n");
	sbuf_free(&path);
}

static void
remove_site(void)
{
	close(root_dir);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, root), 0);
}

/* The runner as it is started, in a process of its own: its exit code. */
static int
run(void)
{
	struct sbuf file = {0};
	char *argv[] = {"septet-inbound", "--site", NULL, "--log-level",
		"error", "--drain", NULL};
	int status, null;
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		sbuf_printf(&file, "%s/septet.yaml", root);
		argv[2] = file.data;
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, STDERR_FILENO);
		_exit(runner_main(6, argv, &def));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static const char *
stage_of(void *ctx, const char *queue)
{
	(void)ctx;
	return queue;
}

/* As the supervisor does before the next start. */
static void
recover(void)
{
	struct spool_config config = {.host = "a", .stage = stage_of};
	struct recover_count count = {0};
	struct sbuf path = {0}, lock = {0};
	struct spool *s;

	sbuf_printf(&path, "%s/spool", root);
	sbuf_printf(&lock, "%s/run", root);
	config.path = path.data;
	config.run = lock.data;
	s = spool_open(&config);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(recover_queue(s, "inbound", NULL, NULL, &count), 0);
	ck_assert_uint_eq(count.failed, 0);
	spool_close(&s);
	sbuf_free(&path);
	sbuf_free(&lock);
}

/* How many files in QUEUE/PLACE have this line?  NULL: any name. */
static int
count(const char *place, const char *line)
{
	struct sbuf path = {0}, text = {0};
	struct dirent *d;
	DIR *dir;
	int n = 0;

	sbuf_printf(&path, "%s/spool/%s", root, place);
	dir = opendir(path.data);
	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		sbuf_truncate(&text, 0);
		ck_assert_int_eq(line == NULL ? 0 : fs_read(dirfd(dir),
		    d->d_name, 65536, &text), 0);
		if (line == NULL || strstr(text.data, line) != NULL)
			n++;
	}
	closedir(dir);
	sbuf_free(&path);
	sbuf_free(&text);
	return n;
}

/* Whatever happened before, in the end each is there once. */
static void
check_all_there(int at, int error)
{
#define CHECK(have, want) ck_assert_msg((have) == (want), \
	"%s: %d, not %d, after a fault at call %d (%s), kept in %s", #have, \
	have, want, at, error == 0 ? "crash" : strerror(error), root)
	CHECK(count("auth/new", "\nList: dev@lists.example.org\n"), 1);
	CHECK(count("auth/new", "\nList: ops@lists.example.org\n"), 1);
	CHECK(count("outbound/new", "\nRole: owner\n"), 1);
	CHECK(count("auth/new", NULL), 2);
	CHECK(count("outbound/new", NULL), 1);
	CHECK(count("inbound/new", NULL), 0);
	CHECK(count("inbound/cur", NULL), 0);
	CHECK(count("inbound/dead", NULL), 0);
#undef CHECK
}

static void
try_all(int error)
{
	bool is_met;
	int code, at = 0;

	/* Until the hop has fewer calls than this. */
	do {
		make_site();
		seam->at = ++at;
		seam->calls = 0;
		seam->error = error;
		code = run();
		is_met = seam->calls >= at;
		ck_assert_msg(code == EXIT_OK || code == EXIT_TEMPORARY ||
		    code == (error == 0 ? EXIT_CRASH : EXIT_OK),
		    "exit %d after a fault at call %d", code, at);
		seam->at = 0;
		recover();
		ck_assert_int_eq(run(), EXIT_OK);
		check_all_there(at, error);
		remove_site();
	} while (is_met);
	ck_assert_int_gt(at, 40);
}

START_TEST(survives_failing_calls)
{
	static const int errors[] = {EIO, ENOSPC};

	try_all(errors[_i]);
}
END_TEST

START_TEST(survives_a_crash)
{
	try_all(0);
}
END_TEST

static void
set_up(void)
{
	strv_add(&queues, "inbound");
	strv_add(&queues, "auth");
	strv_add(&queues, "outbound");
	seam = mmap(NULL, sizeof(*seam), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(seam, MAP_FAILED);
	use_seam();
}

static void
tear_down(void)
{
	io_set_ops(NULL);
	munmap(seam, sizeof(*seam));
	strv_free(&queues);
}

int
main(void)
{
	Suite *suite = suite_create("inbound_faults");
	TCase *faults = tcase_create("faults");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(faults, set_up, tear_down);
	tcase_set_timeout(faults, 120);
	tcase_add_loop_test(faults, survives_failing_calls, 0, 2);
	tcase_add_test(faults, survives_a_crash);
	suite_add_tcase(suite, faults);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
