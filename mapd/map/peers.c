/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"
#include "names.h"
#include "nodeview.h"
#include "packprint.h"
#include "peers.h"

#define ADDRS_INDEXED 16 /* of one peer; a tailnet gives it two. Others are found by a search */

struct peers *
peers_new(void)
{
	struct peers *p = xcalloc(1, sizeof(*p));

	p->refs = 1;
	p->next_expiry = INT64_MAX;
	p->set = recset_new();
	p->dict = dict_new();
	return p;
}

struct peers *
peers_ref(struct peers *p)
{
	p->refs++;
	return p;
}

void
peers_unref(struct peers *p)
{
	if (p == NULL || --p->refs > 0)
		return;
	recset_unref(p->set);
	dict_free(p->dict);
	hash_free(&p->bykey);
	hash_free(&p->byaddr);
	hash_free(&p->byname);
	profile_refs_free(&p->profile_refs);
	free(p);
}

size_t
peers_bytes(const struct peers *p)
{
	return recset_bytes(p->set) + dict_bytes(p->dict) +
	    (p->bykey.size + p->byaddr.size + p->byname.size) * sizeof(struct hash_entry) +
	    profile_refs_bytes(&p->profile_refs);
}

/* --- what is looked up --- */

static uint32_t
hash_bytes(const struct peers *p, const void *s, size_t n)
{
	return (uint32_t)dict_hash(p->dict, s, n);
}

static uint32_t
hash_addr(const struct peers *p, const uint8_t addr[16], unsigned family)
{
	uint8_t b[17];

	memcpy(b, addr, 16);
	b[16] = (uint8_t)family;
	return hash_bytes(p, b, sizeof(b));
}

/* Lower case and no trailing dot. */
static size_t
fold_name(const char *s, size_t n, char out[PEER_NAME_MAX])
{
	size_t i;

	if (n > 0 && s[n - 1] == '.')
		n--;
	if (n > PEER_NAME_MAX)
		n = PEER_NAME_MAX;
	for (i = 0; i < n; i++)
		out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i]);
	return n;
}

static size_t
node_name(const struct peers *p, const struct node *n, char out[PEER_NAME_MAX])
{
	const uint8_t *v = node_get(n, NM_Name);
	struct pv t;
	char tmp[PK_TMP];

	if (v == NULL || !pk_text(v, p->dict, tmp, &t))
		return 0;
	return fold_name((const char *)t.p, t.n, out);
}

/* --- lookup by index --- */

static struct node *
at(const struct peers *p, uint32_t slot)
{
	return (struct node *)recset_at(p->set, slot);
}

static uint32_t
key_slot(const struct peers *p, const uint8_t key[KEY_LEN], uint32_t h)
{
	uint32_t i = h, s;
	const struct node *n;

	while ((s = hash_next(&p->bykey, &i, h)) != HASH_NONE)
		if ((n = at(p, s)) != NULL && memcmp(n->key, key, KEY_LEN) == 0)
			break;
	return s;
}

static uint32_t
addr_slot(const struct peers *p, const uint8_t addr[16], unsigned family, uint32_t h)
{
	uint32_t i = h, s;
	const struct node *n;

	while ((s = hash_next(&p->byaddr, &i, h)) != HASH_NONE)
		if ((n = at(p, s)) != NULL && node_has_address(n, p->dict, addr, family))
			break;
	return s;
}

static uint32_t
name_slot(const struct peers *p, const char *name, size_t len, uint32_t h)
{
	char have[PEER_NAME_MAX];
	uint32_t i = h, s;
	const struct node *n;

	while ((s = hash_next(&p->byname, &i, h)) != HASH_NONE)
		if ((n = at(p, s)) != NULL && node_name(p, n, have) == len && memcmp(have, name, len) == 0)
			break;
	return s;
}

/* --- keeping the indexes: the node must be (or still be) in its slot --- */

static void
index_key(struct peers *p, const struct node *n, uint32_t slot, int add)
{
	uint32_t h = hash_bytes(p, n->key, KEY_LEN);

	if (!add)
		p->duplicates_key -= !hash_remove(&p->bykey, h, slot);
	else if (key_slot(p, n->key, h) == HASH_NONE)
		hash_insert(&p->bykey, h, slot);
	else
		p->duplicates_key++;
}

static void
index_name(struct peers *p, const struct node *n, uint32_t slot, int add)
{
	char name[PEER_NAME_MAX];
	size_t len = node_name(p, n, name);
	uint32_t h = hash_bytes(p, name, len);

	if (len == 0)
		return;
	if (!add)
		p->duplicates_name -= !hash_remove(&p->byname, h, slot);
	else if (name_slot(p, name, len, h) == HASH_NONE)
		hash_insert(&p->byname, h, slot);
	else
		p->duplicates_name++;
}

/* An address that one node names twice counts as a duplicate, too. */
static void
index_addrs(struct peers *p, const struct node *n, uint32_t slot, int add)
{
	const uint8_t *a = node_get(n, NM_Addresses), *v;
	uint8_t addr[16];
	unsigned family, bits, count = 0;
	uint32_t h;

	if (a == NULL || *a != PK_ARR)
		return;
	for (a = pk_first(a); pk_element(&a, &v);) {
		if (count++ >= ADDRS_INDEXED) {
			p->duplicates_addr += add ? 1 : (size_t)-1;
			continue;
		}
		if (!pk_addr(v, p->dict, addr, &family, &bits))
			continue;
		h = hash_addr(p, addr, family);
		if (!add)
			p->duplicates_addr -= !hash_remove(&p->byaddr, h, slot);
		else if (addr_slot(p, addr, family, h) == HASH_NONE)
			hash_insert(&p->byaddr, h, slot);
		else
			p->duplicates_addr++;
	}
}

size_t
peers_indexed(const struct node *n)
{
	const uint8_t *a = node_get(n, NM_Addresses);
	size_t count = a == NULL || *a != PK_ARR ? 0 : pk_count(a);

	return count < ADDRS_INDEXED ? count : ADDRS_INDEXED;
}

/* --- counters --- */

static int
is_online(const struct node *n)
{
	return (n->state & NODE_ONLINE_KNOWN) && (n->state & NODE_ONLINE);
}

static void
count_in(struct peers *p, const struct node *n)
{
	p->online += (size_t)is_online(n);
	p->marked += (n->state & NODE_EXPIRED_BY_CLOCK) != 0;
	p->had_unsigned |= (n->state & NODE_UNSIGNED) != 0;
	if ((n->state & NODE_EXPIRY) && n->key_expiry != TIME_GO_ZERO && !node_expired(n) &&
	    n->key_expiry < p->next_expiry)
		p->next_expiry = n->key_expiry;
}

static void
count_out(struct peers *p, const struct node *n)
{
	p->online -= (size_t)is_online(n);
	p->marked -= (n->state & NODE_EXPIRED_BY_CLOCK) != 0;
	if ((n->state & NODE_EXPIRY) && n->key_expiry == p->next_expiry)
		p->stale_expiry = 1;
}

/* --- changing --- */

int
peers_fit(const struct peers *p, size_t nodes, size_t addrs)
{
	return recset_fits(p->set, nodes) && nodes <= HASH_MAX - p->bykey.n && nodes <= HASH_MAX - p->byname.n &&
	    addrs <= HASH_MAX - p->byaddr.n;
}

void
peers_load(struct peers *p, struct rec **nodes, size_t n)
{
	size_t addrs = 0, i;
	uint32_t slot;
	struct node *nd;

	for (i = 0; i < n; i++)
		addrs += peers_indexed((struct node *)nodes[i]);
	hash_reserve(&p->bykey, n);
	hash_reserve(&p->byname, n);
	hash_reserve(&p->byaddr, addrs);
	recset_load(p->set, nodes, n);
	free(nodes);
	for (slot = 0; slot < recset_count(p->set); slot++) {
		nd = at(p, slot);
		index_key(p, nd, slot, 1);
		index_name(p, nd, slot, 1);
		index_addrs(p, nd, slot, 1);
		profile_refs_add(&p->profile_refs, p->set, nd, p->dict);
		count_in(p, nd);
	}
}

/* The members of data are the same bytes: keys of the indexes in it can't have changed. */
static int
same_data(const struct node *a, const struct node *b)
{
	return a->r.size == b->r.size && memcmp(node_data(a), node_data(b), node_data_len(a)) == 0;
}

void
peers_put(struct peers *p, struct node *n)
{
	struct node *old = peers_find(p, n->r.id);
	int key = old == NULL || memcmp(old->key, n->key, KEY_LEN) != 0;
	int data = old == NULL || !same_data(old, n);
	int users = !profile_refs_same(old, p->dict, n, p->dict);
	uint32_t slot;

	if (old != NULL) {
		slot = recset_slot(p->set, n->r.id);
		if (key)
			index_key(p, old, slot, 0);
		if (data) {
			index_name(p, old, slot, 0);
			index_addrs(p, old, slot, 0);
		}
		if (users)
			profile_refs_remove(&p->profile_refs, p->set, old, p->dict);
		count_out(p, old);
	}
	slot = recset_put(p->set, &n->r);
	if (key)
		index_key(p, n, slot, 1);
	if (data) {
		index_name(p, n, slot, 1);
		index_addrs(p, n, slot, 1);
	}
	if (users)
		profile_refs_add(&p->profile_refs, p->set, n, p->dict);
	count_in(p, n);
}

void
peers_del(struct peers *p, int64_t id)
{
	struct node *old = peers_find(p, id);
	uint32_t slot;

	if (old != NULL) {
		slot = recset_slot(p->set, id);
		index_key(p, old, slot, 0);
		index_name(p, old, slot, 0);
		index_addrs(p, old, slot, 0);
		profile_refs_remove(&p->profile_refs, p->set, old, p->dict);
		count_out(p, old);
	}
	recset_del(p->set, id);
}

/* --- finding --- */

struct node *
peers_find(const struct peers *p, int64_t id)
{
	return (struct node *)recset_find(p->set, id);
}

struct node *
peers_next(const struct peers *p, struct recset_iter *it, uint64_t version)
{
	return (struct node *)recset_next(p->set, it, version);
}

/* --- what no index finds --- */

static int
matches(const struct peers *p, const struct peers_search *s, const struct node *n)
{
	char have[PEER_NAME_MAX];
	struct pubkey printed;
	size_t len;

	switch (s->by) {
	case SEARCH_KEY: /* a peer that is marked expired has its own key and the one that is printed (E.12) */
		node_printed_key(n, &printed);
		return memcmp(n->key, s->bytes, KEY_LEN) == 0 || memcmp(printed.b, s->bytes, KEY_LEN) == 0;
	case SEARCH_ADDR: return node_has_address(n, p->dict, s->bytes, s->family);
	case SEARCH_NAME:
	case SEARCH_LABEL:
		len = node_name(p, n, have);
		return len >= s->len && memcmp(have, s->name, s->len) == 0 &&
		    (len == s->len || (s->by == SEARCH_LABEL && have[s->len] == '.'));
	case SEARCH_NONE: break;
	}
	return 0;
}

struct node *
peers_search_more(const struct peers *p, struct peers_search *s, size_t most)
{
	struct recset_iter it = s->begun ? recset_after(p->set, s->last) : recset_first(p->set);
	struct node *n;

	for (; most > 0 && s->by != SEARCH_NONE; most--) {
		if ((n = peers_next(p, &it, recset_version(p->set))) == NULL)
			s->by = SEARCH_NONE;
		else if (matches(p, s, n))
			return n;
		else {
			s->begun = 1;
			s->last = n->r.id;
		}
	}
	return NULL;
}

struct node *
peers_find_key(const struct peers *p, const uint8_t key[KEY_LEN], struct peers_search *s)
{
	uint32_t slot = key_slot(p, key, hash_bytes(p, key, KEY_LEN));

	*s = (struct peers_search){ .by = SEARCH_NONE };
	if (slot != HASH_NONE)
		return at(p, slot);
	if (p->duplicates_key > 0 || memcmp(key, node_invalid_prefix, sizeof(node_invalid_prefix)) == 0)
		s->by = SEARCH_KEY;
	memcpy(s->bytes, key, KEY_LEN);
	return NULL;
}

struct node *
peers_find_addr(const struct peers *p, const uint8_t addr[16], unsigned family, struct peers_search *s)
{
	uint32_t slot = addr_slot(p, addr, family, hash_addr(p, addr, family));

	*s = (struct peers_search){ .family = family };
	if (slot != HASH_NONE)
		return at(p, slot);
	s->by = p->duplicates_addr > 0 ? SEARCH_ADDR : SEARCH_NONE;
	memcpy(s->bytes, addr, 16);
	return NULL;
}

struct node *
peers_find_name(const struct peers *p, const char *name, const char *suffix, struct peers_search *s)
{
	char full[PEER_NAME_MAX];
	size_t len, n, sl = strlen(suffix);
	uint32_t slot;

	*s = (struct peers_search){ .by = SEARCH_NONE };
	if ((len = s->len = fold_name(name, strlen(name), s->name)) == 0)
		return NULL;
	slot = name_slot(p, s->name, len, hash_bytes(p, s->name, len));
	if (slot == HASH_NONE && memchr(s->name, '.', len) == NULL && sl > 0 && len + 1 + sl <= PEER_NAME_MAX) {
		memcpy(full, s->name, len);
		full[len] = '.';
		n = len + 1 + fold_name(suffix, sl, full + len + 1);
		slot = name_slot(p, full, n, hash_bytes(p, full, n));
	}
	if (slot != HASH_NONE)
		return at(p, slot);
	if (memchr(s->name, '.', len) == NULL)
		s->by = SEARCH_LABEL; /* a shared node: its name ends differently */
	else if (p->duplicates_name > 0)
		s->by = SEARCH_NAME;
	return NULL;
}
