# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""sd_notify: what is sent to systemd, and when."""
import os
import signal
import socket
import subprocess
import time

import pytest
from controlserver import HOLD
from harness import AUTH_KEY, BIN, until



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
    d.ctl("login interactive")
    manager.wait("STATUS=login needed: run tailnetctl status")
    d.ctl("logout force")
    manager.wait("STATUS=not logged in")
    assert not [x for x in manager.all() if "http" in x], "the login URL is for its users only"
    assert d.stop() == 0
    manager.wait("STOPPING=1", 5)
    assert "NOTIFY_SOCKET" not in open("/proc/self/environ").read()


@pytest.mark.parametrize("journal", [True, False])
@pytest.mark.parametrize("flags", [[], ["-d"]])
def test_a_start_that_fails_in_the_journal(make_daemon, server, journal, flags):
    """H5 of the faults: with its priority, and without a second name before it. Any other stderr has plain lines."""
    d = make_daemon(server, start=False)
    d.raw = "no-such-keyword yes\n"
    d.write_conf()
    r, w = os.pipe()
    st = os.fstat(w)
    p = subprocess.Popen([os.path.join(BIN, "tailnetd"), *flags, "-f", d.conf_file], stdin=subprocess.DEVNULL, stderr=w,
                         env=dict(os.environ, NOTIFY_SOCKET="/nonexistent",
                                  JOURNAL_STREAM="%d:%d" % (st.st_dev, st.st_ino + (not journal))))
    os.close(w)
    with os.fdopen(r) as f:
        text = f.read()
    assert p.wait(10) == 78
    want = "<3>error: " if journal else "tailnetd[%d]: error: " % p.pid
    assert text.startswith(want) and "no-such-keyword" in text and text.count("\n") == 1, text


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
