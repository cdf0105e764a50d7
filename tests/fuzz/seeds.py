#!/usr/bin/python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""seeds.py OUT: writes seeds of the parent's fuzz targets to OUT/NAME/, made from the present messages (ipc/msgs.h).

Those in tests/fuzz/ROOM/seeds remain valid when the list changes; these would not.
"""

import os
import re
import struct
import sys

R = os.path.dirname(os.path.abspath(__file__)) + '/'
OUT = sys.argv[1] + '/'
for name in (
    'fuzz_dispatch',
    'fuzz_control',
    'fuzz_config',
    'fuzz_handshake',
    'fuzz_state',
    'fuzz_statefile',
    'fuzz_ipc',
):
    os.makedirs(OUT + name, exist_ok=True)
src = open(R + '../../ipc/msgs.h').read()
names = re.findall(r'\tX\((\w+),', src)
ready = names.index("READY")
T = {n: i - ready for i, n in enumerate(names) if i >= ready}
d = OUT + 'fuzz_dispatch/'


def op(kind, who, t=0, i=0, n=0, fill=b''):
    fill = fill or bytes((x % 250) + 1 for x in range(n))
    return bytes([kind * 3 + who, t if isinstance(t, int) else T[t], i, len(fill)]) + fill


CMD = [
    "login",
    "login interactive",
    "login authkey",
    "logout",
    "logout force",
    "pause",
    "unpause",
    "reconnect",
    "metrics",
    "netmap",
    "status",
    "processes",
    "accept",
    "sethost",
    "watch netmap",
    "wgconf private",
    "peers",
    "doctor",
    "peer x",
    "hosts",
    "watch",
]


def cmd(n, many=0):
    return op(0, 0, CMD.index(n), n=200 if many else 0)


def say(who, t, i=0, fill=b'\0'):
    return op(5, who, t, i, fill=fill)


A, M, D = 0, 1, 2
ok = b'\x01\0\0\0'
both = say(A, "READY") + say(M, "READY")
out = {}
out["ready"] = (
    b'\0'
    + both
    + say(A, "PONG")
    + say(M, "PONG")
    + say(A, "LOG", 2, b'\x02\0\0\0\x10hello there')
    + say(M, "NEED_CA", 2)
    + say(A, "READY")
)
login = both + cmd("login authkey") + say(A, "REG_RESULT", 0, b'\x01\0\0\0' * 8)
live = (
    login
    + say(M, "STREAM", 0, b'\x01\0\0\0')
    + say(M, "STREAM", 0, b'\x02\0\0\0')
    + say(M, "SELF", 0, b'\x02\0\0\0\x05')
    + say(M, "DELTAS", 0, b'\x03\0\0\0\0\0\0\0')
    + say(M, "STREAM", 0, b'\x03\0\0\0')
)
allq = b''.join(cmd(x) for x in CMD if x not in ("logout", "logout force", "login", "login interactive", "pause"))
out["live"] = (
    b'\0'
    + live
    + allq
    + say(M, "COUNTERS", 0, b'\x05')
    + say(M, "LITE", 0, ok)
    + say(M, "CONTROL_TIME", 0, b'\x10\0\0\0')
    + say(M, "BROWSE", 0, b'\x20\0abcdefgh')
    + say(M, "EXIT_WISH", 0, ok)
    + say(M, "DIAL_PLAN", 0, b'\x02\0\0\0')
    + say(M, "STREAM", 0, b'\x04\0\0\0')
)
for k in range(5, 8):
    for fill in (bytes(k), bytes([1] * k), bytes(range(k)), bytes([3, 0, 0, 0, 0] + [1] * (k - 5))):
        out["deltas%d-%d" % (k, fill[-1] * 10 + fill[0])] = (
            b'\0'
            + live
            + cmd("watch")
            + say(M, "DELTAS", 0, fill)
            + cmd("logout")
            + say(A, "REG_RESULT", 0, ok)
            + say(M, "DELTAS", 0, fill)
        )
out["flood"] = b'\0' + live + cmd("watch netmap", 1) + cmd("status")
out["flood2"] = b'\0' + live + cmd("netmap", 1)
out["deltas-dropped"] = b'\0' + live + cmd("logout force") + say(M, "DELTAS", 0, b'\x03\0\0\0\0\0\0\0')
out["url"] = (
    b'\0'
    + both
    + cmd("login interactive")
    + say(A, "REG_RESULT", 0, b'\x02\0\0\0' + b'\x14' * 8)
    + cmd("login")
    + say(A, "REG_RESULT", 0, b'\x01\0\0\0')
    + cmd("logout")
    + say(A, "REG_RESULT", 0, b'\x01\0\0\0')
)
out["followup"] = (
    b'\0'
    + both
    + cmd("login interactive")
    + say(A, "REG_RESULT", 0, bytes([2, 0, 0, 0]) + b'\x0f\0' * 20)
    + say(A, "REG_RESULT", 0, ok)
)
for k in range(10):
    out["reg%d" % k] = (
        b'\0'
        + both
        + cmd("login authkey")
        + say(A, "REG_RESULT", 0, bytes([k, 0, 0, 0]))
        + cmd("logout")
        + say(A, "REG_RESULT", 0, bytes([k, 0, 0, 0]))
    )
out["key"] = (
    b'\1'
    + both
    + cmd("login authkey")
    + say(A, "KEY_RESULT", 0, b'\x01\0\0\0\x10\0\0\0\0\0\0\0abcdefghijklmnopqrstuvwxyz012345')
    + say(A, "REG_RESULT", 0, b'\x01\0\0\0')
)
out["key-bad"] = b'\1' + both + cmd("login authkey") + say(A, "KEY_RESULT", 0, b'\0') + say(A, "HS_BEGIN", 3)
out["no-server-key"] = b'\1' + both + cmd("login authkey") + say(A, "HS_BEGIN", 3)
out["hs"] = (
    b'\0'
    + both
    + cmd("login authkey")
    + b''.join(say(A, "HS_BEGIN", i) for i in range(3, 9))
    + say(A, "HS_FINISH", 3, b'\0')
    + say(A, "HS_FINISH", 4, b'\x09' + b'abc')
    + say(A, "HS_FINISH", 99)
    + say(A, "DIAL_CANCEL", 5)
    + say(A, "HS_BEGIN", 6)
    + say(A, "HS_BEGIN", 6)
)
out["dial"] = (
    b'\0'
    + both
    + cmd("login authkey")
    + b''.join(say(A, "DIAL", i, bytes([i % 3, 0, 0, 0])) for i in range(3, 9))
    + say(A, "DIAL_CANCEL", 4)
    + say(M, "DIAL", 3)
    + op(4, A, "DIAL", 9, 1)
)
# both messages in one turn: raw is one send, so use the flood op
out["dial-same-id"] = b'\0' + both + cmd("login authkey") + op(4, A, "DIAL", 9, n=240)
out["idle-dial"] = b'\0' + both + say(A, "DIAL", 5) + say(M, "DIAL", 5) + say(A, "HS_BEGIN", 5)
out["rates"] = (
    b'\0'
    + both
    + cmd("login authkey")
    + op(4, A, "LOG", 9, 1)
    + op(4, A, "LOG", 9, 1)
    + op(4, A, "LOG", 9, 1)
    + op(4, A, "LOG", 9, 1)
    + op(4, A, "HS_BEGIN", 9, 1)
)
out["pongs"] = b'\0' + both + op(4, M, "PONG", 9, 1) * 12
out["cas"] = b'\4' + both + op(4, M, "NEED_CA", 9, 1)
out["die"] = (
    b'\0'
    + both
    + cmd("login authkey")
    + op(1, A)
    + both
    + say(A, "REG_RESULT", 0, b'\x01\0\0\0')
    + op(1, M)
    + both
    + op(1, M)
)
out["stopping"] = b'\0' + cmd("login") + cmd("logout force") + cmd("pause") + both
out["raw"] = b'\0' + both + op(2, A, 0, 0, 3) + op(1, A) + op(2, M, 0, 0, 200)
out["honour"] = b'\2' + login + say(M, "EXIT_WISH", 0, ok)
out["ca"] = b'\3' + login + say(M, "NEED_CA", 2)
out["ca-good"] = b'\5' + login + say(M, "NEED_CA", 2)
out["no-auth-key"] = (
    b'\4'
    + both
    + say(A, "KEY_RESULT", 0, b'\x01\0\0\0\x10\0\0\0\0\0\0\0abcdefghijklmnopqrstuvwxyz012345')
    + cmd("login")
)
out["old-build"] = b'\0' + op(5, A, "READY", 0, 7) + op(1, A) + op(3, M, "READY", 0, 36)
out["doctor"] = (
    b'\0'
    + both
    + cmd("doctor")
    + op(5, D, "READY", 0, 1)
    + say(D, "DIAL", 3, b'\0')
    + say(D, "HS_BEGIN", 4)
    + say(D, "KEY_RESULT", 0, ok)
    + say(D, "REG_RESULT", 0, ok)
)
out["doctor-in"] = b'\0' + live + cmd("doctor") + op(5, D, "READY", 0, 1) + say(D, "DIAL", 3, b'\0') + cmd("doctor")
for t in T:
    out["live-" + t.lower()] = b'\0' + live + op(3, M, t, 0, fill=b'\0') + op(3, A, t, 0, fill=b'\0')
    out["odd-" + t.lower()] = b'\0' + live + op(3, M, t, 0, fill=b'\1\0\0\0' + b'\0' * 8 + b'\xff' * 100)
for t in T:
    out["plain-" + t.lower()] = b'\0' + both + cmd("login authkey") + op(3, M, t, 0, 40) + op(3, A, t, 0, 40)
for t in ("STREAM", "SELF", "DELTAS", "LITE", "BROWSE", "DIAL_PLAN", "KEY_RESULT", "REG_RESULT", "LOG", "DIAL"):
    out["bad-" + t.lower()] = b'\0' + login + op(3, M, t, 0, fill=b'\xff' * 40) + op(3, A, t, 0, fill=b'\xff' * 40)
for k in (1, 30, 60):
    out['deltas-cut%d' % k] = b'\0' + live + op(3, M, 'DELTAS', 0, fill=bytes(k))
    out['deltas-big%d' % k] = b'\0' + live + op(3, M, 'DELTAS', 0, fill=b'\2' * k)
for k, v in out.items():
    open(d + k, 'wb').write(v)

out["waiting"] = (
    b'\0'
    + live
    + op(0, 0, CMD.index("metrics"), 7)
    + say(M, "COUNTERS", 0, b'\5')
    + op(0, 0, CMD.index("logout"), 7)
    + say(A, "REG_RESULT", 0, bytes([4, 0, 0, 0]))
    + op(0, 0, CMD.index("doctor"), 7)
    + cmd("doctor")
    + op(0, 0, CMD.index("logout"), 7)
    + say(A, "REG_RESULT", 0, bytes([8, 0, 0, 0]))
)
out["waiting-dies"] = (
    b'\0' + live + op(0, 0, CMD.index("logout"), 7) + op(1, A) + both + op(0, 0, CMD.index("watch"), 7) + op(1, M)
)
out["doctor-waits"] = (
    b'\1'
    + say(A, "READY")
    + op(0, 0, CMD.index("doctor"), 7)
    + b''.join(op(0, 0, CMD.index("status")) for _ in range(3))
    + cmd("doctor")
    + op(5, D, "READY", 0, 1)
    + say(D, "DIAL", 3, b'\0')
    + say(D, "DIAL", 4, b'\0')
    + say(D, "KEY_RESULT", 0, ok)
    + op(4, D, "DIAL", 9, 1)
)
out["metrics-twice"] = b'\0' + live + op(0, 0, CMD.index("metrics"), 7) * 3 + say(M, "COUNTERS", 0, b'\5')
out["hangs-up"] = b'\0' + live + op(1, M, 1) + cmd("status") + op(1, A, 3) + cmd("login")
for n, k in (("dials", 0), ("dials-mapd", 1)):
    out[n] = b'\0' + live + b''.join(say(k, "DIAL", i, bytes([i % 3, 0, 0, 0])) for i in range(3, 45))
out["cancel"] = b'\5' + both + cmd("login authkey") + say(A, "DIAL", 5, b'\0') + say(A, "DIAL_CANCEL", 5)
for k, v in out.items():
    open(d + k, 'wb').write(v)
passed = say(M, "LIMIT", 0, b'\x05')
out["limit"] = (
    b'\0'
    + live
    + passed
    + passed
    + cmd("status")
    + say(M, "STREAM", 0, b'\x03\0\0\0')
    + passed
    + op(3, M, "LIMIT", 0, fill=b'\0')
)
out["limits"] = b'\0' + live + op(4, M, "LIMIT", 0, 1) * 4 + say(M, "LIMIT", 0, b'\x05')
out["plans"] = b'\0' + live + op(4, M, "DIAL_PLAN", 0, 1) + say(M, "DIAL_PLAN", 0, b'\xff')
minute = op(6, 0)
out["minutes"] = (
    b'\0'
    + live
    + op(0, 0, CMD.index("metrics"), 7)
    + minute
    + say(M, "COUNTERS", 0, b'\5')
    + op(0, 0, CMD.index("watch"), 7)
    + minute
    + cmd("pause")
    + minute
    + cmd("unpause")
    + minute
    + cmd("status")
)
out["rotates"] = b'\0' + live + cmd("wgconf private") + say(M, "SELF", 0, b'\x02\0\0\0') + cmd("wgconf private")
out["turns"] = (
    b'\0'
    + live
    + b''.join(say(M, "HS_BEGIN", i) + say(M, "DIAL", i, b'\0') for i in range(3, 30))
    + minute * 3
    + say(M, "HS_FINISH", 3, b'\0')
)
out["turns-authd"] = (
    b'\0'
    + both
    + cmd("login authkey")
    + b''.join(say(A, "HS_BEGIN", i) for i in range(3, 12))
    + minute
    + b''.join(say(A, "DIAL", i, b'\0') for i in range(3, 30))
    + say(A, "DIAL_CANCEL", 29)
    + minute
    + cmd("logout")
    + minute
)
out["accept"] = (
    b'\1'
    + both
    + cmd("login authkey")
    + say(A, "KEY_RESULT", 0, b'\x01\0\0\0\x10\0\0\0\0\0\0\0abcdefghijklmnopqrstuvwxyz012345')
    + cmd("accept")
    + cmd("status")
)
for k, v in out.items():
    open(d + k, 'wb').write(v)
# control
d = OUT + 'fuzz_control/'
L = [
    "status",
    "netmap",
    "watch",
    "watch netmap",
    "watch x",
    "wgconf",
    "wgconf private",
    "wgconf x",
    "hosts",
    "metrics",
    "processes",
    "peers limit=1",
    "peer x",
    "peer",
    "login x",
    "login auth-key=",
    "login auth-key=\"a b\"",
    "login auth-key=" + "k" * 1100,
    "login auth-key=tskey-ok ephemeral interactive",
    "logout x",
    "logout force",
    "log x",
    "log debug",
    "doctor",
    "server-key",
    "server-key x",
    "server-key accept",
    "server-key accept x",
    "server-key accept mkey:" + "0" * 64,
    "server-key accept mkey:" + "22" * 32,
    "nosuch",
    "  status",
    "status " + "a " * 90,
    "set",
    "set x",
    "set  hostinfo {",
    "set hostinfo {\"RoutableIPs\":[]}",
    "set netinfo 1",
    "set netinfo {}",
    "set endpoints",
    "set endpoints auto",
    "set endpoints x",
    "set endpoints 224.0.0.1:1",
    "set endpoints  192.0.2.1:1",
    "set endpoints 192.0.2.1:1/stun 192.0.2.2:2",
    "set endpoints " + " ".join("192.0.2.1:%d" % i for i in range(1, 70)),
    "set disco-key x",
    "set disco-key discokey:" + "33" * 32,
    "set nothing y",
    "shutdown",
    "pause",
    "unpause",
    "reconnect",
    "a\x01b",
    "x" * 4097,
    "set " + "y" * 65536,
    "status\r",
]


def cl(how, l, nl=b"\n"):
    return bytes([how]) + l.encode('latin1') + nl


for how in (0, 8, 16):
    for n in range(0, len(L), 6):
        open(d + "lines-%d-%d" % (how, n), 'wb').write(
            b'\xff'.join(cl(how, x) for x in L[n : n + 6] if how == 0 or len(x) < 3000)
        )
open(d + "crowd", 'wb').write(cl(40, "status") + b'\xff' + cl(32, "status"))
open(d + "half", 'wb').write(cl(2, "stat", b"") + b'\xff' + cl(6, "watch") + b'\xff' + cl(10, "netmap", b""))
open(d + "pinned", 'wb').write(
    cl(0, "pause")
    + b'\xff'
    + cl(0, "doctor")
    + b'\xff'
    + cl(0, "unpause")
    + b'\xff'
    + cl(0, "doctor")
    + b'\xff'
    + cl(0, "doctor")
)
big = 'set hostinfo {"Hostname":"h","App":"' + "a" * 60000 + '%d"}'
open(d + "deaf", 'wb').write(
    b'\xff'.join([cl(64 | 4, "watch")] + [cl(0, c) for c in (big % 0, "pause", "unpause") + ("pause", "unpause") * 2])
)
open(d + "gone", 'wb').write(cl(128, "status") + b'\xff' + cl(128 | 64, "watch") + b'\xff' + cl(0, "pause"))
open(d + "rate", 'wb').write(b'\xff'.join(cl(16 | 32, "pause") for _ in range(6)))
open(d + "lingers", 'wb').write(
    cl(1, "z" * 9000)
    + b'\xff'
    + cl(1 | 2, "y" * 9001)
    + b'\xff'
    + cl(1, "set hostinfo " + "x" * 140000)
    + b'\xff'
    + cl(2 | 64, "watch")
    + b'\xff'
    + cl(0, "status")
)
open(d + "sk", 'wb').write(
    b'\xff'.join(
        [
            cl(8, "server-key accept mkey:" + "22" * 32),
            cl(8, "wgconf private"),
            cl(8, "login"),
            cl(0, "shutdown"),
            cl(0, "status"),
            cl(0, "login  ephemeral "),
        ]
    )
)
open(d + "minutes", 'wb').write(
    b'\xff'.join([b"\x40", b"", cl(64, "watch"), cl(64 | 2, "watch"), b"", cl(0, "status")])
)
open(d + "minutes-deaf", 'wb').write(
    b'\xff'.join(
        [cl(64 | 1, "z" * 9000), b"", cl(64 | 4, "set " + "y" * 70000), cl(128 | 64, "watch"), b"", cl(0, "status")]
    )
)
open(d + "full", 'wb').write(b'\xff'.join([cl(254, "status"), cl(254, "watch"), cl(0, "status")]))
# config
d = OUT + 'fuzz_config/'
base = "control-url https://c.example\n"
C = {
    "many": base + "hostname " + "a " * 100 + "\n",
    "quote": base + "hostname \"a\n",
    "quote2": base + "hostname \"a\"b\n",
    "ctl": base + "hostname a\x01\n",
    "unknown": base + "nosuch 1\n",
    "twice": base + base,
    "noval": base + "hostname\n",
    "two": base + "hostname a b\n",
    "long": base + "# " + "x" * 5000 + "\n",
    "nul": base + "\0\n",
    "crlf": base.replace("\n", "\r\n"),
    "long-value": base + "hostname " + "a" * 300 + "\n",
    "relpath": base + "state-dir x\n",
    "yesno": base + "ephemeral maybe\n",
    "enum": base + "transport x\n",
    "int": base + "listen-port 70000\n",
    "int2": base + "capability-version 1\n",
    "size": base + "max-map-wire 3X\n",
    "size2": base + "max-map-wire 12345\n",
    "size3": base + "max-map-wire 8M\nmax-map-decoded 512K\n",
    "badurl": "control-url ftp://x\n",
    "badurl2": "control-url https://\n",
    "slash": "control-url https://c.example/a/\n",
    "key": base + "server-key x\n",
    "zero": base + "server-key mkey:" + "0" * 64 + "\n",
    "proxy": base + "proxy http://u:p@h:1\n",
    "badproxy": base + "proxy x\n",
    "routes": base + "advertise-routes " + " ".join("10.0.%d.0/24" % i for i in range(300)) + "\n",
    "badroute": base + "advertise-routes 10.0.0.1/8\n",
    "duproute": base + "advertise-routes 10.0.0.0/8 10.0.0.0/8 0.0.0.0/0\n",
    "tags": base + "advertise-tags " + " ".join("tag:a%d" % i for i in range(200)) + "\n",
    "badtag": base + "advertise-tags x\n",
    "badtag2": base + "advertise-tags tag: tag:1a tag:a_b\n",
    "eps": base + "endpoints " + " ".join("192.0.2.1:%d" % i for i in range(1, 80)) + "\n",
    "badep": base + "endpoints x\n",
    "ep": base + "endpoints 192.0.2.1:1 [2001:db8::1]:2\n",
    "epnone": base + "endpoints none\n",
    "public": "control-url http://192.0.2.1\n",
    "privtls": "control-url http://127.0.0.1\ntransport tls\n",
    "cache": base + "netmap-cache yes\n",
    "chroot": base + "chroot-dir /" + "a" * 300 + "\n",
    "none": "",
    "group": base + "control-group nosuchgroup\n",
    "dup-tag": base + "advertise-tags tag:a tag:b\n",
    "hugeprefix": "control-url https://c.example/" + "a" * 400 + "\n",
    "longhost": "control-url https://" + "a" * 300 + "\n",
    "host": base + "hostname -a\n",
    "wd": base + "map-watchdog 1\n",
    "str": base + "exit-node " + "a" * 300 + "\n",
    "routes70": base + "advertise-routes " + " ".join("10.0.%d.0/24" % i for i in range(70)) + "\n",
    "tags70": base + "advertise-tags " + " ".join("tag:a%d" % i for i in range(70)) + "\n",
    "size4": base + "max-map-wire 100001\n",
    "proxy-tls": base + "proxy https://h:1\n",
    "proxy-latin": base + "proxy http://u:%ff@h:1\n",
    "long-socket": base + "control-socket /" + "s" * 200 + "\n",
    "latin": base + "exit-node \xe9\n",
    "printq": base + "hostname \"a\\\"b\"\n",
}
for k, v in C.items():
    open(d + "e-" + k, 'wb').write(v.encode('latin1'))
for k, v in {
    "both": "control-group root\ncontrol-operator root\n",
    "group": "control-group nosuch\n",
    "ours": "control-group _tailnetd\n",
    "number": "control-group 54321\n",
    "operator": "control-operator nosuch\n",
    "large": "#\n" * 140000,
}.items():
    open(d + "names-" + k, 'wb').write(b"\n" + (base + v).encode())
for k in range(1, 6):
    open(d + "file-%d" % k, 'wb').write(bytes([k]) + b"tskey\n")
open(d + "authkey", 'wb').write(b"  tskey-auth-1  \n")
open(d + "authkey-bad", 'wb').write(b"a b\n")
open(d + "authkey-empty", 'wb').write(b"  \n")
open(d + "authkey-long", 'wb').write(b"k" * 1100)
# handshake
d = OUT + 'fuzz_handshake/'
for name, key in (("zero", bytes(32)), ("low", b"\1" + bytes(31)), ("good", b"\x09" + bytes(31))):
    open(d + "server-" + name, 'wb').write(b'\2' + key)
# state
sd = R + 'tailnetd/seeds/state/'
good = [open(sd + f, 'rb').read() for f in sorted(os.listdir(sd))]
sd = OUT + 'fuzz_state/'
g = good[0]
E = {
    "nokey": re.sub(rb"machine-key.*\n", b"", g),
    "dup": g + g.split(b"\n")[1] + b"\n",
    "unknown": g + b"later-thing x\n",
    "junk": g + b"junk",
    "bad": g.replace(b"privkey:", b"privkey:zz"),
    "newer": g.replace(b"tailnetd-state 1", b"tailnetd-state 2"),
    "ctl": g + b"x \x01\n",
    "long": g + b"later " + b"x" * 9000 + b"\n",
    "bare": g + b"word\n",
    "pin": re.sub(rb"server-key .*\n", b"server-key mkey:" + b"11" * 32 + b" nosuch 2026-01-01T00:00:00Z\n", g),
    "cand": g + b"candidate-node-key privkey:" + b"44" * 32 + b"\n",
    "nl": g.replace(b"\n", b"\r\n"),
}
for k in g.split(b"\n")[1:]:
    w = k.split(b" ")[0]
    if w:
        E["odd-" + w.decode()] = g.replace(k, w + b" \x7f~")
    if w:
        E["none-" + w.decode()] = g.replace(k, w)
for k, v in E.items():
    open(sd + "e-" + k, 'wb').write(v)
fd = OUT + 'fuzz_statefile/'
mine = re.sub(rb"control-url \S+", b"control-url http://127.0.0.1:9", g)
for odd in range(7):
    open(fd + "dir%d" % odd, 'wb').write(bytes([odd, 0, 15, 0, 1]) + mine)
for h in list(range(0, 9)) + [15]:
    for h2 in (0, 3, 15):
        open(fd + "file%d-%d" % (h, h2), 'wb').write(bytes([0, h, h2, 0, 4]) + mine + b'\xff' + mine)
    open(fd + "other%d" % h, 'wb').write(bytes([0, h, 0, 0, 2]) + g + b'\xff' + g)
for n in range(1, 24):
    for m in (0, 1, 2):
        open(fd + "fail%d-%d" % (n, m), 'wb').write(bytes([0, 0, 15, n, m]) + mine)
    if n < 12:
        open(fd + "switch%d" % n, 'wb').write(bytes([0, 0, 15, n, 1]) + g)
        open(fd + "fresh%d" % n, 'wb').write(bytes([0, 15, 15, n, 1]) + b"x")
for h in (0, 1, 3, 5):
    for n in (0, 1, 3, 6, 9, 11, 13):
        open(fd + "back%d-%d" % (h, n), 'wb').write(bytes([0, 0, h, n, 9]) + g + b'\xff' + mine)
        open(fd + "foreign%d-%d" % (h, n), 'wb').write(bytes([0, 0, h, n, 9]) + g + b'\xff' + g)
open(fd + "marker", 'wb').write(bytes([0, 15, 15, 0, 4]) + b"x")
open(fd + "newer", 'wb').write(bytes([0, 0, 15, 0, 0]) + E["newer"])
open(fd + "lock", 'wb').write(bytes([1, 0, 0, 0, 1]) + mine)
mini = b"tailnetd-state 1\n" + b"".join(
    l + b"\n" for l in g.split(b"\n") if l.startswith((b"machine-key", b"control-url"))
)
for pad in (100, 400):
    open(sd + "e-full%d" % pad, 'wb').write(
        mini + b"".join(b"later-%d %s\n" % (i, b"x" * 1000) for i in range(70))[: 65536 - 70 - len(mini) - pad] + b"\n"
    )
# ipc
d = OUT + 'fuzz_ipc/'
I = {n: i + 1 for i, n in enumerate(names)}


def io(k, t, b, fill=b""):
    return bytes([k, t, b, len(fill)]) + fill


for side in (0, 1):
    for m in (1, 2, 4, 6, 9, 15):
        for sz in (0, 255):
            open(d + "speak%d-%d-%d" % (side, m, sz), 'wb').write(
                bytes([side | 4 * side | 16, 0])
                + (io(4, I["HELLO"], 0) if side else b"")
                + io(2, m, sz, b"x" + "é".encode() * 90)
                + io(2, m, sz, "é".encode())
                + io(2, m, sz, b"")
                + io(2, 8, 1)
            )

for side in (0, 1):
    for role in (0, 2):
        for st in (0, 16, 32):
            ops = b""
            for t in range(1, len(names) + 1):
                open(d + "type%d-%d-%d-%d" % (side, role, st, t), 'wb').write(
                    bytes([side | role | st, 0]) + io(4, t, 0, b"abc")
                )
for b in range(1, 10):
    for who, t in (
        (1 | 16, "PING"),
        (1 | 16 | 2, "QUERY"),
        (0 | 16, "PONG"),
        (0 | 16, "LOG"),
        (1, "CA"),
        (1 | 4, "HELLO"),
    ):
        open(d + "bent%d-%d-%s" % (b, who, t.lower()), 'wb').write(
            bytes([who, 0]) + io(4, I["HELLO"], 0) * (who & 1) + io(4, I[t], b, b"abc")
        )
        open(d + "cut%d-%d-%s" % (b, who, t.lower()), 'wb').write(bytes([who, 0]) + io(3, I[t], b * 3, b"abc"))
open(d + "rate", 'wb').write(bytes([16, 0]) + io(4, I["PONG"], 0) * 2100)
for spite in (1, 2, 129, 130):
    for who, t in ((16, "PONG"), (16, "LOG"), (1 | 16, "PING")):
        open(d + "spite%d-%d-%s" % (spite, who, t.lower()), 'wb').write(
            bytes([who, spite]) + io(4, I[t], 0) * 3 + io(2, 1, 8)
        )


def chunk(total, off, text):
    return struct.pack("<IIH", total, off, len(text)) + text


for who in (1 | 16, 1 | 2 | 16):
    for n, f in (
        ("fits", struct.pack("<II", 310, 0) + b"ab"),
        ("half", struct.pack("<II", 620, 0) + b"ab"),
        ("big", struct.pack("<II", 100000, 0) + b"ab" * 100),
        ("one", chunk(3, 0, b"abc")),
        ("two", chunk(6, 0, b"abc") + b""),
        ("odd", chunk(3, 7, b"abc")),
    ):
        open(d + "chunk-%d-%s" % (who, n), 'wb').write(
            bytes([who, 0]) + io(4, I["HOSTINFO"], 0, f) + io(4, I["HOSTINFO"], 0, f)
        )
