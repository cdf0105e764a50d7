# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""The same streams for Go's own control clients (tests/interop/goclient)."""
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

import churn
import harness
import measure
from measure import emit, say
from tailnet import AUTH_KEY, flips, label, pairs, send_all


class GoClient:
    """One run of the Go program; its reports are read by a thread."""

    def __init__(self, program, mode, url, every=1, env=None):
        self.key = tempfile.NamedTemporaryFile("w", suffix=".key")
        self.key.write(AUTH_KEY)
        self.key.flush()
        self.reports, self.cond = {}, threading.Condition()
        self.proc = subprocess.Popen([program, "-url", url, "-auth-key-file", self.key.name, "-mode", mode,
                                      "-every", str(every)],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     env=dict(os.environ, **(env or {})))
        self.ended, self.words = False, ""
        self.threads = [threading.Thread(target=t, daemon=True) for t in (self._read, self._errors)]
        for t in self.threads:
            t.start()

    def _read(self):
        for line in self.proc.stdout:
            r = json.loads(line)
            with self.cond:
                self.reports[r["n"]] = r
                self.cond.notify_all()
        with self.cond:
            self.ended = True
            self.cond.notify_all()

    def _errors(self):
        self.words = self.proc.stderr.read().decode(errors="replace")[-2000:]

    def wait(self, n, timeout=300):
        """The report of message n."""
        with self.cond:
            self.cond.wait_for(lambda: n in self.reports or self.ended, timeout)
        if n not in self.reports:
            self.threads[1].join(1)
            raise harness.Late("goclient reported no message %d: %s" % (n, self.words))
        return self.reports[n]

    def stop(self):
        self.proc.kill()
        self.proc.wait()
        for t in self.threads:
            t.join(10)
        self.key.close()


def build(directory):
    """Where the program is, or None with a word why."""
    if shutil.which("go") is None:
        say("go: Go is not installed here, its figures are left out")
        return None
    program = os.path.join(directory, "goclient")
    p = subprocess.run(["go", "build", "-o", program, "./goclient"], cwd=os.path.join(harness.ROOT, "tests", "interop"),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if p.returncode != 0:
        say("go: goclient does not build, its figures are left out:\n" + p.stdout[-2000:])
        return None
    return program


def burst(c, m, mode, done):
    """The 10,000 deltas of churn.py at once; without watchers here."""
    frames = churn.toggles(m, True)
    cpu, rss, t = measure.cpu(c.proc.pid), measure.memory(c.proc.pid)["Rss"], time.monotonic()
    m.send_raw(b"".join(frames))
    c.wait(done + len(frames))
    name = "go_%s_burst_10k" % mode
    emit(name + "_wall", time.monotonic() - t, "s")
    emit(name + "_cpu", measure.cpu(c.proc.pid) - cpu, "s")
    emit(name + "_growth", (measure.memory(c.proc.pid)["Rss"] - rss) / 1024, "KiB")
    emit(name + "_peak", measure.peak(c.proc.pid) / 1e6, "MB")


def run(program, mode, make_server, n, kind, deltas=400):
    """Ingest and deltas, next to those of tailnetd."""
    name = "go_%s_ingest_%s%s" % (mode, label(n), kind)
    say(name)
    with make_server() as s:
        c = GoClient(program, mode, s.url, every=deltas)
        try:
            m = s.map(timeout=60)
            full, _ = s.frames(m)
            changes = [(what, make(m, count, n), per) for what, make, count, per in (
                ("online", flips, deltas - 1, 1), ("add_remove_pair", pairs, deltas // 2, 2))] if not kind else []
            cpu, t = measure.cpu(c.proc.pid), time.monotonic()
            m.send_raw(full)
            c.wait(1)
            emit(name + "_wall", time.monotonic() - t, "s")
            emit(name + "_cpu", measure.cpu(c.proc.pid) - cpu, "s")
            emit(name + "_peak", measure.peak(c.proc.pid) / 1e6, "MB")
            done = 1
            for what, frames, per in changes:
                cpu = measure.cpu(c.proc.pid)
                send_all(m, frames)
                done += len(frames)
                c.wait(done)
                emit("go_%s_delta_%s_%s_cpu" % (mode, what, label(n)),
                     (measure.cpu(c.proc.pid) - cpu) / len(frames) * per * 1e6, "us")
            if n == churn.PEERS and not kind:
                burst(c, m, mode, done)
        finally:
            c.stop()
