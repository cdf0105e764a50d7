/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "cachestore.h"
#include "childsend.h"
#include "hostreport.h"
#include "parent.h"
#include "parent_ops.h"
#include "status.h"

#define CACHE_LINGER_MS 1000

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

struct hostreport *
parent_ops_report(struct parent *p)
{
	static const struct hostreport_ops ops = { new_hostinfo, new_params, save_port };

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
