/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "login_map.h"
#include "util_loginsim.h"

/* The server's word decides what happens to the keys; the current one is asked with before anything is thrown away. */

static void
self(struct sim *s, enum self_key key, struct wtime expiry, int expired)
{
	struct login_event e = { .type = LE_SELF, .id = s->map.id };

	e.u.self.key = key;
	e.u.self.expiry = expiry;
	e.u.self.expired = expired;
	e.u.self.authorized = 1;
	e.u.self.user = (struct login_user){ 7, "anna@example.com", "Anna", "" };
	sim_event(s, &e);
}

static void
unknown(struct sim *s)
{
	sim_event(s,
	    &(struct login_event){ .type = LE_CLOSED,
		.id = s->map.id,
		.u.closed = { CAUSE_UNKNOWN_NODE, "initial fetch failed 404: node not found" } });
}

/* Synchronized, with an auth key configured. */
static struct sim *
with_auth_key(void)
{
	struct sim *s = sim_synced();

	sim_auth_key(s, 1);
	sim_advance(s, 120000);
	return s;
}

/* An expired node with a tag: the server stores each new key and reports it as expired until the node is extended. */
/* rows: REG-05 REG-06 EXP-04 ROT-05 */
static void
extended_after_new_keys(void **state)
{
	struct sim *s;
	unsigned i, n;
	int by_map;

	(void)state;
	for (by_map = 0; by_map < 2; by_map++) {
		s = with_auth_key();
		n = s->nreg;
		self(s, SELF_KEY_CURRENT, s->wall, 1);
		assert_int_equal(s->nreg, n + 1);
		assert_int_equal(s->reg.u.reg.candidate, 0);
		for (i = 0; i < 8; i++) {
			sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
			sim_advance(s, 2000);
			assert_true(s->reg.u.reg.candidate && s->reg.u.reg.authkey == AUTHKEY_CONFIGURED);
			assert_int_equal(s->reg_keys.cand, 2); /* the same one */
			self(s, SELF_KEY_CANDIDATE, s->wall, 1);
			assert_int_equal(s->disk.node, 1);
		}
		if (by_map) {
			self(s, SELF_KEY_CANDIDATE, TIME_NONE, 0);
			assert_int_equal(s->cancelled, s->reg.id);
		} else
			sim_ok(s);
		assert_true(s->disk.node == 2 && s->disk.old == 1 && s->disk.cand == 0);
		assert_int_equal(s->c.map, MAP_STOPPING); /* the next stream is with it */
		sim_closed(s, "");
		sim_live(s);
		assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
		free(s);
	}
}

/* The extension of a key that is not ours has no effect on the login. */
/* rows: EXP-04 */
static void
extension_of_another_key(void **state)
{
	struct sim *s = with_auth_key();

	(void)state;
	self(s, SELF_KEY_CURRENT, s->wall, 1);
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	self(s, SELF_KEY_OTHER, TIME_NONE, 0);
	assert_true(s->c.expired && s->c.goal.kind == GOAL_LOGIN && s->reg.u.reg.candidate);
	sim_ok(s);
	assert_int_equal(s->disk.node, 2);
	free(s);
}

/* The node was deleted while the daemon was down, or up: the configured key is used, once for each refusal. */
/* rows: REG-05 BACK-06 */
static void
forgotten_node(void **state)
{
	struct sim *s;
	unsigned n, i;
	int up;

	(void)state;
	for (up = 0; up < 2; up++) {
		s = with_auth_key();
		n = s->nreg;
		if (up) {
			sim_closed(s, "map stream ended: unexpected EOF");
			sim_advance(s, 1000);
			unknown(s);
		} else {
			sim_boot(s);
		}
		assert_int_equal(s->nreg, n + 1);
		assert_int_equal(s->reg.u.reg.candidate, 0);
		assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_NONE);
		sim_url(s, "https://c/a");
		assert_int_equal(s->nbrowse, 0);
		assert_int_equal(s->nreg, n + 2);
		assert_true(s->reg.u.reg.candidate && s->reg.u.reg.authkey == AUTHKEY_CONFIGURED);
		sim_ok(s);
		if (s->c.map == MAP_STOPPING)
			sim_closed(s, "");
		sim_live(s);
		assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
		assert_int_equal(s->disk.node, 2);
		free(s);
	}
	/* A server that accepts each key and then does not know it is not asked in a loop. */
	s = with_auth_key();
	n = s->nreg;
	sim_closed(s, "closed");
	for (i = 0; i < 6000; i++) { /* a minute */
		if (s->c.op == OP_REGISTER && s->reg.u.reg.candidate)
			sim_ok(s);
		else if (s->c.op == OP_REGISTER)
			sim_url(s, "https://c/a");
		if (s->c.map == MAP_STOPPING)
			sim_closed(s, "");
		if (s->c.map == MAP_STREAM)
			unknown(s);
		sim_advance(s, 10);
	}
	assert_in_range(s->nreg - n, 10, 60);
	free(s);
}

/* Without an auth key the user is asked; with `login manual` nothing begins by itself. */
/* rows: REG-05 BACK-06 */
static void
forgotten_without_an_auth_key(void **state)
{
	struct sim *s = with_auth_key();

	(void)state;
	sim_auth_key(s, 0);
	sim_closed(s, "closed");
	sim_advance(s, 1000);
	unknown(s);
	sim_url(s, "https://c/a");
	assert_int_equal(login_state(&s->c), LS_URL_VISIT_REQUIRED);
	assert_int_equal(s->nbrowse, 1);
	free(s);

	s = with_auth_key();
	s->cfg.login_manual = 1;
	sim_closed(s, "closed");
	sim_advance(s, 1000);
	unknown(s);
	assert_int_equal(s->reg.u.reg.candidate, 0);
	sim_url(s, "https://c/a");
	assert_int_equal(login_state(&s->c), LS_NOT_AUTHENTICATED);
	assert_string_equal(sim_err(s), "not a node of the tailnet");
	assert_int_equal(s->disk.node, 1);
	free(s);
}

/* 404 from a server that knows the key after all: nothing changes. */
/* rows: BACK-06 */
static void
known_after_all(void **state)
{
	struct sim *s = with_auth_key();
	unsigned n = s->nstart;

	(void)state;
	sim_closed(s, "closed");
	sim_advance(s, 1000);
	unknown(s);
	sim_ok(s);
	sim_advance(s, 1000);
	assert_true(s->nstart > n && s->disk.node == 1 && s->mem.cand == 0);
	sim_live(s);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	free(s);
}

/* An authd reports "accepted" without asking the server: the last key with a live map stays, and is used again. */
/* rows: PERS-06 PRIV-03 ROT-05 */
static void
last_live_key(void **state)
{
	struct sim *s = with_auth_key();
	unsigned i;

	(void)state;
	assert_int_equal(s->disk_profile.unproven, 0);
	for (i = 0; i < 3; i++) {
		sim_login(s, WITH_KEY | INTERACTIVE);
		sim_ok(s); /* not true */
		assert_int_equal(s->disk.node, 2 + (int)i);
		assert_int_equal(s->disk.old, 1);
		assert_int_equal(s->disk_profile.unproven, 1);
		if (s->c.map == MAP_STOPPING)
			sim_closed(s, "");
		if (i == 1)
			sim_boot(s); /* it survives that */
		if (i == 1)
			sim_ok(s);
	}
	sim_advance(s, 1000);
	unknown(s);
	sim_advance(s, 1000);
	assert_int_equal(s->reg_keys.node, 4);
	sim_url(s, "https://c/a");
	assert_true(s->disk.node == 1 && s->disk.old == 0 && s->disk_profile.unproven == 0);
	assert_int_equal(s->reg_keys.node, 1);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_NONE);
	sim_closed(s, ""); /* what was prepared with the other key */
	sim_ok(s);
	sim_advance(s, 1000);
	sim_live(s);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	free(s);
}

/* rows: PERS-06 */
static void
reverted_when_the_disk_permits_it(void **state)
{
	struct sim *s = with_auth_key();

	(void)state;
	sim_login(s, WITH_KEY | INTERACTIVE);
	sim_ok(s);
	sim_closed(s, "");
	s->disk_full = 1;
	unknown(s);
	sim_advance(s, 1000);
	sim_url(s, "https://c/a");
	assert_true(s->mem.node == 2 && s->mem.old == 1 && s->c.profile.unproven);
	s->disk_full = 0;
	sim_advance(s, 60000);
	assert_true(s->disk.node == 1 && s->disk.old == 0 && s->disk_profile.unproven == 0);
	assert_int_equal(s->reg_keys.node, 1);
	free(s);
}

/* Two machines with one state: each new stream of the one ends that of the other. */
/* rows: BACK-03 */
static void
streams_that_keep_ending(void **state)
{
	struct sim *s = with_auth_key();
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		assert_false(map_streams_short(&s->c));
		if (i > 0)
			sim_live(s);
		sim_advance(s, i == 0 ? 0 : 5000);
		sim_closed(s, "map stream ended: unexpected EOF");
		sim_advance(s, 10000);
	}
	sim_live(s);
	sim_advance(s, 5000);
	sim_closed(s, "map stream ended: unexpected EOF");
	assert_true(map_streams_short(&s->c));
	sim_advance(s, 60000);
	sim_live(s);
	assert_true(map_streams_short(&s->c));
	sim_advance(s, 60000);
	assert_false(map_streams_short(&s->c));
	free(s);
}

/* A clock that is set while the server's time is known, and a suspended host. */
/* rows: ERR-06 EXP-06 */
static void
clock_against_the_servers(void **state)
{
	struct sim *s = with_auth_key();

	(void)state;
	sim_event(s, &(struct login_event){ .type = LE_CONTROL_TIME, .u.control_time = s->wall.sec });
	assert_int_equal(s->c.clock_delta, 0);
	s->wall.sec += 7200;
	sim_simple(s, LE_LITE); /* any event */
	assert_int_equal(s->c.clock_delta, -7200);
	s->wall.sec -= 7200;
	sim_simple(s, LE_LITE);
	assert_int_equal(s->c.clock_delta, 0);
	s->wall.sec += 7200; /* suspended */
	s->asleep_ms += 7200 * 1000;
	sim_simple(s, LE_LITE);
	assert_int_equal(s->c.clock_delta, 0);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extended_after_new_keys),
		cmocka_unit_test(extension_of_another_key),
		cmocka_unit_test(forgotten_node),
		cmocka_unit_test(forgotten_without_an_auth_key),
		cmocka_unit_test(known_after_all),
		cmocka_unit_test(last_live_key),
		cmocka_unit_test(reverted_when_the_disk_permits_it),
		cmocka_unit_test(streams_that_keep_ending),
		cmocka_unit_test(clock_against_the_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
