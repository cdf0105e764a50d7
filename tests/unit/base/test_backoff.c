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

/* security.md D8 */
static void
doubles(void **state)
{
	struct backoff low = { 0 }, high = { 0 }, twice = { 0 };
	unsigned i, ms = 1000, last = 0;

	(void)state;
	for (i = 0; i < 9; i++, ms *= 2) { /* 1, 2, 4 .. 256 s */
		assert_int_equal(backoff_double(&low, 1000, 300000, 1, 0), ms - ms / 4);
		assert_int_equal(backoff_double(&high, 1000, 300000, 1, ms / 2), ms - ms / 4 + ms / 2);
	}
	for (i = 0; i < 100000; i++) /* it never gives up, and never tries more often */
		last = backoff_double(&low, 1000, 300000, 2, 0);
	assert_int_equal(last, 225000);
	assert_int_equal(backoff_double(&low, 1000, 300000, 1, 150000), 375000); /* the limit applies first */
	assert_int_equal(backoff_double(&twice, 1000, 300000, 2, 0), 750);
	assert_int_equal(backoff_double(&twice, 1000, 300000, 2, 0), 3000);
	assert_int_equal(backoff_double(&twice, 150, 3200, 1, 0),
	    1800); /* another kind of failure: the count continues */
	assert_int_equal(backoff_double(&twice, 150, 3200, 1, 0), 2400);
	backoff_reset(&twice);
	assert_int_equal(backoff_double(&twice, 150, 3200, 1, 0), 113);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(delays), cmocka_unit_test(spread), cmocka_unit_test(reset),
		cmocka_unit_test(doubles) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
