# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Random kills of all processes while there is work of every kind: a login, map changes, `set`, reloads, answers.  No
answer is cut without being noticed, no state is lost, and no process is blamed for the end of another one.

KILLS and KILLS_SEED in the environment say how many and which (make release-check: 1,000)."""
import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from controlserver import dumps, make_peer
from harness import AUTH_KEY, BIN, CHILDREN, SLOW, CtlError, alive, comm, descendants, until

PEERS = 80
KILLS = int(os.environ.get("KILLS", "40"))
BLAME = ("violation", "state file was damaged", "broken", "cannot be executed", "was not ready", "it hung")


def wg_peers(text):
    return sum(x == "[Peer]" for x in text.splitlines())


def host_peers(text):
    return len({x.split()[1] for x in text.splitlines() if "peer" in x and not x.startswith("#")})


def line_peers(text):
    return sum("end" not in json.loads(x) for x in text.splitlines())


# What tailnetctl is asked for, and how its peers are counted.
ANSWERS = [(("wgconf", "private"), wg_peers), (("hosts",), host_peers), (("-j", "peers"), line_peers),
           (("-j", "netmap"), lambda text: len(json.loads(text.splitlines()[0])["Peers"]))]


class Work:
    """What happens while processes are killed, each kind in a thread of its own."""

    def __init__(self, d, server, rng):
        self.d, self.server, self.rng = d, server, rng
        self.up, self.over = threading.Event(), False
        self.bad, self.whole, self.noticed, self.done = [], 0, 0, {}
        self.count = {}
        kinds = [self.change, self.set, self.reload, self.login, self.dial, self.ask, self.ask]
        self.threads = [threading.Thread(target=self._loop, args=(k, rng.random())) for k in kinds]
        for t in self.threads:
            t.start()

    def stop(self):
        self.over = True
        self.up.set()
        for t in self.threads:
            t.join(60)

    def _loop(self, kind, seed):
        rng = random.Random(seed)
        while not self.over:
            self.up.wait()
            with contextlib.suppress(OSError, ValueError, CtlError, AssertionError, KeyError, AttributeError):
                kind(rng)  # an answer that a kill cut short is none
                self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1

    def change(self, rng):
        time.sleep(0.02)
        m = self.server.map(timeout=1)
        m.send({"PeersChangedPatch": [{"NodeID": 1000 + rng.randrange(PEERS), "Online": rng.random() < 0.5,
                                       "Endpoints": ["192.0.2.1:%d" % rng.randrange(1, 65535)]}]})

    def set(self, rng):
        time.sleep(0.03)
        self.d.ctl("set hostinfo " + json.dumps({"App": "x" * rng.randrange(60000)}))

    def reload(self, _):
        time.sleep(0.1)
        if self.up.is_set():
            self.d.proc.send_signal(signal.SIGHUP)

    def login(self, _):
        time.sleep(0.25)
        self.d.ctl("login auth-key=" + AUTH_KEY)

    def dial(self, _):
        """So that the resolver runs sometimes."""
        time.sleep(0.4)
        self.d.ctl("reconnect")

    def ask(self, rng):
        words, peers = rng.choice(ANSWERS)
        p = subprocess.run([os.path.join(BIN, "tailnetctl"), "-s", self.d.socket] + list(words),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=90)
        if p.returncode != 0 and (p.stderr or '"error"' in p.stdout):
            self.noticed += 1
        elif p.returncode == 0 and peers(p.stdout) == PEERS:
            self.whole += 1
        else:
            self.bad.append((words, p.returncode, p.stderr, p.stdout[-300:]))


def victims(d):
    return [(comm(p), p) for p in descendants(d.pid) if comm(p) in CHILDREN]


def kill_one(d, work, rng, killed):
    """Kills the daemon or one of its children; the daemon is started again at once."""
    kids = victims(d)
    seldom = [k for k in kids if k[0] == "resolver"]
    name, pid = ("tailnetd", d.pid) if not kids or rng.random() < 0.2 else rng.choice(seldom or kids)
    killed[name] = killed.get(name, 0) + 1
    if name != "tailnetd":
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return
    work.up.clear()
    d.kill()
    for _, kid in kids:
        until(lambda kid=kid: not alive(kid), 5 * SLOW, "the children end with the daemon")
    d.start()
    work.up.set()


def check(d, first, server):
    """Synchronized again, as the same node, and no process is blamed."""
    s = d.wait_sync(timeout=60 * SLOW)
    assert (s["machineKey"], s["nodeKey"]) == (first["machineKey"], first["nodeKey"])
    assert s["nodeKey"] == server.node().key
    assert set(h["code"] for h in s["health"]) <= {"child-killed"}, s["health"]
    bad = [x for x in d.log().splitlines() if any(b in x for b in BLAME)]
    assert not bad, bad[:5]


@pytest.mark.long
@pytest.mark.rows("PRIV-03", "PERS-01", "STAT-02")
def test_random_kills(server, make_daemon):
    seed = int(os.environ.get("KILLS_SEED", random.randrange(1 << 32)))
    print("KILLS=%d KILLS_SEED=%d" % (KILLS, seed))
    rng, killed = random.Random(seed), {}
    server.tailnet.raw_peers = b",".join(dumps(make_peer(1000 + i)) for i in range(PEERS))
    d = make_daemon(server.url.replace("127.0.0.1", "localhost"), auth_key=AUTH_KEY, netmap_cache="yes",
                    log_level="info")
    first = d.wait_sync()
    work = Work(d, server, rng)
    work.up.set()
    try:
        for n in range(KILLS):
            time.sleep(rng.random() * 0.25)
            kill_one(d, work, rng, killed)
            if n % 40 == 39:
                check(d, first, server)
            assert not work.bad, work.bad[0]
    finally:
        work.stop()
    check(d, first, server)
    print("killed %s; work done %s; answers whole %d, noticed as cut or refused %d" % (killed, work.done, work.whole,
                                                                                      work.noticed))
    assert not work.bad, work.bad[0]
    assert work.whole > 0 and work.noticed > 0 and set(work.done) == {"change", "set", "reload", "login", "dial", "ask"}
    assert killed.get("tailnetd", 0) > 0 and killed.get("mapd", 0) > 0
    assert d.stop() == 0
