# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""sd_notify: what is sent to systemd, and when."""
import os
import signal
import socket
import time

import pytest
from controlserver import HOLD
from harness import AUTH_KEY, until



class Manager:
    """The end of NOTIFY_SOCKET that systemd holds."""

    def __init__(self, path):
        self.path, self.got = path, []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        os.chmod(path, 0o666)
        self.sock.setblocking(False)

    def all(self):
        while True:
            try:
                self.got.append((time.monotonic(), self.sock.recv(4096).decode()))
            except BlockingIOError:
                return [text for _, text in self.got]

    def wait(self, text, timeout=20):
        until(lambda: any(text in x for x in self.all()), timeout, "notification %s" % text)


@pytest.fixture
def manager(tmp_path_factory):
    m = Manager(str(tmp_path_factory.mktemp("n", numbered=True) / "s"))
    yield m
    m.sock.close()


def test_ready_status_stopping(server, make_daemon, manager):
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, env={"NOTIFY_SOCKET": manager.path})
    d.spawn()
    manager.wait("READY=1")
    assert d.status()["state"].startswith("state:"), "READY means that the control socket answers"
    manager.wait("STATUS=synchronized")
    assert d.stop() == 0
    manager.wait("STOPPING=1", 5)
    assert "NOTIFY_SOCKET" not in open("/proc/self/environ").read()


def test_reload(server, make_daemon, manager):
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, env={"NOTIFY_SOCKET": manager.path})
    d.start()
    d.wait_sync()
    before = len(manager.all())
    d.conf["hostname"] = "renamed"
    d.write_conf()
    d.proc.send_signal(signal.SIGHUP)
    until(lambda: d.status()["hostinfo"]["Hostname"] == "renamed", what="the new name")
    manager.wait("RELOADING=1")
    texts = manager.all()[before:]
    i = next(i for i, x in enumerate(texts) if x.startswith("RELOADING=1\nMONOTONIC_USEC="))
    assert "READY=1" in texts[i + 1:]


def test_a_bad_reload_changes_nothing(server, make_daemon, manager):
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, hostname="first", env={"NOTIFY_SOCKET": manager.path})
    d.start()
    d.wait_sync()
    d.conf["hostname"] = "second"
    d.raw = "no-such-keyword yes\n"
    d.write_conf()
    d.proc.send_signal(signal.SIGHUP)
    until(lambda: "not reloaded" in d.log(), what="a word about it")
    s = d.status()
    assert s["hostinfo"]["Hostname"] == "first" and s["synced"] and s["mapStreams"] == 1


@pytest.mark.parametrize("child", ["mapd", "authd"])
def test_watchdog_is_fed_only_while_children_answer(server, make_daemon, manager, child):
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, env={"NOTIFY_SOCKET": manager.path,
                                                                 "WATCHDOG_USEC": "400000"})
    d.start()
    d.wait_sync()
    if child == "authd":  # it runs while a login is under way
        server.register_script = [HOLD]
        mark = server.log.mark()
        d.ctl("login interactive")
        server.log.wait("register", since=mark)
    manager.wait("WATCHDOG=1")
    fed = manager.all().count("WATCHDOG=1")
    until(lambda: manager.all().count("WATCHDOG=1") > fed + 2, what="fed again and again")
    pid = d.kill(child, signal.SIGSTOP)
    try:
        time.sleep(0.5)  # a ping that was under way is answered or not
        fed = manager.all().count("WATCHDOG=1")
        time.sleep(1.5)
        assert manager.all().count("WATCHDOG=1") == fed
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: manager.all().count("WATCHDOG=1") > fed, what="fed after it answers again")
