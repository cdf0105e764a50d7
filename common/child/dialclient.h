/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DIALCLIENT_H
#define DIALCLIENT_H

#include <sys/queue.h>

#include "child.h"

/*
 * Private to common/child: what wire sessions and fetches ask of the parent, by ipc ids that are unique on the channel, so
 * that an answer which comes after its session died cannot reach another one.
 */
struct bridge;

enum ask_kind { ASK_DIAL, ASK_HANDSHAKE };
struct ask {
	LIST_ENTRY(ask)	 entry;
	enum ask_kind	 kind;
	uint32_t	 id;		/* on the channel */
	uint32_t	 wire_id;	/* the session's or fetch's own */
	struct bridge	*bridge;
};

struct bridge {				/* one session or one fetch */
	struct child	*c;
	struct session	*session;
	struct fetch	*fetch;
	void		(*up)(void *);
	void		(*down)(void *, const char *, int);
	void		(*done)(void *, int, const uint8_t *, size_t, const char *);
	void		*arg;
	LIST_ENTRY(bridge) entry;
};

struct bridges {
	LIST_HEAD(, ask)	asks;
	LIST_HEAD(, bridge)	list;
	uint32_t		last_id;
	uint64_t		last_dial;	/* of all sessions: authd makes one for each request */
};

struct bridges *child_bridges(struct child *c);
const struct wire_candidate *child_plan(const struct child *c, uint32_t *n);	/* DIAL_TIMES */
void	 bridges_use_plan(struct child *c);			/* it is new: from the next dial on */
void	 child_step(struct child *c, enum wire_step what, enum wire_dial kind);	/* to the room */
void	 bridges_init(struct bridges *bs);
void	 bridges_free(struct bridges *bs);	/* closes every session and fetch */

/* The handlers of what every child receives: child.c and, for the parent's answers to what was asked here, bridge.c. */
#define X(name, handler, ...) int child_on_##handler(void *child, const struct ipc_msg *m);
IPC_TO_CHILD(X)
#undef X

#endif
