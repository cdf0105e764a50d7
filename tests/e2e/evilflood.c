/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "evil.h"

/*
 * A compromised mapd that violates no rule: it sends what the form allows, at the highest allowed rate (the scenario
 * EVIL of evil_list.h).
 */
#define BATCH    9 /* messages each 5 ms: 1800 a second, of the 2000 that are a violation */
#define BATCH_NS 5000000

static struct ipc_map_start map;
static uint32_t map_id;
static unsigned n; /* messages so far */

static void
self(int64_t expiry, int expired)
{
	struct ipc_self s;

	memset(&s, 0, sizeof(s));
	s.id = 1;
	s.key = map.node_key;
	s.machine_authorized = 1;
	s.key_expiry = expiry;
	s.expired = (uint32_t)expired;
	s.name_len = (uint16_t)snprintf(s.name, sizeof(s.name), "name-%u", n);
	send_msg(IPC_SELF, map_id, &s, sizeof(s));
}

static void
deltas(unsigned records)
{
	static struct ipc_deltas d;
	struct ipc_delta_rec rec;
	unsigned i;

	memset(&rec, 0, sizeof(rec));
	if (d.seq == 0)
		d.seq = map.seq_base;
	d.source = IPC_SRC_LIVE;
	for (i = 0; i < records; i++) {
		rec.seq = ++d.seq;
		rec.fields = IPC_F_DNSConfig;
		memcpy(d.data + i * sizeof(rec), &rec, sizeof(rec));
	}
	d.data_len = (uint16_t)(records * sizeof(rec));
	send_msg(IPC_DELTAS, map_id, &d, offsetof(struct ipc_deltas, data) + d.data_len);
}

static void
one(void)
{
	struct ipc_control_time t = { n % 2 ? INT64_C(253402300000) : INT64_C(1800000000) };
	struct ipc_dial dial = { .kind = 1 };
	struct ipc_empty e = { 0 };
	struct ipc_browse url;
	struct ipc_lite lite;

	memset(&url, 0, sizeof(url));
	memset(&lite, 0, sizeof(lite));
	switch ((enum evilflood_scenario)EVIL) {
	case EVILFLOOD_EXPIRY: /* the node key's expiry moves: once, the state was saved for each */
		self(INT64_C(4000000000) + n, 0);
		break;
	case EVILFLOOD_EXPIRED: /* expired, and good again: once, a login began and ended for each */
		self(INT64_C(4000000000), n % 2);
		break;
	case EVILFLOOD_CLOCK: /* the same by the server's clock */
		send_msg(IPC_CONTROL_TIME, map_id, &t, sizeof(t));
		break;
	case EVILFLOOD_CHANGES: /* as many changes as a message holds */
		deltas((IPC_MAX_MSG - 128) / sizeof(struct ipc_delta_rec));
		break;
	case EVILFLOOD_ERRORS: /* an error of its own each time, which no watcher may miss */
		lite.err_len = (uint16_t)snprintf(lite.err, sizeof(lite.err), "error %u", n);
		send_msg(IPC_LITE, map_id, &lite, sizeof(lite));
		break;
	case EVILFLOOD_URLS:
		url.url_len = (uint16_t)snprintf(url.url, sizeof(url.url), "https://c.example/%u", n);
		send_msg(IPC_BROWSE, map_id, &url, sizeof(url));
		break;
	case EVILFLOOD_DIALS: /* connections that are not needed: a look-up each, if allowed */
		send_msg(n % 2 ? IPC_DIAL_CANCEL : IPC_DIAL, 1 + n / 2, n % 2 ? (void *)&e : (void *)&dial,
		    n % 2 ? sizeof(e) : sizeof(dial));
		break;
	case EVILFLOOD_HANDSHAKES:
		send_msg(IPC_HS_BEGIN, 1 + n, &(struct ipc_hs_begin){ 0 }, sizeof(struct ipc_hs_begin));
		break;
	case EVILFLOOD_STREAMS: evil_stream(map_id, n % 2 ? IPC_STREAM_OPEN : IPC_STREAM_LIVE); break;
	}
	n++;
}

static void
flood(void)
{
	static char junk[65536];
	struct timespec pause = { 0, BATCH_NS };
	unsigned i;

	evil_stream(map_id, IPC_STREAM_CONNECTED);
	evil_stream(map_id, IPC_STREAM_OPEN);
	deltas(1);
	self(INT64_C(4000000000), 0);
	evil_stream(map_id, IPC_STREAM_LIVE);
	for (;;) {
		for (i = 0; i < BATCH; i++)
			one();
		nanosleep(&pause, NULL);
		while (recv(3, junk, sizeof(junk), MSG_DONTWAIT) > 0)
			;
	}
}

int
main(void)
{
	union evil_msg u;
	struct hdr h;

	while (next_msg(&h, &u)) {
		if (h.type == IPC_MAP_START && !u.map.prepare_only) {
			map = u.map;
			map_id = h.id;
			flood();
		}
	}
	return 0;
}
