/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SESSION_INT_H
#define SESSION_INT_H

#include <sys/queue.h>

#include "conn.h"
#include "race.h"
#include "request.h"
#include "session.h"
#include "timer.h"

/* Internals of session.c and request.c. */
#define SESSION_CONNS 2

struct request {
	TAILQ_ENTRY(request) link;	/* in waiting or running */
	struct session	*s;
	struct request_ops ops;
	void		*arg;
	struct request_spec spec;	/* texts point into `texts`, lb into `lb` */
	struct pubkey	 lb[2];
	char		*texts;
	uint8_t		*body;		/* until a connection takes it */
	struct conn	*c;		/* NULL while waiting */
	struct h2_stream *st;
	struct timer	 timer;
	uint64_t	 epoch;		/* of the session when it was made */
	int		 paused;
	int		 busy, gone;	/* in its data(); cancelled meanwhile */
};
TAILQ_HEAD(requests, request);

struct session {
	struct event_base *base;
	struct wire_config cfg;
	struct session_ops ops;
	void		*arg;
	struct race_times times;
	struct wire_candidate plan[RACE_MAX_CANDIDATES];
	uint32_t	 nplan;
	uint32_t	 next_id;
	uint64_t	 own_last_dial, *last_dial;	/* when a dial began; 0 = never */
	struct race	*race;
	struct conn	*conns[SESSION_CONNS];	/* [0] is the older */
	struct requests	 waiting, running;
	uint64_t	 epoch;			/* grows with every failed dial */
	struct timer	 pump;
	int		 want;			/* session_connect() was called */
	int		 greeted;		/* the newest connection has the server's SETTINGS */
	int		 remarked;		/* the TLS certificate was complained about */
	int		 busy, dead;
};

#endif
