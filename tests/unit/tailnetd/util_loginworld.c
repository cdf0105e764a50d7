/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "timefmt.h"
#include "util_loginsim.h"
#include "util_loginworld.h"

uint32_t
pick(struct world *w, uint32_t n)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 8) % n;
}

void
broken(struct world *w, const char *what)
{
	fail_msg("run %u step %lu: %s", w->run, w->step, what);
}

/* --- before an action --- */

static void
new_id(struct world *w, uint32_t id)
{
	MUST(w, id != IPC_ID_NONE && id > w->last_id);
	w->last_id = id;
}

static void
before_register(struct world *w, const struct login_action *a)
{
	const struct sim *s = w->s;
	int candidate = a->u.reg.candidate, key = candidate ? s->mem.cand : s->mem.node;

	MUST(w, w->flight == FLIGHT_NONE);
	MUST(w, key != 0);
	new_id(w, a->id);
	w->registers++;
	MUST(w, !key_is_zero(login_pin(&s->c, NULL)));
	if (a->u.reg.op != IPC_REG_LOGOUT) {
		MUST(w, s->c.profile.want_running); /* logged out means that a user must request it */
		/* on-expiry wait: nothing is sent, except what the server has accepted before */
		MUST(w, !s->c.goal.by_expiry || !s->cfg.expiry_wait || w->accepted[key]);
		MUST(w, (a->u.reg.authkey == AUTHKEY_GIVEN) <= w->have_given);
	}
	if (a->u.reg.op == IPC_REG_LOGOUT)
		MUST(w, !candidate && s->c.goal.kind == GOAL_LOGOUT && a->u.reg.authkey == AUTHKEY_NONE);
	else
		MUST(w, s->c.goal.kind == GOAL_LOGIN && !s->c.paused);
	MUST(w, (a->u.reg.op == IPC_REG_FOLLOWUP) == (s->c.goal.url[0] != '\0'));
	if (a->u.reg.authkey != AUTHKEY_NONE && candidate) /* write-ahead */
		MUST(w, s->disk.cand == key);
	if (a->u.reg.authkey == AUTHKEY_CONFIGURED) /* REG-05 */
		MUST(w, candidate);
	w->flight = FLIGHT_REG;
	w->flight_id = a->id;
	w->flight_pin = *login_pin(&s->c, NULL);
	w->flight_key = key;
	w->flight_op = a->u.reg.op;
}

static void
before_map_start(struct world *w, const struct login_action *a)
{
	const struct sim *s = w->s;

	MUST(w, !s->c.paused && !w->stopping && !key_is_zero(login_pin(&s->c, NULL)));
	if (w->mapd == MAPD_NONE) {
		new_id(w, a->id);
		w->conn_pin = *login_pin(&s->c, NULL);
	}
	if (a->u.map.prepare) {
		MUST(w, w->mapd == MAPD_NONE && !s->c.logged_in);
		MUST(w, a->u.map.candidate == s->c.goal.candidate);
		w->mapd = MAPD_PREPARED;
	} else {
		/* At most one stream, and only with a key that the server took and the disk holds. */
		MUST(w, w->mapd == MAPD_NONE || (w->mapd == MAPD_PREPARED && w->mapd_id == a->id));
		MUST(w, s->c.logged_in && s->mem.node != 0 && w->accepted[s->mem.node]);
		MUST(w, s->disk.node == s->mem.node);
		MUST(w, !a->u.map.candidate);
		w->stream_key = s->mem.node;
		w->mapd = MAPD_STREAM;
		w->streams++;
	}
	w->mapd_id = a->id;
	w->live = 0;
}

void
before(struct sim *s, const struct login_action *a)
{
	struct world *w = s->hook_arg;

	switch (a->type) {
	case LA_KEY_FETCH:
		MUST(w, w->flight == FLIGHT_NONE && (!s->c.paused || s->c.goal.kind == GOAL_LOGOUT));
		new_id(w, a->id);
		w->keys++;
		w->flight = FLIGHT_KEY;
		w->flight_id = a->id;
		break;
	case LA_REGISTER: before_register(w, a); break;
	case LA_AUTH_CANCEL:
		MUST(w, w->flight != FLIGHT_NONE && w->flight_id == a->id);
		w->late[w->nlate++ % NLATE] = a->id;
		if (w->flight == FLIGHT_REG && w->flight_op != IPC_REG_LOGOUT && pick(w, 4) == 0)
			w->accepted[w->flight_key] = 1; /* the server was faster */
		w->flight = FLIGHT_NONE;
		break;
	case LA_MAP_START: before_map_start(w, a); break;
	case LA_MAP_STOP: w->stopping = w->mapd != MAPD_NONE; break;
	case LA_SAVE:
		new_id(w, a->id);
		if (a->u.save == SAVE_COMMIT) {
			MUST(w, s->mem.cand != 0 && w->accepted[s->mem.cand]);
			w->commits++;
		}
		break;
	case LA_LOGIN_FINISHED: MUST(w, s->mem.node != 0 && w->accepted[s->mem.node]); break;
	case LA_BROWSE: /* each URL once */
		MUST(w, s->c.goal.url[0] != '\0' && strcmp(s->c.goal.url, w->url) != 0);
		strlcpy(w->url, s->c.goal.url, sizeof(w->url));
		break;
	case LA_FORGET_KEY: w->have_given = 0; break;
	case LA_LOGOUT_DONE:
		MUST(w, w->logouts > 0);
		w->logouts = 0;
		if (!a->u.done.ok && w->wish == WISH_LOGOUT)
			w->wish = WISH_NOTHING;
		break;
	case LA_MAPD_KILL:
		MUST(w, w->stopping);
		w->killed = 1;
		break;
	case LA_GENERATE:
	case LA_DROP_CANDIDATE:
	case LA_TIMER:
	case LA_TIMER_OFF: break;
	}
}

/* --- after a step --- */

static void
check_keys(struct world *w)
{
	const struct sim *s = w->s;

	/* Persisted is a key that was accepted, or none; in memory the same, unless a logout could not be saved. */
	MUST(w, s->disk.node == 0 || w->accepted[s->disk.node]);
	MUST(w, s->disk.old == 0 || w->accepted[s->disk.old]);
	MUST(w, s->mem.node == s->disk.node || s->mem.node == 0);
	MUST(w, s->c.have_node == (s->mem.node != 0));
	MUST(w, (s->c.candidate != CANDIDATE_NONE) == (s->mem.cand != 0));
	MUST(w, !s->c.logged_in || s->c.have_node);
	/*
	 * A rotation keeps the key before it, or the last one with a live map if that one had none, and is reported;
	 * nothing else changes the key, but that this last one becomes the current one again.
	 */
	if (s->disk.node != 0 && s->disk.node != w->disk_node && s->disk.node != w->disk_old) {
		MUST(w, s->disk.old == w->mem_node || (w->unproven && s->disk.old == w->disk_old));
		MUST(w, s->nfinished > w->finished);
	} else if (s->disk.node != 0 && s->disk.node != w->disk_node) {
		MUST(w, w->unproven && s->disk.old == 0 && !s->disk_profile.unproven);
		w->unwanted_key = 0; /* the server does not know the new one */
	}
	w->unproven = s->c.profile.unproven;
	w->disk_old = s->disk.old;
	w->disk_node = s->disk.node;
	w->mem_node = s->mem.node; /* not the same when a logout could not be saved */
	w->finished = s->nfinished;
	/* The auth key of a login is nowhere when nothing needs it any longer. */
	MUST(w, !w->have_given || s->c.goal.with_key || s->c.next.with_key);
}

static void
check_alive(struct world *w)
{
	const struct login *c = &w->s->c;
	const uint64_t *t = w->s->timer;
	int saving = c->op == OP_COMMIT || c->op == OP_WRITE_AHEAD || c->op == OP_CLEAR;

	/* Nothing waits for an event that never happens. */
	MUST(w, (c->op == OP_KEY || c->op == OP_KEY_CHECK || c->op == OP_REGISTER) == (w->flight != FLIGHT_NONE));
	if (c->goal.kind == GOAL_LOGIN && !c->paused)
		MUST(w, c->op != OP_NONE || t[LT_AUTH] != 0);
	if (c->goal.kind == GOAL_LOGOUT)
		MUST(w, c->op != OP_NONE && t[LT_LOGOUT] != 0);
	if (saving || c->err[SRC_STATE][0] != '\0')
		MUST(w, t[LT_SAVE] != 0);
	if (c->logged_in && !c->paused && key_is_zero(login_pin(c, NULL)))
		MUST(w, c->op == OP_KEY || t[LT_AUTH] != 0 || saving);
	else if (c->logged_in && !c->paused && c->map == MAP_NONE)
		MUST(w, t[LT_MAP] != 0);
	if (c->map == MAP_STOPPING)
		MUST(w, t[LT_MAP_STOP] != 0);
	if (c->have_node && !time_is_none(c->profile.node_key_expiry))
		MUST(w, t[LT_EXPIRY] != 0 && t[LT_EXPIRY] <= w->s->ms + 31000);
	/* What is shown and not yet reported is reported in the end. */
	MUST(w, c->goal.url[0] == '\0' || strcmp(c->goal.url, w->url) == 0);
}

void
check(struct world *w)
{
	const struct login *c = &w->s->c;

	check_keys(w);
	check_alive(w);
	/* Synced only with a live stream. */
	MUST(w, !c->synced || (w->live && w->mapd == MAPD_STREAM && w->mapd_id == c->map_id && !w->stopping));
	MUST(w, (c->map == MAP_NONE) == (w->mapd == MAPD_NONE));
	MUST(w, c->map != MAP_STREAM || c->logged_in);
	MUST(w, w->mapd != MAPD_STREAM || w->stopping || w->stream_key == w->s->mem.node); /* ROT-04 */
	/* Another server key means other connections; but a logout is left to itself. */
	MUST(w, w->mapd == MAPD_NONE || w->stopping || key_equal(&w->conn_pin, login_pin(c, NULL)));
	if (w->flight == FLIGHT_REG && c->goal.kind == GOAL_LOGIN)
		MUST(w, key_equal(&w->flight_pin, login_pin(c, NULL)));
	MUST(w, c->paused == w->wants_pause);
	/* A pause is quiet. */
	if (c->paused && c->goal.kind != GOAL_LOGOUT)
		MUST(w, w->flight == FLIGHT_NONE && (w->mapd == MAPD_NONE || w->stopping));
	MUST(w, (w->logouts > 0) == (c->goal.kind == GOAL_LOGOUT));
	MUST(w, login_state(c) != LS_SYNCHRONIZED || login_logged_in(c));
	MUST(w, c->goal.kind == GOAL_LOGIN || c->goal.url[0] == '\0');
	if (c->goal.url[0] == '\0')
		w->url[0] = '\0'; /* the next attempt may get it again */
}
