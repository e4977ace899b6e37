/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_bells - when which queue is rung
 *
 * test-objects: runners/supervisor/bells.c runners/supervisor/notify.c
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/system/fsutil.h"
#include "runners/supervisor/bells.h"
#include "runners/supervisor/notify.h"

#define TIMER 300000
#define MINUTE 60000

static struct bells bells;
static char folder[4096];

/* Three queues, rung as at start and then taken. */
static void
setup(void)
{
	size_t i;

	ck_assert_int_eq(bells_init(&bells, 3, TIMER, 1000), 0);
	for (i = 0; i < 3; i++) {
		ck_assert(bells.queues[i].is_stale);
		bells_set_due(&bells, i, BELLS_NEVER);
		ck_assert(bells_take(&bells, i));
	}
}

static void
teardown(void)
{
	bells_free(&bells);
}

START_TEST(test_a_ring_is_taken_once)
{
	bells_ring(&bells, 1);
	bells_ring(&bells, 1);
	ck_assert_int_eq(bells_wait(&bells, 1000, 0), 0);
	ck_assert(!bells_take(&bells, 0));
	ck_assert(bells_take(&bells, 1));
	ck_assert(!bells_take(&bells, 1));
	ck_assert_int_eq(bells_wait(&bells, 1000, 0), TIMER);
}
END_TEST

START_TEST(test_slow_timer)
{
	size_t i;

	ck_assert_int_eq(bells_wait(&bells, 1000 + TIMER - 1, 0), 1);
	ck_assert(!bells_tick(&bells, 1000 + TIMER - 1, 0));
	ck_assert(!bells_take(&bells, 0));
	ck_assert(bells_tick(&bells, 1000 + TIMER, 0));
	for (i = 0; i < 3; i++) {
		ck_assert(bells_take(&bells, i));
		ck_assert(bells.queues[i].is_stale);
		bells_set_due(&bells, i, BELLS_NEVER);
	}
	ck_assert_int_eq(bells_wait(&bells, 1000 + TIMER, 0), TIMER);
}
END_TEST

START_TEST(test_no_timer_is_never)
{
	struct bells none;

	ck_assert_int_eq(bells_init(&none, 1, 0, 1000), 0);
	ck_assert(bells_take(&none, 0));
	bells_set_due(&none, 0, BELLS_NEVER);
	ck_assert(bells_wait(&none, 5000, 5000) == BELLS_NEVER);
	ck_assert(!bells_tick(&none, INT64_MAX - 1, INT64_MAX - 1));
	ck_assert(!bells_take(&none, 0));
	bells_free(&none);
}
END_TEST

START_TEST(test_due)
{
	bells_set_due(&bells, 2, 70000);
	ck_assert_int_eq(bells_wait(&bells, 1000, 69000), 1000);
	bells_tick(&bells, 1000, 69999);
	ck_assert(!bells_take(&bells, 2));
	bells_tick(&bells, 1000, 70000);
	ck_assert(bells_take(&bells, 2));
	ck_assert(!bells_take(&bells, 1));
	ck_assert_int_eq(bells_wait(&bells, 1000, 70000), 0);
	bells_set_due(&bells, 2, BELLS_NEVER);
	ck_assert_int_eq(bells_wait(&bells, 1000, 70000), TIMER);
}
END_TEST

/* What was rung for and stands there still must not spin. */
START_TEST(test_due_is_rung_once)
{
	bells_set_due(&bells, 0, 60000);
	bells_tick(&bells, 1000, 60000);
	ck_assert(bells_take(&bells, 0));
	bells_set_due(&bells, 0, 60000);
	ck_assert_int_eq(bells_wait(&bells, 1000, 61000), TIMER);
	bells_tick(&bells, 1000, 61000);
	ck_assert(!bells_take(&bells, 0));
	bells_set_due(&bells, 0, 120000);
	bells_tick(&bells, 1000, 120000);
	ck_assert(bells_take(&bells, 0));
}
END_TEST

/* What is deferred anew counts, though its minute was rung for already. */
START_TEST(test_stale_looks_back)
{
	bells_set_due(&bells, 0, 60000);
	bells_tick(&bells, 1000, 60000);
	ck_assert(bells_take(&bells, 0));
	bells_set_stale(&bells, 0);
	ck_assert_int_eq(bells_wait(&bells, 1000, 61000), 0);
	bells_set_due(&bells, 0, 60000);
	bells_tick(&bells, 1000, 61000);
	ck_assert(bells_take(&bells, 0));
}
END_TEST

START_TEST(test_poll)
{
	bells_set_poll(&bells, 1, 500, 1000);
	ck_assert_int_eq(bells_wait(&bells, 1200, 0), 300);
	bells_tick(&bells, 1499, 0);
	ck_assert(!bells_take(&bells, 1));
	bells_tick(&bells, 1500, 0);
	ck_assert(bells_take(&bells, 1));
	ck_assert(!bells_take(&bells, 0));
	ck_assert_int_eq(bells_wait(&bells, 1500, 0), 500);
	bells_set_poll(&bells, 1, 0, 1500);
	ck_assert_int_eq(bells_wait(&bells, 1500, 0), 1000 + TIMER - 1500);
}
END_TEST

/* After a long sleep one ring makes up for all that were missed. */
START_TEST(test_poll_does_not_catch_up)
{
	bells_set_poll(&bells, 1, 500, 1000);
	bells_tick(&bells, 9000, 0);
	ck_assert(bells_take(&bells, 1));
	bells_tick(&bells, 9001, 0);
	ck_assert(!bells_take(&bells, 1));
}
END_TEST

static void
make_folder(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/bells.XXXXXX",
	    base != NULL ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void
remove_folder(void)
{
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, folder), 0);
}

static const struct {
	const char *names[5];
	int64_t after;          /* minutes */
	int found;
	int64_t due;            /* minutes */
} folders[] = {
	{{NULL}, 0, 0, 0},
	{{"0000000007"}, 0, 1, 7},
	{{"0000000009", "0000000007", "0000000008"}, 0, 1, 7},
	{{"0000000009", "0000000007", "0000000008"}, 7, 1, 8},
	{{"0000000009", "0000000007"}, 9, 0, 0},
	{{"tmp", "7x", ".7", "-7"}, 0, 0, 0},
	{{"00000000000000000000000000000000000000000000000007"}, 0, 0, 0},
	{{"99999999999999"}, 0, 1, 99999999999999},
};

START_TEST(test_next_folder)
{
	char path[8192];
	int64_t due = -1;
	int found, i;

	for (i = 0; i < 5 && folders[_i].names[i] != NULL; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder,
		    folders[_i].names[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	found = bells_next_folder(AT_FDCWD, folder, folders[_i].after * MINUTE,
	    &due);
	ck_assert_int_eq(found, folders[_i].found);
	if (found == 1)
		ck_assert_int_eq(due, folders[_i].due * MINUTE);
}
END_TEST

START_TEST(test_next_folder_errors)
{
	char path[8192];
	int64_t due;

	snprintf(path, sizeof(path), "%s/none", folder);
	ck_assert_int_eq(bells_next_folder(AT_FDCWD, path, 0, &due), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(symlink(folder, path), 0);
	ck_assert_int_eq(bells_next_folder(AT_FDCWD, path, 0, &due), -1);
	ck_assert(errno == ELOOP || errno == ENOTDIR);
}
END_TEST

static void
receive(const struct sockaddr_un *address, size_t n, const char *name)
{
	char got[64] = "";
	int fd;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)address,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	ck_assert_int_eq(notify_send("READY=1\nSTATUS=up"), 1);
	ck_assert_int_eq(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 17);
	ck_assert_str_eq(got, "READY=1\nSTATUS=up");
	close(fd);
}

START_TEST(test_notify_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n;

	n = snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/s",
	    folder);
	receive(&address, (size_t)n, address.sun_path);
}
END_TEST

START_TEST(test_notify_abstract)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];
	int n;

	n = snprintf(name, sizeof(name), "@septet-test-%ld", (long)getpid());
	memcpy(address.sun_path + 1, name + 1, (size_t)n - 1);
	receive(&address, (size_t)n, name);
}
END_TEST

START_TEST(test_notify_nobody)
{
	char name[200];

	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_send("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert_int_eq(notify_send("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	ck_assert_int_eq(notify_send("READY=1"), -1);
	ck_assert_int_eq(errno, EINVAL);
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	ck_assert_int_eq(notify_send("READY=1"), -1);
	ck_assert_int_eq(errno, EINVAL);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	ck_assert_int_eq(notify_send("READY=1"), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static Suite *
bells_suite(void)
{
	Suite *suite = suite_create("bells");
	TCase *plan = tcase_create("plan");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(plan, setup, teardown);
	tcase_add_test(plan, test_a_ring_is_taken_once);
	tcase_add_test(plan, test_slow_timer);
	tcase_add_test(plan, test_no_timer_is_never);
	tcase_add_test(plan, test_due);
	tcase_add_test(plan, test_due_is_rung_once);
	tcase_add_test(plan, test_stale_looks_back);
	tcase_add_test(plan, test_poll);
	tcase_add_test(plan, test_poll_does_not_catch_up);
	suite_add_tcase(suite, plan);
	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_add_loop_test(files, test_next_folder, 0,
	    (int)(sizeof(folders) / sizeof(folders[0])));
	tcase_add_test(files, test_next_folder_errors);
	tcase_add_test(files, test_notify_path);
	tcase_add_test(files, test_notify_abstract);
	tcase_add_test(files, test_notify_nobody);
	suite_add_tcase(suite, files);
	return suite;
}

int
main(void)
{
	SRunner *sr = srunner_create(bells_suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
