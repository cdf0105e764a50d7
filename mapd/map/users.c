/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "users.h"

#define USERS_FIRST 8

void
users_free(struct users *u)
{
	free(u->e);
	memset(u, 0, sizeof(*u));
}

size_t
users_bytes(const struct users *u)
{
	return u->size * sizeof(*u->e);
}

/* Its place, or the free one where it would be. */
static struct user_refs *
place(const struct users *u, const struct recset *set, int64_t id)
{
	size_t i = recset_hash(set, id);

	while (u->e[i & (u->size - 1)].taken && u->e[i & (u->size - 1)].id != id)
		i++;
	return &u->e[i & (u->size - 1)];
}

/* At most four fifths are taken. */
static int
grow(struct users *u, const struct recset *set)
{
	struct users next = { .size = u->size ? u->size * 2 : USERS_FIRST, .n = u->n };
	size_t i;

	if (u->n < u->size / 5 * 4)
		return 0;
	if ((next.e = calloc(next.size, sizeof(*next.e))) == NULL)
		return -1;
	for (i = 0; i < u->size; i++)
		if (u->e[i].taken)
			*place(&next, set, u->e[i].id) = u->e[i];
	free(u->e);
	*u = next;
	return 0;
}

static struct user_refs *
add(struct users *u, const struct recset *set, int64_t id)
{
	struct user_refs *r = place(u, set, id);

	if (!r->taken) {
		*r = (struct user_refs){ .id = id, .taken = 1 };
		u->n++;
	}
	return r;
}

static int
reserve_one(struct users *u, const struct recset *set, int64_t id)
{
	if (u->size != 0 && place(u, set, id)->taken)
		return 0;
	if (grow(u, set) == -1)
		return -1;
	(void)add(u, set, id); /* nobody refers to it yet */
	return 0;
}

/* Users that were pushed past the gap move back into it. */
static void
drop(struct users *u, const struct recset *set, struct user_refs *r)
{
	size_t mask = u->size - 1, gap = (size_t)(r - u->e), i, home;

	for (i = (gap + 1) & mask; u->e[i].taken; i = (i + 1) & mask) {
		home = recset_hash(set, u->e[i].id) & mask;
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			u->e[gap] = u->e[i];
			gap = i;
		}
	}
	u->e[gap].taken = 0;
	u->n--;
}

static void
remove_one(struct users *u, const struct recset *set, int64_t id)
{
	struct user_refs *r = place(u, set, id);

	if (--r->refs == 0)
		drop(u, set, r);
}

int
users_reserve(struct users *u, const struct recset *set, const struct node *n, const struct dict *d)
{
	if (reserve_one(u, set, n->user) == -1)
		return -1;
	return n->state & NODE_SHARED ? reserve_one(u, set, node_sharer(n, d)) : 0;
}

void
users_in(struct users *u, const struct recset *set, const struct node *n, const struct dict *d)
{
	add(u, set, n->user)->refs++;
	if (n->state & NODE_SHARED)
		add(u, set, node_sharer(n, d))->refs++;
}

void
users_out(struct users *u, const struct recset *set, const struct node *n, const struct dict *d)
{
	remove_one(u, set, n->user);
	if (n->state & NODE_SHARED)
		remove_one(u, set, node_sharer(n, d));
}

uint32_t
users_count(const struct users *u, const struct recset *set, int64_t id)
{
	const struct user_refs *r = u->size == 0 ? NULL : place(u, set, id);

	return r == NULL || !r->taken ? 0 : r->refs;
}

int
users_same(const struct node *a, const struct dict *da, const struct node *b, const struct dict *db)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->user == b->user && ((a->state ^ b->state) & NODE_SHARED) == 0 &&
	    (!(a->state & NODE_SHARED) || node_sharer(a, da) == node_sharer(b, db));
}
