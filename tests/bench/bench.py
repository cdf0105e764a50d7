#!/usr/bin/python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""make bench: what tailnetd costs.  Prints `name value unit` lines; progress and errors go to stderr.

    make bench                                  everything but 250,000 peers
    make bench BENCH="ingest delta"             some sections
    make bench BENCH=full                       everything, with 250,000 peers (-f is the same)
    make bench BENCH=check                      what has a limit (limits.py); fails when a figure exceeds its limit
    make bench BENCH="check storm churn"        the same of some sections

Sections: start ingest delta latency idle sizes rtt trips store storm churn go.  The daemon is the real one with all its
processes and its sandbox; the server is the scripted one of the e2e tests on loopback, which encodes everything before
the clock starts.
"""
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
import churn  # noqa: E402
import gobench  # noqa: E402
import harness  # noqa: E402
import limits  # noqa: E402
import storm  # noqa: E402
from controlserver import CA, big_peers  # noqa: E402
from measure import Processes, emit, memory, quantile, say  # noqa: E402
from tailnet import AUTH_KEY, FIRST, BenchServer, flips, label, pairs, send_all, small_peers  # noqa: E402
from trips import Trips, at_most  # noqa: E402

SECTIONS = ("sizes", "start", "idle", "ingest", "delta", "latency", "rtt", "trips", "store", "storm", "churn", "go")
SIZES = (1000, 10000, 100000)
BIG = 250000
ROUNDS = 7  # of a start
BATCH, BATCHES = 2000, 2  # deltas sent at a time
ONE_WAY = 50  # ms, of the delaying proxy


@contextlib.contextmanager
def daemon(url, start=True, **conf):
    """A daemon as it runs in the field: its log level is not the debug level of the tests."""
    conf.setdefault("log_level", "info")
    d = harness.Daemon(url, auth_key=AUTH_KEY, start=False, **conf)
    try:
        if start:
            d.start()
        yield d
    finally:
        d.cleanup()


def exact_sync(d, before=None):
    """Seconds from exec until the event that says synchronized."""
    t = time.monotonic()
    d.spawn()
    while True:
        try:
            w = harness.Watch(d.socket)
            break
        except OSError:
            if d.proc.poll() is not None or time.monotonic() - t > harness.DEADLINE:
                raise harness.Late("tailnetd does not answer: " + d.log(last=20))
            time.sleep(0.0005)
    try:
        e = w.wait(lambda e: e.get("event") == "status" and e["status"]["state"] == harness.SYNC, what=harness.SYNC)
        return e["_t"] - t
    finally:
        w.close()


def starts(url, rounds, **conf):
    """[first starts], [warm starts], in seconds."""
    first, warm = [], []
    for _ in range(rounds):
        with daemon(url, start=False, **conf) as d:
            first.append(exact_sync(d))
            d.stop()
            warm.append(exact_sync(d))
            d.stop()
    return first, warm


def ten_peers(s):
    s.auto_full = True
    for i in range(10):
        s.tailnet.add_peer(FIRST + i)
    return s


def sec_sizes(want):
    total = 0
    with tempfile.TemporaryDirectory() as tmp:
        for name in ("tailnetd", "authd", "mapd", "resolver", "tailnetctl"):
            out = os.path.join(tmp, name)
            subprocess.run(["strip", "-o", out, os.path.join(harness.BIN, name)], check=True)
            size = os.path.getsize(out)
            total += size
            emit("size_" + name, size, "bytes")
    emit("size_all", total, "bytes")


def sec_start(want):
    with ten_peers(BenchServer()) as s:
        first, warm = starts(s.url, ROUNDS, server_key=s.noise_public)
    emit("start_first", quantile(first, 0.5) * 1e3, "ms")
    emit("start_warm", quantile(warm, 0.5) * 1e3, "ms")


def sec_idle(want):
    with ten_peers(BenchServer()) as s, daemon(s.url) as d:
        d.wait(lambda st: st["synced"] and st["state"] == harness.SYNC)
        assert d.status()["peers"] == 10
        time.sleep(10)  # until authd and resolver, which are not always needed, have ended
        pids = Processes(d).pids
        total = {"Pss": 0, "Private_Dirty": 0}
        for name, pid in sorted(pids.items()):
            mem = memory(pid)
            for key, what in (("Pss", "pss"), ("Private_Dirty", "private_dirty")):
                emit("idle_%s_%s" % (what, name), mem[key] / 1024, "KiB")
                total[key] += mem[key]
        emit("idle_pss_all", total["Pss"] / 1024, "KiB")
        emit("idle_private_dirty_all", total["Private_Dirty"] / 1024, "KiB")
        p = Processes(d)
        time.sleep(5)
        emit("idle_cpu_all", p.cpu() / p.wall() * 1e6, "us/s")


def wait_seq(d, seq, timeout=30):
    """Until the netmap has that sequence number.  Asks seldom: to answer costs CPU, too."""
    harness.until(lambda: d.status()["netmapSeq"] >= seq, timeout, "netmapSeq %d" % seq, every=0.02)


def ingest(d, m, s, n, name, want):
    """The full map: emits its figures."""
    full, decoded = s.frames(m)
    p = Processes(d)
    before = memory(p.pids["mapd"])["Private_Dirty"]
    p.mark()
    m.send_raw(full)
    harness.until(lambda: (lambda st: st["synced"] and st["peers"] == n)(d.status()), 120, "%d peers" % n, every=0.005)
    wall, cpu, cpu_all = p.wall(), p.cpu("mapd"), p.cpu()
    if "ingest" not in want:
        return
    emit(name + "_wall", wall, "s")
    emit(name + "_cpu", cpu, "s")
    emit(name + "_cpu_all", cpu_all, "s")
    emit(name + "_decoded", decoded / 1e6, "MB")
    emit(name + "_wire", len(full) / 1e6, "MB")
    emit(name + "_peak", p.peak("mapd") / 1e6, "MB")
    emit(name + "_peak_all", p.peak() / 1e6, "MB")
    emit(name + "_peak_together", p.together() / 1e6, "MB")
    time.sleep(1)
    emit(name + "_steady", (memory(p.pids["mapd"])["Private_Dirty"] - before) / n, "bytes/peer")


def delta(d, m, n):
    for what, make, per in (("online", flips, 1), ("add_remove_pair", pairs, 2)):
        frames = make(m, BATCH * BATCHES // per, n)
        seq = d.status()["netmapSeq"]
        p = Processes(d)
        for i in range(0, len(frames), BATCH):
            send_all(m, frames[i:i + BATCH])
            wait_seq(d, seq + len(frames[:i + BATCH]))
        cpu, cpu_all = p.cpu("mapd"), p.cpu()
        emit("delta_%s_%s_cpu" % (what, label(n)), cpu / len(frames) * per * 1e6, "us")
        emit("delta_%s_%s_cpu_all" % (what, label(n)), cpu_all / len(frames) * per * 1e6, "us")


# A netmap client of its own process, so that it and the probe do not wait for each other's interpreter lock.
READER = """
import socket, sys, time
buf = bytearray(1 << 20)
while True:
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(b"netmap\\n")
    t, n = time.monotonic(), 0
    while True:
        k = s.recv_into(buf)
        if not k:
            break
        n += k
    print(n, time.monotonic() - t, flush=True)
"""


def latency(d, n):
    """status and peer NAME while a client reads the whole netmap again and again."""
    names = ["host-%d" % (FIRST + i * 7919 % n) for i in range(400)]
    reader = subprocess.Popen([sys.executable, "-c", READER, d.socket], stdout=subprocess.PIPE, text=True)
    try:
        reader.stdout.readline()  # the first one has been read: from here on there is always a dump under way
        for what, lines in (("status", ["status"] * 400), ("peer", ["peer " + x for x in names])):
            times = []
            for line in lines:
                t = time.perf_counter()
                answer = query(d, line)
                times.append(time.perf_counter() - t)
                assert answer.startswith(b"{") and not answer.startswith(b'{"error"'), answer[:200]
                time.sleep(0.002)
            emit("latency_%s_%s_p50" % (what, label(n)), quantile(times, 0.5) * 1e3, "ms")
            emit("latency_%s_%s_p99" % (what, label(n)), quantile(times, 0.99) * 1e3, "ms")
    finally:
        reader.kill()
        reader.communicate()
    # Alone: the probe has ended.
    reader = subprocess.Popen([sys.executable, "-c", READER, d.socket], stdout=subprocess.PIPE, text=True)
    try:
        runs = [tuple(map(float, reader.stdout.readline().split())) for _ in range(3)]
    finally:
        reader.kill()
        reader.communicate()
    size, best = runs[0][0], min(t for _, t in runs)
    emit("dump_%s_size" % label(n), size / 1e6, "MB")
    emit("dump_%s_rate" % label(n), size / best / 1e6, "MB/s")


def query(d, line):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(d.socket)
        s.sendall(line.encode() + b"\n")
        out = b""
        while True:
            p = s.recv(1 << 16)
            if not p:
                return out
            out += p


def sec_scale(want, sizes):
    """ingest, delta and latency share a daemon for each size."""
    kinds = [(n, "", big_peers) for n in sizes if {"ingest", "delta"} & set(want) or n == 100000]
    if "ingest" in want:
        kinds.append((100000, "_small", small_peers))
    for n, kind, make in kinds:
        say("%d peers%s" % (n, kind.replace("_", ", ")))
        big = {"max_map_wire": "256M", "max_map_decoded": "512M"} if n > 100000 else {}
        with BenchServer(peers=make(n)) as s, daemon(s.url, **big) as d:
            m = s.map(timeout=60)
            ingest(d, m, s, n, "ingest_%s%s" % (label(n), kind), want)
            if "delta" in want and not kind:
                delta(d, m, n)
            if "latency" in want and n == 100000 and not kind:
                latency(d, n)


class DelayProxy:
    def __init__(self, *ports):
        self.proc = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "delayproxy.py"), str(ONE_WAY)] +
                                     [str(p) for p in ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = [int(p) for p in self.proc.stdout.readline().split()]

    def __enter__(self):
        return self.ports

    def __exit__(self, *exc):
        self.proc.kill()
        self.proc.communicate()


def trips(name, far, near):
    """far: through the proxy; near: the same without it, which is what starting and computing take."""
    far, near = quantile(far, 0.5), quantile(near, 0.5)
    emit("rtt_%s" % name, far * 1e3, "ms")
    emit("rtt_%s_without_delay" % name, near * 1e3, "ms")
    emit("rtt_%s_round_trips" % name, (far - near) * 1e3 / (2 * ONE_WAY), "round_trips")


def go_starts(program, mode, url, ca, rounds):
    out = []
    for _ in range(rounds):
        c = gobench.GoClient(program, mode, url, env={"SSL_CERT_FILE": ca.file})
        try:
            out.append(c.wait(1, 30)["wallMs"] / 1e3)
        finally:
            c.stop()
    return out


def sec_rtt(want, program=None, rounds=3):
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o755)
        ca = CA(tmp)
        # Go takes HTTP/2 for /key where it is on offer; the scripted server has none there
        tls = ca.context(alpn=("http/1.1",))
        with ten_peers(BenchServer(tls=tls)) as s, DelayProxy(s.ports["clear"], s.ports["tls"]) as ports:
            for scheme, name, near, port, how in (("http", "clear", s.url, ports[0], {}),
                                                  ("https", "tls", s.tls_url, ports[1],
                                                   {"ca_file": ca.file, "transport": "tls"})):
                far = "%s://127.0.0.1:%d" % (scheme, port)
                # A first start has to ask for the server's key; a warm one has it pinned.
                trips("first_" + scheme, starts(far, rounds, **how)[0], starts(near, rounds, **how)[0])
                how["server_key"] = s.noise_public
                trips("warm_" + name, starts(far, rounds, **how)[1], starts(near, rounds, **how)[1])
                for mode in ("controlclient", "tsp") if program else ():
                    trips("first_%s_go_%s" % (scheme, mode), go_starts(program, mode, far, ca, rounds),
                          go_starts(program, mode, near, ca, rounds))


def sec_trips(want):
    """Round trips as tests/e2e/trips.py counts them: no share of what computing takes."""
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o755)
        ca = CA(tmp)
        with ten_peers(BenchServer(tls=ca.context())) as s, Trips(s) as t:
            tls = {"ca_file": ca.file, "transport": "tls"}
            for name, url, how, warm in (("warm_clear", t.url, {}, 1), ("warm_tls", t.tls_url, tls, 1),
                                         ("first_https", t.tls_url, tls, 0)):
                def count(url=url, how=how, warm=warm):
                    with daemon(url, start=False, **how) as d:
                        for _ in range(warm):
                            t.until_synced(d)
                            d.stop()
                        return t.until_synced(d)
                emit("trips_" + name, at_most(limits.of("trips_" + name), count), "round_trips")


def sec_store(want):
    """mapd's store by itself: tests/bench/netmapstore.c."""
    p = subprocess.Popen([os.path.join(harness.BUILD, "tests", "bench", "netmapstore")], stdout=subprocess.PIPE,
                         text=True)
    for line in p.stdout:
        print("store_" + " ".join(line.split()[:3]), flush=True)
    if p.wait() != 0:
        raise RuntimeError("ingest ended with %d" % p.returncode)


def sec_storm(want):
    """100 malicious members of the control group for 30 s (security.md T6): what root's `status` costs then."""
    if os.getuid() != 0:
        say("storm: left out, only root can be somebody else")
        return
    with ten_peers(BenchServer()) as s, storm.program() as program, daemon(s.url) as d:
        d.wait_sync()
        r = storm.run(program, d, 30)
    for name in ("calm", "p99", "worst"):
        emit("storm_status_%s" % {"calm": "p99_before"}.get(name, name), r[name] * 1e3, "ms")
    emit("storm_status_p99_rise", (r["p99"] - r["calm"]) * 1e3, "ms")
    for name in ("opened", "busy", "refused", "allowed", "leaks", "restarts"):
        emit("storm_" + name, r[name], "clients" if name != "restarts" else "times")
    emit("storm_memory_growth", r["grown"] / 1024, "KiB")
    emit("storm_memory_growth_mapd", r["mapd_grown"] / 1024, "KiB")
    emit("storm_synchronized", int(r["synced"]), "bool")


def sec_churn(want):
    """10,000 peers: what a burst and a million deltas leave behind."""
    with BenchServer(peers=big_peers(churn.PEERS)) as s, daemon(s.url) as d:
        m = s.map(timeout=60)
        m.send_raw(s.frames(m)[0])
        d.wait_sync()
        harness.until(lambda: not d.process("authd")["pid"], 30, "authd gone")  # it idles for a while after a login
        churn.burst(d, m)
        churn.drift(d, m)


def sec_go(program, check, sizes):
    kinds = [(n, "", big_peers) for n in sizes if n <= 100000] + [(100000, "_small", small_peers)]
    for mode in ("controlclient",) if check else ("controlclient", "tsp"):
        for n, kind, make in [(100000, "", big_peers)] if check else kinds:
            gobench.run(program, mode, lambda make=make, n=n: BenchServer(peers=make(n)), n, kind)


def main(args):
    full, check = bool({"full", "-f"} & set(args)), "check" in args
    want = [a for a in args if a not in ("full", "-f", "check")] or list(limits.SECTIONS if check else SECTIONS)
    if check and "go" in want:
        want.append("ingest")  # to compare with
    bad = [a for a in want if a not in SECTIONS]
    if bad:
        sys.exit("bench: no section %s; there are: full check %s" % (bad[0], " ".join(SECTIONS)))
    if os.getuid() == 0:
        subprocess.run([os.path.join(harness.ROOT, "contrib", "install-users"), "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
    else:
        say("not root: the daemon runs as this user, with what the sandbox can do then")
    sizes = limits.SIZES if check else SIZES + ((BIG,) if full else ())
    with tempfile.TemporaryDirectory() as tmp:
        program = gobench.build(tmp) if {"go", "rtt"} & set(want) else None
        todo = [("sizes", sec_sizes), ("start", sec_start), ("idle", sec_idle),
                ("ingest delta latency", lambda w: sec_scale(w, sizes)),
                ("rtt", lambda w: sec_rtt(w, program)), ("trips", sec_trips), ("store", sec_store),
                ("storm", sec_storm),
                ("churn", sec_churn), ("go", lambda w: program and sec_go(program, check, sizes))]
        failed = run(todo, want)
        if not check:
            return 1 if failed else 0
        limits.ratios()
        again = {x.section for x in limits.past(want)} | set(" ".join(failed).split()) & set(want)
        if again:  # the machine's other work makes a figure worse, never better
            say("once more: " + " ".join(sorted(again)))
            failed = run(todo, again | ({"ingest"} if "go" in again else set()))
            if "go" in again:
                limits.ratios()
        return 1 if limits.judge(want) or failed else 0


def run(todo, want):
    """The sections that failed."""
    failed = []
    for names, f in todo:
        if not set(names.split()) & set(want):
            continue
        say(names)
        try:
            f(want)
        except Exception as e:
            say("%s: %s: %s" % (names, type(e).__name__, str(e)[-3000:]))
            failed.append(names)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
