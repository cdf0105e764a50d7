/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "timefmt.h"
#include "util_clock.h"
#include "util_mapd.h"

/* rows: KA-05 FLD-17 INT-05 */
static void
test_side_fields(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000);
	struct fakeserver *fs = fp.servers[0];
	struct fp_msg *m;
	char url[IPC_URL_MAX + 1];

	(void)state;
	send_frame(fs, poll,
	    "{\"KeepAlive\":true,\"Debug\":{\"Exit\":3,\"SleepSeconds\":100}}"); /* no part of it counts */
	send_frame(fs, poll, "{\"Domain\":\"x\"}");
	wait_seq(&fp, 2);
	assert_null(fp_try(&fp, IPC_EXIT_WISH, 0));
	send_frame(fs, poll,
	    "{\"KeepAlive\":true,\"ControlTime\":\"2026-01-02T03:04:05Z\",\"PopBrowserURL\":\"https://a/"
	    "1\",\"Domain\":\"no\"}");
	assert_true(fp_wait(&fp, IPC_CONTROL_TIME)->u.control_time.sec == 1767323045);
	m = fp_wait(&fp, IPC_BROWSE);
	IPC_STR(&m->u.browse, url, url);
	assert_string_equal(url, "https://a/1");
	send_frame(fs, poll, "{\"PopBrowserURL\":\"https://a/1\"}");
	send_frame(fs, poll, "{\"PopBrowserURL\":\"javascript:alert(1)\"}");
	send_frame(fs, poll, "{\"PopBrowserURL\":\"https://a/2\"}");
	m = fp_wait(&fp, IPC_BROWSE);
	IPC_STR(&m->u.browse, url, url);
	assert_string_equal(url, "https://a/2");
	send_frame(fs, poll, "{\"Debug\":{\"Exit\":3}}");
	assert_int_equal(fp_wait(&fp, IPC_EXIT_WISH)->u.exit_wish.code, 3);
	send_frame(fs, poll,
	    "{\"KeepAlive\":true,\"ControlDialPlan\":{\"Candidates\":[{\"IP\":\"192.0.2.1\",\"DialStartDelaySec\":1.5,"
	    "\"DialTimeoutSec\":4}]}}");
	m = fp_wait(&fp, IPC_DIAL_PLAN);
	assert_int_equal(m->u.plan.n, 1);
	assert_int_equal(m->u.plan.e[0].delay_ms, 1500);
	assert_int_equal(m->u.plan.e[0].timeout_ms, 4000);
	assert_null(fp_try(&fp, IPC_BROWSE, 20));
	fp_stop(&fp);
}

static void
expect_url(struct fakeparent *fp, const char *want)
{
	struct fp_msg *m = fp_wait(fp, IPC_BROWSE);
	char url[IPC_URL_MAX + 1];

	IPC_STR(&m->u.browse, url, url);
	assert_string_equal(url, want);
}

/* Once in a stream, whatever is shown between. */
/* rows: FLD-17 */
static void
test_urls_of_a_stream(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000);
	struct fakeserver *fs = fp.servers[0];

	(void)state;
	send_frame(fs, poll, "{\"PopBrowserURL\":\"https://a/1\"}");
	send_frame(fs, poll, "{\"PopBrowserURL\":\"https://a/2\"}");
	send_frame(fs, poll, "{\"PopBrowserURL\":\"https://a/1\"}");
	expect_url(&fp, "https://a/1");
	expect_url(&fp, "https://a/2");
	fs_more(fs, poll, "", 0, 1);
	wait_closed(&fp, 200, "unexpected EOF");
	assert_null(fp_try(&fp, IPC_BROWSE, 0));
	send_start(&fp, 51, 0x11, 0);
	poll = wait_body(&fp, fs, "\"Stream\":true", 1);
	fs_answer(fs, poll, "200", NULL, "", 0, 0);
	send_frame(fs, poll, NODE ",\"PopBrowserURL\":\"https://a/1\"}");
	expect_url(&fp, "https://a/1");
	send_frame(fs, poll, "{\"PopBrowserURL\":\"https://a/2\"}");
	expect_url(&fp, "https://a/2");
	fp_stop(&fp);
}

static void
send_plan(struct fakeserver *fs, struct fs_stream *poll, int i)
{
	char text[100];

	snprintf(text, sizeof(text), "{\"ControlDialPlan\":{\"Candidates\":[{\"IP\":\"192.0.2.%d\"}]}}", i);
	send_frame(fs, poll, text);
}

/*
 * However often it changes: the first at once, the newest a second later (security.md D7: 2000 messages a second
 * kill).
 */
static void
test_plans_one_after_the_other(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000);
	uint64_t t = time_mono_ms();
	int i;

	(void)state;
	for (i = 1; i <= 100; i++)
		send_plan(fp.servers[0], poll, i);
	assert_int_equal(fp_wait(&fp, IPC_DIAL_PLAN)->u.plan.e[0].ip.addr[3], 1);
	assert_int_equal(fp_wait(&fp, IPC_DIAL_PLAN)->u.plan.e[0].ip.addr[3], 100);
	assert_in_range(time_mono_ms() - t, 900, 5000);
	/* What was not reported yet is reported before the stream is over. */
	for (i = 101; i <= 103; i++)
		send_plan(fp.servers[0], poll, i);
	assert_null(fp_try(&fp, IPC_DIAL_PLAN, 100));
	fs_more(fp.servers[0], poll, "", 0, 1);
	wait_closed(&fp, 200, "unexpected EOF");
	assert_int_equal(fp_try(&fp, IPC_DIAL_PLAN, 0)->u.plan.e[0].ip.addr[3], 103);
	fp_stop(&fp);
}

/* ControlTime is reported when it says something new about our clock, and once for each stream. */
static void
test_control_times(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000);
	struct fakeserver *fs = fp.servers[0];
	char text[100], when[TIME_TEXT_MAX];
	struct wtime now = time_wall();
	struct ipc_stream *closed;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) { /* a clock that is right */
		struct wtime t = { now.sec + i % 20, 0 };

		snprintf(text, sizeof(text), "{\"KeepAlive\":true,\"ControlTime\":\"%s\"}", time_format(t, when));
		send_frame(fs, poll, text);
	}
	assert_true(fp_wait(&fp, IPC_CONTROL_TIME)->u.control_time.sec == now.sec);
	assert_null(fp_try(&fp, IPC_CONTROL_TIME, 100));
	now.sec += 86400; /* and one that is not */
	snprintf(text, sizeof(text), "{\"KeepAlive\":true,\"ControlTime\":\"%s\"}", time_format(now, when));
	send_frame(fs, poll, text);
	assert_true(fp_wait(&fp, IPC_CONTROL_TIME)->u.control_time.sec == now.sec);
	send_frame(fs, poll, text);
	assert_null(fp_try(&fp, IPC_CONTROL_TIME, 100));
	fs_more(fs, poll, "", 0, 1);
	closed = wait_stream(&fp, IPC_STREAM_CLOSED);
	assert_int_equal(closed->http_status, 200);
	fp_stop(&fp);
}

/* The netmap as a reader gets it. */
static char *
ask_netmap(struct fakeparent *fp, char *out, size_t size)
{
	struct ipc_query q;
	size_t len = 0;
	ssize_t n;
	int sv[2];

	memset(&q, 0, sizeof(q));
	q.verb = IPC_Q_netmap;
	q.class = IPC_CLASS_ROOT;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	fp_send(fp, IPC_QUERY, 77, &q, ipc_head_len(IPC_QUERY), sv[1]);
	while ((n = read(sv[0], out + len, size - 1 - len)) != 0)
		if (n > 0)
			len += (size_t)n;
		else
			fp_run_for(fp, 5);
	close(sv[0]);
	out[len] = '\0';
	return out;
}

/* rows: EXP-06 EXP-08 ERR-06 */
static void
test_clock_is_set(void **state)
{
	static char map[8192];
	struct fakeparent fp;
	struct fs_stream *poll;
	struct wtime now = time_wall();
	char text[1000], when[TIME_TEXT_MAX], soon[TIME_TEXT_MAX];

	(void)state;
	clock_wall_ahead(-now.sec); /* no battery: it is 1970 */
	poll = open_stream(&fp, 120000);
	time_format((struct wtime){ now.sec + 3600, 0 }, soon);
	snprintf(text, sizeof(text),
	    NODE ",\"ControlTime\":\"%s\",\"Peers\":[{\"ID\":2,\"Key\":\"nodekey:" ONES64 "\",\"KeyExpiry\":\"%s\"}]}",
	    time_format(now, when), soon);
	send_frame(fp.servers[0], poll, text);
	wait_stream(&fp, IPC_STREAM_LIVE);
	assert_null(strstr(ask_netmap(&fp, map, sizeof(map)), "\"Expired\":true"));
	clock_wall_ahead(0); /* NTP has set the clock; the server does not know */
	send_frame(fp.servers[0], poll, "{\"PeersChangedPatch\":[{\"NodeID\":2,\"Online\":true}]}");
	wait_seq(&fp, 2);
	assert_non_null(strstr(ask_netmap(&fp, map, sizeof(map)), "\"Online\":true"));
	assert_null(strstr(map, "\"Expired\":true"));
	clock_wall_ahead(7200); /* and a clock that is past it */
	send_frame(fp.servers[0], poll, "{\"PeersChangedPatch\":[{\"NodeID\":2,\"Online\":false}]}");
	wait_seq(&fp, 3);
	assert_non_null(strstr(ask_netmap(&fp, map, sizeof(map)), "\"Expired\":true"));
	fp_stop(&fp);
	clock_wall_ahead(0);
}

/* --- pings --- */

#define PING(url, rest) "{\"KeepAlive\":true,\"PingRequest\":{\"URL\":\"" url "\"" rest "}}"

/* rows: PING-02 PING-03 */
static void
test_c2n(void **state)
{
	/* POST /echo HTTP/1.1, Content-Length: 2, "hi" */
	static const char ping[] = PING("https://unused/machine/c2n/1?x=y",
	    ",\"Types\":\"c2n\",\"Payload\":\"UE9TVCAvZWNobyBIVFRQLzEuMQ0KQ29udGVudC1MZW5ndGg6IDINCg0KaGk=\"");
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000), *st;
	struct fakeserver *fs = fp.servers[0];

	(void)state;
	send_frame(fs, poll, ping);
	st = wait_body(&fp, fs, "HTTP/1.1 200 OK\r\n", 0);
	assert_string_equal(st->method, "POST");
	assert_string_equal(st->path, "/machine/c2n/1?x=y");
	assert_string_equal(st->authority, "unused");
	assert_non_null(strstr(fs_body(st), "\r\n\r\nhi"));
	assert_int_equal(st->nlb, 0);
	fs_answer(fs, st, "200", NULL, "", 0, 1);
	send_frame(fs, poll, ping); /* the same URL */
	send_frame(fs, poll, PING("", ""));
	fp_run_for(&fp, 100);
	assert_int_equal(fs->nstreams, 3);
	send_frame(fs, poll,
	    PING("https://unused/2", ",\"Types\":\"c2n\",\"Payload\":\"R0VUIC9ub3RoaW5nIEhUVFAvMS4xDQoNCg==\""));
	wait_body(&fp, fs, "HTTP/1.1 400 Bad Request\r\n", 0);
	send_frame(fs, poll, PING("https://unused/3", ",\"Types\":\"c2n\",\"Payload\":\"AAAA\""));
	assert_true(fp_logged(&fp, "not an HTTP request"));
	assert_int_equal(fs->nstreams, 4);
	assert_int_equal(fp.nservers, 1);
	fp_stop(&fp);
}

/* rows: PING-01 PING-06 */
static void
test_head(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000), *st;
	struct fakeserver *fs = fp.servers[0];

	(void)state;
	send_frame(fs, poll, PING("http://192.0.2.99/x", ",\"URLIsNoise\":true"));
	st = fp_request(&fp, fs, 2);
	assert_string_equal(st->method, "HEAD");
	assert_string_equal(st->path, "/x");
	fs_answer(fs, st, "200", NULL, "", 0, 1);
	fp.plain = 1;
	while (fp_try(&fp, IPC_DIAL, 0) != NULL)
		;
	send_frame(fs, poll, PING("http://control.example:8080/ping/1", ""));
	assert_int_equal(fp_wait(&fp, IPC_DIAL)->u.dial.kind, IPC_DIAL_URL);
	FP_UNTIL(&fp, buf_len(&fp_server(&fp, 1)->in) > 20);
	assert_memory_equal(buf_ptr(&fp.servers[1]->in), "HEAD /ping/1 HTTP/1.1\r\n", 23);
	send_frame(fs, poll, PING("http://169.254.169.254/latest", ""));
	assert_true(fp_logged(&fp, "not the control server"));
	send_frame(fs, poll, PING("https://control.example:8080/ping/1", ""));
	assert_true(fp_logged(&fp, "not the control server"));
	send_frame(fs, poll, PING("http://control.example:8080/q", ",\"Types\":\"disco,TSMP\""));
	assert_true(fp_logged(&fp, "not supported"));
	assert_null(fp_try(&fp, IPC_DIAL, 20));
	/* The map continues meanwhile. */
	send_frame(fs, poll, "{\"Domain\":\"after\"}");
	wait_seq(&fp, 2);
	fp_stop(&fp);
}

/* A text that begins well and continues after a NUL is read neither as its beginning nor as empty. */
/* rows: FLD-15 PING-06 */
static void
test_nul_in_side_fields(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000), *st;
	struct fakeserver *fs = fp.servers[0];

	(void)state;
	send_frame(fs, poll, "{\"PopBrowserURL\":\"https://a/\\u0000b\"}");
	send_frame(fs, poll, PING("http://h/1\\u0000x", ",\"URLIsNoise\":true"));
	send_frame(fs, poll, PING("http://h/2\\u0000", ",\"URLIsNoise\":true"));
	send_frame(fs, poll, PING("http://h/3", ",\"URLIsNoise\":true,\"Types\":\"\\u0000\""));
	send_frame(fs, poll,
	    PING("http://h/4",
		",\"URLIsNoise\":true,\"Types\":\"c2n\\u0000\",\"Payload\":\"R0VUIC8gSFRUUC8xLjENCg0K\""));
	send_frame(fs, poll, PING("http://h/5", ",\"URLIsNoise\":true"));
	st = fp_request(&fp, fs, 2);
	assert_string_equal(st->method, "HEAD");
	assert_string_equal(st->path, "/5");
	send_frame(fs, poll, "{\"PopBrowserURL\":\"https://a/\"}");
	expect_url(&fp, "https://a/");
	assert_null(fp_try(&fp, IPC_BROWSE, 0));
	assert_int_equal(fs->nstreams, 3);
	fp_stop(&fp);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_side_fields),
		cmocka_unit_test(test_urls_of_a_stream),
		cmocka_unit_test(test_plans_one_after_the_other),
		cmocka_unit_test(test_control_times),
		cmocka_unit_test(test_clock_is_set),
		cmocka_unit_test(test_c2n),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_nul_in_side_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
