# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""Interactive login, follow-up, rotation (behaviours.md 7 to 9)."""
import itertools
import mmap
import os
import re
import subprocess
import time

import pytest
from controlserver import HOLD, Reply
from controlserver.model import parse_time
from harness import AUTH_KEY, SANITIZED, SLOW, cpu, status_field, until

ZERO_NODE = "nodekey:" + "0" * 64
pytestmark = pytest.mark.usefixtures("programs")


def ask(server, make_daemon, **how):
    """A daemon that waits for its user."""
    d = make_daemon(server, **how)
    d.ctl("login")
    s = d.wait_state("url-visit-required")
    server.log.wait("register", n=2)
    return d, s["url"]


@pytest.mark.rows("INT-03")
def test_second_login_while_a_url_is_pending(server, make_daemon):
    d, url = ask(server, make_daemon)
    w = d.watch()
    first = server.log.all("register")[1]
    d.ctl("login interactive")
    s = w.status(lambda s: s["url"] not in ("", url))
    until(lambda: server.log.all("stream-reset", conn=first.conn, stream=first.stream) or
          server.log.all("closed", conn=first.conn),
          what="the old wait is cancelled")
    new = s["url"]
    server.complete(new)
    d.wait_sync()
    mark = w.mark()
    server.complete(url)
    time.sleep(0.3)
    urls = [e["status"]["url"] for e in w.all("status", since=mark)]
    assert url not in urls and d.status()["url"] == ""
    assert [e["url"] for e in w.all("browse")] == [new]


@pytest.mark.rows("INT-03")
def test_auth_key_while_a_url_is_pending(server, make_daemon):
    d, _ = ask(server, make_daemon)
    d.ctl("login auth-key=" + AUTH_KEY)
    s = d.wait_sync()
    assert s["url"] == ""


@pytest.mark.rows("INT-04")
@pytest.mark.parametrize("then", ["logout", "login"])
def test_late_answer_is_dropped(server, make_daemon, then):
    """Held register A; a newer command; A is answered: the answer to A has no effect."""
    gate = server.gate()
    held = []

    async def hold(req):
        if not held:
            held.append(req)
            await gate.wait()
            return {"AuthURL": "https://login.example.test/a/stale"}
        return None
    server.on_register = hold
    d = make_daemon(server, login="manual")
    w = d.watch()
    d.ctl("login")
    until(lambda: held)
    before = d.state_text().count("privkey:")
    d.ctl(then)
    gate.open()
    if then == "logout":
        time.sleep(0.5)
        s = d.status()
        assert s["state"] in ("state:new", "state:not-authenticated") and s["nodeKey"] == "" and s["url"] == ""
        assert d.state_text().count("privkey:") == before == 1
    else:
        url = d.wait_state("url-visit-required")["url"]
        assert "stale" not in url
    assert not [e for e in w.all("browse") if "stale" in e["url"]]


@pytest.mark.rows("INT-05")
@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "ftp://x/", "https:evil", "https://a b/",
                                 "",
                                 "https://x/" + "y" * 5000])
def test_urls_that_are_not_passed_on(server, make_daemon, url):
    d = make_daemon(server, auth_key=AUTH_KEY)
    d.wait_sync()
    w = d.watch()
    server.map().send({"PopBrowserURL": url, "Domain": "pop."})
    d.wait_netmap(lambda n: n["Domain"] == "pop.")
    time.sleep(0.2)
    assert not w.all("browse")
    if url:
        server.on_register = lambda req: {"AuthURL": url}
        d.ctl("login interactive")
        s = d.wait_err()
        assert s["url"] == "" and not w.all("browse")


@pytest.mark.rows("INT-05")
def test_clear_text_url_from_a_tls_server(tls_server, make_daemon, ca):
    d = make_daemon(tls_server.tls_url, auth_key=AUTH_KEY, ca_file=ca.file)
    d.wait_sync()
    w = d.watch()
    m = tls_server.map()
    m.send({"PopBrowserURL": "http://login.example.test/x"})
    m.send({"PopBrowserURL": "https://login.example.test/y"})
    assert w.wait(lambda e: e["event"] == "browse")["url"] == "https://login.example.test/y"


@pytest.mark.rows("INT-06", "ROT-02", "ROT-03")
def test_interactive_on_a_logged_in_node(server, make_daemon):
    """A new key, and until it is accepted the old one is used."""
    d = make_daemon(server, auth_key=None)
    d.ctl("login auth-key=" + AUTH_KEY)
    old = d.wait_sync()
    server.log.wait("lite")
    # This time the server wants the user.
    server.on_register = None
    t = server.tailnet
    plain = t.register

    def ask_always(machine, req):
        if req["NodeKey"] != old["nodeKey"] and not req.get("Followup"):
            return t._ask(machine, req["NodeKey"], req), None
        return plain(machine, req)
    t.register = ask_always
    m = server.map()
    mark = server.log.mark()
    d.ctl("login interactive")
    s = d.wait(lambda s: s["url"])
    server.log.wait("register", n=2, since=mark)
    a, b = server.log.all("register", since=mark)[:2]
    assert a.json["NodeKey"] == b.json["NodeKey"] != old["nodeKey"]
    assert a.json["OldNodeKey"] == b.json["OldNodeKey"] == old["nodeKey"]
    assert b.json["Followup"] == s["url"]
    m.send({"Domain": "still.alive"})
    nm = d.wait_netmap(lambda n: n["Domain"] == "still.alive")
    assert nm["NodeKey"] == old["nodeKey"] and server.map() is m and d.status()["nodeKey"] == old["nodeKey"]
    server.complete(s["url"])
    n = server.map(a.json["NodeKey"])
    s = d.wait(lambda s: s["synced"] and s["nodeKey"] == a.json["NodeKey"])
    assert s["oldNodeKey"] == old["nodeKey"] and s["self"]["ID"] == old["self"]["ID"] and s["url"] == ""
    assert not m.open and n.open and len(server.tailnet.nodes) == 1
    # The second rotation chains on.
    t.register = plain
    mark = server.log.mark()
    d.ctl("login interactive auth-key=" + AUTH_KEY)
    until(lambda: d.status()["nodeKey"] not in ("", s["nodeKey"]))
    e = server.log.wait("register", since=mark)
    assert e.json["OldNodeKey"] == s["nodeKey"]
    assert d.wait_sync()["oldNodeKey"] == s["nodeKey"]


@pytest.mark.long
@pytest.mark.rows("FUP-01")
def test_followup_repeats_the_candidate(server, make_daemon):
    d, url = ask(server, make_daemon, map_watchdog=2)
    a, b = server.log.all("register")[:2]
    assert b.json["Followup"] == url and b.json["NodeKey"] == a.json["NodeKey"]
    assert b.json.get("OldNodeKey", ZERO_NODE) == a.json.get("OldNodeKey", ZERO_NODE)
    # Longer than the limit of every other request (60 s): it stays.
    time.sleep(65)
    assert server.log.count("register") == 2 and d.status()["url"] == url
    server.complete(url)
    s = d.wait_sync()
    assert s["nodeKey"] == a.json["NodeKey"]


TICK = 31  # the parent asks its children every 30 s whether they answer
# The parent's clock goes as far ahead as a file says, in seconds.
CLOCK = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile long *ahead;

__attribute__((constructor)) static void
begin(void)
{
	const char *name = getenv("CLOCK_AHEAD");
	int fd = name != NULL ? open(name, O_RDONLY) : -1;

	if (fd == -1)
		return;
	ahead = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && ahead != NULL && ahead != MAP_FAILED)
		ts->tv_sec += *ahead;
	return rc;
}
"""


@pytest.mark.rows("FUP-01")
@pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be the first library")
def test_followup_outlives_the_parents_timers(server, make_daemon, tmp_path):
    """An hour passes in the parent: it neither asks again nor takes authd away.  authd's own hour:
    tests/unit/authd/test_authd_wait.c."""
    (tmp_path / "clock.c").write_text(CLOCK)
    (tmp_path / "ahead").write_bytes(bytes(8))
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(tmp_path / "clock.so"), str(tmp_path / "clock.c")],
                   check=True)
    d = make_daemon(server, start=False)
    d.env = {"LD_PRELOAD": str(tmp_path / "clock.so"), "CLOCK_AHEAD": str(tmp_path / "ahead")}
    d.start()
    d.ctl("login")
    url = d.wait_state("url-visit-required")["url"]
    server.log.wait("register", n=2)
    authd = d.child("authd")
    with open(tmp_path / "ahead", "r+b") as f, mmap.mmap(f.fileno(), 8) as ahead:
        for seconds in range(TICK, 3600, TICK):
            slept = status_field(authd, "voluntary_ctxt_switches")
            ahead[:] = seconds.to_bytes(8, "little")
            assert d.status()["url"] == url
            # It has answered the periodic PING.
            until(lambda s=slept: status_field(authd, "voluntary_ctxt_switches") != s, what="authd was asked",
                  every=0.001)
    shown = d.watch().all()[0]["time"]
    assert parse_time(shown).timestamp() > time.time() + 3500, "its clock is another"
    assert server.log.count("register") == 2 and d.child("authd") == authd
    server.complete(url)
    assert d.wait_sync()["nodeKey"] == server.log.all("register")[1].json["NodeKey"]


@pytest.mark.rows("FUP-02")
def test_another_url_from_the_followup(server, make_daemon):
    d, url = ask(server, make_daemon)
    w = d.watch()
    second = "https://login.example.test/a/second"
    server.complete(url, second)
    s = w.status(lambda s: s["url"] == second)
    assert s["err"] == ""
    assert w.wait(lambda e: e["event"] == "browse")["url"] == second
    e = server.log.wait("register", n=3)
    assert e.json["Followup"] == second
    server.complete(second)
    d.wait_sync()


@pytest.mark.rows("FUP-03")
def test_same_url_at_once(server, make_daemon):
    server.on_register = lambda req: {"AuthURL": "https://login.example.test/a/same"}
    d = make_daemon(server)
    w = d.watch()
    d.ctl("login")
    d.wait_state("url-visit-required")
    used = cpu(d.pid)
    time.sleep(5)
    assert server.log.count("register") < 25
    assert len(w.all("browse")) == 1 and cpu(d.pid) - used < 0.5


@pytest.mark.rows("FUP-02", "FUP-03", "BACK-03")
@pytest.mark.parametrize("how", ["urls", "expired"])
def test_followups_without_end(server, make_daemon, how):
    """Each is answered at once by another URL, or by an expired key and then another URL: no loop (at most 30 in 30
    s)."""
    urls = itertools.count()

    def lead_on(req):
        if how == "expired" and req.json["Followup"]:
            return {"NodeKeyExpired": True}
        return {"AuthURL": "https://login.example.test/a/%d" % next(urls)}
    server.on_register = lead_on
    d = make_daemon(server)
    w = d.watch()
    d.ctl("login")
    d.wait_state("url-visit-required")
    used = cpu(d.pid)
    time.sleep(10)
    assert 5 < server.log.count("register") < 20
    assert cpu(d.pid) - used < 0.5 and d.status()["err"] == ""
    assert len(w.all("browse")) == next(urls), "each URL was shown once"
    server.on_register = None
    d.ctl("login auth-key=" + AUTH_KEY)
    d.wait_sync()


@pytest.mark.rows("FUP-04")
def test_connection_lost_during_the_wait(server, make_daemon):
    d, url = ask(server, make_daemon)
    w = d.watch()
    b = server.log.all("register")[1]
    server.drop_all()
    e = server.log.wait("register", n=3)
    assert e.json["Followup"] == url and e.json["NodeKey"] == b.json["NodeKey"]
    assert not w.all("browse") and d.status()["url"] == url
    server.complete(url)
    assert d.wait_sync()["nodeKey"] == b.json["NodeKey"]


@pytest.mark.rows("FUP-05", "INT-01")
def test_pause_during_the_wait(server, make_daemon):
    d, url = ask(server, make_daemon)
    conn = server.log.all("register")[1].conn
    t = time.monotonic()
    d.ctl("pause")
    server.log.wait("closed", conn=conn, timeout=5)
    assert time.monotonic() - t < 2 * SLOW
    mark = server.log.mark()
    time.sleep(0.5)
    assert not server.log.all("accept", since=mark)
    assert "paused 1" in d.state_text() and d.state_text().count("privkey:") == 1, "saved, and without the candidate"
    d.ctl("unpause")
    e = server.log.wait("register", since=mark)
    assert e.json["Followup"] == url and d.status()["url"] == url
    server.complete(url)
    d.wait_sync()


@pytest.mark.rows("FUP-05", "OUT-01")
def test_logout_during_the_wait(server, make_daemon):
    d, url = ask(server, make_daemon)
    e = server.log.all("register")[1]
    t = time.monotonic()
    d.ctl("logout")
    until(lambda: server.log.all("stream-reset", conn=e.conn, stream=e.stream) or server.log.all("closed", conn=e.conn),
          5)
    assert time.monotonic() - t < 2 * SLOW
    s = d.status()
    assert s["url"] == "" and not s["loggedIn"]
    server.complete(url)
    time.sleep(0.3)
    assert not d.status()["loggedIn"]


@pytest.mark.rows("FUP-06")
def test_killed_during_the_wait(server, make_daemon):
    d, url = ask(server, make_daemon)
    before = d.state_text()
    d.kill()
    assert d.state_text() == before
    d.start()
    d.ctl("login")
    new = d.wait(lambda s: s["url"])["url"]
    assert new != url
    server.complete(new)
    d.wait_sync()


@pytest.mark.rows("FUP-06", "INT-06")
def test_killed_during_a_rotation(server, make_daemon):
    d = make_daemon(server)
    d.ctl("login auth-key=" + AUTH_KEY)
    old = d.wait_sync()
    server.on_register = lambda req: HOLD if req.json["NodeKey"] != old["nodeKey"] else None
    n = server.log.count("register")
    d.ctl("login interactive")
    server.log.wait("register", n=n + 1)
    d.kill()
    server.on_register = None
    d.start()
    assert d.wait_sync()["nodeKey"] == old["nodeKey"]


@pytest.mark.rows("ROT-01")
def test_plain_login_keeps_the_key(server, daemon):
    before = daemon.status()
    nm = daemon.netmap()
    mark = server.log.mark()
    daemon.ctl("login")
    e = server.log.wait("register", since=mark)
    assert e.json["NodeKey"] == before["nodeKey"]
    assert e.json.get("OldNodeKey", ZERO_NODE) in (ZERO_NODE, before["oldNodeKey"])
    s = daemon.wait(lambda s: s["synced"] and s["goal"] is None)
    after = daemon.netmap()
    assert s["nodeKey"] == before["nodeKey"] and after["SelfNode"] == nm["SelfNode"] and after["Peers"] == nm["Peers"]


@pytest.mark.rows("ROT-02")
def test_wgconf_between_two_keys(server, daemon):
    """The private key is printed with the netmap of its public key only (protocol.md K.2)."""
    old = daemon.status()
    assert "\nPrivateKey = " in daemon.text("wgconf private")
    server.on_map = lambda req: HOLD
    daemon.ctl("login interactive auth-key=" + AUTH_KEY)
    s = daemon.wait(lambda s: s["nodeKey"] != old["nodeKey"] and s["goal"] is None)
    assert s["netmapSource"] == "stale"
    text = daemon.text("wgconf private")
    assert text.startswith("[Interface]\n") and "PrivateKey" not in text and "ListenPort" in text
    server.on_map = None
    daemon.ctl("reconnect")
    daemon.wait_sync()
    until(lambda: "\nPrivateKey = " in daemon.text("wgconf private"), 5 * SLOW, "the private key is there again")


@pytest.mark.rows("ROT-03")
def test_rotation_seen_by_a_peer(server, make_daemon):
    a = make_daemon(server, hostname="aa")
    a.ctl("login auth-key=" + AUTH_KEY)
    old = a.wait_sync()
    b = make_daemon(server, auth_key=AUTH_KEY, hostname="bb")
    b.wait_sync()
    nm = b.wait_netmap(lambda n: [p["Key"] for p in n["Peers"]] == [old["nodeKey"]])
    a.ctl("login interactive auth-key=" + AUTH_KEY)
    s = a.wait(lambda s: s["synced"] and s["nodeKey"] != old["nodeKey"])
    new = b.wait_netmap(lambda n: [p["Key"] for p in n["Peers"]] == [s["nodeKey"]])
    assert new["Peers"][0]["ID"] == nm["Peers"][0]["ID"]
    assert len([m for m in server.sessions if m.node_key == s["nodeKey"]]) == 1
    assert not [m for m in server.sessions if m.node_key == old["nodeKey"]]


@pytest.mark.rows("ROT-04")
def test_nothing_of_the_old_identity_afterwards(server, make_daemon):
    """A lite update of the old key is held; after the rotation it is not sent again, and its connection is closed
    first."""
    d = make_daemon(server)
    d.ctl("login auth-key=" + AUTH_KEY)
    old = d.wait_sync()["nodeKey"]
    server.log.wait("lite")
    server.on_lite = lambda req: HOLD if req.json["NodeKey"] == old else None
    mark = server.log.mark()
    d.ctl('set hostinfo {"DeviceModel":"held"}')
    held = server.log.wait("lite", since=mark)
    mark = server.log.mark()
    d.ctl("login interactive auth-key=" + AUTH_KEY)
    d.wait(lambda s: s["synced"] and s["nodeKey"] not in ("", old))
    done = server.log.all("answer", to="register", since=mark)[-1]
    late = [e for e in server.log.all(since=done.i) if e.kind in ("map", "lite") and e.json["NodeKey"] == old]
    assert late == []
    gone = server.log.wait("closed", conn=held.conn, timeout=5)
    first = server.log.wait("map", since=done.i)
    assert gone.i < first.i, "the old connection was there when the new one asked for its map"


@pytest.mark.rows("ROT-05", "PERS-03")
@pytest.mark.parametrize("when", ["request", "answer", "after"])
def test_killed_around_the_answer(server, make_daemon, when):
    d = make_daemon(server)
    d.ctl("login auth-key=" + AUTH_KEY)
    old = d.wait_sync()
    mark = server.log.mark()
    if when == "request":
        server.on_register = lambda req: HOLD
    d.ctl("login interactive auth-key=" + AUTH_KEY)
    new = server.log.wait("register", since=mark).json["NodeKey"]
    if when == "answer":
        server.log.wait("answer", to="register", since=mark)
    elif when == "after":
        server.log.wait("map", since=mark)
    d.kill()
    server.on_register = None
    d.start()
    s = d.wait_sync()
    assert s["nodeKey"] in (old["nodeKey"], new) and s["machineKey"] == old["machineKey"]
    if when == "request":
        assert s["nodeKey"] == old["nodeKey"]
    elif when == "after":
        assert s["nodeKey"] == new
    assert re.match(r"tailnetd-state 1\n", d.state_text())


@pytest.mark.rows("ROT-06")
def test_login_as_another_user(server, make_daemon):
    bob = server.tailnet.add_user("bob@example.test", "Bob")
    server.tailnet.add_auth_key("tskey-auth-bob", user=bob)
    d = make_daemon(server)
    d.ctl("login auth-key=" + AUTH_KEY)
    a = d.wait_sync()
    d.ctl("logout")
    d.ctl("login auth-key=" + AUTH_KEY)
    b = d.wait_sync()
    assert b["self"]["ID"] == a["self"]["ID"] and b["nodeKey"] != a["nodeKey"]
    d.ctl("logout")
    d.ctl("login auth-key=tskey-auth-bob")
    c = d.wait_sync()
    assert c["self"]["ID"] != a["self"]["ID"] and c["user"]["LoginName"] == "bob@example.test"
    assert len(server.tailnet.nodes) == 2


@pytest.mark.rows("ROT-06")
@pytest.mark.parametrize("rotations", [1, 3])
def test_a_key_that_was_replaced_long_ago(server, make_daemon, rotations):
    """A state file out of a backup: its key is asked about as always, and the user has to say yes; until then it is
    unused."""
    d = make_daemon(server)
    d.ctl("login auth-key=" + AUTH_KEY)
    first = d.wait_sync()
    assert d.stop() == 0
    backup = d.state_text()
    d.start().wait_sync()
    for _ in range(rotations):
        before = d.status()["nodeKey"]
        d.ctl("login interactive auth-key=" + AUTH_KEY)
        last = d.wait(lambda s, k=before: s["synced"] and s["nodeKey"] not in ("", k))
    assert d.stop() == 0 and server.node().key == last["nodeKey"] != first["nodeKey"]
    with open(os.path.join(d.state_dir, "state"), "w") as f:
        f.write(backup)
    mark = server.log.mark()
    d.start()
    w = d.watch()
    url = d.wait_state("url-visit-required")["url"]
    e = server.log.wait("register", n=2, since=mark)
    a = server.log.all("register", since=mark)[0]
    assert a.json["NodeKey"] == e.json["NodeKey"] == first["nodeKey"]
    assert not a.json.get("Auth") and e.json["Followup"] == url
    time.sleep(0.5)
    s = d.status()
    assert s["url"] == url and s["state"] == "state:url-visit-required"
    assert not s["synced"] and not s["loggedIn"] and s["goal"]
    assert [e.kind for e in server.log.all(since=mark) if e.kind in ("map", "lite")] == []
    assert not [e for e in w.all("status") if e["loginFinished"] or e["status"]["synced"]]
    assert [e["url"] for e in w.all("browse")] in ([], [url])  # [] where the watch began later
    assert server.node().key == last["nodeKey"], "the server has not been talked into anything"
    server.complete(url)
    now = d.wait_sync()
    assert now["nodeKey"] == server.node().key and now["self"]["ID"] == first["self"]["ID"] and now["url"] == ""


def test_refused_rotation_changes_nothing(server, make_daemon):
    d = make_daemon(server)
    d.ctl("login auth-key=" + AUTH_KEY)
    old = d.wait_sync()
    text = d.private_keys()
    server.on_register = lambda req: Reply(403, b"no rotation today")
    d.ctl("login interactive")
    d.wait_err("no rotation today")
    s = d.status()
    assert s["nodeKey"] == old["nodeKey"] and s["synced"] and set(text) <= set(d.private_keys())
    server.on_register = None
    d.restart()
    assert d.wait_sync()["nodeKey"] == old["nodeKey"]
