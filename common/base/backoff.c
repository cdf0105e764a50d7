/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "backoff.h"

#define STEP_MS  10
#define AT_CAP   55 /* 55 squared times 10 ms is past the cap */
#define AT_LIMIT 20 /* 1 ms doubled 20 times is past every limit in use */

unsigned
backoff_next(struct backoff *b, uint32_t rnd)
{
	unsigned d;

	if (b->n < AT_CAP)
		b->n++;
	d = b->n * b->n * STEP_MS;
	if (d > BACKOFF_CAP_MS)
		d = BACKOFF_CAP_MS;
	return d / 2 + rnd % (d + 1);
}

unsigned
backoff_double(struct backoff *b, unsigned min_ms, unsigned max_ms, unsigned steps, uint32_t rnd)
{
	unsigned d = b->n < AT_LIMIT && min_ms << b->n < max_ms ? min_ms << b->n : max_ms;

	if (b->n < AT_LIMIT)
		b->n += steps;
	return d - d / 4 + rnd % (d / 2 + 1);
}
