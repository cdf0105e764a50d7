/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef REPORT_H
#define REPORT_H

#include "mapd.h"

/*
 * What the parent is told about the netmap, so that no burst of the server's comes near the channel's rate limit: DELTAS gathered
 * over a turn of the event loop (and at least 1 ms); SELF when it changed, 10 ms apart; CONTROL_TIME when it corrects the clock by
 * something new, DIAL_PLAN and COUNTERS a second apart.  The first comes at once, of many the newest later.
 */
struct report *report_new(struct mapd *m);	/* NULL: out of memory */
void	 report_free(struct report *r);

void	 report_change(struct report *r, const struct netmap_change *ch);
void	 report_source(struct report *r);	/* peers, online or source changed without a message: stale, dropped */
void	 report_control_time(struct report *r, int64_t sec);
void	 report_dial_plan(struct report *r);	/* m->plan is new */
void	 report_flush(struct report *r);	/* DELTAS now: before a reader sees the map */
void	 report_all(struct report *r);		/* everything now: before STREAM says LIVE or CLOSED */
void	 report_forget_self(struct report *r);	/* logged out: the next self node is news again */

struct ipc_counters *report_counters(struct report *r);	/* to be changed in place, then: */
void	 report_counted(struct report *r);
void	 report_counters_now(struct report *r, uint32_t id);

#endif
