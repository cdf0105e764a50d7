/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPFRAME_H
#define MAPFRAME_H

#include <stddef.h>
#include <stdint.h>

/*
 * The frames of a map stream (protocol.md E.3, rows MAP-02 and MAP-09, security.md D15): LE32 length, then zstd or
 * plain JSON.  The decoded text is handed on in pieces as it appears; a frame is never held whole.  No I/O.
 *
 * zstd: any number of frames and skippable frames, with or without content size; checksums are verified; no
 * dictionaries; a window of at most 32 MiB.  A single-segment frame larger than that (its window would be its whole
 * content, which is how the Go servers write) is decoded within a window of 32 MiB, more than its encoder ever looks
 * back.
 */
#define MAPFRAME_WINDOW_LOG	25
#define MAPFRAME_RATIO_MAX	512		/* decoded : wire, of what is decoded ... */
#define MAPFRAME_RATIO_FREE	(1u << 20)	/* ... past this: one long text (FLD-15) is no bomb */

struct mapframe_config {
	uint64_t	 max_wire, max_decoded;	/* bytes of one frame */
	int		 zstd;			/* 0: bodies are plain */
};

struct mapframe_ops {		/* each returns 0, or -1: stop.  They must not call mapframe functions. */
	int	(*begin)(void *arg, uint32_t wire_len);			/* before the first byte of the body */
	int	(*data)(void *arg, const uint8_t *p, size_t n);
	int	(*end)(void *arg);
};

struct mapframe;

struct mapframe *mapframe_new(const struct mapframe_config *cfg, const struct mapframe_ops *ops, void *arg);
void	 mapframe_free(struct mapframe *m);
/* 0, or -1: the stream is unusable from now on, see mapframe_error(). */
int	 mapframe_feed(struct mapframe *m, const uint8_t *p, size_t n);
/*
 * The same, but stops behind the end of a frame (a reader may have to sleep there): 1 = one has ended; *used of n were
 * used.
 */
int	 mapframe_feed_one(struct mapframe *m, const uint8_t *p, size_t n, size_t *used);
int	 mapframe_eof(struct mapframe *m);		/* the stream ended: -1 if inside a frame */
int	 mapframe_inside(const struct mapframe *m);	/* a frame has begun and not ended */
int	 mapframe_over_limit(const struct mapframe *m);	/* the error is that a limit of D15 was passed */
const char *mapframe_error(const struct mapframe *m);	/* one line; "" while all is well */

#endif
