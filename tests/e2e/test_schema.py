# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""docs/schema: it is valid, it refuses what is wrong, it describes exactly what exists, and every answer is held
against it."""
import copy
import json
import os
import socket
import threading

import jsonschema
import pytest
import schema
from controlserver import Server, make_peer
from harness import AUTH_KEY, CtlError, ControlSocket, Ctl, Daemon, Watch, until

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.xdist_group("schema")]

# Properties that one short session does not show, and the test whose answers have them.
RARE = {"events.json#/$defs/lagged/properties/" + p: "test_status.py::test_a_slow_watcher"
        for p in ("v", "seq", "time", "event", "dropped")}
# No longer part of the server's Node: it must never be shown.
NEVER = {"wire.json#/$defs/Node/properties/DERP"}


def resolve(where, ref):
    """(file name, pointer, schema) of a $ref in that file."""
    name, _, pointer = ref.partition("#")
    name = name or where
    s = schema.SCHEMAS[name[:-len(".json")]]
    for part in pointer.split("/")[1:]:
        s = s[part]
    return name, "#" + pointer, s


def parts(where, pointer, s):
    """All schemas that apply to the same value as s: (file, pointer, schema)."""
    if not isinstance(s, dict):
        return
    yield where, pointer, s
    if "$ref" in s:
        yield from parts(*resolve(where, s["$ref"]))
    for key in ("anyOf", "allOf", "oneOf"):
        for i, x in enumerate(s.get(key, [])):
            yield from parts(where, "%s/%s/%d" % (pointer, key, i), x)
    for key in ("if", "then", "else"):
        if key in s:
            yield from parts(where, "%s/%s" % (pointer, key), s[key])


def applicable(where, pointer, s, value):
    """Of those, the ones that the value fits."""
    for w, p, x in parts(where, pointer, s):
        v = schema.VALIDATORS[w[:-len(".json")]]
        if v.evolve(schema=x).is_valid(value):
            yield w, p, x


def children(where, pointer, s, value):
    """Yields (key or index, file, pointer, schema) of each part of the value, by each schema that describes it."""
    for w, p, x in applicable(where, pointer, s, value):
        if isinstance(value, dict):
            for k in value:
                if k in x.get("properties", {}):
                    yield k, w, "%s/properties/%s" % (p, k), x["properties"][k]
                elif isinstance(x.get("additionalProperties"), dict):
                    yield k, w, p + "/additionalProperties", x["additionalProperties"]
        elif isinstance(value, list):
            first = x.get("prefixItems", [])
            for i in range(len(value)):
                if i < len(first):
                    yield i, w, "%s/prefixItems/%d" % (p, i), first[i]
                elif isinstance(x.get("items"), dict):
                    yield i, w, p + "/items", x["items"]


def seen(where, pointer, s, value):
    """The pointers of the properties that the value shows."""
    for k, w, p, x in children(where, pointer, s, value):
        if "/properties/" in p and p.rsplit("/", 2)[1] == "properties":
            yield w + p
        yield from seen(w, p, x, value[k])


def declared(where, pointer, s):
    """The pointers of all properties of a file; without those of conditions, which are a repetition."""
    if isinstance(s, list):
        for i, x in enumerate(s):
            yield from declared(where, "%s/%d" % (pointer, i), x)
    if not isinstance(s, dict):
        return
    for k, x in s.items():
        if k in ("if", "then", "else", "oneOf", "prefixItems") or k == "const":
            continue
        if k == "properties":
            for name, y in x.items():
                yield "%s%s/properties/%s" % (where, pointer, name)
                yield from declared(where, "%s/properties/%s" % (pointer, name), y)
        else:
            yield from declared(where, pointer + "/" + k, x)


TEXTS = [("nodekey:", "nodekey:" + "5" * 64), ("discokey:", "discokey:" + "5" * 64), ("mkey:", "mkey:" + "5" * 64),
         (":[0-9]{1,5}", "192.0.2.1:41641"), ("T[0-2]", "2027-01-02T03:04:05Z"), ("/[0-9]", "100.64.0.9/32")]


def example(where, s):
    """A value with every property that the schema knows, as a server would send it."""
    if "$ref" in s:
        w, _, x = resolve(where, s["$ref"])
        return example(w, x)
    if "anyOf" in s:
        return example(where, s["anyOf"][0])
    kind = s.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        out = {k: example(where, x) for k, x in s.get("properties", {}).items() if x is not False}
        if isinstance(s.get("additionalProperties"), dict):
            out["1"] = example(where, s["additionalProperties"])
        return out
    if kind == "array":
        return [example(where, s["items"])] if isinstance(s["items"], dict) else [7]
    if "contentEncoding" in s:
        return "c2ln"
    if kind == "string":
        return next((text for mark, text in TEXTS if mark in s.get("pattern", "")), "100.64.0.9")
    return {"boolean": True, "integer": 1, "number": 1.5}[kind]


def wire(name):
    return example("wire.json", schema.SCHEMAS["wire"]["$defs"][name])


def everything(server):
    """A message with every object of wire.json, whole."""
    node, other = wire("Node"), wire("Node")
    node.update(server.node().json("example.test"), User=1, Expired=False, MachineAuthorized=False)
    other.update(ID=9, StableID="n9", Name="nine.example.test.")
    rule = wire("FilterRule")
    good = {"SrcIPs": ["*"], "DstPorts": [{"IP": "*", "Ports": {"First": 1, "Last": 2}}], "CapGrant": rule["CapGrant"]}
    dns = wire("DNSConfig")
    return {"Node": node, "Peers": [other], "DNSConfig": dns, "DERPMap": wire("DERPMap"), "PacketFilter": [good],
            "UserProfiles": [wire("UserProfile")], "SSHPolicy": wire("SSHPolicy"), "TKAInfo": wire("TKAInfo"),
            "DisplayMessages": {"m": wire("DisplayMessage")}, "ClientVersion": wire("ClientVersion"),
            "Domain": "all.example", "Health": ["ill"], "ControlTime": "2027-01-02T03:04:05Z", "CollectServices": True,
            "DefaultAutoUpdate": True,
            "DomainDataPlaneAuditLogID": "audit"}, rule


@pytest.fixture(scope="module")
def said(programs):
    """{schema: answers of a daemon}, of a session that shows as much as possible."""
    server = Server()
    server.tailnet.add_auth_key(AUTH_KEY, reusable=True)
    out = {}

    def keep(name, *values):
        out.setdefault(name, []).extend(values)
    d = Daemon(server.url)
    try:
        watches = d.watch(), d.watch(netmap=True)
        d.ctl("login interactive ephemeral")
        keep("status", d.wait_state("url-visit-required"))
        keep("processes", d.ctl("processes"))
        keep("ok", d.ctl("login auth-key=" + AUTH_KEY), d.ctl('set hostinfo {"DeviceModel":"x"}'))
        d.wait_sync()
        whole, rule = everything(server)
        server.map().send(whole)
        d.wait_netmap(lambda n: n["Domain"] == "all.example", 10, what=d.log(last=5))
        keep("netmap", d.netmap())
        keep("status", until(lambda: d.status() if d.status()["health"] else None, what="machine-not-approved"))
        # 9 is the unsigned one, because of which no rule counts.
        server.map().send({"PeersChanged": [make_peer(5)], "PeersRemoved": [9]})
        keep("netmap", d.wait_netmap(lambda n: [p["ID"] for p in n["Peers"]] == [5]))
        server.map().send({"PacketFilters": {"old": [rule]}})
        d.wait_netmap(lambda n: len(n["PacketFilterRules"]) == 2)
        keep("netmap", d.netmap())
        keep("node", d.ctl("peer 5"))
        keep("server-key", d.ctl("server-key"))
        keep("doctor", *d.ask("doctor"))
        keep("end", json.loads(d.text("doctor").splitlines()[-1]))
        with pytest.raises(CtlError) as e:
            d.ctl("peer nobody")
        keep("errors", {"error": {"code": e.value.code, "message": e.value.message}})
        for w in watches:
            w.wait(lambda e: e["event"] == "delta")
        d.kill("mapd")
        watches[0].wait(lambda e: e["event"] == "child")
        keep("status", d.status())
        for w in watches:
            keep("events", *({k: v for k, v in e.items() if k != "_t"} for e in w.all()))
    finally:
        d.cleanup()
        server.stop()
    return out


@pytest.mark.parametrize("name", sorted(schema.SCHEMAS))
def test_each_schema_is_valid(name):
    s = schema.SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(s)
    assert s["$id"].rsplit("/", 1)[1] == name + ".json" and s["title"]

    def refs(x):
        if isinstance(x, dict):
            yield from [x["$ref"]] if isinstance(x.get("$ref"), str) else []
            for y in x.values():
                yield from refs(y)
        elif isinstance(x, list):
            for y in x:
                yield from refs(y)
    for r in refs(s):
        assert resolve(name + ".json", r)[2], r
    # Each required property is described.
    def required(x):
        if isinstance(x, dict):
            assert "properties" not in x or set(x.get("required", [])) <= set(x["properties"]), x
            for y in x.values():
                required(y)
        elif isinstance(x, list):
            for y in x:
                required(y)
    required(s)


def test_every_property_is_shown(said):
    """What no answer has, or no longer has, is no part of the schema."""
    shown = set()
    for name, values in said.items():
        for v in values:
            assert schema.complaint(name, v) is None
            shown.update(seen(name + ".json", "#", schema.SCHEMAS[name], v))
    known = {p for name, s in schema.SCHEMAS.items() for p in declared(name + ".json", "#", s)}
    assert set(RARE) | NEVER <= known and not shown & (set(RARE) | NEVER)
    assert sorted(known - shown - set(RARE) - NEVER) == []


def wrong(where, pointer, s, value):
    """Yields (what is wrong, the value made wrong) for everything in it that the schema fixes."""
    objects = [x for _, _, x in applicable(where, pointer, s, value)]
    if isinstance(value, dict):
        if any(x.get("additionalProperties") is False for x in objects):
            yield "extra member", dict(value, extra=1)
        for k in {k for x in objects for k in x.get("required", [])}:
            yield "no %s" % k, {m: v for m, v in value.items() if m != k}
    done = set()
    for k, w, p, x in children(where, pointer, s, value):
        typed = any(set(y) & {"type", "enum", "const", "properties"} for _, _, y in parts(w, p, x))
        if typed and k not in done:
            done.add(k)
            bad = copy.copy(value)
            bad[k] = "wrong" if value[k] is None or isinstance(value[k], (dict, list)) else {"wrong": "type"}
            yield "wrong type of %s" % k, bad
        for what, inner in wrong(w, p, x, value[k]):
            bad = copy.copy(value)
            bad[k] = inner
            yield "%s/%s" % (k, what), bad


@pytest.mark.parametrize("name", sorted(set(schema.SCHEMAS) - {"common", "wire"}))
def test_what_is_wrong_is_refused(said, name):
    """An extra member, one that is missing and one of another type, wherever it is."""
    v, done, last = schema.VALIDATORS[name], set(), None
    for value in said[name]:
        kind = value.get("event") if isinstance(value, dict) else None
        if name == "events" and kind == last:
            continue
        last = kind
        for what, bad in wrong(name + ".json", "#", schema.SCHEMAS[name], value):
            if (kind, what) not in done:
                done.add((kind, what))
                assert not v.is_valid(bad), what
    kinds = {what.split("/")[-1].split()[0] for _, what in done}
    assert kinds >= ({"no", "wrong"} if name == "node" else {"extra", "no", "wrong"})


WRONG = {"status": ('{"v":2}', "status"), "netmap": ('{"v":1}', "netmap"), "peers": ('{"ID":"1"}', "node"),
         "peer 1": ("[]", "node"), "watch": ('{"v":1,"seq":1,"event":"odd"}', "events"),
         "processes": ("[]", "processes"),
         "login": ('{"ok":false}', "ok"), "server-key": ("{}", "server-key"), "doctor": ('{"name":"TCP"}', "doctor"),
         "peers limit=1": ('{"end":{"count":"1"}}', "end"),
         "nonsense": ('{"ok":true}', "errors"), "hosts": ('{"error":{"code":"odd","message":"x"}}', "errors"),
         "pause": ('{"ok":true', "ok")}


class Liar:
    """A control socket that gives one answer to everything."""

    def __init__(self, path, text):
        self.socket, self.text = path, text.encode() + b"\n"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            with c:
                c.recv(4096)
                c.sendall(self.text)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()


# tailnetctl asks the socket the same, and login as an event stream.
WAYS = [(c, w) for c in sorted(WRONG) for w in ("socket", "file")] + [("watch", "watch")] + \
    [(c, "tailnetctl") for c in ("status", "netmap", "peers", "peer 1", "processes", "server-key", "doctor", "pause")]


@pytest.mark.parametrize("command,way", WAYS)
def test_no_answer_gets_past(tmp_path, command, way):
    """Whichever way the test reads it, the harness has it judged."""
    text, name = WRONG[command]
    liar = Liar(os.path.join(str(tmp_path), "s"), text)
    try:
        assert schema.verdict() == []
        if way == "watch":
            w = Watch(liar.socket)
            until(lambda: w.closed)
            w.close()
        elif way == "tailnetctl":
            Ctl(liar, "-j", *command.split()).communicate(timeout=10)
        else:
            with ControlSocket(liar.socket, 10) as s:
                s.sendall(command.encode() + b"\n")
                if way == "file":
                    assert s.makefile("rb").read() == text.encode() + b"\n"
                else:
                    until(lambda: not s.recv(3))
        bad = schema.verdict()
        assert len(bad) == 1 and bad[0].startswith(name + ".json: "), bad
    finally:
        liar.close()


def test_nothing_is_kept_for_nobody(monkeypatch):
    """Bench and demo use the harness without a verdict."""
    monkeypatch.setattr(schema, "recording", False)
    a = schema.Answer("status")
    a.feed(b'{"v":2}\n{"v":3}\n')
    assert a.line is None and schema.verdict() == []


def test_a_half_line_before_an_error_is_no_fault():
    """The daemon says itself that it is incomplete (interface.md 3)."""
    a = schema.Answer("netmap")
    a.feed(b'{"v":1,"Se')
    a.feed(b'q":1\n{"error":{"code":"timeout","message":"incomplete: too slow"}}\n')
    assert schema.verdict() == []
    b = schema.Answer("netmap")
    b.feed(b'{"v":1,"Seq":1\n{"error":{"code":"timeout","message":"too slow"}}\n')
    assert len(schema.verdict()) == 1


def test_long_lists_are_sampled_and_the_rest_is_not():
    """However many peers there are, what is not a peer is judged whole."""
    peers = [make_peer(i) for i in range(5000)]
    assert len(schema.sample("netmap", {"Peers": peers, "x": 1})["Peers"]) <= schema.SAMPLE
    assert schema.sample("netmap", {"Peers": peers, "x": 1})["x"] == 1
    event = {"event": "netmap", "netmap": {"Peers": peers}, "y": 2}
    few = schema.sample("events", event)
    assert few["y"] == 2 and len(few["netmap"]["Peers"]) <= schema.SAMPLE
    few = peers[:schema.SAMPLE]
    assert schema.thin(few) == few and schema.thin(peers)[0] == peers[0] and schema.thin(peers)[-1] == peers[-1]
