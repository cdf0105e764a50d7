/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>

#include "util_loginsim.h"

/* login.c, row by row: logins by URL, and a server key that changes. */

/* --- interactive, follow-up --- */

/* rows: INT-01 INT-02 FUP-01 STAT-01 */
static void
login_by_url(void **state)
{
	struct sim *s = at_url();
	int cand = s->reg_keys.cand;

	(void)state;
	assert_int_equal(s->nbrowse, 1);
	assert_string_equal(s->c.goal.url, "https://c/a");
	assert_true(s->disk.node == 0 && s->disk.cand == 0);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_FOLLOWUP);
	assert_true(s->reg.u.reg.candidate && s->reg_keys.cand == cand);
	assert_string_equal(s->reg_url, "https://c/a");
	assert_int_equal(s->nstart, 0);
	sim_advance(s, 24 * 60 * 60 * 1000); /* no time limit on our side */
	assert_int_equal(s->nreg, 2);
	assert_int_equal(s->ncancel, 0);
	sim_ok(s);
	assert_string_equal(s->c.goal.url, "");
	assert_int_equal(s->disk.node, cand);
	sim_live(s);
	STATES(s, LS_NEW, LS_AUTHENTICATING, LS_URL_VISIT_REQUIRED, LS_AUTHENTICATED, LS_SYNCHRONIZED);
	assert_int_equal(s->nfinished, 1);
	free(s);
}

/* rows: INT-03 */
static void
second_login_replaces_the_first(void **state)
{
	struct sim *s = at_url();
	uint32_t first = s->reg.id;

	(void)state;
	sim_login(s, 0);
	assert_int_equal(s->cancelled, first);
	assert_string_equal(s->c.goal.url, "");
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGIN);
	assert_int_equal(s->reg_keys.cand, 2); /* another key: another URL */
	sim_url(s, "https://c/b");
	assert_int_equal(s->nbrowse, 2);
	sim_reg(s, first, IPC_REG_URL, "https://c/a", ""); /* too late */
	assert_string_equal(s->c.goal.url, "https://c/b");
	sim_login(s, WITH_KEY);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGIN);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_GIVEN);
	sim_ok(s);
	assert_true(s->c.logged_in);
	free(s);
}

/* rows: INT-04 PRIV-04 */
static void
late_result_changes_nothing(void **state)
{
	struct sim *s = sim_new();
	uint32_t late;

	(void)state;
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_key(s, s->key_id, 9, "");
	late = s->reg.id;
	sim_logout(s, 0);
	assert_int_equal(s->cancelled, late);
	assert_int_equal(s->ndone, 1);
	sim_reg(s, late, IPC_REG_OK, "", "");
	assert_int_equal(login_state(&s->c), LS_NOT_AUTHENTICATED);
	assert_true(s->disk.node == 0 && s->disk.cand == 0 && s->mem.cand == 0);
	assert_int_equal(s->disk_profile.user_id, 0);
	assert_int_equal(s->nfinished, 0);
	free(s);
}

/* rows: INT-06 ROT-02 ROT-03 ROT-04 */
static void
forced_new_key_on_a_running_node(void **state)
{
	struct sim *s = sim_synced();
	int first = s->disk.node;
	uint32_t old_map = s->map.id;
	unsigned starts = s->nstart, stops = s->nstop;

	(void)state;
	sim_login(s, INTERACTIVE);
	assert_true(s->reg.u.reg.candidate && s->reg_keys.node == first);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_NONE);
	sim_url(s, "https://c/a");
	assert_true(s->reg.u.reg.candidate && s->reg_keys.node == first);
	assert_true(s->c.synced && login_logged_in(&s->c) && s->nstop == stops); /* the old stream continues */
	assert_int_equal(s->disk.node, first);
	sim_ok(s);
	assert_int_equal(s->nstop, stops + 1);
	assert_int_equal(s->nstart, starts); /* not before the old one has ended */
	assert_true(s->disk.node != first && s->disk.old == first);
	assert_false(s->c.synced);
	sim_event(s, &(struct login_event){ .type = LE_CLOSED, .id = old_map, .u.closed = { .err = "" } });
	assert_int_equal(s->nstart, starts + 1);
	assert_int_not_equal(s->map.id, old_map);
	assert_string_equal(sim_err(s), "");
	sim_live(s);
	sim_login(s, INTERACTIVE); /* the second rotation chains on */
	first = s->disk.node;
	sim_ok(s);
	assert_int_equal(s->disk.old, first);
	free(s);
}

/* rows: FUP-02 FUP-03 */
static void
another_url_and_the_same_again(void **state)
{
	struct sim *s = at_url();
	unsigned i, n;

	(void)state;
	sim_url(s, "https://c/b");
	assert_int_equal(s->nbrowse, 2);
	sim_advance(s, 20);
	assert_string_equal(s->reg_url, "https://c/b");
	n = s->nreg;
	for (i = 0; i < 1000; i++) {
		uint32_t id = s->reg.id;

		sim_url(s, "https://c/b"); /* at once, each time it is asked */
		sim_advance(s, 10);
		if (s->reg.id == id)
			continue;
	}
	assert_true(s->nreg - n < 20); /* in 10 s */
	assert_int_equal(s->nbrowse, 2);
	assert_string_equal(sim_err(s), "");
	free(s);
}

/* rows: FUP-04 */
static void
followup_survives_a_lost_connection(void **state)
{
	struct sim *s = at_url();
	int cand = s->reg_keys.cand;

	(void)state;
	sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "connection lost");
	assert_string_equal(s->c.goal.url, "https://c/a");
	sim_advance(s, 20);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_FOLLOWUP);
	assert_int_equal(s->reg_keys.cand, cand);
	assert_int_equal(s->nbrowse, 1);
	sim_simple(s, LE_AUTHD_GONE); /* and a lost child */
	assert_int_equal(s->reg.u.reg.op, IPC_REG_FOLLOWUP);
	assert_int_equal(s->reg_keys.cand, cand);
	sim_ok(s);
	assert_int_equal(s->disk.node, cand);
	free(s);
}

/* rows: FUP-05 PAU-01 */
static void
pause_during_the_visit(void **state)
{
	struct sim *s = at_url();
	int cand = s->reg_keys.cand;
	unsigned n = s->nreg;

	(void)state;
	sim_simple(s, LE_PAUSE);
	assert_int_equal(s->cancelled, s->reg.id);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n);
	assert_int_equal(login_state(&s->c), LS_URL_VISIT_REQUIRED);
	sim_simple(s, LE_UNPAUSE);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_FOLLOWUP);
	assert_string_equal(s->reg_url, "https://c/a");
	assert_int_equal(s->reg_keys.cand, cand);
	assert_int_equal(s->nbrowse, 1);
	free(s);
}

/* rows: FUP-06 */
static void
restart_during_the_visit(void **state)
{
	struct sim *s = sim_synced();
	int node = s->disk.node;

	(void)state;
	sim_login(s, INTERACTIVE);
	sim_url(s, "https://c/a");
	sim_boot(s);
	assert_int_equal(s->mem.node, node);
	assert_string_equal(s->c.goal.url, "");
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGIN);
	assert_int_equal(s->reg.u.reg.candidate, 0);
	free(s);
}

/* rows: FUP-01 REG-06 */
static void
followup_that_ends_expired_starts_anew(void **state)
{
	struct sim *s = at_url();
	int cand = s->reg_keys.cand;

	(void)state;
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	sim_advance(s, 20);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGIN);
	assert_int_not_equal(s->reg_keys.cand, cand);
	assert_string_equal(s->c.goal.url, "");
	free(s);
}

/* rows: FUP-02 FUP-03 BACK-03 */
static void
followups_that_end_at_once_are_no_loop(void **state)
{
	char url[40];
	unsigned i, n, kind;

	(void)state;
	for (kind = 0; kind < 2; kind++) { /* always another URL; expired, and then another URL */
		struct sim *s = at_url();

		n = s->nreg;
		for (i = 0; i < 3000; i++) {
			snprintf(url, sizeof(url), "https://c/%u", i);
			if (kind == 1 && s->reg.u.reg.op == IPC_REG_FOLLOWUP)
				sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
			else
				sim_url(s, url);
			sim_advance(s, 10);
		}
		assert_in_range(s->nreg - n, 10, 30); /* in 30 s */
		/* One that the server has held is another matter. */
		while (s->c.op != OP_REGISTER)
			sim_advance(s, 1000);
		if (s->reg.u.reg.op == IPC_REG_LOGIN)
			sim_url(s, "https://c/x");
		while (s->c.op != OP_REGISTER)
			sim_advance(s, 1000);
		sim_advance(s, 10000);
		n = s->nreg;
		sim_url(s, "https://c/y");
		assert_int_equal(s->nreg, n + 1);
		sim_url(s, "https://c/z");
		sim_advance(s, 20);
		assert_int_equal(s->nreg, n + 2); /* the pauses start from the beginning */
		sim_url(s, "https://c/y");
		sim_login(s, 0); /* a command gives credit again */
		n = s->nreg;
		sim_url(s, "https://c/x");
		assert_int_equal(s->nreg, n + 1);
		free(s);
	}
}

/* --- server key --- */

static void
suspicious_close(struct sim *s)
{
	sim_event(s,
	    &(struct login_event){ .type = LE_CLOSED,
		.id = s->map.id,
		.u.closed = { .cause = CAUSE_SERVER_KEY, .err = "101, then EOF" } });
}

/* rows: KEY-08 */
static void
changed_server_key_is_refused_until_accepted(void **state)
{
	struct sim *s = sim_synced();
	struct login_event accept = { .type = LE_ACCEPT_KEY };
	struct pubkey old = sim_server_key(9), new = sim_server_key(5);
	unsigned i, keys = s->nkey, starts;

	(void)state;
	suspicious_close(s);
	assert_int_equal(s->nkey, keys + 1);
	sim_key(s, s->key_id, 5, "");
	assert_true(key_equal(&s->c.offered, &new));
	assert_true(key_equal(login_pin(&s->c, NULL), &old)); /* the old pin stays */
	assert_true(key_equal(&s->disk_profile.server_key, &old));
	for (i = 0; i < 20; i++) {
		while (s->c.map != MAP_STREAM)
			sim_advance(s, 1000);
		suspicious_close(s);
	}
	assert_int_equal(s->nkey, keys + 1); /* no loop of key fetches */
	starts = s->nstart;
	accept.u.accept = new;
	sim_event(s, &accept);
	assert_int_equal(s->nstart, starts + 1);
	assert_true(key_is_zero(&s->c.offered));
	assert_string_equal(sim_err(s), "101, then EOF"); /* until it works (interface.md 4) */
	assert_int_equal(s->disk_profile.pin_source, PIN_ACCEPTED);
	assert_true(key_equal(&s->disk_profile.server_key, &new));
	sim_live(s);
	assert_string_equal(sim_err(s), "");
	free(s);
}

/* rows: KEY-08 */
static void
changed_server_key_is_configured(void **state)
{
	struct sim *s = sim_synced();
	struct config next;

	(void)state;
	suspicious_close(s);
	sim_key(s, s->key_id, 5, "");
	assert_false(key_is_zero(&s->c.offered));
	next = s->cfg;
	next.server_key = sim_server_key(5);
	sim_reload(s, &next);
	assert_true(key_is_zero(&s->c.offered) && !s->c.suspect);
	assert_int_equal(s->c.map, MAP_STREAM);
	free(s);
}

/* rows: KEY-08 */
static void
false_alarm(void **state)
{
	struct sim *s = sim_synced();
	unsigned keys = s->nkey;

	(void)state;
	suspicious_close(s);
	sim_key(s, s->key_id, 9, "");
	assert_true(key_is_zero(&s->c.offered) && !s->c.suspect);
	sim_advance(s, 100);
	suspicious_close(s);
	assert_int_equal(s->nkey, keys + 1); /* not again within 5 minutes */
	sim_advance(s, 100);
	sim_live(s);
	suspicious_close(s); /* it worked in between: a new case */
	assert_int_equal(s->nkey, keys + 2);
	free(s);
}

/* rows: KEY-08 */
static void
suspicion_during_a_login(void **state)
{
	struct sim *s = sim_synced();
	struct login_event e = { .type = LE_REG };
	unsigned keys;

	(void)state;
	sim_boot(s);
	keys = s->nkey;
	e.id = s->reg.id;
	e.u.reg.outcome = IPC_REG_TRANSPORT;
	e.u.reg.cause = CAUSE_SERVER_KEY;
	e.u.reg.url = "";
	e.u.reg.err = "101, then EOF";
	sim_event(s, &e);
	sim_advance(s, 20);
	assert_int_equal(s->nkey, keys + 1);
	sim_key(s, s->key_id, 5, "");
	assert_false(key_is_zero(&s->c.offered));
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGIN); /* continues with the old pin */
	e.id = s->reg.id;
	sim_event(s, &e);
	sim_advance(s, 100);
	assert_int_equal(s->nkey, keys + 1); /* not again so soon */
	sim_login(s, 0);
	assert_int_equal(s->nkey, keys + 2); /* unless a user requests it */
	sim_key(s, s->key_id, 5, "");
	sim_ok(s);
	assert_true(key_is_zero(&s->c.offered)); /* which works after all */
	free(s);
}

/* The server cannot replace it, but a key that it offers instead is reported. */
/* rows: KEY-08 */
static void
configured_key_and_another_one(void **state)
{
	struct sim *s = sim_new();
	struct pubkey three = sim_server_key(3), five = sim_server_key(5);
	enum pin_source src;

	(void)state;
	s->cfg.server_key = three;
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_ok(s);
	assert_int_equal(s->nkey, 0);
	suspicious_close(s);
	assert_int_equal(s->nkey, 1);
	sim_key(s, s->key_id, 3, "");
	assert_true(key_is_zero(&s->c.offered));
	sim_advance(s, 600000);
	suspicious_close(s);
	assert_int_equal(s->nkey, 2);
	sim_key(s, s->key_id, 5, "");
	assert_true(key_equal(&s->c.offered, &five));
	assert_true(key_equal(login_pin(&s->c, &src), &three));
	assert_int_equal(src, PIN_CONFIG);
	assert_int_equal(s->disk_profile.pin_source, PIN_NONE);
	free(s);
}

/* rows: KEY-01 KEY-08 */
static void
configured_key_that_is_taken_away(void **state)
{
	struct sim *s = sim_new();
	struct config next;
	unsigned n;

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_ok(s);
	sim_live(s);
	n = s->nstart;
	next = s->cfg;
	next.server_key = sim_server_key(0);
	sim_reload(s, &next);
	assert_int_equal(s->nkey, 1); /* trust on first use, as at a start */
	sim_closed(s, "");
	assert_int_equal(s->nstart, n); /* with no key there is no connection */
	sim_key(s, s->key_id, 0, "no answer");
	assert_string_equal(sim_err(s), "no answer");
	sim_simple(s, LE_PAUSE);
	sim_advance(s, 60000);
	assert_int_equal(s->nkey, 1);
	sim_simple(s, LE_UNPAUSE);
	assert_int_equal(s->nkey, 2);
	sim_key(s, s->key_id, 4, "");
	assert_int_equal(s->nstart, n + 1);
	assert_int_equal(s->disk_profile.pin_source, PIN_FIRST_USE);
	sim_live(s);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	free(s);
}

/* rows: KEY-01 PERS-06 */
static void
configured_key_that_is_taken_away_while_the_disk_is_full(void **state)
{
	struct sim *s = sim_new();
	struct config next;

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, WITH_KEY);
	s->disk_full = 1;
	sim_ok(s); /* taken, but not saved */
	next = s->cfg;
	next.server_key = sim_server_key(0);
	sim_reload(s, &next);
	assert_int_equal(s->c.map, MAP_STOPPING); /* what was prepared, was so with that key */
	sim_closed(s, "");
	s->disk_full = 0;
	sim_advance(s, 1000);
	assert_true(s->c.logged_in);
	assert_int_equal(s->nkey, 1);
	assert_int_equal(s->c.map, MAP_NONE);
	sim_key(s, s->key_id, 4, "");
	assert_int_equal(s->c.map, MAP_STREAM);
	free(s);
}

/* rows: KEY-08 OUT-05 */
static void
accepted_during_a_fetch(void **state)
{
	struct sim *s = sim_new();
	struct login_event accept = { .type = LE_ACCEPT_KEY };
	struct config next;
	struct pubkey five = sim_server_key(5);

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_ok(s);
	next = s->cfg;
	next.server_key = sim_server_key(0);
	sim_reload(s, &next);
	sim_logout(s, 0);
	assert_int_equal(s->c.op, OP_KEY);
	accept.u.accept = five;
	sim_event(s, &accept);
	sim_key(s, s->key_id, 4, ""); /* the last command wins */
	assert_true(key_equal(login_pin(&s->c, NULL), &five));
	assert_int_equal(s->disk_profile.pin_source, PIN_ACCEPTED);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGOUT);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_by_url),
		cmocka_unit_test(second_login_replaces_the_first),
		cmocka_unit_test(late_result_changes_nothing),
		cmocka_unit_test(forced_new_key_on_a_running_node),
		cmocka_unit_test(another_url_and_the_same_again),
		cmocka_unit_test(followup_survives_a_lost_connection),
		cmocka_unit_test(pause_during_the_visit),
		cmocka_unit_test(restart_during_the_visit),
		cmocka_unit_test(followup_that_ends_expired_starts_anew),
		cmocka_unit_test(followups_that_end_at_once_are_no_loop),
		cmocka_unit_test(changed_server_key_is_refused_until_accepted),
		cmocka_unit_test(changed_server_key_is_configured),
		cmocka_unit_test(false_alarm),
		cmocka_unit_test(suspicion_during_a_login),
		cmocka_unit_test(configured_key_and_another_one),
		cmocka_unit_test(configured_key_that_is_taken_away),
		cmocka_unit_test(configured_key_that_is_taken_away_while_the_disk_is_full),
		cmocka_unit_test(accepted_during_a_fetch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
