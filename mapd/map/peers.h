/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PEERS_H
#define PEERS_H

#include "dict.h"
#include "hash.h"
#include "node.h"
#include "recset.h"
#include "profile_refs.h"

/*
 * The peers of one map stream: a recset of nodes, their dictionary, and the ways to find one.  A hostile server
 * may give many peers the same key, address or name, or one peer many addresses: the first is indexed, the others are
 * counted and found by a search.
 */
struct peers {
	unsigned	 refs;
	struct recset	*set;
	struct dict	*dict;
	struct hash	 bykey, byaddr, byname;	/* name: without the trailing dot, lower case */
	size_t		 duplicates_key, duplicates_addr, duplicates_name;
	struct profile_refs profile_refs;	/* users that they refer to */
	size_t		 online;
	size_t		 marked;		/* NODE_EXPIRED_BY_CLOCK */
	int		 had_unsigned;		/* there is or was a peer with UnsignedPeerAPIOnly */
	int64_t		 next_expiry;		/* no living peer that is not marked expires before; INT64_MAX = none */
	int		 stale_expiry;		/* next_expiry may be too early */
};

struct peers *peers_new(void);
struct peers *peers_ref(struct peers *p);
void	 peers_unref(struct peers *p);
size_t	 peers_bytes(const struct peers *p);

/* There is room for more nodes with this number of addresses (peers_indexed() of each): check before put or load. */
int	 peers_fit(const struct peers *p, size_t nodes, size_t addrs);
size_t	 peers_indexed(const struct node *n);		/* its addresses that are indexed */

/* As in recset.h. */
void	 peers_load(struct peers *p, struct rec **nodes, size_t n);	/* frees the array */
void	 peers_put(struct peers *p, struct node *n);
void	 peers_del(struct peers *p, int64_t id);

struct node *peers_find(const struct peers *p, int64_t id);
/*
 * By key, address or name: an FQDN with or without trailing dot, in any case, or just the first label (of the tailnet's
 * name first; suffix may be "").  NULL: no index has it, and the search says whether all peers must be looked at: names
 * and keys that several have, labels of other tailnets, keys as they are printed.
 */
#define PEER_NAME_MAX	256		/* longer names are cut: DNS has none */
struct peers_search {
	enum { SEARCH_NONE, SEARCH_KEY, SEARCH_ADDR, SEARCH_NAME, SEARCH_LABEL } by;
	/* private */
	uint8_t		 bytes[KEY_LEN];
	unsigned	 family;
	char		 name[PEER_NAME_MAX];
	size_t		 len;
	int		 begun;
	int64_t		 last;		/* id */
};
struct node *peers_find_key(const struct peers *p, const uint8_t key[KEY_LEN], struct peers_search *s);
struct node *peers_find_addr(const struct peers *p, const uint8_t addr[16], unsigned family, struct peers_search *s);
struct node *peers_find_name(const struct peers *p, const char *name, const char *suffix, struct peers_search *s);
/* At most `most` peers more; p may have changed, or be another map's.  NULL: none yet, or (by is SEARCH_NONE) none. */
struct node *peers_search_more(const struct peers *p, struct peers_search *s, size_t most);

struct node *peers_next(const struct peers *p, struct recset_iter *it, uint64_t version);

#endif
