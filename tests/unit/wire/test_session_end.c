/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>

#include "request.h"
#include "tls.h"
#include "util_session.h"

static void
test_pause(void **state)
{
	struct tparent p;
	struct treq map, lite;
	uint8_t *chunk = calloc(1, 1 << 20);

	(void)state;
	session_with_map(&p, &map);
	request_pause(map.r, 1);
	for (int i = 0; i < 8; i++)
		ts_more(tp_server(&p, 0), 1, chunk, 1 << 20, 1);
	free(chunk);
	tp_run(&p, 100);
	assert_int_equal(map.got, 5);
	/* The server could send no more than the window, and other streams are not held up. */
	assert_true(buf_len(&tp_server(&p, 0)->open[0]->answer) >= 4 << 20);
	tr_post(&lite, p.s, "/lite", "{}", 2, NULL, NULL);
	assert_true(tp_wait(&p, &lite.done, 1, 10000));
	assert_int_equal(lite.err, REQ_OK);
	request_pause(map.r, 0);
	while (map.got < 5 + (8 << 20))
		assert_true(tp_wait(&p, &map.pieces, map.pieces + 1, 10000));
	tr_free(&map);
	tr_free(&lite);
	tp_free(&p);
}

static struct tparent *victim;

static void
free_session(struct treq *r)
{
	(void)r;
	session_free(victim->s);
	victim->s = NULL;
}

static void
free_from_up(struct tparent *p)
{
	session_free(p->s);
	p->s = NULL;
}

/* The owner may free the session, or cancel the request, wherever it is called back. */
static void
test_free_and_cancel_in_callbacks(void **state)
{
	(void)state;
	for (int where = 0; where < 8; where++) {
		struct tparent p;
		struct treq r = { .r = NULL }, other;
		unsigned never = 0;

		tp_init(&p, "192.0.2.7");
		victim = &p;
		p.plan[WIRE_DIAL_CLEAR].on_request = hold;
		if (where == 5)
			p.way[WIRE_DIAL_CLEAR] = TP_REFUSE;
		tp_session(&p);
		tr_post(&other, p.s, "/machine/map", "{}", 2, NULL, NULL);
		tr_post(&r, p.s, "/lite", "{}", 2, NULL, NULL);
		r.on_head = where == 0 ? free_session : where == 6 ? tr_cancel : NULL;
		r.on_data = where == 1 ? free_session : where == 7 ? tr_cancel : NULL;
		r.on_done = where == 2 ? free_session : NULL;
		p.on_up = where == 3 ? free_from_up : NULL;
		p.on_down = where == 4 || where == 5 ? free_from_up : NULL;
		tp_wait(&p, &never, 1, 40);
		if (where == 4) {
			assert_int_equal(r.done, 1);
			ts_close(tp_server(&p, 0));
			tp_run(&p, 40);
			assert_int_equal(other.done, 1);
		}
		if (where >= 6) {
			assert_int_equal(r.done, 0);
			assert_non_null(p.s);
		} else
			assert_null(p.s);
		if (where < 4)
			assert_true(tp_server(&p, 0)->eof);
		tr_free(&r);
		tr_free(&other);
		tp_free(&p);
	}
}

/* rows: DIAL-08 */
static void
test_free_closes_for_real(void **state)
{
	struct tparent p;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].silent = 1;
	tp_session(&p);
	session_connect(p.s);
	tp_run(&p, 20);
	assert_int_equal(p.nhs, 1);
	tp_mark(&p);
	session_free(p.s);
	p.s = NULL;
	tp_run(&p, 5);
	assert_true(tp_server(&p, 0)->eof);
	assert_int_equal(p.downs, 0);
	/* While the parent still dials: it is informed. */
	p.way[WIRE_DIAL_CLEAR] = TP_IGNORE;
	p.ncancels = 0;
	tp_session(&p);
	session_connect(p.s);
	tp_run(&p, 5);
	assert_int_equal(p.ncancels, 0);
	session_free(p.s);
	p.s = NULL;
	assert_int_equal(p.ncancels, 1);
	tp_free(&p);
	/* Up: GOAWAY is sent first. */
	tp_init(&p, "192.0.2.7");
	tp_session(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.ups, 1, 10000));
	tp_run(&p, 20);
	session_free(p.s);
	p.s = NULL;
	tp_run(&p, 5);
	assert_true(tp_server(&p, 0)->eof);
	assert_true(tp_server(&p, 0)->got_goaway);
	tp_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_free_and_cancel_in_callbacks),
		cmocka_unit_test(test_free_closes_for_real),
	};

	wire_warm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
