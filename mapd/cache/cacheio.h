/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CACHEIO_H
#define CACHEIO_H

#include "ingest.h"
#include "msgs.h"

/*
 * The file of the netmap cache (interface.md 2, `netmap-cache`).  It is written and read in one pass, without
 * seeking, so the length and checksum are at its end.  Integers are little-endian: the file does not depend on build
 * or machine.
 *
 *	head	"tailnetd-netmap" NUL, u32 format (1), u32 length of the head,
 *		i64 + u32 + u32(0) when the map was received (Unix seconds, nanoseconds),
 *		32 bytes each: profile (hash of the control URL), node key, machine key
 *	body	zstd: one MapResponse (mapresp.h), read again by ingest.h
 *	tail	u64 length of the body, BLAKE2b-256 of everything before it
 */
#define CACHE_FORMAT	1
#define CACHE_HEAD	136
#define CACHE_TAIL	40

struct cache_owner {			/* of the map; another profile or node is refused */
	uint8_t		 profile[IPC_PROFILE_LEN];
	struct pubkey	 node_key, machine_key;
};

/* --- writing --- */
struct cachewriter;
/* Closes fd at the end; writes at most max bytes. */
struct cachewriter *cachewriter_new(int fd, const struct cache_owner *owner, struct wtime received, uint64_t max);
/* Text of the body.  0, or -1: see cachewriter_result(). */
int	 cachewriter_put(struct cachewriter *w, const void *p, size_t n);
int	 cachewriter_end(struct cachewriter *w);
uint64_t cachewriter_size(const struct cachewriter *w);		/* of the file so far */
enum ipc_cache_result cachewriter_result(const struct cachewriter *w, const char **why);
void	 cachewriter_free(struct cachewriter *w);

/* --- reading: bytes are pushed, the message is staged in an ingest --- */
struct cachereader;
/* size: of the whole file. */
struct cachereader *cachereader_new(struct ingest *g, const struct cache_owner *owner, uint64_t size,
	    uint64_t max_decoded);
/* 0 = go on, 1 = whole, checked and staged: ingest_restore(), -1 = not to be used, see cachereader_result().  n > 0. */
int	 cachereader_feed(struct cachereader *r, const uint8_t *p, size_t n);
struct wtime cachereader_received(const struct cachereader *r);
enum ipc_cache_result cachereader_result(const struct cachereader *r, const char **why);
void	 cachereader_free(struct cachereader *r);

#endif
