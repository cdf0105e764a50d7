/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONTROL_INT_H
#define CONTROL_INT_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdint.h>

#include "bucket.h"
#include "control_ops.h"
#include "timer.h"

/* The state of this room; only its own files include this. */
struct cclient;
struct doctor;
struct status;
struct watchers;

struct control {
	struct control_ops ops;
	int		 fd;
	char		 path[1024];
	dev_t		 dev;		/* of the socket, to recognise it */
	ino_t		 ino;
	struct event	*accept;
	struct timer	 resume, counters;
	struct bucket	 w_rate;	/* of W commands, root's not counted */
	uint64_t	 full_ms;	/* the last log line about missing descriptors; 0 = none yet */
	uint64_t	 waits_ms;	/* when the last client had to wait for a descriptor; 0 = never */
	TAILQ_HEAD(, cclient) clients;
	unsigned	 n;
	struct status	*status;
	struct watchers	*watchers;
	struct doctor	*doctor;
};

#endif
