# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""wgconf (interface.md 7) against real WireGuard: read by wg(8), and two hosts that reach each other by what it
says."""
import base64
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile

import netns
import pytest
from controlserver import Server
from harness import AUTH_KEY, until

REASON = netns.why_not() or next((p + " is not installed" for p in ("wg", "wireguard-go") if shutil.which(p) is None),
                                 None)
if REASON is None and not os.path.exists("/dev/net/tun"):
    REASON = "no /dev/net/tun"
pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.skipif(REASON is not None, reason=str(REASON)),
              pytest.mark.xdist_group("netns")]
TALK = """
import socket, sys
role, mine, theirs, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
s = socket.socket(socket.AF_INET6 if ":" in mine else socket.AF_INET)
s.settimeout(20)
if role == "listen":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((mine, 7000))
    s.listen()
    print("ready", flush=True)
    c, who = s.accept()
    c.settimeout(20)
    n = 0
    while n < size:
        n += len(c.recv(65536)) or size
    c.sendall(b"got %d from %s" % (n, who[0].encode()))
else:
    s.settimeout(float(sys.argv[5]))
    s.bind((mine, 0))
    s.connect((theirs, 7000))
    s.sendall(b"x" * size)
    print(s.recv(100).decode())
"""


@contextlib.contextmanager
def wireguard(net, i):
    """A userspace WireGuard interface on that host.  wg(8) must not look for it before it listens: between bind() and
    listen() its socket refuses, and wg takes a socket that refuses for a dead one's and removes it."""
    name = "wg%s" % net.hosts[i][-8:]
    log = tempfile.TemporaryFile("w+")
    p = subprocess.Popen(["ip", "netns", "exec", net.hosts[i], "wireguard-go", "-f", name], stdout=log, stderr=log)

    def up():
        if p.poll() is not None:
            log.seek(0)
            raise AssertionError("wireguard-go ended with %d: %s" % (p.returncode, log.read()))
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex("/var/run/wireguard/%s.sock" % name) == 0
    try:
        until(up, 10, "wireguard-go")
        yield name
    finally:
        p.terminate()
        p.wait(10)
        log.close()


def hexkey(text):
    return base64.b64decode(text).hex()


def setconf(net, i, name, d, how="setconf", private=True):
    """What the daemon prints, given to wg by way of a file that only root can read."""
    text = d.text("wgconf private" if private else "wgconf")
    path = os.path.join(d.dir, "wg.conf")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(text)
    net.run(i, "wg", how, name, path)
    os.unlink(path)
    return text


def shown(net, i, name):
    """Peers as WireGuard has them: key -> (endpoint, allowed addresses, keepalive)."""
    out = {}
    for line in net.run(i, "wg", "show", name, "dump").splitlines()[1:]:
        key, _, endpoint, allowed, _, _, _, keepalive = line.split("\t")
        out["nodekey:" + hexkey(key)] = (endpoint, set() if allowed == "(none)" else set(allowed.split(",")), keepalive)
    return out


@pytest.fixture
def net():
    with netns.Net(2) as n:
        yield n


@pytest.fixture
def server(net):
    with netns.inside(net.middle):
        s = Server(host=netns.MIDDLE)
    s.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    yield s
    s.stop()


def host(make_daemon, server, net, i, **conf):
    d = make_daemon(server, auth_key=AUTH_KEY, prefix=["ip", "netns", "exec", net.hosts[i]],
                    server_key=server.noise_public,
                    hostname="host%d" % i, endpoints="auto", **conf)
    d.wait_sync()
    return d


def test_wg_reads_it(server, net, make_daemon):
    """Every peer of the netmap that WireGuard can have is configured as the netmap says, and no other."""
    d = host(make_daemon, server, net, 0, accept_routes="yes", listen_port=41700)

    def peer(i, **more):
        return dict({"ID": i, "Name": "p%d.example.test." % i, "Key": "nodekey:%064x" % i, "User": 10,
                     "DiscoKey": "discokey:%064x" % i,
                      "Addresses": ["100.99.0.%d/32" % (i - 100), "fd7a:115c:a1e0::%x/128" % i]}, **more)
    peers = [
        peer(101, Endpoints=["192.0.2.7:41641", "[2001:db8::7]:1"]), peer(102, Endpoints=["[2001:db8::8]:65535"]),
        peer(103, Endpoints=[], HomeDERP=1),
        peer(104, Endpoints=["192.0.2.9:1"], AllowedIPs=["100.99.0.4/32", "fd7a:115c:a1e0::68/128", "198.51.100.0/24"]),
        # Not for WireGuard: expired, without disco key or DERP, and an exit node that is not chosen.
        peer(105, Endpoints=["192.0.2.10:1"], Expired=True), peer(106, Endpoints=["192.0.2.11:1"], DiscoKey=None),
        peer(107, Endpoints=["192.0.2.12:1"], AllowedIPs=["0.0.0.0/0", "::/0"]),
    ]
    server.map().send({"PeersChanged": peers})
    d.wait_netmap(lambda n: len(n["Peers"]) == len(peers))
    with wireguard(net, 0) as wg:
        text = setconf(net, 0, wg, d)
        got = shown(net, 0, wg)
        one = net.run(0, "wg", "show", wg, "dump").splitlines()[0].split("\t")
        assert one[2] == "41700" and "nodekey:" + hexkey(one[1]) == d.status()["nodeKey"]
        assert set(got) == {p["Key"] for p in peers[:4]}, text
        for p in peers[:4]:
            endpoint, allowed, keepalive = got[p["Key"]]
            assert endpoint == (p["Endpoints"][0] if p["Endpoints"] else "(none)")
            assert allowed == set(p.get("AllowedIPs") or p["Addresses"]) and keepalive == "25"
        # Without the private key wg keeps the one it has.
        assert "PrivateKey" not in setconf(net, 0, wg, d, how="addconf", private=False)
        assert net.run(0, "wg", "show", wg, "dump").splitlines()[0].split("\t")[:3] == one[:3]
        assert shown(net, 0, wg) == got


def up(net, i, name, d):
    """Addresses and routes, as the operator of a data plane would set them."""
    setconf(net, i, name, d)
    for a in d.status()["self"]["Addresses"]:
        net.run(i, "ip", "addr", "add", a, "dev", name, *(["nodad"] if ":" in a else []))
    net.run(i, "ip", "link", "set", name, "up")
    for p in d.peers().values():
        for a in p["AllowedIPs"]:
            net.run(i, "ip", "route", "replace", a, "dev", name)


def talk(net, frm, to, mine, theirs, size=200000, timeout=15):
    """A TCP connection that carries size bytes; what the other side says of it."""
    listener = subprocess.Popen(["ip", "netns", "exec", net.hosts[to], "python3", "-c", TALK, "listen", theirs, "",
                             str(size)],
                            stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout.readline() == "ready\n"
        return net.run(frm, "python3", "-c", TALK, "say", mine, theirs, str(size), str(timeout)).strip()
    finally:
        listener.kill()
        listener.communicate()


def test_the_endpoint_is_one_that_leads_there(server, net, make_daemon):
    """Both hosts have docker0 with the same address, and one routes its LAN: neither is a way to it."""
    for h in net.hosts:
        netns.sh("ip", "-n", h, "link", "add", "docker0", "type", "bridge")
        netns.sh("ip", "-n", h, "addr", "add", "172.17.0.1/16", "dev", "docker0")
        netns.sh("ip", "-n", h, "link", "set", "docker0", "up")
    netns.sh("ip", "-n", net.hosts[1], "link", "add", "lan0", "type", "bridge")
    netns.sh("ip", "-n", net.hosts[1], "addr", "add", "10.7.0.1/16", "dev", "lan0")
    netns.sh("ip", "-n", net.hosts[1], "addr", "add", "10.8.0.1/16", "dev", "lan0")
    netns.sh("ip", "-n", net.hosts[1], "link", "set", "lan0", "up")
    a = host(make_daemon, server, net, 0, accept_routes="yes")
    b = host(make_daemon, server, net, 1, advertise_routes="10.7.0.0/16", endpoints_ignore="10.8.0.0/16")
    node = server.tailnet.by_key(b.status()["nodeKey"])
    until(lambda: node.endpoints, 10, "endpoints reported")
    assert node.endpoints == ["%s:41641" % net.address(1)]
    # A client that reports all it has: what leads nowhere is left out here.
    peer = dict(node.json("example.test"), Endpoints=[
        "172.17.0.1:41641", "172.17.0.9:41641", "10.7.0.1:41641", "[::ffff:169.254.169.254]:41641", "127.0.0.1:41641",
        "255.255.255.255:41641", net.address(0) + ":41641", "192.168.77.1:41641", "203.0.113.5:41641",
        "[::ffff:%s]:41641" % net.address(1)])
    peer["AllowedIPs"] = peer["Addresses"] + ["10.7.0.0/16"]
    feed = server.map(a.status()["nodeKey"])
    for expected in [net.address(1), "203.0.113.5", "192.168.77.1", None]:
        feed.send({"PeersChanged": [peer]})
        a.wait_netmap(lambda n, p=peer: n["Peers"] and n["Peers"][0].get("Endpoints", []) == p["Endpoints"])
        found = [line.split()[2] for line in a.text("wgconf").splitlines() if line.startswith("Endpoint = ")]
        assert found == ([] if expected is None else [expected + ":41641"])
        peer = dict(peer, Endpoints=[e for e in peer["Endpoints"] if expected is None or expected not in e])


def test_two_hosts_reach_each_other(server, net, make_daemon):
    a, b = host(make_daemon, server, net, 0), host(make_daemon, server, net, 1)
    for d, i in ((a, 1), (b, 0)):  # each knows where the other listens: by its lite update, through the server
        other = server.tailnet.by_key((b if d is a else a).status()["nodeKey"])
        until(lambda other=other: other.endpoints, 10, "endpoints reported")
        assert other.endpoints == ["%s:41641" % net.address(i)]
        server.map(d.status()["nodeKey"]).send({"PeersChanged": [other.json("example.test")]})
        d.wait_netmap(lambda n: len(n["Peers"]) == 1 and n["Peers"][0].get("Endpoints"))
    with wireguard(net, 0) as wa, wireguard(net, 1) as wb:
        up(net, 0, wa, a)
        up(net, 1, wb, b)
        mine, theirs = [[x.split("/")[0] for x in d.status()["self"]["Addresses"]] for d in (a, b)]
        for k in range(2):  # IPv4 and IPv6
            assert talk(net, 0, 1, mine[k], theirs[k]) == "got 200000 from " + mine[k]
            assert talk(net, 1, 0, theirs[k], mine[k]) == "got 200000 from " + theirs[k]
        counted = net.run(0, "wg", "show", wa, "transfer").split()
        assert int(counted[1]) > 400000 and int(counted[2]) > 400000, "through the tunnel"
        # The server removes b from a: after the next wgconf no packet passes.
        server.map(a.status()["nodeKey"]).send(
            {"PeersRemoved": [server.tailnet.by_key(b.status()["nodeKey"]).id]})
        a.wait_netmap(lambda n: not n["Peers"])
        setconf(net, 0, wa, a, how="syncconf")
        assert shown(net, 0, wa) == {}
        with pytest.raises(subprocess.CalledProcessError):
            talk(net, 0, 1, mine[0], theirs[0], timeout=2)
