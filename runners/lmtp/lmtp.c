/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lmtp - the server's loop
 */
#include "runners/lmtp/lmtp.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/exits.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "common/process/privilege.h"
#include "common/system/bell.h"
#include "common/system/sigfd.h"
#include "runners/lmtp/listen.h"

/* Reports taken in one turn: the most that one flush serves. */
#define EVENTS_MAX 128
/* Callers taken in one turn, so that those inside are heard too. */
#define ACCEPT_MAX 64
/* How long a connection that was told goodbye may take to go. */
#define LEAVE_MS 1000
/* How long the last answers may take when the server stops. */
#define STOP_MS 5000
/* Out of descriptors: try again after this. */
#define DEAF_MS 1000
/* Time-outs are looked at in steps of this, not to the millisecond. */
#define COARSE_MS 1000
/* Descriptors that are neither a connection's nor its message's. */
#define DESCRIPTORS_OWN 64

static const char too_many[] =
    "421 4.3.2 Too many connections, try again later\r\n";

/* ---- callers ----------------------------------------------------------- */

static void
watch_listeners(struct server *server, bool is_on)
{
	size_t i;

	for (i = 0; i < server->n_listeners; i++) {
		struct listener *l = &server->listeners[i];
		struct epoll_event event = {.events = is_on ? EPOLLIN : 0,
			.data.ptr = &l->source};

		if (l->source.fd != -1 && epoll_ctl(server->epoll,
		    EPOLL_CTL_MOD, l->source.fd, &event) == -1)
			log_error("listen=%s epoll: %s", l->spec,
			    strerror(errno));
	}
	server->is_deaf = !is_on;
}

static void
turn_away(int fd)
{
	(void)!io_send(fd, too_many, sizeof(too_many) - 1);
	log_warn("too many connections, a client was sent away");
	io_close(&fd);
}

static void
accept_callers(struct server *server, struct listener *l)
{
	int i, fd;

	for (i = 0; i < ACCEPT_MAX && l->source.fd != -1; i++) {
		fd = listen_accept(l->source.fd);
		if (fd != -1 && server->n_conns >=
		    server->site->lmtp.connections) {
			turn_away(fd);
		} else if (fd != -1) {
			conn_open(server, fd);
		} else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOBUFS || errno == ENOMEM) {
			log_warn("listen=%s cannot accept for now: %s", l->spec,
			    strerror(errno));
			watch_listeners(server, false);
			return;
		} else if (errno != ECONNABORTED) {
			return;
		}
	}
}

/* ---- turns ------------------------------------------------------------- */

/* Make durable what ended in this turn.  Going on with what a client sent
 * behind it may end more: that is the next turn's. */
static void
commit(struct server *server)
{
	struct conn **waiting = server->waiting;
	size_t i, n = server->n_waiting;

	if (n == 0)
		return;
	store_commit(&server->store);
	server->waiting = NULL;
	server->n_waiting = server->cap_waiting = 0;
	for (i = 0; i < n; i++) {
		if (waiting[i] == NULL)
			continue;
		waiting[i]->is_listed = false;
		conn_settle(server, waiting[i]);
	}
	free(waiting);
}

static void
expire(struct server *server)
{
	int64_t now = clock_mono_ms();
	int64_t timeout = server->site->lmtp.timeout;
	struct conn *c;

	while ((c = TAILQ_FIRST(&server->open)) != NULL &&
	    now - c->active >= timeout) {
		/* Was told already, and does not even read it. */
		if (session_is_over(c->session))
			conn_close(server, c);
		else
			conn_abort(server, c,
			    "421 4.4.2 Silent for too long, closing");
	}
	while ((c = TAILQ_FIRST(&server->leaving)) != NULL &&
	    now - c->active >= LEAVE_MS)
		conn_close(server, c);
}

static int64_t
sooner(int64_t wait, int64_t other)
{
	other = other < 0 ? 0 : other;
	return wait == -1 || other < wait ? other : wait;
}

/* How long to sleep: for ever where nobody is connected. */
static int
sleep_ms(const struct server *server)
{
	const struct conn *first = TAILQ_FIRST(&server->open);
	const struct conn *leaving = TAILQ_FIRST(&server->leaving);
	int64_t now, wait = -1;

	if (server->n_waiting > 0)
		return 0;
	if (server->is_deaf)
		wait = DEAF_MS;
	now = clock_mono_ms();
	if (first != NULL)
		wait = sooner(wait, first->active + server->site->lmtp.timeout -
		    now + COARSE_MS);
	if (leaving != NULL)
		wait = sooner(wait, leaving->active + LEAVE_MS - now);
	if (server->is_stopping)
		wait = sooner(wait, LEAVE_MS);
	return wait > INT32_MAX ? INT32_MAX : (int)wait;
}

static void
begin_stop(struct server *server)
{
	size_t i;

	for (i = 0; i < server->n_listeners; i++) {
		struct listener *l = &server->listeners[i];

		listen_close(l->spec, &l->source.fd);
	}
	/* Its end would be reported again in every turn. */
	(void)epoll_ctl(server->epoll, EPOLL_CTL_DEL, server->bell.fd, NULL);
	server->is_stopping = true;
}

static void
dispatch(struct server *server, const struct epoll_event *event)
{
	struct source *source = event->data.ptr;

	switch (source->kind) {
	case SOURCE_BELL:
		if (!server->is_stopping &&
		    bell_wait(source->fd, 0) == BELL_END)
			begin_stop(server);
		break;
	case SOURCE_SIGNAL:
		while (sigfd_next(source->fd) > 0)
			begin_stop(server);
		break;
	case SOURCE_LISTENER:
		accept_callers(server, (struct listener *)source);
		break;
	case SOURCE_CONN:
		conn_event(server, (struct conn *)source, event->events);
		break;
	}
}

static int
turn(struct server *server)
{
	struct epoll_event events[EVENTS_MAX];
	int i, n, wait = sleep_ms(server);

	n = epoll_wait(server->epoll, events, EVENTS_MAX, wait);
	if (n == -1 && errno != EINTR) {
		log_error("epoll_wait: %s", strerror(errno));
		return -1;
	}
	if (server->is_deaf && !server->is_stopping)
		watch_listeners(server, true);
	for (i = 0; i < n; i++)
		dispatch(server, &events[i]);
	commit(server);
	expire(server);
	return 0;
}

/* What has arrived whole is finished, the rest is put off. */
static void
say_goodbye(struct server *server)
{
	struct conn *c, *next;

	TAILQ_FOREACH(c, &server->open, link)
		conn_read_all(server, c);
	commit(server);
	for (c = TAILQ_FIRST(&server->open); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		conn_abort(server, c, "421 4.3.2 Stopping, try again later");
	}
}

static int
run(struct server *server)
{
	int64_t until;

	while (!server->is_stopping) {
		if (turn(server) == -1)
			return EXIT_TEMPORARY;
	}
	log_info("stopping connections=%zu", server->n_conns);
	say_goodbye(server);
	until = clock_mono_ms() + STOP_MS;
	while (server->n_conns > 0 && clock_mono_ms() < until) {
		if (turn(server) == -1)
			return EXIT_TEMPORARY;
	}
	return EXIT_OK;
}

/* ---- start and end ----------------------------------------------------- */

/* Each connection may have a message open too. */
static void
raise_descriptors(const struct site *site)
{
	rlim_t want = 2 * (rlim_t)site->lmtp.connections + DESCRIPTORS_OWN;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= want)
		return;
	limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur < want)
		log_warn("descriptors=%llu are too few for connections=%u",
		    (unsigned long long)limit.rlim_cur, site->lmtp.connections);
}

static int
watch(struct server *server, struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, source->fd, &event);
}

static int
open_listeners(struct server *server, bool is_unix)
{
	struct sbuf why = {0};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < server->n_listeners; i++) {
		struct listener *l = &server->listeners[i];

		if (listen_is_unix(l->spec) != is_unix)
			continue;
		l->source.fd = listen_open(l->spec, &why);
		if (l->source.fd == -1 || watch(server, &l->source) == -1) {
			log_error("cannot listen at %s: %s", l->spec,
			    why.len > 0 ? why.data : strerror(errno));
			rc = -1;
		}
	}
	sbuf_free(&why);
	return rc;
}

/* Standard input is the doorbell.  What epoll cannot watch (/dev/null, a file)
 * is none: then only a signal ends the server. */
static int
watch_bell(struct server *server)
{
	server->bell = (struct source){.kind = SOURCE_BELL, .fd = STDIN_FILENO};
	if (watch(server, &server->bell) == 0)
		return 0;
	if (errno != EPERM)
		return -1;
	log_info("no doorbell on standard input, SIGTERM stops");
	return 0;
}

static int
watch_signals(struct server *server)
{
	static const int alone[] = {SIGTERM, SIGINT, 0};
	static const int supervised[] = {SIGTERM, 0};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct stat st;
	bool has_bell;

	/* Whoever reads our log may go before we do. */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	/* Ctrl-C at the supervisor's terminal is the supervisor's, which stops
	 * us in our turn. */
	has_bell = fstat(STDIN_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);
	if (has_bell)
		(void)sigaction(SIGINT, &ignore, NULL);
	server->signals = (struct source){.kind = SOURCE_SIGNAL,
		.fd = sigfd_open(has_bell ? supervised : alone)};
	return server->signals.fd == -1 ? -1 : watch(server, &server->signals);
}

static void
set_up(struct server *server, struct site *site)
{
	const struct site_queue *inbound = site_queue(site, "inbound");
	size_t i;

	*server = (struct server){.site = site, .epoll = -1};
	server->buffer = xmalloc(LMTP_BUFFER);
	server->config = (struct session_config){.site = site->name,
		.size_limit = inbound == NULL ? 0 : inbound->size_limit,
		.recipients = site->lmtp.recipients, .ops = &store_ops,
		.ctx = &server->store, .scratch = &server->scratch};
	TAILQ_INIT(&server->open);
	TAILQ_INIT(&server->leaving);
	server->signals.fd = -1;
	server->n_listeners = site->lmtp.listen.n;
	server->listeners = xcalloc(server->n_listeners + 1,
	    sizeof(*server->listeners));
	for (i = 0; i < server->n_listeners; i++) {
		server->listeners[i] = (struct listener){
			.source = {.kind = SOURCE_LISTENER, .fd = -1},
			.spec = site->lmtp.listen.items[i]};
	}
}

/* TCP first: its port may be one that only root can have.  Socket files after
 * it: they belong to the user that is served.  -1 with errno and *what, which
 * is NULL where all is said. */
static int
open_all(struct server *server, const char **what)
{
	*what = "epoll";
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll == -1)
		return -1;
	*what = NULL;
	if (open_listeners(server, false) == -1)
		return -1;
	if (privilege_drop(server->site, what) == -1)
		return -1;
	*what = NULL;
	if (open_listeners(server, true) == -1)
		return -1;
	if (store_open(&server->store, server->site, what) == -1)
		return -1;
	*what = "standard input";
	if (watch_bell(server) == -1)
		return -1;
	*what = "signals";
	return watch_signals(server);
}

static int
start(struct server *server)
{
	const char *what;
	size_t i;

	if (open_all(server, &what) == -1) {
		if (what != NULL)
			log_error("cannot start: %s: %s", what,
			    strerror(errno));
		return -1;
	}
	for (i = 0; i < server->n_listeners; i++)
		log_info("listen=%s", server->listeners[i].spec);
	return 0;
}

static void
tear_down(struct server *server)
{
	struct conn *c;

	begin_stop(server);
	while ((c = TAILQ_FIRST(&server->open)) != NULL)
		conn_close(server, c);
	while ((c = TAILQ_FIRST(&server->leaving)) != NULL)
		conn_close(server, c);
	store_close(&server->store);
	io_close(&server->signals.fd);
	io_close(&server->epoll);
	sbuf_free(&server->scratch);
	free(server->waiting);
	free(server->listeners);
	free(server->buffer);
}

int
lmtp_serve(struct site *site)
{
	struct server server;
	int code = EXIT_TEMPORARY;

	set_up(&server, site);
	raise_descriptors(site);
	if (start(&server) == 0)
		code = run(&server);
	tear_down(&server);
	return code;
}
