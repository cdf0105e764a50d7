/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "cachestore.h"
#include "childsend.h"
#include "hostreport.h"
#include "log.h"
#include "parent.h"
#include "parent_ops.h"
#include "status.h"
#include "timefmt.h"

#define CACHE_LINGER_MS 1000
#define HURRY_MS        2000 /* between two tries that a change of the network causes */

/* --- hostreport --- */

static void
new_hostinfo(void *arg)
{
	childsend_hostinfo(((struct parent *)arg)->sup);
}

static void
new_params(void *arg)
{
	struct parent *p = arg;

	childsend_params(p->sup);
	status_changed(p->control);
}

static int
save_port(void *arg, char *err, size_t errsize)
{
	struct parent *p = arg;

	int rv = state_save(p->store, &p->state, p->keys, err, errsize);

	if (rv == -1)
		(void)health_raise(&p->health, HEALTH_STATE_NOT_SAVED, err);
	return rv;
}

/*
 * DIAL-11: a connection of mapd without its address or route would be silent for minutes, and what waits for its next
 * try waits for a network.
 */
static void
network_changed(void *arg)
{
	struct parent *p = arg;
	struct path *path = &p->sup->mapd.path;
	const struct login *l = &p->login;
	int how = path_changed(path);
	uint64_t now = time_mono_ms();

	if (l->paused)
		return;
	if (how != 0 && l->map != MAP_NONE && !l->map_wait)
		log_info("the control server is reached %s now: connecting again",
		    how == -1 ? "by no route" : "from another address");
	else if ((!l->map_wait && !l->auth_wait) || now - p->hurried_ms < HURRY_MS)
		return;
	p->hurried_ms = now;
	memset(path, 0, sizeof(*path)); /* that of the next connection counts */
	parent_simple_event(p, LE_RECONNECT, 0);
}

struct hostreport *
parent_ops_report(struct parent *p)
{
	static const struct hostreport_ops ops = { new_hostinfo, new_params, save_port, network_changed };

	return hostreport_new(p->base, &p->cfg, &p->state, &ops, p);
}

/* --- cachestore --- */

static struct ipc *
mapd_channel(void *arg)
{
	struct child *m = &((struct parent *)arg)->sup->mapd;

	return child_listens(m) ? m->ipc : NULL;
}

static void
want_mapd(void *arg)
{
	struct child *m = &((struct parent *)arg)->sup->mapd;

	if (!m->wanted)
		child_want(m);
}

/* mapd may run for the sake of a cache alone. */
static void
release_mapd(void *arg)
{
	struct parent *p = arg;
	struct child *m = &p->sup->mapd;

	if (m->wanted && m->pending == PENDING_NOTHING && p->login.map == MAP_NONE && p->netmap.source == IPC_SRC_NONE)
		child_unwant(m, CACHE_LINGER_MS);
}

static void
cache_saved(void *arg)
{
	supervise_stop_all(((struct parent *)arg)->sup);
}

struct cachestore *
parent_ops_cache(struct parent *p)
{
	static const struct cachestore_ops ops = { mapd_channel, want_mapd, release_mapd, cache_saved };
	struct cachestore_env env = { p->base, &p->cfg, p->keys, p->store, &p->netmap, &ops, p };

	return cachestore_new(&env);
}
