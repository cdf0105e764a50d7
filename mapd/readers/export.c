/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "export.h"
#include "exportwg.h"
#include "nodeview.h"
#include "text.h"

size_t
dns_name(const char *s, size_t n, char out[260])
{
	size_t i, label = 0;

	out[0] = '\0';
	if (n > 0 && s[n - 1] == '.')
		n--;
	if (n == 0 || n > 253)
		return 0;
	for (i = 0; i < n; i++) {
		char c = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i]);
		int edge = label == 0 || i + 1 == n || s[i + 1] == '.';

		if (c == '.') {
			if (label == 0)
				return 0;
			label = 0;
		} else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !edge) || c == '_') ||
		    ++label > 63)
			return 0;
		out[i] = c;
	}
	out[n] = '\0';
	if (strcmp(out, "localhost") == 0 || (n > 10 && strcmp(out + n - 10, ".localhost") == 0)) {
		out[0] = '\0';
		return 0;
	}
	return n;
}

/* What comes behind the first label of our own node's name; "" if there is nothing. */
static void
tailnet_suffix(const struct netmap *nm, const struct view *v, char out[260])
{
	const struct node *self = view_self(v);
	char text[300], name[260];
	const char *dot;
	size_t n;

	out[0] = '\0';
	if (self == NULL || (n = node_text(self, nm->names, NM_Name, text, sizeof(text))) == 0 ||
	    dns_name(text, n, name) == 0)
		return;
	if ((dot = strchr(name, '.')) != NULL)
		memcpy(out, dot + 1, strlen(dot));
}

const struct node *
find_peer(const struct netmap *nm, const char *what)
{
	const struct peers *p = nm->cur->peers;
	struct pubkey key;
	uint8_t addr[16];
	char suffix[260];
	unsigned family;
	int64_t id;
	int zone;
	size_t n = strlen(what);

	if (text_to_i64(what, n, INT64_MIN, INT64_MAX, &id) == 0)
		return peers_find(p, id);
	if (key_parse(KEY_NODE, what, n, &key) == 0)
		return peers_by_key(p, key.b);
	if (addr_parse_ip(what, n, addr, &family, &zone) == 0)
		return zone ? NULL : peers_by_addr(p, addr, family);
	tailnet_suffix(nm, nm->cur, suffix);
	return peers_by_name(p, what, suffix);
}

/* --- hosts(5) --- */

/*
 * The first label alone, for a name of our own tailnet.  Never one that hosts(5) files give the host itself: a peer called
 * localhost would have what is meant for nobody but us.
 */
static int
short_name_ok(const char *name, const char *dot, const char *suffix)
{
	static const char *const taken[] = { "localhost", "ip6-localhost", "ip6-loopback", "broadcasthost" };
	size_t i, n;

	if (dot == NULL || strcmp(dot + 1, suffix) != 0)
		return 0;
	n = (size_t)(dot - name);
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strlen(taken[i]) == n && memcmp(name, taken[i], n) == 0)
			return 0;
	return 1;
}

/* "ADDRESS name short" */
static void
host_lines(struct exporter *x, const struct node *n, const struct dict *d, struct pb *out)
{
	const uint8_t *p = node_get(n, NM_Addresses), *v;
	char text[300], name[260], ip[ADDR_TEXT_MAX];
	uint8_t addr[16];
	unsigned family, bits;
	const char *dot;
	size_t len = node_text(n, d, NM_Name, text, sizeof(text));

	if (p == NULL || *p != PK_ARR || dns_name(text, len, name) == 0)
		return;
	dot = strchr(name, '.');
	for (p = pk_first(p); pk_element(&p, &v);) {
		if (!pk_addr(v, d, addr, &family, &bits) || bits != (family == 4 ? 32 : 128))
			continue;
		addr_format_ip(addr, family, ip);
		pb_puts(out, ip);
		pb_byte(out, '\t');
		pb_puts(out, name);
		if (short_name_ok(name, dot, x->suffix)) {
			pb_byte(out, ' ');
			pb_put(out, name, (size_t)(dot - name));
		}
		pb_byte(out, '\n');
	}
}

int
export_hosts(struct exporter *x, struct netmap *nm)
{
	memset(x, 0, sizeof(*x));
	x->hosts = 1;
	if (walk_begin(&x->walk, nm) == -1)
		return -1;
	tailnet_suffix(nm, x->walk.snap.view, x->suffix);
	return 0;
}

static int
hosts_more(struct exporter *x, struct pb *out, size_t about)
{
	struct walk_item it;

	walk_resume(&x->walk);
	while (out->n < about) {
		if (!walk_next(&x->walk, &it) || (it.kind == WALK_END && it.part == WALK_PEERS))
			return 0;
		if (it.node != NULL)
			host_lines(x, it.node, it.dict, out);
	}
	return 1;
}

int
export_more(struct exporter *x, struct pb *out, size_t about)
{
	int more;

	if (x->done)
		return 0;
	more = x->hosts ? hosts_more(x, out, about) : wgconf_more(x, out, about);
	x->done = !more;
	return more;
}

void
export_end(struct exporter *x)
{
	walk_end(&x->walk);
	free(x->claims);
	x->claims = NULL;
}
