/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EVENTWATCH_H
#define EVENTWATCH_H

#include <stddef.h>
#include <stdint.h>

#include "ipc.h"

/*
 * Plain `watch` (interface.md 6).  An event body is the members behind `"time":".."`, without braces.  A watcher whose
 * queue is full loses netmap and delta events, receives their number in `lagged`, and then gets a full netmap event;
 * status, browse and child events are never dropped: one that reads none of those either is disconnected.
 */
struct buf;
struct cclient;
struct control;
struct watchers;

struct watchers *watchers_new(struct control *c);	/* NULL: out of memory */
void	 watchers_free(struct watchers *w);
void	 watchers_add(struct watchers *w, struct cclient *cc);	/* the present status is sent first */
void	 watchers_remove(struct watchers *w, struct cclient *cc);
/* Puts the next events into cc->out, which is empty; 0: there are none, or no memory. */
int	 watchers_more(struct cclient *cc);
void	 watchers_drained(struct cclient *cc);	/* all was written: mapd may take it over */
/* Mapd is ready: hands over the watchers of `watch netmap` that began without one */
void	 watchers_to_mapd(struct control *c);

/*
 * What mapd is sent: nothing while it has no watchers; while its channel is full events are held, of statuses only the
 * newest one, and sent when there is room.
 */
void	 watchers_room(struct control *c);		/* there is room again */
void	 watchers_at_mapd(struct control *c, struct ipc *mapd, uint32_t id);	/* before it is handed over */
void	 watchers_left_mapd(struct control *c, uint32_t id);	/* UNWATCHED: none is left of those up to that QUERY */
void	 watchers_mapd_gone(struct control *c);		/* it ended, and its watchers with it; c may be NULL */

/* Emit: to every plain watcher here, and, except for netmap events, to mapd for its `watch netmap` clients. */
void	 watch_event(struct control *c, struct buf *body);	/* frees body */
void	 watch_status(struct control *c, struct buf *body);	/* a status: mapd may miss older ones */
void	 watch_browse(struct control *c, const char *url);
void	 watch_child(struct control *c, const char *name, int signal, int status);	/* signal 0: status counts */
/* One record of DELTAS; ids are n unaligned int64 each.  Sent by watch_flush(): one message holds many. */
void	 watch_delta(struct control *c, const struct ipc_delta_rec *r, const uint8_t *changed, const uint8_t *removed);
void	 watch_flush(struct control *c);

#endif
