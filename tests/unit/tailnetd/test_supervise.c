/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "unit.h"

#include "childsend.h"
#include "exits.h"
#include "status.h"
#include "timefmt.h"
#include "util_childsim.h"

/*
 * Start and end of the children: the pauses between, whether they answer, and what the parent does each 30 s
 * (security.md D8, D16).
 */

#define S           1000u
#define CAP         (300 * S) /* "5 min" */
#define HEALTHY     (600 * S) /* "10 healthy minutes" */
#define BUILD       INT64_C(1767225600)
#define EXITS       0 /* for ends(), beside signals */
#define BREAKS_RULE (-1)
#define ENDS_FIRST  (-2) /* violates the protocol, and ends before it is killed */
#define NO_MEMORY   (-3)

/* --- pauses --- */

/*
 * A real process in mapd's place ends that way; 1: about this pause, plus or minus a quarter, follows
 * it.
 */
static int
ends(struct rig *r, int how, uint64_t want)
{
	struct child *m = child_of(r, 1);
	uint64_t before = time_mono_ms(), after;
	int i;

	m->wanted = 1;
	assert_int_not_equal(m->pid = fork(), -1);
	if (m->pid == 0) {
		if (how == EXITS || how == ENDS_FIRST)
			_exit(3);
		if (how == NO_MEMORY)
			_exit(EXIT_MEMORY);
		for (;;)
			pause();
	}
	if (how == BREAKS_RULE)
		child_kill(m, "test");
	else if (how == ENDS_FIRST)
		m->violated = 1;
	else if (how != EXITS && how != NO_MEMORY)
		kill(m->pid, how);
	for (i = 0; i < 10000 && m->pid != 0; i++) {
		usleep(1000);
		ps_run(r->s);
	}
	assert_int_equal(m->pid, 0);
	after = time_mono_ms();
	child_want(m); /* a request during its pause changes nothing */
	assert_int_equal(m->pid, 0);
	assert_int_equal(m->unstarted, 0); /* a missing program would have been counted */
	assert_true(timer_pending(&m->retry));
	close(r->raw[1]);
	r->raw[1] = ps_attach(r->s, m);
	return m->not_before >= before + want - want / 4 && m->not_before <= after + want + want / 4 + 1;
}

static void
live(struct rig *r, uint64_t ms)
{
	if (child_of(r, 1)->phase == CHILD_STARTING)
		say_ready(r, 1);
	child_of(r, 1)->ready_ms -= ms;
}

/* D8: 1 s doubling to 5 min, and a crash counts double. */
/* rows: PRIV-03 */
static void
pauses_double(void **state)
{
	static const struct {
		int how;
		unsigned step;
	} cases[] = { { EXITS, 1 }, { NO_MEMORY, 1 }, { SIGUSR1, 2 }, { BREAKS_RULE, 2 }, { ENDS_FIRST, 2 } };
	struct rig *r = *state;
	uint64_t want;
	size_t i;
	int more;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		child_of(r, 1)->fails.n = 0;
		for (want = S, more = 3; more > 0; want <<= cases[i].step) {
			if (want > CAP) {
				want = CAP;
				more--;
			}
			live(r, 0);
			assert_true(ends(r, cases[i].how, want));
		}
		child_of(r, 1)->fails.n = 1000000; /* it never gives up, and never tries more often */
		live(r, 0);
		assert_true(ends(r, cases[i].how, CAP));
	}
}

/* D8: +-25 %, so that what fails together does not start again together. */
/* rows: PRIV-03 */
static void
pauses_differ(void **state)
{
	struct rig *r = *state;
	struct child *m = child_of(r, 1);
	uint64_t ms, least = UINT64_MAX, most = 0;
	int i;

	for (i = 0; i < 40; i++) {
		m->fails.n = 30;
		assert_true(ends(r, EXITS, CAP));
		ms = m->not_before - time_mono_ms();
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_true(least < CAP - CAP / 20 && most > CAP + CAP / 20);
}

/* D8: ten healthy minutes, and the count starts from 0. */
/* rows: PRIV-03 */
static void
health_is_forgiving(void **state)
{
	struct rig *r = *state;
	struct child *m = child_of(r, 1);

	m->fails.n = 30;
	live(r, HEALTHY - 60 * S);
	assert_true(ends(r, EXITS, CAP));
	m->ready_ms -= HEALTHY; /* of a life before: this one was never ready */
	assert_true(ends(r, EXITS, CAP));
	live(r, HEALTHY);
	assert_true(ends(r, EXITS, S));
	live(r, 0);
	assert_true(ends(r, EXITS, 2 * S));
	m->fails.n = 30;
	live(r, HEALTHY);
	assert_true(ends(r, SIGUSR1, S));
	live(r, 0);
	assert_true(ends(r, SIGUSR1, 4 * S));
}

static unsigned
planned(struct rig *r)
{
	struct ipc_dial_times t;

	dialler_times(r->s->p.dialler, &t);
	return t.n;
}

/* D8: an end for lack of memory has its own health code, and keeps the dial plan of mapd; a crash drops the plan. */
/* rows: PRIV-03 */
static void
memory_is_no_crash(void **state)
{
	static const struct ipc_dial_plan plan = { .n = 1,
		.e = { { .ip = { .family = 4, .bits = 32, .addr = { 192, 0, 2, 1 } }, .has_ip = 1 } } };
	struct rig *r = *state;
	struct parent *p = &r->s->p;

	dialler_plan(p->dialler, &plan);
	live(r, 0);
	assert_true(ends(r, NO_MEMORY, S));
	assert_true(p->health.h[HEALTH_OUT_OF_MEMORY].on);
	assert_non_null(strstr(p->health.h[HEALTH_OUT_OF_MEMORY].text, "] ran out of memory (status 75)"));
	assert_false(p->health.h[HEALTH_CHILD_CRASH].on);
	assert_int_equal(planned(r), 1);
	assert_non_null(strstr(ps_ask(r->s, "status"), "\"code\":\"out-of-memory\",\"severity\":\"high\""));
	/* ten minutes later it is over */
	supervise_look(p->sup);
	assert_true(p->health.h[HEALTH_OUT_OF_MEMORY].on);
	p->sup->fault_ms[HEALTH_OUT_OF_MEMORY] -= HEALTHY;
	supervise_look(p->sup);
	assert_false(p->health.h[HEALTH_OUT_OF_MEMORY].on);

	live(r, 0);
	(void)ends(r, SIGUSR1, S);
	assert_true(p->health.h[HEALTH_CHILD_CRASH].on);
	assert_false(p->health.h[HEALTH_OUT_OF_MEMORY].on);
	assert_int_equal(planned(r), 0);
}

/* D8: kills from outside have a count of their own, with a shorter memory, and say so. */
/* rows: PRIV-03 */
static void
kills_feed_no_throttle(void **state)
{
	struct rig *r = *state;
	struct child *m = child_of(r, 1);
	const char *text = r->s->p.health.h[HEALTH_CHILD_KILLED].text;
	uint64_t want = 150;
	int i;

	for (i = 0; i < 6; i++) {
		live(r, 0);
		assert_true(ends(r, SIGKILL, want));
		want = want * 2 > 3200 ? 3200 : want * 2;
	}
	assert_int_equal(m->fails.n, 0);
	live(r, 60 * S); /* a healthy spell */
	m->overdue = 1;
	assert_true(ends(r, SIGKILL, S)); /* it hung: the first failure */
	assert_non_null(
	    strstr(r->s->p.health.h[HEALTH_CHILD_CRASH].text, "] was killed: it hung; it is started again "));
	m->overdue = 0;
	live(r, 0);
	assert_true(ends(r, SIGKILL, 150));
	assert_non_null(strstr(text, "] was killed by signal 9 ("));
	assert_non_null(strstr(text, "; it is started again at once"));
	live(r, 0);
	assert_non_null(strstr(text, "; it runs again"));
	for (i = 0; i < 3; i++)
		assert_true(ends(r, SIGUSR1, S << (2 * i + 2)));
	assert_non_null(strstr(r->s->p.health.h[HEALTH_CHILD_CRASH].text, "Z, in "));
}

/* --- questions --- */

/* WATCHDOG is fed only while both answer. */
static void
both_have_to_answer(void **state)
{
	struct rig *r = *state;
	struct supervisor *sup = r->s->p.sup;
	struct ipc_empty e = { 0 };
	int first;

	assert_int_equal(supervise_answered(sup), 1); /* no child was asked */
	for (first = 0; first < 2; first++) {
		supervise_ping(sup);
		assert_int_equal(supervise_answered(sup), 0);
		say(r, first, IPC_PONG, IPC_ID_NONE, &e, sizeof(e));
		assert_int_equal(supervise_answered(sup), 0);
		say(r, !first, IPC_PONG, IPC_ID_NONE, &e, sizeof(e));
		assert_int_equal(supervise_answered(sup), 1);
	}
}

/* The last message of that type to mapd, its body in *body if there is room; how many there were. */
static unsigned
received(struct rig *r, unsigned type, void *body, size_t size)
{
	static uint8_t text[65536];
	struct hdr h;
	unsigned n = 0;
	ssize_t got, at;

	ps_run(r->s);
	got = recv(r->raw[1], text, sizeof(text), MSG_DONTWAIT);
	for (at = 0; got - at >= (ssize_t)sizeof(h); at += (ssize_t)(sizeof(h) + h.len)) {
		memcpy(&h, text + at, sizeof(h));
		if (h.type != type)
			continue;
		n++;
		if (h.len == size)
			memcpy(body, text + at + sizeof(h), size);
	}
	return n;
}

/* KA-02: mapd gets "120 s" by default. */
/* rows: KA-02 */
static void
watchdog_of_mapd(void **state)
{
	struct rig *r = *state;
	struct ipc_config m;

	childsend_new_config(r->s->p.sup);
	assert_int_equal(received(r, IPC_CONFIG, &m, sizeof(m)), 1);
	assert_int_equal(m.watchdog_ms, 120000);
	ps_config(r->s, "map-watchdog 7\n");
	childsend_new_config(r->s->p.sup);
	assert_int_equal(received(r, IPC_CONFIG, &m, sizeof(m)), 1);
	assert_int_equal(m.watchdog_ms, 7000);
}

/* --- clocks --- */

/* A tick; whether it made the map stream end. */
static int
tick(struct rig *r, uint64_t boot_ms, int64_t wall_s)
{
	struct login *c = &r->s->p.login;
	struct ipc_empty e = { 0 };
	unsigned stops;
	int i;

	c->map = MAP_STREAM;
	c->map_backoff.n = 7;
	parent_tick(&r->s->p, boot_ms, wall_s);
	stops = received(r, IPC_MAP_STOP, NULL, 0);
	for (i = 0; i < 2; i++)
		say(r, i, IPC_PONG, IPC_ID_LOOK, &e, sizeof(e));
	assert_int_equal(child_of(r, 1)->violated, 0);
	assert_int_equal(c->map_backoff.n, stops == 0 ? 7 : 0); /* and no waiting for the next try */
	return stops == 1;
}

/* D16: more time has passed than a tick, on a clock that also runs during suspend. */
/* rows: ERR-06 */
static void
suspended(void **state)
{
	struct rig *r = *state;
	uint64_t t = 5000000;

	r->s->p.tick_boot = t;
	assert_false(tick(r, t += 30 * S, BUILD));
	assert_false(tick(r, t += 38 * S, BUILD)); /* only late */
	assert_true(tick(r, t += 60 * S, BUILD));
	assert_false(tick(r, t += 30 * S, BUILD));
	assert_true(tick(r, t += 86400 * S, BUILD));
	assert_false(tick(r, t += 30 * S, BUILD));
	/*
	 * ERR-06: what the wall clock does is no suspend, and where it is used for that (OpenBSD) going back
	 * is none
	 */
	assert_false(tick(r, t += 30 * S, BUILD + 86400 * 365));
	assert_false(tick(r, t += 30 * S, BUILD - 86400 * 365));
	assert_false(tick(r, t -= 4000 * S, BUILD));
	assert_false(tick(r, t += 30 * S, BUILD));
	assert_true(tick(r, t += 50 * S, BUILD));
	r->s->p.login.paused = 1;
	assert_false(tick(r, t += 500 * S, BUILD)); /* there is nothing to connect */
}

static int
says_clock_wrong(struct psim *s, int watcher)
{
	struct buf out;
	int found;

	for (; status_waits(s->p.control); usleep(1000))
		ps_run(s);
	buf_init(&out, PS_MAX_ANSWER);
	assert_int_equal(ps_read(s, watcher, &out), 0);
	buf_putc(&out, '\0');
	found = strstr((char *)buf_ptr(&out), "\"clock-wrong\"") != NULL;
	assert_int_equal(strstr(ps_ask(s, "status"), "\"clock-wrong\"") != NULL, s->p.health.h[HEALTH_CLOCK_WRONG].on);
	buf_free(&out);
	return found;
}

/* tailnetd(8), D16: a clock earlier than the release is reported, as long as it is wrong. */
static void
clock_is_wrong(void **state)
{
	struct rig *r = *state;
	struct psim *s = r->s;
	int fd = ps_connect(s);

	assert_int_equal(write(fd, "watch\n", 6), 6);
	assert_false(tick(r, 0, BUILD));
	assert_false(says_clock_wrong(s, fd));
	assert_false(tick(r, 0, BUILD - 1));
	assert_true(says_clock_wrong(s, fd));
	assert_true(s->p.health.h[HEALTH_CLOCK_WRONG].on);
	assert_false(tick(r, 0, 0));
	assert_true(s->p.health.h[HEALTH_CLOCK_WRONG].on);
	assert_false(tick(r, 0, BUILD));
	assert_false(says_clock_wrong(s, fd));
	assert_false(s->p.health.h[HEALTH_CLOCK_WRONG].on);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pauses_double, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(pauses_differ, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(health_is_forgiving, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(memory_is_no_crash, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(kills_feed_no_throttle, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(both_have_to_answer, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(watchdog_of_mapd, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(suspended, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(clock_is_wrong, childsim_setup, childsim_teardown),
	};

	return cmocka_run_group_tests_name("supervise", tests, NULL, NULL);
}
