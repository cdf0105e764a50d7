# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Commands that meet a child which is just not there."""

import os
import signal
import time

import pytest
from harness import SLOW


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
