/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "timefmt.h"
#include "util_loginsim.h"

/* login.c, row by row: logout and expiry. */

/* --- logout --- */

/* rows: OUT-01 OUT-02 OUT-03 STAT-02 */
static void
logout_clears_all_but_the_machine(void **state)
{
	static const enum ipc_reg_outcome fine[] = { IPC_REG_OK, IPC_REG_KEY_EXPIRED };
	unsigned i, n;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct sim *s = sim_synced();

		sim_self(s, later, 0, 0);
		assert_false(login_cant_continue(&s->c));
		assert_true(s->disk_profile.display_name[0] != '\0' && s->disk_profile.profile_pic[0] != '\0');
		sim_logout(s, 0);
		assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGOUT);
		assert_int_equal(s->reg.u.reg.candidate, 0);
		assert_int_equal(s->ndone, 0);
		n = s->nreg;
		s->nstates = 0;
		sim_reg(s, s->reg.id, fine[i], "", "");
		assert_int_equal(s->nreg, n); /* no second request */
		assert_true(s->ndone == 1 && s->done.u.done.ok && s->done.u.done.at_server);
		assert_true(s->disk.node == 0 && s->disk.old == 0 && s->disk_profile.user_id == 0);
		assert_int_equal(s->disk_profile.want_running, 0);
		assert_true(s->nstop == 1 && s->stop_drop == 1);
		sim_closed(s, "");
		sim_advance(s, 120000);
		STATES(s, LS_NOT_AUTHENTICATED);
		assert_int_equal(s->nreg, n);
		assert_int_equal(s->timer[LT_MAP], 0);
		assert_true(time_is_none(s->disk_profile.node_key_expiry) && s->disk_profile.login_name[0] == '\0');
		assert_true(s->disk_profile.display_name[0] == '\0' && s->disk_profile.profile_pic[0] == '\0');
		assert_true(s->c.authorized && login_cant_continue(&s->c));
		sim_login(s, 0);
		assert_false(login_cant_continue(&s->c));
		assert_true(s->reg.u.reg.candidate && s->reg_keys.node == 0); /* a new key, no old one */
		free(s);
	}
}

/* rows: OUT-04 */
static void
logout_with_the_server_down(void **state)
{
	struct sim *s = sim_synced();
	int node = s->disk.node;

	(void)state;
	sim_logout(s, 0);
	sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "connection refused");
	assert_true(s->ndone == 1 && !s->done.u.done.ok);
	assert_string_equal(s->c.logout_err, "connection refused");
	assert_true(s->disk.node == node && s->c.synced); /* nothing happened */
	sim_logout(s, 1);
	sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "connection refused");
	assert_true(s->ndone == 2 && s->done.u.done.ok && !s->done.u.done.at_server);
	assert_int_equal(s->disk.node, 0);
	assert_string_equal(sim_err(s), "connection refused");
	free(s);
}

/* rows: OUT-04 */
static void
nothing_to_log_out(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	sim_boot(s);
	sim_logout(s, 0);
	assert_true(s->ndone == 1 && s->done.u.done.ok);
	assert_int_equal(s->nreg + s->nkey, 0);
	sim_logout(s, 0);
	assert_true(s->ndone == 2 && s->done.u.done.ok);
	assert_int_equal(s->nreg + s->nkey, 0);
	/* A login that has not reached the server: it is given up, and nothing is sent. */
	sim_login(s, WITH_KEY);
	assert_int_equal(s->nkey, 1);
	sim_logout(s, 0);
	assert_true(s->ndone == 3 && s->done.u.done.ok && s->done.u.done.at_server);
	assert_true(s->cancelled == s->key_id && s->nforget == 1);
	sim_key(s, s->key_id, 9, ""); /* too late */
	sim_login(s, WITH_KEY);
	sim_key(s, s->key_id, 0, "server too old"); /* and while it waits */
	sim_logout(s, 0);
	assert_true(s->ndone == 4 && s->nforget == 2 && s->timer[LT_AUTH] == 0);
	sim_advance(s, 120000);
	assert_int_equal(s->nreg, 0);
	assert_int_equal(s->nkey, 2);
	assert_int_equal(login_state(&s->c), LS_NOT_AUTHENTICATED);
	assert_int_equal(s->disk_profile.want_running, 0);
	free(s);
}

/* rows: OUT-04 */
static void
logout_does_not_wait_for_ever(void **state)
{
	struct sim *s = sim_synced();

	(void)state;
	sim_logout(s, 0);
	sim_advance(s, 31000);
	assert_true(s->ndone == 1 && !s->done.u.done.ok);
	assert_int_equal(s->cancelled, s->reg.id);
	sim_logout(s, 0);
	sim_logout(s, 1); /* joins and hurries it */
	sim_advance(s, 11000);
	assert_true(s->ndone == 2 && s->done.u.done.ok);
	assert_int_equal(s->disk.node, 0);
	free(s);
}

/* rows: OUT-05 */
static void
last_command_wins(void **state)
{
	struct sim *s = sim_synced();
	uint32_t out;

	(void)state;
	sim_logout(s, 0);
	out = s->reg.id;
	sim_login(s, 0);
	assert_int_equal(s->reg.id, out); /* neither cancelled nor undone */
	assert_int_equal(s->ncancel, 0);
	sim_ok(s);
	assert_int_equal(s->ndone, 1);
	assert_int_equal(s->disk_profile.want_running, 1);
	assert_true(s->reg.u.reg.op == IPC_REG_LOGIN && s->reg.u.reg.candidate);
	sim_ok(s);
	assert_true(s->c.logged_in);
	sim_closed(s, "");

	sim_logout(s, 0);
	sim_login(s, 0);
	sim_logout(s, 0); /* takes the waiting login back */
	sim_ok(s);
	assert_int_equal(login_state(&s->c), LS_NOT_AUTHENTICATED);
	assert_int_equal(s->disk_profile.want_running, 0);
	free(s);
}

/* rows: PERS-06 */
static void
logout_is_reported_after_the_disk(void **state)
{
	struct sim *s = sim_synced();

	(void)state;
	sim_logout(s, 0);
	s->disk_full = 1;
	sim_ok(s);
	assert_true(s->ndone == 1 && !s->done.u.done.ok);
	assert_non_null(strstr(s->c.logout_err, "disk full"));
	s->disk_full = 0;
	sim_advance(s, 1000);
	assert_int_equal(s->disk.node, 0);
	assert_int_equal(s->disk_profile.want_running, 0);
	free(s);
}

/* rows: PERS-02 */
static void
logged_out_survives_a_restart(void **state)
{
	struct sim *s = sim_synced();
	unsigned n;

	(void)state;
	sim_logout(s, 0);
	sim_ok(s);
	n = s->nreg;
	sim_auth_key(s, 1);
	sim_boot(s);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n);
	assert_int_equal(login_state(&s->c), LS_NOT_AUTHENTICATED);
	assert_true(login_cant_continue(&s->c));
	free(s);
}

/* --- expiry --- */

/* rows: EXP-01 EXP-07 */
static void
no_expiry_and_far_expiry(void **state)
{
	static const struct wtime year9999 = { INT64_C(253402300799), 0 };
	struct sim *s = sim_synced();

	(void)state;
	sim_self(s, TIME_NONE, 0, 1);
	assert_int_equal(s->timer[LT_EXPIRY], 0);
	assert_true(login_logged_in(&s->c));
	sim_self(s, later, 0, 1);
	assert_in_range(s->timer_ms[LT_EXPIRY], 1, 30000);
	sim_self(s, year9999, 0, 1);
	assert_in_range(s->timer_ms[LT_EXPIRY], 1, 30000);
	sim_advance(s, 3600 * 1000);
	assert_true(login_logged_in(&s->c));
	free(s);
}

/* rows: EXP-01 REG-10 PERS-02 */
static void
what_the_map_tells_of_ourselves_is_kept(void **state)
{
	struct sim *s = sim_synced();
	struct login_event e = { .type = LE_SELF, .id = s->map.id };

	(void)state;
	sim_self(s, later, 0, 1);
	sim_advance(s, 2000);
	sim_self(s, (struct wtime){ later.sec - 86400, 0 }, 0, 1); /* sooner, too */
	assert_true(s->disk_profile.node_key_expiry.sec == later.sec - 86400);
	sim_advance(s, 2000);
	sim_self(s, TIME_NONE, 0, 1);
	assert_true(time_is_none(s->disk_profile.node_key_expiry));
	e.u.self.expiry = TIME_NONE;
	e.u.self.authorized = 1;
	e.u.self.user = (struct login_user){ 0, "", "", "" };
	sim_advance(s, 2000);
	sim_event(s, &e); /* a server that sends no profile takes none away */
	assert_true(s->c.profile.user_id == 7 && strcmp(s->c.profile.login_name, "anna@example.com") == 0);
	e.u.self.user = (struct login_user){ 7, "", "", "" };
	sim_event(s, &e);
	assert_string_equal(s->c.profile.login_name, "anna@example.com");
	e.u.self.user = (struct login_user){ 0, "someone", "", "" };
	sim_event(s, &e);
	assert_int_equal(s->c.profile.user_id, 7);
	e.u.self.user = (struct login_user){ 7, "anna@example.com", "Anna C", "" };
	sim_event(s, &e);
	assert_string_equal(s->disk_profile.display_name, "Anna C");
	sim_advance(s, 2000);
	e.u.self.user = (struct login_user){ 8, "anna@example.com", "Anna C", "" };
	sim_event(s, &e);
	assert_int_equal(s->disk_profile.user_id, 8);
	sim_advance(s, 2000);
	e.u.self.user = (struct login_user){ 8, "anna.b@example.com", "Anna C", "" };
	sim_event(s, &e);
	assert_string_equal(s->disk_profile.login_name, "anna.b@example.com");
	free(s);
}

/* rows: EXP-02 EXP-05 */
static void
expiry_by_a_local_timer(void **state)
{
	struct sim *s = expiring(0);
	int node = s->disk.node;
	unsigned n = s->nreg;

	(void)state;
	assert_in_range(s->timer_ms[LT_EXPIRY], 2990, 3100); /* not in little steps */
	sim_advance(s, 2900);
	assert_true(login_logged_in(&s->c));
	sim_advance(s, 300);
	assert_false(login_logged_in(&s->c));
	assert_int_equal(login_state(&s->c), LS_AUTHENTICATING);
	assert_int_equal(s->nreg, n + 1);
	assert_true(!s->reg.u.reg.candidate && s->reg_keys.node == node); /* the server's word decides */
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	assert_int_equal(s->nreg, n + 2);
	assert_true(s->reg.u.reg.candidate && s->reg_keys.node == node);
	assert_true(s->c.synced); /* the stream stays */
	sim_ok(s);
	assert_int_equal(s->disk.old, node);
	assert_true(login_logged_in(&s->c) && time_is_none(s->c.profile.node_key_expiry));
	free(s);
}

/* rows: EXP-02 EXP-04 */
static void
expiry_that_waits(void **state)
{
	struct sim *s = expiring(1);
	unsigned n = s->nreg, starts = s->nstart;

	(void)state;
	sim_advance(s, 60000);
	assert_int_equal(login_state(&s->c), LS_NOT_AUTHENTICATED);
	assert_true(s->c.expired && s->c.synced);
	assert_int_equal(s->nreg, n); /* nothing is sent */
	sim_self(s, later, 0, 1);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	assert_int_equal(s->nreg, n);
	assert_int_equal(s->nstart, starts);
	assert_int_equal(s->nfinished, 1);
	free(s);
}

/* rows: EXP-07 */
static void
expired_key_is_looked_at_seldom(void **state)
{
	struct sim *s = expiring(1);

	(void)state;
	sim_advance(s, 3060);
	assert_true(s->c.expired);
	assert_int_equal(s->timer_ms[LT_EXPIRY], 30000);
	sim_advance(s, 30000); /* and so each time */
	assert_int_equal(s->timer_ms[LT_EXPIRY], 30000);
	assert_true(s->timer[LT_EXPIRY] > s->ms + 29000);
	free(s);
}

/* rows: EXP-04 */
static void
extension_drops_the_login(void **state)
{
	struct sim *s = expiring(0);
	int node = s->disk.node;

	(void)state;
	sim_advance(s, 4000);
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	sim_url(s, "https://c/a");
	assert_int_equal(login_state(&s->c), LS_URL_VISIT_REQUIRED);
	sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "lost");
	assert_string_equal(sim_err(s), "lost");
	sim_advance(s, 2000);
	sim_self(s, later, 0, 1);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	assert_string_equal(sim_err(s), "");
	assert_int_equal(s->cancelled, s->reg.id);
	assert_int_equal(s->mem.cand, 0);
	assert_int_equal(s->disk.node, node);
	sim_ok(s); /* too late */
	assert_int_equal(s->disk.node, node);
	assert_int_equal(s->nfinished, 1);
	free(s);
}

/* rows: EXP-03 */
static void
expired_and_unreachable_does_not_spin(void **state)
{
	struct sim *s = expiring(0);
	unsigned i, n;

	(void)state;
	sim_closed(s, "connection lost");
	sim_advance(s, 4000);
	n = s->nreg + s->nstart + s->nkey;
	for (i = 0; i < 3000; i++) {
		sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "connection refused");
		sim_closed(s, "connection refused");
		sim_advance(s, 10);
	}
	assert_true(s->nreg + s->nstart + s->nkey - n <= 60); /* 30 s, two routines */
	free(s);
}

/* rows: EXP-06 */
static void
control_time_corrects_expiry(void **state)
{
	struct sim *s = sim_synced();
	struct wtime at = { 1800000100, 0 };

	(void)state;
	s->cfg.expiry_wait = 1;
	sim_self(s, at, 0, 1);
	sim_event(s,
	    &(struct login_event){ .type = LE_CONTROL_TIME, .u.control_time = 1596412800 }); /* 2020: nonsense */
	assert_int_equal(s->c.clock_delta, 0);
	sim_event(s, &(struct login_event){ .type = LE_CONTROL_TIME, .u.control_time = 1800000059 });
	assert_int_equal(s->c.clock_delta, 0); /* near enough */
	sim_event(s, &(struct login_event){ .type = LE_CONTROL_TIME, .u.control_time = 1799999000 });
	sim_advance(s, 200000);
	assert_false(s->c.expired); /* not yet by the server's clock */
	sim_event(s, &(struct login_event){ .type = LE_CONTROL_TIME, .u.control_time = s->wall.sec + 3600 });
	assert_true(s->c.expired);
	free(s);
}

/* rows: EXP-08 REG-09 */
static void
expired_is_not_unapproved(void **state)
{
	struct sim *s = sim_synced();

	(void)state;
	s->cfg.expiry_wait = 1;
	sim_self(s, later, 0, 0);
	assert_true(!s->c.authorized && login_logged_in(&s->c));
	sim_self(s, later, 0, 1);
	assert_true(s->c.authorized); /* approved later, without a register */
	assert_int_equal(s->nreg, 1);
	sim_self(s, later, 1, 0);
	assert_true(s->c.expired && s->c.authorized);
	sim_self(s, later, 0, 1);
	assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
	free(s);
}

/* rows: ERR-06 */
static void
clock_jumps(void **state)
{
	struct sim *s = sim_synced();
	unsigned n = s->nreg + s->nstart;

	(void)state;
	s->cfg.expiry_wait = 1;
	sim_self(s, later, 0, 1);
	s->wall.sec -= 10 * 3600;
	sim_advance(s, 60000);
	assert_true(!s->c.expired && s->nreg + s->nstart == n);
	s->wall.sec += 100 * 86400; /* past it: noticed at the next step of the timer */
	sim_advance(s, 31000);
	assert_true(s->c.expired);
	s->wall.sec -= 90 * 86400;
	sim_self(s, later, 0, 1);
	assert_false(s->c.expired);
	assert_int_equal(s->nreg + s->nstart, n);
	free(s);
}

/* rows: ERR-06 EXP-02 */
static void
a_clock_that_is_set_right(void **state)
{
	struct sim *s = sim_synced();
	unsigned n = s->nreg;
	int wait;

	(void)state;
	for (wait = 0; wait < 2; wait++) { /* it ran ahead: what was not expired is not, without a word of the server */
		s->cfg.expiry_wait = wait;
		sim_self(s, later, 0, 1);
		s->wall.sec += 100 * 86400;
		sim_advance(s, 31000);
		assert_true(s->c.expired);
		assert_int_equal(s->c.goal.kind, wait ? GOAL_NONE : GOAL_LOGIN);
		s->wall.sec -= 100 * 86400;
		sim_advance(s, 31000);
		assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
		assert_int_equal(s->c.goal.kind, GOAL_NONE);
	}
	assert_int_equal(s->nreg, n + 1);
	/* The same at a start: the login begins as soon as it may. */
	s->wall.sec += 100 * 86400;
	s->cfg.expiry_wait = 1;
	n = s->nreg;
	sim_boot(s);
	assert_true(s->c.expired && s->nreg == n + 1 && !s->reg.u.reg.candidate); /* the server is asked */
	sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
	sim_advance(s, 60000);
	assert_true(s->c.expired && s->nreg == n + 1 && s->c.goal.kind == GOAL_NONE);
	assert_string_equal(sim_err(s), "the node key has expired");
	s->wall.sec -= 100 * 86400;
	sim_advance(s, 31000);
	assert_int_equal(s->nreg, n + 1); /* it was not our clock */
	free(s);
}

/* The clock is years ahead when the daemon starts: no user must visit a URL for a key that was valid all the time. */
/* rows: ERR-06 EXP-04 EXP-05 PERS-02 */
static void
a_start_with_a_clock_ahead(void **state)
{
	enum { BEFORE_THE_ANSWER, URL, REFUSED, VALID, CASES };
	struct sim *s;
	int k, key;

	(void)state;
	for (k = 0; k < 2 * CASES; k++) {
		s = sim_synced();
		sim_self(s, later, 0, 1);
		key = s->disk.node;
		s->wall.sec += 3650 * 86400;
		s->cfg.expiry_wait = k >= CASES;
		sim_boot(s);
		assert_true(s->c.expired && !s->reg.u.reg.candidate && s->reg_keys.node == key);
		if (k % CASES == VALID) {
			sim_ok(s);
			sim_live(s);
			assert_false(s->c.expired);
			sim_event(s,
			    &(struct login_event){ .type = LE_CONTROL_TIME,
				.u.control_time = s->wall.sec - 3650 * 86400 });
			assert_true(s->c.clock_delta == -3650 * 86400); /* at once, for health */
			sim_self(s, later, 0, 1);
			assert_false(s->c.expired);
			assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
			assert_int_equal(s->disk.node, key);
			free(s);
			continue;
		}
		if (k == URL) { /* of no use for a key that has expired: a new one is sent */
			sim_url(s, "https://c/a");
			assert_true(s->reg.u.reg.candidate);
			sim_url(s, "https://c/a");
		} else if (k == REFUSED)
			sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "no");
		s->wall.sec -= 3650 * 86400;
		sim_advance(s, 31000);
		assert_false(s->c.expired);
		assert_true(!s->reg.u.reg.candidate && s->reg.u.reg.op == IPC_REG_LOGIN && s->reg_keys.node == key);
		assert_string_equal(s->c.goal.url, "");
		if (s->c.map == MAP_STOPPING)
			sim_closed(s, "");
		sim_ok(s);
		sim_live(s);
		assert_int_equal(login_state(&s->c), LS_SYNCHRONIZED);
		assert_int_equal(s->disk.node, key);
		free(s);
	}
	/* What the user has asked for is not dropped for it. */
	s = sim_synced();
	sim_self(s, later, 0, 1);
	s->wall.sec += 3650 * 86400;
	sim_boot(s);
	sim_login(s, 0);
	sim_url(s, "https://c/a");
	sim_url(s, "https://c/a");
	s->wall.sec -= 3650 * 86400;
	sim_advance(s, 31000);
	assert_string_equal(s->c.goal.url, "https://c/a");
	free(s);
}

/* The clock jumps years ahead while the node is logged in, and the server sends no time: it is asked, and seldom. */
/* rows: ERR-06 EXP-03 EXP-05 */
static void
a_clock_that_jumps_ahead(void **state)
{
	struct sim *s = sim_synced();
	int key = s->disk.node;
	unsigned n = s->nreg, starts = s->nstart, i;

	(void)state;
	sim_self(s, later, 0, 1);
	s->wall.sec += 3650 * 86400;
	for (i = 0; i < 3600; i++) {
		sim_advance(s, 1000);
		if (s->c.op == OP_REGISTER) {
			assert_int_equal(s->reg.u.reg.candidate, 0);
			sim_ok(s);
		}
	}
	assert_in_range(s->nreg - n, 5, 13); /* in an hour */
	assert_int_equal(s->nstart, starts); /* the stream continues */
	assert_true(login_state(&s->c) == LS_SYNCHRONIZED && s->disk.node == key && s->mem.cand == 0);
	free(s);
}

/* rows: ERR-06 EXP-06 */
static void
a_clock_that_the_server_has_corrected(void **state)
{
	static const int64_t wrong[] = { -1800000000 + 1000, -7200, 7200 }; /* no battery: 1970; an hour or two */
	unsigned i, n;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct sim *s = sim_synced();
		struct login_event e = { .type = LE_CONTROL_TIME, .u.control_time = s->wall.sec };

		n = s->nreg;
		s->wall.sec += wrong[i];
		sim_event(s, &e);
		assert_true(s->c.clock_delta == -wrong[i]);
		sim_self(s, (struct wtime){ e.u.control_time + 3600, 0 }, 0, 1);
		assert_false(s->c.expired);
		s->wall.sec -= wrong[i]; /* NTP has set the clock */
		sim_advance(s, 31000);
		assert_false(s->c.expired);
		assert_int_equal(s->c.clock_delta, 0);
		sim_advance(s, 3500 * 1000);
		assert_false(s->c.expired);
		sim_advance(s, 100 * 1000);
		assert_true(s->c.expired && s->nreg == n + 1);
		free(s);
	}
}

/* believed: the server accepts the key that is expired by our clock, else it wants a new one each time. */
static unsigned
born_expired(int believed)
{
	struct sim *s = sim_new();
	unsigned i, n, first;

	sim_auth_key(s, 1);
	sim_boot(s);
	sim_key(s, s->key_id, 9, "");
	n = s->nreg;
	for (i = 0; i < 3000; i++) { /* 30 s */
		if (s->c.op == OP_REGISTER && (s->reg.u.reg.candidate || believed))
			sim_ok(s);
		else if (s->c.op == OP_REGISTER)
			sim_reg(s, s->reg.id, IPC_REG_KEY_EXPIRED, "", "");
		if (s->c.map == MAP_STOPPING)
			sim_closed(s, "");
		if (s->c.map == MAP_STREAM && !s->c.synced) {
			sim_live(s);
			sim_self(s, (struct wtime){ s->wall.sec - 60, 0 }, 0, 1);
		}
		sim_advance(s, 10);
	}
	n = s->nreg - n;
	first = s->nreg;
	sim_login(s, WITH_KEY); /* a requested login need not wait */
	assert_int_equal(s->nreg, first + 1);
	free(s);
	return n;
}

/* rows: EXP-03 BACK-03 */
static void
keys_that_are_born_expired(void **state)
{
	(void)state;
	assert_in_range(born_expired(1), 1, 2);
	assert_in_range(born_expired(0), 10, 30);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logout_clears_all_but_the_machine),
		cmocka_unit_test(logout_with_the_server_down),
		cmocka_unit_test(nothing_to_log_out),
		cmocka_unit_test(logout_does_not_wait_for_ever),
		cmocka_unit_test(last_command_wins),
		cmocka_unit_test(logout_is_reported_after_the_disk),
		cmocka_unit_test(logged_out_survives_a_restart),
		cmocka_unit_test(no_expiry_and_far_expiry),
		cmocka_unit_test(what_the_map_tells_of_ourselves_is_kept),
		cmocka_unit_test(expiry_by_a_local_timer),
		cmocka_unit_test(expiry_that_waits),
		cmocka_unit_test(expired_key_is_looked_at_seldom),
		cmocka_unit_test(extension_drops_the_login),
		cmocka_unit_test(expired_and_unreachable_does_not_spin),
		cmocka_unit_test(control_time_corrects_expiry),
		cmocka_unit_test(expired_is_not_unapproved),
		cmocka_unit_test(clock_jumps),
		cmocka_unit_test(a_clock_that_is_set_right),
		cmocka_unit_test(a_start_with_a_clock_ahead),
		cmocka_unit_test(a_clock_that_jumps_ahead),
		cmocka_unit_test(a_clock_that_the_server_has_corrected),
		cmocka_unit_test(keys_that_are_born_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
