/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "dispatch.h"
#include "dispatch_auth.h"
#include "parent.h"
#include "unit.h"

/* What authd says of a register is looked at again: it has parsed what the server sent (security.md T3). */

static int
reported(int https, const char *url)
{
	static struct parent p;
	static struct ipc_reg_result r;
	struct child c = { .p = &p };
	struct ipc_msg m = { .id = 5, .payload = &r, .len = sizeof(r) };

	memset(&p, 0, sizeof(p));
	memset(&r, 0, sizeof(r));
	p.cfg.https = (unsigned)https;
	p.stopping = 1; /* without an effect here */
	c.unanswered = 2;
	r.outcome = IPC_REG_URL;
	IPC_SET(&r, url, url, strlen(url));
	return dispatch_reg_result(&c, &m);
}

/* rows: INT-05 PRIV-04 */
static void
test_login_urls(void **state)
{
	static const char *const bad[] = { "javascript:alert(1)", "file:///etc/passwd", "ftp://x/", "https:evil",
		"//x/", "x" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(reported(1, bad[i]), -1);
		assert_int_equal(reported(0, bad[i]), -1);
	}
	assert_int_equal(reported(1, ""), -1);
	assert_int_equal(reported(1, "http://login.example/a"), -1);
	assert_int_equal(reported(0, "http://login.example/a"), 0);
	assert_int_equal(reported(1, "https://login.example/a"), 0);
	assert_int_equal(reported(1, "HTTPS://login.example/a"), 0);
}

/* A cause that is not in the list of both ends is a violation: the parent looks its advice up by it. */
/* rows: PRIV-04 */
static void
test_causes(void **state)
{
	struct ipc_key_result key = { .ok = 0 };
	static struct ipc_reg_result reg;

	(void)state;
	reg.outcome = IPC_REG_TRANSPORT;
	for (unsigned c = 0; c < CAUSE_COUNT + 2; c++) {
		key.cause = reg.cause = c;
		assert_int_equal(dispatch_key_result_ok(&key), c < CAUSE_COUNT);
		assert_int_equal(dispatch_reg_result_ok(&reg), c < CAUSE_COUNT);
	}
	key.cause = reg.cause = UINT32_MAX;
	assert_int_equal(dispatch_key_result_ok(&key), 0);
	assert_int_equal(dispatch_reg_result_ok(&reg), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login_urls),
		cmocka_unit_test(test_causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
