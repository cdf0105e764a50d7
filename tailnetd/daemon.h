/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DAEMON_H
#define DAEMON_H

/*
 * Into the background, but not before it is known how the start went: whoever started us gets the exit code of a start that failed
 * (interface.md 9), and finds a daemon that answers otherwise.
 */
int	 daemonise(void);		/* the descriptor for daemon_ready(), in the child; -1 with errno.  The starter does not return */
void	 daemon_ready(int fd);		/* lets the starter go; stderr is /dev/null from now on.  -1: nobody waits */

#endif
