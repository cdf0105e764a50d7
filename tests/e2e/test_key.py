# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The server's key (behaviours.md 1)."""
import json
import os
import time
from base64 import b64encode

import pytest
from controlserver import HOLD, Reply
from harness import AUTH_KEY, CtlError, cpu, rss, until

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.rows("KEY-01")
def test_key_first_and_once(server, make_daemon):
    d = make_daemon(server.url + "//", auth_key=AUTH_KEY)
    d.wait_sync()
    heads = server.log.all("http")
    assert (heads[0].method, heads[0].path, heads[0].query) == ("GET", "/key", "v=131")
    assert [h.path for h in heads].count("/key") == 1
    assert all(h.path == "/ts2021" for h in heads[1:]) and len(heads) > 1
    server.check()


@pytest.mark.rows("KEY-02")
@pytest.mark.parametrize("legacy", ["zero", "absent"])
def test_legacy_key_zero_or_absent(server, make_daemon, legacy):
    answer = {"publicKey": server.noise_public, "legacyPublicKey": "mkey:" + "0" * 64}
    if legacy == "absent":
        del answer["legacyPublicKey"]
    server.on_key = lambda req: Reply(200, answer)
    make_daemon(server, auth_key=AUTH_KEY).wait_sync()


@pytest.mark.rows("KEY-03")
@pytest.mark.parametrize("body", [b"0" * 63 + b"a", json.dumps({"legacyPublicKey": "mkey:" + "1" * 64,
                                                               "publicKey": "mkey:" + "0" * 64}).encode()])
def test_server_too_old(server, make_daemon, body):
    server.on_key = lambda req: Reply(200, body)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err("too old")
    server.log.wait("http", n=3, path="/key")
    assert not server.log.all("http", path="/ts2021")
    assert d.status()["errSource"] == "auth"


@pytest.mark.rows("KEY-04")
@pytest.mark.parametrize("answer, words", [
    (Reply(500, b"oh no"), ["500"]),
    (Reply(404, b"x" * 100000), ["404"]),
    (Reply(200, b"\x00\xffgarbage"), []),
    (Reply(200, b'{"publicKey":"mkey:12"}'), []),
    (Reply(200, b'{"publicKey":"nodekey:' + b"1" * 64 + b'"}'), []),
    (Reply(200, b" " * 65537), []),
    (Reply(200, b'{"a":"' + b"x" * 70000, chunked=True), []),
    (b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"y" * 70000, []),
    (b"\x16\x03\x01 not http at all\r\n\r\n", []),
    (Reply(502, endless=b"z" * 50000), ["502"]),
], ids=["500", "404", "garbage", "short-key", "wrong-kind", "64K+1", "chunked", "endless-head", "no-http",
        "502-endless"])
def test_bad_key_answers(server, make_daemon, answer, words):
    server.on_key = lambda req: answer
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_err(*words)
    assert len(s["err"]) <= 600 and s["errSource"] == "auth" and s["state"] == "state:authenticating"
    assert "\n" not in s["err"]
    assert not server.log.all("http", path="/ts2021")
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5
    # A server that works correctly again is accepted again.
    server.on_key = None
    d.start()
    d.wait_sync()


@pytest.mark.rows("KEY-04")
@pytest.mark.parametrize("chunked", [False, True])
def test_good_key_of_any_size(server, make_daemon, chunked):
    """64 KiB are read; in one byte more there is no key, whatever it says."""
    good = json.dumps({"publicKey": server.noise_public}).encode()
    size = [65537]
    server.on_key = lambda req: Reply(200, good + b" " * (size[0] - len(good)), chunked=chunked)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err("key")
    assert not server.log.all("http", path="/ts2021")
    size[0] = 65536
    d.wait_sync()


@pytest.mark.rows("KEY-04", "SHUT-01")
def test_endless_key_body_costs_no_memory(server, make_daemon):
    server.on_key = lambda req: Reply(200, endless=b"{" * 65536)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err()
    top = 0
    for _ in range(20):
        p = d.process("authd")["pid"]
        if p:
            try:
                top = max(top, rss(p))
            except OSError:
                pass
        time.sleep(0.05)
    assert top < 64 << 20
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5


@pytest.mark.rows("KEY-04", "OUT-01", "SHUT-01")
def test_logout_and_shutdown_during_a_stuck_key_fetch(server, make_daemon):
    server.on_key = lambda req: HOLD
    d = make_daemon(server, auth_key=AUTH_KEY)
    server.log.wait("http", path="/key")
    t = time.monotonic()
    try:
        d.ctl("logout")
    except CtlError:
        pass
    assert time.monotonic() - t < 5
    d.wait(lambda s: s["state"] != "state:authenticating")
    d.ctl("login")
    server.log.wait("http", path="/key", n=2)
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5


@pytest.mark.rows("KEY-05")
@pytest.mark.parametrize("kind", ["self-signed", "wrong-name", "expired", "unknown-ca"])
def test_bad_certificates(make_server, make_daemon, ca, kind):
    ctx = {"self-signed": dict(self_signed=True), "wrong-name": dict(names=["wrong.example", "127.0.0.2"]),
           "expired": dict(expired=True), "unknown-ca": {}}[kind]
    s = make_server(tls=ca.context(**ctx))
    s.tailnet.add_auth_key(AUTH_KEY)
    how = {} if kind == "unknown-ca" else {"ca_file": ca.file}
    d = make_daemon(s.tls_url, auth_key=AUTH_KEY, **how)
    d.wait_err("certificate")
    d.wait_err("certificate")
    assert not s.log.all("http") and not s.log.all("register")
    assert not s.log.all("accept", port="clear"), "it went over to clear text"


@pytest.mark.rows("KEY-05")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_good_certificate(tls_server, make_daemon, ca, host):
    d = make_daemon(tls_server.tls_url.replace("127.0.0.1", host), auth_key=AUTH_KEY, ca_file=ca.file)
    d.wait_sync()
    assert not tls_server.log.all("accept", port="clear")
    tls_server.check()


@pytest.mark.rows("KEY-06")
def test_key_connection_is_closed(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    conn = server.log.all("http", path="/key")[0].conn
    server.log.wait("closed", conn=conn, timeout=10)


@pytest.mark.rows("KEY-07")
@pytest.mark.parametrize("capver", [None, 113, 145])
def test_one_capability_version(server, make_daemon, capver):
    d = make_daemon(server, auth_key=AUTH_KEY, **({"capability_version": capver} if capver else {}))
    d.wait_sync()
    server.log.wait("lite")
    want = capver or 131
    assert [h.query for h in server.log.all("http", path="/key")] == ["v=%d" % want]
    assert {e.version for e in server.log.all("handshake")} == {want}
    for kind in ("register", "map", "lite"):
        got = {e.json["Version"] for e in server.log.all(kind)}
        assert got == {want}, kind
    assert d.status()["capabilityVersion"] == want


@pytest.mark.rows("KEY-08")
def test_changed_server_key_is_refused_until_accepted(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    old = d.wait_sync()["serverKey"]
    assert old == server.noise_public
    new = server.rekey()
    server.drop_all()
    s = d.wait(lambda s: any(h["code"] == "server-key-changed" for h in s["health"]), what="server-key-changed")
    assert s["serverKey"] == old and not s["synced"]
    info = d.ctl("server-key")
    assert (info["serverKey"], info["offered"], info["source"]) == (old, new, "first-use")
    assert d.log().count(" warn: server-key-changed: ") == 1
    mark = server.log.mark()
    with pytest.raises(CtlError):
        d.ctl("server-key accept nodekey:" + "1" * 64)
    assert d.ctl("server-key accept " + new) == {"ok": True}
    s = d.wait_sync()
    assert s["serverKey"] == new and not any(h["code"] == "server-key-changed" for h in s["health"])
    assert d.ctl("server-key")["source"] == "accepted"
    assert "server key mkey [%s] accepted by uid %d" % (b64encode(bytes.fromhex(new[5:])).decode()[:5],
                                                        os.getuid()) in d.log()
    assert server.log.count("handshake", since=mark)
    # The pin and the node survive a restart.
    node = s["nodeKey"]
    d.restart()
    s = d.wait_sync()
    assert (s["serverKey"], s["nodeKey"]) == (new, node)


@pytest.mark.rows("KEY-08")
def test_pinned_by_configuration(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, server_key=server.noise_public)
    d.wait_sync()
    assert not server.log.all("http", path="/key")
    assert d.ctl("server-key")["source"] == "config"
    server.rekey()
    server.drop_all()
    d.wait(lambda s: not s["synced"] and s["err"])
    until(lambda: server.log.count("handshake-bad") >= 3, what="tries with the pinned key")
    before = cpu(d.pid)
    assert d.status()["serverKey"] != server.noise_public
    assert cpu(d.pid) - before < 1


@pytest.mark.rows("KEY-05")
def test_no_trust_anchors(tls_server, make_daemon, ca):
    """No request is sent; the log says it once, with the file's name, and with the file it continues by
    itself."""
    d = make_daemon(tls_server.tls_url, start=False, auth_key=AUTH_KEY, log_level="info")
    d.conf["ca-file"] = path = os.path.join(d.dir, "ca.pem")
    d.start()
    d.wait_err("the CA file is missing", "(ca-file)")
    time.sleep(3)
    assert [x.split(": ", 1)[1] for x in d.log().splitlines() if "CA certificates" in x] == [
        "error: CA certificates %s: No such file or directory" % path]
    assert not tls_server.log.all("http")
    with open(ca.file) as f, open(path, "w") as g:
        g.write(f.read())
    s = d.wait_sync()
    assert s["err"] == "" and s["serverKey"] == tls_server.noise_public
