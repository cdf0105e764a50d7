# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""SIGHUP: the configuration is applied whole or not at all (interface.md 1, 2), also to what is under way."""
import json
import os
import signal
import subprocess
import time

import pytest
from harness import AUTH_KEY, BIN, SLOW, until
from tinyproxy import connects, needs_tinyproxy

pytestmark = pytest.mark.usefixtures("programs")


def reload(d, ok=True):
    """HUP, and the daemon's log line that it has accepted or refused the new configuration."""
    word = "configuration reloaded" if ok else "configuration not reloaded"
    n = d.log().count(word)
    d.write_conf()
    d.proc.send_signal(signal.SIGHUP)
    until(lambda: d.log().count(word) > n, 10 * SLOW, word)


@needs_tinyproxy
@pytest.mark.parametrize("to", ["proxy", "direct"])
def test_another_way_to_the_server(server, make_daemon, proxy, to):  # noqa: F811
    """The running session moves over, and so does every one after it."""
    port, log = proxy()
    url = "http://127.0.0.1:%d" % port
    d = make_daemon(server, auth_key=AUTH_KEY, **({} if to == "proxy" else {"proxy": url}))
    d.wait_sync()
    m, w = server.map(), d.watch()
    before = len(connects(log))
    d.conf["proxy"] = url if to == "proxy" else None
    reload(d)
    m = server.map(after=m)
    d.wait_sync()
    assert (len(connects(log)) > before) == (to == "proxy")
    server.drop_all()
    server.map(after=m)
    d.wait_sync()
    assert not [e for e in w.all("status") if "proxy" in e["status"]["err"]]


@needs_tinyproxy
def test_a_way_without_the_dead_proxy(server, make_daemon, proxy):  # noqa: F811
    """Also when the map stream waits for its next try."""
    port, _ = proxy()
    d = make_daemon(server, auth_key=AUTH_KEY, proxy="http://127.0.0.1:%d" % port)
    d.wait_sync()
    proxy.stop()
    server.drop_all()
    d.wait_err("refused")
    d.wait(lambda s: s["state"] == "state:authenticated")
    d.conf["proxy"] = None
    reload(d)
    d.wait_sync(10 * SLOW)
    assert d.status()["err"] == ""


@pytest.mark.rows("KEY-05")
def test_other_trust_anchors(tls_server, make_daemon, ca):
    """In force at once, though authd runs and has the old ones."""
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY)
    d.wait_err("certificate")
    d.conf["ca-file"] = ca.file
    reload(d)
    d.ctl("login")
    d.wait_sync(10 * SLOW)


@pytest.mark.rows("KEY-05")
def test_trust_anchors_taken_away(tls_server, make_daemon, ca):
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=ca.file, login="manual")
    tls_server.on_key = lambda req: b"nonsense\r\n\r\n"
    d.ctl("login")
    d.wait_err()
    assert d.process("authd")["pid"]
    n = tls_server.log.count("http")
    d.conf["ca-file"] = None
    reload(d)
    d.ctl("login")
    d.wait_err("certificate", timeout=10 * SLOW)
    assert tls_server.log.count("http") <= n + 1, "one may have been under way"


@pytest.mark.rows("KEY-01", "KEY-08")
def test_server_key_taken_away(server, make_daemon):
    """Without a configured key the server's is trusted on first use, as at a start; the node stays logged in."""
    d = make_daemon(server, auth_key=AUTH_KEY, server_key=server.noise_public)
    before = d.wait_sync()
    m, regs = server.map(), server.log.count("register")
    d.conf["server-key"] = None
    reload(d)
    server.map(after=m)
    s = d.wait_sync()
    assert d.ctl("server-key")["source"] == "first-use" and d.ctl("server-key")["serverKey"] == server.noise_public
    assert s["nodeKey"] == before["nodeKey"] and server.log.count("register") == regs
    assert len(server.log.all("http", path="/key")) == 1


@pytest.mark.rows("EXP-04")
def test_on_expiry_changes(server, make_daemon):
    """To `wait`: the automatic login is dropped, and nothing more is sent; back to `login`: it starts."""
    d = make_daemon(server)
    d.ctl("login auth-key=" + AUTH_KEY)
    node = d.wait_sync()["nodeKey"]
    server.set_expiry(1)
    d.wait(lambda s: s["url"])
    d.conf["on-expiry"] = "wait"
    reload(d)
    s = d.status()
    assert (s["state"], s["url"], s["goal"], s["nodeKey"]) == ("state:not-authenticated", "", None, node)
    time.sleep(0.3)
    mark = server.log.mark()
    time.sleep(1)
    assert not server.log.all("register", since=mark) and d.status()["synced"]
    # An expired key at the start is the same case, and there a reload helps, too.
    d.restart()
    time.sleep(1)
    # It asks once with the key that it has: the server's word decides.  It does not log in with a new one.
    assert [r.json["NodeKey"] for r in server.log.all("register", since=mark)] in ([], [node])
    mark = server.log.mark()
    d.conf["on-expiry"] = "login"
    reload(d)
    server.log.wait("register", since=mark)
    d.wait(lambda s: s["url"])


@pytest.mark.skipif(os.getuid() != 0, reason="needs other users")
def test_another_operator(server, make_daemon):
    """A user removed from the configuration loses the right, and one that does not exist changes nothing."""
    d = make_daemon(server, auth_key=AUTH_KEY, control_group="_tailnetd", control_operator="nobody", hostname="first")
    d.wait_sync()
    assert json.loads(d.ask_as("log debug", group="_tailnetd")) == {"ok": True}
    d.conf["control-operator"] = "no-such-user"
    d.conf["hostname"] = "second"
    reload(d, ok=False)
    assert "control-operator: there is no user no-such-user" in d.log()
    assert d.status()["hostinfo"]["Hostname"] == "first"
    assert json.loads(d.ask_as("log debug", group="_tailnetd")) == {"ok": True}
    d.conf["control-operator"] = None
    reload(d)
    assert d.status()["hostinfo"]["Hostname"] == "second"
    assert '"denied"' in d.ask_as("log debug", group="_tailnetd")
    d.conf["control-operator"] = "nobody"
    reload(d)
    assert json.loads(d.ask_as("log debug", group="_tailnetd")) == {"ok": True}


@pytest.mark.parametrize("keyword", ["ca-file", "auth-key-file"])
def test_a_check_names_missing_files(server, make_daemon, tmp_path, keyword):
    """`tailnetd -n` reads what the configuration names."""
    d = make_daemon(server, start=False)

    def check(value):
        d.conf[keyword] = value
        d.write_conf()
        return subprocess.run([os.path.join(BIN, "tailnetd"), "-n", "-f", d.conf_file], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    there = tmp_path / "there"
    there.write_text("tskey-auth-x\n")
    there.chmod(0o600)
    assert check(str(there)).returncode == 0
    p = check(str(tmp_path / "missing"))
    assert p.returncode == 1 and p.stderr == "%s %s: No such file or directory\n" % (keyword, tmp_path / "missing")
