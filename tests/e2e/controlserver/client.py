# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A small blocking client: checks the server by itself, and acts as other machines of a tailnet."""
import base64
import json
import socket
import struct

import h2.config
import h2.connection
import h2.events
import zstandard

from . import noise

ZERO_NODE = "nodekey:" + "0" * 64


class Closed(Exception):
    pass


class Client:
    def __init__(self, server, machine=None, node=None, version=131, hostname="pyclient"):
        self.server, self.version, self.hostname = server, version, hostname
        self.machine = machine or noise.new_private()
        self.node = node or noise.new_private()
        self.sock = None

    @property
    def node_text(self):
        return "nodekey:" + noise.public(self.node).hex()

    def key(self):
        with socket.create_connection((self.server.host, self.server.port), 20) as s:
            s.sendall(b"GET %s/key?v=%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                      % (self.server.prefix.encode(), self.version))
            head, body = self._head(s)
            length = int([v for k, v in head if k == "content-length"][0])
            while len(body) < length:
                body += s.recv(65536)
            return json.loads(body)

    @staticmethod
    def _head(s):
        data = b""
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                raise Closed("in the head")
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        return [("", lines[0])] + [tuple(x.strip() for x in (k.lower(), v)) for k, _, v in
                                   (line.partition(":") for line in lines[1:])], rest

    def connect(self):
        pub = bytes.fromhex(self.key()["publicKey"][5:])
        self.sock = socket.create_connection((self.server.host, self.server.port), 20)
        hs = noise.Initiator(self.machine, pub, self.version)
        self.sock.sendall(b"POST /ts2021 HTTP/1.1\r\nHost: x\r\n"
                          b"Upgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n"
                          b"X-Tailscale-Handshake: " + base64.b64encode(hs.write()) + b"\r\nContent-Length: 0\r\n\r\n")
        head, self.rest = self._head(self.sock)
        assert " 101 " in head[0][1], head
        hs.read(self._exactly(51))
        self.tx, self.rx = noise.Sender(hs.c2s), noise.Receiver(hs.s2c)
        self.plain = b""
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.local_settings.enable_push = 0
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 30)
        self._flush()
        while len(self.plain) < 9:
            self._record()
        self.early = None
        if self.plain[:5] == b"\xff\xff\xffTS":
            n = struct.unpack(">I", self.plain[5:9])[0]
            while len(self.plain) < 9 + n:
                self._record()
            self.early = json.loads(self.plain[9:9 + n])
            self.plain = self.plain[9 + n:]
        self.events = []
        return self

    def _exactly(self, n):
        while len(self.rest) < n:
            more = self.sock.recv(1 << 16)
            if not more:
                raise Closed("by the server")
            self.rest += more
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def _record(self):
        head = self._exactly(3)
        assert head[0] == noise.RECORD, head
        self.plain += self.rx.open(self._exactly(head[1] << 8 | head[2]))

    def _flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(self.tx.records(data))

    def _events(self):
        if not self.plain:
            self._record()
        data, self.plain = self.plain, b""
        for e in self.h2.receive_data(data):
            if isinstance(e, h2.events.DataReceived):
                self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
            self.events.append(e)
        self._flush()

    def open(self, path, body):
        sid = self.h2.get_next_available_stream_id()
        self.h2.send_headers(sid, [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", path)])
        self.h2.send_data(sid, json.dumps(body).encode(), end_stream=True)
        self._flush()
        return sid

    def chunks(self, sid):
        """(status, None), then (None, data) until the stream ends."""
        while True:
            while not self.events:
                self._events()
            e = self.events.pop(0)
            if getattr(e, "stream_id", None) != sid:
                continue
            if isinstance(e, h2.events.ResponseReceived):
                yield int(dict(e.headers)[":status"]), None
            elif isinstance(e, h2.events.DataReceived):
                yield None, e.data
            elif isinstance(e, (h2.events.StreamEnded, h2.events.StreamReset)):
                return

    def post(self, path, body):
        status, data = None, b""
        for s, d in self.chunks(self.open(path, body)):
            status = s or status
            data += d or b""
        return status, data

    def register(self, auth_key=None, **more):
        req = {"Version": self.version, "NodeKey": self.node_text, "OldNodeKey": ZERO_NODE,
               "Expiry": "0001-01-01T00:00:00Z", "Followup": "", "Hostinfo": {"OS": "linux", "Hostname": self.hostname}}
        if auth_key:
            req["Auth"] = {"AuthKey": auth_key}
        req.update(more)
        status, data = self.post("/machine/register", req)
        return status, json.loads(data) if status == 200 else data

    def messages(self, **more):
        """The messages of a map stream, decoded, until the stream ends."""
        req = {"Version": self.version, "NodeKey": self.node_text, "Stream": True, "KeepAlive": True,
               "Compress": "zstd"}
        req.update(more)
        buf = b""
        for status, data in self.chunks(self.open("/machine/map", req)):
            if status is not None:
                assert status == 200, status
                continue
            buf += data
            while len(buf) >= 4:
                n = struct.unpack("<I", buf[:4])[0]
                if len(buf) < 4 + n:
                    break
                body, buf = buf[4:4 + n], buf[4 + n:]
                yield json.loads(zstandard.ZstdDecompressor().decompress(body))

    def close(self):
        if self.sock is not None:
            self.sock.close()
