/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "exportwg.h"
#include "nodeview.h"
#include "peername.h"

/* --- hosts(5) --- */

/*
 * The first label alone, for a name of our own tailnet.  Never one that hosts(5) files give the host itself: a peer
 * called localhost would receive what is meant for this host only.
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

/* "ADDRESS name short"; how many lines. */
static unsigned
host_lines(struct exporter *x, const struct node *n, const struct dict *d, struct pb *out)
{
	const uint8_t *p = node_get(n, NM_Addresses), *v;
	char text[300], name[260], ip[ADDR_TEXT_MAX];
	uint8_t addr[16];
	unsigned family, bits;
	const char *dot;
	size_t len = node_text(n, d, NM_Name, text, sizeof(text));
	unsigned lines = 0;

	if (p == NULL || *p != PK_ARR || dns_name(text, len, name) == 0)
		return 0;
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
		lines++;
	}
	return lines;
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
		if (it.node != NULL && host_lines(x, it.node, it.dict, out) > 0)
			x->count += it.part == WALK_PEERS;
	}
	return 1;
}

int
export_more(struct exporter *x, struct pb *out, size_t about)
{
	int more;

	if (x->done)
		return 0;
	more = x->hosts ? hosts_more(x, out, about) : exportwg_more(x, out, about);
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
