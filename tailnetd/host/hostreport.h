/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HOSTREPORT_H
#define HOSTREPORT_H

#include <stddef.h>

#include "config.h"
#include "msgs.h"
#include "state.h"

/*
 * What is reported to the server of this host (LITE-01): Hostinfo, endpoints, disco key.  Collected here from the
 * system, the configuration and `set` (interface.md 3); the owner is notified of changes and sends them to the
 * children, which report them.
 */
struct buf;
struct event_base;
struct hostreport;

struct hostreport_ops {			/* the owner; arg is that of hostreport_new() */
	void	(*new_hostinfo)(void *arg);	/* hostreport_hostinfo() is another text */
	/* hostreport_params() has another generation; follows each new_hostinfo */
	void	(*new_params)(void *arg);
	/* listen_port of the state was picked; 0, or -1 with a reason */
	int	(*save_port)(void *arg, char *err, size_t errsize);
	/* addresses, links or routes of this host have changed; follows the others */
	void	(*network_changed)(void *arg);
};

/*
 * cfg and st are the owner's and outlive it; of the state only listen_port is ever written.  Begins to watch this
 * host's addresses, so it must be called before the sandbox: OpenBSD's pledge(2) has no promise for a routing socket,
 * nor for the first read of a sysctl.  Makes a disco key that lasts as long as this process (protocol.md A.1).  NULL:
 * out of memory.
 */
struct hostreport *hostreport_new(struct event_base *base, const struct config *cfg, struct state *st,
	    const struct hostreport_ops *ops, void *arg);
void	 hostreport_free(struct hostreport *h);		/* NULL is fine */

/*
 * Collects again.  1: something changed, and the owner was notified; 0: nothing did; -1: Hostinfo could not be built
 * (logged).
 */
int	 hostreport_refresh(struct hostreport *h);

/*
 * `set`: replaces what is collected or configured; hostreport_refresh() makes it known.  Each returns 1 when the
 * value has changed, or when a change could not be made known before.  The first is hostinfo_set() (hostinfo.h):
 * its results, with *changed.
 */
int	 hostreport_set_json(struct hostreport *h, int netinfo, const char *text, size_t n, int *changed,
	    char *err, size_t errsize);
int	 hostreport_set_disco(struct hostreport *h, const struct pubkey *key);
int	 hostreport_set_endpoints(struct hostreport *h, const struct ipc_endpoint ep[IPC_MAX_ENDPOINTS], unsigned n);
int	 hostreport_unset_endpoints(struct hostreport *h);	/* those of the configuration again */

/* as last built; empty: not yet, or it could not be */
const struct buf *hostreport_hostinfo(const struct hostreport *h);
const struct ipc_map_params *hostreport_params(const struct hostreport *h);
const struct pubkey *hostreport_disco(const struct hostreport *h);
unsigned hostreport_listen_port(const struct hostreport *h);	/* 0 = none could be picked */

/* What is wrong with it: Hostinfo is an older one; changes of addresses are (not) noticed. */
int	 hostreport_is_stale(const struct hostreport *h);
int	 hostreport_watches(const struct hostreport *h);

#endif
