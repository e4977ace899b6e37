/* SPDX-License-Identifier: BSD-2-Clause
 *
 * listen - the addresses that the server answers at, and who calls there
 */
#include "runners/lmtp/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/esc.h"
#include "common/base/io.h"

#define UNIX_PREFIX "unix:"
#define SOCKET_TYPE (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

bool
listen_is_unix(const char *spec)
{
	return strncmp(spec, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

static int
unix_address(const char *spec, union address *out)
{
	const char *path = spec + strlen(UNIX_PREFIX);

	if (*path == '\0' || strlen(path) >= sizeof(out->un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memset(out, 0, sizeof(*out));
	out->un.sun_family = AF_UNIX;
	strcpy(out->un.sun_path, path);
	return 0;
}

/* Does nobody answer at a socket file any more? */
static bool
is_stale(const union address *address)
{
	struct stat st;
	bool is_refused;
	int fd;

	if (lstat(address->un.sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCKET_TYPE, 0);
	if (fd == -1)
		return false;
	is_refused = connect(fd, &address->sa, sizeof(address->un)) == -1 &&
	    errno == ECONNREFUSED;
	io_close(&fd);
	return is_refused;
}

static int
bind_unix(int fd, const union address *address)
{
	if (bind(fd, &address->sa, sizeof(address->un)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -1;
	if (!is_stale(address)) {
		errno = EADDRINUSE;
		return -1;
	}
	if (io_unlinkat(AT_FDCWD, address->un.sun_path, 0) == -1 &&
	    errno != ENOENT)
		return -1;
	return bind(fd, &address->sa, sizeof(address->un));
}

/* Owner and group may talk to the socket, nobody else: its peers are
 * believed. */
static int
open_unix(const char *spec, struct sbuf *why)
{
	union address address;
	mode_t former;
	int fd, rc, saved;

	if (unix_address(spec, &address) == -1) {
		sbuf_set(why, "the path is too long for a socket");
		return -1;
	}
	fd = socket(AF_UNIX, SOCKET_TYPE, 0);
	if (fd == -1)
		return -1;
	former = umask(0117);
	rc = bind_unix(fd, &address);
	saved = errno;
	(void)umask(former);
	errno = saved;
	if (rc == -1 || listen(fd, SOMAXCONN) == -1) {
		io_close(&fd);
		return -1;
	}
	return fd;
}

/* "host:port" or "[host]:port" to socket addresses. */
static struct addrinfo *
look_up(const char *spec, struct sbuf *why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	const char *colon = strrchr(spec, ':');
	struct addrinfo *found = NULL;
	struct sbuf host = {0};
	int rc;

	if (colon == NULL) {
		sbuf_set(why, "no port");
		errno = EINVAL;
		return NULL;
	}
	if (*spec == '[' && colon[-1] == ']')
		sbuf_add(&host, spec + 1, (size_t)(colon - spec) - 2);
	else
		sbuf_add(&host, spec, (size_t)(colon - spec));
	rc = getaddrinfo(sbuf_str(&host), colon + 1, &hints, &found);
	sbuf_free(&host);
	if (rc == 0)
		return found;
	sbuf_set(why, gai_strerror(rc));
	errno = EADDRNOTAVAIL;
	return NULL;
}

static int
open_inet(const char *spec, struct sbuf *why)
{
	struct addrinfo *found = look_up(spec, why);
	int fd, on = 1, saved;

	if (found == NULL)
		return -1;
	fd = socket(found->ai_family, SOCKET_TYPE, 0);
	if (fd != -1 &&
	    (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) == -1 ||
	    listen(fd, SOMAXCONN) == -1))
		io_close(&fd);
	saved = errno;
	freeaddrinfo(found);
	errno = saved;
	return fd;
}

int
listen_open(const char *spec, struct sbuf *why)
{
	int fd;

	sbuf_truncate(why, 0);
	fd = listen_is_unix(spec) ? open_unix(spec, why) : open_inet(spec, why);
	if (fd == -1 && errno == EADDRINUSE)
		sbuf_set(why, "address in use: is another server running?");
	if (fd == -1 && why->len == 0)
		sbuf_set(why, strerror(errno));
	return fd;
}

void
listen_close(const char *spec, int *fd)
{
	union address address;

	if (*fd == -1)
		return;
	if (listen_is_unix(spec) && unix_address(spec, &address) == 0)
		(void)!io_unlinkat(AT_FDCWD, address.un.sun_path, 0);
	io_close(fd);
}

int
listen_accept(int fd)
{
	int caller, on = 1;

	do
		caller = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (caller == -1 && errno == EINTR);
	/* Fails on a unix socket, which never waits for more to send. */
	if (caller != -1)
		(void)setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &on,
		    sizeof(on));
	return caller;
}

/* The address as it is compared: an IPv4 one that came through an IPv6 socket
 * is an IPv4 one. */
static void
write_inet(const union address *address, struct sbuf *out)
{
	char text[INET6_ADDRSTRLEN] = "unknown";
	const struct in6_addr *in6 = &address->in6.sin6_addr;

	if (address->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &address->in.sin_addr, text, sizeof(text));
	else if (address->sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(in6))
		inet_ntop(AF_INET, &in6->s6_addr[12], text, sizeof(text));
	else if (address->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, in6, text, sizeof(text));
	sbuf_set(out, text);
}

/* Same address, however the site file spells it? */
static bool
is_same_inet(const char *a, const char *b)
{
	unsigned char left[16], right[16];

	if (inet_pton(AF_INET, a, left) == 1)
		return inet_pton(AF_INET, b, right) == 1 &&
		    memcmp(left, right, 4) == 0;
	return inet_pton(AF_INET6, a, left) == 1 &&
	    inet_pton(AF_INET6, b, right) == 1 && memcmp(left, right, 16) == 0;
}

static void
write_unix(int fd, struct sbuf *out)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	sbuf_set(out, "unix");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		kv_addn(out, "uid", (long long)peer.uid);
}

void
listen_peer(int fd, const struct strv *list, struct sbuf *out, bool *is_listed)
{
	union address address = {.sa = {.sa_family = AF_UNSPEC}};
	socklen_t len = sizeof(address);
	size_t i;

	if (getpeername(fd, &address.sa, &len) == -1)
		address.sa.sa_family = AF_UNSPEC;
	if (address.sa.sa_family == AF_UNIX) {
		write_unix(fd, out);
		*is_listed = strv_has(list, "unix");
		return;
	}
	write_inet(&address, out);
	*is_listed = false;
	for (i = 0; i < list->n && !*is_listed; i++)
		*is_listed = is_same_inet(list->items[i], out->data);
}
