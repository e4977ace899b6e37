/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fleet - who is to run, by the site file
 *
 * Queues and instances are only added while a site file is taken over; one that
 * is not wanted any more is marked, ends, and its instances are then pruned.  A
 * queue stays in the table, so that its number stays good.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "runners/supervisor/supervisor.h"

/* A stock runner's place in the pipeline.  Queues of the site's own stand in
 * between, most often before moderation. */
static unsigned
rank_of(const char *stage)
{
	static const char *const order[] = {"inbound", "auth", "*",
		"moderation", "pending", "bounce", "command", "outbound"};
	const unsigned own = 3;
	unsigned i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (strcmp(order[i], stage) == 0)
			return i + 1;
	}
	return own;
}

static char *__attribute__((format(printf, 1, 2)))
format(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n == -1 ? NULL : text;
}

static void
free_queue(struct queue *q)
{
	free(q->name);
	free(q->new_dir);
	free(q->later_dir);
	free(q->later);
	free(q->cur);
}

static void
free_instance(struct instance *i)
{
	free(i->name);
	free(i->program);
}

static size_t
find_queue(const struct supervisor *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_queues; i++) {
		if (strcmp(s->queues[i].name, name) == 0)
			return i;
	}
	return NO_QUEUE;
}

static int
add_queue(struct supervisor *s, const char *spool, const char *name)
{
	struct queue *grown, *q;

	grown = reallocarray(s->queues, s->n_queues + 1, sizeof(*grown));
	if (grown == NULL)
		return -1;
	s->queues = grown;
	q = &grown[s->n_queues++];
	*q = (struct queue){.name = strdup(name),
		.new_dir = format("%s/%s/new", spool, name),
		.later_dir = format("%s/%s/later", spool, name),
		.later = format("%s/later", name),
		.cur = format("%s/cur", name)};
	if (q->name == NULL || q->new_dir == NULL || q->later_dir == NULL ||
	    q->later == NULL || q->cur == NULL)
		return -1;
	return 0;
}

static struct instance *
find_instance(struct supervisor *s, const char *name, const char *program)
{
	size_t i;

	for (i = 0; i < s->n_instances; i++) {
		if (strcmp(s->instances[i].name, name) == 0 &&
		    strcmp(s->instances[i].program, program) == 0)
			return &s->instances[i];
	}
	return NULL;
}

static int
append_instance(struct supervisor *s, const struct instance *new)
{
	struct instance *grown;

	grown = reallocarray(s->instances, s->n_instances + 1, sizeof(*grown));
	if (grown == NULL)
		return -1;
	s->instances = grown;
	grown[s->n_instances++] = *new;
	return 0;
}

/* One that is there already stays as it is. */
static int
add_instance(struct supervisor *s, const char *name, const char *runner,
    size_t queue)
{
	struct instance new = {.queue = queue, .bell = -1};
	int result;

	new.name = strdup(name);
	new.program = format("septet-%s", runner);
	new.since = clock_ms();
	service_init(&new.service, s->options.grace);
	result = new.name == NULL || new.program == NULL ? -1 : 0;
	if (result == 0 && find_instance(s, new.name, new.program) == NULL) {
		result = append_instance(s, &new);
		if (result == 0)
			return 0;
	}
	free_instance(&new);
	return result;
}

static int
add_of_queue(struct supervisor *s, const struct site *site,
    const struct site_queue *q)
{
	char *name;
	size_t queue;
	unsigned n;
	int result;

	if (find_queue(s, q->name) == NO_QUEUE &&
	    add_queue(s, site->spool, q->name) == -1)
		return -1;
	queue = find_queue(s, q->name);
	for (n = 1; n <= q->instances; n++) {
		name = format("%s%u", q->name, n);
		result = name == NULL ? -1 :
		    add_instance(s, name, q->runner, queue);
		free(name);
		if (result == -1)
			return -1;
	}
	return 0;
}

static int
add_all(struct supervisor *s, const struct site *site)
{
	size_t i;

	for (i = 0; i < site->n_queues; i++) {
		if (add_of_queue(s, site, &site->queues[i]) == -1)
			return -1;
	}
	if (site->lmtp.listen.n == 0)
		return 0;
	return add_instance(s, "lmtp", "lmtp", NO_QUEUE);
}

static void
take_back(struct supervisor *s, size_t n_queues, size_t n_instances)
{
	while (s->n_queues > n_queues)
		free_queue(&s->queues[--s->n_queues]);
	while (s->n_instances > n_instances)
		free_instance(&s->instances[--s->n_instances]);
}

/* "inbound3" of queue inbound: is 3 among its instances? */
static bool
is_wanted(const struct supervisor *s, const struct site *site,
    const struct instance *i)
{
	const struct site_queue *q;
	const char *name;
	unsigned long number;

	if (i->queue == NO_QUEUE)
		return site->lmtp.listen.n > 0;
	name = s->queues[i->queue].name;
	q = site_queue(site, name);
	if (q == NULL || strcmp(i->program + strlen("septet-"), q->runner) != 0)
		return false;
	number = strtoul(i->name + strlen(name), NULL, 10);
	return number >= 1 && number <= q->instances;
}

int
fleet_apply(struct supervisor *s, const struct site *site)
{
	const size_t n_queues = s->n_queues, n_instances = s->n_instances;
	const struct site_queue *q;
	struct instance *i;
	size_t k;

	if (add_all(s, site) == -1 || ring_plan(s, site) == -1) {
		take_back(s, n_queues, n_instances);
		return -1;
	}
	for (k = 0; k < s->n_queues; k++) {
		q = site_queue(site, s->queues[k].name);
		s->queues[k].is_owned = q != NULL && q->instances > 0;
		s->queues[k].needs_recovery = true;
	}
	for (k = 0; k < s->n_instances; k++) {
		i = &s->instances[k];
		i->is_wanted = is_wanted(s, site, i);
		i->awaits_renewal = i->is_wanted &&
		    i->service.state != SERVICE_DOWN;
		i->rank = i->queue == NO_QUEUE ? 0 :
		    rank_of(site_stage(site, s->queues[i->queue].name));
	}
	s->makes_folders = true;
	return 0;
}

void
fleet_begin(struct supervisor *s)
{
	struct instance *i;
	size_t k;

	for (k = 0; k < s->n_instances; k++) {
		i = &s->instances[k];
		process_event(s, i, i->is_wanted ? SERVICE_WANT : SERVICE_DROP);
	}
}

bool
fleet_renew_next(struct supervisor *s)
{
	struct instance *i;
	bool is_found;
	size_t k, queue;

	is_found = false;
	queue = NO_QUEUE;
	for (k = 0; k < s->n_instances; k++) {
		i = &s->instances[k];
		if (!i->awaits_renewal || (is_found && i->queue != queue))
			continue;
		is_found = true;
		queue = i->queue;
		i->awaits_renewal = false;
		process_event(s, i, SERVICE_RENEW);
	}
	return is_found;
}

bool
fleet_is_moving(const struct supervisor *s)
{
	size_t k;

	for (k = 0; k < s->n_instances; k++) {
		if (service_is_moving(&s->instances[k].service))
			return true;
	}
	return false;
}

bool
fleet_stop_next(struct supervisor *s)
{
	struct instance *i;
	bool is_found;
	unsigned rank;
	size_t k;

	is_found = false;
	rank = 0;
	for (k = 0; k < s->n_instances; k++) {
		i = &s->instances[k];
		if (i->service.state == SERVICE_DOWN)
			continue;
		if (!is_found || i->rank < rank)
			rank = i->rank;
		is_found = true;
	}
	for (k = 0; is_found && k < s->n_instances; k++) {
		i = &s->instances[k];
		if (i->rank == rank || s->is_hurried)
			process_event(s, i, SERVICE_DROP);
	}
	return is_found;
}

void
fleet_prune(struct supervisor *s)
{
	struct instance *i;
	size_t k, kept;

	kept = 0;
	for (k = 0; k < s->n_instances; k++) {
		i = &s->instances[k];
		if (!i->is_wanted && i->service.state == SERVICE_DOWN)
			free_instance(i);
		else
			s->instances[kept++] = *i;
	}
	s->n_instances = kept;
}

void
fleet_free(struct supervisor *s)
{
	take_back(s, 0, 0);
	free(s->queues);
	free(s->instances);
	s->queues = NULL;
	s->instances = NULL;
	bells_free(&s->bells);
}

size_t
fleet_count(const struct supervisor *s, enum service_state state)
{
	size_t k, n;

	n = 0;
	for (k = 0; k < s->n_instances; k++)
		n += s->instances[k].service.state == state;
	return n;
}
