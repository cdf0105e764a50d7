/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CACHESTORE_H
#define CACHESTORE_H

#include "parent.h"

/*
 * `netmap-cache` (interface.md 2): the last netmap on disk, shown as `cached` until the server has sent one.  The file, its name and
 * when it is read and written are the parent's business, the contents mapd's (ipc/msgs.h).  There is one as long as the keyword says
 * yes, we have a node key and nobody has logged out; it goes with the node key, with the login, with the keyword, and when the
 * mapd that wrote it turns out to be one that crashes or breaks rules.
 */
struct cache *cache_new(struct parent *p);	/* NULL: out of memory */
void	 cache_free(struct cache *c);

/* Configuration, login, node key, pause or netmap may have changed: remove, load, write what is to be. */
void	 cache_update(struct parent *p);
void	 cache_mapd_ready(struct parent *p);
void	 cache_mapd_gone(struct parent *p, int crashed);
/* Logout: 0 = no cache on disk any more, -1 with a reason. */
int	 cache_erase(struct parent *p, char *err, size_t errsize);
/* The daemon ends.  1 = something is saved before, and supervise_stop_all() follows by itself; 0 = nothing to save. */
int	 cache_shutdown(struct parent *p);
/* mapd calls its netmap cached.  1 = so it may be, 0 = not wanted any more, -1 = it was never given one. */
int	 cache_claim(const struct parent *p);

/* Handlers of CACHE_LOADED, CACHE_WRITTEN. */
int	 cache_on_loaded(void *arg, const struct ipc_msg *m);
int	 cache_on_written(void *arg, const struct ipc_msg *m);

#endif
