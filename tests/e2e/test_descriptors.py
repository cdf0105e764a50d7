# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Descriptors that a client attaches to its data (security.md T6, D13): none is accepted, and closing them delays
no other client."""
import os
import signal
import subprocess
import sys
import time

import pytest
from harness import AUTH_KEY, SANITIZED, SLOW, fds

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.root]
# As on a kernel before 6.16, which has no SO_PASSRIGHTS.
OLD_KERNEL = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	static int (*next)(int, int, int, const void *, socklen_t);

	if (level == SOL_SOCKET && name == 83) {
		errno = ENOPROTOOPT;
		return -1;
	}
	if (next == 0)
		next = (int (*)(int, int, int, const void *, socklen_t))dlsym(RTLD_NEXT, "setsockopt");
	return next(fd, level, name, value, len);
}
"""
# What closes such a socket waits for a minute: its owner has unsent data in it and waits until it is sent.
CLIENT = """
import array, contextlib, socket, struct, sys, time
path, line, count, nested = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), sys.argv[4] == "nested"
door = socket.socket()
door.bind(("127.0.0.1", 0))
door.listen(200)
ends = []
def slow_to_close():
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    c.connect(door.getsockname())
    ends.append(door.accept()[0])
    c.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            c.send(bytes(65536))
    return c
def give(to, socks, data):
    try:
        to.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno() for s in socks]))])
    except (PermissionError, BrokenPipeError):
        ends.extend(socks)  # refused: to close them would take our own time
        return
    for s in socks:
        s.close()
s = socket.socket(socket.AF_UNIX)
s.connect(path)
if line:
    s.sendall(line + b"\\n")
    time.sleep(0.5)
print("ready", flush=True)
sys.stdin.readline()
socks = [slow_to_close() for _ in range(count)]
if nested:
    a, b = socket.socketpair()
    give(a, socks, b"x")
    a.close()
    socks = [b]
give(s, socks, b"stat")
if line:
    s.close()
print("given", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="session")
def old_kernel(tmp_path_factory):
    where = tmp_path_factory.mktemp("kernel")
    (where / "old.c").write_text(OLD_KERNEL)
    out = str(where / "old.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", out, str(where / "old.c"), "-ldl"], check=True)
    return out


@pytest.fixture(params=["as-it-is", "before-6.16"])
def listening(request, server, make_daemon, old_kernel):
    if request.param == "before-6.16" and SANITIZED:
        pytest.skip("the sanitizer wants to be the first library")
    d = make_daemon(server, start=False, auth_key=AUTH_KEY)
    if request.param == "before-6.16":
        d.env = {"LD_PRELOAD": old_kernel}
    d.start()
    d.wait_sync()
    return d


@pytest.mark.rows("PAU-05")
@pytest.mark.parametrize("line,count,how", [("", 1, "plain"), ("", 40, "plain"), ("", 20, "nested"),
                                            ("watch", 20, "plain"),
                                            ("watch netmap", 1, "plain"), ("watch netmap", 20, "nested")])
def test_sockets_that_are_slow_to_close(listening, line, count, how):
    d = listening
    before, restarts = fds(d.pid), d.process("mapd")["restarts"]
    p = subprocess.Popen([sys.executable, "-c", CLIENT, d.socket, line, str(count), how], user="nobody",
                         group="_tailnetd",
                         extra_groups=[], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert p.stdout.readline() == b"ready\n"
        stopped = [d.pid, d.child("mapd")]
        for pid in stopped:  # or who gives them may be the last to close them
            os.kill(pid, signal.SIGSTOP)
        p.stdin.write(b"go\n")
        p.stdin.flush()
        given = p.stdout.readline()
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        assert given == b"given\n"
        for verb in ("status", "netmap", "metrics", "netmap", "status"):
            t = time.monotonic()
            assert d.ask(verb) if verb != "metrics" else d.text(verb)
            assert time.monotonic() - t < 2 * SLOW, verb
            time.sleep(0.1)
        assert fds(d.pid) <= before + 1 and d.process("mapd")["restarts"] == restarts
        assert d.status()["synced"]
    finally:
        p.kill()
        p.wait()
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5 * SLOW


def test_a_handed_over_reader_on_an_old_kernel(server, make_daemon, old_kernel):
    """Gets its answer, although it cannot send any further data."""
    if SANITIZED:
        pytest.skip("the sanitizer wants to be the first library")
    d = make_daemon(server, start=False, auth_key=AUTH_KEY)
    d.env = {"LD_PRELOAD": old_kernel}
    d.start()
    d.wait_sync()
    mapd = d.child("mapd")
    before = fds(mapd)
    w = d.watch(netmap=True)
    server.map().send({"Domain": "later.example"})
    w.wait(lambda e: e["event"] == "delta")
    assert d.netmap()["Domain"] == "later.example"
    assert os.path.exists("/proc/%d" % mapd)
    w.close()
    end = time.monotonic() + 12 * SLOW
    while fds(mapd) > before and time.monotonic() < end:
        time.sleep(0.2)
    assert fds(mapd) <= before, "its place is free again"
