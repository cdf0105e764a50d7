/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "c2n.h"
#include "ping.h"
#include "url.h"

static char *
answer_to(const void *request, size_t n)
{
	struct buf b;
	char *s = NULL;

	buf_init(&b, 1 << 20);
	if (c2n_answer(request, n, &b) == 0)
		s = strndup((const char *)buf_ptr(&b), buf_len(&b));
	buf_free(&b);
	return s;
}

static void
assert_answer(const char *request, const char *status, const char *body)
{
	char *s = answer_to(request, strlen(request)), *end;

	assert_non_null(s);
	assert_memory_equal(s, "HTTP/1.1 ", 9);
	assert_memory_equal(s + 9, status, strlen(status));
	assert_non_null(end = strstr(s, "\r\n\r\n"));
	assert_string_equal(end + 4, body);
	free(s);
}

/* rows: PING-04 */
static void
test_echo(void **state)
{
	(void)state;
	assert_answer("POST /echo HTTP/1.1\r\nHost: unused\r\nContent-Length: 5\r\n\r\nhello", "200 OK\r\n", "hello");
	assert_answer("GET /echo HTTP/1.0\r\n\r\n", "200 OK\r\n", "");
	assert_answer("GET /echo?x=1 HTTP/1.1\nHost: a\n\n", "200 OK\r\n", "");
	assert_answer("PUT /echo HTTP/1.1\r\nTransfer-Encoding: "
		      "chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n",
	    "200 OK\r\n", "abc0123456789");
	assert_answer("POST /echo HTTP/1.1\r\ncontent-LENGTH:\t2 \r\n\r\nhello", "200 OK\r\n", "he");
}

/* rows: PING-04 */
static void
test_not_echo(void **state)
{
	(void)state;
	assert_answer("GET /debug/prefs HTTP/1.1\r\n\r\n", "400 Bad Request\r\n", "unknown c2n path\n");
	assert_answer("GET /echo/ HTTP/1.1\r\n\r\n", "400 Bad Request\r\n", "unknown c2n path\n");
	assert_answer("GET /logtail/flush HTTP/1.1\r\n\r\n", "400 Bad Request\r\n", "unknown c2n path\n");
	assert_answer("BREW /echo HTTP/1.1\r\n\r\n", "405 Method Not Allowed\r\n", "bad method\n");
}

static void
test_content_length_of_answer(void **state)
{
	char *s = answer_to("POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\na\0b", 46);

	(void)state;
	assert_non_null(strstr(s, "\r\nContent-Length: 3\r\n"));
	free(s);
}

/* rows: PING-04 */
static void
test_broken_payload(void **state)
{
	static const char *const texts[] = { "", "GET", "GET /echo", "GET /echo HTTP/1.1", "GET /echo HTTP/1.1\r\n",
		"GET /echo HTTP/2.0\r\n\r\n", "GET /echo HTTP/1.x\r\n\r\n", " /echo HTTP/1.1\r\n\r\n",
		"GET  HTTP/1.1\r\n\r\n", "G\tT /echo HTTP/1.1\r\n\r\n", "GET /ec\x01o HTTP/1.1\r\n\r\n",
		"GET /echo HTTP/1.1\r\nnocolon\r\n\r\n", "GET /echo HTTP/1.1\r\n: x\r\n\r\n",
		"POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort",
		"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"POST /echo HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
		"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n0\r\n\r\n",
		"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\nab\r\n0\r\n\r\n",
		"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n" };
	char *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		s = answer_to(texts[i], strlen(texts[i]));
		if (s != NULL)
			fail_msg("answered: %s", texts[i]);
	}
	s = malloc(200000);
	memset(s, 'a', 200000);
	assert_null(answer_to(s, 200000));
	memcpy(s, "GET /echo HTTP/1.1\r\n", 20);
	for (i = 20; i + 4 <= 200000; i += 4)
		memcpy(s + i, "a:\r\n", 4);
	assert_null(answer_to(s, 200000));
	free(s);
}

/* Every cut of a good request is refused without reading behind it (ASan watches). */
static void
test_every_cut(void **state)
{
	static const char good[] = "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n";
	size_t n;
	char *copy;

	(void)state;
	for (n = 0; n < sizeof(good) - 1; n++) {
		copy = malloc(n + 1);
		memcpy(copy, good, n);
		copy = realloc(copy, n > 0 ? n : 1);
		assert_null(answer_to(copy, n));
		free(copy);
	}
}

static int
try_url(const char *text, struct url *u)
{
	char why[80];

	return url_parse(text, URL_QUERY, u, why, sizeof(why));
}

/* rows: PING-06 */
static void
test_url(void **state)
{
	struct url u;
	char big[IPC_HOST_MAX + 20];

	(void)state;
	assert_int_equal(try_url("https://Control.Example/a/b?c=d#e", &u), 0);
	assert_true(u.https);
	assert_string_equal(u.host, "control.example");
	assert_string_equal(u.authority, "Control.Example");
	assert_string_equal(u.path, "/a/b?c=d");
	assert_int_equal(u.port, 0);
	assert_int_equal(try_url("http://[FD7A::1]:8080?x", &u), 0);
	assert_false(u.https);
	assert_string_equal(u.host, "fd7a::1");
	assert_string_equal(u.authority, "[FD7A::1]:8080");
	assert_string_equal(u.path, "/?x");
	assert_int_equal(u.port, 8080);
	assert_int_equal(try_url("http://h", &u), 0);
	assert_string_equal(u.path, "/");
	assert_int_equal(u.port, 0);
	assert_int_equal(try_url("ftp://h/", &u), -1);
	assert_int_equal(try_url("http:///x", &u), -1);
	assert_int_equal(try_url("http://u@h/", &u), -1);
	assert_int_equal(try_url("http://h:/", &u), -1);
	assert_int_equal(try_url("http://h:0/", &u), -1);
	assert_int_equal(try_url("http://h:65536/", &u), -1);
	assert_int_equal(try_url("http://[::1/", &u), -1);
	assert_int_equal(try_url("http://[::1]x/", &u), -1);
	assert_int_equal(try_url("http://[]/", &u), -1);
	assert_int_equal(try_url("http://h/a b", &u), -1);
	assert_int_equal(try_url("http://h/\r\nX: y", &u), -1);
	assert_int_equal(try_url("", &u), -1);
	memset(big, 'h', sizeof(big));
	memcpy(big, "http://", 7);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(try_url(big, &u), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_not_echo),
		cmocka_unit_test(test_content_length_of_answer),
		cmocka_unit_test(test_broken_payload),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
