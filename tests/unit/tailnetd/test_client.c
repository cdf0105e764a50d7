/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>

#include "clientsim.h"

static const struct wtime soon = { 1800000003, 0 }, later = { 1800000000 + 90 * 86400, 0 };

static void
expect_states(const struct sim *s, const enum client_state *want, unsigned n)
{
	unsigned i;

	assert_int_equal(s->nstates, n);
	for (i = 0; i < n; i++)
		assert_string_equal(client_state_name(s->states[i]), client_state_name(want[i]));
}
#define STATES(s, ...) \
	expect_states(s, (const enum client_state[]){ __VA_ARGS__ }, \
	    sizeof((const enum client_state[]){ __VA_ARGS__ }) / sizeof(enum client_state))

/* --- key and register --- */

/* rows: KEY-01 REG-01 STAT-01 */
static void
login_by_auth_key(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	s->cfg.have_auth_key = 1;
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
	STATES(s, CS_NEW, CS_AUTHENTICATING, CS_AUTHENTICATED, CS_SYNCHRONIZED);
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
	s->cfg.have_auth_key = 1;
	sim_boot(s);
	assert_int_equal(s->nkey, 0);
	assert_int_equal(s->nreg, 1);
	free(s);
}

/* rows: KEY-03 BACK-04 */
static void
key_failure_backs_off(void **state)
{
	struct client_event none = { .type = CE_KEY, .u.key = { .ok = 1, .err = "" } };
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
		assert_in_range(s->timer_ms[CT_AUTH], i * i * 5, i * i * 15);
		sim_advance(s, i * i * 15);
	}
	sim_key(s, s->key_id, 0, "server too old");
	sim_login(s, 0); /* cuts the wait short */
	assert_int_equal(s->nkey, 7);
	assert_string_equal(sim_err(s), "");
	assert_int_equal(s->nreg + s->nstart, 0);
	sim_key(s, s->key_id, 0, "server too old");
	assert_in_range(s->timer_ms[CT_AUTH], 5, 15); /* and begins the pauses anew */
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

/* rows: REG-04 PERS-06 */
static void
refused_key_leaves_the_file(void **state)
{
	struct sim *s = sim_new();
	struct sim_keys before;

	(void)state;
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_key(s, s->key_id, 9, "");
	before = (struct sim_keys){ 0, 0, 0 };
	sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "invalid key: unable to validate");
	assert_string_equal(sim_err(s), "invalid key: unable to validate");
	assert_memory_equal(&s->disk, &before, sizeof(before));
	assert_int_equal(s->disk_profile.candidate, 0);
	assert_int_equal(s->nreg, 1);
	sim_advance(s, 20);
	assert_int_equal(s->nreg, 2);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_GIVEN);
	assert_true(s->reg_keys.cand == 2); /* a fresh one */
	free(s);
}

/* rows: REG-05 PERS-02 */
static void
restart_keeps_the_key(void **state)
{
	struct sim *s = sim_synced();
	int node = s->disk.node;

	(void)state;
	s->cfg.have_auth_key = 1;
	sim_boot(s);
	assert_int_equal(s->nkey, 1); /* that of the first life */
	assert_int_equal(s->reg.u.reg.candidate, 0);
	assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_NONE);
	assert_int_equal(s->map.u.map.prepare, 1); /* mapd connects meanwhile */
	sim_ok(s);
	assert_int_equal(s->map.u.map.prepare, 0);
	sim_live(s);
	assert_int_equal(client_state(&s->c), CS_SYNCHRONIZED);
	assert_int_equal(s->disk.node, node);
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
	struct client_event e = { .type = CE_REG };

	(void)state;
	sim_login(s, 0);
	e.id = s->reg.id;
	e.u.reg.outcome = IPC_REG_OK;
	e.u.reg.url = e.u.reg.err = "";
	e.u.reg.user = (struct client_user){ 8, "anna.b@example.com", "Anna B", "" };
	sim_event(s, &e);
	assert_string_equal(s->disk_profile.login_name, "anna.b@example.com");
	assert_int_equal(s->disk_profile.user_id, 8);
	sim_closed(s, "");
	sim_login(s, 0);
	e.id = s->reg.id;
	e.u.reg.user = (struct client_user){ 0, "", "", "" };
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
	/* The server takes it, and we die before reading the answer. */
	s->cfg.have_auth_key = 1;
	sim_boot(s);
	assert_int_equal(s->reg_keys.cand, 1);
	assert_true(s->reg.u.reg.candidate);
	sim_ok(s);
	assert_int_equal(s->disk.node, 1);
	assert_int_equal(s->disk.cand, 0);
	assert_int_equal(s->nforget, 0);
	free(s);
}

/* Whatever comes between: a one-off key may have been spent for that candidate, and nobody else gets anything for it. */
/* rows: ROT-05 REG-05 */
static void
candidate_that_may_be_taken_is_tried_again(void **state)
{
	enum { PAUSED, RECONNECTED, LOST, HTTP, LIMITED, CHILD_GONE, KEY_ACCEPTED, WAYS };
	struct client_event accept = { .type = CE_ACCEPT_KEY };
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
			sim_simple(s, CE_PAUSE);
			sim_simple(s, CE_UNPAUSE);
			break;
		case RECONNECTED: sim_simple(s, CE_RECONNECT); break;
		case LOST: sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "lost"); break;
		case HTTP: sim_reg(s, s->reg.id, IPC_REG_HTTP, "", "500"); break;
		case LIMITED: sim_reg(s, s->reg.id, IPC_REG_RATE_LIMITED, "", "429"); break;
		case CHILD_GONE: sim_simple(s, CE_AUTHD_GONE); break;
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
	sim_url(s, "https://c/a"); /* so nobody has taken it: a candidate like any other */
	assert_string_equal(sim_err(s), "");
	assert_true(s->disk.cand == 0 && !s->disk_profile.candidate);
	assert_int_equal(s->reg_keys.cand, cand);
	sim_ok(s);
	assert_int_equal(s->disk.node, cand);
	free(s);
}

/* A rotation that was taken, but is not on the disk yet, survives a pause. */
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
	sim_simple(s, CE_PAUSE);
	s->disk_full = 0;
	sim_advance(s, 60000);
	sim_closed(s, "");
	sim_simple(s, CE_UNPAUSE);
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
	assert_string_equal(sim_err(s), ""); /* nobody has asked for it */
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
	sim_login(s, INTERACTIVE | WITH_KEY); /* with the key that is to be */
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
	sim_simple(s, CE_PAUSE);
	sim_closed(s, "");
	sim_logout(s, 0);
	sim_reg(s, s->reg.id, IPC_REG_HTTP, "", "500");
	sim_simple(s, CE_UNPAUSE);
	sim_login(s, WITH_KEY | INTERACTIVE);
	assert_int_not_equal(s->disk.cand, 0);
	sim_boot(s); /* crash; the server never saw it */
	assert_true(s->reg.u.reg.candidate);
	sim_url(s, "https://c/a");
	assert_int_equal(s->nbrowse, 0);
	assert_int_equal(s->reg.u.reg.candidate, 0);
	sim_ok(s);
	assert_int_equal(s->disk.node, node);
	assert_int_equal(s->disk.cand, 0);
	free(s);
}

/* --- interactive, follow-up --- */

static struct sim *
at_url(void)
{
	struct sim *s = sim_new();

	sim_boot(s);
	sim_login(s, 0);
	sim_key(s, s->key_id, 9, "");
	sim_url(s, "https://c/a");
	assert_int_equal(client_state(&s->c), CS_URL_VISIT_REQUIRED);
	assert_true(client_cant_continue(&s->c));
	return s;
}

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
	sim_advance(s, 6 * 60 * 1000); /* no time limit of ours */
	assert_int_equal(s->nreg, 2);
	assert_int_equal(s->ncancel, 0);
	sim_ok(s);
	assert_string_equal(s->c.goal.url, "");
	assert_int_equal(s->disk.node, cand);
	sim_live(s);
	STATES(s, CS_NEW, CS_AUTHENTICATING, CS_URL_VISIT_REQUIRED, CS_AUTHENTICATED, CS_SYNCHRONIZED);
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
	assert_int_equal(client_state(&s->c), CS_NOT_AUTHENTICATED);
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
	assert_true(s->c.synced && client_logged_in(&s->c) && s->nstop == stops); /* the old stream goes on */
	assert_int_equal(s->disk.node, first);
	sim_ok(s);
	assert_int_equal(s->nstop, stops + 1);
	assert_int_equal(s->nstart, starts); /* not before the old one is gone */
	assert_true(s->disk.node != first && s->disk.old == first);
	assert_false(s->c.synced);
	sim_event(s, &(struct client_event){ .type = CE_CLOSED, .id = old_map, .u.closed = { .err = "" } });
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
	sim_simple(s, CE_AUTHD_GONE); /* and a lost child */
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
	sim_simple(s, CE_PAUSE);
	assert_int_equal(s->cancelled, s->reg.id);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n);
	assert_int_equal(client_state(&s->c), CS_URL_VISIT_REQUIRED);
	sim_simple(s, CE_UNPAUSE);
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
		assert_int_equal(s->nreg, n + 2); /* the pauses begin anew */
		sim_url(s, "https://c/y");
		sim_login(s, 0); /* a command gives credit again */
		n = s->nreg;
		sim_url(s, "https://c/x");
		assert_int_equal(s->nreg, n + 1);
		free(s);
	}
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
	assert_true(time_cmp(s->c.p.expiry, later) == 0);
	assert_int_equal(client_error(&s->c, &(const char *){ NULL }), SRC_STATE);
	assert_int_equal(s->mem.node, before.node); /* the old key stays current */
	assert_int_equal(s->nstart, starts);
	assert_int_equal(s->nstop, stops);
	assert_int_equal(s->nfinished, 1);
	sim_advance(s, 1000);
	assert_int_equal(s->nfinished, 1);
	s->disk_full = 0;
	sim_advance(s, 10000);
	assert_int_equal(s->nfinished, 2);
	s->disk_full = 1; /* once more: the pauses begin anew */
	sim_simple(s, CE_PAUSE);
	assert_in_range(s->timer_ms[CT_SAVE], 5, 15);
	s->disk_full = 0;
	sim_simple(s, CE_UNPAUSE);
	assert_int_equal(s->disk.old, before.node);
	assert_true(time_is_none(s->disk_profile.expiry));
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
	struct client_event e = { .type = CE_SELF, .id = old_map };
	unsigned saves;

	(void)state;
	sim_login(s, INTERACTIVE);
	sim_ok(s);
	saves = s->saves;
	e.u.self.expiry = soon;
	e.u.self.user = (struct client_user){ 1, "old", "old", "" };
	sim_event(s, &e);
	assert_int_equal(s->saves, saves);
	assert_true(time_is_none(s->c.p.expiry));
	sim_event(s, &(struct client_event){ .type = CE_CLOSED, .id = old_map, .u.closed = { .err = "" } });
	sim_event(s, &e);
	assert_true(time_is_none(s->c.p.expiry));
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
	sim_simple(s, CE_MAPD_GONE);
	assert_int_equal(s->nstart, starts + 1);
	assert_string_equal(sim_err(s), "");
	free(s);
}

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
		assert_false(client_cant_continue(&s->c));
		sim_logout(s, 0);
		assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGOUT);
		assert_int_equal(s->reg.u.reg.candidate, 0);
		assert_int_equal(s->ndone, 0);
		n = s->nreg;
		s->nstates = 0;
		sim_reg(s, s->reg.id, fine[i], "", "");
		assert_int_equal(s->nreg, n); /* no second request */
		assert_true(s->ndone == 1 && s->done.u.done.ok && s->done.u.done.told);
		assert_true(s->disk.node == 0 && s->disk.old == 0 && s->disk_profile.user_id == 0);
		assert_int_equal(s->disk_profile.want_running, 0);
		assert_true(s->nstop == 1 && s->stop_drop == 1);
		sim_closed(s, "");
		sim_advance(s, 120000);
		STATES(s, CS_NOT_AUTHENTICATED);
		assert_int_equal(s->nreg, n);
		assert_int_equal(s->timer[CT_MAP], 0);
		assert_true(time_is_none(s->disk_profile.expiry) && s->disk_profile.login_name[0] == '\0');
		assert_true(s->c.authorized && client_cant_continue(&s->c));
		sim_login(s, 0);
		assert_false(client_cant_continue(&s->c));
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
	assert_true(s->ndone == 2 && s->done.u.done.ok && !s->done.u.done.told);
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
	assert_int_equal(client_state(&s->c), CS_NOT_AUTHENTICATED);
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
	s->cfg.have_auth_key = 1;
	sim_boot(s);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n);
	assert_int_equal(client_state(&s->c), CS_NOT_AUTHENTICATED);
	assert_true(client_cant_continue(&s->c));
	free(s);
}

/* --- expiry --- */

static struct sim *
expiring(int wait)
{
	struct sim *s = sim_synced();

	s->c.cfg.expiry_wait = s->cfg.expiry_wait = wait;
	sim_self(s, soon, 0, 1);
	assert_true(time_cmp(s->disk_profile.expiry, soon) == 0);
	return s;
}

/* rows: EXP-01 EXP-07 */
static void
no_expiry_and_far_expiry(void **state)
{
	static const struct wtime year9999 = { INT64_C(253402300799), 0 };
	struct sim *s = sim_synced();

	(void)state;
	sim_self(s, TIME_NONE, 0, 1);
	assert_int_equal(s->timer[CT_EXPIRY], 0);
	assert_true(client_logged_in(&s->c));
	sim_self(s, later, 0, 1);
	assert_in_range(s->timer_ms[CT_EXPIRY], 1, 30000);
	sim_self(s, year9999, 0, 1);
	assert_in_range(s->timer_ms[CT_EXPIRY], 1, 30000);
	sim_advance(s, 3600 * 1000);
	assert_true(client_logged_in(&s->c));
	free(s);
}

/* rows: EXP-01 REG-10 PERS-02 */
static void
what_the_map_tells_of_ourselves_is_kept(void **state)
{
	struct sim *s = sim_synced();
	struct client_event e = { .type = CE_SELF, .id = s->map.id };

	(void)state;
	sim_self(s, later, 0, 1);
	sim_advance(s, 2000);
	sim_self(s, (struct wtime){ later.sec - 86400, 0 }, 0, 1); /* sooner, too */
	assert_true(s->disk_profile.expiry.sec == later.sec - 86400);
	sim_advance(s, 2000);
	sim_self(s, TIME_NONE, 0, 1);
	assert_true(time_is_none(s->disk_profile.expiry));
	e.u.self.expiry = TIME_NONE;
	e.u.self.authorized = 1;
	e.u.self.user = (struct client_user){ 0, "", "", "" };
	sim_advance(s, 2000);
	sim_event(s, &e); /* a server that sends no profile takes none away */
	assert_true(s->c.p.user_id == 7 && strcmp(s->c.p.login_name, "anna@example.com") == 0);
	e.u.self.user = (struct client_user){ 7, "", "", "" };
	sim_event(s, &e);
	assert_string_equal(s->c.p.login_name, "anna@example.com");
	e.u.self.user = (struct client_user){ 0, "nobody", "", "" };
	sim_event(s, &e);
	assert_int_equal(s->c.p.user_id, 7);
	e.u.self.user = (struct client_user){ 7, "anna@example.com", "Anna C", "" };
	sim_event(s, &e);
	assert_string_equal(s->disk_profile.display_name, "Anna C");
	sim_advance(s, 2000);
	e.u.self.user = (struct client_user){ 8, "anna@example.com", "Anna C", "" };
	sim_event(s, &e);
	assert_int_equal(s->disk_profile.user_id, 8);
	sim_advance(s, 2000);
	e.u.self.user = (struct client_user){ 8, "anna.b@example.com", "Anna C", "" };
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
	assert_in_range(s->timer_ms[CT_EXPIRY], 2990, 3100); /* not in little steps */
	sim_advance(s, 2900);
	assert_true(client_logged_in(&s->c));
	sim_advance(s, 300);
	assert_false(client_logged_in(&s->c));
	assert_int_equal(client_state(&s->c), CS_AUTHENTICATING);
	assert_int_equal(s->nreg, n + 1);
	assert_true(s->reg.u.reg.candidate && s->reg_keys.node == node);
	assert_true(s->c.synced); /* the stream stays */
	sim_ok(s);
	assert_int_equal(s->disk.old, node);
	assert_true(client_logged_in(&s->c) && time_is_none(s->c.p.expiry));
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
	assert_int_equal(client_state(&s->c), CS_NOT_AUTHENTICATED);
	assert_true(s->c.expired && s->c.synced);
	assert_int_equal(s->nreg, n); /* nothing is sent */
	sim_self(s, later, 0, 1);
	assert_int_equal(client_state(&s->c), CS_SYNCHRONIZED);
	assert_int_equal(s->nreg, n);
	assert_int_equal(s->nstart, starts);
	assert_int_equal(s->nfinished, 1);
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
	sim_url(s, "https://c/a");
	assert_int_equal(client_state(&s->c), CS_URL_VISIT_REQUIRED);
	sim_reg(s, s->reg.id, IPC_REG_TRANSPORT, "", "lost");
	assert_string_equal(sim_err(s), "lost");
	sim_advance(s, 20);
	sim_self(s, later, 0, 1);
	assert_int_equal(client_state(&s->c), CS_SYNCHRONIZED);
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
	s->c.cfg.expiry_wait = 1;
	sim_self(s, at, 0, 1);
	sim_event(s,
	    &(struct client_event){ .type = CE_CONTROL_TIME, .u.control_time = 1596412800 }); /* 2020: nonsense */
	assert_int_equal(s->c.clock_delta, 0);
	sim_event(s, &(struct client_event){ .type = CE_CONTROL_TIME, .u.control_time = 1800000059 });
	assert_int_equal(s->c.clock_delta, 0); /* near enough */
	sim_event(s, &(struct client_event){ .type = CE_CONTROL_TIME, .u.control_time = 1799999000 });
	sim_advance(s, 200000);
	assert_false(s->c.expired); /* not yet by the server's clock */
	sim_event(s, &(struct client_event){ .type = CE_CONTROL_TIME, .u.control_time = s->wall.sec + 3600 });
	assert_true(s->c.expired);
	free(s);
}

/* rows: EXP-08 REG-09 */
static void
expired_is_not_unapproved(void **state)
{
	struct sim *s = sim_synced();

	(void)state;
	s->c.cfg.expiry_wait = 1;
	sim_self(s, later, 0, 0);
	assert_true(!s->c.authorized && client_logged_in(&s->c));
	sim_self(s, later, 0, 1);
	assert_true(s->c.authorized); /* approved later, without a register */
	assert_int_equal(s->nreg, 1);
	sim_self(s, later, 1, 0);
	assert_true(s->c.expired && s->c.authorized);
	sim_self(s, later, 0, 1);
	assert_int_equal(client_state(&s->c), CS_SYNCHRONIZED);
	free(s);
}

/* rows: ERR-06 */
static void
clock_jumps(void **state)
{
	struct sim *s = sim_synced();
	unsigned n = s->nreg + s->nstart;

	(void)state;
	s->c.cfg.expiry_wait = 1;
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
		s->c.cfg.expiry_wait = wait;
		sim_self(s, later, 0, 1);
		s->wall.sec += 100 * 86400;
		sim_advance(s, 31000);
		assert_true(s->c.expired);
		assert_int_equal(s->c.goal.kind, wait ? GOAL_NONE : GOAL_LOGIN);
		s->wall.sec -= 100 * 86400;
		sim_advance(s, 31000);
		assert_int_equal(client_state(&s->c), CS_SYNCHRONIZED);
		assert_int_equal(s->c.goal.kind, GOAL_NONE);
	}
	assert_int_equal(s->nreg, n + 1);
	/* So at a start: the login comes as soon as it may. */
	s->wall.sec += 100 * 86400;
	s->cfg.expiry_wait = 1;
	n = s->nreg;
	sim_boot(s);
	sim_advance(s, 60000);
	assert_true(s->c.expired && s->nreg == n);
	s->wall.sec -= 100 * 86400;
	sim_advance(s, 31000);
	assert_int_equal(s->nreg, n + 1);
	assert_int_equal(s->reg.u.reg.candidate, 0);
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
		struct client_event e = { .type = CE_CONTROL_TIME, .u.control_time = s->wall.sec };

		n = s->nreg;
		s->wall.sec += wrong[i];
		sim_event(s, &e);
		assert_true(s->c.clock_delta == -wrong[i]);
		sim_self(s, (struct wtime){ e.u.control_time + 3600, 0 }, 0, 1);
		assert_false(s->c.expired);
		s->wall.sec -= wrong[i]; /* NTP has come */
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

/* rows: EXP-03 BACK-03 */
static void
keys_that_are_born_expired(void **state)
{
	struct sim *s = sim_new();
	unsigned i, n, first;

	(void)state;
	s->cfg.have_auth_key = 1;
	sim_boot(s);
	sim_key(s, s->key_id, 9, "");
	n = s->nreg;
	for (i = 0; i < 3000; i++) {
		if (s->c.op == OP_REGISTER)
			sim_ok(s);
		if (s->c.map == MAP_STOPPING)
			sim_closed(s, "");
		if (s->c.map == MAP_STREAM && !s->c.synced) {
			sim_live(s);
			sim_self(s, (struct wtime){ s->wall.sec - 60, 0 }, 0, 1);
		}
		sim_advance(s, 10);
	}
	assert_in_range(s->nreg - n, 10, 30); /* in 30 s */
	first = s->nreg;
	sim_login(s, WITH_KEY); /* whoever asks need not wait */
	assert_int_equal(s->nreg, first + 1);
	free(s);
}

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
	sim_simple(s, CE_PAUSE);
	assert_int_equal(s->stop_drop, 0);
	assert_int_equal(client_state(&s->c), CS_AUTHENTICATED);
	sim_closed(s, "cancelled");
	assert_string_equal(sim_err(s), ""); /* what was meant is no error */
	starts = s->nstart;
	sim_advance(s, 60000);
	assert_int_equal(s->nstart, starts);
	assert_int_equal(s->disk_profile.paused, 1);
	sim_simple(s, CE_UNPAUSE);
	assert_int_equal(s->nstart, starts + 1);
	assert_int_equal(s->disk_profile.paused, 0);
	sim_closed(s, "connection lost");
	assert_in_range(s->timer_ms[CT_MAP], 5, 15);
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
		sim_simple(s, CE_PAUSE);
		sim_simple(s, CE_PAUSE);
		sim_simple(s, CE_UNPAUSE);
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
	assert_true(s->mem.node != 0 && s->c.p.user_id == 7);
	sim_simple(s, CE_UNPAUSE);
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
	sim_simple(s, CE_PAUSE);
	sim_closed(s, "");
	sim_logout(s, 0);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGOUT);
	sim_simple(s, CE_PAUSE); /* does not stop it */
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
	assert_int_equal(client_state(&s->c), CS_AUTHENTICATED);
	assert_int_equal(client_error(&s->c, &text), SRC_MAP);
	assert_true(client_logged_in(&s->c));
	sim_advance(s, 20);
	sim_live(s);
	assert_int_equal(client_state(&s->c), CS_SYNCHRONIZED);
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
	assert_true(s->timer_ms[CT_MAP] > 1000); /* 9 s are not enough */
	while (s->c.map != MAP_STREAM)
		sim_advance(s, 1000);
	sim_live(s);
	sim_advance(s, 10000);
	sim_closed(s, "unexpected EOF");
	assert_in_range(s->timer_ms[CT_MAP], 5, 15);
	free(s);
}

/* rows: BACK-05 */
static void
rate_limited(void **state)
{
	struct sim *s = sim_new();
	struct client_event e = { .type = CE_REG };
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
		assert_in_range(s->timer_ms[CT_AUTH], cases[i].min, cases[i].max);
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
	assert_true(s->timer_ms[CT_MAP] >= 15000);
	n = s->nstart;
	sim_simple(s, CE_RECONNECT);
	assert_int_equal(s->nstart, n + 1);
	sim_closed(s, "connection refused");
	assert_in_range(s->timer_ms[CT_MAP], 5, 15); /* backoff reset */
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
	assert_in_range(s->timer_ms[CT_MAP], 5, 15);
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
	sim_simple(s, CE_RECONNECT);
	sim_simple(s, CE_RECONNECT);
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
	sim_simple(s, CE_MAPD_GONE);
	assert_int_equal(s->nstart, n + 1);
	assert_int_equal(client_state(&s->c), CS_AUTHENTICATED);
	assert_string_equal(sim_err(s), "");
	sim_live(s);
	sim_login(s, WITH_KEY);
	n = s->nreg;
	sim_simple(s, CE_AUTHD_GONE);
	assert_int_equal(s->nreg, n + 1);
	sim_simple(s, CE_AUTHD_GONE);
	sim_ok(s);
	sim_simple(s, CE_AUTHD_GONE); /* idle: nobody cares */
	assert_int_equal(s->nreg, n + 2);
	free(s);
}

/* rows: STAT-05 */
static void
errors_by_source(void **state)
{
	struct sim *s = sim_synced();
	struct client_event e = { .type = CE_LITE, .id = s->map.id, .u.result = { 0, "update: HTTP 500" } };
	const char *text;

	(void)state;
	sim_event(s, &e);
	assert_int_equal(client_error(&s->c, &text), SRC_UPDATE);
	e.u.result.ok = 1;
	sim_event(s, &e);
	assert_string_equal(sim_err(s), "");
	e.u.result.ok = 0;
	sim_event(s, &e);
	sim_login(s, 0);
	assert_string_equal(sim_err(s), ""); /* until the next login */
	sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "no");
	assert_int_equal(client_error(&s->c, &text), SRC_AUTH);
	e.u.result.ok = 1;
	sim_event(s, &e);
	assert_string_equal(sim_err(s), "no"); /* another source's success */
	sim_closed(s, "connection lost");      /* the latest is shown */
	assert_int_equal(client_error(&s->c, &text), SRC_MAP);
	assert_string_equal(text, "connection lost");
	sim_advance(s, 20);
	sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "no, again");
	assert_int_equal(client_error(&s->c, &text), SRC_AUTH);
	sim_live(s);
	assert_string_equal(sim_err(s), "no, again");
	sim_simple(s, CE_PAUSE);
	assert_string_equal(sim_err(s), "");
	sim_simple(s, CE_UNPAUSE);
	sim_reg(s, s->reg.id, IPC_REG_REFUSED, "", "no");
	sim_logout(s, 0);
	assert_string_equal(sim_err(s), "");
	free(s);
}

/* --- server key --- */

static void
suspicious_close(struct sim *s)
{
	sim_event(s,
	    &(struct client_event){ .type = CE_CLOSED,
		.id = s->map.id,
		.u.closed = { .suspect = 1, .err = "101, then EOF" } });
}

/* rows: KEY-08 */
static void
changed_server_key_is_refused_until_accepted(void **state)
{
	struct sim *s = sim_synced();
	struct client_event accept = { .type = CE_ACCEPT_KEY };
	struct pubkey old = sim_server_key(9), new = sim_server_key(5);
	unsigned i, keys = s->nkey, starts;

	(void)state;
	suspicious_close(s);
	assert_int_equal(s->nkey, keys + 1);
	sim_key(s, s->key_id, 5, "");
	assert_true(key_equal(&s->c.offered, &new));
	assert_true(key_equal(client_pin(&s->c, NULL), &old)); /* the old pin stays */
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
	struct client_event e = { .type = CE_CONFIG };

	(void)state;
	suspicious_close(s);
	sim_key(s, s->key_id, 5, "");
	assert_false(key_is_zero(&s->c.offered));
	e.u.config = s->cfg;
	e.u.config.server_key = sim_server_key(5);
	sim_event(s, &e);
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
	struct client_event e = { .type = CE_REG };
	unsigned keys;

	(void)state;
	sim_boot(s);
	keys = s->nkey;
	e.id = s->reg.id;
	e.u.reg.outcome = IPC_REG_TRANSPORT;
	e.u.reg.suspect = 1;
	e.u.reg.url = "";
	e.u.reg.err = "101, then EOF";
	sim_event(s, &e);
	sim_advance(s, 20);
	assert_int_equal(s->nkey, keys + 1);
	sim_key(s, s->key_id, 5, "");
	assert_false(key_is_zero(&s->c.offered));
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGIN); /* goes on with the old pin */
	e.id = s->reg.id;
	sim_event(s, &e);
	sim_advance(s, 100);
	assert_int_equal(s->nkey, keys + 1); /* not again so soon */
	sim_login(s, 0);
	assert_int_equal(s->nkey, keys + 2); /* unless somebody asks */
	sim_key(s, s->key_id, 5, "");
	sim_ok(s);
	assert_true(key_is_zero(&s->c.offered)); /* which works after all */
	free(s);
}

/* rows: KEY-08 */
static void
configured_key_is_never_asked_for(void **state)
{
	struct sim *s = sim_new();
	enum pin_source src;

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_ok(s);
	suspicious_close(s);
	sim_advance(s, 600000);
	assert_int_equal(s->nkey, 0);
	client_pin(&s->c, &src);
	assert_int_equal(src, PIN_CONFIG);
	assert_int_equal(s->disk_profile.pin_source, PIN_NONE);
	free(s);
}

/* rows: KEY-01 KEY-08 */
static void
configured_key_that_is_taken_away(void **state)
{
	struct sim *s = sim_new();
	struct client_event e = { .type = CE_CONFIG };
	unsigned n;

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_ok(s);
	sim_live(s);
	n = s->nstart;
	e.u.config = s->cfg;
	e.u.config.server_key = sim_server_key(0);
	sim_event(s, &e);
	assert_int_equal(s->nkey, 1); /* trust on first use, as at a start */
	sim_closed(s, "");
	assert_int_equal(s->nstart, n); /* with no key there is no connection */
	sim_key(s, s->key_id, 0, "no answer");
	assert_string_equal(sim_err(s), "no answer");
	sim_simple(s, CE_PAUSE);
	sim_advance(s, 60000);
	assert_int_equal(s->nkey, 1);
	sim_simple(s, CE_UNPAUSE);
	assert_int_equal(s->nkey, 2);
	sim_key(s, s->key_id, 4, "");
	assert_int_equal(s->nstart, n + 1);
	assert_int_equal(s->disk_profile.pin_source, PIN_FIRST_USE);
	sim_live(s);
	assert_int_equal(client_state(&s->c), CS_SYNCHRONIZED);
	free(s);
}

/* rows: KEY-01 PERS-06 */
static void
configured_key_that_is_taken_away_while_the_disk_is_full(void **state)
{
	struct sim *s = sim_new();
	struct client_event e = { .type = CE_CONFIG };

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, WITH_KEY);
	s->disk_full = 1;
	sim_ok(s); /* taken, but not saved */
	e.u.config = s->cfg;
	e.u.config.server_key = sim_server_key(0);
	sim_event(s, &e);
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
	struct client_event e = { .type = CE_CONFIG }, accept = { .type = CE_ACCEPT_KEY };
	struct pubkey five = sim_server_key(5);

	(void)state;
	s->cfg.server_key = sim_server_key(3);
	sim_boot(s);
	sim_login(s, WITH_KEY);
	sim_ok(s);
	e.u.config = s->cfg;
	e.u.config.server_key = sim_server_key(0);
	sim_event(s, &e);
	sim_logout(s, 0);
	assert_int_equal(s->c.op, OP_KEY);
	accept.u.accept = five;
	sim_event(s, &accept);
	sim_key(s, s->key_id, 4, ""); /* the last command wins */
	assert_true(key_equal(client_pin(&s->c, NULL), &five));
	assert_int_equal(s->disk_profile.pin_source, PIN_ACCEPTED);
	assert_int_equal(s->reg.u.reg.op, IPC_REG_LOGOUT);
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
	s->cfg.manual = 1;
	sim_boot(s);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n);
	assert_int_equal(client_state(&s->c), CS_NEW);
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
		struct client_event e = { .type = CE_CONFIG };
		unsigned n;

		s->cfg.server_key = sim_server_key(3);
		s->cfg.manual = k == MANUAL;
		if (k == LOGGED_OUT) {
			sim_logout(s, 0);
			sim_ok(s);
			sim_closed(s, "");
		} else if (k != LOGGED_IN) {
			sim_boot(s);
		}
		n = s->nreg;
		e.u.config = s->cfg;
		e.u.config.have_auth_key = 1;
		sim_event(s, &e);
		assert_int_equal(s->nreg, n + (k == NEW)); /* nobody else waits for it, or wants it */
		if (k == NEW)
			assert_int_equal(s->reg.u.reg.authkey, AUTHKEY_CONFIGURED);
		sim_advance(s, 60000);
		assert_int_equal(s->nreg, n + (k == NEW));
		sim_event(s, &e); /* and not once more */
		assert_int_equal(s->nreg, n + (k == NEW));
		free(s);
	}
}

/* A reload that changes nothing of it neither begins a login nor ends one. */
/* rows: EXP-04 INT-01 */
static void
reload_without_news(void **state)
{
	struct sim *s = expiring(0);
	struct client_event e = { .type = CE_CONFIG };
	unsigned n;

	(void)state;
	sim_advance(s, 4000);
	sim_url(s, "https://c/a");
	n = s->nreg;
	e.u.config = s->cfg;
	sim_event(s, &e);
	assert_string_equal(s->c.goal.url, "https://c/a");
	assert_int_equal(s->nreg, n);
	free(s);

	s = sim_synced();
	s->cfg.have_auth_key = 1;
	sim_boot(s);
	sim_logout(s, 0);
	sim_reg(s, s->reg.id, IPC_REG_HTTP, "", "500"); /* and so neither logged in nor out */
	n = s->nreg;
	e.u.config = s->cfg;
	sim_event(s, &e);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n);
	free(s);
}

/* rows: EXP-04 */
static void
reload_changes_on_expiry(void **state)
{
	struct sim *s = expiring(1);
	struct client_event e = { .type = CE_CONFIG };
	unsigned n = s->nreg;

	(void)state;
	sim_advance(s, 4000);
	assert_int_equal(s->nreg, n);
	e.u.config = s->cfg;
	e.u.config.expiry_wait = 0;
	sim_event(s, &e);
	sim_advance(s, 20);
	assert_int_equal(s->nreg, n + 1);
	e.u.config.expiry_wait = 1; /* and takes back what nobody asked for */
	sim_event(s, &e);
	assert_int_equal(s->cancelled, s->reg.id);
	sim_advance(s, 60000);
	assert_int_equal(s->nreg, n + 1);
	assert_int_equal(client_state(&s->c), CS_NOT_AUTHENTICATED);
	sim_login(s, 0); /* somebody asks: that stays */
	sim_event(s, &e);
	assert_int_equal(s->nreg, n + 2);
	assert_int_equal(client_state(&s->c), CS_AUTHENTICATING);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_by_auth_key),
		cmocka_unit_test(pinned_key_is_not_fetched),
		cmocka_unit_test(key_failure_backs_off),
		cmocka_unit_test(refused_key_leaves_the_file),
		cmocka_unit_test(restart_keeps_the_key),
		cmocka_unit_test(expired_at_the_server_regenerates_once),
		cmocka_unit_test(profile_follows_the_answers),
		cmocka_unit_test(auth_key_goes_with_a_key_that_is_on_disk),
		cmocka_unit_test(candidate_that_may_be_taken_is_tried_again),
		cmocka_unit_test(auth_key_that_leads_to_a_url),
		cmocka_unit_test(commit_that_waits_survives_a_pause),
		cmocka_unit_test(connection_for_the_map_is_prepared_once),
		cmocka_unit_test(auth_key_is_forgotten),
		cmocka_unit_test(candidate_of_an_earlier_life_does_not_hide_the_current_key),
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
		cmocka_unit_test(plain_login_keeps_the_key),
		cmocka_unit_test(nothing_depends_on_a_key_that_is_not_saved),
		cmocka_unit_test(write_ahead_that_fails_sends_nothing),
		cmocka_unit_test(old_session_does_not_write_back),
		cmocka_unit_test(mapd_that_does_not_stop_is_killed),
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
		cmocka_unit_test(extension_drops_the_login),
		cmocka_unit_test(expired_and_unreachable_does_not_spin),
		cmocka_unit_test(control_time_corrects_expiry),
		cmocka_unit_test(expired_is_not_unapproved),
		cmocka_unit_test(clock_jumps),
		cmocka_unit_test(a_clock_that_is_set_right),
		cmocka_unit_test(a_clock_that_the_server_has_corrected),
		cmocka_unit_test(keys_that_are_born_expired),
		cmocka_unit_test(pause_and_unpause),
		cmocka_unit_test(fast_pauses),
		cmocka_unit_test(started_paused),
		cmocka_unit_test(logout_while_paused),
		cmocka_unit_test(lost_stream),
		cmocka_unit_test(map_backoff),
		cmocka_unit_test(rate_limited),
		cmocka_unit_test(commands_cut_waits_short),
		cmocka_unit_test(reconnect_is_no_error),
		cmocka_unit_test(children_come_and_go),
		cmocka_unit_test(errors_by_source),
		cmocka_unit_test(changed_server_key_is_refused_until_accepted),
		cmocka_unit_test(changed_server_key_is_configured),
		cmocka_unit_test(false_alarm),
		cmocka_unit_test(suspicion_during_a_login),
		cmocka_unit_test(configured_key_is_never_asked_for),
		cmocka_unit_test(configured_key_that_is_taken_away),
		cmocka_unit_test(configured_key_that_is_taken_away_while_the_disk_is_full),
		cmocka_unit_test(accepted_during_a_fetch),
		cmocka_unit_test(manual_login),
		cmocka_unit_test(ephemeral_goes_with_the_first_request_only),
		cmocka_unit_test(reload_brings_an_auth_key),
		cmocka_unit_test(reload_without_news),
		cmocka_unit_test(reload_changes_on_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
