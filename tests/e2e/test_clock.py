# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The clocks of the host jump under the real daemon (ERR-06, security.md D16): clockshim.c in the parent."""
import mmap
import os
import re
import struct

import pytest
from harness import AUTH_KEY, SANITIZED, compiled, stays, until

TICK, HOUR, YEAR = 31, 3600, 365 * 86400
pytestmark = [pytest.mark.usefixtures("programs"),
              pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be the first library")]


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    return compiled(str(tmp_path_factory.mktemp("shim") / "clockshim.so"), "-shared", "-fPIC", "clockshim.c")


class Clocks:
    def __init__(self, d, shim):
        path = os.path.join(d.dir, "clocks")
        with open(path, "w+b") as f:
            f.write(bytes(24))
            f.flush()
            self.map = mmap.mmap(f.fileno(), 24)
        d.env = {"LD_PRELOAD": shim, "CLOCKSHIM": path}
        self.d, self.ahead = d, [0, 0, 0]

    def tick(self, boot=0, wall=0):
        """The parent compares the clocks again, and they have advanced by these seconds more than they should.
        Its children have answered its PING before this returns, so that the next one does not kill them."""
        for i, seconds in enumerate((TICK, TICK + boot, TICK + wall)):
            self.ahead[i] += seconds
        for i in (2, 1, 0):  # it is due when the others have their new values
            struct.pack_into("=q", self.map, 8 * i, self.ahead[i])
        for _ in range(2):
            self.d.status()
            self.d.netmap()


@pytest.mark.rows("ERR-06")
def test_suspend(server, make_daemon, shim):
    """The old connections may be unusable: new ones are made at once, and only then."""
    d = make_daemon(server, start=False, auth_key=AUTH_KEY)
    c = Clocks(d, shim)
    d.start()
    d.wait_sync()
    m = server.map()
    c.tick(boot=-20)  # so that this machine may be slow
    c.tick(boot=3)
    stays(lambda: server.map() is m, 0.5)
    for n, gone in enumerate((HOUR, 60)):
        c.tick(boot=gone)
        m = server.map(after=m)
        d.wait_sync()
        told = until(lambda n=n: re.findall(r"resumed after (\d+) s of suspend", d.log())[n:], what="a word about it")
        assert len(told) == 1 and gone < int(told[0]) < gone + 10 * TICK
    c.tick(boot=-20)
    stays(lambda: server.map() is m, 0.5)
    assert d.status()["mapStreams"] == 3


@pytest.mark.rows("ERR-06")
def test_wall_clock_jumps(server, make_daemon, shim):
    """Hours forth and years back end nothing; a clock that is earlier than the program is reported, as long as it
    is."""
    d = make_daemon(server, start=False, auth_key=AUTH_KEY)
    c = Clocks(d, shim)
    d.start()
    d.wait_sync()
    m = server.map()
    differs, both = ["clock-differs"], ["clock-wrong", "clock-differs"]
    for jump, wrong in ((5 * HOUR, differs), (-10 * HOUR, differs), (-10 * YEAR, both), (-10 * YEAR, both),
                        (20 * YEAR, differs), (5 * HOUR - 6 * 20, [])):  # as much as the other one
        c.tick(boot=-20, wall=jump)
        until(lambda wrong=wrong: d.troubles() == wrong, what=wrong)
    stays(lambda: server.map() is m and d.status()["synced"], 0.5)
    assert d.status()["mapStreams"] == 1 and d.log().count("clock-wrong: ") == 1
    assert d.log().count(" protocol violation") == 0
