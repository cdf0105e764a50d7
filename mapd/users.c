/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>

#include "users.h"

/*
 * Which profiles the netmap shows hangs on the nodes that refer to them (interface.md 5): a peer that comes or goes, or our own node,
 * may change UserProfiles without one being sent.  Looked at are only users of the nodes that change, and of the other peers as many
 * as it takes to find all those users.
 */
struct mention {
	int64_t id;
	int before, after; /* somebody refers to it */
};

struct mentions {
	struct mention *m;
	size_t n, open; /* not yet seen both before and after: what is, no further node can change */
	const struct recset *profiles;
};

static int
by_id(const void *a, const void *b)
{
	const struct mention *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void
add_user(struct mentions *ms, int64_t id)
{
	if (recset_find(ms->profiles, id) != NULL)
		ms->m[ms->n++] = (struct mention){ .id = id };
}

static void
add_node(struct mentions *ms, const struct node *n, const struct dict *d)
{
	if (n == NULL)
		return;
	add_user(ms, n->user);
	if (n->state & NODE_SHARED)
		add_user(ms, node_sharer(n, d));
}

static int
same_users(const struct node *a, const struct dict *da, const struct node *b, const struct dict *db)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->user == b->user && ((a->state ^ b->state) & NODE_SHARED) == 0 &&
	    node_sharer(a, da) == node_sharer(b, db);
}

static void
see_user(struct mentions *ms, int64_t id, int before, int after)
{
	struct mention key = { .id = id }, *m = bsearch(&key, ms->m, ms->n, sizeof(key), by_id);

	if (m == NULL || (m->before && m->after))
		return;
	m->before |= before;
	m->after |= after;
	ms->open -= m->before && m->after;
}

static void
see_node(struct mentions *ms, const struct node *n, const struct dict *d, int before, int after)
{
	if (n == NULL)
		return;
	see_user(ms, n->user, before, after);
	if (n->state & NODE_SHARED)
		see_user(ms, node_sharer(n, d), before, after);
}

static const struct node *
standing(const struct delta *d, size_t i)
{
	return d->p[i].known ? peers_find(d->peers, d->p[i].id) : NULL;
}

/* Users of nodes that change, each once. */
static void
collect(struct mentions *ms, const struct delta *d, const struct node *self[2], const struct dict *names)
{
	const struct dict *dict = d->n == 0 ? NULL : d->peers->dict;
	size_t i, w = 0;

	for (i = 0; i < d->n; i++) {
		if (same_users(standing(d, i), dict, d->p[i].node, dict))
			continue;
		add_node(ms, standing(d, i), dict);
		add_node(ms, d->p[i].node, dict);
	}
	if (!same_users(self[0], names, self[1], names)) {
		add_node(ms, self[0], names);
		add_node(ms, self[1], names);
	}
	if (ms->n < 2)
		return;
	qsort(ms->m, ms->n, sizeof(*ms->m), by_id);
	for (i = 1; i < ms->n; i++)
		if (ms->m[i].id != ms->m[w].id)
			ms->m[++w] = ms->m[i];
	ms->n = w + 1;
}

/* The peers that stay as they are. */
static void
see_others(struct mentions *ms, const struct peers *p, const struct delta *d)
{
	struct recset_iter it = recset_first(p->set);
	const struct node *n;
	size_t i = 0;

	while (ms->open > 0 && (n = peers_next(p, &it, recset_version(p->set))) != NULL) {
		while (i < d->n && d->p[i].id < n->r.id)
			i++;
		if (i < d->n && d->p[i].id == n->r.id)
			continue;
		see_node(ms, n, p->dict, 1, 1);
	}
}

int
users_change(const struct view *old, const struct view *new, const struct delta *d, const struct dict *names)
{
	struct mentions ms = { .profiles = new->profiles };
	const struct node *self[2] = { view_self(old), view_self(new) };
	size_t i;
	int differ = 0;

	if (recset_count(new->profiles) == 0)
		return 0;
	if ((ms.m = malloc((d->n + 1) * 4 * sizeof(*ms.m))) == NULL)
		return -1;
	collect(&ms, d, self, names);
	if ((ms.open = ms.n) > 0) {
		for (i = 0; i < d->n; i++) {
			see_node(&ms, standing(d, i), d->peers->dict, 1, 0);
			see_node(&ms, d->p[i].node, d->peers->dict, 0, 1);
		}
		see_node(&ms, self[0], names, 1, 0);
		see_node(&ms, self[1], names, 0, 1);
		see_others(&ms, new->peers, d);
	}
	for (i = 0; i < ms.n; i++)
		differ |= ms.m[i].before != ms.m[i].after;
	free(ms.m);
	return differ;
}
