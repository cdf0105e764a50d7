/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "unit.h"

#include "backoff.h"

/* rows: BACK-01 */
static void
delays(void **state)
{
	struct backoff low = { 0 }, high = { 0 };
	unsigned n, base, a, b;

	(void)state;
	for (n = 1; n <= 80; n++) {
		base = n * n * 10 > 30000 ? 30000 : n * n * 10;
		a = backoff_next(&low, 0);
		b = backoff_next(&high, base); /* the largest remainder */
		assert_int_equal(a, base / 2);
		assert_int_equal(b, base / 2 + base);
	}
	assert_int_equal(b, 45000); /* the cap applies before the random factor */
}

/* rows: BACK-01 */
static void
spread(void **state)
{
	struct backoff b;
	unsigned i, low = 0, high = 0, d;

	(void)state;
	for (i = 0; i < 1000; i++) {
		b.n = 99;
		d = backoff_next(&b, i * 2654435761u);
		assert_in_range(d, 15000, 45000);
		low += d < 25000;
		high += d > 35000;
	}
	assert_true(low > 250 && high > 250);
}

/* rows: BACK-02 */
static void
reset(void **state)
{
	struct backoff b = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 8; i++)
		backoff_next(&b, 0);
	assert_int_equal(backoff_next(&b, 0), 405);
	backoff_reset(&b);
	assert_int_equal(backoff_next(&b, 0), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(delays), cmocka_unit_test(spread),
		cmocka_unit_test(reset) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
