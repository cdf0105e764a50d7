# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The map stream and full responses (behaviours.md 13)."""
import json
import struct
import time

import pytest
from controlserver import HOLD, Reply, big_peers, key_of, make_peer, mapframes
from harness import AUTH_KEY, SLOW, CtlError, peak, rss, stays, until

pytestmark = pytest.mark.usefixtures("programs")


@pytest.mark.rows("MAP-01", "LITE-05")
def test_map_request(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, endpoints=["192.0.2.7:41641", "[2001:db8::7]:41641"])
    s = d.wait_sync()
    j = server.log.all("map")[0].json
    assert j["Stream"] is True and j["KeepAlive"] is True and j["Compress"] == "zstd"
    assert not j.get("ReadOnly") and not j.get("OmitPeers")
    assert j["NodeKey"] == s["nodeKey"] and j["DiscoKey"] == s["discoKey"] and s["discoKey"].startswith("discokey:")
    assert j["Hostinfo"]["Hostname"] and j["Hostinfo"]["OS"]
    lite = server.log.wait("lite").json
    assert not lite.get("Stream") and lite["OmitPeers"] is True and not lite.get("ReadOnly")
    for m in (j, lite):
        assert sorted(m["Endpoints"]) == ["192.0.2.7:41641", "[2001:db8::7]:41641"]
        assert m["EndpointTypes"] == [5, 5]
        assert m["Hostinfo"] == j["Hostinfo"] and m["DiscoKey"] == j["DiscoKey"]


@pytest.mark.rows("MAP-02")
@pytest.mark.parametrize("enc", ["zstd", "zstd_no_size", "zstd_streaming", "zstd_several", "zstd_skippable"])
@pytest.mark.parametrize("cut", [0, 1, 777])
def test_encodings(server, make_daemon, enc, cut):
    server.encode = getattr(mapframes, enc)
    server.faults.data = cut
    for i in range(3, 9):
        server.tailnet.add_peer(i)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync(timeout=60)
    m = server.map()
    m.send_raw(m.encoded(b'{"Domain":"a.example"}') + m.encoded(b'{"KeepAlive":true}') +
               m.encoded(b'{"Domain":"b.example"}'))
    nm = d.wait_netmap(lambda n: n["Domain"] == "b.example")
    assert [p["ID"] for p in nm["Peers"]] == list(range(3, 9))
    assert d.status()["mapStreams"] == 1


@pytest.mark.rows("MAP-02")
def test_large_window(server, daemon):
    m = server.map()
    m.encode = lambda data: mapframes.zstd_window(data, 25)
    m.send({"Domain": "w.example"})
    daemon.wait_netmap(lambda n: n["Domain"] == "w.example")
    m.encode = lambda data: mapframes.zstd_window(data, 27)
    m.send({"Domain": "too.wide.example"})
    server.map(after=m)
    assert daemon.wait_sync()["mapStreams"] == 2


@pytest.mark.rows("MAP-02")
def test_bad_checksum(server, daemon):
    m = server.map()
    m.encode = lambda data: mapframes.zstd(data)[:-1] + bytes([mapframes.zstd(data)[-1] ^ 1])
    m.send({"Domain": "bad.example"})
    server.map(after=m)
    daemon.wait_sync()
    assert daemon.netmap()["Domain"] == "example.test"


@pytest.mark.rows("MAP-03")
def test_first_message_needs_node(server, daemon):
    m = server.map()
    server.auto_full = False
    m.end()
    n = server.map(after=m)
    n.keepalive()
    n.send({"PeersRemoved": [1], "Domain": "no.node.example"})
    s = daemon.wait(lambda s: "node" in s["err"].lower(), what="an error that speaks of the Node")
    assert s["errSource"] == "map" and not s["synced"]
    k = server.map(after=n)
    k.keepalive()
    k.send(server.tailnet.full_bytes(server.node()))
    assert daemon.wait_sync()["err"] == ""
    assert daemon.netmap()["Domain"] == "example.test"
    assert server.map() is k


FULL = {
    "DNSConfig": {"Resolvers": [{"Addr": "192.0.2.53"}],
                  "Routes": {"corp.example.": [{"Addr": "192.0.2.9"}], "null.example.": []},
                  "Domains": ["example.test"], "Proxied": True,
                  "ExtraRecords": [{"Name": "a.", "Type": "A", "Value": "1.2.3.4"}]},
    "PacketFilters": {"b": [{"SrcIPs": ["100.64.0.1"], "DstPorts": [{"IP": "*", "Ports": {"First": 22, "Last": 22}}]}],
                      "a": [{"SrcIPs": ["*"], "DstPorts": [{"IP": "100.64.0.2", "Ports": {"First": 1, "Last": 2}}]}]},
    "UserProfiles": [{"ID": 10, "LoginName": "alice@example.test", "DisplayName": "Alice"},
                     {"ID": 11, "LoginName": "bob@example.test", "DisplayName": "Bob"},
                     {"ID": 12, "LoginName": "carol@example.test", "DisplayName": "Carol"}],
    "SSHPolicy": {"rules": [{"principals": [{"any": True}], "action": {"accept": True}, "sshUsers": {"*": "="}}]},
    "Health": ["something is wrong"], "Domain": "full.example", "CollectServices": True,
    "DisplayMessages": {"m1": {"Title": "T", "Text": "X", "Severity": "high"}},
    "DomainDataPlaneAuditLogID": "abc123",
}


@pytest.mark.rows("MAP-04")
def test_full_response(server, make_daemon):
    server.tailnet.extra = FULL
    for i in (900, 5, 77, 1 << 40):
        server.tailnet.add_peer(i, User=11 if i == 77 else 10)
    server.tailnet.full = lambda node, full=server.tailnet.full: dict(
        full(node), Peers=list(reversed(full(node)["Peers"])))
    d = make_daemon(server, auth_key=AUTH_KEY, login="manual")
    w = d.watch()
    d.ctl("login")
    s = d.wait_sync()
    nm = d.netmap()
    want = {p["ID"]: p for p in server.tailnet.peers}
    assert [p["ID"] for p in nm["Peers"]] == [5, 77, 900, 1 << 40]
    for p in nm["Peers"]:
        assert without_zero(p) == without_zero(want[p["ID"]])
    assert nm["SelfNode"]["Key"] == s["nodeKey"] == nm["NodeKey"] and nm["MachineKey"] == s["machineKey"]
    assert nm["DNS"] == FULL["DNSConfig"] and nm["DERPMap"] == server.tailnet.derp
    assert nm["PacketFilterRules"] == FULL["PacketFilters"]["a"] + FULL["PacketFilters"]["b"]
    assert {k: v["LoginName"] for k, v in nm["UserProfiles"].items()} == {
        "10": "alice@example.test", "11": "bob@example.test"}
    assert nm["SSHPolicy"] == FULL["SSHPolicy"] and nm["Domain"] == "full.example" and nm["Health"] == FULL["Health"]
    assert nm["DisplayMessages"] == FULL["DisplayMessages"] and nm["CollectServices"] is True
    assert nm["DomainAuditLogID"] == "abc123" and nm["Source"] == "live" and nm["v"] == 1 and nm["Seq"] >= 1
    assert nm["Expiry"] == "" and nm["TKAInfo"] is None
    e = w.wait(lambda e: e["event"] == "netmap")
    assert len(w.all("netmap")) == 1
    assert e["full"] is True and e["peers"] == 4 and e["netmapSeq"] == nm["Seq"]


def without_zero(node):
    return {k: v for k, v in node.items() if not (k == "KeyExpiry" and v.startswith("0001"))}


@pytest.mark.rows("MAP-05")
def test_later_peer_lists(server, daemon):
    m = server.map()

    def ids(after):
        m.send(dict(after, Domain="d%d.example" % ids.n))
        ids.n += 1
        nm = daemon.wait_netmap(lambda n: n["Domain"] == "d%d.example" % (ids.n - 1))
        return [p["ID"] for p in nm["Peers"]]
    ids.n = 0
    assert ids({"Peers": [make_peer(i) for i in (8, 6, 7)]}) == [6, 7, 8]
    assert ids({"Peers": []}) == [6, 7, 8]
    assert ids({"Peers": None}) == [6, 7, 8]
    assert ids({}) == [6, 7, 8]
    assert ids({"Peers": [make_peer(i) for i in (7, 9)]}) == [7, 9]
    with pytest.raises(CtlError):
        daemon.ask("peer 6")


@pytest.mark.rows("MAP-06", "STAT-02")
def test_a_new_stream_starts_from_nothing(server, make_daemon):
    server.tailnet.extra = FULL
    server.tailnet.add_peer(5)
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    m = server.map()
    server.auto_full = False
    m.end()
    n = server.map(after=m)
    s = d.wait(lambda s: not s["synced"])
    assert s["netmapSource"] == "stale" and s["state"] == "state:authenticated"
    old = d.netmap()
    assert old["Source"] == "stale" and [p["ID"] for p in old["Peers"]] == [5] and old["Domain"] == "full.example"
    n.keepalive()
    stays(lambda: not d.status()["synced"], 0.3)
    n.send({"Node": server.node().json("example.test"), "Peers": [make_peer(6)]})
    s = d.wait_sync()
    nm = d.netmap()
    assert [p["ID"] for p in nm["Peers"]] == [6] and nm["Source"] == "live" and nm["Seq"] > old["Seq"]
    assert nm["DERPMap"] is None and nm["SSHPolicy"] is None and nm["CollectServices"] is None
    assert not nm["DNS"] and not nm["PacketFilterRules"] and not nm["Health"] and not nm["DisplayMessages"]
    assert not nm["UserProfiles"] and nm["Domain"] == "" and nm["DomainAuditLogID"] == ""


@pytest.mark.rows("MAP-07")
def test_large_ids(server, make_daemon):
    ids = [(1 << 53) + 1, (1 << 53) + 3, (1 << 63) - 1, 9007199254740993 + 10]
    uid = (1 << 62) + 1
    for i in ids:
        server.tailnet.add_peer(i, User=uid)
    server.tailnet.extra = {"UserProfiles": [{"ID": uid, "LoginName": "big@example.test"}]}
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    text = d.text("netmap")
    for i in ids:
        assert '"ID":%d' % i in text.replace(" ", "")
    assert '"%d"' % uid in text
    m = server.map()
    m.send('{"OnlineChange":{"%d":false},"PeersRemoved":[%d],'
           '"PeersChangedPatch":[{"NodeID":%d,"DERPRegion":9}],"Domain":"x."}'
           % (ids[0], ids[1], ids[2]))
    nm = d.wait_netmap(lambda n: n["Domain"] == "x.")
    got = {p["ID"]: p for p in nm["Peers"]}
    assert sorted(got) == sorted([ids[0], ids[2], ids[3]])
    assert got[ids[0]]["Online"] is False and got[ids[2]]["HomeDERP"] == 9 and got[ids[3]]["Online"] is True
    assert d.ctl("peer %d" % ids[2])["ID"] == ids[2]


@pytest.mark.rows("MAP-07")
def test_negative_ids(server, daemon):
    m = server.map()
    m.send({"PeersChanged": [make_peer(-5)], "Domain": "neg."})
    nm = daemon.wait_netmap(lambda n: n["Domain"] == "neg.")
    assert [p["ID"] for p in nm["Peers"]] == [-5]
    m.send({"PeersRemoved": [-5], "Domain": "gone."})
    assert daemon.wait_netmap(lambda n: n["Domain"] == "gone.")["Peers"] == []


@pytest.mark.rows("MAP-08")
def test_ten_thousand_peers(server, make_daemon):
    server.tailnet.raw_peers = big_peers(10000)
    want = json.loads(b"[" + server.tailnet.raw_peers + b"]")
    d = make_daemon(server, auth_key=AUTH_KEY)
    t = time.monotonic()
    s = d.wait_sync(timeout=60)
    assert time.monotonic() - t < 20 * SLOW
    assert s["peers"] == 10000
    nm = d.netmap()
    assert [p["ID"] for p in nm["Peers"]] == [p["ID"] for p in want]
    for i in (0, 4999, 9999):
        assert nm["Peers"][i] == want[i]
    assert len(d.ask("peers")) == 10000
    assert [p["ID"] for p in d.ask("peers limit=3 after=5000")] == [5001, 5002, 5003]
    assert rss(d.pid) < 16 << 20 or SLOW > 1, "netmap bytes in the parent"
    assert peak(d.child("mapd")) < 120 << 20 or SLOW > 1


def bad_frames(server):
    big = mapframes.zstd(b'{"Domain":"' + b"x" * (3 << 20) + b'"}')
    return {
        "length-0": struct.pack("<I", 0),
        "length-4G": struct.pack("<I", 0xFFFFFFFF) + b"x" * 1000,
        "length-above-cap": struct.pack("<I", (1 << 20) + 1) + b"x" * 5000,
        "decoded-above-cap": mapframes.frame(big),
        "bomb": mapframes.frame(mapframes.bomb(256 << 20)),
        "bomb-zero": mapframes.frame(mapframes.bomb(64 << 20, b"\0")),
        "not-zstd": mapframes.frame(b'{"Domain":"plain"}'),
        "cut-frame": mapframes.frame(mapframes.zstd(b'{"Domain":"cut"}')[:-8]),
        "trailing": mapframes.frame(mapframes.zstd(b'{"Domain":"x"}') + b"garbage"),
        "two-values": mapframes.frame(mapframes.zstd(b'{"Domain":"x"}{}')),
        "empty-json": mapframes.frame(mapframes.zstd(b"")),
        "array": mapframes.frame(mapframes.zstd(b"[]")),
    }


@pytest.mark.rows("MAP-09", "ERR-03")
@pytest.mark.parametrize("name", sorted(bad_frames(None)))
def test_bad_frames(server, make_daemon, name):
    d = make_daemon(server, auth_key=AUTH_KEY, max_map_wire="1M", max_map_decoded="2M")
    d.wait_sync()
    m = server.map()
    mapd = d.child("mapd")
    before = rss(mapd)
    w = d.watch()
    m.send_raw(bad_frames(server)[name])
    s = w.status(lambda s: not s["synced"] and s["err"])
    assert s["errSource"] == "map" and s["loggedIn"]
    server.map(after=m)
    d.wait_sync()
    assert d.child("mapd") == mapd
    assert peak(mapd) < before + (24 << 20) or SLOW > 1
    assert d.netmap()["Domain"] == "example.test"


@pytest.mark.rows("MAP-09")
def test_budget_is_per_message(server, make_daemon):
    d = make_daemon(server, auth_key=AUTH_KEY, max_map_wire="1M", max_map_decoded="2M")
    d.wait_sync()
    m = server.map()
    m.encode = lambda data: mapframes.zstd_window(data, 20)
    for i in range(20):
        m.send({"Domain": "n%d." % i, "Unknown": "u" * 700000})
    d.wait_netmap(lambda n: n["Domain"] == "n19.")
    assert server.map() is m


@pytest.mark.rows("MAP-10")
def test_two_machines_with_one_key(server, make_daemon):
    """The client that loses its stream connects again with growing pauses; no tight loop."""
    a = make_daemon(server, auth_key=AUTH_KEY)
    a.wait_sync()
    a.stop()
    b = make_daemon(server, start=False, auth_key=AUTH_KEY)
    import shutil
    shutil.copytree(a.state_dir, b.state_dir)
    a.start()
    a.wait_sync()
    mark = server.log.mark()
    b.start()
    time.sleep(10)
    assert 2 <= server.log.count("map-open", since=mark) <= 30
    assert len([m for m in server.sessions if m.node_key == a.status()["nodeKey"]]) <= 1


def test_map_is_refused(server, make_daemon):
    """ERR-02: the status and the text, still logged in."""
    server.on_map = lambda req: Reply(418, b"teapot " + b"x" * 3000)
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_err("418", "teapot")
    assert s["errSource"] == "map" and s["loggedIn"] and s["err"].count("x") <= 200
    assert s["state"] == "state:authenticated"
    server.on_map = None
    assert d.wait_sync()["err"] == ""


test_map_is_refused = pytest.mark.rows("ERR-02")(test_map_is_refused)


@pytest.mark.rows("ERR-01")
@pytest.mark.parametrize("how", ["empty", "cut"])
def test_stream_without_a_message(server, make_daemon, how):
    server.on_map = lambda req: Reply(200, b"" if how == "empty" else b"\x10\0\0\0abc")
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_err("eof")
    assert s["errSource"] == "map"
    time.sleep(2)
    assert server.log.count("map") < 20
    server.on_map = None
    d.wait_sync()


def test_held_map(server, make_daemon):
    server.on_map = lambda req: HOLD
    d = make_daemon(server, auth_key=AUTH_KEY)
    server.log.wait("map")
    s = d.wait_state("authenticated")
    assert s["loggedIn"] and not s["synced"]
    with pytest.raises(CtlError) as e:
        d.netmap()
    assert e.value.code == "no-netmap"
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5


def test_key_lookup(server, daemon):
    m = server.map()
    m.send({"Peers": [make_peer(5), make_peer(6)], "Domain": "k."})
    daemon.wait_netmap(lambda n: n["Domain"] == "k.")
    for name in ("5", "peer5", "peer5.example.test", "peer5.example.test.", "100.100.0.5", "fd7a:115c:a1e0:1::5",
                 key_of("nodekey", 5)):
        assert daemon.ctl("peer " + name)["ID"] == 5, name


def limit(d):
    return [h["text"] for h in d.status()["health"] if h["code"] == "server-limit"]


def test_items_over_a_limit(server, daemon):
    """security.md D15: members over a limit are left out, logged once, and only while that lasts."""
    m = server.map()
    p = make_peer(50, Endpoints=["192.0.2.%d:%d" % (i % 200 + 1, 1000 + i) for i in range(100)])
    m.send({"PeersChanged": [p]})
    until(lambda: daemon.status()["peers"] == 1, 10)
    assert daemon.ctl("peer 50")["Endpoints"] == p["Endpoints"][:64], "the first 64 stay"
    until(lambda: limit(daemon), 5)
    assert "endpoints" in limit(daemon)[0] and daemon.status()["synced"]
    for i in range(20):
        m.send({"PeersChanged": [dict(p, HomeDERP=i + 1)]})
    daemon.wait_netmap(lambda n: n["Peers"][0]["HomeDERP"] == 20)
    assert daemon.log().count("a limit was passed") == 1
    m.end()  # the next stream keeps to the limits
    server.map(after=m)
    daemon.wait_sync()
    until(lambda: not limit(daemon), 5)


@pytest.mark.parametrize("what", ["deep", "string", "frame", "decoded"])
def test_messages_over_a_limit(server, make_daemon, what):
    """Refused as a whole, with the netmap as it was; the server only sees a new stream."""
    d = make_daemon(server, auth_key=AUTH_KEY, max_map_wire="1M", max_map_decoded="4M")
    d.wait_sync()
    m = server.map()
    m.send({"Domain": "before."})
    d.wait_netmap(lambda n: n["Domain"] == "before.")
    server.on_map = lambda req: HOLD
    if what == "deep":
        m.send('{"Domain":"after.","X":' + "[" * 40 + "]" * 40 + "}")
    elif what == "string":
        m.send('{"Domain":"' + "x" * ((1 << 20) + 1) + '"}')
    elif what == "frame":
        m.send_raw(struct.pack("<I", (1 << 20) + 1))
    else:
        m.send('{"Domain":"after.","X":[' + "1234567," * 600000 + "1]}")
    until(lambda: limit(d), 10)
    s = d.wait_err("map")
    assert s["errSource"] == "map" and d.netmap()["Domain"] == "before." and d.netmap()["Source"] == "stale"
    server.on_map = None
    d.ctl("reconnect")
    d.wait_sync()
    until(lambda: not limit(d), 5)


@pytest.mark.rows("FLD-15", "MAP-09")
def test_a_text_of_a_megabyte(server, daemon):
    """However well it compresses."""
    big = "x" * (1 << 20)
    m = server.map()
    for i, over in enumerate(({"Name": big[1:] + "."}, {"Hostinfo": {"Hostname": big}}, {"CapMap": {big: None}}), 5):
        m.send({"PeersChanged": [make_peer(i, **over)]})
        daemon.wait_netmap(lambda n, over=over: n["Peers"] and
                           all(n["Peers"][-1].get(k, 0) == v for k, v in over.items()))
    m.send({"Domain": big})
    assert len(daemon.wait_netmap(lambda n: n["Domain"] != "example.test")["Domain"]) == 1 << 20
    assert daemon.status()["mapStreams"] == 1 and set(daemon.peers()) == {5, 6, 7}


@pytest.mark.rows("FLD-15")
def test_odd_texts_of_our_own_node(server, make_daemon):
    """Texts of our own node and user are sent to the parent, which accepts no control characters: they are escaped
    before that, and no process ends by them.  The netmap has them unchanged."""
    odd, written = "a\x1b[31mb\u009bc\x7fd\u202ee\0f\ng", "a\\x1b[31mb\\u{009b}c\\x7fd\\u{202e}e\\x00f\\x0ag"
    server.tailnet.default_user.login = server.tailnet.default_user.display = odd
    d = make_daemon(server, auth_key=AUTH_KEY)
    s = d.wait_sync()
    server.map().send({"Node": dict(server.node().json(server.tailnet.domain), Name=odd, StableID=odd)})
    nm = d.wait_netmap(lambda n: n["SelfNode"]["Name"] == odd)
    assert nm["SelfNode"]["StableID"] == odd and nm["UserProfiles"][str(nm["SelfNode"]["User"])]["LoginName"] == odd
    s = d.wait(lambda s: s["self"]["Name"] == written)
    assert s["self"]["StableID"] == written and s["user"]["LoginName"] == s["user"]["DisplayName"] == written
    assert s["synced"] and d.process("mapd")["restarts"] == 0
    assert server.log.count("map") == 1
    for what in ("status", "peers", "netmap", "hosts"):
        shown = d.tailnetctl(what).stdout
        assert not [c for c in shown if ord(c) < 32 and c not in "\n\t" or 0x7f <= ord(c) < 0xa0], shown
