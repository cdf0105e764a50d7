/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "delta.h"
#include "expiry.h"
#include "view.h"

/* Key expiry of peers by our corrected clock: protocol.md E.12, EXP-06, EXP-08. */

#define CLOCK_PLAUSIBLE 1673373066 /* before this the clock is wrong, not the key old */
#define LATE_BY         10         /* seconds after an expiry that we look */
#define PAST_BY         30         /* if that should be over already */

/* now is corrected. */
int
node_key_expired(const struct node *n, int64_t now)
{
	return now >= CLOCK_PLAUSIBLE && (n->state & NODE_EXPIRY) && n->key_expiry != TIME_GO_ZERO &&
	    !(n->state & NODE_EXPIRED) && n->key_expiry <= now;
}

int64_t
netmap_next_expiry(const struct netmap *nm, struct wtime now)
{
	int64_t t;

	if (nm->cur == NULL)
		return INT64_MAX;
	if (nm->rescan)
		return now.sec;
	if ((t = nm->cur->peers->next_expiry) == INT64_MAX) /* a clock that is set back takes marks away */
		return nm->cur->peers->marked > 0 ? now.sec + PAST_BY : INT64_MAX;
	t = t - nm->clock_delta + LATE_BY;
	return t > now.sec ? t : now.sec + PAST_BY;
}

int
netmap_expiry_due(const struct netmap *nm, struct wtime now)
{
	return nm->cur != NULL && (nm->rescan || nm->cur->peers->next_expiry <= now.sec + nm->clock_delta);
}

/* Nodes whose mark changes; the next expiry. */
static int64_t
collect(struct delta *d, struct netmap *nm, int64_t now)
{
	struct peers *p = nm->cur->peers;
	struct recset_iter it = recset_first(p->set);
	const struct node *n;
	int64_t next = INT64_MAX;
	int due;

	while ((n = peers_next(p, &it, recset_version(p->set))) != NULL) {
		due = node_key_expired(n, now);
		if (due != ((n->state & NODE_EXPIRED_BY_CLOCK) != 0))
			delta_set(d, node_copy(n));
		if (!due && (n->state & NODE_EXPIRY) && n->key_expiry != TIME_GO_ZERO && !(n->state & NODE_EXPIRED) &&
		    n->key_expiry < next)
			next = n->key_expiry;
	}
	return next;
}

static void
commit(struct netmap *nm, struct delta *d, struct netmap_change *ch)
{
	struct view *v = view_copy(nm->cur);
	size_t i;

	netmap_reserve_ids(nm, d->n);
	for (i = 0; i < d->n; i++)
		nm->ids[i] = d->p[i].id;
	delta_commit(d);
	v->seq = ch->seq = ++nm->seq;
	view_unref(nm->cur);
	nm->cur = v;
	ch->changed = nm->ids;
	ch->nchanged = d->n;
	ch->fields = nm->unreported;
	nm->unreported = 0;
}

int
netmap_expire(struct netmap *nm, struct wtime now, struct netmap_change *ch)
{
	struct delta d = { 0 };
	int64_t next, corrected = now.sec + nm->clock_delta;
	int changed;

	memset(ch, 0, sizeof(*ch));
	ch->seq = nm->seq;
	if (nm->cur == NULL)
		return 0;
	d.peers = nm->cur->peers;
	next = collect(&d, nm, corrected);
	delta_ready(&d, corrected);
	if ((changed = d.n > 0))
		commit(nm, &d, ch);
	nm->cur->peers->next_expiry = next;
	nm->cur->peers->stale_expiry = 0;
	nm->rescan = 0;
	delta_free(&d);
	return changed;
}
