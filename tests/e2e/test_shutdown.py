# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Shutdown and persistence (behaviours.md 22 and 23)."""
import os
import random
import signal
import stat
import time

import pytest
from controlserver import HOLD, Reply, dumps
from harness import AUTH_KEY, SLOW, alive, until, zombies

pytestmark = pytest.mark.usefixtures("programs")


def in_key_fetch(server, d):
    server.on_key = lambda req: HOLD
    d.start()
    server.log.wait("http", path="/key")


def in_upgrade(server, d):
    server.on_upgrade = lambda req: HOLD
    d.start()
    server.log.wait("http", path="/ts2021")


def in_handshake(server, d):
    server.on_response = lambda conn, r: None
    d.start()
    server.log.wait("handshake")


def in_register(server, d):
    server.on_register = lambda req: HOLD
    d.start()
    server.log.wait("register")


def in_followup(server, d):
    del d.conf["auth-key-file"]
    d.start()
    d.ctl("login")
    d.wait_state("url-visit-required")
    server.log.wait("register", n=2)


def in_backoff(server, d):
    server.unlisten()
    d.start()
    d.wait_err()
    time.sleep(1)


def in_429(server, d):
    server.register_script = [Reply(429, b"later", [("Retry-After", "600")])]
    d.start()
    d.wait_err("later")


def paused(server, d):
    d.start()
    d.wait_sync()
    d.ctl("pause")
    d.wait(lambda s: s["paused"])


def in_map_request(server, d):
    server.on_map = lambda req: HOLD
    d.start()
    server.log.wait("map")


def in_message(server, d):
    d.start()
    d.wait_sync()
    m = server.map()
    whole = m.encoded(dumps({"PeersChanged": [{"ID": i, "Name": os.urandom(20).hex()} for i in range(1000)]}))
    m.send_raw(whole[:len(whole) // 2])


def in_sleep(server, d):
    d.start()
    d.wait_sync()
    server.map().send({"Debug": {"SleepSeconds": 250}})
    time.sleep(0.3)


def synchronized(server, d):
    d.start()
    d.wait_sync()


def mapd_hangs(server, d):
    d.start()
    d.wait_sync()
    d.kill("mapd", signal.SIGSTOP)


def authd_hangs(server, d):
    in_register(server, d)
    d.kill("authd", signal.SIGSTOP)


def idle(server, d):
    d.conf["login"] = "manual"
    d.start()


STATES = [in_key_fetch, in_upgrade, in_handshake, in_register, in_followup, in_backoff, in_429, paused, in_map_request,
          in_message, in_sleep, synchronized, mapd_hangs, authd_hangs, idle]


@pytest.mark.rows("SHUT-01", "SHUT-02", "SHUT-03")
@pytest.mark.parametrize("how", ["TERM", "INT", "shutdown"])
@pytest.mark.parametrize("state", STATES, ids=lambda f: f.__name__)
def test_shutdown(server, make_daemon, state, how):
    d = make_daemon(server, start=False, auth_key=AUTH_KEY)
    state(server, d)
    pids = d.tree()
    w = d.watch()
    t = time.monotonic()
    if how == "shutdown":
        d.ctl("shutdown")
        d.proc.send_signal(signal.SIGTERM)  # twice is harmless
    else:
        for _ in range(2):
            d.proc.send_signal(getattr(signal, "SIG" + how))
    assert d.wait_exit(10 * SLOW) == 0
    assert time.monotonic() - t < 5 * SLOW
    assert not os.path.exists(d.socket)
    until(lambda: not any(alive(p) for p in pids), 2 * SLOW, "children gone")
    for e in server.log.all("accept"):
        server.log.wait("closed", conn=e.conn, timeout=2 * SLOW)
    first, *later = [(e["_t"] > t, e["status"]["err"]) for e in w.all("status")]
    assert not [err for after, err in later if after and err and err != first[1]]
    # A shutdown is not a logout.
    assert not [e for e in server.log.all("register") if "1970" in str(e.json.get("Expiry"))]


@pytest.mark.rows("SHUT-01")
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_as_soon_as_the_socket_is_there(server, make_daemon, sig):
    """It is not lost and ends no process, although the daemon is not up yet."""
    for _ in range(5):
        d = make_daemon(server, start=False, login="manual", log_level="info")
        d.spawn()
        while not os.path.exists(d.socket):
            assert d.proc.poll() is None
        d.proc.send_signal(sig)
        if sig in (signal.SIGTERM, signal.SIGINT):
            assert d.wait_exit() == 0 and not os.path.exists(d.socket)
        else:
            word = "configuration reloaded" if sig == signal.SIGHUP else "state:"
            until(lambda d=d, word=word: word in d.log(), 10 * SLOW, word)
            assert d.stop() == 0


@pytest.mark.rows("SHUT-03", "PERS-02")
def test_still_registered_after_shutdown(server, daemon):
    before = daemon.status()
    daemon.ctl("shutdown")
    assert daemon.wait_exit() == 0
    daemon.start()
    s = daemon.wait_sync()
    assert (s["nodeKey"], s["machineKey"], s["self"]["ID"]) == (before["nodeKey"], before["machineKey"],
                                                                before["self"]["ID"])
    assert len(server.tailnet.nodes) == 1


@pytest.mark.rows("SHUT-02")
def test_no_zombies(server, daemon):
    for _ in range(3):
        daemon.ctl("logout")
        daemon.ctl("login auth-key=" + AUTH_KEY)
        daemon.wait_sync()
    until(lambda: not zombies(daemon.pid), 5, "no zombie")


@pytest.mark.rows("PERS-01")
def test_machine_key_never_changes(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    machine = d.wait_sync()["machineKey"]
    path = os.path.join(d.state_dir, "state")
    st = os.stat(path)
    assert stat.S_IMODE(st.st_mode) == 0o600 and stat.S_IMODE(os.stat(d.state_dir).st_mode) == 0o700
    assert "privkey:" in d.state_text()
    d.restart()
    assert d.wait_sync()["machineKey"] == machine
    d.ctl("logout")
    assert d.status()["machineKey"] == machine
    d.ctl("login auth-key=" + AUTH_KEY)
    assert d.wait_sync()["machineKey"] == machine
    assert {e.machine for e in server.log.all("handshake")} == {machine}
    for name in os.listdir(d.state_dir):
        assert stat.S_IMODE(os.stat(os.path.join(d.state_dir, name)).st_mode) & 0o077 == 0, name


@pytest.mark.rows("PERS-02")
def test_pause_survives_a_restart(server, daemon):
    daemon.ctl("pause")
    mark = server.log.mark()
    daemon.restart()
    time.sleep(1)
    s = daemon.status()
    assert s["paused"] and s["nodeKey"] and not server.log.all("accept", since=mark)
    daemon.ctl("unpause")
    daemon.wait_sync()
    daemon.restart()
    assert not daemon.wait_sync()["paused"]


@pytest.mark.rows("PERS-03", "ROT-05")
def test_killed_at_any_instant(server, make_daemon):
    """kill -9 somewhere in logins and logouts: always the old or the new state, always the same machine."""
    r = random.Random(3)
    d = make_daemon(server, auth_key=AUTH_KEY)
    machine = d.wait_sync()["machineKey"]
    for i in range(12):
        with d.connect() as a:
            a.sendall(b"logout\n" if i % 2 == 0 else b"login auth-key=" + AUTH_KEY.encode() + b"\n")
            time.sleep(r.random() * 0.03)
            d.kill()
        d.start()
        s = d.status()
        assert s["machineKey"] == machine
        assert not [h for h in s["health"] if "state" in h["code"]], s["health"]
        assert d.state_text().startswith("tailnetd-state 1\n")
        if s["nodeKey"]:
            d.wait_sync()
        else:
            d.ctl("login auth-key=" + AUTH_KEY)
            d.wait_sync()
        assert not [n for n in os.listdir(d.state_dir) if "tmp" in n or n.startswith("state.n")]


def spoil(kind, path):
    with open(path, "rb") as f:
        data = f.read()
    if kind == "flip":
        i = data.index(b"privkey:") + 20
        data = data[:i] + bytes([data[i] ^ 1]) + data[i + 1:]
    elif kind == "cut":
        data = data[:len(data) // 2]
    elif kind == "empty":
        data = b""
    elif kind == "garbage":
        data = os.urandom(500)
    elif kind == "huge":
        data = data + b"# x\n" * 100000
    elif kind == "newer":
        data = data.replace(b"tailnetd-state 1", b"tailnetd-state 2")
    with open(path, "wb") as f:
        f.write(data)


def fingerprint(directory):
    out = {}
    for n in os.listdir(directory):
        p = os.path.join(directory, n)
        with open(p, "rb") as f:
            out[n] = (f.read(), os.stat(p).st_mtime_ns, os.stat(p).st_mode)
    return out


@pytest.mark.rows("PERS-04")
@pytest.mark.parametrize("kind", ["flip", "cut", "empty", "garbage", "huge", "newer"])
def test_spoilt_state(server, daemon, kind):
    """Both generations bad: exit 78, one line that says so, nothing touched, nothing sent."""
    assert daemon.stop() == 0
    for name in ("state", "state.prev"):
        path = os.path.join(daemon.state_dir, name)
        if os.path.exists(path):
            spoil(kind, path)
    before = fingerprint(daemon.state_dir)
    mark = server.log.mark()
    daemon.spawn()
    assert daemon.wait_exit() == 78
    with open(daemon.logs[-1]) as f:
        lines = [x for x in f.read().splitlines() if "debug:" not in x and "info:" not in x]
    assert len(lines) == 1 and daemon.state_dir in lines[0], lines
    assert fingerprint(daemon.state_dir) == before
    assert not server.log.all("accept", since=mark)


@pytest.mark.rows("PERS-04")
def test_previous_state_is_used(server, daemon):
    machine = daemon.status()["machineKey"]
    assert daemon.stop() == 0
    assert os.path.exists(os.path.join(daemon.state_dir, "state.prev"))
    spoil("cut", os.path.join(daemon.state_dir, "state"))
    daemon.start()
    s = daemon.wait_sync()
    assert s["machineKey"] == machine and any(h["code"] == "state-recovered" for h in s["health"])


@pytest.mark.rows("PERS-04")
@pytest.mark.parametrize("what", ["file-mode", "dir-mode", "link", "missing"])
def test_state_that_others_could_have_made(server, daemon, what):
    assert daemon.stop() == 0
    path = os.path.join(daemon.state_dir, "state")
    if what == "file-mode":
        for name in ("state", "state.prev"):
            os.chmod(os.path.join(daemon.state_dir, name), 0o644)
    elif what == "dir-mode":
        os.chmod(daemon.state_dir, 0o777)
    elif what == "link":
        os.rename(path, path + ".real")
        os.symlink(path + ".real", path)
        os.unlink(path + ".prev")
    else:
        os.unlink(path)
        os.unlink(path + ".prev")
    mark = server.log.mark()
    daemon.spawn()
    assert daemon.wait_exit() in (78, 1)
    with open(daemon.logs[-1]) as f:
        text = f.read()
    assert "state" in text and not server.log.all("accept", since=mark)
    assert not os.path.exists(path) or what != "missing", "a new identity in silence"


@pytest.mark.rows("PERS-05")
def test_unchanged_state_is_not_rewritten(server, daemon):
    server.log.wait("lite")
    path = os.path.join(daemon.state_dir, "state")

    def seen():
        st = os.stat(path)
        return st.st_ino, st.st_mtime_ns
    until(lambda: daemon.status()["self"], 5)
    time.sleep(0.3)
    before = seen()
    m = server.map()
    for i in range(5):
        m.send({"Node": server.node().json("example.test"), "Domain": "x%d." % i})
    m.end()
    server.map(after=m)
    daemon.wait_sync()
    daemon.ctl("login")
    daemon.wait_sync()
    assert seen() == before
    daemon.restart()
    daemon.wait_sync()
    assert seen() == before


@pytest.mark.rows("PERS-06")
def test_what_is_never_stored(server, daemon):
    s = daemon.status()
    server.map().send({"PopBrowserURL": server.url + "/secret-url"})
    text = daemon.state_text()
    assert s["discoKey"][9:] not in text and "secret-url" not in text and AUTH_KEY not in text
    assert text.count("privkey:") == 2
