/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notify - tell a service manager how far we are (the sd_notify protocol)
 */
#include "runners/supervisor/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/io.h"

/* 0 and the length of the address, or -1 (EINVAL). */
static int
make_address(const char *name, struct sockaddr_un *address, socklen_t *length)
{
	size_t n;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = strlen(name);
	if (n < 2 || n >= sizeof(address->sun_path) ||
	    (name[0] != '/' && name[0] != '@')) {
		errno = EINVAL;
		return -1;
	}
	memcpy(address->sun_path, name, n);
	/* An abstract name begins with a NUL and ends with its length. */
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return 0;
}

int
notify_send(const char *text)
{
	struct sockaddr_un address;
	socklen_t length;
	const char *name;
	ssize_t sent;
	int fd;

	name = getenv("NOTIFY_SOCKET");
	if (name == NULL || *name == '\0')
		return 0;
	if (make_address(name, &address, &length) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	sent = -1;
	if (connect(fd, (const struct sockaddr *)&address, length) == 0)
		sent = io_send(fd, text, strlen(text));
	io_close(&fd);
	return sent == -1 ? -1 : 1;
}
