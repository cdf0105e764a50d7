/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "hostreport.h"
#include "netaddr.h"
#include "notify.h"
#include "parent.h"
#include "sandbox.h"
#include "text.h"
#include "eventwatch.h"

#define URGENT_RATE  100 /* events a second; no login has so many */
#define URGENT_BURST 400 /* a watcher that reads nothing holds as many */
#define APART_MS     20  /* between others */

/* The status object (interface.md 4), status events (6) and `processes` (3). */

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
put_keys(struct jw *w, struct parent *p)
{
	kkey(w, "serverKey", KEY_MACHINE, login_pin(&p->login, NULL));
	jw_ki64(w, "capabilityVersion", p->cfg.capver);
	kkey(w, "machineKey", KEY_MACHINE, keyring_public(p->keys, SLOT_MACHINE));
	kkey(w, "nodeKey", KEY_NODE, keyring_public(p->keys, SLOT_NODE));
	kkey(w, "oldNodeKey", KEY_NODE, keyring_public(p->keys, SLOT_OLD));
	kkey(w, "discoKey", KEY_DISCO, hostreport_disco(p->report));
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
put_counters(struct jw *w, const struct parent *p)
{
	uint64_t last = p->counters.last_message_mono_ms, now = time_mono_ms();

	jw_ki64(w, "peers", p->netmap.peers);
	jw_key(w, "netmapSeq");
	jw_u64(w, p->netmap.seq);
	put_netmap_age(w, &p->netmap);
	kage(w, "lastMessageAgeSeconds", last <= now ? last : now);
	kage(w, "mapStreamAgeSeconds", p->map_open_ms);
	jw_key(w, "mapStreams");
	jw_u64(w, p->login.map_streams);
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
		jw_obj_end(w);
	}
	jw_arr_end(w);
}

static void
put_own(struct jw *w, const struct parent *p)
{
	const struct buf *hostinfo = hostreport_hostinfo(p->report);
	const struct ipc_map_params *m = hostreport_params(p->report);
	char text[80];
	uint32_t i;

	jw_key(w, "hostinfo");
	if (buf_len(hostinfo) > 0)
		jw_raw(w, (const char *)buf_ptr(hostinfo), buf_len(hostinfo));
	else
		jw_raw(w, "{}", 2);
	jw_key(w, "endpoints");
	jw_arr(w);
	for (i = 0; i < m->n; i++)
		jw_str(w, netaddr_endpoint_format(&m->ep[i], text, sizeof(text)));
	jw_arr_end(w);
}

static void
put_login(struct jw *w, const struct login *c)
{
	char when[TIME_TEXT_MAX], err[LOGIN_TOLD_MAX];
	int source = login_told(c, err);

	jw_kstr(w, "state", login_state_name(login_state(c)));
	jw_kbool(w, "loggedIn", login_logged_in(c));
	jw_kbool(w, "synced", c->synced);
	jw_kbool(w, "paused", c->paused);
	put_goal(w, c);
	jw_kbool(w, "authCantContinue", login_cant_continue(c));
	jw_kstr(w, "url", c->goal.kind == GOAL_LOGIN ? c->goal.url : "");
	jw_kstr(w, "err", err);
	jw_kstr(w, "errSource", source == -1 ? "" : login_src_name((enum login_src)source));
	jw_kstr(w, "expiry",
	    time_is_none(c->profile.node_key_expiry) ? "" : time_format(c->profile.node_key_expiry, when));
	jw_kbool(w, "keyExpired", c->expired);
	jw_kbool(w, "machineAuthorized", c->authorized);
}

int
status_json(struct parent *p, enum status_part part, struct buf *out)
{
	static const char *const sources[] = { "none", "cached", "stale", "live" };
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w);
	jw_ki64(&w, "v", 1);
	jw_kstr(&w, "version", TAILNETD_VERSION);
	put_login(&w, &p->login);
	jw_kstr(&w, "controlURL", p->cfg.control_url);
	put_keys(&w, p);
	put_user(&w, &p->login);
	put_self(&w, &p->netmap);
	jw_kstr(&w, "netmapSource",
	    sources[p->netmap.source == IPC_SRC_LIVE && !p->login.synced ? IPC_SRC_STALE : p->netmap.source]);
	if (part == STATUS_WHOLE)
		put_counters(&w, p);
	put_health(&w, &p->health);
	put_own(&w, p);
	jw_obj_end(&w);
	return out->failed ? -1 : 0;
}

static int
status_event_body(struct parent *p, int login_finished, struct buf *out)
{
	buf_printf(out, "\"event\":\"status\",\"loginFinished\":%s,\"status\":", login_finished ? "true" : "false");
	return status_json(p, STATUS_WHOLE, out);
}

/* What must not wait: it tells of one thing after the other (STAT-01). */
static uint64_t
urgent_hash(const struct parent *p)
{
	const struct login *c = &p->login;
	const char *err;
	uint64_t h = 0;
	struct buf b;

	buf_init(&b, 16384);
	(void)login_error(c, &err);
	buf_printf(&b, "%d %d %d %d %s\n%s", (int)login_state(c), login_logged_in(c), c->synced, c->paused, c->goal.url,
	    err);
	crypto_shorthash((uint8_t *)&h, buf_ptr(&b), buf_len(&b), p->hash_key);
	buf_free(&b);
	return h;
}

/* The event of a change, and only of a change (STAT-03). */
void
status_now(struct parent *p)
{
	struct buf now, body;

	evtimer_del(p->status_later);
	buf_init(&now, 1u << 20);
	status_json(p, STATUS_STABLE, &now);
	if (!p->login_finished && buf_len(&now) == buf_len(&p->last_status) &&
	    memcmp(buf_ptr(&now), buf_ptr(&p->last_status), buf_len(&now)) == 0) {
		buf_free(&now);
		return;
	}
	buf_init(&body, 1u << 20);
	status_event_body(p, p->login_finished, &body);
	p->login_finished = 0;
	watch_event(p, (const char *)buf_ptr(&body), buf_len(&body));
	p->status_ms = time_mono_ms();
	buf_free(&body);
	buf_free(&p->last_status);
	p->last_status = now;
	notify_status(p->notify, login_state_name(login_state(&p->login)));
}

/*
 * Each urgent change is an event of its own, as far as that helps anybody: a server or a child that has a thousand of them a second
 * would soon have filled the queue of a watcher that does as well as a user's program can.  Then what has become of it is told.
 */
void
status_changed(struct parent *p)
{
	struct timeval soon = { 0, 0 };
	uint64_t urgent, now = time_mono_ms();
	int at_once;

	if (p->status_later == NULL || p->stopping)
		return; /* SHUT-03: the last word has been said */
	urgent = urgent_hash(p);
	at_once = p->login_finished || urgent != p->last_urgent;
	p->last_urgent = urgent;
	if (p->status_rate.rate == 0)
		bucket_init(&p->status_rate, URGENT_RATE, URGENT_BURST, now);
	if (at_once && bucket_take(&p->status_rate, now))
		status_now(p);
	else if (!evtimer_pending(p->status_later, NULL)) {
		if (now - p->status_ms < APART_MS)
			soon.tv_usec = APART_MS * 1000;
		evtimer_add(p->status_later, &soon);
	}
}

/*
 * A change that still waits goes out before somebody new is told of it: undone in the meantime it would be none, and who had
 * begun with it would never hear of that.
 */
int
status_first_body(struct parent *p, struct buf *out)
{
	if (p->status_later != NULL && !p->stopping)
		status_now(p);
	return status_event_body(p, 0, out);
}

/* --- processes --- */

static void
put_process(struct jw *w, const char *name, pid_t pid, unsigned layers, struct wtime started, unsigned restarts,
    uid_t uid)
{
	char when[TIME_TEXT_MAX];
	unsigned i;

	jw_obj(w);
	jw_kstr(w, "name", name);
	jw_key(w, "pid");
	if (pid == 0)
		jw_null(w);
	else
		jw_i64(w, pid);
	jw_key(w, "uid");
	if (pid == 0)
		jw_null(w);
	else
		jw_i64(w, uid);
	if (pid != 0)
		(void)sandbox_read_back(pid, &layers);
	jw_key(w, "sandbox");
	jw_arr(w);
	for (i = 0; pid != 0 && i < SBX_NLAYERS; i++)
		if (layers & (1u << i))
			jw_str(w, sandbox_layer_name((enum sandbox_layer)(1u << i)));
	jw_arr_end(w);
	jw_key(w, "startedAt");
	if (pid == 0)
		jw_null(w);
	else
		jw_str(w, time_format(started, when));
	jw_ki64(w, "restarts", restarts);
	jw_obj_end(w);
}

static void
put_child(struct jw *w, const struct parent *p, const struct child *c)
{
	uid_t uid = !p->root ? geteuid() : c->role == IPC_AUTHD ? p->ids.auth_uid : p->ids.map_uid;

	/* A child that has not said READY has no layer to its name yet. */
	put_process(w, c->name, c->pid, c->phase == CHILD_STARTING ? 0 : c->layers, c->started, c->restarts, uid);
}

int
processes_json(struct parent *p, struct buf *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_arr(&w);
	put_process(&w, "tailnetd", getpid(), p->layers, p->started, 0, geteuid());
	put_child(&w, p, &p->sup->authd);
	put_child(&w, p, &p->sup->mapd);
	jw_arr_end(&w);
	return out->failed ? -1 : 0;
}
