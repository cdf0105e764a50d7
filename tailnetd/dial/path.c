/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "path.h"

void
path_of(struct path *p, int fd)
{
	socklen_t len = sizeof(p->local);

	memset(p, 0, sizeof(*p));
	p->len = sizeof(p->remote);
	if (getsockname(fd, (struct sockaddr *)&p->local, &len) == -1 ||
	    getpeername(fd, (struct sockaddr *)&p->remote, &p->len) == -1 ||
	    (p->remote.ss_family != AF_INET && p->remote.ss_family != AF_INET6) ||
	    p->local.ss_family != p->remote.ss_family)
		memset(p, 0, sizeof(*p));
}

static int
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

int
path_changed(const struct path *p)
{
	struct sockaddr_storage now;
	socklen_t len = sizeof(now);
	int fd, rv;

	if (p->len == 0 || (fd = socket(p->remote.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return 0;
	if (connect(fd, (const struct sockaddr *)&p->remote, p->len) == -1) /* sends nothing */
		rv = -1;
	else if (getsockname(fd, (struct sockaddr *)&now, &len) == -1)
		rv = 0;
	else
		rv = !same_address(&now, &p->local);
	close(fd);
	return rv;
}
