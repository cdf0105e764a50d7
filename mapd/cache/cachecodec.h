/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CACHECODEC_H
#define CACHECODEC_H

#include "ipc.h"
#include "msgs.h"
#include "netmap.h"

struct cache;
struct event_base;

/*
 * The netmap cache on mapd's side: reads and writes what the parent has opened (CACHE_LOAD, CACHE_WRITE), a piece in
 * each turn of the event loop, so that the map stream, its deltas and the readers are served meanwhile.
 */
struct cache_context {
	struct event_base *base;
	struct ipc	*ipc;		/* to the parent */
	struct netmap	*netmap;
	void		(*changed)(void *arg, const struct netmap_change *ch);	/* a map was restored */
	void		*arg;
};
struct cache *cache_new(const struct cache_context *ctx);
void	 cache_free(struct cache *c);

/*
 * fd is closed in every case.  0, or -1: protocol violation by the parent.  max_decoded: bytes of the map,
 * decompressed.
 */
int	 cache_load(struct cache *c, uint32_t id, const struct ipc_cache_load *m, int fd, uint64_t max_decoded);
int	 cache_write(struct cache *c, uint32_t id, const struct ipc_cache_write *m, int fd);
/* Cancel reading and writing, and report both. */
void	 cache_cancel(struct cache *c);
/* The netmap changed: a cache that is being read is cancelled, one that is being written may be too old. */
void	 cache_changed(struct cache *c, const struct netmap_change *ch);

#endif
