# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The life-cycle at random: commands, answers that are held, late, wrong or lost, children that die, the daemon that
crashes.  Then everything works again, and the last command must have won (the same for the pure state machine is
test_login_model.c)."""
import asyncio
import contextlib
import os
import random
import signal
import time

import pytest
from controlserver import HOLD, Reply
from harness import AUTH_KEY, SLOW, SYNC, Late, until

pytestmark = pytest.mark.usefixtures("programs")
LOGINS = {"login": "login", "with key": "login auth-key=" + AUTH_KEY, "interactive": "login interactive",
          "interactive with key": "login interactive auth-key=" + AUTH_KEY}
OPS = list(LOGINS) + ["logout", "logout force", "pause", "unpause", "unpause", "reconnect", "authd dies", "mapd dies",
                      "mapd stands",
                      "drop", "release", "wait", "wait", "reload", "crash"]


def logs_out(req):
    return "1970" in str(req.json.get("Expiry"))


class Trouble:
    """What the server does while on is true."""

    def __init__(self, server, r):
        self.server, self.r, self.on, self.gates = server, r, False, []
        server.on_register, server.on_map = self.register, self.map

    async def held(self, req):
        g = self.server.gate()
        self.gates.append(g)
        await g.wait()
        return HOLD if req.conn.closed or req.stream.closed else None

    def release(self):
        while self.gates:
            self.gates.pop().open()

    def lost(self, req):
        req.conn.close()
        return HOLD

    async def register(self, req):
        t = self.server.tailnet
        what = self.r.choice(["good", "good", "held", "500", "lost", "taken", "url", "expired", "late",
                              "429"]) if self.on else "good"
        if what == "held":
            return await self.held(req)
        if what == "late":
            await asyncio.sleep(self.r.random() * 0.1)
            return HOLD if req.conn.closed or req.stream.closed else None
        if what == "taken":  # and the answer is lost
            t.register(req.conn.machine, req.json)
        if what in ("lost", "taken"):
            return self.lost(req)
        if what == "url" and not req.json.get("Followup") and not logs_out(req):
            return t._ask(req.conn.machine, req.json["NodeKey"], req.json)
        return {"500": Reply(500, b"no"), "expired": {"NodeKeyExpired": True},
                "429": Reply(429, b"slow", [("Retry-After", "1")])}.get(what)

    async def map(self, req):
        what = self.r.choice(["good", "good", "held", "500", "lost"]) if self.on else "good"
        if what == "held":
            return await self.held(req)
        return {"500": lambda: Reply(500, b"no"), "lost": lambda: self.lost(req)}.get(what, lambda: None)()


class Life:
    def __init__(self, server, d, r):
        self.server, self.d, self.r, self.trouble = server, d, r, Trouble(server, r)
        self.wish = "login" if "auth-key-file" in d.conf else None  # None: a failure or a crash has made it void
        self.paused, self.waiting, self.trace = False, [], []

    def crash(self):
        self.d.kill()
        if self.waiting or self.wish == "login":
            self.wish = None
        self.waiting.clear()
        self.d.start()

    def kill(self, name, sig=signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, Late):  # it is not there just now
            return self.d.kill(name, sig)

    def mapd_stands(self):
        pid = self.kill("mapd", signal.SIGSTOP)
        time.sleep(self.r.random() * 0.5)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def command(self, op):
        if op in LOGINS:
            self.d.ctl(LOGINS[op])
            self.wish = "login"
        elif op.startswith("logout"):
            self.waiting.append(self.d.connect())
            self.waiting[-1].sendall(op.encode() + b"\n")
            self.wish = "logout"
        else:
            self.d.ctl(op)
            self.paused = op == "pause" or (op != "unpause" and self.paused)

    def step(self):
        op = self.r.choice(OPS)
        rare = {"authd dies": 0.5, "mapd dies": 0.5, "mapd stands": 0.3, "crash": 0.2}.get(op, 1)
        if self.r.random() >= rare:
            return
        self.trace.append(op)
        doing = {"authd dies": lambda: self.kill("authd"), "mapd dies": lambda: self.kill("mapd"),
                 "mapd stands": self.mapd_stands,
                 "drop": self.server.drop_all, "release": self.trouble.release,
                 "wait": lambda: time.sleep(self.r.random() * 0.2),
                 "reload": lambda: self.d.proc.send_signal(signal.SIGHUP), "crash": self.crash}
        doing.get(op, lambda: self.command(op))()
        if self.r.random() < 0.5:
            time.sleep(self.r.random() * 0.03)

    def settled(self):
        s = self.d.status()
        if s["url"] in self.server.tailnet.pending and self.wish == "login" and not self.paused:
            self.server.complete(s["url"])
            return None
        if self.wish == "login" and self.paused:
            return s["paused"] and not s["synced"] and s
        if self.wish == "login":
            return s["state"] == SYNC and s["goal"] is None and s
        if self.wish == "logout":
            return s["state"] == "state:not-authenticated" and s["goal"] is None and s["nodeKey"] == "" and s
        return s

    def answers_to_logouts(self):
        """Each gets one; a logout that failed is no longer in force."""
        for c in self.waiting:
            c.settimeout(60 * SLOW)
            answer = c.recv(4096)
            c.close()
            assert answer, "no answer to a logout"
            if b'"error"' in answer and self.wish == "logout":
                self.wish = None
        self.waiting.clear()

    def quiet(self, kinds):
        mark = self.server.log.mark()
        time.sleep(0.3)
        assert not [e for e in self.server.log.all(since=mark) if e.kind in kinds]

    def settle(self):
        self.trouble.on = False
        self.trouble.release()
        self.answers_to_logouts()
        time.sleep(0.3)
        s = until(self.settled, 60 * SLOW, "%s, paused %s, after %s" % (self.wish, self.paused, self.trace[-12:]))
        assert s["paused"] == self.paused
        if self.wish == "login" and not self.paused:
            until(lambda: [m.node_key for m in self.server.sessions] == [self.d.status()["nodeKey"]], 10 * SLOW,
                  "one stream, of the key")
            s = self.d.status()
            assert s["err"] == "" or s["errSource"] == "update", s["err"]
        if self.wish == "logout":
            assert self.d.state_text().count("privkey:") == 1
            until(lambda: not self.server.sessions, 5 * SLOW)
            self.quiet(("register", "map", "lite"))
        if self.paused:
            self.quiet(("accept",))


@pytest.mark.long
@pytest.mark.rows("INT-04", "OUT-05", "ROT-04", "PAU-01", "PAU-03", "PERS-02", "PRIV-03", "STAT-03", "FUP-05")
@pytest.mark.parametrize("seed", [1, 2])
def test_the_last_command_wins(server, make_daemon, seed):
    r = random.Random(seed)
    d = make_daemon(server, auth_key=AUTH_KEY if seed % 2 else None)
    life = Life(server, d, r)
    end = time.monotonic() + 25
    while time.monotonic() < end:
        life.trouble.on = True
        for _ in range(r.randrange(1, 10)):
            life.step()
        life.settle()
    assert len(d.tree()) <= 3 and not server.log.all("violation")
    assert "protocol violation" not in d.log() and "event queue" not in d.log()
