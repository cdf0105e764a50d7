/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>

#include "textset.h"
#include "vec.h"

int
textset_has(const struct textset *ts, const struct dict *d, const uint8_t *s, size_t n)
{
	uint32_t h = (uint32_t)dict_hash(d, s, n), i = h, at;
	size_t from;

	while ((at = hash_next(&ts->hash, &i, h)) != HASH_NONE) {
		from = at == 0 ? 0 : ts->end[at - 1];
		if (pv_equal((struct pv){ ts->text.p + from, ts->end[at] - from }, (struct pv){ s, n }))
			return 1;
	}
	return 0;
}

int
textset_add(struct textset *ts, const struct dict *d, const uint8_t *s, size_t n)
{
	if (textset_has(ts, d, s, n))
		return 0;
	pb_put(&ts->text, s, n);
	vec_grow(&ts->end, &ts->cap, ts->n + 1, sizeof(*ts->end));
	ts->end[ts->n] = ts->text.n;
	hash_insert(&ts->hash, (uint32_t)dict_hash(d, s, n), (uint32_t)ts->n++);
	return 1;
}

void
textset_free(struct textset *ts)
{
	pb_free(&ts->text);
	free(ts->end);
	hash_free(&ts->hash);
}
