/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "addr.h"
#include "buf.h"
#include "endpoints.h"
#include "hostinfo.h"
#include "hostreport.h"
#include "log.h"

#define HOSTINFO_MAX (256u * 1024)

struct hostreport {
	const struct config *cfg;
	struct state *st;
	const struct hostreport_ops *ops;
	void *arg;
	struct endpoints_watch *watch;
	struct hostinfo_set set;
	struct buf hostinfo; /* as last built */
	int stale;           /* it could not be built since */
	struct pubkey disco_key;
	int endpoints_set; /* `set endpoints` replaces the configured list */
	struct ipc_endpoint ep[IPC_MAX_ENDPOINTS];
	unsigned nep;
	struct ipc_map_params params; /* as last made known */
};

unsigned
hostreport_listen_port(const struct hostreport *h)
{
	return h->cfg->listen_port != 0 ? h->cfg->listen_port : h->st->listen_port;
}

/* listen-port 0: a port is picked once and kept (interface.md 2). */
static void
pick_port(struct hostreport *h)
{
	uint16_t port;
	char err[300];

	if (hostreport_listen_port(h) != 0)
		return;
	if (endpoints_pick_port(&port) == -1) {
		log_warn("no free UDP port for listen-port 0");
		return;
	}
	h->st->listen_port = port;
	if (h->ops->save_port(h->arg, err, sizeof(err)) == -1)
		log_errorx("%s", err);
}

/* A default route (an exit node's) is no reason: it takes in everything. */
static int
in_prefixes(const struct ipc_endpoint *e, const struct config_prefix *p, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (p[i].a.family == e->family && p[i].a.bits > 0 &&
		    addr_prefix_contains(p[i].a.addr, p[i].a.bits, e->addr))
			return 1;
	return 0;
}

static void
collect_endpoints(struct hostreport *h, struct ipc_map_params *m)
{
	struct ipc_endpoint all[IPC_MAX_ENDPOINTS];
	unsigned i;
	int n = endpoints_collect(0, all, m->local, &m->nlocal);

	pick_port(h); /* `wgconf` has it, also where no endpoint is reported */
	if (h->endpoints_set) {
		memcpy(m->ep, h->ep, sizeof(m->ep));
		m->n = h->nep;
	} else if (h->cfg->endpoints_mode == EP_LIST) {
		memcpy(m->ep, h->cfg->endpoints, sizeof(m->ep));
		m->n = h->cfg->nendpoints;
	} else if (h->cfg->endpoints_mode == EP_AUTO) {
		for (i = 0; n > 0 && i < (unsigned)n; i++) {
			all[i].port = (uint16_t)hostreport_listen_port(h);
			if (!in_prefixes(&all[i], h->cfg->routes, h->cfg->nroutes) &&
			    !in_prefixes(&all[i], h->cfg->endpoints_ignore, h->cfg->nendpoints_ignore))
				m->ep[m->n++] = all[i];
		}
	}
	for (i = m->n; i < IPC_MAX_ENDPOINTS; i++)
		memset(&m->ep[i], 0, sizeof(m->ep[i]));
}

static int
rebuild_hostinfo(struct hostreport *h)
{
	struct buf b;
	int changed;

	buf_init(&b, HOSTINFO_MAX);
	if (hostinfo_build(h->cfg, h->st, &h->set, &b) == -1) {
		buf_free(&b);
		log_errorx("cannot build Hostinfo: out of room or memory");
		h->stale = 1;
		return -1;
	}
	changed = buf_len(&b) != buf_len(&h->hostinfo) || memcmp(buf_ptr(&b), buf_ptr(&h->hostinfo), buf_len(&b)) != 0;
	buf_free(&h->hostinfo);
	h->hostinfo = b;
	h->stale = 0;
	return changed;
}

int
hostreport_refresh(struct hostreport *h)
{
	struct ipc_map_params m;
	int host;

	memset(&m, 0, sizeof(m));
	m.generation = h->params.generation;
	m.disco_key = h->disco_key;
	m.ip_forwarding_broken = (uint32_t)hostinfo_forwarding_broken(h->cfg, &h->set);
	collect_endpoints(h, &m);
	host = rebuild_hostinfo(h);
	if (host != 1 && memcmp(&m, &h->params, sizeof(m)) == 0)
		return host;
	m.generation++;
	h->params = m;
	if (host == 1)
		h->ops->new_hostinfo(h->arg);
	h->ops->new_params(h->arg);
	return host == -1 ? -1 : 1;
}

/* Addresses, which only `endpoints auto` reports, or forwarding, which is reported whatever the endpoints are. */
static void
host_changed(void *arg)
{
	struct hostreport *h = arg;

	(void)hostreport_refresh(h);
	h->ops->network_changed(h->arg);
}

/* The program that runs the data plane gives its own with `set disco-key`. */
static void
make_disco_key(struct hostreport *h)
{
	uint8_t priv[KEY_LEN];

	randombytes_buf(priv, sizeof(priv));
	(void)crypto_scalarmult_curve25519_base(h->disco_key.b, priv);
	sodium_memzero(priv, sizeof(priv));
}

struct hostreport *
hostreport_new(struct event_base *base, const struct config *cfg, struct state *st, const struct hostreport_ops *ops,
    void *arg)
{
	struct hostreport *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->cfg = cfg;
	h->st = st;
	h->ops = ops;
	h->arg = arg;
	buf_init(&h->hostinfo, HOSTINFO_MAX);
	make_disco_key(h);
	if ((h->watch = endpoints_watch_new(base, host_changed, h)) == NULL)
		log_warn("address changes of this host will not be noticed");
	(void)ip_forwarding_off(4);
	(void)ip_forwarding_off(6);
	return h;
}

void
hostreport_free(struct hostreport *h)
{
	if (h == NULL)
		return;
	endpoints_watch_free(h->watch);
	hostinfo_set_free(&h->set);
	buf_free(&h->hostinfo);
	free(h);
}

/* --- `set` --- */

int
hostreport_set_json(struct hostreport *h, int netinfo, const char *text, size_t n, int *changed, char *err,
    size_t errsize)
{
	int rv = hostinfo_set(&h->set, netinfo, text, n, changed, err, errsize);

	*changed |= h->stale;
	return rv;
}

int
hostreport_set_disco(struct hostreport *h, const struct pubkey *key)
{
	int changed = !key_equal(key, &h->disco_key) || h->stale;

	h->disco_key = *key;
	return changed;
}

int
hostreport_set_endpoints(struct hostreport *h, const struct ipc_endpoint ep[IPC_MAX_ENDPOINTS], unsigned n)
{
	int changed = !h->endpoints_set || n != h->nep || memcmp(ep, h->ep, sizeof(h->ep)) != 0 || h->stale;

	h->endpoints_set = 1;
	h->nep = n;
	memcpy(h->ep, ep, sizeof(h->ep));
	return changed;
}

int
hostreport_unset_endpoints(struct hostreport *h)
{
	int changed = h->endpoints_set || h->stale;

	h->endpoints_set = 0;
	h->nep = 0;
	return changed;
}

/* --- as last made known --- */

const struct buf *
hostreport_hostinfo(const struct hostreport *h)
{
	return &h->hostinfo;
}

const struct ipc_map_params *
hostreport_params(const struct hostreport *h)
{
	return &h->params;
}

const struct pubkey *
hostreport_disco(const struct hostreport *h)
{
	return &h->disco_key;
}

/* --- what is wrong --- */

int
hostreport_is_stale(const struct hostreport *h)
{
	return h->stale;
}

int
hostreport_watches(const struct hostreport *h)
{
	return endpoints_watches(h->watch);
}
