/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_spool - drafts, claims, hops and recovery on a real directory
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/spool/entry.h"
#include "common/spool/recover.h"
#include "common/spool/spool.h"
#include "common/system/fsutil.h"

static char root[64];
static struct spool *spool;

static const char *
stage_of(void *ctx, const char *queue)
{
	(void)ctx;
	return queue;
}

/* inbound before auth before moderation. */
static bool
reaches(void *ctx, const char *from, const char *to)
{
	static const char *const order[] = {"inbound", "auth", "moderation",
		"outbound", NULL};
	int a = -1, b = -1, i;

	(void)ctx;
	for (i = 0; order[i] != NULL; i++) {
		if (strcmp(order[i], from) == 0)
			a = i;
		if (strcmp(order[i], to) == 0)
			b = i;
	}
	return a >= 0 && b >= 0 && a <= b;
}

static struct spool *
open_spool(void)
{
	struct spool_config config = {.host = "a", .stage = stage_of,
		.reaches = reaches};
	struct sbuf path = {0}, run = {0};
	struct spool *s;

	sbuf_printf(&path, "%s/spool", root);
	sbuf_printf(&run, "%s/run", root);
	config.path = path.data;
	config.run = run.data;
	s = spool_open(&config);
	ck_assert_ptr_nonnull(s);
	sbuf_free(&path);
	sbuf_free(&run);
	return s;
}

static void
setup(void)
{
	struct strv queues = {0};
	struct sbuf path = {0};

	strcpy(root, "/tmp/septet-spool.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	strv_add(&queues, "inbound");
	strv_add(&queues, "auth");
	strv_add(&queues, "moderation");
	strv_add(&queues, "outbound");
	sbuf_printf(&path, "%s/spool", root);
	ck_assert_int_eq(spool_make(path.data, &queues), 0);
	sbuf_free(&path);
	strv_free(&queues);
	spool = open_spool();
}

static void
teardown(void)
{
	io_set_ops(NULL);
	spool_close(&spool);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, root), 0);
}

static bool
is_there(const char *fmt, const char *id)
{
	struct sbuf path = {0};
	struct stat st;
	bool is;

	sbuf_printf(&path, "%s%s", fmt, id);
	is = fstatat(spool_dir(spool), path.data, &st, AT_SYMLINK_NOFOLLOW) ==
	    0;
	sbuf_free(&path);
	return is;
}

static size_t
count_names(const char *queue, enum spool_place place)
{
	struct spool_scan *scan = spool_scan_open(spool, queue, place,
	    INT64_MAX);
	const char *name, *folder;
	size_t n = 0;
	int rc;

	ck_assert_ptr_nonnull(scan);
	while ((rc = spool_scan_next(scan, &name, &folder)) == 1)
		n++;
	ck_assert_int_eq(rc, 0);
	spool_scan_close(&scan);
	return n;
}

static void
post(char id[ID_SIZE], const char *queue)
{
	static const char text[] = "Subject: x\n\nbody\n";
	struct spool_draft *d = spool_draft_begin(spool);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(spool_draft_write(d, text, strlen(text)), 0);
	spool_draft_set(d, "Mail-From", "<ann@example.net>");
	spool_draft_set(d, "Body-Offset", "12");
	ck_assert_int_eq(spool_draft_seal(d, "lmtp", queue), 0);
	ck_assert_int_eq(spool_draft_commit(spool, &d, 1), 0);
	strcpy(id, spool_draft_id(d));
	spool_draft_free(&d);
}

static struct entry *
claim(const char *id)
{
	struct sbuf why = {0};
	struct entry *e;
	enum entry_claim got;

	got = entry_claim(spool, SPOOL_NEW, "", id, &e, &why);
	ck_assert_msg(got == ENTRY_CLAIMED, "%d %s", (int)got, sbuf_str(&why));
	sbuf_free(&why);
	return e;
}

START_TEST(test_draft_is_seen_only_when_committed)
{
	struct spool_draft *d = spool_draft_begin(spool);
	char id[ID_SIZE];

	ck_assert_int_eq(spool_draft_write(d, "x\n", 2), 0);
	spool_draft_set(d, "Body-Offset", "0");
	ck_assert_int_eq(spool_draft_seal(d, "lmtp", "inbound"), 0);
	strcpy(id, spool_draft_id(d));
	ck_assert_uint_eq(count_names("inbound", SPOOL_NEW), 0);
	ck_assert(is_there("msg/", id));
	spool_draft_free(&d);
	ck_assert(!is_there("msg/", id));
	ck_assert(!is_there("inbound/tmp/", id));

	post(id, "inbound");
	ck_assert(is_there("inbound/new/", id));
	ck_assert(!is_there("inbound/tmp/", id));
}
END_TEST

START_TEST(test_shared_message)
{
	struct spool_draft *d[2];
	struct stat a, b;
	struct sbuf path = {0};

	d[0] = spool_draft_begin(spool);
	ck_assert_int_eq(spool_draft_write(d[0], "x\n", 2), 0);
	d[1] = spool_draft_share(d[0]);
	ck_assert_ptr_nonnull(d[1]);
	ck_assert_str_ne(spool_draft_id(d[0]), spool_draft_id(d[1]));
	ck_assert_int_eq(spool_draft_seal(d[0], "lmtp", "inbound"), 0);
	ck_assert_int_eq(spool_draft_seal(d[1], "lmtp", "inbound"), 0);
	ck_assert_int_eq(spool_draft_commit(spool, d, 2), 0);
	sbuf_printf(&path, "msg/%s", spool_draft_id(d[0]));
	ck_assert_int_eq(fstatat(spool_dir(spool), path.data, &a, 0), 0);
	sbuf_truncate(&path, 0);
	sbuf_printf(&path, "msg/%s", spool_draft_id(d[1]));
	ck_assert_int_eq(fstatat(spool_dir(spool), path.data, &b, 0), 0);
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	spool_draft_free(&d[0]);
	spool_draft_free(&d[1]);
	sbuf_free(&path);
}
END_TEST

START_TEST(test_hop)
{
	char id[ID_SIZE];
	struct entry *e;
	struct envelope_trail last;

	post(id, "inbound");
	ck_assert_int_eq(spool_own(spool, "inbound", "inbound1"), 0);
	e = claim(id);
	ck_assert(!entry_is_suspect(e));
	ck_assert_uint_eq(count_names("inbound", SPOOL_NEW), 0);
	entry_set(e, "Role", "post");
	entry_forward(e, "accept", "auth");
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	ck_assert_int_eq(entry_state(e), ENTRY_MOVED);
	entry_free(&e);
	ck_assert(is_there("auth/new/", id));
	spool_disown(spool);

	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	ck_assert_str_eq(envelope_get(entry_envelope(e), "Mail-From"),
	    "<ann@example.net>");
	last = *envelope_last(entry_envelope(e));
	ck_assert_str_eq(last.queue, "inbound");
	ck_assert_str_eq(last.exit, "accept");
	ck_assert_uint_eq(last.claim, 1);
	entry_done(e, "done");
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	entry_free(&e);
	ck_assert(!is_there("msg/", id));
	ck_assert_uint_eq(count_names("auth", SPOOL_CUR), 0);
}
END_TEST

START_TEST(test_children_share_parts)
{
	struct sbuf head = {0};
	struct rcpt_writer w;
	char id[ID_SIZE], child[ID_SIZE];
	struct child *c;
	struct entry *e;

	post(id, "auth");
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	sbuf_adds(&head, "X-New: 1\nSubject: x\n\n");
	ck_assert_int_eq(entry_stage_head(e, &head), 0);
	ck_assert_int_eq(entry_stage_rcpt(e, &w), 0);
	ck_assert_int_eq(rcpt_write(&w, 'T', "ann@example.net", "id=1"), 0);
	ck_assert_int_eq(entry_stage_rcpt_end(e, &w), 0);
	c = entry_child(e, 'o', "outbound");
	ck_assert_ptr_nonnull(c);
	strcpy(child, child_id(c));
	ck_assert_int_eq(child_share_message(c), 0);
	ck_assert_int_eq(child_stage_rcpt(c, &w), 0);
	ck_assert_int_eq(rcpt_write(&w, 'T', "bob@example.net", "id=2"), 0);
	ck_assert_int_eq(child_stage_rcpt_end(c, &w), 0);
	entry_forward(e, "accept", "outbound");
	ck_assert(!is_there("head/", id));
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	entry_free(&e);
	spool_disown(spool);

	ck_assert_uint_eq(count_names("outbound", SPOOL_NEW), 2);
	ck_assert(is_there("rcpt/", id) && is_there("rcpt/", child));
	ck_assert(is_there("head/", id) && is_there("head/", child));
	ck_assert(is_there("msg/", child));
	ck_assert_int_eq(spool_own(spool, "outbound", "outbound1"), 0);
	e = claim(child);
	ck_assert_str_eq(envelope_get(entry_envelope(e), "Parent"), id);
	ck_assert_str_eq(envelope_get(entry_envelope(e), "Mail-From"),
	    "<ann@example.net>");
	sbuf_truncate(&head, 0);
	{
		off_t body;

		ck_assert_int_eq(entry_header(e, 1000, &head, &body), 0);
		ck_assert_int_eq(body, 12);
	}
	ck_assert_str_eq(head.data, "X-New: 1\nSubject: x\n\n");
	entry_done(e, "done");
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	entry_free(&e);
	ck_assert(is_there("msg/", id) && !is_there("msg/", child));
	sbuf_free(&head);
}
END_TEST

START_TEST(test_no_outcome_is_released)
{
	char id[ID_SIZE];
	struct entry *e;

	post(id, "auth");
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	entry_set(e, "Identity", "<x@example.net>");
	ck_assert_int_eq(spool_commit(spool, &e, 1), -1);
	ck_assert_int_eq(entry_state(e), ENTRY_RELEASED);
	entry_free(&e);
	e = claim(id);
	ck_assert(!entry_is_suspect(e));
	ck_assert_ptr_null(envelope_get(entry_envelope(e), "Identity"));
	entry_done(e, "done");
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	entry_free(&e);
}
END_TEST

/* Die as kill -9 does: the claim stays, the lock goes. */
static void
abandon_owner(void)
{
	spool_close(&spool);
	spool = open_spool();
}

START_TEST(test_poison_is_buried_after_three)
{
	struct recover_count count = {0};
	struct sbuf why = {0};
	char id[ID_SIZE];
	struct entry *e;
	int i;

	post(id, "auth");
	for (i = 0; i < ENTRY_CLAIMS_MAX; i++) {
		ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
		e = claim(id);
		ck_assert_int_eq(entry_is_suspect(e), i > 0);
		entry_free(&e);
		abandon_owner();
		ck_assert_int_eq(recover_queue(spool, "auth", NULL, NULL,
		    &count), 0);
		ck_assert_uint_eq(count.returned, (unsigned)i + 1);
	}
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	ck_assert_int_eq(entry_claim(spool, SPOOL_NEW, "", id, &e, &why),
	    ENTRY_SETTLED);
	ck_assert_ptr_nonnull(strstr(why.data, "poison"));
	ck_assert(is_there("auth/dead/", id));
	sbuf_free(&why);
}
END_TEST

/* A trail never takes an entry forward, and back only three times. */
START_TEST(test_place_and_trail)
{
	struct sbuf why = {0}, to = {0}, from = {0};
	char id[ID_SIZE];
	struct entry *e;
	int i;

	post(id, "inbound");
	sbuf_printf(&from, "inbound/new/%s", id);
	sbuf_printf(&to, "auth/new/%s", id);
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	for (i = 1; i < 3; i++) {
		ck_assert_int_eq(renameat(spool_dir(spool), from.data,
		    spool_dir(spool), to.data), 0);
		ck_assert_int_eq(entry_claim(spool, SPOOL_NEW, "", id, &e,
		    &why), ENTRY_SETTLED);
		ck_assert_msg(is_there("inbound/new/", id), "%s", why.data);
	}
	ck_assert_int_eq(renameat(spool_dir(spool), from.data,
	    spool_dir(spool), to.data), 0);
	ck_assert_int_eq(entry_claim(spool, SPOOL_NEW, "", id, &e, &why),
	    ENTRY_SETTLED);
	ck_assert(is_there("auth/dead/", id));

	/* Its trail leads to moderation, which auth does not come after. */
	post(id, "moderation");
	sbuf_truncate(&from, 0);
	sbuf_printf(&from, "moderation/new/%s", id);
	sbuf_truncate(&to, 0);
	sbuf_printf(&to, "auth/new/%s", id);
	ck_assert_int_eq(renameat(spool_dir(spool), from.data,
	    spool_dir(spool), to.data), 0);
	ck_assert_int_eq(entry_claim(spool, SPOOL_NEW, "", id, &e, &why),
	    ENTRY_SETTLED);
	ck_assert_ptr_nonnull(strstr(why.data, "stray"));
	ck_assert(is_there("auth/dead/", id));
	sbuf_free(&why);
	sbuf_free(&from);
	sbuf_free(&to);
}
END_TEST

START_TEST(test_defer_and_due)
{
	char id[ID_SIZE];
	struct spool_scan *scan;
	struct entry *e;
	struct sbuf why = {0};
	const char *name, *folder;
	int64_t due;

	clock_freeze(1800000000000);
	post(id, "auth");
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	entry_defer(e, clock_ms() + 90000, "try later");
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	entry_free(&e);
	ck_assert_int_eq(spool_next_due(spool, "auth", &due), 1);
	ck_assert_int_ge(due, clock_ms() + 90000);
	ck_assert_int_le(due, clock_ms() + 150000);
	scan = spool_scan_open(spool, "auth", SPOOL_LATER, clock_ms());
	ck_assert_int_eq(spool_scan_next(scan, &name, &folder), 0);
	spool_scan_close(&scan);
	clock_freeze(due);
	scan = spool_scan_open(spool, "auth", SPOOL_LATER, clock_ms());
	ck_assert_int_eq(spool_scan_next(scan, &name, &folder), 1);
	ck_assert_str_eq(name, id);
	ck_assert_int_eq(entry_claim(spool, SPOOL_LATER, folder, name, &e,
	    &why), ENTRY_CLAIMED);
	spool_scan_close(&scan);
	ck_assert_str_eq(envelope_last(entry_envelope(e))->exit, "defer");
	entry_done(e, "done");
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	entry_free(&e);
	sbuf_free(&why);
	clock_freeze(0);
}
END_TEST

/* The Nth call of one kind fails with what errno_at says. */
static int fail_at, fail_errno, seen;

static int
failing_renameat2(int a, const char *from, int b, const char *to,
    unsigned flags)
{
	if (++seen == fail_at) {
		errno = fail_errno;
		return -1;
	}
	return io_system_ops()->renameat2(a, from, b, to, flags);
}

static int
failing_syncfs(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

/* A decided entry whose moves fail half-way is finished by recovery, and its
 * child is handed over once. */
START_TEST(test_recovery_finishes_moves)
{
	struct recover_count count;
	struct io_ops ops = *io_system_ops();
	char id[ID_SIZE];
	struct child *c;
	struct entry *e;
	int i;

	/* Claim, moving mark, child's message, child's envelope, own. */
	for (i = 2; i <= 5; i++) {
		post(id, "auth");
		ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
		fail_at = i;
		fail_errno = ENOSPC;
		seen = 0;
		ops.renameat2 = failing_renameat2;
		io_set_ops(&ops);
		e = claim(id);
		c = entry_child(e, 'n', "moderation");
		child_set(c, "Kind", "notice");
		entry_forward(e, "accept", "outbound");
		ck_assert_int_eq(spool_commit(spool, &e, 1), -1);
		ck_assert_int_eq(entry_state(e), ENTRY_STUCK);
		ck_assert_int_eq(entry_errno(e), ENOSPC);
		io_set_ops(NULL);
		entry_free(&e);
		abandon_owner();
		memset(&count, 0, sizeof(count));
		ck_assert_int_eq(recover_queue(spool, "auth", NULL, NULL,
		    &count), 0);
		ck_assert_uint_eq(count.finished, 1);
		ck_assert_uint_eq(count.failed, 0);
		ck_assert(is_there("outbound/new/", id));
		ck_assert_uint_eq(count_names("moderation", SPOOL_NEW),
		    (unsigned)i - 1);
		ck_assert_uint_eq(count_names("auth", SPOOL_CUR), 0);
	}
}
END_TEST

START_TEST(test_failed_flush_undoes_the_hop)
{
	struct io_ops ops = *io_system_ops();
	struct child *c;
	char id[ID_SIZE];
	struct entry *e;

	post(id, "auth");
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	c = entry_child(e, 'n', "moderation");
	child_set(c, "Kind", "notice");
	entry_forward(e, "accept", "outbound");
	ops.syncfs = failing_syncfs;
	io_set_ops(&ops);
	ck_assert_int_eq(spool_commit(spool, &e, 1), -1);
	io_set_ops(NULL);
	ck_assert_int_eq(entry_state(e), ENTRY_RELEASED);
	ck_assert_int_eq(entry_errno(e), EIO);
	entry_free(&e);
	ck_assert(is_there("auth/new/", id));
	e = claim(id);
	ck_assert_uint_eq(entry_envelope(e)->n_blocks, 1);
	entry_free(&e);
}
END_TEST

/* Taken, and the owner died before he claimed it: what it ends in is not his
 * decision, whatever it says. */
START_TEST(test_recovery_trusts_no_other_block)
{
	struct recover_count count = {0};
	struct sbuf from = {0}, to = {0};
	char id[ID_SIZE];
	struct entry *e;

	post(id, "auth");
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	entry_forward(e, "accept", "outbound");
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	entry_free(&e);
	spool_disown(spool);

	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	sbuf_printf(&from, "outbound/new/%s", id);
	sbuf_printf(&to, "auth/cur/%s/%s", spool_owner(spool), id);
	ck_assert_int_eq(renameat(spool_dir(spool), from.data,
	    spool_dir(spool), to.data), 0);
	abandon_owner();
	ck_assert_int_eq(recover_queue(spool, "auth", NULL, NULL, &count), 0);
	ck_assert_uint_eq(count.finished, 0);
	ck_assert_uint_eq(count.returned, 1);
	ck_assert(is_there("auth/new/", id));
	ck_assert(!is_there("outbound/new/", id));
	sbuf_free(&from);
	sbuf_free(&to);
}
END_TEST

/* A held entry that a verdict decided, whose staged head is lost with the
 * power, waits for the next verdict: it is not judged from the start. */
START_TEST(test_voided_verdict_goes_back_to_held)
{
	struct recover_count count = {0};
	struct io_ops ops = *io_system_ops();
	struct sbuf head = {0}, torn = {0}, why = {0};
	char id[ID_SIZE];
	struct entry *e;

	post(id, "auth");
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	entry_hold(e);
	ck_assert_int_eq(spool_commit(spool, &e, 1), 0);
	entry_free(&e);
	ck_assert_int_eq(entry_claim(spool, SPOOL_HELD, "", id, &e, &why),
	    ENTRY_CLAIMED);
	sbuf_adds(&head, "X-New: 1\n\n");
	ck_assert_int_eq(entry_stage_head(e, &head), 0);
	entry_forward(e, "accept", "outbound");
	fail_at = 1;
	fail_errno = EIO;
	seen = 0;
	ops.renameat2 = failing_renameat2;
	io_set_ops(&ops);
	ck_assert_int_eq(spool_commit(spool, &e, 1), -1);
	io_set_ops(NULL);
	entry_free(&e);
	sbuf_printf(&torn, "auth/tmp/%s+%s+2+head", id, spool_owner(spool));
	ck_assert_int_eq(unlinkat(spool_dir(spool), torn.data, 0), 0);
	abandon_owner();
	ck_assert_int_eq(recover_queue(spool, "auth", NULL, NULL, &count), 0);
	ck_assert_uint_eq(count.voided, 1);
	ck_assert(is_there("auth/held/", id));
	sbuf_free(&head);
	sbuf_free(&torn);
	sbuf_free(&why);
}
END_TEST

/* What is buried for its envelope keeps its message through the sweep. */
START_TEST(test_malformed_keeps_its_message)
{
	struct recover_count count = {0};
	struct strv queues = {0};
	struct sbuf why = {0}, path = {0}, text = {0};
	struct spool_scan *scan;
	const char *name, *folder;
	char id[ID_SIZE];
	struct entry *e;
	int fd, found = 0;

	post(id, "auth");
	sbuf_printf(&path, "auth/new/%s", id);
	fd = openat(spool_dir(spool), path.data, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 40), 0);
	close(fd);
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	ck_assert_int_eq(entry_claim(spool, SPOOL_NEW, "", id, &e, &why),
	    ENTRY_SETTLED);
	ck_assert_ptr_nonnull(strstr(why.data, "malformed"));
	spool_disown(spool);
	strv_add(&queues, "inbound");
	strv_add(&queues, "auth");
	strv_add(&queues, "moderation");
	strv_add(&queues, "outbound");
	ck_assert_int_eq(recover_sweep(spool, &queues, -1000, &count), 0);
	ck_assert(!is_there("msg/", id));
	scan = spool_scan_open(spool, "auth", SPOOL_DEAD, 0);
	while (spool_scan_next(scan, &name, &folder) == 1) {
		if (!id_is_valid(name))
			continue;
		found++;
		sbuf_truncate(&path, 0);
		sbuf_printf(&path, "msg/%s", name);
		ck_assert_int_eq(fs_read(spool_dir(spool), path.data, 1000,
		    &text), 0);
	}
	spool_scan_close(&scan);
	ck_assert_int_eq(found, 1);
	ck_assert_str_eq(text.data, "Subject: x\n\nbody\n");
	sbuf_free(&why);
	sbuf_free(&path);
	sbuf_free(&text);
	strv_free(&queues);
}
END_TEST

/* A sealed block whose staged file is torn (power loss) is void. */
START_TEST(test_recovery_voids_torn_stage)
{
	struct recover_count count = {0};
	struct io_ops ops = *io_system_ops();
	struct spool_scan *scan;
	const char *name, *folder;
	struct sbuf path = {0}, head = {0};
	char id[ID_SIZE];
	struct entry *e;

	post(id, "auth");
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	sbuf_adds(&head, "X-New: 1\n\n");
	ck_assert_int_eq(entry_stage_head(e, &head), 0);
	entry_forward(e, "accept", "outbound");
	fail_at = 1;
	fail_errno = EIO;
	seen = 0;
	ops.renameat2 = failing_renameat2;
	io_set_ops(&ops);
	ck_assert_int_eq(spool_commit(spool, &e, 1), -1);
	io_set_ops(NULL);
	entry_free(&e);
	scan = spool_scan_open(spool, "auth", SPOOL_NEW, 0);
	spool_scan_close(&scan);
	{
		struct strv names = {0};
		int dir = openat(spool_dir(spool), "auth/tmp", O_RDONLY);
		struct sbuf torn = {0};

		ck_assert_int_ge(dir, 0);
		sbuf_printf(&torn, "%s+%s+1+head", id, spool_owner(spool));
		ck_assert_int_eq(unlinkat(dir, torn.data, 0), 0);
		close(dir);
		sbuf_free(&torn);
		strv_free(&names);
	}
	abandon_owner();
	ck_assert_int_eq(recover_queue(spool, "auth", NULL, NULL, &count), 0);
	ck_assert_uint_eq(count.voided, 1);
	ck_assert(is_there("auth/new/", id));
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	ck_assert_uint_eq(entry_envelope(e)->n_blocks, 1);
	ck_assert(entry_is_suspect(e));
	entry_free(&e);
	(void)name;
	(void)folder;
	sbuf_free(&path);
	sbuf_free(&head);
}
END_TEST

START_TEST(test_bare_in_other_queue_is_kept)
{
	struct sbuf why = {0};
	struct entry *e;
	int fd;

	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	fd = openat(spool_dir(spool), "auth/new/hello there",
	    O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "hi\n", 3), 3);
	close(fd);
	ck_assert_int_eq(entry_claim(spool, SPOOL_NEW, "", "hello there", &e,
	    &why), ENTRY_SETTLED);
	ck_assert_ptr_nonnull(strstr(why.data, "foreign"));
	/* The envelope that says why, and the file as it was. */
	ck_assert_uint_eq(count_names("auth", SPOOL_DEAD), 2);
	ck_assert_uint_eq(count_names("auth", SPOOL_CUR), 0);
	sbuf_free(&why);
}
END_TEST

/* A file that kills inbound before it has an envelope is counted by name. */
START_TEST(test_bare_poison_is_buried_after_three)
{
	static const char *const in_new[] = {"odd+name", "crash1+odd+name",
		"crash2+odd+name", "crash3+odd+name"};
	struct recover_count count;
	struct sbuf why = {0};
	struct entry *e;
	int fd, i;

	fd = openat(spool_dir(spool), "inbound/new/odd+name",
	    O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	for (i = 0; i < ENTRY_CLAIMS_MAX; i++) {
		ck_assert_int_eq(spool_own(spool, "inbound", "inbound1"), 0);
		ck_assert_int_eq(entry_claim(spool, SPOOL_NEW, "", in_new[i],
		    &e, &why), ENTRY_BARE);
		ck_assert_str_eq(entry_bare_name(why.data), "odd+name");
		abandon_owner();
		memset(&count, 0, sizeof(count));
		ck_assert_int_eq(recover_queue(spool, "inbound", NULL, NULL,
		    &count), 0);
		ck_assert(is_there("inbound/new/", in_new[i + 1]));
	}
	ck_assert_int_eq(spool_own(spool, "inbound", "inbound1"), 0);
	ck_assert_int_eq(entry_claim(spool, SPOOL_NEW, "", in_new[i], &e,
	    &why), ENTRY_SETTLED);
	ck_assert_ptr_nonnull(strstr(why.data, "poison"));
	ck_assert_uint_eq(count_names("inbound", SPOOL_NEW), 0);
	ck_assert_uint_eq(count_names("inbound", SPOOL_DEAD), 2);
	sbuf_free(&why);
}
END_TEST

START_TEST(test_fenced_owner_does_nothing)
{
	struct sbuf own = {0}, away = {0};
	char id[ID_SIZE];
	struct entry *e;

	post(id, "auth");
	ck_assert_int_eq(spool_own(spool, "auth", "auth1"), 0);
	e = claim(id);
	entry_forward(e, "accept", "outbound");
	sbuf_printf(&own, "auth/cur/%s", spool_owner(spool));
	sbuf_adds(&away, "auth/cur/a.other.1");
	ck_assert_int_eq(renameat(spool_dir(spool), own.data, spool_dir(spool),
	    away.data), 0);
	ck_assert_int_eq(spool_commit(spool, &e, 1), -1);
	ck_assert_int_eq(entry_state(e), ENTRY_FENCED);
	ck_assert(!is_there("outbound/new/", id));
	entry_free(&e);
	sbuf_free(&own);
	sbuf_free(&away);
}
END_TEST

START_TEST(test_sweep_keeps_what_lives)
{
	struct recover_count count = {0};
	struct strv queues = {0};
	char id[ID_SIZE];
	int fd;

	strv_add(&queues, "inbound");
	strv_add(&queues, "auth");
	strv_add(&queues, "moderation");
	post(id, "auth");
	fd = openat(spool_dir(spool), "msg/0000000001-a-1",
	    O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	/* outbound is a queue that the sweep was not told of. */
	ck_assert_int_eq(recover_sweep(spool, &queues, -1, &count), -1);
	ck_assert_int_eq(errno, ENOTSUP);
	ck_assert(is_there("msg/", "0000000001-a-1"));
	strv_add(&queues, "outbound");
	ck_assert_int_eq(recover_sweep(spool, &queues, 3600000, &count), 0);
	ck_assert(is_there("msg/", "0000000001-a-1"));
	ck_assert_int_eq(recover_sweep(spool, &queues, -1000, &count), 0);
	ck_assert(!is_there("msg/", "0000000001-a-1"));
	ck_assert(is_there("msg/", id));
	ck_assert_uint_eq(count.swept, 1);
	strv_free(&queues);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spool");
	TCase *tc = tcase_create("spool");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_draft_is_seen_only_when_committed);
	tcase_add_test(tc, test_shared_message);
	tcase_add_test(tc, test_hop);
	tcase_add_test(tc, test_children_share_parts);
	tcase_add_test(tc, test_no_outcome_is_released);
	tcase_add_test(tc, test_poison_is_buried_after_three);
	tcase_add_test(tc, test_place_and_trail);
	tcase_add_test(tc, test_defer_and_due);
	tcase_add_test(tc, test_recovery_finishes_moves);
	tcase_add_test(tc, test_failed_flush_undoes_the_hop);
	tcase_add_test(tc, test_recovery_voids_torn_stage);
	tcase_add_test(tc, test_recovery_trusts_no_other_block);
	tcase_add_test(tc, test_voided_verdict_goes_back_to_held);
	tcase_add_test(tc, test_malformed_keeps_its_message);
	tcase_add_test(tc, test_bare_in_other_queue_is_kept);
	tcase_add_test(tc, test_bare_poison_is_buried_after_three);
	tcase_add_test(tc, test_fenced_owner_does_nothing);
	tcase_add_test(tc, test_sweep_keeps_what_lives);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
