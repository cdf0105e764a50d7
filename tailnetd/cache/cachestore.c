/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cachefile.h"
#include "cacheplan.h"
#include "cachestore.h"
#include "log.h"
#include "timefmt.h"
#include "timer.h"

#define SHUTDOWN_MS 2000 /* of the five seconds that a shutdown may take */
#define OLDEST_S    (100LL * 366 * 86400)

struct cachestore {
	struct cachestore_env env;
	struct cachefile file;
	struct cacheplan plan;
	struct timer due;       /* the next write; while ending: no longer than this */
	struct pubkey node_key; /* whose cache it is; zero: not known yet */
	int on;                 /* there may be a cache */
	int there;              /* a file may exist: looked for until it is known not to */
	int no_load;            /* the present file is unusable, or mapd ended while it read it */
	int logged_in, paused;  /* of the last cachestore_update() */
	int stopped;            /* the daemon ends: nothing new is begun */
	int ending;             /* the daemon waits for the last write */
	int once_more;          /* the one under way had begun before */
	int said;               /* that it cannot be written, or not be removed: once */
	char trouble[300];      /* the same, until it can; "" = none */

	/* Of the present mapd. */
	int asked; /* it was sent a cache to read ... */
	int withdrawn;
	uint32_t last_id, load_id, write_id; /* pending answers */
	int discard;                         /* what is being written must be dropped */
};

static struct ipc *
mapd_of(const struct cachestore *c)
{
	return c->env.ops->mapd(c->env.arg);
}

static void
release_mapd(struct cachestore *c)
{
	c->env.ops->release_mapd(c->env.arg);
}

static uint32_t
next_id(struct cachestore *c)
{
	if (++c->last_id == IPC_ID_NONE)
		c->last_id++;
	return c->last_id;
}

static void
profile_hash(const struct cachestore *c, uint8_t out[IPC_PROFILE_LEN])
{
	const char *url = c->env.cfg->control_url;

	crypto_generichash(out, IPC_PROFILE_LEN, (const uint8_t *)url, strlen(url), NULL, 0);
}

static void
complain(struct cachestore *c, const char *text)
{
	if (!c->said)
		log_warnx("netmap cache: %s", text);
	c->said = 1;
	snprintf(c->trouble, sizeof(c->trouble), "netmap cache: %.250s", text);
}

/* At the start, once. */
static void
not_used(struct cachestore *c, const char *err)
{
	log_warnx("netmap cache not used: %s", err);
	snprintf(c->trouble, sizeof(c->trouble), "netmap cache not used: %.250s", err);
}

const char *
cachestore_trouble(const struct cachestore *c)
{
	return c->on && c->trouble[0] != '\0' ? c->trouble : NULL;
}

/* --- removal --- */

static void
remove_file(struct cachestore *c, const char *why)
{
	char err[300];

	if (!c->there)
		return;
	switch (cachefile_remove(&c->file, err, sizeof(err))) {
	case 1: log_info("netmap cache removed: %s", why); break;
	case 0: break;
	default: complain(c, err); return; /* tried again later */
	}
	c->there = c->no_load = c->said = 0;
	c->trouble[0] = '\0';
}

/* mapd must drop what it reads, writes or shows of it. */
static void
withdraw(struct cachestore *c)
{
	struct netmap_info *nm = c->env.netmap;
	struct ipc_empty none = { 0 };
	struct ipc *m = mapd_of(c);
	int visible = nm->source == IPC_SRC_CACHED;

	if (c->write_id != IPC_ID_NONE) {
		c->discard = 1;
		cachefile_abort(&c->file);
	}
	c->withdrawn = c->asked;
	if (visible)
		netmap_info_reset(nm);
	if (m != NULL && (visible || c->load_id != IPC_ID_NONE || c->write_id != IPC_ID_NONE))
		ipc_send(m, IPC_CACHE_FORGET, IPC_ID_NONE, &none, sizeof(none), -1);
}

static void
turn_off(struct cachestore *c, const char *why)
{
	withdraw(c);
	remove_file(c, why);
	if (c->on)
		release_mapd(c);
	c->on = 0;
	memset(&c->node_key, 0, sizeof(c->node_key));
	cacheplan_init(&c->plan, CACHEPLAN_INTERVAL_MS);
	timer_stop(&c->due);
}

int
cachestore_erase(struct cachestore *c, char *err, size_t errsize)
{
	if (!c->there)
		return 0;
	withdraw(c);
	if (cachefile_remove(&c->file, err, errsize) == -1)
		return -1;
	c->there = c->no_load = 0;
	return 0;
}

/* --- reading --- */

static void
load(struct cachestore *c)
{
	struct ipc_cache_load m;
	struct ipc *mapd = mapd_of(c);
	char err[300] = "";
	int fd;

	if (mapd == NULL || c->asked || c->no_load || !c->there)
		return;
	memset(&m, 0, sizeof(m));
	if ((fd = cachefile_open(&c->file, &m.size, err, sizeof(err))) == -1) {
		c->there = errno != ENOENT;
		c->no_load = 1;
		if (err[0] != '\0')
			not_used(c, err);
		release_mapd(c);
		return;
	}
	profile_hash(c, m.profile);
	m.node_key = c->node_key;
	m.machine_key = *keyring_public(c->env.keys, SLOT_MACHINE);
	m.seq_base = c->env.netmap->seq;
	c->asked = 1;
	c->load_id = next_id(c);
	ipc_send(mapd, IPC_CACHE_LOAD, c->load_id, &m, sizeof(m), fd);
}

static int
done_ok(const struct ipc_cache_done *d)
{
	return d->result >= IPC_CACHE_OK && d->result <= IPC_CACHE_TOO_LARGE && d->size <= IPC_CACHE_MAX &&
	    IPC_OK(d, err);
}

static void
now_cached(struct cachestore *c, const struct ipc_cache_done *d)
{
	struct netmap_info *nm = c->env.netmap;
	int64_t age = d->received >= 0 ? time_wall().sec - d->received : 0; /* mapd may say anything: no overflow */
	char when[TIME_TEXT_MAX];

	if (age < 0)
		age = 0; /* in the future: a clock was set */
	nm->cached_age_ms = (uint64_t)(age < OLDEST_S ? age : OLDEST_S) * 1000;
	nm->received_ms = time_mono_ms();
	log_info("the network map of %s is shown until the server sends one (netmap-cache)",
	    time_format((struct wtime){ time_wall().sec - age, 0 }, when));
}

int
cachestore_loaded(struct cachestore *c, uint32_t id, const struct ipc_cache_done *d)
{
	char err[IPC_ERR_MAX + 1];

	if (c->load_id == IPC_ID_NONE || id != c->load_id || !done_ok(d))
		return -1;
	c->load_id = IPC_ID_NONE;
	if (c->withdrawn)
		return 0;
	IPC_STR(d, err, err);
	if (d->result == IPC_CACHE_OK) {
		now_cached(c, d);
		return 0;
	}
	if (d->result == IPC_CACHE_NOTHING)
		return 0;
	log_warnx("netmap cache %s/%s not used: %s", c->file.dir, CACHEFILE_NAME, err);
	snprintf(c->trouble, sizeof(c->trouble), "netmap cache not used: %.250s", err);
	c->no_load = 1;
	if (d->result == IPC_CACHE_FOREIGN)
		remove_file(c, "it was not created by this tailnetd");
	release_mapd(c);
	return 0;
}

int
cachestore_claim(const struct cachestore *c, int synced)
{
	if (!c->asked || synced)
		return -1;
	return !c->withdrawn;
}

/* --- writing --- */

static void
arm(struct cachestore *c)
{
	int64_t ms = cacheplan_wait(&c->plan, time_mono_ms());

	if (c->ending)
		return;
	if (ms == -1)
		timer_stop(&c->due);
	else
		(void)timer_set_ms(&c->due, (uint64_t)ms);
}

/* 1 = mapd writes it. */
static int
begin_write(struct cachestore *c)
{
	struct ipc_cache_write m;
	struct ipc *mapd = mapd_of(c);
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
	profile_hash(c, m.profile);
	m.node_key = c->node_key;
	c->discard = 0;
	c->write_id = next_id(c);
	ipc_send(mapd, IPC_CACHE_WRITE, c->write_id, &m, sizeof(m), fd);
	return 1;
}

/* Nothing more is written: the daemon may end. */
static void
end(struct cachestore *c)
{
	c->ending = 0;
	timer_stop(&c->due);
	c->env.ops->saved(c->env.arg);
}

static void
write_due(void *arg)
{
	struct cachestore *c = arg;

	if (c->ending) {
		log_warnx("the netmap cache was not written in time; the previous one is kept");
		end(c);
		return;
	}
	(void)begin_write(c);
	arm(c);
}

/* mapd has written it.  1 = the file is in place. */
static int
commit(struct cachestore *c, const struct ipc_cache_done *d)
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
	c->trouble[0] = '\0';
	log_debug("netmap cache: %llu bytes written", (unsigned long long)d->size);
	return 1;
}

static void
written(struct cachestore *c, const struct ipc_cache_done *d)
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

/* --- events --- */

static const char *
why_off(const struct cachestore *c)
{
	if (!c->env.cfg->netmap_cache)
		return "netmap-cache is off";
	if (!c->logged_in)
		return "logged out";
	return keyring_has(c->env.keys, SLOT_NODE) ? NULL : "there is no node key";
}

static void
follow_key(struct cachestore *c)
{
	const struct pubkey *key = keyring_public(c->env.keys, SLOT_NODE);

	if (key_equal(key, &c->node_key))
		return;
	if (!key_is_zero(&c->node_key)) { /* at the start the owner is unknown: mapd checks */
		withdraw(c);
		remove_file(c, "the node key is new");
		cacheplan_init(&c->plan, CACHEPLAN_INTERVAL_MS);
		cacheplan_changed(&c->plan, c->env.netmap->seq);
		c->plan.saved = c->plan.seq; /* the map of the old key is not saved */
	}
	c->node_key = *key;
}

static void
update(struct cachestore *c, int was_paused)
{
	const char *off = why_off(c);

	if (c->stopped)
		return;
	if (off != NULL) {
		if (c->on || c->there)
			turn_off(c, off);
		return;
	}
	follow_key(c);
	if (!c->on) {
		c->on = 1;
		if (c->there)
			c->env.ops->want_mapd(c->env.arg);
	}
	if (c->env.netmap->source == IPC_SRC_LIVE)
		cacheplan_changed(&c->plan, c->env.netmap->seq);
	if (c->paused && !was_paused)
		cacheplan_flush(&c->plan);
	arm(c);
}

void
cachestore_update(struct cachestore *c, int logged_in, int paused)
{
	int was_paused = c->paused;

	c->logged_in = logged_in;
	c->paused = paused;
	update(c, was_paused);
}

int
cachestore_written(struct cachestore *c, uint32_t id, const struct ipc_cache_done *d)
{
	if (c->write_id == IPC_ID_NONE || id != c->write_id || !done_ok(d))
		return -1;
	written(c, d);
	if (!c->ending)
		update(c, c->paused);
	else if (c->once_more && cacheplan_unsaved(&c->plan) && begin_write(c))
		c->once_more = 0;
	else
		end(c);
	return 0;
}

int
cachestore_shutdown(struct cachestore *c)
{
	struct ipc_map_stop stop = { 0 };
	struct ipc *mapd = mapd_of(c);

	c->stopped = 1;
	if (!c->on || mapd == NULL)
		return 0;
	if (c->write_id == IPC_ID_NONE && !cacheplan_unsaved(&c->plan))
		return 0;
	/* The stream ends first, as without a cache; the netmap stays until it is written. */
	ipc_send(mapd, IPC_MAP_STOP, IPC_ID_NONE, &stop, sizeof(stop), -1);
	c->once_more = c->write_id != IPC_ID_NONE;
	if (!c->once_more && !begin_write(c))
		return 0;
	c->ending = 1;
	(void)timer_set_ms(&c->due, SHUTDOWN_MS);
	return 1;
}

void
cachestore_mapd_ready(struct cachestore *c)
{
	if (c->on && c->env.netmap->source == IPC_SRC_NONE)
		load(c);
}

void
cachestore_mapd_gone(struct cachestore *c, int distrusted)
{
	if (c->load_id != IPC_ID_NONE)
		c->no_load = 1; /* for any reason: it is not read again */
	c->asked = c->withdrawn = c->discard = 0;
	c->load_id = c->write_id = IPC_ID_NONE;
	cachefile_abort(&c->file);
	cacheplan_lost(&c->plan);
	if (distrusted)
		remove_file(c, "mapd, which writes it, may have been compromised");
	if (c->ending)
		end(c);
}

struct cachestore *
cachestore_new(const struct cachestore_env *env)
{
	struct cachestore *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->env = *env;
	if (timer_init(&c->due, env->base, write_due, c) == -1) {
		free(c);
		return NULL;
	}
	cachefile_init(&c->file, env->store);
	cacheplan_init(&c->plan, CACHEPLAN_INTERVAL_MS);
	c->there = 1;
	return c;
}

void
cachestore_free(struct cachestore *c)
{
	if (c == NULL)
		return;
	cachefile_abort(&c->file);
	timer_free(&c->due);
	free(c);
}
