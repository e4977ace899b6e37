/* SPDX-License-Identifier: BSD-2-Clause
 *
 * verdict - what a person decides about an entry
 *
 * A held entry is moderation's: it gets a verdict as an entry of its own,
 * whoever else is deciding.  One that is dead or deferred is claimed here, as
 * a runner would, and settled.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/esc.h"
#include "common/base/io.h"
#include "common/mail/address.h"
#include "common/spool/entry.h"
#include "common/system/fsutil.h"
#include "runners/septet/look.h"
#include "runners/septet/sender.h"

/* ---- held: a verdict for moderation ------------------------------------- */

static void
add_action(const struct cli *c, const char *word, const char *by,
    const char *token, struct sbuf *out)
{
	struct sbuf who = {0};

	if (by != NULL)
		sbuf_printf(&who, "<%s>", by);
	else
		cli_who(c, &who);
	sbuf_set(out, word);
	kv_add(out, "by", who.data);
	kv_add(out, "via", "cli");
	kv_add(out, "token", token);
	sbuf_free(&who);
}

static int
drop_verdict(struct cli *c, const struct look *l, const char *action)
{
	struct spool_draft *d = spool_draft_begin(c->spool);
	int rc;

	if (d == NULL)
		return cli_errno("cannot begin an entry");
	spool_draft_set(d, "Kind", "verdict");
	spool_draft_set(d, "Role", "verdict");
	spool_draft_set(d, "About", l->id);
	spool_draft_set(d, "Action", action);
	spool_draft_set(d, "Body-Offset", "0");
	rc = spool_draft_seal(d, "septet", l->queue);
	if (rc == 0 && spool_draft_commit(c->spool, &d, 1) == -1 &&
	    !spool_draft_is_in(d))
		rc = -1;
	rc = rc == -1 ? cli_errno("cannot queue the verdict") : 0;
	spool_draft_free(&d);
	return rc;
}

static void
say_judged(const struct cli *c, const struct look *l, const char *word,
    const struct envelope *env)
{
	const char *why = strcmp(word, "reject") == 0 ? sender_untold(c, env) :
	    NULL;

	printf("%s: %s is on its way to %s", l->id, word, l->queue);
	if (why != NULL)
		printf("; the sender will not be told: %s", why);
	putchar('\n');
}

static int
judge_held(struct cli *c, const struct look *l, const char *word,
    const char *by)
{
	struct sbuf why = {0}, token = {0}, action = {0};
	const char *held = NULL;
	struct envelope env;
	int rc, code;

	rc = look_envelope(c, l->path.data, &env, &why);
	if (rc == 1)
		held = envelope_get(&env, "Held");
	if (rc == 0) {
		code = cli_fail(EXIT_DATA, "%s: not held any more", l->id);
	} else if (rc == -1) {
		code = cli_fail(EXIT_DATA, "%s: %s", l->path.data, why.data);
	} else if (held == NULL || kv_get(held, "token", &token) != 1) {
		code = cli_fail(EXIT_DATA, "%s: its envelope has no Held field "
		    "with a token, so no verdict can name it", l->id);
	} else {
		add_action(c, word, by, token.data, &action);
		code = drop_verdict(c, l, action.data);
		if (code == 0)
			say_judged(c, l, word, &env);
	}
	if (rc == 1)
		envelope_free(&env);
	sbuf_free(&why);
	sbuf_free(&token);
	sbuf_free(&action);
	return code;
}

/* ---- others: claimed and settled here ----------------------------------- */

/* What is to become of it. */
struct wish {
	const char *exit;       /* requeue or discard */
	const char *queue;      /* NULL: its own */
};

/* A foreign file that the dead entry speaks of: dropped again where it can be
 * taken in (as any program could; refuse_foreign has seen to it), or removed.
 * 0 or an exit code. */
static int
settle_foreign(struct cli *c, const struct look *l, const struct wish *wish)
{
	const char *to = wish->queue != NULL ? wish->queue : l->queue;
	int dir = spool_dir(c->spool), rc = 0;
	struct sbuf from = {0}, target = {0};

	sbuf_printf(&from, "%s/dead/%s+bare", l->queue, l->id);
	if (strcmp(wish->exit, "discard") == 0) {
		rc = fs_remove_tree(dir, from.data);
	} else {
		sbuf_printf(&target, "%s/new/again.%s", to, l->id);
		rc = io_linkat(dir, from.data, dir, target.data);
		if (rc == 0)
			rc = io_unlinkat(dir, from.data, 0);
	}
	if (rc == -1 && errno == ENOENT)
		rc = 0;
	if (rc == -1)
		rc = cli_errno("%s/%s", c->site->spool, from.data);
	sbuf_free(&from);
	sbuf_free(&target);
	return rc;
}

/* For people: the block is the queue's, so no program takes this for the
 * tool's word. */
static void
note(const struct cli *c, struct entry *e, const struct wish *wish)
{
	struct sbuf who = {0}, text = {0};

	cli_who(c, &who);
	kv_add(&text, "by", sbuf_str(&who));
	kv_add(&text, "text", wish->exit);
	entry_set(e, "Note", text.data);
	sbuf_free(&who);
	sbuf_free(&text);
}

static int
settle(struct cli *c, const struct look *l, struct entry *e,
    const struct wish *wish)
{
	struct entry *batch[1] = {e};
	bool was_foreign = l->place == SPOOL_DEAD &&
	    look_is_foreign(entry_envelope(e));
	bool is_discard = strcmp(wish->exit, "discard") == 0;
	const char *error = envelope_get(entry_envelope(e), "Error");
	struct sbuf why = {0};
	int code = 0;

	if (was_foreign)
		code = settle_foreign(c, l, wish);
	if (code != 0) {
		/* As dead as it was. */
		sbuf_set(&why, error == NULL ? "foreign: not an entry" : error);
		entry_bury(e, why.data);
		(void)spool_commit(c->spool, batch, 1);
		sbuf_free(&why);
		return code;
	}
	note(c, e, wish);
	entry_needs_flush(e);
	if (is_discard || was_foreign)
		entry_done(e, "discard");
	else
		entry_forward(e, wish->exit, wish->queue != NULL ?
		    wish->queue : l->queue);
	if (spool_commit(c->spool, batch, 1) == -1) {
		errno = entry_errno(e);
		return cli_errno("%s", l->id);
	}
	if (is_discard)
		printf("%s: discarded\n", l->id);
	else
		printf("%s: to %s\n", l->id, wish->queue != NULL ?
		    wish->queue : l->queue);
	return 0;
}

/* Only inbound takes in a foreign file: said before the entry is claimed, so
 * that a wish that is refused leaves no trace in it.  0 or an exit code. */
static int
refuse_foreign(const struct cli *c, const struct look *l,
    const struct wish *wish)
{
	const char *to = wish->queue != NULL ? wish->queue : l->queue;
	struct sbuf why = {0};
	struct envelope env;
	int code = 0;

	if (l->place != SPOOL_DEAD || strcmp(wish->exit, "discard") == 0 ||
	    strcmp(site_stage(c->site, to), "inbound") == 0)
		return 0;
	/* What cannot be read is claim's to judge. */
	if (look_envelope(c, l->path.data, &env, &why) == 1) {
		if (look_is_foreign(&env))
			code = cli_fail(EXIT_DATA, "%s: a foreign file, "
			    "%s/%s/dead/%s+bare; only inbound takes such in",
			    l->id, c->site->spool, l->queue, l->id);
		envelope_free(&env);
	}
	sbuf_free(&why);
	return code;
}

static int
claim(struct cli *c, const struct look *l, const struct wish *wish)
{
	struct sbuf why = {0};
	struct entry *e = NULL;
	int code = refuse_foreign(c, l, wish);

	if (code != 0)
		return code;
	if (spool_own(c->spool, l->queue, "septet") == -1)
		return cli_errno("%s/%s", c->site->spool, l->queue);
	switch (entry_claim(c->spool, l->place, sbuf_str(&l->folder), l->id,
	    &e, &why)) {
	case ENTRY_CLAIMED:
		code = settle(c, l, e, wish);
		break;
	case ENTRY_LOST:
		code = cli_fail(EXIT_TEMPORARY, "%s: somebody else has it "
		    "now; ask septet show", l->id);
		break;
	case ENTRY_SETTLED:
		code = cli_fail(EXIT_DATA, "%s: %s", l->id, sbuf_str(&why));
		break;
	case ENTRY_BARE:
		(void)!entry_bare_release(c->spool, sbuf_str(&why));
		code = cli_fail(EXIT_DATA, "%s: a foreign file; inbound takes "
		    "it in now", l->id);
		break;
	case ENTRY_NEWER:
		code = cli_fail(EXIT_DATA, "%s: of a higher version than this "
		    "septet knows", l->id);
		break;
	case ENTRY_TROUBLE:
		code = cli_errno("%s", l->id);
		break;
	}
	entry_free(&e);
	spool_disown(c->spool);
	sbuf_free(&why);
	return code;
}

/* ---- commands ----------------------------------------------------------- */

static int
find(struct cli *c, const char *id, struct look *l)
{
	int code = look_find(c, id, l);

	if (code == LOOK_ABSENT)
		return look_absent(id);
	if (code == 0 && l->place == SPOOL_CUR)
		return cli_fail(EXIT_TEMPORARY, "%s: a runner has it in hand "
		    "(%s); try again", l->id, l->folder.data);
	return code;
}

static int
is_held(const struct look *l)
{
	return cli_fail(EXIT_REFUSED, "%s: is held in %s; septet approve, "
	    "reject or discard decides about it", l->id, l->queue);
}

static int
retry_one(struct cli *c, const char *id, const char *queue)
{
	struct wish wish = {.exit = "requeue", .queue = queue};
	struct look l = {.queue = NULL};
	int code;

	code = find(c, id, &l);
	if (code == 0 && l.place == SPOOL_HELD)
		code = is_held(&l);
	else if (code == 0 && l.place == SPOOL_NEW && queue == NULL)
		printf("%s: waits in %s already\n", l.id, l.queue);
	else if (code == 0)
		code = claim(c, &l, &wish);
	look_free(&l);
	return code;
}

static int
judge_one(struct cli *c, const char *id, const char *word, const char *by)
{
	struct wish wish = {.exit = "discard"};
	struct look l = {.queue = NULL};
	struct sbuf where = {0};
	int code;

	code = find(c, id, &l);
	if (code == 0 && l.place == SPOOL_HELD) {
		code = judge_held(c, &l, word, by);
	} else if (code == 0 && strcmp(word, "discard") == 0) {
		code = claim(c, &l, &wish);
	} else if (code == 0) {
		look_where(&l, &where);
		code = cli_fail(EXIT_DATA, "%s: is not held, it stands in %s",
		    l.id, where.data);
	}
	sbuf_free(&where);
	look_free(&l);
	return code;
}

/* Each of them is tried; the first failure's code counts. */
static int
for_each(struct cli *c, int argc, char **argv, const char *word,
    const char *by)
{
	int i, code = 0, rc;

	for (i = 1; i <= argc; i++) {
		rc = word == NULL ? retry_one(c, argv[i], NULL) :
		    judge_one(c, argv[i], word, by);
		if (code == 0)
			code = rc;
	}
	return code;
}

int
retry_run(struct cli *c, int argc, char **argv)
{
	int code;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){1, -1});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_SPOOL);
	return code != 0 ? code : for_each(c, argc, argv, NULL, NULL);
}

int
requeue_run(struct cli *c, int argc, char **argv)
{
	int code;

	code = cli_arguments(c, &argc, argv, NULL, (const int[2]){2, 2});
	if (code != 0)
		return code - 1;
	code = cli_open(c, CLI_SPOOL);
	if (code != 0)
		return code;
	if (site_queue(c->site, argv[2]) == NULL)
		return cli_fail(EXIT_DATA, "%s: no such queue; septet queue "
		    "names them", argv[2]);
	return retry_one(c, argv[1], argv[2]);
}

static int
judge_run(struct cli *c, int argc, char **argv, const char *word)
{
	const char *by = NULL, *why = NULL;
	const struct cli_option options[] = {
		{.name = "by", .value = &by},
		{.name = NULL},
	};
	int code;

	code = cli_arguments(c, &argc, argv, options, (const int[2]){1, -1});
	if (code != 0)
		return code - 1;
	if (by != NULL && address_check(by, NULL, &why) == -1)
		return cli_fail(EXIT_DATA, "--by %s: %s", by, why);
	code = cli_open(c, CLI_SPOOL);
	return code != 0 ? code : for_each(c, argc, argv, word, by);
}

int
discard_run(struct cli *c, int argc, char **argv)
{
	return judge_run(c, argc, argv, "discard");
}

int
approve_run(struct cli *c, int argc, char **argv)
{
	return judge_run(c, argc, argv, "approve");
}

int
reject_run(struct cli *c, int argc, char **argv)
{
	return judge_run(c, argc, argv, "reject");
}
