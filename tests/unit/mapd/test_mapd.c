/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "fakeparent.h"

#include "mapd.h"
#include "timefmt.h"

#define NODE \
	"{\"Node\":{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"self.example.\",\"User\":1,\"Key\":\"nodekey:" ONES64 \
	"\",\"Addresses\":[" \
	"\"100.64.0.1/32\"],\"AllowedIPs\":[\"100.64.0.1/32\"],\"MachineAuthorized\":true}"
#define ONES64    "1111111111111111111111111111111111111111111111111111111111111111"
#define FULL_MAP  NODE ",\"Domain\":\"example\"}"
#define KEEPALIVE "{\"KeepAlive\":true}"

/* One frame of the map stream at the end of b. */
static void
put_frame(struct buf *b, const char *json)
{
	size_t max = ZSTD_compressBound(strlen(json)), n;
	uint8_t len[4], *z = malloc(max);

	n = ZSTD_compress(z, max, json, strlen(json), 1);
	assert_false(ZSTD_isError(n));
	for (int i = 0; i < 4; i++)
		len[i] = (uint8_t)(n >> (8 * i));
	buf_put(b, len, 4);
	buf_put(b, z, n);
	free(z);
}

static void
send_frame(struct fakeserver *fs, struct fs_stream *st, const char *json)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	put_frame(&b, json);
	fs_more(fs, st, buf_ptr(&b), buf_len(&b), 0);
	buf_free(&b);
}

static void
fill_params(struct ipc_map_params *p, uint32_t generation, uint16_t port)
{
	memset(p, 0, sizeof(*p));
	p->generation = generation;
	memset(p->disco_key.b, 0x22, KEY_LEN);
	p->n = 1;
	p->ep[0] = (struct ipc_endpoint){ .addr = { 192, 0, 2, 7 }, .port = port, .family = 4, .type = IPC_EP_LOCAL };
}

static void
send_params(struct fakeparent *fp, uint32_t generation, uint16_t port)
{
	struct ipc_map_params p;

	fill_params(&p, generation, port);
	fp_send(fp, IPC_MAP_PARAMS, IPC_ID_NONE, &p, sizeof(p), -1);
}

static void
send_start(struct fakeparent *fp, uint32_t id, int key, int prepare)
{
	struct ipc_map_start s;

	memset(&s, 0, sizeof(s));
	memset(s.node_key.b, key, KEY_LEN);
	memset(s.machine_key.b, 0x33, KEY_LEN);
	s.prepare_only = (uint32_t)prepare;
	ipc_set_state(fp->ipc, IPC_S_BUSY);
	fp_send(fp, IPC_MAP_START, id, &s, sizeof(s), -1);
}

static void
send_stop(struct fakeparent *fp, uint32_t id, int drop)
{
	struct ipc_map_stop s = { (uint32_t)drop };

	fp_send(fp, IPC_MAP_STOP, id, &s, sizeof(s), -1);
}

/* The n-th complete request whose body holds text; waits for it. */
static struct fs_stream *
wait_body(struct fakeparent *fp, struct fakeserver *fs, const char *text, unsigned nth)
{
	unsigned i, t, seen;

	for (t = 0; t < FP_WAIT_MS / 5; t++) {
		for (i = seen = 0; i < fs->nstreams; i++)
			if (fs->streams[i].ended && strstr(fs_body(&fs->streams[i]), text) != NULL && seen++ == nth)
				return &fs->streams[i];
		fp_run_for(fp, 5);
	}
	fail_msg("no request number %u with %s", nth, text);
	return NULL;
}

static struct fs_stream *
wait_poll(struct fakeparent *fp, struct fakeserver *fs)
{
	return wait_body(fp, fs, "\"Stream\":true", 0);
}

static struct fs_stream *
wait_lite(struct fakeparent *fp, struct fakeserver *fs, unsigned nth)
{
	return wait_body(fp, fs, "\"OmitPeers\":true", nth);
}

static unsigned
count_lites(struct fakeserver *fs)
{
	unsigned i, n = 0;

	for (i = 0; i < fs->nstreams; i++)
		n += fs->streams[i].ended && strstr(fs_body(&fs->streams[i]), "\"OmitPeers\":true") != NULL;
	return n;
}

/* STREAM messages until the wanted one. */
static struct ipc_stream *
wait_stream(struct fakeparent *fp, enum ipc_stream_what what)
{
	struct fp_msg *m;

	do {
		m = fp_wait(fp, IPC_STREAM);
		if (m->u.stream.what == IPC_STREAM_CLOSED && what != IPC_STREAM_CLOSED)
			fail_msg("closed: %.*s", (int)m->u.stream.err_len, m->u.stream.err);
	} while (m->u.stream.what != (uint32_t)what);
	return &m->u.stream;
}

static void
wait_closed(struct fakeparent *fp, int status, const char *part)
{
	struct ipc_stream *s = wait_stream(fp, IPC_STREAM_CLOSED);
	char err[IPC_ERR_MAX + 1];

	assert_true(IPC_OK(s, err));
	IPC_STR(s, err, err);
	if (strstr(err, part) == NULL || (part[0] == '\0' && err[0] != '\0'))
		fail_msg("\"%s\" is not in \"%s\"", part, err);
	assert_int_equal(s->http_status, status);
}

/* mapd with its poll answered 200 and the lite update too; nothing of the map sent yet. */
static struct fs_stream *
open_stream(struct fakeparent *fp, uint32_t watchdog_ms)
{
	struct fakeserver *fs;
	struct fs_stream *poll, *lite;

	fp_start_ready(fp, &mapd_role);
	fp_send_config(fp, watchdog_ms);
	send_params(fp, 1, 41641);
	send_start(fp, 50, 0x11, 0);
	fs = fp_server(fp, 0);
	lite = wait_lite(fp, fs, 0);
	poll = wait_poll(fp, fs);
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	fs_answer(fs, poll, "200", NULL, "", 0, 0);
	wait_stream(fp, IPC_STREAM_OPEN);
	return poll;
}

static struct fs_stream *
live_stream(struct fakeparent *fp, uint32_t watchdog_ms)
{
	struct fs_stream *poll = open_stream(fp, watchdog_ms);

	send_frame(fp->servers[0], poll, FULL_MAP);
	wait_stream(fp, IPC_STREAM_LIVE);
	return poll;
}

static struct fp_msg *
ask_counters(struct fakeparent *fp)
{
	struct fp_msg *m;

	fp_send_empty(fp, IPC_COUNTERS_REQ, 9);
	do
		m = fp_wait(fp, IPC_COUNTERS);
	while (m->id != 9);
	return m;
}

static void
wait_seq(struct fakeparent *fp, uint64_t seq)
{
	while (fp_wait(fp, IPC_DELTAS)->u.deltas.seq != seq)
		;
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
	/* What was there stays, marked stale. */
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
		fs_more(fp.servers[0], poll, "\x28", 1, 0); /* bytes without end are no message */
		fp_run_for(&fp, 20);
	}
	assert_true(fp.servers[0]->gone); /* the whole connection: it may be dead */
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

/* The server goes away while we sleep as it told us to: the message still counts, then the stream is over. */
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
send_plan(struct fakeserver *fs, struct fs_stream *poll, int i)
{
	char text[100];

	snprintf(text, sizeof(text), "{\"ControlDialPlan\":{\"Candidates\":[{\"IP\":\"192.0.2.%d\"}]}}", i);
	send_frame(fs, poll, text);
}

/* However often it changes: the first at once, the newest a second later (security.md D7: 2000 messages a second kill). */
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
	/* What is not told yet is told before the stream is over. */
	for (i = 101; i <= 103; i++)
		send_plan(fp.servers[0], poll, i);
	assert_null(fp_try(&fp, IPC_DIAL_PLAN, 100));
	fs_more(fp.servers[0], poll, "", 0, 1);
	wait_closed(&fp, 200, "unexpected EOF");
	assert_int_equal(fp_try(&fp, IPC_DIAL_PLAN, 0)->u.plan.e[0].ip.addr[3], 103);
	fp_stop(&fp);
}

/* ControlTime is told when it says something new about our clock, and once for each stream. */
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

/* mapd's clock, in another process: seconds that it is off. */
static int64_t *wall_off;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	long rv = syscall(SYS_clock_gettime, id, ts);

	if (rv == 0 && id == CLOCK_REALTIME && wall_off != NULL)
		ts->tv_sec += *wall_off;
	return (int)rv;
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
	q.verb = IPC_Q_NETMAP;
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
	wall_off = mmap(NULL, sizeof(*wall_off), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(wall_off, MAP_FAILED);
	*wall_off = -now.sec; /* no battery: it is 1970 */
	poll = open_stream(&fp, 120000);
	time_format((struct wtime){ now.sec + 3600, 0 }, soon);
	snprintf(text, sizeof(text),
	    NODE ",\"ControlTime\":\"%s\",\"Peers\":[{\"ID\":2,\"Key\":\"nodekey:" ONES64 "\",\"KeyExpiry\":\"%s\"}]}",
	    time_format(now, when), soon);
	send_frame(fp.servers[0], poll, text);
	wait_stream(&fp, IPC_STREAM_LIVE);
	assert_null(strstr(ask_netmap(&fp, map, sizeof(map)), "\"Expired\":true"));
	*wall_off = 0; /* NTP has come; the server says nothing about it */
	send_frame(fp.servers[0], poll, "{\"PeersChangedPatch\":[{\"NodeID\":2,\"Online\":true}]}");
	wait_seq(&fp, 2);
	assert_non_null(strstr(ask_netmap(&fp, map, sizeof(map)), "\"Online\":true"));
	assert_null(strstr(map, "\"Expired\":true"));
	*wall_off = 7200; /* and a clock that is past it */
	send_frame(fp.servers[0], poll, "{\"PeersChangedPatch\":[{\"NodeID\":2,\"Online\":false}]}");
	wait_seq(&fp, 3);
	assert_non_null(strstr(ask_netmap(&fp, map, sizeof(map)), "\"Expired\":true"));
	fp_stop(&fp);
	munmap(wall_off, sizeof(*wall_off));
	wall_off = NULL;
}

/* --- lite updates --- */

/* rows: LITE-01 */
static void
test_lite_on_change(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *poll = live_stream(&fp, 120000), *lite;
	struct ipc_map_params params;
	struct fp_msg *m;

	(void)state;
	fs = fp.servers[0];
	assert_int_equal(fp_wait(&fp, IPC_LITE)->u.lite.generation, 1);
	send_params(&fp, 2, 555);
	lite = wait_lite(&fp, fs, 1);
	assert_non_null(strstr(fs_body(lite), "192.0.2.7:555"));
	assert_null(strstr(fs_body(lite), "Stream"));
	assert_null(strstr(fs_body(lite), "ReadOnly"));
	fs_answer(fs, lite, "200", NULL, "junk that nobody reads", 22, 1);
	m = fp_wait(&fp, IPC_LITE);
	assert_int_equal(m->u.lite.ok, 1);
	assert_int_equal(m->u.lite.generation, 2);
	send_params(&fp, 3, 555); /* the same value again: confirmed, not sent */
	m = fp_wait(&fp, IPC_LITE);
	assert_int_equal(m->u.lite.ok, 1);
	assert_int_equal(m->u.lite.generation, 3);
	fill_params(&params, 4, 555);
	params.refresh = 1;
	fp_send(&fp, IPC_MAP_PARAMS, IPC_ID_NONE, &params, sizeof(params), -1);
	lite = wait_lite(&fp, fs, 2);
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	fp_send_hostinfo(&fp, "{\"OS\":\"linux\",\"Hostname\":\"new\",\"BackendLogID\":\"b1\"}");
	lite = wait_lite(&fp, fs, 3);
	assert_non_null(strstr(fs_body(lite), "\"Hostname\":\"new\""));
	assert_false(poll->closed);
	assert_int_equal(count_lites(fs), 4);
	fp_stop(&fp);
}

/* rows: LITE-03 */
static void
test_lite_burst(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *lite;
	uint32_t i;

	(void)state;
	live_stream(&fp, 120000);
	fs = fp.servers[0];
	for (i = 2; i <= 50; i++)
		send_params(&fp, i, (uint16_t)(1000 + i));
	lite = wait_lite(&fp, fs, 1);
	for (i = 51; i <= 60; i++) { /* while one is in flight */
		send_params(&fp, i, (uint16_t)(1000 + i));
		fp_run_for(&fp, 2);
	}
	assert_int_equal(count_lites(fs), 2);
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	lite = wait_lite(&fp, fs, 2);
	assert_non_null(strstr(fs_body(lite), "192.0.2.7:1060"));
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	while (fp_wait(&fp, IPC_LITE)->u.lite.generation != 60)
		;
	fp_run_for(&fp, 50);
	assert_int_equal(count_lites(fs), 3);
	fp_stop(&fp);
}

/* rows: LITE-06 */
static void
test_lite_failure(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *poll = live_stream(&fp, 120000), *lite;
	struct fp_msg *m;
	unsigned i;

	(void)state;
	fs = fp.servers[0];
	fp_wait(&fp, IPC_LITE);
	send_params(&fp, 2, 555);
	for (i = 1; i <= 3; i++) {
		lite = wait_lite(&fp, fs, i);
		if (i == 2)
			nghttp2_submit_rst_stream(fs->h2, NGHTTP2_FLAG_NONE, lite->id, NGHTTP2_INTERNAL_ERROR);
		else
			fs_answer(fs, lite, "500", NULL, "oops", 4, 1);
		fs_pump(fs);
		m = fp_wait(&fp, IPC_LITE);
		assert_int_equal(m->u.lite.ok, 0);
		assert_true(m->u.lite.err_len > 0);
	}
	lite = wait_lite(&fp, fs, 4);
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	m = fp_wait(&fp, IPC_LITE);
	assert_int_equal(m->u.lite.ok, 1);
	assert_int_equal(m->u.lite.generation, 2);
	assert_false(poll->closed);
	m = ask_counters(&fp);
	assert_int_equal(m->u.counters.lite_ok, 2);
	assert_int_equal(m->u.counters.lite_failed, 3);
	fp_stop(&fp);
}

/* A lite update that hangs is given up by its own watchdog; the stream lives on keep-alives. */
/* rows: LITE-06 */
static void
test_lite_hangs(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *poll = live_stream(&fp, 500), *lite;
	int i;

	(void)state;
	fs = fp.servers[0];
	fp_wait(&fp, IPC_LITE);
	send_params(&fp, 2, 555);
	lite = wait_lite(&fp, fs, 1);
	for (i = 0; i < 8; i++) {
		send_frame(fs, poll, KEEPALIVE);
		fp_run_for(&fp, 100);
	}
	assert_true(lite->closed);
	assert_int_equal(fp_wait(&fp, IPC_LITE)->u.lite.ok, 0);
	wait_lite(&fp, fs, 2);
	assert_false(poll->closed);
	fp_stop(&fp);
}

/* rows: LITE-04 */
static void
test_lite_before_login(void **state)
{
	struct fakeparent fp;

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	send_params(&fp, 1, 1);
	fp_send_hostinfo(&fp, FP_HOSTINFO);
	assert_null(fp_try(&fp, IPC_DIAL, 100));
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
	send_start(&fp, 50, 0x44, 0); /* a key made meanwhile: nothing was said with another on this connection */
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

/* Ten thousand changes: every one is told, in far fewer messages than a channel may carry. */
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
	/* The map goes on meanwhile. */
	send_frame(fs, poll, "{\"Domain\":\"after\"}");
	wait_seq(&fp, 2);
	fp_stop(&fp);
}

/* --- a parent that breaks the rules --- */

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
	q.verb = IPC_Q_HOSTS + 1;
	q.class = IPC_CLASS_R;
	violation(IPC_QUERY, &q, ipc_head_len(IPC_QUERY), sv[0]);
	close(sv[1]);
}

/* --- the cache --- */

static int
cache_fd(void)
{
	char path[] = "/tmp/tailnetd-unit.XXXXXX";
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	unlink(path);
	return fd;
}

static struct fp_msg *
cache_write(struct fakeparent *fp, uint32_t id, int fd, int key)
{
	struct ipc_cache_write w;

	memset(&w, 0, sizeof(w));
	memset(&w.node_key, key, sizeof(w.node_key));
	fp_send(fp, IPC_CACHE_WRITE, id, &w, sizeof(w), fd);
	return fp_wait(fp, IPC_CACHE_WRITTEN);
}

static void
cache_load(struct fakeparent *fp, uint32_t id, int fd, int key, uint64_t size)
{
	struct ipc_cache_load l;

	memset(&l, 0, sizeof(l));
	memset(&l.node_key, key, sizeof(l.node_key));
	memset(&l.machine_key, 0x33, sizeof(l.machine_key));
	l.seq_base = 70;
	l.size = size;
	lseek(fd, 0, SEEK_SET);
	fp_send(fp, IPC_CACHE_LOAD, id, &l, sizeof(l), fd);
}

/* A cache as a mapd that is live writes it. */
static int
make_cache(uint64_t *size)
{
	struct fakeparent fp;
	struct fp_msg *m;
	int fd = cache_fd();

	live_stream(&fp, 120000);
	m = cache_write(&fp, 900, dup(fd), 0x44); /* of another key */
	assert_int_equal(m->u.cache.result, IPC_CACHE_NOTHING);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	m = cache_write(&fp, 901, dup(fd), 0x11);
	assert_int_equal(m->id, 901);
	assert_int_equal(m->u.cache.result, IPC_CACHE_OK);
	assert_int_equal(m->u.cache.seq, 1);
	*size = m->u.cache.size;
	assert_int_equal(lseek(fd, 0, SEEK_END), *size);
	fp_stop(&fp);
	return fd;
}

static void
test_cache_is_shown_until_the_server_speaks(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll, *lite;
	struct fp_msg *m;
	uint64_t size;
	int fd = make_cache(&size), other = cache_fd();

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	send_params(&fp, 1, 41641);
	cache_load(&fp, 7, dup(fd), 0x11, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->id, 7);
	assert_int_equal(m->u.cache.result, IPC_CACHE_OK);
	assert_int_equal(m->u.cache.size, size);
	assert_in_range(time_wall().sec - m->u.cache.received, 0, 60);
	m = fp_wait(&fp, IPC_SELF);
	assert_int_equal(m->id, IPC_ID_NONE); /* of no map session: it moves nothing */
	m = fp_wait(&fp, IPC_DELTAS);
	assert_int_equal(m->u.deltas.source, IPC_SRC_CACHED);
	assert_int_equal(m->u.deltas.seq, 71);
	m = cache_write(&fp, 8, other, 0x11); /* what is cached is not written again */
	assert_int_equal(m->u.cache.result, IPC_CACHE_NOTHING);
	send_start(&fp, 50, 0x11, 0);
	lite = wait_lite(&fp, fp_server(&fp, 0), 0);
	poll = wait_poll(&fp, fp.servers[0]);
	fs_answer(fp.servers[0], lite, "200", NULL, "", 0, 1);
	fs_answer(fp.servers[0], poll, "200", NULL, "", 0, 0);
	wait_stream(&fp, IPC_STREAM_OPEN);
	assert_null(fp_try(&fp, IPC_SELF, 50));
	send_frame(fp.servers[0], poll, FULL_MAP);
	m = fp_wait(&fp, IPC_SELF); /* the same node: told again, now by the session */
	assert_int_equal(m->id, 50);
	while ((m = fp_wait(&fp, IPC_DELTAS))->u.deltas.source != IPC_SRC_LIVE)
		assert_int_equal(m->u.deltas.source, IPC_SRC_CACHED);
	cache_load(&fp, 9, dup(fd), 0x11, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_NOTHING);
	fp_send_empty(&fp, IPC_CACHE_FORGET, 0); /* concerns a cached one only */
	fp_send_empty(&fp, IPC_PING, 1);
	fp_wait(&fp, IPC_PONG);
	assert_null(fp_try(&fp, IPC_DELTAS, 20));
	close(fd);
	fp_stop(&fp);
}

static void
test_cache_is_forgotten(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m;
	uint64_t size;
	int fd = make_cache(&size);

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	cache_load(&fp, 7, dup(fd), 0x11, size);
	while ((m = fp_wait(&fp, IPC_DELTAS))->u.deltas.source != IPC_SRC_CACHED)
		;
	fp_send_empty(&fp, IPC_CACHE_FORGET, 0);
	m = fp_wait(&fp, IPC_DELTAS);
	assert_int_equal(m->u.deltas.source, IPC_SRC_NONE);
	assert_int_equal(m->u.deltas.peers, 0);
	fp_wait(&fp, IPC_CACHE_LOADED);
	cache_load(&fp, 8, fd, 0x11, size); /* answered exactly once, whatever comes first */
	fp_send_empty(&fp, IPC_CACHE_FORGET, 0);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->id, 8);
	assert_null(fp_try(&fp, IPC_CACHE_LOADED, 50));
	fp_stop(&fp);
}

static void
test_cache_that_is_none(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m;
	uint64_t size;
	int fd = make_cache(&size), null;

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	cache_load(&fp, 7, dup(fd), 0x44, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_FOREIGN);
	assert_true(IPC_OK(&m->u.cache, err) && m->u.cache.err_len > 0);
	cache_load(&fp, 8, dup(fd), 0x11, size + 1);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_BAD);
	null = open("/dev/null", O_RDONLY);
	cache_load(&fp, 9, null, 0x11, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_BAD);
	cache_load(&fp, 10, open("/", O_RDONLY), 0x11, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_FAILED);
	m = cache_write(&fp, 11, open("/dev/full", O_WRONLY), 0x11);
	assert_int_equal(m->u.cache.result, IPC_CACHE_NOTHING);
	assert_null(fp_try(&fp, IPC_DELTAS, 20));
	close(fd);
	fp_stop(&fp);
}

/* Two at a time, no id, a size above the limit: such a parent is not ours. */
static void
test_cache_rules(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct fakeparent fp;

		fp_start_ready(&fp, &mapd_role);
		if (i == 0)
			cache_load(&fp, 0, cache_fd(), 0x11, 1000);
		else if (i == 1)
			cache_load(&fp, 1, cache_fd(), 0x11, (uint64_t)IPC_CACHE_MAX + 1);
		else
			cache_load(&fp, 1, cache_fd(), 0, 1000);
		assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
		fp_free(&fp);
	}
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
		cmocka_unit_test(test_side_fields),
		cmocka_unit_test(test_plans_one_after_the_other),
		cmocka_unit_test(test_control_times),
		cmocka_unit_test(test_clock_is_set),
		cmocka_unit_test(test_lite_on_change),
		cmocka_unit_test(test_lite_burst),
		cmocka_unit_test(test_lite_failure),
		cmocka_unit_test(test_lite_hangs),
		cmocka_unit_test(test_lite_before_login),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_stop_and_drop),
		cmocka_unit_test(test_many_deltas),
		cmocka_unit_test(test_c2n),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_cache_is_shown_until_the_server_speaks),
		cmocka_unit_test(test_cache_is_forgotten),
		cmocka_unit_test(test_cache_that_is_none),
		cmocka_unit_test(test_cache_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
