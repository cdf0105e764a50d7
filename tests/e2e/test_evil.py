# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A compromised child (evil.py; security.md 5.3): it may be killed, nothing else may happen."""
import os
import signal
import subprocess
import time

import pytest
from evil import SCENARIOS, take_over
from harness import AUTH_KEY, BIN, SLOW, alive, cpu, fds, rss, until

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.root]

VIOLATIONS, HARMLESS, FLOODS = (SCENARIOS[kind] for kind in ("VIOLATION", "HARMLESS", "FLOOD"))
CACHE_VIOLATIONS, CACHE_LIES = SCENARIOS["CACHE_VIOLATION"], SCENARIOS["CACHE_LIE"]
AUTHD_VIOLATIONS, AUTHD_LIES = SCENARIOS["AUTHD_VIOLATION"], SCENARIOS["AUTHD_LIE"]


@pytest.fixture
def evil(make_daemon, server, tmp_path_factory):
    def make(symbol, **conf):
        d = make_daemon(server, start=False, auth_key=AUTH_KEY, **conf)
        take_over(d, symbol)
        return d.start()
    return make


def sane(d, server):
    """The parent answers, logs in and out, and its keys are what they were."""
    for _ in range(5):
        t = time.monotonic()
        d.status()
        assert time.monotonic() - t < 1 * SLOW
    s = d.status()
    assert s["nodeKey"] == server.node().key and s["machineKey"] == server.node().machine
    assert s["serverKey"] == server.noise_public
    assert rss(d.pid) < 24 << 20 or SLOW > 1
    assert fds(d.pid) < 60
    return s


@pytest.mark.rows("PRIV-04")
@pytest.mark.parametrize("name", VIOLATIONS)
def test_broken_rules_kill_the_child(evil, server, name):
    d = evil(VIOLATIONS[name])
    w = d.watch()
    until(lambda: d.process("mapd")["restarts"] >= 1, what="the child is killed")
    s = d.wait(lambda s: s["loggedIn"])
    assert not s["synced"]
    sane(d, server)
    assert any(h["code"] == "child-crash" for h in d.status()["health"])
    used = cpu(d.pid)
    time.sleep(2)
    assert cpu(d.pid) - used < 0.5
    assert d.process("mapd")["restarts"] < 10
    assert all(e["name"] == "mapd" for e in w.all("child"))
    assert d.stop() == 0


@pytest.mark.rows("PRIV-03", "PRIV-04")
def test_hup_while_a_child_has_hung_up(evil, server):
    """It runs for half a second more: a new configuration is not sent to it."""
    d = evil(VIOLATIONS["hangs-up"])
    until(lambda: d.process("mapd")["pid"])
    for _ in range(100):
        d.proc.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    until(lambda: d.process("mapd")["restarts"] >= 1, what="the child is killed")
    sane(d, server)
    assert d.log().count("configuration reloaded") > 10
    assert d.stop() == 0


@pytest.mark.rows("PRIV-04")
@pytest.mark.parametrize("name", HARMLESS)
def test_lies_come_to_nothing(evil, server, name):
    d = evil(HARMLESS[name])
    until(lambda: server.log.count("register") >= 1)
    d.wait(lambda s: s["nodeKey"])
    before = d.state_text()
    time.sleep(1.5)
    s = sane(d, server)
    assert s["self"] is None or s["self"]["Name"] != "evil.example" or name == "forged-self"
    if name == "other-id":
        assert not s["synced"] and s["self"] is None
    assert d.proc.poll() is None
    def keys(text):
        lines = [x for x in text.splitlines() if "privkey:" in x]
        # Only the map says when the node key expires: a false time causes a login with a new node key, which the
        # server decides on (EXP-05). The key before it is kept as the old one; the machine key is out of reach.
        return [x for x in lines if x.startswith("machine-key")] if name == "forged-self" else lines
    assert keys(d.state_text()) == keys(before)
    log = d.log()
    assert "\x1b" not in log and "\nparent: fake" not in log and log.count("owned") <= 400
    assert len(log.splitlines()) < 1000, "security.md D12"
    assert server.log.count("accept") < 60
    kids = d.tree()
    assert d.stop() == 0
    until(lambda: not any(alive(p) for p in kids), 5)


@pytest.mark.rows("PRIV-04", "PERS-05")
@pytest.mark.parametrize("name", FLOODS)
def test_floods_that_break_no_rule(make_daemon, server, name):
    """Root waits for nothing, the disk and the server see little of it, and no watcher is lost."""
    d = make_daemon(server, start=False, auth_key=AUTH_KEY, log_level="info")
    take_over(d, FLOODS[name])
    d.start()
    until(lambda: d.status()["mapStreams"], what="it has begun")
    time.sleep(1)
    used, began = cpu(d.pid), time.monotonic()
    time.sleep(1)
    used = (cpu(d.pid) - used) / (time.monotonic() - began)
    print(name, "nobody watches: CPU %.3f" % used)
    assert used < 0.1 * SLOW
    # Not d.watch(): Python would read in the very thread that measures.
    w = subprocess.Popen([os.path.join(BIN, "tailnetctl"), "-s", d.socket, "-j", "watch"], stdout=subprocess.DEVNULL)
    time.sleep(1)
    used, began, grown, times = cpu(d.pid), time.monotonic(), rss(d.pid), []
    while time.monotonic() - began < 3:
        t = time.perf_counter()
        d.status()
        times.append(time.perf_counter() - t)
        time.sleep(0.01)
    used = (cpu(d.pid) - used) / (time.monotonic() - began)
    times.sort()
    print(name, "CPU %.3f" % used, "status %.1f ms, at most %.1f" % (times[len(times) // 2] * 1e3, times[-1] * 1e3))
    assert times[len(times) // 2] < 0.03 * SLOW
    # A watcher of the changes that keeps up gets all of them, 1.8 million a second: most of a CPU, as long as it
    # reads; others do not wait.
    assert name == "changes" or used < 0.1 * SLOW
    assert times[-1] < 0.5 * SLOW
    assert SLOW > 1 or rss(d.pid) - grown < 2 << 20
    assert w.poll() is None, "the watcher was lost"
    assert server.log.count("register") < 40 and server.log.count("accept") < 60
    assert len(d.log().splitlines()) < 100
    sane(d, server)
    assert d.stop() == 0
    w.wait(10)


@pytest.fixture
def evil_authd(make_daemon, server):
    """Synchronized, by a honest mapd; and at the next login that authd."""
    def make(symbol):
        d = make_daemon(server, auth_key=AUTH_KEY)
        d.wait_sync()
        assert d.stop() == 0
        take_over(d, symbol)
        d.start()
        d.wait_sync()
        return d
    return make


def undisturbed(d, server, first, w):
    """Synchronized all the while, with the key that was never another's to change."""
    s = d.status()
    for name in ("nodeKey", "machineKey", "serverKey"):
        assert s[name] == first[name], name
    assert s["serverKey"] == server.noise_public
    assert s["synced"] and all(e["status"]["synced"] for e in w.all("status"))
    assert d.process("mapd")["restarts"] == 0
    assert SLOW > 1 or rss(d.pid) < 24 << 20


@pytest.mark.rows("PRIV-04")
@pytest.mark.parametrize("name", AUTHD_VIOLATIONS)
def test_authd_that_breaks_rules(evil_authd, server, name):
    d = evil_authd(AUTHD_VIOLATIONS[name])
    first, w = d.status(), d.watch()
    d.ctl("login")
    until(lambda: d.process("authd")["restarts"] >= 1, what="it is killed")
    until(lambda: any(h["code"] == "child-crash" for h in d.status()["health"]))
    time.sleep(1)
    assert d.process("authd")["restarts"] < 5
    undisturbed(d, server, first, w)
    assert d.stop() == 0


@pytest.mark.rows("PRIV-04", "KEY-08", "FUP-03")
@pytest.mark.parametrize("name", AUTHD_LIES)
def test_authd_that_lies(evil_authd, server, name):
    d = evil_authd(AUTHD_LIES[name])
    first, w = d.status(), d.watch()
    used = cpu(d.pid)
    d.ctl("login")
    time.sleep(3)
    assert cpu(d.pid) - used < 0.3 * SLOW
    assert d.status()["goal"] is not None, "nothing that it said was taken for an answer"
    undisturbed(d, server, first, w)
    assert len([e for e in w.all("browse")]) < 40
    assert len(d.log().splitlines()) < 1500
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5 * SLOW


def cache_files(d):
    return sorted(x for x in os.listdir(d.state_dir) if x.startswith("netmap"))


@pytest.mark.rows("PRIV-04")
@pytest.mark.parametrize("name", CACHE_VIOLATIONS)
def test_lies_about_the_cache_kill_the_child(evil, server, name):
    d = evil(CACHE_VIOLATIONS[name], netmap_cache="yes")
    until(lambda: d.process("mapd")["restarts"] >= 1, what="the child is killed")
    sane(d, server)
    assert cache_files(d) == []
    assert d.stop() == 0


@pytest.mark.rows("PRIV-04")
@pytest.mark.parametrize("name", CACHE_LIES)
def test_a_cache_of_a_liar(evil, server, name):
    """It may write anything: the next, honest mapd finds that it is invalid."""
    d = evil(CACHE_LIES[name], netmap_cache="yes")
    until(lambda: server.log.count("register") >= 1)
    d.wait(lambda s: s["nodeKey"])
    if name.startswith("rubbish"):
        until(lambda: cache_files(d) == ["netmap.cache"], 10 * SLOW)
    elif name == "nothing-written":
        until(lambda: "not as long" in d.log() or "is empty" in d.log(), 10 * SLOW)
    else:
        until(lambda: cache_files(d) == ["netmap.cache.tmp"], 10 * SLOW)
    time.sleep(0.5)
    sane(d, server)
    assert d.process("mapd")["restarts"] == 0
    t = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - t < 5 * SLOW
    assert "netmap.cache.tmp" not in cache_files(d) or name == "no-answer"
    d.conf["libexec-dir"] = BIN
    d.start()
    s = d.wait_sync()
    assert s["netmapSource"] == "live"
    until(lambda: cache_files(d) == ["netmap.cache"], 10 * SLOW)
    if name.startswith("rubbish"):
        assert d.log().count("not used: not a netmap cache") == 1


@pytest.mark.rows("PRIV-04")
def test_a_cache_that_is_written_all_the_time(evil, server):
    """The pause depends on the bytes written to the disk, not on the reported size."""
    d = evil(SCENARIOS["CACHE_FLOOD"]["written-all-the-time"], netmap_cache="yes")
    pid = d.child("mapd")

    def written():
        with open("/proc/%d/io" % pid) as f:
            return int(dict(x.split(": ") for x in f.read().splitlines())["wchar"])
    until(lambda: written() >= 8 << 20)
    time.sleep(4)
    assert written() < 12 << 20
    sane(d, server)
    assert cache_files(d) == [] and d.process("mapd")["restarts"] == 0
    assert d.stop() == 0


@pytest.mark.rows("PRIV-04", "EXP-05")
@pytest.mark.parametrize("name", SCENARIOS["CACHE_READ"])
def test_lies_about_what_was_read(make_daemon, server, name):
    """An expired self out of a cache moves nothing."""
    d = make_daemon(server, auth_key=AUTH_KEY, netmap_cache="yes", login="manual")
    d.ctl("login")
    d.wait_sync()
    until(lambda: cache_files(d) == ["netmap.cache"], 10 * SLOW)
    before = d.status()
    assert d.stop() == 0
    keys = [x for x in d.state_text().splitlines() if "privkey:" in x or "expiry" in x]
    take_over(d, SCENARIOS["CACHE_READ"][name])
    mark = server.log.mark()
    d.start()
    s = d.wait(lambda s: s["netmapSource"] == "cached")
    time.sleep(1)
    s = d.status()
    assert s["self"]["Name"] == "evil.example" and not s["keyExpired"] and s["expiry"] == before["expiry"]
    assert s["nodeKey"] == before["nodeKey"] and s["health"] == before["health"] and (s["netmapAgeSeconds"] or 0) < 10
    assert not server.log.all("register", since=mark)
    assert [x for x in d.state_text().splitlines() if "privkey:" in x or "expiry" in x] == keys
    assert d.stop() == 0
