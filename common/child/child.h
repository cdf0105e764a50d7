/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CHILD_H
#define CHILD_H

#include "fetch.h"
#include "ipc.h"
#include "sandbox.h"
#include "session.h"

/*
 * What authd and mapd have in common: the channel on descriptor 3, HELLO, sandbox, READY, logging through the parent,
 * CONFIG, CA, PING, STOP, and the dials and handshakes that the parent does for wire sessions (dialclient.h).
 * A program fills in a child_role and calls child_run() from its main().
 */
struct event_base;
struct childproc;

struct child_role {
	const char	*name;			/* "authd" */
	enum ipc_role	 role;
	const struct sandbox_profile *profile;
	/* Called before any message: loads what the sandbox will close off (libraries).  May be NULL. */
	void	(*warm)(void);
	/* After READY and the first CONFIG.  The program sets up its context and returns it. */
	void	*(*start)(struct childproc *c);
	void	(*stop)(void *ctx);		/* STOP or EOF of the channel: close connections; then exit 0 */
	void	(*rewired)(void *ctx);		/* CONFIG names another way to the server (reload).  May be NULL */
	void	(*hostinfo)(void *ctx);		/* child_hostinfo() is new */
	/* CA was received: child_trust() or child_trust_error() is set.  May be NULL */
	void	(*ca)(void *ctx);
	/* A connection attempt has reached a step (session_ops, fetch_ops).  May be NULL; must free nothing. */
	void	(*step)(void *ctx, enum wire_step what, enum wire_dial kind);
	/* The program's own messages; entries for the messages above stay NULL. */
	int	(*on[IPC_NTYPES])(void *ctx, const struct ipc_msg *m);
};

int	 child_run(const struct child_role *role);	/* returns the exit code */

struct event_base *child_base(struct childproc *c);
struct ipc *child_ipc(struct childproc *c);
const struct ipc_config *child_config(const struct childproc *c);
const struct wire_config *child_wire_config(const struct childproc *c);	/* the same for the wire library */
/* Hostinfo JSON object; "{}" before the first */
const char *child_hostinfo(const struct childproc *c, size_t *len);
struct trust *child_trust(struct childproc *c);		/* NULL until CA was received; child_need_ca() requests it */
const char *child_trust_error(const struct childproc *c);	/* why the received CA is unusable, or NULL */
void	 child_need_ca(struct childproc *c);

/* The rest is private to common/child, for dialclient.c. */
struct dialclients *child_dialclients(struct childproc *c);
const struct wire_candidate *child_plan(const struct childproc *c, uint32_t *n);	/* DIAL_TIMES */
void	 child_step(struct childproc *c, enum wire_step what, enum wire_dial kind);	/* to the program's step() */

/* The handlers of what every child receives: child.c and, for answers of the parent to requests, dialclient.c. */
#define X(name, handler, ...) int child_on_##handler(void *child, const struct ipc_msg *m);
IPC_TO_CHILD(X)
#undef X

#endif
