# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Real HTTP proxies."""
import contextlib
import shutil
import socket
import subprocess

import pytest
from harness import until

needs_tinyproxy = pytest.mark.skipif(shutil.which("tinyproxy") is None, reason="needs tinyproxy: make deps")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def proxies(tmp_path):
    """Gives start(auth): a tinyproxy with that user and password, its port and its log; start.stop() ends all of
    them."""
    started = []

    def start(auth=None):
        port, log = free_port(), str(tmp_path / "log")
        conf = ["Port %d" % port, "Listen 127.0.0.1", "Timeout 600", "Allow 127.0.0.1", "LogLevel Connect",
                'LogFile "%s"' % log, 'PidFile "%s"' % (tmp_path / "pid"), "MaxClients 50"]
        if auth:
            conf.append("BasicAuth %s %s" % auth)
        path = str(tmp_path / "conf")
        with open(path, "w") as f:
            f.write("\n".join(conf) + "\n")
        started.append(subprocess.Popen(["tinyproxy", "-d", "-c", path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        until(lambda: answers(port), what="tinyproxy answers")
        return port, log

    def stop():
        for p in started:
            p.terminate()
            p.wait(10)
        started.clear()
    start.stop = stop
    try:
        yield start
    finally:
        stop()


def connects(log):
    with open(log) as f:
        return [line for line in f if "CONNECT " in line]
