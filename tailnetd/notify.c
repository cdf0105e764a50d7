/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"
#include "text.h"
#include "timefmt.h"

struct notify {
	int fd;     /* -1: no service manager */
	int wanted; /* NOTIFY_SOCKET is set, whatever became of it */
	uint64_t watchdog_ms;
};

static int
open_socket(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	int fd;

	if (n < 2 || n >= sizeof(sun.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -1;
	memcpy(sun.sun_path, path, n);
	if (path[0] == '@')
		sun.sun_path[0] = '\0'; /* the abstract namespace */
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

struct notify *
notify_new(void)
{
	struct notify *n = calloc(1, sizeof(*n));
	const char *path = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC");
	int64_t us;

	if (n == NULL)
		return NULL;
	n->wanted = path != NULL;
	n->fd = path != NULL ? open_socket(path) : -1;
	if (n->fd != -1 && usec != NULL && text_to_i64(usec, strlen(usec), 2000, INT64_MAX / 2, &us) == 0)
		n->watchdog_ms = (uint64_t)us / 2000;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	return n;
}

void
notify_free(struct notify *n)
{
	if (n == NULL)
		return;
	if (n->fd != -1)
		close(n->fd);
	free(n);
}

int
notify_wanted(const struct notify *n)
{
	return n->wanted;
}

uint64_t
notify_watchdog_ms(const struct notify *n)
{
	return n->watchdog_ms;
}

static void
tell(struct notify *n, const char *text)
{
	if (n != NULL && n->fd != -1)
		(void)!send(n->fd, text, strlen(text), MSG_NOSIGNAL);
}

void
notify_ready(struct notify *n)
{
	tell(n, "READY=1");
}

void
notify_status(struct notify *n, const char *state)
{
	char text[700];

	snprintf(text, sizeof(text), "STATUS=%s", state);
	tell(n, text);
}

void
notify_reloading(struct notify *n)
{
	char text[80];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)time_mono_us());
	tell(n, text);
}

void
notify_stopping(struct notify *n)
{
	tell(n, "STOPPING=1");
}

void
notify_alive(struct notify *n)
{
	tell(n, "WATCHDOG=1");
}
