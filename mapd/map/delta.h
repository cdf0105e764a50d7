/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DELTA_H
#define DELTA_H

#include "hash.h"
#include "node.h"
#include "peers.h"
#include "timefmt.h"

struct update;

/*
 * The peer part of one message worked out before anything is touched (protocol.md E.6): what every concerned id
 * will be afterwards.
 */
struct pending {
	int64_t		 id;
	struct node	*node;		/* its new node, ours; NULL: gone (or, with tomb NULL, unknown and not wanted) */
	struct rec	*tomb;		/* for an id that is in the set and goes */
	int		 known;		/* is in the set now */
};
struct delta {
	struct peers	*peers;
	struct pending	*p;
	size_t		 n, cap;
	struct hash	 byid;
	size_t		 adds, changes, removals;
	/* filled by delta_ready() */
	struct node	**nodes;
	size_t		 nnodes;
};

/* 0, or -1: out of memory.  Nodes of u->changed are taken. */
int	 delta_collect(struct delta *d, struct peers *peers, struct update *u, struct wtime now);
/*
 * Give every new node our expiry mark or not, drop what changes nothing, and reserve all memory that
 * delta_commit() needs.  0 / -1.
 */
int	 delta_ready(struct delta *d, int64_t now);	/* now: corrected */
void	 delta_commit(struct delta *d);		/* cannot fail */
void	 delta_free(struct delta *d);
/* One more new node (taken); for expiry.c.  0 / -1. */
int	 delta_set(struct delta *d, struct node *n);
#endif
