/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "mapd.h"
#include "timefmt.h"
#include "util_mapd.h"

static void
send_stop(struct fakeparent *fp, uint32_t id, int drop)
{
	struct ipc_map_stop s = { (uint32_t)drop };

	fp_send(fp, IPC_MAP_STOP, id, &s, sizeof(s), -1);
}

/* --- stream --- */

/* rows: MAP-01 LITE-05 H2-02 */
static void
test_stream(void **state)
{
	static const char common[] =
	    "{\"Version\":131,\"Compress\":\"zstd\",\"KeepAlive\":true,\"NodeKey\":\"nodekey:" ONES64
	    "\",\"DiscoKey\":\"discokey:2222222222222222222222222222222222222222222222222222222222222222\",";
	static const char rest[] =
	    ":true,\"Hostinfo\":" FP_HOSTINFO ",\"Endpoints\":[\"192.0.2.7:41641\"],\"EndpointTypes\":[1]}";
	struct fakeparent fp;
	struct fs_stream *poll = open_stream(&fp, 120000), *lite = wait_lite(&fp, fp.servers[0], 0);
	struct ipc_delta_rec rec;
	struct fp_msg *m;

	(void)state;
	assert_string_equal(poll->path, "/machine/map");
	assert_string_equal(poll->authority, "control.example:8080");
	assert_int_equal(poll->nlb, 1);
	assert_string_equal(poll->lb[0], "nodekey:" ONES64);
	assert_memory_equal(fs_body(poll), common, sizeof(common) - 1);
	assert_string_equal(fs_body(poll) + sizeof(common) - 1 + strlen("\"Stream\""), rest);
	assert_memory_equal(fs_body(lite), common, sizeof(common) - 1);
	assert_string_equal(fs_body(lite) + sizeof(common) - 1 + strlen("\"OmitPeers\""), rest);
	m = fp_wait(&fp, IPC_LITE);
	assert_int_equal(m->u.lite.ok, 1);
	assert_int_equal(m->u.lite.generation, 1);
	assert_int_equal(m->id, 50);
	assert_null(fp_try(&fp, IPC_DELTAS, 50));
	send_frame(fp.servers[0], poll, FULL_MAP);
	m = fp_wait(&fp, IPC_SELF);
	assert_int_equal(m->id, 50);
	assert_true(m->u.self.id == 1);
	assert_int_equal(m->u.self.machine_authorized, 1);
	m = fp_wait(&fp, IPC_DELTAS);
	assert_int_equal(m->u.deltas.source, IPC_SRC_LIVE);
	assert_int_equal(m->u.deltas.data_len, sizeof(struct ipc_delta_rec));
	memcpy(&rec, m->u.deltas.data, sizeof(rec));
	assert_int_equal(rec.full, 1);
	assert_true(rec.seq == m->u.deltas.seq);
	wait_stream(&fp, IPC_STREAM_LIVE);
	m = ask_counters(&fp);
	assert_int_equal(m->u.counters.msgs_full, 1);
	assert_true(m->u.counters.bytes_wire > 0 && m->u.counters.bytes_decoded == strlen(FULL_MAP));
	assert_true(m->u.counters.last_message_mono_ms != 0);
	assert_int_equal(fp.nservers, 1);
	fp_stop(&fp);
}

/* rows: MAP-03 */
static void
test_node_must_come_first(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = open_stream(&fp, 120000);

	(void)state;
	send_frame(fp.servers[0], poll, KEEPALIVE);
	assert_null(fp_try(&fp, IPC_DELTAS, 50));
	send_frame(fp.servers[0], poll, "{\"PeersRemoved\":[3]}");
	wait_closed(&fp, 200, "lacks Node");
	FP_UNTIL(&fp, poll->closed);
	assert_false(fp.servers[0]->gone); /* only the stream is given up */
	fp_stop(&fp);
}

/* rows: ERR-02 */
static void
test_status(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *poll;

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	send_start(&fp, 50, 0x11, 0);
	fs = fp_server(&fp, 0);
	poll = wait_poll(&fp, fs);
	fs_answer(fs, poll, "404", NULL, "node not found\n", 15, 1);
	wait_closed(&fp, 404, "initial fetch failed 404: node not found");
	assert_null(fp_try(&fp, IPC_STREAM, 20));
	/* The connection serves the next stream. */
	send_start(&fp, 51, 0x11, 0);
	poll = wait_body(&fp, fs, "\"Stream\":true", 1);
	fs_answer(fs, poll, "500", NULL, "x", 1, 0); /* and says no more */
	wait_closed(&fp, 500, "initial fetch failed 500: x");
	assert_int_equal(fp.nservers, 1);
	fp_stop(&fp);
}

/* rows: ERR-01 */
static void
test_unexpected_eof(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = open_stream(&fp, 120000);
	struct fp_msg *m;

	(void)state;
	fs_more(fp.servers[0], poll, "", 0, 1);
	wait_closed(&fp, 200, "unexpected EOF");
	fp_stop(&fp);

	poll = live_stream(&fp, 120000);
	fs_more(fp.servers[0], poll, "\x05\0\0\0z", 5, 1);
	wait_closed(&fp, 200, "unexpected EOF");
	/* The present map stays, marked stale. */
	while ((m = fp_wait(&fp, IPC_DELTAS))->u.deltas.source != IPC_SRC_STALE)
		;
	assert_int_equal(m->u.deltas.data_len, 0);
	fp_stop(&fp);
}

static void
test_connection_lost(void **state)
{
	struct fakeparent fp;

	(void)state;
	live_stream(&fp, 120000);
	fs_drop(fp.servers[0]);
	wait_closed(&fp, 200, "map stream lost");
	send_start(&fp, 51, 0x11, 0);
	wait_poll(&fp, fp_server(&fp, 1));
	fp_stop(&fp);
}

static void
test_refused_message(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000);

	(void)state;
	send_frame(fp.servers[0], poll, "{\"Domain\":7}");
	wait_closed(&fp, 200, "map response refused: ");
	fp_stop(&fp);
	poll = live_stream(&fp, 120000);
	fs_more(fp.servers[0], poll, "\0\0\0\0", 4, 0);
	wait_closed(&fp, 200, "length 0");
	fp_stop(&fp);
}

/* --- watchdog --- */

/* rows: KA-01 KA-03 */
static void
test_watchdog(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 400);
	uint64_t t;
	int i;

	(void)state;
	for (i = 0; i < 8; i++) { /* twice as long as the watchdog */
		fp_run_for(&fp, 100);
		send_frame(fp.servers[0], poll, KEEPALIVE);
	}
	assert_null(fp_try(&fp, IPC_STREAM, 100));
	t = time_mono_ms();
	fs_more(fp.servers[0], poll, "\x40\x1f\0\0\x50\x2a\x4d\x18\x38\x1f\0\0", 12, 0); /* a long skippable frame */
	for (i = 0; i < 150 && !fp.servers[0]->gone; i++) {
		fs_more(fp.servers[0], poll, "\x28", 1, 0); /* a message that does not end is none */
		fp_run_for(&fp, 20);
	}
	assert_true(fp.servers[0]->gone); /* the whole connection: it may be unusable */
	assert_in_range(time_mono_ms() - t, 200, 3000);
	wait_closed(&fp, 0, "no complete message from the server for 0.4 s");
	fp_stop(&fp);
}

/* rows: KA-02 */
static void
test_watchdog_covers_everything(void **state)
{
	struct fakeparent fp;
	uint64_t t = time_mono_ms();

	(void)state;
	/* no dial answered */
	fp_start_ready(&fp, &mapd_role);
	fp_send_config(&fp, 300);
	fp.manual = 1;
	send_start(&fp, 50, 0x11, 0);
	fp_wait(&fp, IPC_DIAL);
	wait_closed(&fp, 0, "no complete message");
	fp_wait(&fp, IPC_DIAL_CANCEL);
	/* no head */
	fp.manual = 0;
	send_start(&fp, 51, 0x11, 0);
	wait_poll(&fp, fp_server(&fp, 0));
	wait_closed(&fp, 0, "no complete message");
	FP_UNTIL(&fp, fp.servers[0]->gone);
	assert_true(time_mono_ms() - t < 10000);
	fp_stop(&fp);
}

/* --- what messages ask for --- */

/* rows: DBG-01 KA-06 */
static void
test_sleep(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = open_stream(&fp, 250);
	struct fp_msg *m;
	struct buf b;
	uint64_t t = time_mono_ms();

	(void)state;
	buf_init(&b, 1 << 20);
	put_frame(&b, NODE ",\"Debug\":{\"SleepSeconds\":0.6}}");
	put_frame(&b, "{\"Domain\":\"second\"}");
	put_frame(&b, KEEPALIVE);
	fs_more(fp.servers[0], poll, buf_ptr(&b), buf_len(&b), 0);
	buf_free(&b);
	assert_null(fp_try(&fp, IPC_DELTAS, 450));
	assert_null(fp_try(&fp, IPC_SELF, 0));
	m = fp_wait(&fp, IPC_DELTAS);
	assert_in_range(time_mono_ms() - t, 550, 5000);
	wait_stream(&fp, IPC_STREAM_LIVE);
	if (m->u.deltas.data_len == sizeof(struct ipc_delta_rec))
		m = fp_wait(&fp, IPC_DELTAS); /* what waited behind it follows at once */
	assert_int_equal(m->u.deltas.seq, 2);
	fp_stop(&fp);
}

/* rows: DBG-02 */
static void
test_stop_during_sleep(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000);
	uint64_t t;

	(void)state;
	while (fp_try(&fp, IPC_DELTAS, 20) != NULL)
		;
	send_frame(fp.servers[0], poll, "{\"Domain\":\"never\",\"Debug\":{\"SleepSeconds\":200}}");
	fp_run_for(&fp, 50);
	t = time_mono_ms();
	send_stop(&fp, 50, 0);
	wait_closed(&fp, 0, "");
	assert_true(time_mono_ms() - t < 2000);
	assert_int_equal(fp_wait(&fp, IPC_DELTAS)->u.deltas.seq, 1); /* not half applied: stale, and the same */
	FP_UNTIL(&fp, fp.servers[0]->gone);
	fp_stop(&fp);
}

/* The server closes while we sleep as it requested: the message still counts, then the stream is over. */
static void
test_lost_during_sleep(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = open_stream(&fp, 120000);

	(void)state;
	send_frame(fp.servers[0], poll, NODE ",\"Debug\":{\"SleepSeconds\":0.4}}");
	fp_run_for(&fp, 50);
	fs_drop(fp.servers[0]);
	assert_null(fp_try(&fp, IPC_DELTAS, 100));
	wait_stream(&fp, IPC_STREAM_LIVE);
	wait_closed(&fp, 200, "map stream lost");
	fp_stop(&fp);
}

/* rows: DBG-03 */
static void
test_odd_sleeps(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = open_stream(&fp, 120000);

	(void)state;
	send_frame(fp.servers[0], poll, NODE ",\"Debug\":{\"SleepSeconds\":-5}}");
	wait_stream(&fp, IPC_STREAM_LIVE);
	send_frame(fp.servers[0], poll, "{\"Domain\":\"d\",\"Debug\":{\"SleepSeconds\":0}}");
	send_frame(fp.servers[0], poll, "{\"Domain\":\"e\",\"Debug\":{\"SleepSeconds\":0.000001}}");
	wait_seq(&fp, 3);
	send_frame(fp.servers[0], poll, "{\"Domain\":\"f\",\"Debug\":{\"SleepSeconds\":1e300}}");
	assert_null(fp_try(&fp, IPC_DELTAS, 100));
	send_stop(&fp, 50, 0);
	wait_closed(&fp, 0, "");
	fp_stop(&fp);
}

/* --- connections --- */

static void
test_prepare(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	send_start(&fp, 50, 0x11, 1);
	wait_stream(&fp, IPC_STREAM_CONNECTED);
	fs = fp_server(&fp, 0);
	fp_run_for(&fp, 50);
	assert_int_equal(fs->nstreams, 0);
	send_start(&fp, 50, 0x44, 0); /* a key made meanwhile: this connection was not used with a different one */
	wait_poll(&fp, fs);
	assert_int_equal(fp.nservers, 1);
	fp_stop(&fp);

	fp_start_ready(&fp, &mapd_role);
	send_start(&fp, 50, 0x11, 1);
	wait_stream(&fp, IPC_STREAM_CONNECTED);
	fs_drop(fp_server(&fp, 0));
	assert_true(wait_stream(&fp, IPC_STREAM_CLOSED)->err_len > 0);
	fp_stop(&fp);
}

/* rows: ROT-04 */
static void
test_other_key(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *lite;

	(void)state;
	live_stream(&fp, 120000);
	send_params(&fp, 2, 7777);
	lite = wait_lite(&fp, fp.servers[0], 1); /* held by the server */
	send_start(&fp, 51, 0x44, 0);
	fs = fp_server(&fp, 1);
	FP_UNTIL(&fp, fp.servers[0]->gone);
	assert_true(lite->closed || fp.servers[0]->gone);
	assert_non_null(strstr(fs_body(wait_poll(&fp, fs)), "nodekey:4444"));
	assert_int_equal(fp.servers[0]->nstreams, 3);
	fp_stop(&fp);
}

/* rows: OUT-03 */
static void
test_stop_and_drop(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m;

	(void)state;
	live_stream(&fp, 120000);
	send_stop(&fp, 50, 1);
	wait_closed(&fp, 0, "");
	FP_UNTIL(&fp, fp.servers[0]->gone);
	while ((m = fp_wait(&fp, IPC_DELTAS))->u.deltas.source != IPC_SRC_NONE)
		;
	assert_int_equal(m->u.deltas.peers, 0);
	assert_non_null(fp_try(&fp, IPC_DIAL, 0)); /* the stream's own; no other follows */
	assert_null(fp_try(&fp, IPC_DIAL, 50));
	fp_stop(&fp);
}

/* Ten thousand changes: every one is reported, in far fewer messages than a channel may carry. */
static void
test_many_deltas(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll = live_stream(&fp, 120000);
	struct fp_msg *m;
	struct buf b;
	char json[64];
	unsigned i, n = 0;
	uint64_t seq = 0;

	(void)state;
	buf_init(&b, 4 << 20);
	for (i = 0; i < 10000; i++) {
		snprintf(json, sizeof(json), "{\"Domain\":\"d%u\"}", i);
		put_frame(&b, json);
	}
	fs_more(fp.servers[0], poll, buf_ptr(&b), buf_len(&b), 0);
	buf_free(&b);
	while (seq != 10001) {
		m = fp_wait(&fp, IPC_DELTAS);
		assert_true(m->u.deltas.seq > seq);
		seq = m->u.deltas.seq;
		n++;
	}
	assert_true(n < 450);
	fp_stop(&fp);
}

/* --- protocol violations by the parent --- */

static void
violation(enum ipc_type type, const void *payload, size_t len, int fd)
{
	struct fakeparent fp;

	fp_start_ready(&fp, &mapd_role);
	fp_send(&fp, type, 1, payload, len, fd);
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	fp_free(&fp);
}

static void
test_malformed(void **state)
{
	struct ipc_map_start start;
	struct ipc_map_stop stop = { 2 };
	struct ipc_map_params params;
	static struct ipc_query q;
	int sv[2];

	(void)state;
	memset(&start, 0, sizeof(start));
	violation(IPC_MAP_START, &start, sizeof(start), -1);
	memset(start.node_key.b, 1, KEY_LEN);
	start.prepare_only = 2;
	violation(IPC_MAP_START, &start, sizeof(start), -1);
	violation(IPC_MAP_STOP, &stop, sizeof(stop), -1);
	fill_params(&params, 1, 1);
	params.n = IPC_MAX_ENDPOINTS + 1;
	violation(IPC_MAP_PARAMS, &params, sizeof(params), -1);
	fill_params(&params, 1, 1);
	params.ep[0].family = 5;
	violation(IPC_MAP_PARAMS, &params, sizeof(params), -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	q.verb = IPC_Q_COUNT;
	q.class = IPC_CLASS_R;
	violation(IPC_QUERY, &q, ipc_head_len(IPC_QUERY), sv[0]);
	close(sv[1]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_node_must_come_first),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_unexpected_eof),
		cmocka_unit_test(test_connection_lost),
		cmocka_unit_test(test_refused_message),
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_watchdog_covers_everything),
		cmocka_unit_test(test_sleep),
		cmocka_unit_test(test_stop_during_sleep),
		cmocka_unit_test(test_lost_during_sleep),
		cmocka_unit_test(test_odd_sleeps),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_stop_and_drop),
		cmocka_unit_test(test_many_deltas),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
