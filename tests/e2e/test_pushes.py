# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""What an operator sets is bounded, and is never a reason to end a child."""
import json
import os
import signal
import time

import pytest
from harness import AUTH_KEY, SANITIZED, CtlError, rss


def set_text(member, n, size):
    return "set hostinfo " + json.dumps({member: ("%d " % n) + "x" * size})


@pytest.mark.rows("PRIV-04")
@pytest.mark.parametrize("stopped", [False, True])
def test_the_documented_burst(server, make_daemon, stopped):
    """100 `set` of 60 KB, also while mapd does not read: it lives on, and the server has the last one in the end."""
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    mapd = d.child("mapd")
    if stopped:
        os.kill(mapd, signal.SIGSTOP)
    try:
        for n in range(100):
            assert d.ctl(set_text("App", n, 60000)) == {"ok": True, "changed": True}
        time.sleep(1)
    finally:
        os.kill(mapd, signal.SIGCONT)
    server.log.wait("lite", json=lambda j: j["Hostinfo"].get("App", "").startswith("99 "))
    s = d.status()
    assert d.child("mapd") == mapd and d.troubles() == [] and s["synced"] and s["mapStreams"] == 1
    assert "violation" not in d.log()


@pytest.mark.rows("LITE-02")
def test_what_is_set_is_bounded(daemon):
    """1,100 commands: past the limit each is refused, what was set before holds, and the daemon answers as ever."""
    kept, refused = 0, 0
    for n in range(1100):
        try:
            daemon.ctl("set hostinfo " + json.dumps({"own%d" % n: [1] * 1000, "App": "app %d" % n}))
            kept += 1
        except CtlError as e:
            assert e.code == "too-large" and "131072 bytes" in e.message
            refused += 1
    assert kept > 30 and refused > 900
    s = daemon.status()
    assert s["hostinfo"]["App"] == "app %d" % (kept - 1) and "own%d" % (kept - 1) in s["hostinfo"]
    assert s["synced"] and daemon.troubles() == []
    assert SANITIZED or rss(daemon.pid) < 48 << 20  # a sanitizer keeps what was freed
    assert daemon.ctl("set hostinfo " + json.dumps(dict({"own%d" % n: None for n in range(kept)}, App=None)))["changed"]
    assert "own0" not in daemon.status()["hostinfo"]
