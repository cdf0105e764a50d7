/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "report.h"
#include "timefmt.h"
#include "timer.h"

#define FLUSH_MS     1
#define COUNTERS_MS  1000
#define SELF_MS      10
#define SELDOM_MS    1000 /* CONTROL_TIME, DIAL_PLAN */
#define CLOCK_NEAR   60   /* s: a clock that is right (protocol.md E.12) */
#define CLOCK_SAME   1
#define QUEUE_ENOUGH (64u * 1024) /* while the parent has that much to read, changes are gathered */

struct report {
	struct mapd *m;
	struct timer flush, count, later;
	uint64_t flushed_us, counted_ms;
	int pending;       /* DELTAS must be sent */
	uint64_t last_seq; /* of the last record in deltas */
	struct ipc_deltas deltas;
	struct ipc_self self; /* as last sent */
	int have_self;
	struct ipc_counters counters;
	int self_due, time_due, plan_due;   /* changed since it was sent */
	uint64_t self_ms, time_ms, plan_ms; /* last sent; 0 = never */
	int64_t control_sec;                /* newest */
	int64_t clock_sent;                 /* how far off the clock is, as last sent ... */
	uint32_t clock_id;                  /* ... in this map session */
};

/*
 * Our own node from a cache is only displayed: it does not belong to the map session, and the same node from the
 * server is sent again.
 */
static void
send_self(struct report *r)
{
	int cached = netmap_source(r->m->netmap) == IPC_SRC_CACHED;
	struct ipc_self now;

	r->self_due = 0;
	memset(&now, 0, sizeof(now)); /* compared as a whole */
	if (netmap_self(r->m->netmap, &now) != 1)
		return;
	if (r->have_self && memcmp(&now, &r->self, sizeof(now)) == 0)
		return;
	r->self = now;
	r->have_self = !cached;
	r->self_ms = time_mono_ms();
	ipc_send(child_ipc(r->m->c), IPC_SELF, cached ? IPC_ID_NONE : r->m->id, &now, sizeof(now), -1);
}

static int64_t
clock_off(int64_t sec)
{
	int64_t d = sec - time_wall().sec;

	return d > CLOCK_NEAR || d < -CLOCK_NEAR ? d : 0;
}

static void
send_time(struct report *r)
{
	struct ipc_control_time m = { .sec = r->control_sec };

	r->time_due = 0;
	r->time_ms = time_mono_ms();
	r->clock_sent = clock_off(r->control_sec);
	r->clock_id = r->m->id;
	ipc_send(child_ipc(r->m->c), IPC_CONTROL_TIME, r->m->id, &m, sizeof(m), -1);
}

static void
send_plan(struct report *r)
{
	r->plan_due = 0;
	r->plan_ms = time_mono_ms();
	ipc_send(child_ipc(r->m->c), IPC_DIAL_PLAN, r->m->id, &r->m->plan, sizeof(r->m->plan), -1);
}

/* The time before the node: the parent judges the expiry by it. */
static void
send_due(struct report *r, int all)
{
	uint64_t now = time_mono_ms();

	if (r->time_due && (all || r->time_ms == 0 || now - r->time_ms >= SELDOM_MS))
		send_time(r);
	if (r->self_due && (all || r->self_ms == 0 || now - r->self_ms >= SELF_MS))
		send_self(r);
	if (r->plan_due && (all || r->plan_ms == 0 || now - r->plan_ms >= SELDOM_MS))
		send_plan(r);
	if (r->time_due || r->self_due || r->plan_due)
		timer_set_ms(&r->later, SELF_MS);
}

static void
later_due(void *arg)
{
	send_due(arg, 0);
}

void
report_control_time(struct report *r, int64_t sec)
{
	int64_t change = clock_off(sec) - r->clock_sent;

	r->time_due = r->clock_id != r->m->id || change < -CLOCK_SAME || change > CLOCK_SAME;
	r->control_sec = sec;
	send_due(r, 0);
}

void
report_dial_plan(struct report *r)
{
	r->plan_due = 1;
	send_due(r, 0);
}

void
report_all(struct report *r)
{
	send_due(r, 1);
	report_flush(r);
}

void
report_flush(struct report *r)
{
	const struct netmap *nm = r->m->netmap;
	struct ipc_deltas *d = &r->deltas;

	timer_stop(&r->flush);
	if (!r->pending)
		return;
	/* add_record() may flush when the netmap is one message ahead of the records. */
	d->seq = d->data_len > 0 ? r->last_seq : netmap_seq(nm);
	d->peers = (uint32_t)netmap_peers(nm);
	d->online = (uint32_t)netmap_online(nm);
	d->source = (uint32_t)netmap_source(nm);
	ipc_send(child_ipc(r->m->c), IPC_DELTAS, r->m->id, d, ipc_head_len(IPC_DELTAS) + d->data_len, -1);
	d->data_len = 0;
	r->pending = 0;
	r->flushed_us = time_mono_us();
}

static int
may_flush(const struct report *r)
{
	return time_mono_us() - r->flushed_us >= FLUSH_MS * 1000 && ipc_queued(child_ipc(r->m->c)) < QUEUE_ENOUGH;
}

static void
flush_due(void *arg)
{
	struct report *r = arg;

	if (may_flush(r))
		report_flush(r);
	else
		timer_set_ms(&r->flush, FLUSH_MS);
}

/* At the end of this turn of the loop, or 1 ms after the last time. */
static void
flush_soon(struct report *r)
{
	r->pending = 1;
	if (!timer_pending(&r->flush))
		timer_set_ms(&r->flush, may_flush(r) ? 0 : FLUSH_MS);
}

static void
put(struct ipc_deltas *d, const void *p, size_t n)
{
	if (n > 0)
		memcpy(d->data + d->data_len, p, n);
	d->data_len = (uint16_t)(d->data_len + n);
}

/* Too many changes to list their ids: the records gathered so far and this one become one of the whole map. */
static void
collapse(struct ipc_deltas *d, struct ipc_delta_rec *rec)
{
	struct ipc_delta_rec old;
	size_t at = 0;

	while (at < d->data_len) {
		memcpy(&old, d->data + at, sizeof(old));
		rec->fields |= old.fields;
		at += sizeof(old) + sizeof(int64_t) * (size_t)(old.nchanged + old.nremoved);
	}
	rec->full = 1;
	rec->nchanged = rec->nremoved = 0;
	d->data_len = 0;
}

static void
add_record(struct report *r, const struct netmap_change *ch)
{
	struct ipc_delta_rec rec = { .seq = ch->seq, .full = ch->full != 0, .fields = ch->fields };
	struct ipc_deltas *d = &r->deltas;
	size_t ids = ch->nchanged + ch->nremoved, need;

	if (ids > IPC_DELTA_IDS)
		rec.full = 1;
	if (!rec.full) {
		rec.nchanged = (uint32_t)ch->nchanged;
		rec.nremoved = (uint32_t)ch->nremoved;
	}
	need = sizeof(rec) + (rec.full ? 0 : ids * sizeof(int64_t));
	if (d->data_len + need > sizeof(d->data) && may_flush(r))
		report_flush(r);
	if (d->data_len + need > sizeof(d->data))
		collapse(d, &rec);
	put(d, &rec, sizeof(rec));
	r->last_seq = ch->seq;
	if (!rec.full) {
		put(d, ch->changed, ch->nchanged * sizeof(int64_t));
		put(d, ch->removed, ch->nremoved * sizeof(int64_t));
	}
}

void
report_change(struct report *r, const struct netmap_change *ch)
{
	if (ch->self_changed || ch->full) {
		r->self_due = 1;
		send_due(r, 0);
	}
	add_record(r, ch);
	flush_soon(r);
}

void
report_source(struct report *r)
{
	flush_soon(r);
	report_flush(r);
}

void
report_self(struct report *r)
{
	r->have_self = 0;
	r->self_due = 1;
}

void
report_forget_self(struct report *r)
{
	r->have_self = 0;
}

struct ipc_counters *
report_counters(struct report *r)
{
	return &r->counters;
}

void
report_counters_now(struct report *r, uint32_t id)
{
	timer_stop(&r->count);
	r->counted_ms = time_mono_ms();
	ipc_send(child_ipc(r->m->c), IPC_COUNTERS, id, &r->counters, sizeof(r->counters), -1);
}

static void
count_due(void *arg)
{
	report_counters_now(arg, IPC_ID_NONE);
}

void
report_counted(struct report *r)
{
	uint64_t ago = time_mono_ms() - r->counted_ms;

	if (!timer_pending(&r->count))
		timer_set_ms(&r->count, r->counted_ms != 0 && ago < COUNTERS_MS ? COUNTERS_MS - ago : 0);
}

struct report *
report_new(struct mapd *m)
{
	struct report *r = xcalloc(1, sizeof(*r));

	r->m = m;
	if (timer_init(&r->flush, m->base, flush_due, r) == -1 || timer_init(&r->count, m->base, count_due, r) == -1 ||
	    timer_init(&r->later, m->base, later_due, r) == -1)
		mem_exhausted();
	return r;
}

void
report_free(struct report *r)
{
	timer_free(&r->flush);
	timer_free(&r->count);
	timer_free(&r->later);
	free(r);
}
