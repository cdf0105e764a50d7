# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""metrics (interface.md 9), read by the parser of Prometheus' own client library."""
import os
import re
import signal
import socket
import threading

import pytest
from controlserver import Reply
from harness import AUTH_KEY, until
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.usefixtures("programs")
TYPES = {"up": "gauge", "state": "gauge", "logged_in": "gauge", "synced": "gauge", "paused": "gauge",
         "key_expiry_timestamp_seconds": "gauge",
         "netmap_age_seconds": "gauge", "last_message_age_seconds": "gauge", "netmap_peers": "gauge",
         "netmap_peers_online": "gauge", "map_streams": "counter", "map_messages": "counter", "map_bytes": "counter",
         "register_requests": "counter", "lite_updates": "counter", "dials": "counter", "child_restarts": "counter",
         "health": "gauge", "build_info": "gauge"}


class Metrics:
    def __init__(self, d):
        text = d.text("metrics")
        self.values = {}
        families = list(text_string_to_metric_families(text))  # refuses whatever the format does not allow
        for f in families:
            name = f.name[len("tailnetd_"):]
            assert f.name.startswith("tailnetd_") and f.type == TYPES[name] and f.documentation, f
            for s in f.samples:
                key = (s.name[len("tailnetd_"):],) + tuple(s.labels.values())
                assert key not in self.values, key
                self.values[key] = s.value
        self.names = {f.name[len("tailnetd_"):] for f in families}

    def __getitem__(self, key):
        return self.values[key if isinstance(key, tuple) else (key,)]

    def counters(self):
        return {k: v for k, v in self.values.items() if k[0].endswith("_total")}


def grew(before, after):
    """No counter ever falls; those that rose."""
    a, b = before.counters(), after.counters()
    assert set(a) == set(b) and all(b[k] >= a[k] for k in a), (a, b)
    return {k: b[k] - a[k] for k in a if b[k] > a[k]}


def states(m):
    return {k[1]: v for k, v in m.values.items() if k[0] == "state"}


def test_before_login(server, make_daemon):
    m = Metrics(make_daemon(server, login="manual"))
    assert m.names == set(TYPES) - {"key_expiry_timestamp_seconds", "netmap_age_seconds", "last_message_age_seconds"}
    assert set(states(m).values()) == {0, 1}
    assert states(m)["new"] == 1 and sum(states(m).values()) == 1 and len(states(m)) == 6
    assert m["logged_in"] == m["synced"] == m["paused"] == m["netmap_peers"] == 0 and not any(m.counters().values())
    assert m["build_info", "0.1.0"] == 1


def test_the_same_as_status(server, daemon):
    mp = server.map()
    mp.send({"PeersChanged": [{"ID": i, "Name": "p%d.x." % i, "Key": "nodekey:%064x" % i, "User": 10,
                               "Online": i % 2 == 0,
                               "Addresses": ["100.99.0.%d/32" % i]} for i in range(20, 25)]})
    mp.keepalive()
    until(lambda: daemon.status()["peers"] == 5, 10)
    until(lambda: Metrics(daemon)["map_messages_total", "keepalive"] == 1, 5)
    s, m = daemon.status(), Metrics(daemon)
    assert states(m) == {k: float("state:" + k == s["state"]) for k in states(m)}
    assert (m["logged_in"], m["synced"], m["paused"]) == (s["loggedIn"], s["synced"], s["paused"])
    assert (m["netmap_peers"], m["netmap_peers_online"]) == (5, 3)
    assert -0.051 <= m["netmap_age_seconds"] - s["netmapAgeSeconds"] < 2
    assert -0.051 <= m["last_message_age_seconds"] - s["lastMessageAgeSeconds"] < 2  # the status has a rounded tenth
    assert m["map_streams_total"] == s["mapStreams"] == 1
    assert (m["map_messages_total", "full"], m["map_messages_total", "delta"]) == (1, 1)
    sent = sum(e.size for e in server.log.all("map-send"))
    assert m["map_bytes_total", "decoded"] >= sent > 0 and 0 < m["map_bytes_total", "wire"]
    assert (m["register_requests_total", "ok"], m["register_requests_total", "failed"]) == (1, 0)
    assert m["lite_updates_total", "ok"] == len(server.log.all("lite")) and m["dials_total", "ok"] >= 2
    assert {k[1] for k in m.values if k[0] == "health" and m.values[k] == 1} == {h["code"] for h in s["health"]}


def test_expiry(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    node = server.node()
    server.map().send({"Node": dict(node.json("example.test"), KeyExpiry="2031-02-03T04:05:06Z")})
    d.wait(lambda s: s["expiry"] == "2031-02-03T04:05:06Z")
    assert Metrics(d)["key_expiry_timestamp_seconds"] == 1927857906


def test_counters_only_grow(server, daemon):
    """Through a reconnect, the deaths of both children, a pause, a logout and failures of each kind."""
    old = Metrics(daemon)
    mp = server.map()
    mp.end()
    mp = server.map(after=mp)
    daemon.wait_sync()
    new = Metrics(daemon)
    assert grew(old, new)["map_streams_total",] == 1
    old = new
    os.kill(daemon.child("mapd"), signal.SIGKILL)
    mp = server.map(after=mp)
    daemon.wait_sync()
    until(lambda: Metrics(daemon)["map_messages_total", "full"] > old["map_messages_total", "full"], 5)
    new = Metrics(daemon)
    rose = grew(old, new)
    assert rose["child_restarts_total", "mapd"] == 1 and rose["map_bytes_total", "decoded"] > 0
    old = new
    server.on_lite = lambda req: Reply(500, b"no")
    daemon.ctl('set hostinfo {"DeviceModel":"x"}')
    until(lambda: Metrics(daemon)["lite_updates_total", "failed"] > 0, 10)
    server.on_lite = None
    daemon.ctl("pause")
    assert Metrics(daemon)["paused"] == 1
    daemon.ctl("unpause")
    daemon.wait_sync()
    daemon.ctl("logout")
    m = Metrics(daemon)
    assert m["logged_in"] == m["synced"] == m["netmap_peers"] == 0
    server.register_script = [Reply(500, b"no")]
    daemon.ctl("login auth-key=" + AUTH_KEY)
    daemon.wait_sync()
    rose = grew(old, Metrics(daemon))
    assert rose["register_requests_total", "failed"] == 1 and rose["register_requests_total", "ok"] >= 2


def test_written_in_one_step(daemon, tmp_path):
    out = tmp_path / "tailnetd.prom"
    r = daemon.tailnetctl("metrics", "-o", str(out))
    assert r.returncode == 0 and os.listdir(tmp_path) == ["tailnetd.prom"]
    assert list(text_string_to_metric_families(out.read_text()))


def test_types_are_those_of_the_samples(daemon):
    """As node_exporter looks them up: by the name of the sample, _total and all. A counter is none elsewhere."""
    text = daemon.text("metrics")
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    names = re.findall(r"^(tailnetd_[a-z_]+)", text, re.M)
    assert set(names) == set(types) and "# EOF" in text
    assert {n for n, t in types.items() if t == "counter"} == {n for n in names if n.endswith("_total")} != set()
    assert set(types.values()) == {"gauge", "counter"}


@pytest.mark.parametrize("how", ["stopped", "hangs", "cut off"])
def test_the_file_of_a_daemon_that_is_gone(daemon, tmp_path, how):
    """No value remains of the time when it answered (A9 of the faults)."""
    out = tmp_path / "tailnetd.prom"
    assert daemon.tailnetctl("metrics", "-o", str(out)).returncode == 0
    assert "tailnetd_up 1\n" in out.read_text() and "tailnetd_synced 1\n" in out.read_text()
    at, args = daemon.socket, ("-t", "1", "metrics", "-o", str(out))
    if how == "stopped":
        assert daemon.stop() == 0
    elif how == "hangs":
        os.kill(daemon.pid, signal.SIGSTOP)
    else:
        daemon.socket = str(tmp_path / "s")
        answers(daemon.socket, b"# HELP tailnetd_up x\ntailnetd_up 1\n")
    try:
        r = daemon.tailnetctl(*args)
    finally:
        daemon.socket = at
        if how == "hangs":
            os.kill(daemon.pid, signal.SIGCONT)
    assert r.returncode == {"stopped": 3, "hangs": 8, "cut off": 1}[how], r
    families = list(text_string_to_metric_families(out.read_text()))
    assert [(f.name, f.type, [s.value for s in f.samples]) for f in families] == [("tailnetd_up", "gauge", [0])]
    assert {"tailnetd.prom"} == set(os.listdir(tmp_path)) - {"s"}


def test_an_error_of_the_daemon_is_no_silence(daemon, tmp_path):
    out, at = tmp_path / "tailnetd.prom", daemon.socket
    out.write_text("tailnetd_up 1\n")
    daemon.socket = str(tmp_path / "s")
    answers(daemon.socket, b'{"error":{"code":"busy","message":"too many clients"}}\n')
    r = daemon.tailnetctl("metrics", "-o", str(out))
    daemon.socket = at
    assert r.returncode == 1 and "busy" in r.stderr and out.read_text() == "tailnetd_up 1\n"


def answers(path, text):
    """A socket that gives that answer to one client."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def serve():
        with listener, listener.accept()[0] as c:
            c.recv(4096)
            c.sendall(text)
    threading.Thread(target=serve, daemon=True).start()
