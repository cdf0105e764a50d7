/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_MAP_H
#define UTIL_MAP_H

#include <json-c/json.h>

#include "ingest.h"
#include "expiry.h"
#include "netmap.h"
#include "nodeview.h"

/* A netmap that is fed map messages as text.  In texts ' means " (and ` means '). */
struct map_test {
	struct netmap	*nm;
	struct ingest	*g;
	struct netmap_change ch;	/* of the last message */
	struct wtime	 now;		/* local clock of the test */
};
#define REFUSED (-2)			/* not a message, or not one that fits: the stream would end */

struct map_test *mt_new(void);		/* session begun, no message yet */
/* A first message with only our own node and what is given besides. */
struct map_test *mt_with(const char *more);
void	 mt_free(struct map_test *m);
void	 mt_session(struct map_test *m);	/* the stream ends and another begins */
/* ingest_apply()'s result, or REFUSED. */
int	 mt_msg(struct map_test *m, const char *text);
int	 mt_raw(struct map_test *m, const char *text, size_t n, size_t piece);
/* Fail the test if the result is another. */
void	 mt_ok(struct map_test *m, const char *text);		/* 1: changed */
void	 mt_same(struct map_test *m, const char *text);		/* 0: nothing changed, and it looks the same */
/* Refused, the error contains why, and nothing changed. */
void	 mt_refused(struct map_test *m, const char *text, const char *why);

char	*mt_quotes(const char *text);	/* with ' made ", to be freed */
char	*mt_dump(struct map_test *m);	/* the netmap object, to be freed; NULL if there is none */
char	*mt_peers(struct map_test *m);	/* peers, one per line */
/*
 * The member at a path like "DNS.Routes" or "Peers.2.Name"; fails if absent.  Free with json_object_put() on
 * mt_json().
 */
struct json_object *mt_json(struct map_test *m);
/* Member `path` of the netmap object is the JSON text want; want NULL: it is not there. */
void	 mt_expect(struct map_test *m, const char *path, const char *want);
/* Member of the peer with this id. */
void	 mt_peer(struct map_test *m, int64_t id, const char *member, const char *want);
void	 mt_ids(struct map_test *m, const char *want);		/* ids of Peers in order: "1 2 3" */
void	 mt_change(const struct map_test *m, const char *changed, const char *removed, uint32_t fields);

/* To the end of the search.  NULL: there is none. */
const struct node *mt_find(const struct map_test *m, const char *what);
struct node *mt_by_key(const struct peers *p, const uint8_t key[KEY_LEN]);
struct node *mt_by_addr(const struct peers *p, const uint8_t addr[16], unsigned family);
struct node *mt_by_name(const struct peers *p, const char *name, const char *suffix);

unsigned mt_rnd(unsigned n);		/* below n; the same numbers in every run */

#define SELF_KEY "nodekey:1111111111111111111111111111111111111111111111111111111111111111"
#define NODE_SELF "'Node':{'ID':1,'StableID':'self','Name':'me.tail1.ts.net.','User':10,'Key':'" SELF_KEY \
	"','Addresses':['100.64.0.1/32']}"
#define KEY_OF(d) "nodekey:" d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d
#define MKEY_OF(d) "mkey:" d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d
#define DISCO_OF(d) "discokey:" d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d
/* A peer: id and last part of its address as text, two hex digits of its key. */
#define PEER(id, a, hex, more) \
	"{'ID':" id ",'StableID':'n" id "','Name':'p" id ".tail1.ts.net.','User':10,'Key':'" KEY_OF(hex) \
	"','Addresses':['100.64.1." a "/32'],'AllowedIPs':['100.64.1." a "/32']" more "}"
#define NODE4(more) "{'ID':4,'User':10,'Name':'p4.','Key':'" KEY_OF("44") "'" more "}"

#endif
