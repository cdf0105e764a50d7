/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>

#include "mem.h"
#include "names.h"
#include "node.h"
#include "packprint.h"
#include "textset.h"

/* What is being put together. */
struct draft {
	const uint8_t *addresses, *routes;
	int64_t legacy_derp;
	struct node head; /* last: data follows where there is room for it */
};

/* Room for n bytes of data, and never less than the bare structure, so that it can be assigned. */
static struct node *
node_alloc(size_t n)
{
	size_t size = NODE_HEAD + n;

	if (size > UINT32_MAX)
		mem_exhausted();
	return xmalloc(size < sizeof(struct node) ? sizeof(struct node) : size);
}

static struct node *
finish(const struct node *head, const uint8_t *data, size_t n)
{
	struct node *nd = node_alloc(n);

	memcpy(nd, head, NODE_HEAD);
	memcpy(nd->data, data, n);
	nd->r.size = (uint32_t)(NODE_HEAD + n);
	nd->r.older = NULL;
	nd->r.born = 0;
	nd->r.flags = 0;
	return nd;
}

/* "127.3.3.40:N" (E.7 fixing 1); anything else is 0. */
static int64_t
legacy_derp(const uint8_t *value, const struct dict *d)
{
	static const char magic[] = "127.3.3.40:";
	char text[64], *end;
	long n = pk_cstr(value, d, text, sizeof(text));
	size_t plen = sizeof(magic) - 1;
	int64_t v;

	if (n <= (long)plen || strlen(text) != (size_t)n || strncmp(text, magic, plen) != 0)
		return 0;
	if (strspn(text + plen + (text[plen] == '-' || text[plen] == '+'), "0123456789") == 0)
		return 0;
	v = strtoll(text + plen, &end, 10);
	return *end == '\0' ? v : 0;
}

static void
set_state(struct node *n, enum node_state bit, int on)
{
	n->state = (uint16_t)(on ? n->state | bit : n->state & ~bit);
}

/* Times: into the field, and 1 if the text must be kept as well. */
static int
read_expiry(struct node *n, const uint8_t *v, const struct dict *d)
{
	struct wtime t = TIME_NONE;

	pk_time(v, d, &t);
	n->key_expiry = t.sec;
	set_state(n, NODE_EXPIRY, 1);
	set_state(n, NODE_EXPIRY_TEXT, *v != PK_TIME);
	return *v != PK_TIME;
}

static int
read_seen(struct node *n, const uint8_t *v, const struct dict *d)
{
	struct wtime t = TIME_NONE;

	pk_time(v, d, &t);
	n->last_seen = t.sec;
	n->last_seen_ns = t.nsec;
	set_state(n, NODE_SEEN, 1);
	set_state(n, NODE_SEEN_TEXT, *v != PK_TIME && *v != PK_TIMEN);
	return *v != PK_TIME && *v != PK_TIMEN;
}

/* The zero key means none (protocol.md A.2). */
static int
disco_state(struct node *n, const uint8_t *v)
{
	static const uint8_t zero[KEY_LEN];

	set_state(n, NODE_DISCO, memcmp(v + 1, zero, KEY_LEN) != 0);
	return 1;
}

static int
online_state(struct node *n, const uint8_t *v)
{
	set_state(n, NODE_ONLINE_KNOWN, 1);
	set_state(n, NODE_ONLINE, *v == PK_TRUE);
	return 0;
}

/* One known member of a Node: 1 = it stays in data. */
static int
read_member(struct draft *dr, unsigned name, const uint8_t *v, const struct dict *d)
{
	struct node *n = &dr->head;

	if (*v == PK_NULL)
		return 0;
	switch (name) {
	case NM_ID: (void)pk_i64(v, d, &n->r.id); return 0;
	case NM_User: (void)pk_i64(v, d, &n->user); return 0;
	case NM_Key: memcpy(n->key, v + 1, KEY_LEN); return 0;
	case NM_HomeDERP: (void)pk_i64(v, d, &n->home_derp); return 0;
	case NM_KeyExpiry: return read_expiry(n, v, d);
	case NM_LastSeen: return read_seen(n, v, d);
	case NM_Online: return online_state(n, v);
	case NM_Expired: set_state(n, NODE_EXPIRED, *v == PK_TRUE); return 0;
	case NM_DERP: dr->legacy_derp = legacy_derp(v, d); return 0;
	case NM_Addresses: dr->addresses = v; return 1;
	case NM_AllowedIPs: dr->routes = v; return 1;
	case NM_UnsignedPeerAPIOnly: set_state(n, NODE_UNSIGNED, *v == PK_TRUE); return 1;
	case NM_IsWireGuardOnly: set_state(n, NODE_WG_ONLY, *v == PK_TRUE); return 1;
	case NM_DiscoKey: return disco_state(n, v);
	case NM_Sharer: set_state(n, NODE_SHARED, 1); return 1;
	default: return 1;
	}
}

/* E.7 fixing 2 and 3. */
static void
fix_routes(struct draft *dr)
{
	int same = dr->addresses != NULL && dr->routes != NULL && pv_equal(pv_at(dr->addresses), pv_at(dr->routes));

	if (dr->routes == NULL || same || (dr->head.state & NODE_UNSIGNED))
		set_state(&dr->head, NODE_ROUTES_OWN, 1);
}

/* Names of the members of an object into a set. */
static void
collect_names(struct textset *known, const uint8_t *obj, const struct dict *d)
{
	const uint8_t *p = pk_first(obj), *v;
	struct pv name;
	unsigned nm;

	while (pk_member(&p, &nm, &name, &v)) {
		if (nm != 0)
			name.p = dict_text(d, nm, &name.n);
		(void)textset_add(known, d, name.p, name.n);
	}
}

/* E.7 fixing 4: Capabilities of the self node as members of CapMap, each once. */
static void
fold_capabilities(struct pb *out, const uint8_t *capmap, const uint8_t *caps, const struct dict *d)
{
	struct textset known = { 0 };
	const uint8_t *p, *v;
	char tmp[PK_TMP];
	struct pv t;

	pk_name_put(out, NM_CapMap);
	if (capmap != NULL && *capmap == PK_OBJ) {
		pb_put(out, capmap, pv_at(capmap).n - 1);
		collect_names(&known, capmap, d);
	} else
		pb_byte(out, PK_OBJ);
	for (p = pk_first(caps); pk_element(&p, &v);) {
		if (!pk_text(v, d, tmp, &t) || !textset_add(&known, d, t.p, t.n))
			continue;
		pk_name_text(out, t.p, t.n);
		pb_byte(out, PK_NULL);
	}
	pb_byte(out, PK_END);
	textset_free(&known);
}

struct node *
node_make(struct parser *ps, int self)
{
	struct draft dr = { 0 };
	const uint8_t *caps = NULL, *capmap = NULL, *base = ps->out.p;
	struct pb *out = &ps->scratch;
	size_t i;

	out->n = 0;
	dr.head.last_seen = TIME_GO_ZERO;
	dr.head.key_expiry = TIME_GO_ZERO;
	for (i = 0; i < ps->ntop; i++) {
		const struct parse_member *m = &ps->top[i];

		if (m->name < NM_COUNT && m->name != 0 && !read_member(&dr, m->name, base + m->value, ps->dict))
			continue;
		if (m->name == NM_AllowedIPs)
			continue; /* below */
		if (self && m->name == NM_CapMap) {
			capmap = base + m->value;
			continue;
		}
		if (m->name == NM_Capabilities)
			caps = base + m->value;
		pb_put(out, base + m->at, m->end - m->at);
	}
	fix_routes(&dr);
	if (!(dr.head.state & NODE_ROUTES_OWN)) {
		pk_name_put(out, NM_AllowedIPs);
		pb_put(out, dr.routes, pv_at(dr.routes).n);
	}
	if (self && caps != NULL) {
		fold_capabilities(out, capmap, caps, ps->dict);
	} else if (capmap != NULL) {
		pk_name_put(out, NM_CapMap);
		pb_put(out, capmap, pv_at(capmap).n);
	}
	pb_byte(out, PK_END);
	if (dr.head.home_derp == 0)
		dr.head.home_derp = dr.legacy_derp;
	return finish(&dr.head, out->p, out->n);
}

struct node *
node_make_patch(struct parser *ps, size_t at)
{
	struct node head = { 0 };
	const uint8_t *obj = ps->out.p + at;
	size_t i, n = ps->out.n - at;

	for (i = 0; i < ps->ntop; i++)
		if (ps->top[i].name == NM_NodeID)
			(void)pk_i64(ps->out.p + ps->top[i].value, ps->dict, &head.r.id);
	return finish(&head, obj + 1, n - 1);
}

/* Members of the patch that replace one in data. */
static int
patch_replaces(unsigned name, const uint8_t *v)
{
	int64_t cap;

	switch (name) {
	case NM_CapMap:
	case NM_Endpoints:
	case NM_KeySignature:
	case NM_DiscoKey: return *v != PK_NULL;
	case NM_Cap: return pk_i64(v, NULL, &cap) && cap != 0;
	default: return 0;
	}
}

struct merge {
	uint64_t drop; /* names below 64 whose member in data goes */
	struct {
		unsigned name;
		const uint8_t *at; /* name and value to append; ends at the next member */
		size_t len;
	} put[8];
	unsigned nput;
	struct node head;
};

/* The member goes, in data and of an earlier patch. */
static void
merge_drop(struct merge *m, unsigned name)
{
	unsigned i, w = 0;

	m->drop |= (uint64_t)1 << name;
	for (i = 0; i < m->nput; i++)
		if (m->put[i].name != name)
			m->put[w++] = m->put[i];
	m->nput = w;
}

static void
merge_put(struct merge *m, unsigned name, const uint8_t *at, const uint8_t *end)
{
	merge_drop(m, name);
	if (m->nput == sizeof(m->put) / sizeof(m->put[0]))
		return; /* never: there are fewer names */
	m->put[m->nput].name = name;
	m->put[m->nput].at = at;
	m->put[m->nput++].len = (size_t)(end - at);
}

static void
merge_member(struct merge *m, unsigned name, const uint8_t *at, const uint8_t *v, const uint8_t *end)
{
	struct node *n = &m->head;
	int64_t i;

	if (*v == PK_NULL)
		return;
	if (patch_replaces(name, v)) {
		merge_put(m, name, at, end);
		if (name == NM_DiscoKey)
			(void)disco_state(n, v);
		return;
	}
	switch (name) {
	case NM_Key: memcpy(n->key, v + 1, KEY_LEN); break;
	case NM_Online: online_state(n, v); break;
	case NM_DERPRegion:
		if (pk_i64(v, NULL, &i) && i != 0)
			n->home_derp = i;
		break;
	case NM_KeyExpiry:
		merge_drop(m, NM_KeyExpiry);
		if (read_expiry(n, v, NULL))
			merge_put(m, name, at, end);
		break;
	case NM_LastSeen:
		merge_drop(m, NM_LastSeen);
		if (read_seen(n, v, NULL))
			merge_put(m, name, at, end);
		break;
	default: break;
	}
}

_Static_assert(NM_CapMap < 64 && NM_Endpoints < 64 && NM_KeySignature < 64 && NM_DiscoKey < 64 && NM_Cap < 64 &&
	NM_KeyExpiry < 64 && NM_LastSeen < 64,
    "bits of merge.drop");

static struct node *
merge_finish(const struct merge *m, const struct node *old)
{
	const uint8_t *p = node_data(old), *v, *at;
	size_t most = node_data_len(old), i;
	struct node *nd;
	struct pv text;
	unsigned name;
	uint8_t *w;

	for (i = 0; i < m->nput; i++)
		most += m->put[i].len;
	nd = node_alloc(most);
	memcpy(nd, &m->head, NODE_HEAD);
	w = nd->data;
	for (at = p; pk_member(&p, &name, &text, &v); at = p) {
		if (name != 0 && name < 64 && (m->drop >> name & 1))
			continue;
		memcpy(w, at, (size_t)(p - at));
		w += p - at;
	}
	for (i = 0; i < m->nput; i++) {
		memcpy(w, m->put[i].at, m->put[i].len);
		w += m->put[i].len;
	}
	*w++ = PK_END;
	nd->r.size = (uint32_t)(NODE_HEAD + (size_t)(w - nd->data));
	nd->r.older = NULL;
	nd->r.flags = 0;
	return nd;
}

struct node *
node_patched(const struct node *old, const struct node *const *patches, size_t n)
{
	struct merge m = { .head = *old };
	const uint8_t *p, *v, *at;
	struct pv text;
	unsigned name;
	size_t i;

	for (i = 0; i < n; i++)
		for (at = p = node_data(patches[i]); pk_member(&p, &name, &text, &v); at = p)
			merge_member(&m, name, at, v, p);
	if (m.drop != 0)
		return merge_finish(&m, old);
	return finish(&m.head, node_data(old), node_data_len(old));
}

struct node *
node_copy(const struct node *old)
{
	return finish(old, node_data(old), node_data_len(old));
}

int
node_same(const struct node *a, const struct node *b)
{
	return a->r.size == b->r.size && a->r.id == b->r.id && a->user == b->user && a->key_expiry == b->key_expiry &&
	    a->last_seen == b->last_seen && a->last_seen_ns == b->last_seen_ns && a->home_derp == b->home_derp &&
	    a->state == b->state && memcmp(a->key, b->key, KEY_LEN) == 0 &&
	    memcmp(node_data(a), node_data(b), node_data_len(a)) == 0;
}

void
node_set_online(struct node *n, int online)
{
	set_state(n, NODE_ONLINE_KNOWN, 1);
	set_state(n, NODE_ONLINE, online);
}

void
node_set_seen(struct node *n, struct wtime t)
{
	n->last_seen = t.sec;
	n->last_seen_ns = 0;
	set_state(n, NODE_SEEN, 1);
	set_state(n, NODE_SEEN_TEXT, 0);
}

void
node_clear_seen(struct node *n)
{
	n->last_seen = TIME_GO_ZERO;
	n->last_seen_ns = 0;
	set_state(n, NODE_SEEN, 0);
	set_state(n, NODE_SEEN_TEXT, 0);
}
