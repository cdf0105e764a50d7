/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef WALK_H
#define WALK_H

#include "netmap.h"
#include "view.h"

/*
 * The netmap item by item from a snapshot, in the order of the netmap object (interface.md 5): the own node, the
 * peers, then the fields of netmap_fields.h.  Everything that writes the netmap uses it, in pieces of any size; the map
 * may change between two pieces.
 */
#define WALK_PEERS	NF_COUNT	/* as a part */

enum walk_kind {
	WALK_VALUE,			/* a part of one value: value, or node for NF_Node; NULL: none */
	WALK_BEGIN,			/* of a list: WALK_PEERS, PacketFilter, UserProfiles, DisplayMessages */
	WALK_CHUNK,			/* of PacketFilter: the rules that follow are those of the chunk called name */
	WALK_ITEM,			/* one of the list */
	WALK_END
};

struct walk_item {
	enum walk_kind	 kind;
	unsigned	 part;		/* enum netmap_field, or WALK_PEERS */
	const struct dict *dict;	/* of node and value */
	const struct node *node;	/* own node, peer */
	const uint8_t	*value;		/* packed: a field, a rule, a profile, a display message */
	const struct blob *name;	/* of a chunk or display message */
	int64_t		 id;		/* of a profile */
};

struct walk {
	struct netmap	*nm;
	struct snapshot	 snap;
	/* private */
	unsigned	 part;
	int		 inside;	/* a list has begun */
	int		 peers_only;
	int		 seek, begun;
	int64_t		 last;		/* id of the last record */
	struct recset_iter it;
	size_t		 index;		/* chunk or message */
	const uint8_t	*rule;		/* the next one of the chunk */
};

/* 0, or -1: no netmap, or too many readers.  End with walk_end() in any case. */
int	 walk_begin(struct walk *w, struct netmap *nm);
void	 walk_end(struct walk *w);
/* Continue with the peers, and end with them: from the first one, or those behind an id. */
void	 walk_peers(struct walk *w);
void	 walk_peers_after(struct walk *w, int64_t id);
void	 walk_resume(struct walk *w);		/* first thing in each piece: the map may have changed */
int	 walk_next(struct walk *w, struct walk_item *it);	/* 1, or 0: that was all */
int	 walk_done(const struct walk *w);	/* the next one will be 0 */
void	 walk_skip_chunk(struct walk *w);	/* after WALK_CHUNK: without its rules */
void	 walk_repeat(struct walk *w, enum netmap_field f);	/* continue with a part that was walked already */

#endif
