/* SPDX-License-Identifier: BSD-2-Clause
 *
 * relay - an SMTP server of the site file, and the connections to it
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "common/base/xalloc.h"
#include "common/spool/backoff.h"
#include "common/system/fsutil.h"
#include "runners/outbound/relay.h"

#define UNIX_PREFIX "unix:"
/* Names are looked up anew after this. */
#define RESOLVED_MS (60 * 1000)
/* A server whose TLS does not work is spoken to without for so long, where
 * the site file says that this is allowed. */
#define PLAIN_MS (10 * 60 * 1000)
#define PASSWORD_MAX 4096

static bool
is_unix(const char *host)
{
	return strncmp(host, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

/* Nobody else can listen on the way there. */
static bool
is_local(const char *host)
{
	return is_unix(host) || strncmp(host, "127.", 4) == 0
	    || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

static int
load_password(struct relay *r, struct sbuf *why)
{
	const char *path = r->config->password_file;

	if (r->config->user == NULL)
		return 0;
	if (path == NULL) {
		sbuf_printf(why, "relay %s: user: without password_file:",
		    r->config->name);
		errno = EINVAL;
		return -1;
	}
	if (fs_read(AT_FDCWD, path, PASSWORD_MAX, &r->password) == -1) {
		sbuf_printf(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	sbuf_truncate(&r->password, strcspn(sbuf_str(&r->password), "\r\n"));
	return 0;
}

static int
load_tls(struct relay *r, struct sbuf *why)
{
	const char *ca = r->config->tls_ca;
	int ok = 1;

	if (r->config->tls == SITE_TLS_NONE)
		return 0;
	r->context = SSL_CTX_new(TLS_client_method());
	if (r->context != NULL)
		ok = SSL_CTX_set_min_proto_version(r->context, TLS1_2_VERSION);
	if (r->context != NULL && ok == 1
	    && r->config->tls == SITE_TLS_VERIFY)
		ok = ca != NULL
		    ? SSL_CTX_load_verify_locations(r->context, ca, NULL)
		    : SSL_CTX_set_default_verify_paths(r->context);
	if (r->context != NULL && ok == 1)
		return 0;
	sbuf_printf(why, "relay %s: TLS cannot be set up%s%s", r->config->name,
	    ca != NULL ? ": " : "", ca != NULL ? ca : "");
	errno = EINVAL;
	return -1;
}

int
relay_init(struct relay *r, const struct site_relay *config, const char *helo,
    struct sbuf *why)
{
	unsigned max = config->connections > 0 ? config->connections : 1;

	*r = (struct relay){.config = config};
	if (load_password(r, why) == -1 || load_tls(r, why) == -1)
		return -1;
	r->smtp.helo = config->helo != NULL ? config->helo : helo;
	r->smtp.is_lmtp = config->is_lmtp;
	r->smtp.tls = config->tls;
	r->smtp.user = config->user;
	r->smtp.password = sbuf_str(&r->password);
	/* "tls: none" is the owner's word that the way is safe. */
	r->smtp.is_plain_ok = config->tls == SITE_TLS_NONE
	    || is_local(config->host);
	r->connections = xcalloc(max, sizeof(struct connection *));
	return 0;
}

bool
relay_is_down(const struct relay *r, int64_t now)
{
	return now < r->down_until;
}

bool
relay_can_open(const struct relay *r, int64_t now)
{
	unsigned max = r->config->connections > 0 ? r->config->connections : 1;
	size_t i;

	if (relay_is_down(r, now) || r->n >= max)
		return false;
	for (i = 0; i < r->n; i++) {
		if (!r->connections[i]->was_ready)
			return false;
	}
	return true;
}

static void
set_down(struct relay *r, const char *why, int64_t now)
{
	r->failures++;
	r->address = 0;
	r->down_until = now + backoff_restart(r->failures);
	r->is_new_error = true;
	sbuf_set(&r->error, why);
}

static int
resolve_unix(struct relay *r)
{
	const char *path = r->config->host + strlen(UNIX_PREFIX);
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof at.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path) + 1);
	memcpy(&r->addresses[0].where, &at, sizeof at);
	r->addresses[0].len = sizeof at;
	r->n_addresses = 1;
	return 0;
}

static int
resolve(struct relay *r, int64_t now, struct sbuf *why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all, *a;
	char port[8];
	int rc;

	if (is_unix(r->config->host)) {
		if (resolve_unix(r) == 0)
			return 0;
		sbuf_adds(why, strerror(errno));
		return -1;
	}
	if (r->n_addresses > 0 && now - r->resolved < RESOLVED_MS)
		return 0;
	snprintf(port, sizeof port, "%u", (unsigned)r->config->port);
	rc = getaddrinfo(r->config->host, port, &hints, &all);
	if (rc != 0) {
		sbuf_adds(why, gai_strerror(rc));
		return -1;
	}
	r->n_addresses = r->address = 0;
	for (a = all; a != NULL && r->n_addresses < RELAY_ADDRESSES_MAX;
	    a = a->ai_next) {
		struct relay_address *to = &r->addresses[r->n_addresses++];

		memcpy(&to->where, a->ai_addr, a->ai_addrlen);
		to->len = a->ai_addrlen;
	}
	freeaddrinfo(all);
	r->resolved = now;
	return 0;
}

/* The current address does not work: the next one has its turn, and after the
 * last the relay is down. */
static void
next_address(struct relay *r, const char *why, int64_t now)
{
	sbuf_set(&r->error, why);
	if (++r->address >= r->n_addresses)
		set_down(r, why, now);
}

static const char *
server_name(const struct relay *r)
{
	return is_unix(r->config->host) ? "localhost" : r->config->host;
}

void
relay_open(struct relay *r, int64_t now)
{
	struct smtp_config smtp = r->smtp;
	struct sbuf why = {0};
	struct connection *c = NULL;

	if (resolve(r, now, &why) == -1) {
		set_down(r, sbuf_str(&why), now);
		sbuf_free(&why);
		return;
	}
	if (smtp.tls == SITE_TLS_MAY && now < r->plain_until)
		smtp.tls = SITE_TLS_NONE;
	while (c == NULL && !relay_is_down(r, now)) {
		const struct relay_address *to = &r->addresses[r->address];

		c = connection_open((const struct sockaddr *)&to->where,
		    to->len, &smtp, r->context, server_name(r));
		if (c == NULL)
			next_address(r, strerror(errno), now);
	}
	if (c != NULL)
		r->connections[r->n++] = c;
	sbuf_free(&why);
}

void
relay_reap(struct relay *r, size_t i, int64_t now)
{
	struct connection *c = r->connections[i];
	const char *why = sbuf_str(&c->smtp.error);

	if (c->smtp.completed > 0) {
		r->failures = 0;
	} else if (c->is_tls_failed && c->config.tls == SITE_TLS_MAY) {
		r->plain_until = now + PLAIN_MS;
	} else if (!c->was_ready) {
		next_address(r, why, now);
	} else if (c->smtp.started > 0) {
		/* It greets and then breaks: not to be tried at full speed. */
		set_down(r, why, now);
	}
	connection_free(&c);
	r->connections[i] = r->connections[--r->n];
}

void
relay_free(struct relay *r)
{
	while (r->n > 0)
		connection_free(&r->connections[--r->n]);
	free(r->connections);
	SSL_CTX_free(r->context);
	sbuf_free(&r->password);
	sbuf_free(&r->error);
}
