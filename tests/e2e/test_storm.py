# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Malicious clients of the control socket (security.md T6, D13): they may read what the group may read, nothing else
happens."""
import contextlib
import os
import signal
import subprocess
import sys

import pytest
import storm
from harness import AUTH_KEY, SANITIZED, SLOW, until

SECONDS = float(os.environ.get("E2E_STORM", "5"))
# Beside other tests, both p99 are those of the machine's other work.
ALONE = "PYTEST_XDIST_WORKER" not in os.environ
RISE = 0.010 if ALONE and not SANITIZED else 0.100
pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.root]

# argv: socket, what to send, how many at once.  Prints how many were busy; holds the rest until its stdin ends.  A
# whole line is answered in any case, half a line only to send its client away.
HOLDER = """
import contextlib, select, socket, sys, time
held, busy = [], 0
for i in range(int(sys.argv[3])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    with contextlib.suppress(BrokenPipeError):  # sent away already
        s.sendall(sys.argv[2].encode())
    held.append(s)
silent, end = list(held), time.monotonic() + (20 if sys.argv[2].endswith("\\n") else 1)
while silent and time.monotonic() < end:
    for s in select.select(silent, [], [], 0.1)[0]:
        busy += b'"busy"' in s.recv(100)
        silent.remove(s)
print(busy, flush=True)
sys.stdin.read()
"""

READERS = """
import contextlib, socket, sys
last = []
for i in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.settimeout(0.01)
    with contextlib.suppress(OSError):
        s.sendall(sys.argv[3].encode())
        s.recv(100)
    last.append(s)
    if len(last) > 4:
        last.pop(0).close()
"""


@pytest.fixture(scope="session")
def stormd():
    with storm.program() as p:
        yield p


def test_storm(server, make_daemon, stormd):
    d = make_daemon(server, auth_key=AUTH_KEY, log_level="info")
    first = d.wait_sync()
    server.map().send({"PeersChanged": [{"ID": 5, "StableID": "n5", "Name": "five.example.",
                                         "Key": "nodekey:" + "55" * 32,
                                         "Addresses": ["100.64.0.5/32"], "AllowedIPs": ["100.64.0.5/32"]}]})
    d.wait_netmap(lambda n: n["Peers"])
    r = storm.run(stormd, d, SECONDS)
    print(r)
    assert r["allowed"] == 0 and r["leaks"] == 0
    # It did get through: whole answers were read, and refused ones that were not just "busy".
    assert r["opened"] > 1000 and r["answers"] - r["busy"] > 100 and r["refused"] > 100, r
    assert r["synced"] and r["restarts"] == 0, r
    assert r["p99"] < r["calm"] + RISE * SLOW, r
    assert SANITIZED or (r["grown"] < 2 << 20 and r["mapd_grown"] < 4 << 20), r
    s = d.status()
    for name in ("machineKey", "nodeKey", "serverKey", "paused", "loggedIn", "endpoints", "discoKey", "goal"):
        assert s[name] == first[name], name
    assert s["hostinfo"]["Hostname"] == first["hostinfo"]["Hostname"]
    assert d.stop() == 0


@contextlib.contextmanager
def holding(d, user, text, n):
    p = subprocess.Popen([sys.executable, "-c", HOLDER, d.socket, text, str(n)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE,
                         text=True, user=user, group=storm.GROUP, extra_groups=[])
    try:
        yield int(p.stdout.readline())
    finally:
        p.communicate()


@pytest.mark.parametrize("text", ["watch\n", "watch netmap\n", "stat"])
def test_places_of_one_user(server, daemon, text):
    """8 of one user; the next user and root have theirs, and all is free again when they disconnect."""
    with holding(daemon, 65534, text, 10) as busy:
        assert busy == 2
        with holding(daemon, 65533, text, 8) as other:
            assert other == 0
        assert daemon.status()["synced"] and daemon.netmap()["Source"] == "live"
    until(lambda: not busy_now(daemon, text), 5 * SLOW, "places are free again")


def busy_now(d, text):
    with holding(d, 65534, text, 8) as busy:
        return busy


@pytest.mark.parametrize("text", ["watch\n", "watch netmap\n"])
def test_places_of_all_users(server, daemon, text):
    """64 of all together, and 8 more for root only."""
    with contextlib.ExitStack() as stack:
        for uid in range(60001, 60009):
            assert stack.enter_context(holding(daemon, uid, text, 8)) == 0
        assert stack.enter_context(holding(daemon, 60009, text, 1)) == 1
        for _ in range(7):
            stack.enter_context(holding(daemon, 0, text, 1))
        assert daemon.status()["synced"] and daemon.netmap()["Source"] == "live"
        assert stack.enter_context(holding(daemon, 0, text, 3)) == 2


@pytest.mark.rows("PRIV-03")
@pytest.mark.parametrize("text", ["watch netmap\n", "netmap\n"])
def test_readers_cannot_get_mapd_killed(server, make_daemon, text):
    """While mapd has no time, queries wait for it: but not more than it can hold, and other messages still reach it.
    Two daemons: the kernel counts the descriptors in flight for all processes of a user together
    (ETOOMANYREFS)."""
    daemons = [make_daemon(server, auth_key=AUTH_KEY) for _ in range(2)]
    for d in daemons:
        d.wait_sync()
    stopped = [d.child("mapd") for d in daemons]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        for d in daemons:
            subprocess.run([sys.executable, "-c", READERS, d.socket, "300", text], check=True, user="nobody",
                           group=storm.GROUP, extra_groups=[], timeout=60)
            assert d.status()["loggedIn"]
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    for d, pid in zip(daemons, stopped):
        assert d.wait_netmap(lambda n: n["Source"] == "live")
        assert d.process("mapd")["pid"] == pid and d.process("mapd")["restarts"] == 0
        assert d.status()["synced"]
