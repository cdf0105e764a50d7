/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "cacheplan.h"

void
cacheplan_init(struct cacheplan *pl, uint64_t interval_ms)
{
	memset(pl, 0, sizeof(*pl));
	pl->interval_ms = interval_ms;
}

void
cacheplan_changed(struct cacheplan *pl, uint64_t seq)
{
	if (seq > pl->seq)
		pl->seq = seq;
}

int
cacheplan_unsaved(const struct cacheplan *pl)
{
	return pl->seq > pl->saved;
}

void
cacheplan_flush(struct cacheplan *pl)
{
	pl->flush = cacheplan_unsaved(pl);
}

int64_t
cacheplan_wait(const struct cacheplan *pl, uint64_t now)
{
	if (pl->writing || !cacheplan_unsaved(pl))
		return -1;
	return pl->flush || now >= pl->next_ms ? 0 : (int64_t)(pl->next_ms - now);
}

void
cacheplan_begun(struct cacheplan *pl)
{
	pl->writing = 1;
	pl->flush = 0; /* what changes from here on is unsaved again */
}

static void
over(struct cacheplan *pl, uint64_t next_ms)
{
	pl->writing = 0;
	pl->next_ms = next_ms;
	if (!cacheplan_unsaved(pl))
		pl->flush = 0;
}

static uint64_t
pause_after(const struct cacheplan *pl, uint64_t size)
{
	uint64_t units = size / CACHEPLAN_UNIT;

	return pl->interval_ms * (units > 0 ? units : 1);
}

void
cacheplan_done(struct cacheplan *pl, uint64_t now, uint64_t seq, uint64_t size)
{
	/* mapd may report any number: it cannot keep later changes from being saved. */
	if (seq > pl->seq)
		seq = pl->seq;
	if (seq > pl->saved)
		pl->saved = seq;
	over(pl, now + pause_after(pl, size));
}

void
cacheplan_failed(struct cacheplan *pl, uint64_t now, uint64_t size)
{
	over(pl, now + pause_after(pl, size));
}

void
cacheplan_nothing(struct cacheplan *pl, uint64_t now, uint64_t size)
{
	pl->saved = pl->seq;
	over(pl, now + CACHEPLAN_NOTHING_MS + pl->interval_ms * (size / CACHEPLAN_UNIT));
}

void
cacheplan_lost(struct cacheplan *pl)
{
	pl->seq = pl->saved;
	pl->writing = pl->flush = 0;
}
