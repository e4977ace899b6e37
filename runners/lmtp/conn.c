/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conn - one connection: between its socket and its session
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "common/base/xalloc.h"
#include "runners/lmtp/listen.h"
#include "runners/lmtp/lmtp.h"

/* Output buffers up to this stay with an idle connection. */
#define KEEP_MAX 1024
/* How much is read at most in the last turn, from a client that goes on and
 * on: more than any socket buffer holds. */
#define LAST_READS_MAX 256

static void
touch(struct server *server, struct conn *c)
{
	/* One that is leaving has its time from when it was told. */
	if (c->is_leaving)
		return;
	c->active = clock_mono_ms();
	TAILQ_REMOVE(&server->open, c, link);
	TAILQ_INSERT_TAIL(&server->open, c, link);
}

static void
consume(struct sbuf *s, size_t n)
{
	if (n == 0)
		return;
	memmove(s->data, s->data + n, s->len - n);
	sbuf_truncate(s, s->len - n);
	if (s->len == 0 && s->cap > KEEP_MAX)
		sbuf_free(s);
}

static void
list_waiting(struct server *server, struct conn *c)
{
	if (c->is_listed || !session_is_waiting(c->session))
		return;
	if (server->n_waiting == server->cap_waiting) {
		server->cap_waiting = server->cap_waiting == 0 ? 16 :
		    server->cap_waiting * 2;
		server->waiting = xreallocarray(server->waiting,
		    server->cap_waiting, sizeof(struct conn *));
	}
	server->waiting[server->n_waiting++] = c;
	c->is_listed = true;
}

/* ---- in and out -------------------------------------------------------- */

static void
flush(struct server *server, struct conn *c)
{
	struct sbuf *out = session_output(c->session);
	ssize_t sent;

	while (out->len > 0 && !c->is_broken) {
		sent = io_send(c->source.fd, out->data, out->len);
		if (sent == -1) {
			c->is_broken = errno != EAGAIN && errno != EWOULDBLOCK;
			return;
		}
		consume(out, (size_t)sent);
		touch(server, c);
	}
}

static void
feed(struct server *server, struct conn *c, const char *bytes, size_t n)
{
	size_t used = 0;

	if (c->is_leaving)
		return;
	/* What came first is taken first. */
	if (c->pending.len == 0)
		used = session_input(c->session, bytes, n);
	if (used < n && !session_is_over(c->session))
		sbuf_add(&c->pending, bytes + used, n - used);
	list_waiting(server, c);
}

/* Go on with what was left; true where the session took any of it. */
static bool
feed_pending(struct server *server, struct conn *c)
{
	size_t used;

	if (c->pending.len == 0)
		return false;
	used = session_input(c->session, c->pending.data, c->pending.len);
	consume(&c->pending, used);
	if (session_is_over(c->session))
		sbuf_free(&c->pending);
	list_waiting(server, c);
	return used > 0;
}

static bool
wants_input(const struct conn *c)
{
	if (c->is_eof || c->is_broken)
		return false;
	if (c->is_leaving)
		return true;
	return c->pending.len == 0 && !session_is_waiting(c->session) &&
	    !session_is_over(c->session) &&
	    session_output(c->session)->len <= SESSION_OUTPUT_MAX;
}

/* One read: bytes, 0 nothing now or never again. */
static size_t
read_once(struct server *server, struct conn *c)
{
	ssize_t got;

	do
		got = recv(c->source.fd, server->buffer, LMTP_BUFFER, 0);
	while (got == -1 && errno == EINTR);
	if (got > 0) {
		touch(server, c);
		feed(server, c, server->buffer, (size_t)got);
		return (size_t)got;
	}
	if (got == 0)
		c->is_eof = true;
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		c->is_broken = true;
	return 0;
}

void
conn_read_all(struct server *server, struct conn *c)
{
	int i;

	for (i = 0; i < LAST_READS_MAX; i++) {
		if (!wants_input(c) || read_once(server, c) == 0)
			return;
	}
}

void
conn_event(struct server *server, struct conn *c, unsigned events)
{
	if (wants_input(c))
		(void)read_once(server, c);
	else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		/* Gone both ways while it was not being read: nobody is there
		 * to be answered. */
		c->is_broken = true;
	conn_settle(server, c);
}

/* ---- open and close ---------------------------------------------------- */

static void
ask_epoll(struct server *server, struct conn *c)
{
	unsigned events = wants_input(c) ? EPOLLIN : 0;
	struct epoll_event event;

	if (session_output(c->session)->len > 0)
		events |= EPOLLOUT;
	if (events == c->events)
		return;
	event = (struct epoll_event){.events = events, .data.ptr = &c->source};
	if (epoll_ctl(server->epoll, EPOLL_CTL_MOD, c->source.fd, &event) == -1)
		c->is_broken = true;
	c->events = events;
}

void
conn_open(struct server *server, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct conn *c = xcalloc(1, sizeof(*c));
	struct sbuf peer = {0};
	bool is_forwarder;

	listen_peer(fd, &server->site->lmtp.xforward, &peer, &is_forwarder);
	c->source = (struct source){.kind = SOURCE_CONN, .fd = fd};
	c->session = session_new(&server->config, peer.data, is_forwarder);
	c->events = EPOLLIN;
	c->active = clock_mono_ms();
	log_debug("client=%s connected", peer.data);
	sbuf_free(&peer);
	TAILQ_INSERT_TAIL(&server->open, c, link);
	server->n_conns++;
	event.data.ptr = &c->source;
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		c->is_broken = true;
	conn_settle(server, c);
}

static void
unlist(struct server *server, const struct conn *c)
{
	size_t i;

	for (i = 0; i < server->n_waiting; i++) {
		if (server->waiting[i] == c)
			server->waiting[i] = NULL;
	}
}

void
conn_close(struct server *server, struct conn *c)
{
	if (c->is_listed)
		unlist(server, c);
	TAILQ_REMOVE(c->is_leaving ? &server->leaving : &server->open, c, link);
	server->n_conns--;
	session_free(&c->session);
	sbuf_free(&c->pending);
	io_close(&c->source.fd);
	free(c);
}

/* A close with unread input would reset the connection, and the client might
 * never see our last answers.  So our side is shut, and what still comes is
 * read and forgotten for a moment. */
static void
leave(struct server *server, struct conn *c)
{
	(void)shutdown(c->source.fd, SHUT_WR);
	TAILQ_REMOVE(&server->open, c, link);
	c->is_leaving = true;
	c->active = clock_mono_ms();
	TAILQ_INSERT_TAIL(&server->leaving, c, link);
}

void
conn_settle(struct server *server, struct conn *c)
{
	size_t left;

	do
		flush(server, c);
	while (!c->is_broken && !c->is_leaving && feed_pending(server, c));
	left = session_output(c->session)->len;
	if (!c->is_broken && !c->is_leaving && left == 0 &&
	    session_is_over(c->session))
		leave(server, c);
	if (!c->is_broken && c->is_eof && left == 0 && c->pending.len == 0 &&
	    !session_is_waiting(c->session))
		c->is_broken = true;
	if (!c->is_broken)
		ask_epoll(server, c);
	if (c->is_broken)
		conn_close(server, c);
}

void
conn_abort(struct server *server, struct conn *c, const char *reply)
{
	session_abort(c->session, reply);
	sbuf_free(&c->pending);
	touch(server, c);
	conn_settle(server, c);
}
