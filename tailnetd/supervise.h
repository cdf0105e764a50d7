/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdint.h>

#include "backoff.h"
#include "bucket.h"
#include "dial.h"
#include "health.h"
#include "login.h"
#include "ipc.h"
#include "keys.h"
#include "path.h"
#include "timefmt.h"
#include "timer.h"

/*
 * The children as processes (security.md D5 to D8, PRIV-03): started on demand, sent HELLO and CONFIG, watched until
 * READY, stopped, killed after a protocol violation, and restarted after a pause when they end.
 */
#define CHILD_HANDSHAKES 4	/* half-open ones per child (D1) */

struct parent;
struct dial;
struct event;

enum child_phase { CHILD_NONE, CHILD_STARTING, CHILD_READY, CHILD_STOPPING };

struct handshake {
	uint32_t	 id;
	uint32_t	 attempt;	/* of its HS_BEGIN */
	unsigned	 waits;		/* not begun: its place in the queue; 0 = begun */
	struct noise	*noise;
	uint64_t	 since;
};
struct child_dial {
	TAILQ_ENTRY(child_dial) entry;
	struct child	*c;
	struct dial	*dial;		/* NULL: not begun, it waits for the rate */
	uint32_t	 id;
	struct dial_spec spec;
};

struct child;
struct child_kind {			/* what differs between the children */
	enum ipc_role	 role;
	const char	*name;		/* in logs */
	const struct ipc_handlers *handlers;
	void		(*gone)(struct child *c);	/* the process ended, wanted or not */
	int		 report_steps;
};

struct child {
	struct parent	*p;
	const struct child_kind *kind;
	enum ipc_role	 role;
	const char	*name;
	enum child_phase phase;
	pid_t		 pid;		/* 0 = none */
	struct ipc	*ipc;
	uint32_t	 generation;
	unsigned	 layers;
	struct wtime	 started;
	uint64_t	 ready_ms;
	unsigned	 restarts;	/* after unexpected ends */
	int		 wanted;	/* there is work for it */
	int		 violated;
	int		 overdue;	/* killed by us because it did not start, or end, in time */
	int		 unstarted;	/* there was no process or descriptor for it; logged */
	struct backoff	 fails;		/* in a row, for the pause */
	struct backoff	 kills;		/* the same by SIGKILL from outside, which is no failure of the child */
	char		 end[240];	/* how it ended the last time, unless on purpose; "" = has not */
	int		 ended_badly;	/* that was not on purpose */
	enum health_code end_code;	/* of that */
	uint64_t	 not_before;
	struct timer	 retry, deadline, linger, turn;
					/* turn: a dial or handshake waits, or one half open times out */
	struct bucket	 dial_rate, hs_rate, log_rate, plan_rate, url_rate;
	unsigned	 log_dropped;
	struct handshake hs[CHILD_HANDSHAKES];
	unsigned	 hs_waited;	/* last place given in that queue */
	TAILQ_HEAD(, child_dial) dials;
	unsigned	 ndials;
	struct path	 path;		/* of the connection that it was given last */
	unsigned	 due;		/* PUSH_ bits of childsend.h: gathered while its channel is full */
	char		 why[120];	/* its channel ended */
	unsigned	 unanswered;		/* authd: results still to come */
	int		 ponged;
	unsigned	 silent;	/* PINGs of supervise_look() since its last answer */

	/* What waits for READY.  One operation for authd, one map session for mapd. */
	int		 pending;	/* enum below */
	struct login_action work;
};
enum { PENDING_NOTHING, PENDING_KEY, PENDING_REGISTER, PENDING_MAP, PENDING_DOCTOR };

/* doctor: a second process of authd (doctor.h) */
struct supervisor {
	struct parent	*p;
	struct child	 authd, mapd, doctor;
	struct event	*sigchld;
	int		 sandboxed;	/* a child was READY since the daemon started */
	uint64_t	 fault_ms[HEALTH_COUNT];	/* when a code that ends by time was raised; 0 = is not */
};

struct supervisor *supervise_new(struct parent *p);
void	 supervise_free(struct supervisor *s);		/* kills what is left */
/* Start it if it does not run: now, or at the end of its pause. */
void	 child_want(struct child *c);
/* No work: stop it after linger_ms (0 = now). */
void	 child_unwant(struct child *c, unsigned linger_ms);
void	 child_kill(struct child *c, const char *why);	/* protocol violation: SIGKILL, counted */
void	 child_is_ready(struct child *c);	/* READY came: deadline and health follow */
int	 child_listens(const struct child *c);		/* READY, with its channel open */
void	 child_hung_up(struct child *c, const char *why);	/* its channel ended: it must exit soon */
void	 supervise_stop_all(struct supervisor *s);	/* shutdown: STOP, then SIGKILL after a second */
int	 supervise_all_gone(const struct supervisor *s);
void	 supervise_ping(struct supervisor *s);
void	 supervise_look(struct supervisor *s);		/* each 30 s: a child that does not answer is killed */
#define IPC_ID_LOOK 1			/* of its PING */
int	 supervise_answered(const struct supervisor *s);	/* every running child answered the last ping */

#endif
