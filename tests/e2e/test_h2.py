# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""HTTP/2 (behaviours.md 5)."""
import json
import struct
import time

import h2.settings
import pytest
from controlserver import DONE, HOLD, big_peers, mapframes
from controlserver.h2frames import DATA, HEADERS, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONT, frame
from harness import AUTH_KEY, rss, until

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.rows("H2-01")
@pytest.mark.parametrize("prefix", ["", "/some/prefix"])
def test_request_headers(make_server, make_daemon, prefix):
    server = make_server(prefix=prefix)
    server.tailnet.add_auth_key(AUTH_KEY)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    server.log.wait("lite")
    node = d.status()["nodeKey"]
    for kind, path in (("register", "/machine/register"), ("map", "/machine/map"), ("lite", "/machine/map")):
        e = server.log.all(kind)[0]
        pseudo = [(k, v) for k, v in e.headers if k.startswith(":")]
        assert sorted(pseudo) == sorted([(":method", "POST"), (":scheme", "https"),
                                         (":authority", "127.0.0.1:%d" % server.port), (":path", prefix + path)])
        assert [v for k, v in e.headers if k == "ts-lb"] == [node]
        assert "accept-encoding" not in dict(e.headers)
    for s in {e.conn: e for e in server.log.all("settings")}.values():
        assert s["values"].get(int(h2.settings.SettingCodes.ENABLE_PUSH)) == 0
    assert {e.path for e in server.log.all("http")} == {prefix + "/key", "/ts2021"}
    server.check()


@pytest.mark.rows("H2-02")
def test_one_connection_per_child(server, daemon):
    m = server.map()
    server.log.wait("lite")
    for i in range(5):
        mark = server.log.mark()
        daemon.ctl('set hostinfo {"DeviceModel":"m%d"}' % i)
        e = server.log.wait("lite", since=mark, json=lambda j, i=i: j["Hostinfo"].get("DeviceModel") == "m%d" % i)
        assert e.conn == m.conn.id
    m.send({"PingRequest": {"URL": "https://unused/some/c2n/path", "Types": "c2n",
                            "Payload": "R0VUIC9lY2hvIEhUVFAvMS4xDQpIb3N0OiB4DQoNCg=="}})
    assert server.log.wait("rpc").conn == m.conn.id
    assert server.map() is m
    hs = server.log.all("handshake")
    assert len(hs) <= 2 and len({e.conn for e in server.log.all("map")}) == 1
    server.check()


@pytest.mark.rows("H2-03")
def test_windows_are_given_back(make_server, make_daemon):
    """20 MB in one message, then 100 MB in small ones, all on one stream."""
    server = make_server()
    server.tailnet.add_auth_key(AUTH_KEY)
    server.encode = lambda data: mapframes.zstd_window(data, 20)  # as big on the wire as decoded
    server.tailnet.raw_peers = big_peers(18000)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync(timeout=120)
    m = server.map()
    assert d.status()["peers"] == 18000
    piece = big_peers(60)
    one = m.encoded(b'{"PeersChanged":[' + piece + b"]}")
    mapd = d.child("mapd")
    sent = 0
    m.send_raw(one * 20)
    time.sleep(0.2)
    before = rss(mapd)
    while sent < 100 << 20:
        m.send_raw(one * 20)
        sent += len(one) * 20
    m.send({"Domain": "done.example"})
    d.wait_netmap(lambda n: n["Domain"] == "done.example", timeout=120)
    assert server.map() is m and d.status()["mapStreams"] == 1
    assert rss(mapd) < before + (64 << 20)
    server.check()


def answer_in_pieces(req):
    """A register answer with a 1xx, CONTINUATION, padding, frames of unknown type and trailers."""
    body = json.dumps(req.server.tailnet.register(req.conn.machine, req.json)[0]).encode()
    sid = req.stream.id
    out = frame(HEADERS, 4, sid, b"\x08\x03103")
    out += frame(0xFA, 0xFF, 0, b"unknown type")
    out += frame(HEADERS, 0, sid, b"\x88") + frame(CONT, 0, sid, b"\x0f\x10\x01") + frame(CONT, 4, sid, b"x")
    out += frame(0xFB, 0, sid, b"on a stream")
    out += frame(DATA, 8, sid, bytes([10]) + body[:20] + bytes(10))
    out += frame(DATA, 0, sid, b"") + frame(DATA, 0, sid, body[20:])
    out += frame(PING, 0, 0, b"pingpong")
    out += frame(HEADERS, 5, sid, b"\x00\x01a\x01b")
    req.conn.plain(out)
    req.stream.closed = True
    return DONE


@pytest.mark.rows("H2-04")
def test_legal_oddities(server, make_daemon):
    server.on_register = answer_in_pieces
    server.faults.pad = 100
    server.tailnet.add_peer(4)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    assert [p["ID"] for p in d.netmap()["Peers"]] == [4]
    server.log.wait("ping-ack", data=b"pingpong")


@pytest.mark.rows("H2-04")
def test_settings_at_any_time(server, daemon):
    m = server.map()
    server.log.wait("lite")
    codes = h2.settings.SettingCodes

    def change():
        m.conn.h2.update_settings({codes.INITIAL_WINDOW_SIZE: 50, codes.HEADER_TABLE_SIZE: 0,
                                   codes.MAX_FRAME_SIZE: 16384})
        m.conn.flush()
    mark = server.log.mark()
    m.conn.later(change)
    server.log.wait("settings-ack", since=mark, conn=m.conn.id)
    # The library ends the connection if the new window is not kept.
    daemon.ctl('set hostinfo {"DeviceModel":"%s"}' % ("m" * 200))
    e = server.log.wait("lite", since=mark)
    assert e.conn == m.conn.id and len(e.body) > 200
    m.conn.later(lambda: (m.conn.h2.ping(b"01234567"), m.conn.flush()))
    server.log.wait("ping-ack", data=b"01234567")
    assert server.map() is m
    server.check()


VIOLATIONS = {
    "push-promise": lambda sid: frame(PUSH, 4, sid, struct.pack(">I", 2) + b"\x82\x87\x84"),
    "data-idle": lambda sid: frame(DATA, 0, sid + 100, b"x"),
    "data-stream-0": lambda sid: frame(DATA, 0, 0, b"x"),
    "oversize": lambda sid: frame(DATA, 0, sid, b"x" * 100000),
    "hpack-index": lambda sid: frame(HEADERS, 4, sid, b"\x80"),
    "hpack-cut": lambda sid: frame(HEADERS, 4, sid, b"\x00\x7f"),
    "hpack-bomb": lambda sid: frame(HEADERS, 5, sid, b"\x40\x01a\x7f\x81\x1e" + b"b" * 4000 + b"\xbe" * 10000),
    "headers-even": lambda sid: frame(HEADERS, 5, 2, b"\x88"),
    "window-0": lambda sid: frame(WINDOW, 0, 0, bytes(4)),
    "window-overflow": lambda sid: frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2,
    "settings-length": lambda sid: frame(SETTINGS, 0, 0, b"12345"),
    "settings-many": lambda sid: frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100) * 1000),
    "settings-push": lambda sid: frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 1)),
    "rst-idle": lambda sid: frame(RST, 0, sid + 100, bytes(4)),
    "ping-length": lambda sid: frame(PING, 0, 0, b"1234567"),
    "continuation-alone": lambda sid: frame(CONT, 4, sid, b"\x88"),
    "continuation-flood": lambda sid: frame(HEADERS, 0, sid, b"") + frame(CONT, 0, sid, b"") * 100,
    "padding": lambda sid: frame(DATA, 8, sid, b"\xffabc"),
    "ping-flood": lambda sid: frame(PING, 0, 0, b"floodded") * 1000,
    "settings-flood": lambda sid: frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 1000,
    "empty-data-flood": lambda sid: frame(DATA, 0, sid, b"") * 5000,
}


@pytest.mark.rows("H2-04")
@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_end_the_connection(server, daemon, name):
    m = server.map()
    server.log.wait("lite")
    pid = daemon.child("mapd")
    w = daemon.watch()
    m.conn.send_plain(VIOLATIONS[name](m.stream.id))
    server.log.wait("closed", conn=m.conn.id, timeout=10)
    w.status(lambda s: not s["synced"] and s["err"])
    new = server.map(after=m)
    assert new.conn is not m.conn
    w.status(lambda s: s["synced"], since=w.mark() - 1)
    assert daemon.child("mapd") == pid
    assert not w.all("child")


@pytest.mark.rows("H2-05")
def test_goaway_lets_the_stream_live(server, daemon):
    m = server.map()
    server.log.wait("lite")
    mark = server.log.mark()
    m.conn.send_plain(frame(GOAWAY, 0, 0, struct.pack(">II", m.stream.id + 10, 0)) + frame(PING, 0, 0, b"goneaway"))
    server.log.wait("ping-ack", data=b"goneaway")
    daemon.ctl('set hostinfo {"DeviceModel":"after goaway"}')
    e = server.log.wait("lite", since=mark)
    assert e.conn != m.conn.id
    m.send({"Domain": "still.here"})
    daemon.wait_netmap(lambda n: n["Domain"] == "still.here")
    assert server.map() is m and daemon.status()["mapStreams"] == 1


@pytest.mark.rows("H2-05")
def test_reset_of_the_map_stream(server, daemon):
    m = server.map()
    m.reset()
    n = server.map(after=m)
    assert n.conn is m.conn, "RST_STREAM ends the stream, not the connection"
    daemon.wait_sync()


@pytest.mark.rows("H2-05")
def test_one_stream_at_a_time(server, make_daemon):
    server.max_streams = 1
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    server.log.wait("lite")
    mark = server.log.mark()
    d.ctl('set hostinfo {"DeviceModel":"second"}')
    server.log.wait("lite", since=mark, json=lambda j: j["Hostinfo"].get("DeviceModel") == "second")
    d.wait_sync()
    server.check()


def test_answers_out_of_order(server, make_daemon):
    """A lite update that is never answered holds nothing up."""
    server.on_lite = lambda req: HOLD
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    m = server.map()
    m.send({"Domain": "going.on"})
    d.wait_netmap(lambda n: n["Domain"] == "going.on")
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5
    until(lambda: not server.conns, 5)


