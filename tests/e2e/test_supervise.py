# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Commands that meet a child which is just not there."""

import os
import resource
import signal
import time

import pytest
from harness import AUTH_KEY, NO_LANDLOCK, SLOW, fds, until


def kill_mapd(daemon, watch):
    mark = watch.mark()
    os.kill(daemon.process("mapd")["pid"], signal.SIGKILL)
    watch.wait(lambda e: e["event"] == "child" and e["name"] == "mapd", 5, since=mark, what="mapd's end")
    return mark


@pytest.mark.rows("PRIV-03", "PAU-03")
def test_pause_while_mapd_is_gone(daemon):
    """The stream that was asked of a mapd not there yet is given up without waiting for an answer from it."""
    w = daemon.watch()
    first = daemon.status()
    mark = kill_mapd(daemon, w)
    t = time.monotonic()
    daemon.ctl("pause")
    daemon.ctl("unpause")
    s = daemon.wait(lambda s: s["synced"] and not s["paused"], 10)
    assert time.monotonic() - t < 2.5 * SLOW
    assert s["nodeKey"] == first["nodeKey"] and s["err"] == ""
    assert [e["name"] for e in w.events[mark:] if e["event"] == "child"] == ["mapd"]


@pytest.mark.rows("PRIV-03", "STAT-02")
def test_no_netmap_is_claimed_without_mapd(daemon):
    w = daemon.watch()
    mark = kill_mapd(daemon, w)
    s = w.wait(lambda e: e["event"] == "status", 5, since=mark, what="status")["status"]
    assert (s["netmapSource"], s["peers"], s["self"], s["synced"]) == ("none", 0, None, False)
    assert s["mapStreamAgeSeconds"] is None and s["netmapAgeSeconds"] is None and s["lastMessageAgeSeconds"] is None
    assert s["loggedIn"]


def crash_health(d):
    return [h["text"] for h in d.status()["health"] if h["code"] == "child-crash"]


@pytest.mark.rows("PRIV-03", "STAT-02")
def test_no_descriptors_for_a_new_child(server, make_daemon):
    """Told once, in the log and in the health; and over as soon as there are some."""
    d = make_daemon(server, auth_key=AUTH_KEY, log_level="info")
    d.wait_sync()
    until(lambda: d.process("authd")["pid"] is None, what="only mapd runs")
    mapd, n = d.child("mapd"), fds(d.pid)
    resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (n, 1024))
    os.kill(mapd, signal.SIGKILL)
    until(lambda: crash_health(d))
    held = [d.connect() for _ in range(3)]
    time.sleep(4)
    log = d.log().splitlines()
    resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (256, 1024))
    for s in held:
        s.close()
    d.wait_sync()
    assert [x.split(": ", 1)[1] for x in log
            if "cannot be started" in x] == ["error: mapd cannot be started: Too many open files"]
    assert len([x for x in log if "control socket: accept" in x]) == 1
    assert d.log().count("info: mapd could be started again") == 1
    assert not crash_health(d) and fds(d.pid) <= n


@pytest.mark.root
@pytest.mark.rows("PRIV-03")
@pytest.mark.skipif(NO_LANDLOCK, reason="best-effort goes on without the chroot")
def test_no_sandbox_at_run_time(server, make_daemon):
    """What has worked may work again: the daemon waits, because its end would be permanent (a service manager does not
    restart it after 71)."""
    d = make_daemon(server, auth_key=AUTH_KEY, log_level="info")
    d.wait_sync()
    empty = os.path.join(d.dir, "empty")
    os.rmdir(empty)
    d.kill("mapd")
    until(lambda: crash_health(d))
    assert "could not enter its sandbox (status 71)" in crash_health(d)[0]
    assert "chroot: %s: No such file" % empty in d.log()
    os.mkdir(empty, 0o555)
    s = d.wait_sync()
    assert s["nodeKey"] == server.node().key
    assert d.stop() == 0
