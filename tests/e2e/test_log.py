# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The log receiver has stopped, or does not exist (interface.md 9): the daemon continues, and says later what is
missing."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from harness import AUTH_KEY, BIN, SLOW, alive, until

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.root]
# A /dev of its own, in which the test's directory is the place of the log socket.
NAMESPACE = """
mount -t tmpfs none "$1" || exit 9
for f in null zero random urandom full; do touch "$1/$f" && mount --bind "/dev/$f" "$1/$f" || exit 9; done
ln -s "$2/log" "$1/log" && mount --rbind "$1" /dev || exit 9
shift 2
exec "$@"
"""


def continues(d, pid):
    """Much to log, and no receiver."""
    for i in range(400):
        os.kill(pid, signal.SIGUSR1)
        t = time.monotonic()
        if i % 20 == 0:
            assert d.status()["synced"]
            assert time.monotonic() - t < 2 * SLOW
        time.sleep(0.002)


def test_a_pipe_that_nobody_reads(server, make_daemon):
    r, w = os.pipe()
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, log_level="info")
    d.write_conf()
    d.proc = subprocess.Popen([BIN + "/tailnetd", "-d", "-f", d.conf_file], stdin=subprocess.DEVNULL, stdout=w,
                              stderr=w, cwd="/",
                              env={k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
    until(lambda: os.path.exists(d.socket))
    d.wait_sync()
    os.set_blocking(w, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(w, b"x" * 4096)
    os.set_blocking(w, True)
    continues(d, d.pid)
    os.set_blocking(r, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.read(r, 1 << 20)
    os.kill(d.pid, signal.SIGUSR1)
    time.sleep(0.2)
    text = os.read(r, 1 << 20).decode()
    assert re.search(r"^tailnetd\[%d\]: warn: [0-9]+ log lines? left out: the log was not read\n" % d.pid, text)
    assert "info: state:synchronized, logged in" in text
    os.set_blocking(w, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(w, b"x" * 4096)
    os.set_blocking(w, True)
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5 * SLOW
    os.close(r)
    os.close(w)


def syslogd(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    s.setblocking(False)
    return s


def lines(s):
    out = []
    with contextlib.suppress(BlockingIOError):
        while True:
            out.append(s.recv(4096).decode())
    return out


def test_syslogd_hangs_or_is_started_anew(server, make_daemon, tmp_path_factory):
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, log_level="info")
    d.write_conf()
    log, dev = os.path.join(d.dir, "log"), os.path.join(d.dir, "dev")
    os.mkdir(dev)
    s = syslogd(log)
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
    r = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", NAMESPACE, "sh", dev, d.dir,
                        BIN + "/tailnetd", "-f",
                        d.conf_file], cwd="/", env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=60)
    if r.returncode not in (0, 1, 71, 78):
        pytest.skip("no mount namespaces here: " + r.stderr)
    assert r.returncode == 0, r.stderr
    pid = d.processes()["tailnetd"]["pid"]
    try:
        d.wait_sync()
        until(lambda: d.status()["peers"] is not None)
        time.sleep(0.2)
        text = lines(s)
        assert all(re.match(r"<[0-9]+>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} tailnetd\[%d\]: (info|warn): " % pid, x)
                   for x in text), text
        assert text[-1].endswith(": info: state:authenticated -> state:synchronized") and text[-1].startswith("<30>")
        continues(d, pid)  # it hangs: its queue holds a few only
        assert lines(s)
        os.kill(pid, signal.SIGUSR1)
        until(lambda: "lines left out: the log was not read" in " ".join(lines(s)), 5 * SLOW)
        s.close()
        os.unlink(log)
        os.kill(pid, signal.SIGUSR1)
        time.sleep(0.3 * SLOW)
        assert d.status()["synced"]
        s = syslogd(log)
        os.kill(pid, signal.SIGUSR1)
        time.sleep(0.3)
        text = lines(s)
        assert len(text) == 2 and text[0].endswith("warn: 1 log line left out: the log was not read"), text
        assert "synchronized" in text[1], text
        continues(d, pid)
    finally:
        t = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        until(lambda: not alive(pid), 20 * SLOW)
        s.close()
    assert time.monotonic() - t < 5 * SLOW
