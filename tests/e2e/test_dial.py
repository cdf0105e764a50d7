# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Dialling and the upgrade (behaviours.md 2)."""
import base64
import contextlib
import socket
import threading
import time

import pytest
from controlserver import HOLD, Reply
from harness import AUTH_KEY, DEADLINE, Late, stays

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.rows("DIAL-01", "NOISE-01")
def test_upgrade_request(server, make_daemon):
    make_daemon(server, auth_key=AUTH_KEY).wait_sync()
    h = server.log.all("http", path="/ts2021")[0]
    assert h.method == "POST" and h.version == "HTTP/1.1" and h.raw.startswith(b"POST /ts2021 HTTP/1.1\r\n")
    head = {}
    for k, v in h.headers:
        head.setdefault(k.lower(), []).append(v)
    assert head["upgrade"] == ["tailscale-control-protocol"]
    assert [v.lower() for v in head["connection"]] == ["upgrade"]
    assert head["host"] == ["127.0.0.1:%d" % server.port]
    text = head["x-tailscale-handshake"][0]
    init = base64.b64decode(text, validate=True)
    assert len(init) == 101 and base64.b64encode(init).decode() == text
    assert init[:5] == bytes([0, 131, 1, 0, 96])
    assert head.get("content-length") == ["0"]


@pytest.mark.rows("DIAL-01")
@pytest.mark.parametrize("status", [302, 307, 200, 400, 500])
def test_other_status_is_an_error(server, make_server, make_daemon, status):
    other = make_server()
    server.on_upgrade = lambda req: Reply(status, b"sorry", [("Location", other.url + "/ts2021")])
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err(str(status))
    server.log.wait("http", n=3, path="/ts2021")
    assert not other.log.all("accept") and not server.log.all("handshake")


@pytest.mark.rows("DIAL-05")
@pytest.mark.parametrize("cork", [True, False])
def test_bytes_in_the_segment_of_the_head(server, make_daemon, cork):
    server.faults.cork = cork
    make_daemon(server, auth_key=AUTH_KEY).wait_sync()
    server.check()


@pytest.mark.rows("DIAL-05")
def test_header_case(server, make_daemon):
    server.head_101 = (b"HTTP/1.1 101 Whatever\r\nx-other: 1\r\nuPgrAde:Tailscale-Control-PROTOCOL \r\n"
                       b"cONNECTION: keep-alive, UPGRADE\r\n\r\n")
    make_daemon(server, auth_key=AUTH_KEY).wait_sync()


@pytest.mark.rows("DIAL-05")
@pytest.mark.parametrize("head", [
    b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 101 X\r\nUpgrade: tailscale-control-protocol\r\n\r\n",
], ids=["other", "missing", "no-connection"])
def test_wrong_upgrade_value(server, make_daemon, head):
    server.head_101 = head
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err("upgrade")
    assert not server.log.all("register")


@pytest.mark.rows("DIAL-06")
def test_noise_over_unverified_tls(make_server, make_daemon, ca):
    """The certificate matters for /key only: here the server key is pinned and the certificate's CA is unknown."""
    s = make_server(tls=ca.context(names=["wrong.example"], self_signed=True))
    s.tailnet.add_auth_key(AUTH_KEY)
    d = make_daemon(s.tls_url, auth_key=AUTH_KEY, server_key=s.noise_public)
    d.wait_sync()
    assert s.log.all("tls") and all(e.alpn != "h2" for e in s.log.all("tls"))
    s.check()


@pytest.mark.rows("DIAL-06")
def test_certificate_that_goes_bad_after_the_key(tls_server, make_daemon, ca):
    bad = ca.context(self_signed=True, names=["wrong.example"])
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=ca.file)
    d.wait_sync()
    m = tls_server.map()

    def swap(sslobj, name, ctx):
        sslobj.context = bad
    tls_server.tls.sni_callback = swap
    tls_server.drop_all()
    tls_server.map(after=m)
    d.wait_sync()
    assert all(e.alpn != "h2" for e in tls_server.log.all("tls"))


@pytest.mark.rows("DIAL-08")
@pytest.mark.parametrize("where", ["upgrade", "response", "accept"])
def test_silent_server(server, make_daemon, where):
    """Accepts and says nothing: at most 10 s, then the connection is closed and another try is made."""
    how = {"server_key": server.noise_public}
    if where == "upgrade":
        server.on_upgrade = lambda req: HOLD
    elif where == "response":
        server.on_response = lambda conn, r: None
    else:
        server.on_accept = lambda conn: HOLD
    d = make_daemon(server, auth_key=AUTH_KEY, **how)
    a = server.log.wait("accept")
    c = server.log.wait("closed", conn=a.conn, timeout=20)
    assert 8 < c.t - a.t < 15
    d.wait_err()
    server.log.wait("accept", n=2)
    # Pausing ends the next attempt at once.
    t = time.monotonic()
    d.ctl("pause")
    d.wait(lambda s: s["paused"])
    time.sleep(0.2)  # a connection made just before may be accepted just after
    mark = server.log.mark()
    for e in server.log.all("accept"):
        server.log.wait("closed", conn=e.conn, timeout=max(0.1, t + 2 - time.monotonic()))
    stays(lambda: not server.log.all("accept", since=mark), 0.5, "no attempt")
    server.on_upgrade = server.on_response = server.on_accept = None
    d.ctl("unpause")
    d.wait_sync()


@contextlib.contextmanager
def black_hole():
    """A port whose SYNs are never answered: the accept queue is full."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(0)
    fill = []
    for _ in range(3):
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(s.getsockname())
        fill.append(c)
    try:
        yield s.getsockname()[1]
    finally:
        for c in fill + [s]:
            c.close()


@pytest.mark.rows("DIAL-08")
def test_black_hole(make_daemon):
    with black_hole() as port:
        d = make_daemon("http://127.0.0.1:%d" % port, auth_key=AUTH_KEY, server_key="mkey:" + "5" * 64)
        t = time.monotonic()
        d.wait_err(timeout=20)
        assert time.monotonic() - t < 15
        for verb, timeout in (("pause", 2), ("unpause", 2), ("status", 2)):
            t = time.monotonic()
            d.ctl(verb)
            assert time.monotonic() - t < timeout
        t = time.monotonic()
        assert d.stop() == 0
        assert time.monotonic() - t < 5


def test_refused_port_is_named(make_daemon):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    d = make_daemon("http://127.0.0.1:%d" % port, auth_key=AUTH_KEY)
    s = d.wait_err("refused")
    assert str(port) in s["err"]


@pytest.mark.rows("DIAL-10")
def test_no_other_address_is_no_failure(server, make_daemon):
    """A silent server with one address: the question for another one counts as no attempt."""
    server.on_upgrade = lambda req: HOLD
    d = make_daemon(server, auth_key=AUTH_KEY, server_key=server.noise_public)
    server.log.wait("http", path="/ts2021")
    time.sleep(6)  # it asks after 2.5 s and 5 s, and gives up after 10 s
    samples = dict(line.rsplit(" ", 1) for line in d.text("metrics").splitlines() if not line.startswith("#"))
    assert float(samples['tailnetd_dials_total{result="failed"}']) == 0
    assert len(server.log.all("accept")) == 2  # authd's and mapd's


def test_server_comes_late(server, make_daemon):
    """An unreachable server is no reason to give up, and is used as soon as it can be reached."""
    server.unlisten()
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err()
    server.listen()
    d.wait_sync()
    assert d.status()["err"] == ""


@pytest.mark.rows("SHUT-02")
def test_no_leaked_connection(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    assert d.stop() == 0
    for e in server.log.all("accept"):
        server.log.wait("closed", conn=e.conn, timeout=2)


def test_many_peers_of_a_port(server, make_daemon):
    """Several daemons side by side on one host."""
    results = []

    def one():
        try:
            make_daemon(server, auth_key=AUTH_KEY).wait_sync()
            results.append(True)
        except Late as e:
            results.append(e)
    threads = [threading.Thread(target=one) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(DEADLINE * 2)
    assert results == [True] * 3
    assert len(server.tailnet.nodes) == 3
