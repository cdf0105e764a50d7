# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Each layer of each process by itself, as the kernel reports it (docs/sandbox.md), the resolver's too: what is missing
must not hide behind the others."""
import contextlib
import grp
import os
import pwd
import signal
import subprocess

import pytest
from controlserver import HOLD
from harness import AUTH_KEY, NO_LANDLOCK, SANITIZED, SLOW, alive, comm, descendants, open_files, status_field, until
from nameservice import NameService

pytestmark = pytest.mark.usefixtures("programs")
MIB = 1 << 20
KILL, SETGID, SETUID, SYS_CHROOT = (1 << n for n in (5, 6, 7, 18))
CAPS = KILL | SETGID | SETUID | SYS_CHROOT
# docs/sandbox.md, rlimits: hard and soft, except the soft ones of tailnetd.  What is not named here is unchanged.
CORE, SOFT = {"Max core file size": 0}, {"Max open files": 256, "Max data size": 64 * MIB, "Max locked memory": MIB}
LIMITS = {
    "authd": {"Max processes": 0, "Max file size": 0, "Max open files": 32, "Max data size": 128 * MIB,
              "Max cpu time": 30},
    "mapd": {"Max processes": 0, "Max file size": 64 * MIB, "Max open files": 160, "Max data size": 2048 * MIB,
             "Max locked memory": 0},
    "resolver": {"Max processes": 0, "Max file size": 0, "Max open files": 64, "Max data size": 64 * MIB,
                 "Max cpu time": 10},
}
NOT_SANITIZED = ("Max data size", "Max file size")
IN_A_GROUP = ["setpriv", "--groups", "65534"]  # which no child may keep
USERS = {"authd": "_tailnetd_auth", "mapd": "_tailnetd_map", "resolver": "_tailnetd"}
GROUPS = {**USERS, "resolver": "_tailnetd_res"}  # of its own: _tailnetd may read the control socket


def limits(pid):
    """{name: (soft, hard)} of /proc/PID/limits."""
    with open("/proc/%d/limits" % pid) as f:
        rows = [(line[:26].strip(), line[26:].split()[:2]) for line in f.readlines()[1:]]
    return {name: tuple(float("inf") if x == "unlimited" else int(x) for x in both) for name, both in rows}


def limited(before, hard, soft=()):
    """What is left of those limits, and never more."""
    out = dict(before)
    for table, is_soft in ((hard, False), (dict(soft), True)):
        for name, value in table.items():
            if not (SANITIZED and name in NOT_SANITIZED):  # shadow memory, and reports to a file
                low = min(value, before[name][1])
                out[name] = (low, before[name][1] if is_soft else low)
    return out


def filters(pid):
    """How many there are: a child's own comes on top of the parent's.  Linux 5.9."""
    return int(status_field(pid, "Seccomp_filters"))


def capabilities(pid):
    return [int(status_field(pid, "Cap" + x), 16) for x in ("Prm", "Eff", "Inh", "Amb")]


def child_layers(name, pid, parent):
    """What the kernel reports about a child of a daemon run by root."""
    account = pwd.getpwnam(USERS[name])
    assert status_field(pid, "Uid").split() == [str(account.pw_uid)] * 4
    assert status_field(pid, "Gid").split() == [str(grp.getgrnam(GROUPS[name]).gr_gid)] * 4
    assert status_field(pid, "Groups") == ""
    assert status_field(pid, "NoNewPrivs") == "1"
    assert status_field(pid, "Seccomp") == "2"
    with contextlib.suppress(KeyError):
        assert filters(pid) == filters(parent) + 1
    assert capabilities(pid) == [0] * 4
    assert int(status_field(pid, "CapBnd"), 16) & ~CAPS == 0
    assert limits(pid).items() ^ limited(limits(parent), {**CORE, **LIMITS[name]}).items() == set()
    with open("/proc/%d/environ" % pid, "rb") as f:
        assert f.read() == b""


def parent_layers(pid):
    assert status_field(pid, "NoNewPrivs") == "1"
    assert status_field(pid, "Seccomp") == "2"
    with contextlib.suppress(KeyError):
        assert filters(pid) == filters(os.getpid()) + 1 + NO_LANDLOCK
    assert capabilities(pid) == [CAPS, CAPS, 0, 0]
    assert int(status_field(pid, "CapBnd"), 16) == CAPS
    assert limits(pid).items() ^ limited(limits(os.getpid()), CORE, SOFT).items() == set()


def without_tracing(*ids):
    """What starts a process that may not look into others but by being the same user."""
    return ["setpriv", *ids, "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]


def readable_by_its_own(pid):
    """Whether a process of the same user may look into it: not if it is undumpable."""
    uid, gid = (status_field(pid, x).split()[0] for x in ("Uid", "Gid"))
    p = subprocess.run(without_tracing("--reuid", uid, "--regid", gid, "--clear-groups") +
                       ["readlink", "/proc/%d/exe" % pid],
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    return p.returncode == 0 and p.stdout != b""


def the_method_finds_what_is_there():
    with subprocess.Popen(without_tracing() + ["sleep", "1000"]) as p:
        try:
            until(lambda: readable_by_its_own(p.pid), what="a process that is dumpable")
        finally:
            p.kill()


def both_children(server, d):
    """authd in the middle of a login, mapd beside it; both past their start."""
    server.on_register = lambda req: HOLD
    d.ctl("login")

    def ready():
        both = {n: p["pid"] for n, p in d.processes().items() if n in ("authd", "mapd") and p["pid"] and p["sandbox"]}
        return both if len(both) == 2 else None
    return until(ready, what="authd and mapd")


def die_with_their_parent(d, kids):
    """Stopped, so that no end of a channel can be what ends them."""
    for pid in kids:
        os.kill(pid, signal.SIGSTOP)
        until(lambda p=pid: status_field(p, "State").startswith("T"), what="stopped")
    try:
        d.kill()
        until(lambda: not any(alive(p) for p in kids), 10 * SLOW, "children gone")
    finally:
        for pid in filter(alive, kids):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.root
@pytest.mark.rows("PRIV-02", "PRIV-03")
def test_layers_one_by_one(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, prefix=IN_A_GROUP)
    d.wait_sync()
    kids = both_children(server, d)
    parent_layers(d.pid)
    for name, pid in kids.items():
        child_layers(name, pid, d.pid)
    the_method_finds_what_is_there()
    assert not any(readable_by_its_own(p) for p in [d.pid, *kids.values()])
    die_with_their_parent(d, kids.values())


@pytest.mark.rows("PRIV-02")
def test_undumpable_without_root(server, make_daemon):
    """Who gives root up is so in any case; here it is our own doing, which shows in whose the files of /proc/PID
    are."""
    user = "nobody" if os.getuid() == 0 else None
    d = make_daemon(server, auth_key=AUTH_KEY, user=user, sandbox="best-effort")
    d.wait_sync()

    def owner(pid):
        return os.stat("/proc/%d/environ" % pid).st_uid
    with subprocess.Popen(["sleep", "1000"], user=user) as p:
        try:
            until(lambda: owner(p.pid) == os.stat(d.state_dir).st_uid != 0, what="a process that is dumpable")
        finally:
            p.kill()
    assert [n for n, pid in [("tailnetd", d.pid), *both_children(server, d).items()] if owner(pid) != 0] == []


@pytest.mark.root
@pytest.mark.rows("PRIV-02", "PRIV-03")
def test_layers_of_the_resolver(make_daemon, tmp_path):
    net = NameService(str(tmp_path))
    d = make_daemon("http://slow.example:1", auth_key=AUTH_KEY, server_key="mkey:" + 64 * "1",
                    prefix=net.prefix + IN_A_GROUP,
                    start=False)
    net.start(d.spawn)
    until(d._answers, what="control socket answers")

    def asking():
        """It has a socket: its start is over, and it waits for the answer."""
        with contextlib.suppress(OSError):
            return next((p for p in descendants(d.pid) if comm(p) == "resolver" and
                         any(x.startswith("socket:") for x in open_files(p))), None)
    pid = until(asking, what="a look-up")
    os.kill(pid, signal.SIGSTOP)  # for as long as it takes: it has 30 s
    child_layers("resolver", pid, d.pid)
    links = set(open_files(pid)) - set(d.logs if SANITIZED else ())  # reports of the sanitizers
    assert all(x == "/dev/null" or x.startswith(("socket:", "pipe:")) for x in links), links
    assert not readable_by_its_own(pid)
    net.server.settimeout(10 * SLOW)
    with net.server:
        assert b"\4slow\7example\0" in net.server.recv(512)
    die_with_their_parent(d, [pid])


@pytest.mark.root
@pytest.mark.rows("PRIV-02")
def test_proc_of_another_pid_namespace(server, make_daemon):
    """There /proc/PID is a stranger: what the children reported of themselves is shown, not that one's layers."""
    whole = make_daemon(server, auth_key=AUTH_KEY)
    whole.wait_sync()
    d = make_daemon(server, auth_key=AUTH_KEY, prefix=["unshare", "--pid", "--fork", "--kill-child"])
    d.wait_sync()
    for name in ("mapd", "tailnetd"):
        assert d.processes()[name]["pid"] < 100, "a number of its own namespace"
        assert d.processes()[name]["sandbox"] == whole.processes()[name]["sandbox"]
    d.ctl("shutdown")  # unshare passes no signal on
    assert d.wait_exit() == 0
