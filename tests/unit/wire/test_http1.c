/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "http1body.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "http1.h"

#define OK101 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n\r\n"
#define PROTO "tailscale-control-protocol"

static int
parse(struct http1_head *h, const char *s, size_t *used)
{
	char err[128] = "";
	int rc = http1_parse(h, (const uint8_t *)s, strlen(s), used, err, sizeof(err));

	assert_true((rc == -1) == (err[0] != '\0'));
	return rc;
}

/* rows: DIAL-05 */
static void
test_leftover_bytes_are_kept(void **state)
{
	struct http1_head h;
	size_t used;

	(void)state;
	assert_int_equal(parse(&h, OK101 "\x02\x01rest", &used), 1);
	assert_int_equal(used, strlen(OK101));
	assert_int_equal(h.status, 101);
	assert_string_equal(h.reason, "Switching Protocols");
	for (size_t n = 0; n < strlen(OK101); n++) {
		char err[64];
		assert_int_equal(http1_parse(&h, (const uint8_t *)OK101, n, &used, err, sizeof(err)), 0);
	}
}

/* rows: DIAL-01 DIAL-05 */
static void
test_upgrade_checks(void **state)
{
	static const struct {
		const char *head;
		int ok;
		const char *why;
	} t[] = {
		{ OK101, 1, "" },
		{ "HTTP/1.1 101 x\r\nuPGRADE:TailScale-Control-Protocol\r\nCONNECTION: keep-alive , UPGRADE\r\n\r\n", 1,
		    "" },
		{ "HTTP/1.1 101\r\nUpgrade: " PROTO " \r\nConnection: x\r\nConnection: upgrade\r\n\r\n", 1, "" },
		{ "HTTP/1.1 302 Found\r\nLocation: http://h/\r\nUpgrade: " PROTO "\r\nConnection: upgrade\r\n\r\n", 0,
		    "unexpected HTTP response 302 Found" },
		{ "HTTP/1.1 200 OK\r\n\r\n", 0, "unexpected HTTP response 200 OK" },
		{ "HTTP/1.1 500 \r\n\r\n", 0, "unexpected HTTP response 500" },
		{ "HTTP/1.1 101 x\r\nConnection: upgrade\r\n\r\n", 0, "101 without an Upgrade header" },
		{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 0, "101 to another protocol" },
		{ "HTTP/1.1 101 x\r\nUpgrade: " PROTO "x\r\nConnection: upgrade\r\n\r\n", 0,
		    "101 to another protocol" },
		{ "HTTP/1.1 101 x\r\nUpgrade: " PROTO "\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 0,
		    "101 with several Upgrade headers" },
		{ "HTTP/1.1 101 x\r\nUpgrade: " PROTO "\r\n\r\n", 0, "101 without Connection: upgrade" },
		{ "HTTP/1.1 101 x\r\nUpgrade: " PROTO "\r\nConnection: upgraded\r\n\r\n", 0,
		    "101 without Connection: upgrade" },
	};
	struct http1_head h;
	char err[128];
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		err[0] = '\0';
		assert_int_equal(parse(&h, t[i].head, &used), 1);
		assert_int_equal(http1_check_upgrade(&h, PROTO, err, sizeof(err)), t[i].ok ? 0 : -1);
		assert_string_equal(err, t[i].why);
	}
}

static void
test_malformed_heads(void **state)
{
	static const char *const bad[] = {
		"SSH-2.0-OpenSSH_9.2\r\n",
		"x",
		"HTTP/2 200",
		"HTTP/1.1  200",
		"HTTP/1.1 20x",
		"HTTP/1.1 099 x\r\n",
		"HTTP/1.1 600 x\r\n",
		"HTTP/1.1 200OK\r\n",
		"HTTP/1.1 2000 OK\r\n",
		"http/1.1 200 OK\r\n",
		"HTTP/1.1 200 OK\n",
		"HTTP/1.1 200 OK\r\r\n",
		"HTTP/1.1 200 O\001K\r\n",
		"HTTP/1.1 200 O\033[31mK\r\n",
		"HTTP/1.1 200 OK\r\n folded: x\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n",
		"HTTP/1.1 200 OK\r\n\tb\r\n",
		"HTTP/1.1 200 OK\r\nName : x\r\n",
		"HTTP/1.1 200 OK\r\n: x\r\n",
		"HTTP/1.1 200 OK\r\nnocolon\r\n",
		"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n",
		"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n",
		"HTTP/1.1 200 OK\r\nA: \177\r\n",
		"HTTP/1.1 200 OK\r\nA\"b: c\r\n",
		"\r\n",
	};
	struct http1_head h;
	char err[64];
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(&h, bad[i], &used) != -1)
			fail_msg("accepted: %s", bad[i]);
	/* NUL */
	assert_int_equal(http1_parse(&h, (const uint8_t *)"HTTP/1.1 200 OK\r\nA: \0\r\n", 23, &used, err, sizeof(err)),
	    -1);
}

static void
test_interim_answers_are_skipped(void **state)
{
	struct http1_head h;
	char many[8000] = "";
	size_t used;

	(void)state;
	assert_int_equal(parse(&h,
			     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 204 None\r\nA: "
			     "b\r\n\r\nz",
			     &used),
	    1);
	assert_int_equal(h.status, 204);
	assert_int_equal(h.nfields, 1);
	assert_int_equal(used, 79);
	assert_int_equal(parse(&h, "HTTP/1.1 100 Continue\r\n\r\n", &used), 0);
	for (int i = 0; i < 65; i++)
		strcat(many, "HTTP/1.1 100 C\r\n\r\n");
	assert_int_equal(parse(&h, many, &used), -1);
}

static void
test_head_limits(void **state)
{
	char s[20000];
	struct http1_head h;
	size_t used;

	(void)state;
	/* 64 lines are fine, 65 are not. */
	strcpy(s, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 63; i++)
		strcat(s, "a: b\r\n");
	strcat(s, "\r\n");
	assert_int_equal(parse(&h, s, &used), 1);
	assert_int_equal(h.nfields, 63);
	s[strlen(s) - 2] = '\0';
	strcat(s, "a: b\r\n\r\n");
	assert_int_equal(parse(&h, s, &used), -1);
	/* 8 KiB without an end. */
	memset(s, 'x', sizeof(s));
	memcpy(s, "HTTP/1.1 200 ", 13);
	s[8191] = '\0';
	assert_int_equal(parse(&h, s, &used), 0);
	s[8191] = 'x';
	s[8192] = '\0';
	assert_int_equal(parse(&h, s, &used), -1);
	/* An end behind 8 KiB does not count. */
	memcpy(s + 8190, "\r\n\r\n", 5);
	assert_int_equal(parse(&h, s, &used), -1);
}

static void
test_reason_is_sanitised(void **state)
{
	struct http1_head h;
	size_t used;

	(void)state;
	assert_int_equal(parse(&h, "HTTP/1.1 500 \xe2\x80\xaetxt\xff\r\n\r\n", &used), 1);
	assert_null(strstr(h.reason, "\xe2\x80\xae"));
	assert_null(strchr(h.reason, '\xff'));
}

/* --- bodies --- */

/* Feeds the answer in pieces of `chunk` bytes; returns the last result, -2 for a malformed head. */
static int
body(const char *method, const char *s, size_t n, size_t chunk, size_t max, struct buf *out)
{
	struct http1_head h;
	struct http1_body b;
	char err[128];
	size_t used;
	int rc;

	buf_init(out, max);
	assert_int_equal(http1_parse(&h, (const uint8_t *)s, n, &used, err, sizeof(err)), 1);
	if (http1_body_init(&b, &h, method, err, sizeof(err)) == -1)
		return -2;
	if ((rc = http1_body_feed(&b, NULL, 0, out, err, sizeof(err))) != 0)
		return rc;
	for (size_t at = used; at < n && rc == 0; at += chunk)
		rc = http1_body_feed(&b, (const uint8_t *)s + at, n - at < chunk ? n - at : chunk, out, err,
		    sizeof(err));
	return rc == 0 && http1_body_eof(&b) == 1 ? 2 : rc;
}

#define H       "HTTP/1.1 200 OK\r\n"
#define CHUNKED H "Transfer-Encoding: chunked\r\n\r\n"

static void
test_bodies(void **state)
{
	static const struct {
		const char *method, *answer;
		int rc;
		const char *text;
	} t[] = {
		{ "GET", H "Content-Length: 5\r\n\r\nhello", 1, "hello" },
		{ "GET", H "Content-Length: 5\r\n\r\nhelloTRAILING", 1, "hello" },
		{ "GET", H "Content-Length: 5\r\n\r\nhell", 0, "hell" },
		{ "GET", H "Content-Length: 0\r\n\r\n", 1, "" },
		{ "GET", H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 1, "hello" },
		{ "GET", H "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", -2, "" },
		{ "GET", H "Content-Length: -1\r\n\r\n", -2, "" },
		{ "GET", H "Content-Length: +1\r\n\r\n", -2, "" },
		{ "GET", H "Content-Length: 99999999999999999999\r\n\r\n", -2, "" },
		{ "GET", H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", -2, "" },
		{ "GET", H "Transfer-Encoding: gzip, chunked\r\n\r\n", -2, "" },
		{ "GET", H "\r\nuntil close", 2, "until close" },
		{ "GET", H "\r\n", 2, "" },
		{ "HEAD", H "Content-Length: 5\r\n\r\n", 1, "" },
		{ "GET", "HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", 1, "" },
		{ "GET", CHUNKED "5\r\nhello\r\n0\r\n\r\n", 1, "hello" },
		{ "GET", CHUNKED "2;ext=\"a\"\r\nhe\r\n3 \r\nllo\r\n000\r\nTrailer: x\r\n\r\nmore", 1, "hello" },
		{ "GET", CHUNKED "5\r\nhello\r\n0\r\n", 0, "hello" },
		{ "GET", CHUNKED "5\r\nhelloX\r\n0\r\n\r\n", -1, "hello" },
		{ "GET", CHUNKED "5\nhello\r\n0\r\n\r\n", -1, "" },
		{ "GET", CHUNKED "\r\n", -1, "" },
		{ "GET", CHUNKED "g\r\n", -1, "" },
		{ "GET", CHUNKED "-5\r\n", -1, "" },
		{ "GET", CHUNKED "fffffffff\r\n", -1, "" },
	};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (size_t chunk = 1; chunk <= 64; chunk += 63) {
			int rc = body(t[i].method, t[i].answer, strlen(t[i].answer), chunk, 1000, &out);
			if (rc != t[i].rc)
				fail_msg("case %zu: %d instead of %d", i, rc, t[i].rc);
			assert_int_equal(buf_len(&out), strlen(t[i].text));
			if (buf_len(&out) > 0)
				assert_memory_equal(buf_ptr(&out), t[i].text, buf_len(&out));
			buf_free(&out);
		}
	}
}

/* rows: KEY-04 */
static void
test_body_limits(void **state)
{
	char s[70000];
	struct buf out;
	int n;

	(void)state;
	/* The announced length alone is enough. */
	assert_int_equal(body("GET", H "Content-Length: 65537\r\n\r\n", strlen(H) + 25, 1, 65536, &out), -1);
	buf_free(&out);
	n = snprintf(s, sizeof(s), H "\r\n");
	memset(s + n, 'x', 65537);
	assert_int_equal(body("GET", s, (size_t)n + 65536, 4096, 65536, &out), 2);
	assert_int_equal(buf_len(&out), 65536);
	buf_free(&out);
	assert_int_equal(body("GET", s, (size_t)n + 65537, 4096, 65536, &out), -1);
	buf_free(&out);
	n = snprintf(s, sizeof(s), CHUNKED "10001\r\n");
	memset(s + n, 'x', 65537);
	assert_int_equal(body("GET", s, (size_t)n + 65537, 4096, 65536, &out), -1);
	buf_free(&out);
	/* Endless extensions and trailers. */
	n = snprintf(s, sizeof(s), CHUNKED "1;");
	memset(s + n, 'x', 1000);
	assert_int_equal(body("GET", s, (size_t)n + 1000, 100, 65536, &out), -1);
	buf_free(&out);
	n = snprintf(s, sizeof(s), CHUNKED "0\r\n");
	for (int i = 0; i < 100; i++)
		n += snprintf(s + n, 8, "a: b\r\n");
	assert_int_equal(body("GET", s, (size_t)n, 100, 65536, &out), -1);
	buf_free(&out);
}

/* --- requests --- */

static void
is_text(struct buf *b, const char *text)
{
	assert_int_equal(buf_len(b), strlen(text));
	assert_memory_equal(buf_ptr(b), text, buf_len(b));
	buf_reset(b);
}

/* rows: DIAL-01 */
static void
test_requests(void **state)
{
	uint8_t init[101] = { 0, 113, 1, 0, 96 };
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(http1_build_upgrade(&b, "h.example", 80, init), 0);
	is_text(&b,
	    "POST /ts2021 HTTP/1.1\r\nHost: h.example:80\r\nUser-Agent: tailnetd\r\nConnection: upgrade\r\nUpgrade: "
	    "tailscale-control-protocol\r\n"
	    "X-Tailscale-Handshake: "
	    "AHEBAGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(http1_build_connect(&b, "::1", 443, ""), 0);
	is_text(&b, "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nUser-Agent: tailnetd\r\n\r\n");
	assert_int_equal(http1_build_connect(&b, "h", 443, "user:pass"), 0);
	is_text(&b,
	    "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nUser-Agent: tailnetd\r\nProxy-Authorization: Basic "
	    "dXNlcjpwYXNz\r\n\r\n");
	assert_int_equal(http1_build_request(&b, "GET", "h:8080", "/key?v=131"), 0);
	is_text(&b, "GET /key?v=131 HTTP/1.1\r\nHost: h:8080\r\nUser-Agent: tailnetd\r\nConnection: close\r\n\r\n");
	assert_int_equal(http1_build_request(&b, "HEAD", "h", "/a b"), -1);
	assert_int_equal(http1_build_request(&b, "HEAD", "h", "/a\r\nX: y"), -1);
	assert_int_equal(http1_build_request(&b, "HEAD", "h\r\n", "/"), -1);
	assert_int_equal(http1_build_request(&b, "HEAD", "h", "relative"), -1);
	assert_int_equal(http1_build_upgrade(&b, "h ", 80, init), -1);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leftover_bytes_are_kept),
		cmocka_unit_test(test_upgrade_checks),
		cmocka_unit_test(test_malformed_heads),
		cmocka_unit_test(test_interim_answers_are_skipped),
		cmocka_unit_test(test_head_limits),
		cmocka_unit_test(test_reason_is_sanitised),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_body_limits),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
