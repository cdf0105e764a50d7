/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "cachestore.h"
#include "childsend.h"
#include "control.h"
#include "dispatch.h"
#include "dispatch_auth.h"
#include "dispatch_map.h"
#include "eventwatch.h"
#include "log.h"
#include "parent.h"
#include "status.h"

/* Requests to mapd, and its reports on the map stream and the netmap; never the netmap itself. */

#define PLAN_RATE  2 /* a second; each may be 16 lines in the log */
#define PLAN_BURST 8
#define URL_RATE   4 /* each is an event that no watcher may miss; mapd sends fewer */
#define URL_BURST  64

/* More than any server changes its map.  A mapd whose Seq grew faster would leave no numbers for its successor. */
#define CHANGES_A_MS 10000

void
dispatch_send_map_start(struct child *c)
{
	struct parent *p = c->p;
	struct ipc_map_start m;

	memset(&m, 0, sizeof(m));
	m.node_key = *keyring_public(p->keys, c->work.u.map.candidate ? SLOT_CANDIDATE : SLOT_NODE);
	m.machine_key = *keyring_public(p->keys, SLOT_MACHINE);
	m.seq_base = p->netmap.seq;
	m.prepare_only = (uint32_t)c->work.u.map.prepare;
	p->netmap.dropped = 0;
	ipc_set_state(c->ipc, IPC_S_BUSY);
	ipc_send(c->ipc, IPC_MAP_START, c->work.id, &m, sizeof(m), -1);
}

int
dispatch_stream(void *arg, const struct ipc_msg *m)
{
	static const enum login_ev types[] = { [IPC_STREAM_CONNECTED] = LE_CONNECTED,
		[IPC_STREAM_OPEN] = LE_OPEN,
		[IPC_STREAM_LIVE] = LE_LIVE,
		[IPC_STREAM_CLOSED] = LE_CLOSED };
	const struct ipc_stream *s = m->payload;
	struct child *c = arg;
	struct login_event e = { .id = m->id };
	char err[IPC_ERR_MAX + 1];

	if (s->what < IPC_STREAM_CONNECTED || s->what > IPC_STREAM_CLOSED || s->cause >= CAUSE_COUNT || !IPC_OK(s, err))
		return -1;
	IPC_STR(s, err, err);
	e.type = types[s->what];
	e.u.closed.cause = (enum cause)s->cause;
	e.u.closed.err = err;
	if (s->what == IPC_STREAM_OPEN)
		c->p->counters.map_open_ms = time_mono_ms();
	if (s->what == IPC_STREAM_LIVE && health_clear(&c->p->health, HEALTH_SERVER_LIMIT))
		status_changed(c->p->control);
	if (s->what == IPC_STREAM_LIVE)
		c->p->counters.mapd.last_message_mono_ms = time_mono_ms();
	if (s->what == IPC_STREAM_CLOSED) {
		c->p->counters.map_open_ms = 0;
		if (c->p->netmap.source == IPC_SRC_LIVE)
			c->p->netmap.source = IPC_SRC_STALE;
		if (c->p->login.map_id == m->id)
			ipc_set_state(c->ipc, IPC_S_IDLE);
	}
	parent_event(c->p, &e);
	return 0;
}

static int
self_ok(const struct ipc_self *s)
{
	uint32_t i;

	if (s->naddrs > IPC_MAX_ADDRS || !IPC_OK(s, stable_id) || !IPC_OK(s, name) || !IPC_OK(s, login_name) ||
	    !IPC_OK(s, display_name))
		return 0;
	for (i = 0; i < s->naddrs; i++)
		if (!(s->addrs[i].family == 4 && s->addrs[i].bits <= 32) &&
		    !(s->addrs[i].family == 6 && s->addrs[i].bits <= 128))
			return 0;
	return 1;
}

static enum self_key
self_key(const struct keyring *keys, const struct pubkey *k)
{
	if (key_is_zero(k))
		return SELF_KEY_UNKNOWN;
	if (key_equal(k, keyring_public(keys, SLOT_NODE)))
		return SELF_KEY_CURRENT;
	return key_equal(k, keyring_public(keys, SLOT_CANDIDATE)) ? SELF_KEY_CANDIDATE : SELF_KEY_OTHER;
}

int
dispatch_self(void *arg, const struct ipc_msg *m)
{
	const struct ipc_self *s = m->payload;
	struct child *c = arg;
	struct login_event e = { .type = LE_SELF, .id = m->id };
	char login[IPC_NAME_MAX + 1], display[IPC_NAME_MAX + 1];

	if (!self_ok(s))
		return -1;
	c->p->netmap.self = *s;
	c->p->netmap.have_self = 1;
	IPC_STR(s, login_name, login);
	IPC_STR(s, display_name, display);
	e.u.self.expiry = (struct wtime){ s->key_expiry, 0 };
	e.u.self.expired = s->expired != 0;
	e.u.self.authorized = s->machine_authorized != 0;
	e.u.self.key = self_key(c->p->keys, &s->key);
	e.u.self.user = (struct login_user){ s->user_id, login, display, "" };
	parent_event(c->p, &e);
	return 0;
}

static uint64_t
seq_limit(const struct parent *p)
{
	return (time_mono_ms() - p->started_ms + 1000) * CHANGES_A_MS;
}

/* Consecutive records, each followed by its ids: all lengths are checked before use. */
static int
walk_deltas(struct parent *p, const char *at, size_t left)
{
	uint64_t limit = seq_limit(p);
	struct ipc_delta_rec r;

	while (left > 0) {
		size_t ids;

		if (left < sizeof(r))
			return -1;
		memcpy(&r, at, sizeof(r));
		at += sizeof(r);
		left -= sizeof(r);
		if (r.nchanged > IPC_DELTA_IDS || r.nremoved > IPC_DELTA_IDS || r.full > 1 ||
		    (r.full && r.nchanged + r.nremoved > 0))
			return -1;
		ids = (size_t)(r.nchanged + r.nremoved) * sizeof(int64_t);
		if (ids > left || r.seq <= p->netmap.seq || r.seq > limit)
			return -1; /* Seq only ever grows (interface.md 5) */
		p->netmap.seq = r.seq;
		if (p->netmap.source != IPC_SRC_NONE) /* no events about a removed map (OUT-03) */
			watch_delta(p->control, &r, (const uint8_t *)at,
			    (const uint8_t *)at + (size_t)r.nchanged * sizeof(int64_t));
		at += ids;
		left -= ids;
	}
	return 0;
}

int
dispatch_deltas(void *arg, const struct ipc_msg *m)
{
	const struct ipc_deltas *d = m->payload;
	struct child *c = arg;
	struct parent *p = c->p;
	int cached = d->source == IPC_SRC_CACHED, claim = cached ? cachestore_claim(p->cache, p->login.synced) : 1, rv;

	if (d->source > IPC_SRC_LIVE || d->online > d->peers || claim == -1)
		return -1;
	p->netmap.peers = d->peers;
	p->netmap.online = d->online;
	/* That it is stale is shown with the end of the stream: STREAM CLOSED follows. */
	if (d->source != IPC_SRC_STALE || !p->login.synced)
		p->netmap.source = (enum ipc_source)d->source;
	if (d->data_len > 0 && !cached) { /* CACHE_LOADED had the age of a cached one */
		p->netmap.received_ms = p->counters.mapd.last_message_mono_ms = time_mono_ms();
		p->netmap.cached_age_ms = 0;
	}
	if (p->netmap.source == IPC_SRC_NONE || p->netmap.dropped || claim == 0)
		netmap_info_reset(&p->netmap);
	rv = walk_deltas(p, d->data, d->data_len);
	watch_flush(p->control);
	if (rv == -1 || d->seq != p->netmap.seq)
		return d->data_len == 0 && d->seq <= p->netmap.seq ? 0 : -1;
	parent_update_cache(p);
	status_changed(p->control);
	return 0;
}

int
dispatch_counters(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	c->p->counters.mapd = *(const struct ipc_counters *)m->payload;
	control_counters_came(c->p->control);
	return 0;
}

/* Until the next stream delivers a netmap that keeps to the limits. */
int
dispatch_limit(void *arg, const struct ipc_msg *m)
{
	const struct ipc_limit *l = m->payload;
	struct child *c = arg;
	char text[IPC_ERR_MAX + 1];

	if (!IPC_OK(l, text) || l->text_len == 0)
		return -1;
	if (!dispatch_may_log(c))
		return 0;
	IPC_STR(l, text, text);
	if (health_raise(&c->p->health, HEALTH_SERVER_LIMIT, text)) {
		log_warnx("a limit was passed: %s", text);
		status_changed(c->p->control);
	}
	return 0;
}

int
dispatch_lite(void *arg, const struct ipc_msg *m)
{
	const struct ipc_lite *l = m->payload;
	struct child *c = arg;
	struct login_event e = { .type = LE_LITE, .id = m->id };
	char err[IPC_ERR_MAX + 1];

	if (!IPC_OK(l, err))
		return -1;
	IPC_STR(l, err, err);
	e.u.result.ok = l->ok != 0;
	e.u.result.err = err;
	parent_event(c->p, &e);
	return 0;
}

int
dispatch_control_time(void *arg, const struct ipc_msg *m)
{
	const struct ipc_control_time *t = m->payload;
	struct child *c = arg;
	struct login_event e = { .type = LE_CONTROL_TIME, .id = m->id };

	e.u.control_time = t->sec;
	parent_event(c->p, &e);
	return 0;
}

static int
within(struct bucket *b, uint32_t rate, uint32_t burst)
{
	uint64_t now = time_mono_ms();

	if (b->rate == 0)
		bucket_init(b, rate, burst, now);
	return bucket_take(b, now);
}

int
dispatch_unwatched(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	watchers_left_mapd(c->p->control, m->id);
	return 0;
}

int
dispatch_browse(void *arg, const struct ipc_msg *m)
{
	const struct ipc_browse *b = m->payload;
	struct child *c = arg;
	char url[IPC_URL_MAX + 1];

	if (!IPC_OK(b, url))
		return -1;
	if (!within(&c->url_rate, URL_RATE, URL_BURST))
		return 0;
	IPC_STR(b, url, url);
	if (dispatch_url_ok(c->p, url))
		watch_browse(c->p->control, url);
	return 0;
}

/* DBG-04: the server may end the daemon only if the configuration allows it. */
int
dispatch_exit_wish(void *arg, const struct ipc_msg *m)
{
	const struct ipc_exit_wish *x = m->payload;
	struct child *c = arg;

	if (!c->p->cfg.exit_honour) {
		if (dispatch_may_log(c))
			log_warnx("the server asked us to exit with code %d: refused (server-exit refuse)", x->code);
		return 0;
	}
	log_warnx("the server asked us to exit with code %d", x->code);
	parent_shutdown(c->p, x->code & 0xff);
	return 0;
}

int
dispatch_dial_plan(void *arg, const struct ipc_msg *m)
{
	const struct ipc_dial_plan *plan = m->payload;
	struct child *c = arg;

	if (plan->n > IPC_MAX_PLAN)
		return -1;
	if (!within(&c->plan_rate, PLAN_RATE, PLAN_BURST))
		return 0; /* mapd sends one a second */
	dialler_plan(c->p->dialler, plan);
	childsend_dial_times(c->p->sup);
	return 0;
}

int
dispatch_cache_loaded(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	return cachestore_loaded(c->p->cache, m->id, m->payload);
}

int
dispatch_cache_written(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	return cachestore_written(c->p->cache, m->id, m->payload);
}
