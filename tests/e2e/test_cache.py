# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""`netmap-cache yes`: the last network map, shown as cached until the server has sent one."""
import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest
from controlserver import HOLD, big_peers, make_peer, stamp
from controlserver.model import now, parse_time
from harness import AUTH_KEY, BIN, SLOW, CtlError, Late, alive, open_files, rss, stays, until

HEAD, TAIL = 136, 40  # mapd/cache/cacheio.h
pytestmark = pytest.mark.usefixtures("programs")


def cache_of(d):
    return os.path.join(d.state_dir, "netmap.cache")


def temp_of(d):
    return cache_of(d) + ".tmp"


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, 0o600)


def wait_cache(d, other_than=b""):
    """The cache file, once it exists and has changed."""
    def look():
        with contextlib.suppress(FileNotFoundError):
            data = read(cache_of(d))
            return data if data != other_than else None
    return until(look, what="the cache is written")


def wait_cached(d):
    return d.wait(lambda s: s["netmapSource"] == "cached", what="cached")


def same(a, b):
    """Two netmap objects without their sources."""
    a, b = ({k: v for k, v in x.items() if k not in ("Source", "Seq")} for x in (a, b))
    return a == b


@pytest.fixture
def cached(make_daemon, server):
    """A daemon that has stopped and left a cache with peer 5, and the map it had shown."""
    server.tailnet.add_peer(5)
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    d.wait_sync()
    wait_cache(d)
    d.live = d.netmap()
    assert d.stop() == 0
    return d


def start_offline(d, server):
    server.unlisten()
    return d.start()


@pytest.mark.rows("PERS-01")
def test_restart_without_the_server(server, cached):
    d = cached
    start_offline(d, server)
    s = wait_cached(d)
    assert not s["synced"] and s["state"] != "state:synchronized" and not s["loggedIn"]
    assert s["peers"] == 1 and s["self"]["ID"] == "1" and s["self"]["Addresses"][0] == "100.64.0.1/32"
    assert s["lastMessageAgeSeconds"] is None and s["mapStreamAgeSeconds"] is None and s["mapStreams"] == 0
    assert 0 <= s["netmapAgeSeconds"] < 60
    nm = d.netmap()
    assert nm["Source"] == "cached" and nm["Seq"] == s["netmapSeq"] and same(nm, d.live)
    assert [p["ID"] for p in d.ask("peers")] == [5] and d.ctl("peer 5")["ID"] == 5
    assert "100.100.0.5\tpeer5.example.test" in d.text("hosts")
    assert "[Peer]" in d.text("wgconf") and "PrivateKey" not in d.text("wgconf")
    assert "tailnetd_netmap_peers 1" in d.text("metrics") and "tailnetd_synced 0" in d.text("metrics")
    assert d.tailnetctl("status", "--check").returncode != 0
    w = d.watch(netmap=True)
    e = w.wait(lambda e: e["event"] == "netmap")
    assert e["netmap"]["Source"] == "cached" and len(e["netmap"]["Peers"]) == 1
    # And when the server is back, its word is the only one.
    server.tailnet.peers.clear()
    server.tailnet.add_peer(6)
    server.listen()
    d.ctl("reconnect")
    s = d.wait_sync()
    live = d.netmap()
    assert s["netmapSource"] == "live" and live["Source"] == "live" and live["Seq"] > nm["Seq"]
    assert [p["ID"] for p in live["Peers"]] == [6]
    assert s["netmapAgeSeconds"] < 30 and s["lastMessageAgeSeconds"] is not None
    e = w.wait(lambda e: e["event"] == "netmap" and e["netmap"]["Source"] == "live")
    assert [p["ID"] for p in e["netmap"]["Peers"]] == [6]


@pytest.mark.rows("MAP-06")
def test_cached_until_the_first_message(server, cached):
    """Login, map request and its answer are no reason; the first full map is."""
    server.auto_full = False
    d = cached.start()
    m = server.map()
    s = d.wait(lambda s: s["loggedIn"])
    assert s["netmapSource"] == "cached" and s["state"] == "state:authenticated" and not s["synced"]
    m.keepalive()
    stays(lambda: d.status()["netmapSource"] == "cached", 0.3)
    assert same(d.netmap(), d.live)
    m.end()
    d.wait(lambda s: s["errSource"] == "map")
    assert d.status()["netmapSource"] == "cached"
    n = server.map(after=m)
    n.send(server.tailnet.full_bytes(server.node()))
    d.wait_sync()
    assert d.netmap()["Source"] == "live"


def test_files(server, cached):
    """0600, the daemon's own, nothing beside it; and no key in it."""
    d = cached
    st = os.stat(cache_of(d))
    assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_uid == os.geteuid() and st.st_nlink == 1
    assert stat.S_IMODE(os.stat(d.state_dir).st_mode) == 0o700
    assert sorted(os.listdir(d.state_dir)) == sorted([".initialised", "netmap.cache", "state", "state.prev"])
    data = read(cache_of(d))
    assert data.startswith(b"tailnetd-netmap\0") and b"peer5" not in data[:HEAD]
    for k in d.private_keys():
        assert k not in data and k.hex().encode() not in data
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody").pw_uid
        p = subprocess.run([sys.executable, "-c", "open(%r)" % cache_of(d)], user=nobody, stderr=subprocess.DEVNULL)
        assert p.returncode != 0


def test_off_by_default(server, daemon):
    time.sleep(0.3)
    assert not os.path.exists(cache_of(daemon))
    daemon.stop()
    assert not os.path.exists(cache_of(daemon))


@pytest.mark.root
def test_nothing_of_it_stays_open(server, cached):
    """mapd has no file open when it has been read or written, and the parent none either."""
    d = cached.start()
    d.wait_sync()
    pid = d.child("mapd")

    def files(p):
        return [x for x in open_files(p) if "netmap.cache" in x]
    until(lambda: not files(pid) and not files(d.pid), 5 * SLOW, "no cache file open")


# ---- when it is written

def test_written_at_once_and_then_seldom(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    d.wait_sync()
    first = wait_cache(d)
    m = server.map()
    for i in range(20):
        m.send({"Domain": "d%d.example" % i})
    d.wait_netmap(lambda n: n["Domain"] == "d19.example")
    time.sleep(1)
    assert read(cache_of(d)) == first
    assert d.log().count("netmap cache: ") == 1


@pytest.mark.parametrize("how", ["pause", "TERM", "shutdown"])
def test_written_at_the_end(server, make_daemon, how):
    """What changed meanwhile is saved by a pause and by an orderly end."""
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    d.wait_sync()
    first = wait_cache(d)
    m = server.map()
    m.send({"PeersChanged": [make_peer(7)], "Domain": "late.example"})
    d.wait_netmap(lambda n: n["Domain"] == "late.example")
    t = time.monotonic()
    if how == "pause":
        d.ctl("pause")
        wait_cache(d, first)
        d.ctl("unpause")
        d.wait_sync()
        d.kill()
        d.conf["start-paused"] = "yes"
    else:
        if how == "TERM":
            d.proc.send_signal(signal.SIGTERM)
        else:
            d.ctl("shutdown")
        assert d.wait_exit(10 * SLOW) == 0
        assert time.monotonic() - t < 5 * SLOW
        server.unlisten()
    assert not os.path.exists(temp_of(d))
    d.start()
    wait_cached(d)
    if how != "pause":  # there the map of the second stream may have been received before the end
        nm = d.netmap()
        assert nm["Domain"] == "late.example" and [p["ID"] for p in nm["Peers"]] == [7]


def test_shown_while_paused(server, cached):
    """No network, but there is something to show."""
    d = cached
    d.conf["start-paused"] = "yes"
    mark = server.log.mark()
    d.start()
    s = wait_cached(d)
    assert s["paused"] and same(d.netmap(), d.live)
    time.sleep(0.5)
    assert not server.log.all("accept", since=mark)
    d.ctl("unpause")
    d.wait_sync()


def test_shown_with_login_manual(server, cached):
    d = cached
    d.conf["login"] = "manual"
    d.start()
    s = wait_cached(d)
    assert not s["loggedIn"] and s["authCantContinue"] and same(d.netmap(), d.live)


def test_after_a_crash_of_mapd(server, make_daemon):
    """A mapd that was killed is no liar: the next one shows the cache until it is connected again."""
    server.tailnet.add_peer(5)
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    d.wait_sync()
    wait_cache(d)
    seq = d.netmap()["Seq"]
    server.auto_full = False
    m = server.map()
    d.kill("mapd")
    n = server.map(after=m)
    s = wait_cached(d)
    assert s["loggedIn"] and not s["synced"]
    nm = d.netmap()
    assert nm["Seq"] > seq and [p["ID"] for p in nm["Peers"]] == [5]
    n.send(server.tailnet.full_bytes(server.node()))
    d.wait_sync()
    assert d.netmap()["Seq"] > nm["Seq"] and os.path.exists(cache_of(d))


def test_mapd_that_crashes_is_not_believed(server, make_daemon):
    """A process that crashes may have written anything."""
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    d.wait_sync()
    wait_cache(d)
    server.auto_full = False
    d.kill("mapd", signal.SIGSYS)
    until(lambda: not os.path.exists(cache_of(d)), 5 * SLOW, "cache removed")
    until(lambda: d.process("mapd")["pid"], 20 * SLOW)
    assert d.status()["netmapSource"] == "none"


# ---- who must not see it

def gone(d):
    return not os.path.exists(cache_of(d)) and not os.path.exists(temp_of(d))


@pytest.mark.rows("OUT-01", "OUT-03")
@pytest.mark.parametrize("force", ["", " force"])
def test_logout_removes_it(server, make_daemon, force):
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    d.wait_sync()
    wait_cache(d)
    if force:
        server.on_register = lambda req: HOLD
    d.ctl("logout" + force)
    assert gone(d)
    with pytest.raises(CtlError) as e:
        d.netmap()
    assert e.value.code == "no-netmap"
    server.on_register = None
    d.restart()
    time.sleep(0.3)
    assert d.status()["netmapSource"] == "none" and gone(d)
    d.ctl("login auth-key=" + AUTH_KEY)
    d.wait_sync()
    wait_cache(d)


def test_logout_while_cached(server, cached):
    d = cached
    start_offline(d, server)
    wait_cached(d)
    d.ctl("logout force")
    assert gone(d) and d.status()["netmapSource"] == "none" and d.status()["self"] is None
    until(lambda: d.process("mapd")["pid"] is None, 10 * SLOW, "mapd is not needed")


def test_new_node_key(server, cached):
    """From the moment the new key counts, the old one's map is not shown; the new one's is saved."""
    d = cached
    server.auto_full = False
    d.conf["login"] = "manual"
    d.start()
    wait_cached(d)
    old = read(cache_of(d))
    before = d.status()["nodeKey"]
    d.ctl("login interactive auth-key=" + AUTH_KEY)
    m = server.map()
    s = d.wait(lambda s: s["loggedIn"] and s["nodeKey"] != before)
    assert s["netmapSource"] == "none" and gone(d)
    m.send(server.tailnet.full_bytes(server.node()))
    d.wait_sync()
    assert wait_cache(d)[72:104] == bytes.fromhex(s["nodeKey"].split(":")[1]) != old[72:104]


def test_rotation_of_a_live_map(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    s = d.wait_sync()
    old = wait_cache(d)
    d.ctl("login interactive auth-key=" + AUTH_KEY)
    s = d.wait(lambda n: n["nodeKey"] != s["nodeKey"] and n["synced"])
    new = wait_cache(d, old)
    assert new[72:104] == bytes.fromhex(s["nodeKey"].split(":")[1])


def test_another_control_url(server, make_server, cached):
    d = cached
    other = make_server()
    other.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    d.conf["control-url"] = other.url
    d.conf["login"] = "manual"
    d.start()
    time.sleep(0.3)
    assert d.status()["netmapSource"] == "none" and gone(d)


def put_back(d, data):
    """Replaces the cache file by data."""
    assert d.stop() in (0, None)
    write(cache_of(d), data)


@pytest.mark.parametrize("where", ["profile", "node-key", "machine-key"])
def test_foreign(server, make_server, make_daemon, cached, where):
    """A whole, valid cache of another server, another key or another machine."""
    d = cached
    if where == "node-key":
        theirs = read(cache_of(d))
        d.conf["login"] = "manual"
        d.start()
        d.ctl("login interactive auth-key=" + AUTH_KEY)
        d.wait_sync()
    else:
        s = server if where == "machine-key" else make_server()
        s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
        b = make_daemon(s, auth_key=AUTH_KEY, netmap_cache="yes")
        b.wait_sync()
        theirs = wait_cache(b)
        b.stop()
    put_back(d, theirs)
    start_offline(d, server)
    until(lambda: gone(d), 10 * SLOW, "removed")
    assert d.status()["netmapSource"] == "none" and d.log().count("not used: ") == 1


def test_reload(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    assert gone(d)
    for _ in range(2):
        d.conf["netmap-cache"] = "yes"
        d.write_conf()
        d.proc.send_signal(signal.SIGHUP)
        wait_cache(d)
        d.conf["netmap-cache"] = "no"
        d.write_conf()
        d.proc.send_signal(signal.SIGHUP)
        until(lambda: gone(d), 5 * SLOW, "removed by reload")
        s = d.status()
        assert s["synced"] and s["netmapSource"] == "live"


def test_reload_while_cached(server, cached):
    d = cached
    start_offline(d, server)
    wait_cached(d)
    d.conf["netmap-cache"] = "no"
    d.write_conf()
    d.proc.send_signal(signal.SIGHUP)
    d.wait(lambda s: s["netmapSource"] == "none")
    assert gone(d) and d.status()["peers"] == 0


def test_turned_off_while_down(server, cached):
    d = cached
    d.conf["netmap-cache"] = "no"
    start_offline(d, server)
    assert gone(d) and d.status()["netmapSource"] == "none"


def test_shown_by_nv(make_daemon, server):
    d = make_daemon(server, start=False, netmap_cache="yes")
    d.write_conf()
    p = subprocess.run([os.path.join(BIN, "tailnetd"), "-nv", "-f", d.conf_file], capture_output=True, text=True,
                       timeout=20)
    assert p.returncode == 0 and "netmap-cache yes\n" in p.stdout


# ---- it drives nothing

@pytest.mark.rows("EXP-02", "EXP-04")
def test_a_cached_self_expires_nothing(server, make_daemon):
    """The map in the cache says that our key is over; the state file does not: it is the server's word that counts."""
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes", on_expiry="login")
    d.wait_sync()
    first = wait_cache(d)
    state = read(os.path.join(d.state_dir, "state"))
    node = server.node()
    node.extra = {"Expired": True, "KeyExpiry": stamp(-3600), "MachineAuthorized": False}
    server.on_register = lambda req: HOLD
    server.map().send({"Node": node.json(server.tailnet.domain)})
    d.wait(lambda s: s["keyExpired"])
    d.ctl("pause")
    wait_cache(d, first)
    d.kill()
    write(os.path.join(d.state_dir, "state"), state)
    node.extra = {}
    server.on_register = None
    mark = server.log.mark()
    server.unlisten()
    d.start()
    s = wait_cached(d)
    assert d.netmap()["SelfNode"]["Expired"] is True
    assert not s["keyExpired"] and s["expiry"] == "" and s["machineAuthorized"]
    assert not [h for h in s["health"] if h["code"] in ("key-expired", "not-approved")]
    server.listen()
    d.ctl("reconnect")
    s = d.wait_sync()
    assert {e.json["NodeKey"] for e in server.log.all("register", since=mark)} == {s["nodeKey"]}


def test_age(server, cached):
    """The age is that of the map, not of the file or of the process."""
    d = cached
    time.sleep(2)
    start_offline(d, server)
    s = wait_cached(d)
    age = (now() - parse_time(d.netmap()["ReceivedAt"])).total_seconds()
    assert s["netmapAgeSeconds"] >= 1.5 and abs(d.status()["netmapAgeSeconds"] - age) < 2.5


# ---- what is damaged

def damage(data, how):
    body = len(data) - HEAD - TAIL
    flip = {"magic": 3, "format": 16, "head-length": 20, "time": 25, "nanoseconds": 35, "body-start": HEAD,
            "body-middle": HEAD + body // 2,
            "body-end": HEAD + body - 1, "tail-length": HEAD + body, "sum": len(data) - 1}
    if how in flip:
        at = flip[how]
        return data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1:]
    return {"empty": b"", "one-byte": data[:1], "head-only": data[:HEAD], "cut": data[:-1],
            "half": data[:len(data) // 2],
            "no-tail": data[:-TAIL], "longer": data + b"x", "zeros": bytes(len(data)), "text": b"hello\n" * 100,
            "huge": data + bytes((64 << 20) + 1 - len(data))}[how]


@pytest.mark.parametrize("how", ["magic", "format", "head-length", "time", "nanoseconds", "body-start", "body-middle",
                                 "body-end",
                                 "tail-length", "sum", "empty", "one-byte", "head-only", "cut", "half", "no-tail",
                                 "longer",
                                 "zeros", "text", "huge"])
def test_damaged(server, cached, how):
    """Ignored with one line; replaced by the next write; never fatal."""
    d = cached
    good = read(cache_of(d))
    write(cache_of(d), damage(good, how))
    server.auto_full = False
    d.start()
    m = server.map()
    until(lambda: "not used: " in d.log(), 5 * SLOW, "a line about it")
    s = d.wait(lambda s: s["loggedIn"])
    assert s["netmapSource"] == "none" and s["self"] is None
    assert "cache-unusable" in {h["code"] for h in s["health"]} <= {"cache-unusable", "sandbox-degraded"}
    m.send(server.tailnet.full_bytes(server.node()))
    d.wait_sync()
    assert wait_cache(d, damage(good, how))[:16] == b"tailnetd-netmap\0"
    assert d.log().count("not used: ") == 1
    assert d.process("mapd")["restarts"] == 0


@pytest.mark.parametrize("how", ["readable", "link", "symlink", "fifo", "directory"])
def test_not_ours(server, cached, how):
    d = cached
    path = cache_of(d)
    if how == "readable":
        os.chmod(path, 0o644)
    elif how == "link":
        os.link(path, path + ".2")
    else:
        os.rename(path, path + ".2")
        if how == "symlink":
            os.symlink("netmap.cache.2", path)
        elif how == "fifo":
            os.mkfifo(path, 0o600)
        else:
            os.mkdir(path, 0o700)
    d.start()
    d.wait_sync()
    assert d.log().count("netmap cache not used: ") == 1
    if how != "directory":
        until(lambda: stat.S_ISREG(os.lstat(path).st_mode) and stat.S_IMODE(os.lstat(path).st_mode) == 0o600 and
              os.lstat(path).st_nlink == 1, 5 * SLOW, "replaced")


# ---- kill -9 at any moment

def writer(d, server, n):
    """Has the daemon begin to write: what was saved and what is not yet, and a moment to strike in."""
    m = server.map()
    m.send({"Domain": "n%d.example" % n, "PeersChanged": [make_peer(900000 + n)]})
    d.wait_netmap(lambda x: x["Domain"] == "n%d.example" % n, timeout=60 * SLOW)
    with d.connect() as s:
        s.sendall(b"pause\n")
        s.recv(100)


@pytest.mark.parametrize("who", ["mapd", "parent"])
def test_killed_while_writing(server, make_daemon, who):
    """Old or new, and nothing beside it."""
    server.tailnet.raw_peers = big_peers(20000)
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes", map_watchdog=60)
    d.wait_sync(timeout=60 * SLOW)
    wait_cache(d)
    torn = 0
    for i, wait in enumerate((0.0, 0.03, 0.1, 0.25, 0.6)):
        old = read(cache_of(d))
        writer(d, server, i)
        time.sleep(wait)
        torn += os.path.exists(temp_of(d))
        kids = d.tree()
        if who == "mapd":
            with contextlib.suppress(Late):
                d.kill("mapd")
            until(lambda: not os.path.exists(temp_of(d)), 5 * SLOW, "the unfinished one is gone")
        else:
            d.kill()
            until(lambda: not any(alive(p) for p in kids), 5 * SLOW)
        data = read(cache_of(d))
        assert data == old or data[-TAIL:] != old[-TAIL:]
        assert int.from_bytes(data[-TAIL:-32], "little") == len(data) - HEAD - TAIL
        if who == "mapd":
            d.ctl("unpause")
        else:
            d.start()
            assert not os.path.exists(temp_of(d))
            wait_cached(d)
            assert d.status()["peers"] >= 20000 and d.log().count("not used") == 0
            d.ctl("unpause")
        d.wait_sync(timeout=60 * SLOW)
    assert torn, "never struck in the middle"


@pytest.mark.rows("MAP-08")
def test_many_peers(server, make_daemon):
    """20,000 peers written and read; no part of them in the parent."""
    server.tailnet.raw_peers = big_peers(20000)
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    d.wait_sync(timeout=60 * SLOW)
    wait_cache(d)
    live = d.netmap()
    assert rss(d.pid) < 16 << 20 or SLOW > 1
    assert d.stop() == 0
    server.unlisten()
    d.start()
    wait_cached(d)
    assert same(d.netmap(), live)
    assert rss(d.pid) < 16 << 20 or SLOW > 1


@pytest.mark.root
def test_full_disk(server, make_daemon, tmp_path):
    """The old one remains, one line says so, and everything else continues."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", str(disk)]).returncode != 0:
        pytest.skip("no tmpfs")
    try:
        d = make_daemon(server, start=False, auth_key=AUTH_KEY, netmap_cache="yes", state_dir=str(disk / "state"))
        d.state_dir = str(disk / "state")
        server.tailnet.raw_peers = big_peers(5000)
        d.start()
        d.wait_sync(timeout=60 * SLOW)
        line = "warn: netmap cache: No space left"
        until(lambda: line in d.log(), 10 * SLOW, "a line about it")
        until(lambda: not os.path.exists(temp_of(d)), 5 * SLOW)
        assert not os.path.exists(cache_of(d))
        d.ctl("pause")
        d.ctl("unpause")
        d.wait_sync(timeout=60 * SLOW)
        assert d.log().count(line) == 1 and d.status()["peers"] == 5000
        assert d.stop() == 0
    finally:
        subprocess.run(["umount", "-l", str(disk)])  # a daemon that is still there keeps it busy
        shutil.rmtree(str(disk), ignore_errors=True)
