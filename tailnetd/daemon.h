/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DAEMON_H
#define DAEMON_H

/*
 * Into the background, but not before the start has succeeded or failed: the starting process exits with the code of a
 * start that failed (interface.md 9); after one that succeeded the daemon answers.
 */
/* in the child: the descriptor for daemon_ready(), or -1 with errno.  Returns nowhere else */
int	 daemonise(void);
/* the starting process may exit; stderr is /dev/null from now on.  -1: there is none */
void	 daemon_ready(int fd);

#endif
