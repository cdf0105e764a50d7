/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "filter.h"
#include "mem.h"
#include "nodeview.h"
#include "packprint.h"

#define ENTRY_MAX    128 /* no address, prefix or range is longer */
#define UNSIGNED_MAX 256 /* prefixes of unsigned peers that are looked at; with more the filter is closed */

enum entry { ENTRY_BAD, ENTRY_RANGE, ENTRY_CAP };

static void
prefix_range(struct filter_range *r, const uint8_t addr[16], unsigned family, unsigned bits)
{
	unsigned i;

	r->family = family;
	memcpy(r->first, addr, 16);
	memcpy(r->last, addr, 16);
	for (i = bits; i < (family == 4 ? 32u : 128u); i++)
		r->last[i / 8] |= (uint8_t)(0x80 >> (i % 8));
}

/* "*", an address, a prefix without host bits, or "a-b". */
static int
parse_range(const char *s, size_t n, struct filter_range *r)
{
	const char *dash = memchr(s, '-', n);
	uint8_t addr[16], last[16];
	unsigned family, family2, bits;
	int zone;

	if (n == 1 && *s == '*') {
		r->family = 0;
		return 1;
	}
	if (dash != NULL) {
		if (addr_parse_ip(s, (size_t)(dash - s), addr, &family, &zone) == -1 || zone ||
		    addr_parse_ip(dash + 1, n - (size_t)(dash - s) - 1, last, &family2, &zone) == -1 || zone ||
		    family != family2 || memcmp(addr, last, 16) > 0)
			return 0;
		r->family = family;
		memcpy(r->first, addr, 16);
		memcpy(r->last, last, 16);
		return 1;
	}
	if (memchr(s, '/', n) != NULL) {
		if (addr_parse_prefix(s, n, addr, &family, &bits) == -1 || !addr_prefix_masked(addr, family, bits))
			return 0;
	} else {
		if (addr_parse_ip(s, n, addr, &family, &zone) == -1 || zone)
			return 0;
		bits = family == 4 ? 32 : 128;
	}
	prefix_range(r, addr, family, bits);
	return 1;
}

/* An entry of SrcIPs (caps allowed) or DstPorts[].IP. */
static enum entry
parse_entry(const uint8_t *v, const struct dict *d, int source, struct filter_range *r)
{
	char tmp[PK_TMP];
	struct pv t;

	if (v == NULL || !pk_text(v, d, tmp, &t))
		return ENTRY_BAD;
	if (source && t.n > 4 && memcmp(t.p, "cap:", 4) == 0)
		return ENTRY_CAP;
	return t.n <= ENTRY_MAX && parse_range((const char *)t.p, t.n, r) ? ENTRY_RANGE : ENTRY_BAD;
}

static const uint8_t *
list(const uint8_t *obj, unsigned name)
{
	const uint8_t *v = *obj == PK_OBJ ? pk_get(obj, name) : NULL;

	return v != NULL && *v == PK_ARR && *pk_first(v) != PK_END ? v : NULL;
}

/* --- the whole filter --- */

enum { AT_PEERS, AT_CHUNK, AT_RULE, AT_PORTS, AT_SOURCES, AT_END };

static int
by_first(const void *a, const void *b)
{
	const struct filter_range *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return memcmp(x->first, y->first, sizeof(x->first));
}

/* In order, and none overlaps another: what a source meets is found by bisection. */
static void
join_ranges(struct filter_check *c)
{
	struct filter_range *r = c->unsigned_peers;
	size_t i, w = 0;

	if (c->n == 0)
		return;
	qsort(r, c->n, sizeof(*r), by_first);
	for (i = 1; i < c->n; i++) {
		if (r[i].family != r[w].family || memcmp(r[i].first, r[w].last, 16) > 0)
			r[++w] = r[i];
		else if (memcmp(r[i].last, r[w].last, 16) > 0)
			memcpy(r[w].last, r[i].last, 16);
	}
	c->n = w + 1;
}

static int
meets_unsigned(const struct filter_check *c, const struct filter_range *src)
{
	const struct filter_range *r = c->unsigned_peers;
	size_t low = 0, high = c->n, mid; /* the first one that begins behind src */

	if (src->family == 0)
		return c->n > 0;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (r[mid].family > src->family ||
		    (r[mid].family == src->family && memcmp(r[mid].first, src->last, 16) > 0))
			high = mid;
		else
			low = mid + 1;
	}
	return low > 0 && r[low - 1].family == src->family && memcmp(r[low - 1].last, src->first, 16) >= 0;
}

static void
verdict(struct filter_check *c, const char *closed)
{
	c->closed = closed;
	c->at = AT_END;
}

/* Addresses that must not be a source of any rule: those of peers outside tailnet lock. */
static void
add_ranges(struct filter_check *c, const struct node *n, const struct dict *d)
{
	const uint8_t *p = node_routes(n), *e;
	uint8_t addr[16];
	unsigned family, bits;

	if (!(n->state & NODE_UNSIGNED) || p == NULL || *p != PK_ARR)
		return;
	if (c->unsigned_peers == NULL)
		c->unsigned_peers = xcalloc(UNSIGNED_MAX, sizeof(*c->unsigned_peers));
	for (p = pk_first(p); pk_element(&p, &e);) {
		if (!pk_addr(e, d, addr, &family, &bits))
			continue;
		if (c->n == UNSIGNED_MAX) {
			verdict(c, "too many unsigned peers");
			return;
		}
		prefix_range(&c->unsigned_peers[c->n++], addr, family, bits);
	}
}

/* The set may have changed since the last piece: its place is found again by the id. */
static size_t
peers_more(struct filter_check *c, size_t work)
{
	const struct peers *p = c->v->peers;
	struct recset_iter it = c->begun ? recset_after(p->set, c->last) : recset_first(p->set);
	const struct node *n;

	for (; work > 0 && c->at == AT_PEERS; work--) {
		if ((n = peers_next(p, &it, c->peers_at)) == NULL) {
			join_ranges(c);
			c->at = AT_CHUNK;
			break;
		}
		c->begun = 1;
		c->last = n->r.id;
		add_ranges(c, n, p->dict);
	}
	return work;
}

static void
next_chunk(struct filter_check *c)
{
	const struct blobmap *m = c->v->filter;
	const uint8_t *list;

	if (m == NULL || c->chunk == m->n) {
		verdict(c, c->any ? NULL : "no rules");
		return;
	}
	list = m->e[c->chunk++].value->p;
	if (*list != PK_ARR)
		return;
	c->rule = pk_first(list);
	c->at = AT_RULE;
}

static void
next_rule(struct filter_check *c)
{
	const uint8_t *rule, *ports, *sources;

	if (!pk_element(&c->rule, &rule)) {
		c->at = AT_CHUNK;
		return;
	}
	c->any = 1;
	if (list(rule, NM_SrcBits) != NULL) {
		verdict(c, "a rule has SrcBits or Bits");
		return;
	}
	if ((ports = list(rule, NM_DstPorts)) == NULL)
		return;
	sources = c->n > 0 ? list(rule, NM_SrcIPs) : NULL;
	c->sources = sources != NULL ? pk_first(sources) : NULL;
	c->ports = pk_first(ports);
	c->at = AT_PORTS;
}

/* Old forms would be read as something else today. */
static void
next_port(struct filter_check *c)
{
	const uint8_t *v, *bits;

	if (!pk_element(&c->ports, &v))
		c->at = c->sources != NULL ? AT_SOURCES : AT_RULE;
	else if (*v == PK_OBJ && (bits = pk_get(v, NM_Bits)) != NULL && *bits != PK_NULL)
		verdict(c, "a rule has SrcBits or Bits");
}

static void
next_source(struct filter_check *c)
{
	struct filter_range src;
	const uint8_t *v;

	if (!pk_element(&c->sources, &v))
		c->at = AT_RULE;
	else if (parse_entry(v, c->d, 1, &src) == ENTRY_RANGE && meets_unsigned(c, &src))
		verdict(c, "a rule lets an unsigned peer in");
}

void
filter_check_begin(struct filter_check *c, const struct view *v, uint64_t peers_at, const struct dict *d)
{
	*c = (struct filter_check){ .v = v, .peers_at = peers_at, .d = d };
	c->at = v->peers->had_unsigned ? AT_PEERS : AT_CHUNK;
}

int
filter_check_more(struct filter_check *c, size_t work)
{
	if (c->at == AT_PEERS)
		work = peers_more(c, work);
	for (; work > 0 && c->at != AT_END && c->at != AT_PEERS; work--) {
		switch (c->at) {
		case AT_CHUNK: next_chunk(c); break;
		case AT_RULE: next_rule(c); break;
		case AT_PORTS: next_port(c); break;
		default: next_source(c); break;
		}
	}
	return c->at != AT_END;
}

void
filter_check_end(struct filter_check *c)
{
	free(c->unsigned_peers);
	c->unsigned_peers = NULL;
}

/* --- one rule --- */

/* Members of a list that have an effect.  Number. */
static size_t
print_sources(struct pb *out, const uint8_t *rule, const struct dict *d)
{
	const uint8_t *p = list(rule, NM_SrcIPs), *v;
	struct filter_range r;
	size_t n = 0;

	pb_puts(out, "\"SrcIPs\":[");
	if (p != NULL)
		for (p = pk_first(p); pk_element(&p, &v);) {
			if (parse_entry(v, d, 1, &r) == ENTRY_BAD)
				continue;
			if (n++ > 0)
				pb_byte(out, ',');
			(void)pk_print(out, v, d);
		}
	pb_byte(out, ']');
	return n;
}

/* One end of a port range as Go reads it: absent or null is 0.  0 = no port. */
static int
port(const uint8_t *ports, unsigned name, const struct dict *d, int64_t *out)
{
	const uint8_t *v = ports != NULL && *ports == PK_OBJ ? pk_get(ports, name) : NULL;

	*out = 0;
	if (v == NULL || *v == PK_NULL)
		return 1;
	return pk_i64(v, d, out) && *out >= 0 && *out <= UINT16_MAX;
}

/* A DstPorts entry with both ends of its range written out.  0 = it has no effect. */
static int
print_destination(struct pb *out, const uint8_t *entry, const struct dict *d, int comma)
{
	const uint8_t *ports = *entry == PK_OBJ ? pk_get(entry, NM_Ports) : NULL;
	struct filter_range r;
	int64_t first, last;

	if (*entry != PK_OBJ || parse_entry(pk_get(entry, NM_IP), d, 0, &r) == ENTRY_BAD)
		return 0;
	if (!port(ports, NM_First, d, &first) || !port(ports, NM_Last, d, &last) || first > last)
		return 0;
	pb_puts(out, comma ? ",{\"IP\":" : "{\"IP\":");
	(void)pk_print(out, pk_get(entry, NM_IP), d);
	pb_puts(out, ",\"Ports\":{\"First\":");
	pb_i64(out, first);
	pb_puts(out, ",\"Last\":");
	pb_i64(out, last);
	pb_puts(out, "}}");
	return 1;
}

static size_t
print_destinations(struct pb *out, const uint8_t *rule, const struct dict *d)
{
	const uint8_t *p = list(rule, NM_DstPorts), *v;
	size_t n = 0;

	pb_puts(out, ",\"DstPorts\":[");
	if (p != NULL)
		for (p = pk_first(p); pk_element(&p, &v);)
			n += (size_t)print_destination(out, v, d, n > 0);
	pb_byte(out, ']');
	return n;
}

/* No list means TCP, UDP, ICMP and ICMPv6; a list of which nothing is left means nothing, not everything. */
static size_t
print_protocols(struct pb *out, const uint8_t *rule, const struct dict *d)
{
	const uint8_t *p = list(rule, NM_IPProto), *v;
	int64_t proto;
	size_t n = 0;

	if (p == NULL) {
		pb_puts(out, ",\"IPProto\":[6,17,1,58]");
		return 4;
	}
	pb_puts(out, ",\"IPProto\":[");
	for (p = pk_first(p); pk_element(&p, &v);) {
		if (!pk_i64(v, d, &proto) || proto < 0 || proto > 255)
			continue;
		if (n++ > 0)
			pb_byte(out, ',');
		pb_i64(out, proto);
	}
	pb_byte(out, ']');
	return n;
}

int
filter_print_rule(struct pb *out, const uint8_t *rule, const struct dict *d, int comma)
{
	const uint8_t *grant = *rule == PK_OBJ ? list(rule, NM_CapGrant) : NULL;
	size_t from = out->n, sources, destinations, mark, protocols;

	if (*rule != PK_OBJ)
		return 0;
	if (comma)
		pb_byte(out, ',');
	pb_byte(out, '{');
	sources = print_sources(out, rule, d);
	mark = out->n;
	destinations = print_destinations(out, rule, d);
	protocols = print_protocols(out, rule, d);
	if (destinations == 0 || protocols == 0) {
		out->n = mark;
		destinations = 0;
	}
	if (grant != NULL) {
		pb_puts(out, ",\"CapGrant\":");
		(void)pk_print(out, grant, d);
	}
	pb_byte(out, '}');
	if (sources > 0 && (destinations > 0 || grant != NULL))
		return 1;
	out->n = from;
	return 0;
}
