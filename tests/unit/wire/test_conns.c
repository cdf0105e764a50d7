/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"
#include "util_parent.h"
#include "util_request.h"
#include "util_session.h"

/* rows: H2-02 */
static void
test_streams_share_one_connection(void **state)
{
	struct tparent p;
	struct treq map, lite[5];

	(void)state;
	session_with_map(&p, &map);
	for (int i = 0; i < 5; i++) {
		tr_post(&lite[i], p.s, "/lite", "{}", 2, NULL, NULL);
		assert_true(tp_wait(&p, &lite[i].done, 1, 10000));
		tr_text(&lite[i], "done");
		tr_free(&lite[i]);
	}
	ts_more(tp_server(&p, 0), 1, "second", 6, 1);
	assert_true(tp_wait(&p, &map.pieces, 2, 10000));
	tr_text(&map, "firstsecond");
	assert_int_equal(map.done, 0);
	assert_int_equal(p.ndials, 1);
	tr_free(&map);
	tp_free(&p);
}

/* rows: H2-05 */
static void
test_goaway(void **state)
{
	struct tparent p;
	struct treq map, lite, lite2;

	(void)state;
	session_with_map(&p, &map);
	nghttp2_submit_goaway(tp_server(&p, 0)->ng, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
	ts_more(tp_server(&p, 0), 1, "second", 6, 1);
	assert_true(tp_wait(&p, &map.pieces, 2, 10000));
	assert_false(session_is_up(p.s));
	assert_int_equal(p.downs, 0);
	/* A new request uses a new connection, the running stream continues. */
	tr_post(&lite, p.s, "/lite", "{}", 2, NULL, NULL);
	assert_true(tp_wait(&p, &lite.done, 1, 10000));
	assert_int_equal(lite.err, REQ_OK);
	assert_int_equal(p.ndials, 2);
	assert_int_equal(p.ups, 2);
	ts_more(tp_server(&p, 0), 1, "third", 5, 1);
	assert_true(tp_wait(&p, &map.pieces, 3, 10000));
	tr_text(&map, "firstsecondthird");
	/* The second one drains too: a third replaces the older. */
	ts_more(tp_server(&p, 0), 1, "", 0, 0);
	assert_true(tp_wait(&p, &map.done, 1, 10000));
	assert_int_equal(map.err, REQ_OK);
	tp_run(&p, 20);
	assert_true(tp_server(&p, 0)->eof); /* drained: closed */
	assert_int_equal(p.downs, 0);
	tr_post(&lite2, p.s, "/lite", "{}", 2, NULL, NULL);
	assert_true(tp_wait(&p, &lite2.done, 1, 10000));
	assert_int_equal(p.ndials, 2);
	/* An idle connection that gets GOAWAY is over. */
	nghttp2_submit_goaway(tp_server(&p, 1)->ng, 0, 5, NGHTTP2_NO_ERROR, NULL, 0);
	nghttp2_submit_ping(tp_server(&p, 1)->ng, 0, NULL);
	nghttp2_session_terminate_session(tp_server(&p, 1)->ng, NGHTTP2_NO_ERROR);
	ts_flush(tp_server(&p, 1));
	event_active(tp_server(&p, 1)->wr, EV_WRITE, 0);
	assert_true(tp_wait(&p, &p.downs, 1, 10000));
	assert_non_null(strstr(p.why, "GOAWAY"));
	tr_free(&map);
	tr_free(&lite);
	tr_free(&lite2);
	tp_free(&p);
}

/* Two connections drain with a stream each: the older makes room. */
/* rows: H2-05 */
static void
test_third_connection(void **state)
{
	struct tparent p;
	struct treq map[3];

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].on_request = hold;
	tp_session(&p);
	for (unsigned i = 0; i < 3; i++) {
		tr_post(&map[i], p.s, "/machine/map", "{}", 2, NULL, NULL);
		assert_true(tp_wait(&p, &map[i].pieces, 1, 10000));
		assert_int_equal(p.ndials, i + 1);
		nghttp2_submit_goaway(tp_server(&p, i)->ng, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
		ts_more(tp_server(&p, i), 1, "x", 1, 1);
		assert_true(tp_wait(&p, &map[i].pieces, 2, 10000));
	}
	assert_int_equal(map[0].done, 1);
	assert_int_equal(map[0].err, REQ_TRANSPORT);
	assert_int_equal(map[1].done, 0);
	assert_int_equal(map[2].done, 0);
	assert_int_equal(p.downs, 0);
	for (int i = 0; i < 3; i++)
		tr_free(&map[i]);
	tp_free(&p);
}

/* rows: H2-05 */
static void
test_one_stream_per_connection(void **state)
{
	struct tparent p;
	struct treq map, lite[3];

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR] = (struct ts_plan){ .on_request = hold, .max_streams = 1 };
	tp_session(&p);
	tr_post(&map, p.s, "/machine/map", "{}", 2, NULL, NULL);
	assert_true(tp_wait(&p, &map.pieces, 1, 10000));
	for (int i = 0; i < 3; i++)
		tr_post(&lite[i], p.s, "/lite", "{}", 2, NULL, NULL);
	for (int i = 0; i < 3; i++) {
		assert_true(tp_wait(&p, &lite[i].done, 1, 10000));
		assert_int_equal(lite[i].err, REQ_OK);
		tr_free(&lite[i]);
	}
	assert_int_equal(p.ndials, 2);
	assert_int_equal(map.done, 0);
	tp_run(&p, 30);
	assert_true(tp_server(&p, 1)->eof); /* the helper connection goes when it is idle */
	assert_true(tp_server(&p, 1)->got_goaway);
	assert_int_equal(p.downs, 0);
	ts_more(tp_server(&p, 0), 1, "", 0, 0);
	assert_true(tp_wait(&p, &map.done, 1, 10000));
	assert_int_equal(map.err, REQ_OK);
	assert_int_equal(p.downs, 0); /* the first one is idle but fine */
	tr_free(&map);
	tp_free(&p);
}

/* rows: H2-05 */
static void
test_reset_ends_only_its_stream(void **state)
{
	struct tparent p;
	struct treq map, other, lite;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].on_request = hold;
	tp_session(&p);
	tr_post(&map, p.s, "/machine/map", "{}", 2, NULL, NULL);
	tr_post(&other, p.s, "/machine/map", "{}", 2, NULL, NULL);
	assert_true(tp_wait(&p, &other.pieces, 1, 10000));
	nghttp2_submit_rst_stream(tp_server(&p, 0)->ng, 0, 1, NGHTTP2_INTERNAL_ERROR);
	ts_more(tp_server(&p, 0), 3, "x", 1, 1);
	assert_true(tp_wait(&p, &map.done, 1, 10000));
	assert_int_equal(map.err, REQ_RESET);
	assert_non_null(strstr(map.why, "INTERNAL_ERROR"));
	assert_int_equal(other.done, 0);
	nghttp2_submit_rst_stream(tp_server(&p, 0)->ng, 0, 3, NGHTTP2_REFUSED_STREAM);
	tr_post(&lite, p.s, "/lite", "{}", 2, NULL, NULL);
	assert_true(tp_wait(&p, &lite.done, 1, 10000));
	assert_int_equal(lite.err, REQ_OK);
	assert_int_equal(other.err, REQ_GOAWAY);
	assert_int_equal(p.ndials, 1);
	tr_free(&map);
	tr_free(&other);
	tr_free(&lite);
	tp_free(&p);
}

/*
 * The connection fails with its streams; a request that only waited is sent on a new one, and no owner gets an
 * end.
 */
/* rows: H2-05 */
static void
test_what_waits_outlives_the_connection(void **state)
{
	struct tparent p;
	struct treq map[8], lite;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].on_request = hold;
	tp_session(&p);
	for (int i = 0; i < 8; i++) { /* as many as we have at once, fewer than the server allows */
		tr_post(&map[i], p.s, "/machine/map", "{}", 2, NULL, NULL);
		assert_true(tp_wait(&p, &map[i].pieces, 1, 10000));
	}
	tr_post(&lite, p.s, "/lite", "{}", 2, NULL, NULL);
	tp_run(&p, 20);
	assert_int_equal(lite.done, 0);
	assert_int_equal(p.ndials, 1);
	ts_close(tp_server(&p, 0));
	assert_true(tp_wait(&p, &lite.done, 1, 10000));
	assert_int_equal(lite.err, REQ_OK);
	tr_text(&lite, "done");
	for (int i = 0; i < 8; i++) {
		assert_int_equal(map[i].done, 1);
		assert_int_equal(map[i].err, REQ_TRANSPORT);
		tr_free(&map[i]);
	}
	assert_int_equal(p.ndials, 2);
	assert_int_equal(p.ups, 2);
	assert_int_equal(p.downs, 0);
	/* With nothing to ask for there is an end. */
	ts_close(tp_server(&p, 1));
	assert_true(tp_wait(&p, &p.downs, 1, 10000));
	tr_free(&lite);
	tp_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_share_one_connection),
		cmocka_unit_test(test_goaway),
		cmocka_unit_test(test_third_connection),
		cmocka_unit_test(test_one_stream_per_connection),
		cmocka_unit_test(test_reset_ends_only_its_stream),
		cmocka_unit_test(test_what_waits_outlives_the_connection),
	};

	wire_warm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
