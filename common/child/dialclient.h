/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DIALCLIENT_H
#define DIALCLIENT_H

#include <sys/queue.h>

#include "child.h"

/* A wire session whose dials and handshakes are done by the parent.  up and down as in session_ops. */
struct session *child_session(struct childproc *c, void (*up)(void *), void (*down)(void *, const char *, enum cause),
	    void *arg);
void	 child_session_free(struct childproc *c, struct session *s);
/* fetch_start() the same way, with child_trust().  NULL: could not be started, no callback follows. */
struct fetch *child_fetch(struct childproc *c, const char *method, const char *path, size_t body_max,
	    unsigned timeout_ms, void (*done)(void *, int, const uint8_t *, size_t, const char *), void *arg);
void	 child_fetch_cancel(struct childproc *c, struct fetch *f);

/*
 * The rest is private to common/child: what sessions and fetches request from the parent, by ipc ids that are unique on
 * the channel, so that a late answer to a closed session cannot reach another one.
 */
struct dialclient;

enum parentreq_kind { PARENTREQ_DIAL, PARENTREQ_HANDSHAKE };
struct parentreq {
	LIST_ENTRY(parentreq) entry;
	enum parentreq_kind kind;
	uint32_t	 id;		/* on the channel */
	uint32_t	 wire_id;	/* the session's or fetch's own */
	struct dialclient *client;
};

struct dialclient {			/* one session or one fetch */
	struct childproc *c;
	struct session	*session;
	struct fetch	*fetch;
	void		(*up)(void *);
	void		(*down)(void *, const char *, enum cause);
	void		(*done)(void *, int, const uint8_t *, size_t, const char *);
	void		*arg;
	LIST_ENTRY(dialclient) entry;
};

struct dialclients {
	LIST_HEAD(, parentreq)	requests;
	LIST_HEAD(, dialclient)	list;
	uint32_t		last_id;
	uint64_t		last_dial;	/* of all sessions: authd makes one for each request */
};

void	 dialclients_init(struct dialclients *all);
void	 dialclients_free(struct dialclients *all);	/* closes every session and fetch */
void	 dialclients_use_plan(struct childproc *c);	/* child_plan() is new: use it from the next dial on */

#endif
