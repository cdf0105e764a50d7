/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "timefmt.h"
#include "util_loginsim.h"

/*
 * login.c against a server that keeps a node as headscale does, and whose administrator forgets, tags, expires and
 * extends it; which answers late, loses answers, answers with an error what it has stored, and now and then reports a
 * key as accepted that it has not (a hostile authd).  The host's clock is wrong and jumps, the daemon is restarted.
 *
 * At each step the disk has the last key with which a map was live, and the key that the server has stored because of
 * an auth key, whatever it answered.  A new key is sent when the server has refused the current one.  In each 30 s
 * without an event from outside: at most LOOP requests.  From time to time the server becomes good, with a valid auth
 * key: then the node must be synchronized within 10 minutes, with the key that the server knows.
 *
 * MODEL_STEPS and MODEL_SEED in the environment replace the number of steps and the seed, which is a new one each time
 * and is printed.
 */
#define STEPS  60000
#define RUN    5000 /* steps with one daemon */
#define LOOP   40
#define SECOND 1800000000 /* the server's clock when s->ms was 0 */
#define LIFE   7200       /* s of a key */
#define MAXURL 64

enum map { MAP_OFF, MAP_OPENING, MAP_LIVE };

struct server {
	int key;     /* of the node; 0: there is none */
	int by_auth; /* it was sent with an auth key */
	int tagged;
	int64_t expiry; /* 0: never */
	int auth_valid;
	unsigned nurls; /* URLs are https://c/N: wanted[N] is the key that waits for its user */
	int wanted[MAXURL];
};

struct model {
	struct sim *s;
	struct server srv;
	uint64_t rng;
	unsigned long step;
	int good;    /* no trouble is made */
	int hostile; /* authd is */
	/* the register under way */
	int flying, processed, liar;
	struct login_action reg;
	int reg_key;
	enum ipc_reg_outcome outcome;
	char url[40];
	uint64_t process_ms, answer_ms;
	/* the map */
	enum map map;
	uint32_t map_id;
	int map_key, reported; /* reported: the key of the last SELF */
	uint64_t map_ms;       /* when the next thing of it happens */
	/* what must hold */
	int last_live;
	int refused;      /* the last key that was refused, as expired or not known */
	uint64_t calm_ms; /* the last event from outside */
	unsigned registers, most;
	unsigned long lives, forgotten, extended, adopted, reverted, settled;
};

static uint32_t
rnd(struct model *m, uint32_t n)
{
	m->rng = m->rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(m->rng >> 33) % n;
}

#define MUST(m, cond) \
	do { \
		if (!(cond)) \
			fail_msg("step %lu: %s", (m)->step, #cond); \
	} while (0)

static int64_t
true_sec(const struct model *m)
{
	return SECOND + (int64_t)(m->s->ms / 1000);
}

static int
is_expired(const struct model *m)
{
	return m->srv.expiry != 0 && m->srv.expiry <= true_sec(m);
}

static void
disturbed(struct model *m)
{
	m->calm_ms = m->s->ms;
	m->registers = 0;
}

/* --- the server --- */

/* The node is made, or has a new key; a tagged one keeps its expiry (headscale: HandleNodeFromPreAuthKey). */
static void
place(struct model *m, int key)
{
	struct server *v = &m->srv;

	if (v->key == 0 || !v->tagged)
		v->expiry = rnd(m, 3) ? 0 : true_sec(m) + 60 + rnd(m, LIFE);
	if (v->key == 0)
		v->tagged = 0;
	v->key = key;
	v->by_auth = m->reg.u.reg.authkey != AUTHKEY_NONE;
}

static enum ipc_reg_outcome
ask_for_visit(struct model *m, int key)
{
	unsigned n = m->srv.nurls++ % MAXURL;

	m->srv.wanted[n] = key;
	snprintf(m->url, sizeof(m->url), "https://c/%u", n);
	return IPC_REG_URL;
}

static enum ipc_reg_outcome
by_auth_key(struct model *m, int key)
{
	if (!m->srv.auth_valid)
		return IPC_REG_REFUSED;
	if (!m->good && rnd(m, 8) == 0) { /* the database is locked: before or after the key was stored */
		if (rnd(m, 2))
			place(m, key);
		return IPC_REG_REFUSED;
	}
	place(m, key);
	return is_expired(m) ? IPC_REG_KEY_EXPIRED : IPC_REG_OK;
}

/* headscale: handleRegister */
static enum ipc_reg_outcome
register_at_server(struct model *m)
{
	int key = m->reg_key, auth = m->reg.u.reg.authkey != AUTHKEY_NONE;

	m->url[0] = '\0';
	if (m->liar)
		return IPC_REG_OK;
	if (key == m->srv.key && !is_expired(m))
		return IPC_REG_OK;
	if (key == m->srv.key && !auth)
		return IPC_REG_KEY_EXPIRED;
	if (m->reg.u.reg.op == IPC_REG_FOLLOWUP) {
		place(m, key); /* the user has visited it */
		return is_expired(m) ? IPC_REG_KEY_EXPIRED : IPC_REG_OK;
	}
	return auth ? by_auth_key(m, key) : ask_for_visit(m, key);
}

static void
administrator(struct model *m)
{
	struct server *v = &m->srv;

	switch (rnd(m, 6)) {
	case 0:
		m->forgotten += (unsigned)(v->key != 0);
		v->key = v->tagged = 0;
		break;
	case 1: v->tagged = 1; break;
	case 2:
	case 3: v->expiry = true_sec(m); break;
	default: m->extended += (unsigned)is_expired(m); v->expiry = rnd(m, 2) ? 0 : true_sec(m) + LIFE;
	}
	m->reported = 0; /* a stream says so */
	disturbed(m);
}

/* --- the parent's and the children's side --- */

static void
on_action(struct sim *s, const struct login_action *a)
{
	struct model *m = s->hook_arg;

	switch (a->type) {
	case LA_REGISTER:
		m->registers++;
		m->reg = *a;
		m->reg_key = a->u.reg.candidate ? s->mem.cand : s->mem.node;
		MUST(m, m->reg_key != 0);
		/* Nothing is thrown away before the server was asked with what there is. */
		MUST(m, !a->u.reg.candidate || s->mem.node == 0 || m->refused == s->mem.node);
		m->flying = 1;
		m->processed = 0;
		m->liar = !m->good && rnd(m, m->hostile ? 2 : 100) == 0;
		m->process_ms = s->ms + (m->good ? 20 : rnd(m, 4) ? rnd(m, 200) : rnd(m, 20000));
		m->answer_ms = m->process_ms + (m->good ? 20 : rnd(m, 4) ? rnd(m, 200) : rnd(m, 20000));
		if (a->u.reg.op == IPC_REG_FOLLOWUP) /* the server holds it until the user comes, who may not */
			m->process_ms = m->answer_ms = s->ms + (m->good ? UINT32_MAX : 11000 + rnd(m, 600000));
		break;
	case LA_AUTH_CANCEL:
		if (m->flying && !m->processed && rnd(m, 2)) /* the server was faster */
			(void)register_at_server(m);
		m->flying = 0;
		break;
	case LA_MAP_START:
		m->map_id = a->id;
		if (!a->u.map.prepare) {
			m->map = MAP_OPENING;
			m->map_key = s->mem.node;
			m->map_ms = s->ms + 10 + rnd(m, 50);
		}
		break;
	case LA_MAP_STOP: m->map_ms = s->ms + 1; break;
	case LA_SAVE: m->reverted += (unsigned)(a->u.save == SAVE_REVERT); break;
	default: break;
	}
}

static void
answer(struct model *m)
{
	int lost = !m->good && !m->liar && m->reg.u.reg.op == IPC_REG_LOGIN && rnd(m, 10) == 0;

	m->flying = 0;
	if (!lost && (m->outcome == IPC_REG_URL || m->outcome == IPC_REG_KEY_EXPIRED) && m->reg_key == m->s->mem.node)
		m->refused = m->reg_key;
	if (m->liar)
		m->srv.by_auth = 0; /* a key that the server has may be given up for it */
	sim_reg(m->s, m->reg.id, lost ? IPC_REG_TRANSPORT : m->outcome, m->url, "no");
}

static void
self(struct model *m)
{
	struct sim *s = m->s;
	struct login_event e = { .type = LE_SELF, .id = m->map_id };
	int adopted = s->mem.cand != 0 && m->srv.key == s->mem.cand, node = s->mem.node;

	m->reported = m->srv.key;
	if (m->good || rnd(m, 2)) /* not every message has the time */
		sim_event(s, &(struct login_event){ .type = LE_CONTROL_TIME, .u.control_time = true_sec(m) });
	e.u.self.expiry = m->srv.expiry != 0 ? (struct wtime){ m->srv.expiry, 0 } : TIME_NONE;
	e.u.self.expired = is_expired(m);
	e.u.self.authorized = 1;
	e.u.self.key = m->srv.key == s->mem.node ? SELF_KEY_CURRENT : adopted ? SELF_KEY_CANDIDATE : SELF_KEY_OTHER;
	e.u.self.user = (struct login_user){ 7, "anna@example.com", "Anna", "" };
	sim_event(s, &e);
	m->adopted += (unsigned)(adopted && s->mem.node != node);
}

static void
close_map(struct model *m, enum cause cause)
{
	m->map = MAP_OFF;
	sim_event(m->s, &(struct login_event){ .type = LE_CLOSED, .id = m->map_id, .u.closed = { cause, "closed" } });
}

static void
map_turn(struct model *m)
{
	struct sim *s = m->s;

	if (s->c.map == MAP_STOPPING) {
		close_map(m, CAUSE_NONE);
		return;
	}
	if (m->map == MAP_OPENING && (m->srv.key == 0 || m->srv.key != m->map_key)) {
		close_map(m, CAUSE_UNKNOWN_NODE);
		return;
	}
	if (m->map == MAP_LIVE && (m->srv.key == 0 || (!m->good && rnd(m, 30) == 0))) {
		close_map(m, CAUSE_OTHER);
		return;
	}
	if (m->map == MAP_OPENING || (m->map == MAP_LIVE && m->reported != m->srv.key))
		self(m);
	if (m->map == MAP_OPENING && s->c.map == MAP_STREAM) {
		m->map = MAP_LIVE;
		m->last_live = m->map_key;
		m->lives++;
		sim_event(s, &(struct login_event){ .type = LE_LIVE, .id = m->map_id });
	}
	m->map_ms = s->ms + 1000;
}

/* What is due now. */
static void
turn(struct model *m)
{
	if (m->flying && !m->processed && m->s->ms >= m->process_ms) {
		m->processed = 1;
		m->outcome = register_at_server(m);
	}
	if (m->flying && m->processed && m->s->ms >= m->answer_ms)
		answer(m);
	if ((m->map != MAP_OFF || m->s->c.map == MAP_STOPPING) && m->s->ms >= m->map_ms)
		map_turn(m);
}

static void
restart(struct model *m)
{
	m->flying = 0;
	m->map = MAP_OFF;
	sim_boot(m->s);
	disturbed(m);
}

static void
trouble(struct model *m)
{
	switch (rnd(m, 9)) {
	case 0: restart(m); break;
	case 5: m->hostile = rnd(m, 3) == 0; break;
	case 1:
		m->s->wall.sec += (int64_t)rnd(m, 20000) - 10000;
		disturbed(m);
		break;
	case 2: m->srv.auth_valid = rnd(m, 4) != 0; break;
	case 3:
		m->flying = 0;
		sim_simple(m->s, LE_AUTHD_GONE);
		disturbed(m);
		break;
	case 4:
		m->map = MAP_OFF;
		sim_simple(m->s, LE_MAPD_GONE);
		disturbed(m);
		break;
	default: administrator(m); break;
	}
}

static void
check(struct model *m)
{
	const struct sim *s = m->s;

	MUST(m,
	    !m->srv.by_auth || m->srv.key == 0 || m->srv.key == s->disk.node || m->srv.key == s->disk.cand ||
		m->srv.key == s->disk.old);
	MUST(m, m->last_live == 0 || s->disk.node == m->last_live || s->disk.old == m->last_live);
	if (s->ms - m->calm_ms >= 30000) {
		m->most = m->registers > m->most ? m->registers : m->most;
		disturbed(m);
	}
	MUST(m, m->registers <= LOOP);
}

static void
one_turn(struct model *m)
{
	sim_advance(m->s, rnd(m, 3) ? rnd(m, 100) : rnd(m, 3000));
	turn(m);
	check(m);
}

static int
at_home(const struct model *m)
{
	const struct login *c = &m->s->c;

	return login_state(c) == LS_SYNCHRONIZED && m->map == MAP_LIVE && m->s->disk.node == m->srv.key;
}

/* The administrator has extended the node, the auth key is valid, nothing fails; only the clock stays as it is. */
static void
settle(struct model *m)
{
	uint64_t end = m->s->ms + 600000;

	m->good = m->srv.auth_valid = 1;
	m->srv.expiry = 0;
	m->reported = 0;
	disturbed(m);
	while (!at_home(m)) {
		one_turn(m);
		if (m->s->ms >= end)
			fail_msg("step %lu: %s, node %d, old %d, candidate %d, server has %d", m->step,
			    login_state_name(login_state(&m->s->c)), m->s->disk.node, m->s->disk.old, m->s->mem.cand,
			    m->srv.key);
	}
	m->settled++;
	m->good = 0;
}

static void
one_run(struct model *m, unsigned long steps)
{
	struct sim *s = m->s = sim_new();
	unsigned long end = m->step + steps;

	memset(&m->srv, 0, sizeof(m->srv));
	m->srv.auth_valid = 1;
	m->flying = m->last_live = m->refused = m->hostile = 0;
	m->map = MAP_OFF;
	s->hook = on_action;
	s->hook_arg = m;
	s->seed = rnd(m, 1u << 31);
	s->wall.sec = true_sec(m) + (rnd(m, 2) ? 0 : (int64_t)rnd(m, 2000000) - 1000000);
	s->cfg.server_key = sim_server_key(3);
	sim_auth_key(s, 1);
	sim_boot(s);
	disturbed(m);
	for (; m->step < end; m->step++) {
		one_turn(m);
		if (rnd(m, 100) == 0)
			trouble(m);
		if (rnd(m, 400) == 0)
			settle(m);
	}
	free(s);
}

static unsigned long
number(const char *name, unsigned long otherwise)
{
	const char *v = getenv(name);

	return v != NULL ? strtoul(v, NULL, 10) : otherwise;
}

/* rows: REG-05 REG-06 EXP-03 EXP-04 EXP-05 BACK-06 ERR-06 PERS-06 ROT-05 */
static void
the_servers_word_decides(void **state)
{
	unsigned long seed = 0, steps = number("MODEL_STEPS", STEPS);
	struct model m = { 0 };

	(void)state;
	assert_int_equal(getrandom(&seed, sizeof(seed) / 2, 0), sizeof(seed) / 2);
	seed = number("MODEL_SEED", seed);
	print_message("MODEL_SEED=%lu MODEL_STEPS=%lu\n", seed, steps);
	m.rng = seed;
	while (m.step < steps)
		one_run(&m, RUN);
	print_message("%lu maps, %lu forgotten, %lu extended, %lu adopted, %lu reverted, %lu settled, at most %u "
		      "requests\n",
	    m.lives, m.forgotten, m.extended, m.adopted, m.reverted, m.settled, m.most);
	assert_true(m.lives > steps / 200 && m.settled > steps / 1000);
	assert_true(m.forgotten > 0 && m.extended > 0 && m.adopted > 0 && m.reverted > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_servers_word_decides) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
