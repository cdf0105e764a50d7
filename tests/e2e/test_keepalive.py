# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Keep-alives, the watchdog, lite updates (behaviours.md 15 and 16)."""
import asyncio
import json
import re
import signal
import struct
import time

import pytest
from controlserver import HOLD, Reply, dumps, zstd
from harness import AUTH_KEY, SLOW, CtlError, stays, until

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.rows("KA-01", "STAT-03")
def test_keepalives_keep_the_stream(server, make_daemon):
    server.keepalive_every = 0.4
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=2)
    d.wait_sync()
    server.log.wait("lite")
    m = server.map()
    time.sleep(0.5)
    w = d.watch()
    mark = w.mark()
    age = []

    def good():
        age.append(d.status()["lastMessageAgeSeconds"])
        return server.map() is m
    stays(good, 5)
    assert w.all(since=mark) == []
    assert d.status()["mapStreams"] == 1 and max(age) < 2 and d.status()["netmapSeq"] == d.netmap()["Seq"]


@pytest.mark.rows("KA-01", "DEL-04")
def test_any_message_resets_the_watchdog(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=2)
    d.wait_sync()
    m = server.map()
    for _ in range(6):
        m.send({})
        time.sleep(0.7)
    assert server.map() is m and d.status()["mapStreams"] == 1


@pytest.mark.rows("KA-02")
def test_silence_ends_the_stream(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=2)
    d.wait_sync()
    m = server.map()
    w = d.watch()
    n = server.map(after=m, timeout=15)
    assert 1.5 < n.req.t - m.req.t < 8
    s = w.status(lambda s: not s["synced"] and s["err"])
    assert s["errSource"] == "map" and s["loggedIn"]
    w.status(lambda s: s["synced"], since=w.mark() - 1)


@pytest.mark.rows("KA-02")
def test_silence_before_the_headers(server, make_daemon):
    """A request that is never answered is given up, too."""
    server.map_script = [HOLD]
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=2)
    a = server.log.wait("map")
    b = server.log.wait("map", n=2, timeout=15)
    assert 1.5 < b.t - a.t < 8
    d.wait_sync()


@pytest.mark.rows("KA-03")
def test_dribbling_does_not_count(server, make_daemon):
    """Bytes that do not become a message keep nothing alive."""
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=2)
    d.wait_sync()
    m = server.map()
    body = zstd(b'{"Domain":"' + b"slow" * 2000 + b'.example"}')
    m.send_raw(struct.pack("<I", len(body)))
    t = time.monotonic()
    i = 0
    while m.open and time.monotonic() - t < 15:
        m.send_raw(body[i:i + 1])
        i = min(i + 1, len(body) - 2)
        time.sleep(0.1)
    assert not m.open and time.monotonic() - t < 8
    server.map(after=m)
    d.wait_sync()
    assert d.netmap()["Domain"] == "example.test"


@pytest.mark.rows("KA-04")
def test_messages_at_the_deadline(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=1)
    d.wait_sync()
    for i in range(12):
        m = server.map()
        time.sleep(0.97 + i % 6 * 0.01)
        m.send({"Domain": "at%d." % i})
    m = server.map()
    server.keepalive_every = 0.3
    server.drop_all()
    server.map(after=m)
    d.wait_sync()
    stays(lambda: d.status()["state"], 1)


@pytest.mark.rows("KA-05")
def test_what_a_keepalive_may_carry(server, daemon):
    m = server.map()
    seq = daemon.netmap()["Seq"]
    w = daemon.watch()
    m.send({"KeepAlive": True, "PopBrowserURL": server.url + "/visit", "Domain": "ignored.example", "PeersRemoved": [1],
            "PingRequest": {"URL": server.url + "/ping/1"}})
    assert w.wait(lambda e: e["event"] == "browse")["url"] == server.url + "/visit"
    server.log.wait("http", method="HEAD", path="/ping/1")
    nm = daemon.netmap()
    assert nm["Domain"] == "example.test" and nm["Seq"] == seq


@pytest.mark.rows("KA-06", "DBG-01")
def test_no_watchdog_during_a_sleep(server, make_daemon):
    server.keepalive_every = 0.4
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=2)
    d.wait_sync()
    m = server.map()
    t = time.monotonic()
    m.send({"Debug": {"SleepSeconds": 5}, "Domain": "after.sleep"})
    time.sleep(1)
    assert d.netmap()["Domain"] == "example.test"
    d.wait_netmap(lambda n: n["Domain"] == "after.sleep")
    assert 4.8 < time.monotonic() - t < 12
    assert server.map() is m and d.status()["mapStreams"] == 1


@pytest.mark.rows("DBG-02")
@pytest.mark.parametrize("verb", ["pause", "logout", "shutdown", "reconnect"])
def test_a_sleep_is_cut_short(server, daemon, verb):
    m = server.map()
    m.send({"Debug": {"SleepSeconds": 200}, "Domain": "half.applied"})
    time.sleep(0.5)
    t = time.monotonic()
    daemon.ctl(verb)
    if verb == "shutdown":
        assert daemon.wait_exit(6) == 0
    else:
        server.log.wait("map-close", timeout=5)
        if verb == "reconnect":
            server.map(after=m)
            daemon.wait_sync()
            assert daemon.netmap()["Domain"] == "example.test"
    assert time.monotonic() - t < 6


@pytest.mark.rows("DBG-03", "DBG-05")
@pytest.mark.parametrize("value", ["-5", "0", "1e-9", "-1e300", "0.001"])
def test_odd_sleeps(server, daemon, value):
    m = server.map()
    m.send('{"Debug":{"SleepSeconds":%s,"DisableLogTail":true,"What":{"is":["this"]}},"Domain":"odd.example"}' % value)
    daemon.wait_netmap(lambda n: n["Domain"] == "odd.example", timeout=10)


@pytest.mark.rows("DBG-04")
@pytest.mark.parametrize("how", ["refuse", "honour"])
def test_exit_wish(server, make_daemon, how):
    d = make_daemon(server, auth_key=AUTH_KEY, server_exit=how)
    d.wait_sync()
    m = server.map()
    m.send({"Debug": {"Exit": 7}, "Domain": "exit.example"})
    if how == "honour":
        assert d.wait_exit() == 7
        until(lambda: not server.conns, 5)
    else:
        d.wait_netmap(lambda n: n["Domain"] == "exit.example")
        until(lambda: "refused (server-exit refuse)" in d.log(), 5 * SLOW)  # the netmap is mapd's, the log the parent's


def lites(server, since=0):
    return server.log.all("lite", since=since)


@pytest.mark.rows("LITE-02", "H2-04")
def test_large_changes_cost_no_connection(server, daemon):
    """Each part of a body is answered with WINDOW_UPDATEs, which are no flood."""
    server.map()
    for i in range(60):
        app = "%d" % i + "x" * 50000
        daemon.ctl("set hostinfo " + json.dumps({"App": app}))
        until(lambda app=app: lites(server) and lites(server)[-1].json["Hostinfo"].get("App") == app, 10 * SLOW)
    s = daemon.status()
    assert s["mapStreams"] == 1 and s["err"] == ""


@pytest.mark.rows("LITE-01", "LITE-02")
def test_changes_are_sent_beside_the_stream(server, daemon):
    server.log.wait("lite")
    m = server.map()
    for verb, look in (
            ('set hostinfo {"DeviceModel":"box"}', lambda j: j["Hostinfo"]["DeviceModel"] == "box"),
            ('set netinfo {"PreferredDERP":2,"WorkingUDP":true}',
             lambda j: j["Hostinfo"]["NetInfo"]["PreferredDERP"] == 2
             and j["Hostinfo"]["DeviceModel"] == "box"),
            ('set hostinfo {"DeviceModel":"box2"}', lambda j: j["Hostinfo"]["NetInfo"]["PreferredDERP"] == 2
             and j["Hostinfo"]["DeviceModel"] == "box2"),
            ("set endpoints 192.0.2.1:7/stun 192.0.2.2:8", lambda j: j["Endpoints"] == ["192.0.2.1:7", "192.0.2.2:8"]
             and j["EndpointTypes"][0] == 2 and len(j["EndpointTypes"]) == 2),
            ("set endpoints 127.0.0.1:7/local [::1]:8", lambda j: j["Endpoints"] == ["127.0.0.1:7", "[::1]:8"]
             and j["EndpointTypes"] == [1, 5]),
            ("set disco-key discokey:" + "ab" * 32, lambda j: j["DiscoKey"] == "discokey:" + "ab" * 32)):
        mark = server.log.mark()
        assert daemon.ctl(verb) == {"ok": True, "changed": True}
        e = server.log.wait("lite", since=mark)
        assert look(e.json), (verb, e.json)
        assert e.json["OmitPeers"] is True and not e.json.get("Stream") and not e.json.get("ReadOnly")
        assert daemon.ctl(verb) == {"ok": True, "changed": False}
    count = len(lites(server))
    time.sleep(0.5)
    assert len(lites(server)) == count, "the same values again send nothing"
    assert server.map() is m and daemon.status()["mapStreams"] == 1


@pytest.mark.rows("LITE-01")
def test_changed_is_what_the_server_hears(server, daemon):
    """A value that exists already, collected or configured, is no change, whatever its source; nor is removing it."""
    server.log.wait("lite")
    own, mark = daemon.status()["hostinfo"], server.log.mark()
    assert own["OS"] and own["Hostname"]
    for verb in ("set hostinfo " + json.dumps({"OS": own["OS"]}),
                 "set hostinfo " + json.dumps({"Hostname": own["Hostname"]}),
                 "set hostinfo {}", 'set hostinfo {"OS":null}', "set netinfo {}", "set endpoints",
                 "set endpoints auto"):
        assert daemon.ctl(verb) == {"ok": True, "changed": False}, verb
    assert daemon.status()["hostinfo"] == own and daemon.status()["endpoints"] == []
    time.sleep(0.5)
    assert not lites(server, mark)
    for verb in ('set hostinfo {"OS":"other"}', "set endpoints 192.0.2.1:7"):
        assert daemon.ctl(verb) == {"ok": True, "changed": True}, verb


@pytest.mark.rows("LITE-07")
@pytest.mark.parametrize("endpoint", ["[fe80::1]:7", "0.0.0.0:7", "[ff02::1]:7", "[::ffff:192.0.2.1]:7"])
def test_what_is_not_reported_is_not_taken(daemon, endpoint):
    """As in protocol.md F.3; the answer says so, rather than `changed` and then nothing."""
    with pytest.raises(CtlError) as e:
        daemon.ctl("set endpoints 192.0.2.1:7 " + endpoint)
    assert e.value.code == "invalid" and endpoint in str(e.value) and daemon.status()["endpoints"] == []


@pytest.mark.rows("LITE-07")
def test_our_own_health_does_not_restart_the_stream(server, daemon):
    """Nor is it reported: it concerns this host only."""
    server.log.wait("lite")
    m = server.map()
    server.register_script = [HOLD, HOLD]
    mark = server.log.mark()
    daemon.ctl("login interactive")
    server.log.wait("register", since=mark)
    mark = server.log.mark()
    daemon.kill("authd", signal.SIGUSR1)
    until(lambda: "child-crash" in daemon.troubles(), what="a change of health")
    stays(lambda: server.map() is m and not lites(server, mark), 1)
    assert daemon.status()["mapStreams"] == 1 and not server.log.all("map", since=mark)


@pytest.mark.rows("LITE-03")
def test_a_burst_of_changes(server, daemon):
    server.log.wait("lite")

    async def slowly(req):  # the burst must fall into requests that are out, on a machine of any speed
        await asyncio.sleep(0.1)
    server.on_lite = slowly
    mark = server.log.mark()
    for i in range(50):
        daemon.ctl('set hostinfo {"DeviceModel":"v%02d"}' % i)
    server.log.wait("lite", since=mark, json=lambda j: j["Hostinfo"]["DeviceModel"] == "v49")
    time.sleep(0.5)
    got = [e.json["Hostinfo"]["DeviceModel"] for e in lites(server, mark)]
    assert got == sorted(got) and got[-1] == "v49" and len(got) <= 25


@pytest.mark.rows("LITE-04")
def test_changes_before_login(server, make_daemon):
    d = make_daemon(server, login="manual")
    assert d.ctl('set hostinfo {"DeviceModel":"early"}')["ok"]
    assert d.ctl("set endpoints 192.0.2.3:9")["ok"]
    time.sleep(0.3)
    assert not server.log.all("accept")
    d.ctl("login auth-key=" + AUTH_KEY)
    d.wait_sync()
    j = server.log.wait("lite").json
    assert j["Hostinfo"]["DeviceModel"] == "early" and j["Endpoints"] == ["192.0.2.3:9"]
    assert server.log.all("register")[0].json["Hostinfo"]["DeviceModel"] == "early"


@pytest.mark.parametrize("endpoints", ["auto", "none", "192.0.2.1:9"])
def test_listen_port_0(server, make_daemon, endpoints):
    """One is chosen, once, and reported wherever a port is; a different one in the configuration replaces it."""
    d = make_daemon(server, auth_key=AUTH_KEY, listen_port=0, endpoints=endpoints)
    d.wait_sync()

    def port():
        return int(re.search(r"^ListenPort = (\d+)$", d.text("wgconf"), re.M).group(1))
    picked = port()
    assert 1024 <= picked <= 65535 and "listen-port %d\n" % picked in d.state_text()
    if endpoints == "auto":
        assert all(e.endswith(":%d" % picked) for e in d.status()["endpoints"])
    for configured in (0, 41700, 0):
        d.conf["listen-port"] = configured
        d.restart()
        d.wait_sync()
        assert port() == (configured or picked)
    d.ctl("logout")
    d.ctl("login auth-key=" + AUTH_KEY)
    d.wait_sync()
    assert port() == picked


@pytest.mark.rows("LITE-05")
def test_lite_after_every_connect(server, daemon):
    server.log.wait("lite")
    m = server.map()
    for how in (server.drop_all, m.end):
        mark = server.log.mark()
        how()
        m = server.map(after=m)
        e = server.log.wait("lite", since=mark)
        assert e.json["OmitPeers"] is True and e.json["Hostinfo"]["Hostname"]
    daemon.ctl("logout")
    mark = server.log.mark()
    daemon.ctl("login auth-key=" + AUTH_KEY)
    node = daemon.wait_sync()["nodeKey"]
    assert server.log.wait("lite", since=mark).json["NodeKey"] == node
    time.sleep(0.5)
    assert len(lites(server, mark)) == 1


@pytest.mark.rows("LITE-06")
@pytest.mark.parametrize("how", ["500", "reset", "cut"])
def test_lite_is_retried(server, make_daemon, how):
    tries = []

    def fail(req):
        tries.append(req.t)
        if len(tries) > 4:
            return None
        if how == "500":
            return Reply(500, b"later")
        if how == "reset":
            req.stream._reset(2)
            return HOLD
        return Reply(200, b"x" * 10, cut=3)
    server.on_lite = fail
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    m = server.map()
    if how != "cut":  # only the status counts
        until(lambda: len(tries) >= 5, 30, "five tries")
    assert server.map() is m and d.status()["mapStreams"] == 1
    d.wait(lambda s: s["err"] == "")


@pytest.mark.rows("LITE-06")
def test_body_of_a_lite_answer_does_not_matter(server, make_daemon):
    frame = zstd(dumps({"Domain": "from.lite", "Peers": []}))
    server.on_lite = lambda req: Reply(200, struct.pack("<I", len(frame)) + frame + b"trailing")
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    server.log.wait("lite")
    time.sleep(0.5)
    assert len(lites(server)) == 1 and d.netmap()["Domain"] == "example.test" and d.status()["err"] == ""
