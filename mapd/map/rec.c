/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "recset.h"

/* Records that are in no set yet. */

struct rec *
rec_tomb(int64_t id)
{
	struct rec *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->id = id;
		r->size = sizeof(*r);
	}
	return r;
}

struct order {
	int64_t id;
	size_t i;
};

static int
by_id(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->i < y->i ? -1 : 1;
}

long
recs_sort(struct rec **recs, size_t n)
{
	struct order *o;
	struct rec **sorted;
	size_t i, w = 0;

	for (i = 1; i < n && recs[i - 1]->id < recs[i]->id; i++)
		;
	if (i >= n)
		return (long)n;
	o = malloc(n * sizeof(*o));
	sorted = malloc(n * sizeof(*sorted));
	if (o == NULL || sorted == NULL) {
		free(o);
		free(sorted);
		return -1;
	}
	for (i = 0; i < n; i++)
		o[i] = (struct order){ recs[i]->id, i };
	qsort(o, n, sizeof(*o), by_id);
	for (i = 0; i < n; i++) {
		if (i + 1 < n && o[i].id == o[i + 1].id)
			free(recs[o[i].i]);
		else
			sorted[w++] = recs[o[i].i];
	}
	memcpy(recs, sorted, w * sizeof(*recs));
	free(o);
	free(sorted);
	return (long)w;
}
