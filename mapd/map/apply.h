/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef APPLY_H
#define APPLY_H

#include "netmap.h"
#include "recset.h"
#include "view.h"

/* Records that are in no set yet. */
struct reclist { struct rec **r; size_t len, cap; };
void	 reclist_add(struct reclist *l, struct rec *r);	/* takes r */
void	 reclist_clear(struct reclist *l);

/* One message, parsed and not yet applied. */
struct idflag { int64_t id; int on; };
struct update {
	int		 keepalive;
	size_t		 max_peers, max_bytes;	/* that there may be afterwards */
	struct blob	*field[NF_COUNT];	/* NULL: absent or without effect; DERPMap is not merged yet */
	struct blob	*base_rules;		/* PacketFilter */
	struct blob	*chunks, *display;	/* PacketFilters, DisplayMessages: packed objects */
	struct peers	*peers_new;		/* the set that Peers and a first message fill */
	struct peers	*target;		/* whose dictionary changed and patches use; NULL: peers_new or none */
	struct reclist	 peers, changed, patches;	/* struct node */
	struct reclist	 profiles;		/* struct user_profile */
	int64_t		*removed;
	size_t		 nremoved;
	struct idflag	*seen, *online;
	size_t		 nseen, nonline;
};
void	 update_clear(struct update *u);

#define NETMAP_OVER_LIMIT (-2)
/*
 * 1 changed, 0 not, -1 refused with a reason, NETMAP_OVER_LIMIT because of a limit (security.md D15).  Empties u in
 * every case.
 */
int	 netmap_apply(struct netmap *nm, struct update *u, struct wtime now, struct netmap_change *ch,
	    const char **why);

#endif
