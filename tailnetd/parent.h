/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PARENT_H
#define PARENT_H

#include <sys/types.h>

#include "action.h"
#include "login.h"
#include "config.h"
#include "counters.h"
#include "dial.h"
#include "health.h"
#include "ids.h"
#include "netmap_info.h"
#include "spawn.h"
#include "state.h"
#include "supervise.h"

/* The parent's one context (docs/design.md), handed to everything in this room.  Prototypes are grouped by file. */
struct cachestore;
struct control;
struct event_base;
struct eventlog;
struct events;
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
	int		 no_ca;			/* the trust anchors could not be opened the last time */

	struct login	 login;
	struct events	*events;		/* of the login machine: timers, those that wait */

	struct supervisor *sup;
	struct dialler	*dialler;
	struct netmap_info netmap;
	struct cachestore *cache;		/* of the netmap, on disk */
	struct counters	 counters;

	struct hostreport *report;		/* of this host, to the server */

	struct health	 health;
	struct eventlog	*eventlog;
	struct control	*control;
	struct notify	*notify;
	uint64_t	 hurried_ms;		/* the last try that a change of the network caused */
	int		 stopping;
	struct timer	 give_up;		/* then it ends, also with children left */
	int		 exit_code;
};

/* parent.c: setting up and ending */
int	 parent_run(struct parent *p);			/* returns the exit code */
/*
 * The two halves of the set-up, before and after the sandbox is entered, and its end without the event base.  They
 * are separate for the tests, which have no sandbox.
 * Both return EXIT_OK, or the exit code with the reason logged.  The first
 * leaves signals blocked.
 */
int	 parent_open(struct parent *p);			/* state, keys, event base, control socket */
int	 parent_assemble(struct parent *p);		/* all that works with them */
void	 parent_close(struct parent *p);		/* frees what both have made */
void	 parent_shutdown(struct parent *p, int exit_code);
int	 parent_reload(struct parent *p, char *err, size_t errsize);
/*
 * Each 30 s: was it longer than that, do the children answer, is the clock right (D16).  By time_boot_ms() and Unix
 * seconds.
 */
void	 parent_tick(struct parent *p, uint64_t boot_ms, int64_t wall_s);

#endif
