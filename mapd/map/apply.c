/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "delta.h"
#include "derp.h"
#include "expiry.h"
#include "implied.h"
#include "mem.h"
#include "vec.h"

void
reclist_add(struct reclist *l, struct rec *r)
{
	vec_grow(&l->r, &l->cap, l->len + 1, sizeof(*l->r));
	l->r[l->len++] = r;
}

void
reclist_clear(struct reclist *l)
{
	size_t i;

	for (i = 0; i < l->len; i++)
		free(l->r[i]);
	free(l->r);
	memset(l, 0, sizeof(*l));
}

void
update_clear(struct update *u)
{
	unsigned i;

	for (i = 0; i < NF_COUNT; i++)
		blob_unref(u->field[i]);
	blob_unref(u->base_rules);
	blob_unref(u->chunks);
	blob_unref(u->display);
	reclist_clear(&u->peers);
	reclist_clear(&u->changed);
	reclist_clear(&u->patches);
	reclist_clear(&u->profiles);
	peers_unref(u->peers_new);
	peers_unref(u->target);
	free(u->removed);
	free(u->seen);
	free(u->online);
	memset(u, 0, sizeof(*u));
}

/*
 * One message onto the netmap.  Everything that may be refused is checked first, on a new view and on pending
 * peers; then the new state is put in place (FLD-16: whole or not at all).
 */
struct apply {
	struct netmap *nm;
	struct update *u;
	struct view *v; /* the new one */
	struct delta d;
	uint32_t fields;
	int first, full;
	int64_t delta;         /* the new clock delta */
	struct rec **profiles; /* those that are new or changed */
	size_t nprofiles, new_profiles;
	const char *why; /* of a refusal */
};

#define CLOCK_SLACK 60 /* seconds; protocol.md E.12 */

/* The field's own value in the view becomes b; the caller's reference passes to the view. */
static void
set_field(struct apply *a, enum netmap_field f, struct blob *b)
{
	if (blob_equal(a->v->field[f], b)) {
		blob_unref(b);
		return;
	}
	blob_unref(a->v->field[f]);
	a->v->field[f] = b;
	a->fields |= 1u << f;
}

static void
apply_fields(struct apply *a)
{
	unsigned f;

	for (f = 0; f < NF_COUNT; f++) {
		if (a->u->field[f] == NULL)
			continue;
		set_field(a, (enum netmap_field)f,
		    f == NF_DERPMap ? derp_merge(a->v->field[f], a->u->field[f]) : blob_ref(a->u->field[f]));
	}
}

/*
 * protocol.md E.5: PacketFilter is the chunk base, PacketFilters come after it.  Nothing is ever read as
 * "unchanged" but absence (FLD-05).
 */
static void
apply_filter(struct apply *a)
{
	struct blobmap *m;

	if (a->u->base_rules == NULL && a->u->chunks == NULL)
		return;
	m = blobmap_patch(a->v->filter, a->u->base_rules, a->u->chunks == NULL ? NULL : a->u->chunks->p, a->nm->names);
	if (!blobmap_equal(a->v->filter, m))
		a->fields |= IPC_F_PacketFilter;
	blobmap_unref(a->v->filter);
	a->v->filter = m;
}

static void
apply_display(struct apply *a)
{
	struct blobmap *m;

	if (a->u->display == NULL)
		return;
	m = blobmap_patch(a->v->display, NULL, a->u->display->p, a->nm->names);
	if (!blobmap_equal(a->v->display, m))
		a->fields |= IPC_F_DisplayMessages;
	blobmap_unref(a->v->display);
	a->v->display = m;
}

static int
same_rec(const struct rec *a, const struct rec *b)
{
	return a != NULL && a->size == b->size && memcmp(a + 1, b + 1, a->size - sizeof(*a)) == 0;
}

/* UserProfiles are added and replaced, never taken away during a stream (FLD-07). */
static void
prepare_profiles(struct apply *a)
{
	struct reclist *l = &a->u->profiles;
	const struct rec *old;
	size_t i;

	if (a->v->profiles == NULL)
		a->v->profiles = recset_new();
	if (l->len > 0)
		a->profiles = xreallocarray(NULL, l->len, sizeof(*a->profiles));
	for (i = 0; i < l->len; i++) {
		old = recset_find(a->v->profiles, l->r[i]->id);
		/* Once one differs, an equal one may be a second one of the same id: the last counts. */
		if (a->nprofiles == 0 && same_rec(old, l->r[i]))
			continue;
		a->profiles[a->nprofiles++] = l->r[i];
		a->new_profiles += old == NULL;
		l->r[i] = NULL;
	}
	if (a->nprofiles > 0)
		a->fields |= IPC_F_UserProfiles;
}

static void
commit_profiles(struct apply *a)
{
	size_t i;

	if (a->nprofiles == 0)
		return;
	recset_begin(a->v->profiles);
	for (i = 0; i < a->nprofiles; i++)
		(void)recset_put(a->v->profiles, a->profiles[i]);
	a->nprofiles = 0;
}

static int
over_limit(struct apply *a, const char *why)
{
	a->why = why;
	return NETMAP_OVER_LIMIT;
}

static void
mark_all(struct reclist *l, int64_t now)
{
	size_t i;

	for (i = 0; i < l->len; i++)
		if (node_key_expired((struct node *)l->r[i], now))
			((struct node *)l->r[i])->state |= NODE_EXPIRED_BY_CLOCK;
}

/* All of a list into an empty set, which owns the nodes then. */
static int
load(struct apply *a, struct reclist *l, int64_t now)
{
	size_t addrs = 0, i;

	for (i = 0; i < l->len; i++)
		addrs += peers_indexed((struct node *)l->r[i]);
	if (!peers_fit(a->v->peers, l->len, addrs))
		return over_limit(a, "too many addresses of peers");
	mark_all(l, now);
	peers_load(a->v->peers, l->r, l->len);
	memset(l, 0, sizeof(*l));
	return 0;
}

static int
prepare_peers(struct apply *a, struct wtime now)
{
	struct update *u = a->u;
	int64_t corrected = now.sec + a->delta;

	if (a->first || u->peers.len > 0) { /* E.6: Peers, or a new stream, begin with nothing */
		peers_unref(a->v->peers);
		a->v->peers = u->peers_new != NULL ? u->peers_new : peers_new();
		u->peers_new = NULL;
		a->full = 1;
		if (u->peers.len > 0)
			return load(a, &u->peers, corrected);
		if (u->nremoved == 0 && u->nseen == 0 && u->nonline == 0 && u->patches.len == 0)
			return load(a, &u->changed, corrected);
	}
	delta_collect(&a->d, a->v->peers, u, now);
	delta_ready(&a->d, corrected);
	if (a->d.adds > a->d.removals && recset_count(a->v->peers->set) + a->d.adds - a->d.removals > u->max_peers)
		return over_limit(a, "too many peers");
	return delta_fits(&a->d) ? 0 : over_limit(a, "too many addresses of peers");
}

/* ControlTime counts only when it is far off (E.12, EXP-06). */
static int64_t
clock_delta(const struct apply *a, struct wtime now)
{
	struct netmap *nm = a->nm;
	struct wtime t;
	int64_t delta;

	if (nm->origin != NULL)
		return nm->clock_delta; /* that was the time when it was received */
	if (a->u->field[NF_ControlTime] == NULL || !pk_time(a->u->field[NF_ControlTime]->p, nm->names, &t))
		return a->first && !a->u->keepalive && !nm->clock_known ? 0 : nm->clock_delta; /* MAP-06 */
	nm->clock_known = 1;
	delta = t.sec - now.sec;
	return delta > CLOCK_SLACK || delta < -CLOCK_SLACK ? delta : 0;
}

static void
list_ids(struct netmap *nm, const struct delta *d, struct netmap_change *ch)
{
	size_t i, r = d->n - d->removals, w = 0;

	ch->changed = nm->ids;
	ch->nchanged = r;
	ch->removed = d->removals == 0 ? NULL : nm->ids + r; /* there may be no ids at all */
	ch->nremoved = d->removals;
	for (i = 0; i < d->n; i++) {
		if (d->p[i].node != NULL)
			nm->ids[w++] = d->p[i].id;
		else
			nm->ids[r++] = d->p[i].id;
	}
}

/*
 * Records and values of the map as it will be, without the indexes.  What only readers still hold is not counted:
 * a slow one must not end the stream.
 */
static size_t
size_after(const struct apply *a)
{
	const struct view *v = a->v;
	size_t n = recset_live_bytes(v->peers->set) + recset_live_bytes(v->profiles) + view_value_bytes(v), gone = 0, i;
	const struct rec *old;

	for (i = 0; i < a->nprofiles; i++) {
		old = recset_find(v->profiles, a->profiles[i]->id);
		n += a->profiles[i]->size;
		gone += old == NULL ? 0 : old->size;
	}
	for (i = 0; i < a->d.n; i++) {
		old = a->d.p[i].known ? &peers_find(v->peers, a->d.p[i].id)->r : NULL;
		n += a->d.p[i].node == NULL ? 0 : a->d.p[i].node->r.size;
		gone += old == NULL ? 0 : old->size;
	}
	return n > gone ? n - gone : 0;
}

static int
prepare(struct apply *a, struct wtime now)
{
	struct netmap *nm = a->nm;
	const struct netmap_origin *o = nm->origin;
	int r;

	a->v = a->first ? view_new() : view_copy(nm->cur);
	a->v->node_key = o != NULL ? o->node_key : nm->node_key;
	a->v->machine_key = o != NULL ? o->machine_key : nm->machine_key;
	apply_fields(a);
	apply_filter(a);
	apply_display(a);
	prepare_profiles(a);
	if (!recset_fits(a->v->profiles, a->new_profiles))
		return over_limit(a, "too many user profiles");
	if ((r = prepare_peers(a, now)) != 0)
		return r;
	if (size_after(a) > a->u->max_bytes)
		return over_limit(a, "the map exceeds the memory limit");
	if (!a->full)
		a->fields |= implied_fields(nm->cur, a->v, &a->d, a->fields, nm->names);
	netmap_reserve_ids(nm, a->d.n);
	return 0;
}

static void
commit(struct apply *a, struct wtime now, struct netmap_change *ch)
{
	struct netmap *nm = a->nm;

	if (a->full)
		ch->full = 1;
	else
		list_ids(nm, &a->d, ch);
	commit_profiles(a);
	delta_commit(&a->d);
	nm->rescan |= a->delta != nm->clock_delta && !a->full;
	nm->clock_delta = a->delta;
	a->v->seq = ++nm->seq;
	a->v->received = nm->origin != NULL ? nm->origin->received : now;
	view_unref(nm->cur);
	nm->cur = a->v;
	a->v = NULL;
	nm->fresh = nm->origin != NULL; /* a cached map is replaced by the first message of a stream */
	nm->source = nm->origin != NULL ? IPC_SRC_CACHED : IPC_SRC_LIVE;
	ch->seq = nm->seq;
	ch->fields = a->fields | nm->unreported;
	nm->unreported = 0;
	ch->self_changed = ch->full || (a->fields & (IPC_F_Node | IPC_F_UserProfiles)) != 0;
}

static void
apply_free(struct apply *a)
{
	size_t i;

	delta_free(&a->d);
	for (i = 0; i < a->nprofiles; i++)
		free(a->profiles[i]);
	free(a->profiles);
	view_unref(a->v);
}

/* What is no change of the map: what a server's clock says.  Without an event: the next change names it (KA-01). */
static void
apply_clock(struct apply *a)
{
	struct netmap *nm = a->nm;

	nm->rescan |= a->delta != nm->clock_delta;
	nm->clock_delta = a->delta;
	if (a->v == NULL)
		return;
	nm->unreported |= a->fields;
	view_unref(nm->cur);
	nm->cur = a->v;
	a->v = NULL;
}

static void
keep_field(struct apply *a, enum netmap_field f)
{
	if (a->u->field[f] != NULL)
		set_field(a, f, blob_ref(a->u->field[f]));
}

/*
 * E.4 step 2 happened in the stream; of a keep-alive the clock and the client version belong to the map
 * (KA-05), without an event (KA-01): the next change names them.
 */
static void
apply_keepalive(struct apply *a, struct wtime now)
{
	struct netmap *nm = a->nm;

	a->delta = clock_delta(a, now);
	if (!nm->fresh && nm->cur != NULL) {
		a->v = view_copy(nm->cur);
		keep_field(a, NF_ControlTime);
		keep_field(a, NF_ClientVersion);
	}
	apply_clock(a);
}

static int
apply_message(struct apply *a, struct wtime now, struct netmap_change *ch)
{
	int r;

	if (a->u->target != NULL && (a->first || a->u->target != a->nm->cur->peers)) {
		a->why = "the stream ended before the message was applied";
		return -1;
	}
	if (a->u->keepalive) {
		apply_keepalive(a, now);
		return 0;
	}
	if (a->first && a->u->field[NF_Node] == NULL) {
		a->why = "the first message of the stream has no Node"; /* MAP-03 */
		return -1;
	}
	a->delta = clock_delta(a, now);
	if ((r = prepare(a, now)) != 0)
		return r;
	if (!a->full && (a->fields & ~(uint32_t)IPC_F_ControlTime) == 0 && a->d.n == 0) {
		apply_clock(a);
		return 0;
	}
	commit(a, now, ch);
	return 1;
}

int
netmap_apply(struct netmap *nm, struct update *u, struct wtime now, struct netmap_change *ch, const char **why)
{
	struct apply a = { .nm = nm, .u = u, .first = nm->fresh || nm->cur == NULL, .delta = nm->clock_delta };
	int r;

	memset(ch, 0, sizeof(*ch));
	ch->seq = nm->seq;
	r = apply_message(&a, now, ch);
	*why = a.why;
	apply_free(&a);
	update_clear(u);
	if (ch->full)
		netmap_trim();
	return r;
}
