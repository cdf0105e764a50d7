/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ZFRAME_H
#define ZFRAME_H

#include <stddef.h>
#include <stdint.h>

/* The header of a zstd frame (RFC 8878 3.1.1), read before the library sees it. */
#define ZFRAME_HDR_MAX	18
#define ZFRAME_UNKNOWN	UINT64_MAX

struct zframe {
	int		 skippable;
	uint64_t	 content;	/* size of the content or of the skippable part; ZFRAME_UNKNOWN */
	uint64_t	 window;
	uint32_t	 dict;
	size_t		 hdr_len;
};

/* Bytes of the header known to be needed after the first n (4 at least); == n: it is whole.  0: not zstd. */
size_t	 zframe_need(const uint8_t *p, size_t n);
void	 zframe_parse(const uint8_t *p, struct zframe *z);		/* p: a whole header */
/*
 * Rewrites a single-segment header to one with a window of 1 << log, everything else kept; returns its length, at most
 * ZFRAME_HDR_MAX.
 */
size_t	 zframe_set_window(uint8_t p[ZFRAME_HDR_MAX], unsigned log);

#endif
