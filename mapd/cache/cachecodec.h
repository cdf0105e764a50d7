/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CACHECODEC_H
#define CACHECODEC_H

#include "mapd.h"

/*
 * The netmap cache on mapd's side: reads and writes what the parent has opened (CACHE_LOAD, CACHE_WRITE), a little in each turn of
 * the event loop, so that the map stream, its deltas and the readers go on meanwhile.
 */
struct cache *cache_new(struct mapd *m);	/* NULL: out of memory */
void	 cache_free(struct cache *c);

/* fd is taken over.  0, or -1: the parent broke a rule. */
int	 cache_load(struct cache *c, uint32_t id, const struct ipc_cache_load *m, int fd);
int	 cache_write(struct cache *c, uint32_t id, const struct ipc_cache_write *m, int fd);
/* End what is under way and say so. */
void	 cache_break_off(struct cache *c);
/* The netmap changed: what is being read may be overtaken, what is being written too old. */
void	 cache_changed(struct cache *c, const struct netmap_change *ch);

#endif
