/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "addr.h"
#include "filter.h"
#include "nodeview.h"
#include "packprint.h"

#define ENTRY_MAX    128 /* no address, prefix or range is longer */
#define UNSIGNED_MAX 256 /* prefixes of unsigned peers that are looked at; with more the filter is closed */

/* Addresses first..last of one family; family 0: all. */
struct range {
	uint8_t first[16], last[16];
	unsigned family;
};

enum entry { ENTRY_BAD, ENTRY_RANGE, ENTRY_CAP };

static void
prefix_range(struct range *r, const uint8_t addr[16], unsigned family, unsigned bits)
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
parse_range(const char *s, size_t n, struct range *r)
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
parse_entry(const uint8_t *v, const struct dict *d, int source, struct range *r)
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

/* Old forms that would be read as something else today. */
static int
is_obsolete(const uint8_t *rule)
{
	const uint8_t *p = list(rule, NM_DstPorts), *v, *bits;

	if (list(rule, NM_SrcBits) != NULL)
		return 1;
	if (p == NULL)
		return 0;
	for (p = pk_first(p); pk_element(&p, &v);)
		if (*v == PK_OBJ && (bits = pk_get(v, NM_Bits)) != NULL && *bits != PK_NULL)
			return 1;
	return 0;
}

static int
overlap(const struct range *a, const struct range *b)
{
	if (a->family == 0 || b->family == 0)
		return 1;
	return a->family == b->family && memcmp(a->first, b->last, 16) <= 0 && memcmp(b->first, a->last, 16) <= 0;
}

/* Addresses that must not be a source of any rule: those of peers outside tailnet lock.  Number, or -1 = too many. */
static int
unsigned_ranges(const struct view *v, uint64_t peers_at, struct range r[UNSIGNED_MAX])
{
	struct recset_iter it = recset_first(v->peers->set);
	const struct node *n;
	const uint8_t *p, *e;
	uint8_t addr[16];
	unsigned family, bits;
	int count = 0;

	if (!v->peers->had_unsigned)
		return 0;
	while ((n = peers_next(v->peers, &it, peers_at)) != NULL) {
		if (!(n->state & NODE_UNSIGNED) || (p = node_routes(n)) == NULL || *p != PK_ARR)
			continue;
		for (p = pk_first(p); pk_element(&p, &e);) {
			if (!pk_addr(e, v->peers->dict, addr, &family, &bits))
				continue;
			if (count == UNSIGNED_MAX)
				return -1;
			prefix_range(&r[count++], addr, family, bits);
		}
	}
	return count;
}

static int
lets_unsigned_in(const uint8_t *rule, const struct dict *d, const struct range *r, int n)
{
	const uint8_t *p = list(rule, NM_SrcIPs), *v;
	struct range src;
	int i;

	if (n == 0 || p == NULL || list(rule, NM_DstPorts) == NULL)
		return 0;
	for (p = pk_first(p); pk_element(&p, &v);) {
		if (parse_entry(v, d, 1, &src) != ENTRY_RANGE)
			continue;
		for (i = 0; i < n; i++)
			if (overlap(&src, &r[i]))
				return 1;
	}
	return 0;
}

const char *
filter_closed(const struct view *v, uint64_t peers_at, const struct dict *d)
{
	struct range r[UNSIGNED_MAX];
	const uint8_t *p, *rule;
	size_t i;
	int n = unsigned_ranges(v, peers_at, r), any = 0;

	if (n == -1)
		return "too many unsigned peers";
	for (i = 0; v->filter != NULL && i < v->filter->n; i++) {
		if (*v->filter->e[i].value->p != PK_ARR)
			continue;
		for (p = pk_first(v->filter->e[i].value->p); pk_element(&p, &rule);) {
			any = 1;
			if (is_obsolete(rule))
				return "a rule has SrcBits or Bits";
			if (lets_unsigned_in(rule, d, r, n))
				return "a rule lets an unsigned peer in";
		}
	}
	return any ? NULL : "no rules";
}

/* --- one rule --- */

/* Members of a list that have an effect.  Number. */
static size_t
print_sources(struct pb *out, const uint8_t *rule, const struct dict *d)
{
	const uint8_t *p = list(rule, NM_SrcIPs), *v;
	struct range r;
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
	struct range r;
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
