/* SPDX-License-Identifier: BSD-2-Clause
 *
 * private - what the files of the spool module share; nobody else includes it
 */
#ifndef SEPTET_SPOOL_PRIVATE_H
#define SEPTET_SPOOL_PRIVATE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/spool/entry.h"
#include "common/spool/spool.h"

/* Folders and files of a spool belong to its group. */
#define SPOOL_DIR_MODE 02770
#define SPOOL_FILE_MODE 0660
/* In names of what is not (yet) an entry; never in an ID. */
#define SPOOL_MARK '+'
/* A decided envelope whose staged files are flushed and being moved. */
#define SPOOL_MOVING "+moving"

struct spool {
	int dir;
	int run_dir;
	char *host;
	enum spool_flush flush;
	envelope_stage_fn *stage;
	bool (*reaches)(void *ctx, const char *from, const char *to);
	void *ctx;
	char *queue;            /* where this process owns */
	char *owner;
	int lock;
	unsigned long bare;     /* bare files claimed, for their names */
	bool is_stuck;          /* a bare file is half taken in: to recovery */
};

/* A path below SPOOL.  Parts are bounded (queue names, OWNERs and IDs by 64 to
 * 100 bytes, file names by 255), so this always suffices; a longer one fails as
 * ENAMETOOLONG at the call that uses it. */
struct spool_path {
	char s[768];
};

/* Format and return p->s; "" (which no call accepts) where it does not fit. */
const char *spool_path(struct spool_path *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Append all names in a folder, sorted; for folders that stay small. */
int spool_names(int dir, const char *path, struct strv *out);

/* Is name a queue's: [a-z0-9][a-z0-9-]*, at most 64 bytes, no part folder? */
bool spool_is_queue_name(const char *name);

/* Write a new file (O_EXCL) in one go; removed again on failure. */
int spool_write_file(int dir, const char *path, const void *bytes, size_t n);
/* Hard link, or a flushed copy where links run out.  EEXIST is success: the
 * same name always means the same content here. */
int spool_link_or_copy(int dir, const char *from, const char *to);
/* fsync a file or folder by path. */
int spool_sync_path(int dir, const char *path);
/* Rename an entry to where it belongs, never replacing.  The same file under
 * both names is half a rename (link and unlink) and is finished.  Another file
 * in the way is no entry, whoever put it there: it steps aside under a name
 * that makes it a bare one, and nothing of either is lost. */
int spool_move_in(int dir, const char *from, const char *to);
/* Rename a bare file back to QUEUE/new, under a new name where that is taken. */
int spool_put_bare(int dir, const char *from, const char *queue,
    const char *name);
/* unlink; a missing file is fine. */
int spool_remove(int dir, const char *path);
/* Remove msg, head, rcpt, result of an ID. */
int spool_remove_parts(int dir, const char *id);
/* Size and crc32 of a file against what a block says: 1 same, 0 not or not
 * there, -1 errno. */
int spool_is_whole(int dir, const char *path, unsigned long long size,
    uint32_t crc);

/* What a decided block says is staged, in the order of moving. */
enum staged_kind { STAGED_HEAD, STAGED_RCPT, STAGED_MSG, STAGED_ENTRY };

struct staged {
	enum staged_kind kind;
	char id[ID_SIZE];       /* whose part, or the child itself */
	char queue[ID_SIZE];    /* STAGED_ENTRY: where it goes */
	char link[ID_SIZE];     /* the ID whose part is linked, or "" */
	unsigned long long size;
	uint32_t crc;
};

struct staged_list {
	struct staged *items;
	size_t n;
	size_t cap;
};

struct staged *staged_add(struct staged_list *l, enum staged_kind kind,
    const char *id);
void staged_free(struct staged_list *l);
/* Append the Staged lines to a block. */
void staged_write(const struct staged_list *l, struct sbuf *block);
/* Read those of the last sealed block.  0, or -1 (EPROTO). */
int staged_read(const struct envelope *env, struct staged_list *l);
/* Where an item lies until it is moved: staged by owner at queue under claim
 * n; and where it goes. */
const char *staged_from(const struct staged *item, const char *queue,
    const char *owner, unsigned n, struct spool_path *p);
const char *staged_to(const struct staged *item, struct spool_path *p);

/* The block that a claimed, decided envelope ends in. */
struct decision {
	const char *queue;      /* where it was decided */
	const char *owner;      /* of the claim it was decided under */
	unsigned claim;
	const char *id;
	const char *exit;
	const char *to;
	int64_t due;
};

/* Where the envelope itself goes: "outbound/new/ID", "auth/later/29/ID" ...;
 * "" for what is finished. */
const char *decision_target(const struct decision *d, struct spool_path *p);
/* Take an entry whose block is flushed to where it leads.  path is the claimed
 * envelope ("QUEUE/cur/OWNER/ID", or with SPOOL_MOVING when is_moving);
 * envelope its whole bytes, for the journal.  Idempotent: what is already moved
 * is passed over.  0 or -1 with errno (the rest is left for later). */
int decision_carry_out(struct spool *s, const struct decision *d,
    const struct staged_list *staged, const char *path, bool is_moving,
    const struct sbuf *envelope);

struct entry {
	struct spool *spool;
	char id[ID_SIZE];
	char queue[ID_SIZE];
	enum spool_place origin;
	struct envelope env;
	int fd;                 /* the envelope, O_APPEND */
	ino_t inode;
	off_t unclaimed_len;    /* its length before our Claim line */
	off_t claimed_len;      /* and after it */
	unsigned claim;         /* 0: no Claim line of ours is in it yet */
	bool is_suspect;
	bool is_decided;        /* a sealed block may be in the file */
	bool is_stuck;          /* and cannot be cut off again: to recovery */
	void *data;
	/* what the hop adds */
	struct sbuf fields;
	struct staged_list staged; /* own parts; children are added at commit */
	bool has_head;          /* a head of this entry is staged */
	struct child *children;
	unsigned n_children;
	bool is_flush_needed;
	int failed;             /* errno of a failed staging call */
	/* outcome */
	bool has_outcome;
	char exit[ID_SIZE];
	char to[ID_SIZE];
	int64_t due;
	struct sbuf block;      /* the sealed block, once decided */
	enum entry_state state;
	int error;
};

struct child {
	struct child *next;
	struct entry *parent;
	char id[ID_SIZE];
	char queue[ID_SIZE];
	struct sbuf fields;
	bool is_shared;
	bool has_message;
	struct staged_list staged;
};

/* Of a bare file's name in new/: how often it was in hand when its runner
 * died. */
unsigned spool_bare_crashes(const char *name);
/* The name in new/ of a claimed bare file, N+NAME; and the one that it gets
 * when that claim's runner died. */
const char *spool_bare_kept(const char *name);
const char *spool_bare_crashed(const char *kept, struct spool_path *p);

/* Path of the claimed envelope. */
const char *entry_path(const struct entry *e, struct spool_path *p);
/* spool_draft_seal with another exit than accept. */
int spool_draft_seal_as(struct spool_draft *d, const char *stage,
    const char *exit, const char *queue);
/* Do the draft's files stay, though it was not committed as such? */
void spool_draft_keep(struct spool_draft *d, bool stays);
/* A draft whose message, and whatever other parts there are, are links to those
 * of an ID whose envelope cannot be read. */
struct spool_draft *spool_draft_inherit(struct spool *s, const char *id);
/* entry_bare_bury of what is no bare file but an entry: it keeps its parts. */
int entry_malformed_bury(struct spool *s, const char *name, const char *why,
    char id[ID_SIZE]);
/* Remove whatever this hop has staged. */
void entry_unstage(struct entry *e);
/* Seal a block with exit, to and why (Error) and carry it out at once; for
 * what the spool itself judges at claim time.  0 or -1. */
int entry_settle_now(struct entry *e, const char *exit, const char *to,
    const char *why);

#endif
