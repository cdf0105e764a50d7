/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef REPORT_H
#define REPORT_H

#include "mapd.h"

/*
 * What the parent is told about the netmap: SELF when it changed, DELTAS gathered over a turn of the event loop (and at least
 * 1 ms, so that a burst stays far below the channel's rate limit), COUNTERS at most once a second.
 */
struct report *report_new(struct mapd *m);	/* NULL: out of memory */
void	 report_free(struct report *r);

void	 report_change(struct report *r, const struct netmap_change *ch);
void	 report_source(struct report *r);	/* peers, online or source changed without a message: stale, dropped */
void	 report_flush(struct report *r);	/* DELTAS now: before STREAM says LIVE or CLOSED */
void	 report_forget_self(struct report *r);	/* logged out: the next self node is news again */

struct ipc_counters *report_counters(struct report *r);	/* to be changed in place, then: */
void	 report_counted(struct report *r);
void	 report_counters_now(struct report *r, uint32_t id);

#endif
