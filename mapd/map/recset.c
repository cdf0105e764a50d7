/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "mem.h"
#include "recset.h"
#include "vec.h"

#define CHUNK 128 /* ids in a leaf */

struct chunk {
	uint32_t n;
	uint32_t slot[CHUNK];
	int64_t id[CHUNK];
};

struct recset {
	unsigned refs;
	uint64_t seed[2];
	uint64_t version;
	size_t live, live_bytes, bytes;
	struct chunk **chunk; /* in order, none empty */
	size_t nchunks, capchunks;
	struct rec **slot; /* newest record, or NULL = free */
	uint32_t *freeslot;
	uint32_t nslots, nfree;
	size_t capslots;
	struct hash byid;
	uint64_t snap[RECSET_SNAPSHOTS];
	unsigned nsnap;
	uint64_t newest_snap;
	uint32_t *history; /* slots with older records or a dead one */
	size_t nhistory, caphistory;
};

#define REC_HISTORY 2u /* its slot is in history */

/* Seeded: the server chooses ids. */
uint32_t
recset_hash(const struct recset *rs, int64_t id)
{
	uint64_t h = fold((uint64_t)id ^ rs->seed[0], rs->seed[1] | 1);

	return (uint32_t)(h ^ h >> 32);
}

struct recset *
recset_new(void)
{
	struct recset *rs = xcalloc(1, sizeof(*rs));

	rs->refs = 1;
	rs->version = 1;
	arc4random_buf(rs->seed, sizeof(rs->seed));
	return rs;
}

struct recset *
recset_ref(struct recset *rs)
{
	rs->refs++;
	return rs;
}

static void
free_chain(struct rec *r)
{
	struct rec *older;

	for (; r != NULL; r = older) {
		older = r->older;
		free(r);
	}
}

void
recset_unref(struct recset *rs)
{
	size_t i;

	if (rs == NULL || --rs->refs > 0)
		return;
	for (i = 0; i < rs->nslots; i++)
		free_chain(rs->slot[i]);
	for (i = 0; i < rs->nchunks; i++)
		free(rs->chunk[i]);
	free(rs->chunk);
	free(rs->slot);
	free(rs->freeslot);
	free(rs->history);
	hash_free(&rs->byid);
	free(rs);
}

size_t
recset_count(const struct recset *rs)
{
	return rs->live;
}

size_t
recset_bytes(const struct recset *rs)
{
	return rs->bytes + rs->nchunks * sizeof(struct chunk) +
	    rs->capslots * (sizeof(*rs->slot) + sizeof(*rs->freeslot)) + rs->byid.size * sizeof(*rs->byid.e);
}

size_t
recset_live_bytes(const struct recset *rs)
{
	return rs->live_bytes;
}

uint64_t
recset_version(const struct recset *rs)
{
	return rs->version;
}

/* --- finding --- */

/* The slot, dead or not. */
static uint32_t
any_slot(const struct recset *rs, int64_t id)
{
	uint32_t h = recset_hash(rs, id), i = h, s;

	while ((s = hash_next(&rs->byid, &i, h)) != HASH_NONE)
		if (rs->slot[s]->id == id)
			break;
	return s;
}

struct rec *
recset_at(const struct recset *rs, uint32_t slot)
{
	struct rec *r = rs->slot[slot];

	return r == NULL || (r->flags & REC_DEAD) ? NULL : r;
}

uint32_t
recset_slot(const struct recset *rs, int64_t id)
{
	uint32_t s = any_slot(rs, id);

	return s != HASH_NONE && (rs->slot[s]->flags & REC_DEAD) ? HASH_NONE : s;
}

struct rec *
recset_find(const struct recset *rs, int64_t id)
{
	uint32_t s = any_slot(rs, id);

	return s == HASH_NONE ? NULL : recset_at(rs, s);
}

/* Index of the last chunk whose first id is <= id; 0 if there is none. */
static size_t
chunk_of(const struct recset *rs, int64_t id)
{
	size_t lo = 0, hi = rs->nchunks, mid;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (rs->chunk[mid]->id[0] <= id)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* First position in c whose id is >= id. */
static uint32_t
pos_of(const struct chunk *c, int64_t id)
{
	uint32_t lo = 0, hi = c->n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (c->id[mid] < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct recset_iter
recset_first(const struct recset *rs)
{
	(void)rs;
	return (struct recset_iter){ 0, 0 };
}

struct recset_iter
recset_after(const struct recset *rs, int64_t id)
{
	struct recset_iter it = { 0, 0 };

	if (rs->nchunks == 0)
		return it;
	it.chunk = chunk_of(rs, id);
	it.pos = pos_of(rs->chunk[it.chunk], id);
	if (it.pos < rs->chunk[it.chunk]->n && rs->chunk[it.chunk]->id[it.pos] == id)
		it.pos++;
	return it;
}

struct rec *
recset_next(const struct recset *rs, struct recset_iter *it, uint64_t version)
{
	const struct chunk *c;
	struct rec *r;

	for (; it->chunk < rs->nchunks; it->chunk++, it->pos = 0) {
		c = rs->chunk[it->chunk];
		while (it->pos < c->n) {
			r = rs->slot[c->slot[it->pos++]];
			while (r != NULL && r->born > version)
				r = r->older;
			if (r != NULL && !(r->flags & REC_DEAD))
				return r;
		}
	}
	return NULL;
}

/* --- changing --- */

int
recset_fits(const struct recset *rs, size_t adds)
{
	return adds <= HASH_MAX - rs->byid.n;
}

static void
reserve_slots(struct recset *rs, size_t n)
{
	size_t cap = rs->capslots;

	vec_grow(&rs->slot, &cap, n, sizeof(*rs->slot));
	vec_grow(&rs->freeslot, &rs->capslots, n, sizeof(*rs->freeslot));
}

void
recset_begin(struct recset *rs)
{
	rs->version++;
}

static struct chunk *
new_chunk(struct recset *rs, size_t at)
{
	struct chunk *c = xmalloc(sizeof(*c));

	vec_grow(&rs->chunk, &rs->capchunks, rs->nchunks + 1, sizeof(*rs->chunk));
	memmove(rs->chunk + at + 1, rs->chunk + at, (rs->nchunks - at) * sizeof(*rs->chunk));
	rs->chunk[at] = c;
	rs->nchunks++;
	c->n = 0;
	return c;
}

static void
split_chunk(struct recset *rs, size_t at)
{
	struct chunk *c = rs->chunk[at], *d = new_chunk(rs, at + 1);

	d->n = c->n / 2;
	c->n -= d->n;
	memcpy(d->id, c->id + c->n, d->n * sizeof(*d->id));
	memcpy(d->slot, c->slot + c->n, d->n * sizeof(*d->slot));
}

static void
index_insert(struct recset *rs, int64_t id, uint32_t slot)
{
	struct chunk *c;
	size_t at;
	uint32_t pos;

	if (rs->nchunks == 0)
		new_chunk(rs, 0);
	at = chunk_of(rs, id);
	c = rs->chunk[at];
	pos = pos_of(c, id);
	if (c->n == CHUNK && at + 1 == rs->nchunks && pos == CHUNK) {
		c = new_chunk(rs, at + 1); /* appending: leave full leaves behind */
		pos = 0;
	} else if (c->n == CHUNK) {
		split_chunk(rs, at);
		if (pos > c->n) {
			pos -= c->n;
			c = rs->chunk[at + 1];
		}
	}
	memmove(c->id + pos + 1, c->id + pos, (c->n - pos) * sizeof(*c->id));
	memmove(c->slot + pos + 1, c->slot + pos, (c->n - pos) * sizeof(*c->slot));
	c->id[pos] = id;
	c->slot[pos] = slot;
	c->n++;
}

static void
index_remove(struct recset *rs, int64_t id)
{
	size_t at = chunk_of(rs, id);
	struct chunk *c = rs->chunk[at];
	uint32_t pos = pos_of(c, id);

	c->n--;
	memmove(c->id + pos, c->id + pos + 1, (c->n - pos) * sizeof(*c->id));
	memmove(c->slot + pos, c->slot + pos + 1, (c->n - pos) * sizeof(*c->slot));
	if (c->n > 0)
		return;
	rs->nchunks--;
	memmove(rs->chunk + at, rs->chunk + at + 1, (rs->nchunks - at) * sizeof(*rs->chunk));
	free(c);
}

static void
free_rec(struct recset *rs, struct rec *r)
{
	rs->bytes -= r->size;
	free(r);
}

static void
free_slot(struct recset *rs, uint32_t slot)
{
	struct rec *r = rs->slot[slot];

	hash_remove(&rs->byid, recset_hash(rs, r->id), slot);
	index_remove(rs, r->id);
	free_rec(rs, r);
	rs->slot[slot] = NULL;
	rs->freeslot[rs->nfree++] = slot;
}

/* Replace old by r; free at once what no snapshot refers to. */
static void
supersede(struct recset *rs, uint32_t slot, struct rec *old, struct rec *r)
{
	uint32_t history = old->flags & REC_HISTORY;

	if (rs->nsnap > 0 && old->born <= rs->newest_snap) {
		r->older = old;
	} else {
		r->older = old->older;
		free_rec(rs, old);
	}
	rs->slot[slot] = r;
	if (history || r->older == NULL) {
		r->flags |= history;
		return;
	}
	r->flags |= REC_HISTORY;
	vec_grow(&rs->history, &rs->caphistory, rs->nhistory + 1, sizeof(*rs->history));
	rs->history[rs->nhistory++] = slot;
}

uint32_t
recset_put(struct recset *rs, struct rec *r)
{
	uint32_t s = any_slot(rs, r->id);

	r->born = rs->version;
	r->older = NULL;
	r->flags &= ~(REC_DEAD | REC_HISTORY);
	rs->bytes += r->size;
	rs->live_bytes += r->size;
	if (s != HASH_NONE) {
		if (rs->slot[s]->flags & REC_DEAD)
			rs->live++;
		else
			rs->live_bytes -= rs->slot[s]->size;
		supersede(rs, s, rs->slot[s], r);
		return s;
	}
	if (rs->nfree > 0) {
		s = rs->freeslot[--rs->nfree];
	} else {
		s = rs->nslots++;
		reserve_slots(rs, rs->nslots);
	}
	rs->slot[s] = r;
	hash_insert(&rs->byid, recset_hash(rs, r->id), s);
	index_insert(rs, r->id, s);
	rs->live++;
	return s;
}

/* A dead record keeps what a snapshot may still refer to. */
void
recset_del(struct recset *rs, int64_t id)
{
	uint32_t s = any_slot(rs, id);
	struct rec *dead;

	if (s == HASH_NONE || (rs->slot[s]->flags & REC_DEAD))
		return;
	dead = xcalloc(1, sizeof(*dead));
	*dead = (struct rec){ .id = id, .size = sizeof(*dead), .born = rs->version, .flags = REC_DEAD };
	rs->bytes += dead->size;
	rs->live--;
	rs->live_bytes -= rs->slot[s]->size;
	supersede(rs, s, rs->slot[s], dead);
	if (dead->older == NULL && !(dead->flags & REC_HISTORY))
		free_slot(rs, s);
}

/* --- loading --- */

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

/* Ascending ids, each once, the last of equals; what is left over is freed.  New count. */
static size_t
sort_recs(struct rec **recs, size_t n)
{
	struct order *o;
	struct rec **sorted;
	size_t i, w = 0;

	for (i = 1; i < n && recs[i - 1]->id < recs[i]->id; i++)
		;
	if (i >= n)
		return n;
	o = xreallocarray(NULL, n, sizeof(*o));
	sorted = xreallocarray(NULL, n, sizeof(*sorted));
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
	return w;
}

/* Behind all others: ids must be ascending, each once. */
static void
append(struct recset *rs, struct rec *r, uint32_t slot)
{
	struct chunk *c = rs->nchunks == 0 ? NULL : rs->chunk[rs->nchunks - 1];

	if (c == NULL || c->n == CHUNK)
		c = new_chunk(rs, rs->nchunks);
	r->born = rs->version;
	r->older = NULL;
	r->flags = 0;
	rs->bytes += r->size;
	rs->live_bytes += r->size;
	rs->slot[slot] = r;
	hash_insert(&rs->byid, recset_hash(rs, r->id), slot);
	c->id[c->n] = r->id;
	c->slot[c->n++] = slot;
}

void
recset_load(struct recset *rs, struct rec **recs, size_t n)
{
	size_t i;

	n = sort_recs(recs, n);
	reserve_slots(rs, n);
	hash_reserve(&rs->byid, n);
	vec_grow(&rs->chunk, &rs->capchunks, n / CHUNK + 1, sizeof(*rs->chunk));
	for (i = 0; i < n; i++)
		append(rs, recs[i], (uint32_t)i);
	rs->nslots = (uint32_t)n;
	rs->live = n;
}

/* --- snapshots --- */

uint64_t
recset_snap(struct recset *rs)
{
	if (rs->nsnap == RECSET_SNAPSHOTS)
		return 0;
	rs->snap[rs->nsnap++] = rs->version;
	rs->newest_snap = rs->version;
	return rs->version;
}

static int
wanted(const struct recset *rs, const struct rec *r, uint64_t until)
{
	unsigned i;

	for (i = 0; i < rs->nsnap; i++)
		if (r->born <= rs->snap[i] && rs->snap[i] < until)
			return 1;
	return 0;
}

/* 1 = nothing is left in this slot that only a snapshot wants. */
static int
trim(struct recset *rs, uint32_t slot)
{
	struct rec *newer = rs->slot[slot], *o;

	while ((o = newer->older) != NULL) {
		if (wanted(rs, o, newer->born)) {
			newer = o;
			continue;
		}
		newer->older = o->older;
		free_rec(rs, o);
	}
	if (rs->slot[slot]->older != NULL)
		return 0;
	rs->slot[slot]->flags &= ~REC_HISTORY;
	if (rs->slot[slot]->flags & REC_DEAD)
		free_slot(rs, slot);
	return 1;
}

void
recset_unsnap(struct recset *rs, uint64_t version)
{
	unsigned i;
	size_t k, w = 0;

	for (i = 0; i < rs->nsnap && rs->snap[i] != version; i++)
		;
	if (i == rs->nsnap)
		return;
	rs->snap[i] = rs->snap[--rs->nsnap];
	for (rs->newest_snap = 0, i = 0; i < rs->nsnap; i++)
		if (rs->snap[i] > rs->newest_snap)
			rs->newest_snap = rs->snap[i];
	for (k = 0; k < rs->nhistory; k++)
		if (!trim(rs, rs->history[k]))
			rs->history[w++] = rs->history[k];
	rs->nhistory = w;
}
