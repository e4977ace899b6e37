/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sink - an SMTP server that takes everything and counts it
 *
 * usage: sink PORT FILE
 *
 * FILE holds struct counters (mapped), so that a driver reads them while it
 * runs at no cost to what is measured.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536

struct counters {
	uint64_t sessions;
	uint64_t messages;
	uint64_t recipients;
	uint64_t bytes;
	uint64_t first;         /* CLOCK_MONOTONIC ns of the first message */
	uint64_t last;
};

struct client {
	int fd;
	int is_data;
	uint64_t recipients;
	size_t have;
	size_t out_len;
	char in[BUFFER];
	char out[BUFFER];
};

static volatile struct counters *counters;

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int
send_out(struct client *c)
{
	size_t at = 0;
	ssize_t n;

	while (at < c->out_len) {
		n = send(c->fd, c->out + at, c->out_len - at, MSG_NOSIGNAL);
		if (n == -1)
			return -1;
		at += (size_t)n;
	}
	c->out_len = 0;
	return 0;
}

static int
reply(struct client *c, const char *text)
{
	size_t n = strlen(text);

	if (c->out_len + n > BUFFER && send_out(c) == -1)
		return -1;
	memcpy(c->out + c->out_len, text, n);
	c->out_len += n;
	return 0;
}

static void
count_message(struct client *c)
{
	counters->last = now();
	if (counters->first == 0)
		counters->first = counters->last;
	counters->recipients += c->recipients;
	counters->messages++;
	c->recipients = 0;
}

/* One line without its end: 0, or -1 to close. */
static int
take_line(struct client *c, const char *line, size_t n)
{
	if (c->is_data) {
		counters->bytes += n + 2;
		if (n != 1 || line[0] != '.')
			return 0;
		c->is_data = 0;
		count_message(c);
		return reply(c, "250 2.0.0 Ok\r\n");
	}
	if (n >= 4 && strncasecmp(line, "RCPT", 4) == 0) {
		c->recipients++;
		return reply(c, "250 2.1.5 Ok\r\n");
	}
	if (n >= 4 && strncasecmp(line, "DATA", 4) == 0) {
		c->is_data = 1;
		return reply(c, "354 Go on\r\n");
	}
	if (n >= 4 && strncasecmp(line, "EHLO", 4) == 0)
		return reply(c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		    "250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n");
	if (n >= 4 && strncasecmp(line, "QUIT", 4) == 0) {
		(void)reply(c, "221 2.0.0 Bye\r\n");
		(void)send_out(c);
		return -1;
	}
	return reply(c, "250 2.0.0 Ok\r\n");
}

static int
take_input(struct client *c)
{
	char *line = c->in, *end;
	ssize_t n;

	n = recv(c->fd, c->in + c->have, BUFFER - c->have, 0);
	if (n <= 0)
		return -1;
	c->have += (size_t)n;
	while ((end = memchr(line, '\n', c->have - (size_t)(line - c->in))) !=
	    NULL) {
		size_t len = (size_t)(end - line);

		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (take_line(c, line, len) == -1)
			return -1;
		line = end + 1;
	}
	c->have -= (size_t)(line - c->in);
	if (c->have == BUFFER)
		return -1;
	memmove(c->in, line, c->have);
	return send_out(c);
}

static void
take_client(int poller, int server)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct client *c = calloc(1, sizeof(*c));
	int on = 1;

	if (c == NULL)
		return;
	c->fd = accept(server, NULL, NULL);
	if (c->fd == -1) {
		free(c);
		return;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	event.data.ptr = c;
	epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
	counters->sessions++;
	(void)reply(c, "220 sink ESMTP\r\n");
	(void)send_out(c);
}

static int
serve(int server)
{
	struct epoll_event event = {.events = EPOLLIN}, ready[64];
	struct client *c;
	int poller = epoll_create1(0), n, i;

	epoll_ctl(poller, EPOLL_CTL_ADD, server, &event);
	for (;;) {
		n = epoll_wait(poller, ready, 64, -1);
		if (n == -1 && errno != EINTR)
			return 1;
		for (i = 0; i < n; i++) {
			c = ready[i].data.ptr;
			if (c == NULL) {
				take_client(poller, server);
			} else if (take_input(c) == -1) {
				close(c->fd);
				free(c);
			}
		}
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int file, server, on = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: sink PORT FILE\n");
		return 64;
	}
	file = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file == -1 || ftruncate(file, sizeof(struct counters)) == -1) {
		perror(argv[2]);
		return 75;
	}
	counters = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE,
	    MAP_SHARED, file, 0);
	if (counters == MAP_FAILED) {
		perror(argv[2]);
		return 75;
	}
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(server, (struct sockaddr *)&addr, sizeof(addr)) == -1 ||
	    listen(server, 512) == -1) {
		perror("sink");
		return 75;
	}
	return serve(server);
}
