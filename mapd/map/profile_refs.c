/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "delta.h"
#include "mem.h"
#include "nodeview.h"
#include "profile_refs.h"
#include "view.h"

#define FIRST_SIZE 8

void
profile_refs_free(struct profile_refs *u)
{
	free(u->e);
	memset(u, 0, sizeof(*u));
}

size_t
profile_refs_bytes(const struct profile_refs *u)
{
	return u->size * sizeof(*u->e);
}

/* Its place, or the free one where it would be. */
static struct user_refs *
place(const struct profile_refs *u, const struct recset *set, int64_t id)
{
	size_t i = recset_hash(set, id);

	while (u->e[i & (u->size - 1)].refs > 0 && u->e[i & (u->size - 1)].id != id)
		i++;
	return &u->e[i & (u->size - 1)];
}

/* Room for one more: at most four fifths are in use. */
static void
grow(struct profile_refs *u, const struct recset *set)
{
	struct profile_refs next = { .size = u->size ? u->size * 2 : FIRST_SIZE, .n = u->n };
	size_t i;

	if (u->n < u->size / 5 * 4)
		return;
	next.e = xcalloc(next.size, sizeof(*next.e));
	for (i = 0; i < u->size; i++)
		if (u->e[i].refs > 0)
			*place(&next, set, u->e[i].id) = u->e[i];
	free(u->e);
	*u = next;
}

static void
add_one(struct profile_refs *u, const struct recset *set, int64_t id)
{
	struct user_refs *r = u->size > 0 ? place(u, set, id) : NULL;

	if (r == NULL || r->refs == 0) {
		grow(u, set);
		r = place(u, set, id);
		r->id = id;
		u->n++;
	}
	r->refs++;
}

/* Users that were pushed past the gap move back into it. */
static void
drop(struct profile_refs *u, const struct recset *set, struct user_refs *r)
{
	size_t mask = u->size - 1, gap = (size_t)(r - u->e), i, home;

	for (i = (gap + 1) & mask; u->e[i].refs > 0; i = (i + 1) & mask) {
		home = recset_hash(set, u->e[i].id) & mask;
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			u->e[gap] = u->e[i];
			gap = i;
		}
	}
	u->e[gap].refs = 0;
	u->n--;
}

static void
remove_one(struct profile_refs *u, const struct recset *set, int64_t id)
{
	struct user_refs *r = place(u, set, id);

	if (--r->refs == 0)
		drop(u, set, r);
}

void
profile_refs_add(struct profile_refs *u, const struct recset *set, const struct node *n, const struct dict *d)
{
	add_one(u, set, n->user);
	if (n->state & NODE_SHARED)
		add_one(u, set, node_sharer(n, d));
}

void
profile_refs_remove(struct profile_refs *u, const struct recset *set, const struct node *n, const struct dict *d)
{
	remove_one(u, set, n->user);
	if (n->state & NODE_SHARED)
		remove_one(u, set, node_sharer(n, d));
}

uint32_t
profile_refs_count(const struct profile_refs *u, const struct recset *set, int64_t id)
{
	return u->size == 0 ? 0 : place(u, set, id)->refs;
}

int
profile_refs_same(const struct node *a, const struct dict *da, const struct node *b, const struct dict *db)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->user == b->user && ((a->state ^ b->state) & NODE_SHARED) == 0 &&
	    (!(a->state & NODE_SHARED) || node_sharer(a, da) == node_sharer(b, db));
}

/* --- a change of the nodes may change which profiles are written, without one being sent --- */

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
		if (profile_refs_same(was, d->peers->dict, d->p[i].node, d->peers->dict))
			continue;
		mention(ms, was, d->peers->dict, -1);
		mention(ms, d->p[i].node, d->peers->dict, 1);
	}
	if (!profile_refs_same(self[0], names, self[1], names)) {
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
profile_refs_change(const struct view *old, const struct view *new, const struct delta *d, const struct dict *names)
{
	const struct node *self[2] = { view_self(old), view_self(new) };
	struct mentions ms = { 0 };
	int64_t before;
	int differ = 0;
	size_t i;

	if (recset_count(new->profiles) == 0)
		return 0;
	ms.m = xreallocarray(NULL, d->n + 1, 4 * sizeof(*ms.m));
	collect(&ms, d, self, names);
	for (i = 0; i < ms.n && !differ; i++) {
		if (ms.m[i].more == 0 || recset_find(new->profiles, ms.m[i].id) == NULL)
			continue;
		before = (int64_t)profile_refs_count(&new->peers->profile_refs, new->peers->set, ms.m[i].id) +
		    refs(self[0], names, ms.m[i].id);
		differ = (before > 0) != (before + ms.m[i].more > 0);
	}
	free(ms.m);
	return differ;
}
