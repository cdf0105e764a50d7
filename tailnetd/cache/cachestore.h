/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CACHESTORE_H
#define CACHESTORE_H

#include "config.h"
#include "ipc.h"
#include "keys.h"
#include "netmap_info.h"
#include "state.h"

/*
 * `netmap-cache` (interface.md 2): the last netmap on disk, shown as `cached` until the server has sent one.  The
 * parent decides on the file, its name and when it is read and written; mapd reads and writes the contents
 * (ipc/msgs.h).  There is one while the keyword says yes, there is a node key and no logout; it is removed with the
 * node key, the login and the keyword, and when the mapd that wrote it crashed or violated the protocol.
 */
struct cachestore;
struct event_base;

struct cachestore_ops {			/* the owner; arg is that of struct cachestore_env */
	struct ipc *(*mapd)(void *arg);		/* the channel of a mapd that is READY, or NULL */
	void	(*want_mapd)(void *arg);	/* there is something to show, whatever the network does */
	void	(*release_mapd)(void *arg);	/* the cache needs it no longer */
	void	(*saved)(void *arg);		/* what cachestore_shutdown() began is over, written or given up */
};

struct cachestore_env {			/* everything is the owner's and outlives the cache */
	struct event_base *base;
	const struct config *cfg;
	const struct keyring *keys;
	struct state_store *store;
	/* reset here when it is the cached one and must no longer be shown */
	struct netmap_info *netmap;
	const struct cachestore_ops *ops;
	void	*arg;
};

struct cachestore *cachestore_new(const struct cachestore_env *env);	/* NULL: out of memory */
void	 cachestore_free(struct cachestore *c);				/* NULL is fine */

/* Configuration, login, node key, pause or netmap may have changed: removes, loads, writes what is due. */
void	 cachestore_update(struct cachestore *c, int logged_in, int paused);
void	 cachestore_mapd_ready(struct cachestore *c);
/* distrusted: it crashed or violated the protocol */
void	 cachestore_mapd_gone(struct cachestore *c, int distrusted);
/* Logout: 0 = there is no cache on disk now, -1 with a reason. */
int	 cachestore_erase(struct cachestore *c, char *err, size_t errsize);
/* The daemon ends.  1 = something is saved first, ops->saved follows; 0 = nothing to save. */
int	 cachestore_shutdown(struct cachestore *c);
/*
 * mapd calls its netmap cached.  1 = it may be, 0 = no longer wanted, -1 = it was sent none, or there was a live one
 * since.
 */
int	 cachestore_claim(const struct cachestore *c, int synced);

const char *cachestore_trouble(const struct cachestore *c);	/* why it cannot be read or written; NULL: it can */

/* CACHE_LOADED, CACHE_WRITTEN.  0, or -1 = a violation. */
int	 cachestore_loaded(struct cachestore *c, uint32_t id, const struct ipc_cache_done *d);
int	 cachestore_written(struct cachestore *c, uint32_t id, const struct ipc_cache_done *d);

#endif
