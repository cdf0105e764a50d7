/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdint.h>

#include "bucket.h"
#include "login.h"
#include "ipc.h"
#include "keys.h"
#include "timefmt.h"
#include "timer.h"

/*
 * The children as processes (security.md D5 to D8, PRIV-03): started on demand, given HELLO and CONFIG, watched until READY,
 * stopped, killed when they break a rule, and started again after a pause when they die.
 */
#define CHILD_HANDSHAKES 4	/* half-open ones per child (D1) */

struct parent;
struct dial;
struct event;

enum child_phase { CHILD_NONE, CHILD_STARTING, CHILD_READY, CHILD_STOPPING };

struct handshake {
	uint32_t	 id;
	unsigned	 waits;		/* not begun: its number in the line; 0 = begun */
	struct noise	*noise;
	uint64_t	 since;
};
struct child_dial {
	TAILQ_ENTRY(child_dial) entry;
	struct child	*c;
	struct dial	*dial;		/* NULL: not begun, its turn will come */
	uint32_t	 id, candidate;
	enum ipc_dial_kind kind;
};

struct child;
struct child_kind {			/* what tells one child from another */
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
	unsigned	 restarts;	/* deaths that were not asked for */
	int		 wanted;	/* there is work for it */
	int		 violated;
	int		 overdue;	/* killed by us because it did not start, or end, in time */
	int		 unstarted;	/* no process or descriptor was to be had, and this was told */
	unsigned	 fails;		/* in a row, for the pause */
	uint64_t	 not_before;
	struct timer	 retry, deadline, linger, turn;	/* turn: of a dial or handshake that waits, or the end of one half open */
	struct bucket	 dial_rate, hs_rate, log_rate, plan_rate, url_rate;
	unsigned	 log_dropped;
	struct handshake hs[CHILD_HANDSHAKES];
	unsigned	 hs_waited;	/* numbers given out */
	TAILQ_HEAD(, child_dial) dials;
	unsigned	 ndials;
	unsigned	 owed;		/* authd: results still to come */
	int		 ponged;
	unsigned	 silent;	/* so many questions of supervise_look() since its last answer */

	/* What waits for READY.  One operation for authd, one map session for mapd. */
	int		 pending;	/* enum below */
	struct login_action work;
};
enum { PENDING_NOTHING, PENDING_KEY, PENDING_REGISTER, PENDING_MAP, PENDING_DOCTOR };

/* doctor: another process of authd, beside the one that works (doctor.h) */
struct supervisor {
	struct parent	*p;
	struct child	 authd, mapd, doctor;
	struct event	*sigchld;
	int		 sandboxed;	/* a child was READY in this life of the daemon */
	uint64_t	 fault_ms, memory_ms;	/* health child-crash, out-of-memory were raised last; 0 = they are not */
};

struct supervisor *supervise_new(struct parent *p);
void	 supervise_free(struct supervisor *s);		/* kills what is left */
/* Have it running, soon: now, or when its pause is over. */
void	 child_want(struct child *c);
/* No work: stop it after linger_ms (0 = now). */
void	 child_unwant(struct child *c, unsigned linger_ms);
void	 child_kill(struct child *c, const char *why);	/* broke a rule: SIGKILL, counted */
int	 child_listens(const struct child *c);		/* READY, with its channel open */
void	 child_hung_up(struct child *c);		/* closed its channel: it has a moment to exit */
void	 supervise_stop_all(struct supervisor *s);	/* shutdown: STOP, then SIGKILL after a second */
int	 supervise_all_gone(const struct supervisor *s);
void	 supervise_config(struct supervisor *s);	/* CONFIG again to whoever runs */
void	 supervise_ping(struct supervisor *s);
void	 supervise_look(struct supervisor *s);		/* each 30 s: who does not answer is killed */
#define IPC_ID_LOOK 1			/* of its PING */
int	 supervise_answered(const struct supervisor *s);	/* every running child answered the last ping */

/* dispatch.c: the request tables, what children say and what they are told */
extern const struct ipc_handlers authd_handlers, mapd_handlers, doctor_handlers;
void	 dispatch_ready_work(struct child *c);		/* READY: send what waited */
void	 dispatch_turn(void *arg);	/* child.turn */
void	 dispatch_forget(struct child *c);		/* the process is gone: dials, handshakes */

#endif
