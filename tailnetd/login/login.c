/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "login_act.h"
#include "login_auth.h"
#include "login_logout.h"
#include "login_map.h"

/*
 * How the node keys are kept safe (protocol.md D.4, security.md D10, rows INT-01, REG-04, ROT-05, PERS-06):
 *
 * - Current key C and old key O are what the state file calls node and old key.  They change only in SAVE_COMMIT, when
 *   the server has accepted the candidate T, and only if that save is durable: before it nothing depends on T (no map
 *   request, not "logged in"); if it fails, C and O are as before and the commit is tried again with backoff.
 * - The server's word decides (REG-05, EXP-05).  C is asked with first, whatever our clock and earlier answers say; T
 *   is used when the server has refused C: NodeKeyExpired, or a login URL while there is another way (an auth key, a T
 *   on disk, O).  A T that the netmap names as our node's key was accepted, whatever the answers to it were.
 * - A C with which no map was live yet is unproven: the commit of the next T leaves O, the last key with a live map,
 *   as it is, and when the server does not know C, O becomes the current key again (SAVE_REVERT).
 * - T is sent as NodeKey with OldNodeKey = C.  In a login by URL it stays in memory (INT-01): losing it costs a new
 *   URL.
 * - A T that is sent with an auth key is written first, on a line of its own (D10): a one-off key is spent with the
 *   server's answer, and a crash before we read that answer must not lock the machine out.  After a restart T is tried
 *   again, with the auth key; a server that had accepted it knows it (ROT-05).
 * - A T that was sent with an auth key is tried again as it is whatever the answer was: a server may have stored it and
 *   answer with an error, or that it is expired.  One that was sent without and is called expired gives way to a fresh
 *   one, for which the server gives a URL.
 * - Logout clears everything but the machine key, and is reported after the save.
 *
 * Results carry the id of the request; a new goal cancels the request, so that a late result finds another id and
 * is dropped whole (INT-04).
 */

static const char *const state_names[LS_COUNT] = { "state:new", "state:not-authenticated", "state:authenticating",
	"state:url-visit-required", "state:authenticated", "state:synchronized" };
static const char *const src_names[SRC_COUNT] = { "auth", "map", "update", "state" };

const char *
login_state_name(enum login_state s)
{
	return state_names[s];
}

const char *
login_src_name(enum login_src s)
{
	return src_names[s];
}

/* --- what status.c asks --- */

int
login_logged_in(const struct login *c)
{
	return c->logged_in && !c->expired;
}

enum login_state
login_state(const struct login *c)
{
	if (c->goal.kind == GOAL_LOGIN && c->tried)
		return c->goal.url[0] != '\0' ? LS_URL_VISIT_REQUIRED : LS_AUTHENTICATING;
	if (login_logged_in(c))
		return c->synced ? LS_SYNCHRONIZED : LS_AUTHENTICATED;
	return c->tried || !c->profile.want_running || c->expired ? LS_NOT_AUTHENTICATED : LS_NEW;
}

int
login_cant_continue(const struct login *c)
{
	return !login_logged_in(c) && (c->goal.kind == GOAL_NONE || c->goal.url[0] != '\0');
}

int
login_error(const struct login *c, const char **text)
{
	int s, last = -1;

	/* The latest; but a lite update that fails says little where something else failed, too. */
	for (s = 0; s < SRC_COUNT; s++)
		if (c->err[s][0] != '\0' &&
		    (last == -1 || last == SRC_UPDATE || (s != SRC_UPDATE && c->err_seq[s] > c->err_seq[last])))
			last = s;
	*text = last == -1 ? "" : c->err[last];
	return last;
}

int
login_advised_error(const struct login *c, char text[LOGIN_ADVISED_MAX])
{
	const char *err;
	int source = login_error(c, &err);
	const char *advice = source != -1 && c->advice[source] != NULL ? c->advice[source] : "";

	snprintf(text, LOGIN_ADVISED_MAX, "%s%s%s", err, *advice != '\0' ? "; " : "", advice);
	return source;
}

const struct pubkey *
login_pin(const struct login *c, enum pin_source *source)
{
	int configured = !key_is_zero(&c->cfg->server_key);

	if (source != NULL)
		*source = configured ? PIN_CONFIG : c->profile.pin_source;
	return configured ? &c->cfg->server_key : &c->profile.server_key;
}

/* --- commands --- */

static void
clear_errors(struct login *c)
{
	int s;

	for (s = 0; s < SRC_COUNT; s++)
		login_clear_err(c, (enum login_src)s);
}

static void
on_start(struct login *c)
{
	expiry_check(c);
	login_start(c);
}

static void
on_login(struct login *c, const struct login_event *e)
{
	struct login_goal g = {
		.kind = GOAL_LOGIN,
		.interactive = e->u.login.interactive,
		.ephemeral = e->u.login.ephemeral || c->cfg->ephemeral,
		.with_key = e->u.login.with_key,
	};

	clear_errors(c);
	if (c->goal.kind == GOAL_LOGOUT) { /* OUT-05 */
		if (c->next.with_key && !g.with_key)
			login_act(c, LA_FORGET_KEY, IPC_ID_NONE);
		c->next = g;
		return;
	}
	auth_login(c, &g);
}

static void
on_pause(struct login *c)
{
	c->paused = c->profile.paused = 1;
	clear_errors(c);
	if (c->goal.kind != GOAL_LOGOUT) /* PAU-05: a logout continues */
		auth_stop(c);
	backoff_reset(&c->map_backoff);
	map_go(c);
	login_save(c, SAVE_PLAIN);
}

static void
on_unpause(struct login *c)
{
	c->paused = c->profile.paused = 0;
	login_save(c, SAVE_PLAIN);
	auth_go(c);
	map_go(c);
}

/* Drop connections, dial again now; except for a logout, and what waits for the disk rather than the network. */
static void
on_reconnect(struct login *c)
{
	backoff_reset(&c->auth_backoff);
	backoff_reset(&c->map_backoff);
	c->next_check_ms = 0;
	if (c->paused)
		return;
	map_drop_prepared(c);
	if (c->goal.kind != GOAL_LOGOUT && c->op != OP_COMMIT && c->op != OP_REVERT && c->op != OP_WRITE_AHEAD) {
		auth_stop(c);
		auth_go(c);
	}
	map_restart(c);
}

static void
on_accept_key(struct login *c, const struct pubkey *k)
{
	c->profile.server_key = *k;
	c->profile.pin_source = PIN_ACCEPTED;
	c->profile.pin_since = c->now;
	memset(&c->offered, 0, sizeof(c->offered));
	c->suspect = 0;
	login_save(c, SAVE_PLAIN);
	on_reconnect(c);
}

struct login_reload
login_config_changes(const struct config *from, const struct config *to)
{
	struct login_reload r = {
		.server_key = !key_equal(&to->server_key, &from->server_key),
		.auth_key_added = to->auth_key_file[0] != '\0' && from->auth_key_file[0] == '\0',
		.login_on_expiry = from->expiry_wait && !to->expiry_wait,
		.wait_on_expiry = !from->expiry_wait && to->expiry_wait,
	};

	return r;
}

static void
on_config(struct login *c, const struct login_reload *r)
{
	if (r->wait_on_expiry)
		expiry_drop_login(c);
	if (r->server_key) {
		memset(&c->offered, 0, sizeof(c->offered));
		c->suspect = 0;
		on_reconnect(c);
	}
	if (c->expired && c->goal.kind == GOAL_NONE)
		expiry_check(c); /* on-expiry may say login now */
	if (r->auth_key_added || (c->expired && r->login_on_expiry))
		login_start(c);
}

/* --- saves and timers --- */

static void
on_saved(struct login *c, const struct login_event *e)
{
	if (e->u.result.ok) {
		login_clear_err(c, SRC_STATE);
		backoff_reset(&c->save_backoff);
		login_disarm(c, LT_SAVE);
	} else {
		login_set_err(c, SRC_STATE, CAUSE_NONE, e->u.result.err);
		login_arm(c, LT_SAVE, login_delay(c, &c->save_backoff));
	}
	auth_on_saved(c, e->id, e->u.result.ok, e->u.result.err);
}

static void
on_timer(struct login *c, enum login_timer t)
{
	switch (t) {
	case LT_AUTH:
		c->auth_wait = 0;
		auth_go(c);
		break;
	case LT_MAP:
		c->map_wait = 0;
		map_go(c);
		break;
	case LT_EXPIRY: expiry_on_timer(c); break;
	case LT_SAVE: auth_on_save_timer(c); break;
	case LT_LOGOUT: auth_on_logout_timer(c); break;
	case LT_MAP_STOP: map_on_stop_timer(c); break;
	case LT_SELF: map_on_self_timer(c); break;
	case LT_STREAM: map_on_stream_timer(c); break;
	case LT_COUNT: break;
	}
}

static void
on_lite(struct login *c, const struct login_event *e)
{
	if (e->id != c->map_id || c->map != MAP_STREAM)
		return;
	if (e->u.result.ok)
		login_clear_err(c, SRC_UPDATE);
	else
		login_set_err(c, SRC_UPDATE, CAUSE_NONE, e->u.result.err);
}

void
login_init(struct login *c, const struct config *cfg, const struct profile *p, int have_node, int have_old,
    int have_candidate, uint32_t (*rnd)(void *), void *rnd_arg)
{
	memset(c, 0, sizeof(*c));
	c->cfg = cfg;
	c->profile = *p;
	c->have_node = have_node;
	c->have_old = have_old;
	c->candidate = have_candidate ? CANDIDATE_EARLIER : CANDIDATE_NONE;
	c->profile.candidate = have_candidate;
	c->paused = p->paused || cfg->start_paused;
	c->authorized = 1;
	c->rnd = rnd;
	c->rnd_arg = rnd_arg;
}

void
login_event(struct login *c, const struct login_now *now, const struct login_event *e, struct login_actions *out)
{
	out->n = 0;
	c->out = out;
	c->now_ms = now->mono_ms;
	c->now_boot_ms = now->boot_ms;
	c->now = now->wall;
	map_check_clock(c);
	switch (e->type) {
	case LE_START: on_start(c); break;
	case LE_LOGIN: on_login(c, e); break;
	case LE_LOGOUT:
		clear_errors(c);
		auth_logout(c, e->u.logout.force);
		break;
	case LE_PAUSE: on_pause(c); break;
	case LE_UNPAUSE: on_unpause(c); break;
	case LE_RECONNECT: on_reconnect(c); break;
	case LE_ACCEPT_KEY: on_accept_key(c, &e->u.accept); break;
	case LE_CONFIG: on_config(c, &e->u.config); break;
	case LE_KEY: auth_on_key(c, e); break;
	case LE_REG: auth_on_reg(c, e); break;
	case LE_AUTHD_GONE: auth_on_gone(c); break;
	case LE_CONNECTED:
	case LE_OPEN:
	case LE_LIVE:
	case LE_CLOSED: map_on_stream(c, e); break;
	case LE_MAPD_GONE: map_on_gone(c); break;
	case LE_SELF: map_on_self(c, e); break;
	case LE_LITE: on_lite(c, e); break;
	case LE_CONTROL_TIME: map_on_control_time(c, e->u.control_time); break;
	case LE_SAVED: on_saved(c, e); break;
	case LE_TIMER: on_timer(c, e->u.timer); break;
	case LE_CLOCK: expiry_check(c); break;
	case LE_COUNT: break;
	}
	c->out = NULL;
}

struct wtime
login_corrected(const struct login *c, struct wtime now)
{
	now.sec += c->clock_delta;
	return now;
}
