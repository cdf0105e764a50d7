# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""What is reported about the state, and backoff (behaviours.md 17 and 18)."""
import json
import re
import socket
import time

import pytest
from controlserver import HOLD, Reply, make_peer
from harness import AUTH_KEY, SLOW, SYNC, CtlError, cpu, until

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.rows("STAT-01")
def test_order_of_states(server, make_daemon):
    d = make_daemon(server, login="manual")
    w = d.watch()
    d.ctl("login auth-key=" + AUTH_KEY)
    w.status(lambda s: s["synced"])
    assert w.states() == ["state:new", "state:authenticating", "state:authenticated", "state:synchronized"]
    # Streams that come and go are no new logins.
    for _ in range(2):
        m = server.map()
        m.end()
        server.map(after=m)
        d.wait_sync()
    assert [e["loginFinished"] for e in w.all("status")].count(True) == 1
    d.ctl("logout")
    d.ctl("login auth-key=" + AUTH_KEY)
    d.wait_sync()
    d.ctl("pause")
    w.status(lambda s: s["paused"], what="the watcher has read all that came before")
    assert [e["loginFinished"] for e in w.all("status")].count(True) == 2


@pytest.mark.rows("STAT-01", "INT-01", "INT-02")
def test_order_of_states_with_a_url(server, make_daemon):
    d = make_daemon(server, login="manual")
    w = d.watch()
    keys = d.state_text().count("privkey:")
    d.ctl("login")
    s = w.status(lambda s: s["state"] == "state:url-visit-required")
    assert s["url"].startswith("https://login.example.test/a/") and not s["loggedIn"] and s["authCantContinue"]
    e = w.wait(lambda e: e["event"] == "browse")
    assert e["url"] == s["url"]
    server.log.wait("register", n=2)
    assert d.state_text().count("privkey:") == keys, "the candidate is not the node key yet"
    assert d.status()["nodeKey"] == ""
    server.complete(s["url"])
    s = w.status(lambda s: s["synced"])
    assert s["url"] == ""
    assert w.states() == ["state:new", "state:authenticating", "state:url-visit-required", "state:authenticated",
                          "state:synchronized"]
    assert [e["loginFinished"] for e in w.all("status")].count(True) == 1
    assert len(w.all("browse")) == 1


def log_lines(d):
    """(level, text) of each line except those that a child logs about the kernel when it starts."""
    return [x.split(": ", 2)[1:] for x in d.log().splitlines() if "sandbox: not in force" not in x]


@pytest.mark.rows("STAT-03")
def test_the_log(server, make_daemon):
    """One line for each change and each trouble, none while nothing happens (interface.md 9)."""
    d = make_daemon(server, auth_key=AUTH_KEY, log_level="info")
    d.wait_sync()
    lines = log_lines(d)
    assert ["info", "state:new -> state:authenticating"] in lines
    assert lines[-2:] == [["info", "state:authenticating -> state:authenticated"],
                          ["info", "state:authenticated -> state:synchronized"]]
    m, n = server.map(), len(lines)
    for i in range(20):
        m.send({"KeepAlive": True} if i % 2 else {"PeersChanged": [make_peer(5 + i)]})
    until(lambda: d.status()["peers"] == 10)
    assert len(log_lines(d)) == n
    server.on_map = lambda req: Reply(500, b"out of order")
    m.end()
    d.wait_err("out of order")
    time.sleep(1)
    server.on_map = None
    d.wait_sync()
    d.ctl("pause")
    d.wait(lambda s: s["paused"])
    new = log_lines(d)[n:]
    assert ["info", "state:synchronized -> state:authenticated"] in new
    assert ["info", "state:authenticated -> state:authenticated, paused"] == new[-1] or new[-1][1].endswith(", paused")
    assert 1 <= len([x for x in new if x[0] == "warn"]) <= 2, "the same trouble once"


@pytest.mark.rows("STAT-03")
def test_the_log_after_a_burst(server, make_daemon):
    """At most one line a second, but the last line about the state is the state, and the last problem is logged."""
    d = make_daemon(server, auth_key=AUTH_KEY, log_level="info")
    d.wait_sync()
    for _ in range(15):
        d.ctl("pause")
        d.ctl("unpause")
    d.wait_sync()
    until(lambda: "-> state:synchronized" in d.log(1), what="the last state is in the log")
    assert "state:authenticated -> state:authenticated, unpaused" in d.log()
    server.on_register = lambda req: {"Error": "first trouble"}
    d.ctl("login")
    d.wait_err("first trouble")
    server.on_register = lambda req: {"Error": "second trouble"} if not server.log.all("answer", since=mark) else HOLD
    mark = server.log.mark()
    d.wait_err("second trouble")
    until(lambda: "second trouble" in d.log(), what="the last trouble is in the log")
    d.stop()
    assert d.log(1).endswith("info: shutdown by SIGTERM")


@pytest.mark.rows("STAT-02")
def test_lost_stream(server, daemon):
    w = daemon.watch()
    m = server.map()
    server.auto_full = False
    server.drop_all()
    s = w.status(lambda s: not s["synced"])
    assert s["state"] == "state:authenticated" and s["loggedIn"] and s["netmapSource"] == "stale"
    n = server.map(after=m)
    mark = w.mark()
    n.send(server.tailnet.full_bytes(server.node()))
    w.status(lambda s: s["synced"] and s["state"] == "state:synchronized", since=mark)
    assert w.states() == ["state:synchronized", "state:authenticated", "state:synchronized"]


@pytest.mark.rows("STAT-02", "STAT-04")
def test_watch_netmap_before_there_is_any(server, make_daemon):
    """It is a stream from the first status on, like the plain one (interface.md 3 and 6), and continues when mapd takes
    it over."""
    d = make_daemon(server)
    plain, full = d.watch(), d.watch(netmap=True)
    with d.connect() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.sendall(b"watch netmap\n")
        for i in range(12):  # it is full before there is a mapd
            d.ctl("set hostinfo " + json.dumps({"App": "%d" % i + "x" * 50000}))
            plain.status(lambda st: st["hostinfo"].get("App", "").startswith("%dx" % i))
        d.ctl("login auth-key=" + AUTH_KEY)
        d.wait_sync()
        server.map().send({"PeersChanged": [make_peer(5)]})
        for w in plain, full:
            w.wait(lambda e: e["event"] == "delta")
            w.status(lambda st: st["state"] == SYNC)
        e = full.wait(lambda e: e["event"] == "netmap")
        assert e["full"] and e["netmap"]["Seq"] == e["netmapSeq"] and not plain.all("netmap")[0].get("netmap")
        assert full.wait(lambda e: e["event"] == "delta")["nodes"][0]["ID"] == 5
        for w in plain, full:
            assert [e["seq"] for e in w.all()] == list(range(1, len(w.all()) + 1)) and not w.closed
        told = [[e["status"] for e in w.all("status")] for w in (plain, full)]
        for st in told[0] + told[1]:
            for k in [k for k in st if k.endswith("AgeSeconds")]:
                del st[k]
        assert told[0] == told[1]
        d.ctl("pause")
        until(lambda: d.status()["paused"])
        seen = []
        for line in deaf.makefile("rb"):  # the rest of the parent's data, and after its last byte mapd continues
            seen.append(json.loads(line))
            if seen[-1]["event"] == "netmap":
                break
        assert [e["seq"] for e in seen] == list(range(1, len(seen) + 1))
        told = [e["status"] for e in seen if e["event"] == "status"]
        assert len(told) > 12 and told[-1]["paused"] and seen[-1]["netmapSeq"] == d.status()["netmapSeq"]


@pytest.mark.rows("STAT-01", "MAP-04")
def test_watching_the_netmap_before_there_is_one(server, make_daemon):
    """`watch netmap` begins with the present status whatever there is (interface.md 6); no event comes twice and none
    is missed."""
    server.tailnet.add_peer(5)
    d = make_daemon(server, auth_key=AUTH_KEY, login="manual")
    many = [d.watch(netmap=True) for _ in range(20)]
    plain = d.watch()
    time.sleep(0.2)
    assert d.process("mapd")["pid"] is None and not many[0].closed
    d.ctl("login")
    d.wait_sync()
    server.map().send({"Domain": "later.example"})
    for w in many + [plain]:
        w.wait(lambda e: e["event"] == "delta")
    kinds = ["%s %s" % (e["event"], e.get("netmapSeq", e.get("status", {}).get("state"))) for e in plain.all()]
    for w in many:
        assert [e["seq"] for e in w.all()] == list(range(1, len(w.all()) + 1))
        got = w.all()
        assert [p["ID"] for p in w.all("netmap")[0]["netmap"]["Peers"]] == [5] and len(w.all("netmap")) == 1
        assert sorted("%s %s" % (e["event"], e.get("netmapSeq", e.get("status", {}).get("state")))
                      for e in got) == sorted(kinds)
        assert w.states() == plain.states() and got[0]["event"] == "status"
    d.ctl("logout")
    for w in many:
        w.status(lambda s: s["state"] == "state:not-authenticated")


@pytest.mark.rows("STAT-02")
def test_no_netmap_before_login(server, make_daemon):
    d = make_daemon(server, login="manual")
    w = d.watch()
    for verb in ("netmap", "peers", "peer x", "wgconf", "hosts"):
        with pytest.raises(CtlError) as e:
            d.ask(verb)
        assert e.value.code == "no-netmap", verb
    s = d.status()
    assert (s["state"], s["synced"], s["loggedIn"], s["peers"]) == ("state:new", False, False, 0)
    assert s["netmapAgeSeconds"] is None and s["mapStreamAgeSeconds"] is None
    time.sleep(0.3)
    assert not w.all("netmap")


@pytest.mark.rows("STAT-03")
def test_cancels_are_no_errors(server, daemon):
    w = daemon.watch()
    daemon.ctl("pause")
    w.status(lambda s: s["paused"])
    daemon.ctl("unpause")
    daemon.wait_sync()
    daemon.ctl("login")
    daemon.wait_sync()
    daemon.ctl("reconnect")
    time.sleep(0.2)
    daemon.wait_sync()
    server.on_register = lambda req: HOLD
    daemon.ctl("login")
    server.log.wait("register", n=3)
    daemon.ctl("pause")
    time.sleep(0.3)
    daemon.ctl("unpause")
    server.on_register = None
    daemon.ctl("login")
    daemon.wait_sync()
    daemon.ctl("logout")
    daemon.wait_state("not-authenticated")
    daemon.ctl("shutdown")
    assert daemon.wait_exit() == 0
    errs = [e["status"]["err"] for e in w.all("status") if e["status"]["err"]]
    assert errs == []


@pytest.mark.rows("STAT-03", "PAU-01", "PAU-03", "OUT-01")
def test_quick_commands_are_no_errors(server, make_daemon):
    """More connections than the parent lets a child begin at once: the next one waits a little and no one notices
    it."""
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    w = d.watch()
    for _ in range(25):
        d.ctl("pause")
        d.ctl("unpause")
    d.wait_sync()
    for _ in range(12):
        d.ctl("reconnect")
        d.wait_sync()
    for _ in range(8):
        d.ctl("logout")
        d.ctl("login auth-key=" + AUTH_KEY)
        d.wait_sync()
    errs = {e["status"]["err"] for e in w.all("status") if e["status"]["err"]}
    assert not errs, errs


@pytest.mark.rows("STAT-03")
def test_idle_is_silent(server, daemon):
    server.log.wait("lite")
    time.sleep(1)
    w = daemon.watch()
    log, used = len(daemon.log()), cpu(daemon.pid)
    n = w.mark()
    time.sleep(6)
    assert w.all(since=n) == []
    assert len(daemon.log()) - log < 400, daemon.log()[log:]
    assert cpu(daemon.pid) - used < 0.5


@pytest.mark.rows("STAT-04")
@pytest.mark.parametrize("verb", ["watch", "watch netmap"])
def test_a_slow_watcher(server, daemon, verb):
    """It delays no other client, gets the number of events that it missed, and loses no status event."""
    slow = daemon.connect()
    slow.sendall(verb.encode() + b"\n")
    time.sleep(0.2)
    good = daemon.watch()
    m = server.map()
    m.send({"Peers": [make_peer(i) for i in range(2, 12)]})
    mark = good.mark()
    for i in range(10000):
        m.send({"PeersChanged": [make_peer(2 + i % 10, CapMap={"x": ["y" * 300]}, HomeDERP=1 + i % 50)]})
        if i % 1000 == 0:
            m.send({"Domain": "d%d." % i})
    m.send({"Domain": "last."})
    nm = daemon.wait_netmap(lambda n: n["Domain"] == "last.", timeout=60 * SLOW)
    daemon.ctl("pause")
    good.status(lambda s: s["paused"], since=mark)
    daemon.ctl("unpause")
    daemon.wait_sync()
    slow.settimeout(20)
    lines, events, newest, synced = slow.makefile("rb"), [], 0, False
    for line in lines:
        e = json.loads(line)
        events.append(e)
        newest = e["netmapSeq"] if e["event"] == "netmap" else newest
        synced = e["status"]["synced"] if e["event"] == "status" else synced
        if newest > nm["Seq"] and synced:
            break
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert any(e["event"] == "lagged" and e["dropped"] > 0 for e in events)
    i = next(i for i, e in enumerate(events) if e["event"] == "lagged")
    assert any(e["event"] == "netmap" and e["full"] for e in events[i:])
    told = [e["status"] for e in events if e["event"] == "status"]
    assert any(s["paused"] for s in told) and told[-1]["synced"]
    if verb == "watch":  # of the parent, which has written every change into both
        assert [(s["state"], s["paused"]) for s in told] == [(e["status"]["state"], e["status"]["paused"]) for e in
                                                             [good.all("status")[0]] + good.all("status", since=mark)]
    assert nm["Seq"] > 10000


@pytest.mark.rows("STAT-05")
def test_sources_of_errors(server, make_daemon):
    server.on_map = lambda req: Reply(500, b"map trouble")
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_err("map trouble")
    assert s["errSource"] == "map" and s["loggedIn"] and s["state"] == "state:authenticated"
    server.on_map = None
    d.wait_sync()
    server.on_register = lambda req: {"Error": "go away"}
    d.ctl("login")
    s = d.wait_err("go away")
    assert s["errSource"] == "auth"


@pytest.mark.rows("STAT-06")
def test_status_has_what_it_should_and_no_secret(server, make_daemon):
    server.tailnet.key_life = 86400 * 30
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_sync()
    want = {"v", "version", "state", "loggedIn", "synced", "paused", "goal", "authCantContinue", "url", "err",
            "errSource", "errCause", "clockOffsetSeconds",
            "controlURL", "serverKey", "capabilityVersion", "machineKey", "nodeKey", "oldNodeKey", "discoKey", "expiry",
            "keyExpired", "machineAuthorized", "user", "self", "peers", "netmapSeq", "netmapSource", "netmapAgeSeconds",
            "lastMessageAgeSeconds", "mapStreamAgeSeconds", "mapStreams", "health", "hostinfo", "endpoints"}
    assert want <= set(s)
    assert s["v"] == 1 and s["controlURL"] == server.url and s["serverKey"] == server.noise_public
    assert s["capabilityVersion"] == 131 and s["self"]["ID"] == "1" and s["self"]["Addresses"][0] == "100.64.0.1/32"
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", s["expiry"]) and s["keyExpired"] is False
    assert s["machineAuthorized"] is True and s["mapStreams"] == 1 and s["netmapSource"] == "live"
    assert s["lastMessageAgeSeconds"] >= 0 and s["mapStreamAgeSeconds"] >= 0
    keys = d.private_keys()
    assert len(keys) >= 2
    everything = "".join(d.text(v) for v in ("status", "processes", "netmap", "peers"))
    for k in keys:
        assert k.hex() not in everything
    assert AUTH_KEY not in everything and "privkey" not in everything
    d.check_secrets()


@pytest.mark.rows("STAT-06")
def test_the_login_url_is_only_where_it_belongs(server, make_daemon):
    d = make_daemon(server)
    d.ctl("login")
    url = d.wait_state("url-visit-required")["url"]
    secret = url.rsplit("/", 1)[1]
    text = d.text("status")
    assert text.count(secret) <= 2  # url and goal
    assert secret not in d.log() and secret not in d.state_text()
    server.log.wait("register", n=2)
    d.ctl("logout")
    assert secret not in d.text("status")


@pytest.mark.parametrize("verb, answer", [("status", b'"state"'), ("metrics", b"# EOF"), ("logout", b'{"ok":true}')])
def test_answer_to_one_that_has_said_all(daemon, verb, answer):
    """printf 'logout\\n' | nc -N -U: its end of file is no reason to take the answer away."""
    with daemon.connect() as s:
        s.sendall(verb.encode() + b"\n")
        s.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            part = s.recv(65536)
            if not part:
                break
            got += part
    assert answer in got


def gaps(events):
    return [b.t - a.t for a, b in zip(events, events[1:])]


@pytest.mark.rows("BACK-01")
def test_growing_pauses(server, make_daemon):
    server.on_register = lambda req: Reply(500, b"no")
    ds = [make_daemon(server, auth_key=AUTH_KEY) for _ in range(2)]
    for d in ds:
        d.wait_err()
    server.log.wait("register", n=30, timeout=60 * SLOW)
    per = {}
    for e in server.log.all("register"):
        per.setdefault(e.machine, []).append(e)
    pauses = []
    for events in per.values():
        g = gaps(events)[:10]
        assert len(g) >= 8
        for n, pause in enumerate(g, 1):
            assert pause >= 0.5 * n * n * 0.01 - 0.002, (n, g)
            assert pause <= 1.5 * n * n * 0.01 + 1.0 * SLOW, (n, g)
        pauses.append(g)
    assert any(abs(a - b) > 0.02 for a, b in zip(*pauses)), "no jitter: %s" % pauses


@pytest.mark.rows("BACK-01")
def test_separate_counters(server, make_daemon):
    """A login that failed long does not slow the map down, nor the other way round."""
    fails = [12]

    def refuse(req):
        fails[0] -= 1
        return Reply(500, b"no") if fails[0] > 0 else None
    server.on_register = refuse
    server.map_script = [Reply(500, b"no")] * 2
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync(timeout=60)
    e = server.log.all("map")
    assert len(e) == 3 and max(gaps(e)) < 0.5 * SLOW


@pytest.mark.rows("BACK-02")
def test_a_stream_that_lived_resets_the_pauses(server, make_daemon):
    server.map_script = [Reply(500, b"no")] * 9
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=60)
    d.wait_sync(timeout=60)
    m = server.map()
    g = gaps(server.log.all("map"))
    assert g[-1] > 0.3, g
    # One that delivered a map and lived ten seconds more starts the pauses again.
    time.sleep(11)
    assert server.map() is m
    closed = time.monotonic()
    m.end()
    n = server.map(after=m)
    assert n.req.t - closed < 0.3 * SLOW
    d.wait_sync()


@pytest.mark.rows("BACK-02")
def test_repeated_errors_do_not_reset_them(server, make_daemon):
    server.map_script = [Reply(500, b"no"), Reply(404, b"node not found")] * 5
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync(timeout=60)
    g = gaps(server.log.all("map"))
    for n, pause in enumerate(g, 1):
        assert pause >= 0.5 * n * n * 0.01 - 0.002, g


@pytest.mark.rows("BACK-03")
def test_a_flapping_server(server, make_daemon):
    """A full map and the end, again and again: at most 30 polls in 30 s."""
    d = make_daemon(server, auth_key=AUTH_KEY)
    server.on_session = lambda m: server.loop.call_later(0.01, m.stream._end)
    server.log.wait("map-open")
    t, used = time.monotonic(), cpu(d.pid)
    time.sleep(10)
    polls = [e for e in server.log.all("map-open") if e.t >= t]
    assert len(polls) <= 20, len(polls)
    assert cpu(d.pid) - used < 1


@pytest.mark.rows("BACK-04")
@pytest.mark.parametrize("verb", ["logout force", "pause", "shutdown", "login"])
def test_commands_cut_a_wait_short(server, make_daemon, verb):
    server.register_script = [Reply(429, b"slow down", [("Retry-After", "300")])]
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err("slow down")
    t = time.monotonic()
    d.ctl(verb)
    if verb == "login":
        d.wait_sync()
    elif verb == "shutdown":
        assert d.wait_exit() == 0
    assert time.monotonic() - t < 5 * SLOW


@pytest.mark.rows("BACK-05")
def test_retry_after(server, make_daemon):
    server.register_script = [Reply(429, b"too many\x1b[1m logins", [("Retry-After", "3")])]
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_err("too many")
    assert "\x1b" not in s["err"]
    d.wait_sync()
    a, b = server.log.all("register")[:2]
    assert 2.9 <= b.t - a.t < 6 * SLOW


@pytest.mark.rows("BACK-05")
@pytest.mark.parametrize("value", [None, "0", "-5", "soon", "99999999999999999999", "3601"])
def test_useless_retry_after(server, make_daemon, value):
    server.register_script = [Reply(429, b"wait", [("Retry-After", value)] if value is not None else [])]
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync(timeout=40)
    a, b = server.log.all("register")[:2]
    assert 4.9 <= b.t - a.t < 12 * SLOW


@pytest.mark.rows("BACK-06")
def test_deleted_node(server, daemon):
    m = server.map()
    node = server.node()
    del server.tailnet.nodes[node.id]
    m.end()
    s = daemon.wait(lambda s: "404" in s["err"] and s["errSource"] == "map")
    assert "node not found" in s["err"] and s["loggedIn"]
    time.sleep(2)
    assert server.log.count("map") < 25
    daemon.ctl("login auth-key=" + AUTH_KEY)
    daemon.wait_sync()
