/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PEERNAME_H
#define PEERNAME_H

#include "netmap.h"

/*
 * A name as DNS has it: letters, digits, '-' and '_' in labels of 1 to 63, at least one label, at most 253 bytes; not
 * localhost. Folded to lower case, without the trailing dot, into out.  Length, 0 = not such a name.
 */
size_t	 dns_name(const char *s, size_t n, char out[260]);
/* The name of our own node without its first label, folded; "" if there is none. */
void	 tailnet_suffix(const struct netmap *nm, const struct view *v, char out[260]);
/*
 * The peer that a control client names: NAME, address, node key or ID.  NULL = no index has it: go on with
 * peers_search_more() while search->by is one.  There must be a netmap.
 */
const struct node *find_peer(const struct netmap *nm, const char *what, struct peers_search *search);

#endif
