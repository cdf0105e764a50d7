/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SESSION_H
#define SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "cause.h"
#include "keywords.h"

/*
 * One ts2021 connection to the control server (protocol.md C): dial race, optional proxy CONNECT, optional unverified
 * TLS, HTTP/1.1 upgrade, Noise records, early payload, HTTP/2.  The wire library has no keys and opens no sockets: it
 * asks its owner to dial (and gets a connected descriptor) and to do the Noise handshake (and gets transport keys).
 */
struct event_base;
struct session;

#define WIRE_BESIDE UINT32_MAX	/* as a candidate: an address that is not tried yet; same value as IPC_DIAL_BESIDE */
enum wire_dial { WIRE_DIAL_CLEAR = 1, WIRE_DIAL_TLS = 2, WIRE_DIAL_URL = 3 };	/* same values as ipc_dial_kind */
/* done; same values as ipc_step_what */
enum wire_step { WIRE_STEP_TLS = 1, WIRE_STEP_UPGRADE, WIRE_STEP_NOISE, WIRE_STEP_HTTP2 };

/*
 * What the wire library knows of the configuration: KEYWORD_PARTS and the rows of common/lists/keywords.h with WIRE,
 * which are numbers.  Texts are terminated; copied by session_new().
 */
struct wire_config {
#define WIRE_NO(member)
#define WIRE_PARTS(member)
#define WIRE_CHILD(member)
#define WIRE_WIRE(member) unsigned member;
#define T(member, size) char member[(size) + 1];
#define N(member, min, max) unsigned member;
#define K(keyword, member, type, range, value, def, flags, child) WIRE_##child(member)
	KEYWORD_PARTS(T, N)
	KEYWORDS(K)
#undef WIRE_NO
#undef WIRE_PARTS
#undef WIRE_CHILD
#undef WIRE_WIRE
#undef T
#undef N
#undef K
};

struct session_ops {			/* what a session asks of its owner; ids are the session's own, never reused */
	void	(*dial)(void *arg, uint32_t id, enum wire_dial kind, uint32_t candidate);
	void	(*dial_cancel)(void *arg, uint32_t id);	/* id is given up: its dial or handshake needs no answer */
	void	(*hs_begin)(void *arg, uint32_t id);
	void	(*hs_finish)(void *arg, uint32_t id, const uint8_t body[48]);
	/*
	 * HTTP/2 is usable; requests queued before were sent.  Called again when a second connection joins one that
	 * drains after GOAWAY or is full (H2-05: running streams continue, new requests use the second).
	 */
	void	(*up)(void *arg);
	/*
	 * The connection is over or could not be made; nothing is left.  done() of every request was called before.
	 * cause: CAUSE_SERVER_KEY for 101 then EOF, or an answer that did not decrypt: wrong server key or refused
	 * capability version (protocol.md C.4).  why: one line for people.
	 */
	void	(*down)(void *arg, const char *why, enum cause cause);
	/*
	 * An attempt finished this step over this kind of dial; may be NULL.  HTTP2: the server's SETTINGS were
	 * received.
	 */
	void	(*step)(void *arg, enum wire_step what, enum wire_dial kind);
	/* Only up, down and what a request calls may call session_free(). */
};

struct session *session_new(struct event_base *base, const struct wire_config *cfg, const struct session_ops *ops,
	    void *arg);
void	 session_free(struct session *s);	/* closes at once, wipes keys, no callbacks */
void	 session_connect(struct session *s);	/* begin dialling, if not connected or connecting already */
int	 session_is_up(const struct session *s);
/* Where it is kept when a Noise dial last began, instead of in s: for all sessions of one process (DIAL-07). */
void	 session_share_last_dial(struct session *s, uint64_t *last_dial);
/*
 * Dial plan known to the parent: n candidates, start delays and timeouts in ms (protocol.md C.8, E.11); n = 0: DNS
 * only.
 */
struct wire_candidate { uint32_t delay_ms, timeout_ms; };
void	 session_set_plan(struct session *s, const struct wire_candidate *c, uint32_t n);

/* Answers of the owner.  Unknown ids (cancelled meanwhile) are fine: fd is closed. */
void	 session_dialled(struct session *s, uint32_t id, int fd, const char *errtext);	/* fd < 0: failed */
void	 session_hs_init(struct session *s, uint32_t id, const uint8_t msg[101]);
void	 session_hs_keys(struct session *s, uint32_t id, const uint8_t tx[32], const uint8_t rx[32]);
void	 session_hs_fail(struct session *s, uint32_t id, const char *reason);

/* For request.c and tests. */
struct race_times;
void	 session_set_times(struct session *s, const struct race_times *t);
void	 session_kick(struct session *s);		/* examines the queue of requests, from the event loop */

#endif
