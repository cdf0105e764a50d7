# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The control socket as a file and as a stream (interface.md 3): clients that send too much, stop sending, or
connect at a high rate."""
import json
import os
import socket
import subprocess
import sys
import time

import pytest
from harness import AUTH_KEY, BIN, SLOW, fds, until

pytestmark = pytest.mark.usefixtures("programs")
# Asks the same N times, one connection each; prints how often which code came ("ok": no error).
ASK_OFTEN = """
import collections, json, socket, sys
codes = collections.Counter()
for _ in range(int(sys.argv[3])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(sys.argv[2].encode() + b"\\n")
    out = b""
    while True:
        p = s.recv(65536)
        if not p:
            break
        out += p
    s.close()
    codes[json.loads(out).get("error", {}).get("code", "ok")] += 1
print(json.dumps(codes))
"""


def answer(s):
    """Everything up to the end of the stream, which is an end and no error."""
    out = b""
    while True:
        p = s.recv(65536)
        if not p:
            return out.decode()
        out += p


def ask(d, data, half=False):
    with d.connect() as s:
        s.sendall(data)
        if half:
            s.shutdown(socket.SHUT_WR)
        return answer(s)


@pytest.mark.parametrize("half", [False, True])
def test_answers(daemon, half):
    """Also to one that closes its sending side behind the command, as `printf .. | nc -N -U` does."""
    first = {"status": '{"v":1,', "netmap": '{"v":1,"Seq":', "hosts": "100.64.0.1\t", "wgconf": "[Interface]\n",
             "wgconf private": "[Interface]\nPrivateKey", "metrics": "# HELP tailnetd_up",
             "processes": '[{"name":"tailnetd",',
             "server-key": '{"serverKey":"mkey:', "doctor": '{"name":"name resolution","ok":true',
             "log debug": '{"ok":true}\n',
             "set hostinfo {}": '{"ok":true,"changed":', "set endpoints auto": '{"ok":true,"changed":',
             "peer x": '{"error":',
             "pause": '{"ok":true}\n', "unpause": '{"ok":true}\n', "login": '{"ok":true}\n', "logout": '{"ok":true}\n'}
    for line, start in first.items():
        got = ask(daemon, line.encode() + b"\n", half)
        assert got.startswith(start) and got.endswith("\n"), (line, got)
        if line == "unpause":
            daemon.wait_sync()


@pytest.mark.parametrize("line", ["watch", "watch netmap"])
def test_a_watcher_that_only_listens(daemon, line):
    """It continues to receive, and its place is free soon after it has disconnected."""
    before = fds(daemon.pid), fds(daemon.child("mapd"))
    with daemon.connect() as s:
        s.sendall(line.encode() + b"\n")
        s.shutdown(socket.SHUT_WR)
        events = s.makefile("rb")
        assert json.loads(next(events))["event"] == "status"
        time.sleep(0.2)
        daemon.ctl("pause")
        while True:
            e = json.loads(next(events))
            if e["event"] == "status" and e["status"]["paused"]:
                break
    held = [daemon.connect() for _ in range(3)]
    for s in held:
        s.sendall(line.encode() + b"\n")
        s.shutdown(socket.SHUT_WR)
        assert s.recv(100)
    for s in held:
        s.close()
    until(lambda: fds(daemon.pid) <= before[0] and fds(daemon.child("mapd")) <= before[1], 12 * SLOW,
          "the places are free")


@pytest.mark.parametrize("more", [1, 5000, 100000])
def test_more_than_a_line(daemon, more):
    """One command, one answer: what follows it is ignored, and does not damage the end of the answer."""
    for line in ("status", "netmap", "hosts", "server-key", "log debug", "set hostinfo {}", "bogus"):
        got = ask(daemon, line.encode() + b"\n" + b"x" * more)
        assert got.endswith("\n") and ("error" in got) == (line == "bogus"), (line, got[:200])
    assert daemon.status()["synced"]


@pytest.mark.parametrize("start, limit", [(b"", 4096), (b"set hostinfo ", 65536), (b" \t set hostinfo ", 65536)])
def test_lines_over_the_limit(daemon, start, limit):
    for size in (limit - 1, limit, limit + 1, limit + 5000, 4 * limit):
        got = json.loads(ask(daemon, (start + b"x" * (size - len(start))) + b"\n"))["error"]["code"]
        assert got == ("too-large" if size >= limit else "invalid" if start else "unknown-command"), size
    # One that never stops is not waited for.
    with daemon.connect() as s:
        t = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < t + 10:
                s.sendall(b"x" * 65536)
        assert time.monotonic() - t < 5 * SLOW
    assert daemon.status()["synced"]


def test_no_line(daemon):
    """5 s for the first line, however busily it is written."""
    for piece in (b"", b"s"):
        with daemon.connect() as s:
            t = time.monotonic()
            while time.monotonic() < t + 4.5:
                s.sendall(piece)
                time.sleep(0.1)
            assert json.loads(answer(s))["error"]["code"] == "timeout"
            assert 4.5 < time.monotonic() - t < 5 + 2 * SLOW


def often(d, user, line, n):
    r = subprocess.run([sys.executable, "-c", ASK_OFTEN, d.socket, line, str(n)], user=user, group="_tailnetd",
                       extra_groups=[],
                       cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


@pytest.mark.long
@pytest.mark.root
def test_rate_of_writing_commands(server, make_daemon):
    """20 per second and 100 at once for those who are not root; `server-key accept` is one of them.  Reading has no
    such limit."""
    d = make_daemon(server, auth_key=AUTH_KEY, control_operator="nobody")
    key = d.wait_sync()["serverKey"]
    for line in ("log debug", "server-key accept " + key, "set endpoints auto", "server-key accept mkey:1"):
        t = time.monotonic()
        # Enough that it is busy also where a connection takes 30 ms: fewer tokens are added meanwhile.
        got = often(d, "nobody", line, 400)
        most = 100 + 20 * (time.monotonic() - t) + 1
        assert got["busy"] >= 400 - most and 1 <= 400 - got["busy"] <= most, (line, got)
        assert often(d, "nobody", "status", 160) == {"ok": 160}
        assert often(d, "root", "log debug", 160) == {"ok": 160}
        time.sleep(2)  # 40 tokens have been added
        got = often(d, "nobody", line, 20)
        assert "busy" not in got, (line, got)
        time.sleep(5)


@pytest.mark.rows("SHUT-02")
def test_another_ones_socket_stays(daemon):
    """Ours was removed while we ran, and another program listens there now."""
    os.unlink(daemon.socket)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(daemon.socket)
        s.listen(1)
        assert daemon.stop() == 0
        assert os.path.exists(daemon.socket)
    os.unlink(daemon.socket)
    daemon.start()
    assert daemon.stop() == 0 and not os.path.exists(daemon.socket)


def test_a_full_queue_is_not_a_daemon_that_is_gone(tmp_path):
    """C13 of the faults: OpenBSD refuses a connection at once while the queue of the socket is full."""
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)  # refused until it listens
        p = subprocess.Popen([os.path.join(BIN, "tailnetctl"), "-s", path, "status"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        time.sleep(0.2)
        s.listen(1)
        s.settimeout(5)
        c, _ = s.accept()
        with c:
            assert c.recv(100).startswith(b"status")
        assert b"not running" not in p.communicate(timeout=30)[1]
    p = subprocess.run([os.path.join(BIN, "tailnetctl"), "-s", path, "status"], stderr=subprocess.PIPE, check=False)
    assert p.returncode == 3 and b"tailnetd is not running" in p.stderr
