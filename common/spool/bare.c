/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bare - files in a queue that are no entries
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/system/fsutil.h"
#include "common/spool/private.h"

/* Set before the name of a bare file that was in hand when its runner died,
 * once for each time: "crash2+NAME". */
static const char crash_word[] = "crash";

unsigned
spool_bare_crashes(const char *name)
{
	size_t n = strlen(crash_word);

	if (strncmp(name, crash_word, n) != 0 || name[n] < '1' ||
	    name[n] > '9' || name[n + 1] != SPOOL_MARK)
		return 0;
	return (unsigned)(name[n] - '0');
}

const char *
spool_bare_kept(const char *name)
{
	const char *mark = strchr(name, SPOOL_MARK);

	return mark == NULL ? name : mark + 1;
}

const char *
spool_bare_crashed(const char *kept, struct spool_path *p)
{
	unsigned n = spool_bare_crashes(kept);

	if (n > 0)
		kept = spool_bare_kept(kept);
	return spool_path(p, "%s%u%c%.200s", crash_word, n < 9 ? n + 1 : 9,
	    SPOOL_MARK, kept);
}

const char *
entry_bare_name(const char *name)
{
	const char *kept = spool_bare_kept(name);

	return spool_bare_crashes(kept) > 0 ? spool_bare_kept(kept) : kept;
}

static const char *
bare_path(const struct spool *s, const char *name, struct spool_path *p)
{
	return spool_path(p, "%s/cur/%s/%s", s->queue, s->owner, name);
}

int
entry_bare_open(struct spool *s, const char *name, struct stat *st)
{
	struct spool_path p;

	return fs_open_regular(s->dir, bare_path(s, name, &p), O_RDONLY, st);
}

/* The file after its envelope; where it cannot go the envelope goes again. */
static int
move_to_dead(struct spool *s, struct spool_draft *d, const char *name,
    const char *kept)
{
	struct spool_path from, to, file;
	int rc, saved;

	spool_path(&from, "%s/tmp/%s", s->queue, spool_draft_id(d));
	rc = spool_sync_path(s->dir, from.s);
	if (rc == 0) {
		spool_path(&to, "%s/dead/%s", s->queue, spool_draft_id(d));
		rc = io_rename_new(s->dir, from.s, s->dir, to.s);
	}
	if (rc == -1)
		return -1;
	spool_draft_keep(d, true);
	bare_path(s, name, &from);
	spool_path(&file, "%s/dead/%s", s->queue, kept);
	rc = io_rename_new(s->dir, from.s, s->dir, file.s);
	if (rc == -1) {
		saved = errno;
		if (spool_remove(s->dir, to.s) == 0)
			spool_draft_keep(d, false);
		errno = saved;
	}
	return rc;
}

/* The envelope stands in dead/ before the file does: what is found there
 * without the file still says what it was. */
static int
bury(struct spool *s, struct spool_draft *d, const char *name, const char *why)
{
	struct spool_path kept;
	struct sbuf source = {0};
	const char *id = spool_draft_id(d);
	int rc, saved;

	spool_path(&kept, "%s%cbare", id, SPOOL_MARK);
	sbuf_adds(&source, "drop");
	kv_add(&source, "host", s->host);
	kv_add(&source, "name", entry_bare_name(name));
	kv_add(&source, "kept", kept.s);
	spool_draft_set(d, "Source", source.data);
	spool_draft_set(d, "Error", why);
	spool_draft_set(d, "Body-Offset", "0");
	sbuf_free(&source);
	rc = spool_draft_seal_as(d, s->queue, "bury", s->queue);
	if (rc == 0)
		rc = move_to_dead(s, d, name, kept.s);
	saved = errno;
	spool_draft_free(&d);
	errno = saved;
	return rc;
}

int
entry_bare_bury(struct spool *s, const char *name, const char *why,
    char id[ID_SIZE])
{
	struct spool_draft *d = spool_draft_begin(s);

	if (d == NULL)
		return -1;
	strcpy(id, spool_draft_id(d));
	return bury(s, d, name, why);
}

int
entry_malformed_bury(struct spool *s, const char *name, const char *why,
    char id[ID_SIZE])
{
	struct spool_draft *d = spool_draft_inherit(s, name);

	if (d == NULL)
		return -1;
	strcpy(id, spool_draft_id(d));
	return bury(s, d, name, why);
}

/* One that is no longer there was taken in. */
int
entry_bare_release(struct spool *s, const char *name)
{
	struct spool_path from, own;
	struct stat st;

	if (s->is_stuck) {
		errno = EBUSY;
		return -1;
	}
	bare_path(s, name, &from);
	if (spool_put_bare(s->dir, from.s, s->queue, spool_bare_kept(name)) ==
	    0)
		return 0;
	if (errno != ENOENT)
		return -1;
	spool_path(&own, "%s/cur/%s", s->queue, s->owner);
	return fstatat(s->dir, own.s, &st, 0);
}
