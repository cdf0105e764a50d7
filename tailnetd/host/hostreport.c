/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include <sodium.h>

#include "endpoints.h"
#include "log.h"
#include "netaddr.h"
#include "parent.h"

/* Our own state as the server is to know it: Hostinfo, endpoints, disco key; collected here, sent by the children (LITE-01). */

unsigned
own_listen_port(const struct parent *p)
{
	return p->cfg.listen_port != 0 ? p->cfg.listen_port : p->state.listen_port;
}

/* listen-port 0: a port is picked once and kept (interface.md 2). */
static void
pick_port(struct parent *p)
{
	uint16_t port;
	char err[300];

	if (p->cfg.listen_port != 0 || p->state.listen_port != 0)
		return;
	if (endpoints_pick_port(&port) == -1) {
		log_warn("no free UDP port for listen-port 0");
		return;
	}
	p->state.listen_port = port;
	if (state_save(p->store, &p->state, p->keys, err, sizeof(err)) == -1)
		log_errorx("%s", err);
}

static void
collect_endpoints(struct parent *p, struct ipc_map_params *m)
{
	unsigned i;
	int n;

	pick_port(p); /* `wgconf` has it, also where no endpoint is reported */
	if (p->endpoints_set) {
		memcpy(m->ep, p->set_ep, sizeof(m->ep));
		m->n = p->nset_ep;
	} else if (p->cfg.endpoints_mode == EP_LIST) {
		memcpy(m->ep, p->cfg.endpoints, sizeof(m->ep));
		m->n = p->cfg.nendpoints;
	} else if (p->cfg.endpoints_mode == EP_AUTO) {
		n = endpoints_collect(own_listen_port(p), m->ep);
		m->n = n > 0 ? (uint32_t)n : 0;
	}
	for (i = m->n; i < IPC_MAX_ENDPOINTS; i++)
		memset(&m->ep[i], 0, sizeof(m->ep[i]));
}

static void
push_hostinfo(struct parent *p, struct child *c)
{
	if (c->phase == CHILD_READY && c->ipc != NULL && buf_len(&p->hostinfo) > 0)
		ipc_send_chunks(c->ipc, IPC_HOSTINFO, IPC_ID_NONE, (const char *)buf_ptr(&p->hostinfo),
		    buf_len(&p->hostinfo));
}

static void
push_params(struct parent *p, struct child *c)
{
	if (c->role == IPC_MAPD && c->phase == CHILD_READY && c->ipc != NULL)
		ipc_send(c->ipc, IPC_MAP_PARAMS, IPC_ID_NONE, &p->params, sizeof(p->params), -1);
}

static void
push_plan(struct parent *p, struct child *c)
{
	struct ipc_dial_times m;

	if (c->phase != CHILD_READY || c->ipc == NULL)
		return;
	dialler_times(p->dialler, &m);
	ipc_send(c->ipc, IPC_DIAL_TIMES, IPC_ID_NONE, &m, sizeof(m), -1);
}

void
own_push(struct parent *p, struct child *c)
{
	push_hostinfo(p, c);
	push_params(p, c);
	push_plan(p, c);
}

void
own_plan_changed(struct parent *p)
{
	push_plan(p, &p->sup->authd);
	push_plan(p, &p->sup->mapd);
}

static int
rebuild_hostinfo(struct parent *p)
{
	struct buf b;
	int changed;

	buf_init(&b, 256u * 1024);
	if (hostinfo_build(&p->cfg, &p->state, &p->set, &b) == -1) {
		buf_free(&b);
		log_errorx("cannot build Hostinfo: out of room");
		return 0;
	}
	changed = buf_len(&b) != buf_len(&p->hostinfo) || memcmp(buf_ptr(&b), buf_ptr(&p->hostinfo), buf_len(&b)) != 0;
	buf_free(&p->hostinfo);
	p->hostinfo = b;
	return changed;
}

int
own_refresh(struct parent *p)
{
	struct ipc_map_params m;
	int host, params;

	memset(&m, 0, sizeof(m));
	m.generation = p->params.generation;
	m.disco_key = p->disco_key;
	m.ip_forwarding_broken = (uint32_t)hostinfo_forwarding_broken(&p->cfg, &p->set);
	collect_endpoints(p, &m);
	host = rebuild_hostinfo(p);
	params = memcmp(&m, &p->params, sizeof(m)) != 0;
	if (!host && !params)
		return 0;
	m.generation++;
	p->params = m;
	if (host) {
		push_hostinfo(p, &p->sup->authd);
		push_hostinfo(p, &p->sup->mapd);
	}
	push_params(p, &p->sup->mapd);
	status_changed(p);
	return 1;
}

/* Addresses, which only `endpoints auto` reports, or forwarding, which is told whatever the endpoints are. */
static void
host_changed(void *arg)
{
	own_refresh(arg);
}

/* A disco key of this process's life (protocol.md A.1); whoever runs the data plane gives its own with `set disco-key`. */
static void
make_disco_key(struct parent *p)
{
	uint8_t priv[KEY_LEN];

	randombytes_buf(priv, sizeof(priv));
	(void)crypto_scalarmult_curve25519_base(p->disco_key.b, priv);
	sodium_memzero(priv, sizeof(priv));
}

/* What OpenBSD's pledge(2) has no promise for that we would make: a routing socket, and the first look at a sysctl. */
void
own_open(struct parent *p)
{
	if ((p->ep_watch = endpoints_watch_new(p->base, host_changed, p)) == NULL)
		log_warn("address changes of this host will not be noticed");
	(void)ip_forwarding_off(4);
	(void)ip_forwarding_off(6);
}

int
own_start(struct parent *p)
{
	make_disco_key(p);
	buf_init(&p->hostinfo, 256u * 1024);
	own_refresh(p);
	return 0;
}

void
own_stop(struct parent *p)
{
	endpoints_watch_free(p->ep_watch);
	hostinfo_set_free(&p->set);
	buf_free(&p->hostinfo);
}

void
own_log_level(struct parent *p, enum log_level level)
{
	struct child *all[] = { &p->sup->authd, &p->sup->mapd };
	struct ipc_log_level m = { (uint32_t)level };
	size_t i;

	for (i = 0; i < 2; i++)
		if (all[i]->phase == CHILD_READY && all[i]->ipc != NULL)
			ipc_send(all[i]->ipc, IPC_LOG_LEVEL, IPC_ID_NONE, &m, sizeof(m), -1);
}
