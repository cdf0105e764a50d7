/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PEERFD_H
#define PEERFD_H

#include <sys/types.h>

/*
 * Connections of local clients, who may attach descriptors to what they say (SCM_RIGHTS).  Nobody here takes any, and Linux closes them
 * where the words are read or thrown away: in us.  That of a TCP socket with SO_LINGER and unsent data keeps its closer waiting for as
 * long as its owner has chosen (security.md T6, D13).  Since 6.16 the kernel can refuse them to the sender; before it, a signal that comes
 * again and again cuts each wait short.
 */
void	 peerfd_listener(int fd);			/* before listen(2): for all connections that come there */
ssize_t	 peerfd_recv(int fd, void *p, size_t n);	/* recv(2), never waits; errno as there */
void	 peerfd_close(int fd);
/* Before the descriptor goes to mapd, whose sandbox has no timers: there is nothing more to read, and nothing more comes. */
void	 peerfd_hand_over(int fd);

#endif
