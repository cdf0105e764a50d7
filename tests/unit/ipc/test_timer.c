/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <unistd.h>

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
	timer_set_ms(&c.t, 1030);
	assert_true(timer_pending(&c.t));
	timer_set_ms(&c.t, 30); /* the last call counts */
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

/* A turn of the loop that took long: time is counted from the call, not from the beginning of the turn. */
static void
stall(void *arg)
{
	struct count *c = arg;

	usleep(120000);
	timer_set_ms(&c->t, 100);
}

static void
test_not_early_after_a_stall(void **state)
{
	struct count c = { .due = 0 };
	struct timer first;
	uint64_t from = time_mono_ms();

	(void)state;
	timer_init(&c.t, base, due, &c);
	timer_init(&first, base, stall, &c);
	timer_set_ms(&first, 0);
	event_base_dispatch(base);
	assert_int_equal(c.due, 1);
	assert_true(time_mono_ms() - from >= 210); /* the loop's clock is a coarse one */
	timer_free(&c.t);
	timer_free(&first);
}

/* What waits when a stall ends is read before a deadline that passed meanwhile. */
struct talk {
	int fd[2];
	struct event *rd;
	struct timer deadline;
	int read_first, late;
};

static void
hear(evutil_socket_t fd, short what, void *arg)
{
	struct talk *t = arg;
	char c;

	(void)what;
	assert_int_equal(read(fd, &c, 1), 1);
	t->read_first = !t->late;
	timer_stop(&t->deadline);
	event_del(t->rd);
}

static void
too_late(void *arg)
{
	((struct talk *)arg)->late = 1;
}

static void
stall_and_write(void *arg)
{
	struct talk *t = arg;

	usleep(50000);
	assert_int_equal(write(t->fd[1], "", 1), 1);
}

static void
test_input_before_deadlines(void **state)
{
	struct talk t = { .late = 0 };
	struct timer first;

	(void)state;
	assert_int_equal(pipe(t.fd), 0);
	assert_non_null(t.rd = event_new(base, t.fd[0], EV_READ | EV_PERSIST, hear, &t));
	event_add(t.rd, NULL);
	timer_init(&t.deadline, base, too_late, &t);
	timer_init(&first, base, stall_and_write, &t);
	timer_set_ms(&t.deadline, 20);
	timer_set_ms(&first, 0);
	event_base_dispatch(base);
	assert_true(t.read_first);
	assert_false(t.late);
	event_free(t.rd);
	timer_free(&t.deadline);
	timer_free(&first);
	close(t.fd[0]);
	close(t.fd[1]);
}

/* Of the loop's library: whether there is memory. */
static int memory = 1;

static void *
get(size_t n)
{
	return memory ? malloc(n) : NULL;
}

static void *
get_more(void *p, size_t n)
{
	return memory ? realloc(p, n) : NULL;
}

static void
test_no_memory_is_needed(void **state)
{
	static struct count all[TIMERS_MAX];
	struct event_base *full = event_base_new();
	size_t i;

	(void)state;
	assert_int_equal(timer_reserve(full), 0);
	for (i = 0; i < TIMERS_MAX; i++)
		assert_int_equal(timer_init(&all[i].t, full, due, &all[i]), 0);
	memory = 0;
	for (i = 0; i < TIMERS_MAX; i++)
		timer_set_ms(&all[i].t, i % 2 == 0 ? 30 : 100000);
	assert_null(event_new(full, -1, 0, timer_due_, NULL)); /* there is none indeed */
	for (i = 0; i < TIMERS_MAX; i += 2)
		assert_true(timer_pending(&all[i].t));
	while (all[TIMERS_MAX - 2].due == 0)
		event_base_loop(full, EVLOOP_ONCE);
	memory = 1;
	for (i = 0; i < TIMERS_MAX; i++) {
		assert_int_equal(all[i].due, i % 2 == 0);
		timer_free(&all[i].t);
	}
	event_base_free(full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once_and_in_time),
		cmocka_unit_test(test_stop_again_and_soon),
		cmocka_unit_test(test_not_early_after_a_stall),
		cmocka_unit_test(test_input_before_deadlines),
		cmocka_unit_test(test_no_memory_is_needed),
	};
	int rv;

	event_set_mem_functions(get, get_more, free);
	base = event_base_new();
	rv = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	return rv;
}
