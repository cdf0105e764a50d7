/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "login_act.h"
#include "login_auth.h"
#include "login_map.h"

/* The map session, and the expiry of the node key that is learnt from it. */

#define STABLE_MS     10000      /* BACK-03: a stream that ends earlier after its netmap does not count as a success */
#define STOP_MS       3000       /* mapd must report the end of a stream within it */
#define RECHECK_MS    30000      /* EXP-07, ERR-06: the wall clock may jump under a longer timer */
#define SLACK_MS      50         /* a timer that fires early must not be armed for nothing */
#define PLAUSIBLE_SEC 1673373066 /* protocol.md E.12: a ControlTime before it is nonsense */
#define LATEST_SEC    INT64_C(253402300799) /* 9999-12-31: no time of the protocol is later */
#define NEAR_SEC      60
#define SAME_SEC      2
#define SELF_SAVE_MS  1000  /* a server may send changes at any rate: save at most once a second */
#define SHORT_MS      60000 /* a stream that ends sooner is short ... */
#define SHORT_STREAMS 6     /* ... and this number in turn is reported */

/* --- what is wanted --- */

static int
want_stream(const struct login *c)
{
	return c->logged_in && !c->paused && !key_is_zero(login_pin(c, NULL));
}

/*
 * Warm start: mapd connects while authd registers.  Only for the first try of a login that may well succeed at once.
 */
static int
want_prepared(const struct login *c)
{
	if (c->logged_in || c->paused || c->prepare_failed || c->goal.kind != GOAL_LOGIN || c->goal.url[0] != '\0')
		return 0;
	if ((c->op != OP_REGISTER && c->op != OP_COMMIT) || key_is_zero(login_pin(c, NULL)))
		return 0;
	return c->goal.attempts <= 1 && (!c->goal.candidate || c->op_authkey != AUTHKEY_NONE);
}

static void
start(struct login *c, int prepare)
{
	struct login_action *a;

	if (c->map == MAP_NONE)
		c->map_id = login_new_id(c);
	a = login_act(c, LA_MAP_START, c->map_id);
	a->u.map.prepare = prepare;
	a->u.map.candidate = prepare && c->goal.candidate;
	c->map = prepare ? MAP_PREPARED : MAP_STREAM;
	c->synced = c->restart_map = 0;
}

static void
stop(struct login *c, int drop)
{
	login_act(c, LA_MAP_STOP, c->map_id)->u.stop.drop = drop;
	c->map = MAP_STOPPING;
	c->synced = 0;
	login_arm(c, LT_MAP_STOP, STOP_MS);
}

void
map_go(struct login *c)
{
	if (!want_stream(c) && c->map_wait) {
		c->map_wait = 0;
		login_disarm(c, LT_MAP);
	}
	switch (c->map) {
	case MAP_NONE:
		if (want_stream(c) && !c->map_wait)
			start(c, 0);
		else if (want_prepared(c))
			start(c, 1);
		break;
	case MAP_PREPARED:
		if (want_stream(c))
			start(c, 0); /* the same session continues */
		else if (!want_prepared(c))
			stop(c, 0);
		break;
	case MAP_STREAM:
		if (!want_stream(c) || c->restart_map)
			stop(c, 0);
		break;
	case MAP_STOPPING: break; /* ROT-04: no new stream before the old one has ended */
	}
}

/* After a login, for `reconnect`: a running stream is ended first, a wait is cut short. */
void
map_restart(struct login *c)
{
	backoff_reset(&c->map_backoff);
	map_renew(c);
}

/* After a login that no user asked for: one that follows another must not make the pauses short again. */
void
map_renew(struct login *c)
{
	c->map_wait = 0;
	login_disarm(c, LT_MAP);
	c->restart_map = c->map == MAP_STREAM;
	map_go(c);
}

void
map_drop_prepared(struct login *c)
{
	if (c->map == MAP_PREPARED)
		stop(c, 0);
}

void
map_drop(struct login *c)
{
	c->map_wait = 0;
	login_disarm(c, LT_MAP);
	backoff_reset(&c->map_backoff);
	if (c->map == MAP_STREAM || c->map == MAP_PREPARED)
		stop(c, 1);
	else
		login_act(c, LA_MAP_STOP, c->map_id)->u.stop.drop = 1;
}

/* --- reports of mapd --- */

static void
over(struct login *c)
{
	c->map = MAP_NONE;
	c->synced = c->restart_map = 0;
	login_disarm(c, LT_MAP_STOP);
	login_disarm(c, LT_STREAM);
}

static void
on_closed(struct login *c, const struct login_event *e)
{
	enum login_map was = c->map;
	int live = c->synced, unknown = was == MAP_STREAM && e->u.closed.cause == CAUSE_UNKNOWN_NODE;
	uint64_t lived = live ? c->now_ms - c->live_ms : 0;

	over(c);
	if (was == MAP_PREPARED) {
		c->prepare_failed = 1;
	} else if (was == MAP_STREAM) {
		if (lived >= STABLE_MS)
			backoff_reset(&c->map_backoff);
		if (live)
			c->short_streams = lived < SHORT_MS ? c->short_streams + 1 : 0;
		/* a stream that was live and ended is simply started again */
		login_set_err(c, SRC_MAP, live ? CAUSE_NONE : e->u.closed.cause, e->u.closed.err);
		c->map_wait = 1;
		login_arm(c, LT_MAP, login_delay(c, &c->map_backoff));
	}
	if (was != MAP_STOPPING && e->u.closed.cause == CAUSE_SERVER_KEY)
		auth_suspect(c);
	if (unknown)
		auth_ask(c, 0);
	map_go(c);
}

int
map_streams_short(const struct login *c)
{
	return c->short_streams >= SHORT_STREAMS;
}

void
map_on_stream_timer(struct login *c)
{
	if (c->synced)
		c->short_streams = 0;
}

/* From here on the server knows the key. */
static void
proven(struct login *c)
{
	if (!c->profile.unproven)
		return;
	c->profile.unproven = 0;
	login_save(c, SAVE_PLAIN);
}

void
map_on_stream(struct login *c, const struct login_event *e)
{
	if (e->id != c->map_id || c->map == MAP_NONE)
		return;
	if (e->type == LE_CLOSED) {
		on_closed(c, e);
		return;
	}
	if (e->type == LE_CONNECTED) {
		auth_key_ok(c);
	} else if (c->map == MAP_STREAM && e->type == LE_OPEN) {
		c->map_streams++;
	} else if (c->map == MAP_STREAM && e->type == LE_LIVE && !c->synced) {
		c->synced = 1;
		c->live_ms = c->now_ms;
		login_clear_err(c, SRC_MAP);
		proven(c);
		if (c->short_streams > 0)
			login_arm(c, LT_STREAM, SHORT_MS);
	}
}

/* Not an error of the login: the next mapd continues at once; the supervisor decides when it starts. */
void
map_on_gone(struct login *c)
{
	over(c);
	map_go(c);
}

void
map_on_stop_timer(struct login *c)
{
	if (c->map != MAP_STOPPING)
		return;
	login_act(c, LA_MAPD_KILL, IPC_ID_NONE); /* LE_MAPD_GONE follows */
	login_arm(c, LT_MAP_STOP, STOP_MS);
}

/* --- self and expiry --- */

static void
save_self(struct login *c)
{
	uint64_t since = c->now_ms - c->self_ms;

	if (c->self_ms == 0 || since >= SELF_SAVE_MS) {
		c->self_ms = c->now_ms;
		login_save(c, SAVE_PLAIN);
	} else if (!c->self_unsaved) {
		c->self_unsaved = 1;
		login_arm(c, LT_SELF, (unsigned)(SELF_SAVE_MS - since));
	}
}

void
map_on_self_timer(struct login *c)
{
	if (!c->self_unsaved)
		return;
	c->self_ms = c->now_ms;
	login_save(c, SAVE_PLAIN);
}

void
map_on_self(struct login *c, const struct login_event *e)
{
	const struct login_user *u = &e->u.self.user;
	struct profile *p = &c->profile;
	int changed = time_cmp(p->node_key_expiry, e->u.self.expiry) != 0;

	if (e->id != c->map_id || c->map != MAP_STREAM)
		return; /* PERS-05: a session from before a rotation is ignored */
	if (changed)
		c->vouched_ms = 0; /* that was for another expiry */
	p->node_key_expiry = e->u.self.expiry;
	if (!e->u.self.expired) /* EXP-08: an expired node is no unapproved one */
		c->authorized = e->u.self.authorized;
	if (u->id != 0 && u->login_name[0] != '\0' &&
	    (u->id != p->user_id || strcmp(u->login_name, p->login_name) != 0 ||
		strcmp(u->display_name, p->display_name) != 0)) {
		p->user_id = u->id;
		strlcpy(p->login_name, u->login_name, sizeof(p->login_name));
		strlcpy(p->display_name, u->display_name, sizeof(p->display_name));
		changed = 1;
	}
	if (changed)
		save_self(c);
	c->self_key = e->u.self.key;
	c->self_expired = e->u.self.expired;
	if (c->self_key == SELF_KEY_CURRENT)
		c->asked_for_key = 0;
	expiry_check(c);
	if (c->self_key < SELF_KEY_CANDIDATE ||
	    (c->self_key == SELF_KEY_CANDIDATE && !c->self_expired && auth_adopt(c)) || c->asked_for_key)
		return;
	c->asked_for_key = c->self_key == SELF_KEY_OTHER;
	auth_ask(c, 0);
}

void
map_on_control_time(struct login *c, int64_t sec)
{
	if (sec < PLAUSIBLE_SEC || sec > LATEST_SEC) /* EXP-06 */
		return;
	c->control_sec = sec;
	c->control_boot_ms = c->now_boot_ms;
	map_check_clock(c);
	expiry_check(c);
}

/* ERR-06: our clock may be set, the server's is assumed to run on. */
void
map_check_clock(struct login *c)
{
	int64_t d;

	if (c->control_sec == 0)
		return;
	d = c->control_sec + (int64_t)((c->now_boot_ms - c->control_boot_ms) / 1000) - c->now.sec;
	if (d <= NEAR_SEC && d >= -NEAR_SEC)
		c->clock_delta = 0;
	else if (d - c->clock_delta > SAME_SEC || d - c->clock_delta < -SAME_SEC)
		c->clock_delta = d; /* else the seconds begin at other moments */
}

/* Log in again only if the node was logged in (protocol.md H.2, defect 5). */
static void
expire(struct login *c)
{
	c->expired = 1;
	if (!c->cfg->expiry_wait && c->logged_in)
		auth_ask(c, 1);
}

/* Ends the login that no user asked for.  A key that the server has accepted is kept, even while the disk fails. */
void
expiry_drop_login(struct login *c)
{
	struct login_goal none = { .kind = GOAL_NONE };

	if (c->goal.kind != GOAL_LOGIN || !c->goal.by_expiry || c->op == OP_COMMIT)
		return;
	login_clear_err(c, SRC_AUTH);
	auth_new_goal(c, &none);
}

/* EXP-04: the server has extended the key; that of another one says nothing about ours. */
static void
revive(struct login *c)
{
	if (c->self_key == SELF_KEY_CANDIDATE || c->self_key == SELF_KEY_OTHER)
		return;
	c->expired = 0;
	expiry_drop_login(c);
	if (!c->logged_in)
		login_start(c); /* the expiry prevented it at start */
}

/* Milliseconds until the instant, clamped to 0..RECHECK_MS: no overflow in the year 9999. */
static unsigned
ms_until(struct wtime now, struct wtime at)
{
	int64_t sec;

	if (time_cmp(at, now) <= 0)
		return 0;
	sec = at.sec - now.sec;
	if (sec > RECHECK_MS / 1000)
		return RECHECK_MS; /* the product below stays small */
	sec = sec * 1000 + (at.nsec - now.nsec) / 1000000;
	return sec >= RECHECK_MS ? RECHECK_MS : (unsigned)sec + SLACK_MS;
}

static int
knows_expiry(const struct login *c)
{
	return c->have_node && !time_is_none(c->profile.node_key_expiry);
}

static int
is_past(const struct login *c)
{
	return c->have_node &&
	    (c->self_expired ||
		(knows_expiry(c) && c->now_ms >= c->vouched_ms &&
		    time_cmp(c->profile.node_key_expiry, login_corrected(c, c->now)) <= 0));
}

/* EXP-02: a local timer, in short steps, looks whether the node key has expired; with no network and no message. */
void
expiry_check(struct login *c)
{
	if (is_past(c)) {
		login_arm(c, LT_EXPIRY, RECHECK_MS);
		expire(c);
		return;
	}
	if (c->expired)
		revive(c);
	if (knows_expiry(c) && c->now_ms < c->vouched_ms)
		login_arm(c, LT_EXPIRY,
		    c->vouched_ms - c->now_ms < RECHECK_MS ? (unsigned)(c->vouched_ms - c->now_ms) : RECHECK_MS);
	else if (knows_expiry(c))
		login_arm(c, LT_EXPIRY, ms_until(login_corrected(c, c->now), c->profile.node_key_expiry));
	else
		login_disarm(c, LT_EXPIRY);
}

/* A key that has expired by our clock may be valid again when the clock is corrected (ERR-06). */
void
expiry_on_timer(struct login *c)
{
	if (c->expired && is_past(c))
		login_arm(c, LT_EXPIRY, RECHECK_MS);
	else
		expiry_check(c);
}
