# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The state directory fails under the real daemon (PERS-03, PERS-06; security.md 5.5): faultshim.c in the
parent."""
import os

import pytest
from harness import AUTH_KEY, SLOW, CtlError, stays, until

pytestmark = pytest.mark.usefixtures("programs")
# The first call of a save that fails, and all after it.
BROKEN = {"openat": "openat:1+:EMFILE", "write": "write:1+:ENOSPC", "short": "write:1:short,write:2+:ENOSPC",
          "fsync": "fsync:1+:EIO", "linkat": "linkat:1+:EPERM,openat:2+:EMFILE", "renameat": "renameat:1+:EROFS"}


class Faults:
    """A synchronized daemon with the shim in it; break_() makes the rules count from now on."""

    def __init__(self, make_daemon, server, shim, rules, **conf):
        self.d = d = make_daemon(server, start=False, **conf)
        self.arm = os.path.join(d.dir, "arm")
        d.env = {"LD_PRELOAD": shim, "FAULTSHIM_DIR": d.state_dir, "FAULTSHIM": rules, "FAULTSHIM_ARM": self.arm}
        d.start()
        d.ctl("login auth-key=" + AUTH_KEY)
        self.before = d.wait_sync()
        until(lambda: d.status()["self"] and "alice" in d.state_text(), what="everything is saved")

    def break_(self):
        with open(self.arm, "w"):
            pass

    def mend(self):
        os.unlink(self.arm)


def health(s):
    return [h["code"] for h in s["health"]]


@pytest.mark.rows("PERS-06")
@pytest.mark.parametrize("call", sorted(BROKEN))
def test_rotation_that_cannot_be_saved(server, make_daemon, shim, call):
    """Reported; the old key stays current and the new one is never sent to a server; saved when the disk is well
    again."""
    f = Faults(make_daemon, server, shim, BROKEN[call])
    text, mark = f.d.state_text(), server.log.mark()
    f.break_()
    f.d.ctl("login interactive auth-key=" + AUTH_KEY)
    s = f.d.wait(lambda s: s["errSource"] == "state" and s["err"], what="the error is shown")
    assert f.d.state_dir in s["err"] and "state-not-saved" in health(s)
    assert s["nodeKey"] == f.before["nodeKey"]
    assert not server.log.all("register", since=mark), "a key was used that is on no disk"
    assert f.d.state_text() == text
    f.mend()
    s = f.d.wait(lambda s: s["synced"] and s["nodeKey"] != f.before["nodeKey"], what="the rotation is done after all")
    assert s["oldNodeKey"] == f.before["nodeKey"] and s["machineKey"] == f.before["machineKey"]
    assert "state-not-saved" not in health(s)
    f.d.restart()
    assert f.d.wait_sync()["nodeKey"] == s["nodeKey"]


@pytest.mark.rows("PERS-06", "ROT-05")
@pytest.mark.parametrize("call", sorted(BROKEN))
def test_accepted_key_that_cannot_be_saved(server, make_daemon, shim, call):
    """The user has made the visit, the server has the new key, the disk does not take it: the old one stays current, in
    memory, on the disk and on the wire, until the disk is well again."""
    f = Faults(make_daemon, server, shim, BROKEN[call])
    old, t = f.before["nodeKey"], server.tailnet
    plain = t.register

    def ask(machine, req):  # the key that is good wants no visit
        if req["NodeKey"] != old and not req.get("Followup"):
            return t._ask(machine, req["NodeKey"], req), None
        return plain(machine, req)
    t.register = ask
    f.d.ctl("login interactive")
    url = f.d.wait(lambda s: s["url"])["url"]
    text, m = f.d.state_text(), server.map()
    f.break_()
    mark = server.log.mark()
    server.complete(url)
    s = f.d.wait(lambda s: s["errSource"] == "state", what="the error is shown")
    assert f.d.state_dir in s["err"] and "state-not-saved" in health(s)
    stays(lambda: f.d.status()["nodeKey"] == old and f.d.state_text() == text, 0.5)
    assert f.d.status()["oldNodeKey"] == f.before["oldNodeKey"]
    assert server.map() is m and not server.log.all("map", since=mark), "nothing depends on a key that is on no disk"
    f.mend()
    s = f.d.wait(lambda s: s["synced"] and s["nodeKey"] != old, what="the rotation is done after all")
    assert s["oldNodeKey"] == old and s["err"] == "" and "state-not-saved" not in health(s)
    t.register = plain
    f.d.restart()
    assert f.d.wait_sync()["nodeKey"] == s["nodeKey"]


@pytest.mark.rows("PERS-06")
@pytest.mark.parametrize("call", sorted(BROKEN))
def test_logout_that_cannot_be_saved(server, make_daemon, shim, call):
    """A logout that is not on the disk is not reported as done."""
    f = Faults(make_daemon, server, shim, BROKEN[call])
    f.break_()
    with pytest.raises(CtlError):
        f.d.ctl("logout")
    assert "state-not-saved" in health(f.d.status())
    f.mend()
    assert f.d.ctl("logout force") == {"ok": True}
    assert f.d.state_text().count("privkey:") == 1
    f.d.restart()
    s = f.d.wait_state("not-authenticated")
    assert s["nodeKey"] == "" and s["machineKey"] == f.before["machineKey"]


def dead_or_rotated(d, old):
    try:
        s = d.status()
        return s["synced"] and s["nodeKey"] != old
    except (OSError, ValueError, AssertionError):
        return d.proc.poll() is not None


@pytest.mark.rows("PERS-03", "ROT-05")
@pytest.mark.parametrize("how", ["kill", "killafter"])
@pytest.mark.parametrize("call", ["openat", "write", "fsync", "linkat", "renameat", "unlinkat"])
def test_death_at_a_call(server, make_daemon, shim, call, how):
    """The daemon ends at the n-th such call of a rotation, for every n there is."""
    for n in range(1, 30):
        f = Faults(make_daemon, server, shim, "%s:%d:%s" % (call, n, how))
        d = f.d
        f.break_()
        with d.connect() as a:  # it may end before it answers
            a.sendall(b"login interactive auth-key=" + AUTH_KEY.encode() + b"\n")
            until(lambda: dead_or_rotated(d, f.before["nodeKey"]), what="the end or the new key")
        died = d.proc.poll() is not None
        d.env = None
        if died:
            assert d.wait_exit() == 137
            d.start()
        else:
            d.restart()
        s = d.wait_sync()
        assert s["machineKey"] == f.before["machineKey"]
        assert not [h for h in health(s) if h.startswith("state")]
        assert died or s["nodeKey"] != f.before["nodeKey"]
        assert not os.path.exists(os.path.join(d.state_dir, "state.tmp")) or died
        assert d.stop(5 * SLOW + 5) == 0
        if not died:
            break
    assert n > 2, "no such call in a rotation"


@pytest.mark.rows("PERS-03")
def test_state_without_hard_links(server, make_daemon, shim):
    """A file system as FAT (EPERM from linkat): login, rotation and restart, and each save keeps the one before as
    state.prev."""
    f = Faults(make_daemon, server, shim, "linkat:1+:EPERM")
    f.break_()
    d, old = f.d, f.before["nodeKey"]
    d.ctl("login interactive auth-key=" + AUTH_KEY)
    s = d.wait(lambda s: s["synced"] and s["nodeKey"] != old, what="the rotation")
    assert not [h for h in health(s) if h.startswith("state")]
    prev = os.path.join(d.state_dir, "state.prev")
    text = d.state_text()
    d.ctl("pause")
    until(lambda: d.state_text() != text, what="another save")
    with open(prev) as spare:
        assert spare.read() == text
    assert os.stat(prev).st_nlink == 1 and os.stat(prev).st_mode & 0o777 == 0o600
    assert "state.spare.tmp" not in os.listdir(d.state_dir)
    d.ctl("unpause")
    d.restart()
    assert d.wait_sync()["nodeKey"] == s["nodeKey"]


@pytest.mark.rows("PERS-04")
def test_failed_save_keeps_the_spare(server, make_daemon, shim):
    """No link and no copy: the save fails, and state.prev is what it was."""
    f = Faults(make_daemon, server, shim, BROKEN["linkat"])
    prev = os.path.join(f.d.state_dir, "state.prev")
    with open(prev) as spare:
        before = spare.read()
    f.break_()
    f.d.ctl("login interactive auth-key=" + AUTH_KEY)
    s = f.d.wait(lambda s: s["errSource"] == "state" and s["err"], what="the error is shown")
    assert "copying it to" in s["err"]
    with open(prev) as spare:
        assert spare.read() == before
    f.mend()


@pytest.mark.root
@pytest.mark.rows("PERS-04")
def test_state_that_is_not_mounted(server, make_daemon):
    """fstab has a file system for the state directory, and the directory is an empty one below it: no new
    identity, exit 78; once it is mounted, the daemon starts."""
    d = make_daemon(server, start=False)
    fstab = os.path.join(d.dir, "fstab")
    with open(fstab, "w") as f:
        f.write("tmpfs %s tmpfs rw,mode=0700 0 0\n" % d.state_dir)
    os.mkdir(d.state_dir, 0o700)
    script = "mount --bind %s /etc/fstab && " % fstab
    d.prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", script + 'exec "$@"', "sh"]
    d.spawn()
    assert d.wait_exit() == 78
    assert d.state_dir + ", which /etc/fstab has a file system for, is not mounted" in d.log()
    assert os.listdir(d.state_dir) == []
    d.prefix[6] = script + "mount -t tmpfs -o mode=0700 tmpfs %s && exec \"$@\"" % d.state_dir
    d.start()
    assert d.status()["machineKey"].startswith("mkey:")
    assert os.listdir(d.state_dir) == []  # seen from here


@pytest.mark.long
@pytest.mark.rows("PRIV-03")
def test_a_slow_disk_is_not_blamed_on_a_child(server, make_daemon, shim):
    """A save takes 12 s, longer than a child may take to become ready: it is not killed for that."""
    d = make_daemon(server, start=False)
    arm = os.path.join(d.dir, "arm")
    d.env = {"LD_PRELOAD": shim, "FAULTSHIM_DIR": d.state_dir, "FAULTSHIM": "fsync:1+:slow", "FAULTSHIM_ARM": arm}
    d.start()
    with open(arm, "w"):
        pass
    d.ctl("login auth-key=" + AUTH_KEY)
    d.wait_sync(timeout=120)
    os.unlink(arm)
    assert "was not ready" not in d.log() and "killed" not in d.log()
    assert [p["restarts"] for p in d.ctl("processes")] == [0, 0, 0] and d.troubles() == []
