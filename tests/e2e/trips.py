# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Counts round trips without a clock: a proxy in front of the scripted server that moves time on by itself.

What either side sends waits until all are idle: nothing arrives, and no process of the daemon uses
the CPU.  Then half a round trip passes at once, and all that is due is delivered, on all connections together.  How
long either side thinks, and how slow the machine is, does not count.  The SYN of a connection also travels half
a trip, and the SYN-ACK is received, before the first bytes of its client are sent.

    with Trips(server) as t:
        d = Daemon(t.url, start=False)
        n = t.until_synced(d)
"""
import asyncio
import contextlib
import json
import socket
import time

from harness import DEADLINE, SLOW, SYNC, Late, descendants

QUIET = 0.03 * SLOW
FREE = -1  # the tick after the last: everything is delivered at once


def used(pid):
    """What a daemon's processes have used of the CPU, and whether one of them would like to have it now."""
    total, running = 0, False
    for p in [pid] + descendants(pid):
        with contextlib.suppress(OSError):
            with open("/proc/%d/schedstat" % p) as f:
                total += int(f.read().split()[0])
            with open("/proc/%d/stat" % p) as f:
                running |= f.read().rsplit(")", 1)[1].split()[0] not in "SZX"
    return total, running


class Trips:
    """ports: where it listens, by kind, instead of any port that is free."""

    def __init__(self, server, host="127.0.0.1", ports=None):
        self.server, self.host = server, host
        self.ports = dict(ports or {kind: 0 for kind in server.listeners})
        self.tick, self.busy_at = 0, 0.0
        self.queue, self.listeners, self.writers = [], [], []

    def __enter__(self):
        self.server.run(self._listen())
        return self

    def __exit__(self, *_):
        self.server.run(self._close())

    async def _listen(self):
        for kind, port in self.ports.items():
            s = await asyncio.start_server(lambda r, w, k=kind: self._pair(r, w, k), self.host, port, limit=1 << 20)
            self.listeners.append(s)
            self.ports[kind] = s.sockets[0].getsockname()[1]

    async def _close(self):
        for x in self.listeners + self.writers:
            x.close()

    @property
    def url(self):
        return "http://%s:%d" % (self.host, self.ports["clear"])

    @property
    def tls_url(self):
        return "https://%s:%d" % (self.host, self.ports["tls"])

    async def _pair(self, reader, writer, kind):
        floor = self.tick + 2
        self.busy_at = time.monotonic()
        far_reader, far_writer = await asyncio.open_connection(self.server.host, self.server.ports[kind], limit=1 << 20)
        for w in (writer, far_writer):
            w.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.writers.append(w)
        await asyncio.gather(self._carry(reader, far_writer, floor), self._carry(far_reader, writer, 0))

    async def _carry(self, reader, writer, floor):
        data = True
        while data:
            try:
                data = await reader.read(1 << 18)
            except ConnectionError:
                data = b""
            self.busy_at = time.monotonic()
            if self.tick == FREE:
                self._deliver(writer, data)
            else:
                self.queue.append((max(self.tick, floor) + 1, writer, data))

    @staticmethod
    def _deliver(writer, data):
        with contextlib.suppress(OSError, RuntimeError):
            if data:
                writer.write(data)
            else:
                writer.close()

    async def _quiet(self, pid):
        """Until all are idle."""
        last = None
        while True:
            now = used(pid)
            if now != last or now[1]:
                last, self.busy_at = now, time.monotonic()
            if time.monotonic() - self.busy_at >= QUIET:
                return
            await asyncio.sleep(QUIET / 6)

    async def _run(self, pid, over):
        loop, half = asyncio.get_running_loop(), 0
        while True:
            await self._quiet(pid)
            if await loop.run_in_executor(None, over):
                break
            if not self.queue:
                continue
            half = self.tick = min(due for due, _, _ in self.queue)
            ready = [x for x in self.queue if x[0] <= half]
            self.queue = [x for x in self.queue if x[0] > half]
            for _, writer, data in ready:
                self._deliver(writer, data)
            self.busy_at = time.monotonic()
        self.tick, rest, self.queue = FREE, self.queue, []
        for _, writer, data in rest:
            self._deliver(writer, data)
        return half / 2

    def until_synced(self, d, timeout=2 * DEADLINE):
        """Starts the daemon; the round trips from its first SYN to the netmap.  After that the proxy is no more than
        one."""
        self.tick = 0
        d.spawn()

        def over():
            with contextlib.suppress(OSError, ValueError):
                s = json.loads(d.text("status"))
                return s["state"] == SYNC and s["synced"]
        try:
            return self.server.run(self._run(d.pid, over), timeout)
        except TimeoutError as e:
            raise Late("not synchronized within %s s: %s" % (timeout, d.log(last=30))) from e


def at_most(limit, count):
    """A hiccup of the machine may look like a trip: what is over the limit is counted once more."""
    n = count()
    return min(n, count()) if n > limit else n
