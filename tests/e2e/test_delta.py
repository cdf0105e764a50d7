# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Deltas, one case per kind (behaviours.md 14): what the netmap shows after each, peers compared whole."""
import contextlib
import datetime
import itertools
import json

import pytest
from controlserver import ZERO_TIME, Server, key_of, make_peer
from controlserver.model import parse_time
from harness import AUTH_KEY, CtlError, Daemon, until

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.xdist_group("delta")]
REMOVED = ...


class Rig:
    """One daemon and one stream for all cases; every case begins with a fresh peer list."""

    def __init__(self):
        self.server = Server()
        self.server.tailnet.add_auth_key(AUTH_KEY)
        self.daemon = Daemon(self.server.url, auth_key=AUTH_KEY)
        self.daemon.wait_sync()
        self.stream = self.server.map()
        self.count = itertools.count()

    def close(self):
        try:
            self.daemon.cleanup()
        finally:
            self.server.stop()

    def settle(self):
        """Everything sent up to now is in the netmap."""
        mark = "mark%d.example" % next(self.count)
        self.stream.send({"Domain": mark})
        return self.daemon.wait_netmap(lambda n: n["Domain"] == mark, what=self.daemon.log(last=30))

    def begin(self, peers):
        self.stream.send({"Peers": peers})
        nm = self.settle()
        assert norm(nm["Peers"]) == norm(peers)
        return nm

    def after(self, *messages):
        for m in messages:
            self.stream.send(m)
        return self.settle()


@pytest.fixture(scope="module")
def rig(programs):
    r = Rig()
    yield r
    r.close()


def norm(peers):
    """Sorted, and with one form for 'never'."""
    out = []
    for p in sorted(peers, key=lambda p: p["ID"]):
        p = {k: v for k, v in p.items() if not (k == "KeyExpiry" and parse_time(v) is None)}
        for k in ("LastSeen", "KeyExpiry"):
            if p.get(k) is not None:
                p[k] = parse_time(p[k]).timestamp()
        out.append(p)
    return out


BASE = [make_peer(i) for i in (5, 7, 9)]


def but(i, **change):
    """BASE with that peer's members changed; REMOVED removes one."""
    out = []
    for p in BASE:
        if p["ID"] == i:
            p = {k: v for k, v in dict(p, **change).items() if v is not REMOVED}
        out.append(p)
    return out


def without(*ids):
    return [p for p in BASE if p["ID"] not in ids]


def patch(i, **p):
    return {"PeersChangedPatch": [dict(p, NodeID=i)]}


NEW_KEY, NEW_DISCO = key_of("nodekey", 7, 99), key_of("discokey", 7, 99)
CAPS = {"cap1": [1, {"x": "y"}], "cap2": None, "https://example.com/cap": []}
WITH_CAPS = [dict(p, CapMap={"old": [p["ID"]]}) for p in BASE]


def caps_but(i, caps):
    return [dict(p, CapMap=caps) if p["ID"] == i else p for p in WITH_CAPS]


# name: (rows, base, messages, peers afterwards)
CASES = {
    "add": ("DEL-01", BASE, [{"PeersChanged": [make_peer(6)]}], BASE + [make_peer(6)]),
    "add-several-unsorted": ("DEL-01", BASE, [{"PeersChanged": [make_peer(4), make_peer(8)]},
                                              {"PeersChanged": [make_peer(1)]}],
                             BASE + [make_peer(4), make_peer(8), make_peer(1)]),
    "replace": ("DEL-01", BASE, [{"PeersChanged": [make_peer(7, Name="new.example.", HomeDERP=4, Unknown={"a": 1})]}],
                but(7, Name="new.example.", HomeDERP=4, Unknown={"a": 1})),
    "replace-to-empty": ("DEL-01", [dict(p, Tags=["tag:a"], KeySignature="c2ln", CapMap={"x": None}) for p in BASE],
                         [{"PeersChanged": [make_peer(7, Endpoints=..., HomeDERP=..., Online=..., LastSeen=..., Cap=...,
                                                      Hostinfo=...)]}],
                         [p if p["ID"] == 7 else dict(p, Tags=["tag:a"], KeySignature="c2ln", CapMap={"x": None})
                          for p in
                          but(7, Endpoints=REMOVED, HomeDERP=REMOVED, Online=REMOVED, LastSeen=REMOVED, Cap=REMOVED,
                              Hostinfo=REMOVED)]),
    "replace-key": ("DEL-01", BASE, [{"PeersChanged": [make_peer(7, Key=NEW_KEY)]}], but(7, Key=NEW_KEY)),
    "allowed-ips": ("DEL-15", BASE, [{"PeersChanged": [make_peer(
        7, AllowedIPs=BASE[1]["Addresses"] + ["10.1.0.0/16"], PrimaryRoutes=["10.1.0.0/16"])]}],
        but(7, AllowedIPs=BASE[1]["Addresses"] + ["10.1.0.0/16"], PrimaryRoutes=["10.1.0.0/16"])),
    "remove": ("DEL-02", BASE, [{"PeersRemoved": [7]}], without(7)),
    "remove-unknown": ("DEL-02", BASE, [{"PeersRemoved": [8, 9, 1000]}], without(9)),
    "remove-and-add": ("DEL-02", BASE, [{"PeersRemoved": [5],
                                         "PeersChanged": [make_peer(6), make_peer(9, HomeDERP=3)]}],
                       [make_peer(6)] + [p for p in but(9, HomeDERP=3) if p["ID"] != 5]),
    "remove-all": ("DEL-02", BASE, [{"PeersRemoved": [5, 7, 9]}], []),
    "full-wins": ("DEL-03", BASE, [{"Peers": [make_peer(7), make_peer(8)], "PeersRemoved": [7],
                                    "PeersChanged": [make_peer(6)],
                                   "OnlineChange": {"8": False}, "PeerSeenChange": {"7": False},
                                   "PeersChangedPatch": [{"NodeID": 8, "DERPRegion": 9}]}],
                  [make_peer(7), make_peer(8)]),
    "nothing": ("DEL-04", BASE, [{}, {"Seq": 5}, {"PeersChanged": [], "PeersRemoved": None, "OnlineChange": {}}], BASE),
    "offline": ("DEL-05", BASE, [{"OnlineChange": {"7": False, "77": True}}], but(7, Online=False)),
    "on-again": ("DEL-05", BASE, [{"OnlineChange": {"7": False, "5": False}}, {"OnlineChange": {"7": True}}],
                 but(5, Online=False)),
    "online-unknown-before": ("DEL-05", [make_peer(5, Online=...)], [{"OnlineChange": {"5": True}}],
                              [make_peer(5, Online=True)]),
    "seen-cleared": ("DEL-06", BASE, [{"PeerSeenChange": {"7": False, "8": False}}], but(7, LastSeen=REMOVED)),
    "derp": ("DEL-07", BASE, [patch(7, DERPRegion=12)], but(7, HomeDERP=12)),
    "derp-0": ("DEL-07", BASE, [patch(7, DERPRegion=0)], BASE),
    "endpoints": ("DEL-08", BASE, [patch(7, Endpoints=["198.51.100.1:1", "[2001:db8::1]:2"])],
                  but(7, Endpoints=["198.51.100.1:1", "[2001:db8::1]:2"])),
    "endpoints-and-derp": ("DEL-08", BASE, [patch(7, Endpoints=["198.51.100.1:1"], DERPRegion=3)],
                           but(7, Endpoints=["198.51.100.1:1"], HomeDERP=3)),
    "endpoints-null": ("DEL-08", BASE, [patch(7, Endpoints=None)], BASE),
    "key": ("DEL-09", BASE, [patch(7, Key=NEW_KEY)], but(7, Key=NEW_KEY)),
    "signature": ("DEL-10", BASE, [patch(7, KeySignature="c2lnbmF0dXJl")], but(7, KeySignature="c2lnbmF0dXJl")),
    "disco": ("DEL-10", BASE, [patch(7, DiscoKey=NEW_DISCO)], but(7, DiscoKey=NEW_DISCO)),
    "online": ("DEL-10", BASE, [patch(7, Online=False)], but(7, Online=False)),
    "last-seen": ("DEL-10", BASE, [patch(7, LastSeen="2026-10-01T01:02:03Z")], but(7, LastSeen="2026-10-01T01:02:03Z")),
    "expiry": ("DEL-11", BASE, [patch(7, KeyExpiry="2099-01-02T03:04:05Z")], but(7, KeyExpiry="2099-01-02T03:04:05Z")),
    "expiry-zero": ("DEL-11", [make_peer(7, KeyExpiry="2099-01-02T03:04:05Z")], [patch(7, KeyExpiry=ZERO_TIME)],
                    [make_peer(7)]),
    "cap": ("DEL-11", BASE, [patch(7, Cap=140)], but(7, Cap=140)),
    "cap-0": ("DEL-11", BASE, [patch(7, Cap=0)], BASE),
    "capmap": ("DEL-12", WITH_CAPS, [patch(7, CapMap=CAPS)], caps_but(7, CAPS)),
    "capmap-absent": ("DEL-12", WITH_CAPS, [patch(7, DERPRegion=1), patch(7, CapMap=None)], WITH_CAPS),
    "capmap-twice": ("DEL-12", WITH_CAPS, [patch(7, CapMap=CAPS), patch(5, CapMap={"z": [0]}), patch(9, CapMap=CAPS)],
                     [dict(p, CapMap=c) for p, c in zip(WITH_CAPS, ({"z": [0]}, CAPS, CAPS))]),
    "patch-unknown": ("DEL-13", BASE, [patch(8, Key=NEW_KEY, DERPRegion=5)], BASE),
    "patches-in-order": ("DEL-13", BASE, [{"PeersChangedPatch": [
        {"NodeID": 7, "DERPRegion": 5, "Online": False}, {"NodeID": 9, "DERPRegion": 8},
        {"NodeID": 7, "DERPRegion": 6}]}],
        [dict(p, HomeDERP={7: 6, 9: 8}.get(p["ID"], 1), Online=p["ID"] != 7) for p in BASE]),
    "order-removed-changed": ("DEL-14", BASE, [{"PeersChanged": [make_peer(7, HomeDERP=5)], "PeersRemoved": [7]}],
                              but(7, HomeDERP=5)),
    "order-changed-online": ("DEL-14", BASE, [{"OnlineChange": {"7": False},
                                               "PeersChanged": [make_peer(7, Online=True)]}],
                             but(7, Online=False)),
    "order-online-patch": ("DEL-14", BASE, [{"PeersChangedPatch": [{"NodeID": 7, "Online": True}],
                                             "OnlineChange": {"7": False}}],
                           BASE),
    "order-seen-patch": ("DEL-14", BASE, [{"PeersChangedPatch": [{"NodeID": 7, "LastSeen": "2026-10-01T01:02:03Z"}],
                                          "PeerSeenChange": {"7": False}}], but(7, LastSeen="2026-10-01T01:02:03Z")),
    "order-mixed": ("DEL-14", BASE, [{
        "PeersChangedPatch": [{"NodeID": 6, "DERPRegion": 4}, {"NodeID": 5, "DERPRegion": 4}],
        "OnlineChange": {"6": False, "9": False},
        "PeersChanged": [make_peer(6), make_peer(9, HomeDERP=2)], "PeersRemoved": [5, 7]}],
        [make_peer(6, HomeDERP=4, Online=False), make_peer(9, HomeDERP=2, Online=False)]),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.rows(*c[0].split())) for n, c in CASES.items()])
def test_delta(rig, name):
    _, base, messages, want = CASES[name]
    rig.begin(base)
    got = rig.after(*messages)["Peers"]
    assert [p["ID"] for p in got] == sorted(p["ID"] for p in want)
    assert norm(got) == norm(want)
    until(lambda: rig.daemon.status()["peers"] == len(want), 10, "the count in the status")


@pytest.mark.rows("DEL-08")
def test_endpoints_to_none(rig):
    rig.begin(BASE)
    got = {p["ID"]: p for p in rig.after(patch(7, Endpoints=[]))["Peers"]}
    assert not got[7].get("Endpoints") and got[5]["Endpoints"] == BASE[0]["Endpoints"]


@pytest.mark.rows("DEL-12")
def test_capmap_to_none(rig):
    rig.begin(WITH_CAPS)
    got = {p["ID"]: p for p in rig.after(patch(7, CapMap={}))["Peers"]}
    assert not got[7].get("CapMap") and got[5]["CapMap"] == {"old": [5]} and got[9]["CapMap"] == {"old": [9]}


@pytest.mark.rows("DEL-06")
def test_seen_now(rig):
    rig.begin(BASE)
    got = {p["ID"]: p for p in rig.after({"PeerSeenChange": {"7": True}})["Peers"]}
    age = datetime.datetime.now(datetime.timezone.utc) - parse_time(got[7]["LastSeen"])
    assert abs(age.total_seconds()) < 30
    assert norm([got[5], got[9]]) == norm(without(7))


@pytest.mark.rows("DEL-09")
def test_lookups_follow_the_key(rig):
    rig.begin(BASE)
    old = BASE[1]["Key"]
    assert rig.daemon.ctl("peer " + old)["ID"] == 7
    rig.after(patch(7, Key=NEW_KEY))
    assert rig.daemon.ctl("peer " + NEW_KEY)["ID"] == 7
    with pytest.raises(CtlError):
        rig.daemon.ctl("peer " + old)
    rig.after({"PeersRemoved": [7]})
    for what in (NEW_KEY, "7", "100.100.0.7", "peer7.example.test"):
        with pytest.raises(CtlError):
            rig.daemon.ctl("peer " + what)


@pytest.mark.rows("DEL-01", "DEL-15")
def test_lookups_follow_the_addresses(rig):
    rig.begin(BASE)
    rig.after({"PeersChanged": [make_peer(7, Addresses=["100.77.0.1/32"], AllowedIPs=["100.77.0.1/32"],
                                          Name="moved.example.")]})
    assert rig.daemon.ctl("peer 100.77.0.1")["ID"] == 7
    assert rig.daemon.ctl("peer moved.example")["ID"] == 7
    with pytest.raises(CtlError):
        rig.daemon.ctl("peer 100.100.0.7")


@pytest.mark.rows("DEL-04", "KA-01", "STAT-03")
def test_no_event_without_a_change(rig):
    rig.begin(BASE)
    same = {"Node": rig.server.node().json("example.test")}
    nm = rig.after(same)
    w = rig.daemon.watch()
    mark = w.mark()
    rig.stream.send({})
    rig.stream.keepalive()
    rig.stream.send({"PeersRemoved": [1234]})
    rig.stream.send(same)
    end = rig.settle()
    w.wait(lambda e: e.get("netmapSeq") == end["Seq"])
    events = [e for e in w.all(since=mark) if e["event"] in ("netmap", "delta")]
    assert end["Seq"] == nm["Seq"] + 1 and len(events) == 1


def test_delta_events(rig):
    """interface.md 6: what changed and what went."""
    rig.begin(BASE)
    with contextlib.closing(rig.daemon.watch(netmap=True)) as w:
        full = w.wait(lambda e: e["event"] == "netmap")
        assert [p["ID"] for p in full["netmap"]["Peers"]] == [5, 7, 9]
        rig.stream.send({"PeersChanged": [make_peer(6)], "PeersRemoved": [5], "DNSConfig": {"Proxied": True}})
        e = w.wait(lambda e: e["event"] == "delta")
        assert e["changed"] == ["6"] and e["removed"] == ["5"] and e["fields"] == ["DNS"]
        assert e["netmapSeq"] == full["netmapSeq"] + 1
        assert norm(e["nodes"]) == norm([make_peer(6)])
        seqs = [x["seq"] for x in w.all()]
        assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.rows("DEL-12")
def test_stored_caps_are_their_own(rig):
    """A value kept from one message is not disturbed by the next ones."""
    rig.begin(WITH_CAPS)
    caps = [{"c%d" % i: [i, "x" * 500]} for i in range(20)]
    for c in caps:
        rig.stream.send(patch(7, CapMap=c))
        rig.stream.send(patch(5, CapMap={"other": ["y" * 5000]}))
    got = {p["ID"]: p for p in rig.settle()["Peers"]}
    assert got[7]["CapMap"] == caps[-1] and got[5]["CapMap"] == {"other": ["y" * 5000]}
    assert got[9]["CapMap"] == {"old": [9]}


@pytest.mark.rows("DEL-01", "DEL-02", "DEL-05")
def test_thousands_of_deltas(rig):
    """A random walk against a model."""
    import random
    r = random.Random(7)
    model = {p["ID"]: dict(p) for p in BASE}
    rig.begin(BASE)
    for _ in range(1500):
        i = r.randrange(1, 60)
        what = r.randrange(5)
        if what == 0:
            p = make_peer(i, HomeDERP=r.randrange(1, 9), Tags=["tag:t%d" % r.randrange(4)])
            model[i] = p
            rig.stream.send({"PeersChanged": [p]})
        elif what == 1:
            model.pop(i, None)
            rig.stream.send({"PeersRemoved": [i]})
        elif what == 2:
            on = r.random() < 0.5
            if i in model:
                model[i] = dict(model[i], Online=on)
            rig.stream.send({"OnlineChange": {str(i): on}})
        elif what == 3:
            if i in model:
                model[i] = dict(model[i], HomeDERP=11)
            rig.stream.send(patch(i, DERPRegion=11))
        else:
            ep = ["192.0.2.%d:%d" % (i, r.randrange(1, 65535))]
            if i in model:
                model[i] = dict(model[i], Endpoints=ep)
            rig.stream.send(patch(i, Endpoints=ep))
    assert norm(rig.settle()["Peers"]) == norm(model.values())
    assert rig.server.map() is rig.stream
    assert json.loads(rig.daemon.text("status"))["mapStreams"] == 1
