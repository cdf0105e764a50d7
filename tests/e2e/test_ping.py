# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Pings and requests of the server (behaviours.md 19)."""
import base64
import time

import pytest
from controlserver import Server, dumps
from harness import AUTH_KEY, SLOW, until

pytestmark = pytest.mark.usefixtures("programs")


def c2n(server, url, request, **more):
    """Sends an HTTP request down the map stream; the answer as (head, body)."""
    server.map().send({"PingRequest": dict({"URL": url, "Types": "c2n", "Payload": base64.b64encode(request).decode()},
                                           **more)})
    e = server.log.wait("rpc", path="/" + url.split("/", 3)[3])
    head, _, body = e.body.partition(b"\r\n\r\n")
    return head.decode(), body, e


@pytest.mark.rows("PING-01", "PING-02")
def test_head_pings(server, daemon):
    m = server.map()
    for path in ("/ping/a", "/ping/a", "/ping/b", ""):
        m.send({"PingRequest": {"URL": server.url + path if path else ""}})
    server.log.wait("http", method="HEAD", path="/ping/b")
    m.send({"Domain": "goes.on"})
    daemon.wait_netmap(lambda n: n["Domain"] == "goes.on")
    assert [e.path for e in server.log.all("http", method="HEAD")] == ["/ping/a", "/ping/b"]


@pytest.mark.rows("PING-01")
def test_a_ping_that_hangs_holds_nothing_up(server, daemon):
    m = server.map()

    async def hang(req):
        if req.path == "/ping/hang":
            import asyncio
            await asyncio.sleep(100)
    server.on_http = hang
    m.send({"PingRequest": {"URL": server.url + "/ping/hang"}})
    server.log.wait("http", path="/ping/hang")
    t = time.monotonic()
    m.send({"Domain": "not.blocked"})
    daemon.wait_netmap(lambda n: n["Domain"] == "not.blocked")
    assert time.monotonic() - t < 5


@pytest.mark.rows("PING-03", "PING-04")
def test_c2n_echo(server, daemon):
    m = server.map()
    head, body, e = c2n(server, "https://unused/c2n/1",
                        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
    assert head.startswith("HTTP/1.1 200") and body.endswith(b"hello")
    assert e.conn == m.conn.id and dict(e.headers)[":method"] == "POST"
    head, _, _ = c2n(server, "https://unused/c2n/2", b"GET /no/such/path HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith("HTTP/1.1 400")
    m.send({"PingRequest": {"URL": "https://unused/c2n/3", "Types": "c2n", "Payload": "!!!"}, "Domain": "bad.payload"})
    until(lambda: server.map() is not m or daemon.netmap()["Domain"] == "bad.payload")
    daemon.wait_sync()


@pytest.mark.rows("PING-05")
def test_c2n_gives_nothing_away(server, daemon):
    """Whatever is asked for: no path has a key in its answer, and the answer is sent through Noise only."""
    keys = daemon.private_keys()
    everything = b""
    for i, path in enumerate(("/debug/prefs", "/debug/netmap", "/debug/metrics", "/debug/health", "/debug/goroutines",
                              "/debug/pprof/heap", "/update", "/ssh/usernames", "/posture/identity",
                              "/remoteapi/localapi/v0/prefs",
                              "/../../state", "/echo?x")):
        for method in ("GET", "POST"):
            url = "%s/c2n/%s%d" % (server.url, method, i)
            head, body, _ = c2n(server, url, b"%s %s HTTP/1.1\r\nHost: x\r\n\r\n" % (method.encode(), path.encode()),
                                URLIsNoise=False)
            everything += head.encode() + body
            assert path.startswith("/echo") or " 40" in head.splitlines()[0], head
    assert b"privkey" not in everything
    for k in keys:
        assert k not in everything and k.hex().encode() not in everything
    assert not [e for e in server.log.all("http") if e.path.startswith("/c2n")]


@pytest.mark.rows("PING-06")
def test_pings_that_are_not_made(server, daemon):
    """Other hosts, other kinds: a line in the log at most, and never a crash."""
    with Server() as other:
        m = server.map()
        for ping in ({"URL": other.url + "/ping/elsewhere"}, {"URL": "file:///etc/passwd"},
                     {"URL": "http://169.254.169.254/x"},
                     {"URL": server.url + "/pong", "Types": "disco,TSMP,ICMP,peerapi", "IP": "100.64.0.9"},
                     {"URL": server.url + "/pong2", "Types": "unheard-of"}):
            m.send({"PingRequest": ping})
        m.send({"Domain": "still.fine"})
        daemon.wait_netmap(lambda n: n["Domain"] == "still.fine")
        time.sleep(1)
        assert server.map() is m and not other.log.all("accept")
        assert not server.log.all("http", method="HEAD")


@pytest.mark.rows("PING-01", "PING-02")
def test_two_pings_want_the_trust_anchors(tls_server, make_daemon, ca):
    """mapd asks for them with each ping; the second copy arrives while the first ping is being dialled with the first
    one."""
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=ca.file)
    d.wait_sync()
    pid = d.child("mapd")
    m = tls_server.map()
    pings = [m.encoded(dumps({"PingRequest": {"URL": tls_server.tls_url + "/ping/%d" % i}})) for i in range(3)]
    m.send_raw(b"".join(pings))
    for i in range(3):
        tls_server.log.wait("http", method="HEAD", path="/ping/%d" % i, timeout=10 * SLOW)
    assert d.child("mapd") == pid and tls_server.map() is m
