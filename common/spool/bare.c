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

const char *
entry_bare_name(const char *name)
{
	const char *mark = strchr(name, SPOOL_MARK);

	return mark == NULL ? name : mark + 1;
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

/* The envelope stands in dead/ before the file does: what is found there
 * without the file still says what it was. */
int
entry_bare_bury(struct spool *s, const char *name, const char *why,
    char id[ID_SIZE])
{
	struct spool_path from, to, kept;
	struct spool_draft *d;
	struct sbuf source = {0};
	int rc;

	d = spool_draft_begin(s);
	if (d == NULL)
		return -1;
	strcpy(id, spool_draft_id(d));
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
	if (rc == 0) {
		spool_path(&from, "%s/tmp/%s", s->queue, id);
		rc = spool_sync_path(s->dir, from.s);
	}
	if (rc == 0) {
		spool_path(&to, "%s/dead/%s", s->queue, id);
		rc = io_rename_new(s->dir, from.s, s->dir, to.s);
	}
	if (rc == 0) {
		spool_draft_keep(d);
		bare_path(s, name, &from);
		spool_path(&to, "%s/dead/%s", s->queue, kept.s);
		rc = io_rename_new(s->dir, from.s, s->dir, to.s);
	}
	spool_draft_free(&d);
	return rc;
}

/* Another file of the same name may have come meanwhile. */
int
entry_bare_release(struct spool *s, const char *name)
{
	struct spool_path from, to;
	int rc;

	bare_path(s, name, &from);
	spool_path(&to, "%s/new/%s", s->queue, entry_bare_name(name));
	rc = io_rename_new(s->dir, from.s, s->dir, to.s);
	if (rc == -1 && errno == EEXIST) {
		spool_path(&to, "%s/new/%s%c%s", s->queue, s->owner,
		    SPOOL_MARK, name);
		rc = io_rename_new(s->dir, from.s, s->dir, to.s);
	}
	return rc;
}
