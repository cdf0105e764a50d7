/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "names.h"
#include "nodeview.h"
#include "packprint.h"

const uint8_t *
node_get(const struct node *n, unsigned name)
{
	const uint8_t *p = node_data(n), *v;
	struct pv text;
	unsigned nm;

	while (pk_member(&p, &nm, &text, &v))
		if (nm == name)
			return v;
	return NULL;
}

const uint8_t *
node_routes(const struct node *n)
{
	return node_get(n, n->state & NODE_ROUTES_OWN ? NM_Addresses : NM_AllowedIPs);
}

size_t
node_text(const struct node *n, const struct dict *d, unsigned name, char *out, size_t outsize)
{
	const uint8_t *v = node_get(n, name);
	long len = v == NULL ? -1 : pk_cstr(v, d, out, outsize);

	if (len < 0) {
		out[0] = '\0';
		return 0;
	}
	return (size_t)len;
}

int64_t
node_sharer(const struct node *n, const struct dict *d)
{
	const uint8_t *v;
	int64_t id = 0;

	if ((n->state & NODE_SHARED) && (v = node_get(n, NM_Sharer)) != NULL)
		(void)pk_i64(v, d, &id);
	return id;
}

int
node_expired(const struct node *n)
{
	return (n->state & (NODE_EXPIRED | NODE_EXPIRED_BY_CLOCK)) != 0;
}

int
node_has_address(const struct node *n, const struct dict *d, const uint8_t addr[16], unsigned family)
{
	const uint8_t *p = node_get(n, NM_Addresses), *v;
	uint8_t a[16];
	unsigned f, bits;

	if (p == NULL || *p != PK_ARR)
		return 0;
	for (p = pk_first(p); pk_element(&p, &v);)
		if (pk_addr(v, d, a, &f, &bits) && f == family && memcmp(a, addr, 16) == 0)
			return 1;
	return 0;
}

const uint8_t node_invalid_prefix[6] = { 0x6d, 0xa7, 0x74, 0xd5, 0xd7, 0x74 };

void
node_printed_key(const struct node *n, struct pubkey *k)
{
	memcpy(k->b, n->key, KEY_LEN);
	if (n->state & NODE_EXPIRED_BY_CLOCK)
		memcpy(k->b, node_invalid_prefix, sizeof(node_invalid_prefix));
}

static void
print_key(struct pb *b, const struct node *n)
{
	struct pubkey k;

	node_printed_key(n, &k);
	pb_need(b, 96);
	pb_put(b, ",\"Key\":\"nodekey:", 16);
	pack_hex((char *)b->p + b->n, k.b, KEY_LEN);
	b->n += 64;
	pb_byte(b, '"');
}

static void
print_time(struct pb *b, const char *name, int64_t sec, int32_t nsec)
{
	pb_puts(b, name);
	pb_need(b, TIME_TEXT_MAX);
	b->n += pack_time_text((char *)b->p + b->n, (struct wtime){ sec, nsec });
	pb_byte(b, '"');
}

static void
print_fields(struct pb *b, const struct node *n)
{
	pb_put(b, "{\"ID\":", 6);
	pb_i64(b, n->r.id);
	print_key(b, n);
	pb_put(b, ",\"User\":", 8);
	pb_i64(b, n->user);
	if ((n->state & NODE_EXPIRY) && !(n->state & NODE_EXPIRY_TEXT))
		print_time(b, ",\"KeyExpiry\":\"", n->key_expiry, 0);
	if ((n->state & NODE_SEEN) && !(n->state & NODE_SEEN_TEXT))
		print_time(b, ",\"LastSeen\":\"", n->last_seen, n->last_seen_ns);
	if (n->home_derp != 0 && !(n->state & NODE_EXPIRED_BY_CLOCK)) {
		pb_puts(b, ",\"HomeDERP\":");
		pb_i64(b, n->home_derp);
	}
	if (n->state & NODE_ONLINE_KNOWN)
		pb_puts(b, n->state & NODE_ONLINE ? ",\"Online\":true" : ",\"Online\":false");
	if (node_expired(n))
		pb_puts(b, ",\"Expired\":true");
}

/* Members that the fields, or our own mark, have overtaken. */
static int
hidden(const struct node *n, unsigned name)
{
	return (name == NM_Endpoints && (n->state & NODE_EXPIRED_BY_CLOCK)) ||
	    (name == NM_LastSeen && !(n->state & NODE_SEEN_TEXT)) ||
	    (name == NM_KeyExpiry && !(n->state & NODE_EXPIRY_TEXT));
}

void
node_print(struct pb *b, const struct node *n, const struct dict *d)
{
	const uint8_t *p = node_data(n);
	size_t from, len;

	print_fields(b, n);
	while (*p != PK_END) {
		unsigned name = *p;

		if (hidden(n, name)) {
			p = pk_skip(p + 1);
			continue;
		}
		pb_byte(b, ',');
		p = pk_print_name(b, p, d);
		from = b->n;
		p = pk_print(b, p, d);
		if (name != NM_Addresses || !(n->state & NODE_ROUTES_OWN))
			continue;
		len = b->n - from;
		pb_puts(b, ",\"AllowedIPs\":");
		pb_need(b, len); /* b->p may move: not while it is read */
		pb_put(b, b->p + from, len);
	}
	pb_byte(b, '}');
}
