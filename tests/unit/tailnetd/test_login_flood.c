/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>

#include "timefmt.h"
#include "util_loginsim.h"

/*
 * A server, or a compromised child, that changes its answers as fast as it can: the disk, the login and the
 * server's own door see a few of all those changes, and the last one.
 */

static unsigned nsave; /* saves asked for: each is an fsync(2) or two while nothing else is done */

static void
count(struct sim *s, const struct login_action *a)
{
	(void)s;
	nsave += a->type == LA_SAVE;
}

static struct sim *
synced(void)
{
	struct sim *s = sim_synced();

	sim_advance(s, 60000);
	s->hook = count;
	nsave = 0;
	return s;
}

static struct wtime
in(const struct sim *s, int64_t seconds)
{
	return (struct wtime){ s->wall.sec + seconds, 0 };
}

/* rows: PERS-05 PRIV-04 */
static void
expiry_that_changes_all_the_time(void **state)
{
	struct sim *s = synced();
	struct wtime at = in(s, 1000000);
	int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		at.sec++;
		sim_self(s, at, 0, 1);
		sim_advance(s, 1);
	}
	assert_in_range(nsave, 2, 12);                                /* in 10 s */
	assert_true(time_cmp(s->c.profile.node_key_expiry, at) == 0); /* what is shown and acted upon is not late */
	sim_advance(s, 1000);
	assert_true(time_cmp(s->disk_profile.node_key_expiry, at) == 0);
	nsave = 0;
	sim_advance(s, 60000);
	assert_int_equal(nsave, 0);
	at.sec++;
	sim_self(s, at, 0, 1); /* a single one is saved at once */
	assert_true(time_cmp(s->disk_profile.node_key_expiry, at) == 0);
	free(s);
}

/* rows: PERS-05 SHUT-03: a shutdown does not lose what waits (LT_SELF, parent_shutdown()) */
static void
what_waits_is_saved_at_the_end(void **state)
{
	struct sim *s = synced();
	struct login_event e = { .type = LE_TIMER, .u.timer = LT_SELF };

	(void)state;
	sim_event(s, &e);
	assert_int_equal(nsave, 0); /* nothing waits */
	sim_self(s, in(s, 5000), 0, 1);
	sim_self(s, in(s, 6000), 0, 1);
	assert_true(time_cmp(s->disk_profile.node_key_expiry, in(s, 5000)) == 0);
	sim_event(s, &e);
	assert_true(time_cmp(s->disk_profile.node_key_expiry, in(s, 6000)) == 0);
	assert_int_equal(nsave, 2);
	free(s);
}

/* rows: EXP-03 EXP-04 EXP-05 */
static void
expired_and_good_again(void **state)
{
	struct sim *s = synced();
	unsigned nreg, i;

	(void)state;
	sim_auth_key(s, 1); /* each attempt writes its key ahead */
	nreg = s->nreg;
	for (i = 0; i < 30000; i++) {
		sim_self(s, in(s, 1000), i % 2 == 0, 1);
		sim_advance(s, 1);
	}
	assert_in_range(s->nreg - nreg, 1, 40); /* 30 s: n squared times 10 ms */
	assert_true(nsave < 150);
	assert_true(login_logged_in(&s->c));
	assert_int_equal(s->mem.cand, 0);
	sim_self(s, in(s, 1000), 1, 1); /* and this time it stays so */
	assert_int_equal(login_logged_in(&s->c), 0);
	sim_advance(s, 45000);
	assert_int_equal(login_state(&s->c), LS_AUTHENTICATING);
	free(s);
}

/* rows: EXP-05: a server whose every new key is expired */
static void
each_new_key_is_expired(void **state)
{
	struct sim *s = synced();
	unsigned nreg = s->nreg, i;

	(void)state;
	for (i = 0; i < 30000; i++) {
		if (s->c.op == OP_REGISTER)
			sim_reg(s, s->reg.id, s->reg.u.reg.candidate ? IPC_REG_OK : IPC_REG_KEY_EXPIRED, "", "");
		if (s->c.map == MAP_STOPPING)
			sim_closed(s, "");
		if (s->c.map == MAP_STREAM)
			sim_self(s, in(s, -10), 0, 1);
		sim_advance(s, 1);
	}
	assert_in_range(s->nreg - nreg, 5, 40);
	free(s);
}

/* rows: FUP-02 FUP-03 */
static void
another_url_each_time(void **state)
{
	struct sim *s = sim_new();
	char url[40];
	unsigned n, i;
	uint32_t id;

	(void)state;
	sim_boot(s);
	sim_login(s, 0);
	sim_key(s, s->key_id, 9, "");
	sim_url(s, "https://c/a");
	sim_advance(s, 60000);
	sim_url(s, "https://c/b");
	assert_string_equal(s->reg_url, "https://c/b"); /* the wait continues at once */
	sim_advance(s, 60000);
	n = s->nreg;
	for (i = 0; i < 10000; i++) {
		id = s->reg.id;
		snprintf(url, sizeof(url), "https://c/%u", i);
		sim_url(s, url);
		sim_advance(s, 1);
		if (s->reg.id == id)
			sim_advance(s, 1);
	}
	assert_in_range(s->nreg - n, 5, 40); /* in 20 s */
	assert_string_equal(sim_err(s), "");
	free(s);
}

/* rows: EXP-06 PRIV-04 */
static void
control_time_at_the_end_of_all_times(void **state)
{
	static const int64_t odd[] = { INT64_MAX, INT64_MAX - 1800000000, INT64_MIN, INT64_C(253402300800), 0 };
	struct sim *s = synced();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		sim_event(s, &(struct login_event){ .type = LE_CONTROL_TIME, .u.control_time = odd[i] });
		sim_self(s, in(s, 1000 + (int64_t)i), 0, 1);
		sim_advance(s, 40000); /* login_corrected() must not overflow */
		assert_int_equal(s->c.clock_delta, 0);
		assert_true(login_logged_in(&s->c));
	}
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expiry_that_changes_all_the_time),
		cmocka_unit_test(what_waits_is_saved_at_the_end),
		cmocka_unit_test(expired_and_good_again),
		cmocka_unit_test(each_new_key_is_expired),
		cmocka_unit_test(another_url_each_time),
		cmocka_unit_test(control_time_at_the_end_of_all_times),
	};

	return cmocka_run_group_tests_name("client floods", tests, NULL, NULL);
}
