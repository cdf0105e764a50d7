/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef METRICS_H
#define METRICS_H

/*
 * Every metric of the daemon (interface.md 9), in the order of the text, and the counters behind them.
 * A new metric is a row here, for a counter a row of its own below, and the line that counts.
 *
 *	G(name, when, help, samples)	a gauge tailnetd_NAME; no part of it is written unless `when`
 *	N(name, help, samples)		a counter tailnetd_NAME_total
 *
 *	when, samples	read by tailnetd/control/metricstext.c: ONE(value), L(label, its value, value), EACH_STATE,
 *			EACH_HEALTH; s is its struct sources; MAPD(counter) and PARENT(counter) are values
 */
#define METRICS(G, N) \
	G(up, 1, "1 when tailnetd answers", ONE(1)) \
	G(state, 1, "1 for the present state", EACH_STATE) \
	G(logged_in, 1, "1 when logged in", ONE(login_logged_in(s.login))) \
	G(synced, 1, "1 when the map stream is open and has delivered a netmap", ONE(s.login->synced)) \
	G(paused, 1, "1 when paused", ONE(s.login->paused)) \
	G(key_expiry_timestamp_seconds, !time_is_none(s.login->profile.node_key_expiry), "when the node key expires", \
	    ONE(s.login->profile.node_key_expiry.sec)) \
	G(netmap_age_seconds, s.netmap->source != IPC_SRC_NONE && s.netmap->received_ms != 0, \
	    "since the netmap last changed", ONE(SECONDS(s.now - s.netmap->received_ms + s.netmap->cached_age_ms))) \
	G(last_message_age_seconds, \
	    s.counters->mapd.last_message_mono_ms != 0 && s.counters->mapd.last_message_mono_ms <= s.now, \
	    "since the last message of a map stream", ONE(SECONDS(s.now - s.counters->mapd.last_message_mono_ms))) \
	G(netmap_peers, 1, "peers in the netmap", ONE(s.netmap->peers)) \
	G(netmap_peers_online, 1, "peers that the server reports as online", ONE(s.netmap->online)) \
	N(map_streams, "map streams opened", ONE(s.login->map_streams)) \
	N(map_messages, "messages of map streams", L("kind", "full", MAPD(msgs_full)) \
	    L("kind", "delta", MAPD(msgs_delta)) L("kind", "keepalive", MAPD(msgs_keepalive))) \
	N(map_bytes, "bytes of map streams", L("layer", "wire", MAPD(bytes_wire)) \
	    L("layer", "decoded", MAPD(bytes_decoded))) \
	N(register_requests, "answers to register requests", L("result", "ok", PARENT(registers_ok)) \
	    L("result", "failed", PARENT(registers_failed))) \
	N(lite_updates, "lite updates", L("result", "ok", MAPD(lite_ok)) L("result", "failed", MAPD(lite_failed))) \
	N(dials, "connection attempts", L("result", "ok", PARENT(dials_ok)) \
	    L("result", "failed", PARENT(dials_failed))) \
	N(child_restarts, "unexpected ends of child processes", L("name", "authd", s.child[CONTROL_AUTHD].restarts) \
	    L("name", "mapd", s.child[CONTROL_MAPD].restarts)) \
	G(health, 1, "1 for each problem that exists", EACH_HEALTH) \
	G(build_info, 1, "version of this daemon", L("version", TAILNETD_VERSION, 1))

/*
 * C(member): what mapd counts, a member of struct ipc_counters (report_counters() in mapd), of which the parent keeps
 * the sum over all that ran; and what the parent counts, a member of struct counters.
 */
#define COUNTERS_MAPD(C) \
	C(msgs_full) \
	C(msgs_delta) \
	C(msgs_keepalive) \
	C(bytes_wire) \
	C(bytes_decoded) \
	C(lite_ok) \
	C(lite_failed)
#define COUNTERS_PARENT(C) \
	C(registers_ok) \
	C(registers_failed) \
	C(dials_ok) \
	C(dials_failed)

#endif
