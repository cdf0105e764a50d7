# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Many deltas: a burst with watchers that do not read, and a long run that must leave nothing behind.  The figures
of the same at full length are `make bench BENCH=churn`."""
import json
import random
import subprocess
import sys
import time

import pytest
import schema
from controlserver import dumps, make_peer
from harness import AUTH_KEY, SANITIZED, SLOW, fds, until

FIRST = 1001
MIB = 1 << 20
pytestmark = pytest.mark.usefixtures("programs")

# Keeps what a control client is sent, in a process of its own (this one's interpreter lock is the server's), until a
# line has the last netmapSeq.
KEEPER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\\n")
last, kept = b'"netmapSeq":' + sys.argv[3].encode() + b",", []
for line in s.makefile("rb", 1 << 20):
    kept.append(line)
    if len(kept) == 2:
        print("ready", flush=True)
    if last in line and b'"event":"status"' not in line[:100]:
        break
sys.stdout.buffer.write(b"".join(kept))
"""


class Keeper:
    def __init__(self, d, line, last):
        self.proc = subprocess.Popen([sys.executable, "-c", KEEPER, d.socket, line, str(last)], stdout=subprocess.PIPE)

    def ready(self):
        """It has the first status and the present map."""
        assert self.proc.stdout.readline() == b"ready\n"

    def events(self):
        """All of them, and how many bytes they were."""
        out, _ = self.proc.communicate(timeout=60 * SLOW)
        schema.Answer(schema.wanted("watch")).feed(out)
        return [json.loads(x) for x in out.splitlines()], len(out)

    def stop(self):
        self.proc.kill()
        self.proc.wait()


def memory(pid):
    """Private bytes: what it shares with daemons of other tests changes with them."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(x.split()[1]) * 1024 for x in f if x.startswith("Anonymous:"))


def pids(d):
    """The processes that stay; authd goes a while after a login."""
    return {"tailnetd": d.pid, "mapd": d.child("mapd")}


def start(make_daemon, server, peers, **conf):
    server.tailnet.raw_peers = b",".join(map(dumps, peers))
    d = make_daemon(server, auth_key=AUTH_KEY, log_level="info", **conf)
    d.wait_sync()
    assert d.status()["peers"] == len(peers)
    return d


def patches(order, online, port):
    """One message for each of the peers."""
    return [{"PeersChangedPatch": [{"NodeID": i, "Online": online, "Endpoints": ["192.0.2.1:%d" % port]}]}
            for i in order]


def encoded(m, messages):
    return b"".join(m.encoded(dumps(x)) for x in messages)


@pytest.mark.rows("STAT-04")
def test_a_burst_loses_nothing(server, make_daemon):
    """10,000 deltas at once: a watcher that reads gets each of them, in order; one that does not costs memory only up
    to its limit and gets `lagged`.  All that is sent while the reader exists fits into its queue (4 MiB): on a busy
    machine it may read late."""
    count, peers, swell = 10000, 1000, 200
    d = start(make_daemon, server, [{"ID": FIRST + i, "Name": "p%d." % i, "Key": "nodekey:%064x" % (i + 1)}
                                    for i in range(peers)])
    m, r = server.map(), random.Random(5)
    first = d.status()["netmapSeq"]
    before = {n: memory(p) for n, p in pids(d).items()}
    stuck = [d.connect(), d.connect()]
    for s, line in zip(stuck, (b"watch netmap\n", b"watch\n")):
        s.sendall(line)
    time.sleep(0.2)
    for i in range(swell):  # so that the one that does not read has lost something
        m.send({"PeersChanged": [{"ID": FIRST, "Name": "p0.", "CapMap": {"x": ["%050000d" % i]}}]})
    m.send({"PeersChanged": [{"ID": FIRST, "Name": "p0."}]})
    seq = first + swell + 1
    d.wait_netmap(lambda n: n["Seq"] == seq)
    sent = [{"NodeID": FIRST + r.randrange(peers), "Online": bool(r.getrandbits(1)), "DERPRegion": 1 + i}
            for i in range(count)]
    burst = encoded(m, [{"PeersChangedPatch": [x]} for x in sent])
    good = Keeper(d, "watch netmap", seq + count)
    try:
        good.ready()
        m.send_raw(burst)
        events, size = good.events()
        grown = {n: memory(p) - before[n] for n, p in pids(d).items()}
    finally:
        good.stop()
    assert size < 4 * MIB, "the test is not what it says"
    assert [e["event"] for e in events] == ["status", "netmap"] + ["delta"] * count
    assert [e["seq"] for e in events] == list(range(1, count + 3))
    for i, (e, x) in enumerate(zip(events[2:], sent)):
        assert e["netmapSeq"] == seq + 1 + i and e["changed"] == [str(x["NodeID"])] and not e["removed"], e
        assert (e["nodes"][0]["Online"], e["nodes"][0]["HomeDERP"]) == (x["Online"], x["DERPRegion"]), e
    if not SANITIZED:  # at most 4 MiB of queue for each of the watchers, and a map that is still being read
        assert grown["mapd"] < 12 * MIB and grown["tailnetd"] < 2 * MIB, grown
    # The one that did not read: what it got before, how much it missed, and then the present map.
    stuck[0].settimeout(20 * SLOW)
    got = []
    for line in stuck[0].makefile("rb"):
        got.append(json.loads(line))
        if got[-1]["event"] == "netmap" and len(got) > 2:
            break
    assert [e["seq"] for e in got] == list(range(1, len(got) + 1))
    kinds = [e["event"] for e in got]
    assert kinds[:2] == ["status", "netmap"] and kinds[-2:] == ["lagged", "netmap"], kinds
    assert set(kinds[2:-2]) <= {"delta"}, kinds
    assert [e["netmapSeq"] for e in got[2:-2]] == list(range(first + 1, first + len(got) - 3))
    assert got[-2]["dropped"] == swell + 1 + count - (len(got) - 4)
    assert got[-1]["netmapSeq"] == seq + count and got[-1]["netmap"] == d.netmap()
    expected, now = {x["NodeID"]: x for x in sent}, d.peers()
    assert all((now[i]["Online"], now[i]["HomeDERP"]) == (x["Online"], x["DERPRegion"]) for i, x in expected.items())
    # The plain one is the parent's; it misses nothing without a word, either.
    stuck[1].settimeout(20 * SLOW)
    at = first
    for line in stuck[1].makefile("rb"):
        e = json.loads(line)
        if e["event"] == "delta":
            assert at is not None and e["netmapSeq"] == at + 1, e
        if e["event"] in ("netmap", "delta"):
            at = e["netmapSeq"]
        elif e["event"] == "lagged":
            at = None
        if at == seq + count:
            break
    assert at == seq + count and d.process("mapd")["restarts"] == 0 and server.log.count("map") == 1
    for s in stuck:
        s.close()


def with_time(i):
    return {"ControlTime": "2026-01-02T%02d:%02d:%02d.5Z" % (i // 3600, i // 60 % 60, i % 60)}


# What else a delta may contain, each of which is a change for the parent.
NEWS = {
    "control-time": with_time,
    "keepalive": lambda i: dict(with_time(i), KeepAlive=True),
    "self": lambda i: {"Node": {"KeyExpiry": "2031-02-03T%02d:%02d:%02dZ" % (i // 3600, i // 60 % 60, i % 60)}},
    "browse": lambda i: {"PopBrowserURL": "https://login.example/%d" % i},
    "exit": lambda i: {"Debug": {"Exit": 3}},
    "dial-plan": lambda i: {"ControlDialPlan": {"Candidates": [{"IP": "127.0.0.%d" % (1 + i % 250)}] * 16}},
    "ping": lambda i: {"PingRequest": {"URL": "http://127.0.0.1:1/%d" % i}},
    "limit": lambda i: {"PeersChanged": [make_peer(50, HomeDERP=1 + i % 100,
                                                   Endpoints=["192.0.2.1:%d" % n for n in range(1, 70)])]},
}


@pytest.mark.rows("FLD-17", "KA-05", "DBG-04")
@pytest.mark.parametrize("name", NEWS)
def test_a_burst_of_news(server, make_daemon, name):
    """mapd is not killed for talking too much (security.md D7), however much the server makes it say; nor is the log
    filled."""
    count = 5000
    d = make_daemon(server, auth_key=AUTH_KEY, log_level="info")
    d.wait_sync()
    m, w = server.map(), d.watch()
    m.send({"PeersChanged": [make_peer(50)]})
    d.wait_netmap(lambda n: n["Peers"])
    node = server.node().json("example.test")
    burst = []
    for i in range(count):
        x = dict({"PeersChangedPatch": [{"NodeID": 50, "DERPRegion": 1 + i % 100}]}, **NEWS[name](i))
        if "Node" in x:
            x["Node"] = dict(node, **x["Node"])
        burst.append(m.encoded(dumps(x)))
    m.send_raw(b"".join(burst))
    m.send({"Domain": "behind.example"})
    until(lambda: w.all("child") or '"Domain":"behind.example"' in d.text("netmap"), 60 * SLOW, "the last message")
    assert not w.all("child") and d.process("mapd")["restarts"] == 0 and server.log.count("map") == 1, d.log(last=5)
    if name == "self":  # the newest is what counts
        d.wait(lambda s: s["expiry"] == NEWS[name](count - 1)["Node"]["KeyExpiry"])
    if name == "browse":
        until(lambda: len(w.all("browse")) >= 16,
              what="what mapd has told the parent, which tells us, may come after its own answer")
        urls = [e["url"] for e in w.all("browse")]
        assert urls[:16] == [NEWS[name](i)["PopBrowserURL"] for i in range(16)] and len(urls) < 50 * SLOW
    assert d.troubles() == (["server-limit"] if name == "limit" else [])
    assert len(d.log().splitlines()) < 500 * SLOW
    if name == "limit":
        d.ctl("logout")
        until(lambda: not d.troubles(), 5 * SLOW, "of a map that is no more")


def test_deltas_leave_nothing_behind(server, make_daemon):
    """50,000 of them over 10,000 peers: no memory (1 %) and no descriptor more than before them."""
    peers = 10000
    d = start(make_daemon, server, [make_peer(FIRST + i) for i in range(peers)])
    m, r = server.map(), random.Random(6)
    rounds = []
    for online in (False, True):
        order = list(range(FIRST, FIRST + peers))
        r.shuffle(order)
        rounds.append(encoded(m, patches(order, online, 1000 + online)))
    until(lambda: not d.process("authd")["pid"], 30 * SLOW, "authd gone")
    seq = d.status()["netmapSeq"]

    def run(n):
        nonlocal seq
        for _ in range(n):
            rounds.append(rounds.pop(0))
            m.send_raw(rounds[-1])
            seq += peers
            until(lambda: d.status()["netmapSeq"] >= seq, 60 * SLOW, "netmapSeq %d" % seq)
        return {n: memory(p) for n, p in pids(d).items()}

    before = run(2)
    files = {n: fds(p) for n, p in pids(d).items()}
    after = run(5)
    until(lambda: {n: fds(p) for n, p in pids(d).items()} == files, 5 * SLOW, "as many descriptors as before")
    if not SANITIZED:  # which keeps what was freed
        assert sum(after.values()) < 1.01 * sum(before.values()), (before, after)
    nm = d.netmap()
    assert nm["Seq"] == seq and len(nm["Peers"]) == peers and len({p["Online"] for p in nm["Peers"]}) == 1
    assert d.process("mapd")["restarts"] == 0 and server.log.count("map") == 1
