/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPSTREAM_H
#define MAPSTREAM_H

#include "mapd.h"

/*
 * The map poll (protocol.md E.2 to E.4, rows KA, DBG, MAP-01, MAP-03): the request, its frames, the watchdog, what a
 * message asks for beside the netmap, and the sleep that it may ask for before it is applied.
 */
struct mapstream *mapstream_new(struct mapd *m);
void	 mapstream_free(struct mapstream *s);
/* Send the map request.  The end is reported by mapd_stream_closed(), never from within this call. */
void	 mapstream_start(struct mapstream *s);
void	 mapstream_stop(struct mapstream *s);		/* at once, also during a sleep; without a report */
/* The session has ended every request and knows why: called in the same turn of the loop as the request's own end. */
void	 mapstream_session_down(struct mapstream *s, const char *why, enum cause cause);

#endif
