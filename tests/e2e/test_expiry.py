# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Expiry and pause (behaviours.md 11 and 12)."""
import signal
import time

import pytest
from controlserver import ZERO_TIME, make_peer, stamp
from controlserver.model import now, parse_time
from harness import AUTH_KEY, SANITIZED, SLOW, alive, cpu, fds, rss, stays, until, zombies

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.rows("EXP-01")
def test_expiry_is_shown(server, daemon):
    assert daemon.status()["expiry"] == "" and daemon.netmap()["Expiry"] == ""
    node = server.set_expiry(86400 * 180)
    s = daemon.wait(lambda s: s["expiry"])
    assert abs((parse_time(s["expiry"]) - node.expiry).total_seconds()) < 2 and not s["keyExpired"]
    assert abs((parse_time(daemon.netmap()["Expiry"]) - node.expiry).total_seconds()) < 2
    server.set_expiry(None)
    s = daemon.wait(lambda s: s["expiry"] == "")
    assert s["loggedIn"] and not s["keyExpired"]


@pytest.mark.rows("EXP-02", "EXP-04")
def test_expiry_by_the_local_timer(server, make_daemon):
    """on-expiry wait: nothing is sent; the stream stays; an extension takes it back."""
    d = make_daemon(server, auth_key=AUTH_KEY, on_expiry="wait")
    d.wait_sync()
    m = server.map()
    mark = server.log.mark()
    t = time.monotonic()
    server.set_expiry(3)
    s = d.wait(lambda s: s["keyExpired"], timeout=15 * SLOW)
    assert 2 < time.monotonic() - t
    assert s["state"] == "state:not-authenticated" and not s["loggedIn"] and s["synced"]
    stays(lambda: server.map() is m, 1)
    assert not server.log.all("register", since=mark)
    server.set_expiry(3600)
    s = d.wait(lambda s: not s["keyExpired"])
    assert s["state"] == "state:synchronized" and s["loggedIn"] and server.map() is m
    assert not server.log.all("register", since=mark)
    # Armed again by the extension.
    server.set_expiry(2)
    d.wait(lambda s: s["keyExpired"], timeout=15 * SLOW)


def test_an_expired_key_is_not_waited_out(server, make_daemon):
    """tailnetctl wait: the stream may continue, but a node that is not logged in is not synchronized."""
    d = make_daemon(server, auth_key=AUTH_KEY, on_expiry="wait")
    d.wait_sync()
    server.set_expiry(1)
    s = d.wait(lambda s: s["keyExpired"], timeout=15 * SLOW)
    assert s["synced"] and s["state"] == "state:not-authenticated"
    for args in [], ["--for", "synchronized"], ["--for", "authenticated"]:
        assert d.tailnetctl("wait", "--timeout", "1", *args).returncode == 8, args
    server.set_expiry(3600)
    assert d.tailnetctl("wait", "--timeout", "10").returncode == 0
    assert d.status()["state"] == "state:synchronized"


@pytest.mark.rows("EXP-04", "EXP-05")
def test_expiry_starts_a_login(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    old = d.wait_sync()
    mark = server.log.mark()
    server.set_expiry(2)
    e = server.log.wait("register", since=mark, timeout=20 * SLOW)
    assert e.json["NodeKey"] == old["nodeKey"] and not e.json.get("Auth")  # the server is asked
    e = until(lambda: [r for r in server.log.all("register", since=mark) if r.json["NodeKey"] != old["nodeKey"]],
              what="a register with a new key")[0]
    assert e.json["NodeKey"] != old["nodeKey"] and e.json["OldNodeKey"] == old["nodeKey"]
    assert e.json["Auth"]["AuthKey"] == AUTH_KEY
    s = d.wait(lambda s: s["synced"] and s["nodeKey"] == e.json["NodeKey"])
    assert not s["keyExpired"] and s["loggedIn"] and s["machineKey"] == old["machineKey"]


@pytest.mark.rows("EXP-04")
def test_extension_during_the_login(server, make_daemon):
    """The login is dropped, the key stays."""
    d = make_daemon(server)
    d.ctl("login auth-key=" + AUTH_KEY)
    old = d.wait_sync()
    m = server.map()
    server.set_expiry(2)
    s = d.wait(lambda s: s["url"], timeout=20 * SLOW)
    assert s["keyExpired"] and not s["loggedIn"] and server.map() is m
    server.set_expiry(3600)
    s = d.wait(lambda s: s["state"] == "state:synchronized")
    assert s["nodeKey"] == old["nodeKey"] and s["url"] == "" and s["goal"] is None and not s["keyExpired"]
    assert server.map() is m


@pytest.mark.rows("EXP-03")
@pytest.mark.parametrize("mode", ["wait", "login"])
def test_expired_and_no_server(server, make_daemon, mode):
    d = make_daemon(server, on_expiry=mode)
    d.ctl("login auth-key=" + AUTH_KEY)
    d.wait_sync()
    server.set_expiry(1)
    time.sleep(0.3)
    server.unlisten()
    server.drop_all()
    d.wait(lambda s: s["keyExpired"], timeout=20 * SLOW)
    used = cpu(d.pid)
    time.sleep(6)
    assert cpu(d.pid) - used < 0.5


@pytest.mark.rows("EXP-03", "BACK-03")
def test_keys_that_are_born_expired(server, make_daemon):
    """Each login gets a key that the map reports as expired, and so the next login: no loop (at most 30 in 30 s)."""
    server.tailnet.key_life = -100
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait(lambda s: s["keyExpired"])
    used = cpu(d.pid)
    time.sleep(10)
    assert 5 < server.log.count("register") < 20
    assert cpu(d.pid) - used < 0.5
    server.tailnet.key_life = None
    d.ctl("login")
    d.wait_sync()


@pytest.mark.rows("EXP-06", "EXP-08")
def test_clock_of_the_server(server, daemon):
    m = server.map()
    soon = stamp(600)
    m.send({"Peers": [make_peer(5, KeyExpiry=soon)], "ControlTime": "2020-08-03T00:00:01Z", "Domain": "a."})
    assert not daemon.wait_netmap(lambda n: n["Domain"] == "a.")["Peers"][0].get("Expired")
    m.send({"ControlTime": stamp(30), "Domain": "b."})
    assert not daemon.wait_netmap(lambda n: n["Domain"] == "b.")["Peers"][0].get("Expired")
    m.send({"ControlTime": stamp(3600), "Domain": "c.", "PeersChanged": [make_peer(6)]})
    nm = daemon.wait_netmap(lambda n: any(p.get("Expired") for p in n["Peers"]), timeout=45 * SLOW)
    p = nm["Peers"][0]
    assert p["Expired"] and not p.get("Endpoints") and not p.get("HomeDERP")
    assert not nm["Peers"][1].get("Expired")
    # A later expiry takes our own mark back.
    m.send({"PeersChangedPatch": [{"NodeID": 5, "KeyExpiry": stamp(86400)}], "Domain": "d."})
    nm = daemon.wait_netmap(lambda n: n["Domain"] == "d.")
    assert not nm["Peers"][0].get("Expired")


@pytest.mark.rows("EXP-07")
@pytest.mark.parametrize("when", ["9999-12-31T23:59:59Z", "2262-04-12T00:00:00Z", "2038-01-19T03:14:08Z"])
def test_far_away(server, daemon, when):
    node = server.node()
    node.extra = {"KeyExpiry": when}
    server.map().send({"Node": node.json(server.tailnet.domain), "Peers": [make_peer(5, KeyExpiry=when)]})
    s = daemon.wait(lambda s: s["expiry"])
    assert s["expiry"].startswith(when[:19]) and not s["keyExpired"]
    used = cpu(daemon.pid), cpu(daemon.child("mapd"))
    time.sleep(3)
    assert cpu(daemon.pid) - used[0] < 0.3 and cpu(daemon.child("mapd")) - used[1] < 0.3
    assert daemon.status()["loggedIn"]


@pytest.mark.rows("EXP-08")
def test_expired_peers_of_the_server(server, daemon):
    server.map().send({"Peers": [make_peer(5, KeyExpiry="2026-01-01T00:00:00Z"), make_peer(6, Expired=True),
                                 make_peer(7)],
                       "Domain": "e."})
    nm = daemon.wait_netmap(lambda n: n["Domain"] == "e." and n["Peers"][0].get("Expired"), timeout=45 * SLOW)
    a, b, c = nm["Peers"]
    assert a["Expired"] and b["Expired"] and not c.get("Expired")
    assert not a.get("Endpoints") and not a.get("HomeDERP")


@pytest.mark.rows("EXP-08", "KA-05")
def test_a_keepalive_says_what_time_it_is(server, daemon):
    """Nothing else has to come for the peers to be judged by it."""
    m = server.map()
    m.send({"Peers": [make_peer(5, KeyExpiry=stamp(600))], "Domain": "a."})
    daemon.wait_netmap(lambda n: n["Domain"] == "a." and not n["Peers"][0].get("Expired"))
    for skew, expired in ((3600, True), (0, None)):
        m.send({"KeepAlive": True, "ControlTime": stamp(skew)})
        daemon.wait_netmap(lambda n, e=expired: n["Peers"][0].get("Expired") is e, timeout=5 * SLOW)


@pytest.mark.rows("EXP-08")
def test_expiry_in_a_busy_tailnet(server, daemon):
    """Continuous changes of other peers do not delay it."""
    m = server.map()
    m.send({"Peers": [make_peer(5, KeyExpiry=stamp(2)), make_peer(6)], "Domain": "a."})
    daemon.wait_netmap(lambda n: n["Domain"] == "a.")
    end = time.monotonic() + 25 * SLOW
    online = False
    while not daemon.ctl("peer 5").get("Expired"):
        assert time.monotonic() < end
        online = not online
        m.send({"OnlineChange": {"6": online}})
        time.sleep(0.1)


@pytest.mark.rows("EXP-01", "EXP-08")
def test_expired_self_is_not_for_approval(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, on_expiry="wait")
    d.wait_sync()
    node = server.node()
    for _ in range(3):
        node.extra = {"Expired": True, "MachineAuthorized": False, "KeyExpiry": stamp(-3600)}
        server.map().send({"Node": node.json(server.tailnet.domain)})
        s = d.wait(lambda s: s["keyExpired"])
        assert s["state"] == "state:not-authenticated"
        node.extra = {"KeyExpiry": ZERO_TIME}
        server.map().send({"Node": node.json(server.tailnet.domain)})
        d.wait(lambda s: s["state"] == "state:synchronized" and not s["keyExpired"])
    # The log has it, too, but a server that continues like this does not fill it.
    assert d.log().count(" warn: node-key-expired: ") == 1 and "machine-not-approved" not in d.log()


@pytest.mark.rows("PAU-01", "PAU-02")
def test_pause_and_unpause(server, daemon):
    server.log.wait("lite")
    m = server.map()
    w = daemon.watch()
    mark = server.log.mark()
    t = time.monotonic()
    daemon.ctl("pause")
    server.log.wait("closed", conn=m.conn.id, timeout=5)
    assert time.monotonic() - t < 1.5 * SLOW
    s = w.status(lambda s: s["paused"])
    assert s["err"] == ""
    daemon.ctl('set hostinfo {"DeviceModel":"one"}')
    daemon.ctl('set hostinfo {"DeviceModel":"two"}')
    time.sleep(3)
    assert not [e for e in server.log.all(since=mark) if e.kind in ("accept", "register", "map", "lite")]
    t = time.monotonic()
    daemon.ctl("unpause")
    server.map(after=m)
    assert time.monotonic() - t < 1.5 * SLOW
    server.log.wait("lite", since=mark, json=lambda j: j["Hostinfo"]["DeviceModel"] == "two")
    time.sleep(0.5)
    assert server.log.count("lite", since=mark) == 1 and server.log.count("map", since=mark) == 1
    assert not any(e["status"]["err"] for e in w.all("status"))


@pytest.mark.rows("STAT-02", "PAU-05", "ROT-04")
def test_mapd_that_stands_still(server, daemon):
    """What it still has is stale at once, whatever it says or does not; it is killed when it does not stop, and another
    continues."""
    pid = daemon.kill("mapd", signal.SIGSTOP)
    daemon.ctl("pause")
    s = daemon.status()
    assert (s["netmapSource"], s["synced"], s["state"]) == ("stale", False, "state:authenticated")
    daemon.ctl("unpause")
    until(lambda: not alive(pid), 10 * SLOW, "it did not stop")
    daemon.wait_sync()
    assert len(server.sessions) == 1 and daemon.child("mapd") != pid


@pytest.mark.rows("PAU-02", "PAU-05")
def test_unpause_forgets_the_backoff(server, make_daemon):
    server.unlisten()
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err()
    time.sleep(4)
    d.ctl("pause")
    server.listen()
    t = time.monotonic()
    d.ctl("unpause")
    d.wait_sync()
    assert time.monotonic() - t < 3 * SLOW


@pytest.mark.rows("PAU-03")
def test_many_pauses(server, daemon):
    """Descriptors, processes and memory are back where they were."""
    def pauses(n):
        for i in range(n):
            daemon.ctl("pause")
            if i % 3 == 0:
                daemon.ctl("pause")
            daemon.ctl("unpause")
            if i % 5 == 0:
                daemon.ctl("unpause")
        daemon.wait_sync()
        until(lambda: len(server.sessions) == 1, 10)
    until(lambda: not daemon.process("authd")["pid"], 15 * SLOW, "authd has gone")
    mapd = daemon.child("mapd")
    pauses(10)
    before = fds(daemon.pid), fds(mapd), rss(daemon.pid), rss(mapd)
    pauses(100)
    m = server.map()
    stays(lambda: server.map() is m, 1)
    until(lambda: fds(daemon.pid) <= before[0] + 1 and fds(mapd) <= before[1], 15, "descriptors back")
    assert daemon.tree() == [mapd] and not zombies(daemon.pid)
    if not SANITIZED:  # which keeps what was freed
        assert rss(daemon.pid) < before[2] + (1 << 20) and rss(mapd) < before[3] + (1 << 20)
    daemon.ctl("pause")
    until(lambda: not server.sessions, 5)
    stays(lambda: not server.sessions, 1)


@pytest.mark.rows("PAU-04")
def test_started_paused(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    first = d.wait_sync()
    assert d.stop() == 0
    mark = server.log.mark()
    d.conf["start-paused"] = "yes"
    d.start()
    time.sleep(1)
    s = d.status()
    assert s["paused"] and (s["machineKey"], s["nodeKey"]) == (first["machineKey"], first["nodeKey"])
    assert not server.log.all("accept", since=mark)
    d.ctl("unpause")
    d.wait_sync()


@pytest.mark.rows("PAU-05", "SHUT-01")
@pytest.mark.parametrize("verb", ["shutdown", "logout force"])
def test_commands_while_paused(server, daemon, verb):
    daemon.ctl("pause")
    t = time.monotonic()
    daemon.ctl(verb)
    if verb == "shutdown":
        assert daemon.wait_exit() == 0
    else:
        assert daemon.status()["nodeKey"] == ""
    assert time.monotonic() - t < 5 * SLOW


@pytest.mark.rows("PAU-05")
def test_commands_during_backoff(server, make_daemon):
    server.unlisten()
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err()
    worst = 0
    for _ in range(60):
        t = time.monotonic()
        d.status()
        worst = max(worst, time.monotonic() - t)
        time.sleep(0.02)
    assert worst < 0.5 * SLOW
