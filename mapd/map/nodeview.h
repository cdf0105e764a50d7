/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NODEVIEW_H
#define NODEVIEW_H

#include "node.h"

/* Value of a member kept in data, NULL if absent. */
const uint8_t *node_get(const struct node *n, unsigned name);
/* AllowedIPs after fixing: packed array, or NULL for none. */
const uint8_t *node_routes(const struct node *n);
/* Text of a string member, unescaped and terminated, cut to outsize; "" if absent.  Length. */
size_t	 node_text(const struct node *n, const struct dict *d, unsigned name, char *out, size_t outsize);
int64_t	 node_sharer(const struct node *n, const struct dict *d);	/* 0 = none */
int	 node_expired(const struct node *n);
int	 node_has_address(const struct node *n, const struct dict *d, const uint8_t addr[16], unsigned family);

/* JSON object. */
void	 node_print(struct pb *b, const struct node *n, const struct dict *d);
/* The key as it is printed: of a node marked NODE_EXPIRED_BY_CLOCK an invalid one (protocol.md E.12). */
void	 node_printed_key(const struct node *n, struct pubkey *k);
extern const uint8_t node_invalid_prefix[6];	/* with which such a key begins */

#endif
