# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Who may do what on the control socket (interface.md 3, security.md D13): root, the operator, the group, the rest."""
import json
import os
import subprocess

import pytest
from harness import AUTH_KEY, BIN

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.skipif(os.getuid() != 0, reason="needs other users")]


def nameless(make_daemon, server, uid, gid, **conf):
    """A daemon as container engines start one, by numbers alone."""
    d = make_daemon(server, start=False, sandbox="best-effort", prefix=[
        "setpriv", "--reuid", str(uid), "--regid", str(gid), "--clear-groups"], **conf)
    os.chown(d.dir, uid, gid)
    return d


@pytest.mark.parametrize("operator", [None, "nobody"])
def test_classes(server, make_daemon, operator):
    d = make_daemon(server, auth_key=AUTH_KEY, control_group="_tailnetd", control_operator=operator)
    d.wait_sync()
    assert d.ask_as("status", group="nogroup") == "unreachable"
    assert json.loads(d.ask_as("status", group="_tailnetd"))["state"] == "state:synchronized"
    assert json.loads(d.ask_as("netmap", group="_tailnetd"))["SelfNode"]
    assert '"denied"' in d.ask_as("wgconf private", group="_tailnetd"), "root's alone"
    for line in ("pause", "unpause", "log debug", "doctor", 'set hostinfo {"DeviceModel":"x"}'):
        answer = d.ask_as(line, group="_tailnetd")
        assert ('"denied"' in answer) == (operator is None), (line, answer)
    assert "PrivateKey" in d.text("wgconf private")
    lines = [x for x in d.log().splitlines() if "node private key is given to uid 0" in x]
    assert lines and all("info: " in x for x in lines), "logged, and what was asked for is no warning"


def test_an_operator_outside_the_group_is_told(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, control_group="_tailnetd", control_operator="nobody")
    d.wait_sync()
    assert "control-operator nobody is not in the group _tailnetd" in d.log()
    d = make_daemon(server, auth_key=AUTH_KEY, control_group="nogroup", control_operator="nobody")
    d.wait_sync()
    assert "control-operator" not in d.log()


@pytest.mark.parametrize("keyword, want", [("control-operator", "there is no user no-such-name"),
                                           ("control-group", "there is no group no-such-name")])
def test_nobody_of_that_name(server, make_daemon, keyword, want):
    """Found by the start (interface.md 9: 78, and nothing was touched) and by a reload, root or not.  The check may be
    made where the accounts are not."""
    for d in make_daemon(server, start=False), nameless(make_daemon, server, 54321, 54322):
        d.conf = {keyword: "no-such-name", **d.conf}
        d.spawn()
        assert d.wait_exit() == 78 and not os.path.exists(d.state_dir)
        assert "%s:1: %s: %s\n" % (d.conf_file, keyword, want) in d.log()
        r = subprocess.run(d.prefix + [os.path.join(BIN, "tailnetd"), "-n", "-f", d.conf_file], stderr=subprocess.PIPE,
                           text=True)
        assert (r.returncode, r.stderr) == (0, "")


def test_a_group_without_a_name(server, make_daemon):
    """The caller's group is what `control-group` defaults to, also where no file knows it; what -nv prints names it
    again."""
    d = nameless(make_daemon, server, 54321, 54322)
    d.start()
    st = os.stat(d.socket)
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (54321, 54322, 0o660)
    d.stop()
    shown = subprocess.run(d.prefix + [os.path.join(BIN, "tailnetd"), "-nv", "-f", d.conf_file], stdout=subprocess.PIPE,
                           text=True,
                           check=True).stdout
    assert "\ncontrol-group 54322\n" in shown
    d.conf["control-group"] = "54322"
    d.start()
    assert os.stat(d.socket).st_gid == 54322


def test_a_group_that_is_not_ours_to_give(server, make_daemon):
    """A socket that could not be given away is not left behind."""
    d = nameless(make_daemon, server, 54321, 54322, control_group="_tailnetd")
    d.spawn()
    assert d.wait_exit() == 1 and "Operation not permitted" in d.log()
    assert os.listdir(os.path.dirname(d.socket)) == []
