# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The host under the daemon changes: its addresses, its forwarding, its network that no longer sends anything
(behaviours.md 15 and 16).  The host is a network namespace of its own, behind a cable."""
import json
import time

import netns
import pytest
from controlserver import Server
from harness import AUTH_KEY, DEADLINE, SLOW, stays

REASON = netns.why_not()
pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.root,
              pytest.mark.skipif(REASON is not None, reason=str(REASON)),
              pytest.mark.xdist_group("netns")]
FORWARD = {4: "/proc/sys/net/ipv4/ip_forward", 6: "/proc/sys/net/ipv6/conf/all/forwarding"}
ROUTES = {4: "198.51.100.0/24", 6: "2001:db8:1::/48"}


@pytest.fixture
def net():
    with netns.Net(1) as n:
        yield n


@pytest.fixture
def server(request, net):
    with netns.inside(net.middle):
        s = Server(host=netns.MIDDLE)
    request.node.servers = [s]
    s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    yield s
    s.stop()


@pytest.fixture
def host(make_daemon, server, net):
    def make(*prefix, **conf):
        d = make_daemon(server, auth_key=AUTH_KEY, prefix=["ip", "netns", "exec", net.hosts[0], *prefix],
                        server_key=server.noise_public, **conf)
        d.wait_sync()
        return d
    return make


def lite(server, fits, since=0):
    return server.log.wait("lite", since=since, timeout=DEADLINE, json=fits).json


def address(net, what, a):
    net.run(0, "ip", "addr", what, a, "dev", "eth0", *(["nodad"] if what == "add" and ":" in a else []))


def forward(net, family, on):
    net.run(0, "sh", "-c", "echo %d > %s" % (on, FORWARD[family]))


@pytest.mark.rows("LITE-01", "LITE-07")
def test_endpoints_follow_the_addresses(server, net, host):
    d = host(endpoints="auto", listen_port=41700)
    m = server.map()

    def reported(*addresses, since=0):
        want = {a + ":41700" for a in addresses}
        j = lite(server, lambda j: set(j["Endpoints"]) == want, since)
        assert j["EndpointTypes"] == [1] * len(want)
        assert set(d.status()["endpoints"]) == want
    mine = net.address(0)
    reported(mine)
    mark = server.log.mark()
    address(net, "add", "10.99.7.7/32")
    address(net, "add", "2001:db8::7/128")
    reported(mine, "10.99.7.7", "[2001:db8::7]", since=mark)
    for a, left in (("2001:db8::7/128", [mine, "10.99.7.7"]), ("10.99.7.7/32", [mine])):
        mark = server.log.mark()
        address(net, "del", a)
        reported(*left, since=mark)
    assert server.map() is m and d.status()["mapStreams"] == 1


@pytest.mark.rows("LITE-01")
def test_given_endpoints_stay(server, net, host):
    """Who gave them knows better than the list of interfaces."""
    d = host(endpoints="auto")
    d.ctl("set endpoints 192.0.2.1:7/stun")
    lite(server, lambda j: j["Endpoints"] == ["192.0.2.1:7"])
    mark = server.log.mark()
    address(net, "add", "10.99.7.7/32")
    stays(lambda: not server.log.all("lite", since=mark), 2)
    assert d.status()["endpoints"] == ["192.0.2.1:7"]


# ---- forwarding

OFF = ["warn-ip-forwarding-off"]


def flags(j):
    return j.get("DebugFlags", [])


@pytest.mark.rows("LITE-07")
@pytest.mark.parametrize("family, endpoints", [(4, "none"), (6, "auto")])
def test_forwarding_that_is_off(server, net, host, family, endpoints):
    """Reported while advertised routes are not forwarded; as it is now, not as it was when they were set."""
    other = 10 - family
    forward(net, family, 0)
    forward(net, other, 1)
    d = host(endpoints=endpoints)
    m = server.map()

    def tell(routes, flag):
        """Hostinfo and flag are two messages to mapd: it may send one before it has the other."""
        mark = server.log.mark()
        d.ctl("set hostinfo " + json.dumps({"RoutableIPs": routes}))
        return lite(server, lambda j: j["Hostinfo"].get("RoutableIPs", []) == routes and flags(j) == flag, mark)

    def turn(on, flag):
        mark = server.log.mark()
        forward(net, family, on)
        lite(server, lambda j: flags(j) == flag, mark)
    lite(server, lambda j: flags(j) == [])
    tell([ROUTES[other]], [])
    tell([ROUTES[other], ROUTES[family]], OFF)
    turn(1, [])
    turn(0, OFF)
    tell([], [])
    assert not [e for e in server.log.all("lite") if flags(e.json) and
                e.json["Hostinfo"].get("RoutableIPs") == [ROUTES[other]]]
    assert server.map() is m and d.status()["mapStreams"] == 1


@pytest.mark.rows("LITE-07")
def test_forwarding_is_off_from_the_start(server, net, host):
    forward(net, 4, 0)
    host(advertise_routes=ROUTES[4])
    assert flags(server.log.wait("lite").json) == OFF


# ---- a network that drops everything

@pytest.mark.rows("KA-02")
def test_packets_are_dropped(server, net, host):
    """No reset, no end: silence, as when a router fails.  The stream is given up, and there is a new one when
    packets pass again."""
    server.keepalive_every = 0.3
    d = host(map_watchdog=2)
    m = server.map()
    w = d.watch()
    stays(lambda: d.status()["synced"], 2.5)
    assert server.map() is m and d.status()["mapStreams"] == 1
    mark = w.mark()
    netns.sh("ip", "-n", net.middle, "link", "set", "c0", "nomaster")
    t = time.monotonic()
    s = w.status(lambda s: not s["synced"] and s["err"], since=mark)
    assert time.monotonic() - t < 2 + 4 * SLOW and s["errSource"] == "map" and s["loggedIn"]
    stays(lambda: not d.status()["synced"], 1)
    netns.sh("ip", "-n", net.middle, "link", "set", "c0", "master", "br0")
    server.map(after=m, timeout=15 * SLOW)  # security.md 5.5
    d.wait_sync()


# ---- the network changes under a connection

@pytest.mark.rows("DIAL-11")
def test_the_address_of_the_connection_goes_away(server, net, host):
    """A new connection from the new address, long before the watchdog (120 s) finds the old one silent."""
    d = host()
    m = server.map()
    address(net, "del", net.address(0) + "/24")
    address(net, "add", "10.99.0.77/24")
    m = server.map(after=m, timeout=10 * SLOW)
    d.wait_sync()
    # The old one is still assigned, but no longer chosen.
    address(net, "add", "10.99.0.78/24")
    stays(lambda: d.status()["synced"] and d.status()["mapStreams"] == 2, 2, "an address more is no reason")
    net.run(0, "ip", "route", "replace", "10.99.0.0/24", "dev", "eth0", "src", "10.99.0.78")
    server.map(after=m, timeout=10 * SLOW)
    d.wait_sync()
    assert "the control server is reached from another address now" in d.log()


@pytest.mark.rows("DIAL-11")
def test_the_link_comes_back(server, net, host):
    """At once not synchronized without a route; and what waits for its next try does not when there is one again."""
    d = host()
    m = server.map()
    net.run(0, "ip", "link", "set", "eth0", "down")
    d.wait(lambda s: not s["synced"] and "unreachable" in s["err"], timeout=10 * SLOW)
    time.sleep(12)  # tries that fail: the delay grows
    net.run(0, "ip", "link", "set", "eth0", "up")
    server.map(after=m, timeout=3.5 * SLOW)
    d.wait_sync()


@pytest.mark.rows("LITE-01")
def test_a_new_host_name(server, host):
    """Noticed within 30 s, or at once by `reconnect`."""
    d = host("unshare", "-u")
    m = server.map()

    def rename(name):
        netns.sh("nsenter", "-t", str(d.pid), "-u", "hostname", name)
        return server.log.mark()
    mark = rename("second.example.net")
    d.ctl("reconnect")
    m = server.map(after=m)
    assert server.log.wait("map", since=mark).json["Hostinfo"]["Hostname"] == "second"
    d.wait_sync()
    mark = rename("third")
    server.log.wait("lite", since=mark, timeout=32 * SLOW, json=lambda j: j["Hostinfo"]["Hostname"] == "third")
    assert server.map() is m
