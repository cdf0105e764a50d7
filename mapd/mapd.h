/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPD_H
#define MAPD_H

#include "buf.h"
#include "child.h"
#include "netmap.h"
#include "query.h"

/*
 * mapd: the map stream, lite updates, pings, and the netmap with its readers (design.md).  Stream, lite updates and pings are
 * requests on one session (H2-02).  The session carries one node key in its life: with another key a new one is made, and
 * the old one is gone before (ROT-04).
 */
extern const struct sandbox_profile mapd_profile;	/* mapd/mapd_sandbox.c */
extern const struct child_role mapd_role;

struct cache;
struct event;
struct lite;
struct mapstream;
struct pings;
struct report;

enum mapd_want { WANT_NOTHING, WANT_CONNECTION, WANT_STREAM };

struct mapd {
	struct child		*c;
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
	int			 told_connected;
	struct pubkey		 node_key, machine_key;
	struct ipc_map_params	 params;
	struct event		*expiry;	/* netmap_next_expiry() */
	uint64_t		 expiry_ms;	/* when it fires; 0 = it is not armed */
	int64_t			 clock_off;	/* seconds between our two clocks, when the server last told its own or the first was set */
	struct buf		 event_text;	/* EVENT, chunk by chunk */
	uint32_t		 event_total;
};

/* The session, made if there is none, for a request that names the node key: it is bound to that from now on.  NULL: out of memory. */
struct session *mapd_request_session(struct mapd *m);
/* Close the connection now; everything that ran on it is forgotten by its owner without a report. */
void	 mapd_drop_session(struct mapd *m);
/* The stream is over: why is "" when it was wanted so.  Reports CLOSED. */
void	 mapd_stream_closed(struct mapd *m, int http_status, int suspect, const char *why);
/* The server tells its time; is our clock still the one that it was compared with?  Before the netmap looks at a clock. */
void	 mapd_clock_told(struct mapd *m);
void	 mapd_clock_check(struct mapd *m);
/* After every change of the netmap: tell readers and parent, arm the expiry timer. */
void	 mapd_changed(struct mapd *m, const struct netmap_change *ch);
/* After a message that changed nothing: it may have said what time it is (E.12). */
void	 mapd_unchanged(struct mapd *m);
/* To the parent, which tells every child when the candidates are to be tried (DIAL_TIMES). */
void	 mapd_dial_plan(struct mapd *m, const struct ipc_dial_plan *plan);
void	 mapd_stream_report(struct mapd *m, enum ipc_stream_what what, int http_status, int suspect, const char *err);

#endif
