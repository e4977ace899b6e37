/* SPDX-License-Identifier: BSD-2-Clause
 *
 * command - mail to the list itself, and all automatic mail
 */
#ifndef SEPTET_COMMAND_H
#define SEPTET_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/domain/limits.h"
#include "common/domain/listdb.h"
#include "common/process/runner.h"

struct state_change;

/* Two stores are open for change at once, and always begun in this order: the
 * limits, for the whole batch, then one list's file.  So two processes never
 * wait for each other.  Requests are put and deleted at the batch's end, that a
 * list's roster and state do not take turns. */
struct command {
	struct listdb *db;
	struct limits *limits;  /* LISTS/.limits.tdb */
	bool is_open;           /* its transaction */
	unsigned asked;         /* since it was last pruned */
	unsigned effects;       /* likewise, those of rosters */
	struct state_change *changes;
	size_t n_changes;
};

void *command_init(struct runner *r);
int command_handle(struct runner *r, struct entry *e);
int command_batch_end(struct runner *r);
void command_fini(struct runner *r, void *data);

/* One entry being handled. */
struct order {
	struct runner *runner;
	struct entry *entry;
	const struct list *list;
	struct roster *roster;
	struct liststate *state;
	struct sbuf sender;     /* Mail-From; empty: unknown, or <> */
	bool is_automatic;      /* no program gets an answer, or is obeyed */
	unsigned answers;       /* staged */
};

/* Add a Command field "WORD REST result=RESULT". */
void order_note(struct order *o, const char *word, const char *rest,
    const char *result);
/* May the notice go to the address now?  1, 0, -1. */
int order_may_answer(struct order *o, const char *address, const char *notice);
/* At the batch's end: record a request, or (text NULL) forget it. */
void order_request(struct order *o, uint64_t number, const char *text,
    int64_t until);

/* At the batch's end: owners hear of what is held at ms. */
void order_owners_due(struct order *o, int64_t ms);

/* ---- answer: one mail of ours ------------------------------------------- */

struct answer {
	const char *notice;     /* its template */
	const char *to;
	const char *language;   /* or NULL: the list's */
	bool is_to_owners;
	bool has_original;      /* the entry's header goes with it */
	/* Values of the template; NULL: empty. */
	const char *address, *subject, *reason, *date, *token_address,
	    *results, *held_items, *held_count, *members;
	const char *reply_to;
};

enum answer_result {
	ANSWER_TROUBLE = -1,    /* errno */
	ANSWER_LIMITED,         /* had enough mail of ours */
	ANSWER_SENT,            /* a child for outbound is staged */
	ANSWER_BURIED           /* no template: the entry has its outcome */
};

enum answer_result answer_send(struct order *o, const struct answer *a)
    __attribute__((warn_unused_result));
/* "2026-11-20 09:00 UTC" and its NUL: a time that reads the same in every
 * language. */
#define ANSWER_DATE_SIZE 21
void answer_date(int64_t ms, char out[ANSWER_DATE_SIZE]);
/* The word for a Command field; `sent` where it is. */
const char *answer_word(enum answer_result result, const char *sent);
/* Empties out and fills it with "dev-confirm+EXTENSION@lists.example.org". */
void answer_confirm_address(const struct list *list, const char *extension,
    struct sbuf *out);

/* ---- subscribe: join, leave, confirm ------------------------------------ */

/* Each returns the word of what came of it, or NULL with errno. */
const char *subscribe_join(struct order *o);
const char *subscribe_leave(struct order *o);
/* By the token that is the entry's Extension; adds its Command field.  0, -1. */
int confirm_handle(struct order *o) __attribute__((warn_unused_result));
/* "a" + token: which letter, 0 for a plain token; the token in lower or upper
 * case as given.  0, or -1: neither. */
int confirm_split(const char *extension, char *letter, const char **token);

/* ---- verdict: a moderator's answer -------------------------------------- */

/* approve, reject, discard for a, r, d; NULL. */
const char *verdict_word(char letter);
/* Pass a verdict on to moderation, for the hold that the token's number names;
 * adds its Command field.  1, 0 there is no such hold (any more), -1. */
int verdict_send(struct order *o, char letter, const char *token,
    uint64_t number) __attribute__((warn_unused_result));

/* ---- request: commands in a mail ---------------------------------------- */

#define REQUEST_COMMANDS_MAX 10

enum request_command { REQUEST_JOIN, REQUEST_LEAVE, REQUEST_HELP,
	REQUEST_PING };

/* What a mail asks for. */
struct request {
	enum request_command commands[REQUEST_COMMANDS_MAX + 1];
	size_t n;               /* each command once, in order */
	bool names_other;       /* an address that is not the sender's */
	bool is_cut;            /* there were more than are looked at */
	bool has_rest;          /* something follows the line not understood */
	struct sbuf unknown;    /* that line, cut; empty: none */
};

/* At most REQUEST_COMMANDS_MAX lines of commands are looked at.  Empties *out
 * first; request_free. */
void request_parse(const char *subject, const char *text, const char *sender,
    struct request *out);
void request_free(struct request *out);
int request_handle(struct order *o) __attribute__((warn_unused_result));

/* ---- notice: what other stages ask for ---------------------------------- */

/* 0, -1. */
int notice_handle(struct order *o) __attribute__((warn_unused_result));
/* A post that was refused. */
int notice_rejected(struct order *o) __attribute__((warn_unused_result));

/* What waits for a list's moderators. */
struct held {
	struct sbuf items;      /* for people, each with its addresses */
	unsigned shown;
	unsigned count;         /* found; not all may be shown */
	int64_t until;          /* the first of them goes then; 0 none */
};

/* 0, -1. */
int held_list(struct order *o, struct held *held)
    __attribute__((warn_unused_result));
void held_free(struct held *held);

/* Members whose delivery has stopped. */
struct disabled {
	struct sbuf members;    /* for people: each, and why */
	struct sbuf address, reason; /* of the first */
	unsigned count;         /* found; not all may be shown */
};

/* Those that the notice of this time is about, and that still are disabled.
 * 0, -1. */
int disabled_list(struct order *o, long long due, struct disabled *out)
    __attribute__((warn_unused_result));
void disabled_add(struct disabled *d, const char *address,
    const char *reason);
/* Say how many more there are. */
void disabled_end(struct disabled *d);
void disabled_free(struct disabled *d);

#endif
