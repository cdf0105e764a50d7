# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Many deltas: a burst with watchers that do not read, and a million of them, which must leave nothing behind."""
import contextlib
import random
import socket
import subprocess
import sys

import harness
from measure import Processes, emit, memory
from tailnet import FIRST, encode

PEERS = 10000

# Counts the delta events of `watch netmap` until the last netmapSeq, in a process of its own.
WATCHER = """
import json, socket, sys
last = int(sys.argv[2])
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"watch netmap\\n")
seq = deltas = lagged = gaps = maps = 0
for line in s.makefile("rb", 1 << 20):
    kind = line[line.index(b'"event":"') + 9:].split(b'"', 1)[0]
    if kind == b"netmap":
        seq = int(line[line.index(b'"netmapSeq":') + 12:].split(b",", 1)[0])
        maps += 1
        if maps == 1:
            print("ready", flush=True)
    elif kind == b"delta":
        e = json.loads(line)
        gaps += e["netmapSeq"] != seq + 1
        seq = e["netmapSeq"]
        deltas += 1
    elif kind == b"lagged":
        lagged += 1
    if seq >= last:
        break
print(deltas, gaps, lagged, flush=True)
"""


def toggles(m, online, count=PEERS, seed=9):
    """One message for each of the peers: its online state and its endpoint change."""
    ids = list(range(FIRST, FIRST + count))
    random.Random(seed).shuffle(ids)
    return encode(m, [{"PeersChangedPatch": [{"NodeID": i, "Online": online,
                                              "Endpoints": ["192.0.2.%d:%d" % (i % 250, 1000 + online)]}]}
                      for i in ids])


def stuck(d, line):
    """A client that asks and never reads."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(d.socket)
    s.sendall(line.encode() + b"\n")
    return s


def sizes(p):
    """Private memory: what is shared with other daemons of this machine changes with them."""
    return {n: memory(pid)["Anonymous"] for n, pid in p.pids.items()}


def burst(d, m):
    """10,000 deltas at once: two watchers that never read, one that does."""
    frames = toggles(m, True)
    with contextlib.ExitStack() as stack:
        for line in ("watch netmap", "watch"):
            stack.enter_context(contextlib.closing(stuck(d, line)))
        seq = d.status()["netmapSeq"]
        good = stack.enter_context(subprocess.Popen([sys.executable, "-c", WATCHER, d.socket, str(seq + len(frames))],
                                                    stdout=subprocess.PIPE, text=True))
        assert good.stdout.readline() == "ready\n"
        p = Processes(d)
        before = sizes(p)
        m.send_raw(b"".join(frames))
        deltas, gaps, lagged = map(int, good.stdout.readline().split())
        wall, cpu = p.wall(), p.cpu("mapd")
        emit("burst_10k_wall", wall, "s")
        emit("burst_10k_mapd_cpu", cpu, "s")
        emit("burst_10k_good_watcher_deltas", deltas, "events")
        emit("burst_10k_good_watcher_lost", len(frames) - deltas + gaps + lagged, "events")
        for n in p.pids:
            emit("burst_10k_growth_%s" % n, (memory(p.pids[n])["Anonymous"] - before[n]) / 1024, "KiB")
            emit("burst_10k_peak_%s" % n, p.peak(n) / 1e6, "MB")


def drift(d, m, rounds=50):
    """A million deltas, after a tenth as many to warm up."""
    on, off = b"".join(toggles(m, True)), b"".join(toggles(m, False))
    p = Processes(d)
    seq = d.status()["netmapSeq"]

    def run(n):
        nonlocal seq
        for _ in range(n):
            for frames in (off, on):
                m.send_raw(frames)
                seq += PEERS
                harness.until(lambda: d.status()["netmapSeq"] >= seq, 60, "netmapSeq %d" % seq, every=0.02)

    run(rounds // 10)
    before, fds = sizes(p), {n: harness.fds(pid) for n, pid in p.pids.items()}
    p.mark()
    run(rounds)
    count = rounds * 2 * PEERS
    emit("drift_deltas", count, "deltas")
    emit("drift_delta_cpu_all", p.cpu() / count * 1e6, "us")
    after = sizes(p)
    for n in p.pids:
        emit("drift_%s" % n, 100 * (after[n] - before[n]) / before[n], "percent")
        emit("drift_fds_%s" % n, harness.fds(p.pids[n]) - fds[n], "descriptors")
    total = sum(before.values())
    emit("drift_all", 100 * (sum(after.values()) - total) / total, "percent")
