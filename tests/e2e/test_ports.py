# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Which ports are tried, and when (behaviours.md 2): a control server under a public name and address, on the real
ports 80 and 443, in a network namespace of its own."""
import os
import shutil
import socket
import time

import netns
import pytest
from controlserver import HOLD, Server
from harness import AUTH_KEY, SLOW, stays
from trips import Trips, at_most

PUBLIC, OTHER, DEAD, PRIVATE = "198.51.100.1", "198.51.100.2", "198.51.100.9", "10.99.1.1"
NAME = "control.example.test"
pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.root,
              pytest.mark.skipif(netns.why_not() is not None, reason=str(netns.why_not()))]


class Inside(Server):
    """The scripted server in a namespace: its thread and its sockets are in it."""

    def __init__(self, ns, **how):
        self.ns = ns
        super().__init__(**how)

    def _thread(self):
        netns.setns("/run/netns/" + self.ns)
        super()._thread()


@pytest.fixture
def ns(request):
    name = "td%dp" % os.getpid()
    netns.sh("ip", "netns", "add", name)
    etc = "/etc/netns/" + name
    try:
        netns.sh("ip", "-n", name, "link", "set", "lo", "up")
        for a in (PUBLIC, OTHER, PRIVATE):
            netns.sh("ip", "-n", name, "addr", "add", a + "/32", "dev", "lo")
        os.makedirs(etc)
        with open(etc + "/hosts", "w") as f:
            f.write("127.0.0.1 localhost\n%s %s\n" % (PUBLIC, NAME))
        yield name
    finally:
        shutil.rmtree(etc, ignore_errors=True)
        netns.sh("ip", "netns", "del", name)


@pytest.fixture
def world(request, ns, ca, make_daemon):
    """world(url, clear=80, tls=443, ...): the server, and a daemon that is not started."""
    made = request.node.servers = []

    def make(url, host=PUBLIC, clear=80, tls=443, **conf):
        s = Inside(ns, tls=ca.context(names=[NAME, host]), host=host, clear_port=clear, tls_port=tls)
        made.append(s)
        s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
        if url.startswith("http:"):
            conf["server_key"] = s.noise_public
        return s, make_daemon(url, start=False, auth_key=AUTH_KEY, ca_file=ca.file, prefix=["ip", "netns", "exec", ns],
                              **conf)
    yield make
    for s in made:
        s.stop()


def accepts(s, since=0):
    return [e.port for e in s.log.all("accept", since=since)]


@pytest.mark.rows("DIAL-02", "DIAL-04")
@pytest.mark.parametrize("url, clear", [("http://" + PUBLIC, 80), ("http://" + PUBLIC + ":8080", 8080),
                                        ("http://" + NAME, 80)])
def test_clear_text_comes_first(world, url, clear):
    """And when it is quick, port 443 is not used; not for the map either, which has its own process."""
    s, d = world(url, clear=clear)
    d.start().wait_sync()
    assert set(accepts(s)) == {"clear"}
    s.check()


@pytest.mark.rows("DIAL-02", "KEY-05")
def test_https_without_a_port(world):
    """/key by TLS, then 80."""
    s, d = world("https://" + NAME)
    d.start().wait_sync()
    assert accepts(s)[0] == "tls" and s.log.all("http", path="/key")[0].conn == s.log.all("accept")[0].conn
    assert all(e.port == "clear" for e in s.log.all("handshake"))


def test_round_trips(world):
    """The key by TLS, and then 80 before 443 (test_trips.py has the rest); the server is at another address here."""
    s, d = world("https://" + NAME, host=OTHER)
    with Trips(s, host=PUBLIC, ports={"clear": 80, "tls": 443}) as t:
        first = t.until_synced(d)

        def warm():
            assert d.stop() == 0
            return t.until_synced(d)
        assert first <= 8 and at_most(4, warm) == 4
    assert {e.port for e in s.log.all("handshake")} == {"clear"}


@pytest.mark.rows("DIAL-02")
@pytest.mark.parametrize("url, tls, conf", [("https://" + NAME + ":8443", 8443, {}),
                                            ("https://" + NAME, 443, {"transport": "tls"})])
def test_tls_only(world, url, tls, conf):
    s, d = world(url, tls=tls, **conf)
    d.start().wait_sync()
    assert set(accepts(s)) == {"tls"}


@pytest.mark.rows("DIAL-04")
@pytest.mark.parametrize("where", ["accept", "upgrade", "101"])
def test_clear_text_that_hangs(world, where):
    """Success is the finished handshake: half a second later TLS starts, and wins; the loser is closed."""
    s, d = world("http://" + PUBLIC)
    if where == "accept":
        s.on_accept = lambda conn: HOLD if conn.kind == "clear" else None
    elif where == "upgrade":
        s.on_upgrade = lambda req: HOLD if req.conn.kind == "clear" else None
    else:
        s.on_response = lambda conn, r: None if conn.kind == "clear" else r
    d.start().wait_sync()
    a, b = (next(e for e in s.log.all("accept") if e.port == p) for p in ("clear", "tls"))
    assert 0.45 < b.t - a.t < 0.5 + SLOW
    for e in s.log.all("accept"):  # of authd and of mapd
        if e.port == "clear":
            s.log.wait("closed", conn=e.conn, timeout=2 * SLOW)
    kinds = {e.conn: e.port for e in s.log.all("accept")}
    assert {kinds[e.conn] for e in s.log.all("register") + s.log.all("map")} == {"tls"}


@pytest.mark.rows("DIAL-04")
def test_clear_text_refused(world):
    s, d = world("http://" + PUBLIC)
    s.run(s._unlisten())
    s.listen(("tls",))
    t = time.monotonic()
    d.start()
    assert s.log.wait("accept").t - t < 0.5 + SLOW
    d.wait_sync()


@pytest.mark.rows("DIAL-03")
@pytest.mark.parametrize("host", [PRIVATE, "127.0.0.1", "localhost"])
def test_private_hosts_have_no_tls_port(world, host):
    """Whatever the clear port does, and however soon it is tried again."""
    s, d = world("http://" + host, host="127.0.0.1" if host == "localhost" else host)
    s.on_upgrade = lambda req: HOLD
    d.start()
    s.log.wait("accept")
    stays(lambda: "tls" not in accepts(s), 2, "no connection to 443")
    s.on_upgrade = None
    d.ctl("reconnect")
    d.wait_sync()
    for _ in range(3):
        m = s.map()
        s.drop_all()
        s.map(after=m)
    assert "tls" not in accepts(s)


@pytest.mark.rows("DIAL-07")
def test_clear_text_that_breaks_after_the_handshake(world):
    """A network that cuts port 80 once the upgrade is done: the next try prefers TLS, also that of a login."""
    s, d = world("http://" + PUBLIC)

    def cut(req):
        if req.conn.kind == "clear":
            req.conn.close()
            return HOLD
        return None
    s.on_request = cut
    d.start()
    d.wait_sync(10 * SLOW)
    kinds = {e.conn: e.port for e in s.log.all("accept")}
    assert {kinds[e.conn] for e in s.log.all("answer")} == {"tls"}
    assert accepts(s).count("clear") <= 2, "once for each process"


@pytest.mark.rows("DIAL-07")
@pytest.mark.parametrize("tls", ["refused", "silent"])
def test_plain_server_is_found_again(world, tls):
    """TLS is preferred soon after a dial, but a server with only clear text is reached in the same attempt."""
    s, d = world("http://" + PUBLIC)
    if tls == "refused":
        s.run(s._unlisten())
        s.listen(("clear",))
    else:
        s.run(s._unlisten())
        s.listen(("clear",))
        quiet = s.run(listen_and_say_nothing(443))  # no ClientHello is answered
    d.start().wait_sync()
    for _ in range(2):
        m, w = s.map(), d.watch()
        s.drop_all()
        t = time.monotonic()
        s.map(after=m)
        assert time.monotonic() - t < 5
        d.wait_sync()
        assert len([e for e in w.all("status") if e["status"]["err"]]) <= 2, "one lost stream, no failed dial"
        w.close()
    if tls == "silent":
        quiet.close()


async def listen_and_say_nothing(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((PUBLIC, port))
    sock.listen(20)
    return sock


def hosts(ns, *lines):
    with open("/etc/netns/%s/hosts" % ns, "w") as f:
        f.write("127.0.0.1 localhost\n" + "".join(x + "\n" for x in lines))


@pytest.mark.rows("DIAL-10")
def test_dead_address_and_lost_names(world, ns):
    """The first of two addresses is unused; later the name no longer exists, and the good ones continue to work."""
    hosts(ns, "%s %s" % (OTHER, NAME), "%s %s" % (PUBLIC, NAME))
    s, d = world("https://" + NAME)
    t = time.monotonic()
    d.start().wait_sync()
    assert time.monotonic() - t < 5 * SLOW
    hosts(ns)
    for _ in range(3):
        m = s.map()
        s.drop_all()
        s.map(after=m)
        d.wait_sync()
    assert d.log().count("using its last good addresses") == 1, "once, and not at each dial"


@pytest.mark.rows("DIAL-09")
def test_dial_plan(world):
    """The next connection is made to a candidate, by its delay; ones without a server do not delay it; if all fail, the
    name is used again; an address that is not public is no candidate."""
    s, d = world("http://" + NAME, host="0.0.0.0")
    where = []
    s.on_accept = lambda conn: where.append(conn.writer.get_extra_info("sockname")[0])
    d.start().wait_sync()
    assert set(where) == {PUBLIC}

    def after(*candidates):
        m = s.map()
        m.send({"ControlDialPlan": {"Candidates": list(candidates)}, "Domain": "plan%d." % len(where)})
        d.wait_netmap(lambda n: n["Domain"] == "plan%d." % len(where))
        time.sleep(1.1)  # mapd sends the parent one plan a second
        del where[:]
        t = time.monotonic()
        s.drop_all()
        s.map(after=m)
        d.wait_sync()
        assert time.monotonic() - t < 5
        return where[-1]
    assert after({"IP": OTHER}) == OTHER
    assert after({"IP": DEAD, "DialTimeoutSec": 3}, {"IP": OTHER, "DialStartDelaySec": 0.2}) == OTHER
    assert after({"IP": DEAD, "DialTimeoutSec": 0.5}, {"ACEHost": "ace.example.test", "IP": OTHER}) == PUBLIC
    assert after({"IP": PRIVATE}, {"IP": "127.0.0.1"}) == PUBLIC
    assert "dial plan entry 1 dropped: private or reserved address" in d.log()
    assert after({"IP": OTHER}) == OTHER
    assert after() == PUBLIC
