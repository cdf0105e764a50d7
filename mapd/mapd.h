/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPD_H
#define MAPD_H

#include "buf.h"
#include "child.h"
#include "netmap.h"
#include "query.h"
#include "timer.h"

/*
 * mapd: the map stream, lite updates, pings, and the netmap with its readers (design.md).  Stream, lite updates and
 * pings are requests on one session (H2-02).  A session is used with one node key only: for another key the old
 * session is closed first, then a new one is made (ROT-04).
 */
extern const struct sandbox_profile mapd_profile;	/* mapd_sandbox.c */
extern const struct child_role mapd_role;

struct cache;
struct lite;
struct mapstream;
struct pings;
struct report;

enum mapd_want { WANT_NOTHING, WANT_CONNECTION, WANT_STREAM };

struct mapd {
	struct childproc		*c;
	struct event_base	*base;
	struct netmap		*netmap;
	struct query		*query;
	struct mapstream	*stream;
	struct lite		*lite;
	struct pings		*pings;
	struct report		*report;
	struct cache		*cache;

	struct session		*session;	/* NULL: none */
	struct pubkey		 session_key;	/* node key that was used on it; zero = none yet */
	struct ipc_dial_plan	 plan;		/* as last received */
	int			 have_plan;	/* in this stream */

	enum mapd_want		 want;
	uint32_t		 id;		/* of the map session: the id of MAP_START */
	int			 connected_reported;
	struct pubkey		 node_key, machine_key;
	struct ipc_map_params	 params;
	struct timer		 expiry;	/* netmap_next_expiry() */
	uint64_t		 expiry_ms;	/* when it fires; 0 = it is not set */
	/* seconds between our two clocks, when ControlTime last arrived or the clock was set */
	int64_t			 clock_off;
	struct buf		 event_text;	/* EVENT, chunk by chunk */
	uint32_t		 event_total;
	uint32_t		 watched;	/* id of the last QUERY for `watch netmap` */
};

/* The session, made if there is none, for a request that contains the node key: it is bound to this key from now on. */
struct session *mapd_request_session(struct mapd *m);
/* Close the connection now; the owners of its requests drop them without a report. */
void	 mapd_drop_session(struct mapd *m);
/* The stream has ended: why is "" when it was stopped on request.  Reports CLOSED. */
void	 mapd_stream_closed(struct mapd *m, int http_status, enum cause cause, const char *why);
/* ControlTime was received; was our clock set since then?  Called before the netmap uses a clock. */
void	 mapd_clock_received(struct mapd *m);
void	 mapd_clock_check(struct mapd *m);
/* After every change of the netmap: notify readers and parent, set the expiry timer. */
void	 mapd_changed(struct mapd *m, const struct netmap_change *ch);
/* After a message that changed nothing: its ControlTime may be new (E.12). */
void	 mapd_unchanged(struct mapd *m);
/* To the parent, which sends every child the times of the candidates (DIAL_TIMES). */
void	 mapd_dial_plan(struct mapd *m, const struct ipc_dial_plan *plan);
void	 mapd_stream_report(struct mapd *m, enum ipc_stream_what what, int http_status, enum cause cause,
	    const char *err);

#endif
