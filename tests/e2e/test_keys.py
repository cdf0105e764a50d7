# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Private keys and the auth key are found nowhere, from login to logout (security.md 5.2, T8, D11, D12)."""
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest
from harness import AUTH_KEY, SANITIZED, SLOW, alive, comm, descendants, forms, memory_hits, status_field, until

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.root]
UNLIMITED = ("prlimit", "--core=unlimited:unlimited")
# sudo sets a hard limit of 0, which takes CAP_SYS_RESOURCE to lift: not in every container.
CORES = subprocess.run([*UNLIMITED, "true"], stderr=subprocess.DEVNULL).returncode == 0
needs_cores = pytest.mark.skipif(not CORES,
                                 reason="cores cannot be permitted here: start without sudo, or with CAP_SYS_RESOURCE")


def words(pid):
    """argv and environ."""
    out = b""
    for name in ("cmdline", "environ"):
        with contextlib.suppress(OSError):
            with open("/proc/%d/%s" % (pid, name), "rb") as f:
                out += f.read() + b"\0"
    return out


class Scanner:
    """Looks through every process of a daemon, over and over, for the keys known so far.  A resolver lives for some
    milliseconds: it is stopped as soon as it is seen, looked at, and let go."""

    def __init__(self, pid):
        self.pid, self.patterns, self.found, self.seen = pid, [], set(), {}
        self.over = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.rounds, self.newcomers)]
        for t in self.threads:
            t.start()

    def add(self, keys):
        self.patterns = self.patterns + [p for k in keys for p in forms(k) if p not in self.patterns]

    def look(self, pid):
        name = "tailnetd" if pid == self.pid else comm(pid)
        patterns = self.patterns
        if not patterns:
            return
        hits = memory_hits(pid, patterns, concealed=False)
        text = words(pid)
        with self.lock:
            if hits is not None:
                self.seen[name] = self.seen.get(name, 0) + 1
            if hits:
                self.found.add((name, "memory"))
            if any(p in text for p in patterns):
                self.found.add((name, "argv or environ"))

    def rounds(self):
        while not self.over:
            for pid in [self.pid] + descendants(self.pid):
                self.look(pid)
            time.sleep(0.01)

    def newcomers(self):
        known = set(os.listdir("/proc"))
        while not self.over:
            now = set(os.listdir("/proc"))
            for name in now - known:
                with contextlib.suppress(OSError, ValueError):
                    pid = int(name)
                    if comm(pid) in ("resolver", "tailnetd") and int(status_field(pid, "PPid")) == self.pid:
                        end = time.monotonic() + 0.05  # between fork and exec it has the parent's name
                        while comm(pid) == "tailnetd" and time.monotonic() < end:
                            pass
                        if comm(pid) == "resolver":
                            os.kill(pid, signal.SIGSTOP)
                            try:
                                self.look(pid)
                            finally:
                                os.kill(pid, signal.SIGCONT)
            known = now
            time.sleep(0.0003)

    def wait(self, name):
        """Until that process has been looked at from now on."""
        n = self.seen.get(name, 0)
        until(lambda: self.seen.get(name, 0) > n + 1, 20 * SLOW, name + " is looked at")

    def end(self):
        self.over = True
        for t in self.threads:
            t.join(30)
        return self.found


def files_with(directory, patterns):
    """The files under a directory, except those of the state, that contain one of the patterns."""
    out = []
    for path in glob.glob(directory + "/**", recursive=True):
        if os.path.isfile(path) and "/state/" not in path and os.path.basename(path) != "authkey":
            with open(path, "rb") as f:
                data = f.read()
            out += [path] if any(p in data for p in patterns) else []
    return out


@pytest.mark.rows("PRIV-01")
def test_no_key_anywhere_in_a_whole_life(server, make_daemon):
    """Login, map, rotation, expiry, logout, login again, restart: all keys there ever were, in memory, argv, environ,
    logs."""
    d = make_daemon("http://localhost:%d" % server.ports["clear"], start=False, login="manual",
                    prefix=UNLIMITED if CORES else ())
    d.start()
    scan = Scanner(d.pid)
    keys = set()

    def learn():
        keys.update(d.private_keys())
        scan.add(keys)
        return d.status()
    learn()
    assert len(keys) == 1, "the machine key"
    # Held at the server, so that authd is looked at in the middle of its work.
    gate = server.gate()

    async def hold(req):
        await gate.wait()
        return None
    server.on_register = hold
    d.ctl("login auth-key=" + AUTH_KEY)
    server.log.wait("register")
    learn()
    scan.wait("authd")
    gate.open()
    server.on_register = None
    d.wait_sync()
    first = learn()
    server.map().send({"Domain": "a.example"})
    scan.wait("mapd")
    d.ctl("login interactive auth-key=" + AUTH_KEY)  # rotation: candidate, current and old key
    rotated = d.wait(lambda s: s["synced"] and s["nodeKey"] != first["nodeKey"] and s["goal"] is None)
    assert rotated["oldNodeKey"] == first["nodeKey"]
    learn()
    scan.wait("mapd")
    d.set_auth_key(AUTH_KEY)
    d.write_conf()
    d.proc.send_signal(signal.SIGHUP)
    server.set_expiry(2)
    d.wait(lambda s: s["synced"] and s["nodeKey"] != rotated["nodeKey"] and s["goal"] is None)
    learn()
    scan.wait("mapd")
    for _ in range(20):  # a resolver for each
        if scan.seen.get("resolver"):
            break
        d.ctl("reconnect")
        d.wait_sync()
        time.sleep(0.3)
    scan.wait("tailnetd")
    d.ctl("logout")
    scan.wait("tailnetd")
    d.ctl("login auth-key=" + AUTH_KEY)
    d.wait_sync()
    learn()
    scan.wait("mapd")
    assert d.stop() == 0
    assert scan.end() == set()
    d.conf["login"] = "auto"
    d.start()
    again = Scanner(d.pid)
    again.add(keys)
    d.wait_sync()
    again.wait("mapd")
    again.wait("tailnetd")
    assert again.end() == set()
    assert len(keys) >= 5, "machine key and four node keys"
    assert {"tailnetd", "authd", "mapd", "resolver"} <= set(scan.seen), scan.seen
    patterns = [p for k in keys for p in forms(k)]
    assert memory_hits(os.getpid(), patterns), "the method finds what is there"
    assert files_with(d.dir, patterns + [AUTH_KEY.encode()]) == []
    assert not any(p in server.log.text().encode() for p in patterns)


def session_keys(server, closed):
    """Of the connections that are closed, or open."""
    return {k for c, hs in list(server.handshakes) if c.closed == closed for k in (hs.c2s, hs.s2c)}


@pytest.mark.rows("PRIV-01")
def test_secrets_of_the_handshakes(server, make_daemon):
    """security.md 5.2, D1: no child ever has one of the shared secrets; a connection's keys are wiped with it."""
    d = make_daemon(server, auth_key=AUTH_KEY, login="manual")
    scan = Scanner(d.pid)

    def learn():
        values = {v for _, hs in list(server.handshakes) for v in hs.secrets.values()}
        scan.patterns = [p for v in values for p in (v, v[:16], v[16:])]  # a program would not write them as text
    gate = server.gate()

    async def hold(req):
        await gate.wait()
        return None
    for i in range(2):
        server.on_register = hold
        gate = server.gate()
        n = len(server.log.all("register"))
        d.ctl("login")
        server.log.wait("register", n=n + 1)
        learn()
        scan.wait("authd")
        authd, old = d.process("authd")["pid"], len(server.handshakes)
        if not i:
            held = session_keys(server, False)
            assert any(memory_hits(authd, [k]) for k in held), "the method finds those of a connection in use"
        gate.open()
        server.on_register = None
        d.wait_sync()
        until(lambda: session_keys(server, True), what="authd's connection is closed")
        d.ctl("reconnect")
        until(lambda: len(server.handshakes) > old, what="mapd has another connection")
        d.wait_sync()
        learn()
        time.sleep(0.1 * SLOW)
        for name in ("authd", "mapd"):
            pid = d.process(name)["pid"]
            gone = session_keys(server, True)
            assert not pid or not memory_hits(pid, [p for k in gone for p in (k, k[:16], k[16:])]), name
        scan.wait("mapd")
    scan.wait("tailnetd")
    assert scan.end() == set()
    assert len(server.handshakes) >= 4 and {"authd", "mapd", "tailnetd"} <= set(scan.seen)
    assert all(len(hs.secrets) == 4 for _, hs in server.handshakes)


@pytest.mark.rows("PRIV-01", "REG-12")
@pytest.mark.parametrize("source", ["command", "file"])
def test_auth_key_is_gone_100_ms_after_use(server, make_daemon, source):
    """authd has sent the request and waits for the answer: the key is no longer anywhere.  mapd and resolver never have
    it."""
    d = make_daemon(server, auth_key=AUTH_KEY if source == "file" else None, login="manual")
    d.secrets.append(AUTH_KEY)
    patterns = [p for p in forms(AUTH_KEY.encode()) if len(p) > 10]
    gate = server.gate()

    async def hold(req):
        await gate.wait()
        return None
    server.on_register = hold
    d.ctl("login" if source == "file" else "login auth-key=" + AUTH_KEY)
    e = server.log.wait("register")
    assert e.json["Auth"]["AuthKey"] == AUTH_KEY
    time.sleep(0.1 * SLOW)
    authd = d.process("authd")["pid"]
    assert authd and memory_hits(authd, patterns) == 0
    assert not memory_hits(d.pid, patterns, concealed=False), "the parent has handed it on"
    gate.open()
    server.on_register = None
    d.wait_sync()
    for pid in [d.pid] + d.tree():
        assert not memory_hits(pid, patterns), comm(pid)
        assert AUTH_KEY.encode() not in words(pid)
    assert AUTH_KEY not in d.state_text()


def cores(d):
    """Where a core could be: the working directory (this is / for all), the root of the children, the daemon's own
    directory."""
    with open("/proc/sys/kernel/core_pattern") as f:
        where = os.path.dirname(f.read().strip())
    out = []
    for directory in {"/", "/tmp", d.dir, d.state_dir, d.conf["chroot-dir"], where if where.startswith("/") else "/"}:
        out += glob.glob(directory + "/core*") + glob.glob(directory + "/*.core*")
    return set(p for p in out if os.path.isfile(p))


def limit(pid):
    with open("/proc/%d/limits" % pid) as f:
        return next(line.split()[4:6] for line in f if line.startswith("Max core file size"))


@needs_cores
@pytest.mark.rows("PRIV-01")
@pytest.mark.parametrize("sig", [signal.SIGABRT, signal.SIGSEGV])
def test_no_core_of_any_process(server, make_daemon, tmp_path, sig):
    """Started without a limit for cores; each process is killed by a signal that makes one."""
    if SANITIZED and sig == signal.SIGSEGV:
        pytest.skip("the sanitizer takes it for a finding")
    p = subprocess.Popen([*UNLIMITED, "sleep", "60"], cwd=tmp_path)
    until(lambda: comm(p.pid) == "sleep")
    p.send_signal(sig)
    if os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT).si_code != os.CLD_DUMPED:
        print("this machine makes no cores at all: that ours made none says little")
    p.wait()
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, prefix=UNLIMITED)
    d.start()
    first = d.wait_sync()
    before = cores(d)
    gate = server.gate()

    async def hold(req):
        await gate.wait()
        return None
    server.on_register = hold
    d.ctl("login")
    for name in ("authd", "mapd"):
        pid = d.child(name)
        assert limit(pid) == ["0", "0"]
        # What may not be dumped belongs to root in /proc, whatever user runs it.
        assert os.stat("/proc/%d/maps" % pid).st_uid == 0 != int(status_field(pid, "Uid").split()[0])
        os.kill(pid, sig)
        until(lambda p=pid: not alive(p), 10 * SLOW, name + " is dead")
    server.on_register = None
    gate.open()
    assert limit(d.pid)[0] == "0"
    os.kill(d.pid, sig)
    how = os.waitid(os.P_PID, d.pid, os.WEXITED | os.WNOWAIT)
    assert how.si_code == os.CLD_KILLED or SANITIZED, "CLD_DUMPED means that a core was made"
    d.proc.wait()
    assert cores(d) == before
    assert d.start().wait_sync()["machineKey"] == first["machineKey"]


@pytest.mark.rows("PRIV-01")
@pytest.mark.skipif(shutil.which("gcore") is None, reason="gdb is not here")
def test_a_debuggers_core_has_no_key(server, make_daemon, tmp_path):
    """What root's gcore sees of a running daemon: pages kept out of cores are out of it, too."""
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    patterns = [p for k in d.private_keys() for p in forms(k)]
    for pid in [d.pid, d.child("mapd")] if not SANITIZED else []:
        out = str(tmp_path / "g")
        subprocess.run(["gcore", "-o", out, str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        with open("%s.%d" % (out, pid), "rb") as f:
            data = f.read()
        assert len(data) > 100000 and b"tailnetd" in data
        assert not any(p in data for p in patterns), comm(pid)
    assert d.status()["loggedIn"]
