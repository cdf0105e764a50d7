/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "cause.h"
#include "unit.h"

static void
each_has_its_advice(void **state)
{
	unsigned c;

	(void)state;
	assert_string_equal(cause_advice(CAUSE_NONE), "");
	for (c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
		assert_int_not_equal(cause_name((enum cause)c)[0], '\0');
		assert_int_equal(cause_advice((enum cause)c)[0] != '\0', c != CAUSE_REFUSED);
	}
	assert_string_equal(cause_name(CAUSE_NONE), "");
	assert_string_equal(cause_advice(CAUSE_PROXY), "check proxy");
	assert_int_equal(cause_of_http(404), CAUSE_NOT_CONTROL);
	assert_int_equal(cause_of_http(500), CAUSE_HTTP);
}

static void
the_first_counts(void **state)
{
	(void)state;
	assert_int_equal(cause_first(CAUSE_NONE, CAUSE_NONE), CAUSE_NONE);
	assert_int_equal(cause_first(CAUSE_NONE, CAUSE_OTHER), CAUSE_OTHER);
	assert_int_equal(cause_first(CAUSE_OTHER, CAUSE_NONE), CAUSE_OTHER);
	assert_int_equal(cause_first(CAUSE_HTTP, CAUSE_SERVER_KEY), CAUSE_SERVER_KEY);
	assert_int_equal(cause_first(CAUSE_SERVER_KEY, CAUSE_HTTP), CAUSE_SERVER_KEY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_has_its_advice), cmocka_unit_test(the_first_counts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
