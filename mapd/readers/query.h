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
 * client that does not read is dropped (netmap, peers) or loses deltas and is sent their number (watch netmap).  The
 * map that an answer is written from is kept when the whole map is replaced: always the last map, older ones up to
 * QUERY_OLD_MAPS.  An answer that cannot be finished ends with a line that is an error object.
 */
struct event_base;
struct query;

#define QUERY_QUEUE_MAX		(4u << 20)
/* bytes of all maps kept for readers, but the last and the present one */
#define QUERY_OLD_MAPS		(16u << 20)
#define QUERY_STALL_SECONDS	60	/* while the socket is full: dropped */
#define QUERY_STOP_MS		600	/* the parent kills after 1 s */

/* cfg is read at each QUERY: the present configuration; it outlives the query. */
struct query *query_new(struct event_base *base, struct netmap *nm, const struct ipc_config *cfg);
void	 query_host(struct query *q, const struct ipc_map_params *host);	/* this host's addresses; outlives q */
void	 query_free(struct query *q);		/* closes every client */
/*
 * Before query_free() when this process ends: each answer that is under way is aborted with an error line, for which
 * clients that read are waited for at most QUERY_STOP_MS.
 */
void	 query_stop(struct query *q);

/* QUERY: fd is closed in every case.  The caller has checked m's lengths against the message (ipc does). */
void	 query_handle(struct query *q, uint32_t id, const struct ipc_query *m, int fd);
/* A complete EVENT body; id as in EVENT (IPC_ID_NONE: all `watch netmap` clients). */
void	 query_event(struct query *q, uint32_t id, const char *body, size_t n);
/* The netmap changed: call after every ingest_apply() and netmap_expire() that returned 1. */
void	 query_changed(struct query *q, const struct netmap_change *ch);
/* The netmap was dropped (logout): readers in the middle of it are closed, watchers wait for the next map. */
void	 query_dropped(struct query *q);
unsigned query_clients(const struct query *q);
unsigned query_watchers(const struct query *q);	/* those of `watch netmap` */

#endif
