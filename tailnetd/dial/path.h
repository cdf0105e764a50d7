/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PATH_H
#define PATH_H

#include <sys/socket.h>

/*
 * The way of a connection through this host: its own address and the other end's.  When the kernel would choose another
 * address now, or none, packets of the connection no longer get out or back, and it is silent for minutes before it
 * fails (DIAL-11).
 */
struct path { struct sockaddr_storage local, remote; socklen_t len; };		/* len 0: none known */

void	 path_of(struct path *p, int fd);		/* of a connected TCP socket; none if that cannot be read */
/* The address that the kernel would choose now is another one (1) or there is none (-1); 0: the same, or not known. */
int	 path_changed(const struct path *p);

#endif
