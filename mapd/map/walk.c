/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "pack.h"
#include "walk.h"

#define ALL_DONE (NF_COUNT + 1)

int
walk_begin(struct walk *w, struct netmap *nm)
{
	memset(w, 0, sizeof(*w));
	w->nm = nm;
	w->part = NF_Node;
	return snapshot_take(nm->cur, &w->snap);
}

void
walk_end(struct walk *w)
{
	snapshot_release(&w->snap);
	w->part = ALL_DONE;
}

void
walk_resume(struct walk *w)
{
	w->seek = 1;
}

int
walk_done(const struct walk *w)
{
	return w->part == ALL_DONE;
}

void
walk_repeat(struct walk *w, enum netmap_field f)
{
	w->part = f;
	w->inside = 0;
}

void
walk_peers(struct walk *w)
{
	w->part = WALK_PEERS;
	w->peers_only = 1;
	w->inside = 0;
}

void
walk_peers_after(struct walk *w, int64_t id)
{
	walk_peers(w);
	w->inside = w->begun = w->seek = 1;
	w->last = id;
}

void
walk_skip_chunk(struct walk *w)
{
	w->index++;
	w->rule = NULL;
}

static void
next_part(struct walk *w)
{
	w->inside = 0;
	if (w->part == NF_Node)
		w->part = WALK_PEERS;
	else if (w->part == WALK_PEERS)
		w->part = w->peers_only ? ALL_DONE : NF_Node + 1;
	else if (++w->part == NF_COUNT)
		w->part = ALL_DONE;
}

/* --- lists --- */

static const struct rec *
next_record(struct walk *w, const struct recset *rs, uint64_t version)
{
	const struct rec *r;

	if (w->seek)
		w->it = w->begun ? recset_after(rs, w->last) : recset_first(rs);
	w->seek = 0;
	if ((r = recset_next(rs, &w->it, version)) == NULL)
		return NULL;
	w->begun = 1;
	w->last = r->id;
	return r;
}

static int
next_peer(struct walk *w, struct walk_item *it)
{
	struct peers *p = w->snap.view->peers;

	it->dict = p->dict;
	it->node = (const struct node *)next_record(w, p->set, w->snap.peers_at);
	return it->node != NULL;
}

static int
next_profile(struct walk *w, struct walk_item *it)
{
	const struct rec *r = next_record(w, w->snap.view->profiles, w->snap.profiles_at);

	if (r == NULL)
		return 0;
	it->id = r->id;
	it->value = ((const struct user_profile *)r)->data;
	return 1;
}

static int
next_rule(struct walk *w, struct walk_item *it)
{
	static const uint8_t none = PK_END;
	const struct blobmap *m = w->snap.view->filter;
	const uint8_t *list;

	for (; m != NULL && w->index < m->n; walk_skip_chunk(w)) {
		it->name = m->e[w->index].name;
		if (w->rule == NULL) {
			list = m->e[w->index].value->p;
			w->rule = *list == PK_ARR ? pk_first(list) : &none;
			it->kind = WALK_CHUNK;
			return 1;
		}
		if (pk_element(&w->rule, &it->value))
			return 1;
	}
	return 0;
}

static int
next_message(struct walk *w, struct walk_item *it)
{
	const struct blobmap *m = w->snap.view->display;

	if (m == NULL || w->index == m->n)
		return 0;
	it->name = m->e[w->index].name;
	it->value = m->e[w->index++].value->p;
	return 1;
}

/* A list: its begin, its items, its end. */
static void
next_of_list(struct walk *w, struct walk_item *it, int (*next)(struct walk *, struct walk_item *))
{
	if (!w->inside) {
		w->inside = w->seek = 1;
		w->begun = 0;
		w->index = 0;
		w->rule = NULL;
		it->kind = WALK_BEGIN;
		return;
	}
	it->kind = WALK_ITEM;
	if (next(w, it))
		return;
	it->kind = WALK_END;
	next_part(w);
}

int
walk_next(struct walk *w, struct walk_item *it)
{
	const struct blob *b;

	if (w->part == WALK_PEERS && w->inside && next_peer(w, it)) { /* nearly all of a walk: the short way */
		it->kind = WALK_ITEM;
		it->part = WALK_PEERS;
		it->value = NULL;
		it->name = NULL;
		it->id = 0;
		return 1;
	}
	*it = (struct walk_item){ .part = w->part, .dict = w->nm->names };
	switch (w->part) {
	case ALL_DONE: return 0;
	case WALK_PEERS: next_of_list(w, it, next_peer); return 1;
	case NF_PacketFilter: next_of_list(w, it, next_rule); return 1;
	case NF_UserProfiles: next_of_list(w, it, next_profile); return 1;
	case NF_DisplayMessages: next_of_list(w, it, next_message); return 1;
	default: break;
	}
	it->kind = WALK_VALUE;
	if (w->part == NF_Node)
		it->node = view_self(w->snap.view);
	else if ((b = w->snap.view->field[w->part]) != NULL)
		it->value = b->p;
	next_part(w);
	return 1;
}
