# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""No memory: the parent never ends for it, the request fails (security.md D8); each of its allocations fails once."""
import contextlib
import json
import mmap
import os
import pwd
import signal
import struct
import subprocess
import sys
import time

import pytest
from controlserver import big_peers
from harness import AUTH_KEY, SANITIZED, SLOW, until

pytestmark = pytest.mark.usefixtures("programs")
# Commands, and how many allocations each makes in the parent at least: with fewer the test would look at nothing.
COMMANDS = {"status": 3, "metrics": 3, "processes": 3, "set hostinfo {\"App\":\"%d\"}": 20,
            "set netinfo {\"PreferredDERP\":%d}": 20, "set endpoints 192.0.2.1:%d": 20, "no such command": 3}


class Memory:
    """A daemon whose allocations are counted while fail(n) is on; the n-th fails."""

    def __init__(self, d, shim):
        name = os.path.join(d.dir, "memory")
        with open(name, "wb") as f:
            f.write(bytes(16))
        with open(name, "r+b") as f:
            self.shared = mmap.mmap(f.fileno(), 16)
        d.env = {"LD_PRELOAD": shim, "FAULTSHIM_MEMORY": name}

    def fail(self, n):
        self.shared[:] = struct.pack("QQ", n, 0)

    def stop(self):
        """How many allocations there were."""
        count = struct.unpack("QQ", self.shared[:])[1]
        self.shared[:] = bytes(16)
        return count


def ask(d, line):
    """The answer; "" when there was no memory for the client itself."""
    with contextlib.closing(d.connect()) as s, contextlib.suppress(ConnectionError):  # also of our own write
        s.sendall(line.encode() + b"\n")
        text = b""
        while True:
            part = s.recv(65536)
            if not part:
                return text.decode()
            text += part
    return ""


def sweep(d, memory, act, least):
    """act() with the first allocation failing, with the second, and so on, until there is none of that number."""
    for n in range(1, 5000):
        memory.fail(n)
        try:
            act(n)
            time.sleep(0.01 * SLOW)
        finally:
            count = memory.stop()
        assert d.proc.poll() is None, "allocation %d ended the daemon: %s" % (n, d.log(5))
        if count < n:
            break
    assert least <= n < 4999
    return n


@pytest.mark.rows("PRIV-03")
@pytest.mark.parametrize("line", sorted(COMMANDS))
def test_each_allocation_of_a_request(server, make_daemon, shim, line):
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, log_level="info")
    memory = Memory(d, shim)
    d.start()
    d.wait_sync()

    def act(n):
        text = ask(d, line % n if "%" in line else line)
        if not text.startswith("#") and text:
            for one in text.splitlines():
                one = json.loads(one)
                if "error" in one:
                    assert one["error"]["code"] in ("internal", "unknown-command"), one

    sweep(d, memory, act, COMMANDS[line])
    d.ctl("unpause")
    d.wait_sync(timeout=60 * SLOW)
    assert d.stop() == 0


@pytest.mark.rows("PRIV-03")
def test_each_allocation_of_a_reload(server, make_daemon, shim):
    d = make_daemon(server, start=False, auth_key=AUTH_KEY)
    memory = Memory(d, shim)
    d.start()
    d.wait_sync()

    def act(n):
        mark = d.log().count("configuration ")
        d.proc.send_signal(signal.SIGHUP)
        until(lambda: d.log().count("configuration ") > mark, what="it is reloaded, or not")

    sweep(d, memory, act, 3)
    d.wait_sync(timeout=60 * SLOW)
    assert d.stop() == 0


@pytest.mark.long
@pytest.mark.rows("PRIV-03")
def test_each_allocation_of_a_child_start(server, make_daemon, shim):
    """From the end of mapd to the next netmap: dials, handshakes, what it is sent."""
    d = make_daemon(server, start=False, auth_key=AUTH_KEY)
    memory = Memory(d, shim)
    d.start()
    d.wait_sync()
    for n in range(1, 40, 4):
        pid = d.child("mapd")
        memory.fail(n)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.6 * SLOW)
        memory.stop()
        assert d.proc.poll() is None, "allocation %d ended the daemon: %s" % (n, d.log(5))
        d.wait_sync(timeout=60 * SLOW)
    assert d.stop() == 0


def as_mapd():
    """How to run a process as mapd's account: only that may set its limits."""
    if os.getuid() != 0:
        return {}
    pw = pwd.getpwnam("_tailnetd_map")
    return {"user": pw.pw_uid, "group": pw.pw_gid, "extra_groups": []}


@pytest.mark.rows("PRIV-03")
@pytest.mark.skipif(SANITIZED, reason="a sanitizer aborts when it gets no memory; the plain build runs this")
def test_mapd_runs_out_of_memory(server, make_daemon):
    """It ends and is started again, with a health code of its own; the cache stays."""
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes")
    d.wait_sync()
    cache = os.path.join(d.state_dir, "netmap.cache")
    until(lambda: os.path.exists(cache), what="the cache is written")
    pid = d.child("mapd")
    limit = "import resource; resource.prlimit(%d, resource.RLIMIT_DATA, (4096, 4096))" % pid
    subprocess.run([sys.executable, "-c", limit], check=True, **as_mapd())
    server.tailnet.raw_peers = big_peers(2000)
    server.map().send(server.tailnet.full_bytes(server.node()))
    until(lambda: "out-of-memory" in [h["code"] for h in d.status()["health"]], what="it is reported")
    assert "mapd[%d] ran out of memory (status 75)" % pid in d.log()
    assert "netmap cache removed" not in d.log() and os.path.exists(cache)
    s = d.wait(lambda s: s["synced"] and s["peers"] == 2000, what="the next one has it all")
    assert "child-crash" not in [h["code"] for h in s["health"]]
