/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "request.h"
#include "tls.h"
#include "util_clock.h"
#include "util_session.h"

/* Answers every request with its own path and the lengths received. */
static void
echo(struct tserver *t, struct ts_request *r, void *arg)
{
	char text[1024];

	(void)arg;
	snprintf(text, sizeof(text), "%s %s %s %s body=%zu fields=%u lb=%s,%s", r->method, r->scheme, r->authority,
	    r->path, buf_len(&r->body), r->nfields, r->nlb > 0 ? r->lb[0] : "", r->nlb > 1 ? r->lb[1] : "");
	ts_answer(t, r->id, 200, "x-test", "yes", text, strcmp(r->method, "HEAD") == 0 ? 0 : strlen(text), 0);
}

/* With a Ts-Lb for each key, and none for a key that is zero. */
/* rows: H2-01 NOISE-06 DIAL-05 EARLY-01 EARLY-02 REG-12 */
static void
test_request_and_answer(void **state)
{
	static const char *const early[] = { NULL, "{\"nodeKeyChallenge\":\"chalpub:00\"}" };
	struct pubkey k1 = { { 1 } }, k2 = { { 2 } }, none = { { 0 } };
	char expect[400], lb1[KEY_TEXT_MAX], lb2[KEY_TEXT_MAX];

	(void)state;
	/* The server's bytes in one piece with the 101, or one at a time; with and without early payload. */
	for (size_t chunk = 0; chunk < 2; chunk++) {
		for (size_t e = 0; e < 2; e++) {
			struct tparent p;
			struct treq r, r2, r3;

			tp_init(&p, "192.0.2.7");
			p.plan[WIRE_DIAL_CLEAR] =
			    (struct ts_plan){ .on_request = echo, .chunk = chunk, .early = early[e] };
			tp_session(&p);
			tr_post(&r, p.s, "/machine/register", "{\"secret\":1}", 12, &k1, &k2);
			tr_post(&r2, p.s, "/machine/map", "{}", 2, &k1, NULL);
			tr_post(&r3, p.s, "/x", NULL, 0, &none, NULL);
			assert_true(tp_wait(&p, &r.done, 1, 10000));
			assert_true(tp_wait(&p, &r2.done, 1, 10000));
			assert_true(tp_wait(&p, &r3.done, 1, 10000));
			assert_int_equal(r.err, REQ_OK);
			assert_int_equal(r.status, 200);
			assert_string_equal(r.header, "yes");
			snprintf(expect, sizeof(expect),
			    "POST https 192.0.2.7:8080 /machine/register body=12 fields=7 lb=%s,%s",
			    key_format(KEY_NODE, &k1, lb1), key_format(KEY_NODE, &k2, lb2));
			tr_text(&r, expect);
			snprintf(expect, sizeof(expect),
			    "POST https 192.0.2.7:8080 /machine/map body=2 fields=6 lb=%s,", lb1);
			tr_text(&r2, expect);
			tr_text(&r3, "POST https 192.0.2.7:8080 /x body=0 fields=4 lb=,");
			assert_int_equal(p.ups, 1);
			assert_int_equal(p.ndials, 1);
			assert_true(session_is_up(p.s));
			tr_free(&r);
			tr_free(&r2);
			tr_free(&r3);
			tp_free(&p);
		}
	}
}

/* rows: DIAL-01 */
static void
test_upgrade_request(void **state)
{
	struct tparent p;
	struct tserver *t;

	(void)state;
	tp_init(&p, "192.0.2.7");
	tp_session(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.ups, 1, 10000));
	t = tp_server(&p, 0);
	buf_putc(&t->seen, '\0');
	assert_ptr_equal(strstr((char *)buf_ptr(&t->seen), "POST /ts2021 HTTP/1.1\r\nHost: 192.0.2.7:8080\r\n"),
	    buf_ptr(&t->seen));
	assert_int_equal(t->init[0] << 8 | t->init[1], TS_VERSION);
	assert_int_equal(t->init[2], 1);
	assert_memory_equal(t->init, p.hs[0].msg, 101);
	tp_free(&p);
}

/* rows: EARLY-04 */
static void
test_preface_waits_for_nothing(void **state)
{
	struct tparent p;
	struct treq r;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR] = (struct ts_plan){ .raw = 1 }; /* never says anything */
	tp_session(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.ups, 1, 10000));
	tp_run(&p, 30);
	assert_true(buf_len(&tp_server(&p, 0)->seen) > 24);
	assert_non_null(memmem(buf_ptr(&tp_server(&p, 0)->seen), buf_len(&tp_server(&p, 0)->seen),
	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\22\4\0\0\0\0\0", 33));
	tp_free(&p);

	tp_init(&p, "192.0.2.7"); /* sends nothing before it has the preface */
	p.plan[WIRE_DIAL_CLEAR] = (struct ts_plan){ .wait_preface = 1, .on_request = echo };
	tp_session(&p);
	tr_post(&r, p.s, "/a", NULL, 0, NULL, NULL);
	assert_true(tp_wait(&p, &r.done, 1, 10000));
	assert_int_equal(r.err, REQ_OK);
	tr_free(&r);
	tp_free(&p);
}

/* Leftover bytes wait while the parent thinks about the handshake. */
/* rows: DIAL-05 */
static void
test_leftover_waits_for_the_keys(void **state)
{
	struct tparent p;
	struct treq r;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.hold_keys = 1;
	p.plan[WIRE_DIAL_CLEAR] = (struct ts_plan){ .on_request = echo, .early = "{}" };
	tp_session(&p);
	tr_post(&r, p.s, "/a", NULL, 0, NULL, NULL);
	tp_run(&p, 50);
	assert_int_equal(p.ups, 0);
	tp_release_keys(&p);
	assert_int_equal(p.ups, 1);
	assert_true(tp_wait(&p, &r.done, 1, 10000));
	assert_int_equal(r.err, REQ_OK);
	tr_free(&r);
	tp_free(&p);
}

/* Fails to connect with `plan`; why must hold `text`.  Returns how many dials and handshakes were given up. */
static unsigned
refused(const struct ts_plan *plan, const char *text, enum cause cause)
{
	struct tparent p;
	struct treq r;

	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR] = *plan;
	tp_session(&p);
	tr_post(&r, p.s, "/a", "x", 1, NULL, NULL);
	if (!tp_wait(&p, &p.downs, 1, 10000))
		fail_msg("no end: %s", text);
	assert_int_equal(r.done, 1); /* before down() */
	assert_int_equal(r.err, REQ_TRANSPORT);
	assert_int_equal(p.ups, 0);
	if (strstr(p.why, text) == NULL || p.cause != cause)
		fail_msg("\"%s\" (cause %d) instead of \"%s\"", p.why, (int)p.cause, text);
	for (const char *c = p.why; *c != '\0'; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	assert_int_equal(p.ndials, 1); /* nothing is tried again by itself */
	tp_run(&p, 5);
	assert_true(tp_server(&p, 0)->eof || tp_server(&p, 0)->fd == -1);
	tr_free(&r);
	tp_free(&p);
	return p.ncancels;
}

/* rows: DIAL-01 DIAL-05 NOISE-04 */
static void
test_bad_upgrades_and_answers(void **state)
{
	static uint8_t huge[3 + 65535];
	static const uint8_t error[] = "\3\0\27no \033[31mthanks\r\nfor you";
	static const uint8_t wrong_len[] = "\2\0\57xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	static const uint8_t record[] = "\4\0\60xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	struct ts_plan p = { 0 };

	(void)state;
	p.head = "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.9/\r\n\r\n";
	assert_int_equal(refused(&p, "upgrade at 192.0.2.7:8080 failed: unexpected HTTP response 302 Found",
			     CAUSE_HTTP),
	    1);
	p.head = "HTTP/1.1 500 Oh\r\n\r\n";
	refused(&p, "unexpected HTTP response 500 Oh", CAUSE_HTTP);
	p.head = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
	refused(&p, "101 to another protocol", CAUSE_OTHER);
	p.head = "SSH-2.0-OpenSSH_9.2\r\n";
	refused(&p, "not an HTTP/1.1 answer", CAUSE_OTHER);
	p = (struct ts_plan){ .close_after_head = 1 };
	refused(&p, "wrong server key, or capability version 131 not accepted", CAUSE_SERVER_KEY);
	p = (struct ts_plan){ .other_key = 1 }; /* cannot even read the initiation: 101, then EOF */
	refused(&p, "connection closed after the upgrade", CAUSE_SERVER_KEY);
	p = (struct ts_plan){ .raw_response = error, .raw_response_len = sizeof(error) - 1 };
	refused(&p, "the server says (not authenticated): \"no \\x1b[31mthanks\\x0d\\x0afor you\"", CAUSE_OTHER);
	memset(huge, 'A', sizeof(huge));
	memcpy(huge, "\3\xff\xff", 3);
	huge[100] = '\0';
	p = (struct ts_plan){ .raw_response = huge, .raw_response_len = sizeof(huge) };
	refused(&p, "not authenticated): \"AAAA", CAUSE_OTHER);
	p = (struct ts_plan){ .raw_response = wrong_len, .raw_response_len = sizeof(wrong_len) };
	refused(&p, "malformed answer", CAUSE_NOT_CONTROL);
	p = (struct ts_plan){ .raw_response = record, .raw_response_len = sizeof(record) };
	refused(&p, "malformed answer", CAUSE_NOT_CONTROL);
}

/* rows: NOISE-03 */
static void
test_each_byte_of_the_response_counts(void **state)
{
	(void)state;
	for (int i = 0; i < 51; i++) {
		struct ts_plan p = { .flip = i + 1 };
		assert_int_equal(refused(&p, "Noise handshake with 192.0.2.7:8080 failed",
				     i == 0      ? CAUSE_OTHER /* an error frame */
					 : i < 3 ? CAUSE_NOT_CONTROL
						 : CAUSE_SERVER_KEY),
		    i < 3);
	}
}

/* rows: NOISE-07 */
static void
test_damaged_record(void **state)
{
	struct tparent p;
	struct treq r, r2;
	uint8_t bad[30] = { 4, 0, 27 };

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].on_request = echo;
	tp_session(&p);
	tr_post(&r, p.s, "/a", NULL, 0, NULL, NULL);
	assert_true(tp_wait(&p, &r.done, 1, 10000));
	ts_send_wire(tp_server(&p, 0), bad, sizeof(bad));
	ts_flush(tp_server(&p, 0));
	assert_true(tp_wait(&p, &p.downs, 1, 10000));
	assert_non_null(strstr(p.why, "does not decrypt"));
	assert_int_not_equal(p.cause, CAUSE_SERVER_KEY);
	assert_false(session_is_up(p.s));
	/* Only a new connection with a fresh handshake helps. */
	tr_post(&r2, p.s, "/b", NULL, 0, NULL, NULL);
	assert_true(tp_wait(&p, &r2.done, 1, 10000));
	assert_int_equal(r2.err, REQ_OK);
	assert_int_equal(p.ndials, 2);
	assert_memory_not_equal(p.hs[0].msg + 5, p.hs[1].msg + 5, 32);
	tr_free(&r);
	tr_free(&r2);
	tp_free(&p);
}

/* rows: EARLY-03 */
static void
test_bad_early_payload(void **state)
{
	struct tparent p;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].early = "{\"nodeKeyChallenge\":";
	tp_session(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.downs, 1, 10000));
	assert_non_null(strstr(p.why, "early payload is not JSON"));
	tp_free(&p);
}

static void
big(struct tserver *t, struct ts_request *r, void *arg)
{
	static uint8_t body[20 << 20];

	(void)arg;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 7 >> 3);
	ts_answer(t, r->id, 200, NULL, NULL, body, sizeof(body), 1);
}

/* rows: H2-03 */
static void
test_flow_control(void **state)
{
	struct tparent p;
	struct treq r;
	uint8_t small[1000];

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].on_request = big;
	tp_session(&p);
	tr_post(&r, p.s, "/machine/map", "{}", 2, NULL, NULL);
	while (r.got < 20 << 20)
		assert_true(tp_wait(&p, &r.pieces, r.pieces + 1, 10000));
	/* ... and many small messages on the same stream: more than any window in sum. */
	memset(small, 'x', sizeof(small));
	for (unsigned i = 0; i < 40000; i++) {
		ts_more(tp_server(&p, 0), 1, small, sizeof(small), 1);
		if (i % 16 == 15)
			while (r.got < (20u << 20) + (i + 1) * 1000ul)
				assert_true(tp_wait(&p, &r.pieces, r.pieces + 1, 10000));
	}
	ts_more(tp_server(&p, 0), 1, "", 0, 0);
	assert_true(tp_wait(&p, &r.done, 1, 10000));
	assert_int_equal(r.err, REQ_OK);
	assert_int_equal(p.ndials, 1);
	tr_free(&r);
	tp_free(&p);
}

/* rows: NOISE-05 */
static void
test_large_upload(void **state)
{
	struct tparent p;
	struct treq r;
	char *body = malloc(900000);

	(void)state;
	memset(body, 'b', 900000);
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].on_request = echo;
	tp_session(&p);
	tr_post(&r, p.s, "/up", body, 900000, NULL, NULL);
	free(body);
	assert_true(tp_wait(&p, &r.done, 1, 10000));
	tr_text(&r, "POST https 192.0.2.7:8080 /up body=900000 fields=5 lb=,");
	assert_true(tp_server(&p, 0)->max_record <= 4096);
	assert_true(tp_server(&p, 0)->max_record > 4000);
	tr_free(&r);
	tp_free(&p);
}

/* A server that stops reading: nothing blocks, memory stays bounded, and free closes. */
/* rows: NOISE-07 */
static void
test_server_that_does_not_read(void **state)
{
	struct tparent p;
	struct treq r[8];
	char *body = calloc(1, 1 << 20);
	unsigned turns;

	(void)state;
	tp_init(&p, "192.0.2.7");
	tp_session(&p);
	session_connect(p.s);
	assert_true(tp_wait(&p, &p.ups, 1, 10000));
	tp_run(&p, 20);
	tp_server(&p, 0)->stop_reading = 1;
	event_del(tp_server(&p, 0)->rd);
	for (int i = 0; i < 8; i++)
		tr_post(&r[i], p.s, "/up", body, 1 << 20, NULL, NULL);
	free(body);
	turns = clock_turns();
	tp_run(&p, 100);
	assert_true(clock_turns() - turns < 1000);
	assert_int_equal(p.downs, 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(r[i].done, 0);
		request_cancel(r[i].r);
		tr_free(&r[i]);
	}
	tp_free(&p);
}

static void
test_request_limits_and_timeouts(void **state)
{
	struct request_spec spec = { .method = "POST", .path = "/machine/map", .max_answer = 4 };
	struct tparent p;
	struct treq r, slow, lite;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].on_request = hold;
	tp_session(&p);
	tr_send(&r, p.s, &spec);
	assert_true(tp_wait(&p, &r.done, 1, 10000));
	assert_int_equal(r.err, REQ_TOO_LARGE);
	assert_int_equal(r.got, 0);
	spec.max_answer = 0;
	spec.timeout_ms = 60;
	tr_send(&slow, p.s, &spec);
	tp_mark(&p);
	assert_true(tp_wait(&p, &slow.done, 1, 10000));
	assert_in_range(tp_since(&p), 60, 65);
	assert_int_equal(slow.err, REQ_TIMEOUT);
	tr_post(&lite, p.s, "/lite", "{}", 2, NULL, NULL);
	assert_true(tp_wait(&p, &lite.done, 1, 10000));
	assert_int_equal(p.ndials, 1);
	assert_int_equal(tp_server(&p, 0)->rsts, 2);
	tr_free(&r);
	tr_free(&slow);
	tr_free(&lite);
	/* Waiting for a connection counts too. */
	p.way[WIRE_DIAL_CLEAR] = TP_IGNORE;
	session_free(p.s);
	tp_session(&p);
	tr_send(&slow, p.s, &spec);
	assert_true(tp_wait(&p, &slow.done, 1, 10000));
	assert_int_equal(slow.err, REQ_TIMEOUT);
	tr_free(&slow);
	tp_free(&p);
}

static void
test_head_and_bad_requests(void **state)
{
	static const struct request_ops ops = { NULL, NULL, NULL };
	struct request_spec spec = { .method = "HEAD", .path = "/ping?x=1", .authority = "other.example" };
	struct request_spec bad[] = {
		{ .method = "POST", .path = "/a b" },
		{ .method = "POST", .path = "/a\r\nx: y" },
		{ .method = "POST", .path = "" },
		{ .method = "PO ST", .path = "/" },
		{ .method = "POST", .path = "/", .authority = "h\tx" },
	};
	struct tparent p;
	struct treq r;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_CLEAR].on_request = echo;
	tp_session(&p);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(session_request(p.s, &bad[i], &ops, NULL));
	tr_send(&r, p.s, &spec);
	assert_true(tp_wait(&p, &r.done, 1, 10000));
	assert_int_equal(r.err, REQ_OK);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.got, 0);
	tr_free(&r);
	tp_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_and_answer),
		cmocka_unit_test(test_upgrade_request),
		cmocka_unit_test(test_preface_waits_for_nothing),
		cmocka_unit_test(test_leftover_waits_for_the_keys),
		cmocka_unit_test(test_bad_upgrades_and_answers),
		cmocka_unit_test(test_each_byte_of_the_response_counts),
		cmocka_unit_test(test_damaged_record),
		cmocka_unit_test(test_bad_early_payload),
		cmocka_unit_test(test_flow_control),
		cmocka_unit_test(test_large_upload),
		cmocka_unit_test(test_server_that_does_not_read),
		cmocka_unit_test(test_request_limits_and_timeouts),
		cmocka_unit_test(test_head_and_bad_requests),
	};

	wire_warm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
