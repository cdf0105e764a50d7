/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "request.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "session_int.h"
#include "tls.h"
#include "util_parent.h"
#include "util_request.h"
#include "util_session.h"

/* How connections and sessions end: at any byte, at a deadline, by their owner. */
static SSL_CTX *cert;

/* One request to a server that closes after n bytes.  Returns how it ended. */
static enum request_err
cut_after(size_t n, int tls, size_t chunk)
{
	struct tparent p;
	struct treq r;
	enum request_err err;

	tp_init(&p, "control.example");
	if (tls) {
		p.cfg.clear_port = 0;
		p.cfg.tls_port = 443;
	}
	p.plan[tls ? WIRE_DIAL_TLS : WIRE_DIAL_CLEAR] = (struct ts_plan){ .on_request = hold,
		.early = "{}",
		.cut = n + 1,
		.chunk = chunk,
		.tls = tls ? cert : NULL };
	tp_session(&p);
	tr_post(&r, p.s, "/lite", "{}", 2, NULL, NULL);
	if (!tp_wait(&p, &r.done, 1, 10000))
		fail_msg("no end after %zu bytes", n);
	err = r.err;
	if (err != REQ_OK) {
		assert_int_equal(err, REQ_TRANSPORT);
		assert_true(r.why[0] != '\0');
		assert_true(tp_wait(&p, &p.downs, 1, 10000));
		assert_int_equal(p.downs, 1);
		assert_false(session_is_up(p.s));
	}
	assert_int_equal(r.done, 1);
	assert_int_equal(p.ndials, 1); /* nothing is tried again by itself */
	tr_free(&r);
	tp_free(&p);
	return err;
}

/* security.md 5.4, number 1 */
/* rows: DIAL-05 NOISE-07 EARLY-03 */
static void
test_cut_at_each_byte(void **state)
{
	size_t n, k;

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		for (k = 0; k < 2; k++) { /* all at once, and in pieces of three */
			for (n = 0; n < 5000 && cut_after(n, tls, k * 3) != REQ_OK; n++)
				;
			assert_in_range(n, 250, 4000);
		}
	}
}

static void
free_at_the_deadline(struct tparent *p)
{
	assert_int_equal(p->ncancels, 1); /* requests to the owner are made before it may be freed */
	session_free(p->s);
	p->s = NULL;
}

/* rows: DIAL-08 */
static void
test_free_at_the_deadline(void **state)
{
	struct race_times times = race_times_default;
	struct tparent p;
	struct treq r;

	(void)state;
	times.deadline = 30;
	tp_init(&p, "192.0.2.7");
	p.way[WIRE_DIAL_CLEAR] = TP_IGNORE;
	p.on_down = free_at_the_deadline;
	tp_session(&p);
	session_set_times(p.s, &times);
	tr_post(&r, p.s, "/a", "x", 1, NULL, NULL);
	assert_true(tp_wait(&p, &p.downs, 1, 10000));
	assert_int_equal(r.done, 1);
	assert_non_null(strstr(p.why, "no connection within"));
	assert_int_equal(p.ncancels, 1);
	tr_free(&r);
	tp_free(&p);
}

/* session_free() makes no callback, not even with data that was held back for a stream that continues now. */
static void
test_free_calls_nothing_back(void **state)
{
	struct tparent p;
	struct treq map;
	unsigned pieces;

	(void)state;
	session_with_map(&p, &map);
	request_pause(map.r, 1);
	ts_more(tp_server(&p, 0), 1, "more", 4, 1);
	tp_run(&p, 20);
	pieces = map.pieces;
	request_pause(map.r, 0);
	session_free(p.s);
	p.s = NULL;
	assert_int_equal(map.pieces, pieces);
	assert_int_equal(map.done, 0);
	tp_run(&p, 5);
	assert_true(tp_server(&p, 0)->got_goaway);
	tr_free(&map);
	tp_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_at_each_byte),
		cmocka_unit_test(test_free_at_the_deadline),
		cmocka_unit_test(test_free_calls_nothing_back),
	};
	int rc;

	wire_warm();
	cert = ts_tls_context("DNS:control.example", 10, NULL);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	SSL_CTX_free(cert);
	return rc;
}
