/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef BLAKE2S_H
#define BLAKE2S_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE2S_LEN   32	/* of a hash */
#define BLAKE2S_BLOCK 64

/*
 * BLAKE2s-256 without a key (RFC 7693), which libsodium lacks: what Noise hashes with (protocol.md C.3).  The
 * time does not depend on the contents.  A state holds parts of what was hashed: the caller keeps it in memory
 * for secrets and wipes it.
 */
struct blake2s {
	uint32_t h[8];
	uint64_t count;			/* bytes hashed so far, without those in block */
	size_t	 fill;			/* bytes in block, at most BLAKE2S_BLOCK */
	uint8_t	 block[BLAKE2S_BLOCK];
};

void	 blake2s_start(struct blake2s *s);
void	 blake2s_add(struct blake2s *s, const void *p, size_t n);	/* p may be NULL when n is 0 */
void	 blake2s_end(struct blake2s *s, uint8_t out[BLAKE2S_LEN]);	/* s must then be started again */

#endif
