# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Readers that take their time (interface.md 3, 5 to 7): what each is given is one moment's map and whole, or it says
that it is not."""
import json
import os
import signal
import subprocess

import pytest
from controlserver import big_peers, make_peer
from harness import AUTH_KEY, BIN, SLOW, Ctl, until

COUNT = 6000
COMMANDS = ("netmap", "peers", "wgconf", "hosts", "watch netmap")
pytestmark = pytest.mark.usefixtures("programs")


@pytest.fixture
def big(server, make_daemon):
    server.tailnet.raw_peers = big_peers(COUNT)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    assert d.status()["peers"] == COUNT
    return d


@pytest.fixture
def heavy(server, big):
    """A map of which no more than the last one is kept for readers."""
    server.tailnet.raw_peers = big_peers(COUNT).replace(b'"funnel":[]', b'"funnel":["' + b"x" * 3000 + b'"]')
    renew(server, big, big.status()["netmapSeq"])
    return big


def begin(d, line):
    """A reader that has read only the beginning of its answer."""
    s = d.connect()
    s.sendall(line.encode() + b"\n")
    return s, s.recv(20000)


def rest(s):
    s.settimeout(30 * SLOW)
    parts = []
    while True:
        p = s.recv(1 << 20)
        if not p:
            s.close()
            return b"".join(parts)
        parts.append(p)


def renew(server, d, seq):
    """A whole new map on a new stream."""
    m = server.map()
    m.end()
    server.map(after=m)
    return d.wait(lambda s: s["synced"] and s["netmapSeq"] > seq)["netmapSeq"]


def test_a_slow_reader_sees_one_map(server, big):
    """Also while deltas and one whole new map come."""
    before = {c: big.text(c).encode() for c in COMMANDS if c != "watch netmap"}
    seq = big.status()["netmapSeq"]
    readers = {c: begin(big, c) for c in before}
    m = server.map()
    for i in range(200):
        m.send({"OnlineChange": {str(1001 + i): False}, "PeersRemoved": [1500 + i],
                "PeersChanged": [make_peer(50 + i)]})
    until(lambda: big.status()["netmapSeq"] >= seq + 200)
    renew(server, big, seq + 200)
    for c, (s, head) in readers.items():
        assert head + rest(s) == before[c], c


def test_a_slow_watcher_is_told_what_it_missed(server, big):
    """Changes after a whole map that is still to be sent are in that map, and it gets their number
    (interface.md 6)."""
    s, head = begin(big, "watch netmap")
    seq = renew(server, big, big.status()["netmapSeq"])
    m = server.map()
    for i in range(34):
        m.send({"Domain": "d%d.example" % i})
    until(lambda: big.status()["netmapSeq"] == seq + 34)
    s.settimeout(30 * SLOW)
    got, text = [], s.makefile("rb")
    while sum(e["event"] == "netmap" for e in got) < 2:
        line, head = head + text.readline(), b""
        got += [json.loads(x) for x in line.splitlines()]
    s.close()
    assert [e["seq"] for e in got] == list(range(1, len(got) + 1))
    kinds = [e["event"] for e in got if e["event"] != "status"]
    assert kinds == ["netmap", "lagged", "netmap"] and got[-2]["dropped"] == 34, kinds
    assert got[-1]["netmapSeq"] == seq + 34 and got[-1]["netmap"] == big.netmap()


@pytest.mark.rows("STAT-04")
def test_a_burst_of_whole_maps(server, big):
    """Neither a fast reader nor one that does not read is cut off by them: it has the map it began with, and a watcher
    the last one."""
    w, waiting = big.watch(netmap=True), {c: begin(big, c) for c in COMMANDS}
    m = server.map()
    for i in range(60):
        m.send({"Peers": [make_peer(k) for k in range(5, 800)], "Domain": "m%d.example" % i})
        if i % 10 == 0:
            assert len(big.netmap()["Peers"]) in (COUNT, 795)
    big.wait_netmap(lambda n: n["Domain"] == "m59.example")
    seq = big.netmap()["Seq"]
    assert w.wait(lambda e: e.get("netmapSeq") == seq)["netmap"]["Domain"] == "m59.example"
    s, head = waiting.pop("watch netmap")
    lines = s.makefile("rb")
    assert json.loads(head.split(b"\n", 1)[0])["event"] == "status"
    first = json.loads(head.split(b"\n", 1)[1] + lines.readline())
    assert first["event"] == "netmap" and len(first["netmap"]["Peers"]) == COUNT
    while True:
        e = json.loads(lines.readline())
        if e["event"] == "netmap" and e["netmapSeq"] == seq:
            break
    s.close()
    for c, (s, head) in waiting.items():
        text = head + rest(s)
        assert b'"error"' not in text[-200:] and text.count(b"host-") >= COUNT, c


def test_answers_that_cannot_be_finished_say_so(server, heavy):
    """Of the maps before the last one no more is kept than there is room for. A list that merely stopped would pass for
    the whole."""
    big, seq = heavy, heavy.status()["netmapSeq"]
    readers = {c: begin(big, c) for c in COMMANDS}
    for _ in range(2):
        seq = renew(server, big, seq)
    for c, (s, head) in readers.items():
        lines = (head + rest(s)).splitlines()
        e = json.loads(lines[-1])["error"]
        assert e["code"] == "timeout" and "incomplete" in e["message"], c
        if c == "peers":
            assert 0 < len([json.loads(x)["ID"] for x in lines[:-1]]) < COUNT
    assert len(big.ask("peers")) == COUNT


@pytest.mark.parametrize("args,how", [("-j peers", "replaced"), ("wgconf", "replaced"), ("-j wgconf", "replaced"),
                                      ("-j netmap", "replaced"), ("-j netmap", "killed")])
def test_what_is_cut_short_is_no_success(server, heavy, args, how):
    """tailnetctl, when what it reads ends early: by an error line, or in the middle of a line when mapd ends."""
    big, seq = heavy, heavy.status()["netmapSeq"]
    p = subprocess.Popen([BIN + "/tailnetctl", "-s", big.socket] + args.split(), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    assert os.read(p.stdout.fileno(), 1)  # and it cannot continue
    if how == "replaced":
        for _ in range(2):
            seq = renew(server, big, seq)
    else:
        big.kill("mapd")
        big.wait(lambda s: s["synced"] and s["netmapSeq"] > seq)
    p.communicate(timeout=30 * SLOW)
    assert p.returncode == (8 if how == "replaced" else 1)


def test_watch_netmap_comes_back(server, big):
    """mapd ends in the middle of a map: interface.md 6, last sentence. No event is glued to the half of another."""
    seq = big.status()["netmapSeq"]
    p = Ctl(big, "-j", "watch", "netmap", text=False)
    try:
        assert b'"event":"status"' in p.line()
        big.kill("mapd")
        big.wait(lambda s: s["synced"] and s["netmapSeq"] > seq)
        broken, events = 0, []
        for line in p.stdout:
            try:
                events.append(json.loads(line))
            except ValueError:
                broken += 1
                continue
            p.answer.feed(line)
            if events[-1]["event"] == "netmap":
                server.map().send({"Domain": "the-end.example"})
            if events[-1]["event"] == "delta":
                break
        assert broken == 1 and events[0]["event"] == "status"
        assert [e["event"] for e in events if e["event"] != "status"] == ["netmap",
            "delta"] and events[-1]["fields"] == ["Domain"]
        assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
        assert p.poll() is None
    finally:
        p.kill()
        _, err = p.communicate()
    assert b"connecting again" in err


def until_line(p, text):
    line = b""
    while text not in line:
        line = p.stdout.readline()
        assert line, "it has ended"


def test_watch_netmap_for_people_comes_back(server, big):
    """The same when the events are shown: then tailnetctl reads fast, and is stopped for us to be in the middle."""
    p = subprocess.Popen([BIN + "/tailnetctl", "-s", big.socket, "watch", "netmap"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    try:
        until_line(p, b"netmap")
        os.kill(p.pid, signal.SIGSTOP)
        seq = big.status()["netmapSeq"]
        server.map().send({"PeersChanged": [make_peer(i, CapMap={"x": ["y" * 3000]}) for i in range(5, 805)]})
        until(lambda: big.status()["netmapSeq"] > seq)
        big.kill("mapd")
        big.wait(lambda s: s["synced"] and s["netmapSeq"] > seq)
        os.kill(p.pid, signal.SIGCONT)
        until_line(p, b"netmap")
        assert p.poll() is None
    finally:
        p.kill()
        _, err = p.communicate()
    assert b"connecting again" in err
