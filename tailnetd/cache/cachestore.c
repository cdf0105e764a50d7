/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "cachestore.h"
#include "cachefile.h"
#include "cacheplan.h"
#include "log.h"

#define LINGER_MS   1000
#define SHUTDOWN_MS 2000 /* of the five seconds that a shutdown may take */
#define OLDEST_S    (100LL * 366 * 86400)

struct cache {
	struct parent *p;
	struct cachefile file;
	struct cacheplan plan;
	struct event *due;      /* the next write; while ending: no longer than this */
	struct pubkey node_key; /* whose cache it is; zero: not known yet */
	int on;                 /* there may be a cache */
	int there;              /* a file may be there: looked for until it is known not to be */
	int no_load;            /* the present file is of no use, or killed its reader */
	int paused;
	int ending;    /* the daemon waits for the last write */
	int once_more; /* the one under way had begun before */
	int said;      /* that it cannot be written, or not be removed: once */

	/* Of the present mapd. */
	int asked; /* it was given a cache to read ... */
	int taken_back;
	uint32_t last_id, load_id, write_id; /* answers that are owed */
	int discard;                         /* what is being written is not wanted any more */
};

static struct child *
mapd_of(const struct cache *c)
{
	struct child *m = &c->p->sup->mapd;

	return m->phase == CHILD_READY && m->ipc != NULL ? m : NULL;
}

static uint32_t
next_id(struct cache *c)
{
	if (++c->last_id == IPC_ID_NONE)
		c->last_id++;
	return c->last_id;
}

static void
profile_hash(const struct parent *p, uint8_t out[IPC_PROFILE_LEN])
{
	crypto_generichash(out, IPC_PROFILE_LEN, (const uint8_t *)p->cfg.control_url, strlen(p->cfg.control_url), NULL,
	    0);
}

static void
complain(struct cache *c, const char *text)
{
	if (!c->said)
		log_warnx("netmap cache: %s", text);
	c->said = 1;
}

/* --- nothing of it is to stay --- */

static void
remove_file(struct cache *c, const char *why)
{
	char err[300];

	if (!c->there)
		return;
	switch (cachefile_remove(&c->file, err, sizeof(err))) {
	case 1: log_info("netmap cache removed: %s", why); break;
	case 0: break;
	default: complain(c, err); return; /* tried again at the next occasion */
	}
	c->there = c->no_load = c->said = 0;
}

/* What mapd shows of it or is just doing with it. */
static void
take_back(struct cache *c)
{
	struct netmap_info *nm = &c->p->netmap;
	struct ipc_empty none = { 0 };
	struct child *m = mapd_of(c);
	int shown = nm->source == IPC_SRC_CACHED;

	if (c->write_id != IPC_ID_NONE) {
		c->discard = 1;
		cachefile_abort(&c->file);
	}
	c->taken_back = c->asked;
	if (shown) {
		nm->source = IPC_SRC_NONE;
		nm->have_self = 0;
		nm->peers = nm->online = 0;
		nm->received_ms = 0;
	}
	if (m != NULL && (shown || c->load_id != IPC_ID_NONE || c->write_id != IPC_ID_NONE))
		ipc_send(m->ipc, IPC_CACHE_FORGET, IPC_ID_NONE, &none, sizeof(none), -1);
}

/* mapd may run for the sake of a cache alone. */
static void
let_mapd_go(struct cache *c)
{
	struct child *m = &c->p->sup->mapd;

	if (m->wanted && m->pending == PENDING_NOTHING && c->p->login.map == MAP_NONE &&
	    c->p->netmap.source == IPC_SRC_NONE)
		child_unwant(m, LINGER_MS);
}

static void
turn_off(struct cache *c, const char *why)
{
	take_back(c);
	remove_file(c, why);
	if (c->on)
		let_mapd_go(c);
	c->on = 0;
	memset(&c->node_key, 0, sizeof(c->node_key));
	cacheplan_init(&c->plan, CACHEPLAN_INTERVAL_MS);
	evtimer_del(c->due);
}

int
cache_erase(struct parent *p, char *err, size_t errsize)
{
	struct cache *c = p->cache;

	if (c == NULL || !c->there)
		return 0;
	take_back(c);
	if (cachefile_remove(&c->file, err, errsize) == -1)
		return -1;
	c->there = c->no_load = 0;
	return 0;
}

/* --- reading --- */

static void
load(struct cache *c)
{
	struct ipc_cache_load m;
	struct child *mapd = mapd_of(c);
	char err[300] = "";
	int fd;

	if (mapd == NULL || c->asked || c->no_load || !c->there)
		return;
	memset(&m, 0, sizeof(m));
	if ((fd = cachefile_open(&c->file, &m.size, err, sizeof(err))) == -1) {
		c->there = errno != ENOENT;
		c->no_load = 1;
		if (err[0] != '\0')
			log_warnx("netmap cache not used: %s", err);
		let_mapd_go(c);
		return;
	}
	profile_hash(c->p, m.profile);
	m.node_key = c->node_key;
	m.machine_key = *keyring_public(c->p->keys, SLOT_MACHINE);
	m.seq_base = c->p->netmap.seq;
	c->asked = 1;
	c->load_id = next_id(c);
	ipc_send(mapd->ipc, IPC_CACHE_LOAD, c->load_id, &m, sizeof(m), fd);
}

static int
done_ok(const struct ipc_cache_done *d)
{
	return d->result >= IPC_CACHE_OK && d->result <= IPC_CACHE_TOO_LARGE && d->size <= IPC_CACHE_MAX &&
	    IPC_OK(d, err);
}

static void
shown(struct cache *c, const struct ipc_cache_done *d)
{
	struct netmap_info *nm = &c->p->netmap;
	int64_t age = d->received >= 0 ? time_wall().sec - d->received : 0; /* mapd may say anything: no overflow */
	char when[TIME_TEXT_MAX];

	if (age < 0)
		age = 0; /* of the future: a clock was set */
	nm->cached_age_ms = (uint64_t)(age < OLDEST_S ? age : OLDEST_S) * 1000;
	nm->received_ms = time_mono_ms();
	log_info("the network map of %s is shown until the server sends one (netmap-cache)",
	    time_format((struct wtime){ time_wall().sec - age, 0 }, when));
}

int
cache_on_loaded(void *arg, const struct ipc_msg *msg)
{
	const struct ipc_cache_done *d = msg->payload;
	struct parent *p = ((struct child *)arg)->p;
	struct cache *c = p->cache;
	char err[IPC_ERR_MAX + 1];

	if (c == NULL || c->load_id == IPC_ID_NONE || msg->id != c->load_id || !done_ok(d))
		return -1;
	c->load_id = IPC_ID_NONE;
	if (c->taken_back)
		return 0;
	IPC_STR(d, err, err);
	if (d->result == IPC_CACHE_OK) {
		shown(c, d);
		return 0;
	}
	if (d->result == IPC_CACHE_NOTHING)
		return 0;
	log_warnx("netmap cache %s/%s not used: %s", c->file.dir, CACHEFILE_NAME, err);
	c->no_load = 1;
	if (d->result == IPC_CACHE_FOREIGN)
		remove_file(c, "it is not ours");
	let_mapd_go(c);
	return 0;
}

int
cache_claim(const struct parent *p)
{
	const struct cache *c = p->cache;

	if (c == NULL || !c->asked || p->login.synced)
		return -1;
	return !c->taken_back;
}

/* --- writing --- */

static void
arm(struct cache *c)
{
	int64_t ms = cacheplan_wait(&c->plan, time_mono_ms());
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

	if (c->ending)
		return;
	if (ms == -1)
		evtimer_del(c->due);
	else
		evtimer_add(c->due, &tv);
}

/* 1 = mapd is at it. */
static int
begin_write(struct cache *c)
{
	struct ipc_cache_write m;
	struct child *mapd = mapd_of(c);
	char err[300];
	int fd;

	if (mapd == NULL || c->write_id != IPC_ID_NONE)
		return 0;
	cacheplan_begun(&c->plan);
	if ((fd = cachefile_create(&c->file, err, sizeof(err))) == -1) {
		complain(c, err);
		cacheplan_failed(&c->plan, time_mono_ms(), 0);
		return 0;
	}
	memset(&m, 0, sizeof(m));
	profile_hash(c->p, m.profile);
	m.node_key = c->node_key;
	c->discard = 0;
	c->write_id = next_id(c);
	ipc_send(mapd->ipc, IPC_CACHE_WRITE, c->write_id, &m, sizeof(m), fd);
	return 1;
}

static void
write_due(evutil_socket_t fd, short what, void *arg)
{
	struct cache *c = arg;

	(void)fd;
	(void)what;
	if (c->ending) {
		log_warnx("the netmap cache could not be written in time: the one before it stays");
		c->ending = 0;
		supervise_stop_all(c->p->sup);
		return;
	}
	(void)begin_write(c);
	arm(c);
}

/* mapd has done its part.  1 = the file is in place. */
static int
commit(struct cache *c, const struct ipc_cache_done *d)
{
	char err[IPC_ERR_MAX + 1];

	IPC_STR(d, err, err);
	if (d->result != IPC_CACHE_OK) {
		cachefile_abort(&c->file);
		complain(c, err);
		return 0;
	}
	c->there = 1; /* even when only the last step fails */
	if (cachefile_commit(&c->file, d->size, err, sizeof(err)) == -1) {
		complain(c, err);
		return 0;
	}
	c->no_load = c->said = 0;
	log_debug("netmap cache: %llu bytes written", (unsigned long long)d->size);
	return 1;
}

static void
written(struct cache *c, const struct ipc_cache_done *d)
{
	uint64_t now = time_mono_ms(), size = cachefile_written(&c->file);

	c->write_id = IPC_ID_NONE;
	if (c->discard || d->result == IPC_CACHE_NOTHING) {
		cachefile_abort(&c->file);
		cacheplan_nothing(&c->plan, now, size);
	} else if (commit(c, d))
		cacheplan_done(&c->plan, now, d->seq, d->size);
	else
		cacheplan_failed(&c->plan, now, size);
	c->discard = 0;
}

int
cache_on_written(void *arg, const struct ipc_msg *msg)
{
	const struct ipc_cache_done *d = msg->payload;
	struct parent *p = ((struct child *)arg)->p;
	struct cache *c = p->cache;

	if (c == NULL || c->write_id == IPC_ID_NONE || msg->id != c->write_id || !done_ok(d))
		return -1;
	written(c, d);
	if (!c->ending) {
		cache_update(p);
		return 0;
	}
	if (c->once_more && cacheplan_unsaved(&c->plan) && begin_write(c)) {
		c->once_more = 0;
		return 0;
	}
	c->ending = 0;
	evtimer_del(c->due);
	supervise_stop_all(p->sup);
	return 0;
}

int
cache_shutdown(struct parent *p)
{
	static const struct timeval limit = { SHUTDOWN_MS / 1000, SHUTDOWN_MS % 1000 * 1000 };
	struct ipc_map_stop stop = { 0 };
	struct cache *c = p->cache;
	struct child *mapd;

	if (c == NULL || !c->on || (mapd = mapd_of(c)) == NULL)
		return 0;
	if (c->write_id == IPC_ID_NONE && !cacheplan_unsaved(&c->plan))
		return 0;
	/* The stream ends first, as without a cache; the netmap stays until it is written. */
	ipc_send(mapd->ipc, IPC_MAP_STOP, IPC_ID_NONE, &stop, sizeof(stop), -1);
	c->once_more = c->write_id != IPC_ID_NONE;
	if (!c->once_more && !begin_write(c))
		return 0;
	c->ending = 1;
	evtimer_add(c->due, &limit);
	return 1;
}

/* --- events --- */

static const char *
why_off(const struct parent *p)
{
	if (!p->cfg.netmap_cache)
		return "netmap-cache is off";
	if (!p->login.profile.want_running)
		return "logged out";
	return keyring_has(p->keys, SLOT_NODE) ? NULL : "there is no node key";
}

static void
follow_key(struct cache *c)
{
	const struct pubkey *key = keyring_public(c->p->keys, SLOT_NODE);

	if (key_equal(key, &c->node_key))
		return;
	if (!key_is_zero(&c->node_key)) { /* at the start nobody knows whose it is: mapd looks */
		take_back(c);
		remove_file(c, "the node key is new");
		cacheplan_init(&c->plan, CACHEPLAN_INTERVAL_MS);
		cacheplan_changed(&c->plan, c->p->netmap.seq);
		c->plan.saved = c->plan.seq; /* the map of the old key is not saved */
	}
	c->node_key = *key;
}

void
cache_update(struct parent *p)
{
	struct cache *c = p->cache;
	const char *off;

	if (c == NULL || p->stopping)
		return;
	if ((off = why_off(p)) != NULL) {
		if (c->on || c->there)
			turn_off(c, off);
		c->paused = p->login.paused;
		return;
	}
	follow_key(c);
	if (!c->on) {
		c->on = 1;
		if (c->there && !p->sup->mapd.wanted)
			child_want(&p->sup->mapd); /* there is something to show, whatever the network does */
	}
	if (p->netmap.source == IPC_SRC_LIVE)
		cacheplan_changed(&c->plan, p->netmap.seq);
	if (p->login.paused && !c->paused)
		cacheplan_flush(&c->plan);
	c->paused = p->login.paused;
	arm(c);
}

void
cache_mapd_ready(struct parent *p)
{
	struct cache *c = p->cache;

	if (c != NULL && c->on && p->netmap.source == IPC_SRC_NONE)
		load(c);
}

void
cache_mapd_gone(struct parent *p, int crashed)
{
	struct cache *c = p->cache;

	if (c == NULL)
		return;
	if (c->load_id != IPC_ID_NONE)
		c->no_load = 1; /* whatever the reason was: not again */
	c->asked = c->taken_back = c->discard = 0;
	c->load_id = c->write_id = IPC_ID_NONE;
	cachefile_abort(&c->file);
	cacheplan_lost(&c->plan);
	if (crashed)
		remove_file(c, "mapd, who writes it, is not to be trusted");
	if (c->ending) {
		c->ending = 0;
		supervise_stop_all(p->sup);
	}
}

struct cache *
cache_new(struct parent *p)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->p = p;
	if ((c->due = evtimer_new(p->base, write_due, c)) == NULL) {
		free(c);
		return NULL;
	}
	cachefile_init(&c->file, p->store);
	cacheplan_init(&c->plan, CACHEPLAN_INTERVAL_MS);
	c->there = 1;
	return c;
}

void
cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	cachefile_abort(&c->file);
	event_free(c->due);
	free(c);
}
