/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <event2/event.h>

#include "timefmt.h"
#include "timer.h"
#include "unit.h"

static struct event_base *base;

struct count {
	struct timer t;
	int due;
	int again; /* the number of further times */
	int frees; /* itself */
};

static void
due(void *arg)
{
	struct count *c = arg;

	c->due++;
	if (c->again-- > 0)
		timer_set_ms(&c->t, 0);
	else if (c->frees)
		timer_free(&c->t);
}

static void
test_once_and_in_time(void **state)
{
	struct count c = { .due = 0 };
	uint64_t from = time_mono_ms();

	(void)state;
	assert_int_equal(timer_init(&c.t, base, due, &c), 0);
	assert_false(timer_pending(&c.t));
	assert_int_equal(timer_set_ms(&c.t, 1030), 0);
	assert_true(timer_pending(&c.t));
	assert_int_equal(timer_set_ms(&c.t, 30), 0); /* the last call counts */
	event_base_dispatch(base);
	assert_int_equal(c.due, 1);
	assert_in_range(time_mono_ms() - from, 29, 1000);
	assert_false(timer_pending(&c.t));
	timer_free(&c.t);
}

static void
test_stop_again_and_soon(void **state)
{
	struct count c = { .again = 2 }, f = { .frees = 1 }, none = { .due = 0 };

	(void)state;
	timer_init(&c.t, base, due, &c);
	timer_set_ms(&c.t, 0);
	timer_stop(&c.t);
	event_base_dispatch(base);
	assert_int_equal(c.due, 0);
	timer_soon(&c.t);
	event_base_dispatch(base);
	assert_int_equal(c.due, 3);
	timer_free(&c.t);
	timer_init(&f.t, base, due, &f);
	timer_set_ms(&f.t, 0);
	event_base_dispatch(base);
	assert_int_equal(f.due, 1);
	assert_null(f.t.ev);
	timer_stop(&none.t);
	timer_free(&none.t);
	assert_false(timer_pending(&none.t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once_and_in_time),
		cmocka_unit_test(test_stop_again_and_soon),
	};
	int rv;

	base = event_base_new();
	rv = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	return rv;
}
