/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session_int.h"
#include "tls.h"
#include "util_parent.h"
#include "util_request.h"

static SSL_CTX *cert;

static void
ok(struct tserver *t, struct ts_request *r, void *arg)
{
	(void)arg;
	ts_answer(t, r->id, 200, NULL, NULL, "ok", 2, 0);
}

/* A server under a public name: clear text on 80, TLS on 443. */
static void
ports(struct tparent *p, unsigned clear, unsigned tls)
{
	tp_init(p, "control.example");
	p->cfg.clear_port = clear;
	p->cfg.tls_port = tls;
	p->plan[WIRE_DIAL_CLEAR].on_request = p->plan[WIRE_DIAL_TLS].on_request = ok;
	p->plan[WIRE_DIAL_TLS].tls = cert;
	tp_session(p);
}

static void
both(struct tparent *p)
{
	ports(p, 80, 443);
}

static void
times(struct tparent *p, unsigned deadline, unsigned plan_max)
{
	struct race_times t = race_times_default;

	t.tls_delay = 300;
	t.clear_delay = 500;
	t.deadline = deadline;
	t.plan_min = t.plan_extra = 150;
	t.plan_max = plan_max;
	session_set_times(p->s, &t);
}

static unsigned
dialled_after(const struct tparent *p, unsigned i)
{
	return (unsigned)(p->dials[i].at_ms - p->start_ms);
}

static void
works(struct tparent *p)
{
	struct treq r;

	tr_post(&r, p->s, "/a", "{}", 2, NULL, NULL);
	assert_true(tp_wait(p, &r.done, 1, 8000));
	assert_int_equal(r.err, REQ_OK);
	tr_text(&r, "ok");
	tr_free(&r);
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_int_equal(race_times_default.tls_delay, 500);
	assert_int_equal(race_times_default.recent, 120000);
	assert_int_equal(race_times_default.beside, 2500);
	assert_int_equal(race_times_default.deadline, 10000);
	assert_int_equal(race_times_default.tls, 15000);
	assert_int_equal(race_times_default.plan_min, 5000);
	assert_int_equal(race_times_default.plan_extra, 5000);
	assert_int_equal(race_times_default.plan_max, 60000);
	assert_true(race_times_default.clear_delay < 5000);
}

/* rows: DIAL-04 */
static void
test_clear_wins_when_it_is_quick(void **state)
{
	struct tparent p;

	(void)state;
	both(&p);
	times(&p, 1000, 5000);
	works(&p);
	tp_run(&p, 100);
	assert_int_equal(p.ndials, 1);
	assert_int_equal(p.dials[0].kind, WIRE_DIAL_CLEAR);
	tp_free(&p);
}

/* A 101 alone is not success. */
/* rows: DIAL-04 DIAL-06 */
static void
test_clear_hangs_after_101(void **state)
{
	struct tparent p;

	(void)state;
	both(&p);
	p.plan[WIRE_DIAL_CLEAR].hang_after_head = 1;
	tp_mark(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.ups, 1, 5000));
	assert_int_equal(p.ndials, 2);
	assert_int_equal(p.dials[1].kind, WIRE_DIAL_TLS);
	assert_in_range(dialled_after(&p, 1), 500, 505);
	tp_run(&p, 10);
	assert_true(tp_server(&p, 0)->eof); /* the loser is closed */
	assert_string_equal(tp_server(&p, 1)->sni, "control.example");
	works(&p);
	assert_string_equal(p.steps, "u1 t2 u2 n2 h2"); /* each attempt reports its own steps */
	assert_int_equal(p.ndials, 2);
	tp_free(&p);
}

/* A server that accepts and is silent: other addresses of the name are tried beside it. */
/* rows: DIAL-10 */
static void
test_other_addresses_beside(void **state)
{
	struct tparent p;
	unsigned i;

	(void)state;
	ports(&p, 0, 443);
	p.plan[WIRE_DIAL_TLS].hang_after_head = 1;
	tp_mark(&p);
	session_connect(p.s);
	tp_run(&p, 9000);
	assert_int_equal(p.ndials, 4); /* three beside it, no more */
	assert_int_equal(p.dials[0].candidate, 0);
	for (i = 1; i < 4; i++) {
		assert_int_equal(p.dials[i].candidate, WIRE_BESIDE);
		assert_int_equal(p.dials[i].kind, WIRE_DIAL_TLS);
		assert_in_range(dialled_after(&p, i), 2500 * i, 2500 * i + 5);
	}
	tp_free(&p);
	ports(&p, 80, 0);
	p.plan[WIRE_DIAL_CLEAR].hang_after_head = 1;
	session_connect(p.s);
	tp_run(&p, 2000);
	assert_int_equal(p.ndials, 1);
	p.plan[WIRE_DIAL_CLEAR].hang_after_head = 0; /* the next one answers */
	assert_true(tp_wait(&p, &p.ups, 1, 1000));
	works(&p);
	assert_int_equal(p.ndials, 2);
	tp_free(&p);
}

/* That a name has no other address is not reported as an error. */
/* rows: DIAL-10 */
static void
test_no_other_address(void **state)
{
	struct tparent p;

	(void)state;
	ports(&p, 80, 0);
	p.plan[WIRE_DIAL_CLEAR].hang_after_head = 1;
	session_connect(p.s);
	tp_run(&p, 2000);
	p.way[WIRE_DIAL_CLEAR] = TP_REFUSE;
	assert_true(tp_wait(&p, &p.downs, 1, 12000));
	assert_null(strstr(p.why, "refused"));
	assert_non_null(strstr(p.why, "no connection within 10 s"));
	tp_free(&p);
}

/* rows: DIAL-04 */
static void
test_clear_refused_means_tls_at_once(void **state)
{
	struct tparent p;

	(void)state;
	both(&p);
	p.way[WIRE_DIAL_CLEAR] = TP_REFUSE;
	tp_mark(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.ups, 1, 5000));
	assert_true(dialled_after(&p, 1) < 450);
	tp_free(&p);
}

/* The slower clear-text attempt may still win; then TLS is closed. */
/* rows: DIAL-04 */
static void
test_first_finished_wins(void **state)
{
	struct tparent p;

	(void)state;
	both(&p);
	times(&p, 2000, 5000);
	p.hold_keys = 1;
	p.plan[WIRE_DIAL_TLS].silent = 1;
	session_connect(p.s);
	tp_run(&p, 450);
	assert_int_equal(p.ndials, 2);
	assert_int_equal(p.ups, 0);
	tp_release_keys(&p);
	assert_int_equal(p.ups, 1);
	tp_run(&p, 10);
	assert_true(tp_server(&p, 1)->eof);
	p.hold_keys = 0;
	works(&p);
	tp_free(&p);
}

/* rows: DIAL-04 */
static void
test_both_fail(void **state)
{
	struct tparent p;

	(void)state;
	both(&p);
	p.way[WIRE_DIAL_CLEAR] = TP_REFUSE;
	p.plan[WIRE_DIAL_TLS] = (struct ts_plan){ .tls = NULL }; /* plain HTTP on 443 */
	tp_mark(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.ndials, 2, 3000));
	ts_send_wire(tp_server(&p, 1), "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	ts_flush(tp_server(&p, 1));
	assert_true(tp_wait(&p, &p.downs, 1, 3000));
	assert_string_equal(p.why,
	    "connect to 192.0.2.1: Connection refused; "
	    "TLS handshake with control.example:443 failed: wrong version number");
	tp_free(&p);
}

/* rows: DIAL-08 */
static void
test_alone_fails_at_once(void **state)
{
	struct tparent p;

	(void)state;
	tp_init(&p, "127.0.0.1");
	p.way[WIRE_DIAL_CLEAR] = TP_REFUSE;
	tp_session(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.downs, 1, 3000));
	assert_string_equal(p.why, "connect to 192.0.2.1: Connection refused");
	assert_int_equal(p.ndials, 1);
	tp_free(&p);
}

/* rows: DIAL-08 */
static void
test_deadline(void **state)
{
	static const char *const text[] = {
		"connection to control.example:80 was not finished",
		"upgrade at control.example:80 was not finished",
		"Noise handshake with control.example:80 was not finished",
	};
	struct treq r;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct tparent p;

		both(&p);
		times(&p, 600, 5000);
		p.way[WIRE_DIAL_CLEAR] = i == 0 ? TP_IGNORE : TP_CONNECT;
		p.plan[WIRE_DIAL_CLEAR].silent = i == 1;
		p.plan[WIRE_DIAL_CLEAR].hang_after_head = i == 2;
		p.plan[WIRE_DIAL_TLS].silent = 1;
		tr_post(&r, p.s, "/a", NULL, 0, NULL, NULL);
		tp_mark(&p);
		assert_true(tp_wait(&p, &p.downs, 1, 5000));
		assert_in_range(tp_since(&p), 600, 605);
		assert_non_null(strstr(p.why, "no connection within"));
		assert_non_null(strstr(p.why, text[i]));
		assert_non_null(strstr(p.why, "upgrade at control.example:443 was not finished"));
		assert_int_equal(r.err, REQ_TRANSPORT);
		assert_int_equal(p.ncancels, 2); /* a dial or a handshake of each */
		tp_run(&p, 10);
		assert_true(tp_server(&p, 1)->eof);
		tr_free(&r);
		tp_free(&p);
	}
}

/* rows: DIAL-07 */
static void
test_soon_again_prefers_tls(void **state)
{
	struct tparent p;

	(void)state;
	both(&p);
	times(&p, 2000, 5000);
	works(&p);
	ts_close(tp_server(&p, 0));
	assert_true(tp_wait(&p, &p.downs, 1, 1000));
	works(&p);
	assert_int_equal(p.ndials, 2);
	assert_int_equal(p.dials[1].kind, WIRE_DIAL_TLS);
	/* No server: clear text at once. */
	ts_close(tp_server(&p, 1));
	assert_true(tp_wait(&p, &p.downs, 2, 1000));
	p.way[WIRE_DIAL_TLS] = TP_REFUSE;
	tp_mark(&p);
	works(&p);
	assert_int_equal(p.ndials, 4);
	assert_int_equal(p.dials[3].kind, WIRE_DIAL_CLEAR);
	assert_true(dialled_after(&p, 3) < 450);
	/* Packets to 443 vanish: clear text a little later. */
	ts_close(tp_server(&p, 3));
	assert_true(tp_wait(&p, &p.downs, 3, 1000));
	p.way[WIRE_DIAL_TLS] = TP_IGNORE;
	tp_mark(&p);
	works(&p);
	assert_in_range(dialled_after(&p, 5), 500, 505);
	assert_true(p.dials[4].cancelled);
	tp_free(&p);
}

/* rows: DIAL-06 */
static void
test_tls_needs_no_good_certificate(void **state)
{
	static const char *const sans[] = { "DNS:other.example", "DNS:control.example" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		SSL_CTX *bad = ts_tls_context(sans[i], i == 1 ? -1 : 10, NULL); /* wrong name; expired */
		struct tparent p;

		both(&p);
		p.cfg.clear_port = 0;
		session_free(p.s);
		tp_session(&p);
		p.plan[WIRE_DIAL_TLS].tls = bad; /* aborts if h2 is offered by ALPN */
		works(&p);
		assert_int_equal(p.dials[0].kind, WIRE_DIAL_TLS);
		tp_free(&p);
		SSL_CTX_free(bad);
	}
}

static void
test_through_a_proxy(void **state)
{
	struct tparent p;
	struct tserver *t;

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		both(&p);
		session_free(p.s);
		p.cfg.via_proxy = 1;
		strcpy(p.cfg.proxy_auth, "user:pass");
		if (tls)
			p.cfg.clear_port = 0;
		tp_session(&p);
		p.plan[WIRE_DIAL_CLEAR].proxy = p.plan[WIRE_DIAL_TLS].proxy = 1;
		works(&p);
		t = tp_server(&p, 0);
		buf_putc(&t->seen, '\0');
		assert_non_null(strstr((char *)buf_ptr(&t->seen),
		    tls ? "CONNECT control.example:443 HTTP/1.1\r\n" : "CONNECT control.example:80 HTTP/1.1\r\n"));
		assert_non_null(strstr((char *)buf_ptr(&t->seen), "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"));
		assert_non_null(strstr((char *)buf_ptr(&t->seen), "POST /ts2021 HTTP/1.1\r\n"));
		tp_free(&p);
	}
	both(&p);
	session_free(p.s);
	p.cfg.via_proxy = 1;
	p.cfg.tls_port = 0;
	tp_session(&p);
	p.plan[WIRE_DIAL_CLEAR].http = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.downs, 1, 1000));
	assert_string_equal(p.why, "proxy refused CONNECT to control.example:80: 407 Proxy Authentication Required");
	assert_int_equal(p.cause, CAUSE_PROXY);
	tp_free(&p);
}

/* --- dial plan --- */

static void
plan(struct tparent *p, uint32_t d1, uint32_t d2)
{
	struct wire_candidate c[2] = { { d1, 600 }, { d2, 600 } };

	both(p);
	times(p, 1000, 5000);
	p->cfg.tls_port = 0;
	session_free(p->s);
	tp_session(p);
	times(p, 1000, 5000);
	session_set_plan(p->s, c, 2);
	p->use_cand = 1;
	tp_mark(p);
}

/* rows: DIAL-09 */
static void
test_plan_first_success_wins(void **state)
{
	struct tparent p;

	(void)state;
	plan(&p, 0, 400);
	works(&p);
	tp_run(&p, 500);
	assert_int_equal(p.ndials, 1); /* the second never starts */
	assert_int_equal(p.dials[0].candidate, 1);
	tp_free(&p);
	plan(&p, 0, 60); /* a slow first one does not delay the second */
	p.cand_way[1] = TP_IGNORE;
	works(&p);
	assert_int_equal(p.ndials, 2);
	assert_int_equal(p.dials[1].candidate, 2);
	assert_in_range(dialled_after(&p, 1), 60, 65);
	assert_true(p.dials[0].cancelled);
	tp_free(&p);
	plan(&p, 80, 0); /* the order is that of the delays */
	p.cand_way[2] = TP_REFUSE;
	works(&p);
	assert_int_equal(p.dials[0].candidate, 2);
	assert_int_equal(p.dials[1].candidate, 1);
	assert_in_range(dialled_after(&p, 1), 80, 85);
	tp_free(&p);
}

/* A plan may give a candidate a minute; its TLS handshake has 15 s of it (security.md D15). */
/* rows: DIAL-08 */
static void
test_tls_handshake_has_its_own_limit(void **state)
{
	static const struct wire_candidate minute = { 0, 60000 };
	struct race_times t = race_times_default;
	struct tparent p;
	struct treq r;

	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		tp_init(&p, "control.example");
		p.cfg.clear_port = 0;
		p.cfg.tls_port = 443;
		p.plan[WIRE_DIAL_TLS] = (struct ts_plan){ .tls = slow ? NULL : cert, .silent = slow, .on_request = ok };
		tp_session(&p);
		t.tls = 150;
		session_set_times(p.s, &t);
		session_set_plan(p.s, &minute, 1);
		tp_mark(&p);
		tr_post(&r, p.s, "/a", "{}", 2, NULL, NULL);
		assert_true(tp_wait(&p, &r.done, 1, 8000));
		assert_int_equal(r.err, slow ? REQ_TRANSPORT : REQ_OK);
		if (slow) { /* the candidate, then DNS */
			assert_int_equal(p.ndials, 2);
			assert_non_null(strstr(p.why, "TLS handshake with control.example:443 failed: not finished"));
			assert_in_range(dialled_after(&p, 1), 150, 155);
		} else { /* what is open has no such limit */
			tp_run(&p, 300);
			assert_int_equal(p.downs, 0);
		}
		tr_free(&r);
		tp_free(&p);
	}
}

/* rows: DIAL-09 */
static void
test_plan_falls_back_to_dns(void **state)
{
	struct tparent p;

	(void)state;
	plan(&p, 0, 20);
	p.cand_way[1] = p.cand_way[2] = TP_REFUSE;
	works(&p);
	assert_int_equal(p.ndials, 3);
	assert_int_equal(p.dials[2].candidate, 0);
	assert_true(dialled_after(&p, 2) < 590); /* at once when all have failed */
	tp_free(&p);
	plan(&p, 0, 20);
	p.cand_way[1] = p.cand_way[2] = TP_IGNORE; /* each has its own timeout */
	works(&p);
	assert_int_equal(p.ndials, 3);
	assert_in_range(dialled_after(&p, 2), 620, 625);
	assert_true(p.dials[0].cancelled && p.dials[1].cancelled);
	tp_free(&p);
}

/* rows: DIAL-08 DIAL-09 */
static void
test_plan_deadline(void **state)
{
	struct wire_candidate far[1] = { { 5000, 60000 } };
	struct tparent p;

	(void)state;
	plan(&p, 0, 20);
	p.cand_way[1] = p.cand_way[2] = TP_REFUSE;
	p.way[WIRE_DIAL_CLEAR] = TP_IGNORE;
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.downs, 1, 5000)); /* max(150, 620) + 150 */
	assert_in_range(tp_since(&p), 770, 775);
	assert_non_null(strstr(p.why, "candidate 1: connect to 192.0.2.1: Connection refused; candidate 2: "));
	tp_free(&p);
	plan(&p, 0, 0);
	times(&p, 1000, 400);
	session_set_plan(p.s, far, 1);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.downs, 1, 5000)); /* clamped */
	assert_in_range(tp_since(&p), 400, 405);
	assert_int_equal(p.ndials, 0);
	tp_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_clear_wins_when_it_is_quick),
		cmocka_unit_test(test_clear_hangs_after_101),
		cmocka_unit_test(test_other_addresses_beside),
		cmocka_unit_test(test_no_other_address),
		cmocka_unit_test(test_clear_refused_means_tls_at_once),
		cmocka_unit_test(test_first_finished_wins),
		cmocka_unit_test(test_both_fail),
		cmocka_unit_test(test_alone_fails_at_once),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_soon_again_prefers_tls),
		cmocka_unit_test(test_tls_needs_no_good_certificate),
		cmocka_unit_test(test_through_a_proxy),
		cmocka_unit_test(test_plan_first_success_wins),
		cmocka_unit_test(test_tls_handshake_has_its_own_limit),
		cmocka_unit_test(test_plan_falls_back_to_dns),
		cmocka_unit_test(test_plan_deadline),
	};
	int rc;

	wire_warm();
	cert = ts_tls_context("DNS:control.example", 10, NULL);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	SSL_CTX_free(cert);
	return rc;
}
