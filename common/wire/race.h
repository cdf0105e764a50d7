/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef RACE_H
#define RACE_H

#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "session.h"

/*
 * One dial of protocol.md C.8: clear text against TLS, dial-plan candidates against each other, one deadline over all.
 */
#define RACE_MAX_CANDIDATES 16
#define RACE_WHY_MAX	800

struct race;

struct race_times {			/* milliseconds; race_times_default unless a test says otherwise */
	unsigned	tls_delay;	/* TLS joins the clear-text attempt */
	unsigned	clear_delay;	/* clear text joins a preferred TLS attempt (DIAL-07) */
	unsigned	recent;		/* a dial begun less than this ago: TLS is preferred */
	unsigned	beside;		/* no result after this: one more address is tried beside, and again (D2) */
	unsigned	deadline;	/* without a plan */
	unsigned	tls;		/* for one TLS handshake */
	unsigned	plan_min, plan_extra, plan_max;
};
extern const struct race_times race_times_default;

struct race_spec {
	struct event_base *base;
	const struct wire_config *cfg;		/* outlives the race */
	const struct race_times *times;
	const struct wire_candidate *plan;
	uint32_t	 nplan;
	uint32_t	*next_id;		/* the session's counter of attempts */
	uint64_t	*last_dial;		/* when a dial last began, monotonic ms; 0 = never */
	const struct session_ops *ops;		/* dial, dial_cancel, hs_begin, hs_finish of the session's owner */
	void		*ops_arg;
};

/* Exactly one of them is called, last, from the event loop or an answer of the owner; the race must be freed then. */
struct race_result {
	void	(*won)(void *arg, struct conn *c);	/* c is the callee's now */
	void	(*lost)(void *arg, const char *why, enum cause cause);
};

struct race *race_new(const struct race_spec *spec, const struct race_result *res, void *arg);
void	 race_free(struct race *r);			/* cancels and closes all attempts; no callbacks */
struct conn *race_find(struct race *r, uint32_t id);	/* NULL: no such attempt */

#endif
