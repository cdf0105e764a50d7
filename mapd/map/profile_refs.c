/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>

#include "delta.h"

/*
 * Which profiles the netmap shows hangs on the nodes that refer to them (interface.md 5): a peer that comes or goes, or our own node,
 * may change UserProfiles without one being sent.
 */
struct mention {
	int64_t id;
	int more; /* references afterwards, less those before */
};

struct mentions {
	struct mention *m;
	size_t n;
};

static int
by_id(const void *a, const void *b)
{
	const struct mention *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void
mention(struct mentions *ms, const struct node *n, const struct dict *d, int more)
{
	if (n == NULL)
		return;
	ms->m[ms->n++] = (struct mention){ n->user, more };
	if (n->state & NODE_SHARED)
		ms->m[ms->n++] = (struct mention){ node_sharer(n, d), more };
}

/* Each user once. */
static void
sum_up(struct mentions *ms)
{
	size_t i, w = 0;

	if (ms->n < 2)
		return;
	qsort(ms->m, ms->n, sizeof(*ms->m), by_id);
	for (i = 1; i < ms->n; i++)
		if (ms->m[i].id == ms->m[w].id)
			ms->m[w].more += ms->m[i].more;
		else
			ms->m[++w] = ms->m[i];
	ms->n = w + 1;
}

static void
collect(struct mentions *ms, const struct delta *d, const struct node *self[2], const struct dict *names)
{
	const struct node *was;
	size_t i;

	for (i = 0; i < d->n; i++) {
		was = d->p[i].known ? peers_find(d->peers, d->p[i].id) : NULL;
		if (users_same(was, d->peers->dict, d->p[i].node, d->peers->dict))
			continue;
		mention(ms, was, d->peers->dict, -1);
		mention(ms, d->p[i].node, d->peers->dict, 1);
	}
	if (!users_same(self[0], names, self[1], names)) {
		mention(ms, self[0], names, -1);
		mention(ms, self[1], names, 1);
	}
	sum_up(ms);
}

static int
refs(const struct node *n, const struct dict *d, int64_t id)
{
	return n == NULL ? 0 : (n->user == id) + ((n->state & NODE_SHARED) && node_sharer(n, d) == id);
}

int
profiles_change(const struct view *old, const struct view *new, const struct delta *d, const struct dict *names)
{
	const struct node *self[2] = { view_self(old), view_self(new) };
	struct mentions ms = { 0 };
	int64_t before;
	int differ = 0;
	size_t i;

	if (recset_count(new->profiles) == 0)
		return 0;
	if ((ms.m = malloc((d->n + 1) * 4 * sizeof(*ms.m))) == NULL)
		return -1;
	collect(&ms, d, self, names);
	for (i = 0; i < ms.n && !differ; i++) {
		if (ms.m[i].more == 0 || recset_find(new->profiles, ms.m[i].id) == NULL)
			continue;
		before = (int64_t)users_count(&new->peers->users, new->peers->set, ms.m[i].id) +
		    refs(self[0], names, ms.m[i].id);
		differ = (before > 0) != (before + ms.m[i].more > 0);
	}
	free(ms.m);
	return differ;
}
