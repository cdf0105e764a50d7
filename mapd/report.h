/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef REPORT_H
#define REPORT_H

#include "mapd.h"

/*
 * Reports to the parent about the netmap.  No burst of the server may reach the channel's rate limit: DELTAS are
 * gathered over a turn of the event loop (and at least 1 ms); SELF is sent when it changed, 10 ms apart; CONTROL_TIME
 * when the correction of the clock changed, DIAL_PLAN and COUNTERS, each a second apart.  The first is sent at once,
 * of several the newest later.
 */
struct report *report_new(struct mapd *m);
void	 report_free(struct report *r);

void	 report_change(struct report *r, const struct netmap_change *ch);
void	 report_source(struct report *r);	/* peers, online or source changed without a message: stale, dropped */
void	 report_control_time(struct report *r, int64_t sec);
void	 report_dial_plan(struct report *r);	/* m->plan is new */
void	 report_flush(struct report *r);	/* DELTAS now: before a reader sees the map */
void	 report_all(struct report *r);		/* everything now: before STREAM says LIVE or CLOSED */
void	 report_self(struct report *r);		/* the first map of a stream: our node, whether or not it changed */
void	 report_forget_self(struct report *r);	/* logged out: the next self node is sent whether or not it changed */

struct ipc_counters *report_counters(struct report *r);	/* to be changed in place, then: */
void	 report_counted(struct report *r);
void	 report_counters_now(struct report *r, uint32_t id);

#endif
