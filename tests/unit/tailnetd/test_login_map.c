/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "util_loginsim.h"

/* login.c, row by row: pause, the map stream, errors, reloads. */

/* --- pause --- */

/* rows: PAU-01 PAU-02 STAT-03 */
static void
pause_and_unpause(void **state)
{
	struct sim *s = sim_synced();
	unsigned i, starts;

	(void)state;
	for (i = 0; i < 8; i++) { /* a backoff that must not outlive the pause */
		sim_closed(s, "connection lost");
		sim_advance(s, 2000);
	}
	sim_simple(s, LE_PAUSE);
	assert_int_equal(s->stop_drop, 0);
	assert_int_equal(login_state(&s->c), LS_AUTHENTICATED);
	sim_closed(s, "cancelled");
	assert_string_equal(sim_err(s), ""); /* what was meant is no error */
	starts = s->nstart;
	sim_advance(s, 60000);
	assert_int_equal(s->nstart, starts);
	assert_int_equal(s->disk_profile.paused, 1);
	sim_simple(s, LE_UNPAUSE);
	assert_int_equal(s->nstart, starts + 1);
	assert_int_equal(s->disk_profile.paused, 0);
	sim_closed(s, "connection lost");
	assert_in_range(s->timer_ms[LT_MAP], 5, 15);
	free(s);
}

/* rows: PAU-03 */
static void
fast_pauses(void **state)
{
	struct sim *s = sim_synced();
	unsigned i, starts = s->nstart, stops = s->nstop;

	(void)state;
	for (i = 0; i < 100; i++) {
		sim_simple(s, LE_PAUSE);
		sim_simple(s, LE_PAUSE);
		sim_simple(s, LE_UNPAUSE);
	}
	assert_int_equal(s->nstop, stops + 1); /* the rest happened while the first was under way */
	assert_int_equal(s->nstart, starts);
	sim_closed(s, "");
	assert_int_equal(s->nstart, starts + 1);
	free(s);
}

/* rows: PAU-04 */
static void
started_paused(void **state)
{
	struct sim *s = sim_synced();
	unsigned n;

	(void)state;
	s->cfg.start_paused = 1;
	n = s->nreg + s->nstart + s->nkey;
	sim_boot(s);
	sim_login(s, 0);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg + s->nstart + s->nkey, n);
	assert_true(s->mem.node != 0 && s->c.profile.user_id == 7);
	sim_simple(s, LE_UNPAUSE);
	sim_ok(s);
	assert_true(s->c.logged_in);
	free(s);
}

/* rows: PAU-05 */
static void
logout_while_paused(void **state)
{
	struct sim *s = sim_synced();

	(void)state;
	sim_simple(s, LE_PAUSE);
	sim_closed(s, "");
	sim_logout(s, 0);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGOUT);
	sim_simple(s, LE_PAUSE); /* does not stop it */
	assert_int_equal(s->ncancel, 0);
	sim_ok(s);
	assert_true(s->ndone == 1 && s->done.u.done.ok);
	assert_true(s->stop_drop == 1);
	free(s);
}

/* --- map, backoff --- */

/* rows: STAT-01 STAT-02 STAT-05 BACK-06 */
static void
lost_stream(void **state)
{
	struct sim *s = sim_synced();
	const char *text;

	(void)state;
	sim_closed(s, "initial fetch failed 404: node not found");
	assert_int_equal(login_state(&s->c), LS_AUTHENTICATED);
	assert_int_equal(login_error(&s->c, &text), SRC_MAP);
	assert_true(login_logged_in(&s->c));
	sim_advance(s, 20);
	sim_live(s);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	assert_string_equal(sim_err(s), "");
	assert_int_equal(s->nfinished, 1); /* once per login */
	free(s);
}

/* rows: BACK-02 BACK-03 */
static void
map_backoff(void **state)
{
	struct sim *s = sim_synced();
	unsigned n = s->nstart;
	uint64_t end = s->ms + 30000;

	(void)state;
	while (s->ms < end) { /* a full map each time, then closed at once */
		if (s->c.map == MAP_STREAM) {
			sim_live(s);
			sim_closed(s, "unexpected EOF");
		}
		sim_advance(s, 5);
	}
	assert_in_range(s->nstart - n, 10, 30);
	while (s->c.map != MAP_STREAM)
		sim_advance(s, 1000);
	sim_live(s);
	sim_advance(s, 9000);
	sim_closed(s, "unexpected EOF");
	assert_true(s->timer_ms[LT_MAP] > 1000); /* 9 s are not enough */
	while (s->c.map != MAP_STREAM)
		sim_advance(s, 1000);
	sim_live(s);
	sim_advance(s, 10000);
	sim_closed(s, "unexpected EOF");
	assert_in_range(s->timer_ms[LT_MAP], 5, 15);
	free(s);
}

/* rows: BACK-01 */
static void
separate_counters(void **state)
{
	struct sim *s = sim_synced();
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		sim_closed(s, "connection refused");
		sim_advance(s, 60000);
	}
	sim_login(s, INTERACTIVE);
	sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "lost");
	assert_in_range(s->timer_ms[LT_AUTH], 5, 15);
	sim_closed(s, "connection refused");
	assert_in_range(s->timer_ms[LT_MAP], 21 * 21 * 5, 21 * 21 * 15);
	free(s);

	s = sim_synced();
	sim_login(s, INTERACTIVE);
	for (i = 0; i < 20; i++) {
		sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "lost");
		sim_advance(s, s->timer_ms[LT_AUTH]);
	}
	sim_closed(s, "connection refused"); /* its stream was a good one */
	assert_in_range(s->timer_ms[LT_MAP], 5, 15);
	sim_advance(s, 20);
	sim_closed(s, "connection refused");
	assert_in_range(s->timer_ms[LT_MAP], 20, 60);
	sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "lost");
	assert_in_range(s->timer_ms[LT_AUTH], 21 * 21 * 5, 21 * 21 * 15);
	free(s);
}

/* rows: BACK-05 */
static void
rate_limited(void **state)
{
	struct sim *s = sim_new();
	struct login_event e = { .type = LE_REG };
	static const struct {
		uint32_t said, min, max;
	} cases[] = { { 0, 1000, 1000 }, { 7000, 7000, 7000 }, { UINT32_MAX, 3600000, 3600000 } };
	unsigned i, n;

	(void)state;
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_key(s, s->key_id, 9, "");
	for (i = 0; i < 3; i++) {
		e.id = s->reg.id;
		e.u.reg.outcome = IPC_REG_RATE_LIMITED;
		e.u.reg.retry_after_ms = cases[i].said;
		e.u.reg.err = "too many registrations";
		e.u.reg.url = "";
		sim_event(s, &e);
		assert_in_range(s->timer_ms[LT_AUTH], cases[i].min, cases[i].max);
		assert_string_equal(sim_err(s), "too many registrations");
		n = s->nreg;
		sim_advance(s, cases[i].min - 1);
		assert_int_equal(s->nreg, n);
		sim_advance(s, 1);
		assert_int_equal(s->nreg, n + 1);
	}
	sim_ok(s);
	assert_true(s->c.logged_in);
	free(s);
}

/* rows: BACK-04 */
static void
commands_cut_waits_short(void **state)
{
	struct sim *s = sim_synced();
	unsigned i, n;

	(void)state;
	for (i = 0; i < 60; i++) {
		sim_closed(s, "connection refused");
		sim_advance(s, 60000);
	}
	sim_closed(s, "connection refused");
	assert_true(s->timer_ms[LT_MAP] >= 15000);
	n = s->nstart;
	sim_simple(s, LE_RECONNECT);
	assert_int_equal(s->nstart, n + 1);
	sim_closed(s, "connection refused");
	assert_in_range(s->timer_ms[LT_MAP], 5, 15); /* backoff reset */
	for (i = 0; i < 60; i++) {
		sim_closed(s, "connection refused");
		sim_advance(s, 60000);
	}
	sim_closed(s, "connection refused");
	n = s->nstart;
	sim_login(s, 0);
	sim_ok(s);
	assert_int_equal(s->nstart, n + 1);
	sim_closed(s, "connection refused");
	assert_in_range(s->timer_ms[LT_MAP], 5, 15);
	sim_logout(s, 0);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGOUT);
	free(s);
}

/* rows: STAT-03 */
static void
reconnect_is_no_error(void **state)
{
	struct sim *s = sim_synced();
	uint32_t old = s->map.id;

	(void)state;
	sim_simple(s, LE_RECONNECT);
	sim_simple(s, LE_RECONNECT);
	assert_int_equal(s->nstop, 1);
	sim_closed(s, "");
	assert_int_not_equal(s->map.id, old);
	sim_live(s);
	assert_string_equal(sim_err(s), "");
	assert_int_equal(s->nfinished, 1);
	free(s);
}

/* rows: PRIV-03 */
static void
children_come_and_go(void **state)
{
	struct sim *s = sim_synced();
	unsigned n = s->nstart;

	(void)state;
	sim_simple(s, LE_MAPD_GONE);
	assert_int_equal(s->nstart, n + 1);
	assert_int_equal(login_state(&s->c), LS_AUTHENTICATED);
	assert_string_equal(sim_err(s), "");
	sim_live(s);
	sim_login(s, WITH_KEY);
	n = s->nreg;
	sim_simple(s, LE_AUTHD_GONE);
	assert_int_equal(s->nreg, n + 1);
	sim_simple(s, LE_AUTHD_GONE);
	sim_ok(s);
	sim_simple(s, LE_AUTHD_GONE); /* idle: no effect */
	assert_int_equal(s->nreg, n + 2);
	free(s);
}

/* rows: STAT-05 */
static void
errors_by_source(void **state)
{
	struct sim *s = sim_synced();
	struct login_event e = { .type = LE_LITE, .id = s->map.id, .u.result = { 0, "HTTP 500" } };
	const char *text;

	(void)state;
	sim_event(s, &e);
	assert_int_equal(login_error(&s->c, &text), SRC_UPDATE);
	e.u.result.ok = 1;
	sim_event(s, &e);
	assert_string_equal(sim_err(s), "");
	e.u.result.ok = 0;
	sim_event(s, &e);
	sim_login(s, 0);
	assert_string_equal(sim_err(s), ""); /* until the next login */
	sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "no");
	assert_int_equal(login_error(&s->c, &text), SRC_AUTH);
	e.u.result.ok = 1;
	sim_event(s, &e);
	assert_string_equal(sim_err(s), "no"); /* another source's success */
	sim_closed(s, "connection lost");      /* the latest is shown */
	assert_int_equal(login_error(&s->c, &text), SRC_MAP);
	assert_string_equal(text, "connection lost");
	sim_advance(s, 20);
	sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "no, again");
	assert_int_equal(login_error(&s->c, &text), SRC_AUTH);
	sim_live(s);
	assert_string_equal(sim_err(s), "no, again");
	sim_simple(s, LE_PAUSE);
	assert_string_equal(sim_err(s), "");
	sim_simple(s, LE_UNPAUSE);
	sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "no");
	sim_logout(s, 0);
	assert_string_equal(sim_err(s), "");
	free(s);
}

/* --- configuration --- */

/* rows: PERS-02 */
static void
manual_login(void **state)
{
	struct sim *s = sim_synced();
	unsigned n = s->nreg;

	(void)state;
	s->cfg.login_manual = 1;
	sim_boot(s);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n);
	assert_int_equal(login_state(&s->c), LS_NEW);
	sim_login(s, 0);
	assert_int_equal(s->nreg, n + 1);
	free(s);
}

/* rows: REG-11 */
static void
ephemeral_goes_with_the_first_request_only(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, EPHEMERAL);
	assert_true(s->reg.u.reg.ephemeral);
	sim_url(s, "https://c/a");
	assert_false(s->reg.u.reg.ephemeral);
	free(s);
}

/* rows: REG-05 PERS-02 */
static void
reload_brings_an_auth_key(void **state)
{
	enum { NEW, MANUAL, LOGGED_OUT, LOGGED_IN, CASES };
	int k;

	(void)state;
	for (k = 0; k < CASES; k++) {
		struct sim *s = k == LOGGED_IN || k == LOGGED_OUT ? sim_synced() : sim_new();
		struct config next;
		unsigned n;

		s->cfg.server_key = sim_server_key(3);
		s->cfg.login_manual = k == MANUAL;
		if (k == LOGGED_OUT) {
			sim_logout(s, 0);
			sim_ok(s);
			sim_closed(s, "");
		} else if (k != LOGGED_IN) {
			sim_boot(s);
		}
		n = s->nreg;
		next = s->cfg;
		strlcpy(next.auth_key_file, SIM_AUTH_KEY_FILE, sizeof(next.auth_key_file));
		sim_reload(s, &next);
		assert_int_equal(s->nreg, n + (k == NEW)); /* no other login waits for it, or needs it */
		if (k == NEW)
			assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_CONFIGURED);
		sim_advance(s, 60000);
		assert_int_equal(s->nreg, n + (k == NEW));
		sim_reload(s, &next); /* and not once more */
		assert_int_equal(s->nreg, n + (k == NEW));
		free(s);
	}
}

/* A reload that changes no part of it neither begins a login nor ends one. */
/* rows: EXP-04 INT-01 */
static void
reload_without_news(void **state)
{
	struct sim *s = expiring(0);
	struct config next;
	unsigned n;

	(void)state;
	sim_advance(s, 4000);
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	sim_url(s, "https://c/a");
	n = s->nreg;
	next = s->cfg;
	sim_reload(s, &next);
	assert_string_equal(s->c.goal.url, "https://c/a");
	assert_int_equal(s->nreg, n);
	free(s);

	s = sim_synced();
	sim_auth_key(s, 1);
	sim_boot(s);
	sim_logout(s, 0);
	sim_reg(s, s->reg.id, IPC_REG_HTTP, "", "500"); /* and so neither logged in nor out */
	n = s->nreg;
	next = s->cfg;
	sim_reload(s, &next);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n);
	free(s);
}

/* rows: EXP-04 */
static void
reload_changes_on_expiry(void **state)
{
	struct sim *s = expiring(1);
	struct config next;
	unsigned n = s->nreg;

	(void)state;
	sim_advance(s, 4000);
	assert_int_equal(s->nreg, n);
	next = s->cfg;
	next.expiry_wait = 0;
	sim_reload(s, &next);
	sim_advance(s, 100);
	assert_int_equal(s->nreg, n + 1);
	next.expiry_wait = 1; /* and cancels the automatic login */
	sim_reload(s, &next);
	assert_int_equal(s->cancelled, s->reg.id);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n + 1);
	assert_int_equal(login_state(&s->c), LS_NOT_AUTHENTICATED);
	sim_login(s, 0); /* requested by a user: that stays */
	sim_reload(s, &next);
	assert_int_equal(s->nreg, n + 2);
	assert_int_equal(login_state(&s->c), LS_AUTHENTICATING);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pause_and_unpause),
		cmocka_unit_test(fast_pauses),
		cmocka_unit_test(started_paused),
		cmocka_unit_test(logout_while_paused),
		cmocka_unit_test(lost_stream),
		cmocka_unit_test(map_backoff),
		cmocka_unit_test(separate_counters),
		cmocka_unit_test(rate_limited),
		cmocka_unit_test(commands_cut_waits_short),
		cmocka_unit_test(reconnect_is_no_error),
		cmocka_unit_test(children_come_and_go),
		cmocka_unit_test(errors_by_source),
		cmocka_unit_test(manual_login),
		cmocka_unit_test(ephemeral_goes_with_the_first_request_only),
		cmocka_unit_test(reload_brings_an_auth_key),
		cmocka_unit_test(reload_without_news),
		cmocka_unit_test(reload_changes_on_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
