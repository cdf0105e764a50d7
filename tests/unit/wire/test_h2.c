/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "h2stream.h"
#include "unit.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "h2.h"

/* HTTP/2 with hand-made frames: what nghttp2 on the server's side would not send. */
struct peer {
	struct h2 *h;
	struct buf sent; /* by the client */
	struct buf to;   /* for the client */
	uint64_t now;
	unsigned heads, done;
	int status;
	enum request_err err;
	char why[200];
	struct buf text;
	struct h2_stream *st;
};

static int
out(void *arg, const uint8_t *p, size_t n)
{
	struct peer *x = arg;

	return buf_put(&x->sent, p, n);
}

static void
on_head(void *arg, int status)
{
	struct peer *x = arg;

	x->heads++;
	x->status = status;
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct peer *x = arg;

	return buf_put(&x->text, p, n);
}

static void
on_done(void *arg, enum request_err err, const char *why)
{
	struct peer *x = arg;

	x->done++;
	x->err = err;
	x->st = NULL;
	snprintf(x->why, sizeof(x->why), "%s", why != NULL ? why : "");
}

static void
frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t n)
{
	uint8_t hd[9] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags, (uint8_t)(id >> 24),
		(uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	buf_put(b, hd, 9);
	buf_put(b, p, n);
}

static int
deliver(struct peer *x)
{
	int rc = h2_recv(x->h, buf_ptr(&x->to), buf_len(&x->to), x->now);

	buf_reset(&x->to);
	if (h2_send(x->h) == -1)
		rc = -1;
	return rc;
}

/* A connection with one request under way and SETTINGS exchanged. */
static void
start(struct peer *x)
{
	static const struct request_ops ops = { on_head, on_data, on_done };
	struct request_spec spec = { .method = "POST", .path = "/machine/map", .authority = "h:8080", .body_len = 2 };
	uint8_t *body = malloc(2);

	memset(x, 0, sizeof(*x));
	x->now = 1000000;
	buf_init(&x->sent, 8 << 20);
	buf_init(&x->to, 8 << 20);
	buf_init(&x->text, 8 << 20);
	x->h = h2_new(out, x);
	assert_non_null(x->h);
	memcpy(body, "{}", 2);
	x->st = h2_open(x->h, &spec, body, &ops, x);
	assert_non_null(x->st);
	frame(&x->to, NGHTTP2_SETTINGS, 0, 0, "", 0);
	frame(&x->to, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
	assert_int_equal(deliver(x), 0);
	buf_reset(&x->sent);
}

static void
stop(struct peer *x)
{
	h2_free(x->h);
	buf_free(&x->sent);
	buf_free(&x->to);
	buf_free(&x->text);
}

/* Does the client's data contain a frame of that type? */
static int
sent(struct peer *x, uint8_t type, uint8_t flags, const void *payload, size_t n)
{
	const uint8_t *p = buf_ptr(&x->sent);
	size_t left = buf_len(&x->sent), size;

	while (left >= 9) {
		size = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		if (p[3] == type && p[4] == flags && size >= n && memcmp(p + 9, payload, n) == 0)
			return 1;
		p += 9 + size;
		left -= 9 + size;
	}
	return 0;
}

#define OK200 "\x88" /* :status 200 */
#define CONTINUE100 \
	"\x08\x03" \
	"100" /* literal, name index 8 */

/* rows: H2-01 */
static void
test_opening_bytes(void **state)
{
	static const uint8_t settings[] = {
		0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, /* no push */
		0, 4, 0, 0x40, 0, 0,                          /* 4 MiB per stream */
		0, 6, 0, 0, 0x40, 0,                          /* 16 KiB of headers */
	};
	struct peer x;

	(void)state;
	memset(&x, 0, sizeof(x));
	buf_init(&x.sent, 1 << 20);
	x.h = h2_new(out, &x);
	assert_int_equal(h2_send(x.h), 0);
	assert_true(buf_len(&x.sent) > 24 + sizeof(settings));
	assert_memory_equal(buf_ptr(&x.sent), NGHTTP2_CLIENT_MAGIC, 24);
	assert_memory_equal(buf_ptr(&x.sent) + 24, settings, sizeof(settings));
	stop(&x);
}

/* rows: H2-04 */
static void
test_ping_and_settings_are_acked(void **state)
{
	struct peer x;

	(void)state;
	start(&x);
	frame(&x.to, NGHTTP2_PING, 0, 0, "12345678", 8);
	assert_int_equal(deliver(&x), 0);
	assert_true(sent(&x, NGHTTP2_PING, NGHTTP2_FLAG_ACK, "12345678", 8));
	frame(&x.to, NGHTTP2_SETTINGS, 0, 0, "\0\5\0\0\x40\1", 6);
	assert_int_equal(deliver(&x), 0);
	assert_true(sent(&x, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, "", 0));
	stop(&x);
}

/* The whole answer byte by byte: 1xx, CONTINUATION, padding, unknown frames, trailers. */
/* rows: H2-04 */
static void
test_unusual_but_right(void **state)
{
	struct peer x;
	uint8_t byte;

	(void)state;
	start(&x);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, CONTINUE100, 5);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_PADDED, 1, "\4" OK200 "\0\0\0\0", 6);
	frame(&x.to, NGHTTP2_CONTINUATION, 0, 1, "\x00\x06x-test", 8);
	frame(&x.to, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, "\x03yes", 4);
	frame(&x.to, 0x77, 0xff, 1, "what is this", 12);
	frame(&x.to, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\3hello\0\0\0", 9);
	frame(&x.to, 0x0a, 0, 0, "", 0); /* ALTSVC */
	frame(&x.to, NGHTTP2_DATA, 0, 1, " world", 6);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, "\x00\x07trailer\x01x",
	    11);
	while (buf_len(&x.to) > 0) {
		if (x.st != NULL && x.heads == 1)
			assert_string_equal(h2_header(x.st, "x-test"), "yes");
		byte = *buf_ptr(&x.to);
		buf_consume(&x.to, 1);
		if (h2_recv(x.h, &byte, 1, x.now) == -1)
			fail_msg("refused with %zu bytes left: %s", buf_len(&x.to), h2_error(x.h));
	}
	assert_int_equal(x.heads, 1);
	assert_int_equal(x.status, 200);
	assert_int_equal(x.done, 1);
	assert_int_equal(x.err, REQ_OK);
	assert_int_equal(buf_len(&x.text), 11);
	assert_memory_equal(buf_ptr(&x.text), "hello world", 11);
	stop(&x);
}

/* A connection error: recv or the sending after it fails, there is an error text, and further data is refused. */
static void
violation(struct peer *x, const char *text)
{
	int rc = deliver(x);

	if (rc == 0 && h2_error(x->h)[0] == '\0')
		fail_msg("accepted: %s", text);
	if (!h2_over(x->h))
		fail_msg("continues: %s (%s)", text, h2_error(x->h));
	if (strstr(h2_error(x->h), text) == NULL)
		fail_msg("\"%s\" instead of \"%s\"", h2_error(x->h), text);
	assert_int_equal(h2_over_limit(x->h), strncmp(text, "too ", 4) == 0);
	frame(&x->to, NGHTTP2_PING, 0, 0, "12345678", 8);
	assert_int_equal(deliver(x), -1); /* dead: never fed again */
	assert_false(h2_can_open(x->h));
	h2_fail_all(x->h, REQ_TRANSPORT, h2_error(x->h));
	assert_int_equal(x->done, 1);
	assert_int_equal(x->err, REQ_TRANSPORT);
	assert_int_equal(h2_active(x->h), 0);
	stop(x);
}

/* rows: H2-04 */
static void
test_violations(void **state)
{
	static uint8_t zeros[20000];
	struct peer x;

	(void)state;
	start(&x);
	frame(&x.to, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, "\0\0\0\2\x82", 5);
	violation(&x, "pushes");
	start(&x);
	frame(&x.to, NGHTTP2_DATA, 0, 7, "x", 1); /* idle stream */
	violation(&x, "PROTOCOL_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 9, OK200, 1);
	violation(&x, "PROTOCOL_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_DATA, 0, 1, zeros, 16385); /* larger than allowed */
	violation(&x, "FRAME_SIZE_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff\xff\x7f", 6); /* broken HPACK */
	violation(&x, "COMPRESSION_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_PING, 0, 0, "1234567", 7);
	violation(&x, "FRAME_SIZE_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x09x", 2);
	violation(&x, "PROTOCOL_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4);
	violation(&x, "FLOW_CONTROL_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_HEADERS, 0, 1, OK200, 1);
	frame(&x.to, NGHTTP2_PING, 0, 0, "12345678", 8); /* in the middle of a header block */
	violation(&x, "PROTOCOL_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_SETTINGS, 0, 0, "\0\2\0\0\0\7", 6);
	violation(&x, "PROTOCOL_ERROR");
	start(&x);
	frame(&x.to, NGHTTP2_SETTINGS, 0, 0, zeros, 33 * 6);
	violation(&x, "too many HTTP/2 SETTINGS entries");
}

/* rows: H2-04 */
static void
test_header_bombs(void **state)
{
	uint8_t block[9000], many[16000];
	struct peer x;
	size_t n = 0;

	(void)state;
	/* A large field into the table, then the index of it again and again. */
	block[n++] = 0x88;
	memcpy(block + n, "\x40\x01x\x7f\x81\x1e", 6); /* literal with indexing, value of 4000 bytes */
	n += 6;
	memset(block + n, 'v', 4000);
	n += 4000;
	start(&x);
	memset(many, 0xbe, sizeof(many));
	frame(&x.to, NGHTTP2_HEADERS, 0, 1, block, n);
	frame(&x.to, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, many, sizeof(many));
	violation(&x, "too large HTTP/2 headers");
	/* Endless CONTINUATION. */
	start(&x);
	frame(&x.to, NGHTTP2_HEADERS, 0, 1, OK200, 1);
	for (int i = 0; i < 9; i++)
		frame(&x.to, NGHTTP2_CONTINUATION, 0, 1, "", 0);
	violation(&x, "too many HTTP/2 CONTINUATION frames");
	/* Endless interim answers. */
	start(&x);
	for (int i = 0; i < 120; i++)
		frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, CONTINUE100, 5);
	violation(&x, "too many HTTP/2 control frames");
}

/* rows: H2-04 */
static void
test_control_frame_budget(void **state)
{
	static const struct {
		uint8_t type, flags;
		uint32_t id;
		const char *p;
		size_t n;
	} t[] = {
		{ NGHTTP2_PING, 0, 0, "12345678", 8 },
		{ NGHTTP2_SETTINGS, 0, 0, "\0\5\0\0\x40\0", 6 },
		{ NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4 },
		{ NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\10", 4 },
		{ NGHTTP2_DATA, 0, 1, "", 0 },
		{ NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\1\0", 2 },
		{ 0x55, 0, 0, "x", 1 },
	};
	struct peer x;

	(void)state;
	for (size_t k = 0; k < sizeof(t) / sizeof(t[0]); k++) {
		/* 98 and the two SETTINGS of start() are within the budget ... */
		start(&x);
		frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
		/* (what answers our body's one frame is none) */
		for (int i = t[k].type == NGHTTP2_WINDOW_UPDATE ? -2 : 0; i < 98; i++)
			frame(&x.to, t[k].type, t[k].flags, t[k].id, t[k].p, t[k].n);
		assert_int_equal(deliver(&x), 0);
		/* ... ten seconds later there is room again ... */
		x.now += H2_BUDGET_MS;
		for (int i = 0; i < 100; i++)
			frame(&x.to, t[k].type, t[k].flags, t[k].id, t[k].p, t[k].n);
		assert_int_equal(deliver(&x), 0);
		/* ... but not sooner. */
		x.now += H2_BUDGET_MS - 1;
		frame(&x.to, t[k].type, t[k].flags, t[k].id, t[k].p, t[k].n);
		if (x.done == 0) {
			violation(&x, "too many HTTP/2 control frames");
			continue;
		}
		assert_int_equal(deliver(&x), -1);
		stop(&x);
	}
	/* Honest data and answers are not counted. */
	start(&x);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	for (int i = 0; i < 5000; i++)
		frame(&x.to, NGHTTP2_DATA, 0, 1, "x", 1);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(buf_len(&x.text), 5000);
	stop(&x);
}

/* Windows are refilled as the consumer takes bytes; a paused stream is not. */
/* rows: H2-03 */
static void
test_windows(void **state)
{
	static uint8_t chunk[16384];
	struct peer x;

	(void)state;
	start(&x);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	for (int i = 0; i < 128; i++) /* 2 MiB: half of the window */
		frame(&x.to, NGHTTP2_DATA, 0, 1, chunk, sizeof(chunk));
	assert_int_equal(deliver(&x), 0);
	assert_true(sent(&x, NGHTTP2_WINDOW_UPDATE, 0, "\0\x20\0\0", 4));
	stop(&x);

	start(&x);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	assert_int_equal(deliver(&x), 0);
	h2_pause(x.st, 1);
	for (int i = 0; i < 256; i++)
		frame(&x.to, NGHTTP2_DATA, 0, 1, chunk, sizeof(chunk));
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(buf_len(&x.text), 0);
	assert_false(sent(&x, NGHTTP2_WINDOW_UPDATE, 0, "", 0));
	h2_pause(x.st, 0);
	assert_true(h2_wants_send(x.h));
	assert_int_equal(h2_send(x.h), 0);
	assert_int_equal(buf_len(&x.text), 4 << 20);
	assert_true(sent(&x, NGHTTP2_WINDOW_UPDATE, 0, "", 0));
	stop(&x);

	start(&x); /* one byte more than the window */
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	assert_int_equal(deliver(&x), 0);
	h2_pause(x.st, 1);
	for (int i = 0; i < 256; i++)
		frame(&x.to, NGHTTP2_DATA, 0, 1, chunk, sizeof(chunk));
	frame(&x.to, NGHTTP2_DATA, 0, 1, "x", 1);
	violation(&x, "ignores the flow control window");

	start(&x); /* a stream that ends while paused keeps nothing back */
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	assert_int_equal(deliver(&x), 0);
	h2_pause(x.st, 1);
	frame(&x.to, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "last", 4);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(x.done, 1);
	assert_int_equal(x.err, REQ_OK);
	assert_int_equal(buf_len(&x.text), 4);
	stop(&x);
}

/* One more request on the same connection, its answer's head here. */
static struct h2_stream *
another(struct peer *x, uint32_t id)
{
	static const struct request_ops ops = { on_head, on_data, on_done };
	struct request_spec spec = { .method = "GET", .path = "/", .authority = "h" };
	struct h2_stream *st = h2_open(x->h, &spec, NULL, &ops, x);

	assert_non_null(st);
	assert_int_equal(h2_send(x->h), 0);
	frame(&x->to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, OK200, 1);
	assert_int_equal(deliver(x), 0);
	return st;
}

/* A stream's whole window. */
static void
four_mib(struct peer *x, uint32_t id)
{
	static uint8_t chunk[16384];

	for (int i = 0; i < 256; i++)
		frame(&x->to, NGHTTP2_DATA, 0, id, chunk, sizeof(chunk));
}

/* The connection's window does not shrink by discarded data: more than 16 MiB of it, then a body that is read. */
/* rows: H2-03 */
static void
test_connection_window(void **state)
{
	static uint8_t chunk[16384];
	struct h2_stream *st;
	struct peer x;
	uint32_t id;

	(void)state;
	start(&x);
	/* Cancelled in the middle of a frame, and the server continues since it has not received it. */
	for (id = 3; id < 3 + 2 * 1100; id += 2) {
		st = another(&x, id);
		frame(&x.to, NGHTTP2_DATA, 0, id, chunk, sizeof(chunk));
		frame(&x.to, NGHTTP2_DATA, 0, id, chunk, sizeof(chunk));
		assert_int_equal(h2_recv(x.h, buf_ptr(&x.to), 10, x.now), 0);
		buf_consume(&x.to, 10);
		h2_cancel(st);
		assert_int_equal(deliver(&x), 0);
		buf_reset(&x.sent);
	}
	assert_int_equal(buf_len(&x.text), 1100);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	four_mib(&x, 1);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(buf_len(&x.text), 1100 + (4 << 20));
	stop(&x);

	start(&x); /* 20 MiB held while their consumers pause */
	for (id = 3; id <= 11; id += 2) {
		h2_pause(another(&x, id), 1);
		four_mib(&x, id);
		assert_int_equal(deliver(&x), 0);
	}
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	four_mib(&x, 1);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(buf_len(&x.text), 4 << 20);
	stop(&x);
}

static void
test_odd_ends(void **state)
{
	struct peer x;

	(void)state;
	start(&x); /* compressed, which was not requested */
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200 "\x0f\x0b\x04gzip", 8);
	frame(&x.to, NGHTTP2_DATA, 0, 1, "\x1f\x8b", 2);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(x.done, 1);
	assert_int_equal(x.err, REQ_RESET);
	assert_non_null(strstr(x.why, "compressed"));
	assert_int_equal(x.heads, 0);
	assert_int_equal(buf_len(&x.text), 0);
	assert_false(h2_over(x.h));
	stop(&x);
	start(&x); /* reset without error before the end */
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	frame(&x.to, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\0", 4);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(x.err, REQ_RESET);
	stop(&x);
	start(&x); /* body of another length than announced */
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
	    OK200 "\x0f\x0d\x01"
		  "5",
	    5);
	frame(&x.to, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "xx", 2);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(x.done, 1);
	assert_int_equal(x.err, REQ_RESET);
	stop(&x);
	start(&x); /* GOAWAY that excludes our request: it may be repeated */
	frame(&x.to, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(x.err, REQ_GOAWAY);
	assert_true(h2_over(x.h));
	assert_string_equal(h2_error(x.h), "");
	stop(&x);
	start(&x); /* cancelled: no callbacks, RST_STREAM(CANCEL) is sent */
	h2_cancel(x.st);
	frame(&x.to, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, OK200, 1);
	frame(&x.to, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "xx", 2);
	assert_int_equal(deliver(&x), 0);
	assert_int_equal(x.done + x.heads, 0);
	assert_int_equal(h2_active(x.h), 0);
	stop(&x);
	start(&x);
	h2_cancel(x.st);
	assert_int_equal(deliver(&x), 0);
	assert_true(sent(&x, NGHTTP2_RST_STREAM, 0, "\0\0\0\10", 4));
	stop(&x);
}

static void
test_no_more_than_eight_streams(void **state)
{
	static const struct request_ops ops = { on_head, on_data, on_done };
	struct request_spec spec = { .method = "HEAD", .path = "/", .authority = "h" };
	struct peer x;

	(void)state;
	start(&x);
	for (int i = 1; i < 8; i++) {
		assert_true(h2_can_open(x.h));
		assert_non_null(h2_open(x.h, &spec, NULL, &ops, &x));
	}
	assert_false(h2_can_open(x.h));
	assert_false(h2_server_full(x.h));
	assert_null(h2_open(x.h, &spec, NULL, &ops, &x));
	stop(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opening_bytes),
		cmocka_unit_test(test_ping_and_settings_are_acked),
		cmocka_unit_test(test_unusual_but_right),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_header_bombs),
		cmocka_unit_test(test_control_frame_budget),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_connection_window),
		cmocka_unit_test(test_odd_ends),
		cmocka_unit_test(test_no_more_than_eight_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
