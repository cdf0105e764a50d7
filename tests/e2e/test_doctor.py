# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The command doctor (interface.md 8): every step one by one, and nothing else changes by it."""
import contextlib
import json
import os
import signal
import socket
import threading
import time
import types

import pytest
from controlserver import HOLD, Reply
from harness import AUTH_KEY, CtlError, stays, until

NAMES = ["name resolution", "TCP", "TLS", "/key", "upgrade", "Noise", "HTTP/2", "register"]
pytestmark = pytest.mark.usefixtures("programs")


def by_name(lines):
    assert [x["name"] for x in lines] == NAMES[:len(lines)], "in order, none left out"
    assert all(set(x) == {"name", "ok", "ms", "text"} for x in lines)
    return {x["name"]: x for x in lines}


def asking():
    return types.SimpleNamespace(query="v=131")


def no_doctor(d):
    """Its process has ended and left nothing behind."""
    until(lambda: len([p for p in d.tree()]) <= 3, 5, "the doctor's process is gone")


def test_all_is_well(server, daemon):
    before = daemon.status()
    streams = len(server.log.all("map"))
    w = daemon.watch()
    mark = w.mark()
    got = by_name(daemon.ask("doctor"))
    assert len(got) == 8 and all(x["ok"] for x in got.values()), got
    assert got["TLS"]["ms"] is None and got["name resolution"]["ms"] is None
    assert all(0 <= got[n]["ms"] < 5000 for n in NAMES if n not in ("TLS", "name resolution"))
    assert "as pinned" in got["/key"]["text"] and before["serverKey"] in got["/key"]["text"]
    assert str(server.port) in got["TCP"]["text"] and str(server.port) in got["upgrade"]["text"]
    no_doctor(daemon)
    after = daemon.status()
    for k in ("state", "nodeKey", "oldNodeKey", "machineKey", "mapStreams", "err", "loggedIn", "synced", "goal",
              "expiry"):
        assert before[k] == after[k], k
    assert len(server.log.all("map")) == streams and len(server.tailnet.nodes) == 1
    assert not w.all(since=mark), "no event of it"
    regs = server.log.all("register")
    assert len(regs) == 2 and regs[1].json["NodeKey"] == before["nodeKey"] and "Auth" not in regs[1].json


def test_https_and_a_name(tls_server, make_daemon, ca):
    d = make_daemon(tls_server.tls_url.replace("127.0.0.1", "localhost"), auth_key=AUTH_KEY, ca_file=ca.file)
    d.wait_sync()
    got = by_name(d.ask("doctor"))
    assert len(got) == 8 and all(x["ok"] for x in got.values()), got
    assert "127.0.0.1" in got["name resolution"]["text"] and got["name resolution"]["ms"] >= 0
    assert got["TLS"]["ms"] > 0 and "TLS" in got["upgrade"]["text"]


def test_before_login(server, make_daemon):
    """No key is pinned, nothing is logged in: up to the last possible step, without a registration at the server."""
    d = make_daemon(server, login="manual")
    got = by_name(d.ask("doctor"))
    assert len(got) == 8 and all(x["ok"] for x in got.values()), got
    assert "none is pinned" in got["/key"]["text"]
    assert got["register"]["ms"] is None and "not logged in" in got["register"]["text"]
    assert not server.log.all("register") and not server.tailnet.nodes
    assert d.ctl("server-key")["serverKey"] == "", "looking is not trusting"


@pytest.mark.parametrize("where", ["name", "tcp", "tls", "key", "key-other", "upgrade", "noise", "http2", "register"])
def test_the_step_that_fails(server, make_server, make_daemon, ca, where):
    url, conf, words = server.url, {}, ()
    if where == "name":
        url, words, at = "https://no-such-host.invalid", ("no-such-host",), 0
    elif where == "tcp":
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            url, words, at = "http://127.0.0.1:%d" % s.getsockname()[1], ("refused",), 1
    elif where == "tls":
        other = make_server(tls=ca.context())  # good, but of a CA that this machine does not know
        url, words, at = other.tls_url, ("certificate",), 2
    elif where == "key":
        server.on_key = lambda req: Reply(503, b"later")
        words, at = ("503",), 3
    elif where == "key-other":
        conf, words, at = {"server_key": "mkey:" + "7" * 64}, ("not the pinned key",), 3
    elif where == "upgrade":
        server.on_upgrade = lambda req: Reply(403, b"no")
        words, at = ("upgrade", "403"), 4
    elif where == "noise":
        served = server.key_reply(asking())
        server.on_key = lambda req: served
        server.rekey()  # /key returns the old one: the handshake does not decrypt
        words, at = ("Noise",), 5
    elif where == "http2":
        server.early = b"\xff\xff\xffTS\xff\xff\xff\xff"  # an early payload of 4 GiB
        words, at = ("early",), 6
    else:
        words, at = ("new login",), 7
    if where == "register":
        d = make_daemon(url, auth_key=AUTH_KEY)
        d.wait_sync()
        server.on_register = lambda req: Reply(200, {"AuthURL": server.url + "/a/b"})
        state = d.status()["state"]
    else:
        d = make_daemon(url, login="manual", **conf)
        state = d.status()["state"]
    lines = d.ask("doctor")
    got = by_name(lines)
    assert len(got) == at + 1, lines
    assert [x["ok"] for x in lines] == [True] * at + [False], lines
    assert all(w in lines[-1]["text"] for w in words), lines[-1]
    assert d.status()["state"] == state and d.status()["err"] == ""
    no_doctor(d)


@pytest.mark.parametrize("where", ["certificate", "/key"])
def test_what_a_pinned_key_makes_needless(tls_server, make_daemon, ca, where):
    """H2 of the faults: the daemon is synchronized without a valid certificate, as with a wrong clock, and without
    /key: the doctor does not say FAILED there."""
    conf = {"ca_file": ca.file} if where == "/key" else {}
    tls_server.on_key = lambda req: Reply(503, b"later")
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, server_key=tls_server.noise_public, **conf)
    d.wait_sync()
    got = by_name(d.ask("doctor"))
    assert len(got) == 8 and all(x["ok"] for x in got.values()), got
    at, words = ("TLS", "certificate") if where == "certificate" else ("/key", "503")
    assert "not needed" in got[at]["text"] and words in got[at]["text"] and got["/key"]["text"].startswith("not needed")
    assert d.tailnetctl("doctor").returncode == 0


@pytest.mark.parametrize("url", ["url", "tls_url"])
def test_a_proxy_that_refuses(tls_server, make_daemon, url):
    """H2 of the faults: 407 is the proxy's, not one of TLS or of the upgrade."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)

        def refuse():
            with contextlib.suppress(OSError):
                while True:
                    c, _ = listener.accept()
                    with c:
                        c.recv(4096)
                        c.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        threading.Thread(target=refuse, daemon=True).start()
        port = listener.getsockname()[1]
        d = make_daemon(getattr(tls_server, url), login="manual", proxy="http://127.0.0.1:%d" % port)
        last = d.ask("doctor")[-1]
        assert last["name"] == "proxy" and not last["ok"] and "407" in last["text"], last
        listener.shutdown(socket.SHUT_RDWR)


def test_one_at_a_time_and_gone_clients(server, daemon):
    server.on_key = lambda req: HOLD
    s = daemon.connect()
    s.sendall(b"doctor\n")
    until(lambda: len(server.log.all("http", path="/key")) >= 2, 5, "the doctor asks for the key")
    with pytest.raises(CtlError) as e:
        daemon.ask("doctor")
    assert e.value.code == "busy"
    s.close()  # the client disconnects: the doctor stops
    no_doctor(daemon)
    server.on_key = None
    assert all(x["ok"] for x in daemon.ask("doctor"))
    for _ in range(5):  # the process of the one before may still be ending
        assert all(x["ok"] for x in daemon.ask("doctor"))
    stays(lambda: daemon.status()["synced"], 0.3, "synced")


def test_its_process_dies(server, daemon):
    server.on_key = lambda req: HOLD
    s = daemon.connect()
    s.sendall(b"doctor\n")
    until(lambda: len(server.log.all("http", path="/key")) >= 2, 5, "the doctor asks for the key")
    before = {daemon.process(n)["pid"] for n in ("authd", "mapd")}
    for pid in daemon.tree():
        if pid != daemon.pid and pid not in before:
            os.kill(pid, signal.SIGKILL)
    out = b""
    while True:
        p = s.recv(65536)
        if not p:
            break
        out += p
    s.close()
    assert b"was killed by signal 9" in out.splitlines()[-2] and daemon.status()["synced"]


def test_paused(server, daemon):
    daemon.ctl("pause")
    n = len(server.log.all("accept"))
    with pytest.raises(CtlError) as e:
        daemon.ask("doctor")
    assert e.value.code == "invalid" and "paused" in str(e.value)
    time.sleep(0.3)
    assert len(server.log.all("accept")) == n


def test_tailnetctl(server, daemon):
    r = daemon.tailnetctl("doctor")
    lines = r.stdout.splitlines()
    assert r.returncode == 0 and len(lines) == 8, r
    assert all(line.startswith("ok ") for line in lines) and " ms " in lines[1]
    server.on_upgrade = lambda req: Reply(500, b"x")
    r = daemon.tailnetctl("doctor")
    assert r.returncode == 1 and r.stdout.splitlines()[-1].startswith("FAILED")
    q, j = daemon.tailnetctl("-q", "doctor"), daemon.tailnetctl("-j", "doctor")
    assert (q.returncode, q.stdout, q.stderr) == (1, "", "")
    steps, end = j.stdout.splitlines()[:-1], json.loads(j.stdout.splitlines()[-1])["end"]
    assert j.returncode == 1 and j.stderr == "" and [json.loads(x)["ok"] for x in steps] == [True] * 4 + [False]
    assert end["count"] == 5
    daemon.ctl("pause")  # an error of the daemon's
    for flags, out in (([], False), (["-q"], False), (["-j"], True)):
        r = daemon.tailnetctl(*flags, "doctor")
        assert r.returncode == 1 and ("paused" in r.stdout) == out, (flags, r)


@pytest.mark.rows("PAU-01")
@pytest.mark.parametrize("where", ["key", "upgrade"])
def test_pause(server, daemon, where):
    """A pause is quiet: the doctor's connections go, too."""
    hook = "on_key" if where == "key" else "on_upgrade"
    path = "/key" if where == "key" else "/ts2021"
    n = len(server.log.all("http", path=path))
    setattr(server, hook, lambda req: HOLD)
    with daemon.connect() as s:
        s.sendall(b"doctor\n")
        conn = server.log.wait("http", path=path, n=n + 1).conn
        daemon.ctl("pause")
        server.log.wait("closed", conn=conn, timeout=2)
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    assert "stopped: paused" in text.splitlines()[-2]
    mark = server.log.mark()
    stays(lambda: not server.log.all("accept", since=mark), 1, "no connection")
    no_doctor(daemon)


@pytest.mark.rows("ROT-04", "OUT-01")
@pytest.mark.parametrize("verb", ["logout", "login interactive auth-key=" + AUTH_KEY])
def test_key_that_goes(server, daemon, verb):
    """What the doctor would send with the present key does not reach the server behind its logout or behind a new
    key."""
    old = daemon.status()["nodeKey"]
    gate = server.gate()
    held = []

    async def hold(req):
        if not held:
            held.append(req)
            await gate.wait()
        return None
    server.on_upgrade = hold
    with daemon.connect() as s:
        s.sendall(b"doctor\n")
        until(lambda: held)
        mark = server.log.mark()
        daemon.ctl(verb)
        if verb == "logout":
            daemon.wait_state("not-authenticated")
        else:
            daemon.wait(lambda st: st["synced"] and st["nodeKey"] not in ("", old))
        gate.open()
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    assert "stopped:" in text.splitlines()[-2]
    time.sleep(0.5)
    regs = server.log.all("register", since=mark)
    assert len(regs) == 1 and [e for e in regs if e.json["NodeKey"] == old] == (regs if verb == "logout" else [])


@pytest.mark.rows("ROT-04")
def test_asked_while_a_new_key_is_registered(server, daemon):
    old = daemon.status()["nodeKey"]
    server.on_register = lambda req: HOLD if req.json["NodeKey"] != old else None
    n = server.log.count("register")
    daemon.ctl("login interactive")
    server.log.wait("register", n=n + 1)
    got = by_name(daemon.ask("doctor"))
    assert got["register"]["ok"] and "under way" in got["register"]["text"] and got["register"]["ms"] is None
    assert server.log.count("register") == n + 1
