/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cachestore.h"
#include "control.h"
#include "dispatch.h"
#include "doctor.h"
#include "eventlog.h"
#include "eventwatch.h"
#include "exits.h"
#include "hostreport.h"
#include "log.h"
#include "login_map.h"
#include "parent.h"
#include "secret.h"
#include "selfcheck.h"
#include "status.h"
#include "timer.h"

/* The login machine's two sides: its actions are carried out here, what happens is fed back to it. */

#define MAPD_LINGER_MS 1000

#define QUEUE_MAX 8

struct login_due {
	struct timer timer;
	struct parent *p;
	enum login_timer which;
};

/* An event that an action caused; it waits until the actions are done, with its texts. */
struct queued {
	struct login_event e;
	char err[IPC_ERR_MAX + 1], url[IPC_URL_MAX + 1];
	char login_name[IPC_NAME_MAX + 1], display_name[IPC_NAME_MAX + 1], profile_pic[IPC_URL_MAX + 1];
};

struct events {
	struct login_due timers[LT_COUNT];
	struct queued queue[QUEUE_MAX];
	unsigned first, queued;
	int running;   /* an event is being run */
	int not_saved; /* the last save of the state failed, and this was logged */
};

/* --- state file --- */

/* 0, or -1 with the reason in err. */
static int
save_state(struct parent *p, enum login_save how, char *err, size_t errsize)
{
	int rv;

	p->state.profile = p->login.profile;
	rv = how == SAVE_CLEAR ? state_save_erased(p->store, &p->state, p->keys, err, errsize)
			       : state_save(p->store, &p->state, p->keys, err, errsize);
	if (rv == 0) {
		p->events->not_saved = 0;
		(void)health_clear(&p->health, HEALTH_STATE_NOT_SAVED);
		return 0;
	}
	if (!p->events->not_saved)
		log_errorx("%s", err);
	p->events->not_saved = 1;
	(void)health_raise(&p->health, HEALTH_STATE_NOT_SAVED, err);
	return -1;
}

/* SAVE_COMMIT, SAVE_COMMIT_KEEP, SAVE_REVERT (login.h): the keys change so, or all are as before. */
static int
save_changed_keys(struct parent *p, enum login_save how, char *err, size_t errsize)
{
	enum key_slot from = how == SAVE_REVERT ? SLOT_OLD : SLOT_CANDIDATE;
	enum key_slot lost = how == SAVE_COMMIT ? SLOT_OLD : SLOT_NODE;
	struct keyring *k = p->keys, *before = keyring_new();
	int rv;

	if (before == NULL) {
		snprintf(err, errsize, "no locked memory");
		return -1;
	}
	keyring_move(before, lost, k, lost);
	if (how == SAVE_COMMIT)
		keyring_copy(k, SLOT_OLD, SLOT_NODE);
	keyring_copy(k, SLOT_NODE, from);
	keyring_clear(k, from);
	if ((rv = save_state(p, how, err, errsize)) == -1) {
		keyring_copy(k, from, SLOT_NODE);
		if (how == SAVE_COMMIT)
			keyring_copy(k, SLOT_NODE, SLOT_OLD);
		keyring_move(k, lost, before, lost);
	}
	keyring_free(before);
	return rv;
}

static void
do_save(struct parent *p, uint32_t id, enum login_save how)
{
	struct login_event e = { .type = LE_SAVED, .id = id };
	char err[300] = "";
	int rv;

	if (how == SAVE_CLEAR)
		state_clear_profile(&p->state, p->keys);
	rv = how == SAVE_PLAIN || how == SAVE_CLEAR ? save_state(p, how, err, sizeof(err))
						    : save_changed_keys(p, how, err, sizeof(err));
	if (how == SAVE_CLEAR &&
	    cachestore_erase(p->cache, err, sizeof(err)) == -1) /* a logout leaves no netmap behind */
		rv = -1;
	if (how != SAVE_PLAIN && how != SAVE_CLEAR)
		parent_update_cache(p); /* the old key's is removed before the new one is used */
	e.u.result.ok = rv == 0;
	e.u.result.err = rv == 0 ? "" : err;
	parent_event(p, &e);
}

void
parent_update_cache(struct parent *p)
{
	cachestore_update(p->cache, p->login.profile.want_running, p->login.paused);
}

/* --- auth key --- */

void
parent_wipe_auth_key(struct parent *p)
{
	secret_free(p->auth_key);
	p->auth_key = NULL;
	p->auth_key_len = 0;
}

int
parent_auth_key(struct parent *p, enum login_authkey which, char *out, size_t outsize, size_t *len, char *err,
    size_t errsize)
{
	if (which == AUTHKEY_CONFIGURED) {
		int rv = config_read_authkey(&p->cfg, out, outsize, len, err, errsize);

		if (rv == -1)
			(void)health_raise(&p->health, HEALTH_AUTH_KEY_UNUSABLE, err);
		else
			(void)health_clear(&p->health, HEALTH_AUTH_KEY_UNUSABLE);
		return rv;
	}
	if (p->auth_key == NULL || p->auth_key_len > outsize) {
		snprintf(err, errsize, "the auth key of this login is no longer in memory");
		return -1;
	}
	memcpy(out, secret_open(p->auth_key), p->auth_key_len);
	secret_close(p->auth_key);
	*len = p->auth_key_len;
	return 0;
}

/* --- children --- */

static void
give_work(struct child *c, int pending, const struct login_action *a)
{
	c->pending = pending;
	c->work = *a;
	child_want(c);
	dispatch_ready_work(c);
}

static void
cancel_auth(struct parent *p, uint32_t id)
{
	struct child *c = &p->sup->authd;
	struct ipc_empty none = { 0 };

	if (c->pending != PENDING_NOTHING && c->work.id == id)
		c->pending = PENDING_NOTHING;
	else if (child_listens(c) && c->unanswered > 0)
		ipc_send(c->ipc, IPC_CANCEL, id, &none, sizeof(none), -1);
}

static void
stop_map(struct parent *p, int drop)
{
	struct child *c = &p->sup->mapd;
	struct ipc_map_stop m = { (uint32_t)drop };
	struct login_event unsent = { .type = LE_CLOSED, .id = c->work.id, .u.closed = { .err = "" } };

	if (c->pending == PENDING_MAP)
		parent_event(p, &unsent); /* MAP_START is not sent yet: mapd will not report its end */
	c->pending = PENDING_NOTHING;
	if (drop) {
		p->netmap.dropped = 1;
		netmap_info_reset(&p->netmap);
		(void)health_clear(&p->health, HEALTH_SERVER_LIMIT); /* that was of a map that is no more */
	}
	p->counters.map_open_ms = 0;
	if (child_listens(c))
		ipc_send(c->ipc, IPC_MAP_STOP, IPC_ID_NONE, &m, sizeof(m), -1);
	if (drop)
		child_unwant(c, MAPD_LINGER_MS);
}

static void
carry_out(struct parent *p, const struct login_action *a)
{
	switch (a->type) {
	case LA_KEY_FETCH: give_work(&p->sup->authd, PENDING_KEY, a); break;
	case LA_REGISTER: give_work(&p->sup->authd, PENDING_REGISTER, a); break;
	case LA_AUTH_CANCEL: cancel_auth(p, a->id); break;
	case LA_MAP_START: give_work(&p->sup->mapd, PENDING_MAP, a); break;
	case LA_MAP_STOP: stop_map(p, a->u.stop.drop); break;
	case LA_MAPD_KILL: child_kill(&p->sup->mapd, "mapd did not stop the map stream"); break;
	case LA_GENERATE:
		if (keyring_generate(p->keys, SLOT_CANDIDATE) == -1)
			log_errorx("cannot make a node key");
		break;
	case LA_DROP_CANDIDATE: keyring_clear(p->keys, SLOT_CANDIDATE); break;
	case LA_SAVE: do_save(p, a->id, a->u.save); break;
	case LA_TIMER: (void)timer_set_ms(&p->events->timers[a->u.timer.which].timer, a->u.timer.ms); break;
	case LA_TIMER_OFF: timer_stop(&p->events->timers[a->u.timer.which].timer); break;
	case LA_LOGIN_FINISHED: status_login_finished(p->control); break;
	case LA_BROWSE: watch_browse(p->control, p->login.goal.url); break;
	case LA_LOGOUT_DONE: control_logout_done(p->control, a->u.done.ok ? NULL : p->login.logout_err); break;
	case LA_FORGET_KEY: parent_wipe_auth_key(p); break;
	}
}

/* --- events --- */

/* In minutes: seconds would be another text at each event. */
static void
clock_health(struct parent *p, int64_t delta)
{
	char text[120];
	int64_t off = delta < 0 ? -delta : delta;

	if (delta == 0) {
		(void)health_clear(&p->health, HEALTH_CLOCK_DIFFERS);
		return;
	}
	snprintf(text, sizeof(text), "this host's clock is %s the server's by %lld minute%s",
	    delta < 0 ? "ahead of" : "behind", (long long)((off + 30) / 60), (off + 30) / 60 == 1 ? "" : "s");
	(void)health_log(&p->health, HEALTH_CLOCK_DIFFERS, text);
}

static void
derive_health(struct parent *p)
{
	const struct login *c = &p->login;

	if (key_is_zero(&c->offered) || key_is_zero(&c->cfg->server_key))
		(void)health_set(&p->health, HEALTH_SERVER_KEY_CHANGED, !key_is_zero(&c->offered));
	else
		(void)health_log(&p->health, HEALTH_SERVER_KEY_CHANGED,
		    "the server offers a key that is not that of server-key in tailnetd.conf");
	clock_health(p, c->clock_delta);
	(void)health_set(&p->health, HEALTH_KEY_DIFFERS, c->synced && c->self_key >= SELF_KEY_CANDIDATE);
	(void)health_set(&p->health, HEALTH_STREAMS_SHORT, map_streams_short(c));
	(void)health_set(&p->health, HEALTH_KEY_EXPIRED, c->expired);
	(void)health_set(&p->health, HEALTH_NOT_APPROVED, c->logged_in && c->synced && !c->authorized && !c->expired);
}

static void
run_event(struct parent *p, const struct login_event *e)
{
	static struct login_actions out; /* large; events never nest */
	struct login_now now = { time_mono_ms(), time_boot_ms(), time_wall() };
	unsigned i;

	login_event(&p->login, &now, e, &out);
	for (i = 0; i < out.n; i++)
		carry_out(p, &out.a[i]);
}

static const char *
keep_text(const char *text, char *copy, size_t size)
{
	snprintf(copy, size, "%s", text);
	return copy;
}

static void
keep_user(struct login_user *u, struct queued *q)
{
	u->login_name = keep_text(u->login_name, q->login_name, sizeof(q->login_name));
	u->display_name = keep_text(u->display_name, q->display_name, sizeof(q->display_name));
	u->profile_pic = keep_text(u->profile_pic, q->profile_pic, sizeof(q->profile_pic));
}

/* q->e points to texts that the caller frees: let it point to copies in q. */
static void
keep_texts(struct queued *q)
{
	const char **err = NULL;

	switch (q->e.type) {
	case LE_KEY: err = &q->e.u.key.err; break;
	case LE_CLOSED: err = &q->e.u.closed.err; break;
	case LE_LITE:
	case LE_SAVED: err = &q->e.u.result.err; break;
	case LE_SELF: keep_user(&q->e.u.self.user, q); break;
	case LE_REG:
		err = &q->e.u.reg.err;
		q->e.u.reg.url = keep_text(q->e.u.reg.url, q->url, sizeof(q->url));
		keep_user(&q->e.u.reg.user, q);
		break;
	default: break; /* without texts */
	}
	if (err != NULL)
		*err = keep_text(*err, q->err, sizeof(q->err));
}

static void
enqueue(struct events *v, const struct login_event *e)
{
	struct queued *q = &v->queue[(v->first + v->queued) % QUEUE_MAX];

	if (v->queued == QUEUE_MAX)
		fatalx(EXIT_VIOLATION, "event queue overflow");
	q->e = *e;
	keep_texts(q);
	v->queued++;
}

/* One event after the other: what an action causes waits until the actions are done. */
void
parent_event(struct parent *p, const struct login_event *e)
{
	struct events *v = p->events;

	if (p->stopping && e->type != LE_SAVED)
		return;
	if (v->running) {
		enqueue(v, e);
		return;
	}
	v->running = 1;
	if (e->type == LE_RECONNECT)
		(void)hostreport_refresh(p->report); /* the host's name is not watched */
	run_event(p, e);
	while (v->queued > 0) { /* it keeps its place while it is run */
		run_event(p, &v->queue[v->first].e);
		v->first = (v->first + 1) % QUEUE_MAX;
		v->queued--;
	}
	v->running = 0;
	dialler_quiet(p->dialler, p->login.paused || (!login_logged_in(&p->login) && p->login.goal.kind == GOAL_NONE));
	parent_update_cache(p);
	doctor_look(p->control);
	derive_health(p);
	selfcheck(p);
	eventlog_update(p->eventlog);
	status_changed(p->control);
}

void
parent_simple_event(struct parent *p, enum login_ev type, uint32_t id)
{
	struct login_event e = { .type = type, .id = id };

	parent_event(p, &e);
}

/* --- start --- */

static void
timer_due(void *arg)
{
	struct login_due *t = arg;
	struct login_event e = { .type = LE_TIMER };

	e.u.timer = t->which;
	parent_event(t->p, &e);
}

static uint32_t
login_rnd(void *arg)
{
	(void)arg;
	return randombytes_random();
}

void
login_boot(struct parent *p)
{
	int t;

	if ((p->events = calloc(1, sizeof(*p->events))) == NULL)
		fatal(EXIT_STARTUP, "events");
	for (t = 0; t < LT_COUNT; t++) {
		struct login_due *due = &p->events->timers[t];

		due->p = p;
		due->which = (enum login_timer)t;
		if (timer_init(&due->timer, p->base, timer_due, due) == -1)
			fatal(EXIT_STARTUP, "event timer");
	}
	login_init(&p->login, &p->cfg, &p->state.profile, keyring_has(p->keys, SLOT_NODE),
	    keyring_has(p->keys, SLOT_OLD), keyring_has(p->keys, SLOT_CANDIDATE), login_rnd, NULL);
}

void
login_end(struct parent *p)
{
	int t;

	if (p->events == NULL)
		return;
	for (t = 0; t < LT_COUNT; t++)
		timer_free(&p->events->timers[t].timer);
	free(p->events);
	p->events = NULL;
}
