/* SPDX-License-Identifier: BSD-2-Clause
 *
 * connection - an SMTP session on its socket, plain or with TLS
 *
 * OpenSSL works on memory here, and the socket is ours: so every byte that
 * leaves goes through io.h, and there is one place that sends and one that
 * receives.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/xalloc.h"
#include "runners/outbound/connection.h"

#define READ_SIZE 16384
/* Bytes sent already are dropped from the front when there are this many. */
#define COMPACT ((size_t)64 * 1024)

static int
open_socket(const struct sockaddr *address, socklen_t len)
{
	int fd, on = 1;

	fd = socket(address->sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	/* A command waits for nobody: what is sent in one go is a whole
	 * step of the protocol.  A unix socket has no such option. */
	if (address->sa_family != AF_UNIX && setsockopt(fd, IPPROTO_TCP,
	    TCP_NODELAY, &on, sizeof on) == -1) {
		io_close(&fd);
		return -1;
	}
	if (connect(fd, address, len) == -1 && errno != EINPROGRESS)
		io_close(&fd);
	return fd;
}

struct connection *
connection_open(const struct sockaddr *address, socklen_t len,
    const struct smtp_config *config, SSL_CTX *context, const char *name)
{
	int fd = open_socket(address, len);
	struct connection *c;

	if (fd == -1)
		return NULL;
	c = xcalloc(1, sizeof *c);
	c->fd = fd;
	c->config = *config;
	c->context = context;
	c->name = name;
	c->since = clock_mono_ms();
	smtp_begin(&c->smtp, &c->config);
	return c;
}

static void
drop_sent(struct sbuf *b, size_t *at)
{
	if (*at == b->len) {
		sbuf_truncate(b, 0);
		*at = 0;
	} else if (*at >= COMPACT) {
		memmove(b->data, b->data + *at, b->len - *at);
		sbuf_truncate(b, b->len - *at);
		*at = 0;
	}
}

static void
close_for_errno(struct connection *c, const char *what, int error)
{
	struct sbuf why = {0};

	sbuf_printf(&why, "%s: %s", what, strerror(error));
	smtp_close(&c->smtp, sbuf_str(&why), false);
	sbuf_free(&why);
}

static void
close_for_tls(struct connection *c)
{
	unsigned long code = ERR_get_error();
	long verify = SSL_get_verify_result(c->ssl);
	struct sbuf why = {0};
	char text[160] = "the handshake failed";

	if (code != 0)
		ERR_error_string_n(code, text, sizeof text);
	if (verify != X509_V_OK && c->config.tls == SITE_TLS_VERIFY)
		sbuf_printf(&why, "TLS: %s",
		    X509_verify_cert_error_string(verify));
	else
		sbuf_printf(&why, "TLS: %s", text);
	c->is_tls_failed = c->phase == CONNECTION_HANDSHAKE;
	smtp_close(&c->smtp, sbuf_str(&why), true);
	sbuf_free(&why);
	ERR_clear_error();
}

/* Take the records that OpenSSL has made. */
static void
take_sealed(struct connection *c)
{
	size_t n;

	while ((n = BIO_ctrl_pending(c->to_server)) > 0) {
		int got;

		sbuf_reserve(&c->sealed, n);
		got = BIO_read(c->to_server, c->sealed.data + c->sealed.len,
		    n > INT_MAX ? INT_MAX : (int)n);
		if (got <= 0)
			return;
		c->sealed.len += (size_t)got;
		sbuf_truncate(&c->sealed, c->sealed.len);
	}
}

static void
shake_hands(struct connection *c)
{
	int rc = SSL_do_handshake(c->ssl);

	take_sealed(c);
	if (rc == 1) {
		c->phase = CONNECTION_TALKING;
		c->since = clock_mono_ms();
		smtp_tls_done(&c->smtp);
	} else if (SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ) {
		close_for_tls(c);
	}
}

static bool
is_host_name(const char *name)
{
	return strspn(name, "0123456789.") != strlen(name)
	    && strchr(name, ':') == NULL;
}

static int
set_name(struct connection *c)
{
	if (is_host_name(c->name)
	    && SSL_set_tlsext_host_name(c->ssl, c->name) != 1)
		return -1;
	if (c->config.tls != SITE_TLS_VERIFY)
		return 0;
	SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	if (is_host_name(c->name))
		return SSL_set1_host(c->ssl, c->name) == 1 ? 0 : -1;
	return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl),
	    c->name) == 1 ? 0 : -1;
}

static void
begin_tls(struct connection *c)
{
	c->phase = CONNECTION_HANDSHAKE;
	c->since = clock_mono_ms();
	c->ssl = c->context != NULL ? SSL_new(c->context) : NULL;
	c->from_server = BIO_new(BIO_s_mem());
	c->to_server = BIO_new(BIO_s_mem());
	if (c->ssl == NULL || c->from_server == NULL
	    || c->to_server == NULL) {
		BIO_free(c->from_server);
		BIO_free(c->to_server);
		smtp_close(&c->smtp, "TLS: out of memory", false);
		return;
	}
	SSL_set_bio(c->ssl, c->from_server, c->to_server);
	SSL_set_connect_state(c->ssl);
	if (set_name(c) == -1) {
		close_for_tls(c);
		return;
	}
	shake_hands(c);
}

static void
read_sealed(struct connection *c)
{
	char bytes[READ_SIZE];
	int n;

	if (c->phase == CONNECTION_HANDSHAKE)
		shake_hands(c);
	while (c->phase == CONNECTION_TALKING && !connection_is_closed(c)) {
		n = SSL_read(c->ssl, bytes, sizeof bytes);
		if (n > 0) {
			smtp_input(&c->smtp, bytes, (size_t)n);
			continue;
		}
		switch (SSL_get_error(c->ssl, n)) {
		case SSL_ERROR_WANT_READ:
			return;
		case SSL_ERROR_ZERO_RETURN:
			smtp_close(&c->smtp, "connection closed by the server",
			    false);
			return;
		default:
			close_for_tls(c);
			return;
		}
	}
}

static void
take_bytes(struct connection *c, const char *bytes, size_t n)
{
	if (c->ssl == NULL) {
		smtp_input(&c->smtp, bytes, n);
		if (c->smtp.state == SMTP_TLS)
			begin_tls(c);
		return;
	}
	if (BIO_write(c->from_server, bytes, (int)n) != (int)n) {
		smtp_close(&c->smtp, "TLS: out of memory", false);
		return;
	}
	read_sealed(c);
}

static void
receive(struct connection *c)
{
	char bytes[READ_SIZE];
	ssize_t n;

	do {
		do
			n = recv(c->fd, bytes, sizeof bytes, 0);
		while (n == -1 && errno == EINTR);
		if (n > 0)
			take_bytes(c, bytes, (size_t)n);
		else if (n == 0)
			smtp_close(&c->smtp, "connection closed by the server",
			    false);
		else if (errno != EAGAIN && errno != EWOULDBLOCK)
			close_for_errno(c, "connection lost", errno);
	} while (n == READ_SIZE && !connection_is_closed(c));
	if (c->smtp.replies != c->replies) {
		c->replies = c->smtp.replies;
		c->since = clock_mono_ms();
	}
	if (c->smtp.state == SMTP_READY)
		c->was_ready = true;
}

static void
finish_connect(struct connection *c)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		close_for_errno(c, "connect", error);
		return;
	}
	c->phase = CONNECTION_TALKING;
	c->since = clock_mono_ms();
}

void
connection_ready(struct connection *c, short events)
{
	if (c->phase == CONNECTION_CONNECTING) {
		if ((events & (POLLOUT | POLLERR | POLLHUP)) != 0)
			finish_connect(c);
		return;
	}
	if ((events & POLLOUT) != 0)
		c->is_blocked = false;
	if ((events & (POLLIN | POLLERR | POLLHUP)) != 0)
		receive(c);
}

/* Seal what the session has to say; at most some records ahead of the
 * socket. */
static void
seal(struct connection *c)
{
	struct smtp *s = &c->smtp;

	while (s->out_at < s->out.len
	    && c->sealed.len - c->sealed_at < COMPACT) {
		size_t n = s->out.len - s->out_at;

		if (SSL_write(c->ssl, s->out.data + s->out_at,
		    n > READ_SIZE ? READ_SIZE : (int)n) <= 0) {
			close_for_tls(c);
			return;
		}
		s->out_at += n > READ_SIZE ? READ_SIZE : n;
		take_sealed(c);
	}
	drop_sent(&s->out, &s->out_at);
}

/* Send from one buffer: true where the socket took all of it. */
static bool
send_from(struct connection *c, struct sbuf *b, size_t *at)
{
	ssize_t n;

	while (*at < b->len) {
		n = io_send(c->fd, b->data + *at, b->len - *at);
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			c->is_blocked = true;
			break;
		}
		if (n == -1) {
			close_for_errno(c, "connection lost", errno);
			return false;
		}
		*at += (size_t)n;
		c->since = clock_mono_ms();
	}
	drop_sent(b, at);
	return *at == b->len;
}

void
connection_send(struct connection *c)
{
	bool is_open = true;

	if (c->phase == CONNECTION_CONNECTING || c->is_blocked)
		return;
	while (is_open && !connection_is_closed(c)) {
		smtp_fill(&c->smtp);
		if (c->ssl == NULL) {
			if (c->smtp.out.len == 0)
				return;
			is_open = send_from(c, &c->smtp.out, &c->smtp.out_at);
			continue;
		}
		if (c->phase == CONNECTION_TALKING)
			seal(c);
		if (c->sealed.len == 0)
			return;
		is_open = send_from(c, &c->sealed, &c->sealed_at);
	}
}

short
connection_events(const struct connection *c)
{
	if (c->phase == CONNECTION_CONNECTING)
		return POLLOUT;
	return c->is_blocked ? POLLIN | POLLOUT : POLLIN;
}

int64_t
connection_deadline(const struct connection *c)
{
	int wait;

	if (c->phase == CONNECTION_CONNECTING)
		return c->since + CONNECTION_CONNECT_MS;
	if (c->phase == CONNECTION_HANDSHAKE)
		return c->since + CONNECTION_HANDSHAKE_MS;
	wait = smtp_timeout(&c->smtp);
	return c->since + (wait == -1 ? CONNECTION_IDLE_MS : wait);
}

void
connection_expire(struct connection *c)
{
	if (c->phase == CONNECTION_TALKING && smtp_is_idle(&c->smtp)) {
		smtp_quit(&c->smtp);
		c->since = clock_mono_ms();
		return;
	}
	smtp_close(&c->smtp, c->phase == CONNECTION_CONNECTING
	    ? "connect: no answer" : "time-out", false);
}

bool
connection_is_closed(const struct connection *c)
{
	return c->smtp.state == SMTP_CLOSED;
}

void
connection_free(struct connection **c)
{
	if (*c == NULL)
		return;
	smtp_free(&(*c)->smtp);
	SSL_free((*c)->ssl);
	sbuf_free(&(*c)->sealed);
	io_close(&(*c)->fd);
	free(*c);
	*c = NULL;
}
