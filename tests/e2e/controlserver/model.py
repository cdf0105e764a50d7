# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A small tailnet in memory: users, auth keys, nodes and what is sent to each node about the others."""
import datetime
import itertools
import secrets

from . import mapframes

ZERO_TIME = "0001-01-01T00:00:00Z"
UTC = datetime.timezone.utc


def now():
    return datetime.datetime.now(UTC)


def stamp(t):
    """RFC 3339 of a datetime, of seconds from now, or of None (never)."""
    if t is None:
        return ZERO_TIME
    if isinstance(t, (int, float)):
        t = now() + datetime.timedelta(seconds=t)
    return t.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(s):
    if not s or s.startswith("0001-01-01T00:00:00"):
        return None
    s = s.replace("Z", "+00:00")
    if "." in s:  # datetime wants no more than 6 digits
        head, rest = s.split(".", 1)
        digits = len(rest) - len(rest.lstrip("0123456789"))
        s = head + "." + rest[:min(digits, 6)].ljust(6, "0") + rest[digits:]
    return datetime.datetime.fromisoformat(s)


class User:
    def __init__(self, uid, login, display):
        self.id, self.login, self.display = uid, login, display

    def profile(self):
        return {"ID": self.id, "LoginName": self.login, "DisplayName": self.display}


class AuthKey:
    def __init__(self, key, user, reusable=False, ephemeral=False, expired=False, tags=()):
        self.key, self.user, self.reusable, self.ephemeral = key, user, reusable, ephemeral
        self.expired, self.tags, self.used = expired, list(tags), 0

    def refuse(self):
        if self.expired:
            return "authkey expired"
        if self.used and not self.reusable:
            return "authkey already used"
        return ""


class Node:
    def __init__(self, nid, machine, key, user):
        self.id, self.machine, self.key, self.user = nid, machine, key, user
        self.expiry = None
        self.ephemeral = False
        self.authorized = True
        self.tags = []
        self.hostinfo = {}
        self.endpoints = []
        self.disco = ""
        self.online = False
        self.extra = {}  # members laid over the JSON

    @property
    def ip4(self):
        return "100.64.%d.%d" % (self.id >> 8 & 255, self.id & 255)

    @property
    def ip6(self):
        return "fd7a:115c:a1e0::%x" % (self.id & 0xFFFF)

    def expired(self):
        return self.expiry is not None and self.expiry <= now()

    def json(self, domain, capver=131):
        addrs = [self.ip4 + "/32", self.ip6 + "/128"]
        out = {
            "ID": self.id, "StableID": "n%d" % self.id,
            "Name": "%s.%s." % (self.hostinfo.get("Hostname") or "node%d" % self.id, domain),
            "User": self.user.id, "Key": self.key, "KeyExpiry": stamp(self.expiry), "Machine": self.machine,
            "Addresses": addrs, "AllowedIPs": addrs, "Endpoints": self.endpoints or [],
            "HomeDERP": 1, "Hostinfo": {k: v for k, v in self.hostinfo.items() if k in ("OS", "Hostname", "Services")},
            "Created": "2026-01-02T03:04:05Z", "Cap": capver, "Online": self.online,
            "MachineAuthorized": self.authorized,
        }
        if self.disco:
            out["DiscoKey"] = self.disco
        if self.tags:
            out["Tags"] = self.tags
        if self.expired():
            out["Expired"] = True
        out.update(self.extra)
        return out


class Pending:
    """An interactive login that waits for its user.  done: None, a User, or another URL to go to."""

    def __init__(self, url, machine, key, old, ephemeral):
        self.url, self.machine, self.key, self.old, self.ephemeral = url, machine, key, old, ephemeral
        self.done = None


DERP_MAP = {
    "Regions": {
        "1": {"RegionID": 1, "RegionCode": "r1", "RegionName": "Region 1", "Nodes": [
            {"Name": "1a", "RegionID": 1, "HostName": "derp1.example.test", "IPv4": "192.0.2.1"}]},
        "2": {"RegionID": 2, "RegionCode": "r2", "RegionName": "Region 2", "Nodes": [
            {"Name": "2a", "RegionID": 2, "HostName": "derp2.example.test", "IPv4": "192.0.2.2"}]},
    }
}
ALLOW_ALL = [{"SrcIPs": ["*"], "DstPorts": [{"IP": "*", "Ports": {"First": 0, "Last": 65535}}]}]


class Tailnet:
    def __init__(self, domain="example.test"):
        self.domain = domain
        self.users, self.keys, self.nodes, self.pending = {}, {}, {}, {}
        self.ids = itertools.count(1)
        self.peers = []  # further peers, as dicts
        self.raw_peers = b""  # further peers, encoded (mapframes.big_peers)
        self.filters = {"base": ALLOW_ALL}
        self.dns = {"Resolvers": [{"Addr": "192.0.2.53"}], "Routes": {"corp.example.test": [{"Addr": "192.0.2.54"}]},
                    "Domains": [domain], "Proxied": True}
        self.derp = DERP_MAP
        self.extra = {}  # members laid over every full map response
        self.machine_auth = False  # new nodes want approval
        self.key_life = None  # seconds a new node key lives
        self.url_base = "https://login.example.test/a/"
        self.default_user = self.add_user("alice@example.test", "Alice Example")

    def add_user(self, login, display=""):
        uid = 10 + len(self.users)
        u = self.users[uid] = User(uid, login, display or login)
        return u

    def add_auth_key(self, key=None, **how):
        key = key or "tskey-auth-" + secrets.token_hex(12)
        k = self.keys[key] = AuthKey(key, how.pop("user", self.default_user), **how)
        return k

    def add_peer(self, i, **over):
        """A made-up peer as a dict, kept in the tailnet."""
        p = make_peer(i, self.domain, self.default_user.id, **over)
        self.peers.append(p)
        return p

    def by_key(self, key):
        return next((n for n in self.nodes.values() if n.key == key), None)

    def by_machine(self, machine, user):
        return next((n for n in self.nodes.values() if n.machine == machine and n.user is user), None)

    # -- register: returns (answer, pending); with pending the caller waits until it is done
    def register(self, machine, req):
        key, auth = req.get("NodeKey", ""), req.get("Auth") or {}
        node = self.by_key(key)
        if node and node.machine != machine:
            return {"Error": "node key belongs to another machine"}, None
        expiry = parse_time(req.get("Expiry"))
        if expiry is not None and expiry <= now():
            return self._logout(node), None
        if req.get("Followup"):
            p = self.pending.get(req["Followup"])
            if p is None or p.machine != machine:
                return self._ask(machine, key, req), None
            p.key = key
            return None, p
        if node and not node.expired():
            return self.answer(node), None
        if auth.get("AuthKey"):
            return self._by_auth_key(machine, key, req, auth["AuthKey"]), None
        if node:
            return {"NodeKeyExpired": True}, None
        return self._ask(machine, key, req), None

    def _logout(self, node):
        if node is None:
            return {"Error": "node not found"}
        if node.ephemeral:
            del self.nodes[node.id]
            return {"NodeKeyExpired": True}
        node.expiry = now() - datetime.timedelta(seconds=1)
        return {"NodeKeyExpired": True, "User": node.user.profile()}

    def _by_auth_key(self, machine, key, req, text):
        k = self.keys.get(text)
        if k is None:
            return {"Error": "authkey not found"}
        why = k.refuse()
        if why:
            return {"Error": why}
        k.used += 1
        node = self.place(machine, key, k.user, req.get("Ephemeral", False) or k.ephemeral)
        node.tags = node.tags or k.tags
        return self.answer(node)

    def _ask(self, machine, key, req):
        url = self.url_base + secrets.token_hex(8)
        self.pending[url] = Pending(url, machine, key, req.get("OldNodeKey", ""), req.get("Ephemeral", False))
        return {"AuthURL": url}

    def finish(self, p):
        """The user of a pending login is known now."""
        if isinstance(p.done, str):
            q = self.pending[p.done] = Pending(p.done, p.machine, p.key, p.old, p.ephemeral)
            return {"AuthURL": q.url}
        self.pending.pop(p.url, None)
        return self.answer(self.place(p.machine, p.key, p.done, p.ephemeral))

    def place(self, machine, key, user, ephemeral=False):
        """The machine's node of that user, with its new key; a new node if there is none."""
        node = self.by_machine(machine, user)
        if node is None:
            nid = next(self.ids)
            node = self.nodes[nid] = Node(nid, machine, key, user)
            node.authorized = not self.machine_auth
        node.key, node.ephemeral = key, ephemeral
        if not node.tags:  # headscale: tagged nodes keep their expiry
            node.expiry = now() + datetime.timedelta(seconds=self.key_life) if self.key_life else None
        return node

    def answer(self, node):
        u = node.user
        return {"User": {"ID": u.id, "DisplayName": u.display, "Created": "2026-01-01T00:00:00Z"},
                "Login": {"ID": u.id, "Provider": "test", "LoginName": u.login, "DisplayName": u.display},
                "NodeKeyExpired": bool(node.tags) and node.expired(), "MachineAuthorized": node.authorized}

    # -- map
    def others(self, node):
        return [n.json(self.domain) for n in self.nodes.values() if n is not node and not n.expired()]

    def full(self, node):
        """The first message of a stream, as a dict; raw_peers left out."""
        out = {
            "Node": node.json(self.domain), "Peers": sorted(self.others(node) + self.peers, key=lambda p: p["ID"]),
            "DNSConfig": self.dns, "DERPMap": self.derp, "Domain": self.domain, "PacketFilters": self.filters,
            "UserProfiles": [u.profile() for u in self.users.values()], "CollectServices": False,
            "ControlTime": stamp(now()), "Debug": {"DisableLogTail": True}}
        out.update(self.extra)
        return out

    def full_bytes(self, node):
        m = self.full(node)
        if not self.raw_peers:
            return mapframes.dumps(m)
        peers = m.pop("Peers", [])
        head = mapframes.dumps(peers)[1:-1]
        return b'{"Peers":[' + (head + b"," if head else b"") + self.raw_peers + b"]," + mapframes.dumps(m)[1:]


def key_of(kind, i, salt=0):
    """A key text that is different for every i."""
    return "%s:%016x%048x" % (kind, 0xA000 + salt, i & (1 << 192) - 1)


def make_peer(i, domain="example.test", user=10, **over):
    low = i & 0xFFFF
    addrs = ["100.100.%d.%d/32" % (low >> 8, low & 255), "fd7a:115c:a1e0:1::%x/128" % low]
    p = {
        "ID": i, "StableID": "s%d" % i, "Name": "peer%d.%s." % (i, domain), "User": user,
        "Key": key_of("nodekey", i), "KeyExpiry": ZERO_TIME, "Machine": key_of("mkey", i),
        "DiscoKey": key_of("discokey", i), "Addresses": addrs, "AllowedIPs": list(addrs),
        "Endpoints": ["192.0.2.%d:41641" % (low & 255)], "HomeDERP": 1,
        "Hostinfo": {"OS": "linux", "Hostname": "peer%d" % i}, "Created": "2026-01-02T03:04:05Z", "Cap": 131,
        "Online": True, "LastSeen": "2026-09-01T00:00:00Z", "MachineAuthorized": True,
    }
    p.update(over)
    return {k: v for k, v in p.items() if v is not ...}
