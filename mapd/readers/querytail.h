/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef QUERYTAIL_H
#define QUERYTAIL_H

#include <stddef.h>
#include <stdint.h>

#include "msgs.h"

/*
 * The arguments of a QUERY, which the parent hands over unsplit (at most IPC_LINE_MAX bytes).  All are of class R:
 * which command it is and whether the private key was written are numbers that the parent alone decides.  Pure.
 */
struct querytail {
	char		 text[IPC_LINE_MAX + 1];	/* without blanks around it */
	uint64_t	 limit;				/* peers: UINT64_MAX = none */
	int		 has_after;
	int64_t		 after;
};

/* 0, or -1: the command does not take these arguments.  The lengths of m are checked (ipc does). */
int	 querytail_read(struct querytail *t, const struct ipc_query *m);
/* "usage: peers [limit=N] [after=ID]", of each verb but IPC_Q_WATCH_NETMAP.  Returns out. */
char	*querytail_usage(uint32_t verb, char *out, size_t size);

#endif
