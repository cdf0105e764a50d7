/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONN_H
#define CONN_H

#include <stddef.h>
#include <stdint.h>

#include "h2.h"
#include "session.h"

/*
 * One attempt at a ts2021 connection, and the connection it becomes: dial, proxy, TLS, upgrade, Noise handshake, early
 * payload, HTTP/2 (protocol.md C).  Made, watched and closed by race.c and session.c.  Callbacks may close the conn.
 */
struct conn;

struct conn_ops {
	/* requests, passed to the session's owner; id = conn_id() */
	void	(*dial)(void *arg, uint32_t id, enum wire_dial kind, uint32_t candidate);
	void	(*dial_cancel)(void *arg, uint32_t id);		/* also a handshake under way */
	void	(*hs_begin)(void *arg, uint32_t id);
	void	(*hs_finish)(void *arg, uint32_t id, const uint8_t body[48]);
	void	(*step)(void *arg, enum wire_step what, enum wire_dial kind);	/* as in session_ops */
	void	(*established)(void *arg, struct conn *c);		/* the Noise handshake is finished */
	/* before established; c must be closed */
	void	(*failed)(void *arg, struct conn *c, const char *why, enum cause cause);
	void	(*ended)(void *arg, struct conn *c, const char *why);	/* after it; c must be closed */
	/* streams opened or closed, GOAWAY, SETTINGS: check conn_h2() again */
	void	(*changed)(void *arg, struct conn *c);
};

struct conn_spec {
	const struct wire_config *cfg;
	uint32_t	 id;
	enum wire_dial	 kind;
	uint32_t	 candidate;
	unsigned	 tls_ms;	/* as in stream_spec */
};

struct conn *conn_new(struct event_base *base, const struct conn_spec *spec, const struct conn_ops *ops, void *arg);
void	 conn_set_ops(struct conn *c, const struct conn_ops *ops, void *arg);	/* race.c hands over to session.c */
void	 conn_start(struct conn *c);			/* dials */
/* Closes for real and wipes the keys; no callbacks.  NULL is fine. */
void	 conn_close(struct conn *c);
uint32_t conn_id(const struct conn *c);
int	 conn_reached(const struct conn *c);		/* an address was connected */
int	 conn_alive(const struct conn *c);		/* established and not over */
struct h2 *conn_h2(struct conn *c);			/* NULL before established */
enum wire_dial conn_kind(const struct conn *c);
const char *conn_step(const struct conn *c);		/* what it is busy with, for people */
const char *conn_remark(const struct conn *c);		/* see stream_remark() */

void	 conn_dialled(struct conn *c, int fd, const char *errtext);
void	 conn_hs_init(struct conn *c, const uint8_t msg[101]);
void	 conn_hs_keys(struct conn *c, const uint8_t tx[32], const uint8_t rx[32]);
void	 conn_hs_fail(struct conn *c, const char *reason);

/* For conn.c and connup.c: every failure of a connection.  The owner is informed from the event loop, never at once. */
void	 conn_fail(struct conn *c, enum cause cause, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
