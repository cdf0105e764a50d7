/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "implied.h"
#include "nodeview.h"
#include "profile_refs.h"

/* The routes of a node that the filter keeps out (E.9); p is NULL for any other node, and for one without routes. */
static struct pv
kept_out(const struct node *n)
{
	const uint8_t *routes = n != NULL && (n->state & NODE_UNSIGNED) ? node_routes(n) : NULL;

	return routes != NULL ? pv_at(routes) : (struct pv){ NULL, 0 };
}

/* Which addresses the filter keeps out is different after d. */
static int
unsigned_change(const struct delta *d)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		const struct node *old = d->p[i].known ? peers_find(d->peers, d->p[i].id) : NULL;

		if (!pv_equal(kept_out(old), kept_out(d->p[i].node)))
			return 1;
	}
	return 0;
}

/* When the own key expires, as the netmap object says it. */
static int64_t
expiry(const struct view *v)
{
	const struct node *self = view_self(v);

	return self != NULL && (self->state & NODE_EXPIRY) ? self->key_expiry : TIME_GO_ZERO;
}

uint32_t
implied_fields(const struct view *old, const struct view *now, const struct delta *d, uint32_t fields,
    const struct dict *names)
{
	uint32_t more = 0;

	if ((fields & IPC_F_Health) && (now->display == NULL || now->display->n == 0))
		more |= IPC_F_DisplayMessages; /* FLD-10: it has the texts, too */
	if ((fields & IPC_F_PacketFilter) || unsigned_change(d))
		more |= IPC_F_EffectiveFilter;
	if ((fields & IPC_F_Node) && expiry(old) != expiry(now))
		more |= IPC_F_Expiry;
	if ((fields & IPC_F_UserProfiles) == 0 && (d->n > 0 || (fields & IPC_F_Node)) &&
	    profile_refs_change(old, now, d, names))
		more |= IPC_F_UserProfiles;
	return more;
}
