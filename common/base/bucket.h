/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdint.h>

/*
 * A bucket of tokens: `rate` a second, at most `burst` at once.  Starts full.  Pure: the caller passes the monotonic
 * time.
 */
struct bucket { uint32_t rate, burst; uint64_t milli, at_ms; };

static inline void
bucket_init(struct bucket *b, uint32_t rate, uint32_t burst, uint64_t now_ms)
{
	*b = (struct bucket){ rate, burst, (uint64_t)burst * 1000, now_ms };
}

/* 1 = taken, 0 = none there. */
static inline int
bucket_take(struct bucket *b, uint64_t now_ms)
{
	b->milli += (now_ms - b->at_ms) * b->rate;
	b->at_ms = now_ms;
	if (b->milli > (uint64_t)b->burst * 1000)
		b->milli = (uint64_t)b->burst * 1000;
	if (b->milli < 1000)
		return 0;
	b->milli -= 1000;
	return 1;
}

/* Milliseconds from the last bucket_take() until a token is available; 0 = now. */
static inline uint64_t
bucket_wait_ms(const struct bucket *b)
{
	return b->milli >= 1000 || b->rate == 0 ? 0 : (1000 - b->milli + b->rate - 1) / b->rate;
}

#endif
