/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "reader.h"

/*
 * Who reads an answer has it from one moment's map, which is kept until all is written, also when the server sends whole maps
 * meanwhile.  A map costs as much as the present one, so there is an end to it.
 */

static const struct view *
view_read(const struct client *c)
{
	return c->work == WORK_DUMP ? c->dump.walk.snap.view : c->work == WORK_EXPORT ? c->exp.walk.snap.view : NULL;
}

/* The newest generation older than `than` that somebody reads, and its map; NULL if there is none. */
static const struct view *
next_older(const struct query *q, uint64_t *than)
{
	const struct view *v = NULL;
	const struct client *c;
	uint64_t found = 0;

	TAILQ_FOREACH(c, &q->clients, link)
		if (view_read(c) != NULL && c->generation < *than && (v == NULL || c->generation > found)) {
			found = c->generation;
			v = view_read(c);
		}
	*than = found;
	return v;
}

uint64_t
query_oldest_kept(const struct query *q)
{
	uint64_t than = q->generation > 0 ? q->generation - 1 : 0, kept = than;
	const struct view *v;
	size_t sum = 0, n;

	for (; (v = next_older(q, &than)) != NULL; kept = than) {
		n = view_bytes(v);
		if (n > q->old_maps - sum)
			break;
		sum += n;
	}
	return kept;
}
