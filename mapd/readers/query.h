/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef QUERY_H
#define QUERY_H

#include <stddef.h>
#include <stdint.h>

#include "msgs.h"
#include "netmap.h"

/*
 * Answers to control clients whose descriptors the parent handed over (interface.md 3, 5, 6, 7; security.md D4):
 * non-blocking, streamed from an immutable view of the netmap, at most QUERY_QUEUE_MAX bytes queued per client.  A
 * reader that stands still is dropped (netmap, peers) or loses deltas and is told so (watch netmap).  What a reader is in
 * the middle of is kept when the whole map is replaced: always the last map, older ones as far as QUERY_OLD_MAPS goes.  An
 * answer that has to be broken off ends with a line that is an error object.
 */
struct event_base;
struct query;

#define QUERY_MAX_CLIENTS	64
#define QUERY_MAX_ROOT		8	/* more, for root only */
#define QUERY_MAX_UID		8	/* of one user; root has no such limit (interface.md 3) */
#define QUERY_QUEUE_MAX		(4u << 20)
#define QUERY_OLD_MAPS		(16u << 20)	/* bytes of all maps that are kept for readers, without the last and the present one */
#define QUERY_STALL_SECONDS	60	/* no byte taken for so long in the middle of an answer: dropped */

struct query *query_new(struct event_base *base, struct netmap *nm);	/* NULL: out of memory */
void	 query_free(struct query *q);		/* closes every client */

/* QUERY: fd is taken over in every case.  The caller has checked m's lengths against the message (ipc does). */
void	 query_handle(struct query *q, uint32_t id, const struct ipc_query *m, int fd);
/* A complete EVENT body; id as in EVENT (IPC_ID_NONE: all `watch netmap` clients). */
void	 query_event(struct query *q, uint32_t id, const char *body, size_t n);
/* The netmap changed: call after every ingest_apply() and netmap_expire() that returned 1. */
void	 query_changed(struct query *q, const struct netmap_change *ch);
/* The netmap was dropped (logout): readers in the middle of it are closed, watchers wait for the next map. */
void	 query_dropped(struct query *q);
unsigned query_clients(const struct query *q);

#endif
