/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "backoff.h"

#define STEP_MS 10
#define AT_CAP  55 /* 55 squared times 10 ms is past the cap */

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
