# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""`proxy`: all connections use HTTP CONNECT through a real tinyproxy."""
import os

import pytest
from harness import AUTH_KEY, until
from tinyproxy import connects, free_port, needs_tinyproxy


@needs_tinyproxy
@pytest.mark.parametrize("auth", [None, ("me", "geheim-9")], ids=["open", "password"])
def test_through_a_proxy(server, make_daemon, proxy, auth):
    port, log = proxy(auth)
    who = "%s:%s@" % auth if auth else ""
    d = make_daemon(server, auth_key=AUTH_KEY, proxy="http://%s127.0.0.1:%d" % (who, port))
    d.wait_sync()
    # /key, the login and the map: each is one CONNECT, and the server saw no other connection.
    host = server.url.split("//")[1]
    until(lambda: len([x for x in connects(log) if host in x]) >= 3, what="CONNECT lines in the log of tinyproxy")
    assert server.log.count("accept") == len([x for x in connects(log) if "Request" in x and host in x])
    if auth:
        assert auth[1] not in d.log() and auth[1] not in str(d.status())


@needs_tinyproxy
def test_through_a_proxy_with_tls(tls_server, make_daemon, proxy, ca):
    port, log = proxy()
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=ca.file, proxy="http://127.0.0.1:%d" % port)
    d.wait_sync()
    assert connects(log)


@needs_tinyproxy
def test_wrong_password(server, make_daemon, proxy):
    port, _ = proxy(("me", "geheim-9"))
    d = make_daemon(server, auth_key=AUTH_KEY, proxy="http://me:falsch-1@127.0.0.1:%d" % port)
    s = d.wait_err("proxy")
    assert "401" in s["err"] or "407" in s["err"]
    assert server.log.count("accept") == 0 and "falsch-1" not in d.log()


def test_no_way_around_a_dead_proxy(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, proxy="http://127.0.0.1:%d" % free_port())
    d.wait_err("refused")
    assert server.log.count("accept") == 0
    assert os.path.exists(d.socket)
