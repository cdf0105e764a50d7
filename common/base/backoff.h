/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdint.h>

/*
 * How long to wait after failures in a row.  A count of 0 is the start; rnd is any random number.
 *
 * What is asked of a server (protocol.md H.1, BACK-01): n squared times 10 ms, at most 30 s, times a random 0.5 to 1.5.
 */
#define BACKOFF_CAP_MS 30000

struct backoff { unsigned n; };

/* One more failure: milliseconds to wait. */
unsigned backoff_next(struct backoff *b, uint32_t rnd);
/*
 * The start of a child that ended (security.md D8): min_ms, doubled with each failure up to max_ms, times a random 0.75
 * to 1.25.  This failure counts as `steps` for the pauses after this one.  min_ms is less than 4096.
 */
unsigned backoff_double(struct backoff *b, unsigned min_ms, unsigned max_ms, unsigned steps, uint32_t rnd);
static inline void backoff_reset(struct backoff *b) { b->n = 0; }

#endif
