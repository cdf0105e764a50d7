# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A server whose bytes are changed, layer by layer, from fixed seeds, cut anywhere (ERR-05).  E2E_FUZZ: seconds per
layer."""
import asyncio
import json
import os
import random
import time

import pytest
from controlserver import Reply, dumps, frame, make_peer, mapframes
from harness import AUTH_KEY, SANITIZED, SLOW, CtlError, alive, fds, rss, until

SECONDS = float(os.environ.get("E2E_FUZZ", "6"))
SEED = int(os.environ.get("E2E_FUZZ_SEED", "1"))
pytestmark = pytest.mark.usefixtures("programs")


def spoil(r, data):
    """data with one to four things done to it."""
    b = bytearray(data)
    for _ in range(r.randint(1, 4)):
        if not b:
            break
        i = r.randrange(len(b))
        j = min(len(b), i + r.choice((1, 2, 4, 16, 300)))
        what = r.randrange(9)
        if what == 0:
            b[i] ^= 1 << r.randrange(8)
        elif what == 1:
            b[i] = r.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x22, 0x5B, 0x7B))
        elif what == 2:
            del b[i:j]
        elif what == 3:
            b[i:i] = b[i:j] * r.choice((1, 2, 50))
        elif what == 4:
            b[i:i] = r.randbytes(j - i)
        elif what == 5:
            b[i:j] = r.randbytes(j - i)
        elif what == 6:
            del b[i:]
        elif what == 7:
            b[i:j] = bytes(r.choice((0, 0xFF)) for _ in range(j - i))
        else:
            k = r.randrange(len(b))
            b[i], b[k] = b[k], b[i]
    return bytes(b)


def message(r):
    """A plausible message, so that the changed one is often still plausible."""
    peers = [make_peer(r.choice((5, 6, 7, 1 << 40))) for _ in range(r.randint(0, 3))]
    parts = [
        {"Peers": peers}, {"PeersChanged": peers}, {"PeersRemoved": [5, 6]}, {"OnlineChange": {"5": True}},
        {"PeerSeenChange": {"6": False}},
        {"PeersChangedPatch": [{"NodeID": 5, "DERPRegion": 3, "CapMap": {"x": [1, {"y": None}]},
                                "Endpoints": ["192.0.2.1:9"]}]},
        {"PacketFilters": {"a": None, "b": [{"SrcIPs": ["*", "cap:x"],
                                             "DstPorts": [{"IP": "*", "Ports": {"First": 1, "Last": 2}}]}]}},
        {"DERPMap": {"Regions": {"1": None, "2": {"RegionID": 2}}}}, {"DNSConfig": {"Routes": {"a.": []}}},
        {"Health": ["h"]},
        {"DisplayMessages": {"*": None, "m": {"Title": "t"}}},
        {"UserProfiles": [{"ID": 11, "LoginName": "b\u00e9\U0001f600"}]},
        {"ControlTime": "2026-01-02T03:04:05Z"}, {"Debug": {"SleepSeconds": 0.01}}, {"KeepAlive": True},
        {"Domain": "fuzz.example"},
        {"PingRequest": {"URL": "https://unused/x%d" % r.randrange(99), "Types": "c2n",
                         "Payload": "R0VUIC9lY2hvIEhUVFAvMS4xDQoNCg=="}},
        {"ControlDialPlan": {"Candidates": [{"IP": "192.0.2.9", "DialTimeoutSec": 0.5}]}},
        {"PopBrowserURL": "https://x/%d" % r.randrange(9)}]
    out = {}
    for p in r.sample(parts, r.randint(1, 5)):
        out.update(p)
    return dumps(out)


class Spoiler:
    """The changes to a server's data while `on`; one knob for each layer."""

    def __init__(self, layer, server):
        self.layer, self.server, self.on, self.often = layer, server, False, 0.2
        self.r = random.Random("%s%d" % (layer, SEED))
        s = server
        if layer in ("tcp", "h2", "noise"):
            s.on_accept = self.accept
        elif layer == "101":
            s.on_response = lambda conn, resp: spoil(self.r, resp) if self.on else resp
            s.on_upgrade = lambda req: spoil(self.r, s.head_101 +
                                             bytes(100)) if self.on and self.r.random() < 0.5 else None
        elif layer == "early":
            s.early = lambda conn, plain=s.early_payload: spoil(self.r, plain()) if self.on else plain()
        elif layer == "map":
            s.encode = lambda data: mapframes.zstd(spoil(self.r, data) if self.hit() else data)
        elif layer == "zstd":
            s.encode = lambda data: spoil(self.r, self.r.choice(
                (mapframes.zstd, mapframes.zstd_several,
                 mapframes.zstd_streaming))(data)) if self.hit() else mapframes.zstd(data)
        elif layer == "register":
            s.on_register = self.register
        elif layer == "key":
            s.on_http = self.key

    def hit(self):
        return self.on and self.r.random() < self.often

    def accept(self, conn):
        name = "plain" if self.layer == "h2" else "out"
        good = getattr(conn, name)

        def do(data, *size):
            if self.layer == "noise" and conn.sender is None:
                return good(data)
            if self.layer == "h2":
                return good(spoil(self.r, data) if self.hit() else data,
                            self.r.choice((None, 1, 9, 100)) if self.on else None)
            return good(spoil(self.r, data) if self.hit() else data)
        setattr(conn, name, do)

    async def register(self, req):
        good = await self.server.register(req)
        return Reply(200, spoil(self.r, good.body)) if self.on and self.r.random() < 0.8 else good

    async def key(self, req):
        if not self.on or "/key" not in req.path:
            return None
        body = json.dumps({"legacyPublicKey": "", "publicKey": self.server.noise_public}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        return spoil(self.r, head + body)


class Proxy:
    """TCP to the TLS port of a server, with the data from there changed."""

    def __init__(self, server):
        self.server, self.r, self.on = server, random.Random("tls%d" % SEED), False
        self.port = server.run(self._listen())

    async def _listen(self):
        self.srv = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        return self.srv.sockets[0].getsockname()[1]

    async def _pump(self, reader, writer, back):
        try:
            while data := await reader.read(65536):
                if back and self.on and self.r.random() < 0.3:
                    data = spoil(self.r, data)
                while data:
                    n = self.r.choice((1, 5, 1000, 65536)) if self.on and back else len(data)
                    writer.write(data[:n])
                    data = data[n:]
                    await writer.drain()
        except (ConnectionError, OSError):
            pass
        finally:
            writer.close()

    async def _accepted(self, reader, writer):
        try:
            r, w = await asyncio.open_connection("127.0.0.1", self.server.ports["tls"])
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pump(reader, w, False), self._pump(r, writer, True))


def trial(layer, server, d, r):
    """One attempt: some data for the spoiler to change."""
    server.faults.chunk = r.choice((0, 0, 1, 3, 100))
    server.faults.record = r.choice((0, 0, 1, 7, 300)) if layer != "h2" else 0
    server.faults.data = r.choice((0, 0, 1, 50))
    if layer in ("map", "zstd"):
        for m in list(server.sessions):
            for _ in range(20):
                m.send(message(r))
            if layer == "zstd":
                m.send_raw(spoil(r, frame(mapframes.zstd(message(r)))))
    elif layer == "h2":
        for m in list(server.sessions):
            for _ in range(5):
                m.send(message(r))
            m.conn.send_plain(r.randbytes(r.choice((1, 9, 20, 500))))
    if layer == "register":
        d.ctl("login auth-key=" + AUTH_KEY)
    elif r.random() < 0.8:
        d.ctl("reconnect")
    time.sleep(r.choice((0.05, 0.2, 0.4)))


@pytest.mark.rows("ERR-05", "NOISE-06", "NOISE-07", "H2-04", "MAP-02")
@pytest.mark.parametrize("layer", ["tcp", "tls", "101", "early", "noise", "h2", "map", "zstd", "register", "key"])
def test_spoilt_layer(make_server, make_daemon, ca, layer):
    server = make_server(tls=ca.context() if layer == "tls" else None)
    server.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    r = random.Random("%s trials %d" % (layer, SEED))
    if layer == "tls":
        spoiler = Proxy(server)
        d = make_daemon("https://127.0.0.1:%d" % spoiler.port, auth_key=AUTH_KEY, ca_file=ca.file)
    else:
        spoiler = Spoiler(layer, server)
        if layer == "key":  # until there is a first key, one is asked for each time
            spoiler.on = True
        d = make_daemon(server, auth_key=AUTH_KEY)
    first = None
    if layer != "key":
        first = d.wait_sync()
        mapd = d.child("mapd")
        before = fds(mapd), rss(mapd)
    w = d.watch()
    end, n = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        spoiler.on = True
        for _ in range(15):
            try:
                trial(layer, server, d, r)
            except CtlError as e:
                assert e.code in ("not-logged-in", "busy"), e
            n += 1
        t = time.monotonic()
        d.status()
        assert time.monotonic() - t < 1 * SLOW
    spoiler.on = False
    server.faults.chunk = server.faults.record = server.faults.data = 0
    with_key = d.status()
    d.ctl("reconnect")
    if layer == "key" and with_key["serverKey"] not in ("", server.noise_public):
        d.ctl("server-key accept " + server.noise_public)  # a digit of it was changed, and it was the first
    if layer in ("register", "key"):
        d.ctl("login auth-key=" + AUTH_KEY)
    s = d.wait_sync(timeout=60 * SLOW)
    print("%s: %d trials" % (layer, n))
    assert not w.all("child"), w.all("child")
    if first is not None:
        keys = ("machineKey", "serverKey") if layer == "register" else ("machineKey", "serverKey", "nodeKey")
        assert [s[k] for k in keys] == [first[k] for k in keys]
        assert d.child("mapd") == mapd and alive(d.pid)
        until(lambda: fds(mapd) <= before[0] + 2, 10, "descriptors are back")
        if not SANITIZED:
            assert rss(mapd) < before[1] + (48 << 20) and rss(d.pid) < 16 << 20
