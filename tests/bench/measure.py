# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""What processes cost, and what the bench prints."""
import contextlib
import math
import os
import sys
import time

figures = {}  # by name: what was measured, each time


def emit(name, value, unit):
    """One result: the only output on stdout."""
    figures.setdefault(name, []).append(value)
    digits = max(1, 3 - int(math.log10(max(abs(value), 0.1))))
    text = "%d" % value if isinstance(value, int) else "%.*f" % (digits, value)
    print(name, text, unit, flush=True)


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def quantile(values, q):
    """Nearest rank."""
    values = sorted(values)
    return values[max(0, math.ceil(q * len(values)) - 1)]


def cpu(pid):
    """Seconds on a CPU, of all threads, as the scheduler counted them (to the nanosecond, not to the tick)."""
    total = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        for t in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, t)) as f:
                total += int(f.read().split()[0])
    return total / 1e9


def fields(path):
    """The `Name: NUMBER kB` lines of a file of /proc, in bytes."""
    out = {}
    with open(path) as f:
        for line in f:
            p = line.split()
            if len(p) == 3 and p[2] == "kB":
                out[p[0].rstrip(":")] = int(p[1]) * 1024
    return out


def memory(pid):
    return fields("/proc/%d/smaps_rollup" % pid)


def peak(pid):
    return fields("/proc/%d/status" % pid)["VmHWM"]


class Processes:
    """The processes of a daemon, by name, and what they cost since mark()."""

    def __init__(self, daemon):
        self.pids = {"tailnetd": daemon.pid}
        self.pids.update({n: p["pid"] for n, p in daemon.processes().items() if p["pid"] and p["pid"] != daemon.pid})
        self.mark()

    def mark(self):
        self.t0 = time.monotonic()
        self.cpu0 = {n: cpu(p) for n, p in self.pids.items()}
        return self

    def wall(self):
        return time.monotonic() - self.t0

    def cpu(self, name=None):
        """One that has ended since counts as nothing: it was idle."""
        return sum(max(0.0, cpu(p) - self.cpu0[n]) for n, p in self.pids.items() if name in (None, n))

    def peak(self, name=None):
        """Of several processes: the sum of the peaks, at least the peak of the sum (and shared pages count twice)."""
        total = 0
        for n, p in self.pids.items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, KeyError):
                total += peak(p) if name in (None, n) else 0
        return total

    def together(self):
        """Memory of all of them at their peaks, shared pages counted once: PSS now, and what the peak was above the
        resident set now (working memory, which is not shared)."""
        total = 0
        for p in self.pids.values():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, KeyError):
                m = memory(p)
                total += m["Pss"] + peak(p) - m["Rss"]
        return total
