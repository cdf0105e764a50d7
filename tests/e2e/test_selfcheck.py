# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""What is wrong with the daemon's surroundings is a health code as long as it is wrong, and no longer."""
import os
import resource
import signal
import socket
import time

import pytest
from harness import AUTH_KEY, fds, until


def health(d, code):
    return next((h for h in d.status()["health"] if h["code"] == code), None)


def begins(d, code, text, severity):
    h = until(lambda: health(d, code), what=code)
    assert text in h["text"] and h["severity"] == severity and h["remedy"], h
    assert 'tailnetd_health{code="%s"} 1' % code in d.text("metrics")


def ends(d, code):
    until(lambda: health(d, code) is None, what="the end of " + code)
    assert 'tailnetd_health{code="%s"} 0' % code in d.text("metrics")


def reload(d):
    d.write_conf()
    d.proc.send_signal(signal.SIGHUP)


@pytest.mark.rows("STAT-02")
def test_a_broken_configuration(daemon):
    daemon.raw = "no-such-keyword yes\n"
    reload(daemon)
    begins(daemon, "config-not-reloaded", "no-such-keyword", "medium")
    daemon.raw = ""
    reload(daemon)
    ends(daemon, "config-not-reloaded")


@pytest.mark.rows("STAT-02")
def test_an_auth_key_file_that_is_missing(server, make_daemon):
    """Also while no login needs it, at start and after a reload."""
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    os.rename(d.key_file, d.key_file + ".away")
    reload(d)
    begins(d, "auth-key-unusable", d.key_file, "medium")
    d.restart()
    begins(d, "auth-key-unusable", d.key_file, "medium")
    os.rename(d.key_file + ".away", d.key_file)
    reload(d)
    ends(d, "auth-key-unusable")


@pytest.mark.rows("STAT-02")
def test_ca_certificates_that_are_missing(tls_server, make_daemon, ca, tmp_path):
    path = str(tmp_path / "ca.pem")
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=path)
    begins(d, "ca-unusable", "CA certificates %s: No such file or directory" % path, "high")
    os.symlink(ca.file, path)
    d.wait_sync()
    ends(d, "ca-unusable")


@pytest.mark.rows("STAT-02")
def test_a_cache_that_cannot_be_written(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes", start=False)
    os.makedirs(d.state_dir + "/netmap.cache.tmp/x")
    os.chmod(d.state_dir, 0o700)
    d.start()
    d.wait_sync()
    begins(d, "cache-unusable", "netmap cache: ", "low")
    os.rmdir(d.state_dir + "/netmap.cache.tmp/x")
    os.rmdir(d.state_dir + "/netmap.cache.tmp")
    d.conf["netmap-cache"] = "no"
    reload(d)
    ends(d, "cache-unusable")


@pytest.mark.rows("STAT-02")
def test_no_descriptors_for_clients(daemon):
    until(lambda: daemon.process("authd")["pid"] is None, what="only mapd runs")
    n = fds(daemon.pid)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (n, 1024))
    held = [daemon.connect() for _ in range(2)]
    until(lambda: "new clients must wait" in daemon.log())
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (256, 1024))
    for s in held:
        s.close()
    daemon.ctl("set hostinfo {\"App\":\"x\"}")
    daemon.ctl("reconnect")
    begins(daemon, "no-descriptors", "clients of the control socket must wait", "medium")


@pytest.mark.root
@pytest.mark.rows("STAT-02")
def test_an_operator_outside_of_the_group(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, control_operator="nobody")
    begins(d, "operator-outside", "not in the group", "low")
    d.conf["control-operator"] = None
    reload(d)
    ends(d, "operator-outside")


def test_the_service_manager_reads_it(server, make_daemon, tmp_path):
    """State, error and health in one line."""
    path = str(tmp_path / "s")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    os.chmod(path, 0o666)
    sock.settimeout(10)
    d = make_daemon(server, auth_key=AUTH_KEY, env={"NOTIFY_SOCKET": path})
    d.wait_sync()
    d.raw = "no-such-keyword yes\n"
    reload(d)
    last, end = "", time.monotonic() + 10
    while "config-not-reloaded" not in last and time.monotonic() < end:
        text = sock.recv(4096).decode()
        last = text if text.startswith("STATUS=") else last
    assert last.startswith("STATUS=synchronized; ") and "; config-not-reloaded: " in last, last
    server.stop()
    while "; error: map: " not in last and time.monotonic() < end:
        text = sock.recv(4096).decode()
        last = text if text.startswith("STATUS=") else last
    assert last.startswith("STATUS=logged in, not synchronized; error: map: "), last
    sock.close()
