/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_crash - every hop, killed at every call that changes the file system
 *
 * A child process does one hop and dies before its Nth call (which is after the
 * one before), or in the middle of a write, or gets an error from it.  Then
 * recovery, which is killed at its every call too, the sweep, and all that is
 * left is handled to its end.  Each message must have arrived where it was to
 * go: once, with its parts, and nothing else may be left.
 */
/* test-objects: tests/unit/crash_seam.c tests/unit/crash_tree.c */
/* test-objects: tests/unit/crash_hops.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/spool/recover.h"
#include "common/system/fsutil.h"
#include "tests/unit/crash_hops.h"
#include "tests/unit/crash_seam.h"

#define AGE_NONE (-1000)

static char context[200];
static unsigned long points;

/* ---- what became of it --------------------------------------------------- */

static int arrived[N_QUEUES];
static bool wants_head;

/* A later queue's stage: is the entry whole? */
static void
arrive(struct entry *e)
{
	const char *queue = envelope_last(entry_envelope(e))->to;
	bool is_notice = strcmp(queue, "command") == 0 &&
	    envelope_get(entry_envelope(e), "Parent") != NULL;
	struct sbuf text = {0};
	off_t body = 0;
	size_t size;
	int fd, i;

	for (i = 0; strcmp(crash_queue(i), queue) != 0; i++)
		;
	arrived[i]++;
	ck_assert_msg(entry_header(e, 1000, &text, &body) == 0, "%s: header",
	    context);
	if (wants_head && i == OUTBOUND)
		ck_assert_str_eq(text.data, HEADER);
	size = text.len;
	fd = entry_message_open(e);
	ck_assert_msg(fd != -1, "%s: message", context);
	sbuf_reserve(&text, 100);
	size = (size_t)io_pread_full(fd, text.data + size, 99, body);
	text.data[text.len + size] = '\0';
	ck_assert_str_eq(text.data + text.len, is_notice ? "to you\n" :
	    "body\n");
	close(fd);
	if (envelope_get(entry_envelope(e), "Recipients") != NULL) {
		fd = entry_rcpt_open(e, O_RDONLY);
		ck_assert_msg(fd != -1, "%s: rcpt", context);
		memset(text.data, 0, 100);
		(void)!read(fd, text.data, 99);
		ck_assert_str_eq(text.data, RCPT);
		close(fd);
	} else {
		ck_assert_msg(i != MODERATION || envelope_get(
		    entry_envelope(e), "Parent") == NULL, "%s: no rcpt",
		    context);
	}
	sbuf_free(&text);
	entry_done(e, "done");
}

static void
recover(void)
{
	struct recover_count count = {0};
	size_t i;

	for (i = 0; i < crash_queues()->n; i++)
		(void)!recover_queue(crash_spool(), crash_queues()->items[i], NULL, NULL,
		    &count);
}

static void
sweep(void)
{
	struct recover_count count = {0};

	ck_assert_msg(recover_sweep(crash_spool(), crash_queues(), AGE_NONE, &count) == 0,
	    "%s: sweep: %s", context, strerror(errno));
	ck_assert_msg(count.failed == 0, "%s: sweep", context);
}

/* Nothing but entries in their places, and what belongs to them. */
static void
check_clean(void)
{
	static const char *const parts[] = {"msg", "head", "rcpt", "result"};
	int entries = 0;
	size_t i;

	for (i = 0; i < crash_queues()->n; i++) {
		ck_assert_msg(crash_count("/cur", crash_queues()->items[i], "") == 0,
		    "%s: %s/cur", context, crash_queues()->items[i]);
		ck_assert_msg(crash_count("/tmp", crash_queues()->items[i], "") == 0,
		    "%s: %s/tmp", context, crash_queues()->items[i]);
		entries += crash_count("/dead", crash_queues()->items[i], "") -
		    crash_count("/dead", crash_queues()->items[i], "+bare");
	}
	for (i = 0; i < 4; i++) {
		int n = crash_count("", parts[i], "");

		ck_assert_msg(i == 0 ? n == entries : n <= entries,
		    "%s: %d in %s/, %d entries", context, n, parts[i],
		    entries);
	}
	ck_assert_msg(crash_count("", "../run", "") == 0, "%s: run", context);
}

static void
drain_queue(const char *queue, crash_stage_fn *stage)
{
	static const enum spool_place places[] = {SPOOL_NEW, SPOOL_LATER,
		SPOOL_HELD};
	size_t i;

	ck_assert_int_eq(spool_own(crash_spool(), queue, "drain"), 0);
	for (i = 0; i < 3; i++) {
		/* Held is for the verdict, which must not be lost. */
		if (stage == NULL && places[i] == SPOOL_HELD)
			break;
		ck_assert_msg(crash_handle(queue, places[i], stage) == 0,
		    "%s: %s cannot be drained", context, queue);
	}
	/* What was put back, deferred or held comes once more. */
	for (i = 0; stage != NULL && i < 3; i++)
		ck_assert_int_eq(crash_handle(queue, places[i], stage), 0);
	spool_disown(crash_spool());
}

/* Finished twice is recorded twice, once for each kill. */
static void
check_journal(const struct crash_scenario *s, int kills)
{
	struct sbuf path = {0}, text = {0};
	const char *p;
	int ends = 0, all = 0, i;

	for (i = 0; i < N_QUEUES; i++)
		all += arrived[i];
	if (all + s->journal == 0)
		return;
	crash_find_one("journal", &path);
	ck_assert_int_eq(fs_read(AT_FDCWD, path.data, 1 << 20, &text), 0);
	for (p = text.data; (p = strstr(p, "\nSeptet-Envelope:")) != NULL; p++)
		ends++;
	ck_assert_msg(ends >= all + s->journal && ends <= all + s->journal +
	    kills,
	    "%s: %d journal records for %d entries", context, ends,
	    all + s->journal);
	sbuf_free(&path);
	sbuf_free(&text);
}

/* Recovery, sweep, then all to its end. */
static void
check_outcome(const struct crash_scenario *s, int kills)
{
	int i, dead = 0, kept = 0, n;

	recover();
	sweep();
	memset(arrived, 0, sizeof(arrived));
	wants_head = s->has_head;
	crash_calm();
	drain_queue(crash_queue(s->queue), s->stage);
	for (i = 0; i < N_QUEUES; i++) {
		if (i != s->queue)
			drain_queue(crash_queue(i), arrive);
	}
	for (i = 0; i < N_QUEUES; i++) {
		ck_assert_msg(arrived[i] == s->arrivals[i], "%s: %d of %d in "
		    "%s", context, arrived[i], s->arrivals[i], crash_queue(i));
		n = crash_count("/dead", crash_queue(i), "+bare");
		kept += n;
		dead += crash_count("/dead", crash_queue(i), "") - n;
	}
	/* A killed burial of a foreign file may have spoken of it before. */
	ck_assert_msg(dead >= s->dead && dead <= s->dead + s->kept,
	    "%s: %d dead", context, dead);
	ck_assert_msg(kept == s->kept, "%s: %d kept", context, kept);
	check_journal(s, kills);
	sweep();
	check_clean();
}

/* ---- killing ------------------------------------------------------------- */

/* Run work in a process that the seam kills: true where it came to its end. */
static bool
run(void (*work)(const struct crash_scenario *s), const struct crash_scenario *s, int at,
    enum crash_mode mode, int error)
{
	int status;
	pid_t pid;

	crash_seam()->calls = 0;
	crash_seam()->at = at;
	crash_seam()->mode = mode;
	crash_seam()->error = error;
	crash_seam()->is_write = false;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		work(s);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) ? WEXITSTATUS(status) == 0 :
	    WTERMSIG(status) == SIGKILL, "%s: status %#x", context,
	    (unsigned)status);
	points++;
	crash_seam()->hop_calls = crash_seam()->calls;
	crash_seam()->at = -1;
	crash_seam()->mode = COUNT;
	return WIFEXITED(status);
}

static void
recover_again(const struct crash_scenario *s)
{
	(void)s;
	recover();
}

static void
begin(const struct crash_scenario *s, const char *how, int at)
{
	snprintf(context, sizeof(context), "%s, %s at call %d", s->name, how,
	    at);
	crash_tree_empty();
	s->setup();
}

START_TEST(test_killed_at_every_call)
{
	const struct crash_scenario *s = crash_scenario(_i);
	bool is_done = false, is_write;
	int at;

	for (at = 1; !is_done; at++) {
		begin(s, "killed", at);
		is_done = run(crash_hop, s, at, KILL, 0);
		is_write = crash_seam()->is_write;
		check_outcome(s, 1);
		if (!is_write)
			continue;
		begin(s, "torn", at);
		(void)run(crash_hop, s, at, TEAR, 0);
		check_outcome(s, 1);
	}
	ck_assert_int_gt(at, 5);
	printf("crash: %s: %lu kill points\n", s->name, points);
}
END_TEST

/* Recovery of each of them is killed at each of its calls. */
START_TEST(test_killed_in_recovery)
{
	const struct crash_scenario *s = crash_scenario(_i);
	bool is_done = false, is_recovered;
	int at, k;

	for (at = 1; !is_done; at++) {
		is_recovered = false;
		for (k = 1; !is_recovered; k++) {
			begin(s, "killed", at);
			is_done = run(crash_hop, s, at, KILL, 0);
			is_recovered = run(recover_again, s, k, KILL, 0);
			snprintf(context, sizeof(context), "%s, killed at "
			    "call %d, recovery at %d", s->name, at, k);
			check_outcome(s, 2);
		}
	}
	printf("crash: %s: %lu kill points with recovery's\n", s->name,
	    points);
}
END_TEST

static void
fail_each(const struct crash_scenario *s, enum crash_mode mode, int error)
{
	bool is_last = false;
	int at;

	for (at = 1; !is_last; at++) {
		begin(s, strerror(error), at);
		(void)run(crash_hop, s, at, mode, error);
		is_last = crash_seam()->hop_calls < at;
		check_outcome(s, 1);
	}
}

/* A sweep that comes before recovery takes nothing that is still needed. */
START_TEST(test_swept_before_recovery)
{
	const struct crash_scenario *s = crash_scenario(_i);
	bool is_done = false;
	int at;

	for (at = 1; !is_done; at++) {
		begin(s, "swept first, killed", at);
		is_done = run(crash_hop, s, at, KILL, 0);
		sweep();
		check_outcome(s, 1);
	}
}
END_TEST

START_TEST(test_errors_at_every_call)
{
	const struct crash_scenario *s = crash_scenario(_i);

	fail_each(s, FAIL, ENOSPC);
	fail_each(s, FAIL_TWO, EIO);
	fail_each(s, FAIL_ON, ENOSPC);
	printf("crash: %s: %lu failing calls\n", s->name, points);
}
END_TEST

/* Recovery that gets an error leaves the rest for the next one. */
START_TEST(test_errors_in_recovery)
{
	const struct crash_scenario *s = crash_scenario(_i);
	bool is_done = false, is_last;
	int at, k;

	for (at = 1; !is_done; at += 3) {
		is_last = false;
		for (k = 1; !is_last; k++) {
			begin(s, "killed", at);
			is_done = run(crash_hop, s, at, KILL, 0);
			(void)run(recover_again, s, k, FAIL_ON, EIO);
			is_last = crash_seam()->hop_calls < k;
			snprintf(context, sizeof(context), "%s, killed at "
			    "call %d, EIO in recovery at %d", s->name, at, k);
			check_outcome(s, 2);
		}
	}
	printf("crash: %s: %lu failing calls in recovery\n", s->name, points);
}
END_TEST

static void
post_drafts(const struct crash_scenario *s)
{
	(void)s;
	crash_post_two();
}

/* Accepted is in; what is not accepted may be in, once, but whole. */
START_TEST(test_drafts)
{
	static const struct {
		enum crash_mode mode;
		int error;
	} kinds[] = {{KILL, 0}, {TEAR, 0}, {FAIL, ENOSPC}, {FAIL, EIO},
		{FAIL_ON, EIO}};
	bool is_last = false;
	int at;

	for (at = 1; !is_last; at++) {
		snprintf(context, sizeof(context), "drafts, kind %d at call "
		    "%d", _i, at);
		crash_tree_empty();
		crash_seam()->is_accepted = false;
		(void)run(post_drafts, NULL, at, kinds[_i].mode,
		    kinds[_i].error);
		is_last = crash_seam()->hop_calls < at;
		recover();
		sweep();
		memset(arrived, 0, sizeof(arrived));
		wants_head = false;
		drain_queue("moderation", arrive);
		drain_queue("command", arrive);
		ck_assert_int_le(arrived[MODERATION], 1);
		ck_assert_int_le(arrived[COMMAND], 1);
		if (crash_seam()->is_accepted || is_last) {
			ck_assert(crash_seam()->is_accepted);
			ck_assert_int_eq(arrived[MODERATION], 1);
			ck_assert_int_eq(arrived[COMMAND], 1);
		} else if (kinds[_i].mode == FAIL) {
			ck_assert_int_eq(arrived[MODERATION], 0);
			ck_assert_int_eq(arrived[COMMAND], 0);
		}
		sweep();
		check_clean();
	}
	printf("crash: drafts: %lu points\n", points);
}
END_TEST

static void
setup(void)
{
	crash_seam_begin();
	crash_tree_begin();
}

static void
teardown(void)
{
	crash_tree_end();
	crash_seam_end();
}

int
main(void)
{
	const int n = crash_n_scenarios();
	Suite *s = suite_create("crash");
	TCase *tc = tcase_create("crash");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_killed_at_every_call, 0, n);
	tcase_add_loop_test(tc, test_swept_before_recovery, 0, n);
	tcase_add_loop_test(tc, test_errors_at_every_call, 0, n);
	tcase_add_loop_test(tc, test_drafts, 0, 5);
	tcase_add_loop_test(tc, test_killed_in_recovery, 0, n);
	tcase_add_loop_test(tc, test_errors_in_recovery, 0, n);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
