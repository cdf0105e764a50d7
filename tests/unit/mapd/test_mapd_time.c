/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>

#include "timefmt.h"
#include "util_clock.h"
#include "util_mapd.h"

/* mapd where much time passes at once: its monotonic clock is ahead of the test's. */

/* mapd wakes up, checks its timers, does what is due in two more turns, and its messages are here. */
static struct fp_msg *
look_at_clock(struct fakeparent *fp)
{
	struct fp_msg *m = NULL;
	int turn;

	for (turn = 0; turn < 3; turn++)
		m = ask_counters(fp);
	fp_run_for(fp, 50);
	return m;
}

/* --- sleep --- */

/* rows: DBG-02 */
static void
test_cut_sleep_is_forgotten(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll;
	struct fakeserver *fs = NULL;
	struct ipc_map_stop stop = { 0 };
	struct fp_msg *m;
	int again;

	(void)state;
	for (again = 0; again < 2; again++) {
		clock_mono_ahead(0);
		poll = live_stream(&fp, 120000);
		wait_seq(&fp, 1);
		send_frame(fp.servers[0], poll, "{\"Domain\":\"never\",\"Debug\":{\"SleepSeconds\":60}}");
		assert_true(fp_logged(&fp, "asks for a pause"));
		fp_send(&fp, IPC_MAP_STOP, 50, &stop, sizeof(stop), -1);
		wait_closed(&fp, 0, "");
		if (again) {
			send_start(&fp, 51, 0x11, 0);
			fs = fp_server(&fp, 1);
			poll = wait_poll(&fp, fs);
			fs_answer(fs, poll, "200", NULL, "", 0, 0);
			wait_stream(&fp, IPC_STREAM_OPEN);
		}
		clock_mono_ahead(80); /* the sleep would be over, the watchdog is not due */
		m = look_at_clock(&fp);
		assert_int_equal(m->u.counters.msgs_full, 1);
		assert_int_equal(m->u.counters.msgs_delta, 0);
		assert_null(fp_try(&fp, IPC_STREAM, 0));
		if (again) {
			send_frame(fs, poll, FULL_MAP);
			wait_stream(&fp, IPC_STREAM_LIVE);
			send_frame(fs, poll, "{\"Domain\":\"next\"}");
			wait_seq(&fp, 3);
		}
		fp_stop(&fp);
	}
}

/* --- pings --- */

static void
send_ping(struct fakeparent *fp, struct fs_stream *poll, const char *url, const char *rest)
{
	char text[300];

	snprintf(text, sizeof(text), "{\"KeepAlive\":true,\"PingRequest\":{\"URL\":\"%s\"%s}}", url, rest);
	send_frame(fp->servers[0], poll, text);
}

/* Four may be under way; each makes room after 15 seconds, also if the hosts never answer. */
/* rows: PING-01 */
static void
test_pings_end(void **state)
{
	static const char noise[] = ",\"URLIsNoise\":true";
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000), *st[3];
	struct fakeserver *fs = fp.servers[0], *plain;
	uint64_t t = time_mono_ms();
	unsigned i;

	(void)state;
	clock_mono_ahead(0);
	send_ping(&fp, poll, "http://h/0", noise);
	send_ping(&fp, poll, "http://h/1", noise);
	send_ping(&fp, poll, "http://h/2", noise);
	for (i = 0; i < 3; i++)
		st[i] = fp_request(&fp, fs, 2 + i);
	fp.plain = 1;
	send_ping(&fp, poll, "http://control.example:8080/3", "");
	plain = fp_server(&fp, 1);
	FP_UNTIL(&fp, buf_len(&plain->in) > 0);
	send_ping(&fp, poll, "http://h/4", noise);
	assert_true(fp_logged(&fp, "4 in progress already"));
	clock_mono_ahead(11 - (int64_t)(time_mono_ms() - t) / 1000);
	look_at_clock(&fp);
	for (i = 0; i < 3; i++)
		assert_false(st[i]->closed);
	assert_false(plain->gone);
	clock_mono_ahead(15);
	look_at_clock(&fp);
	for (i = 0; i < 3; i++) {
		assert_true(st[i]->closed);
		assert_int_equal(st[i]->code, NGHTTP2_CANCEL);
	}
	assert_true(plain->gone);
	send_ping(&fp, poll, "http://h/5", noise);
	assert_string_equal(fp_request(&fp, fs, 5)->path, "/5");
	assert_false(poll->closed);
	fp_stop(&fp);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_sleep_is_forgotten),
		cmocka_unit_test(test_pings_end),
	};

	clock_in_children();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
