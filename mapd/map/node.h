/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NODE_H
#define NODE_H

#include <stddef.h>
#include <stdint.h>

#include "keytext.h"
#include "pack.h"
#include "parse.h"
#include "recset.h"
#include "timefmt.h"

/*
 * A Node (protocol.md E.7) as it is kept: what deltas change and what we look at often as fields, all other
 * members packed behind them. Immutable: a change makes a new one.  Node fixing is done when it is made.
 */
struct node {
	struct rec	 r;		/* r.id is the NodeID */
	int64_t		 user;
	int64_t		 key_expiry;	/* Unix seconds; meaningful with NODE_EXPIRY */
	int64_t		 last_seen;	/* with NODE_SEEN */
	int64_t		 home_derp;	/* 0 = unknown */
	int32_t		 last_seen_ns;
	uint16_t	 state;		/* enum node_state bits */
	uint8_t		 key[KEY_LEN];
	uint8_t		 data[];	/* members as in a packed object, PK_END */
};
#define NODE_HEAD offsetof(struct node, data)
static inline const uint8_t *node_data(const struct node *n) { return n->data; }
static inline size_t node_data_len(const struct node *n) { return n->r.size - NODE_HEAD; }

enum node_state {
	NODE_ONLINE_KNOWN = 1 << 0, NODE_ONLINE = 1 << 1,
	NODE_EXPIRY = 1 << 2,		/* KeyExpiry was sent */
	NODE_EXPIRY_TEXT = 1 << 3,	/* and is in data too, in a form that the field cannot hold */
	NODE_SEEN = 1 << 4, NODE_SEEN_TEXT = 1 << 5,
	NODE_EXPIRED = 1 << 6,		/* the server says so */
	NODE_EXPIRED_BY_CLOCK = 1 << 7,		/* by the clock (E.12) */
	NODE_ROUTES_OWN = 1 << 8,	/* AllowedIPs are Addresses */
	NODE_UNSIGNED = 1 << 9, NODE_WG_ONLY = 1 << 10, NODE_DISCO = 1 << 11, NODE_SHARED = 1 << 12 /* has a Sharer */
};

struct dict;

/* From the TY_NODE value that ps has just parsed. */
struct node *node_make(struct parser *ps, int self);
/* A PeerChange (TY_PEERCHANGE) for later: the same structure, r.id = NodeID, all members in data. */
struct node *node_make_patch(struct parser *ps, size_t at);
/* New node = old with n patches on it, in sequence (E.6).  old is copied once, however many there are. */
struct node *node_patched(const struct node *old, const struct node *const *patches, size_t n);
struct node *node_copy(const struct node *old);
int	 node_same(const struct node *a, const struct node *b);

void	 node_set_online(struct node *n, int online);
void	 node_set_seen(struct node *n, struct wtime t);		/* DEL-06; drops the text form, t in whole seconds */
void	 node_clear_seen(struct node *n);

#endif
