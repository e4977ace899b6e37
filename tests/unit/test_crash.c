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
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/spool/entry.h"
#include "common/spool/recover.h"
#include "common/spool/spool.h"
#include "common/system/fsutil.h"

#define MESSAGE "Subject: x\n\nbody\n"
#define HEADER "X-New: 1\nSubject: x\n\n"
#define NOTICE "Subject: notice\n\nto you\n"
#define RCPT "Septet-Rcpt: 1\nT\tann@example.net\tid=1\n"
#define AGE_NONE (-1000)

enum { INBOUND, AUTH, MODERATION, COMMAND, OUTBOUND, N_QUEUES };

static const char *const queue_names[N_QUEUES] = {"inbound", "auth",
	"moderation", "command", "outbound"};

enum mode { COUNT, KILL, TEAR, FAIL, FAIL_ON };

/* Shared with the process that is killed. */
static struct {
	int calls;
	int hop_calls;          /* what it came to */
	int at;
	enum mode mode;
	int error;
	bool is_write;          /* the call at `at` was a write */
	bool is_accepted;       /* the hop told somebody that it is done */
} *seam;

static char root[64];
static struct spool *spool;
static struct strv queues;
static char context[200];
static unsigned long points;

/* ---- the seam ------------------------------------------------------------ */

/* Is this call to fail?  Dies where it is the last. */
static bool
is_faulty(bool is_write)
{
	const int n = ++seam->calls;

	if (n == seam->at)
		seam->is_write = is_write;
	if (seam->mode == FAIL_ON ? n < seam->at : n != seam->at)
		return false;
	if (seam->mode == KILL)
		(void)kill(getpid(), SIGKILL);
	errno = seam->error;
	return seam->mode == FAIL || seam->mode == FAIL_ON;
}

static int
seam_openat(int dir, const char *path, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0 && is_faulty(false))
		return -1;
	return io_system_ops()->openat(dir, path, flags, mode);
}

static ssize_t
seam_write(int fd, const void *bytes, size_t n)
{
	if (is_faulty(true))
		return -1;
	if (seam->mode == TEAR && seam->calls == seam->at) {
		(void)!io_system_ops()->write(fd, bytes, n / 2);
		(void)kill(getpid(), SIGKILL);
	}
	return io_system_ops()->write(fd, bytes, n);
}

static ssize_t
seam_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->pwrite(fd, bytes, n, at);
}

/* The page cache outlives a process: there is nothing to wait for. */
static int
seam_sync(int fd)
{
	(void)fd;
	return is_faulty(false) ? -1 : 0;
}

static int
seam_ftruncate(int fd, off_t len)
{
	return is_faulty(false) ? -1 : io_system_ops()->ftruncate(fd, len);
}

static int
seam_renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->renameat2(a, from, b, to, flags);
}

static int
seam_linkat(int a, const char *from, int b, const char *to, int flags)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->linkat(a, from, b, to, flags);
}

static int
seam_unlinkat(int dir, const char *path, int flags)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->unlinkat(dir, path, flags);
}

static int
seam_mkdirat(int dir, const char *path, mode_t mode)
{
	return is_faulty(false) ? -1 :
	    io_system_ops()->mkdirat(dir, path, mode);
}

static void
use_seam(void)
{
	static struct io_ops ops;

	ops = *io_system_ops();
	ops.openat = seam_openat;
	ops.write = seam_write;
	ops.pwrite = seam_pwrite;
	ops.fsync = seam_sync;
	ops.fdatasync = seam_sync;
	ops.syncfs = seam_sync;
	ops.ftruncate = seam_ftruncate;
	ops.renameat2 = seam_renameat2;
	ops.linkat = seam_linkat;
	ops.unlinkat = seam_unlinkat;
	ops.mkdirat = seam_mkdirat;
	io_set_ops(&ops);
}

/* ---- the tree ------------------------------------------------------------ */

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

static void
make_tree(void)
{
	char path[80];

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

static void
empty_tree(void)
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

static void
put_file(const char *path, const char *text)
{
	int fd = openat(spool_dir(spool), path, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
post(const char *queue, const char *kind)
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

/* ---- stages -------------------------------------------------------------- */

static bool
was(const struct entry *e, const char *exit)
{
	return strcmp(envelope_last(entry_envelope(e))->exit, exit) == 0;
}

static void
forward(struct entry *e)
{
	entry_set(e, "Identity", "<ann@example.net>");
	entry_forward(e, "accept", "outbound");
}

static void
stage_rcpt(struct rcpt_writer *w)
{
	(void)!rcpt_write(w, 'T', "ann@example.net", "id=1");
}

static void
make_children(struct entry *e)
{
	struct sbuf notice = {0};
	struct rcpt_writer w;
	struct child *c;

	sbuf_adds(&notice, NOTICE);
	c = entry_child(e, 'm', "moderation");
	if (c != NULL && child_share_message(c) == 0 &&
	    child_stage_rcpt(c, &w) == 0) {
		stage_rcpt(&w);
		(void)!child_stage_rcpt_end(c, &w);
	}
	c = entry_child(e, 'n', "command");
	if (c != NULL)
		(void)!child_stage_message(c, &notice, 17);
	sbuf_free(&notice);
}

static void
fan_out(struct entry *e)
{
	struct sbuf head = {0};
	struct rcpt_writer w;

	sbuf_adds(&head, HEADER);
	if (entry_stage_head(e, &head) == 0 && entry_stage_rcpt(e, &w) == 0) {
		stage_rcpt(&w);
		(void)!entry_stage_rcpt_end(e, &w);
	}
	make_children(e);
	forward(e);
	sbuf_free(&head);
}

static void
fan_out_and_end(struct entry *e)
{
	make_children(e);
	entry_done(e, "done");
}

static void
defer_once(struct entry *e)
{
	if (was(e, "defer"))
		forward(e);
	else
		entry_defer(e, 1800000000000, "not now");
}

static void
hold_once(struct entry *e)
{
	if (was(e, "hold"))
		forward(e);
	else
		entry_hold(e);
}

/* Held, and what a person then decides stages something. */
static void
hold_and_fan_out(struct entry *e)
{
	if (was(e, "hold"))
		fan_out(e);
	else
		entry_hold(e);
}

static void
bury(struct entry *e)
{
	entry_bury(e, "no good");
}

static void
end_with_results(struct entry *e)
{
	struct rcpt_writer w;
	int fd;

	if (was(e, "again")) {
		entry_done(e, "done");
		return;
	}
	fd = entry_result_open(e);
	if (fd != -1)
		close(fd);
	if (entry_stage_rcpt(e, &w) == 0) {
		stage_rcpt(&w);
		(void)!entry_stage_rcpt_end(e, &w);
	}
	entry_forward(e, "again", "auth");
}

static bool is_idle;

static void
give_up_once(struct entry *e)
{
	make_children(e);
	if (is_idle)
		forward(e);
	is_idle = true;
}

/* 1, 0 nothing is held, -1. */
static int
claim_held(struct entry **e)
{
	struct spool_scan *scan = spool_scan_open(spool, "moderation",
	    SPOOL_HELD, 0);
	struct sbuf why = {0};
	const char *name, *folder;
	int rc;

	if (scan == NULL)
		return -1;
	rc = spool_scan_next(scan, &name, &folder);
	if (rc == 1 && entry_claim(spool, SPOOL_HELD, "", name, e, &why) !=
	    ENTRY_CLAIMED)
		rc = -1;
	spool_scan_close(&scan);
	sbuf_free(&why);
	return rc;
}

/* ---- hops ---------------------------------------------------------------- */

/* 0, or -1 where this process has to end. */
static int
settle(struct entry **batch, size_t n)
{
	int rc = 0;
	size_t i;

	(void)!spool_commit(spool, batch, n);
	for (i = 0; i < n; i++) {
		if (entry_state(batch[i]) == ENTRY_STUCK ||
		    entry_state(batch[i]) == ENTRY_FENCED)
			rc = -1;
		entry_free(&batch[i]);
	}
	return rc;
}

/* A verdict: the held entry is settled with it; where there is none any more it
 * was settled before.  An error of the one must not lose the other, so they are
 * settled one by one where calls fail. */
static int
settle_verdict(struct entry *v)
{
	struct entry *batch[2] = {NULL, v};
	int rc = claim_held(&batch[0]);

	if (rc == 0)
		entry_done(v, "done");
	if (rc != 1)
		return settle(batch + 1, 1);
	forward(batch[0]);
	entry_needs_flush(batch[0]);
	if (seam->mode == KILL || seam->mode == TEAR) {
		entry_done(v, "done");
		return settle(batch, 2);
	}
	if (spool_commit(spool, batch, 1) == 0)
		entry_done(v, "done");
	if (entry_state(batch[0]) == ENTRY_STUCK)
		return -1;
	entry_free(&batch[0]);
	return settle(batch + 1, 1);
}

static int
adopt(const char *name, struct entry **e)
{
	struct spool_draft *d = spool_draft_begin(spool);
	int rc = -1;

	if (d != NULL) {
		if (spool_draft_write(d, MESSAGE, strlen(MESSAGE)) == 0) {
			spool_draft_set(d, "Kind", "post");
			spool_draft_set(d, "Body-Offset", "12");
			rc = entry_bare_adopt(spool, name, &d, e);
		}
		spool_draft_free(&d);
	}
	if (rc == 0)
		return 1;
	return entry_bare_release(spool, name) == -1 ? -1 : 0;
}

/* One name as a runner has it: 0, or -1 to end. */
static int
handle_name(enum spool_place place, const char *folder, const char *name,
    void (*stage)(struct entry *e))
{
	struct sbuf why = {0};
	struct entry *e = NULL;
	int rc = 1;

	switch (entry_claim(spool, place, folder, name, &e, &why)) {
	case ENTRY_CLAIMED:
		break;
	case ENTRY_BARE:
		rc = adopt(why.data, &e);
		break;
	default:
		rc = 0;
		break;
	}
	sbuf_free(&why);
	if (rc != 1)
		return rc;
	if (stage == NULL)
		return settle_verdict(e);
	stage(e);
	return settle(&e, 1);
}

/* All that stands in one place. */
static int
handle_place(const char *queue, enum spool_place place,
    void (*stage)(struct entry *e))
{
	struct spool_scan *scan = spool_scan_open(spool, queue, place,
	    INT64_MAX);
	const char *name, *folder;
	int rc = 0;

	if (scan == NULL)
		return -1;
	while (rc == 0 && spool_scan_next(scan, &name, &folder) == 1)
		rc = handle_name(place, folder, name, stage);
	spool_scan_close(&scan);
	return rc;
}

static void
post_two(void)
{
	struct spool_draft *d[2] = {spool_draft_begin(spool), NULL};

	if (d[0] == NULL)
		return;
	if (spool_draft_write(d[0], MESSAGE, strlen(MESSAGE)) == 0)
		d[1] = spool_draft_share(d[0]);
	if (d[1] != NULL) {
		spool_draft_set(d[0], "Body-Offset", "12");
		spool_draft_set(d[1], "Body-Offset", "12");
		if (spool_draft_seal(d[0], "lmtp", "moderation") == 0 &&
		    spool_draft_seal(d[1], "lmtp", "command") == 0 &&
		    spool_draft_commit(spool, d, 2) == 0)
			seam->is_accepted = true;
	}
	spool_draft_free(&d[0]);
	spool_draft_free(&d[1]);
}

/* ---- scenarios ----------------------------------------------------------- */

static void
post_one(void)
{
	post("auth", "post");
}

static void
run_once(const char *queue, void (*stage)(struct entry *e))
{
	ck_assert_int_eq(spool_own(spool, queue, "before"), 0);
	ck_assert_int_eq(handle_place(queue, SPOOL_NEW, stage), 0);
	spool_disown(spool);
}

static void
post_held(void)
{
	post("auth", "post");
	run_once("auth", hold_once);
}

static void
post_results(void)
{
	post("auth", "post");
	run_once("auth", end_with_results);
}

static void
post_verdict(void)
{
	post("moderation", "post");
	run_once("moderation", hold_once);
	post("moderation", "verdict");
}

static void
drop_bare(void)
{
	put_file("auth/new/hello+moving there", MESSAGE);
}

static void
drop_id(void)
{
	put_file("auth/new/0k3v9q2t7m-a-01", MESSAGE);
}

static void
adopt_bare(void)
{
	put_file("inbound/new/hello+moving there", MESSAGE);
	put_file("inbound/new/0k3v9q2t7m-a-01", MESSAGE);
}

static void
find_one(const char *folder, struct sbuf *path)
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

static void
post_malformed(void)
{
	struct sbuf path = {0};

	post("auth", "post");
	find_one("auth/new", &path);
	ck_assert_int_eq(truncate(path.data, 30), 0);
	sbuf_free(&path);
}

/* An entry for inbound that stands in auth/new. */
static void
post_stray(void)
{
	struct sbuf from = {0}, to = {0};

	post("inbound", "post");
	find_one("inbound/new", &from);
	sbuf_printf(&to, "%s/spool/auth/new/%s", root,
	    strrchr(from.data, '/') + 1);
	ck_assert_int_eq(rename(from.data, to.data), 0);
	sbuf_free(&from);
	sbuf_free(&to);
}

static const struct scenario {
	const char *name;
	void (*setup)(void);
	int queue;              /* where the hop is */
	enum spool_place place;
	void (*stage)(struct entry *e);
	/* What must have come in the end, by queue; journal: finished at least
	 * once; dead: entries, kept: files beside them. */
	int arrivals[N_QUEUES];
	int journal;
	int dead;
	int kept;
	bool has_head;          /* at outbound */
} scenarios[] = {
	{"forward", post_one, AUTH, SPOOL_NEW, forward,
		.arrivals = {[OUTBOUND] = 1}},
	{"fan out", post_one, AUTH, SPOOL_NEW, fan_out, .arrivals =
		{[OUTBOUND] = 1, [MODERATION] = 1, [COMMAND] = 1},
		.has_head = true},
	{"fan out, done", post_one, AUTH, SPOOL_NEW, fan_out_and_end,
		.arrivals = {[MODERATION] = 1, [COMMAND] = 1}, .journal = 1},
	{"defer", post_one, AUTH, SPOOL_NEW, defer_once,
		.arrivals = {[OUTBOUND] = 1}},
	{"hold", post_one, AUTH, SPOOL_NEW, hold_once,
		.arrivals = {[OUTBOUND] = 1}},
	{"from held", post_held, AUTH, SPOOL_HELD, hold_and_fan_out,
		.arrivals = {[OUTBOUND] = 1, [MODERATION] = 1, [COMMAND] = 1},
		.has_head = true},
	{"bury", post_one, AUTH, SPOOL_NEW, bury, .dead = 1},
	{"done", post_results, AUTH, SPOOL_NEW, end_with_results,
		.journal = 1},
	{"no outcome", post_one, AUTH, SPOOL_NEW, give_up_once, .arrivals =
		{[OUTBOUND] = 1, [MODERATION] = 1, [COMMAND] = 1}},
	{"verdict", post_verdict, MODERATION, SPOOL_NEW, NULL,
		.arrivals = {[OUTBOUND] = 1}, .journal = 1},
	{"adopt", adopt_bare, INBOUND, SPOOL_NEW, forward,
		.arrivals = {[OUTBOUND] = 2}},
	{"foreign", drop_bare, AUTH, SPOOL_NEW, forward, .dead = 1,
		.kept = 1},
	{"foreign ID", drop_id, AUTH, SPOOL_NEW, forward, .dead = 1,
		.kept = 1},
	{"malformed", post_malformed, AUTH, SPOOL_NEW, forward, .dead = 1,
		.kept = 1},
	{"back", post_stray, AUTH, SPOOL_NEW, forward,
		.arrivals = {[INBOUND] = 1}},
};

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

	for (i = 0; strcmp(queue_names[i], queue) != 0; i++)
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

/* Names in a folder that are, or are not, kept files; others' folders. */
static int
count_names(const char *fmt, const char *queue, const char *tail)
{
	struct sbuf path = {0};
	struct dirent *d;
	DIR *dir;
	size_t n;
	int count = 0;

	sbuf_printf(&path, "%s/spool/", root);
	sbuf_printf(&path, "%s%s", queue, fmt);
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

static void
recover(void)
{
	struct recover_count count = {0};
	size_t i;

	for (i = 0; i < queues.n; i++)
		(void)!recover_queue(spool, queues.items[i], NULL, NULL,
		    &count);
}

static void
sweep(void)
{
	struct recover_count count = {0};

	ck_assert_msg(recover_sweep(spool, &queues, AGE_NONE, &count) == 0,
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

	for (i = 0; i < queues.n; i++) {
		ck_assert_msg(count_names("/cur", queues.items[i], "") == 0,
		    "%s: %s/cur", context, queues.items[i]);
		ck_assert_msg(count_names("/tmp", queues.items[i], "") == 0,
		    "%s: %s/tmp", context, queues.items[i]);
		entries += count_names("/dead", queues.items[i], "") -
		    count_names("/dead", queues.items[i], "+bare");
	}
	for (i = 0; i < 4; i++) {
		int n = count_names("", parts[i], "");

		ck_assert_msg(i == 0 ? n == entries : n <= entries,
		    "%s: %d in %s/, %d entries", context, n, parts[i],
		    entries);
	}
	ck_assert_msg(count_names("", "../run", "") == 0, "%s: run", context);
}

static void
drain_queue(const char *queue, void (*stage)(struct entry *e))
{
	static const enum spool_place places[] = {SPOOL_NEW, SPOOL_LATER,
		SPOOL_HELD};
	size_t i;

	ck_assert_int_eq(spool_own(spool, queue, "drain"), 0);
	for (i = 0; i < 3; i++) {
		/* Held is for the verdict, which must not be lost. */
		if (stage == NULL && places[i] == SPOOL_HELD)
			break;
		ck_assert_msg(handle_place(queue, places[i], stage) == 0,
		    "%s: %s cannot be drained", context, queue);
	}
	/* What was put back, deferred or held comes once more. */
	for (i = 0; stage != NULL && i < 3; i++)
		ck_assert_int_eq(handle_place(queue, places[i], stage), 0);
	spool_disown(spool);
}

/* Finished twice is recorded twice, once for each kill. */
static void
check_journal(const struct scenario *s, int kills)
{
	struct sbuf path = {0}, text = {0};
	const char *p;
	int ends = 0, all = 0, i;

	for (i = 0; i < N_QUEUES; i++)
		all += arrived[i];
	if (all + s->journal == 0)
		return;
	find_one("journal", &path);
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
check_outcome(const struct scenario *s, int kills)
{
	int i, dead = 0, kept = 0, n;

	recover();
	sweep();
	memset(arrived, 0, sizeof(arrived));
	wants_head = s->has_head;
	is_idle = true;
	drain_queue(queue_names[s->queue], s->stage);
	for (i = 0; i < N_QUEUES; i++) {
		if (i != s->queue)
			drain_queue(queue_names[i], arrive);
	}
	for (i = 0; i < N_QUEUES; i++) {
		ck_assert_msg(arrived[i] == s->arrivals[i], "%s: %d of %d in "
		    "%s", context, arrived[i], s->arrivals[i], queue_names[i]);
		n = count_names("/dead", queue_names[i], "+bare");
		kept += n;
		dead += count_names("/dead", queue_names[i], "") - n;
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
run(void (*work)(const struct scenario *s), const struct scenario *s, int at,
    enum mode mode, int error)
{
	int status;
	pid_t pid;

	seam->calls = 0;
	seam->at = at;
	seam->mode = mode;
	seam->error = error;
	seam->is_write = false;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		use_seam();
		work(s);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) ? WEXITSTATUS(status) == 0 :
	    WTERMSIG(status) == SIGKILL, "%s: status %#x", context,
	    (unsigned)status);
	points++;
	seam->hop_calls = seam->calls;
	seam->at = -1;
	seam->mode = COUNT;
	return WIFEXITED(status);
}

static void
hop(const struct scenario *s)
{
	const char *queue = queue_names[s->queue];
	int rc;

	is_idle = false;
	if (spool_own(spool, queue, "hop") == -1)
		return;
	rc = handle_place(queue, s->place, s->stage);
	/* Who got an error and lives on tries again, in the same process. */
	if (seam->mode == FAIL && rc == 0)
		rc = handle_place(queue, s->place, s->stage);
	if (rc == 0)
		spool_disown(spool);
}

static void
recover_again(const struct scenario *s)
{
	(void)s;
	recover();
}

static void
begin(const struct scenario *s, const char *how, int at)
{
	snprintf(context, sizeof(context), "%s, %s at call %d", s->name, how,
	    at);
	empty_tree();
	s->setup();
}

START_TEST(test_killed_at_every_call)
{
	const struct scenario *s = &scenarios[_i];
	bool is_done = false, is_write;
	int at;

	for (at = 1; !is_done; at++) {
		begin(s, "killed", at);
		is_done = run(hop, s, at, KILL, 0);
		is_write = seam->is_write;
		check_outcome(s, 1);
		if (!is_write)
			continue;
		begin(s, "torn", at);
		(void)run(hop, s, at, TEAR, 0);
		check_outcome(s, 1);
	}
	ck_assert_int_gt(at, 5);
	printf("crash: %s: %lu kill points\n", s->name, points);
}
END_TEST

/* Recovery of each of them is killed at each of its calls. */
START_TEST(test_killed_in_recovery)
{
	const struct scenario *s = &scenarios[_i];
	bool is_done = false, is_recovered;
	int at, k;

	for (at = 1; !is_done; at++) {
		is_recovered = false;
		for (k = 1; !is_recovered; k++) {
			begin(s, "killed", at);
			is_done = run(hop, s, at, KILL, 0);
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
fail_each(const struct scenario *s, enum mode mode, int error)
{
	bool is_last = false;
	int at;

	for (at = 1; !is_last; at++) {
		begin(s, strerror(error), at);
		(void)run(hop, s, at, mode, error);
		is_last = seam->hop_calls < at;
		check_outcome(s, 1);
	}
}

START_TEST(test_errors_at_every_call)
{
	const struct scenario *s = &scenarios[_i];

	fail_each(s, FAIL, ENOSPC);
	fail_each(s, FAIL, EIO);
	fail_each(s, FAIL_ON, ENOSPC);
	printf("crash: %s: %lu failing calls\n", s->name, points);
}
END_TEST

/* Recovery that gets an error leaves the rest for the next one. */
START_TEST(test_errors_in_recovery)
{
	const struct scenario *s = &scenarios[_i];
	bool is_done = false, is_last;
	int at, k;

	for (at = 1; !is_done; at += 2) {
		is_last = false;
		for (k = 1; !is_last; k++) {
			begin(s, "killed", at);
			is_done = run(hop, s, at, KILL, 0);
			(void)run(recover_again, s, k, FAIL_ON, EIO);
			is_last = seam->hop_calls < k;
			snprintf(context, sizeof(context), "%s, killed at "
			    "call %d, EIO in recovery at %d", s->name, at, k);
			check_outcome(s, 2);
		}
	}
	printf("crash: %s: %lu failing calls in recovery\n", s->name, points);
}
END_TEST

static void
post_drafts(const struct scenario *s)
{
	(void)s;
	post_two();
}

/* Accepted is in; what is not accepted may be in, once, but whole. */
START_TEST(test_drafts)
{
	static const struct {
		enum mode mode;
		int error;
	} kinds[] = {{KILL, 0}, {TEAR, 0}, {FAIL, ENOSPC}, {FAIL, EIO},
		{FAIL_ON, EIO}};
	bool is_last = false;
	int at;

	for (at = 1; !is_last; at++) {
		snprintf(context, sizeof(context), "drafts, kind %d at call "
		    "%d", _i, at);
		empty_tree();
		seam->is_accepted = false;
		(void)run(post_drafts, NULL, at, kinds[_i].mode,
		    kinds[_i].error);
		is_last = seam->hop_calls < at;
		recover();
		sweep();
		memset(arrived, 0, sizeof(arrived));
		wants_head = false;
		drain_queue("moderation", arrive);
		drain_queue("command", arrive);
		ck_assert_int_le(arrived[MODERATION], 1);
		ck_assert_int_le(arrived[COMMAND], 1);
		if (seam->is_accepted || is_last) {
			ck_assert(seam->is_accepted);
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
	const char *tmp = getenv("TMPDIR");
	int i;

	/* Thousands of trees: in memory, where there is such a place. */
	if (tmp == NULL || strlen(tmp) > 40)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(root, sizeof(root), "%s/septet-crash.XXXXXX", tmp);
	ck_assert_ptr_nonnull(mkdtemp(root));
	seam = mmap(NULL, sizeof(*seam), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(seam != MAP_FAILED);
	for (i = 0; i < N_QUEUES; i++)
		strv_add(&queues, queue_names[i]);
	/* What is flushed makes no difference here, but takes time. */
	seam->at = -1;
	seam->mode = COUNT;
	use_seam();
	make_tree();
}

static void
teardown(void)
{
	io_set_ops(NULL);
	spool_close(&spool);
	ck_assert_int_eq(fs_remove_tree(AT_FDCWD, root), 0);
	strv_free(&queues);
	munmap(seam, sizeof(*seam));
}

int
main(void)
{
	const int n = (int)(sizeof(scenarios) / sizeof(scenarios[0]));
	Suite *s = suite_create("crash");
	TCase *tc = tcase_create("crash");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_killed_at_every_call, 0, n);
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
