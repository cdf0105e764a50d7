/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PARENT_H
#define PARENT_H

#include <sys/types.h>

#include "accounts.h"
#include "buf.h"
#include "login.h"
#include "config.h"
#include "dial.h"
#include "health.h"
#include "ipc.h"
#include "keys.h"
#include "spawn.h"
#include "state.h"
#include "supervise.h"

/* The parent's one context (docs/design.md), handed to everything in this room.  Prototypes are grouped by file. */
struct cache;
struct control;
struct doctor;
struct event;
struct event_base;
struct hostreport;
struct notify;
struct secret;
struct watchers;

struct netmap_info {			/* what mapd told of the netmap, for status and metrics; never its contents */
	enum ipc_source	 source;
	uint64_t	 seq;
	uint32_t	 peers, online;
	uint64_t	 received_ms;	/* monotonic, of the last change; 0 = none */
	uint64_t	 cached_age_ms;	/* how old it was then already: it came from the cache */
	int		 dropped;	/* logged out: what mapd still says of the old one is not shown */
	int		 have_self;
	struct ipc_self	 self;
};

struct parent {
	struct event_base *base;
	const char	*conf_path;
	struct config	 cfg;
	int		 foreground, root;
	int		 ready_fd;		/* daemon.h */
	struct ids	 ids;
	unsigned	 layers;		/* of our own sandbox */
	struct wtime	 started;
	uint64_t	 started_ms;		/* the same, monotonic */
	uint64_t	 tick_boot;		/* time_boot_ms() of the last parent_tick() */

	struct spawn_image img_authd, img_mapd, img_resolver;
	struct state_store *store;
	struct state	 state;
	struct keyring	*keys;
	struct secret	*auth_key;		/* of a `login auth-key=`; NULL = none */
	size_t		 auth_key_len;
	int		 state_not_saved;
	int		 no_ca;			/* the trust anchors could not be opened the last time */

	struct login	 login;
	struct event	*timers[LT_COUNT];
	struct login_event queue[8];		/* events that actions caused, run after them */
	unsigned	 queued;
	int		 running;		/* an event is being run */
	char		 save_err[300], auth_err[400];	/* texts of events that wait */
	int		 login_finished;	/* for the next status event */

	struct supervisor *sup;
	struct dialler	*dialler;
	struct netmap_info netmap;
	struct cache	*cache;			/* of the netmap on disk (cachestore.h) */
	struct ipc_counters counters;		/* of the mapd that runs */
	struct ipc_counters counters_before;	/* of all that ran before it: a restart takes nothing back */
	uint64_t	 registers_ok, registers_failed, dials_ok, dials_failed;
	uint64_t	 map_open_ms;		/* this stream opened; 0 = none */

	struct hostreport *report;		/* of this host, to the server */

	struct health	 health;
	struct {				/* what the log has heard (eventlog.c) */
		enum login_state state;
		int	 paused;
		struct bucket rate;
		uint64_t err_ms;
		char	 err[LOGIN_TOLD_MAX];
		struct event *later;	/* for what had to wait */
	} told;
	struct control	*control;
	struct watchers	*watchers;
	struct doctor	*doctor;
	struct notify	*notify;
	struct buf	 last_status;		/* the part whose change is an event */
	uint64_t	 last_urgent;		/* hash of what is told at once */
	struct bucket	 status_rate;		/* of those */
	uint64_t	 status_ms;		/* of the last event */
	struct event	*status_later;
	uint8_t		 hash_key[16];
	int		 stopping;
	int		 exit_code;
};

/* parent.c: setting up and ending */
int	 parent_run(struct parent *p);			/* returns the exit code */
/*
 * The two halves of the set-up, before and after the sandbox is entered, and its end but for the event base; apart for the
 * tests, which have no sandbox.  Both return EXIT_OK, or the exit code with the reason logged.  The first leaves signals blocked.
 */
int	 parent_open(struct parent *p);			/* state, keys, event base, control socket */
int	 parent_assemble(struct parent *p);		/* all that works with them */
void	 parent_close(struct parent *p);		/* frees what both have made */
void	 parent_shutdown(struct parent *p, int exit_code);
int	 parent_reload(struct parent *p, char *err, size_t errsize);
/* The report of this host: before the sandbox.  NULL: out of memory. */
struct hostreport *parent_new_report(struct parent *p);
/* Each 30 s: was it longer than that, do the children answer, is the clock right (D16).  By time_boot_ms() and Unix seconds. */
void	 parent_tick(struct parent *p, uint64_t boot_ms, int64_t wall_s);

/* action.c: the login machine's events and actions */
void	 parent_event(struct parent *p, const struct login_event *e);
void	 parent_simple_event(struct parent *p, enum login_ev type, uint32_t id);
void	 login_boot(struct parent *p);			/* timers, login_init() from state and configuration */
void	 login_config_from(const struct parent *p, struct login_config *cc);
void	 parent_wipe_auth_key(struct parent *p);
/* The auth key for a register: explicit or from the file.  0, or -1 with a reason. */
int	 parent_auth_key(struct parent *p, enum login_authkey which, char *out, size_t outsize, size_t *len, char *err, size_t errsize);

/* eventlog.c: what happened, for the log */
void	 tell_log(struct parent *p);
void	 tell_due(evutil_socket_t fd, short what, void *arg);	/* told.later */

/* status.c */
enum status_part { STATUS_WHOLE, STATUS_STABLE };	/* STABLE: without what changes all the time (interface.md 6) */
int	 status_json(struct parent *p, enum status_part part, struct buf *out);
/*
 * Emit a status event if it did change: at once when state, login, sync, URL or error did, else when everything that
 * came in this turn is dealt with, so that one happening is one event.
 */
void	 status_changed(struct parent *p);
void	 status_now(struct parent *p);
int	 status_first_body(struct parent *p, struct buf *out);	/* of the event that a watcher begins with; 0, or -1: out is full */
int	 processes_json(struct parent *p, struct buf *out);
int	 metrics_text(struct parent *p, struct buf *out);	/* metrics.c */

#endif
