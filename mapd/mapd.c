/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cachecodec.h"
#include "dialclient.h"
#include "expiry.h"
#include "lite.h"
#include "mapd.h"
#include "mapstream.h"
#include "mem.h"
#include "ping.h"
#include "report.h"
#include "timefmt.h"
#include "tls.h"

#define EVENT_MAX      (512u * 1024)
#define EXPIRY_RECHECK 30 /* s: timers stay short whatever the expiry is (EXP-07), and the clock may be set (ERR-06) */
#define CLOCK_NEAR     60 /* s */

/* --- the session --- */

/* Once per MAP_START; a session that gets a second connection is up again. */
static void
report_connected(struct mapd *m)
{
	if (m->connected_reported)
		return;
	m->connected_reported = 1;
	mapd_stream_report(m, IPC_STREAM_CONNECTED, 0, CAUSE_NONE, "");
}

static void
session_up(void *arg)
{
	struct mapd *m = arg;

	if (m->want != WANT_NOTHING)
		report_connected(m);
}

/* The stream, if there is one, was notified already; a prepared connection has only us. */
static void
session_down(void *arg, const char *why, enum cause cause)
{
	struct mapd *m = arg;

	memset(&m->session_key, 0, sizeof(m->session_key));
	if (m->want == WANT_CONNECTION)
		mapd_stream_closed(m, 0, cause, why);
	else if (m->want == WANT_STREAM)
		mapstream_session_down(m->stream, why, cause);
}

/* Made if there is none; the first request connects it. */
static struct session *
some_session(struct mapd *m)
{
	if (m->session == NULL) {
		if ((m->session = child_session(m->c, session_up, session_down, m)) == NULL)
			mem_exhausted();
		memset(&m->session_key, 0, sizeof(m->session_key));
	}
	return m->session;
}

struct session *
mapd_request_session(struct mapd *m)
{
	struct session *s = some_session(m);

	m->session_key = m->node_key;
	return s;
}

void
mapd_drop_session(struct mapd *m)
{
	mapstream_stop(m->stream);
	lite_stop(m->lite);
	pings_stop(m->pings);
	if (m->session != NULL)
		child_session_free(m->c, m->session);
	m->session = NULL;
}

void
mapd_dial_plan(struct mapd *m, const struct ipc_dial_plan *plan)
{
	if (m->have_plan && memcmp(plan, &m->plan, sizeof(*plan)) == 0)
		return;
	m->have_plan = 1;
	m->plan = *plan;
	report_dial_plan(m->report);
}

/* --- reports to the parent --- */

void
mapd_stream_report(struct mapd *m, enum ipc_stream_what what, int http_status, enum cause cause, const char *err)
{
	struct ipc_stream msg;

	memset(&msg, 0, sizeof(msg));
	msg.what = (uint32_t)what;
	msg.http_status = (uint32_t)http_status;
	msg.cause = (uint32_t)cause;
	IPC_SET(&msg, err, err, strlen(err));
	report_all(m->report);
	ipc_send(child_ipc(m->c), IPC_STREAM, m->id, &msg, sizeof(msg), -1);
}

void
mapd_stream_closed(struct mapd *m, int http_status, enum cause cause, const char *why)
{
	lite_stop(m->lite);
	if (m->want == WANT_STREAM) {
		netmap_session_end(m->netmap);
		report_source(m->report);
	}
	m->want = WANT_NOTHING;
	m->connected_reported = 0;
	mapd_stream_report(m, IPC_STREAM_CLOSED, http_status, cause, why);
	ipc_set_state(child_ipc(m->c), IPC_S_IDLE);
}

static int64_t
clock_off(void)
{
	return time_wall().sec - (int64_t)(time_mono_ms() / 1000);
}

void
mapd_clock_received(struct mapd *m)
{
	m->clock_off = clock_off();
}

void
mapd_clock_check(struct mapd *m)
{
	int64_t by = clock_off() - m->clock_off;

	if (by <= CLOCK_NEAR && by >= -CLOCK_NEAR)
		return;
	netmap_clock_set(m->netmap);
	m->clock_off += by;
}

/* An earlier time is never postponed: with a change every second the timer would not fire at all. */
static void
arm_expiry(struct mapd *m)
{
	struct wtime now = time_wall();
	int64_t at = netmap_next_expiry(m->netmap, now), wait;
	uint64_t ms, in;

	if (at == INT64_MAX)
		return; /* a timer that is set finds nothing to do */
	wait = at > now.sec ? at - now.sec : 1;
	in = 1000 * (uint64_t)(wait < EXPIRY_RECHECK ? wait : EXPIRY_RECHECK);
	ms = time_mono_ms() + in;
	if (m->expiry_ms != 0 && m->expiry_ms <= ms)
		return;
	m->expiry_ms = ms;
	timer_set_ms(&m->expiry, in);
}

void
mapd_changed(struct mapd *m, const struct netmap_change *ch)
{
	query_changed(m->query, ch);
	report_change(m->report, ch);
	cache_changed(m->cache, ch);
	arm_expiry(m);
}

void
mapd_unchanged(struct mapd *m)
{
	arm_expiry(m);
}

static void
drop_netmap(struct mapd *m)
{
	netmap_drop(m->netmap);
	query_dropped(m->query);
	report_forget_self(m->report);
	report_source(m->report);
	arm_expiry(m);
}

static void
expiry_due(void *arg)
{
	struct mapd *m = arg;
	struct netmap_change ch;
	struct wtime now = time_wall();

	m->expiry_ms = 0;
	mapd_clock_check(m);
	if (netmap_expiry_due(m->netmap, now) && netmap_expire(m->netmap, now, &ch) == 1)
		mapd_changed(m, &ch);
	else
		arm_expiry(m);
}

/* --- MAP_START, MAP_STOP --- */

/* A connection that another node key was used on is closed before the new key is used (ROT-04). */
static void
forget_other_key(struct mapd *m, const struct pubkey *key)
{
	if (m->session != NULL && !key_is_zero(&m->session_key) && !key_equal(&m->session_key, key))
		mapd_drop_session(m);
}

static int
mapd_on_map_start(void *ctx, const struct ipc_msg *msg)
{
	const struct ipc_map_start *s = msg->payload;
	struct mapd *m = ctx;

	if (s->prepare_only > 1 || key_is_zero(&s->node_key))
		return -1;
	report_all(m->report); /* of the one before */
	mapstream_stop(m->stream);
	forget_other_key(m, &s->node_key);
	netmap_seq_base(m->netmap, s->seq_base);
	if (m->id != msg->id)
		m->connected_reported = 0;
	m->id = msg->id;
	m->node_key = s->node_key;
	m->machine_key = s->machine_key;
	m->want = s->prepare_only ? WANT_CONNECTION : WANT_STREAM;
	ipc_set_state(child_ipc(m->c), IPC_S_BUSY);
	if (session_is_up(some_session(m)))
		report_connected(m);
	else
		session_connect(m->session);
	if (s->prepare_only)
		return 0;
	m->have_plan = 0; /* the parent may have another one: sent once per stream, also when there is none */
	netmap_session_begin(m->netmap, &m->node_key, &m->machine_key);
	/* The update is sent first: a server that allows one stream at a time would never accept it after the poll. */
	lite_stream_started(m->lite);
	mapstream_start(m->stream);
	return 0;
}

static int
mapd_on_map_stop(void *ctx, const struct ipc_msg *msg)
{
	const struct ipc_map_stop *s = msg->payload;
	struct mapd *m = ctx;

	if (s->drop_netmap > 1)
		return -1;
	mapd_drop_session(m);
	if (m->want != WANT_NOTHING)
		mapd_stream_closed(m, 0, CAUSE_NONE, "");
	if (s->drop_netmap) {
		cache_cancel(m->cache);
		drop_netmap(m);
	}
	return 0;
}

/* --- the cache --- */

static int
mapd_on_cache_load(void *ctx, const struct ipc_msg *msg)
{
	struct mapd *m = ctx;

	return cache_load(m->cache, msg->id, msg->payload, msg->fd, child_config(m->c)->max_map_decoded);
}

static int
mapd_on_cache_write(void *ctx, const struct ipc_msg *msg)
{
	struct mapd *m = ctx;

	report_flush(m->report); /* the parent knows every change that CACHE_WRITTEN will report */
	return cache_write(m->cache, msg->id, msg->payload, msg->fd);
}

static int
mapd_on_cache_forget(void *ctx, const struct ipc_msg *msg)
{
	struct mapd *m = ctx;

	(void)msg;
	cache_cancel(m->cache);
	if (netmap_source(m->netmap) == IPC_SRC_CACHED)
		drop_netmap(m);
	return 0;
}

/* --- MAP_PARAMS, HOSTINFO, CONFIG, CA --- */

static int
params_ok(const struct ipc_map_params *p)
{
	uint32_t i;

	if (p->n > IPC_MAX_ENDPOINTS || p->refresh > 1 || p->nlocal > IPC_MAX_LOCAL)
		return 0;
	for (i = 0; i < p->nlocal; i++)
		if ((p->local[i].family != 4 && p->local[i].family != 6) ||
		    p->local[i].bits > (p->local[i].family == 4 ? 32 : 128))
			return 0;
	for (i = 0; i < p->n; i++)
		if ((p->ep[i].family != 4 && p->ep[i].family != 6) || p->ep[i].type > IPC_EP_EXPLICIT)
			return 0;
	return 1;
}

static int
mapd_on_map_params(void *ctx, const struct ipc_msg *msg)
{
	struct mapd *m = ctx;

	if (!params_ok(msg->payload))
		return -1;
	memcpy(&m->params, msg->payload, sizeof(m->params));
	lite_changed(m->lite, m->params.refresh != 0);
	return 0;
}

static void
on_hostinfo(void *ctx)
{
	struct mapd *m = ctx;

	lite_changed(m->lite, 0);
}

static void
on_ca(void *ctx)
{
	struct mapd *m = ctx;

	pings_ca_received(m->pings);
}

/* A connection of the old kind would be tried again and again.  One that is in use is stopped by the parent. */
static void
on_rewired(void *ctx)
{
	struct mapd *m = ctx;

	if (m->want == WANT_NOTHING)
		mapd_drop_session(m);
}

/* --- readers --- */

static int
query_ok(const struct ipc_query *q)
{
	return q->verb > IPC_Q_NONE && q->verb < IPC_Q_COUNT && q->class >= IPC_CLASS_R && q->class <= IPC_CLASS_ROOT &&
	    q->listen_port <= UINT16_MAX && q->data_len <= sizeof(q->data);
}

static int
mapd_on_query(void *ctx, const struct ipc_msg *msg)
{
	struct mapd *m = ctx;

	if (!query_ok(msg->payload)) {
		close(msg->fd);
		return -1;
	}
	/* The parent knows what a reader has seen: Seq never repeats, even if this process ends the next moment. */
	report_flush(m->report);
	if (((const struct ipc_query *)msg->payload)->verb == IPC_Q_WATCH_NETMAP)
		m->watched = msg->id;
	query_handle(m->query, msg->id, msg->payload, msg->fd);
	return 0;
}

static int
mapd_on_event(void *ctx, const struct ipc_msg *msg)
{
	struct ipc_empty none = { 0 };
	struct mapd *m = ctx;
	int rv;

	if ((rv = ipc_chunk_add(&m->event_text, &m->event_total, msg->payload, EVENT_MAX)) <= 0)
		return rv;
	query_event(m->query, msg->id, (const char *)buf_ptr(&m->event_text), buf_len(&m->event_text));
	if (msg->id == IPC_ID_NONE && query_watchers(m->query) == 0)
		ipc_send(child_ipc(m->c), IPC_UNWATCHED, m->watched, &none, sizeof(none), -1);
	buf_reset(&m->event_text);
	buf_shrink(&m->event_text);
	m->event_total = 0;
	return 0;
}

static int
mapd_on_counters_req(void *ctx, const struct ipc_msg *msg)
{
	struct mapd *m = ctx;

	report_counters_now(m->report, msg->id);
	return 0;
}

/* --- start and end --- */

static void
stop(void *ctx)
{
	struct mapd *m = ctx;

	query_stop(m->query);
	mapd_drop_session(m);
	cache_free(m->cache);
	query_free(m->query);
	mapstream_free(m->stream);
	lite_free(m->lite);
	pings_free(m->pings);
	report_free(m->report);
	netmap_free(m->netmap);
	timer_free(&m->expiry);
	buf_free(&m->event_text);
	free(m);
}

static void
cache_restored(void *arg, const struct netmap_change *ch)
{
	mapd_changed(arg, ch);
}

static void *
start(struct childproc *c)
{
	struct mapd *m = xcalloc(1, sizeof(*m));
	struct cache_context cache = { .base = child_base(c),
		.ipc = child_ipc(c),
		.changed = cache_restored,
		.arg = m };

	m->c = c;
	m->base = cache.base;
	buf_init(&m->event_text, EVENT_MAX);
	m->netmap = cache.netmap = netmap_new();
	m->query = query_new(m->base, m->netmap, child_config(m->c));
	query_host(m->query, &m->params);
	m->report = report_new(m);
	m->stream = mapstream_new(m);
	m->lite = lite_new(m);
	m->pings = pings_new(m);
	m->cache = cache_new(&cache);
	if (timer_init(&m->expiry, m->base, expiry_due, m) == -1)
		mem_exhausted();
	return m;
}

const struct child_role mapd_role = {
	.name = "mapd",
	.role = IPC_MAPD,
	.profile = &mapd_profile,
	.warm = wire_warm,
	.rewired = on_rewired,
	.start = start,
	.stop = stop,
	.hostinfo = on_hostinfo,
	.ca = on_ca,
	.on = {
#define X(name, handler, ...) [IPC_##name] = mapd_on_##handler,
		IPC_TO_MAPD(X)
#undef X
	},
};
