/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "unit.h"

#include "control_ops.h"
#include "endpoints.h"
#include "hostreport.h"
#include "privilege.h"
#include "selfcheck.h"
#include "status.h"
#include "util_childsim.h"

/* What the rooms say of themselves is health (interface.md 4), and what the start needs of the system. */

static int
is_on(struct rig *r, enum health_code c)
{
	selfcheck(&r->s->p);
	return r->s->p.health.h[c].on;
}

/* rows: STAT-02 */
static void
wrong_and_right_again(void **state)
{
	struct rig *r = *state;
	struct parent *p = &r->s->p;
	char log_id[sizeof(p->state.backend_log_id)];
	char line[STATUS_LINE_MAX];
	struct control_ops o = { .login = &p->login, .health = &p->health };

	assert_false(is_on(r, HEALTH_NO_LISTEN_PORT));
	p->cfg.listen_port = 0; /* the next report picks one */
	assert_int_equal(p->state.listen_port, 0);
	assert_true(is_on(r, HEALTH_NO_LISTEN_PORT));
	(void)hostreport_refresh(p->report);
	assert_false(is_on(r, HEALTH_NO_LISTEN_PORT));

	assert_false(is_on(r, HEALTH_REPORT_STALE));
	memcpy(log_id, p->state.backend_log_id, sizeof(log_id));
	p->state.backend_log_id[0] = '\0'; /* without it nothing may be sent (REG-11) */
	assert_int_equal(hostreport_refresh(p->report), -1);
	assert_true(is_on(r, HEALTH_REPORT_STALE));
	p->ids.operator_outside = 1;
	assert_true(is_on(r, HEALTH_OPERATOR_OUTSIDE));
	/* the worst first */
	status_line(&o, line, sizeof(line));
	assert_true(strstr(line, "; report-stale: ") < strstr(line, "; operator-outside: "));
	assert_non_null(strstr(line, "; report-stale: "));
	assert_null(strstr(line, "state:"));
	memcpy(p->state.backend_log_id, log_id, sizeof(log_id));
	assert_int_not_equal(hostreport_refresh(p->report), -1);
	assert_false(is_on(r, HEALTH_REPORT_STALE));
	p->ids.operator_outside = 0;
	assert_false(is_on(r, HEALTH_OPERATOR_OUTSIDE));

	assert_int_equal(is_on(r, HEALTH_ADDRESSES_UNWATCHED), !hostreport_watches(p->report));
	assert_false(endpoints_watches(NULL));
}

/* user_namespaces(7): lines of first id inside, first id outside, how many. */
static void
ids_of_a_namespace(void **state)
{
	static const char all[] = "         0          0 4294967295\n", root[] = "         0       1000          1\n";
	static const char two[] = "0 1000 1\n990 100000 3\n";

	(void)state;
	assert_true(privilege_mapped(all, 0));
	assert_true(privilege_mapped(all, 4294967294u));
	assert_true(privilege_mapped(root, 0));
	assert_false(privilege_mapped(root, 1));
	assert_false(privilege_mapped(root, 1000));
	assert_false(privilege_mapped(two, 989));
	assert_true(privilege_mapped(two, 990));
	assert_true(privilege_mapped(two, 992));
	assert_false(privilege_mapped(two, 993));
	assert_false(privilege_mapped("", 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wrong_and_right_again, childsim_setup, childsim_teardown),
		cmocka_unit_test(ids_of_a_namespace),
	};

	return cmocka_run_group_tests_name("selfcheck", tests, NULL, NULL);
}
