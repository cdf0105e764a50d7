/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "exportwg.h"
#include "nodeview.h"
#include "packprint.h"
#include "peername.h"

/* --- hosts(5) --- */

#define HOSTS_WORK 2000 /* nodes, or extra records, looked at in one go */

/*
 * Names that hosts(5) files give the host itself, or that mean all of a network: a peer called localhost would receive
 * what is meant for this host only.
 */
static int
taken(const struct exporter *x, const char *name, size_t n)
{
	static const char *const names[] = { "localhost", "localhost.localdomain", "localhost4",
		"localhost4.localdomain4", "localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback",
		"ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts", "broadcasthost" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == n && memcmp(name, names[i], n) == 0)
			return 1;
	return (strlen(x->hostname) == n && memcmp(name, x->hostname, n) == 0) ||
	    (strcspn(x->hostname, ".") == n && n > 0 && memcmp(name, x->hostname, n) == 0);
}

/* The first dot of a name that is allowed in hosts(5), NULL = it is not. */
static const char *
full_name_ok(const struct exporter *x, const char *name, size_t n, int own)
{
	const char *dot = strchr(name, '.');

	if (dot == NULL || taken(x, name, n) || (!own && strcmp(name, x->self) == 0))
		return NULL;
	return dot;
}

/* Its first label alone, for a name of our own tailnet? */
static int
short_name_ok(const struct exporter *x, const char *name, const char *dot, int own)
{
	size_t n = (size_t)(dot - name);

	if (strcmp(dot + 1, x->suffix) != 0 || taken(x, name, n))
		return 0;
	return own || strncmp(name, x->self, n + 1) != 0;
}

static void
host_line(struct exporter *x, const char *ip, const char *name, const char *dot, int own, struct pb *out)
{
	pb_puts(out, ip);
	pb_byte(out, '\t');
	pb_puts(out, name);
	if (short_name_ok(x, name, dot, own)) {
		pb_byte(out, ' ');
		pb_put(out, name, (size_t)(dot - name));
	}
	pb_byte(out, '\n');
}

/* "ADDRESS name short"; how many lines. */
static unsigned
host_lines(struct exporter *x, const struct node *n, int own, const struct dict *d, struct pb *out)
{
	const uint8_t *p = node_get(n, NM_Addresses), *v;
	char text[300], name[260], ip[ADDR_TEXT_MAX];
	uint8_t addr[16];
	unsigned family, bits;
	const char *dot;
	size_t len = node_text(n, d, NM_Name, text, sizeof(text));
	unsigned lines = 0;

	if (p == NULL || *p != PK_ARR || (len = dns_name(text, len, name)) == 0 ||
	    (dot = full_name_ok(x, name, len, own)) == NULL)
		return 0;
	for (p = pk_first(p); pk_element(&p, &v);) {
		if (!pk_addr(v, d, addr, &family, &bits) || bits != (family == 4 ? 32 : 128))
			continue;
		addr_format_ip(addr, family, ip);
		host_line(x, ip, name, dot, own, out);
		lines++;
	}
	return lines;
}

/* A and AAAA ("" means either, protocol.md E.9); others have no form in hosts(5). */
static void
record_line(struct exporter *x, const uint8_t *record, const struct dict *d, struct pb *out)
{
	const uint8_t *name = pk_get(record, NM_Name), *type = pk_get(record, NM_Type);
	const uint8_t *value = pk_get(record, NM_Value);
	char text[300], full[260], kind[8] = "", ip[ADDR_TEXT_MAX];
	uint8_t addr[16];
	unsigned family;
	const char *dot;
	size_t n;
	long len;
	int zone;

	if (name == NULL || value == NULL || (len = pk_cstr(name, d, text, sizeof(text))) <= 0 ||
	    (n = dns_name(text, (size_t)len, full)) == 0 || (dot = full_name_ok(x, full, n, 0)) == NULL)
		return;
	if ((type != NULL && pk_cstr(type, d, kind, sizeof(kind)) == -1) ||
	    (len = pk_cstr(value, d, text, sizeof(text))) <= 0 ||
	    addr_parse_ip(text, (size_t)len, addr, &family, &zone) == -1 || zone)
		return;
	if (kind[0] != '\0' && strcmp(kind, family == 4 ? "A" : "AAAA") != 0)
		return;
	addr_format_ip(addr, family, ip);
	host_line(x, ip, full, dot, 0, out);
}

int
export_hosts(struct exporter *x, struct netmap *nm, const char *hostname)
{
	const struct node *self;
	char text[300];

	memset(x, 0, sizeof(*x));
	x->hosts = 1;
	if (walk_begin(&x->walk, nm) == -1)
		return -1;
	tailnet_suffix(nm, x->walk.snap.view, x->suffix);
	if ((self = view_self(x->walk.snap.view)) != NULL)
		(void)dns_name(text, node_text(self, nm->names, NM_Name, text, sizeof(text)), x->self);
	(void)dns_name(hostname, strlen(hostname), x->hostname);
	return 0;
}

/* A blob does not move, and the snapshot holds it: the place in it stays good from piece to piece. */
static int
records_more(struct exporter *x, struct pb *out, size_t about)
{
	const uint8_t *v;
	size_t work;

	for (work = 0; out->n < about && work < HOSTS_WORK; work++) {
		if (!pk_element(&x->record, &v))
			return 0;
		if (*v == PK_OBJ)
			record_line(x, v, x->walk.nm->names, out);
	}
	return 1;
}

/* Behind the peers.  1 = there are some. */
static int
records_begin(struct exporter *x)
{
	const struct blob *dns = x->walk.snap.view->field[NF_DNSConfig];
	const uint8_t *list = dns == NULL || *dns->p != PK_OBJ ? NULL : pk_get(dns->p, NM_ExtraRecords);

	if (list == NULL || *list != PK_ARR)
		return 0;
	x->record = pk_first(list);
	return 1;
}

static int
hosts_more(struct exporter *x, struct pb *out, size_t about)
{
	struct walk_item it;
	size_t work;

	if (x->record != NULL)
		return records_more(x, out, about);
	walk_resume(&x->walk);
	for (work = 0; out->n < about && work < HOSTS_WORK; work++) {
		if (!walk_next(&x->walk, &it) || (it.kind == WALK_END && it.part == WALK_PEERS))
			return records_begin(x);
		if (it.node != NULL && host_lines(x, it.node, it.part != WALK_PEERS, it.dict, out) > 0)
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
