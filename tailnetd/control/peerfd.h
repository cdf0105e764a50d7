/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PEERFD_H
#define PEERFD_H

#include <sys/types.h>

/*
 * Connections of local clients, which may attach descriptors to their data (SCM_RIGHTS).  We accept none, and Linux
 * closes them in the receiving process when the data is read or discarded.  Closing a TCP socket that has SO_LINGER and
 * unsent data blocks for the time that its owner chose (security.md T6, D13).  Since 6.16 the kernel can refuse them to
 * the sender; before it, a repeated signal cuts each wait short.
 */
void	 peerfd_listener(int fd);			/* before listen(2): for all connections to it */
ssize_t	 peerfd_recv(int fd, void *p, size_t n);	/* recv(2), never waits; errno as there */
void	 peerfd_close(int fd);
/* Before the descriptor is handed to mapd, whose sandbox has no timers: discards the input and ends it. */
void	 peerfd_hand_over(int fd);

#endif
