/* SPDX-License-Identifier: BSD-2-Clause
 *
 * post - put many messages into an LMTP or SMTP server
 *
 * usage: post lmtp|smtp PORT COUNT CONNECTIONS SIZE FROM TO [RCPTS]
 *
 * Each connection is a process that sends its share one after the other: MAIL,
 * RCPT and DATA pipelined, then the message, then it waits for the answer, as
 * an MTA does.  Every message has a Message-ID of its own.  RCPTS repeats the
 * recipient (for a sink).  Ends with 0 where every message was accepted.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
	const char *hello;      /* "LHLO", "EHLO" */
	int port;
	int first, count;       /* numbers of its messages */
	size_t size;
	const char *from, *to;
	int rcpts;
};

/* Read replies until one final line came for each of n commands: 0, or -1
 * where one was not 2xx or 3xx. */
static int
read_replies(FILE *in, int n)
{
	char line[1024];

	while (n > 0) {
		if (fgets(line, sizeof(line), in) == NULL)
			return -1;
		if (line[0] != '2' && line[0] != '3') {
			fprintf(stderr, "post: %s", line);
			return -1;
		}
		if (line[3] != '-')
			n--;
	}
	return 0;
}

static int
send_one(const struct job *job, int fd, FILE *in, int number)
{
	char *text = malloc(job->size + 4096 + 256 * (size_t)job->rcpts);
	size_t n, end;
	int i, rc;

	n = (size_t)sprintf(text, "MAIL FROM:<%s>\r\n", job->from);
	for (i = 0; i < job->rcpts; i++)
		n += (size_t)sprintf(text + n, "RCPT TO:<%s>\r\n", job->to);
	n += (size_t)sprintf(text + n, "DATA\r\n");
	rc = write(fd, text, n) == (ssize_t)n ?
	    read_replies(in, job->rcpts + 2) : -1;
	n = (size_t)sprintf(text, "From: <%s>\r\nTo: <%s>\r\n"
	    "Subject: number %d\r\nMessage-ID: <bench.%d.%d@example.net>\r\n"
	    "Date: Fri, 20 Nov 2026 09:00:00 +0000\r\n\r\n", job->from,
	    job->to, number, number, (int)getpid());
	for (end = n + job->size; n + 66 < end; n += 66)
		memcpy(text + n, "The quick brown fox jumps over the lazy dog, "
		    "again and once more.\r\n\r\n", 66);
	n += (size_t)sprintf(text + n, "\r\n.\r\n");
	if (rc == 0)
		rc = write(fd, text, n) == (ssize_t)n ?
		    read_replies(in, strcmp(job->hello, "LHLO") == 0 ?
		    job->rcpts : 1) : -1;
	free(text);
	return rc;
}

static int
run(const struct job *job)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, i, rc;
	FILE *in;

	addr.sin_port = htons((uint16_t)job->port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1) {
		perror("connect");
		return 1;
	}
	in = fdopen(fd, "r");
	rc = read_replies(in, 1);
	if (rc == 0)
		rc = dprintf(fd, "%s bench.example.net\r\n", job->hello) < 0 ?
		    -1 : read_replies(in, 1);
	for (i = 0; rc == 0 && i < job->count; i++)
		rc = send_one(job, fd, in, job->first + i);
	fclose(in);
	return rc == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct job job;
	int count, connections, i, status, bad = 0;

	if (argc < 8) {
		fprintf(stderr, "usage: post lmtp|smtp PORT COUNT CONNECTIONS "
		    "SIZE FROM TO [RCPTS]\n");
		return 64;
	}
	job.hello = strcmp(argv[1], "lmtp") == 0 ? "LHLO" : "EHLO";
	job.port = atoi(argv[2]);
	count = atoi(argv[3]);
	connections = atoi(argv[4]);
	job.size = (size_t)atol(argv[5]);
	job.from = argv[6];
	job.to = argv[7];
	job.rcpts = argc > 8 ? atoi(argv[8]) : 1;
	for (i = 0; i < connections; i++) {
		job.first = count * i / connections;
		job.count = count * (i + 1) / connections - job.first;
		if (fork() == 0)
			_exit(run(&job));
	}
	while (wait(&status) != -1)
		bad |= status;
	return bad == 0 ? 0 : 1;
}
