/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdint.h>

/* The backoff of everything that is asked of a server (protocol.md H.1, BACK-01): n squared times 10 ms, at most 30 s, times a random 0.5 to 1.5. */
#define BACKOFF_CAP_MS 30000

struct backoff { unsigned n; };

/* One more failure: milliseconds to wait.  rnd is any random number. */
unsigned backoff_next(struct backoff *b, uint32_t rnd);
static inline void backoff_reset(struct backoff *b) { b->n = 0; }

#endif
