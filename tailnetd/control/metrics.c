/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <inttypes.h>
#include <string.h>

#include "buf.h"
#include "build.h"
#include "control_ops.h"
#include "metrics.h"

/* OpenMetrics text (interface.md 9).  Counters lose their _total in the family's name, as the format wants it. */

static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# TYPE tailnetd_%s %s\n# HELP tailnetd_%s %s\n", name, type, name, help);
}

static void
gauge(struct buf *b, const char *name, const char *help, double v)
{
	family(b, name, "gauge", help);
	buf_printf(b, "tailnetd_%s %.15g\n", name, v);
}

static void
labelled(struct buf *b, const char *name, const char *label, const char *value, uint64_t v)
{
	buf_printf(b, "tailnetd_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, v);
}

static void
put_state(const struct control_ops *o, struct buf *b)
{
	int i, now = (int)login_state(o->login);

	family(b, "state", "gauge", "1 for the present state");
	for (i = 0; i < LS_COUNT; i++)
		labelled(b, "state", "state", login_state_name((enum login_state)i) + strlen("state:"), i == now);
	gauge(b, "logged_in", "1 when logged in", login_logged_in(o->login));
	gauge(b, "synced", "1 when the map stream is open and has delivered a netmap", o->login->synced);
	gauge(b, "paused", "1 when paused", o->login->paused);
	if (!time_is_none(o->login->profile.node_key_expiry))
		gauge(b, "key_expiry_timestamp_seconds", "when the node key expires",
		    (double)o->login->profile.node_key_expiry.sec);
}

static void
put_netmap(const struct control_ops *o, struct buf *b)
{
	uint64_t now = time_mono_ms(), last = o->counters->mapd.last_message_mono_ms;

	if (o->netmap->source != IPC_SRC_NONE && o->netmap->received_ms != 0)
		gauge(b, "netmap_age_seconds", "since the netmap last changed",
		    (double)(now - o->netmap->received_ms + o->netmap->cached_age_ms) / 1000);
	if (last != 0 && last <= now)
		gauge(b, "last_message_age_seconds", "since the last message of a map stream",
		    (double)(now - last) / 1000);
	gauge(b, "netmap_peers", "peers in the netmap", o->netmap->peers);
	gauge(b, "netmap_peers_online", "peers that the server calls online", o->netmap->online);
}

static void
put_counters(const struct control_ops *o, struct buf *b)
{
	const struct counters *n = o->counters;
	const struct ipc_counters *now = &n->mapd, *before = &n->before;
	struct control_process children[CONTROL_PROCESSES];

	family(b, "map_streams", "counter", "map streams opened");
	buf_printf(b, "tailnetd_map_streams_total %" PRIu64 "\n", o->login->map_streams);
	family(b, "map_messages", "counter", "messages of map streams");
	labelled(b, "map_messages_total", "kind", "full", before->msgs_full + now->msgs_full);
	labelled(b, "map_messages_total", "kind", "delta", before->msgs_delta + now->msgs_delta);
	labelled(b, "map_messages_total", "kind", "keepalive", before->msgs_keepalive + now->msgs_keepalive);
	family(b, "map_bytes", "counter", "bytes of map streams");
	labelled(b, "map_bytes_total", "layer", "wire", before->bytes_wire + now->bytes_wire);
	labelled(b, "map_bytes_total", "layer", "decoded", before->bytes_decoded + now->bytes_decoded);
	family(b, "register_requests", "counter", "answers to register requests");
	labelled(b, "register_requests_total", "result", "ok", n->registers_ok);
	labelled(b, "register_requests_total", "result", "failed", n->registers_failed);
	family(b, "lite_updates", "counter", "lite updates");
	labelled(b, "lite_updates_total", "result", "ok", before->lite_ok + now->lite_ok);
	labelled(b, "lite_updates_total", "result", "failed", before->lite_failed + now->lite_failed);
	family(b, "dials", "counter", "connection attempts");
	labelled(b, "dials_total", "result", "ok", n->dials_ok);
	labelled(b, "dials_total", "result", "failed", n->dials_failed);
	o->processes(o->arg, children);
	family(b, "child_restarts", "counter", "children that ended without being told to");
	labelled(b, "child_restarts_total", "name", "authd", children[CONTROL_AUTHD].restarts);
	labelled(b, "child_restarts_total", "name", "mapd", children[CONTROL_MAPD].restarts);
}

int
metrics_text(const struct control_ops *o, struct buf *b)
{
	int i;

	put_state(o, b);
	put_netmap(o, b);
	put_counters(o, b);
	family(b, "health", "gauge", "1 for each thing that is wrong");
	for (i = 0; i < HEALTH_COUNT; i++)
		labelled(b, "health", "code", health_name((enum health_code)i), (uint64_t)o->health->h[i].on);
	family(b, "build_info", "gauge", "version of this daemon");
	labelled(b, "build_info", "version", TAILNETD_VERSION, 1);
	buf_puts(b, "# EOF\n");
	return b->failed ? -1 : 0;
}
