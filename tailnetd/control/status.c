/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "buf.h"
#include "build.h"
#include "control_int.h"
#include "eventwatch.h"
#include "hostreport.h"
#include "jsonwrite.h"
#include "netaddr.h"
#include "sandbox.h"
#include "status.h"
#include "text.h"
#include "timer.h"

#define URGENT_RATE  100 /* events a second; more than any login causes */
#define URGENT_BURST 400 /* the queue of a watcher that reads nothing holds these */
#define APART_MS     20  /* between other events */

struct status {               /* of status events */
	struct buf last;      /* the part whose change is an event */
	uint64_t last_urgent; /* hash of what is sent at once */
	struct bucket rate;   /* of those */
	uint64_t ms;          /* of the last event */
	struct timer later;
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	int login_finished; /* for the next event */
};

static void
kkey(struct jw *w, const char *name, enum key_kind kind, const struct pubkey *k)
{
	char text[KEY_TEXT_MAX];

	jw_kstr(w, name, key_is_zero(k) ? "" : key_format(kind, k, text));
}

static void
kage(struct jw *w, const char *name, uint64_t since_ms)
{
	jw_key(w, name);
	if (since_ms == 0)
		jw_null(w);
	else
		jw_f1(w, (double)(time_mono_ms() - since_ms) / 1000);
}

/* A cached one may be older than the clock that ages are measured by. */
static void
put_netmap_age(struct jw *w, const struct netmap_info *nm)
{
	jw_key(w, "netmapAgeSeconds");
	if (nm->source == IPC_SRC_NONE || nm->received_ms == 0)
		jw_null(w);
	else
		jw_f1(w, (double)(time_mono_ms() - nm->received_ms + nm->cached_age_ms) / 1000);
}

static void
kid(struct jw *w, const char *name, int64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)id); /* may exceed 2^53: as text */
	jw_kstr(w, name, text);
}

static void
put_goal(struct jw *w, const struct login *c)
{
	const struct login_goal *g = &c->goal;

	jw_key(w, "goal");
	if (g->kind == GOAL_NONE) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	jw_kbool(w, "wantLoggedIn", g->kind == GOAL_LOGIN);
	jw_kstr(w, "url", g->url);
	jw_key(w, "flags");
	jw_arr(w);
	if (g->interactive)
		jw_str(w, "interactive");
	if (g->ephemeral)
		jw_str(w, "ephemeral");
	jw_arr_end(w);
	jw_obj_end(w);
}

static void
put_keys(struct jw *w, const struct control_ops *o)
{
	kkey(w, "serverKey", KEY_MACHINE, login_pin(o->login, NULL));
	jw_ki64(w, "capabilityVersion", o->cfg->capver);
	kkey(w, "machineKey", KEY_MACHINE, keyring_public(o->keys, SLOT_MACHINE));
	kkey(w, "nodeKey", KEY_NODE, keyring_public(o->keys, SLOT_NODE));
	kkey(w, "oldNodeKey", KEY_NODE, keyring_public(o->keys, SLOT_OLD));
	kkey(w, "discoKey", KEY_DISCO, hostreport_disco(o->report));
}

static void
put_user(struct jw *w, const struct login *c)
{
	jw_key(w, "user");
	if (c->profile.user_id == 0) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	kid(w, "ID", c->profile.user_id);
	jw_kstr(w, "LoginName", c->profile.login_name);
	jw_kstr(w, "DisplayName", c->profile.display_name);
	jw_obj_end(w);
}

static void
put_self(struct jw *w, const struct netmap_info *nm)
{
	char text[80];
	uint32_t i;

	jw_key(w, "self");
	if (!nm->have_self || nm->source == IPC_SRC_NONE) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	kid(w, "ID", nm->self.id);
	jw_key(w, "StableID");
	jw_strn(w, nm->self.stable_id, nm->self.stable_id_len);
	jw_key(w, "Name");
	jw_strn(w, nm->self.name, nm->self.name_len);
	jw_key(w, "Addresses");
	jw_arr(w);
	for (i = 0; i < nm->self.naddrs; i++)
		jw_str(w, netaddr_prefix_format(&nm->self.addrs[i], text, sizeof(text)));
	jw_arr_end(w);
	jw_obj_end(w);
}

static void
put_counters(struct jw *w, const struct control_ops *o)
{
	uint64_t last = o->counters->mapd.last_message_mono_ms, now = time_mono_ms();

	jw_ki64(w, "peers", o->netmap->peers);
	jw_key(w, "netmapSeq");
	jw_u64(w, o->netmap->seq);
	put_netmap_age(w, o->netmap);
	kage(w, "lastMessageAgeSeconds", last <= now ? last : now);
	kage(w, "mapStreamAgeSeconds", o->counters->map_open_ms);
	jw_key(w, "mapStreams");
	jw_u64(w, o->login->map_streams);
}

static void
put_health(struct jw *w, const struct health *h)
{
	int i;

	jw_key(w, "health");
	jw_arr(w);
	for (i = 0; i < HEALTH_COUNT; i++) {
		if (!h->h[i].on)
			continue;
		jw_obj(w);
		jw_kstr(w, "code", health_name((enum health_code)i));
		jw_kstr(w, "severity", health_severity((enum health_code)i));
		jw_kstr(w, "text", h->h[i].text);
		jw_kstr(w, "remedy", health_remedy((enum health_code)i));
		jw_obj_end(w);
	}
	jw_arr_end(w);
}

static void
put_own(struct jw *w, const struct control_ops *o)
{
	const struct buf *hostinfo = hostreport_hostinfo(o->report);
	const struct ipc_map_params *params = hostreport_params(o->report);
	char text[80];
	uint32_t i;

	jw_key(w, "hostinfo");
	if (buf_len(hostinfo) > 0)
		jw_raw(w, (const char *)buf_ptr(hostinfo), buf_len(hostinfo));
	else
		jw_raw(w, "{}", 2);
	jw_key(w, "endpoints");
	jw_arr(w);
	for (i = 0; i < params->n; i++)
		jw_str(w, netaddr_endpoint_format(&params->ep[i], text, sizeof(text)));
	jw_arr_end(w);
}

static void
put_login(struct jw *w, const struct login *c)
{
	char when[TIME_TEXT_MAX], err[LOGIN_ADVISED_MAX];
	int source = login_advised_error(c, err);

	jw_kstr(w, "state", login_state_name(login_state(c)));
	jw_kbool(w, "loggedIn", login_logged_in(c));
	jw_kbool(w, "synced", c->synced);
	jw_kbool(w, "paused", c->paused);
	put_goal(w, c);
	jw_kbool(w, "authCantContinue", login_cant_continue(c));
	jw_kstr(w, "url", c->goal.kind == GOAL_LOGIN ? c->goal.url : "");
	jw_kstr(w, "err", err);
	jw_kstr(w, "errSource", source == -1 ? "" : login_src_name((enum login_src)source));
	jw_kstr(w, "errCause", source == -1 ? "" : cause_name(c->cause[source]));
	jw_kstr(w, "expiry",
	    time_is_none(c->profile.node_key_expiry) ? "" : time_format(c->profile.node_key_expiry, when));
	jw_kbool(w, "keyExpired", c->expired);
	jw_kbool(w, "machineAuthorized", c->authorized);
	jw_ki64(w, "clockOffsetSeconds", c->clock_delta);
}

int
status_json(const struct control_ops *o, enum status_part part, struct buf *out)
{
	static const char *const sources[] = { "none", "cached", "stale", "live" };
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w);
	jw_ki64(&w, "v", 1);
	jw_kstr(&w, "version", TAILNETD_VERSION);
	put_login(&w, o->login);
	jw_kstr(&w, "controlURL", o->cfg->control_url);
	put_keys(&w, o);
	put_user(&w, o->login);
	put_self(&w, o->netmap);
	jw_kstr(&w, "netmapSource",
	    sources[o->netmap->source == IPC_SRC_LIVE && !o->login->synced ? IPC_SRC_STALE : o->netmap->source]);
	if (part == STATUS_WHOLE)
		put_counters(&w, o);
	put_health(&w, o->health);
	put_own(&w, o);
	jw_obj_end(&w);
	return out->failed ? -1 : 0;
}

static int
status_event_body(const struct control_ops *o, int login_finished, struct buf *out)
{
	buf_printf(out, "\"event\":\"status\",\"loginFinished\":%s,\"status\":", login_finished ? "true" : "false");
	return status_json(o, STATUS_WHOLE, out);
}

const char *
status_line(const struct control_ops *o, char *out, size_t size)
{
	static const char *const severities[] = { "high", "medium", "low" };
	static const char *const words[LS_COUNT] = { [LS_NEW] = "not logged in",
		[LS_NOT_AUTHENTICATED] = "not logged in",
		[LS_AUTHENTICATING] = "logging in",
		[LS_URL_VISIT_REQUIRED] = "login needed: run tailnetctl status and visit the URL",
		[LS_AUTHENTICATED] = "logged in, not synchronized",
		[LS_SYNCHRONIZED] = "synchronized" };
	char err[LOGIN_ADVISED_MAX];
	int source = login_advised_error(o->login, err), h;
	struct buf b;
	size_t i;

	buf_init(&b, 16384);
	buf_printf(&b, "%s%s", words[login_state(o->login)], o->login->paused ? ", paused" : "");
	if (source != -1)
		buf_printf(&b, "; error: %s: %s", login_src_name((enum login_src)source), err);
	for (i = 0; i < sizeof(severities) / sizeof(severities[0]); i++)
		for (h = 0; h < HEALTH_COUNT; h++)
			if (o->health->h[h].on && strcmp(health_severity((enum health_code)h), severities[i]) == 0)
				buf_printf(&b, "; %s: %s", health_name((enum health_code)h), o->health->h[h].text);
	text_sanitize((const char *)buf_ptr(&b), buf_len(&b), out, size); /* also where it is cut */
	buf_free(&b);
	return out;
}

/* Changes that must not wait: each is an event of its own (STAT-01). */
static uint64_t
urgent_hash(const struct status *s, const struct login *c)
{
	const char *err;
	uint64_t h = 0;
	struct buf b;

	buf_init(&b, 16384);
	(void)login_error(c, &err);
	buf_printf(&b, "%d %d %d %d %s\n%s", (int)login_state(c), login_logged_in(c), c->synced, c->paused, c->goal.url,
	    err);
	crypto_shorthash((uint8_t *)&h, buf_ptr(&b), buf_len(&b), s->hash_key);
	buf_free(&b);
	return h;
}

/* The event of a change, and only of a change (STAT-03). */
void
status_now(struct control *c)
{
	const struct control_ops *o = &c->ops;
	struct status *s = c->status;
	struct buf now, body;
	char line[STATUS_LINE_MAX];

	timer_stop(&s->later);
	buf_init(&now, 1u << 20);
	status_json(o, STATUS_STABLE, &now);
	if (!s->login_finished && buf_len(&now) == buf_len(&s->last) &&
	    memcmp(buf_ptr(&now), buf_ptr(&s->last), buf_len(&now)) == 0) {
		buf_free(&now);
		return;
	}
	buf_init(&body, 1u << 20);
	status_event_body(o, s->login_finished, &body);
	s->login_finished = 0;
	watch_status(c, &body);
	s->ms = time_mono_ms();
	buf_free(&s->last);
	s->last = now;
	o->state_is(o->arg, status_line(o, line, sizeof(line)));
}

/*
 * Each urgent change is an event of its own, up to a rate: a server or a child that causes a thousand a second would
 * soon fill the queue of a watcher that reads as fast as a program can.  Beyond the rate only the result is sent.
 */
void
status_changed(struct control *c)
{
	uint64_t urgent, now = time_mono_ms();
	struct status *s;
	int at_once;

	if (c == NULL || c->ops.stopping(c->ops.arg))
		return; /* SHUT-03: no event follows */
	s = c->status;
	urgent = urgent_hash(s, c->ops.login);
	at_once = s->login_finished || urgent != s->last_urgent;
	s->last_urgent = urgent;
	if (s->rate.rate == 0)
		bucket_init(&s->rate, URGENT_RATE, URGENT_BURST, now);
	if (at_once && bucket_take(&s->rate, now))
		status_now(c);
	else if (!timer_pending(&s->later))
		(void)timer_set_ms(&s->later, now - s->ms < APART_MS ? APART_MS : 0);
}

void
status_login_finished(struct control *c)
{
	c->status->login_finished = 1;
}

int
status_waits(const struct control *c)
{
	return timer_pending(&c->status->later);
}

/*
 * Send a pending change before a new watcher starts: if it were reverted first, that watcher would never receive an
 * event about it.
 */
int
status_first_body(struct control *c, struct buf *out)
{
	if (!c->ops.stopping(c->ops.arg))
		status_now(c);
	return status_event_body(&c->ops, 0, out);
}

static void
status_due(void *arg)
{
	status_now(arg);
}

struct status *
status_new(struct control *c)
{
	struct status *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	buf_init(&s->last, 1u << 20);
	randombytes_buf(s->hash_key, sizeof(s->hash_key));
	if (timer_init(&s->later, c->ops.base, status_due, c) == -1) {
		free(s);
		return NULL;
	}
	return s;
}

void
status_free(struct status *s)
{
	if (s == NULL)
		return;
	timer_free(&s->later);
	buf_free(&s->last);
	free(s);
}

/* --- processes --- */

static void
put_process(struct jw *w, const struct control_process *p)
{
	char when[TIME_TEXT_MAX];
	unsigned i, layers = p->layers;

	jw_obj(w);
	jw_kstr(w, "name", p->name);
	jw_key(w, "pid");
	if (p->pid == 0)
		jw_null(w);
	else
		jw_i64(w, p->pid);
	jw_key(w, "uid");
	if (p->pid == 0)
		jw_null(w);
	else
		jw_i64(w, p->uid);
	if (p->pid != 0)
		(void)sandbox_read_back(p->pid, &layers);
	jw_key(w, "sandbox");
	jw_arr(w);
	for (i = 0; p->pid != 0 && i < SBX_NLAYERS; i++)
		if (layers & (1u << i))
			jw_str(w, sandbox_layer_name((enum sandbox_layer)(1u << i)));
	jw_arr_end(w);
	jw_key(w, "startedAt");
	if (p->pid == 0)
		jw_null(w);
	else
		jw_str(w, time_format(p->started, when));
	jw_ki64(w, "restarts", p->restarts);
	jw_obj_end(w);
}

int
processes_json(const struct control_ops *o, struct buf *out)
{
	struct control_process all[CONTROL_PROCESSES];
	struct jw w;
	int i;

	o->processes(o->arg, all);
	jw_init(&w, out);
	jw_arr(&w);
	for (i = 0; i < CONTROL_PROCESSES; i++)
		put_process(&w, &all[i]);
	jw_arr_end(&w);
	return out->failed ? -1 : 0;
}
