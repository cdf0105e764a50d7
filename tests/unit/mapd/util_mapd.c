/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <zstd.h>

#include "mapd.h"
#include "timefmt.h"
#include "util_fakeparent.h"
#include "util_mapd.h"

void
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

void
send_frame(struct fakeserver *fs, struct fs_stream *st, const char *json)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	put_frame(&b, json);
	fs_more(fs, st, buf_ptr(&b), buf_len(&b), 0);
	buf_free(&b);
}

void
fill_params(struct ipc_map_params *p, uint32_t generation, uint16_t port)
{
	memset(p, 0, sizeof(*p));
	p->generation = generation;
	memset(p->disco_key.b, 0x22, KEY_LEN);
	p->n = 1;
	p->ep[0] = (struct ipc_endpoint){ .addr = { 192, 0, 2, 7 }, .port = port, .family = 4, .type = IPC_EP_LOCAL };
}

void
send_params(struct fakeparent *fp, uint32_t generation, uint16_t port)
{
	struct ipc_map_params p;

	fill_params(&p, generation, port);
	fp_send(fp, IPC_MAP_PARAMS, IPC_ID_NONE, &p, sizeof(p), -1);
}

void
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

struct fs_stream *
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

struct fs_stream *
wait_poll(struct fakeparent *fp, struct fakeserver *fs)
{
	return wait_body(fp, fs, "\"Stream\":true", 0);
}

struct fs_stream *
wait_lite(struct fakeparent *fp, struct fakeserver *fs, unsigned nth)
{
	return wait_body(fp, fs, "\"OmitPeers\":true", nth);
}

struct ipc_stream *
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

void
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

struct fs_stream *
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

struct fs_stream *
live_stream(struct fakeparent *fp, uint32_t watchdog_ms)
{
	struct fs_stream *poll = open_stream(fp, watchdog_ms);

	send_frame(fp->servers[0], poll, FULL_MAP);
	wait_stream(fp, IPC_STREAM_LIVE);
	return poll;
}

struct fp_msg *
ask_counters(struct fakeparent *fp)
{
	struct fp_msg *m;

	fp_send_empty(fp, IPC_COUNTERS_REQ, 9);
	do
		m = fp_wait(fp, IPC_COUNTERS);
	while (m->id != 9);
	return m;
}

void
wait_seq(struct fakeparent *fp, uint64_t seq)
{
	while (fp_wait(fp, IPC_DELTAS)->u.deltas.seq != seq)
		;
}
