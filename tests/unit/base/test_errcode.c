/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "errcode.h"
#include "unit.h"

static void
texts_and_back(void **state)
{
	unsigned e;

	(void)state;
	assert_string_equal(errcode_text(ERR_NO_NETMAP), "no-netmap");
	assert_string_equal(errcode_text(ERR_UNKNOWN_COMMAND), "unknown-command");
	for (e = 0; e < ERR_COUNT; e++)
		assert_int_equal(errcode_parse(errcode_text((enum errcode)e)), e); /* each text once */
	assert_int_equal(errcode_parse("no-netmap "), ERR_COUNT);
	assert_int_equal(errcode_parse(""), ERR_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(texts_and_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
