# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""One accepted connection: HTTP/1.1, the upgrade, Noise records, HTTP/2.  Everything here runs in the server's loop."""
import asyncio
import base64
import inspect
import json
import socket
import struct

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from . import noise

HIGH = 4 << 20  # bytes waiting for the socket above which no more HTTP/2 data is made
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class HttpRequest:
    """An HTTP/1.1 request head."""

    def __init__(self, conn, raw):
        self.conn, self.raw = conn, raw
        lines = raw.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.headers = [tuple(s.strip() for s in line.split(":", 1)) for line in lines[1:] if line]
        self.path, _, self.query = self.target.partition("?")

    def get(self, name, default=None):
        return next((v for k, v in self.headers if k.lower() == name.lower()), default)


class Reply:
    """An answer, over HTTP/1.1 or HTTP/2.  body: bytes, or anything else to be sent as JSON; endless: a piece to
    repeat."""

    def __init__(self, status=200, body=b"", headers=(), endless=None, chunked=False, close=False, pause=0.0, cut=None):
        self.status, self.headers, self.endless, self.chunked = status, list(headers), endless, chunked
        self.close, self.pause, self.cut = close, pause, cut
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


HOLD = object()  # a hook's answer: do not answer now; the test answers later
DONE = object()  # a hook's answer: it has answered by itself

STATUS_TEXT = {101: "Switching Protocols", 200: "OK", 302: "Found", 400: "Bad Request", 404: "Not Found",
               429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


async def call(hook, *args):
    """A hook may be a function or a coroutine function; none at all answers None."""
    if hook is None:
        return None
    r = hook(*args)
    return await r if inspect.isawaitable(r) else r


class Stream:
    """An HTTP/2 stream, from the server's side.  The methods without underscore may be called from any thread."""

    def __init__(self, conn, sid, headers):
        self.conn, self.id, self.headers = conn, sid, headers
        self.body = bytearray()
        self.queue = []
        self.size = 0
        self.ending = self.ended = self.closed = False
        self.pad = None

    def get(self, name, default=None):
        return next((v for k, v in self.headers if k == name), default)

    def send_headers(self, status=200, headers=(), end=False):
        self.conn.later(self._headers, status, headers, end)

    def send(self, data):
        self.conn.later(self._send, data)

    def end(self):
        self.conn.later(self._end)

    def reset(self, code=8):
        self.conn.later(self._reset, code)

    def _headers(self, status, headers=(), end=False):
        if self.closed or self.conn.closed:
            return
        self.conn.h2.send_headers(self.id, [(":status", str(status))] + list(headers), end_stream=end)
        self.ended = self.ended or end
        self.conn.flush()

    def _send(self, data):
        if self.closed or self.conn.closed:
            return
        self.queue.append(memoryview(data))
        self.size += len(data)
        self.conn.pump()

    def _end(self):
        self.ending = True
        self.conn.pump()

    def _reset(self, code):
        if not self.closed and not self.conn.closed:
            self.closed = True
            self.conn.h2.reset_stream(self.id, code)
            self.conn.flush()


class Conn:
    def __init__(self, server, kind, reader, writer, cid):
        self.server, self.kind, self.reader, self.writer, self.id = server, kind, reader, writer, cid
        self.loop = server.loop
        self.closed = False
        self.out_parts, self.out_size = [], 0
        self.out_event, self.room_event = asyncio.Event(), asyncio.Event()
        self.room_event.set()
        self.gate = asyncio.Event()  # closed: nothing is sent
        self.gate.set()
        self.h2 = None
        self.streams = {}
        self.sender = self.receiver = None
        self.machine = self.version = None
        self.largest = self.records_in = self.records_out = 0
        self.corked = None
        self.writer_task = self.loop.create_task(self._writer())

    def log(self, kind, **fields):
        return self.server.log.add(kind, conn=self.id, **fields)

    def later(self, fn, *args):
        self.loop.call_soon_threadsafe(fn, *args)

    # ---- bytes out
    def out(self, data):
        if self.closed or not data:
            return
        if self.corked is not None:
            self.corked += data
            return
        self.out_parts.append(data)
        self.out_size += len(data)
        if self.out_size > HIGH:
            self.room_event.clear()
        self.out_event.set()

    def cork(self):
        self.corked = b""

    def uncork(self):
        data, self.corked = self.corked, None
        self.out(data)

    async def _writer(self):
        try:
            while True:
                await self.out_event.wait()
                await self.gate.wait()
                data = b"".join(self.out_parts)
                self.out_parts, self.out_size = [], 0
                self.out_event.clear()
                await self._write(data)
                self.room_event.set()
                if self.h2 is not None:
                    self.pump()
        except (ConnectionError, OSError, RuntimeError):
            self.room_event.set()

    async def _write(self, data):
        f = self.server.faults
        if not f.chunk:
            self.writer.write(data)
            await self.writer.drain()
            return
        for i in range(0, len(data), f.chunk):
            self.writer.write(data[i:i + f.chunk])
            await self.writer.drain()
            await asyncio.sleep(f.chunk_pause)

    async def room(self):
        await self.room_event.wait()
        return not self.closed

    async def drained(self):
        while (self.out_size or self.out_event.is_set()) and not self.closed:
            await asyncio.sleep(0.002)

    def close(self):
        if not self.closed:
            self.closed = True
            self.writer.close()

    def rst(self):
        """Close with a TCP reset."""
        self.closed = True
        sock = self.writer.get_extra_info("socket")
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.writer.transport.abort()

    # ---- life
    async def run(self):
        try:
            what = await call(self.server.on_accept, self)
            if what is None:
                await self._http()
            elif isinstance(what, bytes):
                self.out(what)
                await self._sink()
            elif what is HOLD:
                await self._sink()
            elif what == "rst":
                self.rst()
            elif what != DONE:
                await self.drained()
        except (asyncio.IncompleteReadError, ConnectionError, OSError) as e:
            self.log("gone", why=type(e).__name__)
        except asyncio.LimitOverrunError:
            self.log("gone", why="head too long")
        finally:
            self.log("closed", records_in=self.records_in, largest=self.largest)
            self.closed = True
            self.gate.set()
            self.room_event.set()
            self.writer_task.cancel()
            for s in self.streams.values():
                s.closed = True
            self.server.conn_gone(self)
            try:
                self.writer.close()
            except (OSError, RuntimeError):
                pass

    async def _sink(self):
        """Read and forget until the other side closes."""
        n = 0
        while True:
            data = await self.reader.read(65536)
            if not data:
                break
            n += len(data)
        self.log("eof", bytes=n)

    # ---- HTTP/1.1
    async def _http(self):
        while True:
            head = await self.reader.readuntil(b"\r\n\r\n")
            req = HttpRequest(self, head[:-4])
            self.log("http", method=req.method, path=req.path, query=req.query, version=req.version,
                     headers=req.headers, raw=head, port=self.kind)
            length = int(req.get("content-length", "0"))
            req.body = await self.reader.readexactly(length) if length else b""
            answer = await call(self.server.on_http, req)
            if answer is None and req.path == self.server.prefix + "/key":
                answer = await call(self.server.on_key, req)
                answer = self.server.key_reply(req) if answer is None else answer
            if answer is None and req.path == "/ts2021":
                answer = await call(self.server.on_upgrade, req)
                if answer is None:
                    await self._upgrade(req)
                    return
            if answer is DONE:
                return
            if answer is HOLD:
                await self._sink()
                return
            if isinstance(answer, bytes):
                self.out(answer)
                await self._sink()
                return
            await self.reply_http(req, Reply(404, b"not found\n") if answer is None else answer)
            if answer is not None and answer.close:
                await self.drained()
                return

    async def reply_http(self, req, r):
        lines = ["HTTP/1.1 %d %s" % (r.status, STATUS_TEXT.get(r.status, "Whatever"))]
        lines += ["%s: %s" % h for h in r.headers]
        body = r.body
        if r.chunked:
            lines.append("Transfer-Encoding: chunked")
            half = len(body) // 2
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:half], body[half:]) if p) + b"0\r\n\r\n"
        elif r.endless is None:
            lines.append("Content-Length: %d" % len(body))
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.out(head + (b"" if req.method == "HEAD" else body if r.cut is None else body[:r.cut]))
        while r.endless is not None and not self.closed:
            self.out(r.endless)
            await self.room()
            await asyncio.sleep(r.pause)
            if self.reader.at_eof():
                break

    # ---- upgrade and handshake
    async def _upgrade(self, req):
        s, f = self.server, self.server.faults
        init = base64.b64decode(req.get("x-tailscale-handshake", ""), validate=True)
        hs = noise.Responder(s.noise_key)
        try:
            hs.read(init)
        except noise.NoiseError as e:
            self.log("handshake-bad", why=str(e), init=init)
            self.out(self._head_101())
            await self.drained()
            return
        self.machine, self.version = "mkey:" + hs.client.hex(), hs.version
        self.log("handshake", version=hs.version, machine=self.machine, init=init, port=self.kind)
        response = hs.write()
        if s.on_response is not None:
            response = await call(s.on_response, self, response)
        if response is None:  # the peer gets a 101 and then nothing
            self.out(self._head_101())
            await self._sink()
            return
        s.handshakes.append((self, hs))
        self.sender, self.receiver = noise.Sender(hs.s2c), noise.Receiver(hs.c2s)
        if f.cork:
            self.cork()
        self.out(self._head_101())
        self.out(response)
        early = s.early
        if callable(early):
            early = early(self)
        if early:
            self.plain(early, f.early_record)
        wait = f.settings_after_preface
        if not wait:
            self._start_h2()
        if f.cork:
            self.uncork()
        await self._records(wait)

    def _head_101(self):
        return self.server.head_101

    def plain(self, data, size=None):
        """Plaintext into records."""
        size = size or self.server.faults.record or noise.MAX_PLAIN
        hook = self.server.on_record
        for i in range(0, len(data), size):
            rec = self.sender.record(bytes(data[i:i + size]))
            self.records_out += 1
            if hook is not None:
                rec = hook(self, self.records_out - 1, rec)
            self.out(rec)
            if self.server.faults.empty_records:
                self.out(b"".join(self.sender.record(b"") for _ in range(self.server.faults.empty_records)))

    def send_plain(self, data, size=None):
        """Bytes into the Noise stream, past our HTTP/2 library; from any thread."""
        self.later(self.plain, data, size)

    def send_raw(self, data):
        """Bytes onto the wire, past Noise; from any thread."""
        self.later(self.out, data)

    async def _records(self, waiting):
        while True:
            head = await self.reader.readexactly(3)
            kind, length = head[0], head[1] << 8 | head[2]
            if kind != noise.RECORD or length > noise.MAX_FRAME - 3 or length < 16:
                self.log("violation", what="record header %s" % head.hex())
                return
            box = await self.reader.readexactly(length)
            try:
                plain = self.receiver.open(box)
            except noise.NoiseError as e:
                self.log("violation", what=str(e))
                return
            self.records_in += 1
            self.largest = max(self.largest, length + 3)
            if waiting is True:
                waiting = plain
                if len(waiting) < len(PREFACE):
                    continue
            elif isinstance(waiting, bytes):
                waiting += plain
            if isinstance(waiting, bytes):
                if len(waiting) < len(PREFACE):
                    continue
                self._start_h2()
                plain, waiting = waiting, False
            if not self._feed(plain):
                await self.drained()
                return
            if self.server.faults.read_pause:
                await asyncio.sleep(self.server.faults.read_pause)

    # ---- HTTP/2
    def _start_h2(self):
        s = self.server
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        if s.settings:
            self.h2.local_settings.update(s.settings)
        self.h2.initiate_connection()
        self.log("h2-start")
        self.flush()
        if s.max_streams:  # past the library, which takes a request sent before the SETTINGS came for a violation
            self.plain(struct.pack(">I", 6)[1:] + b"\x04\0\0\0\0\0" + struct.pack(">HI", 3, s.max_streams))
        if s.on_h2_start is not None:
            s.on_h2_start(self)

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.plain(data)

    def _feed(self, data):
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as e:
            self.log("violation", what="h2: %r" % e)
            self.flush()
            return False
        for e in events:
            if not self._event(e):
                self.flush()
                return False
        self.flush()
        self.pump()
        return True

    def _event(self, e):
        ev = h2.events
        if isinstance(e, ev.RequestReceived):
            busy = sum(not (s.closed or s.ended) for s in self.streams.values())
            if self.server.max_streams and busy >= self.server.max_streams:
                self.log("refused", stream=e.stream_id, busy=busy)
                self.h2.reset_stream(e.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                return True
            s = self.streams[e.stream_id] = Stream(self, e.stream_id, e.headers)
            self.log("stream", stream=e.stream_id, headers=e.headers, path=s.get(":path"))
        elif isinstance(e, ev.DataReceived):
            s = self.streams.get(e.stream_id)
            if s is not None:
                s.body += e.data
            if not self.server.faults.no_window:
                self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
        elif isinstance(e, ev.StreamEnded):
            s = self.streams.get(e.stream_id)
            if s is not None:
                self.loop.create_task(self.server.request(self, s))
        elif isinstance(e, ev.StreamReset):
            s = self.streams.get(e.stream_id)
            if s is not None:
                s.closed = True
            self.log("stream-reset", stream=e.stream_id, code=int(e.error_code), remote=e.remote_reset)
            self.server.stream_gone(s)
        elif isinstance(e, ev.RemoteSettingsChanged):
            self.log("settings", values={int(k): v.new_value for k, v in e.changed_settings.items()})
        elif isinstance(e, ev.SettingsAcknowledged):
            self.log("settings-ack", values={int(k): v.new_value for k, v in e.changed_settings.items()})
        elif isinstance(e, ev.PingAckReceived):
            self.log("ping-ack", data=bytes(e.ping_data))
        elif isinstance(e, ev.PingReceived):
            self.log("ping", data=bytes(e.ping_data))
        elif isinstance(e, ev.ConnectionTerminated):
            self.log("goaway", code=int(e.error_code), last=e.last_stream_id)
            return False
        return True

    def pump(self):
        """Sends data of the streams up to the limits of the windows."""
        if self.closed or self.h2 is None:
            return
        limit = self.server.faults.data
        for s in list(self.streams.values()):
            if s.closed or s.ended:
                continue
            try:
                self._pump_one(s, limit)
            except h2.exceptions.ProtocolError as e:
                self.log("pump", why=repr(e), stream=s.id)
                s.closed = True
                self.server.stream_gone(s)
        self.flush()

    def _pump_one(self, s, limit):
        while s.queue and self.out_size < HIGH and self.gate.is_set():
            room = min(self.h2.local_flow_control_window(s.id), self.h2.max_outbound_frame_size)
            pad = self.server.faults.pad
            if pad is not None:
                room -= pad + 1
            if limit:
                room = min(room, limit)
            if room <= 0:
                return
            head = s.queue[0]
            part = bytes(head[:room])
            if len(part) == len(head):
                s.queue.pop(0)
            else:
                s.queue[0] = head[room:]
            s.size -= len(part)
            self.h2.send_data(s.id, part, pad_length=pad)
            self.flush()
        if s.ending and not s.queue and not s.ended:
            s.ended = True
            self.h2.end_stream(s.id)
