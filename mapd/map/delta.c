/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "delta.h"
#include "expiry.h"
#include "vec.h"

static struct pending *
find(const struct delta *d, int64_t id)
{
	uint32_t h = recset_hash(d->peers->set, id), i = h, s;

	while ((s = hash_next(&d->byid, &i, h)) != HASH_NONE)
		if (d->p[s].id == id)
			return &d->p[s];
	return NULL;
}

static struct pending *
find_or_add(struct delta *d, int64_t id)
{
	struct pending *p = find(d, id);

	if (p != NULL)
		return p;
	if (vec_grow(&d->p, &d->cap, d->n + 1, sizeof(*d->p)) == -1)
		return NULL;
	if (hash_reserve(&d->byid, d->n + 1) == -1)
		return NULL;
	p = &d->p[d->n];
	*p = (struct pending){ .id = id, .known = peers_find(d->peers, id) != NULL };
	hash_insert(&d->byid, recset_hash(d->peers->set, id), (uint32_t)d->n++);
	return p;
}

int
delta_set(struct delta *d, struct node *n)
{
	struct pending *p;

	if (n == NULL || (p = find_or_add(d, n->r.id)) == NULL) {
		free(n);
		return -1;
	}
	free(p->node);
	p->node = n;
	return 0;
}

/* The node as it stands after the steps so far, NULL if there is none. */
static const struct node *
standing(const struct delta *d, int64_t id)
{
	const struct pending *p = find(d, id);

	return p != NULL ? p->node : peers_find(d->peers, id);
}

/* A private copy of a standing node; *n = NULL if the id is unknown (steps 3 to 5 of E.6 skip those). */
static int
own(struct delta *d, int64_t id, struct node **n)
{
	const struct node *cur = standing(d, id);
	const struct pending *p = find(d, id);

	*n = NULL;
	if (cur == NULL)
		return 0;
	if (p != NULL) {
		*n = p->node;
		return 0;
	}
	if ((*n = node_copy(cur)) == NULL)
		return -1;
	return delta_set(d, *n);
}

static int
apply_patch(struct delta *d, const struct node *patch)
{
	const struct node *cur = standing(d, patch->r.id);

	return cur == NULL ? 0 : delta_set(d, node_patched(cur, patch));
}

int
delta_collect(struct delta *d, struct peers *peers, struct update *u, struct wtime now)
{
	struct pending *p;
	struct node *n;
	size_t i;

	memset(d, 0, sizeof(*d));
	d->peers = peers;
	for (i = 0; i < u->nremoved; i++)
		if (peers_find(peers, u->removed[i]) != NULL) {
			if ((p = find_or_add(d, u->removed[i])) == NULL)
				return -1;
		}
	for (i = 0; i < u->changed.len; i++) {
		n = (struct node *)u->changed.r[i];
		u->changed.r[i] = NULL;
		if (delta_set(d, n) == -1)
			return -1;
	}
	for (i = 0; i < u->nseen; i++) {
		if (own(d, u->seen[i].id, &n) == -1)
			return -1;
		if (n != NULL && u->seen[i].on)
			node_set_seen(n, now);
		else if (n != NULL)
			node_clear_seen(n);
	}
	for (i = 0; i < u->nonline; i++) {
		if (own(d, u->online[i].id, &n) == -1)
			return -1;
		if (n != NULL)
			node_set_online(n, u->online[i].on);
	}
	for (i = 0; i < u->patches.len; i++)
		if (apply_patch(d, (struct node *)u->patches.r[i]) == -1)
			return -1;
	return 0;
}

static void
mark(struct node *n, int64_t now)
{
	if (node_key_expired(n, now))
		n->state |= NODE_EXPIRED_BY_CLOCK;
	else
		n->state = (uint16_t)(n->state & ~NODE_EXPIRED_BY_CLOCK);
}

static int
by_id(const void *a, const void *b)
{
	const struct pending *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int
delta_ready(struct delta *d, int64_t now)
{
	size_t i, w = 0;

	hash_free(&d->byid); /* the order changes now */
	for (i = 0; i < d->n; i++) {
		struct pending *p = &d->p[i];
		const struct node *cur = p->known ? peers_find(d->peers, p->id) : NULL;

		if (p->node != NULL)
			mark(p->node, now);
		if (p->node != NULL && cur != NULL && node_same(p->node, cur)) {
			free(p->node);
			continue;
		}
		if (p->node == NULL && (p->tomb = rec_tomb(p->id)) == NULL) {
			memmove(&d->p[w], p, (d->n - i) * sizeof(*p));
			d->n = w + (d->n - i);
			return -1;
		}
		d->adds += p->node != NULL && cur == NULL;
		d->changes += p->node != NULL;
		d->removals += p->node == NULL;
		d->p[w++] = *p;
	}
	d->n = w;
	if (d->n > 1)
		qsort(d->p, d->n, sizeof(*d->p), by_id);
	if (d->n == 0)
		return 0;
	if ((d->nodes = malloc(d->n * sizeof(*d->nodes))) == NULL)
		return -1;
	for (i = 0; i < d->n; i++)
		if (d->p[i].node != NULL)
			d->nodes[d->nnodes++] = d->p[i].node;
	return peers_reserve(d->peers, d->nodes, d->nnodes, d->adds, d->removals);
}

void
delta_commit(struct delta *d)
{
	size_t i;

	if (d->n == 0)
		return;
	recset_begin(d->peers->set);
	for (i = 0; i < d->n; i++) {
		if (d->p[i].node != NULL)
			peers_put(d->peers, d->p[i].node);
		else
			peers_del(d->peers, d->p[i].tomb);
		d->p[i].node = NULL;
		d->p[i].tomb = NULL;
	}
}

void
delta_free(struct delta *d)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		free(d->p[i].node);
		free(d->p[i].tomb);
	}
	free(d->p);
	free(d->nodes);
	hash_free(&d->byid);
	memset(d, 0, sizeof(*d));
}
