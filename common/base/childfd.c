/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <fcntl.h>

#include "childfd.h"

#define PROBED_FDS 256

int
childfd_check(const char **why)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int type = 0, fd;

	if (getsockname(CHILD_FD, (struct sockaddr *)&ss, &len) == -1 || ss.ss_family != AF_UNIX) {
		*why = "no channel on descriptor 3";
		return 0;
	}
	len = sizeof(type);
	if (getsockopt(CHILD_FD, SOL_SOCKET, SO_TYPE, &type, &len) == -1 || type != SOCK_STREAM) {
		*why = "descriptor 3 is not a stream socket";
		return 0;
	}
	for (fd = CHILD_FD + 1; fd < PROBED_FDS; fd++) {
		if (fcntl(fd, F_GETFD) != -1) {
			*why = "descriptors above 3 are open";
			return 0;
		}
	}
	return 1;
}
