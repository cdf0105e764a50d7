/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "delta.h"
#include "expiry.h"
#include "mem.h"
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
	vec_grow(&d->p, &d->cap, d->n + 1, sizeof(*d->p));
	p = &d->p[d->n];
	*p = (struct pending){ .id = id, .known = peers_find(d->peers, id) != NULL };
	hash_insert(&d->byid, recset_hash(d->peers->set, id), (uint32_t)d->n++);
	return p;
}

void
delta_set(struct delta *d, struct node *n)
{
	struct pending *p = find_or_add(d, n->r.id);

	free(p->node);
	p->node = n;
}

/* The node as it is after the steps so far, NULL if there is none. */
static const struct node *
current(const struct delta *d, int64_t id)
{
	const struct pending *p = find(d, id);

	return p != NULL ? p->node : peers_find(d->peers, id);
}

/* A private copy of a current node; NULL if the id is unknown (steps 3 to 5 of E.6 skip those). */
static struct node *
current_copy(struct delta *d, int64_t id)
{
	const struct node *cur = current(d, id);
	const struct pending *p = find(d, id);
	struct node *n;

	if (cur == NULL || p != NULL)
		return cur == NULL ? NULL : p->node;
	n = node_copy(cur);
	delta_set(d, n);
	return n;
}

struct patch_key {
	int64_t id;
	size_t i; /* in the message: patches of one node apply in its order */
};

static int
by_id_and_order(const void *a, const void *b)
{
	const struct patch_key *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

/*
 * All patches of a node at once: it is copied once, so that a message costs its own size and that of the nodes it
 * names, and not, as with a copy for each patch, their product.
 */
static void
apply_patches(struct delta *d, const struct update *u)
{
	size_t n = u->patches.len, i, from;
	const struct node *cur, **patch;
	struct patch_key *k;

	if (n == 0)
		return;
	k = xreallocarray(NULL, n, sizeof(*k));
	patch = xreallocarray(NULL, n, sizeof(*patch));
	for (i = 0; i < n; i++)
		k[i] = (struct patch_key){ u->patches.r[i]->id, i };
	qsort(k, n, sizeof(*k), by_id_and_order);
	for (i = 0; i < n; i++)
		patch[i] = (const struct node *)u->patches.r[k[i].i];
	for (from = 0; from < n; from = i) {
		for (i = from + 1; i < n && k[i].id == k[from].id; i++)
			;
		if ((cur = current(d, k[from].id)) != NULL)
			delta_set(d, node_patched(cur, patch + from, i - from));
	}
	free(patch);
	free(k);
}

void
delta_collect(struct delta *d, struct peers *peers, struct update *u, struct wtime now)
{
	struct node *n;
	size_t i;

	memset(d, 0, sizeof(*d));
	d->peers = peers;
	for (i = 0; i < u->nremoved; i++)
		if (peers_find(peers, u->removed[i]) != NULL)
			(void)find_or_add(d, u->removed[i]);
	for (i = 0; i < u->changed.len; i++) {
		n = (struct node *)u->changed.r[i];
		u->changed.r[i] = NULL;
		delta_set(d, n);
	}
	for (i = 0; i < u->nseen; i++) {
		n = current_copy(d, u->seen[i].id);
		if (n != NULL && u->seen[i].on)
			node_set_seen(n, now);
		else if (n != NULL)
			node_clear_seen(n);
	}
	for (i = 0; i < u->nonline; i++)
		if ((n = current_copy(d, u->online[i].id)) != NULL)
			node_set_online(n, u->online[i].on);
	apply_patches(d, u);
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

void
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
		d->adds += p->node != NULL && cur == NULL;
		d->changes += p->node != NULL;
		d->removals += p->node == NULL;
		d->addrs += p->node == NULL ? 0 : peers_indexed(p->node);
		d->p[w++] = *p;
	}
	d->n = w;
	if (d->n > 1)
		qsort(d->p, d->n, sizeof(*d->p), by_id);
}

int
delta_fits(const struct delta *d)
{
	return peers_fit(d->peers, d->changes, d->addrs);
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
			peers_del(d->peers, d->p[i].id);
		d->p[i].node = NULL;
	}
}

void
delta_free(struct delta *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		free(d->p[i].node);
	free(d->p);
	hash_free(&d->byid);
	memset(d, 0, sizeof(*d));
}
