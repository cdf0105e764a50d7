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
	struct node	*node;		/* its new node, ours; NULL: removed */
	int		 known;		/* is in the set now */
};
struct delta {
	struct peers	*peers;
	struct pending	*p;
	size_t		 n, cap;
	struct hash	 byid;
	/* filled by delta_ready() */
	size_t		 adds, changes, removals;
	size_t		 addrs;		/* peers_indexed() of all new nodes */
};

/* Owns the nodes of u->changed afterwards. */
void	 delta_collect(struct delta *d, struct peers *peers, struct update *u, struct wtime now);
void	 delta_set(struct delta *d, struct node *n);	/* one more new node, owned afterwards */
/* Mark every new node as expired or not, drop what changes nothing, sort and count. */
void	 delta_ready(struct delta *d, int64_t now);	/* now: corrected */
int	 delta_fits(const struct delta *d);	/* the indexes of the peers have room: check before the commit */
void	 delta_commit(struct delta *d);
void	 delta_free(struct delta *d);

#endif
