# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Names: slow name services, files of the name service elsewhere, what the resolver may reach."""
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

import pytest
from harness import AUTH_KEY, BIN, NO_LANDLOCK, SLOW, until
from nameservice import NameService

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.root
@pytest.mark.rows("DIAL-10")
def test_a_name_service_slower_than_a_dial(make_daemon, tmp_path):
    """Each answer takes 12 s and a dial lives for 10 s: the error names the name service, and the answer is used."""
    net = NameService(str(tmp_path))
    d = make_daemon("http://slow.example:1", auth_key=AUTH_KEY, server_key="mkey:" + 64 * "1", prefix=net.prefix,
                    start=False)
    net.start(d.spawn)
    with net.server:
        net.answer_late("192.0.2.1", 12)
        until(d._answers, what="control socket answers")
        d.wait(lambda s: "cannot look up slow.example: no answer from the name service" in s["err"], timeout=20 * SLOW)
        d.wait(lambda s: "connect to slow.example port 1: Network is unreachable" in s["err"], timeout=30 * SLOW)


@pytest.fixture
def elsewhere():
    """A directory that every user can read, outside of those that the resolver's sandbox knows."""
    path = tempfile.mkdtemp(dir="/srv")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.root
@pytest.mark.rows("PRIV-02")
def test_files_of_the_name_service_as_links(make_daemon, tmp_path, elsewhere):
    """As on NixOS and Guix: /etc/hosts and /etc/nsswitch.conf lead out of /etc."""
    for name, text in (("hosts", "192.0.2.1 linked.example\n"), ("nsswitch.conf", "hosts: files\n")):
        with open(os.path.join(elsewhere, name), "w") as f:
            f.write(text)
        os.chmod(f.name, 0o644)
    etc = os.path.join(elsewhere, "etc")
    shutil.copytree("/etc", etc, symlinks=True, ignore=shutil.ignore_patterns("shadow*", "gshadow*", "ssl"))
    for name in ("hosts", "nsswitch.conf"):
        os.unlink(os.path.join(etc, name))
        os.symlink(os.path.join(elsewhere, name), os.path.join(etc, name))
    net = NameService(str(tmp_path), {}, "set -e; mount --bind %s /etc; " % etc)
    d = make_daemon("http://linked.example:1", auth_key=AUTH_KEY, server_key="mkey:" + 64 * "1", prefix=net.prefix,
                    start=False)
    net.start(d.spawn)
    with net.server:
        until(d._answers, what="control socket answers")
        d.wait_err("connect to linked.example port 1: Network is unreachable")


@pytest.mark.root
@pytest.mark.rows("PRIV-01")
def test_the_account_of_the_resolver_is_no_reader(daemon):
    """Its user is refused whatever its group, its group is not that of the socket; a member of that is a reader."""
    listen = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
              "print(s.makefile().read())")  # it need not ask anything
    r = subprocess.run([sys.executable, "-c", listen, daemon.socket], user="_tailnetd", group="_tailnetd",
                       extra_groups=[], cwd="/", stdout=subprocess.PIPE, text=True, timeout=30, check=True)
    assert json.loads(r.stdout)["error"]["code"] == "denied"
    assert daemon.ask_as("status", user="_tailnetd", group="_tailnetd_res") == "unreachable"
    assert '"state"' in daemon.ask_as("status", user="nobody", group="_tailnetd")


def etc_with(passwd=None, group=None):
    """/etc/passwd and /etc/group with these changes: {account: (uid, gid)}, {group: gid or None}."""
    out = {}
    for path, changes, fields in (("/etc/passwd", passwd or {}, (2, 3)), ("/etc/group", group or {}, (2,))):
        lines = []
        with open(path) as f:
            for line in f:
                x = line.rstrip("\n").split(":")
                if x[0] in changes:
                    if changes[x[0]] is None:
                        continue
                    for i, n in zip(fields, changes[x[0]]):
                        x[i] = str(n)
                lines.append(":".join(x) + "\n")
        out[path] = "".join(lines)
    return out


@pytest.mark.root
@pytest.mark.skipif(NO_LANDLOCK, reason="with sandbox required")
@pytest.mark.rows("PRIV-01")
@pytest.mark.parametrize("changes, text", [
    ({"passwd": {"_tailnetd_auth": (54321, 54321), "_tailnetd_map": (54321, 54322)}}, "are one, or root"),
    ({"passwd": {"_tailnetd_auth": (54321, 54322), "_tailnetd_map": (54322, 54322)}}, "are one, or root"),
    ({"passwd": {"_tailnetd": (0, 54321)}}, "are one, or root"),
    ({"group": {"_tailnetd_res": (pwd.getpwnam("nobody").pw_gid,), "_tailnetd": (pwd.getpwnam("nobody").pw_gid,)}},
     "are one, or root"),
    ({"group": {"_tailnetd_res": None}}, "the group _tailnetd_res is missing: run `make install-users`")])
def test_accounts_that_are_no_wall(server, make_daemon, tmp_path, changes, text):
    """`required` refuses accounts with one id, and best-effort warns."""
    ns = NameService(str(tmp_path), etc_with(**changes))
    d = make_daemon(server, auth_key=AUTH_KEY, prefix=ns.prefix, control_group="_tailnetd", start=False)
    d.spawn()
    assert d.wait_exit() == 1 and text in d.log()
    if text.startswith("are one"):
        d.conf["sandbox"] = "best-effort"
        d.start()
        assert text in d.log() and d.status()


@pytest.mark.rows("PRIV-01")
def test_files_that_others_can_change(server, make_daemon, tmp_path):
    """The configuration and the programs: a warning that names each, and what to do."""
    programs = tmp_path / "libexec"
    programs.mkdir(mode=0o755)
    for name in ("authd", "mapd", "resolver"):
        shutil.copy(os.path.join(BIN, name), programs)
        os.chmod(programs / name, 0o755)
    os.chmod(programs / "mapd", 0o757)
    d = make_daemon(server, auth_key=AUTH_KEY, libexec_dir=str(programs), start=False)
    d.write_conf()
    os.chmod(d.conf_file, 0o646)
    os.chmod(programs, 0o757)
    d.start()
    d.wait_sync()
    warned = [x.split(": warn: ", 1)[-1].split(" ")[0] for x in d.log().splitlines() if "chmod go-w it" in x]
    assert sorted(warned) == sorted([d.conf_file, str(programs), str(programs / "mapd")]), d.log()
