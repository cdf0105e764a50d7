/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EXPIRY_H
#define EXPIRY_H

#include "netmap.h"
#include "node.h"

/*
 * Key expiry of peers by the local clock, corrected with the server's (protocol.md E.12, EXP-06, EXP-08).
 *
 * Local wall-clock second at which netmap_expire() wants to be called, INT64_MAX = never.  Ask again after every
 * change.  netmap_expire() marks peers whose key has expired by the corrected clock and takes marks back that no
 * longer hold.  1 = the map changed (*ch filled), 0 = no change.
 */
int64_t	 netmap_next_expiry(const struct netmap *nm, struct wtime now);
int	 netmap_expiry_due(const struct netmap *nm, struct wtime now);	/* netmap_expire() has something to look at */
int	 netmap_expire(struct netmap *nm, struct wtime now, struct netmap_change *ch);

/* Should be marked NODE_EXPIRED_BY_CLOCK; now is corrected. */
int	 node_key_expired(const struct node *n, int64_t now);

#endif
