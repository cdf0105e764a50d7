/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "resolve.h"

/*
 * What the configured names resolve to (security.md D3, DIAL-10).  A look-up runs for up to LOOKUP_MS, also when the
 * dial that needed it has ended: its answer is kept, and the next dial has it.
 */
#define LOOKUP_MS	30000
#define LOOKUP_AGAIN_MS	5000	/* one that runs for longer gets a second beside it: resolv.conf may be new */
#define LOOKUP_RUNS	3	/* of one name at a time */
#define LOOKUP_NAMES	4	/* that are remembered */
#define LOOKUP_SLOW_MS	3000	/* what took longer is used at once by who asks within LOOKUP_MS */

struct lookups;
struct lookup_wait;

/* base, img and ids are the owner's and outlive it.  NULL: out of memory. */
struct lookups *lookup_new(struct event_base *base, const struct spawn_image *img, const struct resolve_ids *ids);
void	 lookup_free(struct lookups *l);	/* ends all; no dial may be waiting */
/* on: a look-up ends when no dial waits for it, now and until off; what is known is kept. */
void	 lookup_quiet(struct lookups *l, int on);

/*
 * Begins a look-up of host or joins one.  done() is called once, never from here: n addresses, or n = 0 with the
 * reason; the wait is freed before.  NULL with errno when nothing could be started.
 */
struct lookup_wait *lookup_start(struct lookups *l, const char *host, resolve_done done, void *arg);
void	 lookup_leave(struct lookup_wait *w);	/* no callback; the look-up continues */

/* The last good addresses of host: how many (0 = none known).  *now: they are new and not to be waited for. */
unsigned lookup_known(struct lookups *l, const char *host, struct ipc_addr addrs[RESOLVE_MAX], int *now);

int	 lookup_reaped(struct lookups *l, int pid, int status);	/* as resolve_reaped() */

#endif
