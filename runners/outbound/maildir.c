/* SPDX-License-Identifier: BSD-2-Clause
 *
 * maildir - delivery into a Maildir per recipient, for demos and tests
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "common/mail/address.h"
#include "common/system/fsutil.h"
#include "runners/outbound/maildir.h"

/* Written between two flushes. */
#define BATCH 64
/* Up to this many files are flushed one by one. */
#define FEW 2
#define PIECE ((size_t)64 * 1024)
#define NAME_LENGTH_MAX 255
#define RELAY "maildir"

struct delivery {
	unsigned long line;
	off_t offset;
	struct sbuf folder;     /* "ann@example.net" */
	struct sbuf name;       /* "0k3v9q2t7m-a-01.17" */
	int error;
};

int
maildir_name(const char *address, struct sbuf *out)
{
	const char *p;

	sbuf_truncate(out, 0);
	for (p = address; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '/' || c == '%' || c < ' ' || c == 0x7f
		    || (c == '.' && p == address))
			sbuf_printf(out, "%%%02X", c);
		else
			sbuf_addc(out, (char)c);
	}
	if (out->len == 0 || out->len > NAME_LENGTH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static int
make_folder(int dir, const char *path)
{
	return io_mkdirat(dir, path, 0770) == -1 && errno != EEXIST ? -1 : 0;
}

static void
path_of(const struct delivery *d, const char *sub, bool is_file,
    struct sbuf *out)
{
	sbuf_truncate(out, 0);
	sbuf_printf(out, "%s/%s", d->folder.data, sub);
	if (is_file)
		sbuf_printf(out, "/%s", d->name.data);
}

static int
make_maildir(int dir, const struct delivery *d)
{
	static const char *const subs[] = {"tmp", "new", "cur"};
	struct sbuf path = {0};
	struct stat st;
	size_t i;
	int rc = 0;

	path_of(d, "new", false, &path);
	if (fstatat(dir, path.data, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		rc = make_folder(dir, d->folder.data);
		for (i = 0; i < 3 && rc == 0; i++) {
			path_of(d, subs[i], false, &path);
			rc = make_folder(dir, path.data);
		}
	}
	sbuf_free(&path);
	return rc;
}

/* The message below its new top lines, as it is in the spool. */
static int
write_message(const struct job *j, const struct sbuf *top, int fd)
{
	char *piece = xmalloc(PIECE);
	off_t at = j->body;
	ssize_t got = 0;
	int rc = io_write_full(fd, top->data, top->len);

	while (rc == 0
	    && (got = io_pread_full(j->message, piece, PIECE, at)) > 0) {
		rc = io_write_full(fd, piece, (size_t)got);
		at += got;
	}
	free(piece);
	return rc == 0 && got == 0 ? 0 : -1;
}

static int
write_file(struct job *j, int dir, const struct delivery *d,
    const struct sbuf *top)
{
	struct sbuf path = {0};
	int fd, rc = -1;

	path_of(d, "tmp", true, &path);
	fd = io_openat(dir, path.data,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0660);
	if (fd != -1)
		rc = write_message(j, top, fd);
	io_close(&fd);
	sbuf_free(&path);
	return rc;
}

/* Write the current recipient's file into tmp/; what fails is noted in d. */
static void
prepare(struct job *j, int dir, struct delivery *d)
{
	const char *address = sbuf_str(&j->reader.address);
	struct sbuf top = {0}, sender = {0};
	bool is_utf8;

	d->line = j->reader.line;
	d->offset = j->reader.offset;
	sbuf_printf(&d->name, "%s.%lu", entry_id(j->entry), d->line);
	if (job_sender(j, &sender, &is_utf8) == 0) {
		sbuf_printf(&top, "Return-Path: <%s>\nDelivered-To: %s\n",
		    sbuf_str(&sender), address);
		sbuf_add(&top, sbuf_str(&j->header), j->header.len);
		if (make_maildir(dir, d) == -1
		    || write_file(j, dir, d, &top) == -1)
			d->error = errno;
	} else {
		d->error = ECANCELED;
	}
	sbuf_free(&sender);
	sbuf_free(&top);
}

/* The next recipient that can have a folder: 1, 0 none is left. */
static int
next(struct job *j, int dir, struct delivery *d)
{
	const char *why;

	while (j->n_marks < JOB_MARKS_MAX && job_read(j) == 1) {
		why = "too long for the name of a folder";
		if (address_check(sbuf_str(&j->reader.address), NULL, &why)
		    == -1 || maildir_name(sbuf_str(&j->reader.address),
		    &d->folder) == -1) {
			job_fail(j, RELAY, "5.1.3", why);
			continue;
		}
		prepare(j, dir, d);
		return 1;
	}
	return 0;
}

static int
sync_path(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), rc;

	if (fd == -1)
		return -1;
	rc = io_fsync(fd);
	io_close(&fd);
	return rc;
}

/* Flush files (before they are renamed) or the folders that name them. */
static int
flush(int dir, const struct delivery *list, size_t n, bool is_files)
{
	struct sbuf path = {0};
	size_t i;
	int rc = 0;

	if (n > FEW)
		return io_syncfs(dir);
	for (i = 0; i < n && rc == 0; i++) {
		if (list[i].error != 0)
			continue;
		path_of(&list[i], is_files ? "tmp" : "new", is_files, &path);
		rc = sync_path(dir, path.data);
		/* The Maildir itself may be new, too. */
		if (rc == 0 && !is_files)
			rc = sync_path(dir, list[i].folder.data);
	}
	if (rc == 0 && !is_files)
		rc = io_fsync(dir);
	sbuf_free(&path);
	return rc;
}

static void
fail_all(struct delivery *list, size_t n, int error)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (list[i].error == 0)
			list[i].error = error;
	}
}

static void
put_in_place(int dir, struct delivery *d)
{
	struct sbuf from = {0}, to = {0};

	path_of(d, "tmp", true, &from);
	path_of(d, "new", true, &to);
	if (io_renameat(dir, from.data, dir, to.data) == -1)
		d->error = errno;
	sbuf_free(&from);
	sbuf_free(&to);
}

static void
deliver(int dir, struct delivery *list, size_t n)
{
	size_t i;

	if (flush(dir, list, n, true) == -1)
		fail_all(list, n, errno);
	for (i = 0; i < n; i++) {
		if (list[i].error == 0)
			put_in_place(dir, &list[i]);
	}
	if (flush(dir, list, n, false) == -1)
		fail_all(list, n, errno);
}

static void
record(struct job *j, const struct delivery *d)
{
	struct job_result r = {.line = d->line, .offset = d->offset,
		.relay = RELAY, .state = RCPT_DONE, .status = "2.0.0",
		.reply = "delivered"};

	if (d->error != 0) {
		r.state = RCPT_TODO;
		r.status = "4.3.0";
		r.reply = strerror(d->error);
	}
	job_record(j, &r);
}

static int
open_dir(const char *path)
{
	if (make_folder(AT_FDCWD, path) == -1)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void
maildir_work(struct job *j, const char *path)
{
	struct delivery *list = xcalloc(BATCH, sizeof *list);
	int dir = open_dir(path);
	size_t i, n = 0;

	if (dir == -1)
		job_stop(j, strerror(errno));
	while (n < BATCH && next(j, dir, &list[n]) == 1)
		n++;
	if (n > 0)
		deliver(dir, list, n);
	for (i = 0; i < n; i++)
		record(j, &list[i]);
	for (i = 0; i < BATCH; i++) {
		sbuf_free(&list[i].folder);
		sbuf_free(&list[i].name);
	}
	free(list);
	io_close(&dir);
}
