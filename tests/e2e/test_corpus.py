# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The malicious-server corpus of security.md 5.4, by number: what no other test sends is sent here and in
test_corpus_tls.py.

Whatever is received, the child survives or ends alone, parent and its socket continue, memory is bounded, `err` or a
health code names the cause, the keys are intact, and a good server is found again within 60 s.
"""
import base64
import contextlib
import os
import re
import struct
import time

import pytest
from controlserver import HOLD, Server, dumps, frame, make_peer, mapframes, noise
from controlserver.h2frames import DATA, GOAWAY, HEADERS, PING, RST, SETTINGS, WINDOW
from controlserver.h2frames import frame as h2frame
from harness import AUTH_KEY, DEADLINE, SANITIZED, SLOW, alive, fds, peak, until

HERE = os.path.dirname(os.path.abspath(__file__))
pytestmark = pytest.mark.usefixtures("programs")
MIB = 1 << 20

# Where the other inputs of the corpus are sent; test_every_input_is_sent() checks that those tests exist.
ELSEWHERE = {
    2: "test_dial:test_silent_server", 4: "test_key:test_bad_certificates", 5: "test_key:test_bad_certificates",
    6: "test_key:test_bad_certificates test_dial:test_noise_over_unverified_tls",
    14: "test_dial:test_other_status_is_an_error",
    16: "test_dial:test_wrong_upgrade_value", 20: "test_dial:test_bytes_in_the_segment_of_the_head",
    23: "test_status:test_useless_retry_after test_status:test_retry_after",
    24: "test_key:test_bad_key_answers test_register:test_endless_failure", 25: "test_key:test_bad_key_answers",
    26: "test_key:test_server_too_old", 27: "test_key:test_bad_key_answers", 28: "test_key:test_bad_key_answers",
    29: "test_key:test_changed_server_key_is_refused_until_accepted", 30: "test_key:test_server_too_old",
    31: "test_noise:test_error_frame_is_only_a_hint", 33: "test_noise:test_frame_too_long",
    34: "test_noise:test_a_broken_connection_stays_broken", 36: "test_noise:test_bad_responses",
    40: "test_noise:test_a_broken_connection_stays_broken", 41: "test_noise:test_frame_too_long",
    43: "test_noise:test_a_broken_connection_stays_broken", 45: "test_noise:test_cut_everywhere",
    46: "test_noise:test_bad_early_payload", 47: "test_noise:test_bad_early_payload",
    48: "test_noise:test_bad_early_payload",
    51: "test_h2:test_violations_end_the_connection", 53: "test_h2:test_violations_end_the_connection",
    55: "test_h2:test_violations_end_the_connection", 56: "test_h2:test_violations_end_the_connection",
    57: "test_h2:test_violations_end_the_connection", 62: "test_h2:test_violations_end_the_connection",
    64: "test_map:test_bad_frames", 65: "test_map:test_bad_frames",
    # the first map without Node, silence, and a delta every millisecond
    71: "test_map:test_first_message_needs_node test_keepalive:test_silence_ends_the_stream "
        "test_churn:test_deltas_leave_nothing_behind",
}


class Watched:
    """A daemon under attack, and what must hold afterwards."""

    def __init__(self, d):
        self.d, self.w = d, d.watch()
        self.keys = {k: d.status()[k] for k in ("machineKey", "nodeKey", "serverKey")}
        self.mapd = d.child("mapd")

    def error(self, *words, timeout=DEADLINE):
        """The status that reports it: one printable line."""
        s = self.w.status(lambda s: s["err"] and all(x in s["err"] for x in words), timeout,
                          what="err with %s" % (words,))
        assert len(s["err"]) <= 600 and s["err"].isprintable(), s["err"]
        assert s["loggedIn"] and not s["keyExpired"]
        return s

    def limit(self):
        """Health says that a limit was passed."""
        self.w.status(lambda s: any(h["code"] == "server-limit" for h in s["health"]), 10 * SLOW, what="server-limit")

    def recovers(self, memory=64 * MIB):
        s = self.d.wait_sync(timeout=60)
        assert {k: s[k] for k in self.keys} == self.keys
        t = time.monotonic()
        self.d.ctl("processes")
        assert time.monotonic() - t < 1 * SLOW
        assert not self.w.all("child") and self.d.child("mapd") == self.mapd and alive(self.d.pid)
        assert fds(self.d.pid) < 40 and fds(self.mapd) < 40
        log = self.d.log()
        assert "\x1b" not in log and "\x07" not in log
        if not SANITIZED:  # which counts its own
            assert peak(self.d.pid) < 16 * MIB and peak(self.mapd) < memory


@pytest.fixture
def watched(make_daemon, server):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    return Watched(d)


# ---- before Noise works ----------------------------------------------------------------------------------------------

def raw_upgrade(data):
    def start(s):
        s.on_upgrade = lambda req: data
    return start


def response(make):
    def start(s):
        s.on_response = make
    return start


def dribble(s):
    s.faults.chunk, s.faults.chunk_pause = 1, 10


def other_prologue(conn, r):
    """As of a server that hashed a different version than the one it was sent."""
    hs = noise.Responder(conn.server.noise_key)
    init = base64.b64decode(conn.server.log.all("http", conn=conn.id)[-1].headers[3][1])
    s = hs.sym = noise.Symmetric(130)
    hs.re = init[5:37]
    s.mix_hash(noise.public(hs.static))
    s.mix_hash(hs.re)
    s.mix_key(noise.dh(hs.static, hs.re))
    s.mix_hash(init[37:85])
    hs.client = bytes.fromhex(conn.machine[5:])
    s.mix_key(noise.dh(hs.static, hs.client))
    s.mix_hash(init[85:])
    return hs.write()


# Points of small order, and what is congruent to them.
LOW_ORDER = [bytes(32), b"\1" + bytes(31),
             bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
             bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
             b"\xec" + b"\xff" * 30 + b"\x7f", b"\xed" + b"\xff" * 30 + b"\x7f", b"\xee" + b"\xff" * 30 + b"\x7f"]


def low_order(s):
    points = list(LOW_ORDER)
    s.on_response = lambda conn, r: b"\x02\x00\x30" + points[(len(s.log.all("handshake")) - 1) % len(points)] + r[35:]


def early_bird(conn, r):
    return noise.Sender(bytes(32)).record(b"early bird") + r


UPGRADES = {
    "03-one-byte-in-10-s": (dribble, ["no connection within 10 s"]),
    "17-no-crlf": (raw_upgrade(b"HTTP/1.1 101 " + b"x" * 65536), ["8 KiB"]),
    "18-1e4-headers": (raw_upgrade(b"HTTP/1.1 101 X\r\n" + b"a: b\r\n" * 10000 + b"\r\n"), ["too many lines"]),
    "19-control-bytes": (raw_upgrade(b"HTTP/1.1 503 \x1b[31mred\x07\0\r\n\r\n"), ["control byte"]),
    "19-high-bytes": (raw_upgrade(b"HTTP/1.1 503 \xff\xc3\x28\xe2\x80\xae evil\r\n\r\n"), ["503"]),
    "21-chunked-101": (raw_upgrade(b"HTTP/1.1 101 X\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n33\r\n\x02\x00\x30" + b"r" * 48 + b"\r\n"),
                       ["malformed answer"]),
    "22-100-continue-flood": (raw_upgrade(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000), ["upgrade"]),
    "35-low-order": (low_order, ["forbidden key"]),
    "37-wrong-prologue": (response(other_prologue), ["does not decrypt"]),
    "38-trailing-bytes": (response(lambda conn, r: r + b"\0trailing"), []),
    "39-record-first": (response(early_bird), ["malformed answer"]),
    "49-two-early-payloads": (lambda s: setattr(s, "early", s.early_payload() * 2), []),
}


@pytest.mark.rows("DIAL-05", "NOISE-03", "EARLY-03", "ERR-05")
@pytest.mark.parametrize("name", UPGRADES)
def test_before_noise_works(server, watched, name):
    start, words = UPGRADES[name]
    kind = "handshake" if name[:2] in ("35", "37", "38", "39", "49") else "accept"
    mark, early = server.log.mark(), server.early
    start(server)
    server.drop_all()
    watched.error(*words)
    server.log.wait(kind, n=8 if name[:2] == "35" else 2, since=mark, timeout=60)
    assert not server.log.all("register", since=mark)
    server.on_upgrade = server.on_response = None
    server.faults.chunk, server.early = 0, early
    watched.recovers()


async def reset(conn):
    await conn.drained()
    conn.rst()


@pytest.mark.rows("DIAL-04", "DIAL-05", "ERR-05")
def test_01_reset_at_each_byte(server, watched):
    """From the first byte of the 101 to the full map; every byte of it is cut at in tests/unit/wire/test_ends.c.
    `reconnect` makes the next attempt at once."""
    done = []
    server.faults.cork = False
    mark = server.log.mark()
    for n in list(range(1, 12)) + [100, 101, 102, 103, 104, 105, 154, 155, 156, 157, 300, 400, 500, 800]:
        def cut(conn, n=n):
            sent = [0]

            def out(data):
                data = data[:max(0, n - sent[0])]
                sent[0] += len(data)
                if data:
                    type(conn).out(conn, data)
                if sent[0] >= n:
                    done.append(n)
                    conn.loop.create_task(reset(conn))
            conn.out = out
        server.on_accept = cut
        server.drop_all(rst=True)
        seen = len(done)
        watched.d.ctl("reconnect")
        until(lambda: len(done) > seen, 30 * SLOW, "cut after %d bytes" % n)
        time.sleep(0.4)  # handshakes are rationed
    server.on_accept = None
    server.faults.cork = True
    assert not server.log.all("register", since=mark)
    watched.recovers()


# ---- what is inside Noise --------------------------------------------------------------------------------------------

def scripted(data):
    """HTTP/2 of the server is these bytes and nothing else."""
    def start(s):
        def take_over(conn, r):
            conn._start_h2 = lambda: conn.plain(data)
            conn._feed = lambda plain: True
            return r
        s.on_response = take_over
    return start


def each_request(fn):
    def start(s):
        def do(req):
            fn(req)
            return HOLD
        s.on_request = do
    return start


HELLO = h2frame(SETTINGS) + h2frame(SETTINGS, 1)
GOODBYE = h2frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0))
SESSIONS = {
    "50-no-settings-but-headers": (scripted(h2frame(HEADERS, 5, 1, b"\x88")), ["HTTP/2"]),
    "50-no-settings-but-ping": (scripted(h2frame(PING, 0, 0, b"12345678")), ["HTTP/2"]),
    "50-nothing": (scripted(b""), ["no complete message"]),
    "54-every-request-reset": (each_request(lambda req: req.stream._reset(8)), ["reset"]),
    "54-every-request-refused": (each_request(lambda req: req.stream._reset(7)), ["did not take"]),
    "59-goaway-loop": (scripted(HELLO + GOODBYE), []),
    "59-goaway-after-the-request": (each_request(lambda req: req.conn.plain(GOODBYE)), []),
    "60-bad-frame-after-goaway": (scripted(HELLO + h2frame(GOAWAY, 0, 0, struct.pack(">II", 1, 1)) +
                                           h2frame(DATA, 8, 1, b"\xffx")
                                           + h2frame(HEADERS, 5, 1, b"\xff\xff")), []),
    "60-bad-frame-after-bad-frame": (scripted(HELLO + h2frame(PING, 0, 0, b"short") + h2frame(HEADERS, 0, 1, b"\x88")
                                              + h2frame(PING, 0, 0, b"x") * 50), ["HTTP/2"]),
    "61-zero-window": (scripted(h2frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + h2frame(SETTINGS, 1)),
                       ["no complete message"]),
    "61-window-overflow-by-settings": (scripted(HELLO + h2frame(WINDOW, 0, 1, b"\x7f\xff\xff\xff")
                                                + h2frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0x7FFFFFFF))), []),
}


@pytest.mark.rows("H2-04", "H2-05", "ERR-05")
@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_that_go_nowhere(server, make_daemon, name):
    d = make_daemon(server, auth_key=AUTH_KEY, map_watchdog=4)
    d.wait_sync()
    watched = Watched(d)
    start, words = SESSIONS[name]
    mark, t = server.log.mark(), time.monotonic()
    start(server)
    server.drop_all()
    watched.error(*words)
    kind = "stream" if name[:2] == "54" else "handshake"
    server.log.wait(kind, n=3, since=mark, timeout=60)
    time.sleep(2)
    assert server.log.count(kind, since=mark) < 40 + 2 * (time.monotonic() - t), "a tight loop"
    server.on_response = server.on_request = None
    watched.recovers()


def skip_nonce(conn):
    conn.sender.n += 1
    conn.plain(h2frame(PING, 0, 0, b"12345678"))


def send_as_it_is(m, data):
    """As large on the wire as it is: what is compressed too well is refused for that."""
    m.send_raw(frame(mapframes.zstd_window(data, 20)))


STREAMS = {
    "32-length-0": (lambda m: m.conn.send_raw(b"\x04\0\0"), ["record"], 0),
    "42-empty-records": (lambda m: m.conn.later(
        lambda: m.conn.out(b"".join(m.conn.sender.record(b"") for _ in range(20000)))),
                         ["too many empty records"], 1),
    "44-skipped-nonce": (lambda m: m.conn.later(skip_nonce, m.conn), ["does not decrypt"], 0),
    "52-1e4-entries": (lambda m: m.conn.send_plain(h2frame(SETTINGS, 0, 0, struct.pack(">HI", 0x99, 1) * 10000)),
                       ["SETTINGS"], 1),
    "52-33-entries": (lambda m: m.conn.send_plain(h2frame(SETTINGS, 0, 0, struct.pack(">HI", 0x99, 1) * 33)),
                      ["SETTINGS"], 1),
    "54-rst-flood": (lambda m: m.conn.send_plain(h2frame(RST, 0, 1, struct.pack(">I", 8)) * 1000), ["control frames"],
                     1),
    "58-unknown-stream": (lambda m: m.conn.send_plain(h2frame(HEADERS, 5, m.stream.id + 100, b"\x88")), ["HTTP/2"], 0),
    "58-window-of-an-idle-stream": (lambda m: m.conn.send_plain(h2frame(WINDOW, 0, m.stream.id + 100, b"\0\0\0\1")),
                                    ["HTTP/2"], 0),
    "63-size-then-stall": (lambda m: m.send_raw(struct.pack("<I", 0xFFFFFFFF)), ["announces 4294967295 bytes"], 1),
    "63-allowed-size-then-stall": (lambda m: m.send_raw(struct.pack("<I", 60 << 20) +
                                                        mapframes.zstd_window(b" " * 60000, 20)[:900]),
                                   ["makes no progress"], 1),
    "66-bomb-1-gib": (lambda m: m.send_raw(frame(mapframes.bomb(1 << 30))), ["512 to 1"], 1),
    "67-window-31": (lambda m: m.send_raw(frame(mapframes.zstd_window(b"{}", 31))), ["window of 2147483648"], 1),
    "68-dictionary": (lambda m: m.send_raw(frame(b"\x28\xb5\x2f\xfd\x21\x07\x02{}")), ["dictionary"], 0),
    "68-skippable-alone": (lambda m: m.send_raw(frame(mapframes.skippable(b"x" * 1000))), ["too early"], 0),
    "69-depth-1e6": (lambda m: m.send('{"X":' + "[" * 1000000 + "]" * 1000000 + "}"), ["nested too deeply"], 1),
    "69-5-million-objects": (lambda m: send_as_it_is(m, b'{"X":[' + b"{}," * 5000000 + b"{}]}"), ["too many values"],
                             1),
    "69-5-million-peers": (lambda m: send_as_it_is(m, b'{"Peers":[' + b"{}," * 5000000 + b"{}]}"), ["too many peers"],
                           1),
    "69-2-to-the-63": (lambda m: m.send('{"PeersChanged":[{"ID":9223372036854775808}],"Domain":"x."}'),
                       ["PeersChanged[0].ID"], 0),
    "69-1e400": (lambda m: m.send('{"DERPMap":{"HomeParams":{"RegionScore":{"1":1e400}}},"Domain":"x."}'),
                 ["not a number"], 0),
    "70-bad-cidr": (lambda m: m.send({"PeersChanged": [make_peer(5, AllowedIPs=["100.64.0.5/33"])], "Domain": "x."}),
                    ["AllowedIPs", "prefix"], 0),
}


@pytest.mark.rows("NOISE-05", "NOISE-06", "NOISE-07", "H2-04", "MAP-02", "MAP-09", "ERR-03", "FLD-16")
@pytest.mark.parametrize("name", STREAMS)
def test_streams_that_are_ended(server, watched, name):
    """No part of the message is accepted, and the next stream works."""
    do, words, limit = STREAMS[name]
    m = server.map()
    server.log.wait("lite")
    t = time.monotonic()
    do(m)
    s = watched.error(*words)
    assert s["errSource"] == "map" and time.monotonic() - t < 20 * SLOW
    if limit:
        watched.limit()
    assert server.map(after=m, timeout=60) is not m
    watched.recovers(memory=160 * MIB if "million" in name else 64 * MIB)
    assert watched.d.netmap()["Domain"] == "example.test"


@pytest.mark.rows("MAP-09", "KA-03")
@pytest.mark.parametrize("rate", [80, 125])
def test_63_progress(server, watched, rate):
    """security.md D15: 1 KiB in 10 s is enough, less is not."""
    m = server.map()
    body = frame(mapframes.zstd_window(b'{"Domain":"slow.example","X":"' + b"x" * (rate * 14) + b'"}', 20))
    t = time.monotonic()
    for i in range(0, len(body), rate // 5):
        if not m.open:
            break
        m.send_raw(body[i:i + rate // 5])
        time.sleep(max(0, t + (i + rate // 5) / rate - time.monotonic()))
    if rate > 102:
        watched.d.wait_netmap(lambda n: n["Domain"] == "slow.example")
        assert server.map() is m
    else:
        assert not m.open and time.monotonic() - t < 13 * SLOW
        watched.error("makes no progress")
    watched.recovers()


TAKEN = {
    "69-duplicate-keys": ('{"Domain":"first.","Domain":"second.","Peers":[{"ID":1,"ID":5,"User":1,"User":2}]}',
                          lambda n: n["Domain"] == "second." and
                          [(p["ID"], p["User"]) for p in n["Peers"]] == [(5, 2)]),
    "69-lone-surrogates": ('{"Domain":"a\\ud800b\\udc00."}', lambda n: n["Domain"] == "a\ufffdb\ufffd."),
    "69-nul": ('{"Domain":"a\\u0000b.","Peers":[{"ID":5,"Name":"x\\u0000y."}]}',
               lambda n: n["Domain"] == "a\0b." and n["Peers"][0]["Name"] == "x\0y."),
    "69-digits-are-kept": ('{"Peers":[{"ID":9223372036854775807,"X":1e400}],"Domain":"d."}',
                           lambda n: [p["ID"] for p in n["Peers"]] == [9223372036854775807]),
    "70-duplicate-id": ('{"Peers":[{"ID":5,"User":1},{"ID":5,"User":2}],"Domain":"d."}',
                        lambda n: [(p["ID"], p["User"]) for p in n["Peers"]] == [(5, 2)]),
    "70-remove-unknown": ('{"PeersRemoved":[77,-1,9223372036854775807],"Domain":"d."}', lambda n: n["Domain"] == "d."),
    "70-own-key-as-peer": (lambda s: dumps({"Peers": [make_peer(5, Key=s.node().key, ID=s.node().id)], "Domain": "d."}),
                           lambda n: [p["Key"] for p in n["Peers"]] == [n["SelfNode"]["Key"]]),
}


@pytest.mark.rows("MAP-02", "MAP-07", "DEL-02", "FLD-15", "ERR-03")
@pytest.mark.parametrize("name", TAKEN)
def test_messages_that_are_taken(server, watched, name):
    text, look = TAKEN[name]
    m = server.map()
    m.send(text(server) if callable(text) else text)
    watched.d.wait_netmap(look)
    assert server.map() is m
    watched.recovers()


@pytest.mark.rows("MAP-03")
def test_70_patch_before_the_full_map(server, watched):
    m = server.map()
    server.auto_full = False
    m.end()
    n = server.map(after=m)
    n.send({"PeersChangedPatch": [{"NodeID": 5, "DERPRegion": 3}], "OnlineChange": {"5": True}})
    watched.error("Node")
    server.auto_full = True
    watched.recovers()


@pytest.mark.rows("MAP-08")
def test_70_a_million_peers(server, watched):
    m = server.map()
    m.send(b'{"Peers":[' + b",".join(b'{"ID":%d}' % i for i in range(1, 1000001)) + b"]}")
    until(lambda: watched.d.status()["peers"] == 1000000, 60 * SLOW)
    assert watched.d.ctl("peer 777777")["ID"] == 777777
    m.send({"Peers": [make_peer(5)]})
    until(lambda: watched.d.status()["peers"] == 1, 10 * SLOW)
    watched.recovers(memory=400 * MIB)


@pytest.mark.rows("MAP-09")
@pytest.mark.skipif(SANITIZED, reason="the limit itself is in tests/unit/mapd/test_map.c; "
                                     "half a gigabyte of shadow is no news")
def test_66_messages_that_add_up(server, watched):
    """security.md D15: what the map may take is bounded as a whole, however small the messages are that fill it."""
    m = server.map()
    text = os.urandom(340000).hex()
    i = 0
    while m.open and i < 100:
        profiles = [{"ID": 1000 + i * 20 + k, "DisplayName": text[k:]} for k in range(20)]
        m.send({"UserProfiles": profiles})
        until(lambda: not m.open or m.stream.size < MIB, 60 * SLOW)
        i += 1
    assert 30 < i < 60
    watched.error("exceeds the memory limit")
    watched.limit()
    server.map(after=m)
    watched.recovers(memory=700 * MIB)
    until(lambda: not watched.d.troubles(), 5 * SLOW, "a map that keeps to the limits")


# ---- requests --------------------------------------------------------------------------------------------------------

def c2n(payload):
    return {"PingRequest": {"URL": "https://unused/c2n/x", "Types": "c2n",
                            "Payload": base64.b64encode(payload).decode()}}


WISHES = {
    "72-exit": {"Debug": {"Exit": 0}},
    "72-browse-file": {"PopBrowserURL": "file:///etc/passwd"},
    "72-browse-escapes": {"PopBrowserURL": "https://x/\x1b[2J\x07"},
    "72-browse-1-mb": {"PopBrowserURL": "https://x/" + "y" * 1000000},
    "72-ping-metadata": {"PingRequest": {"URL": "http://169.254.169.254/latest/meta-data/"}},
    "72-ping-1-mb": {"PingRequest": {"URL": "http://127.0.0.1/" + "y" * 1000000}},
    "72-c2n-garbage": c2n(b"\0\xff\x1b garbage"),
    "72-c2n-endless-head": c2n(b"GET /echo HTTP/1.1\r\n" + b"a: b\r\n" * 100000),
    "72-c2n-huge-length": c2n(b"POST /echo HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\nx"),
    "72-c2n-chunk-bomb": c2n(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nx"),
}


@pytest.mark.rows("PING-04", "PING-06", "DBG-04", "INT-05")
@pytest.mark.parametrize("name", WISHES)
def test_wishes_that_are_not_granted(server, watched, name):
    m, mark = server.map(), server.log.mark()
    m.send(dict(WISHES[name], Domain="wish.example"))
    watched.d.wait_netmap(lambda n: n["Domain"] == "wish.example")
    time.sleep(0.5)
    assert server.map() is m and watched.d.proc.poll() is None and not watched.w.all("browse")
    assert not server.log.all("http", since=mark) and not server.log.all("rpc", since=mark)
    watched.recovers()


@pytest.mark.rows("DBG-01", "DBG-02")
@pytest.mark.parametrize("value", ["1e9", "9" * 300, "1e400"], ids=["1e9", "300-digits", "1e400"])
def test_72_sleep(server, watched, value):
    """300 s at most, with everything else going on, and cut short by any command."""
    m = server.map()
    m.send('{"Debug":{"SleepSeconds":%s},"Domain":"asleep."}' % value)
    if value != "1e400":  # which is no number that Go's decoder would take: refused, as a whole
        until(lambda: "pause of 300.000 s" in watched.d.log(), 5 * SLOW)
        watched.d.ctl("reconnect")
    server.map(after=m)
    watched.recovers()
    assert watched.d.netmap()["Domain"] == "example.test"


@pytest.mark.rows("DIAL-09")
def test_72_dial_plan_into_the_own_house(server, watched):
    """Loopback, link-local, private and multicast candidates are not dialled, and the server is found without them."""
    with Server() as trap:
        m = server.map()
        m.send({"ControlDialPlan": {"Candidates": [{"IP": ip, "DialTimeoutSec": 5} for ip in (
            "127.0.0.1", "169.254.169.254", "10.0.0.1", "224.0.0.1", "0.0.0.0", "::1", "fe80::1", "::ffff:127.0.0.1")]},
            "Domain": "plan."})
        watched.d.wait_netmap(lambda n: n["Domain"] == "plan.")
        server.drop_all()
        server.map(after=m)
        watched.recovers()
        assert not trap.log.all("accept")


@pytest.mark.rows("REG-04", "REG-07", "INT-05")
@pytest.mark.parametrize("answer", [
    {"Error": "no \x1b[31mred\x07\r\n\x00" + "e" * 1000000}, {"AuthURL": "https://x/" + "y" * 1000000},
    {"AuthURL": "https://x/\x1b[2J"}, {"Error": "x", "AuthURL": "https://x/"},
], ids=["72-error-1-mb", "72-url-1-mb", "72-url-escapes", "72-both"])
def test_72_register_answers(server, make_daemon, answer):
    server.on_register = lambda req: answer
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_err()
    assert s["errSource"] == "auth" and s["url"] == "" and s["err"].isprintable() and len(s["err"]) <= 600
    pid = d.process("authd")["pid"]
    if pid and not SANITIZED:
        with contextlib.suppress(OSError):
            assert peak(pid) < 64 * MIB
    server.on_register = None
    d.wait_sync(timeout=60)
    assert "\x1b" not in d.log() and d.process("authd")["restarts"] == 0


# ---- the list --------------------------------------------------------------------------------------------------------

def sent_here(path):
    """Numbers in the names of tests and of their cases."""
    with open(path) as f:
        text = f.read()
    found = re.findall(r'"(\d\d)-[a-z0-9]', text) + re.findall(r"^def test_(\d\d)_", text, re.M)
    return {int(n) for n in found}


def test_every_input_is_sent():
    """1 to 72, each in a test that exists."""
    here = sent_here(os.path.join(HERE, "test_corpus.py")) | sent_here(os.path.join(HERE, "test_corpus_tls.py"))
    for tests in ELSEWHERE.values():
        for t in tests.split():
            name, test = t.split(":")
            with open(os.path.join(HERE, name + ".py")) as f:
                assert "\ndef %s(" % test in f.read(), t
    missing = set(range(1, 73)) - here - set(ELSEWHERE)
    assert not missing, missing
