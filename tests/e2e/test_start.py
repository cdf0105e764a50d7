# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Starting: into the background or not, the directories, what is refused (interface.md 1, 2 and 9)."""
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess

import pytest
from harness import AUTH_KEY, BIN, KERNEL, ROOT, alive, public, until

pytestmark = pytest.mark.usefixtures("programs")


def in_background(d, conf, cwd="/"):
    """tailnetd without -d: exit code and output, when the process that was started has ended."""
    d.write_conf()
    p = subprocess.run(KERNEL + [os.path.join(BIN, "tailnetd"), "-f", conf], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=30, cwd=cwd)
    assert p.stdout == ""
    return p.returncode, p.stderr


def test_background(server, make_daemon):
    """The socket answers when the starter returns; another directory, session and no terminal; a reload finds the file
    again."""
    d = make_daemon(server, start=False, auth_key=AUTH_KEY)
    code, said = in_background(d, "conf", cwd=d.dir)
    assert code == 0 and ": error: " not in said, said
    pid = d.process("tailnetd")["pid"]
    try:
        assert os.getsid(pid) == pid and os.readlink("/proc/%d/cwd" % pid) == "/"
        assert {os.readlink("/proc/%d/fd/%d" % (pid, n)) for n in (0, 1, 2)} == {"/dev/null"}
        d.wait_sync()
        d.conf["hostname"] = "renamed"
        d.write_conf()
        os.kill(pid, signal.SIGHUP)
        d.wait(lambda s: s["hostinfo"]["Hostname"] == "renamed")
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not alive(pid), what="it ends")
    assert not os.path.exists(d.socket)


@pytest.mark.parametrize("what, want", [("configuration", 78), ("state", 78), ("second", 78), ("run", 1),
                                        ("libexec", 1)])
def test_a_failed_start_is_told_to_the_starter(server, make_daemon, what, want):
    d = make_daemon(server, start=False)
    if what == "configuration":
        d.conf["log-level"] = "loud"
    elif what == "state":
        os.mkdir(d.state_dir)
        os.chmod(d.state_dir, 0o755)
    elif what == "second":
        d.conf["state-dir"] = make_daemon(server).state_dir
    elif what == "run":
        os.mkdir(os.path.dirname(d.socket))
        os.chmod(os.path.dirname(d.socket), 0o777)
    else:
        d.conf["libexec-dir"] = d.dir
    code, said = in_background(d, d.conf_file)
    assert code == want and ": error: " in said, (code, said)
    assert not os.path.exists(d.socket)


@pytest.mark.root
def test_no_sandbox(server, make_daemon):
    """71, and nothing is left that looks like a daemon."""
    prefix = [] if KERNEL else [os.path.join(ROOT, "tests", "escape", "without-landlock")]
    d = make_daemon(server, start=False, prefix=prefix, sandbox="required")
    d.spawn()
    assert d.wait_exit() == 71 and " error: sandbox: landlock: " in d.log()
    assert not os.path.exists(d.socket)
    p = subprocess.run(KERNEL + prefix + [os.path.join(BIN, "tailnetd"), "-f", d.conf_file], stdin=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True, timeout=30)
    assert p.returncode == 71 and "landlock" in p.stderr


def test_under_a_service_manager(server, make_daemon):
    """With NOTIFY_SOCKET the started process is the daemon, also when no one answers there."""
    for path in ("notify", "nobody"):
        d = make_daemon(server, start=False, auth_key=AUTH_KEY)
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(os.path.join(d.dir, "notify"))
        d.write_conf()
        p = subprocess.Popen(KERNEL + [os.path.join(BIN, "tailnetd"), "-f", d.conf_file],
                             env=dict(os.environ, NOTIFY_SOCKET=os.path.join(d.dir, path)))
        try:
            until(lambda: p.poll() is not None or os.path.exists(d.socket), what="it starts")
            d.wait_sync()
            assert p.poll() is None and d.process("tailnetd")["pid"] == p.pid
        finally:
            p.terminate()
            assert p.wait(10) == 0
            manager.close()


def mode(path):
    st = os.stat(path)
    return "%04o" % (st.st_mode & 0o7777), st.st_uid, st.st_gid


@pytest.mark.root
@pytest.mark.parametrize("mask", ["0000", "0022", "0077", "0777"])
def test_directories_are_made(server, make_daemon, mask):
    """With the modes of interface.md 1, whatever umask the daemon was started with (systemd's unit has 0077)."""
    d = make_daemon(server, auth_key=AUTH_KEY, prefix=["sh", "-c", 'umask %s; exec "$0" "$@"' % mask])
    d.wait_sync()
    group = grp.getgrnam("_tailnetd").gr_gid
    assert mode(os.path.dirname(d.socket)) == ("0750", 0, group) and mode(d.socket) == ("0660", 0, group)
    assert mode(d.conf["chroot-dir"])[:2] == ("0555", 0)
    assert mode(d.state_dir)[:2] == ("0700", 0)
    for name in ("state", ".initialised"):
        assert mode(os.path.join(d.state_dir, name))[:2] == ("0600", 0)


@pytest.mark.root
def test_the_run_directory_goes_with_the_group(server, make_daemon):
    """What contrib/tmpfiles.d makes at boot is for the default group; another control-group gets it."""
    d = make_daemon(server, start=False, login="manual", control_group="nogroup")
    path = os.path.dirname(d.socket)
    os.mkdir(path, 0o750)
    os.chmod(path, 0o750)
    shutil.chown(path, "root", "_tailnetd")
    d.start()
    assert mode(path) == ("0750", 0, grp.getgrnam("nogroup").gr_gid) == ("0750",) + mode(d.socket)[1:]


REFUSED = {
    "state": ["0755", "0770", "owner", "file", "link"],
    "run": ["0777", "0770", "owner", "group", "file", "foreign-link"],
    "empty": ["0777", "0575", "owner", "file", "link", "filled"],
}


@pytest.mark.root
@pytest.mark.parametrize("what, how", [(w, h) for w, hs in REFUSED.items() for h in hs])
def test_directories_are_refused(server, make_daemon, what, how):
    d = make_daemon(server, start=False)
    path = os.path.join(d.dir, what)
    os.mkdir(path)
    os.chmod(path, {"state": 0o700, "run": 0o750, "empty": 0o555}[what])
    if how == "owner":
        shutil.chown(path, "nobody")
    elif how == "file":
        os.rmdir(path)
        open(path, "w").close()
    elif how == "group":
        shutil.chown(path, group="nogroup")
    elif how == "foreign-link":
        os.rename(path, path + ".there")
        os.symlink(path + ".there", path)
        os.lchown(path, pwd.getpwnam("nobody").pw_uid, 0)
    elif how == "link":
        os.rename(path, path + ".there")
        os.symlink(path + ".there", path)
    elif how == "filled":
        open(os.path.join(path, "x"), "w").close()
    else:
        os.chmod(path, int(how, 8))
    before = os.lstat(path)
    d.spawn()
    assert d.wait_exit() == (78 if what == "state" else 1)
    said = [line for line in d.log().splitlines() if ": error: " in line]
    assert len(said) == 1 and path in said[0], d.log()
    assert how in ("file", "link") or "chown" in said[0] or "chmod" in said[0] or "chgrp" in said[0], said
    after = os.lstat(path)
    assert (before.st_mode, before.st_uid) == (after.st_mode, after.st_uid)
    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        os.unlink(path)


@pytest.mark.root
def test_what_other_users_run_is_where_they_can(tmp_path):
    """J1 of the faults: a clone in root's home, which others cannot enter."""
    closed = tmp_path / "clone"
    closed.mkdir(mode=0o700)
    shutil.copytree(BIN, closed / "bin")
    nobody = pwd.getpwnam("nobody")
    how = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
    with pytest.raises(PermissionError):
        subprocess.run([closed / "bin" / "tailnetd", "-V"], **how)
    place = public(str(closed / "bin"))
    assert subprocess.run([os.path.join(place, "tailnetd"), "-V"], stdout=subprocess.PIPE, check=True, **how).stdout
    assert public("/usr/bin/env") == "/usr/bin/env"
