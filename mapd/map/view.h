/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef VIEW_H
#define VIEW_H

#include "blob.h"
#include "keytext.h"
#include "msgs.h"
#include "node.h"
#include "peers.h"
#include "recset.h"
#include "timefmt.h"

/*
 * The netmap at one moment.  Everything in a view is immutable once it is published but the peers and the profiles,
 * which change in place and keep what a snapshot can see.  Views and what they hold are counted.
 */
struct user_profile {			/* in view.profiles; r.id = UserID */
	struct rec	 r;
	uint8_t		 data[];	/* packed object */
};

struct view {
	unsigned	 refs;
	uint64_t	 seq;
	struct pubkey	 node_key, machine_key;
	struct wtime	 received;
	struct blob	*field[NF_COUNT];	/* Node and fields of kind VALUE and KEPT; NULL: none */
	struct blobmap	*filter, *display;	/* PacketFilter, DisplayMessages; NULL: none */
	struct peers	*peers;
	struct recset	*profiles;		/* struct user_profile */
};
struct view *view_new(void);
struct view *view_copy(const struct view *v);		/* shares everything */
struct view *view_ref(struct view *v);
void	 view_unref(struct view *v);			/* NULL is fine */
size_t	 view_bytes(const struct view *v);		/* of a published one, with all it shares, about */
size_t	 view_value_bytes(const struct view *v);	/* of fields, filter and messages alone */
static inline const struct node *
view_self(const struct view *v)
{
	return v->field[NF_Node] == NULL ? NULL : (const struct node *)(const void *)v->field[NF_Node]->p;
}

/* What a reader holds while it reads. */
struct snapshot {
	struct view	*view;
	uint64_t	 peers_at, profiles_at;	/* versions of view->peers->set and view->profiles */
};
int	 snapshot_take(struct view *v, struct snapshot *s);	/* 0, -1: v is NULL, or too many readers */
void	 snapshot_release(struct snapshot *s);			/* also of one never taken (zeroed) */

#endif
