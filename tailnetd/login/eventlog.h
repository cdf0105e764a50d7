/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EVENTLOG_H
#define EVENTLOG_H

/*
 * What an operator finds in the log afterwards: each change of the login state, and what failed (interface.md 9).  A
 * server can have both as often as it likes, so there is a rate; what was left out is made up for when the rate
 * allows it: the last line about the state is the state.
 */
struct event_base;
struct eventlog;
struct login;

struct eventlog *eventlog_new(struct event_base *base, const struct login *l);	/* l outlives it; NULL: out of memory */
void	 eventlog_free(struct eventlog *e);		/* NULL is fine */
void	 eventlog_update(struct eventlog *e);		/* l may have changed: logs what is new */

#endif
