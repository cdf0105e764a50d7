/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>

#include "timefmt.h"
#include "util_loginsim.h"

/* login.c, row by row: registering, auth keys, rotation, and what is saved when. */

/* --- key and register --- */

/* rows: KEY-01 REG-01 STAT-01 */
static void
login_by_auth_key(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	sim_auth_key(s, 1);
	sim_boot(s);
	assert_int_equal(s->nkey, 1);
	assert_int_equal(s->nreg + s->nstart, 0); /* the key first, nothing beside it */
	sim_key(s, s->key_id, 9, "");
	assert_int_equal(s->nkey, 1);
	assert_int_equal(s->nreg, 1);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGIN);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_CONFIGURED);
	assert_true(s->reg.u.reg.candidate);
	sim_ok(s);
	assert_int_equal(s->nbrowse, 0);
	assert_int_equal(s->map.u.map.prepare, 0);
	sim_live(s);
	STATES(s, LS_NEW, LS_AUTHENTICATING, LS_AUTHENTICATED, LS_SYNCHRONIZED);
	assert_int_equal(s->nfinished, 1);
	assert_true(s->disk.node != 0 && s->disk.node == s->reg_keys.cand);
	assert_int_equal(s->disk_profile.user_id, 7);
	free(s);
}

/* rows: KEY-01 */
static void
pinned_key_is_not_fetched(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_auth_key(s, 1);
	sim_boot(s);
	assert_int_equal(s->nkey, 0);
	assert_int_equal(s->nreg, 1);
	free(s);
}

/* rows: KEY-03 BACK-04 */
static void
key_failure_backs_off(void **state)
{
	struct login_event none = { .type = LE_KEY, .u.key = { .ok = 1, .err = "" } };
	struct sim *s = sim_new();
	unsigned i;

	(void)state;
	sim_boot(s);
	sim_login(s, 0);
	for (i = 1; i <= 5; i++) {
		assert_int_equal(s->nkey, i);
		sim_key(s, s->key_id, 0, "server too old");
		assert_string_equal(sim_err(s), "server too old");
		assert_int_equal(s->nkey, i);
		assert_in_range(s->timer_ms[LT_AUTH], i * i * 5, i * i * 15);
		sim_advance(s, i * i * 15);
	}
	sim_key(s, s->key_id, 0, "server too old");
	sim_login(s, 0); /* cuts the wait short */
	assert_int_equal(s->nkey, 7);
	assert_string_equal(sim_err(s), "");
	assert_int_equal(s->nreg + s->nstart, 0);
	sim_key(s, s->key_id, 0, "server too old");
	assert_in_range(s->timer_ms[LT_AUTH], 5, 15); /* and the pauses start from the beginning */
	sim_advance(s, 20);
	none.id = s->key_id;
	sim_event(s, &none); /* an answer without a key is no key */
	assert_true(sim_err(s)[0] != '\0' && s->nreg == 0 && s->disk_profile.pin_source == PIN_NONE);
	sim_advance(s, 100);
	sim_key(s, s->key_id, 9, "");
	assert_string_equal(sim_err(s), "");
	assert_int_equal(s->disk_profile.pin_source, PIN_FIRST_USE);
	assert_true(time_cmp(s->disk_profile.pin_since, s->wall) == 0);
	free(s);
}

/* The server may have stored the key before its error: the same one is tried again, without another save. */
/* rows: REG-04 PERS-06 */
static void
refused_key_is_tried_again(void **state)
{
	struct sim *s = sim_new();
	struct sim_keys written = { 0, 0, 1 };
	unsigned saves, i;

	(void)state;
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_key(s, s->key_id, 9, "");
	assert_memory_equal(&s->disk, &written, sizeof(written));
	saves = s->saves;
	for (i = 1; i < 8; i++) {
		sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "invalid key: unable to validate");
		assert_string_equal(sim_err(s), "invalid key: unable to validate");
		assert_int_equal(s->nreg, i);
		sim_advance(s, 2000);
		assert_int_equal(s->nreg, i + 1);
		assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_GIVEN);
		assert_int_equal(s->reg_keys.cand, 1);
	}
	assert_int_equal(s->saves, saves);
	assert_memory_equal(&s->disk, &written, sizeof(written));
	sim_ok(s);
	assert_int_equal(s->disk.node, 1);
	assert_int_equal(s->disk.cand, 0);
	free(s);
}

/* rows: REG-05 PERS-02 */
static void
restart_keeps_the_key(void **state)
{
	struct sim *s = sim_synced();
	int node = s->disk.node;

	(void)state;
	sim_auth_key(s, 1);
	sim_boot(s);
	assert_int_equal(s->nkey, 1); /* that of the first life */
	assert_int_equal(s->reg.u.reg.candidate, 0);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_NONE);
	assert_int_equal(s->map.u.map.prepare, 1); /* mapd connects meanwhile */
	sim_ok(s);
	assert_int_equal(s->map.u.map.prepare, 0);
	sim_live(s);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	assert_int_equal(s->disk.node, node);
	free(s);
}

/* rows: REG-05 INT-06 */
static void
interactive_login_leaves_the_configured_key(void **state)
{
	struct sim *s = sim_synced();

	(void)state;
	sim_auth_key(s, 1);
	sim_login(s, INTERACTIVE);
	assert_true(s->reg.u.reg.op == IPC_REG_LOGIN && s->reg.u.reg.candidate);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_NONE);
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	sim_advance(s, 20);
	assert_int_equal(s->nreg, 3);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_NONE); /* nor later */
	sim_login(s, INTERACTIVE | WITH_KEY);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_GIVEN);
	free(s);
}

/* rows: REG-06 EXP-05 */
static void
expired_at_the_server_regenerates_once(void **state)
{
	struct sim *s = sim_synced();
	int node = s->disk.node;
	unsigned n;

	(void)state;
	sim_boot(s);
	n = s->nreg;
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	assert_int_equal(s->nreg, n + 1);
	assert_true(s->reg.u.reg.candidate); /* OldNodeKey is the current key */
	assert_int_equal(s->reg_keys.node, node);
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	assert_int_equal(s->nreg, n + 1); /* no third in this attempt */
	assert_true(sim_err(s)[0] != '\0');
	assert_int_equal(s->disk.node, node);
	free(s);
}

/* rows: REG-07 REG-10 */
static void
profile_follows_the_answers(void **state)
{
	struct sim *s = sim_synced();
	struct login_event e = { .type = LE_REG };

	(void)state;
	sim_login(s, 0);
	e.id = s->reg.id;
	e.u.reg.outcome = IPC_REG_OK;
	e.u.reg.url = e.u.reg.err = "";
	e.u.reg.user = (struct login_user){ 8, "anna.b@example.com", "Anna B", "" };
	sim_event(s, &e);
	assert_string_equal(s->disk_profile.login_name, "anna.b@example.com");
	assert_int_equal(s->disk_profile.user_id, 8);
	sim_closed(s, "");
	sim_login(s, 0);
	e.id = s->reg.id;
	e.u.reg.user = (struct login_user){ 0, "", "", "" };
	sim_event(s, &e);
	assert_string_equal(s->disk_profile.login_name, "anna.b@example.com");
	assert_true(s->c.logged_in);
	free(s);
}

/* rows: REG-12 ROT-05 */
static void
auth_key_goes_with_a_key_that_is_on_disk(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_key(s, s->key_id, 9, "");
	assert_int_equal(s->reg_disk_cand, s->reg_keys.cand);
	assert_int_equal(s->disk.node, 0);
	/* The server accepts it, and we crash before reading the answer. */
	sim_auth_key(s, 1);
	sim_boot(s);
	assert_int_equal(s->reg_keys.cand, 1);
	assert_true(s->reg.u.reg.candidate);
	sim_ok(s);
	assert_int_equal(s->disk.node, 1);
	assert_int_equal(s->disk.cand, 0);
	assert_int_equal(s->nforget, 0);
	free(s);
}

/*
 * Whatever happens between: a one-off key may have been used up for that candidate, and is worth nothing for another.
 */
/* rows: ROT-05 REG-05 */
static void
candidate_that_may_be_taken_is_tried_again(void **state)
{
	enum { PAUSED, RECONNECTED, LOST, HTTP, LIMITED, CHILD_GONE, KEY_ACCEPTED, WAYS };
	struct login_event accept = { .type = LE_ACCEPT_KEY };
	int way, cand;

	(void)state;
	for (way = 0; way < WAYS; way++) {
		struct sim *s = sim_new();

		s->cfg.server_key = sim_server_key(way == KEY_ACCEPTED ? 0 : 3);
		s->disk_profile.server_key = sim_server_key(3);
		sim_boot(s);
		sim_login(s, WITH_KEY);
		cand = s->reg_keys.cand;
		assert_true(s->nreg == 1 && cand != 0 && s->disk.cand == cand);
		switch (way) {
		case PAUSED:
			sim_simple(s, LE_PAUSE);
			sim_simple(s, LE_UNPAUSE);
			break;
		case RECONNECTED: sim_simple(s, LE_RECONNECT); break;
		case LOST: sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "lost"); break;
		case HTTP: sim_reg(s, s->reg.id, IPC_REG_HTTP, "", "500"); break;
		case LIMITED: sim_reg(s, s->reg.id, IPC_REG_RATE_LIMITED, "", "429"); break;
		case CHILD_GONE: sim_simple(s, LE_AUTHD_GONE); break;
		case KEY_ACCEPTED:
			accept.u.accept = sim_server_key(4);
			sim_event(s, &accept);
			break;
		}
		sim_advance(s, 1001);
		assert_int_equal(s->nreg, 2);
		assert_int_equal(s->reg_keys.cand, cand);
		assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_GIVEN);
		sim_ok(s);
		assert_int_equal(s->disk.node, cand);
		assert_string_equal(sim_err(s), "");
		free(s);
	}
}

/* rows: INT-01 REG-12 */
static void
auth_key_that_leads_to_a_url(void **state)
{
	struct sim *s = sim_new();
	int cand;

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, WITH_KEY);
	cand = s->reg_keys.cand;
	assert_int_equal(s->disk.cand, cand);
	sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "lost");
	sim_advance(s, 20);
	sim_url(s, "https://c/a"); /* so it was not accepted: a candidate like any other */
	assert_string_equal(sim_err(s), "");
	assert_true(s->disk.cand == 0 && !s->disk_profile.candidate);
	assert_int_equal(s->reg_keys.cand, cand);
	sim_ok(s);
	assert_int_equal(s->disk.node, cand);
	free(s);
}

/* A rotation that was accepted, but is not on the disk yet, survives a pause. */
/* rows: ROT-05 PERS-06 */
static void
commit_that_waits_survives_a_pause(void **state)
{
	struct sim *s = sim_synced();
	int cand;

	(void)state;
	sim_login(s, INTERACTIVE | WITH_KEY);
	cand = s->reg_keys.cand;
	s->disk_full = 1;
	sim_ok(s);
	sim_simple(s, LE_PAUSE);
	s->disk_full = 0;
	sim_advance(s, 60000);
	sim_closed(s, "");
	sim_simple(s, LE_UNPAUSE);
	assert_int_equal(s->reg_keys.cand, cand);
	sim_ok(s);
	assert_int_equal(s->disk.node, cand);
	free(s);
}

/* rows: PAU-02 */
static void
connection_for_the_map_is_prepared_once(void **state)
{
	struct sim *s = sim_synced();
	unsigned starts;

	(void)state;
	sim_boot(s); /* warm start: with the node key */
	assert_true(s->map.u.map.prepare && !s->map.u.map.candidate);
	starts = s->nstart;
	sim_closed(s, "connection refused");
	assert_string_equal(sim_err(s), ""); /* it was not requested */
	assert_int_equal(s->nstart, starts);
	sim_reg(s, s->reg.id, IPC_REG_HTTP, "", "500");
	sim_advance(s, 20);
	assert_int_equal(s->nstart, starts); /* this login may take its time */
	sim_login(s, 0);
	assert_int_equal(s->nstart, starts + 1); /* the next may succeed at once */
	sim_reg(s, s->reg.id, IPC_REG_HTTP, "", "500");
	assert_int_equal(s->nstop, 1);
	sim_closed(s, "");
	sim_advance(s, 20);
	assert_int_equal(s->nstart, starts + 1);
	sim_login(s, INTERACTIVE | WITH_KEY); /* with the future key */
	assert_true(s->map.u.map.prepare && s->map.u.map.candidate);
	free(s);
}

/* rows: REG-12 */
static void
auth_key_is_forgotten(void **state)
{
	struct sim *s = sim_synced();

	(void)state;
	assert_int_equal(s->nforget, 1);
	sim_login(s, WITH_KEY);
	sim_login(s, 0);
	assert_int_equal(s->nforget, 2);
	sim_login(s, WITH_KEY);
	sim_logout(s, 0);
	assert_int_equal(s->nforget, 3);
	sim_login(s, WITH_KEY); /* waits for the logout */
	sim_logout(s, 0);
	assert_int_equal(s->nforget, 4);
	sim_login(s, WITH_KEY);
	sim_login(s, 0); /* takes its place */
	assert_int_equal(s->nforget, 5);
	free(s);
}

/* rows: ROT-05 */
static void
candidate_of_an_earlier_life_does_not_hide_the_current_key(void **state)
{
	struct sim *s = sim_synced();
	int node = s->disk.node;

	(void)state;
	sim_simple(s, LE_PAUSE);
	sim_closed(s, "");
	sim_logout(s, 0);
	sim_reg(s, s->reg.id, IPC_REG_HTTP, "", "500");
	sim_simple(s, LE_UNPAUSE);
	sim_login(s, WITH_KEY | INTERACTIVE);
	assert_int_not_equal(s->disk.cand, 0);
	sim_boot(s);                                 /* crash; the server never saw it */
	assert_int_equal(s->reg.u.reg.candidate, 0); /* the current one is asked with first */
	sim_ok(s);
	assert_int_equal(s->disk.node, node);
	assert_int_equal(s->disk.cand, 0);
	free(s);
}

/* --- rotation and saving --- */

/* rows: ROT-01 */
static void
plain_login_keeps_the_key(void **state)
{
	struct sim *s = sim_synced();
	int node = s->disk.node;

	(void)state;
	sim_login(s, 0);
	assert_int_equal(s->reg.u.reg.candidate, 0);
	sim_ok(s);
	sim_closed(s, "");
	sim_live(s);
	assert_int_equal(s->disk.node, node);
	assert_int_equal(s->stop_drop, 0);
	assert_int_equal(s->nfinished, 2);
	sim_login(s, WITH_KEY); /* interface.md 3: also with a key */
	assert_int_equal(s->reg.u.reg.candidate, 0);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_GIVEN);
	free(s);
}

/* rows: ROT-05 PERS-06 */
static void
nothing_depends_on_a_key_that_is_not_saved(void **state)
{
	struct sim *s = sim_synced();
	struct sim_keys before = s->disk;
	unsigned starts = s->nstart, stops = s->nstop;

	(void)state;
	sim_self(s, later, 0, 1);
	sim_login(s, INTERACTIVE);
	sim_url(s, "https://c/a");
	s->disk_full = 1;
	sim_ok(s);
	assert_string_equal(sim_err(s), "disk full");
	assert_true(time_cmp(s->c.profile.node_key_expiry, later) == 0);
	assert_int_equal(login_error(&s->c, &(const char *){ NULL }), SRC_STATE);
	assert_int_equal(s->mem.node, before.node); /* the old key stays current */
	assert_int_equal(s->nstart, starts);
	assert_int_equal(s->nstop, stops);
	assert_int_equal(s->nfinished, 1);
	sim_advance(s, 1000);
	assert_int_equal(s->nfinished, 1);
	s->disk_full = 0;
	sim_advance(s, 10000);
	assert_int_equal(s->nfinished, 2);
	s->disk_full = 1; /* once more: the pauses start from the beginning */
	sim_simple(s, LE_PAUSE);
	assert_in_range(s->timer_ms[LT_SAVE], 5, 15);
	s->disk_full = 0;
	sim_simple(s, LE_UNPAUSE);
	assert_int_equal(s->disk.old, before.node);
	assert_true(time_is_none(s->disk_profile.node_key_expiry));
	assert_int_equal(s->nstop, stops + 1);
	assert_string_equal(sim_err(s), "");
	free(s);
}

/* rows: ROT-05 PERS-06 */
static void
write_ahead_that_fails_sends_nothing(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	s->disk_full = 1;
	sim_login(s, WITH_KEY);
	assert_int_equal(s->nreg, 0);
	assert_string_equal(sim_err(s), "disk full");
	s->disk_full = 0;
	sim_advance(s, 100);
	assert_int_equal(s->nreg, 1);
	assert_int_equal(s->reg_disk_cand, s->reg_keys.cand);
	free(s);
}

/* rows: PERS-05 */
static void
old_session_does_not_write_back(void **state)
{
	struct sim *s = sim_synced();
	uint32_t old_map = s->map.id;
	struct login_event e = { .type = LE_SELF, .id = old_map };
	unsigned saves;

	(void)state;
	sim_login(s, INTERACTIVE);
	sim_ok(s);
	saves = s->saves;
	e.u.self.expiry = soon;
	e.u.self.user = (struct login_user){ 1, "old", "old", "" };
	sim_event(s, &e);
	assert_int_equal(s->saves, saves);
	assert_true(time_is_none(s->c.profile.node_key_expiry));
	sim_event(s, &(struct login_event){ .type = LE_CLOSED, .id = old_map, .u.closed = { .err = "" } });
	sim_event(s, &e);
	assert_true(time_is_none(s->c.profile.node_key_expiry));
	free(s);
}

/* rows: ROT-04 PRIV-03 */
static void
mapd_that_does_not_stop_is_killed(void **state)
{
	struct sim *s = sim_synced();
	unsigned starts = s->nstart;

	(void)state;
	sim_login(s, INTERACTIVE);
	sim_ok(s);
	sim_advance(s, 5000);
	assert_int_equal(s->nkill, 1);
	assert_int_equal(s->nstart, starts);
	sim_simple(s, LE_MAPD_GONE);
	assert_int_equal(s->nstart, starts + 1);
	assert_string_equal(sim_err(s), "");
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_by_auth_key),
		cmocka_unit_test(pinned_key_is_not_fetched),
		cmocka_unit_test(key_failure_backs_off),
		cmocka_unit_test(refused_key_is_tried_again),
		cmocka_unit_test(restart_keeps_the_key),
		cmocka_unit_test(interactive_login_leaves_the_configured_key),
		cmocka_unit_test(expired_at_the_server_regenerates_once),
		cmocka_unit_test(profile_follows_the_answers),
		cmocka_unit_test(auth_key_goes_with_a_key_that_is_on_disk),
		cmocka_unit_test(candidate_that_may_be_taken_is_tried_again),
		cmocka_unit_test(auth_key_that_leads_to_a_url),
		cmocka_unit_test(commit_that_waits_survives_a_pause),
		cmocka_unit_test(connection_for_the_map_is_prepared_once),
		cmocka_unit_test(auth_key_is_forgotten),
		cmocka_unit_test(candidate_of_an_earlier_life_does_not_hide_the_current_key),
		cmocka_unit_test(plain_login_keeps_the_key),
		cmocka_unit_test(nothing_depends_on_a_key_that_is_not_saved),
		cmocka_unit_test(write_ahead_that_fails_sends_nothing),
		cmocka_unit_test(old_session_does_not_write_back),
		cmocka_unit_test(mapd_that_does_not_stop_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
