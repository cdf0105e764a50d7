/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "timefmt.h"
#include "util_loginworld.h"

/*
 * login.c against a world that does what it likes: commands, answers, lost answers, crashes of children and of the
 * whole machine, a disk that fails, a clock that jumps.  The invariants of the life-cycle are looked at before every
 * action and after every step; from time to time the world becomes kind, and then the last command must have won.
 * And against a server that answers at once whatever makes trouble, to a client that is left alone: it may not be
 * asked more than 30 times in 30 s.
 */
#define RUNS     60
#define STEPS    20000
#define BAD_RUNS 2000

/* --- what the world does --- */

static void
answer_register(struct world *w, enum ipc_reg_outcome o)
{
	struct login_event e = { .type = LE_REG, .id = w->flight_id };
	int won = o == IPC_REG_OK && w->flight_op != IPC_REG_LOGOUT;
	unsigned finished = w->s->nfinished;
	char url[40];

	snprintf(url, sizeof(url), "https://c/%u", pick(w, 3));
	if (won)
		w->accepted[w->flight_key] = 1;
	if (o == IPC_REG_TRANSPORT && w->flight_op != IPC_REG_LOGOUT && pick(w, 3) == 0)
		w->accepted[w->flight_key] = 1; /* the answer was lost, not the request */
	e.u.reg.outcome = o;
	e.u.reg.url = o == IPC_REG_URL ? url : "";
	e.u.reg.err = "no";
	e.u.reg.cause = o == IPC_REG_TRANSPORT && pick(w, 4) == 0 ? CAUSE_SERVER_KEY : CAUSE_OTHER;
	e.u.reg.retry_after_ms = pick(w, 20000);
	e.u.reg.user = (struct login_user){ pick(w, 3), "who", "Who", "" };
	w->flight = FLIGHT_NONE;
	sim_event(w->s, &e);
	/* A login that is done is reported, once; one that is not on the disk is not done. */
	MUST(w, w->s->nfinished == finished + (unsigned)(won && w->s->disk.node == w->flight_key));
}

static void
answer_key(struct world *w, int n)
{
	uint32_t id = w->flight_id;

	w->flight = FLIGHT_NONE;
	sim_key(w->s, id, n, "no key");
}

static void
auth_answers(struct world *w)
{
	if (w->flight == FLIGHT_KEY)
		answer_key(w, pick(w, 3) == 0 ? 0 : 1 + (int)pick(w, 2));
	else if (w->flight == FLIGHT_REG)
		answer_register(w, pick(w, 2) == 0 ? IPC_REG_OK : (enum ipc_reg_outcome)(IPC_REG_OK + pick(w, 8)));
}

static void
changes_nothing(struct world *w, const struct login_event *e)
{
	struct login was = w->s->c;

	sim_event(w->s, e);
	was.now_ms = w->s->c.now_ms;
	was.now = w->s->c.now;
	was.now_boot_ms = w->s->c.now_boot_ms;
	was.clock_delta = w->s->c.clock_delta;
	was.out = w->s->c.out;
	MUST(w, memcmp(&was, &w->s->c, sizeof(was)) == 0);
	MUST(w, w->s->nlog == 0);
}

/* A result for a request that was cancelled, or that never was, is as if it had not come. */
static void
late_answer(struct world *w)
{
	struct login_event e = { .type = pick(w, 2) ? LE_REG : LE_KEY };

	e.id = pick(w, 2) ? w->late[pick(w, NLATE)] : pick(w, UINT32_MAX);
	if (e.id == w->flight_id && w->flight != FLIGHT_NONE)
		return;
	if (e.type == LE_REG) {
		e.u.reg.outcome = (enum ipc_reg_outcome)(IPC_REG_OK + pick(w, 8));
		e.u.reg.url = "https://c/late";
		e.u.reg.err = "late";
	} else {
		e.u.key.ok = 1;
		e.u.key.key = sim_server_key(77);
		e.u.key.err = "";
	}
	changes_nothing(w, &e);
}

/* So are messages of a stream that has ended, or never existed. */
static void
late_stream(struct world *w)
{
	static const enum login_ev kinds[] = { LE_CONNECTED, LE_OPEN, LE_LIVE, LE_CLOSED, LE_SELF, LE_LITE };
	struct login_event e = { .type = kinds[pick(w, 6)] };

	e.id = w->mapd == MAPD_NONE && pick(w, 2) ? w->mapd_id
	    : pick(w, 2)                          ? w->mapd_id - 1 - pick(w, 5)
						  : pick(w, UINT32_MAX);
	if (w->mapd != MAPD_NONE && e.id == w->mapd_id)
		return;
	if (e.type == LE_SELF)
		e.u.self.user = (struct login_user){ 7, "late", "Late", "" };
	else if (e.type == LE_LITE)
		e.u.result.err = "late";
	else
		e.u.closed.err = "late";
	changes_nothing(w, &e);
}

static void
close_stream(struct world *w, int suspect)
{
	enum cause cause = suspect ? CAUSE_SERVER_KEY : pick(w, 4) == 0 ? CAUSE_UNKNOWN_NODE : CAUSE_OTHER;
	struct login_event e = { .type = LE_CLOSED, .id = w->mapd_id, .u.closed = { cause, "closed" } };

	if (w->mapd == MAPD_NONE)
		return;
	w->mapd = MAPD_NONE;
	w->live = w->stopping = 0;
	sim_event(w->s, &e);
}

static void
stream_goes_on(struct world *w)
{
	static const enum login_ev steps[] = { LE_CONNECTED, LE_OPEN, LE_LIVE };
	enum login_ev step = steps[pick(w, 3)];

	if (w->mapd == MAPD_NONE)
		return;
	/* What it reports of a stream that was not requested, or no longer is, is ignored. */
	w->live |= step == LE_LIVE && !w->stopping && w->mapd == MAPD_STREAM;
	sim_event(w->s, &(struct login_event){ .type = step, .id = w->mapd_id });
}

static void
self(struct world *w)
{
	struct login_event e = { .type = LE_SELF, .id = pick(w, 4) ? w->mapd_id : w->mapd_id - 1 };
	struct login *c = &w->s->c;
	struct wtime was = c->profile.node_key_expiry;
	int ignored = e.id != w->mapd_id || w->stopping || w->mapd != MAPD_STREAM;

	e.u.self.expiry = w->s->wall;
	e.u.self.expiry.sec += (int64_t)pick(w, 7200) - 600;
	if (pick(w, 3) == 0)
		e.u.self.expiry = TIME_NONE;
	e.u.self.expired = pick(w, 10) == 0;
	e.u.self.key = (enum self_key)pick(w, 4);
	if (e.u.self.key == SELF_KEY_CANDIDATE) {
		if (w->s->mem.cand == 0 || (w->flight == FLIGHT_REG && w->flight_op == IPC_REG_LOGOUT))
			e.u.self.key = SELF_KEY_UNKNOWN;
		else
			w->accepted[w->s->mem.cand] = 1; /* the netmap says so, whatever the answers to it were */
	}
	e.u.self.authorized = pick(w, 5) != 0;
	e.u.self.user = (struct login_user){ pick(w, 3), "who", "Who", "" };
	sim_event(w->s, &e);
	MUST(w, !ignored || time_cmp(c->profile.node_key_expiry, was) == 0); /* PERS-05 */
}

static void
mapd_ends(struct world *w)
{
	w->mapd = MAPD_NONE;
	w->live = w->stopping = w->killed = 0;
	sim_simple(w->s, LE_MAPD_GONE);
}

static void
crash(struct world *w)
{
	struct sim *s = w->s;
	int kept = s->disk.node != 0 && s->disk_profile.want_running && !s->cfg.login_manual;

	if (w->flight == FLIGHT_REG && w->flight_op != IPC_REG_LOGOUT && pick(w, 2))
		w->accepted[w->flight_key] = 1;
	if (w->logouts > 0 || s->timer[LT_SAVE] != 0 || (w->wish == WISH_LOGIN && !kept))
		w->wish = WISH_NOTHING;
	w->flight = FLIGHT_NONE;
	w->mapd = MAPD_NONE;
	w->live = w->stopping = w->killed = 0;
	w->logouts = 0;
	w->have_given = w->unwanted_key = 0;
	w->url[0] = '\0';
	w->wants_pause =
	    s->disk_profile.paused || s->cfg.start_paused; /* PERS-02; what the disk did not take is lost */
	w->disk_node = w->mem_node = s->disk.node;
	w->disk_old = s->disk.old;
	w->unproven = s->disk_profile.unproven;
	w->last_id = 0;
	w->crashes++;
	sim_boot(s);
	if (s->c.expired && s->cfg.expiry_wait && w->wish == WISH_LOGIN)
		w->wish = WISH_NOTHING;
	if (w->wish == WISH_LOGOUT) { /* PERS-02 */
		MUST(w, s->c.goal.kind == GOAL_NONE && !s->c.logged_in);
		MUST(w, w->flight == FLIGHT_NONE && w->mapd == MAPD_NONE);
	}
}

static void
reconfigure(struct world *w)
{
	struct config next = w->s->cfg;

	next.expiry_wait = (int)pick(w, 2);
	next.ephemeral = (int)pick(w, 2);
	next.login_manual = pick(w, 5) == 0;
	next.start_paused = pick(w, 6) == 0;
	strlcpy(next.auth_key_file, pick(w, 2) ? SIM_AUTH_KEY_FILE : "", sizeof(next.auth_key_file));
	next.server_key = sim_server_key(pick(w, 6) == 0 ? 1 + (int)pick(w, 2) : 0);
	sim_reload(w->s, &next);
}

static void
log_in(struct world *w)
{
	int flags = (int)pick(w, 8);

	w->wish = WISH_LOGIN;
	w->have_given = (flags & WITH_KEY) != 0; /* as the parent does it */
	w->unwanted_key = flags & INTERACTIVE ? w->s->disk.node : 0;
	w->url[0] = '\0';
	sim_login(w->s, flags);
}

static void
command(struct world *w)
{
	struct login_event accept = { .type = LE_ACCEPT_KEY };

	switch (pick(w, 8)) {
	case 0:
	case 1: log_in(w); break;
	case 2:
		w->wish = WISH_LOGOUT;
		w->unwanted_key = 0;
		w->logouts++;
		sim_logout(w->s, (int)pick(w, 2));
		break;
	case 3:
		w->wants_pause = 1;
		sim_simple(w->s, LE_PAUSE);
		break;
	case 4:
	case 5:
		w->wants_pause = 0;
		sim_simple(w->s, LE_UNPAUSE);
		break;
	case 6: sim_simple(w->s, LE_RECONNECT); break;
	default: accept.u.accept = sim_server_key(1 + (int)pick(w, 2)); sim_event(w->s, &accept);
	}
}

static void
accident(struct world *w)
{
	switch (pick(w, 8)) {
	case 0:
		w->flight = FLIGHT_NONE;
		sim_simple(w->s, LE_AUTHD_GONE);
		break;
	case 1: mapd_ends(w); break;
	case 2: crash(w); break;
	case 3: w->s->disk_full = pick(w, 3) == 0; break;
	case 4: w->s->wall.sec += (int64_t)pick(w, 20000) - 10000; break;
	case 5: reconfigure(w); break;
	case 6:
		sim_event(w->s,
		    &(struct login_event){ .type = LE_CONTROL_TIME,
			.u.control_time = w->s->wall.sec + (int64_t)pick(w, 8000) - 4000 });
		break;
	default:
		sim_event(w->s,
		    &(struct login_event){ .type = LE_LITE,
			.id = w->mapd_id,
			.u.result = { (int)pick(w, 2), "lite" } });
	}
}

static void
one_step(struct world *w)
{
	uint32_t r = pick(w, 100);

	if (r < 12)
		command(w);
	else if (r < 40)
		auth_answers(w);
	else if (r < 43)
		late_answer(w);
	else if (r < 45)
		late_stream(w);
	else if (r < 65)
		stream_goes_on(w);
	else if (r < 70)
		close_stream(w, pick(w, 4) == 0);
	else if (r < 75 && w->stopping)
		close_stream(w, 0);
	else if (r < 80)
		self(w);
	else if (r < 94)
		sim_advance(w->s, pick(w, r < 90 ? 200 : 60000));
	else
		accident(w);
	if (w->killed && pick(w, 2))
		mapd_ends(w);
	/* The server has refused the key, and the configuration leaves a new one to the user. */
	if (w->wish == WISH_LOGIN && !w->s->c.logged_in && w->s->c.goal.kind == GOAL_NONE) {
		MUST(w, w->s->cfg.expiry_wait || w->s->cfg.login_manual);
		w->wish = WISH_NOTHING;
	}
	check(w);
}

/* --- the kind world --- */

static int
quiet(const struct world *w)
{
	const struct login *c = &w->s->c;

	return w->flight == FLIGHT_NONE && c->op == OP_NONE && !w->stopping && w->s->timer[LT_SAVE] == 0 &&
	    (c->goal.kind == GOAL_NONE || c->paused) && (!c->logged_in || c->paused || c->synced);
}

static void
settle(struct world *w)
{
	struct sim *s = w->s;
	struct login *c = &s->c;
	unsigned i;

	s->disk_full = 0;
	for (i = 0; i < 4000 && !quiet(w); i++) {
		if (w->flight == FLIGHT_KEY)
			answer_key(w, 1);
		else if (w->flight == FLIGHT_REG)
			answer_register(w, IPC_REG_OK);
		else if (w->stopping)
			close_stream(w, 0);
		else if (w->mapd != MAPD_NONE)
			stream_goes_on(w);
		check(w);
		sim_advance(s, pick(w, 3) ? 100 : 20000);
		check(w);
	}
	MUST(w, quiet(w));
	MUST(w, w->logouts == 0);
	MUST(w, s->mem.node == s->disk.node && s->mem.old == s->disk.old);
	MUST(w, s->disk_profile.paused == c->profile.paused && c->paused >= c->profile.paused);
	if (w->wish == WISH_LOGIN && c->goal.kind == GOAL_NONE && w->unwanted_key != 0)
		MUST(w, s->disk.node != w->unwanted_key);
	if (w->wish == WISH_LOGIN) {
		MUST(w, c->profile.want_running && s->disk_profile.want_running);
		MUST(w, c->paused || c->logged_in);
	} else if (w->wish == WISH_LOGOUT) {
		MUST(w, !c->logged_in && c->goal.kind == GOAL_NONE && s->disk.node == 0 && s->disk.cand == 0);
		MUST(w, !c->profile.want_running && !s->disk_profile.want_running);
		MUST(w, login_state(c) == LS_NOT_AUTHENTICATED && w->mapd == MAPD_NONE);
	}
	if (c->goal.kind == GOAL_NONE && c->logged_in && !c->expired && !c->paused)
		MUST(w, login_state(c) == LS_SYNCHRONIZED);
	w->settled++;
}

static int
is_past(const struct login *c, struct wtime now, uint64_t ms)
{
	if (c->self_expired)
		return 1;
	return ms >= c->vouched_ms + 31000 && !time_is_none(c->profile.node_key_expiry) &&
	    time_cmp(c->profile.node_key_expiry, now) <= 0;
}

/*
 * The key is expired exactly when it was reported so or its time is over, by the present clock; but not for the time
 * after the server has accepted it.
 */
static void
look_at_the_clock(struct world *w)
{
	const struct sim *s = w->s;
	const struct login *c = &s->c;
	struct wtime now;

	sim_advance(w->s, 31000);
	check(w);
	now = login_corrected(c, s->wall);
	if (!c->have_node || c->goal.kind == GOAL_LOGOUT)
		return;
	now.sec--; /* timers have slack */
	MUST(w, !is_past(c, now, s->ms) || c->expired);
	now.sec += 31;
	MUST(w, is_past(c, now, UINT64_MAX) || !c->expired || c->self_key >= SELF_KEY_CANDIDATE);
}

/* rows: INT-04 OUT-05 ROT-04 ROT-05 PERS-02 PERS-05 PERS-06 PAU-01 PAU-03 BACK-04 EXP-03 ERR-06 STAT-02 PRIV-03 */
static void
invariants(void **state)
{
	struct world w = { 0 };
	unsigned streams = 0, commits = 0, crashes = 0, settled = 0;

	(void)state;
	assert_non_null(w.accepted = calloc(MAX_KEYS, 1));
	for (w.run = 0; w.run < RUNS; w.run++) {
		memset(w.accepted, 0, MAX_KEYS);
		w = (struct world){ .accepted = w.accepted, .run = w.run, .seed = w.run * 7919 + 1, .s = sim_new() };
		w.s->hook = before;
		w.s->hook_arg = &w;
		w.s->seed = w.run;
		sim_auth_key(w.s, (int)(w.run & 1));
		w.s->cfg.server_key = sim_server_key(w.run % 3 == 0 ? 1 : 0);
		sim_boot(w.s);
		for (w.step = 0; w.step < STEPS; w.step++) {
			one_step(&w);
			if (pick(&w, 60) == 0)
				settle(&w);
			if (pick(&w, 60) == 0)
				look_at_the_clock(&w);
		}
		streams += w.streams;
		commits += w.commits;
		crashes += w.crashes;
		settled += w.settled;
		MUST(&w, w.s->last_key < MAX_KEYS - 100);
		free(w.s);
	}
	free(w.accepted);
	print_message("%u streams, %u commits, %u crashes, %u times settled\n", streams, commits, crashes, settled);
	/* The walk was no walk in place. */
	assert_true(streams > 1000 && commits > 500 && crashes > 500 && settled > 2000);
}

/* What a server may do in answer to a request; the client is left alone with it. */
static void
bad_answer(struct world *w, uint32_t kinds)
{
	static const enum ipc_reg_outcome outcomes[] = { IPC_REG_OK, IPC_REG_URL, IPC_REG_KEY_EXPIRED, IPC_REG_REFUSED,
		IPC_REG_HTTP, IPC_REG_BAD_ANSWER, IPC_REG_TRANSPORT, IPC_REG_RATE_LIMITED };
	uint32_t kind;

	do
		kind = pick(w, 8);
	while ((kinds & (1u << kind)) == 0); /* each run has a few of them */
	if (w->flight == FLIGHT_KEY)
		answer_key(w, kinds & 0x100 ? 0 : 1 + (int)pick(w, 2));
	else if (w->flight == FLIGHT_REG)
		answer_register(w, outcomes[kind]);
}

static void
bad_stream(struct world *w, uint32_t kinds)
{
	if (w->stopping || (w->mapd == MAPD_PREPARED && kinds & 0x200) || (w->live && kinds & 0x400))
		close_stream(w, (int)pick(w, 2));
	else if (w->mapd == MAPD_STREAM && !w->live && kinds & 0x800)
		close_stream(w, 1);
	else if (w->live && kinds & 0x1000 && pick(w, 3) == 0)
		self(w);
	else
		stream_goes_on(w);
}

/* rows: BACK-01 BACK-03 FUP-03 EXP-03 REG-06 KEY-08 */
static void
bad_servers(void **state)
{
	struct world w = { 0 };
	unsigned most = 0;

	(void)state;
	assert_non_null(w.accepted = calloc(MAX_KEYS, 1));
	for (w.run = 0; w.run < BAD_RUNS; w.run++) {
		uint32_t kinds;
		uint64_t end;

		memset(w.accepted, 0, 2000);
		w = (struct world){ .accepted = w.accepted, .run = w.run, .seed = w.run * 7919 + 3, .s = sim_new() };
		w.s->hook = before;
		w.s->hook_arg = &w;
		w.s->seed = w.run;
		sim_auth_key(w.s, (int)(w.run & 1));
		kinds = pick(&w, 1u << 13); /* apart: every compiler walks the same way */
		kinds |= 1u << pick(&w, 8);
		sim_boot(w.s);
		log_in(&w);
		w.registers = w.streams = w.keys = 0;
		for (end = w.s->ms + 30000; w.s->ms < end; w.step++) {
			bad_answer(&w, kinds);
			bad_stream(&w, kinds);
			check(&w);
			sim_advance(w.s, 1 + pick(&w, 10));
		}
		if (w.registers > 30 || w.streams > 30 || w.keys > 30)
			fail_msg("run %u, kinds %#x: %u registers, %u streams, %u keys in 30 s", w.run, kinds,
			    w.registers, w.streams, w.keys);
		most = w.registers > most ? w.registers : most;
		free(w.s);
	}
	free(w.accepted);
	print_message("at most %u registers in 30 s\n", most);
	assert_true(most > 10); /* it was a bad server */
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(invariants), cmocka_unit_test(bad_servers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
