/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "login.h"
#include "timefmt.h"
#include "unit.h"
#include "util_loginsim.h"

static uint32_t
sim_rnd(void *arg)
{
	struct sim *s = arg;

	s->seed = s->seed * 1664525u + 1013904223u;
	return s->seed >> 8;
}

/* Member by member: there is padding between them, and text behind the NUL. */
static int
sim_same(const struct profile *a, const struct profile *b)
{
	return a->want_running == b->want_running && a->paused == b->paused && a->candidate == b->candidate &&
	    a->unproven == b->unproven && key_equal(&a->server_key, &b->server_key) && a->pin_source == b->pin_source &&
	    time_cmp(a->pin_since, b->pin_since) == 0 && a->user_id == b->user_id &&
	    strcmp(a->login_name, b->login_name) == 0 && strcmp(a->display_name, b->display_name) == 0 &&
	    strcmp(a->profile_pic, b->profile_pic) == 0 && time_cmp(a->node_key_expiry, b->node_key_expiry) == 0;
}

static int
sim_write(struct sim *s, const struct sim_keys *k, int candidate, struct wtime expiry)
{
	struct sim_keys file = { k->node, k->old, candidate ? k->cand : 0 };
	struct profile p = s->c.profile;

	if (s->disk_full)
		return 0;
	p.candidate = candidate;
	p.node_key_expiry = expiry;
	s->saves += memcmp(&file, &s->disk, sizeof(file)) != 0 || !sim_same(&p, &s->disk_profile);
	s->disk = file;
	s->disk_profile = p;
	return 1;
}

static int
sim_save(struct sim *s, enum login_save how)
{
	struct sim_keys after = { s->mem.cand, how == SAVE_COMMIT ? s->mem.node : s->mem.old, 0 };
	int ok;

	if (how == SAVE_PLAIN)
		return sim_write(s, &s->mem, s->c.profile.candidate, s->c.profile.node_key_expiry);
	if (how == SAVE_REVERT) {
		assert_int_not_equal(s->mem.old, 0);
		after = (struct sim_keys){ s->mem.old, 0, s->mem.cand };
	}
	if (how != SAVE_CLEAR) {
		assert_true(how == SAVE_REVERT || s->mem.cand != 0);
		assert_true(time_is_none(s->c.profile.node_key_expiry)); /* it is the old key's */
		if ((ok = sim_write(s, &after, s->c.profile.candidate, s->c.profile.node_key_expiry)))
			s->mem = after;
		return ok;
	}
	memset(&s->mem, 0, sizeof(s->mem));
	return sim_write(s, &s->mem, 0, s->c.profile.node_key_expiry);
}

static void
sim_do(struct sim *s, const struct login_action *a, struct login_event *saved, unsigned *nsaved)
{
	if (s->hook != NULL)
		s->hook(s, a);
	if (s->nlog < SIM_LOG)
		s->log[s->nlog++] = a->type;
	switch (a->type) {
	case LA_KEY_FETCH:
		s->nkey++;
		s->key_id = a->id;
		break;
	case LA_REGISTER:
		s->nreg++;
		s->reg = *a;
		s->reg_keys = s->mem;
		s->reg_disk_cand = s->disk.cand;
		strlcpy(s->reg_url, s->c.goal.url, sizeof(s->reg_url));
		break;
	case LA_AUTH_CANCEL:
		s->ncancel++;
		s->cancelled = a->id;
		break;
	case LA_MAP_START:
		s->nstart++;
		s->map = *a;
		break;
	case LA_MAP_STOP:
		s->nstop++;
		s->stop_drop = a->u.stop.drop;
		break;
	case LA_MAPD_KILL: s->nkill++; break;
	case LA_GENERATE: s->mem.cand = ++s->last_key; break;
	case LA_DROP_CANDIDATE: s->mem.cand = 0; break;
	case LA_SAVE:
		assert_true(*nsaved < SIM_QUEUE); /* one event does not save endlessly */
		saved[*nsaved].type = LE_SAVED;
		saved[*nsaved].id = a->id;
		saved[*nsaved].u.result.ok = sim_save(s, a->u.save);
		saved[(*nsaved)++].u.result.err = "disk full";
		break;
	case LA_TIMER:
		s->timer[a->u.timer.which] = s->ms + a->u.timer.ms + 1;
		s->timer_ms[a->u.timer.which] = a->u.timer.ms;
		break;
	case LA_TIMER_OFF: s->timer[a->u.timer.which] = 0; break;
	case LA_LOGIN_FINISHED: s->nfinished++; break;
	case LA_BROWSE: s->nbrowse++; break;
	case LA_LOGOUT_DONE:
		s->ndone++;
		s->done = *a;
		break;
	case LA_FORGET_KEY: s->nforget++; break;
	}
}

/* As action.c does it: what an action causes waits until the actions are done, and then follows in order. */
static void
sim_step(struct sim *s, const struct login_event *e)
{
	struct login_event saved[SIM_QUEUE];
	struct login_actions out;
	unsigned i, n = 0, next = 0;

	memset(saved, 0, sizeof(saved));
	for (;;) {
		login_event(&s->c, &(struct login_now){ s->ms, s->ms + s->asleep_ms, s->wall }, e, &out);
		for (i = 0; i < out.n; i++)
			sim_do(s, &out.a[i], saved, &n);
		if (next == n)
			return;
		e = &saved[next++];
	}
}

void
sim_event(struct sim *s, const struct login_event *e)
{
	enum login_state now;

	s->nlog = 0;
	sim_step(s, e);
	now = login_state(&s->c);
	if (s->nstates == 0 || s->states[s->nstates - 1] != now) {
		if (s->nstates == SIM_LOG)
			s->nstates = 0;
		s->states[s->nstates++] = now;
	}
}

void
sim_simple(struct sim *s, enum login_ev type)
{
	struct login_event e = { .type = type };

	sim_event(s, &e);
}

void
sim_advance(struct sim *s, uint64_t ms)
{
	uint64_t end = s->ms + ms, step;
	int t, next;

	for (;;) {
		for (next = -1, t = 0; t < LT_COUNT; t++)
			if (s->timer[t] != 0 && s->timer[t] - 1 <= end && (next == -1 || s->timer[t] < s->timer[next]))
				next = t;
		step = (next == -1 ? end : s->timer[next] - 1) - s->ms;
		s->ms += step;
		s->wall.sec += (int64_t)(step / 1000);
		s->wall.nsec += (int32_t)(step % 1000) * 1000000;
		if (s->wall.nsec >= 1000000000) {
			s->wall.nsec -= 1000000000;
			s->wall.sec++;
		}
		if (next == -1)
			return;
		s->timer[next] = 0;
		sim_event(s, &(struct login_event){ .type = LE_TIMER, .u.timer = (enum login_timer)next });
	}
}

struct pubkey
sim_server_key(int n)
{
	struct pubkey k;

	memset(&k, n, sizeof(k));
	return k;
}

void
sim_boot(struct sim *s)
{
	memset(s->timer, 0, sizeof(s->timer));
	s->mem = s->disk;
	login_init(&s->c, &s->cfg, &s->disk_profile, s->disk.node != 0, s->disk.old != 0, s->disk.cand != 0, sim_rnd,
	    s);
	s->nstates = 0;
	s->states[s->nstates++] = login_state(&s->c);
	sim_simple(s, LE_START);
}

void
sim_auth_key(struct sim *s, int configured)
{
	strlcpy(s->cfg.auth_key_file, configured ? SIM_AUTH_KEY_FILE : "", sizeof(s->cfg.auth_key_file));
}

void
sim_reload(struct sim *s, const struct config *next)
{
	struct login_event e = { .type = LE_CONFIG, .u.config = login_config_changes(&s->cfg, next) };

	s->cfg = *next;
	sim_event(s, &e);
}

struct sim *
sim_new(void)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->ms = 1000000;
	s->wall = (struct wtime){ 1800000000, 0 };
	s->seed = 1;
	s->disk_profile.want_running = 1;
	s->disk_profile.node_key_expiry = s->disk_profile.pin_since = TIME_NONE;
	return s;
}

/* --- what children answer --- */

void
sim_key(struct sim *s, uint32_t id, int n, const char *err)
{
	struct login_event e = { .type = LE_KEY, .id = id, .u.key = { .ok = n != 0, .err = err } };

	e.u.key.key = sim_server_key(n);
	sim_event(s, &e);
}

void
sim_reg(struct sim *s, uint32_t id, enum ipc_reg_outcome o, const char *url, const char *err)
{
	struct login_event e = { .type = LE_REG, .id = id };

	e.u.reg.outcome = o;
	e.u.reg.url = url;
	e.u.reg.err = err;
	e.u.reg.user = (struct login_user){ 7, "anna@example.com", "Anna", "https://example.com/anna.png" };
	sim_event(s, &e);
}

void
sim_ok(struct sim *s)
{
	sim_reg(s, s->reg.id, IPC_REG_OK, "", "");
}

void
sim_url(struct sim *s, const char *url)
{
	sim_reg(s, s->reg.id, IPC_REG_URL, url, "");
}

static void
sim_stream(struct sim *s, enum login_ev type)
{
	sim_event(s, &(struct login_event){ .type = type, .id = s->map.id });
}

void
sim_closed(struct sim *s, const char *err)
{
	sim_event(s, &(struct login_event){ .type = LE_CLOSED, .id = s->map.id, .u.closed = { .err = err } });
}

void
sim_live(struct sim *s)
{
	sim_stream(s, LE_CONNECTED);
	sim_stream(s, LE_OPEN);
	sim_stream(s, LE_LIVE);
}

void
sim_self(struct sim *s, struct wtime expiry, int expired, int authorized)
{
	struct login_event e = { .type = LE_SELF, .id = s->map.id };

	e.u.self.expiry = expiry;
	e.u.self.expired = expired;
	e.u.self.authorized = authorized;
	e.u.self.user = (struct login_user){ 7, "anna@example.com", "Anna", "" };
	sim_event(s, &e);
}

/* --- what people want --- */

void
sim_login(struct sim *s, int flags)
{
	struct login_event e = { .type = LE_LOGIN };

	e.u.login.with_key = (flags & WITH_KEY) != 0;
	e.u.login.interactive = (flags & INTERACTIVE) != 0;
	e.u.login.ephemeral = (flags & EPHEMERAL) != 0;
	sim_event(s, &e);
}

void
sim_logout(struct sim *s, int force)
{
	sim_event(s, &(struct login_event){ .type = LE_LOGOUT, .u.logout = { .force = force } });
}

struct sim *
sim_synced(void)
{
	struct sim *s = sim_new();

	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_key(s, s->key_id, 9, "");
	sim_ok(s);
	sim_live(s);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	return s;
}

const char *
sim_err(const struct sim *s)
{
	const char *text;

	login_error(&s->c, &text);
	return text;
}

/* --- what several tests begin with or look at --- */

const struct wtime soon = { 1800000003, 0 }, later = { 1800000000 + 90 * 86400, 0 };

void
expect_states(const struct sim *s, const enum login_state *want, unsigned n)
{
	unsigned i;

	assert_int_equal(s->nstates, n);
	for (i = 0; i < n; i++)
		assert_string_equal(login_state_name(s->states[i]), login_state_name(want[i]));
}

struct sim *
at_url(void)
{
	struct sim *s = sim_new();

	sim_boot(s);
	sim_login(s, 0);
	sim_key(s, s->key_id, 9, "");
	sim_url(s, "https://c/a");
	assert_int_equal(login_state(&s->c), LS_URL_VISIT_REQUIRED);
	assert_true(login_cant_continue(&s->c));
	return s;
}

struct sim *
expiring(int wait)
{
	struct sim *s = sim_synced();

	s->cfg.expiry_wait = wait;
	sim_self(s, soon, 0, 1);
	assert_true(time_cmp(s->disk_profile.node_key_expiry, soon) == 0);
	return s;
}
