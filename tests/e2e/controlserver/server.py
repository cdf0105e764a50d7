# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The scripted control server.

    with Server() as s:
        s.tailnet.add_auth_key("tskey-auth-x")
        s.on_register = lambda req: Reply(500, b"no")     # None = what a good server does
        ...
        m = s.map()                # the open map stream
        m.send({"PeersRemoved": [5]})
        s.log.wait("register")

Runs its own loop in a thread.  Hooks (on_*) are called in that thread and may be coroutine functions.
"""
import asyncio
import datetime
import json
import socket
import threading
import time
import urllib.parse

from . import mapframes, model, noise
from .conn import DONE, HOLD, Conn, Reply, call
from .log import Log, Timeout

HEAD_101 = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\n"
            b"Connection: upgrade\r\n\r\n")
MIN_CAPVER = 113


class Faults:
    """Knobs of the layers; all off."""

    def __init__(self):
        self.chunk = 0  # bytes per write to the socket
        self.chunk_pause = 0.0
        self.record = 0  # plaintext bytes per Noise record
        self.early_record = 0  # the same for the early payload
        self.empty_records = 0  # number of empty records after each record
        self.cork = True  # 101, response, early payload and SETTINGS in one write
        self.settings_after_preface = False
        self.data = 0  # bytes per DATA frame
        self.pad = None  # padding of DATA frames
        self.no_window = False  # give no flow-control window back
        self.read_pause = 0.0  # between two records read


class Gate:
    """Hold something in the server until the test opens it."""

    def __init__(self, server):
        self.loop, self.event = server.loop, asyncio.Event()

    def open(self):
        self.loop.call_soon_threadsafe(self.event.set)

    async def wait(self):
        await self.event.wait()


class Request:
    """A request inside Noise."""

    def __init__(self, server, conn, stream):
        self.server, self.conn, self.stream = server, conn, stream
        self.t = time.monotonic()
        self.path, self.method = stream.get(":path"), stream.get(":method")
        self.body = bytes(stream.body)
        try:
            self.json = json.loads(self.body) if self.body else None
        except ValueError:
            self.json = None

    def reply(self, r):
        """From any thread."""
        self.conn.later(lambda: self.conn.loop.create_task(self._reply(r)))

    async def _reply(self, r):
        s = self.stream
        if isinstance(r, (dict, list)) or r is None:
            r = Reply(200, json.dumps(r).encode(), [("content-type", "application/json")])
        elif isinstance(r, bytes):
            r = Reply(200, r)
        s._headers(r.status, r.headers)
        if r.body:
            s._send(r.body if r.cut is None else r.body[:r.cut])
        while r.endless is not None and not s.closed and not self.conn.closed:
            if s.size < 1 << 20:
                s._send(r.endless)
            await self.conn.room()
            await asyncio.sleep(r.pause or 0.001)
        if r.cut is not None:
            s.conn.flush()
            await s.conn.drained()
            s._reset(2)
            return
        s._end()


class MapSession:
    """An open map stream."""

    def __init__(self, server, req, node):
        self.server, self.req, self.node, self.stream, self.conn = server, req, node, req.stream, req.conn
        self.zstd = bool((req.json or {}).get("Compress"))
        self.node_key = (req.json or {}).get("NodeKey")
        self.open = True
        self.encode = None

    def encoded(self, data):
        enc = self.encode or self.server.encode
        return mapframes.frame(enc(data) if self.zstd or self.encode else data)

    def send(self, message):
        """A message, as a dict or as JSON text."""
        data = mapframes.dumps(message) if not isinstance(message, (bytes, str)) else message
        if isinstance(data, str):
            data = data.encode()
        self.server.log.add("map-send", stream=self.stream.id, size=len(data))
        self.stream.send(self.encoded(data))

    def send_raw(self, data):
        """Bytes of the response body as they are."""
        self.stream.send(data)

    def keepalive(self):
        self.send(b'{"KeepAlive":true}')

    def end(self):
        self.stream.end()

    def reset(self, code=8):
        self.stream.reset(code)


class Server:
    def __init__(self, tls=None, prefix="", tailnet=None, host="127.0.0.1", clear_port=0, tls_port=0, noise_key=None):
        """tls: an ssl.SSLContext for a second port.  Who may be asked at once (a port known before) is given its
        tailnet and key here."""
        self.host, self.prefix, self.tls = host, prefix, tls
        self.ports = {"clear": clear_port, "tls": tls_port}
        self.tailnet = tailnet or model.Tailnet()
        self.log = Log()
        self.faults = Faults()
        self.noise_key = noise_key or noise.new_private()
        self.handshakes = []  # (connection, noise.Responder) of those that succeeded
        self.legacy_key = None
        self.head_101 = HEAD_101
        self.settings = {}
        self.max_streams = 0  # MAX_CONCURRENT_STREAMS that we announce and keep; 0: none announced
        self.early = self.early_payload
        self.encode = mapframes.zstd
        self.min_capver = MIN_CAPVER
        self.keepalive_every = 50.0
        self.auto_full = True  # begin a map stream with the full map
        self.one_stream = True  # a new map stream of a node ends the older one
        self.on_accept = self.on_http = self.on_key = self.on_upgrade = self.on_response = None
        self.on_record = self.on_h2_start = self.on_request = self.on_register = self.on_map = self.on_lite = None
        self.on_session = None
        self.register_script, self.map_script = [], []
        self.conns, self.sessions = {}, []
        self.cond = threading.Condition()
        self.listeners = {}
        self.cid = 0
        self.frame_cache = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._thread, daemon=True)
        self.thread.start()
        self.listen()

    # ---- the thread
    def _thread(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def run(self, coro, timeout=60):
        return asyncio.run_coroutine_threadsafe(coro, self.loop).result(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.loop.is_closed():
            return
        self.run(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _stop(self):
        await self._unlisten()
        for c in list(self.conns.values()):
            c.close()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for t in tasks:
            t.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- listening
    def listen(self, which=("clear", "tls")):
        self.run(self._listen(which))

    async def _listen(self, which):
        for kind in which:
            if kind in self.listeners or (kind == "tls" and self.tls is None):
                continue
            srv = await asyncio.start_server(
                lambda r, w, k=kind: self._accepted(k, r, w), self.host, self.ports[kind], limit=1 << 20,
                ssl=self.tls if kind == "tls" else None, ssl_handshake_timeout=20 if kind == "tls" else None,
                backlog=1024)
            self.listeners[kind] = srv
            self.ports[kind] = srv.sockets[0].getsockname()[1]

    def unlisten(self):
        """Connections are refused from now on; the open ones stay."""
        self.run(self._unlisten())

    async def _unlisten(self):
        for srv in self.listeners.values():
            srv.close()
        self.listeners = {}

    @property
    def port(self):
        return self.ports["clear"]

    @property
    def url(self):
        return "http://%s:%d%s" % (self.host, self.ports["clear"], self.prefix)

    @property
    def tls_url(self):
        return "https://%s:%d%s" % (self.host, self.ports["tls"], self.prefix)

    async def _accepted(self, kind, reader, writer):
        self.cid += 1
        c = Conn(self, kind, reader, writer, self.cid)
        self.conns[c.id] = c
        c.log("accept", port=kind, peer=writer.get_extra_info("peername"))
        ssl_object = writer.get_extra_info("ssl_object")
        if ssl_object is not None:
            c.log("tls", version=ssl_object.version(), alpn=ssl_object.selected_alpn_protocol())
        try:
            await c.run()
        except asyncio.CancelledError:
            pass
        except Exception as e:
            c.log("server-bug", why=repr(e))
            raise

    def conn_gone(self, c):
        self.conns.pop(c.id, None)
        self._drop_sessions(lambda m: m.conn is c)

    def stream_gone(self, s):
        self._drop_sessions(lambda m: m.stream is s)

    def _drop_sessions(self, gone):
        with self.cond:
            for m in [m for m in self.sessions if gone(m)]:
                m.open = False
                self.sessions.remove(m)
                self.log.add("map-close", conn=m.conn.id, stream=m.stream.id, node=m.node_key)
            self.cond.notify_all()

    def drop_all(self, rst=False):
        """Close every connection."""
        def do():
            for c in list(self.conns.values()):
                c.rst() if rst else c.close()
        self.loop.call_soon_threadsafe(do)

    def gate(self):
        return Gate(self)

    # ---- keys
    @property
    def noise_public(self):
        return "mkey:" + noise.public(self.noise_key).hex()

    def rekey(self):
        self.noise_key = noise.new_private()
        return self.noise_public

    def key_reply(self, req):
        q = urllib.parse.parse_qs(req.query)
        if "v" not in q:
            return Reply(400, b"missing v\n")
        return Reply(200, {"legacyPublicKey": "mkey:" + "0" * 64, "publicKey": self.noise_public},
                     [("Content-Type", "application/json")])

    def early_payload(self, conn=None, key=None):
        body = json.dumps({"nodeKeyChallenge": "chalpub:" + noise.public(noise.new_private()).hex()}).encode()
        return b"\xff\xff\xffTS" + len(body).to_bytes(4, "big") + body

    # ---- requests inside Noise
    async def request(self, conn, stream):
        req = Request(self, conn, stream)
        kind = {self.prefix + "/machine/register": "register", self.prefix + "/machine/map": "map"}.get(req.path, "rpc")
        if kind == "map" and not (req.json or {}).get("Stream"):
            kind = "lite"
        req.kind = kind
        conn.log(kind, stream=stream.id, headers=stream.headers, json=req.json, body=req.body, machine=conn.machine,
                 version=conn.version, path=req.path)
        try:
            answer = await call(self.on_request, req)
            if answer is None:
                answer = await getattr(self, "_" + kind)(req)
            if answer is not HOLD and answer is not DONE:
                conn.log("answer", to=kind, stream=stream.id, status=getattr(answer, "status", 200))
                await req._reply(answer)
        except Exception as e:
            if not conn.closed and not stream.closed:
                conn.log("server-bug", why=repr(e))
                raise

    def _old(self, req):
        v = (req.json or {}).get("Version", 0)
        if v < self.min_capver:
            return Reply(400, b"unsupported client version: %d" % v)
        return None

    async def _script(self, script, hook, req):
        if script:
            step = script.pop(0)
            if callable(step):
                step = await call(step, req)
            if step is not None:
                return step, True
            return None, False
        answer = await call(hook, req)
        return answer, answer is not None

    async def _register(self, req):
        answer, given = await self._script(self.register_script, self.on_register, req)
        if given:
            return answer
        return self._old(req) or await self.register(req)

    async def register(self, req):
        """What a good server answers; waits for the user of an interactive login."""
        before = {n.id: n.key for n in self.tailnet.nodes.values()}
        answer, pending = self.tailnet.register(req.conn.machine, req.json)
        while pending is not None and pending.done is None:
            if req.stream.closed or req.conn.closed:
                return HOLD
            await asyncio.sleep(0.01)
        if pending is not None:
            answer = self.tailnet.finish(pending)
        self._tell(before)
        return Reply(200, answer, [("content-type", "application/json")])

    def _tell(self, before):
        """The streams of the other nodes receive new and changed nodes; a stream with a retired key ends."""
        t = self.tailnet
        changed = [n for n in t.nodes.values() if before.get(n.id) != n.key]
        for m in list(self.sessions):
            news = [n.json(t.domain) for n in changed if n is not m.node]
            if news:
                m.send({"PeersChanged": news})
        gone = [i for i in before if i not in t.nodes]
        for m in list(self.sessions):
            if gone and m.node.id not in gone:
                m.send({"PeersRemoved": gone})

    def complete(self, url, user=None):
        """The user has visited the URL.  user: a User, or another URL the client is sent to."""
        def do():
            self.tailnet.pending[url].done = user or self.tailnet.default_user
        self.loop.call_soon_threadsafe(do)

    def _node(self, req):
        node = self.tailnet.by_key((req.json or {}).get("NodeKey"))
        return node if node and node.machine == req.conn.machine else None

    def _store(self, node, j):
        node.hostinfo = j.get("Hostinfo") or {}
        node.endpoints = j.get("Endpoints") or []
        node.disco = j.get("DiscoKey", "")

    async def _lite(self, req):
        answer = await call(self.on_lite, req)
        if answer is not None:
            return answer
        node = self._node(req)
        if node is None:
            return self._old(req) or Reply(404, b"node not found")
        self._store(node, req.json)
        return Reply(200, b"")

    async def _map(self, req):
        answer, given = await self._script(self.map_script, self.on_map, req)
        if given and answer is not True:
            return answer
        bad = self._old(req)
        if bad:
            return bad
        node = self._node(req)
        if node is None:
            return Reply(404, b"node not found")
        await self.open_map(req, node)
        return DONE

    async def open_map(self, req, node, full=None):
        """Take the stream on: 200, the full map, keep-alives."""
        if self.one_stream:
            for m in [m for m in self.sessions if m.node is node]:
                m.stream._end()
                self._drop_sessions(lambda x, m=m: x is m)
        m = MapSession(self, req, node)
        req.stream._headers(200, [("content-type", "application/octet-stream")])
        with self.cond:
            self.sessions.append(m)
            self.cond.notify_all()
        m.log = req.conn.log("map-open", stream=req.stream.id, node=node.key)
        node.online = True
        if self.on_session is not None:
            await call(self.on_session, m)
        if self.auto_full if full is None else full:
            m.stream._send(self._full_frame(m))
        self.loop.create_task(self._keepalives(m))
        return m

    def _full_frame(self, m):
        peers = self.tailnet.raw_peers
        if len(peers) < 1 << 20 or self.encode is not mapframes.zstd or not m.zstd:
            return m.encoded(self.tailnet.full_bytes(m.node))
        # A big map costs too much to be compressed for every stream: once per node and peer list.
        if self.frame_cache.get("key") != m.node.key or self.frame_cache.get("peers") is not peers:
            self.frame_cache = {"key": m.node.key, "peers": peers, "frame": m.encoded(self.tailnet.full_bytes(m.node))}
        return self.frame_cache["frame"]

    async def _keepalives(self, m):
        while m.open and not m.conn.closed and not m.stream.closed:
            await asyncio.sleep(self.keepalive_every)
            if m.open and not m.stream.closed:
                m.stream._send(m.encoded(b'{"KeepAlive":true}'))

    async def _rpc(self, req):
        return Reply(200, b"{}")

    # ---- for tests
    def map(self, node_key=None, timeout=30, after=None):
        """The newest open map stream (of that node key; opened after that session), waiting for one."""
        end = time.monotonic() + timeout
        with self.cond:
            while True:
                found = [m for m in self.sessions if m.open and (node_key is None or m.node_key == node_key)
                         and m is not after]
                if found:
                    return found[-1]
                left = end - time.monotonic()
                if left <= 0:
                    raise Timeout("no open map stream within %s s" % timeout)
                self.cond.wait(left)

    def node(self):
        """The only node that has registered."""
        nodes = list(self.tailnet.nodes.values())
        assert len(nodes) == 1, "%d nodes" % len(nodes)
        return nodes[0]

    def set_expiry(self, seconds):
        """Changes the node's expiry (from now; None: never) and says so."""
        node = self.node()
        node.expiry = None if seconds is None else model.now() + datetime.timedelta(seconds=seconds)
        self.map().send({"Node": node.json(self.tailnet.domain)})
        return node

    def forget(self):
        """The administrator deletes the node: its streams end, the next map request gets 404."""
        node = self.node()

        async def do():
            del self.tailnet.nodes[node.id]
            for m in [m for m in self.sessions if m.node is node]:
                m.stream._end()
        self.run(do())
        return node

    def check(self):
        """No rule of the protocol was broken by the client, and none of our own code failed."""
        bad = self.log.all("violation") + self.log.all("server-bug")
        assert not bad, bad


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
