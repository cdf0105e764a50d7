# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""100 malicious members of the control group (stormd.c), and what root notices of them.  For test_storm.py and the
bench."""
import contextlib
import json
import os
import subprocess
import tempfile
import time

from harness import compiled, fds, forms, rss, until

GROUP = "_tailnetd"


@contextlib.contextmanager
def program():
    # not pytest's: those are closed to others
    with tempfile.TemporaryDirectory(prefix="storm-", dir="/tmp") as directory:
        out = os.path.join(directory, "stormd")
        compiled(out, "stormd.c")
        os.chmod(directory, 0o755)
        yield out


def start(stormd, d, seconds, seed=1):
    """As an unprivileged account that is in the control group here."""
    secrets = [b"privkey:", b"PrivateKey"] + [f for k in d.private_keys() for f in forms(k)]
    secrets += [s.encode() for s in d.secrets]
    return subprocess.Popen([stormd, d.socket, str(seconds), str(seed)] + [s.hex() for s in secrets],
                            stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, cwd="/", user="nobody", group=GROUP, extra_groups=[])


def finish(p):
    """What it counted."""
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    return json.loads(out)


def status_times(d, seconds, every=0.005):
    """The times of consecutive `status` commands of root: seconds, sorted."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        t = time.perf_counter()
        with d.connect() as s:
            s.sendall(b"status\n")
            head = s.recv(1 << 16)
            assert head.startswith(b'{"v":1,'), head[:200]
            while s.recv(1 << 16):
                pass
        times.append(time.perf_counter() - t)
        time.sleep(every)
    return sorted(times)


def p99(times):
    return times[min(len(times) - 1, int(len(times) * 0.99))]


def used(d):
    """Descriptors and memory of the daemon and of mapd."""
    return [f(pid) for pid in (d.pid, d.child("mapd")) for f in (fds, rss)]


def run(stormd, d, seconds):
    """What a storm did: stormd's own counts, p99 of `status` for root before and in it, what was not given back, and
    whether the daemon was synchronized all the while."""
    finish(start(stormd, d, 1))  # what is used for the first time now is not growth
    w = d.watch()
    time.sleep(1)
    before, mark = used(d), w.mark()
    calm = status_times(d, max(2, seconds / 3))
    p = start(stormd, d, seconds, seed=2)
    try:
        times = status_times(d, seconds - 0.5)
        result = finish(p)
    finally:
        p.kill()
    until(lambda: used(d)[0] <= before[0] and used(d)[2] <= before[2], 10, "descriptors are back")
    after = used(d)
    states = [e["status"] for e in w.all("status", since=mark)]
    return dict(result, calm=p99(calm), p99=p99(times), worst=times[-1], n=len(times),
                grown=after[1] - before[1], mapd_grown=after[3] - before[3],
                synced=d.status()["synced"] and all(s["synced"] for s in states), status_events=len(states),
                restarts=d.process("mapd")["restarts"])
