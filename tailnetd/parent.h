/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PARENT_H
#define PARENT_H

#include <sys/types.h>

#include "buf.h"
#include "login.h"
#include "config.h"
#include "counters.h"
#include "dial.h"
#include "health.h"
#include "ids.h"
#include "ipc.h"
#include "keys.h"
#include "netmap_info.h"
#include "spawn.h"
#include "state.h"
#include "supervise.h"

/* The parent's one context (docs/design.md), handed to everything in this room.  Prototypes are grouped by file. */
struct cache;
struct control;
struct event;
struct event_base;
struct hostreport;
struct notify;
struct secret;

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

	struct supervisor *sup;
	struct dialler	*dialler;
	struct netmap_info netmap;
	struct cache	*cache;			/* of the netmap on disk (cachestore.h) */
	struct counters	 counters;

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
	struct notify	*notify;
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


#endif
