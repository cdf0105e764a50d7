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
 * CONFIG, CA, PING, STOP, and the bridge between a wire session's wishes (dial, handshake) and the parent's answers.
 * A room fills in a child_role and calls child_run() from its main().
 */
struct event_base;
struct child;

struct child_role {
	const char	*name;			/* "authd" */
	enum ipc_role	 role;
	const struct sandbox_profile *profile;
	/* Load what must be loaded before the sandbox closes (warm libraries).  May be NULL. */
	void	(*warm)(void);
	/* After READY and the first CONFIG.  The room sets up its context and returns it. */
	void	*(*start)(struct child *c);
	void	(*stop)(void *ctx);		/* STOP or EOF of the channel: close connections; then the process exits 0 */
	void	(*rewired)(void *ctx);		/* CONFIG names another way to the server (reload).  May be NULL */
	void	(*hostinfo)(void *ctx);		/* child_hostinfo() is new */
	void	(*ca)(void *ctx);		/* CA came: child_trust() is there now, or child_trust_error().  May be NULL */
	/* A connection being made has got so far (session_ops, fetch_ops).  May be NULL; must free nothing. */
	void	(*step)(void *ctx, enum wire_step what, enum wire_dial kind);
	/* The room's own messages; entries for the messages above stay NULL. */
	int	(*on[IPC_NTYPES])(void *ctx, const struct ipc_msg *m);
};

int	 child_run(const struct child_role *role);	/* returns the exit code */

struct event_base *child_base(struct child *c);
struct ipc *child_ipc(struct child *c);
const struct ipc_config *child_config(const struct child *c);
const struct wire_config *child_wire_config(const struct child *c);	/* the same for the wire library */
const char *child_hostinfo(const struct child *c, size_t *len);		/* Hostinfo JSON object; "{}" before the first */
struct trust *child_trust(struct child *c);		/* NULL until CA came; child_need_ca() asks for it */
const char *child_trust_error(const struct child *c);	/* why the CA that came is unusable, or NULL */
void	 child_need_ca(struct child *c);

/* A wire session whose dials and handshakes go through the parent.  up and down as in session_ops. */
struct session *child_session(struct child *c, void (*up)(void *), void (*down)(void *, const char *, int), void *arg);
void	 child_session_free(struct child *c, struct session *s);
/* fetch_start() the same way, with child_trust().  NULL: could not be started, no callback follows. */
struct fetch *child_fetch(struct child *c, const char *method, const char *path, size_t body_max, unsigned timeout_ms,
	    void (*done)(void *, int, const uint8_t *, size_t, const char *), void *arg);
void	 child_fetch_cancel(struct child *c, struct fetch *f);

#endif
