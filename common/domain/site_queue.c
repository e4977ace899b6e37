/* SPDX-License-Identifier: BSD-2-Clause
 *
 * site_queue - the queues of a site: stock ones, exits, relays
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/xalloc.h"
#include "common/domain/site_queue.h"

#define QUEUES_MAX 64
#define QUEUE_NAME_MAX 20
#define RUNNER_NAME_MAX 32
#define EXIT_NAME_MAX 20
#define RELAYS_MAX 32
#define STOCK_EXITS_MAX 5

/* The stages of Septet and where their exits lead. */
static const struct stock {
	const char *name;
	struct {
		const char *name, *queue;
	} exits[STOCK_EXITS_MAX + 1];
} stock[] = {
	{"inbound", {{"accept", "auth"}, {"command", "command"},
		{"bounce", "bounce"}, {"owner", "outbound"},
		{"reject", "command"}}},
	{"auth", {{"accept", "moderation"}, {"reject", "command"}}},
	{"moderation", {{"accept", "pending"}, {"reject", "command"},
		{"notice", "command"}}},
	{"pending", {{"accept", "outbound"}, {"notice", "command"}}},
	{"outbound", {{"bounce", "bounce"}}},
	{"bounce", {{"notice", "command"}, {"hold", "moderation"}}},
	{"command", {{"accept", "outbound"}, {"verdict", "moderation"}}},
};
#define STOCK_COUNT (sizeof(stock) / sizeof(stock[0]))

/* Names that a folder of the volume has already, and programs that stand at no
 * queue. */
static const char *const volume_names[] = {"msg", "head", "rcpt", "result",
	"journal", NULL};
static const char *const other_programs[] = {"lmtp", "supervisor", NULL};
/* What every queue's trail can say by itself (formats: exits). */
static const char *const common_exits[] = {"carried", "defer", "bury",
	"requeue", "back", NULL};

static bool
is_one_of(const char *const *words, const char *text)
{
	while (*words != NULL && strcmp(*words, text) != 0) {
		words++;
	}
	return *words != NULL;
}

static const struct stock *
find_stock(const char *name)
{
	for (size_t i = 0; i < STOCK_COUNT; i++) {
		if (strcmp(stock[i].name, name) == 0) {
			return &stock[i];
		}
	}
	return NULL;
}

/* A queue's stage is its runner's where that is a stock one, else its own:
 * another program at "outbound" keeps what belongs to that queue. */
static const char *
stage_of(const struct site_queue *queue)
{
	return find_stock(queue->runner) != NULL ? queue->runner : queue->name;
}

static bool
is_stage(const struct site_queue *queue, const char *stage)
{
	return strcmp(stage_of(queue), stage) == 0;
}

static struct site_queue *
find_queue(const struct site *site, const char *name)
{
	for (size_t i = 0; i < site->n_queues; i++) {
		if (strcmp(site->queues[i].name, name) == 0) {
			return &site->queues[i];
		}
	}
	return NULL;
}

static struct site_queue *
add_queue(struct site *site, const char *name)
{
	struct site_queue *queue;

	site->queues = xreallocarray(site->queues, site->n_queues + 1,
	    sizeof(*site->queues));
	queue = &site->queues[site->n_queues++];
	*queue = (struct site_queue){.name = xstrdup(name),
	    .runner = xstrdup(name), .instances = 1, .size_limit = 40 << 20,
	    .batch = 64, .recipients = 1000};
	return queue;
}

static void
set_exit(struct site_queue *queue, const char *name, const char *to)
{
	size_t i = 0;

	while (i < queue->n_exits && strcmp(queue->exits[i].name, name) != 0) {
		i++;
	}
	if (i < queue->n_exits) {
		free(queue->exits[i].queue);
		queue->exits[i].queue = xstrdup(to);
		return;
	}
	queue->exits = xreallocarray(queue->exits, i + 1,
	    sizeof(*queue->exits));
	queue->exits[i] = (struct site_exit){xstrdup(name), xstrdup(to)};
	queue->n_exits++;
}

static void
set_stock_exits(struct site_queue *queue)
{
	const struct stock *s = find_stock(stage_of(queue));

	for (size_t i = 0; s != NULL && s->exits[i].name != NULL; i++) {
		set_exit(queue, s->exits[i].name, s->exits[i].queue);
	}
}

/* "accept, reject": what conf_unknown takes. */
static void
exit_names(const struct site_queue *queue, struct sbuf *out)
{
	for (size_t i = 0; i < queue->n_exits; i++) {
		sbuf_printf(out, "%s%s", i == 0 ? "" : ", ",
		    queue->exits[i].name);
	}
}

static void
read_exit(const struct site *site, struct site_queue *queue,
    const struct conf_node *item, struct conf_errors *errors)
{
	struct sbuf names = {0};
	char *to = NULL;

	for (size_t i = 0; i < site->n_queues; i++) {
		sbuf_printf(&names, "%s%s", i == 0 ? "" : ", ",
		    site->queues[i].name);
	}
	if (item->kind != CONF_SCALAR || find_queue(site, item->text) == NULL) {
		conf_error(errors, item, "exit \"%.40s\" leads to \"%.40s\", "
		    "one of the queues is allowed: %s", item->key,
		    item->kind == CONF_SCALAR ? item->text : "a list or map",
		    sbuf_str(&names));
	} else {
		to = item->text;
	}
	sbuf_free(&names);
	if (to != NULL) {
		set_exit(queue, item->key, to);
	}
}

/* A stage has the exits it has; a program that Septet does not know may call
 * its own what it likes. */
static void
read_exits(const struct site *site, struct site_queue *queue,
    const struct conf_node *map, struct conf_errors *errors)
{
	const struct conf_node *exits = conf_get_map(errors, map, "exits");
	struct sbuf names = {0};
	bool is_stock = find_stock(stage_of(queue)) != NULL;

	exit_names(queue, &names);
	for (size_t i = 0; exits != NULL && i < exits->n; i++) {
		const struct conf_node *item = &exits->items[i];

		if (is_stock && site_exit(queue, item->key) == NULL) {
			continue;
		}
		(void)conf_get(exits, item->key);
		if (!site_is_word(item->key, EXIT_NAME_MAX) ||
		    is_one_of(common_exits, item->key)) {
			conf_error(errors, item, "exit \"%.40s\", a name of "
			    "a-z, 0-9 and - is allowed, and none of carried, "
			    "defer, bury, requeue, back", item->key);
		} else {
			read_exit(site, queue, item, errors);
		}
	}
	conf_unknown(errors, exits, sbuf_str(&names));
	sbuf_free(&names);
}

static struct site_relay *
add_relay(struct site_queue *queue, const char *name)
{
	struct site_relay *relay;

	queue->relays = xreallocarray(queue->relays, queue->n_relays + 1,
	    sizeof(*queue->relays));
	relay = &queue->relays[queue->n_relays++];
	*relay = (struct site_relay){.name = xstrdup(name),
	    .host = xstrdup("127.0.0.1"), .port = 25, .connections = 4,
	    .recipients = 50};
	return relay;
}

static void
read_relay(const struct site *site, struct site_relay *relay,
    const struct conf_node *map, struct conf_errors *errors)
{
	static const char *const tls[] = {"none", "may", "must", "verify",
		NULL};
	static const unsigned connections[2] = {1, 1000};
	static const unsigned recipients[2] = {1, 100000};
	long long port = relay->port;
	int word = SITE_TLS_NONE;

	conf_string(errors, map, "host", &relay->host);
	if (strncmp(relay->host, "unix:", 5) == 0) {
		site_absolute(site, &relay->host);
	}
	conf_number(errors, map, "port", 1, 65535, &port);
	relay->port = (uint16_t)port;
	conf_choice(errors, map, "tls", tls, &word);
	relay->tls = (enum site_tls)word;
	conf_string(errors, map, "tls_ca", &relay->tls_ca);
	site_absolute(site, &relay->tls_ca);
	conf_string(errors, map, "user", &relay->user);
	conf_string(errors, map, "password_file", &relay->password_file);
	site_absolute(site, &relay->password_file);
	conf_string(errors, map, "helo", &relay->helo);
	conf_bool(errors, map, "lmtp", &relay->is_lmtp);
	conf_count(errors, map, "connections", connections,
	    &relay->connections);
	conf_count(errors, map, "recipients", recipients, &relay->recipients);
	site_not_yet(errors, map, "rate");
	if ((relay->user == NULL) != (relay->password_file == NULL)) {
		conf_error(errors, map, "relay \"%s\" has one of user and "
		    "password_file, both or none are allowed", relay->name);
	}
	conf_unknown(errors, map, "host, port, tls, tls_ca, user, "
	    "password_file, helo, lmtp, connections, recipients");
}

/* smtp: is one relay, or relays by name: their values are maps. */
static void
read_relays(const struct site *site, struct site_queue *queue,
    const struct conf_node *smtp, struct conf_errors *errors)
{
	if (smtp == NULL) {
		return;
	}
	if (smtp->n == 0 || smtp->items[0].kind != CONF_MAP) {
		read_relay(site, add_relay(queue, "main"), smtp, errors);
		return;
	}
	for (size_t i = 0; i < smtp->n; i++) {
		const struct conf_node *item = &smtp->items[i];

		if (i >= RELAYS_MAX || !site_is_word(item->key,
		    QUEUE_NAME_MAX) || item->kind != CONF_MAP) {
			conf_error(errors, item, "relay \"%.40s\", at most 32 "
			    "maps with names of a-z, 0-9 and - are allowed",
			    item->key);
			continue;
		}
		read_relay(site, add_relay(queue, item->key), item, errors);
	}
}

/* Keys that belong to one stage are an error at another. */
static void
refuse_foreign(struct conf_errors *errors, const struct site_queue *queue,
    const struct conf_node *map)
{
	static const struct {
		const char *key, *stage;
	} owned[] = {{"size_limit", "inbound"}, {"recipients", "pending"},
		{"smtp", "outbound"}, {"maildir", "outbound"}};

	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
		const struct conf_node *node = conf_get(map, owned[i].key);

		if (node != NULL && !is_stage(queue, owned[i].stage)) {
			conf_error(errors, node, "%s at queue \"%s\", it is "
			    "allowed where the runner is %s", owned[i].key,
			    queue->name, owned[i].stage);
		}
	}
}

static void
read_runner(struct site_queue *queue, const struct conf_node *map,
    struct conf_errors *errors)
{
	const struct conf_node *node = conf_get(map, "runner");

	if (node == NULL) {
		return;
	}
	if (node->kind != CONF_SCALAR) {
		conf_error(errors, node, "runner is a list or map, the name "
		    "of one program septet-NAME is allowed (exec and filter "
		    "are not in this version)");
	} else if (!site_is_word(node->text, RUNNER_NAME_MAX) ||
	    is_one_of(other_programs, node->text)) {
		conf_error(errors, node, "runner is \"%.40s\", the name of a "
		    "program septet-NAME that stands at a queue is allowed",
		    node->text);
	} else {
		free(queue->runner);
		queue->runner = xstrdup(node->text);
	}
}

static void
read_queue(const struct site *site, struct site_queue *queue,
    const struct conf_node *map, struct conf_errors *errors)
{
	static const unsigned instances[2] = {0, 64};
	static const unsigned batch[2] = {1, 1024};
	static const unsigned recipients[2] = {1, 1000000};

	conf_count(errors, map, "instances", instances, &queue->instances);
	conf_count(errors, map, "batch", batch, &queue->batch);
	conf_time(errors, map, "poll", &queue->poll);
	conf_size(errors, map, "size_limit", &queue->size_limit);
	conf_count(errors, map, "recipients", recipients, &queue->recipients);
	read_relays(site, queue, conf_get_map(errors, map, "smtp"), errors);
	conf_string(errors, map, "maildir", &queue->maildir);
	site_absolute(site, &queue->maildir);
	if (queue->maildir != NULL && queue->n_relays > 0) {
		conf_error(errors, map, "queue \"%s\" has smtp and maildir, "
		    "one of them is allowed", queue->name);
	}
	refuse_foreign(errors, queue, map);
	site_not_yet(errors, map, "on");
	site_not_yet(errors, map, "volume");
	read_exits(site, queue, map, errors);
	conf_unknown(errors, map, "runner, instances, exits, size_limit, "
	    "batch, poll, smtp, maildir, recipients");
}

/* Names and runners come first: exits may lead to what stands further down. */
static void
name_queues(struct site *site, const struct conf_node *map,
    struct conf_errors *errors)
{
	for (size_t i = 0; map != NULL && i < map->n; i++) {
		const struct conf_node *item = &map->items[i];
		struct site_queue *queue = find_queue(site, item->key);

		if (!site_is_word(item->key, QUEUE_NAME_MAX) ||
		    is_one_of(volume_names, item->key) ||
		    site->n_queues >= QUEUES_MAX) {
			conf_error(errors, item, "queue \"%.40s\", at most 64 "
			    "names of a-z, 0-9 and - with 1 to 20 letters are "
			    "allowed, and none of msg, head, rcpt, result, "
			    "journal", item->key);
			continue;
		}
		if (queue == NULL) {
			queue = add_queue(site, item->key);
		}
		if (item->kind != CONF_MAP && !item->is_null) {
			conf_error(errors, item, "queue \"%s\" is no map, a "
			    "map (\"key: value\" lines) is allowed",
			    item->key);
		}
		read_runner(queue, item, errors);
	}
}

static void
copy_relays(const struct site_queue *from, struct site_queue *to)
{
	for (size_t i = 0; i < from->n_relays; i++) {
		const struct site_relay *source = &from->relays[i];
		struct site_relay *relay = add_relay(to, source->name);
		char *name = relay->name;

		free(relay->host);
		*relay = *source;
		relay->name = name;
		relay->host = xstrdup(source->host);
		relay->tls_ca = source->tls_ca == NULL ? NULL
		    : xstrdup(source->tls_ca);
		relay->user = source->user == NULL ? NULL
		    : xstrdup(source->user);
		relay->password_file = source->password_file == NULL ? NULL
		    : xstrdup(source->password_file);
		relay->helo = source->helo == NULL ? NULL
		    : xstrdup(source->helo);
	}
}

/* Where an outbound queue says nothing it sends as the stock one does, and
 * that one to a server on this host. */
static void
set_relays(struct site *site)
{
	struct site_queue *model = find_queue(site, "outbound");

	if (is_stage(model, "outbound") && model->n_relays == 0 &&
	    model->maildir == NULL) {
		(void)add_relay(model, "main");
	}
	for (size_t i = 0; i < site->n_queues; i++) {
		struct site_queue *queue = &site->queues[i];

		if (!is_stage(queue, "outbound") || queue->n_relays > 0 ||
		    queue->maildir != NULL) {
			continue;
		}
		copy_relays(model, queue);
		if (model->maildir != NULL) {
			queue->maildir = xstrdup(model->maildir);
		}
		if (queue->n_relays == 0 && queue->maildir == NULL) {
			(void)add_relay(queue, "main");
		}
	}
}

void
site_queues_read(struct site *site, const struct conf_node *map,
    struct conf_errors *errors)
{
	for (size_t i = 0; i < STOCK_COUNT; i++) {
		(void)add_queue(site, stock[i].name);
	}
	name_queues(site, map, errors);
	for (size_t i = 0; i < site->n_queues; i++) {
		set_stock_exits(&site->queues[i]);
	}
	for (size_t i = 0; map != NULL && i < map->n; i++) {
		struct site_queue *queue;

		queue = find_queue(site, map->items[i].key);
		if (queue != NULL) {
			read_queue(site, queue, &map->items[i], errors);
		}
	}
	set_relays(site);
}

void
site_queues_free(struct site *site)
{
	for (size_t i = 0; i < site->n_queues; i++) {
		struct site_queue *queue = &site->queues[i];

		for (size_t j = 0; j < queue->n_exits; j++) {
			free(queue->exits[j].name);
			free(queue->exits[j].queue);
		}
		for (size_t j = 0; j < queue->n_relays; j++) {
			free(queue->relays[j].name);
			free(queue->relays[j].host);
			free(queue->relays[j].tls_ca);
			free(queue->relays[j].user);
			free(queue->relays[j].password_file);
			free(queue->relays[j].helo);
		}
		free(queue->exits);
		free(queue->relays);
		free(queue->maildir);
		free(queue->runner);
		free(queue->name);
	}
	free(site->queues);
}

const struct site_queue *
site_queue(const struct site *site, const char *name)
{
	return find_queue(site, name);
}

const char *
site_exit(const struct site_queue *queue, const char *exit)
{
	for (size_t i = 0; i < queue->n_exits; i++) {
		if (strcmp(queue->exits[i].name, exit) == 0) {
			return queue->exits[i].queue;
		}
	}
	return NULL;
}

const char *
site_stage(const struct site *site, const char *queue)
{
	const struct site_queue *found = find_queue(site, queue);

	return found == NULL ? queue : stage_of(found);
}

/* Mark what can be come to from the queue at index `from`. */
static void
mark_reached(const struct site *site, size_t from, bool *is_marked)
{
	const struct site_queue *queue = &site->queues[from];

	is_marked[from] = true;
	for (size_t i = 0; i < queue->n_exits; i++) {
		const struct site_queue *next;

		next = find_queue(site, queue->exits[i].queue);
		if (next != NULL && !is_marked[next - site->queues]) {
			mark_reached(site, (size_t)(next - site->queues),
			    is_marked);
		}
	}
}

bool
site_reaches(const struct site *site, const char *from, const char *to)
{
	const struct site_queue *start = find_queue(site, from);
	const struct site_queue *end = find_queue(site, to);
	bool is_marked[QUEUES_MAX + STOCK_COUNT] = {false};

	if (start == NULL || end == NULL) {
		return false;
	}
	mark_reached(site, (size_t)(start - site->queues), is_marked);
	return is_marked[end - site->queues];
}
