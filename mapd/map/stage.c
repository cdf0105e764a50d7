/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "vec.h"

int
nodelist_add(struct nodelist *l, struct node *n)
{
	if (n == NULL)
		return -1;
	if (vec_grow(&l->n, &l->cap, l->len + 1, sizeof(*l->n)) == -1) {
		free(n);
		return -1;
	}
	l->n[l->len++] = n;
	return 0;
}

void
nodelist_clear(struct nodelist *l)
{
	size_t i;

	for (i = 0; i < l->len; i++)
		free(l->n[i]);
	free(l->n);
	memset(l, 0, sizeof(*l));
}

void
stage_clear(struct stage *st)
{
	unsigned i;

	for (i = 0; i < NF_COUNT; i++)
		blob_unref(st->field[i]);
	blob_unref(st->base_rules);
	blob_unref(st->chunks);
	blob_unref(st->display);
	nodelist_clear(&st->peers);
	nodelist_clear(&st->changed);
	nodelist_clear(&st->patches);
	nodelist_clear(&st->profiles);
	peers_unref(st->peers_new);
	peers_unref(st->target);
	free(st->removed);
	free(st->seen);
	free(st->online);
	memset(st, 0, sizeof(*st));
}
