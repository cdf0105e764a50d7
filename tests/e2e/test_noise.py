# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Noise and the early payload (behaviours.md 3 and 4)."""
import base64
import struct

import pytest
from controlserver import noise
from harness import AUTH_KEY

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.rows("NOISE-01")
def test_initiations_never_repeat(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    m = server.map()
    for _ in range(8):
        server.drop_all()
        m = server.map(after=m)
    hs = server.log.all("handshake")
    assert len(hs) >= 9
    assert {e.machine for e in hs} == {d.status()["machineKey"]}
    for part in (slice(5, 37), slice(37, 85), slice(85, 101)):
        assert len({e.init[part] for e in hs}) == len(hs)
    assert len({e.init[:5] for e in hs}) == 1


@pytest.mark.rows("NOISE-02")
def test_hundreds_of_records(server, make_daemon):
    """Counters above 255 each way show the order of their bytes."""
    server.faults.record = 3
    server.tailnet.add_peer(7)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    assert [p["ID"] for p in d.netmap()["Peers"]] == [7]
    conn = server.map().conn
    assert conn.records_out > 300
    # The daemon's own records: its answers to big c2n requests.
    body = b"e" * 60000
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    server.faults.record = 0
    for i in range(20):
        server.map().send({"PingRequest": {"URL": "https://unused/c2n/%d" % i, "Types": "c2n",
                                           "Payload": base64.b64encode(request).decode()}})
        assert server.log.wait("rpc", path="/c2n/%d" % i).body.endswith(body)
    assert conn.records_in > 300
    server.check()


def flip(i):
    def do(conn, response):
        r = bytearray(response)
        r[i] ^= 0x41
        return bytes(r)
    return do


@pytest.mark.rows("NOISE-03")
def test_bad_responses(server, make_daemon):
    """Nothing is registered over a handshake with one wrong byte, another length, type or partner."""
    good = []

    def stranger(conn, response):
        r = noise.Responder(noise.new_private())
        r.sym = noise.Symmetric(131)
        r.sym.k = bytes(32)
        r.re, r.client = (noise.public(noise.new_private()) for _ in "ab")
        return r.write()

    def replay(conn, response):
        good.append(response)
        return good[0] if len(good) > 1 else flip(50)(conn, response)

    steps = [flip(i) for i in (0, 1, 2, 3, 20, 34, 35, 50)] + [
        stranger, replay, replay,
        lambda c, r: b"\x02\x00\x2f" + r[3:50], lambda c, r: b"\x02\x00\x31" + r[3:] + b"\0",
        lambda c, r: b"\x02\x00\x30" + bytes(32) + r[35:], lambda c, r: r[:20]]
    count = len(steps)

    def step(conn, response):
        if steps:
            out = steps.pop(0)(conn, response)
            if len(out) < 51:
                conn.later(conn.close)
            return out
        return response
    server.on_response = step
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync(timeout=90)
    hs = server.log.all("handshake")
    assert not steps and len(hs) > count
    assert server.log.all("register")[0].t > hs[count].t
    assert server.log.count("violation") == 0


@pytest.mark.rows("NOISE-04")
def test_error_frame_is_only_a_hint(server, make_daemon):
    text = b"\x1b[31mred\x07 \xff\n'quoted' " + b"A" * 65535
    server.on_response = lambda conn, r: b"\x03\xff\xff" + text[:65535]
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_err("red")
    assert len(s["err"]) < 1000 and all(c.isprintable() for c in s["err"])
    assert "\x1b" not in d.log() and "\x07" not in d.log()
    e = server.log.wait("handshake", n=2)
    server.log.wait("closed", conn=e.conn, timeout=15)
    server.on_response = None
    d.wait_sync()


@pytest.mark.rows("NOISE-05")
def test_frames_never_too_big(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    server.log.wait("lite")
    mark = server.log.mark()
    services = [{"Proto": "tcp", "Port": 1000 + i, "Description": "service %05d " % i + "x" * 40} for i in range(400)]
    text = '{"Services":[%s]}' % ",".join(
        '{"Proto":"%(Proto)s","Port":%(Port)d,"Description":"%(Description)s"}' % s for s in services)
    assert d.ctl("set hostinfo " + text) == {"ok": True, "changed": True}
    lite = server.log.wait("lite", since=mark)
    assert lite.json["Hostinfo"]["Services"] == services and len(lite.body) > 4 * 4096
    conn = server.map().conn
    assert conn.largest <= 4096
    server.drop_all()
    assert server.log.wait("closed", conn=conn.id).largest <= 4096
    server.check()


@pytest.mark.rows("NOISE-05", "NOISE-07")
@pytest.mark.parametrize("frame", [b"\x04\xff\xff", b"\x04\x0f\xfe" + bytes(4094)], ids=["65535", "4094"])
def test_frame_too_long(server, daemon, frame):
    m = server.map()
    m.conn.send_raw(frame)
    server.log.wait("closed", conn=m.conn.id, timeout=10)
    assert server.map(after=m).conn is not m.conn
    daemon.wait_sync()


@pytest.mark.rows("NOISE-05")
def test_longest_frames_arrive(server, daemon):
    """4093 bytes of ciphertext are the maximum, and are accepted."""
    m = server.map()
    server.tailnet.add_peer(5)
    m.send({"Peers": [{**server.tailnet.peers[0], "CapMap": {"x": ["y" * 30000]}}]})
    nm = daemon.wait_netmap(lambda n: n["Peers"])
    assert nm["Peers"][0]["CapMap"]["x"] == ["y" * 30000]
    assert server.map() is m


@pytest.mark.rows("NOISE-06")
@pytest.mark.parametrize("how", [
    dict(chunk=1, cork=False), dict(record=1, empty_records=5), dict(chunk=7, record=3, empty_records=1),
    dict(record=4077)], ids=["trickle", "tiny-records", "both", "batch"])
def test_cut_everywhere(server, make_daemon, how):
    for k, v in how.items():
        setattr(server.faults, k, v)
    server.tailnet.add_peer(9)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync(timeout=90)
    assert [p["ID"] for p in d.netmap()["Peers"]] == [9]
    server.check()


@pytest.mark.rows("NOISE-07")
@pytest.mark.parametrize("bad", ["flip", "cut", "type", "short", "replay"])
def test_a_broken_connection_stays_broken(server, daemon, bad):
    m = server.map()
    last = []

    def spoil(conn, n, rec):
        if conn is not m.conn:
            return rec
        last.append(rec)
        if bad == "flip":
            return rec[:9] + bytes([rec[9] ^ 1]) + rec[10:]
        if bad == "cut":
            return b"\x04" + struct.pack(">H", len(rec) - 4) + rec[3:-1]
        if bad == "type":
            return b"\x05" + rec[1:]
        if bad == "short":
            return b"\x04\x00\x0f" + bytes(15)
        return rec if len(last) == 1 else last[0]
    server.on_record = spoil
    for _ in range(3):
        m.keepalive()
    gone = server.log.wait("closed", conn=m.conn.id, timeout=10)
    new = server.map(after=m)
    assert new.conn is not m.conn
    hs = server.log.all("handshake")
    assert len({e.init for e in hs}) == len(hs)
    daemon.wait_sync()
    assert gone.largest <= 4096
    assert not [e for e in server.log.all(conn=m.conn.id) if e.t > gone.t and e.kind != "map-close"]


@pytest.mark.rows("EARLY-01", "EARLY-02")
@pytest.mark.parametrize("early", ["given", "none", "empty-object"])
def test_early_payload(server, make_daemon, early):
    if early == "none":
        server.early = None
    elif early == "empty-object":
        server.early = b"\xff\xff\xffTS\0\0\0\x02{}"
    make_daemon(server, auth_key=AUTH_KEY).wait_sync()
    server.check()


@pytest.mark.rows("EARLY-03")
@pytest.mark.parametrize("size, chunk", [(1, 0), (4, 3), (9, 1), (10, 0)])
def test_early_payload_in_pieces(server, make_daemon, size, chunk):
    server.faults.early_record, server.faults.chunk = size, chunk
    body = b'{"unknown":[1,2,{"a":null}],"nodeKeyChallenge":"chalpub:' + b"ab" * 32 + b'","more":"x"}'
    server.early = b"\xff\xff\xffTS" + struct.pack(">I", len(body)) + body
    make_daemon(server, auth_key=AUTH_KEY).wait_sync()
    server.check()


@pytest.mark.rows("EARLY-02", "EARLY-03")
def test_settings_header_in_pieces(server, make_daemon):
    """The nine bytes that turn out to be HTTP/2 come one per record."""
    server.early, server.faults.record, server.faults.cork = None, 1, False
    make_daemon(server, auth_key=AUTH_KEY).wait_sync()
    server.check()


@pytest.mark.rows("EARLY-03")
@pytest.mark.parametrize("early", [
    b"\xff\xff\xffTS\xff\xff\xff\xff" + b"x" * 100, b"\xff\xff\xffTS\x00\xa0\x00\x01" + b"x" * 100,
    b"\xff\xff\xffTS\0\0\0\x05hello", b"\xff\xff\xffTS\0\0\0\0"], ids=["4G", "10M+1", "not-json", "empty"])
def test_bad_early_payload(server, make_daemon, early):
    server.early = early
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_err("early")
    e = server.log.wait("handshake", n=3)
    server.log.wait("closed", conn=e.conn, timeout=10)
    assert not d.status()["loggedIn"]
    server.early = None
    d.wait_sync()


@pytest.mark.rows("EARLY-04")
def test_preface_is_not_waited_for(server, make_daemon):
    server.faults.settings_after_preface, server.early = True, None
    make_daemon(server, auth_key=AUTH_KEY).wait_sync()
    server.check()
