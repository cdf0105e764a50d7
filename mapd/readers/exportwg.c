/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "b64.h"
#include "exportwg.h"
#include "mem.h"
#include "nodeview.h"
#include "packprint.h"
#include "peername.h"
#include "pickendpoint.h"
#include "text.h"
#include "textset.h"

/*
 * wg setconf format.  Two passes over the snapshot: which peer gets which prefix (a prefix given twice is given to
 * one peer only, as in WireGuard itself, but to a fixed one), then the peers.  Rules: protocol.md K.2 and its last
 * paragraph.
 */
#define ENDPOINTS_MAX 64   /* of one peer that are looked at */
#define SCAN_WORK     8000 /* peers and their prefixes that are looked at in one go */

struct prefix {
	uint8_t addr[16];
	unsigned family, bits;
};

static int
is_tailscale_ip(const struct prefix *p)
{
	static const uint8_t cgnat[16] = { 100, 64 }, chromeos[16] = { 100, 115, 92 },
			     ula[16] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 };

	if (p->family == 4)
		return addr_prefix_contains(cgnat, 10, p->addr) && !addr_prefix_contains(chromeos, 23, p->addr);
	return addr_prefix_contains(ula, 48, p->addr);
}

/* A list of prefixes of one peer; a long one is looked at as a set. */
struct prefixes {
	const uint8_t *list; /* NULL: none */
	const struct dict *d;
	int is_set;
	struct textset set;
};

#define FEW         16
#define PREFIX_TEXT 18

static int
same_prefix(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && a->bits == b->bits && memcmp(a->addr, b->addr, 16) == 0;
}

static void
prefix_text(const struct prefix *p, uint8_t text[PREFIX_TEXT])
{
	memcpy(text, p->addr, 16);
	text[16] = (uint8_t)p->family;
	text[17] = (uint8_t)p->bits;
}

static void
prefixes_init(struct prefixes *l, const uint8_t *list, const struct dict *d)
{
	const uint8_t *p, *v;
	uint8_t text[PREFIX_TEXT];
	struct prefix pf;

	memset(l, 0, sizeof(*l));
	if (list == NULL || *list != PK_ARR)
		return;
	l->list = list;
	l->d = d;
	if (pk_count(list) <= FEW)
		return;
	l->is_set = 1;
	for (p = pk_first(list); pk_element(&p, &v);) {
		if (!pk_addr(v, d, pf.addr, &pf.family, &pf.bits))
			continue;
		prefix_text(&pf, text);
		(void)textset_add(&l->set, d, text, sizeof(text));
	}
}

static int
in_list(const struct prefixes *l, const struct prefix *want)
{
	const uint8_t *p, *v;
	uint8_t text[PREFIX_TEXT];
	struct prefix have;

	if (l->list == NULL)
		return 0;
	if (l->is_set) {
		prefix_text(want, text);
		return textset_has(&l->set, l->d, text, sizeof(text));
	}
	for (p = pk_first(l->list); pk_element(&p, &v);)
		if (pk_addr(v, l->d, have.addr, &have.family, &have.bits) && same_prefix(&have, want))
			return 1;
	return 0;
}

/* May this peer have this prefix at all? */
static int
accepted(const struct exporter *x, const struct node *n, const struct prefixes *own, const struct prefix *p)
{
	if (!addr_prefix_masked(p->addr, p->family, p->bits))
		return 0;
	if (p->bits == 0)
		return x->has_exit && x->exit_id == n->r.id;
	if (p->bits == (p->family == 4 ? 32u : 128u) && (is_tailscale_ip(p) || in_list(own, p)))
		return 1;
	return x->accept_routes;
}

static int
usable(const struct node *n)
{
	static const uint8_t zero[KEY_LEN];

	return memcmp(n->key, zero, KEY_LEN) != 0 && !node_expired(n) &&
	    ((n->state & (NODE_DISCO | NODE_WG_ONLY)) || n->home_derp != 0);
}

/* --- claims --- */

/* By a seeded hash: the server chooses the prefixes. */
static size_t
place(const struct exporter *x, const struct prefix *p)
{
	uint8_t text[PREFIX_TEXT];
	size_t i;

	prefix_text(p, text);
	i = (size_t)dict_hash(x->walk.nm->names, text, sizeof(text)) & (x->size - 1);
	for (; x->claims[i].used; i = (i + 1) & (x->size - 1)) {
		const struct claim *c = &x->claims[i];

		if (c->bits == p->bits && c->family == p->family && memcmp(c->addr, p->addr, 16) == 0)
			break;
	}
	return i;
}

static void
grow(struct exporter *x)
{
	struct claim *old = x->claims;
	size_t n = x->size, i;

	x->size = n ? n * 2 : 256;
	x->claims = xcalloc(x->size, sizeof(*x->claims));
	for (i = 0; i < n; i++) {
		struct prefix p = { .family = old[i].family, .bits = old[i].bits };

		if (!old[i].used)
			continue;
		memcpy(p.addr, old[i].addr, 16);
		x->claims[place(x, &p)] = old[i];
	}
	free(old);
}

static void
claim(struct exporter *x, const struct node *n, const struct prefix *p, int primary)
{
	struct claim *c;

	if (x->nclaims * 3 >= x->size * 2)
		grow(x);
	c = &x->claims[place(x, p)];
	if (c->used && c->primary >= primary)
		return; /* the peer with the lower id has it */
	x->nclaims += !c->used;
	*c = (struct claim){ .family = (uint8_t)p->family,
		.bits = (uint8_t)p->bits,
		.primary = (uint8_t)primary,
		.used = 1,
		.owner = n->r.id };
	memcpy(c->addr, p->addr, 16);
	x->nlengths[p->family == 6] += !x->lengths[p->family == 6][p->bits];
	x->lengths[p->family == 6][p->bits] = 1;
}

/* Prefixes looked at. */
static size_t
claim_all(struct exporter *x, const struct node *n, const struct dict *d)
{
	const uint8_t *routes = node_routes(n), *p, *v;
	struct prefixes own, primary;
	struct prefix pf;
	size_t count = 0;

	if (!usable(n) || routes == NULL || *routes != PK_ARR)
		return 0;
	prefixes_init(&own, node_get(n, NM_Addresses), d);
	prefixes_init(&primary, node_get(n, NM_PrimaryRoutes), d);
	for (p = pk_first(routes); pk_element(&p, &v); count++)
		if (pk_addr(v, d, pf.addr, &pf.family, &pf.bits) && accepted(x, n, &own, &pf))
			claim(x, n, &pf, in_list(&primary, &pf));
	textset_free(&own.set);
	textset_free(&primary.set);
	return count;
}

/* 1 = not at the end yet. */
static int
scan(struct exporter *x)
{
	struct walk_item it;
	size_t work;

	for (work = 0; work < SCAN_WORK; work++) {
		if (!walk_next(&x->walk, &it)) {
			walk_peers(&x->walk);
			return 0;
		}
		if (it.kind == WALK_ITEM)
			work += claim_all(x, it.node, it.dict);
	}
	return 1;
}

/* --- printing --- */

/* Inside a prefix that some peer gets, other than a default route, whose user keeps the outer packets out of it. */
static int
is_routed(const void *arg, const uint8_t addr[16], unsigned family)
{
	const struct exporter *x = arg;
	struct prefix p = { .family = family };
	unsigned max = family == 4 ? 32 : 128, i;

	for (p.bits = max; p.bits > 0; p.bits--) {
		if (!x->lengths[family == 6][p.bits])
			continue;
		memset(p.addr, 0, sizeof(p.addr));
		for (i = 0; i < p.bits / 8; i++)
			p.addr[i] = addr[i];
		if (p.bits % 8 != 0)
			p.addr[i] = addr[i] & (uint8_t)(0xff00 >> p.bits % 8);
		if (x->claims[place(x, &p)].used)
			return 1;
	}
	return 0;
}

/* The best of the endpoints, of equals the first: 1, or 0 if none is of use. */
static int
best_endpoint(struct exporter *x, const struct node *n, const struct dict *d, char out[ADDR_TEXT_MAX])
{
	const struct pickendpoint how = { .params = x->host, .routed = is_routed, .arg = x };
	enum pickendpoint_rank best = PICK_NEVER, rank;
	const uint8_t *p = node_get(n, NM_Endpoints), *v;
	unsigned family, port, left;
	char tmp[PK_TMP];
	uint8_t a[16];
	struct pv t;
	int zone;

	if (p == NULL || *p != PK_ARR)
		return 0;
	for (p = pk_first(p), left = ENDPOINTS_MAX; left > 0 && pk_element(&p, &v); left--) {
		if (!pk_text(v, d, tmp, &t) ||
		    addr_parse_endpoint((const char *)t.p, t.n, a, &family, &port, &zone) == -1 || zone || port == 0)
			continue;
		pickendpoint_unmap(a, &family);
		x->looked += x->nlengths[family == 6];
		if ((rank = pickendpoint_rank(&how, a, family)) <= best)
			continue;
		best = rank;
		addr_format_endpoint(a, family, port, out);
	}
	return best != PICK_NEVER;
}

/* The prefixes that are this peer's by the claims, comma separated; number of them. */
static size_t
allowed_ips(struct exporter *x, const struct node *n, const struct dict *d, struct pb *out)
{
	const uint8_t *p = node_routes(n), *v;
	char text[ADDR_TEXT_MAX];
	struct prefixes own;
	struct prefix pf;
	struct claim *c;
	size_t count = 0;

	if (p == NULL || *p != PK_ARR)
		return 0;
	prefixes_init(&own, node_get(n, NM_Addresses), d);
	for (p = pk_first(p); pk_element(&p, &v);) {
		if (!pk_addr(v, d, pf.addr, &pf.family, &pf.bits) || !accepted(x, n, &own, &pf))
			continue;
		c = &x->claims[place(x, &pf)];
		if (!c->used || c->done || c->owner != n->r.id)
			continue; /* another's, or named twice */
		if (count++ > 0)
			pb_puts(out, ", ");
		addr_format_prefix(pf.addr, pf.family, pf.bits, text);
		pb_puts(out, text);
		c->done = 1;
	}
	textset_free(&own.set);
	return count;
}

static void
print_peer(struct exporter *x, const struct node *n, const struct dict *d, struct pb *out)
{
	char text[300], name[260], ep[ADDR_TEXT_MAX], b64[48];
	size_t from = out->n, len;
	int has_ep;

	if (!usable(n) || b64_encode(n->key, KEY_LEN, b64, sizeof(b64)) < 0)
		return;
	len = node_text(n, d, NM_Name, text, sizeof(text));
	has_ep = best_endpoint(x, n, d, ep);
	pb_puts(out, "\n# ");
	if (dns_name(text, len, name) > 0)
		pb_puts(out, name);
	else
		pb_printf(out, "peer %lld", (long long)n->r.id);
	if (!has_ep)
		pb_puts(out,
		    n->home_derp != 0 ? ": no usable endpoint, reachable only through DERP" : ": no usable endpoint");
	pb_puts(out, "\n[Peer]\nPublicKey = ");
	pb_puts(out, b64);
	pb_puts(out, "\nAllowedIPs = ");
	if (allowed_ips(x, n, d, out) == 0) {
		out->n = from; /* K.2: not configured at all */
		return;
	}
	if (has_ep)
		pb_printf(out, "\nEndpoint = %s", ep);
	pb_puts(out, "\nPersistentKeepalive = 25\n");
	x->count++;
}

int
exportwg_more(struct exporter *x, struct pb *out, size_t about)
{
	struct walk_item it;
	const uint8_t *routes;
	size_t work;

	walk_resume(&x->walk);
	if (!x->scanned) {
		x->scanned = !scan(x);
		return 1;
	}
	x->looked = 0;
	for (work = 0; out->n < about && work + x->looked < SCAN_WORK; work++) {
		if (!walk_next(&x->walk, &it))
			return 0;
		if (it.kind != WALK_ITEM)
			continue;
		print_peer(x, it.node, it.dict, out);
		if ((routes = node_routes(it.node)) != NULL && *routes == PK_ARR)
			work += pk_count(routes);
	}
	return 1;
}

/*
 * StableID, name or address (interface.md 2).  A number is never read as the other kind of id, nor a key as a
 * name.
 */
static const struct node *
find_exit(const struct exporter *x, const char *what)
{
	const struct peers *p = x->walk.snap.view->peers;
	struct recset_iter it = recset_first(p->set);
	const struct node *n;
	char id[IPC_NAME_MAX + 1];
	struct peers_search s;
	struct pubkey key;
	int64_t number;
	size_t len = strlen(what);

	while ((n = peers_next(p, &it, x->walk.snap.peers_at)) != NULL)
		if (node_text(n, p->dict, NM_StableID, id, sizeof(id)) == len && memcmp(id, what, len) == 0)
			return n;
	if (text_to_i64(what, len, INT64_MIN, INT64_MAX, &number) == 0 || key_parse(KEY_NODE, what, len, &key) == 0)
		return NULL;
	if ((n = find_peer(x->walk.nm, what, &s)) == NULL)
		n = peers_search_more(x->walk.nm->cur->peers, &s, SIZE_MAX);
	return n;
}

int
export_wgconf(struct exporter *x, struct netmap *nm, const struct wgconf_options *o, struct pb *out)
{
	const struct node *n;

	memset(x, 0, sizeof(*x));
	x->accept_routes = o->accept_routes;
	x->host = o->host;
	if (walk_begin(&x->walk, nm) == -1)
		return -1;
	walk_peers(&x->walk);
	grow(x);
	if (!o->has_interface)
		pb_puts(out, "[Interface]\n");
	pb_printf(out, "ListenPort = %u\n", o->listen_port);
	if (o->exit_node[0] == '\0')
		return 0;
	if ((n = find_exit(x, o->exit_node)) != NULL) {
		x->has_exit = 1;
		x->exit_id = n->r.id;
	} else
		pb_puts(out, "# the configured exit-node is not among the peers: no default route\n");
	return 0;
}
